package msclient

import (
	"context"
	"encoding/json"
	"maps"
	"sync"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
)

// seed is what one of MSAL's clients needs to redeem tokens anywhere: the refresh
// tokens of a sign-in. MSAL keeps every token it ever got, searches them one by
// one, and has all of them written down with each new one; with a thousand tenants
// none of that will do. A client whose cache is a seed keeps no access token at
// all: whoever asks for one does.
type seed struct {
	fixed bool // only tokens that are known are renewed; others come by watch

	mu   sync.Mutex
	data Secret // as MSAL reads it
}

var _ cache.ExportReplace = (*seed)(nil)

// The kinds of entries a seed holds.
const (
	refreshTokens = "RefreshToken"
	appMetadata   = "AppMetadata"
)

// Replace makes MSAL's cache hold the seed and nothing else.
func (s *seed) Replace(_ context.Context, into cache.Unmarshaler, _ cache.ReplaceHints) error {
	s.mu.Lock()
	data := s.data.Reveal()
	s.mu.Unlock()
	if data == "" {
		data = "{}"
	}
	return into.Unmarshal([]byte(data))
}

// Export keeps the refresh token that came with an access token.
func (s *seed) Export(_ context.Context, from cache.Marshaler, _ cache.ExportHints) error {
	data, err := from.Marshal()
	if err != nil {
		return err
	}
	return s.learn(data, s.fixed)
}

// learn takes the refresh tokens out of a cache, those that are there already only
// if so wanted: somebody may have signed in instead meanwhile.
func (s *seed) learn(data []byte, known bool) error {
	all, err := parseContract(NewSecret(string(data)))
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(all, func(kind string, entries map[string]json.RawMessage) bool {
		return kind != refreshTokens && kind != appMetadata || entries == nil // MSAL takes no null
	})
	next := all
	if known {
		if next, err = parseContract(s.data); err != nil {
			return err
		}
		for key := range next[refreshTokens] {
			if renewed := all[refreshTokens][key]; renewed != nil {
				next[refreshTokens][key] = renewed
			}
		}
	}
	text, err := json.Marshal(next)
	if err != nil {
		return err
	}
	s.data = NewSecret(string(text))
	return nil
}

// watched is the cache of a sign-in whose refresh tokens a seed gets to know.
type watched struct {
	kept cache.ExportReplace // nil when sign-ins are not kept
	seed *seed
}

var _ cache.ExportReplace = watched{}

func (w watched) Replace(ctx context.Context, into cache.Unmarshaler, h cache.ReplaceHints) error {
	if w.kept == nil {
		return nil
	}
	return w.kept.Replace(ctx, loading{into, w.seed}, h)
}

func (w watched) Export(ctx context.Context, from cache.Marshaler, h cache.ExportHints) error {
	data, err := from.Marshal()
	if err != nil {
		return err
	}
	if err := w.seed.learn(data, false); err != nil {
		return err
	}
	if w.kept == nil {
		return nil
	}
	return w.kept.Export(ctx, marshalled(data), h)
}

// marshalled is a cache that was written down already.
type marshalled []byte

func (m marshalled) Marshal() ([]byte, error) { return m, nil }

// loading tells a seed what MSAL's cache is filled with.
type loading struct {
	cache.Unmarshaler
	seed *seed
}

func (l loading) Unmarshal(data []byte) error {
	if err := l.Unmarshaler.Unmarshal(data); err != nil {
		return err
	}
	return l.seed.learn(data, false)
}
