package steps

import (
	"bytes"
	"encoding/csv"
	"strings"
	"unicode"
)

// tableOf writes a table for a spreadsheet, in which no text from outside can act.
func tableOf(header []string, rows [][]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for _, cells := range append([][]string{header}, rows...) {
		safe := make([]string, len(cells))
		for i, c := range cells {
			safe[i] = defused(harmless(c))
		}
		_ = w.Write(safe) // a buffer takes everything
	}
	w.Flush()
	return b.Bytes()
}

// harmless is text of one line that no terminal takes for a command and that reads
// in the direction it is written in. What was removed because it could act leaves a
// mark.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\t', r == '\u2028', r == '\u2029':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}

// defused is text that no spreadsheet takes for a formula.
// https://owasp.org/www-community/attacks/CSV_Injection
func defused(s string) string {
	if strings.ContainsAny(firstRune(strings.TrimLeft(s, " \u00a0\u3000\ufeff")), "=+-@|%\t\r\n＝＋－＠") {
		return "'" + s
	}
	return s
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}
