package cli

import (
	"context"
	"os"
	"strings"
	"testing"
)

// commandLine carries out a command line without a world: it gets no further than its words.
func commandLine(t *testing.T, args ...string) ran {
	t.Helper()
	var out, stderr lockedBuffer
	a := &app{
		Streams: Streams{In: strings.NewReader(""), Out: &out, Err: &stderr},
		env:     func(string) (string, bool) { return "", false },
	}
	code := a.run(context.Background(), append(args, "--state-dir", t.TempDir()))
	return ran{code, out.String(), stderr.String()}
}

// A word that is not understood is answered with what was meant, where that can be
// told, and with where to look; a value by the flag it was typed at.
func TestWhatIsNotUnderstood(t *testing.T) {
	for line, c := range map[string]struct{ says, not string }{
		"aply":                              {`unknown command "aply"; did you mean apply?|'msbundle --help' lists the commands`, ""},
		"aply -f x":                         {`unknown command "aply"; did you mean apply?|'msbundle --help' lists the commands`, "shorthand"},
		"pla":                               {"did you mean plan?", ""},
		"bogus":                             {`unknown command "bogus"|'msbundle --help' lists the commands`, "did you mean"},
		"plan here.yaml":                    {`"here.yaml"|-f|'msbundle plan --help'`, "unknown command"},
		"whoami me":                         {`"me"|'msbundle whoami --help'`, "-f"},
		"completion foo":                    {"takes one of bash, zsh, fish", ""},
		"completion":                        {"takes one of bash, zsh, fish", "arg(s)"},
		"--bogus":                           {"--bogus|'msbundle --help' lists the flags", "did you mean"},
		"apply --bogus":                     {"--bogus|'msbundle apply --help' lists the flags", "did you mean"},
		"apply --secret-ou x":               {"--secret-ou; did you mean --secret-out?|'msbundle apply --help'", ""},
		"plan --tennant x":                  {"did you mean --tenant?", ""},
		"plan -q":                           {"-q|'msbundle plan --help' lists the flags", "did you mean"},
		"--no-color":                        {"--color never", ""},
		"apply --no-colour":                 {"--color never", ""},
		"plan --sandbox --scenario nothing": {"--scenario: |nothing|'msbundle sandbox --help' lists", "--sandbox:|happy|did you mean"},
		"sandbox --scenario gdap-mixd":      {"--scenario: |did you mean gdap-mixed?|'msbundle sandbox --help' lists", "happy"},
		"sandbox --approve perhaps":         {"--approve: |now, auto, manual", "--sandbox"},
		"--accessible --sandbox --delays x": {"--delays: |realistic", "--sandbox"},
		"sandbox --latency -1s":             {"--latency: ", "interval"},
		"sandbox --interval -1s":            {"--interval: ", "latency"},
		"sandbox --customers -1":            {"--customers: ", ""},
		"sandbox --canary a.b":              {"--canary: ", ""},
		"sandbox --listen here":             {"--listen: |here", ""},
		"sandbox --listen 127.0.0.1:0 --proxy there":    {"--proxy: |there", ""},
		"sandbox --listen 127.0.0.1:0 --ca /dev/null/x": {"--ca: |/dev/null/x", ""},
	} {
		t.Run(line, func(t *testing.T) {
			words := strings.Fields(line)
			if words[0] == "plan" && words[1] == "--sandbox" {
				words = append(words, "-f", ownedCSP)
			}
			r := commandLine(t, words...).must(t, exitUsage)
			for said := range strings.SplitSeq(c.says, "|") {
				if !strings.Contains(r.err, said) {
					t.Errorf("does not say %q:\n%s", said, r.err)
				}
			}
			for said := range strings.SplitSeq(c.not, "|") {
				if said != "" && strings.Contains(r.err, said) {
					t.Errorf("says %q:\n%s", said, r.err)
				}
			}
			if len(r.err) > 240 {
				t.Errorf("%d characters:\n%s", len(r.err), r.err)
			}
		})
	}
}

// What shapes a rehearsal is found from each help, and stands in README.
func TestRehearsalFlagsAreTold(t *testing.T) {
	for _, command := range []string{"", "plan", "apply"} {
		r := commandLine(t, append(strings.Fields(command), "--help")...).must(t, exitDone)
		if !strings.Contains(r.out, "--scenario") || !strings.Contains(r.out, "msbundle sandbox --help") {
			t.Errorf("msbundle %s --help does not tell of them:\n%s", command, r.out)
		}
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	help := commandLine(t, "sandbox", "--help").must(t, exitDone).out
	for _, name := range rehearsalFlags {
		if !strings.Contains(string(readme), "| `--"+name+" ") {
			t.Errorf("README's table lacks --%s", name)
		}
		if !strings.Contains(help, "--"+name+" ") {
			t.Errorf("msbundle sandbox --help lacks --%s", name)
		}
	}
}
