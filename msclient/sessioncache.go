package msclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
)

// sessionCache is what MSAL reads and writes of one public client. MSAL calls
// Replace before it changes anything and Export after; other processes may come
// in between.
type sessionCache struct {
	sessions *Sessions
	path     string

	known bool   // there was something in the file
	seen  []byte // the file, when MSAL's cache holds just that
	plain Secret // what MSAL's cache holds
}

var _ cache.ExportReplace = (*sessionCache)(nil)

// Replace loads what is kept into MSAL's cache, unless that has it already.
func (c *sessionCache) Replace(_ context.Context, into cache.Unmarshaler, _ cache.ReplaceHints) error {
	s := c.sessions
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.serving() || !s.stored { // what another run keeps first is under a key not known yet
		return nil
	}
	sealed, plain, err := c.read()
	if err == nil && sealed != nil && !bytes.Equal(sealed, c.seen) {
		if err = c.sameAccount(plain); err == nil && into.Unmarshal([]byte(plain.Reveal())) != nil {
			err = ErrDamaged // MSAL's words may quote it
		}
		if err == nil {
			c.known, c.seen, c.plain = true, sealed, plain
		}
	}
	if err != nil && (c.known || !s.anew) {
		s.fail(err)
	}
	return nil
}

// Export keeps what MSAL's cache holds, together with what other processes kept
// meanwhile.
func (c *sessionCache) Export(_ context.Context, from cache.Marshaler, _ cache.ExportHints) error {
	s := c.sessions
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.frozen || !s.serving() {
		return nil
	}
	data, err := from.Marshal()
	if err == nil {
		err = c.keep(NewSecret(string(data)))
	}
	if err != nil {
		s.fail(err)
	}
	return nil
}

func (c *sessionCache) keep(ours Secret) error {
	s := c.sessions
	if c.known && ours.Reveal() == c.plain.Reveal() {
		return nil
	}
	release, err := s.claim()
	if err != nil {
		return err
	}
	defer release()
	if err := s.settle(); err != nil {
		return err
	}
	there, theirs, err := c.read()
	switch {
	case err != nil && (c.known || !s.anew):
		return err
	case err != nil:
		if err := putAside(c.path); err != nil {
			return err
		}
	case there == nil && c.known:
		return ErrForgotten
	}
	merged := ours
	others := there != nil && err == nil && !bytes.Equal(there, c.seen)
	if others {
		if err := c.sameAccount(theirs); err != nil {
			return err
		}
		if merged, err = merge(c.plain, ours, theirs); err != nil {
			return err
		}
	}
	sealed, err := seal(merged, s.key)
	if err != nil {
		return err
	}
	if err := writeFile(c.path, sealed); err != nil {
		return err
	}
	c.known, c.seen, c.plain = true, sealed, ours
	if others {
		c.seen = nil // MSAL's cache lacks what others kept
	}
	return nil
}

// read gives the file and what it holds; nothing when there is none.
func (c *sessionCache) read() ([]byte, Secret, error) {
	sealed, err := os.ReadFile(c.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Secret{}, nil
	}
	if err != nil {
		return nil, Secret{}, err
	}
	if bytes.Equal(sealed, c.seen) {
		return sealed, c.plain, nil
	}
	plain, err := unseal(sealed, c.sessions.key)
	if err != nil {
		if c.known { // it was readable before: somebody has replaced it
			err = ErrForgotten
		}
		return nil, Secret{}, &sessionError{c.path, err}
	}
	return sealed, plain, nil
}

// contract is MSAL's cache: entries by kind and key.
type contract map[string]map[string]json.RawMessage

func parseContract(s Secret) (contract, error) {
	c := contract{}
	if s.IsZero() {
		return c, nil
	}
	if json.Unmarshal([]byte(s.Reveal()), &c) != nil {
		return nil, ErrDamaged // the reason would quote it
	}
	return c, nil
}

// sameAccount makes sure that nobody else signed in instead: loading that would
// take the account away under a run that works with it.
func (c *sessionCache) sameAccount(theirs Secret) error {
	before, err := parseContract(c.plain)
	if err != nil {
		return err
	}
	now, err := parseContract(theirs)
	if err != nil {
		return err
	}
	accounts := now.accounts()
	for id := range before.accounts() {
		if !accounts[id] {
			return &sessionError{c.path, ErrForgotten}
		}
	}
	return nil
}

func (c contract) accounts() map[string]bool {
	ids := map[string]bool{}
	for _, raw := range c["Account"] {
		var a struct {
			ID string `json:"home_account_id"`
		}
		_ = json.Unmarshal(raw, &a) // an entry without one is an account of its own
		ids[a.ID] = true
	}
	return ids
}

// merge brings what two processes did to the same cache together. Where both
// changed an entry, ours counts.
func merge(base, ours, theirs Secret) (Secret, error) {
	var parsed [3]contract
	for i, s := range []Secret{base, ours, theirs} {
		var err error
		if parsed[i], err = parseContract(s); err != nil {
			return Secret{}, err
		}
	}
	was, mine, out := parsed[0], parsed[1], parsed[2]
	for kind, entries := range mine {
		if out[kind] == nil {
			out[kind] = map[string]json.RawMessage{}
		}
		for key, entry := range entries {
			if !bytes.Equal(entry, was[kind][key]) {
				out[kind][key] = entry
			}
		}
	}
	for kind, entries := range was {
		maps.DeleteFunc(out[kind], func(key string, _ json.RawMessage) bool {
			_, before := entries[key]
			_, now := mine[kind][key]
			return before && !now
		})
	}
	data, err := json.Marshal(out)
	return NewSecret(string(data)), err
}
