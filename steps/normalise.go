package steps

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// nameForm is a company's name without what people write differently.
type nameForm struct {
	words []string // what tells it apart, in order
	legal []string // legal forms, one word for each that means the same
	whole string   // all words, the legal forms too
	key   string   // the words in alphabetical order
	run   string   // the words without blanks

	spelt *nameForm // the name with its umlauts as ae, oe and ue; nil when it has none
}

// folded is text in small letters without accents.
func folded(s string) string {
	s = strings.ToLower(s)
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return s
	}
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		switch {
		case unicode.Is(unicode.Mn, r), unicode.Is(unicode.Cf, r):
		case plain[r] != "":
			b.WriteString(plain[r])
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// plain are letters that are not an accent over another letter.
var plain = map[rune]string{'ß': "ss", 'ø': "o", 'æ': "ae", 'œ': "oe", 'ł': "l", 'đ': "d", 'ð': "d", 'þ': "th", 'ı': "i"}

// umlauts are German vowels as they are written where there are none. The other way
// round it is not to be told: Bauer is not Baur.
var umlauts = strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue")

// normalised takes a name apart.
func normalised(name string) nameForm {
	f := form(name)
	composed := norm.NFC.String(strings.ToLower(name))
	if spelt := umlauts.Replace(composed); spelt != composed {
		s := form(spelt)
		f.spelt = &s
	}
	return f
}

func form(name string) nameForm {
	all := joinedInitials(wordsOf(folded(name)))
	var f nameForm
	f.whole = strings.Join(all, " ")
	f.words, f.legal = withoutLegalForms(all)
	sorted := slices.Sorted(slices.Values(f.words))
	f.key, f.run = strings.Join(sorted, " "), strings.Join(f.words, "")
	return f
}

// wordsOf cuts folded text into words as they are compared: abbreviations written
// out, numbers apart from letters, initials without their dots, and nothing of "the"
// and "and".
func wordsOf(s string) []string {
	var words []string
	var b []rune
	initial := 0 // letters since the last dot
	end := func() {
		if w := canonical(string(b)); len(b) > 0 && !slices.Contains(fillers, w) {
			words = append(words, w)
		}
		b, initial = b[:0], 0
	}
	for _, r := range s {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.Is(unicode.Mc, r):
			if len(b) > 0 && unicode.IsDigit(r) != unicode.IsDigit(b[len(b)-1]) {
				end()
			}
			b = append(b, r)
			initial++
		case strings.ContainsRune("'’‘`´ʼ", r):
		case (r == '.' || r == '/') && initial == 1 && len(b) > 0 && unicode.IsLetter(b[len(b)-1]):
			initial = 0 // A.B. and a/s are one word
		default:
			end()
		}
	}
	end()
	if len(words) == 0 { // a name of nothing but fillers is that
		return strings.Fields(s)
	}
	return words
}

func canonical(word string) string {
	if full, found := abbreviations[word]; found {
		return full
	}
	if w := strings.TrimLeft(word, "0"); w != "" && w != word && strings.Trim(w, "0123456789") == "" {
		return w
	}
	return word
}

// joinedInitials makes one word of the blank-separated letters of a legal form at
// the end: "S. A.", "Sp. z o.o.".
func joinedInitials(words []string) []string {
	for n := min(4, len(words)-1); n >= 2; n-- {
		tail := words[len(words)-n:]
		short := !slices.ContainsFunc(tail, func(w string) bool { return len(w) > 2 })
		if joined := strings.Join(tail, ""); short && legalForms[joined] != "" {
			return append(words[:len(words)-n:len(words)-n], joined)
		}
	}
	return words
}

// withoutLegalForms parts a name from its legal forms. The first word is always
// part of the name.
func withoutLegalForms(all []string) (words, legal []string) {
	words = slices.Clone(all)
	drop := func(i int) {
		if form := legalForms[words[i]]; form != "-" && !slices.Contains(legal, form) {
			legal = append(legal, form)
		}
		words = slices.Delete(words, i, i+1)
	}
	for i := len(words) - 1; i > 0; i-- {
		if slices.Contains(surelyLegal, words[i]) {
			drop(i)
		}
	}
	for i := len(words) - 1; i > 0 && legalForms[words[i]] != ""; i-- {
		drop(i)
	}
	return words, legal
}

// sameLegalForm tells whether two names may be of one company as far as their legal
// forms go: people leave them out, and rarely write another.
func (f nameForm) sameLegalForm(g nameForm) bool {
	return len(f.legal) == 0 || len(g.legal) == 0 || slices.ContainsFunc(f.legal, func(s string) bool { return slices.Contains(g.legal, s) })
}

var fillers = []string{"the", "and", "und", "et", "of"}

// abbreviations as they are written out; the plural counts as the singular where
// both are common in names.
var abbreviations = map[string]string{
	"intl": "international", "natl": "national", "mfg": "manufacturing", "mfr": "manufacturer", "assoc": "associates",
	"assocs": "associates", "assn": "association", "bros": "brothers", "svc": "services", "svcs": "services", "serv": "services",
	"service": "services", "mgmt": "management", "mgt": "management", "mktg": "marketing", "dept": "department", "univ": "university",
	"hosp": "hospital", "eng": "engineering", "engr": "engineering", "engrg": "engineering", "grp": "group", "dist": "distribution",
	"distr": "distribution", "sys": "systems", "system": "systems", "sol": "solutions", "solns": "solutions", "soln": "solutions",
	"solution": "solutions", "tech": "technology", "technologies": "technology", "techs": "technology", "ctr": "center", "centre": "center",
	"govt": "government", "ins": "insurance", "fin": "financial", "finl": "financial", "bldg": "building", "bldrs": "builders",
	"constr": "construction", "const": "construction", "comm": "communications", "comms": "communications", "mkt": "market",
	"labs": "laboratories", "lab": "laboratories", "pharm": "pharmacy", "prod": "products", "prods": "products", "ent": "enterprises",
	"entp": "enterprises", "inds": "industries", "ind": "industries", "hldgs": "holdings", "hldg": "holdings", "holding": "holdings",
	"invest": "investments", "inv": "investments", "prop": "properties", "props": "properties", "trans": "transport", "log": "logistics",
	"elec": "electric", "cons": "consulting", "consult": "consulting", "cty": "county", "mt": "mount", "ft": "fort",
	"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9", "ten": "10",
	"ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9",
}

// legalForms by how they are written, each with a word for what means the same; "-"
// for what says nothing.
var legalForms = map[string]string{
	"ltd": "ltd", "limited": "ltd", "ltda": "ltd", "pty": "ltd", "pte": "ltd", "pvt": "ltd", "private": "ltd", "proprietary": "ltd",
	"inc": "inc", "incorporated": "inc", "corp": "inc", "corporation": "inc", "llc": "llc", "lc": "llc", "llp": "llp", "lp": "lp",
	"plc": "plc", "pllc": "pllc", "pc": "pc", "pa": "pa", "gmbh": "gmbh", "mbh": "gmbh", "ggmbh": "gmbh", "ug": "ug",
	"haftungsbeschrankt": "ug", "ag": "ag", "kg": "kg", "kgaa": "kg", "ohg": "ohg", "gbr": "gbr", "ev": "ev", "eg": "eg", "ek": "ek",
	"sa": "sa", "sas": "sas", "sasu": "sas", "sarl": "sarl", "eurl": "sarl", "spa": "spa", "srl": "srl", "sl": "sl", "slu": "sl",
	"sro": "sro", "bv": "bv", "nv": "nv", "bvba": "bv", "ab": "ab", "as": "as", "asa": "as", "aps": "aps", "oy": "oy", "oyj": "oy",
	"kk": "kk", "se": "se", "spzoo": "spzoo", "kft": "kft", "doo": "doo", "ooo": "ooo", "bhd": "bhd", "sdn": "bhd", "cc": "cc",
	"co": "-", "company": "-", "cie": "-", "compagnie": "-", "cia": "-",
}

// surelyLegal are those that mean nothing else, wherever they stand behind a name.
var surelyLegal = []string{
	"ltd", "limited", "ltda", "pty", "pte", "pvt", "inc", "incorporated", "corp", "llc", "llp", "plc", "pllc", "gmbh", "mbh", "ggmbh", "kgaa", "ohg",
	"sarl", "eurl", "sasu", "bvba", "spzoo", "oyj", "haftungsbeschrankt",
}

// telling words tell companies of one name apart, so that none of them is ever
// taken for a slip of the pen.
var telling = func() map[string]bool {
	set := map[string]bool{}
	for w := range strings.FieldsSeq(`north south east west northeast northwest southeast southwest northern southern eastern western
		central midwest midlands upper lower inner outer greater new old young senior junior jr sr first second third fourth fifth last
		uk gb usa us eu emea apac latam dach nordic nordics britain england scotland wales ireland america american canada mexico brazil
		europe european germany france spain italy austria switzerland netherlands belgium poland sweden norway denmark finland australia
		zealand india china japan singapore africa asia asian pacific atlantic mountain coast coastal bay valley lake river hill hills
		city town county state downtown uptown midtown airport global international national regional local holdings group`) {
		set[w] = true
	}
	return set
}()

// tells whether a word decides which of several companies of one name is meant:
// such words, numbers and single letters.
func tells(word string) bool {
	return telling[word] || utf8.RuneCountInString(word) == 1 || strings.ContainsAny(word, "0123456789")
}
