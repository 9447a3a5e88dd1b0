package catalog

import (
	"html"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxErrorText is how much of a text is looked at: far more than any message, and
// no more than a moment's work.
const maxErrorText = 1 << 20

// signs are what a text shows of an error.
type signs struct {
	shown   string // the text, readable: entities, escapes and odd blanks resolved
	lower   string // the same in small letters, byte for byte in the same place
	words   string // " word word word "
	clauses string // the same, with "|" between sentences and fields

	aadsts []sign // numbers said to be the sign-in service's, in order
	codes  []sign // known codes of services, in order
	loose  []sign // numbers that are called an error or a code, known or not
	status []int
}

// sign is a code and where it stands in the text.
type sign struct {
	code string // in small letters
	pos  int
}

func (s *signs) has(list []sign, code string) (pos int, found bool) {
	i := slices.IndexFunc(list, func(x sign) bool { return x.code == code })
	if i < 0 {
		return 0, false
	}
	return list[i].pos, true
}

var (
	htmlTag       = regexp.MustCompile(`</?[a-zA-Z][^<>]{0,500}>`)
	jsonEscape    = regexp.MustCompile(`\\u00[0-7][0-9a-fA-F]|\\[rnt"'/]`)
	percentEscape = regexp.MustCompile(`%[0-7][0-9A-Fa-f]`)
)

// labelled is something that follows one of a few words. Looking for the words
// first keeps a log of a megabyte from taking a second for each pattern.
type labelled struct {
	labels []string
	form   *regexp.Regexp // of the label and what follows
}

func after(form string, labels ...string) labelled {
	quoted := make([]string, len(labels))
	for i, l := range labels {
		quoted[i] = regexp.QuoteMeta(l)
	}
	return labelled{labels, regexp.MustCompile(`^(?:` + strings.Join(quoted, "|") + `)` + form)}
}

var (
	aadstsNumber   = after(`[ \t\r\n:#_-]{0,3}([0-9]+)`, "aadsts")
	errorCodesList = after(`["']?\s*[:=]\s*\[([0-9,\s]{1,200})\]`, "error_codes")
	calledNumber   = after(`s?(?:\s(?:code|number|no|nr|is|was)\b\.?)*[:=#(\["'\s]{0,6}([0-9]{4,})`, "code", "error", "erreur", "errore", "erro", "fehler")
	calledStatus   = after(`["']?[/0-9.]{0,4}\s{0,2}[:=("']{0,3}\s{0,2}([45][0-9][0-9])`, "http", "status code", "statuscode", "status_code", "status", "client error", "server error",
		"gdap", "graph", "partner center", "exchange online", "resource manager", `"code`, `'code`)
	requestStatus = after(`\S{1,300}: ([45][0-9][0-9])`, "get ", "post ", "patch ", "put ", "delete ")
	// A status can also come before its name, or be the whole text.
	namedStatus = regexp.MustCompile(`([45][0-9][0-9])["')]?[\s:,(-]{1,3}$`)
	statusNames = []string{
		"bad request", "badrequest", "unauthorized", "forbidden", "not found", "notfound", "conflict", "precondition", "too many requests", "toomanyrequests",
		"internal server", "internalserver", "bad gateway", "service unavailable", "gateway time",
	}
	bareNumber = regexp.MustCompile(`^[^\p{L}\p{N}]*([0-9]{3,})[^\p{L}\p{N}]*$`)
	onlyStatus = regexp.MustCompile(`^[^\p{L}\p{N}]*(?:error|code)?[^\p{L}\p{N}]*([45][0-9][0-9])[^\p{L}\p{N}]*(?:error)?[^\p{L}\p{N}]*$`)
)

// read takes a text apart.
func read(text string, known map[string]bool) *signs {
	s := &signs{shown: readable(text)}
	s.lower = asciiLower(s.shown)
	s.words, s.clauses = readWords(s.shown)
	s.readNumbers()
	s.readCodes(known)
	s.readStatus()
	return s
}

// readable resolves what copying and wrapping do to a message.
func readable(text string) string {
	if len(text) > maxErrorText {
		text = text[:maxErrorText]
	}
	text = html.UnescapeString(strings.ToValidUTF8(text, "\uFFFD"))
	if strings.Contains(text, "error_description=") { // the address a browser was sent back to
		text = strings.ReplaceAll(text, "+", " ")
		text = percentEscape.ReplaceAllStringFunc(text, func(e string) string { return hexRune(e[1:]) })
	}
	text = jsonEscape.ReplaceAllStringFunc(text, func(e string) string {
		switch e[1] {
		case 'u':
			return hexRune(e[4:])
		case 'r', 'n', 't':
			return "\n"
		}
		return e[1:]
	})
	text = htmlTag.ReplaceAllString(text, " ")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.Is(unicode.Zs, r) || r == '\r' || r == '\u2028' || r == '\u2029':
			return ' '
		case unicode.Is(unicode.Cf, r): // zero width and soft hyphens
			return -1
		case strings.ContainsRune("‘’‚′", r):
			return '\''
		case strings.ContainsRune("“”„″", r):
			return '"'
		}
		return r
	}, text)
}

func hexRune(digits string) string {
	n, _ := strconv.ParseUint(digits, 16, 8)
	return string(rune(n))
}

// asciiLower keeps every byte in its place.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// begins and ends tell that a place is not in the middle of a word or a number.
func (s *signs) begins(at int) bool {
	before, size := utf8.DecodeLastRuneInString(s.lower[:at])
	return size == 0 || !wordRune(before)
}

func (s *signs) ends(at int) bool {
	after, size := utf8.DecodeRuneInString(s.lower[at:])
	return size == 0 || !wordRune(after) && after != '_'
}

// alone tells that a number is not a part of something longer: of another number,
// of a word, or of an id such as a GUID.
func (s *signs) alone(from, to int) bool {
	if !s.begins(from) || !s.ends(to) {
		return false
	}
	joined := to < len(s.lower) && strings.ContainsRune("-.,", rune(s.lower[to]))
	return !joined || s.ends(to+1)
}

// otherCodes are codes that have nothing to do with errors.
var otherCodes = regexp.MustCompile(`(?:zip|post|postal|area|country|exit|bar|dial|dialling|booking|promo)[ -]?$`)

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func (s *signs) readNumbers() {
	add := func(list *[]sign, from, to int) {
		code := s.lower[from:to]
		if _, twice := s.has(*list, code); !twice && len(*list) < 100 && len(code) <= 12 {
			*list = append(*list, sign{code, from})
		}
	}
	for _, m := range s.find(aadstsNumber) {
		if s.begins(m[0]) && s.ends(m[3]) && s.lower[m[2]] != '0' {
			add(&s.aadsts, m[2], m[3])
		}
	}
	for _, m := range s.find(errorCodesList) {
		at := m[2]
		for part := range strings.SplitSeq(s.lower[m[2]:m[3]], ",") {
			number := strings.TrimSpace(part)
			from := at + strings.Index(part, number)
			if number != "" {
				add(&s.aadsts, from, from+len(number))
			}
			at += len(part) + 1
		}
	}
	for _, m := range slices.Concat(s.find(calledNumber), bareNumber.FindAllStringSubmatchIndex(s.short(), 1)) {
		if s.alone(m[2], m[3]) && s.lower[m[2]] != '0' && !otherCodes.MatchString(s.lower[max(0, m[0]-20):m[0]]) {
			add(&s.loose, m[2], m[3])
		}
	}
}

func (s *signs) readStatus() {
	add := func(from, to int) {
		if n, err := strconv.Atoi(s.lower[from:to]); err == nil && s.alone(from, to) {
			s.status = append(s.status, n)
		}
	}
	for _, m := range slices.Concat(s.find(calledStatus), s.find(requestStatus), onlyStatus.FindAllStringSubmatchIndex(s.short(), 1)) {
		add(m[2], m[3])
	}
	for _, at := range s.places(statusNames) {
		from := max(0, at-8)
		if m := namedStatus.FindStringSubmatchIndex(s.lower[from:at]); m != nil {
			add(from+m[2], from+m[3])
		}
	}
}

// short is a text that may be nothing but a number.
func (s *signs) short() string {
	if len(s.lower) > 200 {
		return ""
	}
	return s.lower
}

// places lists where one of several words stands, in order.
func (s *signs) places(words []string) []int {
	var out []int
	for _, word := range words {
		for at := 0; len(out) < 50_000; {
			i := strings.Index(s.lower[at:], word)
			if i < 0 {
				break
			}
			out = append(out, at+i)
			at += i + len(word)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// find lists the matches of a pattern, as regexp does.
func (s *signs) find(l labelled) [][]int {
	var out [][]int
	for _, at := range s.places(l.labels) {
		m := l.form.FindStringSubmatchIndex(s.lower[at:min(at+400, len(s.lower))])
		for i := range m {
			if m[i] >= 0 {
				m[i] += at
			}
		}
		if m != nil {
			out = append(out, m)
		}
	}
	return out
}

// readCodes finds the codes that are known, as whole words.
func (s *signs) readCodes(known map[string]bool) {
	for i := 0; i < len(s.lower); {
		if !codeByte(s.lower[i]) {
			i++
			continue
		}
		from := i
		for i < len(s.lower) && codeByte(s.lower[i]) {
			i++
		}
		code := s.lower[from:i]
		if _, err := strconv.Atoi(code); err == nil || !known[code] {
			continue
		}
		if _, twice := s.has(s.codes, code); !twice {
			s.codes = append(s.codes, sign{code, from})
		}
	}
	for _, n := range s.loose {
		if known[n.code] {
			s.codes = append(s.codes, n)
		}
	}
}

func codeByte(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_'
}

// sameWords are spellings that mean one thing. Microsoft's pages shorten what its
// services say in full.
var sameWords = map[string]string{
	"doesnt": "does not", "isnt": "is not", "wasnt": "was not", "hasnt": "has not", "havent": "have not", "dont": "do not",
	"cant": "cannot", "couldnt": "could not", "licence": "license", "licences": "licenses", "licenced": "licensed",
}

var britishEndings = strings.NewReplacer("authoris", "authoriz", "initialis", "initializ", "organis", "organiz", "centre", "center", "enrol ", "enroll ")

var sameTerms = strings.NewReplacer(
	" multi factor ", " multifactor ", " multi | factor ", " multifactor ",
)

// readWords reduces a text to its words in small letters, with one blank around
// each: what wrapping, quotes, hyphens and spelling do to a message is gone.
// clauses has a bar where a sentence or a field ends.
func readWords(text string) (words, clauses string) {
	var w, c strings.Builder
	w.Grow(len(text) + 2)
	c.Grow(len(text) + 2)
	w.WriteByte(' ')
	c.WriteString(" | ")
	bar := true
	var token []byte
	flush := func() {
		if len(token) == 0 {
			return
		}
		word := string(token)
		if same, ok := sameWords[word]; ok {
			word = same
		}
		w.WriteString(word)
		w.WriteByte(' ')
		c.WriteString(word)
		c.WriteByte(' ')
		token, bar = token[:0], false
	}
	var before rune
	for i, r := range text {
		after, _ := utf8.DecodeRuneInString(text[i+utf8.RuneLen(r):])
		switch {
		case wordRune(r):
			token = utf8.AppendRune(token, unicode.ToLower(r))
		case (r == '\'' || r == '`') && wordRune(before) && wordRune(after):
			// doesn't
		default:
			flush()
			if !bar && endsClause(before, r, after) {
				c.WriteString("| ")
				bar = true
			}
		}
		before = r
	}
	flush()
	if !bar {
		c.WriteString("| ")
	}
	return oneSpelling(w.String()), oneSpelling(c.String())
}

func oneSpelling(s string) string {
	s = britishEndings.Replace(s)
	s = sameTerms.Replace(s)
	return strings.ReplaceAll(s, " multifactor authentication ", " mfa ")
}

func endsClause(before, r, after rune) bool {
	switch r {
	case ' ', '\t', '_', '/', '\\', '@', '&':
		return false
	case '\n':
		return after == '\n'
	case '-':
		return unicode.IsSpace(before) && unicode.IsSpace(after)
	case '.', ',', ':':
		return !wordRune(after) // a host, a number, a name with dots
	}
	return true
}
