package ui

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"
)

// maxMarks is how many combining marks may follow a letter: enough for every
// written language, too few to draw over neighbouring lines.
const maxMarks = 3

// clean makes text from outside harmless to a terminal: one line, no control or
// escape characters, nothing that changes the direction of what follows, nothing
// invisible. What was removed because it could act leaves a mark, so that a name
// made to deceive looks odd.
func clean(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	marks := 0
	for _, r := range s {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || unicode.Is(unicode.Zs, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r):
			b.WriteByte(' ')
		case r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Co, r) || unicode.Is(unicode.Cs, r) || bidiControl(r):
			b.WriteRune(utf8.RuneError)
		case unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r) || invisible(r):
			// Zero width: dropping it keeps widths predictable.
		case unicode.Is(unicode.M, r):
			if marks++; marks <= maxMarks {
				b.WriteRune(r)
			}
			continue
		default:
			b.WriteRune(r)
		}
		marks = 0
	}
	return b.String()
}

// isPage tells whether an address from outside is one of a web page, fit to be
// handed to a browser: ours on this machine, or one that proves who it is.
func isPage(s string) bool {
	return (strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://127.0.0.1:")) && isPlain(s) && !strings.Contains(s, " ")
}

func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func bidiControl(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }

// invisible tells of letters that draw nothing: the Hangul and Braille blanks.
func invisible(r rune) bool {
	return r == 0x115F || r == 0x1160 || r == 0x3164 || r == 0xFFA0 || r == 0x2800
}

// clip makes text from outside harmless and cuts it to a width in cells.
func clip(s string, width int) string {
	return ansi.Truncate(clean(s), max(width, 0), "…")
}

// wrap makes text from outside harmless and breaks it into lines of at most width
// cells. It does not break at hyphens: an id is compared as a whole.
func wrap(s string, width int) []string {
	if s == "" {
		return nil
	}
	const hyphen = "\u2011" // looks the same and is never broken at
	s = ansi.Wrap(strings.ReplaceAll(clean(s), "-", hyphen), max(width, 1), "")
	return strings.Split(strings.ReplaceAll(s, hyphen, "-"), "\n")
}
