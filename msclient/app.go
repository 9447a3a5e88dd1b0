package msclient

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"

	"msbundle/catalog"
)

// App is an app registration that signs in with a client secret: by itself, for
// reads that nobody watches, or together with a person.
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
type App struct {
	TenantID string // id or domain
	ClientID string
	Secret   Secret
}

// appSigner gets tokens for an app.
type appSigner struct {
	app  App
	msal confidential.Client
}

func (c *Client) newAppSigner(a App) (*appSigner, error) {
	secret, err := confidential.NewCredFromSecret(a.Secret.Reveal())
	if err != nil {
		return nil, errors.New("the client secret of the app is empty")
	}
	// The host is Microsoft's, as the catalog has it: there is nothing to ask about it.
	msal, err := confidential.New("https://"+c.cloud.Login+"/"+a.TenantID, a.ClientID, secret, confidential.WithHTTPClient(c.pacer), confidential.WithInstanceDiscovery(false))
	if err != nil {
		return nil, fmt.Errorf("set up sign-in at %s: %w", c.cloud.Login, err)
	}
	return &appSigner{a, msal}, nil
}

// signInApp takes a first token, which proves the credentials.
func (c *Client) signInApp(ctx context.Context, w Wish) (Account, error) {
	token, err := c.app.token(ctx, "", policy.TokenRequestOptions{Scopes: []string{c.scopeOf(catalog.GraphAppID)}})
	if err != nil {
		return Account{}, err
	}
	var claims struct {
		Tenant   string   `json:"tid"`
		ObjectID string   `json:"oid"`
		Name     string   `json:"app_displayname"`
		Roles    []string `json:"roles"`
		RoleIDs  []string `json:"wids"`
	}
	decodeClaims(token.Token, &claims)
	if claims.Name == "" {
		claims.Name = "app " + c.app.app.ClientID
	}
	got := Account{Username: claims.Name, ObjectID: claims.ObjectID, TenantID: claims.Tenant, Scopes: claims.Roles, Roles: claims.RoleIDs, App: true}
	if w.Check != nil {
		if err := w.Check(got); err != nil {
			return Account{}, err
		}
	}
	c.mu.Lock()
	c.identity = identity{got.Username, got.ObjectID, got.TenantID, nil}
	c.services = map[string]*Service{}
	c.mu.Unlock()
	return got, nil
}

// token gets a token for everything the app was granted at a resource. MSAL keeps
// it until shortly before its end.
func (s *appSigner) token(ctx context.Context, tenant string, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	var opts []confidential.AcquireByCredentialOption
	if tenant != "" && !strings.EqualFold(tenant, s.app.TenantID) {
		opts = append(opts, confidential.WithTenantID(tenant))
	}
	if o.Claims != "" {
		opts = append(opts, confidential.WithClaims(o.Claims))
	}
	ctx, cancel := context.WithTimeout(ctx, msalTimeout)
	defer cancel()
	r, err := s.msal.AcquireTokenByCredential(ctx, o.Scopes, opts...)
	if err != nil {
		return azcore.AccessToken{}, signInError(err)
	}
	return azcore.AccessToken{Token: r.AccessToken, ExpiresOn: r.ExpiresOn}, nil
}
