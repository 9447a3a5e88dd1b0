package steps

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"

	"msbundle/catalog"
	"msbundle/state"
)

// Selection is the set of permissions the answers stand for. The catalogue's
// permissions are held by key; names the catalogue does not know are kept as
// they were written and looked up in the tenant.
type Selection struct {
	integrations []string
	base         catalog.Tier
	chosen       map[string]bool // catalog.Permission.Key
	extra        []Entry
}

// Entry names a permission the way setup.yaml does.
type Entry struct {
	Resource string       // app id
	Name     string       //
	Kind     catalog.Kind // empty means every kind the permission has
}

// String writes the entry the way setup.yaml does.
func (e Entry) String() string {
	s := e.Name
	if r, ok := catalog.ResourceByAppID(e.Resource); ok && r.AppID != catalog.GraphAppID {
		s = r.Prefix + ":" + s
	}
	if e.Kind != "" {
		s += "/" + string(e.Kind)
	}
	return s
}

// ParseEntry reads "Name", "Name/delegated" or
// "exchange:Exchange.ManageAsApp/application".
func ParseEntry(s string) (Entry, error) {
	e := Entry{Resource: catalog.GraphAppID}
	rest := strings.TrimSpace(s)
	if prefix, after, ok := strings.Cut(rest, ":"); ok {
		r, known := catalog.ResourceByPrefix(prefix)
		if !known {
			var names []string
			for _, r := range catalog.Resources() {
				names = append(names, r.Prefix)
			}
			return e, fmt.Errorf("%q names no API; use one of %s before the colon", s, strings.Join(names, ", "))
		}
		e.Resource, rest = r.AppID, after
	}
	if name, kind, ok := strings.Cut(rest, "/"); ok {
		if kind != string(catalog.Delegated) && kind != string(catalog.Application) {
			return e, fmt.Errorf("%q: %q is no kind of permission; use delegated or application", s, kind)
		}
		e.Kind, rest = catalog.Kind(kind), name
	}
	if e.Name = rest; rest == "" || strings.ContainsAny(rest, " \t:/") {
		return e, fmt.Errorf("%q is not a permission; write it like User.Read.All or exchange:Exchange.Manage/delegated", s)
	}
	return e, nil
}

// Select works out the selection of the answers. Entries that cannot be used are
// reported together; the selection holds the rest.
func Select(a state.Answers) (Selection, []state.Invalid) {
	tier, _ := catalog.ParseTier(a.Permissions.Base)
	s := Selection{integrations: slices.Clone(a.Integrations), base: tier, chosen: map[string]bool{}}
	for _, p := range s.Available() {
		if p.Tier <= tier {
			s.chosen[p.Key()] = true
		}
	}
	var bad []state.Invalid
	for _, text := range a.Permissions.Add {
		e, err := ParseEntry(text)
		if err == nil {
			err = s.add(e)
		}
		if err != nil {
			bad = append(bad, state.Invalid{Key: "permissions.add", Text: err.Error()})
		}
	}
	for _, text := range a.Permissions.Remove {
		e, err := ParseEntry(text)
		if err == nil {
			err = s.remove(e)
		}
		if err != nil {
			bad = append(bad, state.Invalid{Key: "permissions.remove", Text: err.Error()})
		}
	}
	return s, bad
}

func (s *Selection) add(e Entry) error {
	matches := s.matching(e)
	if len(matches) > 0 {
		for _, p := range matches {
			s.chosen[p.Key()] = true
		}
		return nil
	}
	r, _ := catalog.ResourceByAppID(e.Resource)
	if !slices.Contains(s.integrations, r.Integration) {
		return fmt.Errorf("%s belongs to %s; add %s to integrations", e, r.Name, r.Integration)
	}
	if !slices.Contains(s.extra, e) {
		s.extra = append(s.extra, e)
	}
	return nil
}

func (s *Selection) remove(e Entry) error {
	matches := s.matching(e)
	if len(matches) == 0 {
		if i := slices.Index(s.extra, e); i >= 0 {
			s.extra = slices.Delete(s.extra, i, i+1)
			return nil
		}
		return fmt.Errorf("%s is not among the permissions of the chosen integrations", e)
	}
	for _, p := range matches {
		if p.Tier == catalog.Minimum {
			return fmt.Errorf("%s is required: without it the integration cannot be authorised", e)
		}
		delete(s.chosen, p.Key())
	}
	return nil
}

func (s Selection) matching(e Entry) []catalog.Permission {
	var out []catalog.Permission
	for _, p := range s.Available() {
		if p.Resource == e.Resource && p.Name == e.Name && (e.Kind == "" || p.Kind == e.Kind) {
			out = append(out, p)
		}
	}
	return out
}

// Available lists the catalogue's permissions for the chosen integrations.
func (s Selection) Available() []catalog.Permission {
	var out []catalog.Permission
	for _, p := range catalog.Permissions() {
		if slices.Contains(s.integrations, p.Integration) {
			out = append(out, p)
		}
	}
	return out
}

// Has tells whether a permission of the catalogue is chosen.
func (s Selection) Has(p catalog.Permission) bool { return s.chosen[p.Key()] }

// Set chooses a permission or leaves it out. A permission the integration cannot
// be authorised without stays; Set then returns false.
func (s *Selection) Set(p catalog.Permission, on bool) bool {
	if !on && p.Tier == catalog.Minimum {
		return false
	}
	if on {
		s.chosen[p.Key()] = true
	} else {
		delete(s.chosen, p.Key())
	}
	return true
}

// SetBase starts over from a tier: everything up to it is chosen, nothing else.
func (s *Selection) SetBase(tier catalog.Tier) {
	s.chosen = map[string]bool{}
	for _, p := range s.Available() {
		if p.Tier <= tier {
			s.chosen[p.Key()] = true
		}
	}
	s.base = min(tier, catalog.Stock)
	s.extra = nil
}

// ReadOnly leaves out every permission that can change something, except those
// that are required.
func (s *Selection) ReadOnly() {
	for _, p := range s.Available() {
		if s.Has(p) && !readsOnly(p) {
			s.Set(p, false)
		}
	}
}

func readsOnly(p catalog.Permission) bool {
	return p.Tier == catalog.Minimum || strings.Contains(p.Name, ".Read") && !strings.Contains(p.Name, ".ReadWrite")
}

// Clone copies the selection so that either can be changed alone.
func (s Selection) Clone() Selection {
	chosen := make(map[string]bool, len(s.chosen))
	for k := range s.chosen {
		chosen[k] = true
	}
	s.chosen, s.extra = chosen, slices.Clone(s.extra)
	return s
}

// Chosen lists the chosen permissions of the catalogue in its order.
func (s Selection) Chosen() []catalog.Permission {
	var out []catalog.Permission
	for _, p := range s.Available() {
		if s.Has(p) {
			out = append(out, p)
		}
	}
	return out
}

// Extra lists the entries the catalogue does not know.
func (s Selection) Extra() []Entry { return slices.Clone(s.extra) }

// Answers writes the selection as setup.yaml has it: the base and what differs.
func (s Selection) Answers() state.Permissions {
	out := state.Permissions{Base: s.base.String()}
	for _, p := range s.Available() {
		inBase := p.Tier <= s.base
		entry := Entry{p.Resource, p.Name, p.Kind}.String()
		switch {
		case s.Has(p) && !inBase:
			out.Add = append(out.Add, entry)
		case !s.Has(p) && inBase:
			out.Remove = append(out.Remove, entry)
		}
	}
	for _, e := range s.extra {
		out.Add = append(out.Add, e.String())
	}
	return out
}

// Meter measures the longest delegated scope string against both limits, and
// the number of permissions against what an app may list.
type Meter struct {
	Resource string // name of the API with the longest scope string
	Chars    int    // in characters, against catalog.ScopeCharLimit
	Bytes    int    // in bytes of UTF-16, against catalog.ScopeByteLimit
	Total    int    // permissions of all APIs, against catalog.ManifestPermissionLimit
}

// Fits tells whether every limit is kept.
func (m Meter) Fits() bool {
	return m.Chars <= catalog.ScopeCharLimit && m.Bytes <= catalog.ScopeByteLimit && m.Total <= catalog.ManifestPermissionLimit
}

// Meter measures the selection.
func (s Selection) Meter() Meter {
	scopes := map[string][]string{}
	total := 0
	for _, p := range s.Chosen() {
		total++
		if p.Kind == catalog.Delegated {
			scopes[p.Resource] = append(scopes[p.Resource], p.Name)
		}
	}
	for _, e := range s.extra {
		total++
		if e.Kind != catalog.Application {
			scopes[e.Resource] = append(scopes[e.Resource], e.Name)
		}
	}
	m := Meter{Total: total}
	for _, r := range catalog.Resources() {
		joined := strings.Join(scopes[r.AppID], " ")
		if n := len([]rune(joined)); n > m.Chars || m.Resource == "" {
			m.Resource, m.Chars, m.Bytes = r.Name, n, 2*len(utf16.Encode([]rune(joined)))
		}
	}
	return m
}

// Redundant lists the chosen delegated permissions that another chosen one
// already covers: a ReadWrite includes its Read.
func (s Selection) Redundant() []catalog.Permission {
	have := map[string]bool{}
	for _, p := range s.Chosen() {
		have[p.Key()] = true
	}
	var out []catalog.Permission
	for _, p := range s.Chosen() {
		if p.Kind != catalog.Delegated || p.Tier == catalog.Minimum {
			continue
		}
		wider := p
		if wider.Name = catalog.CoveredBy(p.Name); wider.Name != "" && have[wider.Key()] {
			out = append(out, p)
		}
	}
	return out
}

// Shorten proposes what to leave out so that the limits are kept: first read
// permissions that a chosen ReadWrite covers, the longest names first, and only
// as many as needed. The second result tells whether that is enough.
func (s Selection) Shorten() ([]catalog.Permission, bool) {
	if s.Meter().Fits() {
		return nil, true
	}
	candidates := s.Redundant()
	sortStably(candidates, func(a, b catalog.Permission) int { return len(b.Name) - len(a.Name) })
	trial := s.Clone()
	var out []catalog.Permission
	for _, p := range candidates {
		trial.Set(p, false)
		out = append(out, p)
		if trial.Meter().Fits() {
			return out, true
		}
	}
	return out, false
}

// Loss says what stops working when a permission is left out; empty when
// nothing the vendor relies on does.
func Loss(p catalog.Permission) string {
	switch {
	case p.Tier == catalog.Minimum:
		return "The integration cannot be authorised without it, so it stays."
	case p.Tier == catalog.Recommended:
		return "Rewst's own check refuses an app without it, and prebuilt automations break: " + p.UsedFor + "."
	case p.Tier == catalog.Stock:
		return "Actions that rely on it will fail: " + p.UsedFor + "."
	}
	return ""
}

// CheckAnswers lists what cannot be used in the answers before anybody signs in:
// each answer, the permission entries, and the limits they have to keep.
func CheckAnswers(a state.Answers) []state.Invalid {
	out := append(a.Validate(), checkDirect(a)...)
	if len(out) > 0 {
		return out
	}
	sel, bad := Select(a)
	if len(bad) > 0 || a.Registration.Kind == state.KindConnector {
		return bad
	}
	if text := sel.Overflow(); text != "" {
		out = append(out, state.Invalid{Key: "permissions", Text: text})
	}
	return out
}

// Overflow says which limit the selection breaks and what would bring it back;
// empty when it fits.
func (s Selection) Overflow() string {
	m := s.Meter()
	if m.Fits() {
		return ""
	}
	text := fmt.Sprintf("the delegated permissions of %s join to %d characters (Microsoft Graph takes %d) and %d bytes (signing in takes %d), %d permissions in all (an app may list %d)",
		m.Resource, m.Chars, catalog.ScopeCharLimit, m.Bytes, catalog.ScopeByteLimit, m.Total, catalog.ManifestPermissionLimit)
	drop, enough := s.Shorten()
	if !enough {
		return text + "; leave some out"
	}
	var names []string
	for _, p := range drop {
		names = append(names, Entry{p.Resource, p.Name, p.Kind}.String())
	}
	return text + "; a chosen ReadWrite covers these, so leave them out: permissions.remove: [" + strings.Join(names, ", ") + "]"
}
