package sandbox

import (
	"fmt"
	"slices"
	"time"

	"msbundle/catalog"
)

// gdapScenarios are worlds with many customers and relationships with them.
var gdapScenarios = []scenario{
	{
		Scenario:  Scenario{"gdap-mixed", "Forty customers: without a relationship, with Microsoft's own, a good, a poor, an ending, a waiting, an ended one, or two"},
		customers: 40, setup: setupMixed,
	},
	{
		Scenario:  Scenario{"approvals-arrive", "Customers approve relationships by themselves, within ten days of the sandbox's clock"},
		customers: 40, approvals: true,
	},
}

// migratedRoles are what the relationships carry that Microsoft made.
var migratedRoles = []string{
	"88d8e3e3-8f55-4a1e-953a-9b9898b8876b", // Directory Readers
	roleGlobalReader,
	roleSecurityReader,
	roleReportsReader,
	"790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b", // Message Center Reader
	"75934031-6c7e-415a-99d7-48dbd49e875e", // Usage Summary Reports Reader
	"4d6ac14f-3453-41d0-bef9-a3e0c569773a", // License Administrator
	"f023fd81-a637-4b56-95fd-791ac0226033", // Service Support Administrator
}

// twelve are the roles the vendor asks for.
func twelve() []string {
	var ids []string
	for _, r := range catalog.ServiceRoles() {
		ids = append(ids, r.TemplateID)
	}
	return ids
}

// past is a relationship from before the scenario began.
type past struct {
	name     string
	customer *tenant
	roles    []string
	status   string
	age      int // days since it was activated, or since it was locked
	lasts    int // days
	extends  bool
	groups   map[string]*entity // by role; nil: nothing is mapped
}

// gdapGroups makes a group for each of the twelve roles, with the service account
// in all of them.
func (c *Cloud) gdapGroups(t *tenant) map[string]*entity {
	account := c.leftover(t, nil)
	agents := t.find(kindGroup, agentGroup(t, "AdminAgents"))
	data := agents.read(c.master())
	members, _ := data["_members"].([]any)
	agents.versions[0].data = with(data, object{"_members": append(slices.Clone(members), any(account.id))})
	groups := map[string]*entity{}
	for _, r := range catalog.ServiceRoles() {
		name := "Rewst GDAP-" + r.Name
		e := c.addGroup(t, namedGUID(t.id+" group "+name), name, account.id)
		e.versions[0].data = with(e.versions[0].data, object{
			"isAssignableToRole": true, "visibility": "Private", "description": "for CSP GDAP role assignment", "_owners": []any{},
		})
		groups[r.TemplateID] = e
	}
	return groups
}

// remember adds a relationship as it has become.
func (c *Cloud) remember(t *tenant, p past) *entity {
	since := c.now().AddDate(0, 0, -p.age)
	made := since.Add(-2 * day)
	end := since.Add(time.Duration(p.lasts) * day)
	data := object{
		"accessDetails": accessDetails(p.roles), "activatedDateTime": nil, "autoExtendDuration": noExtension, "createdDateTime": precise(made),
		"customer": object{"tenantId": p.customer.id, "displayName": p.customer.name}, "displayName": p.name, "duration": fmt.Sprintf("P%dD", p.lasts),
		"endDateTime": nil, "lastModifiedDateTime": precise(since), "status": p.status, "_version": 4,
	}
	if p.extends {
		data["autoExtendDuration"] = halfYear
	}
	if p.status != relPending {
		data["activatedDateTime"], data["endDateTime"] = precise(since), precise(end)
	}
	if p.status == relTerminated {
		data["endDateTime"] = precise(since.Add(30 * day))
	}
	id := namedGUID("relationship "+p.name) + "-" + namedGUID("relationship of "+t.id)
	e := c.addRelationship(t, id, data, true)
	switch p.status {
	case relPending:
		c.at(since.Add(approvalDays*day), func(at time.Time) {
			if c.status(e) == relPending {
				c.move(e, at, relExpired, nil)
			}
		})
	case relActive:
		c.endAt(e, end)
	}
	if p.groups == nil {
		return e
	}
	c.gdap.old = append(c.gdap.old, id)
	c.gdap.unread[id] = func() {
		made := any(precise(since))
		for _, role := range p.roles {
			if group := p.groups[role]; group != nil {
				data := with(c.mappingOf(group.id, role), object{"createdDateTime": made, "lastModifiedDateTime": made})
				c.addMapping(t, e, namedGUID("mapping "+id+role), data, true)
			}
		}
	}
	return e
}

// mappingOf is an active mapping of a role to a group: it says the same at every
// customer.
func (c *Cloud) mappingOf(group, role string) object {
	key := ref{group, role}
	if c.gdap.usual[key] == nil {
		c.gdap.usual[key] = mapping(group, []string{role}, mapActive, founded)
	}
	return c.gdap.usual[key]
}

// setupMixed gives each customer one of eight histories.
func setupMixed(c *Cloud, t *tenant) {
	groups := c.gdapGroups(t)
	all := twelve()
	for n, customer := range c.customersOf(t) {
		i := n % 40
		name := "CON - " + customer.name + " - GDAP"
		good := past{name: name, customer: customer, roles: all, status: relActive, age: 100 + i, lasts: 730, extends: true, groups: groups}
		switch i % 8 {
		case 0: // nothing
		case 1:
			c.remember(t, past{name: "MLT_" + namedGUID("migrated " + customer.id)[:8] + "_CONTOSO", customer: customer, roles: migratedRoles, status: relActive, age: 400, lasts: 730})
		case 2:
			c.remember(t, good)
		case 3:
			good.roles = all[:8]
			c.remember(t, good)
		case 4:
			good.age, good.extends = 730-3-i/2, false
			c.remember(t, good)
		case 5:
			good.status, good.age, good.groups = relPending, 5+2*i, nil
			c.remember(t, good)
		case 6:
			good.status, good.groups = relTerminated, nil
			c.remember(t, good)
		case 7:
			c.remember(t, good)
			c.remember(t, past{
				name: "Helpdesk - " + customer.name, customer: customer, roles: []string{roleUserAdmin, roleGlobalReader}, status: relActive,
				age: 300, lasts: 365, groups: groups,
			})
		}
	}
}
