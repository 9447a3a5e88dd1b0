package sandbox

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
