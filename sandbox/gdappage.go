package sandbox

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// invitationPath is where a customer answers. The portal's own link has it behind
// a "#", which a browser keeps to itself, and the service's page reads it there;
// this one has no scripts, so the "#" has to be left out or the link to be pasted.
const (
	invitationHost = "admin.microsoft.com"
	invitationPath = "/AdminPortal/Home"
	invitationTail = "/partners/invitation/granularAdminRelationships/"
)

// invitationState is what the page shows.
type invitationState struct {
	Link, Account         string
	Partner, Name, Length string
	Roles                 []string
	Extends               bool
	Text, Done            string
	Waiting               []waitingLink
}

// waitingLink is a relationship one could answer.
type waitingLink struct{ Path, Name string }

var invitation = template.Must(template.New("invitation").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Partner relationships (sandbox)</title>
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
<h1>Approve partner roles</h1>
<p>This is a rehearsal. Nothing here reaches Microsoft, and no password is asked for.</p>
{{if .Name}}<p><strong>{{.Partner}}</strong> asks for the relationship <strong>{{.Name}}</strong>, for {{.Length}} days{{if .Extends}}, extended by half a year each time it ends{{end}}, with these roles:</p>
<ul>{{range .Roles}}<li>{{.}}</li>{{end}}</ul>
{{end}}{{if .Done}}<p role="status"><strong>{{.Done}}</strong></p>
{{else}}{{if .Text}}<div class="error" role="alert"><p><strong>{{.Text}}</strong></p></div>
{{end}}<form method="post">
<label for="link">Link or number of the relationship</label>
<input type="text" id="link" name="link" value="{{.Link}}" autocomplete="off" required>
<label for="account">Account of an administrator of your organization</label>
<input type="text" id="account" name="account" value="{{.Account}}" autocomplete="off" required>
<button type="submit" name="answer" value="approve">Approve</button>
<button type="submit" name="answer" value="decline">Decline</button>
</form>
{{end}}{{if .Waiting}}<h2>Waiting for their customers</h2>
<ul>{{range .Waiting}}<li><a href="{{.Path}}">{{.Name}}</a></li>{{end}}</ul>
{{end}}</main>
</body>
</html>
`))

// invited tells whether a path is that of the page, and for which relationship.
func invited(path string) (id string, ok bool) {
	path = strings.TrimPrefix(path, "/"+invitationHost)
	rest, ok := strings.CutPrefix(path, invitationPath)
	if !ok || rest != "" && rest != "/" && !strings.HasPrefix(rest, invitationTail) {
		return "", false
	}
	return strings.TrimPrefix(strings.TrimSuffix(rest, "/"), invitationTail), true
}

// linked is the id in what somebody pasted.
func linked(text string) string {
	text = strings.TrimRight(strings.TrimSpace(text), "/")
	return text[strings.LastIndexByte(text, '/')+1:]
}

// mostWaiting is how many links the page offers.
const mostWaiting = 50

// invitationPage is the page on which a customer's administrator answers. The
// caller holds mu.
func (c *Cloud) invitationPage(r *http.Request, id string, body []byte) *answer {
	state, answered := invitationState{Link: id, Partner: c.order[0].name}, ""
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodPost:
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return &answer{status: http.StatusBadRequest, header: htmlHeader("'none'"), body: []byte("<!doctype html><title>Bad request</title><p>The form could not be read.")}
		}
		state.Link, state.Account, answered = linked(form.Get("link")), strings.TrimSpace(form.Get("account")), form.Get("answer")
	default:
		return &answer{status: http.StatusMethodNotAllowed, header: htmlHeader("'none'"), body: []byte("<!doctype html><title>Method not allowed</title>")}
	}
	if state.Link == "" {
		c.offerWaiting(&state)
		return render(invitation, state, "'self'")
	}
	e, err := c.waiting(state.Link)
	if err != nil {
		state.Text = "This request is not there, was answered before, or has expired."
		return render(invitation, state, "'self'")
	}
	c.ask(&state, e)
	if answered != "" {
		if text := c.decide(e, state.Account, answered == "approve"); text != "" {
			state.Text = text
		} else if state.Done = "You declined the request. You may close this window."; answered == "approve" {
			state.Done = "You approved the roles. You may close this window."
		}
	}
	return render(invitation, state, "'self'")
}

// ask fills in what is asked of the customer, and who could answer.
func (c *Cloud) ask(state *invitationState, e *entity) {
	data := e.live(c.master())
	state.Name, state.Length = str(data, "displayName"), strings.Trim(str(data, "duration"), "PD")
	state.Extends, state.Roles = data["autoExtendDuration"] == halfYear, carriedNames(data)
	if t := c.tenants[customerOf(data)]; t != nil && state.Account == "" {
		state.Account = t.admin
	}
}

// offerWaiting lists what could be answered.
func (c *Cloud) offerWaiting(state *invitationState) {
	c.settle()
	for _, e := range c.order[0].tables[kindRelationship] {
		if c.status(e) == relPending && len(state.Waiting) < mostWaiting {
			state.Waiting = append(state.Waiting, waitingLink{invitationPath + invitationTail + e.id, str(e.live(c.master()), "displayName")})
		}
	}
	slices.SortStableFunc(state.Waiting, func(a, b waitingLink) int { return strings.Compare(a.Name, b.Name) })
}

// InvitationPage is the sandbox's page for the link of a relationship, on the
// address of its sign-in page.
func InvitationPage(devicePage, relationship string) string {
	return strings.TrimSuffix(devicePage, "/devicelogin") + invitationPath + invitationTail + relationship
}
