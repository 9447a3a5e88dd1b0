package state

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestReminders(t *testing.T) {
	root, id := t.TempDir(), Identity{Cloud: "global", Tenant: "11111111-2222-3333-4444-555555555555"}
	s, err := Open(root, id)
	if err != nil {
		t.Fatal(err)
	}
	first, second := time.Date(2026, 9, 1, 9, 0, 0, 0, time.UTC), time.Date(2026, 9, 8, 9, 0, 0, 0, time.UTC)
	for _, err := range []error{s.Remind(first, "a", "b"), s.Remind(second, "b", "c"), s.Remind(time.Time{}, "c"), s.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if s, err = Open(root, id); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := s.Reminders(); len(got) != 2 || !got["a"].Equal(first) || !got["b"].Equal(second) {
		t.Errorf("got %v", got)
	}
	if err := os.WriteFile(filepath.Join(Dir(root, id), remindersFile), []byte("{half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.Reminders(); len(got) != 0 {
		t.Errorf("got %v of a damaged file", got)
	}
}
