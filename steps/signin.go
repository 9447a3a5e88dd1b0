package steps

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// What a person is told and can choose about a sign-in.
type (
	// Method is how a person signs in.
	Method = msclient.Method
	// Prompt is what a person has to do so that a token can be had.
	Prompt = msclient.Prompt
	// DeviceCode is what a person types into the sign-in page.
	DeviceCode = msclient.DeviceCode
)

// The methods of signing in.
const (
	ByDevice  = msclient.ByDevice
	ByBrowser = msclient.ByBrowser
	ByTunnel  = msclient.ByTunnel
)

// Prompts names who is told what to do when a person has to sign in: at SignIn,
// and whenever a service asks for another sign-in in the middle of the work. With
// hold a failed attempt waits for Use or Skip.
func (s *Setup) Prompts(show func(Prompt), hold bool) {
	s.client.Prompts(func(p Prompt) {
		if s.onAsk != nil && !p.Ended {
			s.onAsk()
		}
		if s.page != nil && p.URL != "" {
			p.URL = s.page(p.URL)
		}
		p.Err = problem(p.Err, "nobody was signed in")
		show(p)
	}, hold)
}

// Use begins sign-in n again by a method; with the one in use it gives a new code
// or page. It may be called while another method runs.
func (s *Setup) Use(n int, m Method) { s.client.Use(n, m) }

// Skip gives sign-in n up. It may be called while another method runs.
func (s *Setup) Skip(n int) { s.client.Skip(n) }

// Scopes are the delegated Graph permissions the sign-in asks for: only what the
// chosen registration and integrations need.
func Scopes(a state.Answers, readOnly bool) []string {
	// Directory.Read.All shows the names of the groups and roles the account is in;
	// without it they come as bare ids.
	scopes := append([]string{"User.Read", "Directory.Read.All", "Policy.Read.All", "RoleManagement.Read.Directory"}, readyScopes(a, readOnly)...)
	switch {
	case a.Registration.Kind == state.KindConnector, readOnly:
		return append(scopes, "Application.Read.All")
	}
	return append(scopes, "Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All")
}

// SignIn signs a person in and takes the tenant's state folder into possession,
// unless it is only looked at.
// What to do is told through Prompts; nothing when a remembered sign-in serves.
// Another account or tenant than the answers name is refused. Called again it is
// for another account.
func (s *Setup) SignIn(ctx context.Context, a state.Answers) (Account, error) {
	if s.restore {
		account, ok, err := s.Restore(ctx, a)
		if ok || err == nil {
			s.restore = false // whoever signs in again wants to be asked
		}
		if ok || err != nil {
			return account, err
		}
	}
	w, err := s.wish(ctx, a)
	if err != nil {
		return Account{}, err
	}
	got, err := s.client.SignIn(ctx, w)
	if err != nil {
		return Account{}, problem(err, "nobody was signed in")
	}
	return s.signedIn(got)
}

// Restore takes up a session remembered earlier. It reports false when there is
// none that serves.
func (s *Setup) Restore(ctx context.Context, a state.Answers) (Account, bool, error) {
	w, err := s.wish(ctx, a)
	if err != nil {
		return Account{}, false, err
	}
	got, ok, err := s.client.Restore(ctx, w)
	var refused *msclient.AuthError
	if errors.As(err, &refused) && s.read { // what was consented to may be the permissions to write
		w.Scopes = Scopes(a, false)
		got, ok, err = s.client.Restore(ctx, w)
	}
	switch {
	case ctx.Err() != nil:
		return Account{}, false, ctx.Err()
	case errors.As(err, &refused), err == nil && !ok: // it does not serve: sign in again
		return Account{}, false, nil
	case err != nil:
		return Account{}, false, problem(err, "the remembered sign-in could not be taken up")
	}
	account, err := s.signedIn(got)
	return account, err == nil, err
}

// wish says who should sign in for these answers.
func (s *Setup) wish(ctx context.Context, a state.Answers) (msclient.Wish, error) {
	w := msclient.Wish{
		Username: a.Account, Scopes: Scopes(a, s.read), Anew: s.asked,
		Why: "Microsoft Graph, to look at the tenant and to make what the plan will show",
	}
	if s.read || a.Registration.Kind == state.KindConnector && !a.Ready() && a.GDAP == nil {
		w.Why = "Microsoft Graph, to look at the tenant; nothing can be changed with it"
	}
	if a.Tenant != "" {
		tenant, err := s.client.ResolveTenant(ctx, a.Tenant)
		if err != nil {
			return w, problem(err, fmt.Sprintf("the tenant %q could not be found", a.Tenant))
		}
		if err := rightCloud(s.client.Cloud(), a.Tenant, tenant); err != nil {
			return w, err
		}
		w.Tenant = tenant.ID
	}
	w.Check = func(got msclient.Account) error {
		switch {
		case a.Account != "" && !got.App && !strings.EqualFold(got.Username, a.Account):
			return &Problem{
				What: fmt.Sprintf("%s signed in, and %s was expected", got.Username, a.Account),
				Do:   "Sign in again and choose \"use another account\", in a private window if the browser keeps taking the wrong one. Or change the account that is expected (--account, or in the answers).", Retry: true,
			}
		case w.Tenant != "" && !strings.EqualFold(got.TenantID, w.Tenant):
			return &Problem{
				What: fmt.Sprintf("%s belongs to tenant %s, not to the chosen one (%s)", got.Username, got.TenantID, w.Tenant),
				Do:   "Sign in with an account of the chosen tenant, or change the tenant (--tenant, or in the answers).", Retry: true,
			}
		}
		return nil
	}
	return w, nil
}

// rightCloud refuses a tenant that lives in another national cloud than the one
// spoken to: the global sign-in host knows it, and signs nobody in.
// https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
func rightCloud(cloud catalog.Cloud, name string, t msclient.TenantInfo) error {
	id := map[string]string{"DODCON": "usgov", "DOD": "usgovdod"}[t.SubScope]
	if id == "" && t.Region == "USGov" {
		id = "usgov"
	}
	if id == "" || id == cloud.ID || cloud.ID == "usgovdod" && id == "usgov" {
		return nil
	}
	right, _ := catalog.CloudByID(id)
	return &Problem{
		What: fmt.Sprintf("the tenant %q is in another cloud: %s", name, right.Name),
		Do:   fmt.Sprintf("Start msbundle with --cloud %s.", right.ID),
	}
}

// signedIn goes on as whoever signed in.
func (s *Setup) signedIn(got msclient.Account) (Account, error) {
	s.asked = true
	account := Account{Username: got.Username, ObjectID: got.ObjectID, TenantID: got.TenantID, MFA: got.MFA, App: got.App, Browser: got.Method == ByBrowser || got.Method == ByTunnel}
	if err := s.Close(); err != nil { // of an account signed in before
		return account, problem(err, "the state folder could not be closed")
	}
	if s.root != "" {
		open := state.Open
		if s.looks {
			open = state.Look
		}
		store, err := open(s.root, state.Identity{Cloud: s.cloudID, Tenant: got.TenantID})
		if err != nil {
			return account, problem(err, "the state folder cannot be used, so nothing was written to the tenant")
		}
		s.store = store
	}
	s.account, s.graph = account, s.client.Graph(got.TenantID)
	s.tokenRoles = got.Roles
	return account, nil
}
