package msclient

import (
	"context"
	"errors"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"
)

// flow is one of MSAL's clients, as far as people sign in with it.
type flow interface {
	deviceCode(ctx context.Context, w wish) (public.DeviceCode, error)
	// page is the address a browser opens; byCode redeems what it came back with.
	page(ctx context.Context, id, redirect string, w wish) (string, error)
	byCode(ctx context.Context, code, redirect, verifier string, w wish) (public.AuthResult, error)
	silent(ctx context.Context, account public.Account, scopes []string, tenant, claims string) (public.AuthResult, error)
	Accounts(ctx context.Context) ([]public.Account, error)
	RemoveAccount(ctx context.Context, account public.Account) error
}

// publicFlow is that of a public client.
type publicFlow struct{ public.Client }

var _ flow = publicFlow{}

func (f publicFlow) deviceCode(ctx context.Context, w wish) (public.DeviceCode, error) {
	var opts []public.AcquireByDeviceCodeOption
	if w.tenant != "" {
		opts = append(opts, public.WithTenantID(w.tenant))
	}
	if w.claims != "" {
		opts = append(opts, public.WithClaims(w.claims))
	}
	return f.AcquireTokenByDeviceCode(ctx, w.scopes, opts...)
}

func (f publicFlow) page(ctx context.Context, id, redirect string, w wish) (string, error) {
	var opts []public.AuthCodeURLOption
	if w.tenant != "" {
		opts = append(opts, public.WithTenantID(w.tenant))
	}
	if w.claims != "" {
		opts = append(opts, public.WithClaims(w.claims))
	}
	if w.hint != "" {
		opts = append(opts, public.WithLoginHint(w.hint))
	}
	return f.AuthCodeURL(ctx, id, redirect, pageScopes(w), opts...)
}

func (f publicFlow) byCode(ctx context.Context, code, redirect, verifier string, w wish) (public.AuthResult, error) {
	opts := []public.AcquireByAuthCodeOption{public.WithChallenge(verifier)}
	if w.tenant != "" {
		opts = append(opts, public.WithTenantID(w.tenant))
	}
	if w.claims != "" {
		opts = append(opts, public.WithClaims(w.claims))
	}
	return f.AcquireTokenByAuthCode(ctx, code, redirect, w.scopes, opts...)
}

func (f publicFlow) silent(ctx context.Context, account public.Account, scopes []string, tenant, claims string) (public.AuthResult, error) {
	opts := []public.AcquireSilentOption{public.WithSilentAccount(account)}
	if tenant != "" {
		opts = append(opts, public.WithTenantID(tenant))
	}
	if claims != "" {
		opts = append(opts, public.WithClaims(claims))
	}
	return f.AcquireTokenSilent(ctx, scopes, opts...)
}

// pageScopes are what a sign-in page is to ask for. MSAL adds the last three only
// where it opens the page itself.
func pageScopes(w wish) []string {
	return append(append([]string{}, w.scopes...), "openid", "offline_access", "profile")
}

// secretFlow is that of an app with a secret. It signs people in by a browser only.
type secretFlow struct{ confidential.Client }

var _ flow = secretFlow{}

func (f secretFlow) deviceCode(context.Context, wish) (public.DeviceCode, error) {
	return public.DeviceCode{}, errors.New("an app with a secret signs people in by a browser only")
}

func (f secretFlow) page(ctx context.Context, id, redirect string, w wish) (string, error) {
	opts := []confidential.AuthCodeURLOption{confidential.WithTenantID(w.tenant)}
	if w.claims != "" {
		opts = append(opts, confidential.WithClaims(w.claims))
	}
	if w.hint != "" {
		opts = append(opts, confidential.WithLoginHint(w.hint))
	}
	return f.AuthCodeURL(ctx, id, redirect, pageScopes(w), opts...)
}

func (f secretFlow) byCode(ctx context.Context, code, redirect, verifier string, w wish) (got public.AuthResult, err error) {
	opts := []confidential.AcquireByAuthCodeOption{confidential.WithChallenge(verifier), confidential.WithTenantID(w.tenant)}
	if w.claims != "" {
		opts = append(opts, confidential.WithClaims(w.claims))
	}
	err = untilAccepted(ctx, func() (err error) {
		got, err = f.AcquireTokenByAuthCode(ctx, code, redirect, w.scopes, opts...)
		return err
	}, codeSecret)
	return got, err
}

func (f secretFlow) silent(ctx context.Context, account public.Account, scopes []string, tenant, claims string) (got public.AuthResult, err error) {
	opts := []confidential.AcquireSilentOption{confidential.WithSilentAccount(account), confidential.WithTenantID(tenant)}
	if claims != "" { // MSAL takes claims of a challenge for a confidential client in no other way
		opts = append(opts, confidential.WithClaimsFromClient(claims))
	}
	err = untilAccepted(ctx, func() (err error) {
		got, err = f.AcquireTokenSilent(ctx, scopes, opts...)
		return err
	}, codeSecret)
	return got, err
}

// Accounts is empty: an app's client is made for one sign-in.
func (f secretFlow) Accounts(context.Context) ([]public.Account, error) { return nil, nil }
