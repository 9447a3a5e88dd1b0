package ui

import (
	"fmt"
	"slices"
	"strings"

	"msbundle/state"
	"msbundle/steps"
)

// standing is what has become of a customer the consent was asked for at. It is made
// from what is kept, so that a later run says the same.
type standing int

const (
	stands  standing = iota // as it was asked for, or nothing was
	lacking                 // the way in is open, and something that was chosen is not there
	waiting                 // for the customer to approve delegated administration
	broken
)

// want takes over which customers the consent was asked for at.
func (c *clients) want(x state.Customers) {
	c.asked, c.wanted = x, make([]bool, len(c.mapping.Rows()))
	for i := range c.wanted {
		r := c.row(i)
		c.wanted[i] = x.Chosen(r.TenantID, r.Domains)
	}
}

// standing is what has become of a customer by its place.
func (c *clients) standing(i int) standing {
	r := c.row(i)
	switch s := &r.Shield; {
	case c.failed[r.TenantID] != nil:
		return broken
	case !c.wanted[i], s.Shade == steps.Unseen:
		return stands
	case s.Failed():
		return broken
	case s.Shade == steps.Blue && r.Relationship == steps.RelationPending:
		return waiting
	case s.Shade == steps.Blue, s.Missing():
		return lacking
	}
	return stands
}

// trouble is what went wrong at a customer and was not mended since; nil when
// nothing did.
func (c *clients) trouble(i int) *steps.Problem {
	r := c.row(i)
	if p := c.failed[r.TenantID]; p != nil {
		return p
	}
	if c.standing(i) != broken {
		return nil
	}
	return &steps.Problem{What: r.Shield.Reason, Do: r.Shield.Fix, Retry: true}
}

// troubles are what went wrong at customers and was not mended since.
func (c *clients) troubles() []steps.CustomerFailure {
	var out []steps.CustomerFailure
	for _, i := range c.failures() {
		if p := c.trouble(i); p != nil {
			out = append(out, steps.CustomerFailure{Customer: c.row(i).Customer, Problem: p})
		}
	}
	return out
}

// failures are the customers the consent was asked for at and that are not as it was
// asked.
func (c *clients) failures() []int {
	var out []int
	for i := range c.wanted {
		if c.standing(i) != stands {
			out = append(out, i)
		}
	}
	return out
}

// tally is how many customers stand how.
func (c *clients) tally() (n [broken + 1]int) {
	for i := range c.wanted {
		n[c.standing(i)]++
	}
	return n
}

// failing is how many customers are not as it was asked.
func (c *clients) failing() int {
	n := c.tally()
	return n[lacking] + n[waiting] + n[broken]
}

// failedText says in a few words how many customers are not as it was asked; nothing
// when all are.
func (c *clients) failedText() string {
	n := c.tally()
	text := ""
	for _, part := range []struct {
		n         int
		one, many string
	}{
		{n[broken], "failed", "failed"},
		{n[lacking], "lacks something that was chosen", "lack something that was chosen"},
		{n[waiting], "has to approve delegated administration", "have to approve delegated administration"},
	} {
		switch {
		case part.n == 0:
		case text == "":
			text = count(part.n, "customer "+part.one, "customers "+part.many)
		default:
			text += ", " + count(part.n, part.one, part.many)
		}
	}
	return text
}

// alikes are customers that the same is said of.
type alikes struct {
	text string
	rows []int
}

// who names them.
func (a *alikes) who(c *clients) string {
	if len(a.rows) == 1 {
		return shownName(c.row(a.rows[0]).Customer)
	}
	return count(len(a.rows), "customer", "customers")
}

// addAlike takes a customer to those of whom the same is said.
func addAlike(list []alikes, text string, row int) []alikes {
	for n := range list {
		if list[n].text == text {
			list[n].rows = append(list[n].rows, row)
			return list
		}
	}
	return append(list, alikes{text, []int{row}})
}

// addNotes takes what is left alone at a customer to what is left alone at others.
func (c *clients) addNotes(list []alikes, who steps.Customer, notes []string) []alikes {
	i := c.mapping.Find(who.TenantID)
	if i < 0 {
		return list
	}
	for _, text := range notes {
		for _, word := range []string{" of ", " at ", " to "} {
			text = strings.Replace(text, word+who.Name, word+"the customer", 1)
		}
		list = addAlike(list, text, i)
	}
	return list
}

// lacks says what customers lack or wait for, those alike together.
func (c *clients) lacks(as standing) []string {
	var list []alikes
	for i := range c.wanted {
		if c.standing(i) == as {
			s := &c.row(i).Shield
			list = addAlike(list, sentence(s.Reason)+" "+sentence(s.Fix), i)
		}
	}
	var out []string
	for n := range list[:min(len(list), longestListed)] {
		out = append(out, fmt.Sprintf("%s: %s", list[n].who(c), list[n].text))
	}
	if more := len(list) - longestListed; more > 0 {
		out = append(out, "and "+number(more)+" more reasons")
	}
	return out
}

// mended forgets what went wrong at customers where the look that has ended found
// nothing left to be written.
func (c *clients) mended(p *steps.CustomersPlan) {
	for _, x := range p.Customers {
		if tenant := x.Customer.TenantID; c.work.back[tenant] && x.Skipped == "" && x.Shield.Shade > steps.Blue && x.Writes() == 0 {
			delete(c.failed, tenant)
		}
	}
}

// refused is how a look leaves a customer: one that refused a consent is not merely
// without it.
func (c *clients) refused(tenant string, s steps.Shield) steps.Shield {
	if p := c.failed[tenant]; p != nil && s.Shade == steps.Blue {
		s.Shade, s.Reason, s.Fix = steps.Red, sentence(name(p.Cause, p.What)), p.Do
	}
	return s
}

// broke tells whether any of these customers is red or failed.
func (c *clients) broke(tenants []string) bool {
	return slices.ContainsFunc(tenants, func(tenant string) bool {
		i := c.mapping.Find(tenant)
		return i >= 0 && (c.row(i).Shield.Shade == steps.Red || c.standing(i) != stands)
	})
}

// failedNow is at how many customers something failed that was asked for; 0 when at
// most approvals are waited for.
func (c *clients) failedNow() int {
	if n := c.tally(); n[lacking]+n[broken] == 0 {
		return 0
	}
	return len(c.broken())
}

// retriable are the customers that failed and where, by the last look, a consent can be
// given.
func (c *clients) retriable() []int {
	return slices.DeleteFunc(c.failures(), func(i int) bool {
		p := c.plan.Of(c.row(i).TenantID)
		return p == nil || p.Skipped != "" || p.Writes() == 0
	})
}

// broken are the customers a look or a consent failed at.
func (c *clients) broken() []int {
	var out []int
	for i := range c.wanted {
		if c.row(i).Shield.Shade == steps.Red || c.standing(i) != stands {
			out = append(out, i)
		}
	}
	return out
}
