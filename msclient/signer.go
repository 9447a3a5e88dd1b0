package msclient

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"msbundle/catalog"
)

// signer is one client and whoever signed in with it.
type signer struct {
	id     string
	app    string // what the sign-in page calls it; empty for one that is known by its id
	msal   flow
	abroad flow // gets tokens for customers' tenants out of the same sign-in, and keeps none
	// delegates is the partner's own app, which has a secret: people sign in with it
	// by a browser only, and with multifactor authentication.
	delegates bool

	mu      sync.Mutex
	account public.Account
	scopes  []string  // of the sign-in
	tenant  string    // of the sign-in
	first   Secret    // access token of the sign-in
	ends    time.Time // when it does
	times   int       // how often somebody signed in

	restoring chan struct{} // holds one item while a kept sign-in is taken up
}

// clientFor is the public client that gets tokens for a resource.
//
// No client of Microsoft's serves everything: Graph Command Line Tools may ask
// Graph for any scope and nothing else, Azure CLI has Azure and Partner Center.
func (c *Client) clientFor(resource string) string {
	switch {
	case c.own != "":
		return c.own
	case resource == catalog.GraphAppID:
		return catalog.GraphCommandLineTools
	}
	return catalog.AzureCLI
}

// signer gives the public client for a resource.
func (c *Client) signer(resource string) (*signer, error) {
	return c.signerOf(c.clientFor(resource))
}

// signerOf gives a public client by its id.
func (c *Client) signerOf(id string) (*signer, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.signers[id]; s != nil {
		return s, nil
	}
	known := &seed{fixed: true}
	kept := watched{seed: known}
	if c.sessions != nil {
		kept.kept = c.sessions.Cache(id)
	}
	msal, err := c.publicFlow(id, kept)
	if err != nil {
		return nil, err
	}
	abroad, err := c.publicFlow(id, known)
	if err != nil {
		return nil, err
	}
	s := &signer{id: id, msal: msal, abroad: abroad, restoring: make(chan struct{}, 1)}
	c.signers[id] = s
	return s, nil
}

func (c *Client) publicFlow(id string, kept cache.ExportReplace) (flow, error) {
	msal, err := public.New(
		id,
		public.WithAuthority("https://"+c.cloud.Login+"/"+anyTenant),
		public.WithHTTPClient(c.pacer),
		public.WithClientCapabilities([]string{"CP1"}), // continuous access evaluation
		public.WithCache(kept),
	)
	if err != nil {
		return nil, fmt.Errorf("set up sign-in at %s: %w", c.cloud.Login, err)
	}
	return publicFlow{msal}, nil
}

// name is what the sign-in page calls the client.
func (s *signer) name() string {
	switch {
	case s.app != "":
		return s.app
	case s.id == catalog.GraphCommandLineTools:
		return "Microsoft Graph Command Line Tools"
	case s.id == catalog.AzureCLI:
		return "Microsoft Azure CLI"
	}
	return "the app " + s.id
}

// signedIn remembers a sign-in.
func (s *signer) signedIn(r public.AuthResult, scopes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.account, s.scopes, s.tenant = r.Account, slices.Clone(scopes), r.IDToken.TenantID
	s.first, s.ends = NewSecret(r.AccessToken), r.ExpiresOn
	s.times++
}

// forgetOthers removes whoever was signed in before from MSAL's cache, so that a
// session is always one identity's.
func (s *signer) forgetOthers(ctx context.Context, keep public.Account) error {
	accounts, err := s.msal.Accounts(ctx)
	if err != nil {
		return err
	}
	for _, a := range accounts {
		if a.HomeAccountID != keep.HomeAccountID {
			if err := s.msal.RemoveAccount(ctx, a); err != nil {
				return err
			}
		}
	}
	return nil
}

// anyTenant is the authority for accounts of any organization.
const anyTenant = "organizations"

// people lists the home account ids the cache knows.
func (s *signer) people(ctx context.Context) (map[string]bool, error) {
	accounts, err := s.msal.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, a := range accounts {
		known[a.HomeAccountID] = true
	}
	return known, nil
}

// restore takes up what a cache remembers of a sign-in, in a tenant when one is
// given; a zero result means nothing.
func (s *signer) restore(ctx context.Context, scopes []string, hint, tenant string) (public.AuthResult, error) {
	ctx, cancel := context.WithTimeout(ctx, msalTimeout)
	defer cancel()
	accounts, err := s.msal.Accounts(ctx)
	if err != nil {
		return public.AuthResult{}, signInError(err)
	}
	if hint != "" {
		accounts = slices.DeleteFunc(accounts, func(a public.Account) bool { return !strings.EqualFold(a.PreferredUsername, hint) })
	}
	if len(accounts) == 0 {
		return public.AuthResult{}, nil
	}
	account := ofSignIn(accounts)
	if tenant == "" && account.Realm != anyTenant {
		tenant = account.Realm
	}
	result, err := s.msal.silent(ctx, account, scopes, tenant, "")
	if err != nil {
		return public.AuthResult{}, signInError(err)
	}
	return result, nil
}

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
