package sandbox

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// signInPage answers a browser that an app sent to sign in. failed is what is
// wrong with the address already. The caller holds mu.
func (c *Cloud) signInPage(r *http.Request, a authority, failed *stsError, body []byte) *answer {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		failed = refuse("invalid_request", 900561, "The endpoint only accepts GET, POST requests. Received a %s request.", r.Method)
	}
	q := r.URL.Query()
	var req *codeRequest
	if failed == nil {
		req, failed = c.codeRequestTo(a, q)
	}
	if failed != nil {
		return render(pageState{Error: failed.code, Text: failed.text, Over: true}.html(), "'none'")
	}
	if err := req.read(c, q); err != nil {
		return c.sendBack(req, c.refusal(err))
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return &answer{status: http.StatusBadRequest, header: htmlHeader("'none'"), body: []byte("<!doctype html><title>Bad request</title><p>The form could not be read.")}
	}
	state := pageState{Account: c.chosen(a, req.client, req.hint), Factor: c.scenario.noMFA}
	state.ask(req.client, req.want)
	switch {
	case r.Method == http.MethodPost && form.Get("answer") != "":
		if account := strings.TrimSpace(form.Get("account")); account != "" {
			state.Account = account
		}
		return c.signInBy(req, state, form)
	case c.opts.Approve != ApproveManual && c.scenario.declines:
		return c.signInBy(req, state, url.Values{"answer": {"decline"}})
	case c.opts.Approve != ApproveManual:
		return c.signInBy(req, state, nil)
	}
	return render(state.html(), req.origin())
}

// signInBy carries out what the person at the page did. form is nil when nobody
// is asked.
func (c *Cloud) signInBy(req *codeRequest, state pageState, form url.Values) *answer {
	if form.Get("answer") == "decline" {
		return c.sendBack(req, c.declined(req, state.Account))
	}
	out, err := c.grant(req, state.Account, form.Get("everybody") == "yes", form.Get("second_factor") == "done")
	switch {
	case err == nil:
		return c.sendBack(req, out)
	case form == nil && err.code == 90094:
		// Nobody with the right to consent is at hand: back to the app, by the link
		// on that page.
		return c.sendBack(req, cancelled())
	}
	state.Error, state.Text = err.code, shown(err)
	return render(state.html(), req.origin())
}

// declined is what an app hears of a person who does not want to. There is a
// consent page to decline only when something has to be consented to; before it
// the sign-in is just given up.
func (c *Cloud) declined(req *codeRequest, account string) url.Values {
	user, home, err := c.account(req.authority, req.client, account)
	if err != nil || req.client.known != nil && !req.client.known.dynamic || len(lacking(req.want, c.granted(req.client, home, user, req.want.api))) == 0 {
		return cancelled()
	}
	return c.refusal(refuse("consent_required", 65004, "User declined to consent to access the app."))
}

func cancelled() url.Values {
	return url.Values{"error": {"access_denied"}, "error_subcode": {"cancel"}}
}

// refusal is an error of the token service in the form it has in an address.
func (c *Cloud) refusal(e *stsError) url.Values {
	body := e.answer(c, c.guid()).body.(object)
	out := url.Values{"error": {e.error}, "error_description": {str(body, "error_description")}, "error_uri": {str(body, "error_uri")}}
	if e.claims != "" {
		out.Set("claims", e.claims)
	}
	return out
}

// sendBack sends the browser to the app with an answer, the way the app asked
// for.
func (c *Cloud) sendBack(req *codeRequest, out url.Values) *answer {
	if req.state != "" {
		out.Set("state", req.state)
	}
	if req.mode == "form_post" {
		nonce := c.random(22)
		a := render(formPost(req.redirect, out, nonce), req.origin())
		a.header["Content-Security-Policy"] += "; script-src 'nonce-" + nonce + "'"
		return a
	}
	to := req.redirect
	switch {
	case req.mode == "fragment":
		to += "#"
	case strings.Contains(to, "?"):
		to += "&"
	default:
		to += "?"
	}
	header := htmlHeader("'none'")
	header["Location"] = to + out.Encode()
	return &answer{status: http.StatusFound, header: header, body: []byte("<!doctype html><title>Signed in</title>")}
}

// origin is where the answer goes, as a policy for the page writes it: browsers
// apply it to a form and to where a form leads.
func (r *codeRequest) origin() string {
	u, err := url.Parse(r.redirect)
	if err != nil || strings.ContainsFunc(u.Host, func(x rune) bool { return x <= ' ' || x > '~' || strings.ContainsRune(`;,'"`, x) }) {
		return "'self'"
	}
	return "'self' " + u.Scheme + "://" + u.Host
}

// formPost is the page that takes an answer to an app by itself: one of the app's
// own addresses, http or https. The button is for browsers without scripts.
func formPost(to string, fields url.Values, nonce string) string {
	var inputs strings.Builder
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		inputs.WriteString(markup("<input type=\"hidden\" name=\"%s\" value=\"%s\">\n", name, fields.Get(name)))
	}
	return markup(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Signing in (sandbox)</title>
</head>
<body>
<form method="post" action="%s">
`, to) + inputs.String() + markup(`<button type="submit">Continue</button>
</form>
<script nonce="%s">document.forms[0].submit()</script>
</body>
</html>
`, nonce)
}

// render answers with a page that may only send forms to the given places.
func render(page, formsTo string) *answer {
	return &answer{status: http.StatusOK, header: htmlHeader(formsTo), body: []byte(page)}
}

func htmlHeader(formsTo string) map[string]string {
	return map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; form-action " + formsTo,
	}
}

// shown is an error as the page words it.
func shown(err *stsError) string {
	switch err.code {
	case 90120:
		return "This code has already been used or declined."
	case 70019:
		return "This code has expired."
	case 53003, 530035:
		return "You cannot access this right now. Your sign-in was successful but does not meet the criteria to access this resource."
	case 90094:
		return "Need admin approval. " + err.text
	}
	return err.text
}
