package ui

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"msbundle/state"
	"msbundle/steps"
)

// wizard is what the screens share: what the person chose and what has come of
// it so far.
type wizard struct {
	cfg    Config
	ctx    context.Context // of the program; screens derive theirs from it
	cancel context.CancelFunc
	now    time.Time // when the last message arrived
	run    int       // of the current screen; results of an earlier one are dropped

	answers  state.Answers
	existing bool          // an app that is already there is to be used
	parts    state.Answers // of the stage about the tenant, as they were before they were left out
	chosen   bool          // an answer was given, or answers were loaded
	account  *steps.Account
	noSignIn bool   // the last sign-in failed
	as       string // who is to sign in next; empty when that is anybody
	played   string // who a rehearsal's person is, if not the usual one

	reminders map[string]time.Time // when customers had been reminded before that was noted here, by relationship

	noPolicies bool // Conditional Access was left out while there was an account

	*course // of the stage that is open
	courses map[steps.Stage]*course

	prompts *prompts
	panel   *panel // a sign-in under way; stands in front of the screen
	paper   paper
	method  steps.Method // of signing in, as far as it is known

	notice notice
	save   saving
	move   *move
	ask    *question
	goes   bool // a screen wishes to end the program the way ctrl+c does, unasked
	quits  bool // the same, asking first where ctrl+c does
}

// notice is one sentence above the keys. It goes away with the next key.
type notice struct {
	mark string
	text string
}

// move is a screen's wish to go elsewhere.
type move struct {
	to       string
	byItself bool // nobody pressed a key for it
}

// question stands in front of everything until it is answered.
type question struct {
	title string
	text  string
	yes   string // what y does
	no    string // what n does
	agree func() tea.Cmd
}

// stamped is a result that belongs to one run of a screen.
type stamped interface{ stamp() run }

// run numbers a screen's opening; messages embed it.
type run int

func (r run) stamp() run { return r }

// saving writes the answers one after the other, never two at once: the later
// file must win.
type saving struct {
	busy  bool
	again bool
	path  string
	err   error
	last  *state.Answers
}

type savedMsg struct {
	path string
	err  error
}

func newWizard(ctx context.Context, cfg Config) *wizard {
	ctx, cancel := context.WithCancel(ctx)
	w := &wizard{
		ctx: ctx, cancel: cancel, now: cfg.Now(), answers: cfg.Answers.Clone(), courses: map[steps.Stage]*course{},
		prompts: newPrompts(), method: steps.ByDevice, reminders: map[string]time.Time{},
	}
	w.answers.NoApp = true // until that stage is gone through, or answers about an app are loaded
	w.enter(steps.StageAuthorize)
	if len(cfg.Methods) > 0 {
		w.method = cfg.Methods[0]
	}
	setup := newOneByOne(cfg.Setup)
	setup.tell(w.prompts)
	cfg.Setup = setup
	w.cfg = cfg
	return w
}

func (w *wizard) open(id string)         { w.move = &move{to: id} }
func (w *wizard) openByItself(id string) { w.move = &move{to: id, byItself: true} }
func (w *wizard) say(mark, text string)  { w.notice = notice{mark, text} }

// setAnswers changes answers and forgets what followed from the old ones.
func (w *wizard) setAnswers(a state.Answers) {
	if reflect.DeepEqual(a, w.answers) {
		return
	}
	if a.Tenant != w.answers.Tenant || a.Registration.Kind != w.answers.Registration.Kind {
		w.account = nil
	}
	w.answers, w.chosen = a, true
	w.forgetFindings()
}

// saveAnswers writes the answers unless they are already there, or cannot be used
// as they stand: a file that cannot be read back helps nobody.
func (w *wizard) saveAnswers() tea.Cmd {
	a := w.usable()
	if a.Blank() || len(a.Validate()) > 0 {
		return nil
	}
	if w.save.busy {
		w.save.again = true
		return nil
	}
	if w.save.last != nil && reflect.DeepEqual(*w.save.last, a) {
		return nil
	}
	w.save.busy, w.save.last = true, &a
	setup := w.cfg.Setup
	return func() tea.Msg {
		path, err := setup.Save(a)
		return savedMsg{path, err}
	}
}

func (w *wizard) saved(msg savedMsg) tea.Cmd {
	w.save.busy, w.save.err = false, msg.err
	if msg.err != nil {
		w.save.last = nil
		p := problemOf(msg.err)
		why := p.What
		if strings.HasPrefix(why, "the answers could not be saved") { // said already
			why = p.Do
		}
		w.say("!", "The answers could not be saved: "+why)
	} else {
		w.save.path = msg.path
	}
	if w.save.again {
		w.save.again = false
		return w.saveAnswers()
	}
	return nil
}

// again looks at the tenant anew, so that what is left can be planned: whatever
// the last apply did is found there.
func (w *wizard) again() {
	ended := *w.course // until something else is carried out, that is how the stage came out
	ended.before, w.before = nil, &ended
	w.apply, w.plan, w.result, w.awaited = nil, nil, nil, nil
	w.forgetFindings()
	w.open(lookPage(w.stage))
}

// copyText puts text on the clipboard in both ways there are. Neither can be
// known to have worked.
func (w *wizard) copyText(text string) tea.Cmd {
	cmds := []tea.Cmd{tea.SetClipboard(text)}
	if native := w.cfg.Copy; native != nil {
		cmds = append(cmds, func() tea.Msg {
			_ = native(text) // the text stays on screen either way
			return nil
		})
	}
	return tea.Batch(cmds...)
}

// openURL asks the system's browser to open an address, off the message loop.
func (w *wizard) openURL(url string) tea.Cmd { return openWith(w.cfg.OpenURL, url) }

func openWith(open func(string) error, url string) tea.Cmd {
	if open == nil || !isPage(url) {
		return nil
	}
	return func() tea.Msg {
		_ = open(url) // its success means nothing; the address stays on screen
		return nil
	}
}

// runAgain is the command that applies the same answers later; empty when there
// is nothing left to apply them to, or when that would do more than was done here.
func (w *wizard) runAgain() string {
	a := w.usable()
	if w.cfg.Again == nil || w.save.path == "" || !a.NoApp && !w.carriedOut(steps.StageAuthorize) || a.Ready() && !w.carriedOut(steps.StageTenant) ||
		a.GDAP != nil && !w.carriedOut(steps.StageGDAP) || a.Customers != nil && a.Customers.Consents() && !w.carriedOut(steps.StageCustomers) {
		return ""
	}
	return w.cfg.Again(w.save.path, a)
}

// carriedOut tells whether the plan of a stage was applied, or begun to be.
func (w *wizard) carriedOut(id steps.Stage) bool {
	return slices.ContainsFunc(w.gone(), func(c *course) bool { return c.stage == id && (c.apply != nil || c.wrote) })
}
