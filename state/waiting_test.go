package state

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestWaiting(t *testing.T) {
	root := t.TempDir()
	id := Identity{Cloud: "global", Tenant: "11111111-0000-0000-0000-000000000001", TenantName: "Contoso"}
	s, err := Open(root, id)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	kept := func() []string {
		t.Helper()
		all := Tenants(root, "global")
		if len(all) != 1 {
			t.Fatalf("%d tenants, want one", len(all))
		}
		return all[0].Waiting
	}
	for _, list := range [][]string{{"a", "b"}, {"b"}, nil, nil} {
		if err := s.KeepWaiting(list); err != nil {
			t.Fatal(err)
		}
		if got := kept(); !slices.Equal(got, list) {
			t.Errorf("kept %q, want %q", got, list)
		}
	}
	if err := os.WriteFile(filepath.Join(Dir(root, id), waitingFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := kept(); len(got) != 0 {
		t.Errorf("half a file counts as %q", got)
	}
}
