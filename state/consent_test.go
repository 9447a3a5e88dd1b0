package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const someTenant = "11111111-2222-4333-8444-555555555555"

// A section writes nothing at any customer unless it says so.
func TestCustomersSection(t *testing.T) {
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for section, want := range map[string]Customers{
		"{}":                               {},
		"{consent: all}":                   {All: true},
		"{consent: []}":                    {Consent: []string{}},
		"{consent: [fabrikam.com]}":        {Consent: []string{"fabrikam.com"}},
		"{consent: [" + someTenant + "]}":  {Consent: []string{someTenant}},
		"{mapping: organizations.csv}":     {Mapping: filepath.Join(folder, "organizations.csv")},
		"{route: direct, exclude: true}":   {Direct: true, Exclude: true},
		"{route: gdap, consent: \"all\"}":  {All: true},
		"{mapping: /srv/o.csv, route: ''}": {},
	} {
		text := []byte("version: 1\ncustomers: " + section + "\n")
		a, err := ParseAnswers("setup.yaml", text)
		if strings.Contains(section, "''") {
			if err == nil || !strings.Contains(err.Error(), "line 2, customers.route: expected gdap or direct") {
				t.Errorf("%s: got %v", section, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", section, err)
		}
		if diff := cmp.Diff(want, *a.Customers); diff != "" {
			t.Errorf("%s (-want +got):\n%s", section, diff)
		}
		again, err := ParseAnswers("/elsewhere/setup.yaml", a.Encode())
		if err != nil {
			t.Fatalf("%s: %v\n%s", section, err, a.Encode())
		}
		if diff := cmp.Diff(a, again, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s (-read +read again):\n%s", section, diff)
		}
		if !a.NoApp || a.Customers.Consents() != (want.All || len(want.Consent) > 0) {
			t.Errorf("%s: makes no app, and consents only where it says so", section)
		}
	}
	if a, err := ParseAnswers("setup.yaml", []byte("version: 1\n")); err != nil || a.Customers != nil || strings.Contains(string(a.Encode()), "customers") {
		t.Errorf("nothing is left nothing: %v, %v", a.Customers, err)
	}
}

func TestCustomersSectionIsCopied(t *testing.T) {
	a := DefaultAnswers()
	a.Customers = &Customers{Consent: []string{"fabrikam.com"}}
	b := a.Clone()
	b.Customers.Consent[0], b.Customers.All = "contoso.com", true
	if a.Customers.All || a.Customers.Consent[0] != "fabrikam.com" {
		t.Errorf("got %+v", a.Customers)
	}
}

func TestCustomersSectionRefusals(t *testing.T) {
	for section, want := range map[string]string{
		"{consent: none}":             "customers.consent: expected all, or a list",
		"{consent: {all: true}}":      "customers.consent: expected all, or a list",
		"{consent: [\"not a name\"]}": "customers.consent: \"not a name\" is neither",
		"{consent: [\"\"]}":           "customers.consent: \"\" is neither",
		"{consent: [[a]]}":            "customers.consent: expected a list of texts",
		"{mapping: [a.csv]}":          "customers.mapping: expected a text",
		"{exclude: maybe}":            "customers.exclude: expected true or false",
		"{route: partner}":            "customers.route: expected gdap or direct",
		"{route: [gdap]}":             "customers.route: expected gdap or direct",
		"{organizations: a.csv}":      "customers.organizations: unknown key",
		"{maping: a.csv}":             "did you mean mapping?",
		"all":                         "customers: expected keys under it",
	} {
		_, err := ParseAnswers("setup.yaml", []byte("version: 1\ncustomers: "+section+"\n"))
		if err == nil || !strings.Contains(err.Error(), "line 2, ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", section, err, want)
		}
	}
}
