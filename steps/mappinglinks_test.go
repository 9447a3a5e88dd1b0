package steps

import (
	"strings"
	"testing"

	"msbundle/state"
)

// What a table says is linked by hand; what it says nothing of, or what is so
// already, stays as it is.
func TestTakeLinks(t *testing.T) {
	rows := []CustomerRow{
		{Customer: Customer{TenantID: "a", Name: "Fabrikam"}}, {Customer: Customer{TenantID: "b", Name: "Northwind Traders"}}, {Customer: Customer{TenantID: "c", Name: "Litware"}},
	}
	m := MatchCustomers(rows, []state.Organization{{ID: "1", Name: "Fabrikam"}, {ID: "2", Name: "Northwind Traders"}, {ID: "3", Name: "Lit"}}, state.Mapping{})
	m.AcceptCertain()
	link := func(tenant, id, name string) state.CustomerLink {
		return state.CustomerLink{Tenant: tenant, Organization: state.OrganizationRef{ID: id, Name: name}, Line: 2}
	}
	n, strangers, err := m.Take([]state.CustomerLink{link("a", "1", "Fabrikam"), link("B", "", "lit"), link("b", "", "New one"), link("z", "", "Lit")})
	if err != nil || n != 1 || strings.Join(strangers, ",") != "line 2: z" {
		t.Fatalf("got %d, %v, %v", n, strangers, err)
	}
	if m.Rows()[0].ByHand || len(m.Rows()[0].Organizations) != 1 {
		t.Errorf("what was so already: %+v", m.Rows()[0])
	}
	var names []string
	for _, o := range m.Rows()[1].Organizations {
		names = append(names, m.Organizations()[o].Name)
	}
	if got := strings.Join(names, ","); got != "Lit,New one" || !m.Rows()[1].ByHand {
		t.Errorf("got %s", got)
	}
	if len(m.Rows()[2].Organizations) > 0 {
		t.Errorf("what the table does not name: %+v", m.Rows()[2])
	}
	if n, _, _ := m.Take([]state.CustomerLink{link("b", "", "Lit"), link("b", "", "New one")}); n != 0 {
		t.Errorf("the same again linked %d", n)
	}
}
