package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLoadCustomers(t *testing.T) {
	const a, b = "11111111-2222-4333-8444-555555555555", "22222222-2222-4333-8444-555555555555"
	for name, c := range map[string]struct {
		text string
		want []CustomerRow
		bad  []string
	}{
		"plain":                    {text: "tenantId,domain,name\n" + a + ",contoso.example.com,Contoso\n", want: []CustomerRow{{a, "contoso.example.com", "Contoso", 2}}},
		"an export of a portal":    {text: "\ufeff\"Microsoft ID\",\"Company name\",\"Primary domain name\",\"Relationship\"\r\n" + a + ",\"Fabrikam, Inc.\",fabrikam.example.com,Cloud Reseller\r\n", want: []CustomerRow{{a, "fabrikam.example.com", "Fabrikam, Inc.", 2}}},
		"semicolons":               {text: "Name;Tenant ID\nLitware;" + b + "\n\n;;\nContoso;" + a + "\n", want: []CustomerRow{{b, "", "Litware", 2}, {a, "", "Contoso", 5}}},
		"domains alone":            {text: "Domain\ncontoso.example.com\nfabrikam.example.com\n", want: []CustomerRow{{"", "contoso.example.com", "", 2}, {"", "fabrikam.example.com", "", 3}}},
		"a short row":              {text: "name\tdomain\ttenantid\nContoso\tcontoso.example.com\n", want: []CustomerRow{{"", "contoso.example.com", "Contoso", 2}}},
		"lines in a cell":          {text: "name,domain\n\"Contoso\nLtd\",contoso.example.com\nF,bad\n", bad: []string{"line 4", "no domain"}},
		"nothing":                  {bad: []string{"empty"}},
		"no columns":               {text: "a,b\n1,2\n", bad: []string{"line 1", "tenantId,domain,name"}},
		"no customers":             {text: "tenantId\n", bad: []string{"names no customer"}},
		"bad ids, all of them":     {text: "tenantId,domain\n1,x.example.com\n,no\n,\n", bad: []string{"line 2", "no tenant id", "line 3", "no domain"}},
		"neither":                  {text: "tenantId,name\n,Contoso\n", bad: []string{"line 2", "neither"}},
		"twice":                    {text: "domain\ncontoso.example.com\nCONTOSO.example.com\n", bad: []string{"line 3", "line 2 already"}},
		"quotes that do not close": {text: "domain\n\"contoso.example.com\n", bad: []string{"not CSV"}},
		"another encoding":         {text: "domain,name\ncontoso.example.com,M\xfcller\n", bad: []string{"line 2", "UTF-8"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "customers.csv")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := LoadCustomers(path)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (err == nil) != (len(c.bad) == 0) {
				t.Fatalf("got %v", err)
			}
			for _, word := range c.bad {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("%v does not say %q", err, word)
				}
			}
		})
	}
	if _, err := LoadCustomers(filepath.Join(t.TempDir(), "none.csv")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
}

// A file counts from where the setup file lies, wherever the answers go from there.
func TestCustomersFileStandsBesideTheSetup(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "setup.yaml")
	if err := os.WriteFile(path, []byte("version: 1\ngdap:\n  customers: []\n  file: lists/customers.csv\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := LoadAnswers(path)
	if err != nil {
		t.Fatal(err)
	}
	want := filepath.Join(dir, "lists", "customers.csv")
	again, err := ParseAnswers("/elsewhere/setup.yaml", a.Encode())
	if err != nil || a.GDAP.File != want || again.GDAP.File != want {
		t.Errorf("got %s and %s, %v", a.GDAP.File, again.GDAP.File, err)
	}
}
