package sandbox

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
)

// tenant is one organisation's directory.
type tenant struct {
	id     string
	name   string
	domain string // the initial one, and the default one unless it is said otherwise
	own    string // the other domain
	admin  string // user principal name
	known  map[string]*knownApp
	tables map[string][]*entity
	byID   map[ref]*entity

	cloud    catalog.Cloud // where it lives; zero: in all of them
	partner  bool
	indirect bool // sells through a provider, who holds the relation to the customers
	licence  licence
	// What provisioning refuses, although the app exists elsewhere.
	notOffered []string
	// Whether people without a role may register apps.
	// https://learn.microsoft.com/graph/api/resources/defaultuserrolepermissions
	membersCreateApps bool
	secretsForbidden  bool
	secretLifetime    time.Duration // 0: no limit
	policySince       time.Time     // the policy is for apps made after this
	securityDefaults  bool
	federated         bool      // people of its own domain sign in elsewhere
	usesOwn           bool      // its own domain is the default one
	full              bool      // the directory takes no more users
	foreignMFA        string    // another company's multifactor authentication that is on
	accessAsked       time.Time // when Conditional Access was last asked, to read or to write
	// fill makes the contents when the tenant is first met: most of ten thousand
	// customers never are.
	fill func()
}

// Customer names from the list of companies Microsoft invented for examples.
var customerNames = []string{
	"Fabrikam", "Northwind Traders", "Adventure Works", "Tailspin Toys", "Wingtip Toys", "Litware", "Proseware", "Woodgrove Bank",
	"Lucerne Publishing", "Trey Research", "Coho Winery", "Coho Vineyard", "Humongous Insurance", "Graphic Design Institute",
	"School of Fine Art", "Southridge Video", "VanArsdel", "Wide World Importers", "A. Datum Corporation", "Blue Yonder Airlines",
	"City Power & Light", "Consolidated Messenger", "Fourth Coffee", "Margie's Travel", "The Phone Company", "Relecloud",
	"Alpine Ski House", "Bellows College", "Best For You Organics", "Nod Publishers",
}

func (c *Cloud) build() {
	s := c.scenario
	known := knownApps(s.retired)
	name := "Contoso"
	if s.tenantName != "" {
		name = s.tenantName
	}
	partner := c.newTenant("Contoso", name, "contoso.onmicrosoft.com", known)
	partner.partner, partner.indirect = !s.notPartner, s.indirect
	partner.securityDefaults, partner.federated, partner.full, partner.foreignMFA = s.securityDefaults, s.federated, s.full, s.foreignMFA
	if s.licence.id != "" {
		partner.licence = s.licence
	}
	partner.notOffered = s.notOffered
	partner.membersCreateApps = !s.closedRegistration
	partner.secretsForbidden = s.secretsForbidden
	partner.secretLifetime = s.secretLifetime
	partner.policySince = c.now().AddDate(-1, 0, 0) // before every app of the world
	partner.fill = nil
	c.fillDirectory(partner)
	c.fillPartner(partner)
	if !s.notPartner {
		c.addCustomers(known)
	}
	if s.setup != nil {
		s.setup(c, partner)
	}
}

// addCustomers makes the tenants of the partner's customers.
func (c *Cloud) addCustomers(known map[string]*knownApp) {
	n := cmp.Or(c.opts.Customers, c.scenario.customers, 3)
	for i := range n {
		name, own := customerNames[i%len(customerNames)], ""
		if round := i / len(customerNames); round > 0 {
			name = fmt.Sprintf("%s %d", name, round+1)
		}
		label := domainLabel(name)
		if i < len(c.scenario.clients) {
			name, own = c.scenario.clients[i].name, c.scenario.clients[i].domain
			label = domainLabel(name)
			if label = label[:min(len(label), longestInitial)]; label == "" || c.byDomain[label+".com"] != nil {
				label = fmt.Sprintf("customer%d", i+1)
			}
		}
		t := c.newTenant(name, name, label+".onmicrosoft.com", known)
		t.membersCreateApps = true
		if own != "" {
			t.own, t.usesOwn = own, true
			c.byDomain[own] = t
		}
		t.fill = func() {
			c.fillDirectory(t)
			c.giveRole(t, t.userNamed(t.admin).id, catalog.RoleGlobalAdministrator)
		}
	}
}

// longestInitial is how many letters the name before .onmicrosoft.com has at most.
const longestInitial = 27

func domainLabel(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(name))
}

func (c *Cloud) newTenant(key, name, domain string, known map[string]*knownApp) *tenant {
	cloud, _ := catalog.CloudByID(c.scenario.cloud)
	if cloud.Login == "login.microsoftonline.us" {
		domain = strings.TrimSuffix(domain, ".com") + ".us"
	}
	t := &tenant{
		id: namedGUID("tenant " + key), name: name, domain: domain, admin: "admin@" + domain, known: known, licence: enterprise5, cloud: cloud,
		tables: map[string][]*entity{}, byID: map[ref]*entity{},
	}
	label, _, _ := strings.Cut(domain, ".")
	t.own = label + ".com"
	c.tenants[t.id] = t
	c.byDomain[t.domain], c.byDomain[t.own] = t, t
	c.order = append(c.order, t)
	return t
}

// enter makes sure a tenant has its contents.
func (t *tenant) enter() *tenant {
	if t.fill != nil {
		fill := t.fill
		t.fill = nil
		fill()
	}
	return t
}

// tenantNamed finds a tenant by id or by domain.
func (c *Cloud) tenantNamed(name string) *tenant {
	name = strings.ToLower(name)
	if t := c.tenants[name]; t != nil {
		return t.enter()
	}
	if t := c.byDomain[name]; t != nil {
		return t.enter()
	}
	return nil
}

// vanity is the domain of a tenant that Microsoft did not give it.
func (t *tenant) vanity() string { return t.own }

// defaultDomain is the one of the tenant's domains that new accounts get.
func (t *tenant) defaultDomain() string {
	if t.federated || t.usesOwn {
		return t.own
	}
	return t.domain
}

// fillDirectory gives a tenant what every tenant has.
func (c *Cloud) fillDirectory(t *tenant) {
	present := []string{
		catalog.GraphAppID, directoryAppID, catalog.ExchangeAppID, sharePointAppID,
		catalog.ServiceMgmtAppID, catalog.KeyVaultAppID, catalog.StorageAppID, teamsAdminAppID,
		portalAppID,
	}
	for _, id := range present {
		if !slices.Contains(t.notOffered, id) {
			t.provision(c, id)
		}
	}
	c.addUser(t, t.admin, "Admin "+asciiName(t.domain))
}

func asciiName(domain string) string {
	label, _, _ := strings.Cut(domain, ".")
	return strings.ToUpper(label[:1]) + label[1:]
}

// fillPartner adds what the MSP's own tenant has beyond that.
func (c *Cloud) fillPartner(t *tenant) {
	s := c.scenario
	admin := t.userNamed(t.admin)
	if s.guest {
		t.admin = "alex@fabrikam.com"
		admin = c.addGuest(t, t.admin, "Alex Wilber")
	}
	c.addUser(t, "megan@"+t.domain, "Megan Bowen")
	c.addUser(t, "adele@"+t.domain, "Adele Vance")
	roles := []string{catalog.RoleGlobalAdministrator}
	if s.roles != nil {
		roles = s.roles
	}
	for _, role := range roles {
		c.giveRole(t, admin.id, role)
	}
	owner := admin
	if len(roles) == 0 || roles[0] != catalog.RoleGlobalAdministrator {
		owner = c.addUser(t, "owner@"+t.domain, "Nestor Wilke")
		c.giveRole(t, owner.id, catalog.RoleGlobalAdministrator)
	}
	if s.deviceBlocked {
		c.addAccessRule(t, deviceCodeRule())
	}
	if !s.noSubscription {
		c.addSubscription(t, owner.id, !s.noVault)
	}
	if s.notPartner {
		return
	}
	t.provision(c, catalog.PartnerCenterAppID)
	for _, l := range catalog.LookAlikes() {
		t.provision(c, l.AppID)
	}
	for _, name := range []string{"AdminAgents", "HelpdeskAgents", "SalesAgents"} {
		members := []any{}
		if name == "AdminAgents" && !s.guest && !s.notAgent {
			members = append(members, admin.id)
		}
		c.addGroup(t, agentGroup(t, name), name, members...)
	}
}

// addGroup adds a security group.
func (c *Cloud) addGroup(t *tenant, id, name string, members ...any) *entity {
	return c.add(t, kindGroup, id, object{
		"_members": list(members), "classification": nil, "createdDateTime": founded, "deletedDateTime": nil, "description": nil,
		"displayName": name, "groupTypes": []any{}, "isAssignableToRole": nil, "mail": nil, "mailEnabled": false,
		"mailNickname": strings.ReplaceAll(name, " ", ""), "onPremisesSyncEnabled": nil, "proxyAddresses": []any{}, "renewedDateTime": founded,
		"securityEnabled": true, "securityIdentifier": "S-1-12-1-1", "visibility": nil,
	}, true)
}

// founded is when the simulated directories were set up.
const founded = "2021-03-01T08:00:00Z"

func (c *Cloud) addUser(t *tenant, upn, name string) *entity {
	given, surname, _ := strings.Cut(name, " ")
	nick, _, _ := strings.Cut(upn, "@")
	return c.add(t, kindUser, namedGUID(t.id+" user "+upn), with(blankUser(), object{
		"_registered": true, "accountEnabled": true, "createdDateTime": founded, "displayName": name, "givenName": given, "surname": surname,
		"mail": upn, "mailNickname": nick, "usageLocation": "US", "userPrincipalName": upn,
	}), true)
}

// addGuest adds somebody whose account, called mail, is elsewhere.
func (c *Cloud) addGuest(t *tenant, mail, name string) *entity {
	e := c.addUser(t, strings.Replace(mail, "@", "_", 1)+"#EXT#@"+t.domain, name)
	e.versions[0].data = with(e.versions[0].data, object{
		"userType": "Guest", "mail": mail, "externalUserState": "Accepted", "creationType": "Invitation", "otherMails": []any{mail},
	})
	return e
}

// userNamed finds a person by user principal name or mail address.
func (t *tenant) userNamed(name string) *entity {
	for _, e := range t.tables[kindUser] {
		data := e.live(view{replica: primary})
		if data != nil && (strings.EqualFold(str(data, "userPrincipalName"), name) || strings.EqualFold(str(data, "mail"), name)) {
			return e
		}
	}
	return nil
}

// giveRole gives a directory role, as part of the scenario.
func (c *Cloud) giveRole(t *tenant, principalID, roleID string) {
	c.activateRole(t, roleID)
	c.add(t, kindRoleGiven, givenID(principalID, roleID), given(t, principalID, roleID), true)
}

// roleTemplates are the directory roles whose definitions can be read.
func roleTemplates() []catalog.Role {
	roles := slices.Clone(catalog.Roles())
	for _, extra := range []catalog.Role{
		{Name: "Global Reader", TemplateID: roleGlobalReader, Purpose: "Read everything that a Global Administrator can, but not update anything."},
		{Name: "Cloud Application Administrator", TemplateID: catalog.RoleCloudApplicationAdministrator, Purpose: "Create and manage all aspects of app registrations and enterprise apps except App Proxy."},
		{Name: "Application Developer", TemplateID: roleApplicationDeveloper, Purpose: "Create application registrations independent of the 'Users can register applications' setting."},
		{Name: "Authentication Administrator", TemplateID: roleAuthAdmin, Purpose: "View, set and reset authentication method information for any user who is not an administrator."},
		{Name: "Conditional Access Administrator", TemplateID: roleConditionalAccessAdmin, Purpose: "Manage Conditional Access capabilities."},
		{Name: "Groups Administrator", TemplateID: roleGroupsAdmin, Purpose: "Create and manage groups and their settings."},
		{Name: "Reports Reader", TemplateID: roleReportsReader, Purpose: "Read sign-in and audit reports."},
		{Name: "Security Reader", TemplateID: roleSecurityReader, Purpose: "Read security information and reports."},
	} {
		if !slices.ContainsFunc(roles, func(r catalog.Role) bool { return r.TemplateID == extra.TemplateID }) {
			roles = append(roles, extra)
		}
	}
	return roles
}

func roleName(id string) string        { return roleByID(id).Name }
func roleDescription(id string) string { return roleByID(id).Purpose }

func roleByID(id string) catalog.Role {
	for _, r := range roleTemplates() {
		if r.TemplateID == id {
			return r
		}
	}
	return catalog.Role{Name: id, TemplateID: id}
}

// provision puts the service principal of a known app into the tenant, as part
// of the scenario.
func (t *tenant) provision(c *Cloud, appID string) *entity {
	return c.add(t, kindPrincipal, namedGUID(t.id+" principal "+appID), t.known[appID].principal, true)
}

// rolesOf lists the directory roles a principal holds.
func (t *tenant) rolesOf(v view, principalID string) []string {
	var ids []string
	for _, e := range t.tables[kindRoleGiven] {
		if data := e.live(v); data != nil && strings.EqualFold(str(data, "principalId"), principalID) {
			ids = append(ids, str(data, "roleDefinitionId"))
		}
	}
	return ids
}
