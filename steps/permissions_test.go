package steps

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
	"msbundle/state"
)

// everything is the answers with all integrations and a base.
func everything(base string) state.Answers {
	a := state.DefaultAnswers()
	a.Permissions.Base = base
	a.Integrations = nil
	for _, i := range catalog.Integrations() {
		a.Integrations = append(a.Integrations, i.ID)
	}
	return a
}

func TestParseEntry(t *testing.T) {
	for _, c := range []struct {
		text string
		want Entry
	}{
		{"User.Read", Entry{catalog.GraphAppID, "User.Read", ""}},
		{"User.Read.All/application", Entry{catalog.GraphAppID, "User.Read.All", catalog.Application}},
		{"exchange:Exchange.ManageAsApp/application", Entry{catalog.ExchangeAppID, "Exchange.ManageAsApp", catalog.Application}},
		{"keyvault:user_impersonation", Entry{catalog.KeyVaultAppID, "user_impersonation", ""}},
	} {
		text, want := c.text, c.want
		got, err := ParseEntry(text)
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
		if got.String() != text {
			t.Errorf("%s is written back as %s", text, got)
		}
	}
	for _, text := range []string{"", "exchange:", "mars:User.Read", "User.Read/both", "a b", "User.Read/delegated/application"} {
		if got, err := ParseEntry(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
}

func TestBases(t *testing.T) {
	for base, want := range map[string]Meter{
		"minimum":     {"Office 365 Management APIs", 57, 114, 15},
		"recommended": {"Microsoft Graph", 132, 264, 23},
		"stock":       {"Microsoft Graph", 3730, 7460, 304},
	} {
		sel, bad := Select(everything(base))
		if len(bad) > 0 {
			t.Fatal(bad)
		}
		if diff := cmp.Diff(want, sel.Meter()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", base, diff)
		}
	}
}

func TestSelectionGoesThroughAnswers(t *testing.T) {
	a := everything("stock")
	sel, _ := Select(a)
	for i, p := range sel.Available() {
		if i%7 == 0 {
			sel.Set(p, !sel.Has(p))
		}
	}
	a.Permissions = sel.Answers()
	a.Permissions.Add = append(a.Permissions.Add, "Something.New.All/delegated")
	again, bad := Select(a)
	if len(bad) > 0 {
		t.Fatal(bad)
	}
	if diff := cmp.Diff(sel.Chosen(), again.Chosen()); diff != "" {
		t.Errorf("the selection changed on its way through the answers (-before +after):\n%s", diff)
	}
	if got := again.Extra(); len(got) != 1 || got[0].Name != "Something.New.All" {
		t.Errorf("entries the catalogue does not know: got %v", got)
	}
	if diff := cmp.Diff(a.Permissions, again.Answers()); diff != "" {
		t.Errorf("the answers changed (-before +after):\n%s", diff)
	}
}

func TestRequiredStays(t *testing.T) {
	sel, _ := Select(everything("minimum"))
	for _, p := range sel.Available() {
		if p.Tier != catalog.Minimum {
			continue
		}
		if sel.Set(p, false) || !sel.Has(p) {
			t.Errorf("%s could be left out", p.Key())
		}
		if !strings.Contains(Loss(p), "cannot be authorised without it") {
			t.Errorf("%s: nothing says why it stays", p.Name)
		}
	}
	sel.SetBase(catalog.Stock)
	sel.ReadOnly()
	for _, p := range sel.Chosen() {
		if p.Tier != catalog.Minimum && !strings.Contains(p.Name, ".Read") {
			t.Errorf("read only keeps %s", p.Name)
		}
		if strings.Contains(p.Name, "ReadWrite") {
			t.Errorf("read only keeps %s", p.Name)
		}
	}
}

func TestShortenTakesRedundantReadsFirst(t *testing.T) {
	sel, _ := Select(everything("stock"))
	for _, p := range sel.Available() {
		sel.Set(p, true)
	}
	m := sel.Meter()
	if m.Chars != 3995 || m.Bytes != 7990 || m.Total != 320 || m.Fits() {
		t.Fatalf("got %+v", m)
	}
	redundant := sel.Redundant()
	size := 0
	for _, p := range redundant {
		size += len(p.Name) + 1
	}
	if len(redundant) != 48 || size != 1058 {
		t.Errorf("redundant: got %d worth %d characters, want 48 worth 1058", len(redundant), size)
	}
	drop, enough := sel.Shorten()
	if !enough || len(drop) == 0 || len(drop) > 8 {
		t.Fatalf("got %d to leave out, enough %v", len(drop), enough)
	}
	for _, p := range drop {
		if !slices.Contains(redundant, p) {
			t.Errorf("%s is not redundant", p.Key())
		}
		sel.Set(p, false)
	}
	if !sel.Meter().Fits() {
		t.Errorf("it does not fit afterwards: %+v", sel.Meter())
	}
}

func TestToggleIntegration(t *testing.T) {
	a := state.DefaultAnswers()
	a.Registration.Audience = state.AudienceSingle
	same, said := ToggleIntegration(a, catalog.Graph)
	if !same.Has(catalog.Graph) || said == "" {
		t.Error("Graph could be left out, or nothing was said")
	}
	with, said := ToggleIntegration(a, catalog.CSP)
	if !with.Has(catalog.CSP) || with.Registration.Audience != state.AudienceMulti || said == "" {
		t.Errorf("CSP: got %+v, %q", with, said)
	}
	with.Permissions.Add = []string{"csp:user_impersonation", "Group.Read.All"}
	without, _ := ToggleIntegration(with, catalog.CSP)
	if diff := cmp.Diff([]string{"Group.Read.All"}, without.Permissions.Add); diff != "" {
		t.Errorf("entries of an integration that was left out (-want +got):\n%s", diff)
	}
	if !slices.Contains(with.Permissions.Add, "csp:user_impersonation") {
		t.Error("the answers given in were changed")
	}
}
