package cli

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"msbundle/steps"
)

const directSchema = "msbundle.direct/1"

// directDocument is what became of the customers of the direct route.
type directDocument struct {
	Schema    string                   `json:"schema"`
	Customers []directCustomerDocument `json:"customers"`
}

type directCustomerDocument struct {
	TenantID string         `json:"tenantId"`
	Name     string         `json:"name"`
	Domain   string         `json:"domain"`
	State    string         `json:"state"` // done, left out, changes, waiting, failed, no sign-in or declined
	Error    string         `json:"error,omitempty"`
	Do       string         `json:"do,omitempty"`
	Shield   *directShield  `json:"shield,omitempty"` // absent where it was not looked at
	Plan     *planDocument  `json:"plan,omitempty"`
	Result   *applyDocument `json:"result,omitempty"`
}

type directShield struct {
	Shade  steps.Shade   `json:"shade"`
	Reason string        `json:"reason"`
	Fix    string        `json:"fix"`
	At     time.Time     `json:"at"`
	Checks []directProof `json:"checks"`
}

type directProof struct {
	Proof    string    `json:"proof"`
	State    string    `json:"state"`
	Evidence string    `json:"evidence"`
	Fix      string    `json:"fix,omitempty"`
	At       time.Time `json:"at"`
}

func shieldInDocument(s steps.Shield) *directShield {
	if s.At.IsZero() {
		return nil
	}
	d := &directShield{s.Shade, s.Reason, s.Fix, s.At.UTC(), []directProof{}}
	for _, c := range s.Checks {
		d.Checks = append(d.Checks, directProof{c.Proof, c.State.String(), c.Evidence, c.Fix, c.At.UTC()})
	}
	return d
}

// tell says what became of each customer, and what comes next.
func (d *directRun) tell() error {
	if d.flags.json {
		doc := directDocument{directSchema, []directCustomerDocument{}}
		for _, c := range d.customers {
			one := directCustomerDocument{
				TenantID: c.TenantID, Name: c.Name, Domain: c.Domain, State: c.end, Shield: shieldInDocument(c.shield), Plan: c.plan, Result: c.result,
			}
			if c.err != nil {
				one.Error, one.Do = c.why()
			}
			doc.Customers = append(doc.Customers, one)
		}
		return d.printJSON(doc)
	}
	if len(d.customers) == 1 && !d.writes {
		return nil // the plan says it all
	}
	fmt.Fprintln(d.Err, "\nCustomers")
	for _, c := range d.customers {
		shade := "-"
		if !c.shield.At.IsZero() {
			shade = c.shield.Shade.String()
		}
		name := c.label()
		if c.Name != "" {
			name = fmt.Sprintf("%s (%s)", c.Name, name)
		}
		fmt.Fprintf(d.Err, "  %-6s %-10s  %s\n", shade, c.end, plain(name))
		reason, fix := c.shield.Reason, c.shield.Fix
		if c.err != nil && c.end != directWaits {
			reason, fix = c.why()
		}
		if c.end == directAsBefore {
			d.under("It was proven on %s with these answers. To look at it again: --tenant %s", c.shield.At.Format(time.DateOnly), c.label())
		}
		if reason != "" {
			d.under("%s", strings.TrimSpace(reason))
		}
		if fix != "" {
			d.under("What to do: %s", fix)
		}
	}
	if d.writes && d.later("undo") != "" {
		fmt.Fprintf(d.Err, "\nWhat was written at a customer is taken back with: %s --tenant DOMAIN\n", d.later("undo"))
	}
	return nil
}

func (d *directRun) under(format string, args ...any) {
	fmt.Fprintf(d.Err, "                     %s\n", plain(fmt.Sprintf(format, args...)))
}

// why says what went wrong at a customer, and what to do.
func (c *directCustomer) why() (what, do string) {
	var p *steps.Problem
	if !errors.As(c.err, &p) {
		return c.err.Error(), ""
	}
	what = p.What
	if p.Cause != "" {
		what += ": " + p.Cause
	}
	return what, cmp.Or(p.Do, "Run it again.")
}
