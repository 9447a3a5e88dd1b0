package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"

	"msbundle/msclient"
	"msbundle/sandbox"
	"msbundle/state"
	"msbundle/steps"
)

// connection is a way to Microsoft's cloud, or to the simulated one.
type connection struct {
	transport http.RoundTripper // nil means the network
	label     string            // of the rehearsal; empty for the real cloud
	world     string            // of the rehearsal, which keeps its state apart
	page      string            // where the rehearsal takes codes, when a person has to
	stateDir  string
	log       *slog.Logger
}

// connect opens the way the flags ask for.
func (a *app) connect(ctx context.Context) (*connection, error) {
	c := &connection{stateDir: a.flags.stateDir, log: slog.New(slog.DiscardHandler)}
	if a.flags.logFile != "" {
		f, err := os.OpenFile(a.flags.logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		if err != nil {
			return nil, usage("--log: %w", err)
		}
		a.onClose(func() { _ = f.Close() })
		c.log = slog.New(slog.NewJSONHandler(f, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	switch a.flags.sandbox {
	case "":
		if c.stateDir == "" {
			c.stateDir = defaultStateDir()
		}
		return c, nil
	case inProcess:
		return c, a.rehearse(ctx, c)
	}
	remote, err := sandbox.Remote(ctx, a.flags.sandbox)
	if err != nil {
		return nil, usage("--sandbox: %w", err)
	}
	c.transport, c.page, c.world = remote.Transport(), remote.DevicePage(), remote.Tenant().World
	c.label = "sandbox at " + a.flags.sandbox
	return c, a.rehearsalState(c)
}

// rehearse makes a simulated cloud in this process.
func (a *app) rehearse(ctx context.Context, c *connection) error {
	o, err := a.flags.rehearsal.options()
	if err != nil {
		return err
	}
	cloud := a.cloud
	if cloud == nil {
		if cloud, err = sandbox.New(o); err != nil {
			return usage("--sandbox: %w", err)
		}
	}
	c.transport, c.label, c.world = cloud.Transport(), "sandbox", cloud.Tenant().World
	if a.wrap != nil {
		c.transport = a.wrap(c.transport)
	}
	if o.Scenario != "" {
		c.label += ", " + o.Scenario
	}
	if o.Approve == sandbox.ApproveManual {
		url, stop, err := cloud.ServePages(ctx)
		if err != nil {
			return &exitError{exitFailed, fmt.Errorf("the rehearsal's sign-in page could not be opened on this machine: %w", err)}
		}
		a.onClose(stop)
		c.page = url
	}
	return a.rehearsalState(c)
}

// rehearsalState gives a rehearsal a state folder of its own, gone with the
// process unless the person named one.
func (a *app) rehearsalState(c *connection) error {
	if c.stateDir != "" {
		return nil
	}
	dir, err := os.MkdirTemp("", "msbundle-sandbox-")
	if err != nil {
		return &exitError{exitFailed, fmt.Errorf("a temporary folder could not be made: %w; name one with --state-dir", err)}
	}
	a.onClose(func() { _ = os.RemoveAll(dir) })
	c.stateDir = dir
	return nil
}

// purpose is what a sign-in is for.
type purpose struct {
	reads   bool // nothing is going to be written
	account bool // only the account is asked for: no journal, no lock
	anew    bool // a remembered sign-in is not wanted
}

// setup makes the engine for a connection.
func (a *app) setup(c *connection, p purpose) (*steps.Setup, error) {
	o := msclient.Options{Cloud: a.flags.cloud, ClientID: a.flags.clientID, Transport: c.transport, Log: c.log}
	session, kept := a.sessionFile(c)
	if kept {
		o.Cache = session
	}
	client, err := msclient.New(o)
	if err != nil {
		return nil, err
	}
	stateDir := c.stateDir
	if p.account {
		stateDir = ""
	}
	s := steps.New(steps.Options{
		Client: client, StateDir: stateDir, World: c.world, Settle: a.flags.settle, ReadOnly: p.reads, Restore: kept && !p.anew, Log: c.log,
	})
	a.onClose(func() { _ = s.Close() })
	return s, nil
}

// signIn signs a person in for a command, or takes up a remembered sign-in: the
// code and where to type it go to stderr, each on a line of its own.
func (a *app) signIn(ctx context.Context, c *connection, s *steps.Setup, answers state.Answers) (steps.Account, error) {
	asked := false
	account, err := s.SignIn(ctx, answers, func(code steps.DeviceCode) {
		asked = true
		if a.flags.json {
			a.progress(map[string]any{"event": "sign-in", "address": firstOf(c.page, code.URL), "code": code.UserCode, "expires": code.Expires})
			return
		}
		address, rehearsal := code.URL, ""
		switch {
		case c.page != "":
			address, rehearsal = c.page, "Rehearsal: nothing here reaches Microsoft. "
		case c.label != "":
			fmt.Fprintf(a.Err, "Rehearsal: the simulated administrator enters the code %s by itself. In earnest it goes to\n\n    %s\n\n", plain(code.UserCode), plain(address))
			return
		}
		fmt.Fprintf(a.Err, "%sTo sign in, open\n\n    %s\n\nand enter the code\n\n    %s\n\nOnly enter it if you started this sign-in yourself. If the browser shows an error, this program\n"+
			"cannot see it: stop with ctrl+c. Waiting until %s...\n",
			rehearsal, plain(address), plain(code.UserCode), code.Expires.Format("15:04"))
	})
	if err != nil {
		if ctx.Err() != nil {
			return account, ctx.Err()
		}
		return account, &exitError{signInExit(err), err}
	}
	if asked {
		a.remark("Signed in as %s.", account.Username)
	} else {
		a.remark("Using the remembered sign-in of %s.", account.Username)
	}
	return account, nil
}

// signInExit tells a refused sign-in from a folder or a passphrase that cannot
// be used.
func signInExit(err error) int {
	var dir *state.DirError
	switch {
	case errors.As(err, &dir):
		return exitFailed
	case errors.Is(err, msclient.ErrPassphrase):
		return exitUsage
	}
	return exitNoSignIn
}

// writable makes sure that a secret can be delivered to a file before anything
// is made.
func writable(path string) error {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%s is there and is no plain file", path)
	}
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".msbundle-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// deliverTo sends a secret to a file with mode 0600, or to stdout for "-".
func deliverTo(path string, stdout io.Writer) func(steps.Secret) error {
	return func(secret steps.Secret) error {
		if path == "-" {
			_, err := fmt.Fprintln(stdout, secret.Reveal())
			return err
		}
		return state.WriteFile(path, []byte(secret.Reveal()+"\n"))
	}
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
