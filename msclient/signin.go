package msclient

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	msalerrors "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"
	"github.com/google/uuid"

	"msbundle/catalog"
)

// Account is who signed in, as far as the tokens say.
type Account struct {
	Username string
	ObjectID string
	TenantID string
	MFA      bool     // the sign-in used multifactor authentication
	Scopes   []string // what the Graph token allows
	Roles    []string // template ids of directory roles the token names; there may be more
	Method   Method   // of this run's sign-in; empty for a remembered one
	App      bool     // an app that acts as itself; Scopes are then its app roles
}

// Wish says who should sign in and for what.
type Wish struct {
	Tenant   string   // tenant id, or empty for the account's own
	Username string   // who is expected; empty when anybody may
	Scopes   []string // delegated Graph permissions by name
	Why      string   // told to the person
	Anew     bool     // let the person choose the account even when a browser remembers one
	// Check refuses an account before anything is done with it. The person can
	// then sign in again.
	Check func(Account) error
}

// SignIn signs a person in, as Prompts tells them, or the app of the options. A
// refusal of the service is an *AuthError.
func (c *Client) SignIn(ctx context.Context, w Wish) (Account, error) {
	if c.app != nil {
		return c.signInApp(ctx, w)
	}
	s, err := c.signer(catalog.GraphAppID)
	if err != nil {
		return Account{}, err
	}
	if err := c.ladder.begin(ctx); err != nil {
		return Account{}, err
	}
	defer c.ladder.end()
	result, err := c.climb(ctx, wish{
		signer: s, tenant: w.Tenant, scopes: c.graphScopes(w.Scopes), why: w.Why, hint: w.Username, anew: w.Anew, check: w.Check,
	})
	if err != nil {
		return Account{}, err
	}
	account, err := c.signedIn(ctx, s, result, w.Scopes)
	account.Method = c.ladder.used()
	return account, err
}

// Restore takes up the session a cache holds, without asking anybody. It reports
// false when there is none of that account.
func (c *Client) Restore(ctx context.Context, w Wish) (Account, bool, error) {
	s, err := c.signer(catalog.GraphAppID)
	if err != nil {
		return Account{}, false, err
	}
	result, err := s.restore(ctx, c.graphScopes(w.Scopes), w.Username, w.Tenant)
	if err != nil || result.AccessToken == "" || w.Check != nil && w.Check(accountOf(result)) != nil {
		return Account{}, false, err
	}
	s.signedIn(result, c.graphScopes(w.Scopes))
	account, err := c.signedIn(ctx, s, result, w.Scopes)
	return account, err == nil, err
}

// refuses tells why a finished sign-in does not count: it was made by somebody else
// than whoever the work is for.
func (w wish) refuses(r public.AuthResult) error {
	got := accountOf(r)
	if w.check != nil {
		if err := w.check(got); err != nil {
			return err
		}
	}
	if w.hint != "" && !strings.EqualFold(got.Username, w.hint) {
		return &OtherAccountError{Want: w.hint, Got: got.Username}
	}
	if w.signer.delegates && !got.MFA {
		return ErrNoMFA
	}
	return nil
}

// commit makes whoever signed in the client's only person.
func (c *Client) commit(ctx context.Context, w wish, r public.AuthResult) error {
	if err := w.signer.forgetOthers(ctx, r.Account); err != nil {
		return signInError(err)
	}
	w.signer.signedIn(r, w.scopes)
	return nil
}

// OtherAccountError means that somebody else signed in than was expected.
type OtherAccountError struct{ Want, Got string }

func (e *OtherAccountError) Error() string {
	return fmt.Sprintf("%s signed in, and %s was expected", e.Got, e.Want)
}

// signedIn makes whoever signed in the identity all further work goes on as.
func (c *Client) signedIn(ctx context.Context, s *signer, r public.AuthResult, scopes []string) (Account, error) {
	got := accountOf(r)
	c.mu.Lock()
	other := c.identity.objectID != "" && (c.identity.objectID != got.ObjectID || c.identity.tenant != got.TenantID)
	c.identity = identity{got.Username, got.ObjectID, got.TenantID, slices.Clone(scopes)}
	c.services = map[string]*Service{} // pipelines hold tokens of whoever was signed in before
	if other {
		c.delegate = nil
	}
	c.mu.Unlock()
	// What another client of Microsoft's remembers of somebody else is not kept.
	for _, id := range []string{c.clientFor(catalog.GraphAppID), c.clientFor(catalog.ServiceMgmtAppID), catalog.AzureCLI} {
		o, err := c.signerOf(id)
		if err != nil {
			return Account{}, err
		}
		if o == s {
			continue
		}
		if err := o.forgetOthers(ctx, r.Account); err != nil {
			return Account{}, signInError(err)
		}
		if other {
			o.signedIn(public.AuthResult{}, nil)
		}
	}
	return got, nil
}

func accountOf(r public.AuthResult) Account {
	var claims struct {
		AMR   []string `json:"amr"`
		Scope string   `json:"scp"`
		Roles []string `json:"wids"`
	}
	decodeClaims(r.AccessToken, &claims)
	return Account{
		Username: r.IDToken.PreferredUsername, ObjectID: r.IDToken.Oid, TenantID: r.IDToken.TenantID,
		MFA: slices.Contains(claims.AMR, "mfa"), Scopes: strings.Fields(claims.Scope), Roles: claims.Roles,
	}
}

// decodeClaims reads a token's claims for display. They are never trusted: the
// service checks its own tokens.
func decodeClaims(token string, into any) {
	parts := strings.Split(token, ".")
	if len(parts) < 2 {
		return
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return
	}
	_ = json.Unmarshal(data, into)
}

func (c *Client) graphScopes(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = "https://" + c.cloud.Graph + "/" + n
	}
	return out
}

// signInError keeps the service's refusal and what this package says itself, and
// drops MSAL's words behind the first line: there it quotes the request's address
// and the answer, tokens included.
func signInError(err error) error {
	var refused *AuthError
	var request *url.Error
	var answered *statusError
	var call msalerrors.CallErr
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &request):
		return request
	case errors.As(err, &answered):
		return answered
	case errors.As(err, &call):
		return &statusError{call.Resp.StatusCode}
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("the sign-in service's answer cannot be used: %s", strings.TrimSpace(first))
}

// TenantInfo is what the sign-in service tells anybody of a tenant.
type TenantInfo struct {
	ID       string
	Region   string // "NA", "EU", "USGov", ...
	SubScope string // "GCC", "DODCON", "DOD", or empty
}

// ResolveTenant finds a tenant by its id or one of its domains, and so that it
// exists in this cloud. An unknown tenant is an *AuthError with 90002.
// https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc
func (c *Client) ResolveTenant(ctx context.Context, tenant string) (TenantInfo, error) {
	u := "https://" + c.cloud.Login + "/" + url.PathEscape(tenant) + "/v2.0/.well-known/openid-configuration"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return TenantInfo{}, fmt.Errorf("look up tenant %q: %w", tenant, err)
	}
	res, body, err := c.pacer.send(req)
	if err != nil {
		return TenantInfo{}, fmt.Errorf("look up tenant %q: %w", tenant, err)
	}
	if res.StatusCode != http.StatusOK {
		if refused := parseAuthError(body); refused != nil {
			return TenantInfo{}, fmt.Errorf("look up tenant %q: %w", tenant, refused)
		}
		return TenantInfo{}, fmt.Errorf("look up tenant %q: the sign-in service answered %d", tenant, res.StatusCode)
	}
	var doc struct {
		Issuer   string `json:"issuer"`
		Region   string `json:"tenant_region_scope"`
		SubScope string `json:"tenant_region_sub_scope"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return TenantInfo{}, fmt.Errorf("look up tenant %q: %w", tenant, err)
	}
	issuer, err := url.Parse(doc.Issuer)
	if err != nil {
		return TenantInfo{}, fmt.Errorf("look up tenant %q: %w", tenant, err)
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(issuer.Path, "/"), "/")
	if uuid.Validate(id) != nil {
		return TenantInfo{}, fmt.Errorf("look up tenant %q: the sign-in service named no tenant id", tenant)
	}
	return TenantInfo{id, doc.Region, doc.SubScope}, nil
}

// Widen has the tokens for Microsoft Graph in the tenant of the sign-in carry more
// delegated permissions, by name. Those nobody consented to yet are asked for with
// the next request.
func (c *Client) Widen(scopes ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.app != nil {
		return
	}
	before := len(c.identity.scopes)
	for _, s := range scopes {
		if !slices.Contains(c.identity.scopes, s) {
			c.identity.scopes = append(c.identity.scopes, s)
		}
	}
	if len(c.identity.scopes) > before { // the pipeline there is asks for the old ones
		delete(c.services, graphService+" "+c.identity.tenant)
	}
}
