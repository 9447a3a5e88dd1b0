package steps

import (
	"crypto/sha256"
	"encoding/base32"
	"strings"
	"unicode"
	"unicode/utf8"

	"msbundle/catalog"
	"msbundle/state"
)

// groupName is what the group of a role is called.
func groupName(template, role string) string { return strings.ReplaceAll(template, "{role}", role) }

// groupRole tells which role a group is for by its name: by the template of the
// answers, or by the other ways the vendor's guides name them.
func groupRole(template, name string) (catalog.Role, bool) {
	for _, t := range []string{template, "Rewst GDAP-{role}", "Rewst GDAP - {role}", "Rewst GDAP {role}", "Rewst - {role}"} {
		before, after, _ := strings.Cut(t, "{role}")
		rest, begins := strings.CutPrefix(strings.ToLower(name), strings.ToLower(before))
		rest, ends := strings.CutSuffix(rest, strings.ToLower(after))
		if !begins || !ends {
			continue
		}
		for _, r := range catalog.ServiceRoles() {
			if rest == strings.ToLower(r.Name) {
				return r, true
			}
		}
	}
	return catalog.Role{}, false
}

// relationshipNames gives every customer a name for a relationship: unique among
// them and those that are taken, at most 50 characters, and the same in every run
// over the same customers. A name that would be ambiguous, or had to be shortened,
// ends in letters made from the customer's tenant id.
func relationshipNames(template string, customers []Customer, taken map[string]bool) map[string]string {
	plain := map[string]string{} // by tenant
	count := map[string]int{}
	for _, c := range customers {
		name := strings.ReplaceAll(template, "{customer}", safeName(c.Name))
		plain[c.TenantID] = name
		count[strings.ToLower(name)]++
	}
	out := map[string]string{}
	for _, c := range customers {
		name := plain[c.TenantID]
		if utf8.RuneCountInString(name) <= state.MaxRelationshipName && count[strings.ToLower(name)] == 1 && !taken[strings.ToLower(name)] {
			out[c.TenantID] = name
			continue
		}
		for n := 0; ; n++ {
			name = shortened(template, safeName(c.Name), idLetters(c.TenantID, n))
			if !taken[strings.ToLower(name)] {
				break
			}
		}
		out[c.TenantID] = name
	}
	return out
}

// safeName leaves of a company's name what a relationship's name surely takes:
// letters, digits, blanks, dashes and underscores.
func safeName(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.Is(unicode.Mn, r), r == '-', r == '_':
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
