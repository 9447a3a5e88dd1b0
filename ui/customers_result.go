package ui

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/steps"
)

// clientResult says how the customers stand, and what is left for a person.
type clientResult struct {
	still
	s      *customers
	scroll scroller
}

type clientResultKeys struct {
	Retry, Export, Close, Web, Start, Finish key.Binding
	move                                     moveKeys
}

func (v *clientResult) keys() clientResultKeys {
	k := clientResultKeys{
		Retry: bind("f", "retry the failed", "f"), Export: bind("e", "export", "e"), Close: bind("C", "close the app's sign-in", "C"), Web: bind("w", "open Rewst", "w"), Start: bind("s", "start", "s"),
		Finish: bind("q", "finish", "q"), move: newMoveKeys(),
	}
	k.Retry.SetEnabled(v.s.w.clients.failing() > 0)
	k.Close.SetEnabled(v.s.w.clients.ajar)
	k.Web.SetEnabled(v.s.w.cfg.OpenURL != nil)
	return k
}

func (v *clientResult) Keys() help.KeyMap {
	k := v.keys()
	return keyList{k.Close, k.Retry, k.Export, k.Start, k.Finish, k.Web}
}

func (v *clientResult) press(msg tea.KeyPressMsg) tea.Cmd {
	k, s := v.keys(), v.s
	switch {
	case pressed(msg, &k.Retry):
		return s.consent(s.w.clients.failures())
	case pressed(msg, &k.Export):
		s.askExport()
	case pressed(msg, &k.Close):
		s.askClose()
	case pressed(msg, &k.Web):
		return s.w.openRewst()
	case pressed(msg, &k.Start):
		s.w.open(pageStart)
	case pressed(msg, &k.Finish):
		if s.w.atCustomers() { // it is closed first
			s.w.goes = true
			return nil
		}
		if s.w.fleeting() {
			s.w.ask = s.w.endRehearsal(func() tea.Cmd { return tea.Quit })
			return nil
		}
		if h, losing := s.w.losing(); losing {
			s.w.ask = h.question(func() tea.Cmd { return tea.Quit })
			return nil
		}
		s.w.ask = &question{
			title: "Leave msbundle?", text: "What was done is kept, and so is how the customers stand.", yes: "leave", no: "stay",
			agree: func() tea.Cmd { return tea.Sequence(s.w.saveAnswers(), tea.Quit) },
		}
	default:
		v.scroll.Update(msg, k.move)
	}
	return nil
}

// whole is a problem in a line.
func whole(p *steps.Problem) string {
	return strings.TrimSpace(sentence(p.What) + " " + sentence(p.Cause) + " " + sentence(p.Do))
}

// verdict says in a sentence how the customers stand.
func (c *clients) verdict() (text string, good bool) {
	if text := c.failedText(); text != "" {
		return text, false
	}
	n := len(c.mapping.Rows())
	if c.shades[steps.Green] == n && n > 0 {
		return "Every customer is green", true
	}
	return fmt.Sprintf("%s of %s green", number(c.shades[steps.Green]), count(n, "customer is", "customers are")), false
}

// facts say how the customers stand and what is left to be done by a person.
func (c *clients) facts(w *wizard) []fact {
	facts := []fact{{"Shields", sentence(steps.UpperFirst(shadeTally(c.shades)))}, {"Mapping", sentence(steps.UpperFirst(mappingTally(c.mapping)))}}
	add := func(label, text string) { facts = append(facts, fact{label, text}) }
	if x := c.work; x != nil && x.end.err != nil && !cancelled(x.end.err) {
		add("Stopped", whole(problemOf(x.end.err)))
	}
	if x := c.work; x != nil && x.end.close != nil {
		add("Not closed", whole(problemOf(x.end.close))+" C closes it; so does leaving, and the next run shows what is left.")
	}
	facts = append(facts, failedFacts(c.troubles())...)
	told := func(as standing, label string) {
		for _, text := range c.lacks(as) {
			add(label, text)
			label = ""
		}
	}
	told(lacking, "Lacking")
	told(waiting, "Waiting")
	if text := c.leftAlone(); text != "" {
		add("Left alone", text+": in the list v shows them, and i what it is.")
	}
	if n := c.shades[steps.Green] + c.shades[steps.Amber] + c.shades[steps.Blue]; n > 0 {
		add("Left for you", "Press the shield of each customer in Rewst ("+w.rewst()+", Marketplace, Integrations, Microsoft Cloud Bundle). Rewst learns of a consent only there.")
	}
	if n := c.mapping.Count(steps.RowShared) + c.mapping.Count(steps.RowMissing); n > 0 {
		add("", count(n, "customer is", "customers are")+" wrong in the mapping: in the list v shows them.")
	}
	if n := len(c.mapping.Rows()) - c.mapping.Count(steps.RowLinked) - c.mapping.Count(steps.RowDeclined); n > 0 {
		add("", count(n, "customer has", "customers have")+" no organisation yet.")
	}
	add("", "Enter the mapping in Rewst: e exports it, with the file Rewst imports new organisations from.")
	if w.save.path != "" {
		add(factFile, w.save.path)
		if again := w.runAgain(); again != "" && c.written {
			add(factAgain, again)
		}
	}
	if c.written && w.cfg.Undo != "" {
		add(factUndo, w.cfg.Undo+" shows everything that was written, and takes it back when you agree")
	}
	return facts
}

func (v *clientResult) View(f Frame) []string {
	t, c := f.Theme, v.s.w.clients
	text, good := c.verdict()
	mark := t.Warn.Render("! ")
	if good {
		mark = t.Good.Render("✓ ")
	}
	lines := []string{mark + t.Strong.Render(clip(text+".", f.Width-2)), ""}
	var facts []string
	for _, k := range c.facts(v.s.w) {
		facts = append(facts, f.sized(f.Width-2, f.Height).labelled(k.label, c.fix(k.text), 15)...)
	}
	return append(lines, v.scroll.View(f.sized(f.Width, f.Height-len(lines)), facts)...)
}

// outcome says how the stage ended.
func (c *clients) outcome() Outcome {
	switch {
	case c == nil || !c.written && !c.work.writing():
		return Left
	case c.work.running():
		return Interrupted
	}
	switch n := c.tally(); {
	case n[broken]+n[lacking] > 0, c.work != nil && (c.work.end.err != nil || c.work.end.close != nil):
		return Partial
	case n[waiting] > 0:
		return Waits
	}
	return Done
}

// failure is what the stage failed with.
func (c *clients) failure() error {
	if c == nil || !c.written || c.failing() == 0 {
		return nil
	}
	p := steps.Problem{What: c.failedText(), Do: "Mend what is said of each, then retry the failed ones.", Retry: true}
	return &steps.CustomersFailed{Problem: p, Customers: c.troubles()}
}

// summary is what is printed of the stage after the program has ended.
func (c *clients) summary() []string {
	if c == nil || c.outcome() == Left {
		return nil
	}
	text, _ := c.verdict()
	lines := []string{"Customers: " + sentence(lowerOf(text)), "  Shields: " + shadeTally(c.shades) + ".", "  Rewst's own shields still have to be pressed, in Rewst."}
	if c.open || c.ajar || c.work.writing() && !c.stopped {
		lines = append(lines, "  The app's own sign-in may still be open. Start msbundle again and choose Customers, which closes it.")
	}
	for _, f := range c.troubles() {
		lines = append(lines, "  "+failureText(shownName(f.Customer), f.Problem))
	}
	for _, text := range append(c.lacks(lacking), c.lacks(waiting)...) {
		lines = append(lines, "  "+text)
	}
	if text := c.leftAlone(); text != "" {
		lines = append(lines, "  "+sentence(text))
	}
	return lines
}

// clientDetail shows what the shield of a customer rests on.
type clientDetail struct {
	still
	s      *customers
	at     int
	scroll scroller
}

type detailKeys struct {
	Look key.Binding
	move moveKeys
}

func (v *clientDetail) keys() detailKeys {
	k := detailKeys{bind("r", "look again", "r"), newMoveKeys()}
	k.Look.SetEnabled(!v.s.w.clients.work.running())
	return k
}

func (v *clientDetail) Keys() help.KeyMap { return keyList{v.keys().Look} }

func (v *clientDetail) press(msg tea.KeyPressMsg) tea.Cmd {
	if k := v.keys(); pressed(msg, &k.Look) {
		return v.s.start(workLook, workPlace{tenants: []string{v.s.w.clients.row(v.at).TenantID}})
	} else {
		v.scroll.Update(msg, k.move)
	}
	return nil
}

// proofTitles are what the checks behind a shield are called.
var proofTitles = map[string]string{
	steps.ProofToken: "Way in", steps.ProofOrganization: "The tenant", steps.ProofRoles: "Roles", steps.ProofUsers: "Directory",
	steps.ProofExchange: "Exchange", steps.ProofGrants: "The app",
}

var proofs = []string{steps.ProofToken, steps.ProofOrganization, steps.ProofRoles, steps.ProofUsers, steps.ProofExchange, steps.ProofGrants}

func (v *clientDetail) View(f Frame) []string {
	t, c := f.Theme, v.s.w.clients
	r := c.row(v.at)
	in := f.sized(f.Width-2, f.Height)
	head := []string{t.Title.Render(clip(shownName(r.Customer)+"  "+r.Domain, f.Width)), t.Muted.Render(clip(r.TenantID, f.Width))}
	lines := in.labelled("Organisation", mappingText(c.mapping, v.at), 14)
	lines = append(lines, in.labelled("Relationship", name(r.Relationship, "none"), 14)...)
	if len(r.Domains) > 1 {
		lines = append(lines, in.labelled("Domains", strings.Join(r.Domains, ", "), 14)...)
	}
	lines = append(lines, "", t.shadeGlyph(r.Shield.Shade, 12)+t.Muted.Render(seenWhen(r.Shield)))
	// A check that did not pass tells its reason itself.
	told := func(p steps.ShieldPart) bool { return p.State != steps.Passed && alike(p.Evidence, r.Shield.Reason) }
	if p := c.failed[r.TenantID]; p != nil {
		lines = append(lines, in.problem(p)...)
	} else if r.Shield.Reason != "" && !slices.ContainsFunc(r.Shield.Checks, told) {
		lines = append(lines, wrap(r.Shield.Reason, in.Width)...)
		if r.Shield.Fix != "" {
			lines = append(lines, in.labelled("Do", c.fix(r.Shield.Fix), 14)...)
		}
	}
	lines = append(lines, "")
	byProof := map[string]steps.ShieldPart{}
	for _, p := range r.Shield.Checks {
		byProof[p.Proof] = p
	}
	for _, id := range proofs {
		p, seen := byProof[id]
		if problem := c.failed[r.TenantID]; seen && problem != nil && alike(p.Evidence, name(problem.Cause, problem.What)) {
			p.Evidence, p.Fix = "As above.", ""
		}
		if !seen {
			lines = append(lines, "· "+t.Muted.Render(pad(proofTitles[id], 12)+"not looked at"))
			continue
		}
		p.Fix = c.fix(p.Fix)
		lines = append(lines, t.part(in, p)...)
	}
	for n, text := range r.Shield.Notes {
		label := ""
		if n == 0 {
			label = "Left alone"
			lines = append(lines, "")
		}
		lines = append(lines, in.labelled(label, text, 14)...)
	}
	return append(append(head, ""), v.scroll.View(f.sized(f.Width, f.Height-len(head)-1), append(lines, v.policies(in)...))...)
}

// alike tells whether two sentences say the same.
func alike(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

func seenWhen(s steps.Shield) string {
	if s.At.IsZero() {
		return "not looked at yet: r does"
	}
	return "looked at " + s.At.Format("2 Jan 2006 15:04:05")
}

// part tells one check, with its evidence, time and fix.
func (t *Theme) part(f Frame, p steps.ShieldPart) []string {
	mark := t.Muted.Render("?")
	switch p.State {
	case steps.Passed:
		mark = t.Good.Render("✓")
	case steps.Warned:
		mark = t.Warn.Render("!")
	case steps.Failed:
		mark = t.Bad.Render("✗")
	}
	var out []string
	for n, l := range wrap(p.Evidence+" ("+p.At.Format("15:04:05")+")", f.Width-14) {
		lead := strings.Repeat(" ", 14)
		if n == 0 {
			lead = mark + " " + t.Strong.Render(pad(proofTitles[p.Proof], 12))
		}
		out = append(out, lead+l)
	}
	if p.Fix != "" && p.State != steps.Passed {
		for _, l := range wrap(p.Fix, f.Width-14) {
			out = append(out, strings.Repeat(" ", 14)+t.Muted.Render(l))
		}
	}
	if p.RequestID != "" && p.State != steps.Passed {
		out = append(out, strings.Repeat(" ", 14)+t.Muted.Render(clip("Request id "+p.RequestID, f.Width-14)))
	}
	return out
}

// policies are the changes of Conditional Access planned there, before and after.
func (v *clientDetail) policies(f Frame) []string {
	c, t := v.s.w.clients, f.Theme
	if c.plan == nil || c.work.running() {
		return nil
	}
	p := c.plan.Of(c.row(v.at).TenantID)
	if p == nil {
		return nil
	}
	var out []string
	for _, change := range p.Plan().Changes {
		if change.Kind != steps.KindPolicy {
			continue
		}
		out = append(out, "")
		out = append(out, t.lines(t.Strong, change.Describe(), f.Width)...)
		out = append(out, wrap(change.Why, f.Width)...)
		out = append(out, t.Muted.Render("Before"))
		out = append(out, pretty(change.Before, f.Width)...)
		out = append(out, t.Muted.Render("After"))
		out = append(out, pretty(change.Body, f.Width)...)
	}
	return out
}
