package sandbox

import (
	"fmt"
	"net/http"

	"msbundle/catalog"
)

// AuthoriseConnector does to a tenant, named by id or domain, what pressing Authorize
// in Rewst does there: its connector is put there with all it asks for. Microsoft CSP
// is left out where there is no Partner Center.
func (c *Cloud) AuthoriseConnector(tenant string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tenantNamed(tenant)
	switch {
	case t == nil:
		return fmt.Errorf("there is no tenant %q", tenant)
	case t.principalOf(c.master(), catalog.VendorConnector) != nil:
		return fmt.Errorf("the connector is in %s already", t.name)
	}
	c.connector(t, catalog.Stock, nil)
	return nil
}

func (c *Cloud) postConnector(r *http.Request) (any, error) {
	var in struct {
		Tenant string `json:"tenant"`
	}
	if err := decodeStrict(r, &in); err != nil {
		return nil, err
	}
	return object{"tenant": in.Tenant}, c.AuthoriseConnector(in.Tenant)
}
