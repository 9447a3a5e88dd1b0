package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"msbundle/steps"
)

// inbox shows the customers an apply waits for, and helps to remind them. It stands
// on the page of the apply while there are any.
type inbox struct {
	w      *wizard
	keys   inboxKeys
	list   *picker
	from   []steps.Invitation // what the rows were made of
	rows   []inboxRow
	filter field

	mail   bool // the text for the customer under the cursor fills the screen
	scroll scroller
	folder *field // where everything is exported to, while that is asked
	busy   bool   // exporting
}

// inboxRow is a customer who is waited for, or with whom it did not work.
type inboxRow struct {
	steps.Invitation
	failed *steps.Problem // nil for who is waited for
}

func (r inboxRow) state() string {
	if r.failed != nil {
		return "failed"
	}
	return r.StatusWord()
}

type inboxKeys struct {
	Open, Link, Mail, Export, Remind key.Binding
	Look, Find, Done, Finish         key.Binding
	move                             moveKeys
}

func (k inboxKeys) ShortHelp() []key.Binding {
	return []key.Binding{k.Done, k.Link, k.Mail, k.Look, k.Finish, k.Export, k.Remind, k.Find, k.Open}
}

func (k inboxKeys) FullHelp() [][]key.Binding {
	return [][]key.Binding{k.ShortHelp(), k.move.all()}
}

type (
	exportedMsg struct {
		run
		path string
		n    int
		err  error
	}
	remindedMsg struct {
		run
		id  string
		at  time.Time
		err error
	}
)

func newInbox(w *wizard) *inbox {
	return &inbox{
		w: w, list: newPicker(nil), filter: newField("", "part of a name, a domain or a state"),
		keys: inboxKeys{
			Open:   bind("o", "open the link", "o"),
			Link:   bind("c", "copy the link", "c"),
			Mail:   bind("m", "mail text", "m"),
			Export: bind("x", "export all", "x"),
			Remind: bind("d", "mark reminded", "d"),
			Look:   bind("l", "look now", "l"),
			Find:   bind("/", "filter", "/"),
			Done:   bind("enter", "done", "enter"),
			Finish: bind("f", "finish for now", "f"),
			move:   newMoveKeys(),
		},
	}
}

// invitations are what customers have yet to approve; nil when nobody is waited
// for.
func (w *wizard) invitations() []steps.Invitation {
	if !w.apply.running() {
		return nil
	}
	return w.apply.invitations
}

// sync takes over who is waited for now, and keeps the cursor on its customer.
func (b *inbox) sync() {
	now := b.w.invitations()
	if len(now) == len(b.from) && (len(now) == 0 || &now[0] == &b.from[0]) {
		return
	}
	at, _ := b.current()
	b.from, b.rows = now, nil
	for _, i := range now {
		b.rows = append(b.rows, inboxRow{Invitation: i})
	}
	if len(now) > 0 {
		for _, f := range b.w.apply.failed {
			b.rows = append(b.rows, inboxRow{steps.Invitation{Customer: f.Customer}, f.Problem})
		}
	}
	rows := make([]row, len(b.rows))
	for n, r := range b.rows {
		rows[n].search = strings.ToLower(strings.Join([]string{r.Customer.Name, r.Customer.Domain, r.Customer.TenantID, r.Name, r.state()}, "\n"))
	}
	b.list.SetRows(rows)
	n := slices.IndexFunc(b.rows, func(r inboxRow) bool { return r.Customer.TenantID == at.Customer.TenantID })
	if n >= 0 {
		b.list.refresh(n)
	}
	b.mail = b.mail && n >= 0 && b.rows[n].failed == nil
}

// current is the customer under the cursor.
func (b *inbox) current() (inboxRow, bool) {
	at := b.list.Current()
	if at < 0 || at >= len(b.rows) {
		return inboxRow{}, false
	}
	return b.rows[at], true
}

func (b *inbox) settle() {
	b.sync()
	i, some := b.current()
	some = some && i.failed == nil
	k, a := &b.keys, b.w.apply
	free := !b.filter.Focused() && b.folder == nil
	k.Open.SetEnabled(free && some && b.w.cfg.OpenURL != nil)
	k.Link.SetEnabled(free && some)
	k.Mail.SetEnabled(free && some && !b.mail)
	k.Remind.SetEnabled(free && some)
	k.Export.SetEnabled(free && !b.mail && !b.busy)
	k.Find.SetEnabled(free && !b.mail)
	k.Done.SetEnabled(!free)
	k.Finish.SetEnabled(free && !b.mail && a.running() && !a.enough)
	k.Look.SetEnabled(free && !b.mail && a.running() && !a.enough && !a.looks && a.wait != nil)
	k.Remind.SetHelp("d", map[bool]string{true: "mark reminded", false: "not reminded"}[some && !b.w.reminding(i.Invitation).Before(b.w.now)])
	k.Link.SetHelp("c", map[bool]string{false: "copy the link", true: "copy the text"}[b.mail])
	k.Done.SetHelp("enter", map[bool]string{false: "done", true: "export"}[b.folder != nil])
}

func (b *inbox) press(msg tea.KeyPressMsg) tea.Cmd {
	i, _ := b.current()
	k := b.keys
	switch {
	case b.folder != nil && key.Matches(msg, k.Done):
		return b.export()
	case b.folder != nil:
		b.folder.Update(msg)
	case b.filter.Focused() && key.Matches(msg, k.Done):
		b.filter.Blur()
	case b.filter.Focused():
		if msg.Text != "" || !b.list.Update(msg, k.move) {
			b.filter.Update(msg)
			b.list.Filter(b.filter.Value())
		}
	case key.Matches(msg, k.Open):
		b.w.say("•", "Asked the browser to open the link. It serves only whoever signs in as a Global Administrator of the customer's tenant.")
		return b.w.openURL(i.Link)
	case key.Matches(msg, k.Link) && b.mail:
		return b.copyMail(i.Invitation)
	case key.Matches(msg, k.Link):
		b.w.say("•", "Sent the link for "+shownName(i.Customer)+" to the clipboard. It stands under the table, too.")
		return b.w.copyText(i.Link)
	case key.Matches(msg, k.Mail):
		b.mail, b.scroll = true, scroller{}
		return b.copyMail(i.Invitation)
	case key.Matches(msg, k.Remind):
		return b.remind(i.Invitation)
	case key.Matches(msg, k.Look):
		b.w.apply.lookNow()
	case key.Matches(msg, k.Export):
		b.ask()
	case key.Matches(msg, k.Find):
		b.filter.Focus()
	case key.Matches(msg, k.Finish):
		b.w.apply.finishWaiting()
		b.w.say("•", "Reading back what is there, then the result is shown. Whoever approves later is taken up by the next run.")
	case b.mail:
		b.scroll.Update(msg, k.move)
	default:
		b.list.Update(msg, k.move)
	}
	return nil
}

// partner is who asks the customers.
func (b *inbox) partner() string { return b.w.apply.plan.TenantName }

func (b *inbox) copyMail(i steps.Invitation) tea.Cmd {
	subject, body := steps.InvitationMail(i, b.partner())
	b.w.say("•", "Sent the text for "+shownName(i.Customer)+" to the clipboard, its subject in the first line.")
	return b.w.copyText(subject + "\n\n" + body)
}

// remind notes that a customer was reminded today, or takes that back.
func (b *inbox) remind(i steps.Invitation) tea.Cmd {
	setup, n, at := b.w.cfg.Setup, run(b.w.run), b.w.reminding(i)
	return func() tea.Msg {
		return remindedMsg{n, i.ID, at, setup.Remind([]steps.Invitation{i}, at)}
	}
}

// reminding is when a customer counts as last reminded after that is noted: today,
// or as it was before today when that had been noted already.
func (w *wizard) reminding(i steps.Invitation) time.Time {
	before, noted := w.reminders[i.ID]
	if noted || date(i.Reminded) == date(w.now) {
		return before
	}
	return w.now
}

// reminded takes over what was noted, and says it.
func (w *wizard) reminded(i *steps.Invitation, at time.Time) string {
	if at.Equal(w.reminders[i.ID]) {
		delete(w.reminders, i.ID)
	} else {
		w.reminders[i.ID] = i.Reminded
	}
	i.Reminded = at
	switch {
	case at.IsZero():
		return "Taken back: " + shownName(i.Customer) + " was not reminded yet."
	case date(at) == date(w.now):
		return "Noted: " + shownName(i.Customer) + " was reminded today."
	}
	return "Taken back: " + shownName(i.Customer) + " was last reminded on " + date(at) + "."
}

// ask has the person name a folder.
func (b *inbox) ask() {
	dir := b.w.cfg.Setup.InvitationsDir()
	if b.w.fleeting() { // what is kept there is gone with the program
		dir = "invitations"
	}
	f := newField(dir, "a folder")
	f.Focus()
	b.folder = &f
}

func (b *inbox) export() tea.Cmd {
	dir := b.folder.Value()
	if dir == "" {
		b.w.say("✗", "Name a folder, or press esc.")
		return nil
	}
	b.folder, b.busy = nil, true
	setup, n, list, partner := b.w.cfg.Setup, run(b.w.run), slices.Clone(b.from), b.partner()
	return func() tea.Msg {
		path, err := setup.ExportInvitations(dir, partner, list)
		return exportedMsg{n, path, len(list), err}
	}
}

// take brings what a command led to.
func (b *inbox) take(msg tea.Msg) {
	switch msg := msg.(type) {
	case exportedMsg:
		b.busy = false
		if msg.err != nil {
			b.w.say("✗", sentence(problemOf(msg.err).Error()))
			return
		}
		b.w.say("✓", count(msg.n, "mail", "mails")+" and a table: "+msg.path)
	case remindedMsg:
		if msg.err != nil {
			b.w.say("✗", sentence(problemOf(msg.err).Error()))
			return
		}
		for n := range b.w.apply.invitations {
			if i := &b.w.apply.invitations[n]; i.ID == msg.id {
				b.w.say("✓", b.w.reminded(i, msg.at))
				b.from = nil // the rows are made anew
			}
		}
	}
}

func (b *inbox) typing() bool { return b.filter.Focused() || b.folder != nil }

func (b *inbox) closes() bool {
	return b.mail || b.folder != nil || b.filter.Focused() || b.list.filter != ""
}

func (b *inbox) escape() {
	switch {
	case b.folder != nil:
		b.folder = nil
	case b.mail:
		b.mail = false
	default:
		b.filter.Set("")
		b.filter.Blur()
		b.list.Filter("")
	}
}

func (b *inbox) View(f Frame) []string {
	t := f.Theme
	i, some := b.current()
	if b.mail && some {
		return b.mailView(f, i.Invitation)
	}
	lines := b.head(f)
	switch {
	case b.folder != nil:
		lines = append(lines, t.Key.Render("Export to ")+b.folder.View(t, f.Width-10))
	case b.filter.Focused() || b.list.filter != "":
		lines = append(lines, t.Key.Render("/ ")+b.filter.View(t, f.Width-2))
	default:
		lines = append(lines, "")
	}
	under := b.details(f, i, some)
	room := max(f.Height-len(lines)-len(under)-1, 3)
	lines = append(lines, exactly(b.table(f.sized(f.Width, room)), room)...)
	lines = append(lines, t.Muted.Render(strings.Repeat("─", f.Width)))
	return append(lines, under...)
}

// head says who is waited for, who has to act, and what goes on just now.
func (b *inbox) head(f Frame) []string {
	t, a := f.Theme, b.w.apply
	n, others := pending(b.from)
	text := count(n, "customer has", "customers have") + " to approve."
	if others > 0 {
		text += " " + number(others) + " being set up."
	}
	if a.approved > 0 {
		text += " " + number(a.approved) + " approved meanwhile."
	}
	if len(a.failed) > 0 {
		text += " " + number(len(a.failed)) + " failed."
	}
	next := ""
	switch {
	case a.paused:
		next = "‖ paused"
	case a.current != "" && a.wait == nil:
		next = b.w.spin() + " writing"
	case a.enough:
		next = b.w.spin() + " finishing"
	case a.looks:
		next = b.w.spin() + " looking"
	case a.wait != nil:
		next = b.w.spin() + " next look in " + elapsed(max(a.waitAt.Add(a.wait.Next).Sub(b.w.now), 0))
	}
	lines := []string{ends(t.Strong.Render(text), t.Muted.Render(next), f.Width)}
	if a.current != "" && a.wait == nil {
		return append(lines, t.Accent.Render(clip(a.current, f.Width)))
	}
	about := "Whoever approves gets the roles by itself: leave this open, or come back."
	if n := a.plan.Rest; n > 0 {
		about = count(n, "other write is", "other writes are") + " left for a plan that shows them: f, then a leads there."
	}
	return append(lines, t.lines(t.Muted, about, f.Width)...)
}

// The widths below which the table leaves columns to its details, and from which it
// has room for links.
const narrow, roomy = 72, 116

// table has a line for each customer.
func (b *inbox) table(f Frame) []string {
	t := f.Theme
	w := f.Width - 4
	waits, ends, reminded := 9, 12, 12
	state := 20
	if f.Width < narrow { // the details have the others
		ends, reminded = 0, 0
	}
	link := 0
	if f.Width >= roomy {
		state, link = 26, 26
	}
	customer := max(w-state-waits-ends-reminded-link, 10)
	line := func(who, word, days, until, last, link string) string {
		return pad(clip(who, customer-1), customer) + pad(clip(word, state-1), state) + pad(days, waits) + pad(until, ends) + pad(last, reminded) + link
	}
	head := "Link"
	if link == 0 {
		head = ""
	}
	lines := []string{t.Muted.Render("  " + line("Customer", "State", "Waits", "Lapses", "Reminded", head))}
	if len(b.list.visible) == 0 {
		text := "Nobody is waited for any more."
		if b.list.filter != "" {
			text = "No customer matches. esc shows all."
		}
		return append(lines, "", t.Muted.Render("  "+text))
	}
	return append(lines, f.sized(f.Width, f.Height-1).list(b.list, func(n int, current bool, _ int) string {
		i := b.rows[n]
		if i.failed != nil {
			why := ": " + name(i.failed.Cause, i.failed.What)
			who, word := pad(clip(shownName(i.Customer), customer-1), customer), "✗ "+i.state()
			return t.cursorAt(current) + t.row(who, current) + t.Bad.Render(word) + clip(why, w-customer-len(word))
		}
		shown := ""
		if link > 0 {
			shown = clip("…/"+i.ID, link-2) // the whole of it stands under the table
		}
		text := line(shownName(i.Customer), i.state(), b.days(i.Invitation), date(i.Until), b.lastReminder(i.Invitation), shown)
		return t.cursorAt(current) + t.row(text, current)
	})...)
}

// pending are those among invitations that wait for a customer; the others are
// being opened for approval, or set up after it.
func pending(list []steps.Invitation) (n, others int) {
	for _, i := range list {
		if i.Status == steps.RelationPending {
			n++
		}
	}
	return n, len(list) - n
}

// days is for how long a customer has been waited for.
func (b *inbox) days(i steps.Invitation) string {
	switch n := i.Waits(b.w.now); n {
	case 0:
		return "today"
	case 1:
		return "1 day"
	default:
		return number(n) + " days"
	}
}

func (b *inbox) lastReminder(i steps.Invitation) string {
	if i.Reminded.IsZero() {
		return "never"
	}
	return date(i.Reminded)
}

func date(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.Format(time.DateOnly)
}

// details shows the customer under the cursor, the link whole: it is what matters.
func (b *inbox) details(f Frame, i inboxRow, some bool) []string {
	t := f.Theme
	if !some {
		return []string{""}
	}
	lines := []string{t.Strong.Render(clip(fmt.Sprintf("%s  %s", shownName(i.Customer), i.Customer.Domain), f.Width))}
	if p := i.failed; p != nil {
		lines = append(lines, f.labelled("What", sentence(p.What), 6)...)
		if p.Cause != "" {
			lines = append(lines, f.labelled("Why", sentence(p.Cause), 6)...)
		}
		if p.Do != "" {
			lines = append(lines, f.labelled("Do", sentence(p.Do), 6)...)
		}
		return lines[:min(len(lines), max(f.Height/2, 6))]
	}
	for l := range strings.SplitSeq(ansi.Hardwrap(clean(i.Link), f.Width+2*margin, false), "\n") {
		lines = append(lines, flushMark+t.Accent.Render(l)) // whole, so that it can be selected
	}
	facts := "Request " + i.Name + ", tenant " + i.Customer.TenantID
	if f.Width < narrow {
		facts = "Lapses " + date(i.Until) + ", reminded " + b.lastReminder(i.Invitation) + ". " + facts
	}
	lines = append(lines, t.Muted.Render(clip(facts, f.Width)))
	return append(lines, t.lines(t.Plain, "Who may approve: a Global Administrator of the customer's own tenant, signed in there, best in a private window.", f.Width)...)
}

// mailView is the text for a customer as it is copied.
func (b *inbox) mailView(f Frame, i steps.Invitation) []string {
	t := f.Theme
	subject, body := steps.InvitationMail(i, b.partner())
	head := t.lines(t.Muted, "For "+shownName(i.Customer)+". c copies it again, esc goes back.", f.Width)
	lines := t.lines(t.Title, subject, f.Width-2)
	lines = append(lines, "")
	for l := range strings.Lines(body) {
		if l = strings.TrimRight(l, "\n"); l == "" {
			lines = append(lines, "")
		} else {
			lines = append(lines, wrap(l, f.Width-2)...)
		}
	}
	return append(head, b.scroll.View(f.sized(f.Width, f.Height-len(head)), lines)...)
}
