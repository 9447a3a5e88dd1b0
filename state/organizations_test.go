package state

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLoadOrganizations(t *testing.T) {
	const tenant = someTenant
	for name, c := range map[string]struct {
		text string
		want []Organization
		bad  []string
	}{
		"Rewst's own": {
			text: "organizationName,managingOrgId,domain,orgSlug,isEnabled,tagNames\nContoso,0190,contoso.com,contoso,true,\"a,b\"\n\"Fabrikam, Inc.\",,,,false,\n",
			want: []Organization{{"", "Contoso", "contoso.com", "", 2}, {"", "Fabrikam, Inc.", "", "", 3}},
		},
		"with ids": {
			text: "\ufeffid;Name;Microsoft Tenant ID;Website\r\n7;Contoso;" + strings.ToUpper(tenant) + ";https://www.Contoso.com/start\r\n8;Litware;n/a;-\r\n",
			want: []Organization{{"7", "Contoso", "contoso.com", tenant, 2}, {"8", "Litware", "", "", 3}},
		},
		"tabs and other names": {
			text: "org_name\torg_id\ttid\nContoso\t7\t" + tenant + "\n",
			want: []Organization{{"7", "Contoso", "", tenant, 2}},
		},
		"lines in a cell": {
			text: "organizationName,domain\n\"Contoso\nLtd\",info@contoso.com\n\n,,\nFabrikam\n",
			want: []Organization{{"", "Contoso Ltd", "contoso.com", "", 2}, {"", "Fabrikam", "", "", 6}},
		},
		"same name, other ids":  {text: "id,name\n1,A\n2,a\n", want: []Organization{{"1", "A", "", "", 2}, {"2", "a", "", "", 3}}},
		"twice":                 {text: "name\nContoso\nCONTOSO\n", bad: []string{"line 3", "line 2 already"}},
		"twice by id":           {text: "id,name\nx,A\nX,B\n", bad: []string{"line 3", "line 2 already"}},
		"no name, all of them":  {text: "name,domain\n,a.com\nB,b.com\n,c.com\n", bad: []string{"line 2", "line 4", "no organizationName"}},
		"no columns":            {text: "domain,slug\na.com,a\n", bad: []string{"line 1", "organizationName"}},
		"empty":                 {bad: []string{"the file is empty"}},
		"no rows":               {text: "organizationName\n\n", bad: []string{"names no organisation"}},
		"not CSV":               {text: "name\n\"Contoso\n", bad: []string{"line 2", "not CSV"}},
		"another encoding":      {text: "name\nM\xfcller\n", bad: []string{"line 2", "UTF-8"}},
		"too many cells":        {text: "organizationName,domain\nContoso, Ltd,contoso.com\nFabrikam,fabrikam.com,,\nA,a.com,b,c\n", bad: []string{"line 2: this line has 3 cells, and the first line names 2 columns", "quotation marks", "line 4: this line has 4"}},
		"a fault after a fault": {text: "name,id\n,1\n\"a\n", bad: []string{"line 2", "not CSV"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "organizations.csv")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := LoadOrganizations(path)
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
	if _, err := LoadOrganizations(filepath.Join(t.TempDir(), "none.csv")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
}

func manyOrganizations(tb testing.TB) string {
	var b strings.Builder
	b.WriteString("organizationName,managingOrgId,domain,orgSlug,isEnabled,tagNames\n")
	for i := range 10_000 {
		fmt.Fprintf(&b, "\"Customer %d, Ltd\",0190,customer%d.example.com,customer-%d,true,\n", i, i, i)
	}
	path := filepath.Join(tb.TempDir(), "organizations.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

func TestLoadManyOrganizations(t *testing.T) {
	start := time.Now()
	list, err := LoadOrganizations(manyOrganizations(t))
	if err != nil || len(list) != 10_000 || list[9_999].Line != 10_001 {
		t.Errorf("%d organisations, %v", len(list), err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func BenchmarkLoadOrganizations(b *testing.B) {
	path := manyOrganizations(b)
	for b.Loop() {
		if _, err := LoadOrganizations(path); err != nil {
			b.Fatal(err)
		}
	}
}

func TestParseOrganizations(t *testing.T) {
	two := []Organization{{ID: "7", Name: "Contoso", Domain: "contoso.com", TenantID: someTenant}, {Name: "Fabrikam"}}
	const list = `[{"id": 7, "name": "Contoso", "domain": "contoso.com", "tenantId": "` + someTenant + `", "tags": [1]}, {"name": "Fabrikam", "tid": null}]`
	for text, want := range map[string][]Organization{
		list:                                   two,
		`{"organizations": ` + list + `}`:      two,
		`{"errors": [], "orgs": ` + list + `}`: two,
		`{"data": {"organizations": ` + list + `}, "ok": true}`:                                             two,
		`"[{\"name\": \"Fabrikam\"}]"`:                                                                      two[1:],
		`["Fabrikam", " Fabrikam "]`:                                                                        two[1:],
		`{"result": [{"organizationName": "Fabrikam", "tid": "no"}]}`:                                       two[1:],
		`[{"orgId": "a", "orgName": "A\nB", "microsoft_tenant_id": "` + strings.ToUpper(someTenant) + `"}]`: {{ID: "a", Name: "A B", TenantID: someTenant}},
		`[]`: {},
	} {
		got, err := ParseOrganizations([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
	for text, word := range map[string]string{
		``: "not JSON", `<html>`: "not JSON", `{}`: "no list", `7`: "no list", `null`: "no list", `"text"`: "no list",
		`[{"id": 1}]`: "entry 1", `["A", 7]`: "entry 2", `[{"name": {"a": 1}}]`: "entry 1", `{"a":{"b":{"c":{"d":{"e":[]}}}}}`: "no list",
	} {
		if got, err := ParseOrganizations([]byte(text)); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%s: got %v, %v, want %q", text, got, err, word)
		}
	}
}
