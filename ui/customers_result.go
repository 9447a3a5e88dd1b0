package ui

import (
	"fmt"
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/steps"
)

// clientResult says how the customers stand, and what is left for a person.
type clientResult struct {
	s      *customers
	scroll scroller
}

type clientResultKeys struct {
	Retry, Web, Start, Finish key.Binding
	move                      moveKeys
}

func (k clientResultKeys) ShortHelp() []key.Binding {
	return []key.Binding{k.Retry, k.Finish, k.Start, k.Web}
}

func (k clientResultKeys) FullHelp() [][]key.Binding {
	return [][]key.Binding{k.ShortHelp(), k.move.all()}
}

func (v *clientResult) keys() clientResultKeys {
	k := clientResultKeys{
		Retry: bind("f", "retry the failed only", "f"), Web: bind("w", "open Rewst", "w"), Start: bind("s", "to the start", "s"),
		Finish: bind("q", "finish", "q"), move: newMoveKeys(),
	}
	k.Retry.SetEnabled(len(v.s.w.clients.failed) > 0)
	k.Web.SetEnabled(v.s.w.cfg.OpenURL != nil)
	return k
}

func (v *clientResult) Keys() help.KeyMap  { return v.keys() }
func (v *clientResult) typing() bool       { return false }
func (v *clientResult) paste(tea.PasteMsg) {}
func (v *clientResult) escape() bool       { return true }

func (v *clientResult) press(msg tea.KeyPressMsg) tea.Cmd {
	k, s := v.keys(), v.s
	switch {
	case key.Matches(msg, k.Retry):
		s.pop()
		return s.consent(s.w.clients.failedRows())
	case key.Matches(msg, k.Web):
		return s.w.openRewst()
	case key.Matches(msg, k.Start):
		s.w.open(pageStart)
	case key.Matches(msg, k.Finish):
		if h, losing := s.w.losing(); losing {
			s.w.ask = h.question(func() tea.Cmd { return tea.Quit })
			return nil
		}
		return tea.Sequence(s.w.saveAnswers(), tea.Quit)
	default:
		v.scroll.Update(msg, k.move)
	}
	return nil
}

// failedRows are the customers the last consent failed at.
func (c *clients) failedRows() []int {
	var out []int
	for i := range c.mapping.Rows() {
		if c.failed[c.row(i).TenantID] != nil {
			out = append(out, i)
		}
	}
	return out
}

// verdict says in a sentence how the customers stand.
func (c *clients) verdict() (text string, good bool) {
	if n := len(c.failed); n > 0 {
		return count(n, "customer", "customers") + " failed", false
	}
	n := len(c.mapping.Rows())
	if c.shades[steps.Green] == n && n > 0 {
		return "Every customer is green", true
	}
	return fmt.Sprintf("%s of %s green", number(c.shades[steps.Green]), count(n, "customer is", "customers are")), false
}

// facts say how the customers stand and what is left to be done by a person.
func (c *clients) facts(w *wizard) []fact {
	facts := []fact{{"Shields", sentence(capital(shadeTally(c.shades)))}, {"Mapping", sentence(capital(mappingTally(c.mapping)))}}
	add := func(label, text string) { facts = append(facts, fact{label, text}) }
	if x := c.work; x != nil && x.end.err != nil && !cancelled(x.end.err) {
		p := problemOf(x.end.err)
		add("Stopped", strings.TrimSpace(sentence(p.What)+" "+sentence(p.Cause)+" "+sentence(p.Do)))
	}
	if x := c.work; x != nil && x.end.close != nil {
		p := problemOf(x.end.close)
		add("Not closed", strings.TrimSpace(sentence(p.What)+" "+sentence(p.Cause)+" The next run takes away what is left of the app's sign-in. "+sentence(p.Do)))
	}
	var failed []steps.CustomerFailure
	for _, i := range c.failedRows() {
		r := c.row(i)
		failed = append(failed, steps.CustomerFailure{Customer: r.Customer, Problem: c.failed[r.TenantID]})
	}
	facts = append(facts, failedFacts(failed)...)
	if n := c.shades[steps.Green] + c.shades[steps.Amber] + c.shades[steps.Blue]; n > 0 {
		add("Left for you", "Press the shield of each customer in Rewst ("+w.rewst()+", Marketplace, Integrations, Microsoft Cloud Bundle). Rewst learns of a consent only there.")
	}
	if n := c.mapping.Count(steps.RowShared) + c.mapping.Count(steps.RowMissing); n > 0 {
		add("", count(n, "customer is", "customers are")+" wrong in the mapping: v shows them.")
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
		facts = append(facts, f.sized(f.Width-2, f.Height).labelled(k.label, k.text, 15)...)
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
	case len(c.failed) > 0, c.work != nil && (c.work.end.err != nil || c.work.end.close != nil):
		return Partial
	}
	return Done
}

// failure is what the stage failed with.
func (c *clients) failure() error {
	if c == nil || !c.written || len(c.failed) == 0 {
		return nil
	}
	p := steps.Problem{What: count(len(c.failed), "customer", "customers") + " failed", Do: "Mend what is said of each, then retry the failed ones.", Retry: true}
	out := &steps.CustomersFailed{Problem: p}
	for _, i := range c.failedRows() {
		out.Customers = append(out.Customers, steps.CustomerFailure{Customer: c.row(i).Customer, Problem: c.failed[c.row(i).TenantID]})
	}
	return out
}

// summary is what is printed of the stage after the program has ended.
func (c *clients) summary() []string {
	if c == nil || c.outcome() == Left {
		return nil
	}
	text, _ := c.verdict()
	lines := []string{"Customers: " + sentence(lowerOf(text)), "  Shields: " + shadeTally(c.shades) + ".", "  Rewst's own shields still have to be pressed, in Rewst."}
	for _, i := range c.failedRows() {
		p := c.failed[c.row(i).TenantID]
		lines = append(lines, strings.TrimSpace("  "+shownName(c.row(i).Customer)+": "+sentence(name(p.Cause, p.What))+" "+sentence(p.Do)))
	}
	return lines
}

// clientDetail shows what the shield of a customer rests on.
type clientDetail struct {
	s      *customers
	at     int
	scroll scroller
}

type detailKeys struct {
	Look key.Binding
	move moveKeys
}

func (k detailKeys) ShortHelp() []key.Binding  { return []key.Binding{k.Look} }
func (k detailKeys) FullHelp() [][]key.Binding { return [][]key.Binding{k.ShortHelp(), k.move.all()} }

func (v *clientDetail) keys() detailKeys {
	k := detailKeys{bind("r", "look again", "r"), newMoveKeys()}
	k.Look.SetEnabled(!v.s.w.clients.work.running())
	return k
}

func (v *clientDetail) Keys() help.KeyMap  { return v.keys() }
func (v *clientDetail) typing() bool       { return false }
func (v *clientDetail) paste(tea.PasteMsg) {}
func (v *clientDetail) escape() bool       { return true }

func (v *clientDetail) press(msg tea.KeyPressMsg) tea.Cmd {
	if k := v.keys(); key.Matches(msg, k.Look) {
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
	if r.Shield.Reason != "" {
		lines = append(lines, wrap(r.Shield.Reason, in.Width)...)
	}
	if r.Shield.Fix != "" {
		lines = append(lines, in.labelled("Do", r.Shield.Fix, 14)...)
	}
	if p := c.failed[r.TenantID]; p != nil {
		lines = append(lines, "")
		lines = append(lines, in.problem(p)...)
	}
	lines = append(lines, "")
	byProof := map[string]steps.ShieldPart{}
	for _, p := range r.Shield.Checks {
		byProof[p.Proof] = p
	}
	for _, id := range proofs {
		p, seen := byProof[id]
		if !seen {
			lines = append(lines, "· "+t.Muted.Render(pad(proofTitles[id], 12)+"not looked at"))
			continue
		}
		lines = append(lines, t.part(in, p)...)
	}
	return append(append(head, ""), v.scroll.View(f.sized(f.Width, f.Height-len(head)-1), append(lines, v.policies(in)...))...)
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

// clientDirect tells how a customer is set up without delegated administration.
type clientDirect struct {
	s      *customers
	at     int
	scroll scroller
}

func (v *clientDirect) Keys() help.KeyMap {
	return linkKeys{Choose: bind("c", "copy the command", "c"), More: keyOff(), move: newMoveKeys()}
}

func keyOff() key.Binding {
	b := key.NewBinding()
	b.SetEnabled(false)
	return b
}

func (v *clientDirect) typing() bool       { return false }
func (v *clientDirect) paste(tea.PasteMsg) {}
func (v *clientDirect) escape() bool       { return true }

// command sets a customer's own tenant up.
func (v *clientDirect) command() string {
	r := v.s.w.clients.row(v.at)
	return "msbundle apply --tenant " + name(r.Domain, r.TenantID) + " -f direct.yaml"
}

func (v *clientDirect) press(msg tea.KeyPressMsg) tea.Cmd {
	if msg.String() == "c" {
		v.s.w.say("•", "Sent the command to the clipboard.")
		return v.s.w.copyText(v.command())
	}
	v.scroll.Update(msg, newMoveKeys())
	return nil
}

func (v *clientDirect) View(f Frame) []string {
	t, r := f.Theme, v.s.w.clients.row(v.at)
	lines := []string{t.Title.Render(clip("Directly at "+shownName(r.Customer), f.Width)), ""}
	lines = append(lines, t.lines(t.Plain, "Without a CSP contract or delegated administration the same setup is made in the customer's own tenant: an administrator of the customer signs in, and the app, the service account and what they need are made there. Give the customer's domain and a setup file whose integrations leave out csp.", f.Width)...)
	lines = append(lines, "", flushMark+t.Accent.Render(clean(v.command())), "")
	return append(lines, t.lines(t.Warn, "Use one way for a customer, not both: with the bundle installed at the partner and at the customer, Rewst meets AADSTS65001.", f.Width)...)
}
