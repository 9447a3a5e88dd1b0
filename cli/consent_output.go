package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"msbundle/steps"
)

// standDocument is a customer and how it stands.
type standDocument struct {
	TenantID      string        `json:"tenantId"`
	Name          string        `json:"name"`
	Domain        string        `json:"domain"`
	Organizations []string      `json:"organizations"` // its places in Rewst
	Shade         steps.Shade   `json:"shade"`
	Reason        string        `json:"reason,omitempty"`
	Fix           string        `json:"fix,omitempty"`
	Relationship  string        `json:"relationship,omitempty"` // Microsoft's word for how delegated administration stands
	Writes        int           `json:"writes"`                 // that it still takes
	State         customerEnd   `json:"state"`
	Left          string        `json:"left,omitempty"`  // why what it takes was not written
	At            time.Time     `json:"at,omitzero"`     // when it was looked at
	Notes         []string      `json:"notes,omitempty"` // what is left alone there, and why
	Checks        []directProof `json:"checks,omitempty"`
}

// customerEnd is how it ended at a customer.
type customerEnd string

// How it can end.
const (
	endDone    customerEnd = "done"    // it has what was asked for
	endChanges customerEnd = "changes" // something is to be written
	endLooked  customerEnd = "looked"  // nothing was asked for
	endWaiting customerEnd = "waiting" // for the customer, or for Rewst
	endFailed  customerEnd = "failed"
)

// consentDocument is what became of the customers' own tenants.
type consentDocument struct {
	Looked    int              `json:"looked"`
	Written   int              `json:"written"`
	Shades    map[string]int   `json:"shades"`
	Mapping   mappingDocument  `json:"mapping"`
	Failed    []failedDocument `json:"failed"`
	Waiting   []string         `json:"waiting"` // their tenant ids
	Customers []standDocument  `json:"customers"`
}

// customersApplyDocument is what an apply of a file about customers alone led to.
type customersApplyDocument struct {
	Schema     string           `json:"schema"`
	Tenant     string           `json:"tenant"`
	TenantName string           `json:"tenantName"`
	Account    string           `json:"account"`
	Done       bool             `json:"done"`
	Written    int              `json:"written"`
	Consent    *consentDocument `json:"consent"`
}

// looked are the customers that this run is about.
func (r *atCustomers) looked() []steps.CustomerRow {
	var out []steps.CustomerRow
	for _, row := range r.clientele.Rows {
		if r.about[row.TenantID] {
			out = append(out, row)
		}
	}
	return out
}

// end is how it ended at a customer.
func (r *atCustomers) end(row steps.CustomerRow) customerEnd {
	shade := row.Shield.Shade
	plan := r.of(row.TenantID)
	switch {
	case !r.answers.Customers.Consents() || !r.isChosen(row):
		return endLooked
	case r.failed[row.TenantID] != nil, r.left[row.TenantID] != "", shade == steps.Red:
		return endFailed
	case plan != nil && plan.Writes() > 0:
		return endChanges
	case shade != steps.Blue && !row.Shield.Missing():
		return endDone // what could not be tried is said, and holds nothing up
	case shade == steps.Blue && row.Relationship == steps.RelationPending, r.clientele.Findings.Connector != nil && lacks(row.Shield, steps.ProofGrants):
		return endWaiting
	}
	return endFailed
}

// lacks tells whether a read of a customer's tenant found something missing.
func lacks(s steps.Shield, proof string) bool {
	return slices.ContainsFunc(s.Checks, func(c steps.ShieldPart) bool { return c.Proof == proof && c.State == steps.Failed })
}

// client is a customer as documents have it.
func (r *atCustomers) client(row steps.CustomerRow, checks bool) standDocument {
	d := standDocument{
		TenantID: row.TenantID, Name: row.Name, Domain: row.Domain, Organizations: r.organizationsOf(row.TenantID), Shade: row.Shield.Shade,
		Reason: row.Shield.Reason, Fix: row.Shield.Fix, Relationship: row.Relationship, State: endLooked, Left: r.left[row.TenantID], At: row.Shield.At.UTC(),
		Notes: row.Shield.Notes,
	}
	if row.Shield.At.IsZero() {
		d.At = time.Time{}
	}
	if r.plan != nil {
		d.State = r.end(row)
		if plan := r.of(row.TenantID); plan != nil {
			d.Writes = plan.Writes()
		}
	}
	if s := shieldInDocument(row.Shield); checks && s != nil {
		d.Checks = s.Checks
	}
	return d
}

func (r *atCustomers) clients() []standDocument {
	out := []standDocument{}
	for _, row := range r.looked() {
		out = append(out, r.client(row, false))
	}
	return out
}

// organizationsOf are the names of a customer's places in Rewst.
func (r *atCustomers) organizationsOf(tenant string) []string {
	out := []string{}
	if i := r.mapping.Find(tenant); i >= 0 {
		for _, n := range r.mapping.Rows()[i].Organizations {
			out = append(out, r.mapping.Organizations()[n].Name)
		}
	}
	return out
}

// document is what became of the customers; nil when they were not come to.
func (r *atCustomers) document() *consentDocument {
	if r.plan == nil {
		return nil
	}
	d := &consentDocument{
		Looked: len(r.looked()), Written: r.written, Shades: map[string]int{}, Mapping: r.mapped(), Failed: []failedDocument{}, Waiting: []string{},
		Customers: r.clients(),
	}
	for shade, n := range shadeCounts(r.looked()) {
		d.Shades[shade.String()] = n
	}
	for _, c := range d.Customers {
		switch c.State {
		case endWaiting:
			d.Waiting = append(d.Waiting, c.TenantID)
		case endFailed:
			d.Failed = append(d.Failed, r.failedDocument(c))
		}
	}
	return d
}

func (r *atCustomers) failedDocument(c standDocument) failedDocument {
	if p := r.failed[c.TenantID]; p != nil {
		return failedDocument{c.Name, c.TenantID, steps.UpperFirst(p.What), p.Cause, p.Do, p.Raw}
	}
	if c.Left != "" {
		return failedDocument{Customer: c.Name, TenantID: c.TenantID, Text: c.Left}
	}
	return failedDocument{Customer: c.Name, TenantID: c.TenantID, Text: c.Reason, Do: c.Fix}
}

func fleetDocument(doing, name string, e steps.FleetEvent) map[string]any {
	doc := map[string]any{"event": "customer", "doing": doing, "tenantId": e.Tenant, "name": name, "done": e.Of - e.Left, "left": e.Left, "of": e.Of}
	if e.Rate > 0 {
		doc["perMinute"], doc["secondsToGo"] = e.Rate, e.Rest.Seconds()
	}
	if e.Shield != nil {
		doc["shade"], doc["reason"], doc["fix"] = e.Shield.Shade, e.Shield.Reason, e.Shield.Fix
	}
	if e.Err != nil {
		p := failure(e.Err)
		doc["text"], doc["cause"], doc["do"], doc["words"], doc["requestId"] = p.What, p.Cause, p.Do, p.Raw, p.RequestID
	}
	return doc
}

// carryOut applies, and says how all customers stand. The error is how it ended.
func (r *atCustomers) carryOut(ctx context.Context) error {
	err := r.apply(ctx)
	if ctx.Err() != nil {
		r.sayStopped()
	}
	if ctx.Err() != nil || r.plan == nil || errors.Is(err, errDeclined) {
		return err
	}
	if !r.flags.json {
		r.printSummary(r.Err)
	}
	if err != nil {
		return err
	}
	return r.verdict()
}

// verdict is how it ended, by what was read back.
func (r *atCustomers) verdict() error {
	failed, waiting := 0, 0
	for _, row := range r.looked() {
		switch r.end(row) {
		case endFailed, endChanges:
			failed++
		case endWaiting:
			waiting++
		}
	}
	of := plural(len(r.looked()), "customer")
	switch {
	case failed > 0:
		return &exitError{exitFailed, fmt.Errorf("it did not work at %d of %s; do what is said for each, then run it again: those that are done are left alone", failed, of)}
	case waiting > 0 && r.clientele.Findings.Connector != nil:
		return &exitError{exitWaiting, fmt.Errorf("at %d of %s Rewst's shield has to be pressed", waiting, of)}
	case waiting > 0:
		return &exitError{exitWaiting, fmt.Errorf("%d of %s did not approve delegated administration yet", waiting, of)}
	}
	return nil
}

// printSummary says how the customers stand: how many of each shade, and of all
// that are not green why and what to do.
func (r *atCustomers) printSummary(w io.Writer) {
	fmt.Fprintf(w, "\nCustomers: %s, %s.\n", r.shades(), plural(r.written, "write"))
	for _, s := range r.standings() {
		word := s.shade.String()
		if s.word != "" {
			word += ", " + s.word
		}
		fmt.Fprintf(w, "  %-14s %s\n", word, r.names(s.customers))
		fmt.Fprintf(w, "                 %s\n", plain(s.reason))
		if s.fix != "" {
			fmt.Fprintf(w, "                 What to do: %s\n", plain(s.fix))
		}
	}
	r.printNotes(w, r.looked())
}

// printNotes lists what is left alone at customers and why, once for all of whom the
// same is said.
func (r *atCustomers) printNotes(w io.Writer, rows []steps.CustomerRow) {
	var all sayings
	for _, row := range rows {
		for _, text := range row.Shield.Notes {
			all.add(label(row.Customer), text)
		}
	}
	all.print(w, "Left alone at customers", r.verbose)
}

// sayings are what is said of customers, once for all of whom the same is.
type sayings struct {
	list []*standing
	at   map[string]*standing
}

func (s *sayings) add(name, text string) {
	for _, word := range []string{" of ", " at ", " to "} {
		text = strings.Replace(text, word+name, word+"the customer", 1)
	}
	if s.at == nil {
		s.at = map[string]*standing{}
	}
	if s.at[text] == nil {
		s.at[text] = &standing{reason: text}
		s.list = append(s.list, s.at[text])
	}
	s.at[text].customers = append(s.at[text].customers, name)
}

func (s *sayings) print(w io.Writer, title string, verbose bool) {
	if len(s.list) == 0 {
		return
	}
	fmt.Fprintln(w, "\n"+title)
	for i, x := range s.list {
		if i == many && !verbose {
			fmt.Fprintf(w, "  and %d more (--verbose lists them)\n", len(s.list)-i)
			break
		}
		fmt.Fprintf(w, "  %s: %s\n    %s\n", plural(len(x.customers), "customer"), namedOf(x.customers, verbose), plain(x.reason))
	}
}

// standings are the customers that are not as they were wanted, those alike
// together, the worst first.
func (r *atCustomers) standings() []*standing {
	at := map[string]*standing{}
	for _, c := range r.clients() {
		s := standing{shade: c.Shade, reason: c.Reason, fix: c.Fix}
		switch c.State {
		case endFailed, endChanges:
			s.word = string(endFailed)
			if c.Left != "" && r.failed[c.TenantID] == nil {
				s.word = "left out"
			}
			f := r.failedDocument(c)
			s.reason, s.fix = f.Text, f.Do
			if f.Cause != "" {
				s.reason += ": " + f.Cause
			}
			if f.Words != "" {
				s.reason += " (" + f.Words + ")"
			}
		case endWaiting, endDone:
			s.word = string(c.State)
		}
		if s.reason == "" {
			continue
		}
		key := fmt.Sprintf("%d%s\n%s\n%s", s.shade, s.word, s.reason, s.fix)
		if at[key] == nil {
			at[key] = &s
		}
		at[key].customers = append(at[key].customers, c.label())
	}
	var out []*standing
	for _, key := range slices.Sorted(maps.Keys(at)) {
		out = append(out, at[key])
	}
	return out
}

func (c standDocument) label() string {
	return label(steps.Customer{TenantID: c.TenantID, Name: c.Name, Domain: c.Domain})
}
