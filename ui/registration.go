package ui

import (
	"slices"
	"strings"

	"charm.land/bubbles/v2/help"
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"msbundle/catalog"
	"msbundle/state"
)

// registration is the form of the app registration.
type registration struct {
	w    *wizard
	keys registrationKeys

	source  source
	name    field
	appID   field
	tenant  field
	focus   item
	touched map[item]bool // left once, so that its fault is told
	regions []catalog.Region
}

// source says which app is used.
type source int

const (
	createApp source = iota
	existingApp
	enterID
)

// item is a line of the form.
type item int

const (
	itemKind item = iota
	itemSource
	itemName
	itemAppID
	itemRegion
	itemAudience
	itemTenant
)

type registrationKeys struct {
	Next     key.Binding
	Down, Up key.Binding
	Left     key.Binding
	Right    key.Binding
}

func (k *registrationKeys) ShortHelp() []key.Binding {
	return []key.Binding{k.Down, k.Right, k.Next}
}

func (k *registrationKeys) FullHelp() [][]key.Binding {
	return [][]key.Binding{{k.Next, k.Down, k.Up, k.Right, k.Left}}
}

func newRegistration(w *wizard) Screen {
	r := w.answers.Registration
	s := &registration{
		w: w, touched: map[item]bool{}, regions: catalog.Regions(),
		name:   newField(r.Name, "Rewst Integration"),
		appID:  newField(r.AppID, "00000000-0000-0000-0000-000000000000"),
		tenant: newField(w.answers.Tenant, "the tenant of whoever signs in"),
		keys: registrationKeys{
			Next:  bind("enter", "continue", "enter"),
			Down:  bind("tab/↓", "next field", "tab", "down"),
			Up:    bind("↑", "previous field", "shift+tab", "up"),
			Left:  bind("←", "previous choice", "left"),
			Right: bind("←/→", "change", "right", "space"),
		},
	}
	switch {
	case r.AppID != "":
		s.source = enterID
	case w.existing:
		s.source = existingApp
	}
	s.settle()
	return s
}

func (s *registration) Init() tea.Cmd { return nil }

// items lists the lines that apply to what was chosen so far.
func (s *registration) items() []item {
	if s.w.answers.Registration.Kind == state.KindConnector {
		return []item{itemKind, itemRegion, itemTenant}
	}
	if s.source == enterID {
		return []item{itemKind, itemSource, itemAppID, itemName, itemRegion, itemAudience, itemTenant}
	}
	return []item{itemKind, itemSource, itemName, itemRegion, itemAudience, itemTenant}
}

func (s *registration) field(i item) *field {
	switch i {
	case itemName:
		return &s.name
	case itemAppID:
		return &s.appID
	case itemTenant:
		return &s.tenant
	}
	return nil
}

// settle puts focus and keys in order after anything changed.
func (s *registration) settle() {
	if !slices.Contains(s.items(), s.focus) {
		s.focus = itemKind
	}
	for _, i := range []item{itemName, itemAppID, itemTenant} {
		if i == s.focus {
			s.field(i).Focus()
		} else {
			s.field(i).Blur()
		}
	}
	choice := s.field(s.focus) == nil
	s.keys.Left.SetEnabled(choice)
	s.keys.Right.SetEnabled(choice)
}

func (s *registration) Update(msg tea.Msg) tea.Cmd {
	press, ok := msg.(tea.KeyPressMsg)
	switch {
	case !ok:
		if f := s.field(s.focus); f != nil {
			f.Update(msg)
		}
	case pressed(press, &s.keys.Next):
		s.next()
	case pressed(press, &s.keys.Down):
		s.step(1)
	case pressed(press, &s.keys.Up):
		s.step(-1)
	case pressed(press, &s.keys.Left):
		s.change(-1)
	case pressed(press, &s.keys.Right):
		s.change(1)
	default:
		if f := s.field(s.focus); f != nil {
			f.Update(msg)
		}
	}
	s.store()
	s.settle()
	return nil
}

func (s *registration) step(n int) {
	s.touched[s.focus] = true
	list := s.items()
	at := slices.Index(list, s.focus)
	s.focus = list[(at+n+len(list))%len(list)]
}

// change moves to another choice of the line that has focus.
func (s *registration) change(n int) {
	a := s.w.answers.Clone()
	switch s.focus {
	case itemKind:
		a.Registration.Kind = turn([]string{state.KindOwned, state.KindConnector}, a.Registration.Kind, n)
	case itemSource:
		s.source = turn([]source{createApp, existingApp, enterID}, s.source, n)
	case itemRegion:
		ids := make([]string, len(s.regions))
		for i, r := range s.regions {
			ids[i] = r.ID
		}
		a.Region = turn(ids, a.Region, n)
	case itemAudience:
		a.Registration.Audience = turn([]string{state.AudienceMulti, state.AudienceSingle}, a.Registration.Audience, n)
	}
	s.w.setAnswers(a)
}

func turn[T comparable](all []T, now T, n int) T {
	return all[(max(slices.Index(all, now), 0)+n+len(all))%len(all)]
}

// store keeps what was typed, so that leaving in any way keeps it.
func (s *registration) store() {
	a := s.w.answers.Clone()
	a.Registration.Name = s.name.Value()
	a.Tenant = s.tenant.Value()
	a.Registration.AppID = ""
	if s.source == enterID && a.Registration.Kind == state.KindOwned {
		a.Registration.AppID = s.appID.Value()
	}
	s.w.existing = s.source == existingApp && a.Registration.Kind == state.KindOwned
	s.w.setAnswers(a)
}

// fault is what is wrong with a line; empty when it can be used.
func (s *registration) fault(i item) string {
	if i == itemAppID && s.source == enterID && s.appID.Value() == "" {
		return noAppID
	}
	return faultIn(s.w.answers, i)
}

const noAppID = "enter the application (client) id of the app; the portal shows it on the app's overview page"

// faultIn is what is wrong with the answer to a line; empty when it can be used.
func faultIn(a state.Answers, i item) string {
	keys := map[item]string{
		itemName: "registration.name", itemAppID: "registration.appId", itemRegion: "region",
		itemAudience: "registration.audience", itemTenant: "tenant",
	}
	for _, bad := range a.Validate() {
		if bad.Key == keys[i] {
			return bad.Text
		}
	}
	return ""
}

func (s *registration) next() {
	s.store()
	for _, i := range s.items() {
		if text := s.fault(i); text != "" {
			s.touched[i], s.focus = true, i
			s.w.say("✗", "Mend this first: "+strings.ToLower(itemLabel(i)[:1])+itemLabel(i)[1:]+".")
			return
		}
	}
	s.w.open(pagePermissions)
}

func (s *registration) View(f Frame) string {
	rows := 6
	if f.Height < 17 {
		rows = 4
	}
	return f.fill(f.split(rows, s.form, s.details))
}

const labelWidth = 18

func (s *registration) form(f Frame) []string {
	t := f.Theme
	var lines []string
	focus := 0 // the line that has to stay in sight
	for _, i := range s.items() {
		current := i == s.focus
		if current {
			focus = len(lines)
		}
		lines = append(lines, t.cursorAt(current)+t.row(pad(itemLabel(i), labelWidth-2), current)+s.value(i, t, f.Width-labelWidth))
		if text := s.fault(i); text != "" && (s.touched[i] || s.field(i) == nil) {
			for n, l := range wrap(sentence(text), f.Width-labelWidth-2) {
				mark := "  "
				if n == 0 {
					mark = "✗ "
				}
				lines = append(lines, strings.Repeat(" ", labelWidth)+t.Bad.Render(mark+l))
			}
		}
		if i == itemRegion && s.w.answers.Registration.Kind == state.KindOwned {
			lines = append(lines, s.redirect(f)...)
		}
	}
	from := min(max(focus-f.Height/2, 0), max(len(lines)-f.Height, 0))
	return lines[from:]
}

func (s *registration) redirect(f Frame) []string {
	t := f.Theme
	r, ok := catalog.RegionByID(s.w.answers.Region)
	if !ok {
		return nil
	}
	var lines []string
	for i, l := range wrap(r.Callback(), f.Width-4) { // in full: people compare it
		mark := "    "
		if i == 0 {
			mark = "  → "
		}
		lines = append(lines, t.Muted.Render(mark+l))
	}
	if r.Assumed {
		lines = append(lines, "  "+t.Muted.Render(clip("  inferred: Rewst's guide prints only the United States address", f.Width-2)))
	}
	return lines
}

func itemLabel(i item) string {
	return map[item]string{
		itemKind: "Authorise with", itemSource: "Which app", itemName: "Name", itemAppID: "Client id",
		itemRegion: "Rewst region", itemAudience: "Who may use it", itemTenant: "Tenant",
	}[i]
}

func (s *registration) value(i item, t *Theme, width int) string {
	a := s.w.answers
	names, at := choices(i, a, s.source)
	if names == nil {
		return s.field(i).View(t, width)
	}
	return t.choice(width, i == s.focus, names, at)
}

// choices are the alternatives of a line and which of them is chosen; none for a
// line of text.
func choices(i item, a state.Answers, from source) (names []string, at int) {
	switch i {
	case itemKind:
		return []string{"Owned app registration", "Rewst connector"},
			slices.Index([]string{state.KindOwned, state.KindConnector}, a.Registration.Kind)
	case itemSource:
		return []string{"Create new", "Use existing", "Enter its id"}, int(from)
	case itemRegion:
		for _, r := range catalog.Regions() {
			names = append(names, r.Name)
		}
		return names, slices.IndexFunc(catalog.Regions(), func(r catalog.Region) bool { return r.ID == a.Region })
	case itemAudience:
		return []string{"Any organisation", "This tenant only"},
			slices.Index([]string{state.AudienceMulti, state.AudienceSingle}, a.Registration.Audience)
	}
	return nil, -1
}

// choice draws alternatives side by side, or only the chosen one where there is
// no room for all.
func (t *Theme) choice(width int, current bool, names []string, at int) string {
	var parts []string
	for i, n := range names {
		n = clean(n)
		if i == at {
			parts = append(parts, t.Accent.Render("● ")+t.row(n, current))
		} else {
			parts = append(parts, t.Muted.Render("○ "+n))
		}
	}
	if all := strings.Join(parts, "  "); ansi.StringWidth(all) <= width {
		return all
	}
	if at < 0 {
		return t.Muted.Render("‹ none chosen ›")
	}
	return t.Muted.Render("‹ ") + t.row(clip(names[at], width-4), current) + t.Muted.Render(" ›")
}

// details explains the line that has focus.
func (s *registration) details(f Frame) []string {
	t := f.Theme
	lines := []string{t.Strong.Render(itemLabel(s.focus))}
	for _, text := range about(s.focus, s.w.answers, s.source) {
		lines = append(lines, t.lines(t.Plain, text, f.Width)...)
	}
	return lines
}

// about explains a line of the form.
func about(i item, a state.Answers, from source) []string {
	switch i {
	case itemKind:
		return []string{
			"Owned: an app of yours that this program makes and keeps in order. For special access needs, tighter control, or an app you already have.",
			"Connector: Rewst's own app, which Rewst recommends to most. You authorise it in Rewst; this program checks the outcome.",
		}
	case itemSource:
		return []string{map[source]string{
			createApp:   "A new app of the name below. If the tenant already has one of that name, you are asked after signing in.",
			existingApp: "An app the tenant already has. Give its name here; after signing in you pick it from those found.",
			enterID:     "The app with the client id below is brought in line: redirect URI, ID tokens, permissions and consent.",
		}[from]}
	case itemName:
		if from == existingApp {
			return []string{"The name of the app to look for, exactly as Entra shows it."}
		}
		return []string{"How the app is called in Entra. Your technicians will meet this name under App registrations."}
	case itemAppID:
		return []string{"The application (client) id from the app's overview page in Entra. Not the object id, and not a secret id."}
	case itemRegion:
		return []string{"Where your Rewst account lives. It is the address you sign in at: " + webApps() + "."}
	case itemAudience:
		if a.Registration.Audience == state.AudienceSingle {
			return []string{"Auth subject is your tenant id: only your own tenant can use the app. Choose it when no customer tenant is to be reached."}
		}
		return []string{"Auth subject common: any organisation can use the app. Needed for Microsoft CSP, because the app also goes to customer tenants."}
	case itemTenant:
		return []string{"Your own tenant, as an id or a domain such as contoso.onmicrosoft.com. Leave it empty to use the tenant of whoever signs in; fill it in to refuse any other."}
	}
	return nil
}

func webApps() string {
	var out []string
	for _, r := range catalog.Regions() {
		out = append(out, r.WebApp)
	}
	return strings.Join(out, ", ")
}

func (s *registration) typing() bool { return s.field(s.focus) != nil }

func (s *registration) Keys() help.KeyMap { return &s.keys }
func (s *registration) Close()            {}
