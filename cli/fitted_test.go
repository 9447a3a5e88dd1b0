package cli

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Lines are broken between words, what is long in itself stays whole, and what
// belongs to a column stays in it.
func TestFitted(t *testing.T) {
	const link = "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?client_id=1"
	for _, c := range []struct {
		name   string
		writes []string
		want   string
	}{
		{"short", []string{"Nothing to change.\n"}, "Nothing to change.\n"},
		{"a sentence", []string{"The app's own sign-in is opened. It takes a browser.\n"}, "The app's own sign-in is opened. It\ntakes a browser.\n"},
		{"an item", []string{"- Give the app its permissions at the customer\n"}, "- Give the app its permissions at the\n  customer\n"},
		{"indented", []string{"    What to do: ask the customer for a new one\n"}, "    What to do: ask the customer for a\n    new one\n"},
		{"a column", []string{"  red   Humongous Insurance, Trey Research\n"}, "  red   Humongous Insurance, Trey\n        Research\n"},
		{"an address", []string{"open there\n\n" + link + "\n\nOnly go on\n"}, "open there\n\n" + link + "\n\nOnly go on\n"},
		{"an address in a sentence", []string{"Open " + link + " and go on\n"}, "Open\n" + link + "\nand go on\n"},
		{"in parts", []string{"By rewst@contoso.com in tenant Contoso", ", 57 writes", ".\n"}, "By rewst@contoso.com in tenant Contoso,\n57 writes.\n"},
		{"exactly as wide", []string{strings.Repeat("a", 38) + " b\n"}, strings.Repeat("a", 38) + " b\n"},
		{"wide letters", []string{"世界世界世界世界世界 世界世界世界世界世界 b\n"}, "世界世界世界世界世界\n世界世界世界世界世界 b\n"},
		{
			"after an answer", // typed with enter, which this side does not see
			[]string{"\nMake these 12 writes at 3? Type yes: ", "- Customers: 57 of 57 done\n"}, "\nMake these 12 writes at 3? Type yes: - Customers: 57 of 57 done\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			f := &fitted{Writer: &out, columns: func() int { return 42 }}
			for _, text := range c.writes {
				if n, err := fmt.Fprint(f, text); n != len(text) || err != nil {
					t.Errorf("wrote %d, %v", n, err)
				}
			}
			if diff := cmp.Diff(c.want, out.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Where the width is not known, or nothing is a terminal, nothing is broken.
func TestFittedToNothing(t *testing.T) {
	const text = "The app's own sign-in is opened. It takes a browser.\n"
	var out strings.Builder
	fmt.Fprint(&fitted{Writer: &out, columns: func() int { return 0 }}, text)
	if out.String() != text {
		t.Errorf("got %q", out.String())
	}
	if w := (&app{}).fit(&out); w != &out {
		t.Errorf("got %T", w)
	}
}
