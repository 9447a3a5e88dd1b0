package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"msbundle/steps"
)

// plain makes text from outside harmless for a terminal: control characters and
// marks that turn the direction of writing show as what they are.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return '\uFFFD'
		}
		return r
	}, s)
}

func (a *app) printJSON(doc any) error {
	enc := json.NewEncoder(unarmed{a.Out})
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(doc)
}

// unarmed writes JSON so that no terminal it is shown on acts upon it: what plain
// removes from text, and JSON allows in a string, is escaped. It takes a value at a
// time.
type unarmed struct{ io.Writer }

func (w unarmed) Write(data []byte) (int, error) {
	out := data
	if bytes.ContainsFunc(data, acts) {
		out = nil
		for _, r := range string(data) {
			if acts(r) {
				out = fmt.Appendf(out, `\u%04x`, r)
			} else {
				out = utf8.AppendRune(out, r)
			}
		}
	}
	_, err := w.Writer.Write(out)
	return len(data), err
}

func acts(r rune) bool {
	return r >= 0x7f && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r))
}

// progress writes one JSON line to stderr.
func (a *app) progress(v map[string]any) {
	enc := json.NewEncoder(unarmed{a.Err})
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // nothing to be done when nobody listens
}

func (a *app) remark(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if a.flags.json {
		a.progress(map[string]any{"event": "note", "text": text})
		return
	}
	fmt.Fprintln(a.Err, plain(text))
}

// watch tells the progress of an apply line by line.
func (a *app) watch() func(steps.Event) {
	lastWait := ""
	return func(e steps.Event) {
		if a.flags.json {
			a.progress(eventDocument(e))
			return
		}
		switch e.Kind {
		case steps.EventStarted:
			more := ""
			if n := len(e.Changes); n > 1 {
				more = fmt.Sprintf(" and %d more", n-1)
			}
			fmt.Fprintf(a.Err, "- %s%s\n", plain(e.Text), more)
		case steps.EventWaiting:
			if e.Wait.For == lastWait {
				return
			}
			lastWait = e.Wait.For
			fmt.Fprintf(a.Err, "  waiting for %s (usually %s); then %s\n", plain(e.Wait.For), e.Wait.Usual, e.Wait.Then)
		case steps.EventProof:
			fmt.Fprintf(a.Err, "- Read back and right: %d of %d\n", e.Proof, e.Of)
		case steps.EventNote:
			fmt.Fprintf(a.Err, "  %s\n", plain(e.Text))
		}
	}
}

var eventNames = map[steps.EventKind]string{
	steps.EventStarted: "started", steps.EventDone: "done", steps.EventWaiting: "waiting", steps.EventProof: "proof",
	steps.EventPaused: "paused", steps.EventResumed: "resumed", steps.EventNote: "note",
	steps.EventInvitations: "invitations",
}

func eventDocument(e steps.Event) map[string]any {
	doc := map[string]any{"event": eventNames[e.Kind], "at": e.At.UTC().Format(time.RFC3339)}
	if len(e.Changes) > 0 {
		doc["changes"] = e.Changes
	}
	if e.Text != "" {
		doc["text"] = e.Text
	}
	if e.Wait != nil {
		doc["for"], doc["usual"], doc["then"] = e.Wait.For, e.Wait.Usual, e.Wait.Then
	}
	if e.Ended != nil {
		doc["ended"] = endDocuments([]steps.CustomerEnd{*e.Ended})[0]
	}
	if e.Kind == steps.EventInvitations {
		doc["waiting"] = len(e.Invitations)
	}
	if e.Of > 0 {
		doc["good"], doc["of"] = e.Proof, e.Of
	}
	return doc
}

// derivedID is the place of an id that is made while writing, givenID that of an id
// that Microsoft gives to what the plan makes.
var (
	derivedID = regexp.MustCompile(`\$\{guid [^?/]*(/[^?]*)?\}`)
	givenID   = regexp.MustCompile(`\$\{(relation|group)\.[^{}/]*\}`)
)

// requestOf is a change's request as it is shown.
func requestOf(c steps.Change) string {
	path := derivedID.ReplaceAllString(c.Path, "[made from what it joins]")
	path = givenID.ReplaceAllStringFunc(path, func(id string) string {
		if strings.HasPrefix(id, "${group.") {
			return "[id of the group, once it is made]"
		}
		return "[id of the relationship, once it is made]"
	})
	return c.Method + " " + path
}

func printPlan(w io.Writer, p steps.Plan, verbose bool) {
	fmt.Fprintf(w, "Tenant %s (%s), signed in as %s\n", plain(p.TenantName), p.Tenant, plain(p.Account))
	if p.Empty() {
		fmt.Fprintln(w, "\nNothing to change.")
	}
	for _, g := range p.Groups() {
		fmt.Fprintf(w, "\n%s (%d)\n", g.Title, len(g.Changes))
		if !verbose && manyCustomers(g) {
			printMany(w, p, g)
			continue
		}
		request := ""
		for _, c := range g.Changes {
			if r := requestOf(c); r != request {
				request = r
				fmt.Fprintf(w, "  %s\n", plain(request))
			}
			back := ""
			if !c.Reversible {
				back = ", not reversible"
			}
			fmt.Fprintf(w, "    %-8s  %s%s\n", c.Risk, plain(c.Describe()), back)
			if c.Kind == steps.KindPolicy && c.Action == steps.Update {
				fmt.Fprintf(w, "              before  %s\n              after   %s\n", plain(string(c.Before)), plain(string(c.Body)))
			}
		}
	}
	if len(p.Offers) > 0 {
		fmt.Fprintln(w, "\nOffers (take one with --take ID)")
		for _, o := range p.Offers {
			mark := " "
			if o.Ticked {
				mark = "x"
			}
			fmt.Fprintf(w, "  [%s] %s: %s\n      %s\n", mark, o.ID, plain(o.Title), plain(o.Why))
		}
	}
	if len(p.Notes) > 0 {
		fmt.Fprintln(w, "\nNotes")
		for _, n := range p.Notes {
			text := n.Text
			if n.Reason != "" {
				text += ": " + n.Reason
			}
			fmt.Fprintf(w, "  %s\n", plain(text))
		}
	}
	if !p.Empty() {
		fmt.Fprintf(w, "\n%s\n", writes(p))
	}
}

type integrationDocument struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Authorized bool     `json:"authorized"`
	Granted    int      `json:"granted"`
	Wanted     int      `json:"wanted"`
	Missing    []string `json:"missing"`
}

type secretDocument struct {
	Made    bool   `json:"made"`
	Expires string `json:"expires,omitempty"`
	Note    string `json:"note,omitempty"`
	Value   string `json:"value,omitempty"` // only where --secret-out - asked for it
}

type applyDocument struct {
	Schema       string                `json:"schema"`
	Tenant       string                `json:"tenant"`
	TenantName   string                `json:"tenantName"`
	Account      string                `json:"account"`
	Done         bool                  `json:"done"`
	Written      int                   `json:"written"`
	App          map[string]string     `json:"app"`
	Integrations []integrationDocument `json:"integrations"`
	Values       map[string]string     `json:"values"`
	Secret       secretDocument        `json:"secret"`
	Ready        *accountDocument      `json:"serviceAccount,omitempty"`  // what became of the tenant's own sections
	Customers    *customersDocument    `json:"customers,omitempty"`       // what became of the section about customers
	Invitations  []invitationDocument  `json:"invitations,omitempty"`     // what customers have to approve
	Consent      *consentDocument      `json:"consent,omitempty"`         // what became of the customers' own tenants
	Behind       int                   `json:"customersBehind,omitempty"` // that were last seen with what an earlier choice gave the app
	Proof        map[string]any        `json:"proof"`
	Notes        []steps.Note          `json:"notes"`
}

func resultDocument(p steps.Plan, r *steps.Result, reminded func([]steps.Invitation) []steps.Invitation) applyDocument {
	d := applyDocument{
		Schema: applySchema, Tenant: p.Tenant, TenantName: p.TenantName, Account: r.Account.Username, Done: r.Done(), Written: r.Written,
		App:    map[string]string{"name": r.AppName, "appId": r.AppID, "servicePrincipalId": r.PrincipalID, "portal": r.PortalURL, "redirectUri": r.RedirectURI},
		Values: map[string]string{}, Notes: append([]steps.Note{}, r.Notes...), Integrations: []integrationDocument{},
		Ready:  readyDocument(r),
		Secret: secretDocument{Made: !r.Secret.IsZero(), Note: r.SecretNote},
		Proof:  proofDocument(r.Proof),
		Behind: r.Behind,
	}
	if g := r.Delegation; g != nil {
		d.Customers = &customersDocument{Chosen: g.Customers, Ready: g.Ready, Waiting: len(g.Invitations), Failed: failedDocuments(g.Failed), Ended: endDocuments(g.Ended), Others: endDocuments(g.Others)}
		d.Invitations = invitationDocuments(reminded(g.Invitations), r.Proof.At)
	}
	if !r.SecretExpires.IsZero() {
		d.Secret.Expires = r.SecretExpires.UTC().Format(time.RFC3339)
	}
	for _, i := range r.Integrations {
		d.Integrations = append(d.Integrations, integrationDocument{i.ID, i.Name, i.Authorized, i.Granted, i.Wanted, append([]string{}, i.Missing...)})
	}
	for _, v := range r.Values {
		d.Values[v.Label] = v.Value
	}
	return d
}

func proofDocument(p steps.Proof) map[string]any {
	d := map[string]any{"goodReads": p.Reads, "requestIds": append([]string{}, p.RequestIDs...)}
	if !p.At.IsZero() {
		d["at"] = p.At.UTC().Format(time.RFC3339)
	}
	return d
}

// times says how often a result was read back.
func times(reads int) string {
	if reads == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times in a row", reads)
}

func printResult(w io.Writer, r *steps.Result, secretOut string) {
	if len(r.Integrations) > 0 {
		fmt.Fprintln(w)
	}
	for _, i := range r.Integrations {
		word := "authorised"
		if !i.Authorized {
			word = "NOT authorised"
		}
		fmt.Fprintf(w, "%-28s %s (%d of %d permissions)\n", i.Name, word, i.Granted, i.Wanted)
	}
	fmt.Fprintf(w, "\nBy %s in tenant %s (%s), %s", plain(r.Account.Username), plain(r.Org.Name), r.Org.ID, plural(r.Written, "write"))
	if r.Proof.Reads > 0 {
		fmt.Fprintf(w, ", read back %s", times(r.Proof.Reads))
	}
	fmt.Fprintln(w, ".")
	if r.PortalURL != "" {
		fmt.Fprintf(w, "Enterprise application: %s\n  %s\n", plain(r.AppName), r.PortalURL)
	}
	if len(r.Values) > 0 {
		fmt.Fprintln(w, "\nEnter in Rewst (Marketplace, Integrations, Microsoft Cloud Bundle, Configuration Parameters):")
		for _, v := range r.Values {
			fmt.Fprintf(w, "  %-14s %s\n", v.Where, plain(v.Value))
		}
		switch {
		case r.Secret.IsZero():
			fmt.Fprintf(w, "  %-14s %s\n", "Client Secret", plain(r.SecretNote))
		case secretOut == "-":
			fmt.Fprintf(w, "  %-14s on stdout, valid until %s\n", "Client Secret", r.SecretExpires.Format(time.DateOnly))
		default:
			fmt.Fprintf(w, "  %-14s in %s, valid until %s\n", "Client Secret", secretOut, r.SecretExpires.Format(time.DateOnly))
		}
	}
}
