package state

import (
	"encoding/json"
	"os"
	"path/filepath"
)

const waitingFile = "waiting.json"

// KeepWaiting records which relationships were waiting for customers to approve
// when a run ended, by their ids, so that a later one can go on there; none
// forgets it.
func (s *Store) KeepWaiting(relationships []string) error {
	path := filepath.Join(s.dir, waitingFile)
	if len(relationships) == 0 {
		if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
			return dirError(s.dir, err)
		}
		return nil
	}
	data, err := json.Marshal(relationships)
	if err != nil {
		return err
	}
	return WriteFile(path, data)
}

// waiting reads what KeepWaiting recorded. What cannot be read counts as nothing:
// it is found in the tenant, too.
func waiting(dir string) []string {
	var out []string
	data, err := os.ReadFile(filepath.Join(dir, waitingFile))
	if err != nil || json.Unmarshal(data, &out) != nil {
		return nil
	}
	return out
}
