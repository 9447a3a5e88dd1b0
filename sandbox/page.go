package sandbox

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// pageState is what a sign-in page shows.
type pageState struct {
	Device        bool // asks for a code
	Code, Account string
	App           string   // the app that asks, once it is known
	Resource      string   // the API it asks for
	Scopes        []string // what it asks for
	Factor        bool     // asks whether a second factor was passed
	Error         int      // AADSTS number
	Text          string
	Over          bool // an error that nothing on the page can change
	Done          string
}

// html is the page.
func (s pageState) html() string {
	var b strings.Builder
	if s.App != "" {
		b.WriteString(markup("<p><strong>%s</strong> asks for access to %s on your behalf:</p>\n", s.App, s.Resource) + listed(s.Scopes))
	}
	if s.Done != "" {
		b.WriteString(markup("<p role=\"status\"><strong>%s</strong></p>\n", s.Done))
		return document("Sign in to your account", "Sandbox sign-in", b.String())
	}
	if s.Error != 0 {
		code := strconv.Itoa(s.Error)
		b.WriteString(markup("<div class=\"error\" role=\"alert\"><p><strong>%s</strong></p><p>Error code: %s (AADSTS%s)</p></div>\n", s.Text, code, code))
	}
	if s.Over {
		return document("Sign in to your account", "Sandbox sign-in", b.String())
	}
	b.WriteString("<form method=\"post\">\n")
	if s.Device {
		b.WriteString(markup(`<label for="user_code">Code</label>
<input type="text" id="user_code" name="user_code" value="%s" autocomplete="off" required autofocus>
`, s.Code))
	}
	b.WriteString(markup(`<label for="account">Account</label>
<input type="text" id="account" name="account" value="%s" autocomplete="off" required>
`, s.Account))
	if s.Factor {
		b.WriteString("<p><label><input type=\"checkbox\" name=\"second_factor\" value=\"done\"> Second factor done</label></p>\n")
	}
	b.WriteString(`<p><label><input type="checkbox" name="everybody" value="yes"> Consent on behalf of your organization</label></p>
<button type="submit" name="answer" value="continue">Continue</button>
<button type="submit" name="answer" value="decline">Decline</button>
</form>
`)
	return document("Sign in to your account", "Sandbox sign-in", b.String())
}

// page answers the device sign-in page, and on a loopback address the sign-in
// pages of every cloud: their host is the first part of the path there. The
// caller holds mu.
func (c *Cloud) page(r *http.Request, body []byte) *answer {
	if host, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); isLogin(host) && strings.HasSuffix(path, "/"+authorizePath) {
		in := r.Clone(r.Context())
		in.URL.Path = "/" + path
		reply := c.tokenService(in, host, body)
		// An app that looks where its answer comes from cannot know this address.
		reply.header["Referrer-Policy"] = "no-referrer"
		return reply
	}
	if id, isInvitation := invited(r.URL.Path); isInvitation {
		return c.invitationPage(r, id, body)
	}
	if r.URL.Path == "/" && isLoopback(strings.Trim(hostOf(r), "[]")) {
		return render(indexHTML(), "'none'")
	}
	if !isDevicePage(r.URL.Path) {
		return &answer{status: http.StatusNotFound, header: htmlHeader("'none'"), body: []byte("<!doctype html><title>Not found</title><p>There is nothing at this address.")}
	}
	state := pageState{Device: true, Account: c.order[0].admin, Code: r.URL.Query().Get("user_code"), Factor: c.scenario.noMFA}
	if c.signsIn != "" {
		state.Account = c.signsIn
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		if dc := c.codeFor(state.Code); dc != nil {
			state.Account = c.chosen(dc.authority, dc.client, "")
			state.ask(dc.client, dc.want)
		}
	case http.MethodPost:
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return &answer{status: http.StatusBadRequest, header: htmlHeader("'none'"), body: []byte("<!doctype html><title>Bad request</title><p>The form could not be read.")}
		}
		c.submit(&state, form)
	default:
		return &answer{status: http.StatusMethodNotAllowed, header: htmlHeader("'none'"), body: []byte("<!doctype html><title>Method not allowed</title>")}
	}
	return render(state.html(), "'self'")
}

// indexHTML lists the pages a person can open on a loopback address.
func indexHTML() string {
	return document("Pages of the rehearsal", "Pages of the rehearsal", markup(`<ul>
<li><a href="/%s">Enter the code of a sign-in</a></li>
<li><a href="%s">Answer a partner's request as a customer (GDAP)</a></li>
</ul>
`, devicePages["global"], invitationPath))
}

func isDevicePage(path string) bool {
	for _, p := range devicePages {
		if path == "/"+p {
			return true
		}
	}
	return false
}

// submit is a person sending the form.
func (c *Cloud) submit(state *pageState, form url.Values) {
	state.Code = strings.TrimSpace(form.Get("user_code"))
	if account := strings.TrimSpace(form.Get("account")); account != "" {
		state.Account = account
	}
	dc := c.codeFor(state.Code)
	if dc == nil {
		state.Error, state.Text = 90119, "That code didn't work. Check the code and try again."
		return
	}
	state.ask(dc.client, dc.want)
	if form.Get("answer") == "decline" {
		switch {
		case dc.state != codePending:
			state.Error, state.Text = 90120, "This code has already been used or declined."
		case !c.now().Before(dc.expires):
			state.Error, state.Text = 70019, "This code has expired."
		default:
			dc.state = codeDeclined
			state.Done = "You declined the sign-in. You may close this window."
		}
		return
	}
	if err := c.enterCode(dc, state.Account, form.Get("everybody") == "yes", form.Get("second_factor") == "done"); err != nil {
		state.Error, state.Text = err.code, shown(err)
		return
	}
	state.Done = "You have signed in to " + dc.client.name + " as " + state.Account + ". You may close this window."
}

// ask fills in who asks for what.
func (s *pageState) ask(cl client, want request) {
	s.App, s.Resource, s.Scopes = cl.name, want.api.name, want.names
	if want.everything {
		s.Scopes = []string{"everything that was consented to before"}
	}
	if len(s.Scopes) == 0 {
		s.Scopes = want.openID
	}
}

// ServePages serves the sign-in pages on a loopback address, for people who
// rehearse in process: the device page at the url it returns, those an app sends
// a browser to below their host's name. stop closes it; so does the end of ctx.
func (c *Cloud) ServePages(ctx context.Context) (url string, stop func(), err error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", nil, err
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := drain(r.Body)
		if err != nil {
			http.Error(w, "the form could not be read", http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		reply := c.page(r, body)
		date := c.now()
		c.mu.Unlock()
		w.Header().Set("Date", date.Format(http.TimeFormat))
		reply.send(w)
	})}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			c.note("sign-in pages: " + err.Error())
		}
	}()
	unhook := context.AfterFunc(ctx, func() { _ = server.Close() })
	return "http://" + listener.Addr().String() + "/devicelogin", func() {
		unhook()
		_ = server.Close()
		<-stopped
	}, nil
}

// note tells Options.Log something.
func (c *Cloud) note(text string) {
	if c.opts.Log != nil {
		c.opts.Log(text)
	}
}
