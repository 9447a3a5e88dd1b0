package steps

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// planStepDown gives the service account the roles it works with and then takes
// Global Administrator away.
// https://learn.microsoft.com/graph/api/unifiedroleassignment-delete
func planStepDown(p *Plan) {
	a := p.want.answers.ServiceAccount
	if a == nil || a.Roles != state.RolesOperate || p.accountRef() == "" {
		return
	}
	r := p.findings.Ready
	var twelve []string
	for _, role := range catalog.ServiceRoles() {
		twelve = append(twelve, role.TemplateID)
		if !r.User.Holds(role.TemplateID) {
			p.giveRole(role.TemplateID, role.Purpose)
		}
	}
	if r.adminThroughGroup() {
		p.note("%s has Global Administrator through a group: %s.", r.UPN, leaveGroupByHand)
	}
	if !r.User.Holds(catalog.RoleGlobalAdministrator) {
		return
	}
	if why := stepDownRefused(p.findings); why != "" && !p.insisted() {
		p.note("%s keeps Global Administrator: %s.", r.UPN, why)
		return
	}
	g := r.User.given(catalog.RoleGlobalAdministrator)
	p.add(Change{
		ID: "serviceaccount/role/" + g.RoleID + "/remove", Step: stepAccount, Kind: KindRoleGiven, Action: Remove,
		Object: "Global Administrator from " + r.UPN,
		Why:    "Only authorising takes it. The roles that stay are proven first; authorising anew takes it back: choose the roles for setting up.",
		Method: "DELETE", Path: roleAssignments + "/" + g.ID, Risk: RiskCritical, Reversible: true, Name: g.RoleID, Proves: twelve,
		Before: encode(map[string]string{"roleDefinitionId": g.RoleID, "principalId": r.User.ID, "directoryScopeId": g.Scope}),
	}, nil)
}

const leaveGroupByHand = "take the account out of that group, which is not done here: others may count on it"

// adminThroughGroup tells whether the account has Global Administrator through a
// group.
func (r *Readiness) adminThroughGroup() bool {
	return r.User != nil && slices.ContainsFunc(r.Admins, func(g RoleGiven) bool {
		return g.Scope == "/" && containsFold(r.User.Groups, g.PrincipalID)
	})
}

// stepDownRefused says why Global Administrator is not simply taken away; empty
// when it can be.
func stepDownRefused(f *Findings) string {
	r := f.Ready
	others := 0
	for _, g := range r.Admins {
		if g.User && g.Scope == "/" && r.User != nil && g.PrincipalID != r.User.ID {
			others++
		}
	}
	switch {
	case others == 0:
		return "nobody else is known to be Global Administrator, and a tenant without one cannot be administered: Microsoft refuses that"
	case strings.EqualFold(r.User.ID, f.Account.ObjectID):
		return "it is the account that is signed in here, and Microsoft lets nobody take it from themselves"
	}
	return ""
}

// insisted tells whether the person typed the tenant's name to have something
// dangerous done.
func (p *Plan) insisted() bool {
	return p.options.Insist != "" && strings.TrimSpace(p.options.Insist) == strings.TrimSpace(p.findings.Org.Name)
}

// proveRoles makes sure, by reading several times in a row, that the roles that
// are to stay are there before the one that carried everything goes.
func (e *engine) proveRoles(ctx context.Context, c Change) error {
	if len(c.Proves) == 0 {
		return nil
	}
	var before wireRoleGiven
	if err := json.Unmarshal(c.Before, &before); err != nil {
		return err
	}
	missing := ""
	good, err := msclient.Until(ctx, msclient.Patience{
		Good: proofReads, First: firstBackoff, Max: longestWait, Limit: proofLimit,
		Waiting: func(since time.Time, next time.Duration) {
			e.tell(Event{Kind: EventWaiting, Text: c.Describe(), Wait: &Wait{
				For: "the roles that stay to be in force (" + missing + ")", Usual: "a few seconds; Microsoft names up to 15 minutes", Since: since, Next: next,
				Then: "Global Administrator is taken away once they were there several times in a row",
			}})
		},
	}, func(ctx context.Context) (bool, error) {
		var given []RoleGiven
		for raw, err := range msclient.List[json.RawMessage](ctx, e.graph, query(roleAssignments, "$filter", "principalId eq "+quote(before.PrincipalID))) {
			if err != nil {
				return false, err
			}
			one, err := rolesGiven([]json.RawMessage{raw})
			if err != nil {
				return false, err
			}
			given = append(given, one...)
		}
		missing = ""
		for _, id := range c.Proves {
			if !slices.ContainsFunc(given, func(g RoleGiven) bool { return g.RoleID == id && g.Scope == "/" }) {
				missing = catalog.RoleByID(id).Name + " is missing"
			}
		}
		return missing == "", nil
	})
	if err == nil && !good {
		err = &Problem{
			What: "Global Administrator was not taken away: " + missing,
			Do:   "Run it again in a few minutes. The account keeps Global Administrator until the roles that stay are in force.", Retry: true,
		}
	}
	return problem(err, fmt.Sprintf("%s was not done", lowerFirst(c.Describe())))
}
