package catalog

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Clues are what is known of an error: its text, and what was already taken apart.
type Clues struct {
	Text   string
	AADSTS []int
	Codes  []string // the service's code, or an OAuth word
	Status int      // of HTTP
}

// Explanation is what an error means.
type Explanation struct {
	Found   bool
	Rule    Rule    // when Found
	Code    string  // as Microsoft writes it: "AADSTS53003"; empty when the words alone gave it away
	Others  []Other // further codes in the text
	Nearest []Rule  // when not Found: at most three that are similar, and not the same
	Context         // what the text says about the request
}

// Other is a code in the text besides the one that is explained.
type Other struct {
	Code  string
	Cause string // empty when the code is unknown
}

// table is the rules in the form they are looked up in.
type table struct {
	matches []prepared
	codes   map[string]bool   // known codes, in small letters
	written map[string]string // the same as Microsoft writes them
	byCode  map[string]int    // code to rule; "aadsts53003" for the sign-in service's numbers
	vocabulary
}

// prepared is a match with its fragments normalised.
type prepared struct {
	Match
	rule     int
	numbered bool // the rule has numbers of the sign-in service
	broad    bool
}

var lookup = sync.OnceValue(func() *table {
	t := &table{codes: map[string]bool{}, written: map[string]string{}, byCode: map[string]int{}}
	for i, r := range Rules() {
		list := slices.Clone(r.Also)
		if len(r.AADSTS) > 0 {
			list = append(list, Match{AADSTS: r.AADSTS})
		}
		if len(r.Codes) > 0 {
			list = append(list, Match{Codes: r.Codes})
		}
		for _, text := range r.Texts {
			list = append(list, Match{All: []string{text}})
		}
		for _, n := range r.AADSTS {
			t.byCode["aadsts"+strconv.Itoa(n)] = i
		}
		for _, c := range r.Codes {
			t.byCode[strings.ToLower(c)] = i
		}
		for _, m := range list {
			for _, c := range m.Codes {
				t.codes[strings.ToLower(c)] = true
				t.written[strings.ToLower(c)] = c
			}
			p := prepared{Match: m, rule: i, numbered: len(r.AADSTS) > 0, broad: r.Broad}
			p.Codes, p.About = lowered(m.Codes), fragments(m.About)
			p.All, p.Any, p.Clause = fragments(m.All), fragments(m.Any), fragments(m.Clause)
			t.matches = append(t.matches, p)
		}
	}
	t.vocabulary = readVocabulary(Rules())
	return t
})

func lowered(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.ToLower(s)
	}
	return out
}

func fragments(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i], _ = readWords(s)
	}
	return out
}

// Explain finds the most specific rule for an error: a code with words of its
// message comes before the words alone, those before a code, and a code before
// the HTTP status. An error that is not known is said to be so.
func Explain(c Clues) Explanation {
	t := lookup()
	s := read(c.Text, t.codes)
	for _, n := range c.AADSTS {
		if code := strconv.Itoa(n); n > 0 {
			if _, twice := s.has(s.aadsts, code); !twice {
				s.aadsts = append(s.aadsts, sign{code, len(s.lower)})
			}
		}
	}
	for _, code := range lowered(c.Codes) {
		if _, twice := s.has(s.codes, code); !twice && t.codes[code] {
			s.codes = append(s.codes, sign{code, len(s.lower)})
		}
	}
	if c.Status != 0 {
		s.status = append(s.status, c.Status)
	}
	best, found := t.best(s)
	e := Explanation{Found: found}
	if found {
		e.Rule, e.Code = Rules()[best.rule], t.write(best.code)
	}
	e.Others = t.others(s, best, found)
	if !found {
		e.Nearest = t.nearest(s)
		switch {
		case len(e.Others) > 0:
			e.Code, e.Others = e.Others[0].Code, e.Others[1:]
		case len(s.loose) > 0:
			e.Code = s.loose[0].code
		}
	}
	e.Context = readContext(s, best.at)
	return e
}

// hit is a match that was satisfied.
type hit struct {
	rule, score int
	code        string // "aadsts53003", or a service's code; empty when none was needed
	pos         int    // where it was found, for the order among equals
	length      int    // of the fragments
	at          int    // where the code stands in the readable text; -1 when there is none
}

// Scores. What adds to one stays below the next.
const (
	scoreCodeAndWords = 60
	scoreWords        = 50
	scoreAADSTS       = 40
	scoreCode         = 30
	scoreBroad        = 20
	scoreStatus       = 10
)

func (t *table) best(s *signs) (hit, bool) {
	f := finder{signs: s, seen: map[string]int{}}
	unknown := false
	for _, n := range s.aadsts {
		if _, ok := t.byCode["aadsts"+n.code]; ok {
			f.known = append(f.known, n.code)
		} else {
			unknown = true
		}
	}
	for _, n := range s.loose {
		if _, ok := t.byCode["aadsts"+n.code]; ok {
			f.known = append(f.known, n.code)
		}
	}
	var best hit
	found := false
	for _, m := range t.matches {
		h, ok := f.try(m)
		// A number that is not known says more than "invalid_grant" or "400" does:
		// those would explain another error.
		if !ok || unknown && h.score < scoreCode {
			continue
		}
		if !found || better(h, best) {
			best, found = h, true
		}
	}
	return best, found
}

func better(a, b hit) bool {
	return cmp.Or(cmp.Compare(a.score, b.score), cmp.Compare(b.pos, a.pos), cmp.Compare(a.length, b.length)) > 0
}

// finder looks for the parts of matches in one text.
type finder struct {
	*signs
	known []string       // numbers of the sign-in service that are in the table
	seen  map[string]int // fragments looked for already
}

// fragment is where words stand in the text, -1 when nowhere.
func (f *finder) fragment(words string) int {
	pos, ok := f.seen[words]
	if !ok {
		pos = strings.Index(f.words, words)
		f.seen[words] = pos
	}
	return pos
}

// clause is the same for words that have to be a whole sentence or field.
func (f *finder) clause(words string) int {
	if f.fragment(words) < 0 {
		return -1
	}
	return strings.Index(f.clauses, " |"+words+"| ")
}

// try tells whether all parts of a match are there, and how much that says.
func (f *finder) try(m prepared) (hit, bool) {
	h := hit{rule: m.rule, pos: len(f.lower) + 1, at: -1}
	words, ok := f.text(m, &h)
	if !ok {
		return h, false
	}
	number, ok := f.number(m, &h)
	if !ok {
		return h, false
	}
	code, ok := f.code(m, &h)
	if !ok {
		return h, false
	}
	if len(m.Status) > 0 && !slices.ContainsFunc(f.status, func(n int) bool { return slices.Contains(m.Status, n) }) {
		return h, false
	}
	switch {
	case words && (number || code):
		h.score = scoreCodeAndWords
	case words && m.numbered && len(f.known) > 0:
		// The words of one number beside another number: the number counts.
		h.score = scoreStatus + 5
	case words:
		h.score = scoreWords
	case number:
		h.score = scoreAADSTS
	case code && m.broad:
		h.score = scoreBroad
	case code:
		h.score = scoreCode
	default:
		h.score = scoreStatus
	}
	if number && code {
		h.score += 3
	}
	if len(m.About) > 0 {
		h.score += 2
	}
	parts := len(m.All) + min(len(m.Any), 1) + min(len(m.Clause), 1)
	h.score += min(max(parts-1, 0), 3)
	return h, true
}

func (f *finder) text(m prepared, h *hit) (words, ok bool) {
	if len(m.About) > 0 && !slices.ContainsFunc(m.About, func(s string) bool { return f.fragment(s) >= 0 }) {
		return false, false
	}
	take := func(pos, length int) {
		h.pos = min(h.pos, pos)
		h.length += length
		words = true
	}
	for _, s := range m.All {
		pos := f.fragment(s)
		if pos < 0 {
			return false, false
		}
		take(pos, len(s))
	}
	for _, part := range []struct {
		list []string
		find func(string) int
	}{{m.Any, f.fragment}, {m.Clause, f.clause}} {
		if len(part.list) == 0 {
			continue
		}
		at := slices.IndexFunc(part.list, func(s string) bool { return part.find(s) >= 0 })
		if at < 0 {
			return false, false
		}
		take(part.find(part.list[at]), len(part.list[at]))
	}
	return words, true
}

// number looks for one of a match's AADSTS numbers, the first in the text.
func (f *finder) number(m prepared, h *hit) (found, ok bool) {
	if len(m.AADSTS) == 0 {
		return false, true
	}
	for _, list := range [][]sign{f.aadsts, f.loose} {
		for _, n := range list {
			if number, err := strconv.Atoi(n.code); err == nil && slices.Contains(m.AADSTS, number) {
				h.code, h.pos, h.at = "aadsts"+n.code, n.pos, n.pos
				return true, true
			}
		}
	}
	return false, false
}

func (f *finder) code(m prepared, h *hit) (found, ok bool) {
	if len(m.Codes) == 0 {
		return false, true
	}
	for _, c := range f.codes {
		if slices.Contains(m.Codes, c.code) {
			if h.code == "" {
				h.code, h.pos, h.at = c.code, c.pos, c.pos
			}
			return true, true
		}
	}
	return false, false
}

// write gives a code as Microsoft writes it.
func (t *table) write(code string) string {
	if number, ok := strings.CutPrefix(code, "aadsts"); ok {
		return "AADSTS" + number
	}
	if written, ok := t.written[code]; ok {
		return written
	}
	return code
}

// others lists the codes of the text that the best rule does not speak of: first
// the sign-in service's, then those that say something by themselves.
func (t *table) others(s *signs, best hit, found bool) []Other {
	var out []Other
	add := func(code string) {
		i, known := t.byCode[code]
		if found && (code == best.code || known && i == best.rule) {
			return
		}
		o := Other{Code: t.write(code)}
		if known {
			o.Cause = Rules()[i].Cause
		}
		if len(out) < 5 && !slices.Contains(out, o) {
			out = append(out, o)
		}
	}
	for _, n := range s.aadsts {
		add("aadsts" + n.code)
	}
	for _, n := range s.loose {
		if _, known := t.byCode["aadsts"+n.code]; known {
			add("aadsts" + n.code)
		}
	}
	for _, c := range s.codes {
		if i, known := t.byCode[c.code]; known && !Rules()[i].Broad {
			add(c.code)
		}
	}
	return out
}
