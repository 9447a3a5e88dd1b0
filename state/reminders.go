package state

import (
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

const remindersFile = "reminders.json"

// Reminders tells when the customers of relationships were last reminded, by the
// relationship's id. What cannot be read counts as nothing: it only helps memory.
func (s *Store) Reminders() map[string]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reminders()
}

func (s *Store) reminders() map[string]time.Time {
	out := map[string]time.Time{}
	data, err := os.ReadFile(filepath.Join(s.dir, remindersFile))
	if err != nil || json.Unmarshal(data, &out) != nil {
		return map[string]time.Time{}
	}
	return out
}

// Remind records that the customers of relationships were reminded at a time; the
// zero time that they never were.
func (s *Store) Remind(at time.Time, relationships ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.reminders()
	for _, id := range relationships {
		if all[id] = at; at.IsZero() {
			delete(all, id)
		}
	}
	data, err := json.Marshal(all)
	if err != nil {
		return err
	}
	return WriteFile(filepath.Join(s.dir, remindersFile), data)
}
