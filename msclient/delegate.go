package msclient

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
	"github.com/google/uuid"

	"msbundle/catalog"
)

// demandMFA asks the sign-in service for multifactor authentication: Partner Center
// refuses every other token.
// https://learn.microsoft.com/partner-center/security/partner-security-requirements-mandating-mfa
const demandMFA = `{"access_token":{"amr":{"essential":true,"values":["mfa"]}}}`

// Why a sign-in with an app of the partner's own does not serve.
var (
	ErrNoMFA      = errors.New("the sign-in was finished without multifactor authentication, which Partner Center demands")
	ErrNoRedirect = errors.New("the app does not have the redirect address http://localhost (platform Web), so the browser cannot come back")
	ErrNoDelegate = errors.New("nobody is signed in with the partner's own app")
)

// Delegate signs the person the client works for in with an app of the partner's
// own, which has a secret and the web redirect http://localhost; name is what the
// sign-in page calls it. It is the one way to tokens that are both the app's and the
// person's, as Partner Center wants them for consents. It takes a browser, here or
// through a tunnel, and multifactor authentication; Prompts is told as for every
// sign-in. Of the wish Why, Anew, Scopes (none means all the app was granted) and
// Check count.
//
// Customer and Partner work with it from then on. The tokens are in memory only.
// A secret or redirect just made, which some of Microsoft's servers do not know yet,
// is tried for a minute, as WithWaiting is told.
//
// Errors: *OtherAccountError, ErrNoMFA, ErrNoRedirect, *AuthError (7000215 and
// 7000222 are about the secret), ErrSkipped.
func (c *Client) Delegate(ctx context.Context, a App, name string, w Wish) (Account, error) {
	home := c.who()
	if home.objectID == "" {
		return Account{}, errors.New("nobody is signed in")
	}
	s, err := c.newDelegate(a, name)
	if err != nil {
		return Account{}, err
	}
	if err := c.ladder.begin(ctx); err != nil {
		return Account{}, err
	}
	defer c.ladder.end()
	scopes := []string{c.scopeOf(catalog.GraphAppID)}
	if len(w.Scopes) > 0 {
		scopes = c.graphScopes(w.Scopes)
	}
	check := func(got Account) error {
		if err := c.samePerson(got); err != nil || w.Check == nil {
			return err
		}
		return w.Check(got)
	}
	r, err := c.climb(ctx, wish{
		signer: s, tenant: home.tenant, scopes: scopes, why: w.Why, hint: home.username, anew: w.Anew, check: check,
	})
	if err != nil {
		return Account{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.identity.objectID != home.objectID || c.identity.tenant != home.tenant { // somebody else signed in meanwhile
		return Account{}, &OtherAccountError{Want: c.identity.username, Got: home.username}
	}
	c.use(s)
	got := accountOf(r)
	got.Method = c.ladder.used()
	return got, nil
}

// Delegated tells with which app the person is signed in as its delegate: its
// client id, or nothing.
func (c *Client) Delegated() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.delegate == nil {
		return ""
	}
	return c.delegate.id
}

// Undelegate forgets the tokens of the partner's own app, as when its secret is
// taken away.
func (c *Client) Undelegate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.use(nil)
}

// use changes whom the work with the partner's own app goes on as. The caller holds
// mu.
func (c *Client) use(delegate *signer) {
	c.delegate = delegate
	maps.DeleteFunc(c.services, func(_ string, s *Service) bool { return s.key.needsDelegate })
}

// newDelegate makes the client of an app with a secret that people sign in with.
func (c *Client) newDelegate(a App, name string) (*signer, error) {
	secret, err := confidential.NewCredFromSecret(a.Secret.Reveal())
	if err != nil {
		return nil, errors.New("the client secret of the app is empty")
	}
	msal, err := confidential.New(
		"https://"+c.cloud.Login+"/"+a.TenantID, a.ClientID, secret,
		confidential.WithHTTPClient(c.pacer), confidential.WithInstanceDiscovery(false), confidential.WithCache(&seed{}),
	)
	if err != nil {
		return nil, fmt.Errorf("set up sign-in at %s: %w", c.cloud.Login, err)
	}
	f := secretFlow{msal}
	return &signer{id: a.ClientID, app: name, msal: f, abroad: f, delegates: true, restoring: make(chan struct{}, 1)}, nil
}

// Codes of the sign-in service about what an app lacks, or its servers do not know
// of yet.
const (
	codeSecret     = 7000215 // not the app's secret
	codeRedirect   = 50011   // not one of its redirect addresses
	codeNoRedirect = 500113  // it has none
)

// newPatience is for how long something refused may be too new.
const newPatience = time.Minute

// untilAccepted repeats a request that is refused with certain codes: those of
// Microsoft's servers that do not know of something new yet say the same as of
// something wrong.
func untilAccepted(ctx context.Context, request func() error, codes ...int) error {
	begun, wait := time.Now(), 2*time.Second
	for {
		err := request()
		var refused *AuthError
		missing := errors.As(err, &refused) && slices.ContainsFunc(refused.Codes, func(code int) bool { return slices.Contains(codes, code) })
		if !missing || time.Since(begun)+wait > newPatience {
			return err
		}
		tellSpreading(ctx)
		if err := Sleep(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, 15*time.Second)
	}
}

// awaitRedirect waits until the sign-in service knows that a browser may come back
// here. A page that lacks this stays in the browser, where no program sees it: so
// the service is asked for the page without a person first, to which it answers that
// nobody is signed in, or what is wrong.
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow#request-an-authorization-code
func (c *Client) awaitRedirect(ctx context.Context, page string) error {
	u, err := url.Parse(page)
	if err != nil {
		return err
	}
	q := u.Query()
	q.Set("prompt", "none")
	u.RawQuery = q.Encode()
	err = untilAccepted(ctx, func() error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return err
		}
		_, body, err := c.pacer.send(req)
		if err != nil {
			return signInError(err)
		}
		for _, code := range codesIn(string(body)) {
			if code == codeRedirect || code == codeNoRedirect {
				return &AuthError{OAuth: "invalid_request", Codes: []int{code}, Description: fmt.Sprintf("AADSTS%d: %v", code, ErrNoRedirect)}
			}
		}
		return nil
	}, codeRedirect, codeNoRedirect)
	var refused *AuthError
	if errors.As(err, &refused) {
		return fmt.Errorf("%w (AADSTS%d)", ErrNoRedirect, refused.Codes[0])
	}
	return err
}

// Partner gives access to Partner Center as the app's delegate. Without Delegate
// its requests fail with ErrNoDelegate.
func (c *Client) Partner() *Service {
	return c.service(endpoint{
		name: "partner center as the app", host: c.cloud.PartnerCenter, resource: catalog.PartnerCenterAppID,
		scopes: []string{c.scopeOf(catalog.PartnerCenterAppID)}, delegated: true, why: "Partner Center asks for a new sign-in with your app before it goes on",
	}, c.who().tenant)
}

// partnerHeaders are what Partner Center wants with each request: an id that stays
// the same however often it is sent, by which a repeated write is recognised.
// https://learn.microsoft.com/partner-center/developer/headers
func partnerHeaders(correlation string) func(http.Header) {
	return func(h http.Header) {
		h.Set("MS-RequestId", uuid.NewString())
		h.Set("MS-CorrelationId", correlation)
		h.Set("ValidateMfa", "true")
	}
}

// partnerWords reads a refusal of Partner Center, which has a shape of its own.
// https://learn.microsoft.com/partner-center/developer/error-codes
func partnerWords(e *Error, header http.Header, body []byte) {
	var envelope struct {
		Code        json.RawMessage `json:"code"` // a text, or a number
		Description string          `json:"description"`
		Message     string          `json:"message"`
	}
	if json.Unmarshal(body, &envelope) == nil {
		if code := strings.Trim(string(envelope.Code), `"`); code != "null" {
			e.Code = cmp.Or(e.Code, code)
		}
		e.Message = cmp.Or(e.Message, envelope.Description, envelope.Message)
	}
	if strings.EqualFold(header.Get("isMfaCompliant"), "false") {
		e.Message = strings.TrimSpace(e.Message + " (isMfaCompliant: false)")
	}
}
