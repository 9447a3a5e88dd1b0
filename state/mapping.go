package state

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

const mappingFile = "mapping.json"

const mappingSchema = "msbundle.mapping/1"

// Mapping is which of Rewst's organisations customers were linked to, as it is kept
// between runs.
type Mapping struct {
	Links map[string]Link // by the customer's tenant id, in small letters
	Typed []Organization  // that no file and no service named
}

// Link is what one customer is linked to.
type Link struct {
	Organizations []OrganizationRef `json:"organizations"`  // none is a choice too: the customer is to have none
	ByHand        bool              `json:"byHand"`         // a person chose them one by one
	Open          bool              `json:"open,omitempty"` // it was unlinked, and what it is to have is open
}

// OrganizationRef names an organisation so that it is found again in another list:
// by its id, or where that is not known by its name.
type OrganizationRef struct {
	ID   string `json:"id,omitempty"`
	Name string `json:"name"`
}

type mappingDocument struct {
	Schema string              `json:"schema"`
	Links  map[string]Link     `json:"links"`
	Typed  []typedOrganization `json:"typed,omitempty"`
}

type typedOrganization struct {
	Name   string `json:"name"`
	Domain string `json:"domain,omitempty"`
}

// SaveMapping keeps a mapping in place of the one before: after a crash there is
// one or the other. It syncs to disk; a screen calls it in the background.
func (s *Store) SaveMapping(m Mapping) error {
	doc := mappingDocument{Schema: mappingSchema, Links: m.Links}
	for _, o := range m.Typed {
		doc.Typed = append(doc.Typed, typedOrganization{o.Name, o.Domain})
	}
	data, err := json.MarshalIndent(doc, "", " ")
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return WriteFile(filepath.Join(s.dir, mappingFile), data)
}

// Mapping is the mapping that was kept; an empty one when there is none. It fails
// with a *DirError when it cannot be read: it is a person's work, and nothing is to
// be put in its place unasked.
func (s *Store) Mapping() (Mapping, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, err := os.ReadFile(filepath.Join(s.dir, mappingFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Mapping{Links: map[string]Link{}}, nil
	}
	if err != nil {
		return Mapping{}, dirError(s.dir, err)
	}
	var doc mappingDocument
	if err := json.Unmarshal(data, &doc); err != nil || doc.Schema != mappingSchema {
		return Mapping{}, &DirError{Dir: s.dir, Err: err, Text: mappingFile +
			" is not a mapping this program can read; move it away to start a new one, or use a newer msbundle"}
	}
	m := Mapping{Links: doc.Links}
	if m.Links == nil {
		m.Links = map[string]Link{}
	}
	for _, o := range doc.Typed {
		m.Typed = append(m.Typed, Organization{Name: o.Name, Domain: o.Domain})
	}
	return m, nil
}
