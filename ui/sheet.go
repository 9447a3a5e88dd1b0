package ui

import (
	"context"

	"msbundle/state"
)

// formItem is a question of a form, or a line that tells of it. The questions of
// each stage are numbered from another hundred.
type formItem int

// Lines of every form that are no questions.
const (
	formOffer formItem = iota
	formCheck
	formPassed // all the checks that passed, in one line
)

// sheet holds the questions of a stage. Both faces of the wizard put them.
type sheet interface {
	questions() []formItem // that apply to what was answered and found
	label(formItem) string
	choice(formItem) (formChoice, bool) // false when it puts none
	text(formItem) (formText, bool)     // false when it asks for none
	fault(state.Answers, formItem) string
	set(state.Answers)
}

// formChoice is a question with a few answers.
type formChoice struct {
	names []string
	each  []string // what each of them means
	at    int
	with  func(*state.Answers, int)
}

// formText is a question that asks for a text.
type formText struct {
	key   string // of the answers, which says what is wrong with it; empty when the text is none of them
	hint  string
	about string
	now   string
	with  func(*state.Answers, string)
}

// either is the choice between two answers.
func either(names, each []string, first bool, with func(*state.Answers, bool)) formChoice {
	at := 1
	if first {
		at = 0
	}
	return formChoice{names, each, at, func(a *state.Answers, n int) { with(a, n == 0) }}
}

// question puts one question of a sheet. It is asked again until its answer can be
// used.
func (l *Lines) question(ctx context.Context, s sheet, i formItem, about ...string) error {
	if c, ok := s.choice(i); ok {
		names := make([]string, len(c.names))
		for n, name := range c.names {
			names[n] = name + ". " + closed(c.each[n])
		}
		n, err := l.choose(ctx, s.label(i)+":", names, c.at, append(about, "Nothing is written before you have seen the plan and typed yes.")...)
		if err == nil {
			l.w.answer(s, func(a *state.Answers) { c.with(a, n) })
		}
		return err
	}
	q, _ := s.text(i)
	otherwise := ""
	if q.now == "" {
		otherwise = q.hint
	}
	text, err := l.text(ctx, keeping(s.label(i), q.now, otherwise), q.now, func(text string) string {
		a := l.w.asked()
		q.with(&a, text)
		return s.fault(a, i)
	}, q.about)
	if err == nil {
		l.w.answer(s, func(a *state.Answers) { q.with(a, text) })
	}
	return err
}

// answer takes an answer to a question of a sheet.
func (w *wizard) answer(s sheet, with func(*state.Answers)) {
	a := w.asked()
	with(&a)
	s.set(a)
}

// faultAt is what is wrong with a key of the answers; empty when it can be used.
func faultAt(a state.Answers, key string) string {
	if key == "" {
		return ""
	}
	for _, bad := range a.Validate() {
		if bad.Key == key {
			return bad.Text
		}
	}
	return ""
}
