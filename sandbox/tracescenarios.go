package sandbox

import (
	"maps"
	"slices"

	"msbundle/catalog"
)

// traceScenarios are worlds in which the way of the service account to the first
// customer, Fabrikam, is whole but for one link.
var traceScenarios = []scenario{
	trace("trace-whole", "Nothing keeps the service account out of Fabrikam", nil),
	trace("trace-no-account", "Fabrikam cannot be reached: the service account was never made", func(w *traceWorld) { w.noAccount = true }),
	trace("trace-disabled", "Fabrikam cannot be reached: the service account is switched off", func(w *traceWorld) { w.account = object{"accountEnabled": false} }),
	trace("trace-no-mfa", "Fabrikam cannot be reached: nothing demands a second factor of the service account", func(w *traceWorld) { w.noMFA = true }),
	trace("trace-not-agent", "Fabrikam cannot be reached: the service account is not in AdminAgents", func(w *traceWorld) { w.notAgent = true }),
	trace("trace-no-group", "Fabrikam cannot be reached: there is no group for Exchange Administrator", func(w *traceWorld) { w.noGroup = true }),
	trace("trace-not-member", "Fabrikam cannot be reached: the service account is not in the groups", func(w *traceWorld) { w.notMember = true }),
	trace("trace-no-relationship", "Fabrikam cannot be reached: there is no relationship with it", func(w *traceWorld) { w.rel = nil }),
	trace("trace-migrated", "Fabrikam cannot be reached: Microsoft's own relationship is the only one", func(w *traceWorld) {
		w.rel.name, w.rel.roles = "MLT_4f1c02aa_CONTOSO", migratedRoles
	}),
	trace("trace-pending", "Fabrikam cannot be reached: it has not approved the relationship", func(w *traceWorld) { w.rel.status, w.rel.age = relPending, 12 }),
	trace("trace-ended", "Fabrikam cannot be reached: the relationship was terminated", func(w *traceWorld) { w.rel.status = relTerminated }),
	trace("trace-role-missing", "Fabrikam cannot be reached: the relationship lacks Exchange Administrator", func(w *traceWorld) {
		w.rel.roles = slices.DeleteFunc(twelve(), func(id string) bool { return id == catalog.RoleExchangeAdministrator })
	}),
	trace("trace-not-assigned", "Fabrikam cannot be reached: Exchange Administrator was given to no group", func(w *traceWorld) { w.leaveOut = true }),
	trace("trace-group-remade", "Fabrikam cannot be reached: the group for Exchange Administrator was deleted and made again", func(w *traceWorld) { w.remade = true }),
	trace("trace-assignment-failed", "Fabrikam cannot be reached: giving Exchange Administrator to its group failed", func(w *traceWorld) { w.failed = true }),
	trace("trace-no-consent", "Fabrikam cannot be reached: nobody consented to the app there", func(w *traceWorld) { w.noConsent = true }),
	trace("trace-policy", "Fabrikam cannot be reached: a policy of its blocks service providers", func(w *traceWorld) { w.policy = true }),
	trace("trace-no-licence", "Fabrikam has no Exchange Online to administer", func(w *traceWorld) { w.noLicence = true }),
}

// traceWorld is what a way to a customer is made of.
type traceWorld struct {
	noAccount, noMFA, notAgent, noGroup, notMember bool
	leaveOut, remade, failed                       bool
	noConsent, policy, noLicence                   bool
	account                                        object // changes to the service account
	rel                                            *past
}

func trace(name, title string, change func(*traceWorld)) scenario {
	return scenario{Scenario: Scenario{name, title}, setup: func(c *Cloud, t *tenant) {
		w := traceWorld{rel: &past{
			name: "Rewst GDAP - Fabrikam", customer: c.customersOf(t)[0], roles: twelve(), status: relActive, age: 100, lasts: 730, extends: true,
		}}
		if change != nil {
			change(&w)
		}
		w.build(c, t)
	}}
}

// build makes the partner's side, then the customer's.
func (w traceWorld) build(c *Cloud, t *tenant) {
	admin := t.userNamed(t.admin)
	groups := c.gdapGroups(t)
	account := t.userNamed("rewst@" + t.domain)
	account.versions[0].data = with(account.versions[0].data, w.account)
	if !w.noMFA {
		c.addAccessRule(t, accessRule{name: "Require multifactor authentication for everybody", controls: []any{"mfa"}})
	}
	agents := []any{admin.id, account.id}
	if w.notAgent {
		agents = agents[:1]
	}
	setMembers(t.find(kindGroup, agentGroup(t, "AdminAgents")), agents...)
	for _, g := range groups { // whoever looks is let in, so that the customer's side can be seen
		if w.notMember {
			setMembers(g, admin.id)
		} else {
			setMembers(g, admin.id, account.id)
		}
	}
	exchange := groups[catalog.RoleExchangeAdministrator]
	if w.rel != nil {
		w.rel.groups = maps.Clone(groups)
		switch {
		case w.rel.status != relActive:
			w.rel.groups = nil
		case w.leaveOut:
			delete(w.rel.groups, catalog.RoleExchangeAdministrator)
		}
		c.remember(t, *w.rel)
	}
	c.recallAll()
	if w.failed {
		for _, e := range c.gdap.byGroup[exchange.id] {
			e.versions[0].data = with(e.versions[0].data, object{"status": mapError})
		}
	}
	if w.noGroup || w.remade {
		c.containerGone(t, exchange.id)
		exchange.versions = []version{{}}
	}
	if w.remade {
		const name = "Rewst GDAP-Exchange Administrator"
		setMembers(c.addGroup(t, namedGUID(t.id+" group again "+name), name), admin.id, account.id)
	}
	if w.noAccount {
		account.versions = []version{{}}
	}
	w.buildCustomer(c, t)
}

// buildCustomer makes what decides at the customer, and lets whoever looks from the
// partner's side see it.
func (w traceWorld) buildCustomer(c *Cloud, t *tenant) {
	there := c.customersOf(t)[0].enter()
	app := c.foreignApp(t, "Rewst Integration", object{"tags": []any{catalog.OwnTag}, "signInAudience": "AzureADMultipleOrgs"})
	c.appPrincipal(t, app)
	if !w.noConsent {
		c.add(there, kindPrincipal, namedGUID(there.id+" principal "+app.id), principalOfApp(t, app.read(c.master()), nil), true)
	}
	if w.policy {
		c.addAccessRule(there, accessRule{name: "Block sign-ins from outside the offices", location: true, controls: []any{"block"}})
	}
	if w.noLicence {
		there.licence = mobilityE5
	}
	c.grantScopes(there, there.provision(c, catalog.GraphCommandLineTools), there.principalOf(c.master(), catalog.GraphAppID),
		"Application.Read.All", "Directory.Read.All", "Policy.Read.All")
}

// setMembers says who is in a group.
func setMembers(g *entity, ids ...any) {
	g.versions[0].data = with(g.versions[0].data, object{"_members": ids})
}
