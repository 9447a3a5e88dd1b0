package steps

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"unicode/utf8"

	"msbundle/state"
)

// relationshipNames gives every customer a name for a relationship: unique among
// them and those that are taken, at most 50 characters, and the same in every run
// over the same customers. A name that would be ambiguous, or had to be shortened,
// ends in letters made from the customer's tenant id.
func relationshipNames(template string, customers []Customer, taken map[string]bool) map[string]string {
	plain := map[string]string{} // by tenant
	count := map[string]int{}
	for _, c := range customers {
		name := plainName(template, c)
		plain[c.TenantID] = name
		count[strings.ToLower(name)]++
	}
	out, given := map[string]string{}, map[string]bool{}
	var others []Customer
	for _, c := range customers {
		name := plain[c.TenantID]
		if key := strings.ToLower(name); utf8.RuneCountInString(name) > state.MaxRelationshipName || count[key] > 1 || taken[key] {
			others = append(others, c)
			continue
		}
		out[c.TenantID], given[strings.ToLower(name)] = name, true
	}
	sortStably(others, func(a, b Customer) int { return strings.Compare(a.TenantID, b.TenantID) })
	for _, c := range others {
		for n := 0; ; n++ {
			name := shortened(template, safeName(c.Name), idLetters(c.TenantID, n))
			if key := strings.ToLower(name); !taken[key] && !given[key] {
				out[c.TenantID], given[key] = name, true
				break
			}
		}
	}
	return out
}

func plainName(template string, c Customer) string {
	return strings.ReplaceAll(template, "{customer}", safeName(c.Name))
}

// mostAnew is how many names with letters a customer is thought to have had.
const mostAnew = 20

// nameOf tells whether a relationship has a name that this program gives a
// customer's.
func nameOf(template string, c Customer, name string) bool {
	if strings.EqualFold(name, plainName(template, c)) {
		return true
	}
	for n := range mostAnew {
		if strings.EqualFold(name, shortened(template, safeName(c.Name), idLetters(c.TenantID, n))) {
			return true
		}
	}
	return false
}

// safeName leaves of a company's name what a relationship's name surely takes.
func safeName(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case state.InRelationshipName(r):
			b.WriteRune(r)
		case r == '\'' || r == '’':
		default:
			b.WriteByte(' ')
		}
	}
	name := strings.Join(strings.Fields(b.String()), " ")
	if name == "" {
		return "customer"
	}
	return name
}

// shortened cuts a customer's name, at a word where that leaves most of it, so
// that the template and the letters fit.
func shortened(template, customer, letters string) string {
	room := state.MaxRelationshipName - utf8.RuneCountInString(strings.ReplaceAll(template, "{customer}", "")) - utf8.RuneCountInString(letters) - 1
	runes := []rune(customer)
	if len(runes) > room {
		cut := max(room, 0)
		for i := cut; i > cut*2/3; i-- {
			if runes[i] == ' ' {
				cut = i
				break
			}
		}
		runes = runes[:cut]
	}
	return strings.ReplaceAll(template, "{customer}", strings.TrimSpace(string(runes))+" "+letters)
}

// idLetters are letters made from a tenant id; n makes other ones.
func idLetters(tenant string, n int) string {
	sum := sha256.Sum256(append([]byte(strings.ToLower(tenant)), byte(n)))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:])[:5])
}
