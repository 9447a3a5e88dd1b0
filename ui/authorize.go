package ui

import (
	"fmt"
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

// authorize shows everything chosen on one page before anyone signs in.
type authorize struct {
	w      *wizard
	keys   authorizeKeys
	sel    steps.Selection
	meter  steps.Meter
	faults []state.Invalid
	scroll scroller
}

type authorizeKeys struct {
	Authorize key.Binding
	Open      key.Binding
	Other     key.Binding
	move      moveKeys
}

func (k authorizeKeys) ShortHelp() []key.Binding {
	return []key.Binding{k.Authorize, k.Open, k.Other}
}

func (k authorizeKeys) FullHelp() [][]key.Binding {
	return [][]key.Binding{{k.Authorize, k.Open, k.Other}, k.move.all()}
}

func newAuthorize(w *wizard) Screen {
	s := &authorize{w: w}
	var bad []state.Invalid
	s.sel, bad = steps.Select(w.answers)
	s.meter = s.sel.Meter()
	s.faults = append(w.answers.Validate(), bad...)
	connector := w.answers.Registration.Kind == state.KindConnector
	if !connector && !s.meter.Fits() {
		s.faults = append(s.faults, state.Invalid{Key: "permissions", Text: "more than Microsoft's limits allow; go back and press x"})
	}
	does := "authorize"
	if connector {
		does = "sign in to check it"
	}
	s.keys = authorizeKeys{
		Authorize: bind("enter", does, "enter"),
		Open:      bind("o", "open Rewst", "o"),
		Other:     bind("s", "sign in as somebody else", "s"),
		move:      newMoveKeys(),
	}
	s.keys.Authorize.SetEnabled(len(s.faults) == 0)
	s.keys.Open.SetEnabled(connector && w.cfg.OpenURL != nil)
	s.keys.Other.SetEnabled(w.account != nil)
	return s
}

func (s *authorize) Init() tea.Cmd { return s.w.saveAnswers() }

func (s *authorize) Update(msg tea.Msg) tea.Cmd {
	press, ok := msg.(tea.KeyPressMsg)
	if !ok {
		return nil
	}
	switch {
	case key.Matches(press, s.keys.Authorize):
		if s.w.account != nil {
			s.w.open(pagePreflight)
			return nil
		}
		s.w.open(pageSignIn)
	case key.Matches(press, s.keys.Other):
		s.w.account = nil
		s.w.forgetFindings()
		s.w.open(pageSignIn)
	case key.Matches(press, s.keys.Open):
		s.w.say("•", "Asked the browser to open "+s.rewst()+". If nothing opened, open it yourself.")
		return s.w.openURL(s.rewst())
	default:
		s.scroll.Update(press, s.keys.move)
	}
	return nil
}

func (s *authorize) rewst() string {
	r, _ := catalog.RegionByID(s.w.answers.Region)
	return "https://" + r.WebApp
}

func (s *authorize) View(f Frame) string {
	var lines []string
	for _, bad := range s.faults {
		lines = append(lines, f.Theme.lines(f.Theme.Bad, "✗ "+bad.Key+": "+bad.Text, f.Width)...)
	}
	lines = append(lines, s.chosen(f.sized(f.Width-2, f.Height))...)
	lines = append(lines, "")
	if s.w.answers.Registration.Kind == state.KindConnector {
		lines = append(lines, s.connector(f.sized(f.Width-2, f.Height))...)
	} else {
		lines = append(lines, s.owned(f.sized(f.Width-2, f.Height))...)
	}
	return f.fill(s.scroll.View(f, lines))
}

// chosen lists the answers.
func (s *authorize) chosen(f Frame) []string {
	a := s.w.answers
	var names []string
	for _, id := range a.Integrations {
		if i, ok := catalog.IntegrationByID(id); ok {
			names = append(names, i.Name)
		}
	}
	region, _ := catalog.RegionByID(a.Region)
	var lines []string
	add := func(label, text string) { lines = append(lines, f.labelled(label, text, labelWidth)...) }
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
	tenant := a.Tenant
	if tenant == "" {
		tenant = "that of whoever signs in"
	}
	add("Tenant", tenant)
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
	return lines
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
	lines := []string{t.Strong.Render("What you sign in for")}
	lines = append(lines, t.lines(t.Plain, "Use a Global Administrator of your own tenant, not a guest. Microsoft asks you to let its own app, Microsoft Graph Command Line Tools, act for you:", f.Width)...)
	for _, text := range []string{
		"read and change app registrations and enterprise applications",
		"grant permissions to them, delegated and application",
		"read the organisation, your roles and the tenant's policies for apps",
	} {
		lines = append(lines, t.Muted.Render("• ")+text)
	}
	lines = append(lines, t.lines(t.Plain, "The consent stays until removed. Every other change is shown beforehand.", f.Width)...)
	return append(lines, s.signedIn(f)...)
}

func (s *authorize) connector(f Frame) []string {
	t := f.Theme
	lines := []string{t.Strong.Render("Rewst makes this app; do this there first")}
	for i, text := range []string{
		"Open " + s.rewst() + ", then Marketplace > Integrations > Microsoft Cloud Bundle.",
		"Tick the same integrations as above, then Next.",
		"Choose Rewst Microsoft Cloud Connector and wait for the notice that the configuration was updated.",
		"Choose the same permissions: Select Recommended, then your changes. Stay under 8,000 bytes.",
		"Authorize, as a Global Administrator, in a private window. Do not leave the page until every integration is green.",
	} {
		lines = append(lines, f.labelled(fmt.Sprintf("%d.", i+1), text, 3)...)
	}
	lines = append(lines, t.lines(t.Plain, "Then sign in here. This program only reads for the connector: it checks what was granted and changes nothing.", f.Width)...)
	return append(lines, s.signedIn(f)...)
}

func (s *authorize) signedIn(f Frame) []string {
	if s.w.account == nil {
		return nil
	}
	return f.Theme.lines(f.Theme.Good, "✓ Signed in as "+s.w.account.Username+".", f.Width)
}

func (s *authorize) Keys() help.KeyMap { return s.keys }
func (s *authorize) Close()            {}
