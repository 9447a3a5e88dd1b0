package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

const traceSchema = "msbundle.trace/1"

// customerWay is whose way to which customer is explained.
type customerWay struct{ customer, role, file string }

// explainCustomer follows the way of the service account to a customer.
func (a *app) explainCustomer(ctx context.Context, way customerWay, args []string) error {
	switch {
	case way.customer == "":
		return usage("--role, --file: these go with --customer, which names whose tenant cannot be reached")
	case len(args) > 0:
		return usage("explain: give the text of an error, or --customer, not both")
	}
	var roles []string
	if way.role != "" {
		id, err := roleNamed(way.role)
		if err != nil {
			return err
		}
		roles = []string{id}
	}
	s, answers, err := a.lookAtCustomers(ctx, way.file, steps.Traced)
	if err != nil {
		return err
	}
	t, err := s.TraceCustomer(ctx, answers, way.customer, roles, a.watch())
	switch {
	case errors.Is(err, steps.ErrNoSuchCustomer):
		return &exitError{exitUsage, err}
	case err != nil:
		return err
	}
	if asked := strings.TrimSpace(way.customer); !slices.ContainsFunc([]string{t.Customer.Name, t.Customer.Domain, t.Customer.TenantID}, func(s string) bool { return strings.EqualFold(s, asked) }) {
		a.remark("No customer is called %q. The only one whose name begins so is %s.", asked, t.Customer.Name)
	}
	shield := s.LastShield(t.Customer.TenantID)
	if a.flags.json {
		doc := traceOf(t)
		doc.Shield = shieldInDocument(shield)
		err = a.printJSON(doc)
	} else {
		w := a.fit(a.Out)
		printTrace(w, t)
		if !shield.At.IsZero() {
			printShield(w, steps.CustomerRow{Customer: t.Customer, Shield: shield})
		}
	}
	if err == nil && len(steps.Broken(t.Links)) > 0 {
		return &exitError{code: exitFailed}
	}
	return err
}

// roleNamed is the template id of one of the roles a relationship carries.
func roleNamed(text string) (string, error) {
	var names []string
	for _, r := range catalog.ServiceRoles() {
		if strings.EqualFold(text, r.Name) || strings.EqualFold(text, r.TemplateID) {
			return r.TemplateID, nil
		}
		names = append(names, r.Name)
	}
	return "", usage("--role: %q is none of the roles of the setup: %s", text, strings.Join(names, ", "))
}

// lookAtCustomers signs in to read what is known of customers. The answers are those
// of the file, or those kept for the tenant, or the defaults; as makes of them what
// is signed in for.
func (a *app) lookAtCustomers(ctx context.Context, file string, as func(state.Answers) state.Answers) (*steps.Setup, state.Answers, error) {
	answers := state.DefaultAnswers()
	section := state.DefaultGDAP()
	answers.GDAP, answers.Tenant, answers.Account = &section, a.flags.tenant, a.flags.account
	if file != "" {
		data, err := a.read(file)
		if err == nil {
			answers, err = a.answers(file, data)
		}
		if err != nil {
			return nil, answers, err
		}
		if answers.GDAP == nil {
			return nil, answers, usage("-f: %s has no section gdap, which says which customers it is about", file)
		}
	}
	c, err := a.connect(ctx)
	if err != nil {
		return nil, answers, err
	}
	s, err := a.setup(ctx, c, purpose{reads: true, looks: true})
	if err != nil {
		return nil, answers, err
	}
	if _, err := a.signIn(ctx, c, s, as(answers)); err != nil {
		return nil, answers, err
	}
	if file != "" {
		return s, answers, nil
	}
	kept, found, err := s.Saved()
	if err == nil && found && kept.GDAP != nil {
		return s, kept, nil
	}
	return s, answers, err
}

type traceDocument struct {
	Schema   string            `json:"schema"`
	Customer map[string]string `json:"customer"`
	Account  string            `json:"account"`
	Roles    []string          `json:"roles"`
	Broken   string            `json:"broken,omitempty"` // id of the first broken link, the one to mend first
	Links    []linkDocument    `json:"links"`
	Shield   *directShield     `json:"shield,omitempty"` // as it was seen last; absent when it never was
}

type linkDocument struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	State    string `json:"state"` // passed, broken or unknown
	Evidence string `json:"evidence"`
	Fix      string `json:"fix,omitempty"`
}

var linkStates = map[steps.CheckState]string{steps.Passed: "passed", steps.Failed: "broken", steps.Unknown: "unknown"}

func traceOf(t *steps.CustomerTrace) traceDocument {
	d := traceDocument{
		Schema: traceSchema, Customer: customerDocument(t.Customer), Account: t.Account, Links: []linkDocument{}, Roles: []string{},
	}
	for _, id := range t.Roles {
		d.Roles = append(d.Roles, catalog.RoleByID(id).Name)
	}
	for _, l := range t.Links {
		d.Links = append(d.Links, linkDocument{l.ID, l.Title, linkStates[l.State], l.Evidence, l.Fix})
	}
	if broken := steps.Broken(t.Links); len(broken) > 0 {
		d.Broken = broken[0].ID
	}
	return d
}

func customerDocument(c steps.Customer) map[string]string {
	return map[string]string{"tenantId": c.TenantID, "name": c.Name, "domain": c.Domain}
}

func printTrace(w io.Writer, t *steps.CustomerTrace) {
	what := plural(len(t.Roles), "role")
	if len(t.Roles) == 1 {
		what = catalog.RoleByID(t.Roles[0]).Name
	}
	fmt.Fprintf(w, "%s at %s (%s): %s\n\n", plain(t.Account), plain(t.Customer.Name), plain(cmp.Or(t.Customer.Domain, t.Customer.TenantID)), what)
	for _, l := range t.Links {
		mark := map[steps.CheckState]string{steps.Passed: "ok", steps.Failed: "BROKEN", steps.Unknown: "?"}[l.State]
		fmt.Fprintf(w, "  %-7s %-34s %s\n", mark, l.Title, plain(l.Evidence))
	}
	broken := steps.Broken(t.Links)
	unknown := slices.ContainsFunc(t.Links, func(l steps.Link) bool { return l.State == steps.Unknown })
	switch {
	case len(broken) > 0:
		label := "First broken link"
		for _, l := range broken {
			fmt.Fprintf(w, "\n%s: %s. %s.\nWhat to do: %s\n", label, l.Title, plain(l.Evidence), plain(l.Fix))
			label = "Broken as well"
		}
	case unknown:
		fmt.Fprintln(w, "\nNo link that could be looked at is broken. Of the others:")
		told := map[string]bool{}
		for _, l := range t.Links {
			if l.State == steps.Unknown && l.Fix != "" && !told[l.Fix] {
				told[l.Fix] = true
				fmt.Fprintf(w, "  %s: %s\n", l.Title, plain(l.Fix))
			}
		}
	default:
		fmt.Fprintln(w, "\nNo link is broken.")
	}
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
