package sandbox

import (
	"maps"
	"slices"
	"strings"

	"msbundle/catalog"
)

// customerScenarios are worlds in which everything is ready at the partner: the
// account Rewst acts as signs in, the app is there, and customers are to be done.
var customerScenarios = []scenario{
	forCustomers("customers-mixed", "Sixty customers ready for consent; three fail for three reasons; GET /_sandbox/organizations.csv is what Rewst has", mixedClients, nil),
	forCustomers("customer-names", "Customers with control sequences, formulas, 200 characters, right-to-left letters and pictures in their names", oddClients, nil),
	forCustomers("customers-ready", "Customers ready for consent, as many as are asked for", nil, nil),
	forCustomers("customers-consented", "As customers-ready, and everything was consented to everywhere", nil, func(w *clientele, t *tenant) { w.consented(t, w.permissions()) }),
	first("customer-ca-blocks", "Policies of Fabrikam keep service providers out", blocked, nil),
	first("customer-policies", "Policies of Fabrikam would break what Rewst does there, but let a person in", noTrouble, (*clientele).narrow),
	first("customer-unassigned", "Nobody was given Application Administrator at Fabrikam", unassigned, nil),
	first("customer-no-relationship", "There is no relationship with Fabrikam", unrelated, nil),
	first("customer-ended", "The relationship with Fabrikam was terminated", terminated, nil),
	first("customer-mlt-only", "Microsoft's own relationship is the only one with Fabrikam", migratedOnly, nil),
	first("customer-no-exchange", "Fabrikam has no Exchange Online plan", noTrouble, func(_ *clientele, t *tenant) { t.licence = mobilityE5 }),
	first("customer-api-missing", "The Office 365 Management APIs are not offered to Fabrikam", noTrouble, func(_ *clientele, t *tenant) {
		t.notOffered = []string{catalog.ManagementAPIsAppID}
	}),
	first("customer-consented", "Fabrikam has consented to everything", noTrouble, func(w *clientele, t *tenant) { w.consented(t, w.permissions()) }),
	first("customer-drifted", "Fabrikam has consented; since then permissions were taken away and others given", noTrouble, (*clientele).drifted),
	first("customer-old-principal", "Fabrikam has the app of an earlier setup, and the vendor's from before the bundle", noTrouble, (*clientele).outdated),
}

// first is a world of three customers, of which Fabrikam is special.
func first(name, title string, t trouble, more func(*clientele, *tenant)) scenario {
	list := []clientOf{{name: "Fabrikam", organization: "Fabrikam", trouble: t}}
	for _, other := range customerNames[1:3] {
		list = append(list, clientOf{name: other, organization: other})
	}
	return forCustomers(name, title, list, func(w *clientele, t *tenant) {
		if more != nil && t == w.c.order[1] {
			more(w, t)
		}
	})
}

// forCustomers is a world where the customers are next. more happens to each of
// their tenants when it is first met.
func forCustomers(name, title string, list []clientOf, more func(*clientele, *tenant)) scenario {
	return scenario{
		Scenario: Scenario{name, title}, clients: list, customers: max(len(list), 3), person: "rewst@contoso.onmicrosoft.com",
		setup: func(c *Cloud, t *tenant) { c.clientele(t, list, more) },
	}
}

// clientele is what the customers' tenants are made from.
type clientele struct {
	c       *Cloud
	partner *tenant
	groups  map[string]*entity // of the partner, by role
	app     object             // its registration
	roles   []string           // that customers are asked for
}

// clientele makes the partner's side as the setup leaves it, then what each
// customer has given.
func (c *Cloud) clientele(t *tenant, list []clientOf, more func(*clientele, *tenant)) {
	w := &clientele{c: c, partner: t, groups: c.gdapGroups(t), roles: twelve()}
	account := t.userNamed("rewst@" + t.domain)
	c.giveRole(t, account.id, catalog.RoleGlobalAdministrator)
	c.addAccessRule(t, accessRule{name: "Require multifactor authentication for everybody", controls: []any{"mfa"}})
	w.register()
	for i, customer := range c.customersOf(t) {
		problem := noTrouble
		if i < len(list) {
			problem = list[i].trouble
		}
		w.relate(customer, i, problem)
		fill := customer.fill
		customer.fill = func() {
			fill()
			w.guard(customer, problem)
			if more != nil {
				more(w, customer)
			}
		}
	}
}

// register makes the app as authorising it leaves it in the partner's tenant, with
// a secret that was delivered.
func (w *clientele) register() {
	c, t := w.c, w.partner
	var access []any
	scopes := map[string][]string{}
	us, _ := catalog.RegionByID("us")
	for _, r := range catalog.Resources() {
		var list []any
		for _, p := range catalog.Permissions() {
			if p.Resource != r.AppID || p.Tier > catalog.Stock {
				continue
			}
			list = append(list, object{"id": p.ID, "type": p.Kind.ManifestType()})
			if p.Kind == catalog.Delegated {
				scopes[p.Resource] = append(scopes[p.Resource], p.Name)
			}
		}
		if len(list) > 0 {
			access = append(access, object{"resourceAppId": r.AppID, "resourceAccess": list})
		}
	}
	app := c.foreignApp(t, ownedName, object{
		"_owners": []any{t.userNamed(t.admin).id}, "signInAudience": "AzureADMultipleOrgs", "tags": []any{catalog.OwnTag}, "isFallbackPublicClient": false,
		"requiredResourceAccess": access, "web": with(blankWeb(), object{
			"redirectUris":          []any{us.Callback()},
			"implicitGrantSettings": object{"enableAccessTokenIssuance": false, "enableIdTokenIssuance": true},
		}),
	})
	w.app = app.read(c.master())
	c.add(t, kindPassword, namedGUID("owned key"), object{
		"_app": app.id, "_secret": c.secretText(), "customKeyIdentifier": nil, "displayName": "Rewst", "hint": "r3W",
		"startDateTime": founded, "endDateTime": "2099-03-01T08:00:00Z",
	}, true)
	principal := c.add(t, kindPrincipal, namedGUID("principal "+app.id), principalOfApp(t, w.app, object{"tags": []any{catalog.PortalTag, catalog.OwnTag}}), true)
	w.grant(t, principal, scopes)
	for _, p := range catalog.Permissions() {
		if p.Kind == catalog.Application && p.Tier <= catalog.Stock {
			c.assignRole(t, principal, w.resource(t, p.Resource), p.ID)
		}
	}
}

// ownedName is what the app is called.
const ownedName = "Rewst Integration"

// resource is an API in a tenant; it is put there when it is not.
func (w *clientele) resource(t *tenant, appID string) *entity {
	if e := t.principalOf(w.c.master(), appID); e != nil {
		return e
	}
	return t.provision(w.c, appID)
}

// grant gives delegated permissions, by API.
func (w *clientele) grant(t *tenant, client *entity, scopes map[string][]string) {
	for _, r := range catalog.Resources() {
		if len(scopes[r.AppID]) > 0 {
			w.c.grantScopes(t, client, w.resource(t, r.AppID), scopes[r.AppID]...)
		}
	}
}

// relate makes what a customer has given the partner.
func (w *clientele) relate(customer *tenant, i int, problem trouble) {
	label, _, _ := strings.Cut(customer.domain, ".")
	p := past{
		name: "CON - " + label + " - GDAP", customer: customer, roles: w.roles, status: relActive, age: 60 + i%300, lasts: 730,
		extends: true, groups: w.groups,
	}
	p.name = p.name[:min(len(p.name), 50)]
	switch problem {
	case unrelated:
		return
	case terminated:
		p.status, p.groups = relTerminated, nil
	case migratedOnly: // which Microsoft gave to all admin agents
		p.name, p.roles, p.groups = "MLT_4f1c02aa_CONTOSO", migratedRoles, map[string]*entity{}
		for _, role := range migratedRoles {
			p.groups[role] = w.partner.find(kindGroup, agentGroup(w.partner, "AdminAgents"))
		}
	case unassigned:
		p.groups = maps.Clone(w.groups)
		delete(p.groups, catalog.RoleApplicationAdministrator)
	}
	w.c.remember(w.partner, p)
}

// guard gives a customer the policies that are its trouble.
func (w *clientele) guard(t *tenant, problem trouble) {
	strangers := object{"guestOrExternalUserTypes": "b2bCollaborationGuest,serviceProvider", "externalTenants": everyTenant()}
	switch problem {
	case hourly:
		w.c.addAccessRule(t, accessRule{name: "Sign in every hour", hours: 1})
	case blocked:
		for _, r := range []accessRule{
			{name: "Block people from elsewhere", strangers: strangers, controls: []any{"block"}},
			legacyRule(),
			{name: "Require multifactor authentication for everybody", controls: []any{"mfa"}},
		} {
			w.c.addAccessRule(t, r)
		}
	}
}

// everyTenant says that strangers of all organisations are meant, someTenants that
// those of some are.
func everyTenant() object {
	return object{"@odata.type": "#microsoft.graph.conditionalAccessAllExternalTenants", "membershipKind": "all"}
}

func someTenants(ids ...any) object {
	return object{"@odata.type": "#microsoft.graph.conditionalAccessEnumeratedExternalTenants", "membershipKind": "enumerated", "members": ids}
}

// legacyRule keeps programs out that sign in with a password alone, and nobody else.
func legacyRule() accessRule {
	return accessRule{name: "Block legacy authentication", managed: true, clients: []any{"exchangeActiveSync", "other"}, controls: []any{"block"}}
}

// narrow adds policies of every sort that meets service providers: some would end
// Rewst's session, some spare it already, some are not enforced. None keeps a
// person out who has just signed in.
func (w *clientele) narrow(t *tenant) {
	admin := t.userNamed(t.admin).id
	partner := w.partner.id
	for _, r := range []accessRule{
		{name: "Sign in every hour", exclude: []any{admin}, hours: 1},
		{name: "Sign in every day from elsewhere", strangers: object{"guestOrExternalUserTypes": "serviceProvider", "externalTenants": everyTenant()}, hours: 24},
		{
			name: "Sign in every week", hours: 168,
			spare: object{"guestOrExternalUserTypes": "b2bCollaborationGuest,b2bDirectConnectUser", "externalTenants": someTenants(namedGUID("tenant Rewst"))},
		},
		{
			name: "Sign in every three days", hours: 72,
			spare: object{"guestOrExternalUserTypes": "serviceProvider", "externalTenants": someTenants(namedGUID("tenant Rewst"))},
		},
		{
			name: "Sign in twice a day", hours: 12,
			spare: object{"guestOrExternalUserTypes": "serviceProvider", "externalTenants": someTenants(partner)},
		},
		{name: "Administrators sign in every hour", roles: []any{catalog.RoleGlobalAdministrator, roleSecurityAdmin}, managed: true, hours: 1},
		{name: "Everybody of ours signs in every two hours", exclude: []any{"GuestsOrExternalUsers"}, hours: 2},
		{name: "Block people from elsewhere", state: "enabledForReportingButNotEnforced", controls: []any{"block"}},
		{name: "Block everybody", state: "disabled", controls: []any{"block"}},
		legacyRule(),
		{name: "Require multifactor authentication for everybody", controls: []any{"mfa"}},
	} {
		w.c.addAccessRule(t, r)
	}
}

// permissions are what the app is to have at a customer: what the registration
// lists, but for Partner Center, and what it takes to give it the rest.
func (w *clientele) permissions() []catalog.Permission {
	all := slices.DeleteFunc(slices.Clone(catalog.Permissions()), func(p catalog.Permission) bool {
		return p.Tier > catalog.Stock || p.Resource == catalog.PartnerCenterAppID
	})
	for _, name := range []string{"DelegatedPermissionGrant.ReadWrite.All", "Directory.ReadWrite.All", "AppRoleAssignment.ReadWrite.All"} {
		if !slices.ContainsFunc(all, func(p catalog.Permission) bool {
			return p.Resource == catalog.GraphAppID && p.Kind == catalog.Delegated && p.Name == name
		}) {
			all = append(all, catalog.Permission{Resource: catalog.GraphAppID, Name: name, Kind: catalog.Delegated, Tier: catalog.Stock})
		}
	}
	return all
}

// consented puts the app into a customer's tenant with permissions.
func (w *clientele) consented(t *tenant, permissions []catalog.Permission) *entity {
	appID := str(w.app, "appId")
	principal := w.c.add(t, kindPrincipal, namedGUID(t.id+" principal "+appID), principalOfApp(w.partner, w.app, nil), true)
	scopes := map[string][]string{}
	for _, p := range permissions {
		if p.Kind == catalog.Delegated {
			scopes[p.Resource] = append(scopes[p.Resource], p.Name)
		}
	}
	w.grant(t, principal, scopes)
	for _, p := range permissions {
		if p.Kind == catalog.Application {
			w.c.assignRole(t, principal, w.resource(t, p.Resource), p.ID)
		}
	}
	w.c.giveRole(t, principal.id, catalog.RoleExchangeAdministrator)
	return principal
}

// drifted: after the consent somebody took things away and gave others.
func (w *clientele) drifted(t *tenant) {
	missing := []string{"User.ReadWrite.All", "Group.ReadWrite.All", "Exchange.ManageAsApp"}
	kept := slices.DeleteFunc(w.permissions(), func(p catalog.Permission) bool {
		return slices.Contains(missing, p.Name) || p.Resource == catalog.ServiceMgmtAppID
	})
	principal := w.consented(t, append(kept, catalog.Permission{Resource: catalog.GraphAppID, Name: "Printer.Read.All", Kind: catalog.Delegated}))
	graph := w.resource(t, catalog.GraphAppID)
	published := graph.read(w.c.master())
	w.c.assignRole(t, principal, graph, roleNamed(published, "Printer.Read.All"))
	admin := t.userNamed(t.admin).id
	w.c.add(t, kindGrant, grantID(principal.id, graph.id, "Principal"+admin), object{
		"clientId": principal.id, "consentType": "Principal", "principalId": admin, "resourceId": graph.id, "scope": " Group.ReadWrite.All  openid",
	}, true)
}

// outdated leaves what was there before the app was made anew: one of the same name
// with another id, and the vendor's older ones.
func (w *clientele) outdated(t *tenant) {
	old := with(w.app, object{"appId": namedGUID("app of an earlier setup")})
	principal := w.c.add(t, kindPrincipal, namedGUID(t.id+" principal of an earlier setup"), principalOfApp(w.partner, old, nil), true)
	w.grant(t, principal, map[string][]string{catalog.GraphAppID: {"Directory.ReadWrite.All", "User.Read"}})
	for _, app := range legacyApps {
		t.provision(w.c, app.id)
	}
}
