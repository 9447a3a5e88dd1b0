package ui

import (
	"fmt"
	"slices"
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

// authorize asks who signs in, and shows everything chosen on one page before
// anyone does.
type authorize struct {
	w      *wizard
	keys   authorizeKeys
	sel    steps.Selection
	meter  steps.Meter
	faults []state.Invalid // of earlier screens

	was     state.Answers // before anything was typed
	account field
	tenant  field
	focus   authorizeItem
	touched map[authorizeItem]bool // left once, so that its fault is told
	scroll  scroller
}

// authorizeItem is a part of the page that can have focus.
type authorizeItem int

const (
	askAccount authorizeItem = iota
	askTenant
	askMethod
	allChosen // the rest of the page
)

type authorizeKeys struct {
	Authorize key.Binding
	Down, Up  key.Binding
	Change    key.Binding
	Back      key.Binding
	Open      key.Binding
	Other     key.Binding
	move      moveKeys
}

func (k *authorizeKeys) ShortHelp() []key.Binding {
	return []key.Binding{k.Authorize, k.Down, k.Change, k.Open, k.Other}
}

func (k *authorizeKeys) FullHelp() [][]key.Binding {
	return [][]key.Binding{{k.Authorize, k.Down, k.Up, k.Change, k.Back, k.Open, k.Other}, k.move.all()}
}

func newAuthorize(w *wizard) Screen {
	s := &authorize{
		w: w, was: w.answers, touched: map[authorizeItem]bool{},
		account: newField(w.answers.Account, "whoever signs in"),
		tenant:  newField(w.answers.Tenant, "that of whoever signs in"),
	}
	var bad []state.Invalid
	s.sel, bad = steps.Select(w.answers)
	s.meter = s.sel.Meter()
	for _, f := range append(w.answers.Validate(), bad...) {
		if f.Key != "account" && f.Key != "tenant" {
			s.faults = append(s.faults, f)
		}
	}
	connector := w.answers.Registration.Kind == state.KindConnector
	if !connector && !s.meter.Fits() {
		s.faults = append(s.faults, state.Invalid{Key: "permissions", Text: "more than Microsoft's limits allow; go back to the permissions and shorten them"})
	}
	does := "authorize"
	if connector {
		does = "sign in to check it"
	}
	s.keys = authorizeKeys{
		Authorize: bind("enter", does, "enter"),
		Change:    bind("←/→", "change", "right", "space"),
		Back:      bind("←", "previous choice", "left"),
		Open:      bind("ctrl+o", "open Rewst", "ctrl+o"),
		Other:     bind("s", "sign in as somebody else", "s"),
		move:      newMoveKeys(),
	}
	s.keys.Authorize.SetEnabled(len(s.faults) == 0)
	s.keys.Open.SetEnabled(connector && w.cfg.OpenURL != nil)
	if w.account != nil {
		s.focus = allChosen
	}
	s.settle()
	return s
}

func (s *authorize) Init() tea.Cmd { return s.w.saveAnswers() }

func (s *authorize) items() []authorizeItem {
	if len(s.w.cfg.Methods) > 1 {
		return []authorizeItem{askAccount, askTenant, askMethod, allChosen}
	}
	return []authorizeItem{askAccount, askTenant, allChosen}
}

func (s *authorize) field(i authorizeItem) *field {
	switch i {
	case askAccount:
		return &s.account
	case askTenant:
		return &s.tenant
	}
	return nil
}

// settle puts focus and keys in order after anything changed.
func (s *authorize) settle() {
	for _, i := range []authorizeItem{askAccount, askTenant} {
		if i == s.focus {
			s.field(i).Focus()
		} else {
			s.field(i).Blur()
		}
	}
	s.keys.Change.SetEnabled(s.focus == askMethod)
	s.keys.Back.SetEnabled(s.focus == askMethod)
	s.keys.Other.SetEnabled(s.w.account != nil && !s.typing())
	reads := s.focus == allChosen // the arrows move the text then
	for _, b := range []*key.Binding{&s.keys.move.Up, &s.keys.move.Down, &s.keys.move.First, &s.keys.move.Last} {
		b.SetEnabled(reads)
	}
	s.keys.Down = bind("tab/↓", "next field", "tab", "down")
	s.keys.Up = bind("↑", "previous field", "shift+tab", "up")
	if reads {
		s.keys.Down = bind("tab", "next field", "tab")
		s.keys.Up = bind("shift+tab", "previous field", "shift+tab")
	}
}

func (s *authorize) Update(msg tea.Msg) tea.Cmd {
	defer s.settle()
	press, ok := msg.(tea.KeyPressMsg)
	switch {
	case !ok:
		if f := s.field(s.focus); f != nil {
			f.Update(msg)
			s.store()
		}
	case pressed(press, &s.keys.Authorize):
		s.next()
	case s.scroll.Update(press, s.keys.move):
	case pressed(press, &s.keys.Down):
		s.step(1)
	case pressed(press, &s.keys.Up):
		s.step(-1)
	case pressed(press, &s.keys.Change):
		s.w.use(0, turn(s.w.cfg.Methods, s.w.method, 1))
	case pressed(press, &s.keys.Back):
		s.w.use(0, turn(s.w.cfg.Methods, s.w.method, -1))
	case pressed(press, &s.keys.Open):
		s.w.say("•", "Asked the browser to open "+s.rewst()+". If nothing opened, open it yourself.")
		return s.w.openURL(s.rewst())
	case pressed(press, &s.keys.Other):
		s.w.open(pageSignIn)
	default:
		if f := s.field(s.focus); f != nil {
			f.Update(msg)
			s.store()
		}
	}
	return nil
}

func (s *authorize) step(n int) {
	s.touched[s.focus] = true
	s.focus = turn(s.items(), s.focus, n)
}

// store keeps what was typed, so that leaving in any way keeps it. What cannot be
// used does not leave the form.
func (s *authorize) store() {
	a := s.w.answers.Clone()
	a.Account, a.Tenant = s.was.Account, s.was.Tenant
	if s.fault(askAccount) == "" {
		a.Account = s.account.Value()
	}
	if s.fault(askTenant) == "" {
		a.Tenant = s.tenant.Value()
	}
	s.w.setAnswers(a)
}

// fault is what is wrong with a field; empty when it can be used.
func (s *authorize) fault(i authorizeItem) string {
	switch i {
	case askAccount:
		return state.CheckAccount(s.account.Value())
	case askTenant:
		return state.CheckTenant(s.tenant.Value())
	}
	return ""
}

// next goes on as whoever is signed in, if that is who is wanted.
func (s *authorize) next() {
	for _, i := range s.items() {
		if s.fault(i) != "" {
			s.touched[i], s.focus = true, i
			s.w.say("✗", "Mend this first: "+strings.ToLower(s.label(i))+".")
			return
		}
	}
	if s.right() {
		s.w.open(pagePreflight)
		return
	}
	s.w.account = nil
	s.w.open(pageSignIn)
}

// right tells whether whoever is wanted is signed in.
func (s *authorize) right() bool {
	wanted := s.w.answers.Account
	return s.w.account != nil && (wanted == "" || strings.EqualFold(wanted, s.w.account.Username))
}

func (s *authorize) rewst() string {
	r, _ := catalog.RegionByID(s.w.answers.Region)
	return "https://" + r.WebApp
}

func (s *authorize) View(f Frame) string {
	t := f.Theme
	var top []string
	if s.w.account != nil {
		top = t.lines(t.Good, "✓ Signed in as "+s.w.account.Username+".", f.Width)
	}
	for _, bad := range s.faults {
		top = append(top, t.lines(t.Bad, "✗ "+bad.Key+": "+bad.Text, f.Width)...)
	}
	top = append(top, s.form(f)...)
	chosen := s.focus == allChosen
	top = append(top, "", t.cursorAt(chosen)+t.row("Chosen so far", chosen))
	rest := f.sized(f.Width-4, f.Height)
	lines := s.chosen(rest)
	lines = append(lines, "")
	if s.w.answers.Registration.Kind == state.KindConnector {
		lines = append(lines, s.connector(rest)...)
	} else {
		lines = append(lines, s.owned(rest)...)
	}
	for i, l := range lines {
		lines[i] = "  " + l
	}
	return f.fill(append(top, s.scroll.View(f.sized(f.Width, f.Height-len(top)), lines)...))
}

func (s *authorize) label(i authorizeItem) string {
	return map[authorizeItem]string{askAccount: "Account", askTenant: "Tenant", askMethod: "Sign in with"}[i]
}

// form asks who signs in and how.
func (s *authorize) form(f Frame) []string {
	t := f.Theme
	var lines []string
	for _, i := range s.items() {
		if i == allChosen {
			break
		}
		current := i == s.focus
		value := ""
		if i == askMethod {
			value = s.method(t, f.Width-labelWidth)
		} else {
			value = s.field(i).View(t, f.Width-labelWidth)
		}
		lines = append(lines, t.cursorAt(current)+t.row(pad(s.label(i), labelWidth-2), current)+value)
		if text := s.fault(i); text != "" && s.touched[i] {
			for _, l := range wrap("✗ "+sentence(text), f.Width-labelWidth) {
				lines = append(lines, strings.Repeat(" ", labelWidth)+t.Bad.Render(l))
			}
		} else if text := s.about(i); text != "" && current {
			for _, l := range wrap(text, f.Width-labelWidth) {
				lines = append(lines, strings.Repeat(" ", labelWidth)+t.Muted.Render(l))
			}
		}
	}
	if !slices.Contains(s.items(), askMethod) {
		lines = append(lines, "  "+t.Muted.Render(pad(s.label(askMethod), labelWidth-2))+methodShort(s.w.method))
	}
	for _, l := range t.lines(t.Muted, s.kept(), f.Width-2) {
		lines = append(lines, "  "+l)
	}
	return lines
}

// kept says how long the sign-in is remembered.
func (s *authorize) kept() string {
	if s.w.cfg.Remember != "" {
		return "The sign-in is remembered: " + s.w.cfg.Remember + "."
	}
	return "The sign-in ends with this program; started with --remember it is kept."
}

func (s *authorize) method(t *Theme, width int) string {
	names := make([]string, len(s.w.cfg.Methods))
	for i, m := range s.w.cfg.Methods {
		names[i] = methodShort(m)
	}
	return t.choice(width, s.focus == askMethod, names, slices.Index(s.w.cfg.Methods, s.w.method))
}

// about explains what has focus.
func (s *authorize) about(i authorizeItem) string {
	switch i {
	case askAccount:
		return "Who signs in; anybody else is then refused. May be empty."
	case askTenant:
		return "An id or a domain; any other is then refused. May be empty."
	case askMethod:
		return methodHelps(s.w.method)
	}
	return ""
}

// chosen lists the answers.
func (s *authorize) chosen(f Frame) []string {
	var lines []string
	for _, k := range s.known() {
		lines = append(lines, f.labelled(k.label, k.text, labelWidth-2)...)
	}
	return lines
}

func (s *authorize) known() []fact {
	a := s.w.answers
	var names []string
	for _, id := range a.Integrations {
		if i, ok := catalog.IntegrationByID(id); ok {
			names = append(names, i.Name)
		}
	}
	region, _ := catalog.RegionByID(a.Region)
	var facts []fact
	add := func(label, text string) { facts = append(facts, fact{label, text}) }
	add("Integrations", strings.Join(names, ", "))
	if a.Registration.Kind == state.KindConnector {
		add("Authorised with", "Rewst connector ("+catalog.VendorConnectorName+")")
	} else {
		add("App", s.app())
		add("Redirect URI", region.Callback())
		if a.Registration.Audience == state.AudienceSingle {
			add("Auth subject", "this tenant only")
		} else {
			add("Auth subject", "common (any organisation)")
		}
	}
	add("Rewst region", region.Name+", "+region.WebApp)
	delegated := 0
	for _, p := range s.sel.Chosen() {
		if p.Kind == catalog.Delegated {
			delegated++
		}
	}
	add("Permissions", fmt.Sprintf("%s: %s delegated, %s application; scope string %s of %s characters",
		baseName(a.Permissions), number(delegated), number(len(s.sel.Chosen())-delegated), number(s.meter.Chars), number(catalog.ScopeCharLimit)))
	if extra := len(s.sel.Extra()); extra > 0 {
		add("", count(extra, "entry", "entries")+" of your own, looked up in the tenant")
	}
	return facts
}

func (s *authorize) app() string {
	r := s.w.answers.Registration
	switch {
	case r.AppID != "":
		return "the existing app " + r.AppID
	case s.w.existing:
		return "the existing app " + r.Name + ", picked after signing in"
	}
	return r.Name + " (created, or brought up to date if this program made it)"
}

func (s *authorize) owned(f Frame) []string {
	t := f.Theme
	who, does, left := s.consent()
	lines := append([]string{t.Strong.Render("What you sign in for")}, t.lines(t.Plain, who, f.Width)...)
	for _, text := range does {
		lines = append(lines, t.Muted.Render("• ")+text)
	}
	return append(lines, t.lines(t.Plain, left, f.Width)...)
}

// consent says what somebody signs in for: who should, what they allow, and what
// of that stays behind.
func (s *authorize) consent() (who string, does []string, left string) {
	app := "its own app, Microsoft Graph Command Line Tools,"
	left = "Microsoft Graph Command Line Tools will appear under Enterprise applications with the permissions you accept; with a client id of your own (--client-id) nothing is left."
	if s.w.cfg.OwnClient {
		app = "the app of your --client-id"
		left = "Nothing is left behind by the sign-in, because you use a client id of your own."
	}
	does = []string{
		"read and change app registrations and enterprise applications",
		"grant permissions to them, delegated and application",
		"read the organisation, your roles and the tenant's policies for apps",
	}
	return "Use a Global Administrator of your own tenant, not a guest. Microsoft asks you to let " + app + " act for you:", does, left + " Every other change is shown beforehand."
}

func (s *authorize) connector(f Frame) []string {
	t := f.Theme
	title, todo, then := s.inRewst()
	lines := []string{t.Strong.Render(title)}
	for i, text := range todo {
		lines = append(lines, f.labelled(fmt.Sprintf("%d.", i+1), text, 3)...)
	}
	return append(lines, t.lines(t.Plain, then, f.Width)...)
}

// inRewst says what has to be done in Rewst before the connector can be checked.
func (s *authorize) inRewst() (title string, todo []string, then string) {
	return "Rewst makes this app; do this there first",
		[]string{
			"Open " + s.rewst() + ", then Marketplace > Integrations > Microsoft Cloud Bundle.",
			"Tick the same integrations as above, then Next.",
			"Choose Rewst Microsoft Cloud Connector and wait for the notice that the configuration was updated.",
			"Choose the same permissions: Select Recommended, then your changes. Stay under 8,000 bytes.",
			"Authorize, as a Global Administrator, in a private window. Do not leave the page until every integration is green.",
		},
		"Then sign in here. This program only reads for the connector: it checks what was granted and changes nothing."
}

func (s *authorize) typing() bool { return s.field(s.focus) != nil }

func (s *authorize) Keys() help.KeyMap { return &s.keys }
func (s *authorize) Close()            {}
