package sandbox

import (
	"context"
	"errors"
	"html/template"
	"net"
	"net/http"
	"net/url"
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

// signIn is plain HTML: no scripts, and html/template escapes what comes from
// outside. Its form goes back to where it came from.
var signIn = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in to your account (sandbox)</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b; background: #fff }
label { display: block; margin-top: 1rem; font-weight: 600 }
input[type=text] { font: inherit; width: 100%; padding: .5rem; border: 1px solid #666; box-sizing: border-box }
button { font: inherit; margin: 1.5rem .5rem 0 0; padding: .5rem 1.25rem }
.error { border-left: .25rem solid #a4262c; padding-left: 1rem }
</style>
</head>
<body>
<main>
<h1>Sandbox sign-in</h1>
<p>This is a rehearsal. Nothing here reaches Microsoft, and no password is asked for.</p>
{{if .App}}<p><strong>{{.App}}</strong> asks for access to {{.Resource}} on your behalf:</p>
<ul>{{range .Scopes}}<li>{{.}}</li>{{end}}</ul>
{{end}}{{if .Done}}<p role="status"><strong>{{.Done}}</strong></p>
{{else}}{{if .Error}}<div class="error" role="alert"><p><strong>{{.Text}}</strong></p><p>Error code: {{.Error}} (AADSTS{{.Error}})</p></div>
{{end}}{{if not .Over}}<form method="post">
{{if .Device}}<label for="user_code">Code</label>
<input type="text" id="user_code" name="user_code" value="{{.Code}}" autocomplete="off" required autofocus>
{{end}}<label for="account">Account</label>
<input type="text" id="account" name="account" value="{{.Account}}" autocomplete="off" required>
{{if .Factor}}<p><label><input type="checkbox" name="second_factor" value="done"> Second factor done</label></p>
{{end}}<p><label><input type="checkbox" name="everybody" value="yes"> Consent on behalf of your organization</label></p>
<button type="submit" name="answer" value="continue">Continue</button>
<button type="submit" name="answer" value="decline">Decline</button>
</form>
{{end}}{{end}}</main>
</body>
</html>
`))

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
	return render(signIn, state, "'self'")
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
