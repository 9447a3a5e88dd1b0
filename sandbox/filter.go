package sandbox

import (
	"net/http"
	"slices"
	"strings"
)

// filter decides whether an object is in a list.
type filter func(object) bool

// filterParser reads the part of OData's $filter the directory supports.
// https://learn.microsoft.com/graph/filter-query-parameter
type filterParser struct {
	tokens   []string
	pos      int
	kind     string
	allowed  map[string]string
	advanced bool // needs ConsistencyLevel: eventual and $count=true
}

// parseFilter reads a $filter. It also tells whether it is an advanced query.
func parseFilter(text, kind string, allowed map[string]string) (bool, filter, error) {
	if strings.TrimSpace(text) == "" {
		return false, func(object) bool { return true }, nil
	}
	tokens, ok := scanFilter(text)
	if !ok {
		return false, nil, invalidFilter(text)
	}
	p := &filterParser{tokens: tokens, kind: kind, allowed: allowed}
	f, err := p.either()
	if err != nil {
		return false, nil, err
	}
	if p.pos != len(p.tokens) {
		return false, nil, invalidFilter(text)
	}
	return p.advanced, f, nil
}

func invalidFilter(text string) error {
	return fail(http.StatusBadRequest, "BadRequest", "Invalid filter clause: %s", text)
}

// scanFilter splits a filter into words, quoted strings and punctuation.
func scanFilter(text string) ([]string, bool) {
	var tokens []string
	for i := 0; i < len(text); {
		switch ch := text[i]; {
		case ch == ' ':
			i++
		case strings.IndexByte("(),:", ch) >= 0:
			tokens = append(tokens, string(ch))
			i++
		case ch == '\'':
			j := i + 1
			var b strings.Builder
			for ; ; j++ {
				if j >= len(text) {
					return nil, false
				}
				if text[j] == '\'' {
					if j+1 < len(text) && text[j+1] == '\'' {
						j++
					} else {
						break
					}
				}
				b.WriteByte(text[j])
			}
			tokens = append(tokens, "'"+b.String())
			i = j + 1
		default:
			j := i
			for j < len(text) && strings.IndexByte(" (),:'", text[j]) < 0 {
				j++
			}
			tokens = append(tokens, text[i:j])
			i = j
		}
	}
	return tokens, true
}

func (p *filterParser) peek() string {
	if p.pos < len(p.tokens) {
		return p.tokens[p.pos]
	}
	return ""
}

func (p *filterParser) next() string {
	t := p.peek()
	p.pos++
	return t
}

func (p *filterParser) expect(token string) error {
	if got := p.next(); got != token {
		return invalidFilter("expected '" + token + "' but found '" + got + "'")
	}
	return nil
}

func (p *filterParser) either() (filter, error) {
	left, err := p.both()
	for err == nil && p.peek() == "or" {
		p.next()
		var right filter
		first := left
		if right, err = p.both(); err == nil {
			left = func(o object) bool { return first(o) || right(o) }
		}
	}
	return left, err
}

func (p *filterParser) both() (filter, error) {
	left, err := p.term()
	for err == nil && p.peek() == "and" {
		p.next()
		var right filter
		first := left
		if right, err = p.term(); err == nil {
			left = func(o object) bool { return first(o) && right(o) }
		}
	}
	return left, err
}

func (p *filterParser) term() (filter, error) {
	switch p.peek() {
	case "not":
		p.next()
		p.advanced = true
		inner, err := p.term()
		return func(o object) bool { return !inner(o) }, err
	case "(":
		p.next()
		inner, err := p.either()
		if err != nil {
			return nil, err
		}
		return inner, p.expect(")")
	case "startsWith", "startswith", "endsWith", "endswith":
		return p.function()
	}
	property := p.next()
	if list, isAny := strings.CutSuffix(property, "/any"); isAny {
		return p.any(list)
	}
	operator := strings.ToLower(p.next())
	if err := p.may(property, operator); err != nil {
		return nil, err
	}
	switch operator {
	case "in":
		values, err := p.values()
		return func(o object) bool {
			return slices.ContainsFunc(values, func(v any) bool { return same(o[property], v) })
		}, err
	case "ne":
		p.advanced = true
		value, err := p.literal()
		return func(o object) bool { return !same(o[property], value) }, err
	case "eq":
		value, err := p.literal()
		return func(o object) bool { return same(o[property], value) }, err
	}
	return nil, unsupportedFilter(property, p.kind)
}

// may checks that a property knows an operator.
func (p *filterParser) may(property, operator string) error {
	known := strings.Fields(p.allowed[property])
	if property == "" || operator == "" {
		return invalidFilter(strings.Join(p.tokens, " "))
	}
	if !slices.Contains(known, operator) {
		if !slices.Contains(shapes().Select[p.kind], property) {
			return fail(http.StatusBadRequest, "BadRequest", "Invalid filter clause: Could not find a property named '%s' on type 'microsoft.graph.%s'.", property, p.kind)
		}
		return unsupportedFilter(property, p.kind)
	}
	return nil
}

func (p *filterParser) function() (filter, error) {
	name := strings.ToLower(p.next())
	if err := p.expect("("); err != nil {
		return nil, err
	}
	property := p.next()
	if err := p.may(property, name); err != nil {
		return nil, err
	}
	if err := p.expect(","); err != nil {
		return nil, err
	}
	value, err := p.literal()
	if err != nil {
		return nil, err
	}
	if err := p.expect(")"); err != nil {
		return nil, err
	}
	if p.peek() == "eq" {
		p.next()
		if err := p.expect("true"); err != nil {
			return nil, err
		}
	}
	want, _ := value.(string)
	want = strings.ToLower(want)
	if name == "endswith" {
		p.advanced = true
		return func(o object) bool { return strings.HasSuffix(strings.ToLower(str(o, property)), want) }, nil
	}
	return func(o object) bool { return strings.HasPrefix(strings.ToLower(str(o, property)), want) }, nil
}

// any reads "(t:t eq 'x')" after a collection.
func (p *filterParser) any(property string) (filter, error) {
	if err := p.may(property, "any"); err != nil {
		return nil, err
	}
	if err := p.expect("("); err != nil {
		return nil, err
	}
	variable := p.next()
	if err := p.expect(":"); err != nil {
		return nil, err
	}
	if err := p.expect(variable); err != nil {
		return nil, err
	}
	if err := p.expect("eq"); err != nil {
		return nil, err
	}
	value, err := p.literal()
	if err != nil {
		return nil, err
	}
	return func(o object) bool {
		items, _ := o[property].([]any)
		return slices.ContainsFunc(items, func(v any) bool { return same(v, value) })
	}, p.expect(")")
}

func (p *filterParser) values() ([]any, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	var values []any
	for {
		v, err := p.literal()
		if err != nil {
			return nil, err
		}
		values = append(values, v)
		// https://learn.microsoft.com/graph/aad-advanced-queries: at most 15 values.
		if len(values) > 15 {
			return nil, fail(http.StatusBadRequest, "Request_UnsupportedQuery", "Too many child clauses specified in search filter expression containing 'OR' operators: %d. Max allowed: 15.", len(values))
		}
		if p.peek() != "," {
			return values, p.expect(")")
		}
		p.next()
	}
}

func (p *filterParser) literal() (any, error) {
	switch t := p.next(); {
	case strings.HasPrefix(t, "'"):
		return t[1:], nil
	case t == "true", t == "false":
		return t == "true", nil
	case t == "null":
		return nil, nil
	case isGUID(t):
		return t, nil
	default:
		return nil, invalidFilter("'" + t + "' is not a literal")
	}
}

// same compares as the directory does: without regard to case.
func same(a, b any) bool {
	x, isText := a.(string)
	y, alsoText := b.(string)
	if isText && alsoText {
		return strings.EqualFold(x, y)
	}
	return a == b
}
