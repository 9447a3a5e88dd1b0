package msclient

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	msalerrors "github.com/AzureAD/microsoft-authentication-library-for-go/apps/errors"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"
	"github.com/google/uuid"
)

// DeviceCode is what a person types into the sign-in page on any device.
type DeviceCode struct {
	UserCode string
	URL      string // as the service returned it
	Expires  time.Time
}

// Account is who signed in, as far as the tokens say.
type Account struct {
	Username string
	ObjectID string
	TenantID string
	MFA      bool     // the sign-in used multifactor authentication
	Scopes   []string // what the Graph token allows
	Roles    []string // template ids of directory roles the token names; there may be more
}

// ResolveTenant finds the id of a tenant by its id or one of its domains, and so
// that it exists in this cloud. An unknown tenant is an *AuthError with 90002.
// https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc
func (c *Client) ResolveTenant(ctx context.Context, tenant string) (string, error) {
	u := "https://" + c.cloud.Login + "/" + url.PathEscape(tenant) + "/v2.0/.well-known/openid-configuration"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return "", fmt.Errorf("look up tenant %q: %w", tenant, err)
	}
	res, body, err := c.pacer.send(req)
	if err != nil {
		return "", fmt.Errorf("look up tenant %q: %w", tenant, err)
	}
	if res.StatusCode != http.StatusOK {
		if refused := parseAuthError(body); refused != nil {
			return "", fmt.Errorf("look up tenant %q: %w", tenant, refused)
		}
		return "", fmt.Errorf("look up tenant %q: the sign-in service answered %d", tenant, res.StatusCode)
	}
	var doc struct {
		Issuer string `json:"issuer"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return "", fmt.Errorf("look up tenant %q: %w", tenant, err)
	}
	issuer, err := url.Parse(doc.Issuer)
	if err != nil {
		return "", fmt.Errorf("look up tenant %q: %w", tenant, err)
	}
	id, _, _ := strings.Cut(strings.TrimPrefix(issuer.Path, "/"), "/")
	if uuid.Validate(id) != nil {
		return "", fmt.Errorf("look up tenant %q: the sign-in service named no tenant id", tenant)
	}
	return id, nil
}

// maxCodes is how many codes may expire unused before nobody is expected to sign
// in any more: about an hour.
const maxCodes = 4

// SignInByDeviceCode signs a person in. It calls show with the code to type, and
// again with a new one whenever a code expires unused, until the person has
// signed in, declines, ctx ends, or several expired (ErrSignInExpired). tenant is
// a tenant id, or empty for the account's own; scopes are delegated Graph
// permissions by name. A refusal is an *AuthError.
func (c *Client) SignInByDeviceCode(ctx context.Context, tenant string, scopes []string, show func(DeviceCode)) (Account, error) {
	var opts []public.AcquireByDeviceCodeOption
	if tenant != "" {
		opts = append(opts, public.WithTenantID(tenant))
	}
	// A session that cannot be opened would end the sign-in at its very end.
	if _, err := c.msal.Accounts(ctx); err != nil {
		return Account{}, signInError(err)
	}
	full := c.graphScopes(scopes)
	for range maxCodes {
		code, err := c.deviceCode(ctx, full, opts)
		if err != nil {
			return Account{}, signInError(err)
		}
		show(DeviceCode{code.Result.UserCode, code.Result.VerificationURL, code.Result.ExpiresOn})
		result, err := code.AuthenticationResult(ctx)
		if ctx.Err() != nil {
			return Account{}, ctx.Err()
		}
		var refused *AuthError
		expired := errors.Is(err, context.DeadlineExceeded) || errors.As(err, &refused) && refused.OAuth == "expired_token"
		switch {
		case expired:
			continue
		case err != nil:
			return Account{}, signInError(err)
		}
		if err := c.forgetOthers(ctx, result.Account); err != nil {
			return Account{}, signInError(err)
		}
		return c.signedIn(result, scopes), nil
	}
	return Account{}, ErrSignInExpired
}

// msalTimeout is for what MSAL does in one go. Without a limit it sets one of half
// a minute for each request, which leaves the pacer no room to repeat it.
const msalTimeout = 2 * time.Minute

func (c *Client) deviceCode(ctx context.Context, scopes []string, opts []public.AcquireByDeviceCodeOption) (public.DeviceCode, error) {
	ctx, cancel := context.WithTimeout(ctx, msalTimeout)
	defer cancel()
	return c.msal.AcquireTokenByDeviceCode(ctx, scopes, opts...)
}

// Restore takes up the session a cache holds, without asking anybody. It reports
// false when there is none.
func (c *Client) Restore(ctx context.Context, scopes []string) (Account, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, msalTimeout)
	defer cancel()
	accounts, err := c.msal.Accounts(ctx)
	if err != nil {
		return Account{}, false, signInError(err)
	}
	if len(accounts) == 0 {
		return Account{}, false, nil
	}
	account := ofSignIn(accounts)
	opts := []public.AcquireSilentOption{public.WithSilentAccount(account)}
	if account.Realm != anyTenant {
		opts = append(opts, public.WithTenantID(account.Realm))
	}
	result, err := c.msal.AcquireTokenSilent(ctx, c.graphScopes(scopes), opts...)
	if err != nil {
		return Account{}, false, signInError(err)
	}
	return c.signedIn(result, scopes), true, nil
}

// anyTenant is the authority for accounts of any organization.
const anyTenant = "organizations"

// ofSignIn picks the account a session was begun with. MSAL lists one for every
// tenant a token was redeemed in, in no order. The authority of the sign-in comes
// first, the account's own tenant next.
func ofSignIn(accounts []public.Account) public.Account {
	rank := func(a public.Account) int {
		switch {
		case a.Realm == anyTenant:
			return 0
		case strings.HasSuffix(a.HomeAccountID, "."+a.Realm):
			return 1
		}
		return 2
	}
	return slices.MinFunc(accounts, func(a, b public.Account) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Key(), b.Key()))
	})
}

// forgetOthers removes whoever was signed in before from MSAL's cache, so that a
// session is always one identity's.
func (c *Client) forgetOthers(ctx context.Context, keep public.Account) error {
	accounts, err := c.msal.Accounts(ctx)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if a.HomeAccountID != keep.HomeAccountID {
			if err := c.msal.RemoveAccount(ctx, a); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *Client) signedIn(r public.AuthResult, scopes []string) Account {
	c.mu.Lock()
	c.account, c.scopes, c.home = r.Account, slices.Clone(scopes), r.IDToken.TenantID
	c.first, c.ends = NewSecret(r.AccessToken), r.ExpiresOn
	c.graphs = map[string]*Graph{} // pipelines hold tokens of whoever was signed in before
	c.mu.Unlock()
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
	var session *sessionError
	var call msalerrors.CallErr
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.As(err, &request):
		return request
	case errors.As(err, &answered):
		return answered
	case errors.As(err, &session):
		return session
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

// earlyRefresh is how long before its end a token is not used any more.
const earlyRefresh = 5 * time.Minute

// credential answers azcore's wish for a token with MSAL's silent flow: one per
// identity and tenant, because azcore keeps a single token per pipeline and
// ignores a changed tenant.
type credential struct {
	client *Client
	tenant string

	mu      sync.Mutex
	refused Secret // the last token the service did not take
}

// GetToken redeems the refresh token of the sign-in for the wanted scopes in the
// credential's tenant. azcore calls it once for all requests that wait.
func (k *credential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := k.token(ctx, o)
	if err != nil {
		return azcore.AccessToken{}, &unsent{err}
	}
	return token, nil
}

func (k *credential) token(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c := k.client
	c.mu.Lock()
	account, first, ends := c.account, c.first, c.ends
	fits := k.tenant == c.home && slices.Equal(o.Scopes, c.graphScopes(c.scopes))
	c.mu.Unlock()
	if account.IsZero() {
		return azcore.AccessToken{}, errors.New("nobody is signed in")
	}
	// The token of the sign-in itself serves its own tenant. MSAL would redeem
	// another one, because it files that token under the authority's name.
	if fits && o.Claims == "" && time.Until(ends) > earlyRefresh && !k.wasRefused(first.Reveal()) {
		return azcore.AccessToken{Token: first.Reveal(), ExpiresOn: ends}, nil
	}
	r, err := k.redeem(ctx, account, o.Scopes, o.Claims)
	if err == nil && o.Claims == "" && k.wasRefused(r.AccessToken) {
		// MSAL serves a token until it expires. Only claims make it redeem another;
		// these ask for nothing.
		r, err = k.redeem(ctx, account, o.Scopes, "{}")
	}
	if err != nil && r.AccessToken == "" { // a failed early refresh still comes with the valid token
		return azcore.AccessToken{}, signInError(err)
	}
	return azcore.AccessToken{Token: r.AccessToken, ExpiresOn: r.ExpiresOn, RefreshOn: r.Metadata.RefreshOn}, nil
}

func (k *credential) redeem(ctx context.Context, account public.Account, scopes []string, claims string) (public.AuthResult, error) {
	opts := []public.AcquireSilentOption{public.WithSilentAccount(account), public.WithTenantID(k.tenant)}
	if claims != "" {
		opts = append(opts, public.WithClaims(claims))
	}
	return k.client.msal.AcquireTokenSilent(ctx, scopes, opts...)
}

// refuse remembers a token the service answered 401 to.
func (k *credential) refuse(token string) {
	k.mu.Lock()
	k.refused = NewSecret(token)
	k.mu.Unlock()
}

func (k *credential) wasRefused(token string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return token != "" && token == k.refused.Reveal()
}

// Graph gives access to Microsoft Graph in a tenant. In the tenant of the sign-in
// the token carries the scopes asked for there; elsewhere what was consented.
func (c *Client) Graph(tenant string) *Graph {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g, ok := c.graphs[tenant]; ok {
		return g
	}
	scopes := []string{"https://" + c.cloud.Graph + "/.default"}
	if tenant == c.home && len(c.scopes) > 0 {
		scopes = c.graphScopes(c.scopes)
	}
	g := newGraph(c, tenant, scopes)
	c.graphs[tenant] = g
	return g
}
