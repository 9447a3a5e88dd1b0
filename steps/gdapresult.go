package steps

import (
	"slices"
)

// DelegationResult is what the stage about customers led to, read back.
type DelegationResult struct {
	Customers   int
	Ready       int // with every role in force
	Invitations []Invitation
	Failed      []CustomerFailure // with whom it did not work in this run; a later one tries again
	Ended       []CustomerEnd     // with whom it came to nothing in this run; a later one asks anew
	Others      []CustomerEnd     // who are not ready for another reason
}

// CustomerEnd is how it stands with a customer who is not ready and not waited for.
type CustomerEnd struct {
	Customer     Customer
	Relationship string // its name; empty when there is none
	How          string // in a few words: "declined"
}

func (c CustomerEnd) inSentence() string { return c.Customer.called() + " " + c.How }

// over tells whether it came to nothing with a customer in this run.
func (e *engine) over(tenant string) bool {
	return slices.ContainsFunc(e.ended, func(c CustomerEnd) bool { return c.Customer.TenantID == tenant })
}

// delegationResult puts together what was read back.
func (e *engine) delegationResult(f *Findings) *DelegationResult {
	if f.Delegation == nil || !e.plan.options.has(StageGDAP) {
		return nil
	}
	p := Plan{want: desire(e.plan.Answers, f), findings: f}
	roles, by := e.plan.Answers.GDAP.RoleIDs(), f.Delegation.byCustomer()
	r := &DelegationResult{Customers: len(f.Delegation.Customers), Invitations: e.Reminded(Invitations(e.plan.Answers, f)), Failed: e.failures, Ended: e.ended}
	waits := map[string]bool{}
	for _, i := range r.Invitations {
		waits[i.Customer.TenantID] = true
	}
	for _, c := range f.Delegation.Customers {
		chosen := f.Delegation.best(by[c.TenantID], roles)
		missing := p.notServing(chosen, roles)
		switch {
		case chosen != nil && chosen.Status == RelationActive && missing == 0:
			r.Ready++
		case !waits[c.TenantID] && !e.failed[c.TenantID] && !e.over(c.TenantID):
			r.Others = append(r.Others, standingOf(c, chosen, by[c.TenantID], roles, missing))
		}
	}
	return r
}

// notServing counts the roles that a relationship does not give to their groups.
func (p *Plan) notServing(r *Relationship, roles []string) int {
	n := 0
	for _, role := range roles {
		if r == nil || !r.serves(p.groupRef(role), role) {
			n++
		}
	}
	return n
}

// standingOf says how it is with a customer; chosen is the relationship that would
// serve, nil when none would.
func standingOf(c Customer, chosen *Relationship, all []*Relationship, roles []string, missing int) CustomerEnd {
	out := CustomerEnd{Customer: c, How: "no relationship"}
	switch near := nearest(all, roles); {
	case chosen != nil && chosen.Status == RelationActive:
		out.Relationship, out.How = chosen.Name, "active, "+plural(missing, "role")+" not given"
	case near != nil:
		_, out.How = relationWords(near, roles)
		out.Relationship = near.Name
	}
	return out
}

// unchanged is the result where nothing was written and nothing had to be: what
// the plan was made from proves it as well as reading it all again. It is nil when
// something is missing.
func (e *engine) unchanged() (*Result, error) {
	f := e.plan.findings
	if len(e.ended) > 0 || len(e.failures) > 0 || len(e.lacks(f)) > 0 {
		return nil, nil
	}
	r := e.result(nil, nil)
	r.Proof, r.Delegation = Proof{Reads: 1, At: f.At}, e.delegationResult(f)
	return r, e.keep(r.Proof, "")
}
