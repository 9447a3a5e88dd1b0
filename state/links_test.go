package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoadLinks(t *testing.T) {
	const a, b = "11111111-0000-4000-8000-00000000000A", "22222222-0000-4000-8000-00000000000b"
	load := func(text string) ([]CustomerLink, error) {
		path := filepath.Join(t.TempDir(), "mapping.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return LoadLinks(path)
	}
	got, err := load("\ufeffcustomer;tenantId;organizationName;organizationId\r\nFabrikam;" + a + ";'=cmd|x;o1\r\n;" + a + ";  Second   one;\r\nNorthwind;" + b + ";;\r\nQuoted;" + b + ";'tis;\r\n")
	want := []CustomerLink{
		{Tenant: strings.ToLower(a), Organization: OrganizationRef{ID: "o1", Name: "=cmd|x"}, Line: 2},
		{Tenant: strings.ToLower(a), Organization: OrganizationRef{Name: "Second one"}, Line: 3},
		{Tenant: b, Organization: OrganizationRef{Name: "'tis"}, Line: 5},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for text, says := range map[string]string{
		"":                             "the file is empty",
		"name\nFabrikam\n":             "none of the columns is called tenantId",
		"tenantId,organization\nx,Y\n": "line 2: \"x\" is not a tenant id",
		"tenantId,organizationId\n" + a + ",o1\n":                             "no organizationName",
		"tenantId,organization\n" + a + "," + strings.Repeat("x", 256) + "\n": "Rewst allows 255",
		"tenantId\n": "links no customer",
		"organizationName,managingOrgId,tenantId\nFabrikam,0190," + a + "\n": "a list of Rewst's organisations",
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.40q: got %v, want %q", text, err, says)
		}
	}
}

// A line without an organisation counts where the table says how the customer stood.
func TestLoadLinksWithStates(t *testing.T) {
	const a = "11111111-0000-4000-8000-00000000000a"
	path := filepath.Join(t.TempDir(), "mapping.csv")
	text := "tenantId,organizationName,organizationId,newOrganization,state,byHand\n" + a + ",,,,\"None, by hand\",yes\n" + a + ",,o1,no,linked,no\n" + a + ",Fabrikam,o1,FALSE,linked,TRUE\n" + a + ",,,,,\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := LoadLinks(path)
	want := []CustomerLink{
		{Tenant: a, State: "none, by hand", ByHand: true, Line: 2},
		{Tenant: a, State: "linked", Known: true, Line: 3},
		{Tenant: a, Organization: OrganizationRef{ID: "o1", Name: "Fabrikam"}, State: "linked", ByHand: true, Known: true, Line: 4},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := LoadOrganizations(path); err == nil || !strings.Contains(err.Error(), "line 1: this is an exported mapping") {
		t.Errorf("as a list of organisations: %v", err)
	}
}

// Columns tell a mapping from a list of organisations that says their tenants.
func TestIsMapping(t *testing.T) {
	for header, want := range map[string]bool{
		"tenantId,organizationName":                 true,
		"\ufeffTenant ID;Organisation":              true,
		"customer,tenantId,domain,organizationName": true,
		"tenantId,organizationName,state,byHand":    true,
		"organizationName,domain,tenantId":          false,
		"organizationName,organizationId,tenantId":  false,
		"organizationName,tenantId":                 false,
		"name,tenantId":                             false, // of a customer or of an organisation
		"organizationName,managingOrgId,tenantId":   false,
		"tenantId":         false,
		"organizationName": false,
		"":                 false,
	} {
		path := filepath.Join(t.TempDir(), "some.csv")
		if err := os.WriteFile(path, []byte(header+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := IsMapping(path); got != want {
			t.Errorf("%q: %v", header, got)
		}
	}
	// What a flag names counts from where the program was started.
	if _, err := LoadLinks("none.csv"); err == nil || err.Error() != "none.csv: there is no such file" {
		t.Errorf("got %v", err)
	}
	if IsMapping(t.TempDir()) {
		t.Error("a folder is one")
	}
}
