package steps

// DelegationResult is what the stage about customers led to, read back.
type DelegationResult struct {
	Customers   int
	Ready       int // with every role in force
	Invitations []Invitation
	Failed      []CustomerFailure // with whom it did not work in this run; a later one tries again
}

// delegationResult puts together what was read back.
func (e *engine) delegationResult(f *Findings) *DelegationResult {
	if f.Delegation == nil || !e.plan.options.has(StageGDAP) {
		return nil
	}
	p := Plan{want: desire(e.plan.Answers, f), findings: f}
	roles, by := e.plan.Answers.GDAP.RoleIDs(), f.Delegation.byCustomer()
	r := &DelegationResult{Customers: len(f.Delegation.Customers), Invitations: e.Reminded(Invitations(e.plan.Answers, f)), Failed: e.failures}
	for _, c := range f.Delegation.Customers {
		chosen := f.Delegation.best(by[c.TenantID], roles)
		if chosen == nil || chosen.Status != RelationActive {
			continue
		}
		complete := true
		for _, role := range roles {
			complete = complete && chosen.serves(p.groupRef(role), role)
		}
		if complete {
			r.Ready++
		}
	}
	return r
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
