package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"

	"msbundle/msclient"
	"msbundle/state"
	"msbundle/steps"
)

// What --auth takes.
const (
	authDevice  = "device"
	authBrowser = "browser"
	authEnv     = "env"
)

// Where --auth env finds an app's credentials: the names other tools of Azure use.
// https://learn.microsoft.com/dotnet/api/azure.identity.environmentcredential
const (
	tenantVar = "AZURE_TENANT_ID"
	clientVar = "AZURE_CLIENT_ID"
	secretVar = "AZURE_CLIENT_SECRET"
)

// appOnlyLimits is what an app that signs in by itself cannot do.
const appOnlyLimits = "An app that signs in by itself can only look. It cannot:\n" +
	"  - write: apply needs a person whose account and roles answer for it\n" +
	"  - use Partner Center or GDAP relationships, which take a person with multifactor authentication\n" +
	"  - enter customer tenants, or see what a person's roles allow there\n" +
	"  - check the account itself: its roles, multifactor authentication and membership of AdminAgents"

// methods are the ways to sign in here, the one to begin with first.
//
// A browser on this machine is the easiest. Without one a code typed elsewhere
// is, and a forwarded port serves where a policy blocks codes.
func (a *app) methods(c *connection) []steps.Method {
	list := []steps.Method{steps.ByDevice}
	switch {
	case c.browse != nil:
		list = append(list, steps.ByBrowser)
	case c.label == "" && a.opener(c) != nil:
		list = append([]steps.Method{steps.ByBrowser}, steps.ByDevice, steps.ByTunnel)
	case a.flags.sandbox != inProcess, c.page != "":
		list = append(list, steps.ByTunnel)
	}
	first := list[0]
	switch a.flags.auth {
	case authDevice:
		first = steps.ByDevice
	case authBrowser:
		first = steps.ByTunnel
		if slices.Contains(list, steps.ByBrowser) {
			first = steps.ByBrowser
		}
	}
	if i := slices.Index(list, first); i > 0 {
		list = slices.Insert(slices.Delete(list, i, i+1), 0, first)
	}
	return list
}

// appCredentials reads the app that --auth env signs in as.
func (a *app) appCredentials(p purpose) (*msclient.App, error) {
	if !p.reads {
		return nil, usage("--auth env: %s\nSign in as a person for this: --auth device or --auth browser", appOnlyLimits)
	}
	app := &msclient.App{}
	secret := ""
	for name, into := range map[string]*string{tenantVar: &app.TenantID, clientVar: &app.ClientID, secretVar: &secret} {
		if *into, _ = a.env(name); *into == "" {
			return nil, usage("--auth env: set %s, %s and %s to an app registration that may read the tenant", tenantVar, clientVar, secretVar)
		}
	}
	if text := state.CheckTenant(app.TenantID); text != "" {
		return nil, usage("%s: %s", tenantVar, text)
	}
	if !state.IsGUID(app.ClientID) {
		return nil, usage("%s: this is not an application (client) id", clientVar)
	}
	app.Secret = msclient.NewSecret(secret)
	return app, nil
}

// prompt tells a person what to do to sign in: codes and addresses stand on lines
// of their own on stderr.
func (a *app) prompt(c *connection, s *steps.Setup, asked *bool) func(steps.Prompt) {
	shown, leave := 0, func() {}
	return func(p steps.Prompt) {
		if p.Ended || p.Err != nil {
			leave()
			return
		}
		*asked = true
		if p.Skip && shown != p.N && a.interactive() {
			leave = a.offerSkip(s, p.N, "One more sign-in would show more. Press enter to leave it out.")
		}
		if a.flags.json {
			a.progress(promptDocument(c, p))
		} else {
			a.say(c, p, shown != p.N)
		}
		shown = p.N
		if p.Method == steps.ByBrowser {
			if open := firstOpener(c.browse, a.opener(c)); open != nil {
				go func() { _ = open(p.URL) }() // the address is shown either way
			}
		}
	}
}

// offerSkip lets the person leave a sign-in out by pressing enter, until stop is
// called.
func (a *app) offerSkip(s *steps.Setup, n int, words string) (stop func()) {
	ctx, stop := context.WithCancel(context.Background())
	if !a.flags.json {
		fmt.Fprintln(a.Err, "\n"+words)
	}
	go func() {
		text, _ := a.line(ctx)
		switch {
		case text != "": // meant for a later question
			a.input.keep(text)
		case ctx.Err() == nil: // enter, or the end of input, which declines
			s.Skip(n)
		}
	}()
	return stop
}

func firstOpener(a, b func(string) error) func(string) error {
	if a != nil {
		return a
	}
	return b
}

func promptDocument(c *connection, p steps.Prompt) map[string]any {
	doc := map[string]any{"event": "sign-in", "method": p.Method, "why": p.Why, "app": p.App, "skip": p.Skip}
	if p.Method == steps.ByDevice {
		doc["address"], doc["code"], doc["expires"] = cmp.Or(c.page, p.Code.URL), p.Code.UserCode, p.Code.Expires
		return doc
	}
	doc["address"], doc["port"] = p.URL, p.Port
	return doc
}

// say prints a prompt; first is false for a code or page that replaces another.
func (a *app) say(c *connection, p steps.Prompt, first bool) {
	say := func(format string, args ...any) { fmt.Fprintf(a.Err, format+"\n", args...) }
	if first {
		say("Sign-in: %s.", p.Why)
		if p.Account != "" {
			say("Sign in as %s.", plain(p.Account))
		}
		say("The page will ask for: %s.\n", plain(p.App))
	} else {
		say("The sign-in begins again: use this in place of what was shown before.\n")
	}
	switch {
	case p.Method == steps.ByBrowser && c.browse != nil:
		say("Rehearsal: the simulated administrator signs in by itself.")
		return
	case p.Method == steps.ByBrowser:
		say("Your browser was asked to open the page. If nothing opened, open it yourself:\n\n%s\n", plain(p.URL))
	case p.Method == steps.ByTunnel:
		if c.page != "" {
			say("Rehearsal: nothing here reaches Microsoft. The sandbox answers no browser by itself, whatever --approve it was started with: this waits until you open the page.")
		}
		say("On the computer whose browser you use, run\n")
		fmt.Fprintf(raw(a.Err), "    %s\n", a.tunnel(c, p.Port)) // a line to be copied
		say("\nleave it running, and open there\n\n%s\n", plain(p.URL))
	case c.page != "":
		say("Rehearsal: nothing here reaches Microsoft. To sign in, open\n\n    %s\n\nand enter the code\n\n    %s\n", plain(c.page), plain(p.Code.UserCode))
	case c.label != "":
		say("Rehearsal: the simulated administrator enters the code %s by itself. In earnest it goes to\n\n    %s\n", plain(p.Code.UserCode), plain(p.Code.URL))
		return
	default:
		say("To sign in, open\n\n    %s\n\nand enter the code\n\n    %s\n", plain(p.Code.URL), plain(p.Code.UserCode))
	}
	if p.Method == steps.ByDevice {
		say("Only enter it if you started this sign-in yourself. It serves until %s; a new one comes by itself.", p.Code.Expires.Format("15:04"))
	} else {
		say("Only go on there if you started this sign-in yourself.")
	}
	if p.Method != steps.ByDevice && !slices.Contains(p.Methods, steps.ByDevice) {
		say("If the browser shows an error, this program cannot see it: ask msbundle explain. Only a browser can make this sign-in; ctrl+c stops here.")
		return
	}
	say("If the browser shows an error, this program cannot see it: ask msbundle explain, or stop with ctrl+c and try --auth %s.", other(p.Method))
}

func other(m steps.Method) string {
	if m == steps.ByDevice {
		return authBrowser
	}
	return authDevice
}

// tunnel is the command that lets a browser on another computer come back to this
// one, where the pages of a rehearsal are as well.
func (a *app) tunnel(c *connection, port int) string {
	line := "ssh -N " + forwarded(fmt.Sprint(port))
	if page, err := url.Parse(c.page); err == nil && page.Port() != "" && page.Hostname() == "127.0.0.1" {
		line += forwarded(page.Port())
	}
	user, _ := a.env("USER")
	if user == "" {
		user, _ = a.env("LOGNAME")
	}
	if user != "" {
		line += shellWord(user) + "@"
	}
	// SSH_CONNECTION holds the client's address and port, then the server's.
	if connection, _ := a.env("SSH_CONNECTION"); connection != "" {
		if parts := strings.Fields(connection); len(parts) == 4 && net.ParseIP(parts[2]) != nil {
			line += parts[2]
			if parts[3] != "22" {
				line += " -p " + parts[3]
			}
			return line
		}
	}
	name, err := os.Hostname()
	if err != nil || name == "" {
		name = "this-machine"
	}
	return line + shellWord(name)
}

func forwarded(port string) string { return "-L " + port + ":127.0.0.1:" + port + " " }

// signIn signs a person or an app in for a command, or takes up a remembered
// sign-in.
func (a *app) signIn(ctx context.Context, c *connection, s *steps.Setup, answers state.Answers) (steps.Account, error) {
	asked := false
	s.Prompts(a.prompt(c, s, &asked), false)
	account, err := s.SignIn(ctx, answers)
	if err != nil {
		if ctx.Err() != nil {
			return account, ctx.Err()
		}
		return account, &exitError{signInExit(err), err}
	}
	switch {
	case account.App:
		a.remark("Signed in as %s, which can only look.", account.Username)
	case asked:
		a.remark("Signed in as %s.", account.Username)
	default:
		a.remark("Using the remembered sign-in of %s.", account.Username)
	}
	return account, nil
}

// signInExit tells a refused sign-in from a state folder that cannot be used.
func signInExit(err error) int {
	var dir *state.DirError
	if errors.As(err, &dir) {
		return exitFailed
	}
	return exitNoSignIn
}
