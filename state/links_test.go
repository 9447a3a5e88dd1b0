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
		{strings.ToLower(a), OrganizationRef{ID: "o1", Name: "=cmd|x"}, 2},
		{strings.ToLower(a), OrganizationRef{Name: "Second one"}, 3},
		{b, OrganizationRef{Name: "'tis"}, 5},
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
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.40q: got %v, want %q", text, err, says)
		}
	}
}
