package ui

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"charm.land/bubbles/v2/key"
	"github.com/charmbracelet/x/ansi"
	"rsc.io/qr"

	"msbundle/state"
)

func TestClean(t *testing.T) {
	tests := map[string]string{
		"Contoso":                         "Contoso",
		"Münchner Bräu – 東京":              "Münchner Bräu – 東京",
		"a\nb\r\tc":                       "a b  c",
		"\x1b[31mred":                     "\uFFFD[31mred",
		"\x9b31m":                         "\uFFFD31m",
		"a\u202eb":                        "a\uFFFDb",
		"z\u200be\ufeffr\u2060o\u00ad":    "zero",
		"a\u2028b\u00a0c":                 "a b c",
		"e\u0301":                         "e\u0301",
		"x" + strings.Repeat("\u0301", 9): "x" + strings.Repeat("\u0301", maxMarks),
		"\xff":                            "\uFFFD",
		"\U000E0041tag":                   "tag",
	}
	for in, want := range tests {
		if got := clean(in); got != want {
			t.Errorf("clean(%q): got %q want %q", in, got, want)
		}
	}
}

func TestWrapKeepsIdsWhole(t *testing.T) {
	got := wrap("the client id is cccccccc-0000-0000-0000-000000000001, in full", 40)
	want := []string{"the client id is", "cccccccc-0000-0000-0000-000000000001, in", "full"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q want %q", got, want)
	}
}

func TestClip(t *testing.T) {
	for _, s := range append(slices.Clone(nasty), "plain") {
		for w := range 30 {
			if got := ansi.StringWidth(clip(s, w)); got > w {
				t.Errorf("clip(%q, %d): got %d cells", s, w, got)
			}
		}
	}
}

func TestSentence(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "it failed": "It failed.", "Done.": "Done.", "use 12": "Use 12", "über": "Über.", "like (a@b.c)": "Like (a@b.c)",
	} {
		if got := sentence(in); got != want {
			t.Errorf("sentence(%q): got %q want %q", in, got, want)
		}
	}
}

func TestNumbersAndTimes(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 3850: "3,850", 1234567: "1,234,567", -3850: "-3,850", -100: "-100"} {
		if got := number(n); got != want {
			t.Errorf("number(%d): got %s want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 59 * time.Second: "59 s", 61 * time.Second: "1 min 1 s", 3*time.Hour + 5*time.Minute: "3 h 5 min",
	} {
		if got := elapsed(d); got != want {
			t.Errorf("elapsed(%s): got %s want %s", d, got, want)
		}
	}
	if got := clock(845 * time.Second); got != "14:05" {
		t.Errorf("clock: got %s want 14:05", got)
	}
}

func TestGlyphsDiffer(t *testing.T) {
	seen := map[string]rune{}
	for r, g := range glyphs {
		width := len(g[0])
		for _, l := range g {
			if len(l) != width {
				t.Errorf("%c: rows of different width", r)
			}
		}
		drawn := strings.Join(g[:], "\n")
		if other, ok := seen[drawn]; ok && r != ' ' && other != ' ' {
			t.Errorf("%c and %c look the same", r, other)
		}
		seen[drawn] = r
	}
	for _, r := range "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789" {
		if _, ok := glyphs[r]; !ok {
			t.Errorf("%c cannot be drawn", r)
		}
	}
	if bigText("FJC3T9Q2W", 20) != nil || bigText("é", 80) != nil {
		t.Error("drew what does not fit or is unknown")
	}
}

// TestQRCode reads the drawn modules back, in both ways of drawing them.
func TestQRCode(t *testing.T) {
	const url = "https://microsoft.com/devicelogin"
	code, err := qr.Encode(url, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	for name, theme := range map[string]*Theme{
		"colour": newTheme(true, true), "dark terminal": newTheme(true, false), "light terminal": newTheme(false, false),
	} {
		inkIsDark := theme.colour || !theme.dark
		lines := qrCode(theme, url)
		if len(lines) != 17 || ansi.StringWidth(lines[0]) != 33 {
			t.Fatalf("%s: got %d x %d want 33 x 17", name, ansi.StringWidth(lines[0]), len(lines))
		}
		for y := -quiet; y < code.Size+quiet; y++ {
			for x := -quiet; x < code.Size+quiet; x++ {
				cell := []rune(ansi.Strip(lines[(y+quiet)/2]))[x+quiet]
				ink := cell == '█' || cell == '▀' && (y+quiet)%2 == 0 || cell == '▄' && (y+quiet)%2 == 1
				if ink == inkIsDark != code.Black(x, y) {
					t.Fatalf("%s: module %d,%d is wrong", name, x, y)
				}
			}
		}
	}
	if qrCode(newTheme(true, true), strings.Repeat("x", 5000)) != nil {
		t.Error("drew what cannot be encoded")
	}
}

func TestTakeCursor(t *testing.T) {
	text, x, y, ok := takeCursor("abc\n\x1b[1m統d\x1b[m" + cursorMark + "e\nf" + cursorMark)
	if text != "abc\n\x1b[1m統d\x1b[me\nf" || x != 3 || y != 1 || !ok {
		t.Errorf("got %q %d,%d %v", text, x, y, ok)
	}
}

func TestFieldScrolls(t *testing.T) {
	f := newField(strings.Repeat("0123456789", 10), "")
	f.Focus()
	theme := newTheme(true, false)
	for range 120 {
		_, x, _, ok := takeCursor(f.View(theme, 20))
		if !ok || x >= 20 {
			t.Fatalf("got cursor at %d, shown %v want it within 20 cells", x, ok)
		}
		f.Update(keyPress("left"))
	}
	f = newField("a\x1b[31mb\u202e", "")
	if got := f.Value(); strings.ContainsAny(got, "\x1b\u202e") {
		t.Errorf("got %q in a field", got)
	}
}

func pickerRows(groups, each int) []row {
	var rows []row
	for g := range groups {
		rows = append(rows, row{group: g, head: true})
		for i := range each {
			rows = append(rows, row{group: g, search: fmt.Sprintf("group %d row %d user.readwrite.all", g, i)})
		}
	}
	return rows
}

func TestPicker(t *testing.T) {
	p := newPicker(pickerRows(3, 4)) // rows 0..14, headings at 0, 5, 10
	p.Move(7)
	if p.Current() != 7 {
		t.Fatalf("got row %d want 7", p.Current())
	}
	p.Collapse(true)
	if p.Current() != 5 || len(p.visible) != 11 {
		t.Errorf("got row %d of %d want the heading 5 of 11", p.Current(), len(p.visible))
	}
	p.Move(1)
	if p.Current() != 10 {
		t.Errorf("got row %d want 10", p.Current())
	}
	p.Filter("GROUP 1 row 2") // looks into closed groups, shows the heading, stands on the row
	if p.Current() != 8 || !slices.Equal(p.visible, []int{5, 8}) {
		t.Errorf("got row %d of %v want 8 of [5 8]", p.Current(), p.visible)
	}
	p.Filter("")
	if len(p.visible) != 11 {
		t.Errorf("got %d rows want 11", len(p.visible))
	}
	p.Filter("nothing like it")
	if p.Current() != -1 {
		t.Errorf("got row %d want none", p.Current())
	}
	p.Move(1)
	p.Collapse(true)
	p.Filter("")
	p.Select(7)
	if p.Current() != 7 || p.Collapsed(1) {
		t.Errorf("got row %d, closed %v want 7 in an open group", p.Current(), p.Collapsed(1))
	}
	p.Move(-100)
	p.Move(100)
	if p.Current() != 14 {
		t.Errorf("got row %d want the last", p.Current())
	}
	p.SetRows(nil)
	p.Move(3)
	if p.Current() != -1 || len(p.View(5, nil)) != 0 {
		t.Error("an empty picker has rows")
	}
}

func TestPickerWindow(t *testing.T) {
	p := newPicker(pickerRows(2, 20))
	for range 42 {
		var drawn []int
		current := 0
		lines := p.View(9, func(i int, c bool) string {
			drawn = append(drawn, i)
			if c {
				current++
			}
			return ""
		})
		if len(lines) != 9 || current != 1 || !slices.Contains(drawn, p.Current()) {
			t.Fatalf("at row %d: got %d lines, cursor drawn %d times", p.Current(), len(lines), current)
		}
		if !p.rows[drawn[0]].head && drawn[0] != p.Current() {
			t.Fatalf("at row %d: the window begins with row %d and no heading", p.Current(), drawn[0])
		}
		p.Move(1)
	}
}

// TestHelpShowsWhatWorks holds the full help of every screen against the enabled
// bindings of its key struct.
func TestHelpShowsWhatWorks(t *testing.T) {
	check := func(s *story) {
		s.t.Helper()
		keys := s.app.front().Keys()
		var shown []string
		for _, group := range keys.FullHelp() {
			for _, b := range group {
				if b.Enabled() {
					shown = append(shown, fmt.Sprint(b.Keys()))
				}
			}
		}
		enabled := enabledKeys(reflect.Indirect(reflect.ValueOf(keys)))
		slices.Sort(shown)
		slices.Sort(enabled)
		if !slices.Equal(shown, enabled) {
			s.t.Errorf("%s: help shows %v, enabled are %v", s.page(), shown, enabled)
		}
		for _, b := range keys.ShortHelp() {
			if b.Enabled() && !slices.Contains(shown, fmt.Sprint(b.Keys())) {
				s.t.Errorf("%s: the bottom line has %q, the full help has not", s.page(), b.Help().Desc)
			}
		}
	}
	tell(t, func(f *fake, c *Config) {
		f.signIn = make(chan error)
		everything(&c.Answers)
		f.findings.SameName = sameNamed()
		withPolicies(f)
	}, func(s *story) {
		steps := [][]string{
			{}, {"enter"}, {"enter"}, {"down", "down"}, {"enter"}, {"/"}, {"esc"}, {"x"}, {"enter"}, {"up"}, {"enter"}, {"enter"}, {"e"}, {"esc"},
		}
		for _, keys := range steps {
			s.keys(keys...)
			check(s)
		}
		s.f.signIn <- nil
		s.settle()
		for _, keys := range [][]string{{}, {"enter"}, {"n"}, {"esc"}, {"enter"}, {"enter"}, {"up"}, {"down", "enter"}, {"esc"}, {"end"}, {"enter"}, {"r"}} {
			s.keys(keys...)
			check(s)
		}
		s.on(pageResult)
		for _, keys := range [][]string{{}, {"n"}, {"tab"}, {"tab"}, {"right"}} { // the service account
			s.keys(keys...)
			check(s)
		}
		s.on(pageAccount)
		s.focus(readyPolicies)
		check(s)
		for _, keys := range [][]string{{"space"}, {"down"}, {"esc"}, {"v"}, {"down"}, {"esc"}, {"enter"}, {"A"}, {"v"}, {"esc"}, {"r"}} {
			s.keys(keys...)
			check(s)
		}
		s.on(pageResult)
	})
	tell(t, func(f *fake, _ *Config) { approving(4)(f) }, func(s *story) { // the customers
		s.toGDAP()
		for _, keys := range [][]string{{}, {"tab", "space"}, {"down"}, {"/"}, {"t"}, {"enter"}, {"esc"}, {"esc"}, {"up", "right", "tab", "space"}, {"a"}, {"u"}, {"space"}, {"esc"}, {"tab", "space"}, {"down"}, {"esc"}, {"v"}, {"esc"}, {"r"}, {"enter"}, {"c"}, {"right"}, {"A"}} {
			s.keys(keys...)
			check(s)
		}
		s.on(pageApply)
		s.steps(2)
		for _, keys := range [][]string{{}, {"down"}, {"m"}, {"down"}, {"esc"}, {"/"}, {"x"}, {"enter"}, {"esc"}, {"x"}, {"esc"}, {"x", "enter"}, {"d"}, {"f"}} {
			s.keys(keys...)
			check(s)
		}
		s.steps(1)
		s.on(pageResult)
		check(s)
	})
}

func enabledKeys(v reflect.Value) []string {
	var out []string
	for _, f := range v.Fields() {
		if f.Type() == reflect.TypeFor[moveKeys]() {
			out = append(out, enabledKeys(f)...)
			continue
		}
		// Bindings hold their keys unexported; a pair of settings is enough to tell.
		b := key.NewBinding(key.WithKeys(stringsOf(f.FieldByName("keys"))...))
		if !f.FieldByName("disabled").Bool() {
			out = append(out, fmt.Sprint(b.Keys()))
		}
	}
	return out
}

func stringsOf(v reflect.Value) []string {
	out := make([]string, v.Len())
	for i := range out {
		out[i] = v.Index(i).String()
	}
	return out
}

func TestRehearsing(t *testing.T) {
	rehearsal := newFake()
	tell(t, func(_ *fake, c *Config) { c.Rehearse = rehearse(rehearsal) }, func(s *story) {
		s.keys("down", "down", "down", "down")
		s.sees("› Rehearse in the sandbox")
		s.keys("enter")
		s.on(pageIntegrations)
		s.sees("REHEARSAL")
		s.keys("enter", "enter", "enter", "enter")
		s.on(pagePreflight)
		if rehearsal.codes != 1 || s.f.codes != 0 {
			t.Errorf("got %d sign-ins in the sandbox, %d in the tenant want 1, 0", rehearsal.codes, s.f.codes)
		}
		s.sees("REHEARSAL")
	})
}

func TestUnusableAnswersStopAtAuthorize(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.open = append(f.open, unfinishedContoso())
		f.resumed = state.DefaultAnswers()
		f.resumed.Region = "mars"
	}, func(s *story) {
		s.keys("enter")
		s.on(pageAuthorize)
		s.sees(`region: "mars" is not known`)
		s.keys("enter")
		s.on(pageAuthorize)
	})
}

// BenchmarkPicker is one key and one frame of the permissions screen's list with
// 1,500 rows; it has to stay under two milliseconds.
func BenchmarkPicker(b *testing.B) {
	p := newPicker(pickerRows(5, 300))
	f := Frame{Width: 116, Height: 34, Theme: newTheme(true, true)}
	t := f.Theme
	words := []string{"user", "", "row 2", "readwrite", ""}
	for i := 0; b.Loop(); i++ {
		switch i % 3 {
		case 0:
			p.Move(1)
		case 1:
			p.Move(40)
		case 2:
			p.Filter(words[i%len(words)])
		}
		f.fill(f.list(p, func(i int, current bool, w int) string {
			return t.cursorAt(current) + t.tick(true) + " " + t.tick(false) + pad(t.row(clip(p.rows[i].search, w-30), current), w-20) + t.risk(4)
		}))
	}
}

// BenchmarkPermissions is one key and one frame of the whole wizard on its
// heaviest screen.
func BenchmarkPermissions(b *testing.B) {
	cfg := Config{Setup: newFake(), Answers: state.DefaultAnswers(), Now: time.Now}
	everything(&cfg.Answers)
	a := New(cfg)
	a.width, a.height = 120, 40
	a.openPage(a.index(pagePermissions))
	keys := []string{"down", "space", "down", "pgdown", "space", "home"}
	for i := 0; b.Loop(); i++ {
		a.Update(keyPress(keys[i%len(keys)]))
		a.View()
	}
}
