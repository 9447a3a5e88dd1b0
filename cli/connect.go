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

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/sandbox"
	"msbundle/state"
	"msbundle/steps"
)

// connection is a way to Microsoft's cloud, or to the simulated one.
type connection struct {
	transport http.RoundTripper  // nil means the network
	label     string             // of the rehearsal; empty for the real cloud
	world     string             // of the rehearsal, which keeps its state apart
	page      string             // where the rehearsal takes codes, when a person has to
	pages     string             // the same, where it also serves the customers' page; empty when it serves none
	browse    func(string) error // plays a browser in a rehearsal; nil when there is none
	play      func(string)       // has the simulated person be an account; nil like browse
	stateDir  string
	sessions  *msclient.Sessions // where the sign-in is remembered; nil when it ends with the process
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
	if err := a.sameCloud(remote.Tenant()); err != nil {
		return nil, err
	}
	c.transport, c.page, c.world = remote.Transport(), remote.DevicePage(), remote.Tenant().World
	c.pages = c.page
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
			return usage("--%w", err) // it begins with the option's name
		}
	}
	if err := a.sameCloud(cloud.Tenant()); err != nil {
		return err
	}
	c.transport, c.label, c.world = cloud.Transport(), "sandbox", cloud.Tenant().World
	if a.wrap != nil {
		c.transport = a.wrap(c.transport)
	}
	if o.Scenario != "" {
		c.label += ", " + o.Scenario
	}
	if o.Approve != sandbox.ApproveManual {
		c.browse, c.play = func(page string) error { return cloud.Browse(ctx, page) }, cloud.SignInAs
	}
	if o.Approve == sandbox.ApproveManual || a.pages {
		url, stop, err := cloud.ServePages(ctx)
		if err != nil {
			return &exitError{exitFailed, fmt.Errorf("the rehearsal's pages could not be opened on this machine: %w", err)}
		}
		a.onClose(stop)
		c.pages = url
	}
	if o.Approve == sandbox.ApproveManual {
		c.page = c.pages
	}
	return a.rehearsalState(c)
}

// sameCloud refuses a rehearsal that could not begin: the simulated person cannot sign
// in to another cloud than that of the tenant, and no program is told so.
func (a *app) sameCloud(t sandbox.TenantInfo) error {
	there, known := catalog.CloudByID(t.Cloud)
	if !known || there.Login == a.flags.cloud.Login {
		return nil
	}
	return usage("--sandbox: the simulated tenant lives in another of Microsoft's clouds, %s; add --cloud %s", there.Name, there.ID)
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
	looks   bool // nor is the journal: another run may be under way
	account bool // only the account is asked for: no journal, no lock
	anew    bool // a remembered sign-in is not wanted
	// stranger is for somebody of a customer: they sign in elsewhere, with a code, and
	// are neither remembered nor taken up again.
	stranger bool
	azure    bool // it cannot be done without the sign-in for Azure, whoever is there
}

// setup makes the engine for a connection.
func (a *app) setup(ctx context.Context, c *connection, p purpose) (*steps.Setup, error) {
	o := msclient.Options{Cloud: a.flags.cloud, ClientID: a.flags.clientID, Transport: c.transport, Log: c.log, Methods: a.methods(c)}
	o.Method = o.Methods[0]
	if !p.azure {
		o.Unattended = a.unattended()
	}
	if p.stranger {
		o.ClientID = "" // a client of one's own is in one's own tenant
		if a.flags.auth == "" {
			o.Method = steps.ByDevice
		}
	}
	if a.flags.auth == authEnv {
		app, err := a.appCredentials(p)
		if err != nil {
			return nil, err
		}
		o.App = app
	} else if !p.stranger {
		var err error
		if c.sessions, err = a.sessions(ctx, c, p); err != nil {
			return nil, err
		}
	}
	if c.sessions != nil {
		o.Sessions = c.sessions
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
		Client: client, StateDir: stateDir, World: c.world, Settle: a.flags.settle, ReadOnly: p.reads, Look: p.looks, Restore: c.sessions != nil && !p.anew,
		Page: onPages(c.page), Approval: onPages(c.pages),
		Asked: func() {
			if c.sessions != nil && !a.agreed() { // what is remembered is somebody's consent to just that
				c.sessions.Freeze()
			}
		},
	})
	a.onClose(func() { _ = s.Close() })
	return s, nil
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

// onPages leads pages of Microsoft to where those of a rehearsal are; nil where it
// serves none.
func onPages(devicePage string) func(string) string {
	if devicePage == "" {
		return nil
	}
	return func(page string) string { return sandbox.OnPages(devicePage, page) }
}
