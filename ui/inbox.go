package ui

import (
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

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

// inboxRow is a customer who is waited for, or was in this visit.
type inboxRow struct {
	steps.Invitation
	failed   *steps.Problem // with whom it did not work; else nil
	ended    string         // how it came to nothing; else empty
	approved bool
}

// waits tells whether something can be done with the link.
func (r inboxRow) waits() bool { return r.failed == nil && r.ended == "" && !r.approved }

func (r inboxRow) state() string {
	switch {
	case r.failed != nil:
		return "failed"
	case r.approved:
		return "approved"
	case r.ended != "":
		return r.ended
	}
	return r.StatusWord()
}

type inboxKeys struct {
	Open, Link, Mail, Export, Remind key.Binding
	Look, Find, Done, Finish         key.Binding
	move                             moveKeys
}

func (k *inboxKeys) ShortHelp() []key.Binding {
	return []key.Binding{k.Done, k.Finish, k.Link, k.Mail, k.Look, k.Export, k.Remind, k.Find, k.Open}
}

func (k *inboxKeys) FullHelp() [][]key.Binding {
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
	at, some := b.current()
	b.from, b.rows = now, nil
	for _, i := range now {
		b.rows = append(b.rows, inboxRow{Invitation: i})
	}
	if len(now) > 0 {
		for _, f := range b.w.apply.failed {
			b.rows = append(b.rows, inboxRow{Invitation: steps.Invitation{Customer: f.Customer}, failed: f.Problem})
		}
		for _, c := range b.w.apply.nothing {
			b.rows = append(b.rows, inboxRow{Invitation: steps.Invitation{Customer: c.Customer, Name: c.Relationship}, ended: c.How})
		}
		for _, i := range b.w.apply.approved {
			b.rows = append(b.rows, inboxRow{Invitation: i, approved: true})
		}
	}
	rows := make([]row, len(b.rows))
	for n, r := range b.rows {
		rows[n].search = strings.ToLower(strings.Join([]string{r.Customer.Name, r.Customer.Domain, r.Customer.TenantID, r.Name, r.state()}, "\n"))
	}
	n := slices.IndexFunc(b.rows, func(r inboxRow) bool { return r.Customer.TenantID == at.Customer.TenantID })
	if n >= 0 && some { // it stays where the cursor is, or the next key would be for somebody else
		rows[n].search += "\n" + b.list.filter
	}
	b.list.SetRows(rows)
	if n >= 0 {
		b.list.refresh(n)
	}
	b.mail = b.mail && n >= 0 && b.rows[n].waits()
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
	some = some && i.waits()
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
	case b.folder != nil && pressed(msg, &k.Done):
		return b.export()
	case b.folder != nil:
		b.folder.Update(msg)
	case b.filter.Focused() && pressed(msg, &k.Done):
		b.filter.Blur()
	case b.filter.Focused():
		if msg.Text != "" || !b.list.Update(msg, k.move) {
			b.filter.Update(msg)
			b.list.Filter(b.filter.Value())
		}
	case pressed(msg, &k.Open):
		b.w.say("•", "Asked the browser to open the link. It serves only whoever signs in as a Global Administrator of the customer's tenant.")
		return b.w.openURL(i.Link)
	case pressed(msg, &k.Link) && b.mail:
		return b.copyMail(i.Invitation)
	case pressed(msg, &k.Link):
		b.w.say("•", "Sent the link for "+shownName(i.Customer)+" to the clipboard. It stands under the table, too.")
		return b.w.copyText(i.Link)
	case pressed(msg, &k.Mail):
		b.mail, b.scroll = true, scroller{}
		return b.copyMail(i.Invitation)
	case pressed(msg, &k.Remind):
		return b.remind(i.Invitation)
	case pressed(msg, &k.Look):
		b.w.apply.lookNow()
	case pressed(msg, &k.Export):
		b.ask()
	case pressed(msg, &k.Find):
		b.filter.Focus()
	case pressed(msg, &k.Finish):
		b.w.apply.finishWaiting()
		later := "by the next run."
		if b.w.fleeting() {
			later = "when you look again from there."
		}
		b.w.say("•", "Reading back what is there, then the result is shown. Whoever approves later is taken up "+later)
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
