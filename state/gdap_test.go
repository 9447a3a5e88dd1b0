package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"msbundle/catalog"
)

func parsedGDAP(t *testing.T, section string) Answers {
	t.Helper()
	a, err := ParseAnswers("setup.yaml", []byte("version: 1\ngdap: "+section+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// Whom a section is about: everybody unless it says otherwise, and never more than
// it names.
func TestGDAPCustomers(t *testing.T) {
	folder, err := os.Getwd() // a table lies beside the setup file
	if err != nil {
		t.Fatal(err)
	}
	for section, want := range map[string]GDAP{
		"{}":                            {All: true},
		"{customers: all}":              {All: true},
		"{customers: [fabrikam.com]}":   {Customers: []string{"fabrikam.com"}},
		"{file: customers.csv}":         {File: "customers.csv"},
		"{customers: all, file: c.csv}": {All: true, File: "c.csv"},
		"{file: c.csv, customers: [fabrikam.com], days: 365, autoExtend: false, roles: [user administrator], account: svc@contoso.com}": {
			File: "c.csv", Customers: []string{"fabrikam.com"}, Days: 365, Roles: []string{"user administrator"}, Account: "svc@contoso.com",
		},
	} {
		full := DefaultGDAP()
		full.All, full.Customers = want.All, want.Customers
		if want.File != "" {
			full.File = filepath.Join(folder, want.File)
		}
		if want.Days > 0 {
			full.Days, full.AutoExtend, full.Roles, full.Account = want.Days, want.AutoExtend, want.Roles, want.Account
		}
		a := parsedGDAP(t, section)
		if diff := cmp.Diff(full, *a.GDAP); diff != "" {
			t.Errorf("%s (-want +got):\n%s", section, diff)
		}
		again, err := ParseAnswers("setup.yaml", a.Encode())
		if err != nil {
			t.Fatalf("%s: %v\n%s", section, err, a.Encode())
		}
		if diff := cmp.Diff(a, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-read +read again):\n%s", section, diff)
		}
		if bad := a.Validate(); len(bad) > 0 {
			t.Errorf("%s: %v", section, bad)
		}
	}
	if a := parsedGDAP(t, "{}"); !a.NoApp || a.Clone().GDAP == a.GDAP {
		t.Error("the section makes no app, and a copy is a copy")
	}
}

func TestGDAPRefusals(t *testing.T) {
	for section, key := range map[string]string{
		"{customers: []}":                           "gdap.customers",
		"{customers: [\"not a domain\"]}":           "gdap.customers",
		"{customers: some}":                         "gdap.customers: expected all, or a list of tenant ids and domains",
		"{roles: []}":                               "gdap.roles",
		"{roles: Janitor}":                          "gdap.roles: expected a list, for example [User Administrator]",
		"{roles: [Janitor]}":                        "gdap.roles",
		"{roles: [Global Administrator]}":           "gdap.roles",
		"{account: \"a b\"}":                        "gdap.account",
		"{groupName: Rewst}":                        "gdap.groupName",
		"{groupName: \"{role} {role}\"}":            "gdap.groupName",
		"{groupName: \"${role} x\"}":                "gdap.groupName",
		"{groupName: \"{role} {customer}\"}":        "gdap.groupName",
		"{groupName: \" {role}\"}":                  "gdap.groupName",
		"{groupName: \"a\\tb \\\\ {role}\"}":        "gdap.groupName: \"a\uFFFDb \\ {role}\"",
		"{relationshipName: Rewst}":                 "gdap.relationshipName",
		"{relationshipName: \"Rewst/{customer}\"}":  "gdap.relationshipName",
		"{relationshipName: \"{customer} {role}\"}": "gdap.relationshipName",
		"{relationshipName: \"Rewst {customer} \"}": "gdap.relationshipName",
		"{days: 0}":                                 "gdap.days",
		"{days: 731}":                               "gdap.days",
		"{days: soon}":                              "gdap.days",
		"{colour: blue}":                            "gdap.colour",
		"{customers: {all: true}}":                  "gdap.customers",
		"[]":                                        "gdap",
		"{relationshipName: \"" + strings.Repeat("x", 30) + " {customer}\"}": "gdap.relationshipName",
	} {
		_, err := ParseAnswers("setup.yaml", []byte("version: 1\ngdap: "+section+"\n"))
		if err == nil || !strings.Contains(err.Error(), "line 2, "+key) {
			t.Errorf("%s: got %v, want one about %s", section, err, key)
		}
	}
}

func TestGDAPRoles(t *testing.T) {
	if n := len(DefaultGDAP().RoleIDs()); n != 12 {
		t.Errorf("%d roles, want the twelve", n)
	}
	g := GDAP{Roles: []string{"exchange administrator", catalog.RoleApplicationAdministrator, "Exchange Administrator"}}
	want := []string{catalog.RoleApplicationAdministrator, catalog.RoleExchangeAdministrator}
	if diff := cmp.Diff(want, g.RoleIDs()); diff != "" {
		t.Errorf("by name and by id, each once (-want +got):\n%s", diff)
	}
}

// Names may have the letters of any language, and what a group's name may have a
// relationship's may not.
func TestGDAPNames(t *testing.T) {
	a := DefaultAnswers()
	for _, names := range [][2]string{
		{"{role}", "{customer}"}, {"Kunden (GDAP): {role}", "Dienstleister_Zürich {customer} 2"}, {"コントソ {role}", "कॉन्टोसो {customer}"},
	} {
		g := DefaultGDAP()
		g.GroupName, g.RelationshipName = names[0], names[1]
		a.GDAP = &g
		if bad := a.Validate(); len(bad) > 0 {
			t.Errorf("%q: %v", names, bad)
		}
	}
}
