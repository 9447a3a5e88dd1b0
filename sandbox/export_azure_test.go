package sandbox

// AddDeletedVault gives a tenant a key vault that somebody removed.
func (c *Cloud) AddDeletedVault(tenant, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.addVault(c.tenantNamed(tenant), "/subscriptions/"+namedGUID(tenant)+"/resourceGroups/shared", name)
	e.versions[0].data = with(e.versions[0].data, object{"deletedDateTime": stamp(c.now())})
}
