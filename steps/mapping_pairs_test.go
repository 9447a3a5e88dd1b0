package steps

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"msbundle/state"
)

// namePairs are customers and organisations whose names people wrote down apart
// from each other.
type namePairs struct {
	rows          []CustomerRow
	organizations []state.Organization
	truth         []int    // of each row: its organisation; -1 when it has none
	noise         []string // of each row: what was done to the organisation's name
	near          []bool   // of each row: a company of nearly the same name is on the other side
}

var pairHeads = strings.Split(`Contoso|Fabrikam|Northwind Traders|Adventure Works|Litware|Tailspin Toys|Wingtip Toys|Woodgrove Bank|Proseware|Trey Research|`+
	`Wide World Importers|Humongous Insurance|Lucerne Publishing|Margie's Travel|Consolidated Messenger|City Power & Light|Coho Winery|`+
	`Alpine Ski House|Blue Yonder Airlines|Graphic Design Institute|School of Fine Art|Southridge Video|The Phone Company|VanArsdel|`+
	`Fourth Coffee|A. Datum|First Up Consultants|Best For You Organics|Nod Publishers|Relecloud|Munson's Pickles|Lamna Healthcare|`+
	`Fincher Architects|Parnell Aerospace|Baldwin Museum of Science|Bellows College|Südwind Möbel|Café Élan|Ångström Instruments|Peñasco Foods`, "|")

var (
	pairTrades = strings.Split("Dental|Legal|Manufacturing|Associates|Engineering|Services|Solutions|Technologies|Systems|Insurance|Construction|"+
		"Brothers|Logistics & Transport|Management|Properties|Veterinary Clinic|Accounting|Consulting|Landscaping|Family Medicine", "|")
	pairCities = strings.Split("Seattle|Portland|Hamburg|Leeds|Lyon|Denver|Austin|Bristol|Köln|Dallas|Perth|Zürich", "|")
	pairLegal  = strings.Split("Ltd|Limited|Inc.|Inc|Incorporated|LLC|L.L.C.|GmbH|AG|S.A.|Pty Ltd|B.V.|Corp.|Corporation|Co.|PLC|SARL|GmbH & Co. KG", "|")
	// pairSiblings tell companies of one name apart.
	pairSiblings = [][]string{
		{"North", "South"},
		{"East", "West"},
		{"1", "2"},
		{"I", "II"},
		{"A", "B"},
		{"UK", "USA"},
		{"Seattle", "Portland"},
		{"Leeds", "Bristol"},
		{"Holdings", "Operations"},
		{"of Hamburg", "of Köln"},
		{"Northern", "Southern"},
		{"One", "Two"},
		{"Retail", "Wholesale"},
		{"Group", ""},
		{"Foundation", ""},
		{"Dallas", ""},
		{"Dallas", "Dalles"},
		{"Hamburg", "Homburg"},
		{"Martin", "Martins"},
		{"GmbH", "Ltd"},
		{"Inc.", "S.A."},
		{"Old Town", "New Town"},
		{"School", "Schools"},
	}
)

// makePairs makes n customers that have an organisation, and near each third of
// them companies of nearly the same name that only one side has.
func makePairs(seed uint64, n int) namePairs {
	g := pairMaker{r: rand.New(rand.NewPCG(seed, 6)), used: map[string]bool{}}
	for len(g.rows) < n {
		base := g.name()
		if g.r.IntN(3) > 0 {
			g.pair(base, false)
			continue
		}
		two := pairSiblings[g.r.IntN(len(pairSiblings))]
		first, second := with(base, two[0]), with(base, two[1])
		switch g.r.IntN(4) {
		case 0: // both are on both sides
			g.pair(first, true)
			g.pair(second, true)
		case 1: // the second is in Rewst only
			g.pair(first, true)
			g.organization(second)
		case 2: // the second is a customer only
			g.pair(first, true)
			g.customer(second, -1, "no counterpart", true)
		default: // one is a customer only, the other in Rewst only
			g.organization(first)
			g.customer(second, -1, "no counterpart", true)
		}
	}
	return g.shuffled()
}

type pairMaker struct {
	namePairs
	r    *rand.Rand
	used map[string]bool
}

func with(base, suffix string) string { return strings.TrimSpace(base + " " + suffix) }

func (g *pairMaker) name() string {
	for {
		name := pairHeads[g.r.IntN(len(pairHeads))]
		if g.r.IntN(3) > 0 { // an invented family's
			name = g.surname()
			if g.r.IntN(4) == 0 {
				name += " & " + g.surname()
			}
		}
		if g.r.IntN(4) > 0 {
			name += " " + pairTrades[g.r.IntN(len(pairTrades))]
		}
		if key := strings.ToLower(name); !g.used[key] {
			g.used[key] = true
			return name
		}
	}
}

func (g *pairMaker) surname() string {
	one := strings.Fields("Ba Bel Cor Dal Ed Fen Gra Hal Ker Lan Mor Nor Os Pel Quin Ros Sel Tor Ul Ver Wal Yar")
	two := strings.Fields("ber dan er gar ing land le man mer ner rick sen ton ver wick win zel")
	s := one[g.r.IntN(len(one))] + two[g.r.IntN(len(two))]
	if g.r.IntN(2) == 0 {
		s += two[g.r.IntN(len(two))]
	}
	return s
}

func (g *pairMaker) organization(name string) int {
	g.organizations = append(g.organizations, state.Organization{Name: name, Line: len(g.organizations) + 2})
	return len(g.organizations) - 1
}

func (g *pairMaker) customer(name string, truth int, noise string, near bool) {
	id := fmt.Sprintf("%08x-0000-4000-8000-%012x", len(g.rows), g.r.Uint32())
	g.rows = append(g.rows, CustomerRow{Customer: Customer{TenantID: id, Name: name, Domain: id[:8] + ".onmicrosoft.com"}})
	g.truth, g.noise, g.near = append(g.truth, truth), append(g.noise, noise), append(g.near, near)
}

// pair is one company on both sides, written twice.
func (g *pairMaker) pair(name string, near bool) {
	legal := ""
	words := strings.Fields(name)
	if g.r.IntN(3) > 0 && !slices.Contains(pairLegal, words[len(words)-1]) {
		legal = pairLegal[g.r.IntN(len(pairLegal))]
	}
	theirs, noise := g.noisy(name, legal)
	g.customer(theirs, g.organization(with(name, legal)), noise, near)
}

// noisy is a name as somebody else writes it.
func (g *pairMaker) noisy(name, legal string) (string, string) {
	kinds := []string{"none", "legal left out", "legal added", "legal other", "abbreviation", "order", "typo", "accent", "spacing", "apostrophe", "case", "city", "punctuation", "two"}
	kind := kinds[g.r.IntN(len(kinds))]
	if kind == "two" {
		a, b := kinds[g.r.IntN(len(kinds)-1)], kinds[g.r.IntN(len(kinds)-1)]
		once := g.noise1(a, name, &legal)
		return with(g.noise1(b, once, &legal), legal), "two"
	}
	return with(g.noise1(kind, name, &legal), legal), kind
}

func (g *pairMaker) noise1(kind, name string, legal *string) string {
	words := strings.Fields(name)
	switch kind {
	case "legal left out":
		*legal = ""
	case "legal added":
		if *legal == "" {
			*legal = pairLegal[g.r.IntN(len(pairLegal))]
		}
	case "legal other":
		*legal = pairLegal[g.r.IntN(len(pairLegal))]
	case "abbreviation":
		return strings.NewReplacer("International", "Intl", "Manufacturing", "Mfg", "Associates", "Assoc.", "Engineering", "Eng.", "Services", "Svcs",
			"Solutions", "Soln", "Technologies", "Tech", "Systems", "Sys", "Construction", "Constr.", "Brothers", "Bros.", "Management", "Mgmt",
			"Insurance", "Ins.", "Properties", "Props", "Landscaping", "Landsc.", "Veterinary", "Vet.", "Accounting", "Acctg", "Logistics", "Logis.", "Medicine", "Med.", "Hamburg", "HH",
			"Seattle", "SEA", "Northern", "Nthn", "North", "N.", "South", "S.", " & ", " and ", "Consulting", "Cons.", "Group", "Grp", "Holdings", "Hldgs").Replace(name)
	case "order":
		if len(words) > 1 {
			return strings.Join(words[1:], " ") + ", " + words[0]
		}
	case "typo":
		return g.typo(name)
	case "accent":
		if g.r.IntN(2) == 0 {
			return strings.NewReplacer("ü", "ue", "ö", "oe", "Å", "A", "é", "e", "É", "E", "ñ", "n").Replace(name)
		}
		return strings.NewReplacer("ü", "u", "ö", "o", "Å", "A", "é", "e", "É", "E", "ñ", "n", "e", "é", "o", "ò").Replace(name)
	case "spacing":
		if len(words) > 1 && g.r.IntN(2) == 0 {
			return words[0] + strings.ToLower(words[1]) + strings.Join(append([]string{""}, words[2:]...), " ")
		}
		if r := []rune(words[0]); len(r) > 5 {
			return string(r[:3]) + " " + string(r[3:]) + strings.TrimPrefix(name, words[0])
		}
		return strings.Join(words, "  ")
	case "apostrophe":
		if strings.Contains(name, "'") {
			return strings.ReplaceAll(name, "'", []string{"’", "", "`"}[g.r.IntN(3)])
		}
		return strings.ReplaceAll(name, "s ", "'s ")
	case "case":
		return strings.ToUpper(name)
	case "city":
		return name + " - " + pairCities[g.r.IntN(len(pairCities))]
	case "punctuation":
		return strings.Join(words, "-") + ","
	}
	return name
}

// typo is one slip of the pen, in a word that has room for it.
func (g *pairMaker) typo(name string) string {
	r := []rune(name)
	for range 50 {
		i := 1 + g.r.IntN(max(len(r)-2, 1))
		if i+1 >= len(r) || r[i] == ' ' || r[i+1] == ' ' || r[i-1] == ' ' || r[i] == r[i+1] {
			continue
		}
		switch g.r.IntN(4) {
		case 0:
			r[i], r[i+1] = r[i+1], r[i]
		case 1:
			r = slices.Delete(r, i, i+1)
		case 2:
			r = slices.Insert(r, i, r[i])
		default:
			r[i] = rune("aeiourstln"[g.r.IntN(10)])
		}
		break
	}
	return string(r)
}

// shuffled mixes both sides, so that no order helps.
func (g *pairMaker) shuffled() namePairs {
	place := g.r.Perm(len(g.organizations))
	organizations := make([]state.Organization, len(place))
	for from, to := range place {
		organizations[to] = g.organizations[from]
	}
	p := namePairs{organizations: organizations}
	for _, i := range g.r.Perm(len(g.rows)) {
		truth := g.truth[i]
		if truth >= 0 {
			truth = place[truth]
		}
		p.rows, p.truth = append(p.rows, g.rows[i]), append(p.truth, truth)
		p.noise, p.near = append(p.noise, g.noise[i]), append(p.near, g.near[i])
	}
	return p
}
