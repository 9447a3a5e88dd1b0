package cli

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"msbundle/sandbox"
	"msbundle/state"
	"msbundle/steps"
)

// savedFile is the one setup file in the state folder.
func (w *world) savedFile() string {
	w.t.Helper()
	files, _ := filepath.Glob(filepath.Join(w.state, "*", "*", "setup.yaml"))
	if len(files) != 1 {
		w.t.Fatalf("setup files: %v", files)
	}
	return files[0]
}

// Who went through the stage about customers alone keeps a file about customers:
// applied again it makes no app.
func TestSavedByOneStage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answers []string
		has     func(state.Answers) bool
		changes int
	}{
		"GDAP":            {[]string{"3", "1", "", "", "", "", "", "", "", "", "yes", "quit"}, func(a state.Answers) bool { return a.GDAP != nil && !a.Ready() }, 345},
		"service account": {append([]string{"2"}, make([]string, 30)...), func(a state.Answers) bool { return a.ServiceAccount != nil && a.GDAP == nil }, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := rehearsalOf(t, sandbox.Options{Scenario: "gdap-mixed"})
			r := w.lines(answered(c.answers...), "--accessible")
			w.in = nil
			a, err := state.LoadAnswers(w.savedFile())
			if err != nil || !a.NoApp || !c.has(a) {
				t.Fatalf("%s: saved %+v, %v\n%s", name, a, err, r.out)
			}
			doc := decode[planDocument](t, w.run("plan", "-f", w.savedFile(), "--json").must(t, exitChanges))
			for _, change := range doc.Changes {
				if change.Kind == steps.KindApplication || change.Step == "authorize" {
					t.Errorf("%s: the plan has %s", name, change.Describe())
				}
			}
			if c.changes > 0 && len(doc.Changes) > c.changes {
				t.Errorf("%s: %d changes, want at most %d", name, len(doc.Changes), c.changes)
			}
		})
	}
}

// What one run leaves untouched stays in the file that is kept.
func TestKeptFileGrows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{Scenario: "gdap-mixed"})
		w.run("apply", "-f", w.setup("version: 1\ngdap: {customers: all}\n"), "--yes").must(t, exitWaiting)
		if a, _ := state.LoadAnswers(w.savedFile()); !a.NoApp || a.GDAP == nil {
			t.Errorf("kept: %+v", a)
		}
		w.run("apply", "-f", w.setup("version: 1\nregistration: {name: Rewst for Contoso}\n"), "--yes").must(t, exitDone)
		w.run("apply", "-f", w.setup("version: 1\ngdap: {customers: all, days: 365}\n"), "--yes").must(t, exitWaiting)
		a, err := state.LoadAnswers(w.savedFile())
		if err != nil || a.NoApp || a.Registration.Name != "Rewst for Contoso" || a.GDAP == nil || a.GDAP.Days != 365 {
			t.Errorf("kept: %+v, %v", a, err)
		}
		if r := w.run("explain", "--customer", "fabrikam.onmicrosoft.com"); strings.Contains(r.out, "No app registration of the setup is known") {
			t.Errorf("the app is not known any more:\n%s", r.out)
		}
	})
}
