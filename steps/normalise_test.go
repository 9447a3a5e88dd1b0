package steps

import (
	"cmp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNormalised(t *testing.T) {
	for name, want := range map[string]string{ // words in alphabetical order
		"The Contoso Company, Ltd.": "contoso",
		"CONTOSO, L.L.C.":           "contoso",
		"Contoso S. p. A.":          "contoso",
		"Contoso A/S":               "contoso",
		"A. Datum & Sons":           "a datum sons",
		"Fabrikam Int'l Mfg Co":     "fabrikam international manufacturing",
		"Fabrikam1 GmbH & Co. KG":   "1 fabrikam",
		"Inc":                       "inc",
		"Limited Company":           "limited",
		"Straße Łódź Ørsted":        "lodz orsted strasse",
		"O’Brien":                   "obrien",
		"The":                       "the",
		"Contoso Ltd - Seattle":     "contoso seattle",
		"ﬁrm ①":                     "1 firm",
		"東京商事":                      "東京商事",
		"":                          "",
		"Region 007":                "7 region",
	} {
		if got := normalised(name).key; got != want {
			t.Errorf("%q: got %q want %q", name, got, want)
		}
	}
	if f := normalised("Müller"); f.key != "muller" || f.spelt == nil || f.spelt.key != "mueller" || normalised("Mueller").spelt != nil {
		t.Errorf("got %+v", f)
	}
}

func FuzzNames(f *testing.F) {
	for _, n := range append(nasty, pairHeads...) {
		f.Add(n, "Contoso Ltd")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := normalised(a), normalised(b)
		if g, h := x.grade(y, nil), y.grade(x, nil); (g >= gradeSame) != (h >= gradeSame) {
			t.Errorf("%q and %q: %v one way, %v the other", a, b, g, h)
		}
		if d := alike(x, y); d < 0 || d > 1 || d != alike(y, x) {
			t.Errorf("%q and %q: %v", a, b, d)
		}
		if x.key != "" && x.grade(x, nil) != gradeExact {
			t.Errorf("%q is not itself", a)
		}
		if n := newName(cmp.Or(strings.TrimSpace(a), "t"), "", map[string]bool{}); !utf8.ValidString(n) || n == "" || utf8.RuneCountInString(defused(n)) > 255 {
			t.Errorf("%q became %q", a, n)
		}
	})
}
