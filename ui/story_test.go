package ui

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"msbundle/state"
)

var update = flag.Bool("update", false, "write golden files")

// story drives the wizard the way a person does. It runs inside a bubble of fake
// time: commands are goroutines, waiting costs nothing.
type story struct {
	t     *testing.T
	f     *fake
	app   *App
	msgs  chan tea.Msg
	done  chan struct{}
	ended bool     // the program was told to end
	clip  []string // what went to the clipboard
	urls  []string // what the browser was asked to open
	paper []string // what was written on the terminal's normal screen
}

// tell runs a story. set may change the fake and the configuration first; it runs
// inside the bubble, so that channels made there count as idle.
func tell(t *testing.T, set func(*fake, *Config), tale func(*story)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		f := newFake()
		s := &story{t: t, f: f, msgs: make(chan tea.Msg), done: make(chan struct{})}
		cfg := Config{
			Undo: "msbundle undo", Invitations: "msbundle invitations",
			Again: func(file string, a state.Answers) string {
				return "msbundle apply -f " + file + map[bool]string{true: " --password-out password.txt"}[a.Ready()]
			},
			Setup: f, Answers: state.DefaultAnswers(), NoColor: true,
			Now:     func() time.Time { return epoch.Add(time.Since(begin)) },
			OpenURL: func(url string) error { s.urls = append(s.urls, url); return nil },
			Browse:  func(url string) error { s.urls = append(s.urls, url); return nil },
			Tunnel:  func(port int) string { return fmt.Sprintf("ssh -N -L %d:127.0.0.1:%d alex@server1", port, port) },
			Methods: f.methods,
			Copy:    func(text string) error { s.clip = append(s.clip, text); return nil },
		}
		if set != nil {
			set(f, &cfg)
		}
		s.app = New(cfg)
		s.size(80, 24)
		s.run(s.app.Init())
		s.settle()
		defer func() {
			close(s.done)
			s.app.Stop(time.Second)
			time.Sleep(2 * time.Second) // timers end with nobody listening
		}()
		tale(s)
	})
}

func (s *story) run(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	go func() {
		msg := cmd()
		select {
		case s.msgs <- msg:
		case <-s.done:
		}
	}()
}

// settle takes messages until nothing moves without time passing.
func (s *story) settle() {
	for {
		synctest.Wait()
		select {
		case msg := <-s.msgs:
			s.send(msg)
		default:
			return
		}
	}
}

func (s *story) send(msg tea.Msg) {
	switch msg := msg.(type) {
	case nil:
		return
	case tea.BatchMsg:
		for _, c := range msg {
			s.run(c)
		}
		return
	case tea.QuitMsg:
		s.ended = true
		return
	case tea.RawMsg:
		s.paper = append(s.paper, fmt.Sprint(msg.Msg))
	}
	v := reflect.ValueOf(msg)
	if v.Kind() == reflect.Slice && strings.HasSuffix(v.Type().String(), "sequenceMsg") {
		go func() {
			for i := range v.Len() {
				if c, ok := v.Index(i).Interface().(tea.Cmd); ok && c != nil {
					select {
					case s.msgs <- c():
					case <-s.done:
						return
					}
				}
			}
		}()
		return
	}
	_, cmd := s.app.Update(msg)
	s.run(cmd)
	s.look()
}

func (s *story) size(w, h int) {
	s.send(tea.WindowSizeMsg{Width: w, Height: h})
}

// pass lets time go by.
func (s *story) pass(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		time.Sleep(min(s.app.w.pace(), time.Until(end)))
		s.settle()
	}
}

// jump lets time go by at once, the way a sleeping laptop does: timers fire once.
func (s *story) jump(d time.Duration) {
	time.Sleep(d)
	s.settle()
}

// press presses the first key of each binding.
func (s *story) press(bindings ...key.Binding) {
	s.t.Helper()
	for _, b := range bindings {
		if !b.Enabled() {
			s.t.Fatalf("%q (%s) is not enabled here:\n%s", b.Help().Key, b.Help().Desc, s.text())
		}
		s.keys(b.Keys()[0])
	}
}

// keys presses keys by name.
func (s *story) keys(names ...string) {
	for _, n := range names {
		s.send(keyPress(n))
		s.settle()
	}
}

// types types text.
func (s *story) types(text string) {
	for _, r := range text {
		s.send(tea.KeyPressMsg{Code: r, Text: string(r)})
	}
	s.settle()
}

func keyPress(name string) tea.KeyPressMsg {
	special := map[string]tea.Key{
		"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "space": {Code: tea.KeySpace, Text: " "},
		"tab": {Code: tea.KeyTab}, "shift+tab": {Code: tea.KeyTab, Mod: tea.ModShift}, "up": {Code: tea.KeyUp},
		"down": {Code: tea.KeyDown}, "left": {Code: tea.KeyLeft}, "right": {Code: tea.KeyRight},
		"pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown}, "home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd},
		"backspace": {Code: tea.KeyBackspace}, "ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+u": {Code: 'u', Mod: tea.ModCtrl},
	}
	if k, ok := special[name]; ok {
		return tea.KeyPressMsg(k)
	}
	r := []rune(name)[0]
	return tea.KeyPressMsg{Code: unicode.ToLower(r), Text: string(r)}
}

// clear empties the text field that has focus.
func (s *story) clear() { s.keys("end", "ctrl+u") }

func (s *story) text() string { return ansi.Strip(s.app.View().Content) }

func (s *story) page() string { return s.app.pages[s.app.at].id }

func (s *story) on(page string) {
	s.t.Helper()
	if s.page() != page {
		s.t.Fatalf("got page %s want %s:\n%s", s.page(), page, s.text())
	}
}

// sees fails unless every text is on screen, line breaks aside.
func (s *story) sees(texts ...string) {
	s.t.Helper()
	flat := strings.Join(strings.Fields(s.text()), " ")
	for _, want := range texts {
		if !strings.Contains(flat, want) {
			s.t.Fatalf("not on screen: %q\n%s", want, s.text())
		}
	}
}

func (s *story) misses(text string) {
	s.t.Helper()
	if strings.Contains(strings.Join(strings.Fields(s.text()), " "), text) {
		s.t.Fatalf("on screen: %q\n%s", text, s.text())
	}
}

var (
	styling   = regexp.MustCompile(`\x1b\[[0-9;:]*m|\x1b\]8;[^;\x1b]*;(?:https?://[!-~]*)?(?:\x07|\x1b\\)`)
	dangerous = regexp.MustCompile(`[\x00-\x09\x0b-\x1f\x7f-\x{9f}\x{61c}\x{200b}-\x{200f}\x{202a}-\x{202e}\x{2060}-\x{2064}\x{2066}-\x{2069}\x{feff}]`)
)

// look holds what is drawn against the frame: never wider, never taller, nothing
// in it that acts on a terminal but styles.
func (s *story) look() {
	s.t.Helper()
	content := s.app.View().Content
	lines := strings.Split(content, "\n")
	if len(lines) > s.app.height {
		s.t.Fatalf("got %d lines want at most %d:\n%s", len(lines), s.app.height, content)
	}
	for _, l := range lines {
		if w := ansi.StringWidth(l); w > s.app.width {
			s.t.Fatalf("got a line %d wide want at most %d: %q", w, s.app.width, l)
		}
	}
	if bad := dangerous.FindString(styling.ReplaceAllString(content, "")); bad != "" {
		s.t.Fatalf("got %q on screen:\n%q", bad, content)
	}
}

// golden compares the screen at three sizes with a file.
func (s *story) golden(name string) {
	s.t.Helper()
	var b strings.Builder
	for _, size := range [][2]int{{80, 24}, {120, 40}, {60, 20}} {
		s.size(size[0], size[1])
		b.WriteString(strings.Repeat("=", size[0]) + "\n")
		for l := range strings.SplitSeq(s.text(), "\n") {
			b.WriteString(strings.TrimRight(l, " ") + "\n")
		}
	}
	s.size(80, 24)
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			s.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		s.t.Errorf("%s differs (-want +got); refresh with go test ./ui -update:\n%s", name, diff)
	}
}

// The ways to the screens.

func (s *story) toIntegrations() { s.keys("home", "enter") }

func (s *story) toRegistration() {
	s.toIntegrations()
	s.press(s.app.screen.(*integrations).keys.Next)
}

func (s *story) toPermissions() {
	s.toRegistration()
	s.press(s.app.screen.(*registration).keys.Next)
}

func (s *story) toAuthorize() {
	s.toPermissions()
	s.press(s.app.screen.(*permissions).keys.Next)
}

// toPreflight needs a sign-in that succeeds at once.
func (s *story) toPreflight() {
	s.toAuthorize()
	s.press(s.app.screen.(*authorize).keys.Authorize)
	s.on(pagePreflight)
}

func (s *story) toPlan() {
	s.toPreflight()
	s.press(s.app.screen.(*preflight).keys.Next)
	s.on(pagePlan)
}

func (s *story) toApply() {
	s.toPlan()
	s.press(s.app.screen.(*plan).keys.Apply)
}

// rehearse gives a wizard against another fake.
func rehearse(f *fake) func(context.Context) (Config, error) {
	return func(context.Context) (Config, error) {
		return Config{Setup: f, Answers: state.DefaultAnswers(), Sandbox: "sandbox: happy"}, nil
	}
}
