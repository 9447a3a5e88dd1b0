package msclient

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"
)

// earlyRefresh is how long before its end a token is not used any more.
const earlyRefresh = 5 * time.Minute

// maxRefused is how many tokens that did not serve are remembered: requests under
// way side by side may each have had another one.
const maxRefused = 16

// credential answers azcore's wish for a token with MSAL's silent flow: one per
// client, tenant and resource, because azcore keeps a single token per pipeline
// and ignores a changed tenant.
type credential struct {
	client *Client
	signer *signer // nil for an app that acts as itself
	tenant string
	scopes []string
	home   bool // the tenant is that of the sign-in: the person can be asked again
	holds  bool // the token is kept here, because MSAL does not: a customer's tenant, or by the partner's own app

	needsDelegate bool // the signer is the partner's own app; nil until somebody signed in with it

	why  string // a sign-in is needed, told to the person
	skip bool   // the work can go on without

	mu      sync.Mutex
	refused []Secret // the last tokens the service did not take
	claims  string   // the last ones a service wanted met
	held    held
}

// held is a token in use.
type held struct {
	token       Secret
	ends, renew time.Time // renew is when another one may be had early; zero when that was not said
}

var _ azcore.TokenCredential = (*credential)(nil)

// needed is a token that only a person can bring about. It ends the request,
// which did not leave; Service asks the person and sends it again.
type needed struct {
	wish  wish
	times int // how often somebody had signed in with the client before
	cause error
}

func (n *needed) Error() string { return n.cause.Error() }

func (n *needed) Unwrap() error { return n.cause }

// GetToken redeems the refresh token of the sign-in for the wanted scopes in the
// credential's tenant. azcore calls it once for all requests that wait.
func (k *credential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	token, err := k.token(unparked(ctx), o)
	if err != nil {
		return azcore.AccessToken{}, &unsent{err}
	}
	return token, nil
}

func (k *credential) token(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	switch {
	case k.signer == nil && k.needsDelegate:
		return azcore.AccessToken{}, ErrNoDelegate
	case k.signer == nil:
		return k.client.app.token(ctx, k.tenant, o)
	}
	if got, ok := k.inHand(o); ok {
		return got, nil
	}
	s := k.signer
	s.mu.Lock()
	account, first, ends, times := s.account, s.first, s.ends, s.times
	fits := k.tenant == s.tenant && slices.Equal(o.Scopes, s.scopes)
	s.mu.Unlock()
	claims := o.Claims
	need := func(cause error) error {
		w := wish{signer: s, tenant: k.client.who().tenant, scopes: o.Scopes, claims: claims, why: k.why, skip: k.skip}
		return &needed{w, times, cause}
	}
	if account.IsZero() {
		if !k.home && !k.holds || k.client.who().username == "" {
			return azcore.AccessToken{}, errors.New("nobody is signed in")
		}
		r, err := k.client.takeUp(ctx, s, o.Scopes)
		if err != nil {
			return azcore.AccessToken{}, need(errors.Join(errNobody, err))
		}
		if !k.holds {
			return azcore.AccessToken{Token: r.AccessToken, ExpiresOn: r.ExpiresOn}, nil
		}
		account = r.Account
	}
	// The token of the sign-in itself serves its own tenant. MSAL would redeem
	// another one, because it files that token under the authority's name. It meets
	// a challenge too, unless it is the one that was challenged: somebody signed in
	// since.
	if fits && time.Until(ends) > earlyRefresh && !k.wasRefused(first.Reveal()) {
		return azcore.AccessToken{Token: first.Reveal(), ExpiresOn: ends}, nil
	}
	if k.holds { // what was wanted once is wanted of every token
		claims = cmp.Or(claims, k.wanted())
	}
	r, err := k.redeem(ctx, account, o.Scopes, claims)
	if err == nil && claims == "" && k.wasRefused(r.AccessToken) {
		// MSAL serves a token until it expires. Only claims make it redeem another:
		// those the service wanted, or some that ask for nothing.
		claims = k.wanted()
		r, err = k.redeem(ctx, account, o.Scopes, cmp.Or(claims, "{}"))
	}
	if err != nil && r.AccessToken == "" { // a failed early refresh still comes with the valid token
		err = signInError(err)
		if k.home && personCanMend(err) || k.holds && overEverywhere(err) {
			return azcore.AccessToken{}, need(err)
		}
		return azcore.AccessToken{}, err
	}
	k.hold(r)
	return azcore.AccessToken{Token: r.AccessToken, ExpiresOn: r.ExpiresOn, RefreshOn: r.Metadata.RefreshOn}, nil
}

// personCanMend tells whether a refused token can be had by signing in again.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
func personCanMend(err error) bool {
	var refused *AuthError
	if !errors.As(err, &refused) {
		return false
	}
	if refused.Claims != "" || refused.OAuth == "interaction_required" || refused.OAuth == "login_required" || refused.OAuth == "consent_required" {
		return true
	}
	// A refused refresh token: expired, revoked, older than a policy allows, or
	// born from a device code where a policy blocks those.
	return refused.OAuth == "invalid_grant" && slices.ContainsFunc(refused.Codes, func(code int) bool { return slices.Contains(sessionCodes, code) })
}

var sessionCodes = []int{50072, 50074, 50076, 50078, 50079, 50132, 50133, 50158, 50173, 53003, 65001, 70008, 70043, 70044, 700082, 700084}

// overEverywhere tells whether the sign-in itself is at its end. What else a
// customer's tenant refuses is that customer's: nobody is to sign in a thousand
// times because of their policies.
func overEverywhere(err error) bool {
	var refused *AuthError
	return errors.As(err, &refused) && slices.ContainsFunc(refused.Codes, func(code int) bool { return slices.Contains(overCodes, code) })
}

var overCodes = []int{50132, 50133, 50173, 70008, 700082, 700084}

// inHand is the token that is held, as long as it serves.
func (k *credential) inHand(o policy.TokenRequestOptions) (azcore.AccessToken, bool) {
	k.mu.Lock()
	h := k.held
	k.mu.Unlock()
	token := h.token.Reveal()
	if token == "" || o.Claims != "" || time.Until(h.ends) <= earlyRefresh || !h.renew.IsZero() && time.Now().After(h.renew) || k.wasRefused(token) {
		return azcore.AccessToken{}, false
	}
	return azcore.AccessToken{Token: token, ExpiresOn: h.ends, RefreshOn: h.renew}, true
}

func (k *credential) hold(r public.AuthResult) {
	if !k.holds {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.held = held{NewSecret(r.AccessToken), r.ExpiresOn, r.Metadata.RefreshOn}
}

// takeUp goes on with a sign-in of the person that is kept from before, if there is
// one. Of many who need it one does.
func (c *Client) takeUp(ctx context.Context, s *signer, scopes []string) (public.AuthResult, error) {
	select {
	case s.restoring <- struct{}{}:
		defer func() { <-s.restoring }()
	case <-ctx.Done():
		return public.AuthResult{}, ctx.Err()
	}
	s.mu.Lock()
	there := public.AuthResult{Account: s.account, AccessToken: s.first.Reveal(), ExpiresOn: s.ends}
	fits := slices.Equal(scopes, s.scopes)
	s.mu.Unlock()
	if !there.Account.IsZero() && fits {
		return there, nil
	}
	who := c.who()
	r, err := s.restore(ctx, scopes, who.username, who.tenant)
	if err == nil && r.AccessToken != "" {
		err = c.samePerson(accountOf(r))
	}
	if err != nil {
		return public.AuthResult{}, err
	}
	if r.AccessToken == "" {
		return public.AuthResult{}, errors.New("no sign-in with it is kept")
	}
	s.signedIn(r, scopes)
	return r, nil
}

func (k *credential) redeem(ctx context.Context, account public.Account, scopes []string, claims string) (public.AuthResult, error) {
	if k.holds {
		return k.signer.abroad.silent(ctx, account, scopes, k.tenant, claims)
	}
	return k.signer.msal.silent(ctx, account, scopes, k.tenant, claims)
}

// refuse remembers a token the service answered 401 to, and the claims it wanted
// if it named some: of the requests under way side by side only one brings them
// along when it asks for the next token.
func (k *credential) refuse(token, claims string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.claims = cmp.Or(claims, k.claims)
	k.refused = append(k.refused, NewSecret(token))
	if len(k.refused) > maxRefused {
		k.refused = k.refused[1:]
	}
}

func (k *credential) wanted() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.claims
}

var claimsChallenge = regexp.MustCompile(`\bclaims="([^"]+)"`)

// challenged reads the claims a service wants met out of its refusal.
// https://learn.microsoft.com/entra/identity-platform/claims-challenge
func challenged(h http.Header) string {
	for _, value := range h.Values("WWW-Authenticate") {
		if m := claimsChallenge.FindStringSubmatch(value); m != nil {
			if claims, err := base64.StdEncoding.DecodeString(m[1]); err == nil {
				return string(claims)
			}
		}
	}
	return ""
}

func (k *credential) wasRefused(token string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return token != "" && slices.ContainsFunc(k.refused, func(r Secret) bool { return r.Reveal() == token })
}

// who is signed in.
func (c *Client) who() identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.identity
}

// samePerson refuses a sign-in by another account than the work began with.
func (c *Client) samePerson(got Account) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if got.ObjectID != c.identity.objectID || got.TenantID != c.identity.tenant {
		return &OtherAccountError{Want: c.identity.username, Got: got.Username}
	}
	return nil
}

// ask has the person make a sign-in that turned out to be needed, unless one that
// was made meanwhile serves. That it did not come about is a *SignInError.
func (c *Client) ask(ctx context.Context, n *needed) error {
	if n.wish.skip && c.alone != "" {
		return &UnattendedError{c.alone}
	}
	if err := c.ladder.begin(ctx); err != nil {
		return err
	}
	defer c.ladder.end()
	w := n.wish
	w.signer.mu.Lock()
	already := w.signer.times != n.times
	w.signer.mu.Unlock()
	if already {
		return nil
	}
	before := fruitlessIn(ctx)
	if before != nil && before.signer == w.signer {
		return before.err
	}
	var refused *AuthError
	if errors.As(n.cause, &refused) && w.claims == "" {
		w.claims = refused.Claims
	}
	w.hint = c.who().username
	w.why += whyAgain(n.cause)
	w.check = c.samePerson
	_, err := c.climb(ctx, w)
	switch {
	case err == nil, ctx.Err() != nil:
		return err
	case errors.Is(err, errNobody):
		err = n.cause
	}
	err = &SignInError{err}
	if before != nil {
		before.signer, before.err = w.signer, err
	}
	return err
}
