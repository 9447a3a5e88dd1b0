package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"msbundle/steps"
)

func (b *inbox) View(f Frame) []string {
	t := f.Theme
	i, some := b.current()
	if b.mail && some {
		return b.mailView(f, i.Invitation)
	}
	lines := b.head(f)
	short := f.Height < low
	switch {
	case b.folder != nil:
		lines = append(lines, t.Key.Render("Export to ")+b.folder.View(t, f.Width-10))
	case b.filter.Focused() || b.list.filter != "":
		lines = append(lines, t.Key.Render("/ ")+b.filter.View(t, f.Width-2))
	case !short:
		lines = append(lines, "")
	}
	under := b.details(f, i, some)
	if fit := f.Height - len(lines) - 1 - fewRows; short && len(under) > fit { // the link stays whole, then the rows come first
		under = under[:max(fit, 1+len(b.link(f, i)))]
	}
	if b.folder != nil && ansi.StringWidth(b.folder.Value()) > f.Width-12 { // the line has its end only
		under = t.lines(t.Plain, b.folder.Value(), f.Width)
	}
	room := max(f.Height-len(lines)-len(under)-1, 3)
	lines = append(lines, exactly(b.table(f.sized(f.Width, room)), room)...)
	lines = append(lines, t.Muted.Render(strings.Repeat("─", f.Width)))
	return append(lines, under...)
}

// head says who is waited for, who has to act, and what goes on just now.
func (b *inbox) head(f Frame) []string {
	t, a := f.Theme, b.w.apply
	n, others := pending(b.from)
	parts := []string{count(n, "customer has", "customers have") + " to approve."}
	rest := append([]endings{{others, "being set up"}, {len(a.approved), "approved meanwhile"}, {len(a.failed), "failed"}}, howEnded(a.nothing)...)
	for _, e := range rest {
		if e.n > 0 {
			parts = append(parts, number(e.n)+" "+e.how+".")
		}
	}
	text := strings.Join(parts, " ")
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
	if ansi.StringWidth(text)+ansi.StringWidth(next)+2 > f.Width {
		lines = append(t.lines(t.Strong, text, f.Width), t.Muted.Render(clip(next, f.Width)))
	}
	if a.current != "" && a.wait == nil {
		return append(lines, t.Accent.Render(clip(a.current, f.Width)))
	}
	if f.Height < low {
		return lines
	}
	about := "Whoever approves gets the roles by itself: leave this open, or come back."
	if b.w.fleeting() {
		about = "Whoever approves gets the roles by itself while this is open."
	}
	if n := a.plan.Rest; n > 0 {
		about = count(n, "other write is", "other writes are") + " left for a plan that shows them: f, then a leads there."
	}
	return append(lines, t.lines(t.Muted, about, f.Width)...)
}

// A frame lower than low leaves out what explains, so that fewRows fit: those of
// customers, under their headings.
const (
	low     = 18
	fewRows = 1 + 5
)

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
		who := t.cursorAt(current) + t.row(pad(clip(shownName(i.Customer), customer-1), customer), current)
		switch {
		case i.failed != nil:
			return who + t.Bad.Render("✗ failed") + clip(": "+name(i.failed.Cause, i.failed.What), w-customer-8)
		case i.ended != "":
			return who + t.Warn.Render(clip("! "+i.ended, w-customer))
		case i.approved:
			return who + t.Good.Render(clip("✓ "+b.w.apply.rolesAt(i.Customer), w-customer))
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
	if i.approved {
		return append(lines, t.lines(t.Plain, sentence(steps.UpperFirst(b.w.apply.rolesAt(i.Customer)))+" Request "+i.Name+".", f.Width)...)
	}
	if i.ended != "" {
		lines = append(lines, f.labelled("What", "Request "+i.Name+": "+i.ended+". It cannot be approved any more.", 6)...)
		return append(lines, f.labelled("Do", askAnew, 6)...)
	}
	lines = append(lines, b.link(f, i)...)
	if b.w.cfg.Sandbox != "" {
		text := "Rehearsal, nothing reaches Microsoft: answer for the customer at this link."
		if f.Width < ansi.StringWidth(text) {
			text = "Rehearsal: answer for the customer at this link."
		}
		lines = append(lines, t.lines(t.Muted, text, f.Width)...)
	}
	facts := "Request " + i.Name + ", tenant " + i.Customer.TenantID
	switch {
	case f.Height < low:
		facts = "Lapses " + date(i.Until) + ", reminded " + b.lastReminder(i.Invitation) + "."
	case f.Width < narrow:
		facts = "Lapses " + date(i.Until) + ", reminded " + b.lastReminder(i.Invitation) + ". " + facts
	}
	lines = append(lines, t.lines(t.Muted, facts, f.Width)...)
	if f.Height < low { // the mails say it
		return lines
	}
	return append(lines, t.lines(t.Plain, "Who may approve: a Global Administrator of the customer's own tenant, signed in there, best in a private window.", f.Width)...)
}

// link is where the customer approves, whole, so that it can be selected.
func (b *inbox) link(f Frame, i inboxRow) []string {
	if !i.waits() {
		return nil
	}
	lines := strings.Split(ansi.Hardwrap(clean(i.Link), f.Width+2*margin, false), "\n")
	for n, l := range lines {
		lines[n] = flushMark + f.Theme.Accent.Render(l)
	}
	return lines
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

// askAnew is what to do about a customer with whom it came to nothing.
const askAnew = "Ask the customer what happened. The next run asks anew, with another name."

// endings are how many it came to nothing with in the same way.
type endings struct {
	n   int
	how string
}

func howEnded(list []steps.CustomerEnd) []endings {
	var out []endings
	for _, c := range list {
		i := slices.IndexFunc(out, func(e endings) bool { return e.how == c.How })
		if i < 0 {
			i, out = len(out), append(out, endings{how: c.How})
		}
		out[i].n++
	}
	return out
}
