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
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"msbundle/catalog"
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
	return id, nil
}

// maxCodes is how many codes may expire unused before nobody is expected to sign
// in any more: about an hour.
const maxCodes = 4

// SignInByDeviceCode signs a person in. It calls show with the code to type, and
// again with a new one whenever a code expires unused, until the person has
// signed in, declines, ctx ends, or several expired (ErrSignInExpired). tenant is a tenant id, or empty for the
// account's own; scopes are delegated Graph permissions by name.
func (c *Client) SignInByDeviceCode(ctx context.Context, tenant string, scopes []string, show func(DeviceCode)) (Account, error) {
	var opts []public.AcquireByDeviceCodeOption
	if tenant != "" {
		opts = append(opts, public.WithTenantID(tenant))
	}
	full := c.graphScopes(scopes)
	for range maxCodes {
		code, err := c.msal.AcquireTokenByDeviceCode(ctx, full, opts...)
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
		return c.signedIn(result, scopes), nil
	}
	return Account{}, ErrSignInExpired
}

// Restore takes up the session a cache holds, without asking anybody. It reports
// false when there is none.
func (c *Client) Restore(ctx context.Context, scopes []string) (Account, bool, error) {
	accounts, err := c.msal.Accounts(ctx)
	if err != nil || len(accounts) == 0 {
		return Account{}, false, err
	}
	result, err := c.msal.AcquireTokenSilent(ctx, c.graphScopes(scopes), public.WithSilentAccount(accounts[0]))
	if err != nil {
		return Account{}, false, signInError(err)
	}
	return c.signedIn(result, scopes), true, nil
}

func (c *Client) signedIn(r public.AuthResult, scopes []string) Account {
	c.mu.Lock()
	c.account, c.scopes, c.home = r.Account, slices.Clone(scopes), r.IDToken.TenantID
	c.first = azcore.AccessToken{Token: r.AccessToken, ExpiresOn: r.ExpiresOn}
	c.graphs = map[string]*Graph{} // pipelines hold tokens of whoever was signed in before
	c.mu.Unlock()
	var claims struct {
		AMR   []string `json:"amr"`
		Scope string   `json:"scp"`
	}
	decodeClaims(r.AccessToken, &claims)
	return Account{
		Username: r.IDToken.PreferredUsername, ObjectID: r.IDToken.Oid, TenantID: r.IDToken.TenantID,
		MFA: slices.Contains(claims.AMR, "mfa"), Scopes: strings.Fields(claims.Scope),
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

// signInError keeps the service's refusal and drops MSAL's wrapping, which can
// quote the request.
func signInError(err error) error {
	var refused *AuthError
	if errors.As(err, &refused) {
		return refused
	}
	var unsent *url.Error
	if errors.As(err, &unsent) {
		return unsent
	}
	return err
}

// earlyRefresh is how long before its end a token is not used any more.
const earlyRefresh = 5 * time.Minute

// credential answers azcore's wish for a token with MSAL's silent flow: one per
// identity and tenant, because azcore keeps a single token per pipeline and
// ignores a changed tenant.
type credential struct {
	client *Client
	tenant string
}

// GetToken redeems the refresh token of the sign-in for the wanted scopes in the
// credential's tenant. Calls for the same token are made once.
func (k credential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c := k.client
	c.mu.Lock()
	account, first := c.account, c.first
	fits := k.tenant == c.home && slices.Equal(o.Scopes, c.graphScopes(c.scopes))
	c.mu.Unlock()
	if account.IsZero() {
		return azcore.AccessToken{}, errors.New("nobody is signed in")
	}
	// The token of the sign-in itself serves its own tenant. MSAL would redeem
	// another one, because it files that token under the authority's name.
	if fits && o.Claims == "" && time.Until(first.ExpiresOn) > earlyRefresh {
		return first, nil
	}
	opts := []public.AcquireSilentOption{public.WithSilentAccount(account), public.WithTenantID(k.tenant)}
	if o.Claims != "" {
		opts = append(opts, public.WithClaims(o.Claims))
	}
	key := k.tenant + " " + strings.Join(o.Scopes, " ") + " " + o.Claims
	v, err, _ := c.flights.Do(key, func() (any, error) {
		r, err := c.msal.AcquireTokenSilent(ctx, o.Scopes, opts...)
		if err != nil && r.AccessToken == "" { // a failed early refresh still comes with the valid token
			return nil, signInError(err)
		}
		return azcore.AccessToken{Token: r.AccessToken, ExpiresOn: r.ExpiresOn, RefreshOn: r.Metadata.RefreshOn}, nil
	})
	if err != nil {
		return azcore.AccessToken{}, err
	}
	return v.(azcore.AccessToken), nil
}

// forgetFirst drops the token of the sign-in, so that the next request redeems
// another.
func (c *Client) forgetFirst() {
	c.mu.Lock()
	c.first = azcore.AccessToken{}
	c.mu.Unlock()
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

// ClientName is what the technician knows the signing-in client as.
func (c *Client) ClientName() string {
	if c.clientID == catalog.GraphCommandLineTools {
		return "Microsoft Graph Command Line Tools"
	}
	return c.clientID
}
