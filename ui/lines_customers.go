package ui

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"

	tea "charm.land/bubbletea/v2"

	"msbundle/state"
	"msbundle/steps"
)

// clientWords explains what can be said about customers.
var clientWords = []string{
	"list says the customers; list and a text those that match it, or those that stand so: suggested, wrong, green, amber, blue, red, failed, with something left alone.",
	"show and a number says what the shield of that customer rests on, and what is left alone there.",
	"look all, look failed, or look and numbers reads those customers and says how they stand. Nothing is written.",
	"consent all, or consent and numbers plans a consent at those customers. retry plans it for those that failed. You see the plan and are asked before anything is written.",
	"exclude has the partner taken out of customers' Conditional Access policies with a consent, or not.",
	"file and a path gives Rewst's organisations, a CSV file, or a mapping: a table of tenantId and organizationName, or an exported one. accept all takes all certain suggestions, accept and a number takes that one.",
	"link, a number and a name links that customer to an organisation, known or new. unlink and a number takes its organisations away, unlink certain those that were linked by themselves just now. none and a number says that it has none. undo takes the last of these back, and a mapping that was given.",
	"export and a folder writes the mapping, and the file from which Rewst imports new organisations.",
	"result says how the customers stand and what is left for you. direct and a number says how a customer is set up without delegated administration. close closes an app's sign-in that was left open. account signs in as somebody else.",
}

// customersStops are the questions of the stage about customers' tenants: one that
// takes words.
func customersStops() []stop { return []stop{{page: pageCustomers, ask: (*Lines).atCustomers}} }

// atCustomers lists the customers and does what is said about them.
func (l *Lines) atCustomers(ctx context.Context) error {
	if l.w.clients == nil {
		if err := l.findCustomersOnce(ctx); err != nil || l.w.move != nil {
			return err
		}
	}
	c := l.w.clients
	defer c.flush(l.w.cfg.Setup)
	l.clientTally()
	if n := c.failedNow(); n > 0 {
		l.say(count(n, "customer", "customers") + " failed: list failed says them, look failed looks again, retry consents where it can be.")
	}
	if len(c.mapping.Rows()) <= manyWrites {
		l.listClients(c.all())
	}
	for {
		text, err := l.ask(ctx, query{"Type list, look, consent, accept, link, file, export or result, ? for what they do, or press Enter to finish:", clientWords, l.clientTally})
		switch {
		case err != nil:
			return err
		case text == "" && l.stays(ctx):
			continue
		case text == "":
			l.clientFacts()
			l.reported = true
			return nil
		}
		err = l.client(ctx, text)
		switch {
		case errors.Is(err, errBack):
		case err != nil:
			return err
		}
		c.flush(l.w.cfg.Setup)
		if c.keepErr != nil {
			l.problem(c.keepErr)
		}
		if l.w.move != nil {
			return nil
		}
	}
}

// findCustomersOnce lists the customers.
func (l *Lines) findCustomersOnce(ctx context.Context) error {
	l.say("Reading the customers. Nothing is changed.")
	var found *foundClients
	a := l.w.asked()
	err := l.during(ctx, work{
		kind: callInspect,
		do: func(ctx context.Context, tell func(steps.Event)) (err error) {
			found, err = findClients(ctx, l.w.cfg.Setup, a, tell)
			return err
		},
		still: func(sofar string) string { return "Still reading the customers, " + sofar + " so far." },
	})
	if err == nil {
		l.w.clients, l.w.findings = newClients(found), found.clientele.Findings
		l.linked(l.w.tellLinked(""))
		if len(found.clientele.App.Left.Changes) > 0 {
			l.say("An earlier run left the app's own sign-in open. Type close to close it.")
		}
		return nil
	}
	if ctx.Err() != nil || errors.Is(err, errQuit) || errors.Is(err, errEnded) || errors.Is(err, errBack) {
		return err
	}
	l.problem(err)
	if errors.Is(err, errSetupFirst) {
		_, err = l.ask(ctx, query{"Press Enter to go to New setup, or type back or quit:", nil, nil})
		if err == nil {
			l.w.enter(steps.StageAuthorize)
			l.w.open(pageIntegrations)
		}
		return err
	}
	text, err := l.ask(ctx, query{"Press Enter to look again, or type account to sign in again, back or quit:", nil, nil})
	if err == nil && text == "account" {
		l.w.open(pageSignIn)
		return nil
	}
	if err == nil {
		l.w.open(pageCustomers)
	}
	return err
}

func (l *Lines) clientTally() {
	c := l.w.clients
	if c == nil {
		return
	}
	l.say("Shields: "+shadeTally(c.shades)+".", "Mapping: "+mappingTally(c.mapping)+".")
	if c.strange() {
		l.say("This is not the service account. account signs in as " + c.reaches() + ".")
	}
	if text := c.leftAlone(); text != "" {
		l.say(text + ".")
	}
}

// listClients says customers by number, some of many.
func (l *Lines) listClients(rows []int) {
	c := l.w.clients
	for said, i := range rows {
		if said == manyWrites {
			l.say("And " + number(len(rows)-said) + " more: type list and more of the name.")
			return
		}
		r := c.row(i)
		text := fmt.Sprintf("%d. %s, %s. Organisation: %s. Shield: %s.", i+1, shownName(r.Customer), r.Domain, mappingText(c.mapping, i), r.Shield.Shade)
		if r.Shield.Reason != "" {
			text += " " + sentence(r.Shield.Reason) + " " + sentence(r.Shield.Fix)
		}
		l.say(text)
	}
	if len(rows) == 0 {
		l.say("No customer matches.")
	}
}

// client does one thing that was said.
func (l *Lines) client(ctx context.Context, text string) error {
	c, w := l.w.clients, l.w
	verb, rest, _ := strings.Cut(text, " ")
	rest = strings.TrimSpace(rest)
	rows := c.numbered(rest)
	one := len(rows) == 1
	switch {
	case verb == "list":
		l.listClients(c.matching(rest))
	case verb == "show" && one:
		l.showClient(rows[0])
	case verb == "look" && rest == "failed":
		return l.lookAt(ctx, c.broken())
	case verb == "look" && len(rows) > 0:
		return l.lookAt(ctx, rows)
	case verb == "consent" && len(rows) > 0:
		return l.consentAt(ctx, rows)
	case verb == "retry" && c.failing() > 0:
		return l.plannedAt(ctx, c.failures())
	case text == "account":
		w.as = c.reaches()
		w.open(pageSignIn)
	case text == "exclude":
		l.say(w.exclude())
	case verb == "file" && rest != "":
		msg := w.listFrom(0, rest)().(listedMsg)
		l.linked(w.tookList(msg))
		l.save()
	case text == "earlier file" && c.before != nil:
		l.linked(w.tookList(w.unlist(0)().(listedMsg)))
	case verb == "accept" && rest == "all":
		n := c.mapping.AcceptCertain()
		c.dirty = true
		l.say(count(n, "suggestion was", "suggestions were") + " taken. The others are for you: list suggested says them.")
	case verb == "accept" && one:
		if s := c.mapping.State(rows[0]); s != steps.RowSuggested && s != steps.RowCertain {
			l.say("There is no suggestion.")
			break
		}
		c.edit(rows[0], func() { c.mapping.Accept(rows[0]) })
		l.changedClient(rows[0])
	case text == "unlink certain":
		l.say(count(len(c.linked), "link was", "links were") + " taken back; accept all makes them again.")
		c.unlinkCertain()
		c.dirty = true
	case verb == "unlink" && one:
		c.edit(rows[0], func() { c.unlink(rows[0]) })
		l.changedClient(rows[0])
	case text == "undo" && c.last != nil:
		l.say(c.undo())
		c.dirty = true
	case text == "close" && (c.ajar || len(c.clientele.App.Left.Changes) > 0):
		return l.closeAt(ctx)
	case verb == "none" && one:
		c.edit(rows[0], func() { c.mapping.Decline(rows[0]) })
		l.changedClient(rows[0])
	case verb == "link":
		n, what, _ := strings.Cut(rest, " ")
		if rows = c.numbered(n); len(rows) != 1 || strings.TrimSpace(what) == "" {
			l.say("Type link, the number of a customer, and the name of an organisation.")
			break
		}
		organization, err := c.mapping.Add(state.Organization{Name: what})
		if err != nil {
			l.say(sentence(err.Error()))
			break
		}
		c.edit(rows[0], func() { c.mapping.Link(rows[0], organization) })
		l.changedClient(rows[0])
	case verb == "export":
		w.exportMapping(name(rest, w.mappingDir()))
		l.notice()
	case text == "result":
		l.clientFacts()
	case verb == "direct" && one:
		v := newClientDirect(&customers{looking: looking{w: w}}, rows[0])
		l.say("An administrator of the customer signs in there. The file " + directFile + " holds:")
		for _, text := range v.file() {
			l.alone(text)
		}
		l.say("The command, next to it:")
		l.alone(v.command())
	default:
		l.say("That is not understood. There are " + count(len(c.mapping.Rows()), "customer", "customers") + "; type ? for the words.")
	}
	return nil
}

// linked says what a list of organisations has brought.
func (l *Lines) linked(tea.Cmd) { // what it linked is kept with the rest
	l.w.notice.text = strings.NewReplacer("z takes that back", "unlink certain takes that back", "z takes the file back", "undo takes the file back", "z takes the list back", "Type earlier file to take the list back").Replace(l.w.notice.text)
	l.w.clients.dirty = l.w.clients.dirty || len(l.w.clients.linked) > 0 || l.w.clients.before != nil
	l.notice()
}

// closeAt closes the app's sign-in that was left open, once that is agreed to.
func (l *Lines) closeAt(ctx context.Context) error {
	l.w.clients.plan = &steps.CustomersPlan{}
	agreed, err := l.agreedAt(ctx, workTidy)
	if !agreed {
		return err
	}
	if err := l.fleet(ctx, workTidy, workPlace{}); err != nil {
		return err
	}
	if err := l.w.clients.work.end.close; err != nil {
		l.problem(err)
	} else {
		l.say("The app's own sign-in is closed: it was read back that nothing of it is left.")
	}
	return nil
}

// changedClient says what a customer is linked to now.
func (l *Lines) changedClient(i int) {
	c := l.w.clients
	c.dirty = true
	l.say(shownName(c.row(i).Customer) + ": " + closed(mappingText(c.mapping, i)))
}

// numbered are the customers of numbers as they were said, or all; none when that is
// not understood.
func (c *clients) numbered(text string) []int {
	if text == "all" {
		return c.all()
	}
	var out []int
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
		n, err := strconv.Atoi(word)
		if err != nil || n < 1 || n > len(c.mapping.Rows()) {
			return nil
		}
		out = append(out, n-1)
	}
	return out
}

// matching are the customers that stand as a word says, or that a text is found in.
func (c *clients) matching(text string) []int {
	for _, p := range rowFilterList {
		if text == "" || p.name != text && !(text == "wrong" && strings.HasPrefix(p.name, "wrong")) {
			continue
		}
		if p.of != nil {
			return p.of(c)
		}
		return c.mapping.Filter(nil, steps.MappingFilter{States: p.states, Shades: p.shades})
	}
	return c.mapping.Filter(nil, steps.MappingFilter{Text: text})
}

func (l *Lines) showClient(i int) {
	c := l.w.clients
	r := c.row(i)
	l.say(shownName(r.Customer)+", "+r.Domain+".", "Organisation: "+closed(mappingText(c.mapping, i)), "Shield: "+r.Shield.Shade.String()+", "+seenWhen(r.Shield)+".")
	l.alone(r.TenantID)
	for _, p := range r.Shield.Checks {
		l.say(fmt.Sprintf("%s: %s. %s %s", proofTitles[p.Proof], p.State, closed(p.Evidence), p.Fix))
	}
	l.leftAlone(r.Shield.Notes)
	if p := c.trouble(i); p != nil {
		l.problem(p)
	}
}

// leftAlone says what is left alone at a customer.
func (l *Lines) leftAlone(notes []string) {
	for _, text := range notes {
		l.say("Left alone: " + text)
	}
}

// lookAt reads customers.
func (l *Lines) lookAt(ctx context.Context, rows []int) error {
	if len(rows) == 0 {
		l.say("There is no such customer.")
		return nil
	}
	err := l.fleet(ctx, workLook, workPlace{tenants: l.w.clients.tenants(rows)})
	if err == nil {
		l.clientTally()
	}
	return err
}

// fleet has work done at customers, and says how it goes.
func (l *Lines) fleet(ctx context.Context, kind workKind, p workPlace) error {
	c := l.w.clients
	l.tick()
	p.relist = !kind.writes() && (c.stale || c.broke(p.tenants))
	x := newClientWork(kind, l.w.now, len(p.tenants))
	x.plan, c.work = p.plan, x
	var mu sync.Mutex
	var queue []clientItem
	answers, call := l.w.answersFor(kind), callInspect
	if kind.writes() {
		call, l.w.wrote = callApply, true
	}
	var end *workEnd // nil until it has come to its end
	err := l.during(ctx, work{
		kind: call,
		do: func(ctx context.Context, tell func(steps.Event)) error {
			p.setup, p.answers, p.clientele, p.gate = l.w.cfg.Setup, answers, c.clientele, x.gate
			p.tell = func(i clientItem) {
				mu.Lock()
				queue = append(queue, i)
				mu.Unlock()
				tell(steps.Event{})
			}
			came := p.run(ctx, kind)
			mu.Lock()
			defer mu.Unlock()
			end = &came
			return came.err
		},
		event: func(steps.Event) {
			mu.Lock()
			items := queue
			queue = nil
			mu.Unlock()
			for _, i := range items {
				c.take(i, l.w.now)
				l.fleetNews(x, i)
			}
		},
		still: func(string) string { return "Still " + lowerOf(x.title()) + ": " + x.tally(l.w.now) + "." },
	})
	mu.Lock()
	came := end
	mu.Unlock()
	if came == nil { // it was given up in the middle
		came = &workEnd{err: err}
	}
	l.tick()
	c.take(clientItem{end: came}, l.w.now)
	if c.relisted {
		l.w.findings = c.clientele.Findings
	}
	if again := c.rematch(); again != nil {
		c.rematched(again().(rematchedMsg))
	}
	switch {
	case ctx.Err() != nil, errors.Is(err, errQuit), errors.Is(err, errEnded):
		return err
	case err != nil:
		l.problem(err)
	}
	return nil
}

// fleetNews says what has happened at customers: each of a few, of many only what
// failed and every tenth part.
func (l *Lines) fleetNews(x *clientWork, i clientItem) {
	switch e := i.fleet; {
	case i.phase != nil && *i.phase != "":
		l.say(*i.phase + ".")
	case e == nil || !e.Done || cancelled(e.Err):
	case e.Err != nil:
		l.say("Failed: " + failureText(l.w.clients.name(e.Tenant), problemOf(e.Err)))
	case x.of <= manyWrites && e.Shield != nil:
		l.say(fmt.Sprintf("%s: %s. %s of %s.", l.w.clients.name(e.Tenant), e.Shield.Shade, number(x.done()), number(x.of)))
	case x.of > manyWrites && x.done()%max(x.of/10, 1) == 0:
		l.say(steps.UpperFirst(x.tally(l.w.now)) + ".")
	}
}

// clientFacts says how the customers stand, and what is left.
func (l *Lines) clientFacts() {
	c := l.w.clients
	text, _ := c.verdict()
	l.say(text + ".")
	var facts []fact
	for _, f := range c.facts(l.w) {
		f.text = strings.NewReplacer(": in the list v shows them.", ": list wrong says them.", "in the list v shows them, and i what it is", "list with something left alone says them, and show and a number what it is", "e exports it", "export writes it", "C closes it", "close closes it").Replace(f.text)
		facts = append(facts, f)
	}
	l.facts(facts)
}
