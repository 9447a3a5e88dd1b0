package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A mapping outlives the run, and one that cannot be read is not put aside.
func TestMapping(t *testing.T) {
	root, id := t.TempDir(), Identity{Cloud: "global", Tenant: someTenant}
	s, err := Open(root, id)
	if err != nil {
		t.Fatal(err)
	}
	if m, err := s.Mapping(); err != nil || m.Links == nil || len(m.Links) != 0 {
		t.Errorf("got %v, %v", m, err)
	}
	want := Mapping{
		Links: map[string]Link{
			"a": {Organizations: []OrganizationRef{{"7", "Contoso"}, {"", "Fabrikam\x1b"}}, ByHand: true},
			"b": {Organizations: []OrganizationRef{{Name: "Litware"}}},
			"c": {ByHand: true},
		},
		Typed: []Organization{{Name: "Typed", Domain: "typed.example.com"}},
	}
	for _, err := range []error{s.SaveMapping(Mapping{}), s.SaveMapping(want), s.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if s, err = Open(root, id); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	got, err := s.Mapping()
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	for _, text := range []string{"{half", `{"schema": "msbundle.mapping/2"}`} {
		if err := os.WriteFile(filepath.Join(Dir(root, id), mappingFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Mapping(); err == nil || !strings.Contains(err.Error(), mappingFile) {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
