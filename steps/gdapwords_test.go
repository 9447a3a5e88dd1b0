package steps

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
	"msbundle/state"
)

// Which roles a relationship lacks is said by name, by the customer and by the write
// that mends it.
func TestLackingRolesAreNamed(t *testing.T) {
	at := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	a := delegation()
	roles := a.GDAP.RoleIDs()
	const tenant = "11111111-2222-4333-8444-555555555555"
	for _, status := range []string{RelationActive, RelationPending} {
		d := &Delegation{
			UPN: "rewst@contoso.example.com", Account: "account", Groups: map[string]*RoleGroup{}, Contracts: 1, gone: map[string]bool{},
			Customers:     []Customer{{tenant, "Fabrikam", "fabrikam.example.com"}},
			Relationships: []Relationship{{ID: "r", Name: "Poor", Tenant: tenant, Status: status, Roles: roles[:len(roles)-2], Created: at, Ends: at.AddDate(1, 0, 0), AutoExtend: true}},
		}
		f := &Findings{Cloud: catalog.Clouds()[0], Delegation: d, At: at}
		want := []string{catalog.RoleByID(roles[len(roles)-2]).Name, catalog.RoleByID(roles[len(roles)-1]).Name}
		if v := CustomerViews(a, f)[0]; !slices.Equal(v.Lacks, want) {
			t.Errorf("%s: lacks %v, want %v", status, v.Lacks, want)
		}
		p := MakePlan(a, f, gdapStage)
		i := slices.IndexFunc(p.Changes, func(c Change) bool { return c.Kind == KindRelationship })
		if i < 0 || !strings.Contains(p.Changes[i].Why, strings.Join(want, " and ")) {
			t.Errorf("%s: the plan does not name them: %s", status, p.Changes[i].Why)
		}
	}
}

// A group that is used although the answers would have it called otherwise is named,
// with what it would have been called.
func TestGroupsOfOtherNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "approvals-arrive", Customers: 1})
		role := catalog.ServiceRoles()[0].Name
		w.group("Rewst - "+role, nil)
		w.answers.GDAP.GroupName = "Partner access {role}"
		text := fmt.Sprint(w.plan().Notes)
		for _, words := range []string{`"Rewst - ` + role + `"`, `"Partner access ` + role + `"`} {
			if !strings.Contains(text, words) {
				t.Errorf("the notes do not say %s: %s", words, text)
			}
		}
		w.answers.GDAP.GroupName = "Rewst - {role}"
		if text := fmt.Sprint(w.plan().Notes); strings.Contains(text, "gdap.groupName") {
			t.Errorf("its name is the one asked for: %s", text)
		}
	})
}

// The notes are of the plan and, read again, of the result: they say what there is,
// not what will have been done.
func TestNotesSuitPlanAndResult(t *testing.T) {
	for _, text := range relationNotes {
		for _, words := range []string{"Each ", "each gets", "goes out", "They ", "Their "} {
			if strings.Contains(text, words) {
				t.Errorf("%q does not suit one customer, or promises: %s", words, text)
			}
		}
	}
}

// A row of a table that names one customer by its tenant and another by its domain is
// nobody's.
func TestContradictingRows(t *testing.T) {
	d := &Delegation{
		contracts: []wireContract{{"1111", "Fabrikam", "fabrikam.example.com"}, {"2222", "Relecloud", "relecloud.example.com"}},
		listed: []state.CustomerRow{
			{TenantID: "1111", Domain: "relecloud.example.com", Line: 2},
			{TenantID: "2222", Domain: "RELECLOUD.example.com", Line: 3},
			{TenantID: "1111", Domain: "fabrikam.example", Line: 4},
		},
	}
	chosen, unknown := chosenCustomers(state.GDAP{File: "customers.csv"}, d)
	if len(chosen) != 2 || !slices.Equal(unknown, []string{"1111 with relecloud.example.com, the domain of Relecloud (line 2)"}) {
		t.Errorf("chosen %v, unknown %q", chosen, unknown)
	}
}
