package sandbox

import (
	"net/http"
	"net/url"
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

// html is the page.
func (s invitationState) html() string {
	var b strings.Builder
	if s.Name != "" {
		extends := ""
		if s.Extends {
			extends = ", extended by half a year each time it ends"
		}
		b.WriteString(markup("<p><strong>%s</strong> asks for the relationship <strong>%s</strong>, for %s days%s, with these roles:</p>\n",
			s.Partner, s.Name, s.Length, extends) + listed(s.Roles))
	}
	if s.Done != "" {
		b.WriteString(markup("<p role=\"status\"><strong>%s</strong></p>\n", s.Done))
	} else {
		if s.Text != "" {
			b.WriteString(markup("<div class=\"error\" role=\"alert\"><p><strong>%s</strong></p></div>\n", s.Text))
		}
		b.WriteString(markup(`<form method="post">
<label for="link">Link or number of the relationship</label>
<input type="text" id="link" name="link" value="%s" autocomplete="off" required>
<label for="account">Account of an administrator of your organization</label>
<input type="text" id="account" name="account" value="%s" autocomplete="off" required>
<button type="submit" name="answer" value="approve">Approve</button>
<button type="submit" name="answer" value="decline">Decline</button>
</form>
`, s.Link, s.Account))
	}
	if len(s.Waiting) > 0 {
		b.WriteString("<h2>Waiting for their customers</h2>\n<ul>")
		for _, w := range s.Waiting {
			b.WriteString(markup("<li><a href=\"%s\">%s</a></li>", w.Path, w.Name))
		}
		b.WriteString("</ul>\n")
	}
	return document("Partner relationships", "Approve partner roles", b.String())
}

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
		return render(state.html(), "'self'")
	}
	e, err := c.waiting(state.Link)
	if err != nil {
		state.Text = "This request is not there, was answered before, or has expired."
		return render(state.html(), "'self'")
	}
	c.ask(&state, e)
	if answered != "" {
		if text := c.decide(e, state.Account, answered == "approve"); text != "" {
			state.Text = text
		} else if state.Done = "You declined the request. You may close this window."; answered == "approve" {
			state.Done = "You approved the roles. You may close this window."
		}
	}
	return render(state.html(), "'self'")
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
	sortBy(state.Waiting, func(w waitingLink) string { return w.Name })
}

// CustomersPage is where a person answers for the customers, on the address of the
// sandbox's sign-in page.
func CustomersPage(devicePage string) string {
	return strings.TrimSuffix(devicePage, "/devicelogin") + invitationPath
}

// OnPages leads a page of Microsoft to where the address of the sandbox's sign-in
// page has it: below its host's name, and with what a link has behind a "#" as part
// of the path, because a browser would keep that to itself.
func OnPages(devicePage, page string) string {
	return strings.TrimSuffix(devicePage, "/devicelogin") + "/" + strings.Replace(strings.TrimPrefix(page, "https://"), "#", "", 1)
}
