package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/atotto/clipboard"
	"github.com/charmbracelet/x/term"
	"github.com/pkg/browser"

	"msbundle/state"
	"msbundle/ui"
)

// graceTime is how long keys are ignored after a screen changed by itself.
const graceTime = 400 * time.Millisecond

// insteadOfWizard is what serves where the wizard cannot.
const insteadOfWizard = "use 'msbundle plan' and 'msbundle apply' with -f setup.yaml instead"

// wizard opens the wizard, full screen or as plain lines.
func (a *app) wizard(ctx context.Context) error {
	if a.flags.noInput || a.flags.json {
		return usage("the wizard asks questions, which --no-input and --json rule out (CI counts as --no-input); %s", insteadOfWizard)
	}
	a.pages = isTerminal(a.In)
	if a.plainLines() {
		return a.wizardInLines(ctx)
	}
	if err := a.terminal(); err != nil {
		return err
	}
	cfg, err := a.wizardConfig(ctx)
	if err != nil {
		return err
	}
	screen := ui.New(cfg)
	options := []tea.ProgramOption{
		tea.WithContext(ctx), tea.WithoutSignalHandler(), tea.WithInput(a.In), tea.WithOutput(a.Out),
	}
	_, err = tea.NewProgram(screen, options...).Run()
	fmt.Fprint(a.Out, screen.Stale())
	if text := screen.Finishing(); text != "" {
		fmt.Fprintln(a.Err, text)
	}
	screen.Stop(ui.StopLimit) // a write under way is seen through before the process ends
	fmt.Fprint(a.Err, screen.Summary())
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, tea.ErrProgramPanic) || err != nil && !errors.Is(err, tea.ErrProgramKilled) {
		return &exitError{exitFailed, fmt.Errorf("the terminal failed: %w", err)}
	}
	return wizardEnded(screen.Outcome())
}

// wizardEnded is the exit code of how the wizard ended; everything was said.
func wizardEnded(o ui.Outcome) error {
	codes := map[ui.Outcome]int{
		ui.NoSignIn: exitNoSignIn, ui.Partial: exitFailed, ui.Waits: exitWaiting, ui.Interrupted: exitInterrupted, ui.Declined: exitUsage,
	}
	if code, bad := codes[o]; bad {
		return &exitError{code: code}
	}
	return nil
}

// terminal makes sure that the wizard can be shown.
func (a *app) terminal() error {
	if !isTerminal(a.In) || !isTerminal(a.Out) {
		return usage("the wizard needs a terminal, and this is none; add --accessible to answer line by line, or %s", insteadOfWizard)
	}
	width, height, err := term.GetSize(a.Out.(*os.File).Fd())
	if err == nil && width > 0 && (width < ui.MinWidth || height < ui.MinHeight) {
		return usage("the terminal is %d by %d; the wizard needs at least %d by %d: enlarge the window", width, height, ui.MinWidth, ui.MinHeight)
	}
	return nil
}

func (a *app) wizardConfig(ctx context.Context) (ui.Config, error) {
	c, err := a.connect(ctx)
	if err != nil {
		return ui.Config{}, err
	}
	s, err := a.setup(ctx, c, purpose{})
	if err != nil {
		return ui.Config{}, err
	}
	answers := state.DefaultAnswers()
	answers.Tenant, answers.Account = a.flags.tenant, a.flags.account
	plainColours, _ := a.env("NO_COLOR")
	cfg := ui.Config{
		Setup: s, Answers: answers, Now: time.Now, Sandbox: c.label, DevicePage: c.page, StateDir: c.stateDir,
		NoColor: a.flags.color == "never" || plainColours != "", Grace: graceTime,
		OpenURL: a.opener(c), Copy: copier(), Again: a.again(), Undo: a.later("undo"), Invitations: a.later("invitations"),
		Methods: a.methods(c), Browse: firstOpener(c.browse, a.opener(c)), Play: c.play, OwnClient: a.flags.clientID != "",
	}
	cfg.Tunnel = func(port int) string { return a.tunnel(c, port) }
	if c.sessions != nil {
		cfg.Remember = howKept(c.sessions)
	}
	if c.label == "" {
		cfg.Rehearse = func(ctx context.Context) (ui.Config, error) {
			rehearsal := *a
			rehearsal.flags.sandbox, rehearsal.flags.stateDir = inProcess, ""
			rehearsal.flags.tenant, rehearsal.flags.account, rehearsal.flags.clientID = "", "", "" // of the real tenant
			cfg, err := rehearsal.wizardConfig(ctx)
			a.closers = append(a.closers, rehearsal.closers[len(a.closers):]...)
			return cfg, err
		}
	}
	return cfg, nil
}

// again is the command line that applies a setup file later, with what is needed
// to reach the same cloud and the same journal; nil for a rehearsal that ends with
// this process.
func (a *app) again() func(string, state.Answers) string {
	words := a.later("apply")
	if words == "" {
		return nil
	}
	return func(file string, answers state.Answers) string {
		line := []string{words, "-f", shellWord(file)}
		if !answers.NoApp {
			line = append(line, "--secret-out", "secret.txt")
		}
		if answers.ServiceAccount != nil {
			line = append(line, "--password-out", "password.txt")
		}
		return strings.Join(line, " ")
	}
}

// later is a command to be given after this one has ended; empty when it would not
// find this cloud or this journal again.
func (a *app) later(command string) string {
	if a.flags.sandbox == inProcess {
		return ""
	}
	words := []string{"msbundle " + command}
	for _, f := range []struct{ name, value, usual string }{
		{"sandbox", a.flags.sandbox, ""}, {"cloud", a.flags.cloudID, "global"}, {"client-id", a.flags.clientID, ""}, {"state-dir", a.flags.stateDir, ""},
	} {
		if f.value != f.usual {
			words = append(words, "--"+f.name+"="+shellWord(f.value))
		}
	}
	return strings.Join(words, " ")
}

// shellWord quotes a word that a shell would take apart.
func shellWord(s string) string {
	if strings.ContainsAny(s, " \t'\"\\$&;|<>()*?") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

// opener opens a page in the person's browser, or is nil where there is none to
// be seen. What it reports is not to be believed: a browser may start and show
// nothing.
func (a *app) opener(c *connection) func(string) error {
	if a.flags.noBrowser || a.flags.noInput || c.label != "" && c.page == "" {
		return nil
	}
	for _, name := range []string{"SSH_CONNECTION", "SSH_TTY"} {
		if v, ok := a.env(name); ok && v != "" {
			return nil
		}
	}
	if runtime.GOOS == "linux" && !a.linuxDisplay() {
		return nil
	}
	browser.Stdout, browser.Stderr = io.Discard, io.Discard // it must not write into the screen
	return browser.OpenURL
}

func (a *app) linuxDisplay() bool {
	for _, name := range []string{"DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"} {
		if v, ok := a.env(name); ok && strings.TrimSpace(v) != "" {
			_, err := exec.LookPath("xdg-open")
			return err == nil || name == "WSL_DISTRO_NAME"
		}
	}
	return false
}

// copier writes to the system's clipboard, or is nil where there is none.
func copier() func(string) error {
	if clipboard.Unsupported {
		return nil
	}
	return clipboard.WriteAll
}
