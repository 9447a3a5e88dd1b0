package sandbox

// Restrict adds an enforced Conditional Access policy for all APIs to a customer's
// tenant.
func (c *Cloud) Restrict(customer, name string, users, grant map[string]any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tenantNamed(customer)
	c.addAccessRule(t, accessRule{name: name, controls: []any{"block"}})
	e := t.find(kindAccessPolicy, namedGUID(t.id+" access "+name))
	data := e.versions[0].data
	conditions := with(data["conditions"].(object), object{"users": with(blankAccessPart("users"), users)})
	e.versions[0].data = with(data, object{"conditions": conditions, "grantControls": with(blankGrantControls(), grant)})
}

// Unrestrict takes all Conditional Access policies of a tenant away.
func (c *Cloud) Unrestrict(customer string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tenantNamed(customer)
	for _, e := range t.all(c.master(), kindAccessPolicy) {
		c.write(e, nil)
	}
}

// Stranger adds a tenant that is nobody's customer.
func (c *Cloud) Stranger(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.newTenant(name, name, domainLabel(name)+".onmicrosoft.com", c.order[0].known)
	c.order = c.order[:len(c.order)-1]
	return t.id
}

// WithoutExchange makes what a customer has bought a product without mailboxes.
func (c *Cloud) WithoutExchange(customer string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tenantNamed(customer).licence = mobilityE5
}
