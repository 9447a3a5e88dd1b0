package steps

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
	"msbundle/state"
)

const (
	rewst   = "rewst@contoso.onmicrosoft.com"
	rewstID = "00000000-0000-4000-8000-0000000000aa"
	adminID = "00000000-0000-4000-8000-0000000000ad"
)

// readied are answers about the service account alone, and a tenant without one.
func readied(change func(*state.ServiceAccount, *Readiness)) (state.Answers, *Findings) {
	a := state.DefaultAnswers()
	a.Integrations = []string{catalog.Graph, catalog.CSP}
	s := state.DefaultServiceAccount()
	s.MFA = state.MFALeave
	a.ServiceAccount = &s
	f := bare()
	f.Account.ObjectID = adminID
	f.Ready = &Readiness{
		Domains: []Domain{
			{Name: "contoso.onmicrosoft.com", Default: true, Initial: true, Verified: true},
			{Name: "contoso.com", Verified: true, Federated: true},
			{Name: "contoso.net"},
		},
		Agents: "agents",
		Admins: []RoleGiven{{ID: "a1", RoleID: catalog.RoleGlobalAdministrator, Scope: "/", PrincipalID: adminID, User: true}},
	}
	if change != nil {
		change(&s, f.Ready)
	}
	f.Ready.UPN, f.Ready.Renamed = accountName(s, f.Ready.Domains)
	return a, f
}

// holding is the service account with roles.
func holding(roles ...string) *User {
	u := &User{ID: rewstID, UPN: rewst, Enabled: true, Agent: true, MethodsRead: true, Created: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)}
	for i, r := range roles {
		u.Roles = append(u.Roles, RoleGiven{ID: fmt.Sprintf("given-%d", i), RoleID: r, Scope: "/", PrincipalID: rewstID})
	}
	return u
}

func twelve() []string {
	var out []string
	for _, r := range catalog.ServiceRoles() {
		out = append(out, r.TemplateID)
	}
	return out
}

// written lists the writes of a plan in a few words.
func writesOf(p Plan) []string {
	var out []string
	for _, c := range p.Changes {
		out = append(out, strings.TrimSpace(c.Method+" "+strings.TrimPrefix(c.Path, "/v1.0")+" "+c.Name))
	}
	return out
}

func TestPlanOfTheServiceAccount(t *testing.T) {
	const ga, roles = catalog.RoleGlobalAdministrator, "POST /roleManagement/directory/roleAssignments "
	const joins = "POST /groups/agents/members/$ref agents"
	var give []string
	for _, r := range twelve() {
		give = append(give, roles+r)
	}
	tests := []struct {
		name    string
		change  func(*state.ServiceAccount, *Readiness)
		options PlanOptions
		want    []string
		offers  []string
		check   string // state of the check of the account
	}{
		{name: "absent", want: []string{"POST /users " + rewst, roles + ga, joins}},
		{name: "absent, at another domain", change: func(s *state.ServiceAccount, _ *Readiness) { s.Username = "rewst@contoso.net" }, check: "blocks"},
		{name: "absent, at a federated domain", change: func(s *state.ServiceAccount, _ *Readiness) { s.Username = "rewst@contoso.com" }, check: "blocks"},
		{name: "absent, at nobody's domain", change: func(s *state.ServiceAccount, _ *Readiness) { s.Username = "rewst@fabrikam.com" }, check: "blocks"},
		{
			name: "the default domain is federated", change: func(_ *state.ServiceAccount, r *Readiness) {
				r.Domains[0].Default, r.Domains[1].Default = false, true
			}, want: []string{"POST /users " + rewst, roles + ga, joins},
		},
		{name: "absent, and not to be made", change: func(s *state.ServiceAccount, _ *Readiness) { s.Create = false }, check: "blocks"},
		{
			name: "there, with everything", change: func(_ *state.ServiceAccount, r *Readiness) { r.User = holding(ga) },
			options: PlanOptions{Password: true}, offers: []string{OfferPassword},
		},
		{
			name: "there, and a new password taken", change: func(_ *state.ServiceAccount, r *Readiness) { r.User = holding(ga) },
			options: PlanOptions{Password: true, Ticked: map[string]bool{OfferPassword: true}}, offers: []string{OfferPassword},
			want: []string{"PATCH /users/" + rewstID + " " + rewst},
		},
		{
			name: "ours, its password never delivered", change: func(_ *state.ServiceAccount, r *Readiness) { r.User, r.password = holding(ga), "i1" },
			options: PlanOptions{Password: true}, want: []string{"PATCH /users/" + rewstID + " " + rewst},
		},
		{name: "ours, its password never delivered, and nowhere to", change: func(_ *state.ServiceAccount, r *Readiness) { r.User, r.password = holding(ga), "i1" }},
		{name: "a role for a part of the tenant does not count", change: func(_ *state.ServiceAccount, r *Readiness) {
			r.User = holding(ga)
			r.User.Roles[0].Scope = "/administrativeUnits/x"
		}, want: []string{roles + ga}},
		{name: "not in AdminAgents", change: func(_ *state.ServiceAccount, r *Readiness) { r.User = holding(ga); r.User.Agent = false }, want: []string{joins}},
		{name: "not a partner's tenant", change: func(_ *state.ServiceAccount, r *Readiness) { r.User, r.Agents = holding(ga), ""; r.User.Agent = false }},
		{name: "disabled", change: func(_ *state.ServiceAccount, r *Readiness) { r.User = holding(); r.User.Enabled = false }, offers: []string{OfferEnable}, check: "blocks"},
		{
			name: "disabled, enabling taken", change: func(_ *state.ServiceAccount, r *Readiness) { r.User = holding(ga); r.User.Enabled = false },
			options: PlanOptions{Ticked: map[string]bool{OfferEnable: true}}, offers: []string{OfferEnable}, want: []string{"PATCH /users/" + rewstID + " " + rewst},
		},
		{name: "a guest", change: func(_ *state.ServiceAccount, r *Readiness) { r.User = holding(); r.User.Guest = true }, check: "blocks"},
		{name: "synchronised", change: func(_ *state.ServiceAccount, r *Readiness) { r.User = holding(); r.User.Synced = true }, check: "blocks"},
		{
			name: "deleted", change: func(_ *state.ServiceAccount, r *Readiness) { r.Deleted = []User{{ID: rewstID, UPN: rewst}} },
			offers: []string{OfferRestore, OfferReplace}, check: "blocks",
		},
		{
			name: "deleted, restoring taken", change: func(_ *state.ServiceAccount, r *Readiness) { r.Deleted = []User{{ID: rewstID, UPN: rewst}} },
			options: PlanOptions{Ticked: map[string]bool{OfferRestore: true}}, offers: []string{OfferRestore, OfferReplace},
			want: []string{"POST /directory/deletedItems/" + rewstID + "/restore " + rewst, roles + ga, joins},
		},
		{
			name: "deleted, a new one taken", change: func(_ *state.ServiceAccount, r *Readiness) { r.Deleted = []User{{ID: rewstID, UPN: rewst}} },
			options: PlanOptions{Ticked: map[string]bool{OfferReplace: true}}, offers: []string{OfferRestore, OfferReplace},
			want: []string{"POST /users " + rewst, roles + ga, joins},
		},
		{
			name: "a new account to operate with", change: func(s *state.ServiceAccount, _ *Readiness) { s.Roles = state.RolesOperate },
			want: append([]string{"POST /users " + rewst, joins}, give...),
		},
		{
			name: "stepping down", change: func(s *state.ServiceAccount, r *Readiness) {
				s.Roles, r.User = state.RolesOperate, holding(append([]string{ga}, twelve()[1:]...)...)
			}, want: []string{give[0], "DELETE /roleManagement/directory/roleAssignments/given-0 " + ga},
		},
		{
			name: "stepped down", change: func(s *state.ServiceAccount, r *Readiness) {
				s.Roles, r.User = state.RolesOperate, holding(twelve()...)
			},
		},
		{
			name: "the way back", change: func(_ *state.ServiceAccount, r *Readiness) { r.User = holding(twelve()...) }, want: []string{roles + ga},
		},
		{name: "roles left alone", change: func(s *state.ServiceAccount, r *Readiness) { s.Roles, r.User = state.RolesLeave, holding() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s *state.ServiceAccount
			a, f := readied(func(section *state.ServiceAccount, r *Readiness) {
				s = section
				if tt.change != nil {
					tt.change(section, r)
				}
			})
			a.ServiceAccount = s
			tt.options.Stage = StageTenant
			p := MakePlan(a, f, tt.options)
			if diff := cmp.Diff(tt.want, writesOf(p)); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
			var offers []string
			for _, o := range p.Offers {
				offers = append(offers, o.ID)
			}
			if diff := cmp.Diff(tt.offers, offers); diff != "" {
				t.Errorf("offers (-want +got):\n%s", diff)
			}
			got := ""
			for _, c := range ReadyChecks(a, f, tt.options) {
				if c.ID == "service-account" && c.Blocks {
					got = "blocks"
					if c.Fix == "" || c.Evidence == "" {
						t.Errorf("the check says nothing: %+v", c)
					}
				}
			}
			if got != tt.check {
				t.Errorf("the account's check %s, want %q", got, tt.check)
			}
		})
	}
}

func TestStepDownIsRefused(t *testing.T) {
	const ga = catalog.RoleGlobalAdministrator
	own := func(r *Readiness) { r.User = holding(append([]string{ga}, twelve()...)...) }
	tests := []struct {
		name    string
		change  func(*Findings)
		insist  string
		refused bool
	}{
		{name: "others remain", change: func(*Findings) {}},
		{name: "the last one", change: func(f *Findings) { f.Ready.Admins = nil }, refused: true},
		{name: "only a group holds it too", change: func(f *Findings) { f.Ready.Admins[0].User = false }, refused: true},
		{name: "only for a part of the tenant", change: func(f *Findings) { f.Ready.Admins[0].Scope = "/administrativeUnits/x" }, refused: true},
		{name: "the last one, insisted", change: func(f *Findings) { f.Ready.Admins = nil }, insist: "Contoso"},
		{name: "one's own", change: func(f *Findings) { f.Account.ObjectID = rewstID }, refused: true},
		{name: "one's own, insisted", change: func(f *Findings) { f.Account.ObjectID = rewstID }, insist: "Contoso"},
		{name: "one's own, with another name", change: func(f *Findings) { f.Account.ObjectID = rewstID }, insist: "contoso", refused: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var s *state.ServiceAccount
			a, f := readied(func(section *state.ServiceAccount, r *Readiness) { s = section; s.Roles = state.RolesOperate; own(r) })
			a.ServiceAccount = s
			tt.change(f)
			o := PlanOptions{Stage: StageTenant, Insist: tt.insist}
			p := MakePlan(a, f, o)
			if p.Empty() != tt.refused {
				t.Errorf("writes %v, refused %v", writesOf(p), tt.refused)
			}
			if !p.Empty() && !slices.Equal(p.Changes[0].Proves, twelve()) {
				t.Errorf("it proves %v first", p.Changes[0].Proves)
			}
			blocks := slices.ContainsFunc(ReadyChecks(a, f, o), func(c Check) bool { return c.ID == CheckStepDown && c.Blocks })
			if blocks != tt.refused {
				t.Errorf("the check blocks: %v", blocks)
			}
		})
	}
}

func TestPasswordsAreStrong(t *testing.T) {
	seen := map[string]bool{}
	for range 200 {
		s := newPassword().Reveal()
		if len(s) != passwordLength || seen[s] {
			t.Fatalf("%q", s)
		}
		seen[s] = true
		for _, kind := range []string{"ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghijkmnpqrstuvwxyz", "23456789", "!#$%*+-=?@_"} {
			if !strings.ContainsAny(s, kind) {
				t.Errorf("%q has none of %s", s, kind)
			}
		}
		if strings.ContainsAny(s, `"\<>&{}`) { // it goes into JSON as it is
			t.Errorf("%q", s)
		}
	}
}

// Who lacks a role for something the plan writes hears of it before anything is
// written.
func TestRightsAreCheckedBeforehand(t *testing.T) {
	a, f := readied(nil)
	f.RoleIDs = []string{roleUserAdministrator}
	blocks := func() bool {
		return slices.ContainsFunc(ReadyChecks(a, f, PlanOptions{}), func(c Check) bool {
			return c.ID == "tenant-rights" && c.Blocks && strings.Contains(c.Evidence, "Directory roles")
		})
	}
	if !blocks() {
		t.Error("a User Administrator may not give roles")
	}
	f.RoleIDs = append(f.RoleIDs, catalog.RolePrivilegedRoleAdministrator)
	if blocks() {
		t.Error("both roles together suffice")
	}
}
