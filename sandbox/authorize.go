package sandbox

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"time"
)

// authorizePath is where browsers are sent to sign in.
const authorizePath = "oauth2/v2.0/authorize"

// codeRequest is what an app asks of the sign-in page.
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow
type codeRequest struct {
	authority authority
	client    client
	redirect  string
	web       bool // the redirect address belongs to an app that keeps a secret
	mode      string
	state     string
	hint      string
	idToken   bool // wants to know at once who signed in
	info      bool
	want      request
	can       []string
	factor    bool // wants a second factor whatever the tenant demands
	challenge string
	plain     bool // the challenge is the verifier itself
}

// codeRequestTo reads what has to be right before the browser is sent anywhere:
// who asks, and where it wants the answer. A mistake in it is shown and goes no
// further.
func (c *Cloud) codeRequestTo(a authority, q url.Values) (*codeRequest, *stsError) {
	if q.Get("client_id") == "" {
		return nil, refuse("invalid_request", 900144, "The request body must contain the following parameter: 'client_id'.")
	}
	if a.tenant != nil && a.tenant.abroad(a.host) {
		return nil, a.tenant.elsewhere(a.host)
	}
	cl, err := c.client(a, q.Get("client_id"))
	if err != nil {
		return nil, err
	}
	r := &codeRequest{
		authority: a, client: cl, redirect: q.Get("redirect_uri"), state: q.Get("state"), hint: q.Get("login_hint"), info: q.Get("client_info") == "1",
	}
	public, web := c.redirects(cl)
	switch {
	case r.redirect == "" && len(public)+len(web) == 0:
		return nil, refuse("invalid_request", 500113, "No reply address is registered for the application.")
	case r.redirect == "":
		return nil, refuse("invalid_request", 900971, "No reply address provided.")
	case slices.ContainsFunc(web, r.comesBackTo):
		r.web = true
	case !slices.ContainsFunc(public, r.comesBackTo):
		return nil, refuse("invalid_request", 50011, "The redirect URI '%s' specified in the request does not match the redirect URIs configured for the application '%s'. Make sure the redirect URI sent in the request matches one added to your application in the Azure portal. Navigate to https://aka.ms/redirectUriMismatchError to learn more about how to fix this.", r.redirect, cl.id)
	}
	return r, nil
}

// redirects lists where an app may be answered: as a public client, and as one
// that keeps a secret.
func (c *Cloud) redirects(cl client) (public, web []any) {
	if cl.known != nil {
		return []any{"http://localhost"}, nil
	}
	app := cl.app.read(c.master())
	on := func(platform string) []any {
		p, _ := app[platform].(object)
		uris, _ := p["redirectUris"].([]any)
		return uris
	}
	return on("publicClient"), on("web")
}

// comesBackTo compares with a registered address. Only for http://localhost the
// port does not matter, since a program takes whichever is free.
// https://learn.microsoft.com/entra/identity-platform/reply-url#localhost-exceptions
func (r *codeRequest) comesBackTo(registered any) bool {
	reg, _ := registered.(string)
	want, err := url.Parse(reg)
	if err != nil {
		return false
	}
	got, err := url.Parse(r.redirect)
	if err != nil || got.Fragment != "" || got.Scheme != "http" && got.Scheme != "https" {
		return false
	}
	if got.Scheme == "http" && got.Hostname() == "localhost" && want.Scheme == "http" && want.Hostname() == "localhost" {
		return strings.TrimSuffix(got.Path, "/") == strings.TrimSuffix(want.Path, "/") && got.RawQuery == want.RawQuery && got.User == nil
	}
	return r.redirect == reg
}

// read takes in the rest of a request. A mistake in it is told to the app.
func (r *codeRequest) read(c *Cloud, q url.Values) *stsError {
	var err *stsError
	if r.mode, err = r.answerBy(c, q.Get("response_type"), q.Get("response_mode")); err != nil {
		return err
	}
	if err := r.readChallenge(q); err != nil {
		return err
	}
	if r.want, err = c.parseScopes(r.authority.host, r.authority.tenant, q.Get("scope")); err != nil {
		return err
	}
	r.want.nonce = q.Get("nonce")
	if r.idToken && r.want.nonce == "" {
		return refuse("invalid_request", 900144, "The request body must contain the following parameter: 'nonce'.")
	}
	if r.can, err = capabilities(q.Get("claims")); err != nil {
		return err
	}
	r.factor = wantsFactor(q.Get("claims"))
	switch q.Get("prompt") {
	case "", "login", "select_account", "consent":
	case "none":
		return refuse("login_required", 50058, "A silent sign-in request was sent but no user is signed in.")
	default:
		return refuse("invalid_request", 90023, "Unsupported 'prompt' value.")
	}
	return nil
}

// wantsFactor tells whether the claims parameter asks for a sign-in with a second
// factor.
func wantsFactor(claims string) bool {
	type wanted struct {
		AMR struct {
			Values []string `json:"values"`
		} `json:"amr"`
	}
	var in struct {
		AccessToken wanted `json:"access_token"`
		IDToken     wanted `json:"id_token"`
	}
	if json.Unmarshal([]byte(claims), &in) != nil {
		return false
	}
	return slices.Contains(append(in.AccessToken.AMR.Values, in.IDToken.AMR.Values...), "mfa")
}

// answerBy settles how the answer comes back. An ID token must not end up in a
// browser's history, and has to be enabled for the app.
func (r *codeRequest) answerBy(c *Cloud, kinds, mode string) (string, *stsError) {
	wanted := strings.Fields(kinds)
	slices.Sort(wanted)
	r.idToken = slices.Contains(wanted, "id_token")
	if mode == "" && r.idToken {
		mode = "fragment"
	} else if mode == "" {
		mode = "query"
	}
	r.mode = mode // so that the errors below find their way, too
	switch {
	case kinds == "":
		return mode, refuse("invalid_request", 900144, "The request body must contain the following parameter: 'response_type'.")
	case !slices.Contains([]string{"query", "fragment", "form_post"}, mode), mode == "query" && r.idToken:
		r.mode = "query"
		return r.mode, refuse("invalid_request", 70007, "'%s' is not a supported value of 'response_mode' when requesting a token.", mode)
	case slices.Contains(wanted, "token"):
		return mode, refuse("unsupported_response_type", 700051, "response_type 'token' is not enabled for the application.")
	case r.idToken && !c.issuesIDTokens(r.client):
		return mode, refuse("unsupported_response_type", 700054, "response_type 'id_token' is not enabled for the application.")
	case !slices.Equal(wanted, []string{"code"}) && !slices.Equal(wanted, []string{"code", "id_token"}):
		return mode, refuse("unsupported_response_type", 70005, "The app returned an unsupported response type: '%s'.", kinds)
	}
	return mode, nil
}

func (c *Cloud) issuesIDTokens(cl client) bool {
	if cl.app == nil {
		return false
	}
	web, _ := cl.app.read(c.master())["web"].(object)
	implicit, _ := web["implicitGrantSettings"].(object)
	return implicit["enableIdTokenIssuance"] == true
}

// readChallenge takes in the proof key. The service lets public clients other
// than single-page apps do without; this one does not, because a program that
// comes back to a local port must not.
// https://www.rfc-editor.org/rfc/rfc8252#section-8.1
func (r *codeRequest) readChallenge(q url.Values) *stsError {
	r.challenge, r.plain = q.Get("code_challenge"), q.Get("code_challenge_method") != "S256"
	switch method := q.Get("code_challenge_method"); {
	case r.challenge == "" && method == "" && !r.web:
		return refuse("invalid_request", 9002325, "Proof Key for Code Exchange is required for cross-origin authorization code redemption.")
	case r.challenge == "" && method == "":
		return nil
	case method != "" && method != "S256" && method != "plain":
		return refuse("invalid_request", 50149, "Invalid Code_Challenge_method parameter.")
	case len(r.challenge) < 43 || len(r.challenge) > 128:
		return refuse("invalid_request", 501491, "Invalid size of Code_Challenge parameter.")
	}
	return nil
}

// codeGrant is an authorization code: somebody signed in for an app, which has
// yet to collect the tokens.
type codeGrant struct {
	codeRequest
	session  *session
	expires  time.Time
	redeemed bool
}

// grantLife is how long an authorization code can be redeemed.
const grantLife = 10 * time.Minute

// grant signs a person in for an app. The error is what the browser shows.
func (c *Cloud) grant(r *codeRequest, account string, everybody, passed bool) (url.Values, *stsError) {
	user, home, err := c.account(r.authority, r.client, account)
	if err != nil {
		return nil, err
	}
	if err := c.consent(r.client, home, user, r.want, everybody); err != nil {
		return nil, err
	}
	s := c.open(session{client: r.client.id, public: !r.web, home: home, user: user, amr: c.amr(user, passed || r.factor)})
	code := c.opaque("1.A", 120)
	c.grants[code] = &codeGrant{codeRequest: *r, session: s, expires: c.now().Add(grantLife)}
	out := url.Values{"code": {code}, "session_state": {s.id}}
	if r.idToken {
		out.Set("id_token", c.idToken(r.authority.host, home, user, r.client.id, r.want.nonce))
	}
	if r.info {
		out.Set("client_info", clientInfo(home, user))
	}
	return out, nil
}

// redeemCode answers an app that comes for its tokens.
func (c *Cloud) redeemCode(a authority, cl client, form url.Values) (*answer, *stsError) {
	for _, needed := range []string{"code", "redirect_uri"} {
		if form.Get(needed) == "" {
			return nil, refuse("invalid_request", 900144, "The request body must contain the following parameter: '%s'.", needed)
		}
	}
	g := c.grants[form.Get("code")]
	switch {
	case g == nil:
		return nil, refuse("invalid_grant", 9002313, "Invalid request. Request is malformed or invalid.")
	case g.client.id != cl.id:
		return nil, refuse("invalid_grant", 70000, "Provided grant is invalid or malformed.")
	case a.segment != g.authority.segment && a.tenant != g.session.home:
		return nil, refuse("invalid_grant", 700005, "Provided Authorization Code is intended to use against other tenant, thus rejected.")
	}
	if err := c.authenticate(cl, !g.web, form); err != nil {
		return nil, err
	}
	switch {
	case g.redeemed:
		return nil, refuse("invalid_grant", 54005, "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh token.")
	case !c.now().Before(g.expires):
		return nil, refuse("invalid_grant", 70008, "The provided authorization code or refresh token has expired due to inactivity. Send a new interactive authorization request for this user and resource.")
	case form.Get("redirect_uri") != g.redirect:
		return nil, refuse("invalid_client", 500112, "The reply address '%s' does not match the reply address '%s' provided when requesting Authorization code.", form.Get("redirect_uri"), g.redirect)
	}
	if err := g.proves(form.Get("code_verifier")); err != nil {
		return nil, err
	}
	want := g.want
	if text := form.Get("scope"); text != "" {
		asked, err := c.parseScopes(a.host, g.session.home, text)
		if err != nil {
			return nil, err
		}
		asked.nonce = want.nonce
		want = asked
	}
	can, err := capabilities(form.Get("claims"))
	if err != nil {
		return nil, err
	}
	s := g.session
	if err := c.admits(s, s.home, s.user, want.api.appID); err != nil {
		return nil, err
	}
	reply, err := c.issue(a.host, cl, s.home, s.user, want, s, append(g.can, can...))
	if err == nil {
		g.redeemed = true
	}
	return reply, err
}

// proves compares the verifier with what was said about it at the start.
// https://www.rfc-editor.org/rfc/rfc7636#section-4.6
func (g *codeGrant) proves(verifier string) *stsError {
	switch {
	case g.challenge == "" && verifier == "":
		return nil
	case verifier == "":
		return refuse("invalid_grant", 50148, "The code_verifier does not match the code_challenge supplied in the authorization request for PKCE.")
	}
	if !g.plain {
		sum := sha256.Sum256([]byte(verifier))
		verifier = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	if subtle.ConstantTimeCompare([]byte(verifier), []byte(g.challenge)) != 1 {
		return refuse("invalid_grant", 501481, "The Code_Verifier does not match the code_challenge supplied in the authorization request.")
	}
	return nil
}
