package sandbox

import "msbundle/catalog"

// GiveAzureRole makes somebody a reader of a scope of the partner's Azure.
func (c *Cloud) GiveAzureRole(scope, principalID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(c.order[0], kindAzureRole, c.guid(), object{"scope": scope, "principalId": principalID, "roleDefinitionId": azureReader}, true)
}

// Provision puts the service principal of a known app into a tenant.
func (c *Cloud) Provision(tenant, appID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tenantNamed(tenant).provision(c, appID)
}

// AddRoleGroup adds a group of the partner's that directory roles can be given to.
func (c *Cloud) AddRoleGroup(name string, members ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.order[0]
	var ids []any
	for _, m := range members {
		ids = append(ids, t.userNamed(m).id)
	}
	e := c.addGroup(t, c.guid(), name, ids...)
	e.versions[0].data = with(e.versions[0].data, object{"isAssignableToRole": true})
}

// Consent grants the Graph command line tools delegated permissions of Microsoft
// Graph, for everybody at the partner.
func (c *Cloud) Consent(scopes ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.order[0]
	client := t.principalOf(c.master(), catalog.GraphCommandLineTools)
	if client == nil {
		client = t.provision(c, catalog.GraphCommandLineTools)
	}
	c.grantScopes(t, client, t.principalOf(c.master(), catalog.GraphAppID), scopes...)
}

// AddUser adds a person of the partner and returns the id.
func (c *Cloud) AddUser(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.order[0]
	return c.addUser(t, name+"@"+t.domain, name).id
}

// Filled counts the tenants that have their contents.
func (c *Cloud) Filled() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, t := range c.order {
		if t.fill == nil {
			n++
		}
	}
	return n
}

// AddCustomerUser adds a person of a customer.
func (c *Cloud) AddCustomerUser(customer, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.order {
		if t.name == customer {
			c.addUser(t.enter(), name+"@"+t.domain, name)
		}
	}
}

// CustomerIDs are the tenants of the customers.
func (c *Cloud) CustomerIDs() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []string
	for _, t := range c.order[1:] {
		ids = append(ids, t.id)
	}
	return ids
}

// OwnedApp is the app id of the partner's app.
func (c *Cloud) OwnedApp() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return str(c.order[0].byProperty(c.master(), kindApplication, "displayName", ownedName).read(c.master()), "appId")
}

// PutApp puts the partner's app into a customer's tenant, without permissions.
func (c *Cloud) PutApp(customer string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tenants[customer].enter()
	app := c.order[0].byProperty(c.master(), kindApplication, "displayName", ownedName).read(c.master())
	c.add(t, kindPrincipal, c.guid(), principalOfApp(c.order[0], app, nil), true)
}

// ConsentAt lets the Graph command line tools have delegated permissions of
// Microsoft Graph, for everybody at a customer.
func (c *Cloud) ConsentAt(customer string, scopes ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tenants[customer].enter()
	c.grantScopes(t, t.provision(c, catalog.GraphCommandLineTools), t.principalOf(c.master(), catalog.GraphAppID), scopes...)
}

// Encode is how answers are written.
func Encode(v any) string { return string(encode(nil, v)) }
