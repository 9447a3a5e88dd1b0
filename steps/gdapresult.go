package steps

// DelegationResult is what the stage about customers led to, read back.
type DelegationResult struct {
	Customers   int
	Ready       int // with every role in force
	Invitations []Invitation
}

// delegationResult puts together what was read back.
func (e *engine) delegationResult(f *Findings) *DelegationResult {
	if f.Delegation == nil || !e.plan.options.has(StageGDAP) {
		return nil
	}
	p := Plan{want: desire(e.plan.Answers, f), findings: f}
	roles := e.plan.Answers.GDAP.RoleIDs()
	r := &DelegationResult{Customers: len(f.Delegation.Customers), Invitations: Invitations(e.plan.Answers, f)}
	for _, c := range f.Delegation.Customers {
		chosen := p.chosen(c, roles)
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
