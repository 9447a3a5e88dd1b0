package ui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"msbundle/steps"
)

// Console is what the wizard in lines talks through.
type Console struct {
	// Line waits for the next line that is typed; the end of the input is io.EOF.
	Line func(ctx context.Context) (string, error)
	Out  io.Writer
	// Columns is how wide a line may be; nil, or 0, when nobody knows.
	Columns func() int
	// Keyboard says that a person types what Line brings. From a pipe all answers
	// may come at once: then a line that says nothing to what is waited for is kept
	// for the next question.
	Keyboard bool
}

// Lines is the wizard as plain lines: one question after the other, with numbers
// and words for answers. It moves no cursor and draws nothing, so that a screen
// reader, a terminal that can do no more, and a pipe can follow it.
type Lines struct {
	w   *wizard
	con Console
	ctx context.Context // of the run; a line that was asked for is waited for under it

	source  source  // which app, as it was chosen
	offered []named // permissions found last, by number

	asked bool // a line was asked for and has not come yet
	came  chan line
	held  []string // lines that came before their question
	over  bool     // the input has ended, or nobody can be told anything

	doing     callKind     // what is waited for
	prompt    steps.Prompt // the sign-in somebody has to make
	prompting bool
	began     time.Time // of that sign-in
	again     bool      // it was asked to begin again
	erring    bool      // the next line is what the browser shows

	declined bool   // by word or by the end of the input
	reported bool   // the result was told
	unsaved  string // what was said of answers that could not be saved
}

// line is what was typed, or why nothing is any more.
type line struct {
	text string
	err  error
}

// Why a question was left without an answer.
var (
	errBack  = errors.New("back to the question before")
	errQuit  = errors.New("the person left")
	errEnded = errors.New("the input has ended")
)

const noWayBack = "There is no way back from here."

// stop is one question of the wizard in lines.
type stop struct {
	stage   steps.Stage
	page    string // whose part of the wizard it is
	passing bool   // back does not stop here
	applies func(*Lines) bool
	ask     func(*Lines, context.Context) error
}

// stops is the order of the wizard in lines: that of the pages, with one
// question for each line of a form.
func stops() []stop {
	ending := []stop{
		{page: pagePlan, ask: (*Lines).plan},
		{page: pageApply, ask: (*Lines).apply, passing: true},
		{page: pageResult, ask: (*Lines).result},
	}
	authorize := append([]stop{
		{page: pageIntegrations, ask: (*Lines).integrations},
		{page: pageRegistration, ask: choiceOf(itemKind)},
		{page: pageRegistration, ask: choiceOf(itemSource), applies: (*Lines).owned},
		{page: pageRegistration, ask: (*Lines).appID, applies: (*Lines).byID},
		{page: pageRegistration, ask: (*Lines).appName, applies: (*Lines).byName},
		{page: pageRegistration, ask: choiceOf(itemRegion)},
		{page: pageRegistration, ask: choiceOf(itemAudience), applies: (*Lines).owned},
		{page: pagePermissions, ask: (*Lines).permissions},
		{page: pageAuthorize, ask: (*Lines).account},
		{page: pageAuthorize, ask: (*Lines).tenant},
		{page: pageAuthorize, ask: (*Lines).method, applies: (*Lines).ways},
		{page: pageAuthorize, ask: (*Lines).authorize},
		{page: pageSignIn, ask: (*Lines).signIn, passing: true},
		{page: pagePreflight, ask: (*Lines).preflight},
	}, ending...)
	tenant := append(append([]stop{
		{page: pageSignIn, ask: (*Lines).signIn, passing: true},
	}, accountStops()...), ending...)
	gdap := append(append([]stop{
		{page: pageSignIn, ask: (*Lines).signIn, passing: true},
	}, gdapStops()...), ending...)
	customers := append([]stop{
		{page: pageSignIn, ask: (*Lines).signIn, passing: true},
	}, customersStops()...)
	out := []stop{{page: pageStart, ask: (*Lines).start}}
	for _, part := range []struct {
		id   steps.Stage
		asks []stop
	}{{steps.StageAuthorize, authorize}, {steps.StageTenant, tenant}, {steps.StageGDAP, gdap}, {steps.StageCustomers, customers}} {
		for _, s := range part.asks {
			s.stage = part.id
			out = append(out, s)
		}
	}
	return out
}

// stopOf finds the first question of a page of the open stage.
func (l *Lines) stopOf(list []stop, page string) int {
	return slices.IndexFunc(list, func(q stop) bool { return q.page == page && (q.stage == l.w.stage || q.stage == "") })
}

// NewLines makes the wizard in lines.
func NewLines(cfg Config, con Console) *Lines {
	return &Lines{w: newWizard(context.Background(), cfg), con: con, came: make(chan line, 1)}
}

// Run asks its way through the wizard. It returns when the wizard is through, was
// left, or ctx has ended; a write in flight is seen through first.
func (l *Lines) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer func() { l.w.cancel() }()
	l.ctx = ctx
	list := stops()
	at, page := 0, ""
	for at < len(list) {
		l.w.now = l.w.cfg.Now()
		l.gap()
		if list[at].page != page {
			page = list[at].page
			l.heading(page)
		}
		here := at
		err := list[at].ask(l, ctx)
		switch {
		case l.w.move != nil:
			at = l.stopOf(list, l.w.move.to)
			l.w.move, page = nil, ""
		case err == nil:
			at = l.next(list, at+1)
			if at < len(list) && here > 0 && list[at].stage != list[here].stage { // a stage goes on to another only when it was chosen
				at = len(list)
			}
		case errors.Is(err, errBack):
			if at = l.before(list, at); at == here {
				l.say(noWayBack)
			}
		case errors.Is(err, errQuit) && l.stays(ctx):
			page = ""
			if list[at].page == pageApply { // asking this part again would be applying again
				l.w.again()
				at, l.w.move = l.stopOf(list, l.w.move.to), nil
			}
		default:
			l.ended(ctx, at > 0, err)
			return
		}
		if at > here && here > 0 {
			l.save()
		}
	}
	l.ended(ctx, true, nil)
}

// stays asks a person before a rehearsal is gone, and tells whether they stay.
func (l *Lines) stays(ctx context.Context) bool {
	if !l.con.Keyboard || !l.w.rehearsed() {
		return false
	}
	q := l.w.endRehearsal(nil)
	ends, err := l.agree(ctx, query{prompt: q.title + " " + q.text})
	return errors.Is(err, errBack) || err == nil && !ends
}

// next is the first question from at on that applies.
func (l *Lines) next(list []stop, at int) int {
	for at < len(list) && list[at].applies != nil && !list[at].applies(l) {
		at++
	}
	return at
}

// before is where back leads: to the question before, but not to what was settled
// by a write.
func (l *Lines) before(list []stop, at int) int {
	first := 0
	if l.w.wrote {
		first = l.stopOf(list, lookPage(l.w.stage))
	}
	for i := at - 1; i >= first; i-- {
		same := list[i].stage == list[at].stage || list[i].stage == ""
		if same && !list[i].passing && (list[i].applies == nil || list[i].applies(l)) {
			return i
		}
	}
	return at
}

// heading says which part of the wizard begins.
func (l *Lines) heading(id string) {
	all := places()
	p := all[slices.IndexFunc(all, func(p place) bool { return p.id == id && (p.stage == l.w.stage || p.stage == "") })]
	text := strings.ReplaceAll(p.name(), " ›", ":")
	if p.of > 1 && p.n > 0 {
		text += fmt.Sprintf(", step %d of %d", p.n, p.of)
	}
	switch {
	case p.stage == "":
		l.say("msbundle: the setup wizard, as plain lines.")
		l.say("At any question type ? for an explanation, back for the question before, or quit to leave.")
	case l.w.cfg.Sandbox != "":
		l.say(text + ", rehearsal.")
	default:
		l.say(text + ".")
	}
}

// restart begins again with the rehearsal.
func (l *Lines) restart(cfg Config) {
	cfg.Now = l.w.cfg.Now
	l.w.cancel()
	l.w = newWizard(context.Background(), cfg)
	l.source = createApp
	l.w.open(pageIntegrations)
}

// save writes the answers, so that they can be taken up later. That they cannot be
// written is said once, not after every question.
func (l *Lines) save() {
	cmd := l.w.saveAnswers()
	if cmd == nil {
		return
	}
	if msg, ok := cmd().(savedMsg); ok {
		l.w.saved(msg)
		if l.w.notice.text == l.unsaved {
			l.w.notice = notice{}
		}
		if msg.err != nil && l.w.notice.text != "" {
			l.unsaved = l.w.notice.text
		}
		l.notice()
	}
}

// notice passes on what a part of the wizard both faces share has to say.
func (l *Lines) notice() {
	if n := l.w.notice; n.text != "" {
		l.say(n.text)
	}
	l.w.notice = notice{}
}

// ended says how it ended, as far as that was not said.
func (l *Lines) ended(ctx context.Context, begun bool, err error) {
	if errors.Is(err, errEnded) {
		l.declined = true
	}
	l.gap()
	if ctx.Err() == nil && errors.Is(err, errEnded) {
		l.say("The input has ended, so nothing more is done.")
	}
	if l.reported {
		for _, c := range l.w.gone() {
			if _, h := c.secret(); c.unfinishedSecret() {
				l.say(h.lost)
			}
		}
		return
	}
	for text := range strings.Lines(l.w.summary(begun)) {
		label, value, _ := strings.Cut(strings.TrimSpace(text), ": ")
		if label == factFile || label == runItAgain {
			l.whole(label, value)
		} else {
			l.say(text)
		}
	}
}

// Outcome says how the wizard ended.
func (l *Lines) Outcome() Outcome {
	_, losing := l.w.losing()
	switch o := l.w.outcome(); {
	case !l.declined:
		return o
	case o == Left, o == NoSignIn, o == Done && losing:
		return Declined
	default:
		return o
	}
}
