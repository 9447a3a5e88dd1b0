package sandbox

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kinds of Azure's resources. The id of a resource group and of a vault is its
// path, as in Azure.
const (
	kindSubscription  = "subscription"
	kindResourceGroup = "resourceGroup"
	kindVault         = "vault"
	kindAzureRole     = "azureRoleAssignment"
)

// addSubscription gives the tenant an Azure subscription that one person owns.
// What is in it is up to the scenario.
func (c *Cloud) addSubscription(t *tenant, owner string, vault bool) {
	sub := namedGUID(t.id + " subscription production")
	scope := "/subscriptions/" + sub
	c.add(t, kindSubscription, sub, object{"displayName": "Contoso production", "state": "Enabled"}, true)
	c.add(t, kindAzureRole, namedGUID(scope+owner), object{"scope": scope, "principalId": owner, "roleDefinitionId": azureOwner}, true)
	if !c.scenario.providerMissing {
		c.add(t, kindProvider, scope+keyVault, object{"_ready": time.Time{}}, true)
	}
	if c.scenario.noGroup {
		return
	}
	group := scope + "/resourceGroups/shared"
	c.add(t, kindResourceGroup, group, object{"location": homeRegion(t.cloud.ID)}, true)
	if vault {
		c.addVault(t, group, "contoso-rewst")
	}
}

// setupAzureReader: somebody else owns the subscription.
func setupAzureReader(c *Cloud, t *tenant) {
	setupSecondAdmin(c, t)
	owner := t.userNamed("owner@" + t.domain).id
	for _, e := range t.all(c.master(), kindAzureRole) {
		given := e.read(c.master())
		e.versions[0].data = with(given, object{"roleDefinitionId": azureReader})
		c.add(t, kindAzureRole, namedGUID(str(given, "scope")+owner), with(given, object{"principalId": owner}), true)
	}
}

// setupVaultDeleted: somebody made the vault before and removed it.
func setupVaultDeleted(c *Cloud, t *tenant) {
	for _, group := range t.all(c.master(), kindResourceGroup) {
		e := c.addVault(t, group.id, clientVault)
		e.versions[0].data = with(e.versions[0].data, object{"deletedDateTime": stamp(c.now().AddDate(0, 0, -3))})
	}
}

// clientVault is what a client would call the vault it makes.
const clientVault = "rewst-contoso"

// ---- operations

// tenants lists where the person can go: home first, then as a guest.
// https://learn.microsoft.com/rest/api/resources/tenants/list
func (q *armCall) tenants() (object, *armError) {
	here := []*tenant{q.t}
	if e := q.t.find(kindUser, q.tok.ObjectID); e != nil {
		here = q.c.tenantsOf(q.t, e)
	}
	all := []any{}
	for _, t := range here {
		var domains []any
		for _, d := range t.domains() {
			domains = append(domains, d.name)
		}
		entry := object{
			"id": "/tenants/" + t.id, "tenantId": t.id, "countryCode": "US", "displayName": t.name, "domains": domains,
			"tenantCategory": "Home", "defaultDomain": t.domain, "tenantType": "AAD",
		}
		all = append(all, entry)
	}
	return q.page(all)
}

func (q *armCall) describe(e *entity) object {
	data := e.read(q.v)
	return object{
		"id": "/subscriptions/" + e.id, "authorizationSource": "RoleBased", "displayName": data["displayName"], "managedByTenants": []any{},
		"state": data["state"], "subscriptionId": e.id, "tenantId": q.t.id,
		"subscriptionPolicies": object{"locationPlacementId": "Public_2014-09-01", "quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"},
	}
}

// subscriptions lists what the caller has a role in; the rest does not exist for
// it.
// https://learn.microsoft.com/rest/api/resources/subscriptions/list
func (q *armCall) subscriptions() (object, *armError) {
	all := []any{}
	for _, e := range q.t.all(q.v, kindSubscription) {
		if q.sees(e.id) {
			all = append(all, q.describe(e))
		}
	}
	return q.page(all)
}

func (q *armCall) subscription() (object, *armError) {
	e, err := q.found()
	if err != nil {
		return nil, err
	}
	if !q.sees(e.id) {
		return nil, q.unauthorized("Microsoft.Resources/subscriptions/read", "/subscriptions/"+e.id)
	}
	return q.describe(e), nil
}

var resourceFilter = regexp.MustCompile(`(?i)^(resourceType|resourceGroup) eq '([^']+)'$`)

// resources lists what is in a subscription, as far as the caller may see it:
// the only resources here are vaults.
// https://learn.microsoft.com/rest/api/resources/resources/list
func (q *armCall) resources() (object, *armError) {
	sub, err := q.found()
	if err != nil {
		return nil, err
	}
	if !q.sees(sub.id) {
		return nil, q.unauthorized("Microsoft.Resources/subscriptions/resources/read", "/subscriptions/"+sub.id)
	}
	property, value := "", ""
	if text := q.query.Get("$filter"); text != "" {
		m := resourceFilter.FindStringSubmatch(text)
		if m == nil {
			return nil, azure(http.StatusBadRequest, "InvalidFilterInQueryString", "Invalid $filter '%s' specified in the query string.", text)
		}
		property, value = strings.ToLower(m[1]), m[2]
	}
	all := []any{}
	for _, e := range q.vaultsIn("/subscriptions/" + sub.id) {
		data := e.read(q.v)
		has := map[string]string{"": "", "resourcetype": str(data, "type"), "resourcegroup": strings.Split(e.id, "/")[4]}
		if strings.EqualFold(value, has[property]) {
			all = append(all, object{"id": e.id, "name": data["name"], "type": data["type"], "location": data["location"], "tags": data["tags"]})
		}
	}
	return q.page(all)
}

// vaultQuery is the one question to Azure Resource Graph that is understood.
var vaultQuery = regexp.MustCompile(`(?is)^\s*resources\s*\|\s*where\s+type\s*(?:=~|==)\s*["']microsoft\.keyvault/vaults["']\s*(?:\|\s*project\s+([\w\s,]+))?$`)

// resourceGraph searches every subscription the caller can see.
// https://learn.microsoft.com/rest/api/azureresourcegraph/resourcegraph/resources/resources
func (q *armCall) resourceGraph() (object, *armError) {
	var in struct {
		Query         string
		Subscriptions []string
	}
	if err := json.Unmarshal(q.body, &in); err != nil || in.Query == "" {
		return nil, azure(http.StatusBadRequest, "BadRequest", "Please provide below info when asking for support: the request has no query.")
	}
	m := vaultQuery.FindStringSubmatch(in.Query)
	if m == nil {
		return nil, azure(http.StatusBadRequest, "InvalidQuery", "Query is invalid. Please refer to the documentation for the Azure Resource Graph service and fix the error before retrying.")
	}
	rows := []any{}
	for _, sub := range q.t.all(q.v, kindSubscription) {
		if !q.sees(sub.id) || in.Subscriptions != nil && !slices.ContainsFunc(in.Subscriptions, func(s string) bool { return strings.EqualFold(s, sub.id) }) {
			continue
		}
		for _, e := range q.vaultsIn("/subscriptions/" + sub.id) {
			rows = append(rows, q.graphRow(e, sub.id, m[1]))
		}
	}
	return object{"totalRecords": len(rows), "count": len(rows), "data": rows, "facets": []any{}, "resultTruncated": "false"}, nil
}

// graphRow is a resource as Azure Resource Graph shows it: flat, its type in
// small letters, and all columns unless some are named.
func (q *armCall) graphRow(e *entity, sub, columns string) object {
	data := e.read(q.v)
	_, group, _ := strings.Cut(strings.ToLower(e.id), "/resourcegroups/")
	group, _, _ = strings.Cut(group, "/")
	row := object{
		"id": e.id, "name": data["name"], "type": strings.ToLower(str(data, "type")), "tenantId": q.t.id, "kind": "", "location": data["location"],
		"resourceGroup": group, "subscriptionId": sub, "managedBy": "", "sku": nil, "plan": nil, "properties": data["properties"],
		"tags": data["tags"], "identity": nil, "zones": nil, "extendedLocation": nil,
	}
	if columns == "" {
		return row
	}
	out := object{}
	for name := range strings.SplitSeq(columns, ",") {
		name = strings.TrimSpace(name)
		out[name] = row[name]
	}
	return out
}

// armPage is how many entries a list has at once.
const armPage = 1000

// page cuts a list: the next part is at nextLink.
func (q *armCall) page(all []any) (object, *armError) {
	size := armPage
	if small := q.c.scenario.pageSize; small > 0 {
		size = small
	}
	start, err := 0, error(nil)
	if text := q.query.Get("$skiptoken"); text != "" {
		if start, err = strconv.Atoi(text); err != nil || start < 0 {
			return nil, azure(http.StatusBadRequest, "InvalidSkipToken", "The skip token '%s' is invalid.", text)
		}
	}
	start = min(start, len(all))
	end := min(start+size, len(all))
	body := object{"value": append([]any{}, all[start:end]...)}
	if end < len(all) {
		next := url.Values{}
		maps.Copy(next, q.query)
		next.Set("$skiptoken", strconv.Itoa(end))
		body["nextLink"] = "https://" + q.host + q.path + "?" + next.Encode()
	}
	return body, nil
}
