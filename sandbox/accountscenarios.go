package sandbox

import "fmt"

// accountScenarios are worlds in which the service account, its sign-in or its
// roles make difficulties.
var accountScenarios = []scenario{
	{
		Scenario: Scenario{"five-policies", "Five Conditional Access policies, four of which would break the sign-in of the service account, which exists"},
		licence:  businessPremium, setup: setupFivePolicies,
	},
	{
		Scenario: Scenario{"policy-edited", "As five-policies; after the sixth write another administrator changes one of the policies"},
		licence:  businessPremium, setup: setupFivePolicies,
		events: []Fault{{Match: Match{Path: graphPaths}, Nth: 6, When: "after", Do: eventPolicyEdit}},
	},
	{
		Scenario: Scenario{"leftover-disabled", "The service account is there from an earlier try, switched off"},
		setup:    func(c *Cloud, t *tenant) { c.leftover(t, object{"accountEnabled": false}) },
	},
	{
		Scenario: Scenario{"leftover-deleted", "The service account of an earlier try was deleted three days ago"},
		setup: func(c *Cloud, t *tenant) {
			e := c.leftover(t, nil)
			c.removeUser(t, e)
			gone := with(e.read(c.master()), object{"deletedDateTime": stamp(c.now().AddDate(0, 0, -3))})
			e.versions = []version{{data: gone}}
		},
	},
	{
		Scenario: Scenario{"leftover-guest", "A guest from another company is called rewst; the service account is not there"},
		setup:    func(c *Cloud, t *tenant) { c.addGuest(t, "rewst@fabrikam.com", serviceAccountName) },
	},
	{
		Scenario: Scenario{"leftover-synced", "The account called rewst comes from the organisation's own directory"},
		setup: func(c *Cloud, t *tenant) {
			c.leftover(t, object{"onPremisesSyncEnabled": true, "onPremisesImmutableId": "yZ5nUq0xT0m4sJ8y3b1h9A=="})
		},
	},
	{Scenario: Scenario{"federated-domain", "People of the default domain sign in at the organisation's own identity provider"}, federated: true},
	{Scenario: Scenario{"user-quota", "The directory takes no more users"}, full: true},
	{
		Scenario: Scenario{"policy-limit", "There are as many Conditional Access policies as a tenant can have"},
		setup: func(c *Cloud, t *tenant) {
			for i := range maxAccessPolicies {
				c.addAccessRule(t, accessRule{name: fmt.Sprintf("Pilot %03d", i+1), state: "disabled", controls: []any{"mfa"}})
			}
		},
	},
	{Scenario: Scenario{"last-admin", "The account that signs in is the only Global Administrator"}},
	{
		Scenario: Scenario{"duo", "Another company's multifactor authentication is demanded of everybody"}, foreignMFA: "Duo",
		setup: func(c *Cloud, t *tenant) {
			c.addAccessRule(t, accessRule{name: "Require Duo for everybody", factors: []any{"RequireDuoMfa"}})
		},
	},
}

// serviceAccountName is what the vendor's guide calls the account.
const serviceAccountName = "Rewst Service Account"

// leftover adds a service account that somebody made before.
func (c *Cloud) leftover(t *tenant, changes object) *entity {
	e := c.addUser(t, "rewst@"+t.domain, serviceAccountName)
	e.versions[0].data = with(e.versions[0].data, changes)
	return e
}

// compliantDevice is the policy that somebody else changes in policy-edited.
const compliantDevice = "Require a compliant device for everybody"

// setupFivePolicies: the account that signs in is exempt from what would keep it
// out. The service account is not, and one policy reaches it through a group.
func setupFivePolicies(c *Cloud, t *tenant) {
	admin := t.userNamed(t.admin).id
	account := c.leftover(t, nil)
	const name = "Contoso Automation Accounts"
	group := c.addGroup(t, namedGUID(t.id+" group "+name), name, account.id)
	for _, r := range []accessRule{
		deviceCodeRule(admin),
		{name: compliantDevice, exclude: []any{admin}, controls: []any{"compliantDevice"}},
		{name: "Automation accounts sign in every hour", groups: []any{group.id}, hours: 1},
		{name: "Block sign-ins from outside the offices", exclude: []any{admin}, location: true, controls: []any{"block"}},
		{name: "Require multifactor authentication for everybody", controls: []any{"mfa"}},
	} {
		c.addAccessRule(t, r)
	}
}
