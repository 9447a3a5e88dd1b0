package ui

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

// start asks what to do. It works the start screen: the same items, the same
// deeds.
func (l *Lines) start(ctx context.Context) error {
	s := newStart(l.w).(*start)
	defer s.Close()
	s.Update(s.Init()())
	l.say("It sets up the Microsoft side of Rewst's Microsoft Cloud Integration Bundle: the app registration, its permissions and its consent.")
	if l.w.cfg.Sandbox != "" {
		l.say("Rehearsal (" + l.w.cfg.Sandbox + "): a simulated Microsoft cloud. Nothing here reaches a real tenant.")
	}
	if l.w.cfg.StateDir != "" {
		l.say("Answers and the journal of changes are kept in "+l.w.cfg.StateDir+"; never a secret.", "")
	}
	for {
		if s.err != nil {
			l.problem(s.err)
			s.err = nil
		}
		names := make([]string, len(s.items))
		for i, item := range s.items {
			names[i] = item.title + "."
			if item.about != "" {
				names[i] += " " + item.about
			}
		}
		proposed := 0
		if l.con.Keyboard { // what a pipe was made for does not change with what is unfinished
			proposed = max(s.list.Current(), 0)
		}
		at, err := l.choose(ctx, "What do you want to do?", names, proposed, "Everything is asked before anything is changed, and every change is shown before it is made.")
		if err != nil {
			return err
		}
		if s.items[at].do == nil {
			return errQuit
		}
		cmd := s.items[at].do()
		if s.busy != "" {
			l.say(s.busy + ".")
		}
		if cmd != nil {
			switch msg := cmd().(type) {
			case rehearseMsg:
				if msg.err == nil {
					l.restart(msg.cfg)
					return nil
				}
				s.Update(msg)
			default:
				s.Update(msg)
			}
		}
		if s.err == nil {
			if len(l.w.awaited) > 0 { // here every plan is shown first
				l.w.awaited = nil
				l.w.begin()
			}
			return nil
		}
	}
}

// integrations has the parts of the bundle chosen by their numbers.
func (l *Lines) integrations(ctx context.Context) error {
	all := catalog.Integrations()
	list := func() {
		for i, in := range all {
			l.say(fmt.Sprintf("%d. %s: %s. %s", i+1, in.Name, l.chosen(in), in.Gives))
			if in.Needs != "" {
				l.say("Needs: " + in.Needs)
			}
		}
	}
	q := query{
		prompt: fmt.Sprintf("Type numbers from 1 to %d to choose or leave out, or press Enter to go on:", len(all)), list: list,
		about: []string{"Each part brings its own permissions. You can change this later and run again."},
	}
	l.say("Choose the parts of the bundle Rewst is to use.")
	list()
	for {
		text, err := l.ask(ctx, q)
		if err != nil {
			return err
		}
		if text == "" {
			return nil
		}
		picked, ok := numbers(text, len(all))
		if !ok {
			l.say(fmt.Sprintf("Only numbers from 1 to %d are understood here, with blanks between them. Nothing was changed by that.", len(all)))
			continue
		}
		for _, n := range picked {
			answers, more := steps.ToggleIntegration(l.w.answers, all[n].ID)
			l.w.setAnswers(answers)
			l.say(strings.TrimSpace(all[n].Name + ": " + l.chosen(all[n]) + ". " + more))
		}
	}
}

func (l *Lines) chosen(in catalog.Integration) string {
	switch {
	case in.Required:
		return "always part of it"
	case l.w.answers.Has(in.ID):
		return "chosen"
	}
	return "not chosen"
}

// numbers reads "2 3" or "2, 3" as indexes below n.
func numbers(text string, n int) ([]int, bool) {
	var out []int
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }) {
		i, err := strconv.Atoi(word)
		if err != nil || i < 1 || i > n {
			return nil, false
		}
		out = append(out, i-1)
	}
	return out, len(out) > 0
}

// When the lines of the form apply.
func (l *Lines) owned() bool  { return l.w.answers.Registration.Kind == state.KindOwned }
func (l *Lines) byID() bool   { return l.owned() && l.source == enterID }
func (l *Lines) byName() bool { return l.owned() && l.source != enterID }

// choiceOf asks for a line of the form that has a few alternatives.
func choiceOf(i item) func(*Lines, context.Context) error {
	return func(l *Lines, ctx context.Context) error {
		names, at := choices(i, l.w.answers, l.source)
		explained := make([]string, len(names))
		for n, name := range names {
			explained[n] = name + "."
			a, from := l.with(i, n)
			switch texts := about(i, a, from); i {
			case itemKind: // one text for each, which begins with its name
				_, text, _ := strings.Cut(texts[n], ": ")
				explained[n] += " " + steps.UpperFirst(text)
			case itemSource, itemAudience:
				explained[n] += " " + texts[0]
			}
		}
		for {
			n, err := l.choose(ctx, itemLabel(i)+":", explained, at, about(i, l.w.answers, l.source)...)
			if err != nil {
				return err
			}
			a, from := l.with(i, n)
			if bad := faultIn(a, i); bad != "" {
				l.say("That cannot be used: " + sentence(bad))
				continue
			}
			l.w.setAnswers(a)
			l.source = from
			l.w.existing = l.owned() && from == existingApp
			break
		}
		if i == itemRegion && l.owned() {
			l.redirect()
		}
		return nil
	}
}

// with is the answers with the n-th alternative of a line.
func (l *Lines) with(i item, n int) (state.Answers, source) {
	a, from := l.w.answers.Clone(), l.source
	switch i {
	case itemKind:
		a.Registration.Kind = []string{state.KindOwned, state.KindConnector}[n]
	case itemSource:
		from = source(n)
	case itemRegion:
		a.Region = catalog.Regions()[n].ID
	case itemAudience:
		a.Registration.Audience = []string{state.AudienceMulti, state.AudienceSingle}[n]
	}
	if a.Registration.Kind != state.KindOwned || from != enterID {
		a.Registration.AppID = ""
	}
	return a, from
}

// redirect tells the address the region stands for: people compare it.
func (l *Lines) redirect() {
	r, ok := catalog.RegionByID(l.w.answers.Region)
	if !ok {
		return
	}
	l.say("The redirect URI is:")
	l.alone(r.Callback())
	if r.Assumed {
		l.say("It is inferred: Rewst's guide prints only the United States address.")
	}
}

func (l *Lines) appID(ctx context.Context) error {
	now := l.w.answers.Registration.AppID
	text, err := l.text(ctx, keeping("Client id of the app", now, ""), now, func(text string) string {
		if text == "" {
			return noAppID
		}
		return faultIn(l.withAppID(text), itemAppID)
	}, about(itemAppID, l.w.answers, l.source)...)
	if err == nil {
		l.w.setAnswers(l.withAppID(text))
	}
	return err
}

func (l *Lines) withAppID(text string) state.Answers {
	a := l.w.answers.Clone()
	a.Registration.AppID = text
	return a
}

func (l *Lines) appName(ctx context.Context) error {
	now := l.w.answers.Registration.Name
	text, err := l.text(ctx, keeping("Name of the app", now, ""), now, state.CheckAppName, about(itemName, l.w.answers, l.source)...)
	if err == nil {
		a := l.w.answers.Clone()
		a.Registration.Name = text
		l.w.setAnswers(a)
	}
	return err
}

// keeping words a prompt for a text: what an empty line keeps, or means.
func keeping(what, now, otherwise string) string {
	switch {
	case now != "" && otherwise != "":
		return fmt.Sprintf("%s. Press Enter for %s, or type any for %s:", what, now, otherwise)
	case now != "":
		return fmt.Sprintf("%s. Press Enter for %s:", what, now)
	case otherwise != "":
		return fmt.Sprintf("%s. Press Enter for %s:", what, otherwise)
	}
	return what + ":"
}

// account asks who is to sign in.
func (l *Lines) account(ctx context.Context) error {
	now := l.w.answers.Account
	text, err := l.text(ctx, keeping("Account that is to sign in", now, "any account"), now, func(text string) string {
		return state.CheckAccount(unlessAny(text))
	}, "A user name such as admin@contoso.com. Whoever else signs in is refused. Left open, whoever signs in is taken.")
	if err == nil {
		a := l.w.answers.Clone()
		a.Account = unlessAny(text)
		l.w.setAnswers(a)
	}
	return err
}

// tenant asks whose tenant it is.
func (l *Lines) tenant(ctx context.Context) error {
	now := l.w.answers.Tenant
	text, err := l.text(ctx, keeping("Tenant", now, "the tenant of whoever signs in"), now, func(text string) string {
		return state.CheckTenant(unlessAny(text))
	}, about(itemTenant, l.w.answers, l.source)...)
	if err == nil {
		a := l.w.answers.Clone()
		a.Tenant = unlessAny(text)
		l.w.setAnswers(a)
	}
	return err
}

// unlessAny takes the word any for no restriction.
func unlessAny(text string) string {
	if strings.EqualFold(text, "any") {
		return ""
	}
	return text
}

// ways tells whether there is more than one to sign in.
func (l *Lines) ways() bool { return len(l.w.cfg.Methods) > 1 }

// method asks how to sign in.
func (l *Lines) method(ctx context.Context) error {
	names := make([]string, len(l.w.cfg.Methods))
	for i, m := range l.w.cfg.Methods {
		names[i] = steps.UpperFirst(methodName(m)) + ". " + methodHelps(m)
	}
	n, err := l.choose(ctx, "How do you want to sign in?", names, max(slices.Index(l.w.cfg.Methods, l.w.method), 0),
		"It can be changed while the sign-in waits.")
	if err == nil {
		l.w.use(0, l.w.cfg.Methods[n])
	}
	return err
}
