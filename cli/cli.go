package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"msbundle/sandbox"
	"msbundle/state"
	"msbundle/steps"
)

// Exit codes. They are part of the public surface.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitChanges     = 3
	exitNoSignIn    = 4
	exitWaiting     = 8
	exitInterrupted = 130
)

// Streams are where a run reads from and writes to. stdout is data, stderr is
// for people.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// exitError carries an exit code with what to tell the person; err is nil when
// everything was said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// Run carries out one command line and returns the exit code.
func Run(ctx context.Context, io Streams, args []string) int {
	return (&app{Streams: io, env: os.LookupEnv}).run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) int {
	a.input, a.tellOpen = &lines{}, sync.OnceFunc(a.sayOpen)
	root := a.root()
	root.SetArgs(args)
	root.SetIn(a.In)
	root.SetOut(a.Out)
	root.SetErr(a.Err)
	err := root.ExecuteContext(ctx)
	a.close()
	return a.finish(ctx, err)
}

// finish tells the person what went wrong and picks the exit code.
func (a *app) finish(ctx context.Context, err error) int {
	var exit *exitError
	code := exitFailed
	switch {
	case err == nil:
		return exitDone
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		a.explain(errors.New("interrupted; run it again to go on where it stopped"))
		return exitInterrupted
	case errors.As(err, &exit):
		code = exit.code
		if exit.err == nil {
			return code
		}
		err = exit.err
	}
	a.explain(err)
	return code
}

// explain prints an error so that it says what to do.
func (a *app) explain(err error) {
	var p *steps.Problem
	found := errors.As(err, &p)
	if a.flags.json {
		doc := map[string]any{"event": "error", "text": err.Error()}
		if found {
			doc["text"], doc["do"], doc["words"], doc["requestId"], doc["retry"] = p.What, p.Do, p.Raw, p.RequestID, p.Retry
			doc["cause"], doc["who"], doc["code"] = p.Cause, p.Who, p.Code
		}
		a.progress(doc)
		return
	}
	if !found {
		for line := range strings.Lines(err.Error()) {
			fmt.Fprintf(a.Err, "msbundle: %s\n", plain(strings.TrimSpace(line)))
		}
		return
	}
	fmt.Fprintf(a.Err, "msbundle: %s\n", plain(p.What))
	for _, extra := range []struct{ label, text string }{
		{"cause", p.Cause}, {"what to do", p.Do}, {"who can fix it", p.Who}, {"the service's words", p.Raw}, {"request id", p.RequestID},
	} {
		if extra.text != "" {
			fmt.Fprintf(a.Err, "  %s: %s\n", extra.label, plain(extra.text))
		}
	}
}

// app is one run of the program.
type app struct {
	Streams
	env   func(string) (string, bool)
	flags flags
	input *lines
	cloud *sandbox.Cloud                            // of --sandbox in this process; made when nil
	pages bool                                      // a rehearsal serves its customers' page: it lasts long enough to be used
	wrap  func(http.RoundTripper) http.RoundTripper // put around its transport when not nil

	// tellOpen tells, once, what becomes of the app's sign-in when somebody gives up.
	tellOpen func()
	closers  []func()
}

func (a *app) onClose(f func()) { a.closers = append(a.closers, f) }

func (a *app) close() {
	for i := len(a.closers) - 1; i >= 0; i-- {
		a.closers[i]()
	}
	a.closers = nil
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "msbundle",
		Short: "Connect Rewst to a Microsoft cloud, and prove it",
		Long: "msbundle makes the app registration Rewst needs, grants its permissions and proves the result by\n" +
			"reading it back. Without a command it opens the wizard. Try it without risk: msbundle --sandbox",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.prepare(cmd)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return a.wizard(cmd.Context()) },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.Version = version()
	root.SetFlagErrorFunc(badFlag)
	a.flags.register(root.PersistentFlags())
	root.AddCommand(a.planCommand(), a.applyCommand(), a.invitationsCommand(), a.customersCommand(), a.undoCommand(), a.clientCommand(), a.loginCommand(), a.logoutCommand(), a.whoamiCommand(), a.explainCommand(), a.sandboxCommand(), a.completionCommand())
	for _, c := range append(root.Commands(), root) {
		args := c.Args
		c.Args = func(cmd *cobra.Command, list []string) error {
			if len(list) > 0 && strings.HasPrefix(list[0], "https://") && a.flags.sandbox == inProcess {
				return usage("write --sandbox=%s, with an equals sign", list[0])
			}
			if args == nil {
				return nil
			}
			if err := args(cmd, list); err != nil {
				return notTaken(cmd, list[0])
			}
			return nil
		}
	}
	return root
}

// version is what the program was built from.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// prepare fills flags from the environment and checks them.
func (a *app) prepare(cmd *cobra.Command) error {
	var bad error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := "MSBUNDLE_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, _ := a.env(name)
		if value == "" || f.Changed || f.Name == "help" || bad != nil {
			return
		}
		if err := cmd.Flags().Set(f.Name, value); err != nil {
			bad = usage("%s: %w", name, err)
		}
	})
	if bad != nil {
		return bad
	}
	if v, ok := a.env("CI"); ok && v != "" && v != "false" {
		a.flags.noInput = true
	}
	if a.flags.sandbox != inProcess && cmd.Name() != "sandbox" {
		for _, name := range rehearsalFlags {
			if cmd.Flags().Changed(name) {
				return usage("--%s: this is for a simulated cloud; add --sandbox (for a running 'msbundle sandbox' give it to that)", name)
			}
		}
	}
	a.Err = a.fit(a.Err)
	return a.flags.check()
}

// open opens the file -f names.
func open(path string) (*os.File, error) {
	if path == "" {
		return nil, usage("-f: name the setup file, for example -f setup.yaml; the wizard writes one")
	}
	file, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usage("-f: %s: there is no such file; the wizard writes one, and examples/ has some to copy", path)
	case err != nil:
		return nil, usage("-f: %s cannot be read: %w", path, err)
	}
	return file, nil
}

// longest is how long a setup file can be. What is longer can only be a plan, of many
// customers.
const longest = 4 << 20

// beginning reads as much of a file as a setup file can have.
func beginning(file io.Reader) ([]byte, error) { return io.ReadAll(io.LimitReader(file, longest)) }

// read reads the file -f names, once: it may be a pipe.
func (a *app) read(path string) ([]byte, error) {
	file, err := open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := beginning(file)
	switch {
	case err != nil:
		return nil, usage("-f: %s cannot be read: %w", path, err)
	case len(data) == longest:
		return nil, usage("-f: %s is too long to be a setup file; a plan is for 'msbundle apply'", path)
	}
	return data, nil
}

// answers reads and checks a setup file.
func (a *app) answers(path string, data []byte) (state.Answers, error) {
	answers, err := state.ParseAnswers(path, data)
	if err != nil {
		return answers, &exitError{exitUsage, err}
	}
	if a.flags.tenant != "" {
		answers.Tenant = a.flags.tenant
	}
	if a.flags.account != "" {
		answers.Account = a.flags.account
	}
	if g := answers.GDAP; g != nil && g.File != "" {
		if _, err := state.LoadCustomers(g.File); err != nil { // said before anybody signs in
			return answers, &exitError{exitUsage, fmt.Errorf("gdap.file: %w", err)}
		}
	}
	if c := answers.Customers; c != nil && c.Mapping != "" {
		if _, err := state.LoadOrganizations(c.Mapping); err != nil {
			return answers, &exitError{exitUsage, fmt.Errorf("customers.mapping: %w", err)}
		}
	}
	return answers, checked(path, answers)
}

// checked lists what cannot be used in the answers of a file.
func checked(path string, answers state.Answers) error {
	bad := steps.CheckAnswers(answers)
	if len(bad) == 0 {
		return nil
	}
	errs := make([]error, len(bad))
	for i, b := range bad {
		errs[i] = &state.FileError{File: path, Key: b.Key, Text: b.Text}
	}
	return &exitError{exitUsage, errors.Join(errs...)}
}
