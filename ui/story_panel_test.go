package ui

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
	"msbundle/steps"
)

var (
	blocked = &steps.Problem{What: "nobody was signed in", Do: "Try another way.", Rule: "AADSTS53003", Raw: "AADSTS53003: Access has been blocked by Conditional Access policies."}
	azure   = steps.Prompt{Why: "Azure Resource Manager, to look for subscriptions", App: "Microsoft Azure CLI", Skip: true}
	stepUp  = steps.Prompt{Why: "Microsoft Graph asks for a new sign-in before it goes on", App: "Microsoft Graph Command Line Tools"}
)

// toSignIn has a sign-in wait for somebody.
func (s *story) toSignIn() {
	s.toAuthorize()
	s.press(s.app.screen.(*authorize).keys.Authorize)
	s.on(pageSignIn)
}

// signs ends the attempt under way.
func (s *story) signs(err error) {
	done := s.f.signIn
	if s.app.w.panel.call.kind != callSignIn {
		done = s.f.moreDone
	}
	done <- err
	s.settle()
}

func (s *story) panel() *panel {
	s.t.Helper()
	if s.app.w.panel == nil {
		s.t.Fatalf("no sign-in is shown:\n%s", s.text())
	}
	return s.app.w.panel
}

// unasked fails while a sign-in is shown.
func (s *story) unasked() {
	s.t.Helper()
	if s.app.w.panel != nil {
		s.t.Fatalf("a sign-in is still shown:\n%s", s.text())
	}
}

// use goes on by another method.
func (s *story) use(m steps.Method) {
	s.press(s.panel().keys.Methods)
	for s.panel().prompt.Methods[s.panel().choices.Current()] != m {
		s.press(s.panel().keys.move.Up)
	}
	s.press(s.panel().keys.Pick)
}

func waits(f *fake, _ *Config) { f.signIn = make(chan error) }

func TestCodeAppears(t *testing.T) {
	tell(t, func(f *fake, c *Config) {
		waits(f, c)
		c.Answers.Account = "admin@contoso.onmicrosoft.com"
	}, func(s *story) {
		s.size(60, 24) // no room for a QR code, so lines are whole
		s.toSignIn()
		s.sees("Microsoft Graph, to look at the tenant", "Microsoft Graph Command Line Tools", "admin@contoso.onmicrosoft.com",
			"New code in 14:30, by itself", "Only enter this code if you started this sign-in yourself.")
		lines := strings.Split(s.text(), "\n")
		for _, alone := range []string{"FJC3T9Q2W", "https://microsoft.com/devicelogin"} {
			if !slices.ContainsFunc(lines, func(l string) bool { return strings.TrimSpace(l) == alone }) {
				t.Errorf("%s has no line of its own:\n%s", alone, s.text())
			}
		}
		if !strings.Contains(s.app.View().Content, "\x1b]8;;https://microsoft.com/devicelogin") {
			t.Error("the address is no link")
		}
		s.pass(time.Minute)
		s.sees("New code in 13:30")
		want := []string{"\x1b[?1049l\x1b[m\rmsbundle sign-in: open https://microsoft.com/devicelogin and enter FJC3T9Q2W (valid until 09:45)\r\n\x1b[?1049h\x1b[H"}
		if diff := cmp.Diff(want, s.paper); diff != "" {
			t.Errorf("on the normal screen (-want +got):\n%s", diff)
		}
		if got := s.app.Stale(); got != "" {
			t.Errorf("takes back %q while the code serves", got)
		}
		s.signs(nil)
		s.on(pagePreflight)
		s.unasked()
		// The line is longer than the terminal is wide.
		if got, want := s.app.Stale(), "\x1b[2A\r\x1b[J"; got != want {
			t.Errorf("takes back %q of a sign-in that is done want %q", got, want)
		}
		s.size(70, 24) // lines break elsewhere: nobody knows where they are
		if got := s.app.Stale(); got != "" {
			t.Errorf("takes back %q on another size", got)
		}
	})
}

func TestCodeIsRenewed(t *testing.T) {
	tell(t, waits, func(s *story) {
		s.toSignIn()
		s.pass(askAfter - time.Second)
		s.misses("Does the browser show an error?")
		s.f.renew <- struct{}{}
		s.settle()
		s.sees("NEW000002", "Here is a new code. The one before serves, too")
		s.pass(2 * time.Second)
		s.sees("Does the browser show an error?") // a renewal is no new beginning
		s.press(s.panel().keys.Again)
		s.sees("NEW000003")
		s.misses("Here is a new code")
		s.misses("Does the browser show an error?")
		if diff := cmp.Diff([]steps.Method{steps.ByDevice}, s.f.used); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
		if len(s.paper) != 3 || !strings.Contains(s.paper[2], "NEW000003") {
			t.Errorf("got %q on the normal screen want each code", s.paper)
		}
		s.signs(nil)
		s.on(pagePreflight)
	})
}

func TestAnotherCodeTakesAWhile(t *testing.T) {
	tell(t, waits, func(s *story) {
		s.toSignIn()
		s.f.slow = make(chan struct{})
		s.press(s.panel().keys.Again)
		s.pass(3 * time.Second)
		s.sees("Asking Microsoft for a new code.", "3 s so far")
		s.misses("FJC3T9Q2W")
		for _, k := range []string{"c", "a", "o", "e", "n"} { // they need a code
			s.keys(k)
			s.sees("Asking Microsoft for a new code.")
		}
		if len(s.clip) > 0 || len(s.urls) > 0 {
			t.Errorf("got clipboard %q, opened %q", s.clip, s.urls)
		}
		close(s.f.slow)
		s.settle()
		s.sees("NEW000002")
		s.keys("esc")
		s.on(pageAuthorize)
		s.unasked()
	})
}

func TestBrowserErrorLeadsToTheBrowser(t *testing.T) {
	tell(t, waits, func(s *story) {
		s.toSignIn()
		s.press(s.panel().keys.Error)
		s.types("Error code: 53003?") // letters are text here, a question mark too
		s.keys("enter")
		rule, _ := catalog.RuleByID("AADSTS53003")
		s.sees("AADSTS53003", rule.Cause, rule.DoHere(), string(rule.Who), "Press b for a browser on this computer")
		s.press(s.panel().keys.Browser)
		s.sees("Your browser was asked to open the sign-in page.")
		if !slices.Equal(s.urls, []string{fakePage}) {
			t.Errorf("got %q opened want the page", s.urls)
		}
		s.misses("Press b")
		s.signs(nil)
		s.on(pagePreflight)
		if s.app.w.method != steps.ByBrowser {
			t.Errorf("got method %q kept want the one that worked", s.app.w.method)
		}
	})
	tell(t, func(f *fake, c *Config) { waits(f, c); f.methods = []steps.Method{steps.ByDevice, steps.ByTunnel} }, func(s *story) {
		s.toSignIn()
		s.keys("e")
		s.types("53003")
		s.keys("enter", "b")
		s.sees("ssh -N -L 43211:127.0.0.1:43211 alex@server1", "&state=")
		if len(s.urls) > 0 {
			t.Errorf("got %q opened on a machine without a browser", s.urls)
		}
		s.press(s.panel().keys.Copy, s.panel().keys.Address)
		if want := []string{"ssh -N -L 43211:127.0.0.1:43211 alex@server1", fakePage}; !slices.Equal(s.clip, want) {
			t.Errorf("got clipboard %q want %q", s.clip, want)
		}
	})
	tell(t, func(f *fake, c *Config) { waits(f, c); f.methods = []steps.Method{steps.ByDevice} }, func(s *story) {
		s.toSignIn()
		s.keys("e")
		s.types("53003")
		s.keys("enter")
		s.misses("Press b")
		s.sees("Press n to begin again with a new code, or esc")
		s.keys("m", "b")
		s.keys("esc", "e")
		s.types("AADSTS1")
		s.keys("enter")
		s.sees("This error is not known here.")
		s.keys("esc")
		s.sees("FJC3T9Q2W")
		if len(s.f.used) > 0 {
			t.Errorf("got %q used", s.f.used)
		}
	})
}

func TestFailureWaitsForAChoice(t *testing.T) {
	tell(t, waits, func(s *story) {
		s.toSignIn()
		s.signs(blocked)
		s.sees("✗ Nobody was signed in.", "Try another way.", "AADSTS53003", "n try again", "b sign in with a browser instead", "m other ways", "esc go back")
		if s.app.Outcome() != NoSignIn {
			t.Errorf("got outcome %d want NoSignIn", s.app.Outcome())
		}
		s.press(s.panel().keys.Again)
		s.sees("NEW000002")
		s.signs(blocked)
		s.press(s.panel().keys.Methods)
		s.press(s.panel().keys.move.Down, s.panel().keys.Pick)
		s.sees("Your browser was asked")
		if s.app.Outcome() != Left {
			t.Errorf("got outcome %d want Left", s.app.Outcome())
		}
		s.signs(nil)
		s.on(pagePreflight)
		if diff := cmp.Diff([]steps.Method{steps.ByDevice, steps.ByBrowser}, s.f.used); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
	})
}

func TestFailureDoesNotInterruptTyping(t *testing.T) {
	tell(t, waits, func(s *story) {
		s.toSignIn()
		s.keys("e")
		s.types("AADSTS53")
		s.signs(blocked)
		s.types("003: nsm")
		s.sees("What does the browser show?", "AADSTS53003: nsm")
		s.keys("enter")
		s.sees("AADSTS53003")
		s.keys("esc")
		s.sees("✗ Nobody was signed in.")
		if len(s.f.used) > 0 || len(s.f.signIns) != 1 {
			t.Error("typed letters were taken for keys")
		}
	})
}

func TestSignInThatCannotBegin(t *testing.T) {
	tell(t, func(f *fake, _ *Config) {
		f.earlyErr = &steps.Problem{What: "the tenant \"fabrikam.example\" could not be found", Do: "Check it.", RequestID: "42"}
	}, func(s *story) {
		s.toSignIn()
		s.unasked()
		s.sees("✗ The tenant \"fabrikam.example\" could not be found.", "Check it.", "support: 42")
		if s.app.Outcome() != NoSignIn {
			t.Errorf("got outcome %d want NoSignIn", s.app.Outcome())
		}
		s.f.earlyErr = nil
		s.press(s.app.screen.(*signin).keys.Again)
		s.on(pagePreflight)
	})
}

func TestSomebodyElse(t *testing.T) {
	wrong := &steps.Problem{What: "sam@contoso.onmicrosoft.com signed in, and alex@contoso.onmicrosoft.com was expected", Do: "Sign in again.", Retry: true}
	tell(t, func(f *fake, c *Config) { waits(f, c); c.Answers.Account = "alex@contoso.onmicrosoft.com" }, func(s *story) {
		s.toSignIn()
		s.signs(wrong)
		s.sees("alex@contoso.onmicrosoft.com was expected")
		s.press(s.panel().keys.Other)
		s.sees("NEW000002", "whoever signs in")
		s.signs(nil)
		s.on(pagePreflight)
		if diff := cmp.Diff([]string{"alex@contoso.onmicrosoft.com", ""}, s.f.signIns); diff != "" {
			t.Errorf("expected accounts (-want +got):\n%s", diff)
		}
		if got := s.app.w.answers.Account; got != fakeAccount().Username {
			t.Errorf("got account %q in the answers want who signed in", got)
		}
	})
}

// TestAccountIsSwitched goes to the sign-in from a plan and back.
func TestAccountIsSwitched(t *testing.T) {
	tell(t, func(f *fake, c *Config) { c.Answers.Account = fakeAccount().Username }, func(s *story) {
		s.toPlan()
		s.f.signIn = make(chan error)
		s.press(s.app.screen.(*plan).keys.Other)
		s.on(pageSignIn)
		s.sees("whoever signs in")
		s.keys("esc") // as the account of before
		s.on(pagePlan)
		s.unasked()
		if s.app.w.answers.Account != fakeAccount().Username || s.app.w.findings == nil {
			t.Error("going back lost what was known")
		}
		s.keys("s")
		s.f.account.Username = "sam@contoso.onmicrosoft.com"
		s.signs(nil)
		s.on(pagePreflight)
		if len(s.f.inspected) != 2 || s.app.w.answers.Account != "sam@contoso.onmicrosoft.com" {
			t.Errorf("got %d looks at the tenant, account %q", len(s.f.inspected), s.app.w.answers.Account)
		}
	})
}

func TestSignedInIsKept(t *testing.T) {
	tell(t, nil, func(s *story) {
		s.toPreflight()
		s.keys("esc")
		s.on(pageAuthorize)
		s.sees("Signed in as admin@contoso.onmicrosoft.com")
		s.keys("enter")
		s.on(pagePreflight)
		if len(s.f.signIns) != 1 {
			t.Errorf("got %d sign-ins want 1", len(s.f.signIns))
		}
		s.keys("esc", "s")
		s.on(pagePreflight)
		if len(s.f.signIns) != 2 {
			t.Errorf("got %d sign-ins want 2", len(s.f.signIns))
		}
		s.keys("esc", "tab")
		s.types("sam@contoso.onmicrosoft.com")
		s.keys("enter")
		if want := "sam@contoso.onmicrosoft.com"; len(s.f.signIns) != 3 || s.f.signIns[2] != want {
			t.Errorf("got sign-ins of %q want the last of %s", s.f.signIns, want)
		}
	})
}

// TestLeavingASignIn presses esc and ctrl+c in every state of the panel.
func TestLeavingASignIn(t *testing.T) {
	states := map[string]func(*story){
		"code":    func(*story) {},
		"methods": func(s *story) { s.keys("m") },
		"asking":  func(s *story) { s.keys("e") },
		"found":   func(s *story) { s.keys("e", "5", "enter") },
		"page":    func(s *story) { s.keys("m", "down", "enter") },
		"address": func(s *story) { s.keys("m", "down", "enter", "v") },
		"failed":  func(s *story) { s.signs(blocked) },
		"help":    func(s *story) { s.keys("?") },
	}
	nested := []string{"methods", "asking", "found", "address", "help"}
	for name, to := range states {
		t.Run(name, func(t *testing.T) {
			tell(t, waits, func(s *story) {
				s.toSignIn()
				to(s)
				if slices.Contains(nested, name) {
					s.keys("esc")
					s.on(pageSignIn)
					s.panel()
				}
				s.keys("esc")
				s.on(pageAuthorize)
				s.unasked()
				s.press(s.app.screen.(*authorize).keys.Authorize) // and in again
				s.panel()
			})
			tell(t, waits, func(s *story) {
				s.toSignIn()
				to(s)
				s.keys("ctrl+c")
				if !s.ended {
					t.Errorf("the program did not end:\n%s", s.text())
				}
				want := Left
				if name == "failed" {
					want = NoSignIn
				}
				if got := s.app.Outcome(); got != want {
					t.Errorf("got outcome %d want %d", got, want)
				}
			})
		})
	}
}

func TestCopyAndOpen(t *testing.T) {
	tell(t, waits, func(s *story) {
		s.toSignIn()
		s.keys("c")
		s.sees("Sent the code to the terminal's clipboard. If pasting brings something else, type it.")
		s.keys("a", "o")
		s.sees("If nothing opened, open the address yourself.")
		if !slices.Equal(s.clip, []string{"FJC3T9Q2W", "https://microsoft.com/devicelogin"}) || !slices.Equal(s.urls, []string{"https://microsoft.com/devicelogin"}) {
			t.Errorf("got clipboard %q, opened %q", s.clip, s.urls)
		}
	})
	tell(t, func(f *fake, c *Config) { waits(f, c); c.OpenURL, c.Copy, c.Browse = nil, nil, nil }, func(s *story) {
		s.toSignIn()
		if s.panel().keys.Open.Enabled() {
			t.Error("offers to open a browser where there is none")
		}
		s.keys("c")
		s.sees("Sent the code to the terminal's clipboard.")
	})
}

// TestOnlyWebPagesAreOpened holds back an address that a browser must not be given.
func TestOnlyWebPagesAreOpened(t *testing.T) {
	for _, address := range []string{"file:///etc/passwd", "http://login.example/", "https://login.example/\x1b[2J", "https://login.example/ --new"} {
		tell(t, func(f *fake, c *Config) {
			waits(f, c)
			f.code.URL, f.page, f.method = address, address, steps.ByBrowser
		}, func(s *story) {
			s.toSignIn()
			s.use(steps.ByDevice)
			if s.panel().keys.Open.Enabled() || len(s.urls) > 0 || strings.Contains(s.app.View().Content, "\x1b]8;") {
				t.Errorf("%q: opened %q", address, s.urls)
			}
		})
	}
}

func TestSignInInARehearsal(t *testing.T) {
	tell(t, func(f *fake, c *Config) { waits(f, c); c.Sandbox = "sandbox: happy" }, func(s *story) {
		s.toSignIn()
		s.sees("the simulated administrator enters it by itself")
		if s.panel().keys.Open.Enabled() || len(s.paper) > 0 {
			t.Errorf("offers Microsoft's page in a rehearsal: %q", s.paper)
		}
		s.keys("m", "down", "enter")
		s.sees("the simulated administrator signs in by itself")
		if !slices.Equal(s.urls, []string{fakePage}) {
			t.Errorf("got %q opened want the page, for the simulated administrator", s.urls)
		}
	})
	tell(t, func(f *fake, c *Config) {
		waits(f, c)
		c.Sandbox, c.DevicePage = "sandbox: happy", "http://127.0.0.1:43211/devicelogin"
	}, func(s *story) {
		s.toSignIn()
		s.sees("The code means nothing on Microsoft's real page.")
		s.press(s.panel().keys.Open)
		if !slices.Equal(s.urls, []string{"http://127.0.0.1:43211/devicelogin"}) {
			t.Errorf("got %q opened want the sandbox's page", s.urls)
		}
		if len(s.paper) != 1 || !strings.Contains(s.paper[0], "msbundle sign-in (rehearsal): open http://127.0.0.1:43211/devicelogin and enter FJC3T9Q2W") {
			t.Errorf("got %q on the normal screen", s.paper)
		}
	})
}

// TestAddressIsWhole puts the lines of a long address together again, as somebody
// does who selects them with the mouse.
func TestAddressIsWhole(t *testing.T) {
	tell(t, func(f *fake, c *Config) { waits(f, c); f.method = steps.ByBrowser }, func(s *story) {
		s.toSignIn()
		for _, size := range [][2]int{{80, 24}, {120, 40}, {60, 20}} {
			s.size(size[0], size[1])
			if size[0] == 60 {
				s.misses("&state=")
				s.press(s.panel().keys.Whole)
			}
			var selected strings.Builder
			for l := range strings.SplitSeq(s.text(), "\n") {
				if l != "" && !strings.HasPrefix(l, " ") {
					selected.WriteString(strings.TrimRight(l, " "))
				}
			}
			if !strings.Contains(selected.String(), fakePage) {
				t.Errorf("%v: the address cannot be selected:\n%s", size, s.text())
			}
		}
		if !strings.Contains(s.paper[0], fakePage) {
			t.Errorf("got %q on the normal screen want the address whole", s.paper)
		}
	})
}

func TestMethodIsChosenBeforehand(t *testing.T) {
	tell(t, func(f *fake, c *Config) { waits(f, c); c.Answers.Account = "nobody" }, func(s *story) {
		s.toAuthorize()
		s.keys("enter")
		s.on(pageAuthorize)
		s.sees("Mend this first: account.", "is no user name")
		s.clear()
		s.keys("tab", "tab", "right", "right", "enter")
		s.sees("ssh -N -L")
		if diff := cmp.Diff([]steps.Method{steps.ByBrowser, steps.ByTunnel}, s.f.used); diff != "" {
			t.Errorf("asked for (-want +got):\n%s", diff)
		}
	})
}
