package sandbox

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pages is a list that can be long. What is on a page is looked at; what was on
// the pages before is not.
type pages struct {
	kind, context string
	most          int                // objects on a page
	token         string             // how the option is called that leads on
	filters       []string           // properties that can be compared with eq
	count         int                // of what could be in the list
	item          func(int) object   // nil: it is not
	show          func(i int) object // default: the item
	refuse        func(string) error // how the service says that a query is wrong
	counts        bool               // knows $count
}

// comparison is the one kind of $filter these lists know.
var comparison = regexp.MustCompile(`^\s*([A-Za-z/]+)\s+eq\s+(?:'((?:[^']|'')*)'|([0-9a-fA-F-]{36}))\s*$`)

// equals reads a $filter.
func (p pages) equals(text string) (func(object) bool, error) {
	if text == "" {
		return func(object) bool { return true }, nil
	}
	m := comparison.FindStringSubmatch(text)
	if m == nil || !slices.Contains(p.filters, m[1]) {
		return nil, p.refuse("The query filter '" + text + "' is not supported.")
	}
	path, want := strings.Split(m[1], "/"), strings.ReplaceAll(m[2], "''", "'")+m[3]
	return func(o object) bool {
		for _, name := range path[:len(path)-1] {
			o, _ = o[name].(object)
		}
		return same(o[path[len(path)-1]], want)
	}, nil
}

// pages answers a list operation.
func (q *call) pages(p pages) (*result, error) {
	known := []string{"$select", "$filter", "$top", p.token, strings.ToLower(p.token)}
	if p.counts {
		known = append(known, "$count")
	}
	if err := q.parameters(known); err != nil {
		return nil, p.refuse(err.Error())
	}
	if err := q.checkSelect(p.kind); err != nil {
		return nil, err
	}
	match, err := p.equals(q.query.Get("$filter"))
	if err != nil {
		return nil, err
	}
	size := min(defaultPage, p.most)
	if text := q.query.Get("$top"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > p.most {
			return nil, p.refuse("Invalid page size specified: '" + text + "'. Must be between 1 and " + strconv.Itoa(p.most) + " inclusive.")
		}
		size = n
	}
	if small := q.c.scenario.pageSize; small > 0 {
		size = min(size, small)
	}
	var at pageToken
	if text := cmp.Or(q.query.Get(p.token), q.query.Get(strings.ToLower(p.token))); text != "" {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || json.Unmarshal(raw, &at) != nil || at.Skip < 0 {
			return nil, p.refuse("Specified page token value is invalid or has expired.")
		}
	}
	looked := make([]int8, p.count) // 1 is in, -1 is not
	in := func(i int) bool {
		if looked[i] == 0 {
			looked[i] = -1
			if item := p.item(i); item != nil && match(item) {
				looked[i] = 1
			}
		}
		return looked[i] > 0
	}
	if p.show == nil {
		p.show = p.item
	}
	values, i := []any{}, at.Skip
	for ; !at.Empty && i < p.count && len(values) < size; i++ {
		if in(i) {
			values = append(values, q.shownPart(p.show(i), p.kind))
		}
	}
	for i < p.count && !in(i) {
		i++
	}
	body := object{"@odata.context": q.context(p.context), "value": values}
	if q.query.Get("$count") == "true" {
		n := 0
		for k := range p.count {
			if in(k) {
				n++
			}
		}
		body["@odata.count"] = n
	}
	if i < p.count {
		body["@odata.nextLink"] = q.nextPage(p.token, pageToken{Skip: i, Empty: q.c.scenario.pageSize > 0 && !at.Empty})
	}
	return ok(body), nil
}

// shownPart is what $select leaves of an object. Its tag goes with it always.
func (q *call) shownPart(data object, kind string) object {
	shown := q.project(data, kind)
	if tag := data["@odata.etag"]; tag != nil {
		shown["@odata.etag"] = tag
	}
	return shown
}

// nextPage is the address of the page after this one.
func (q *call) nextPage(token string, at pageToken) string {
	query := url.Values{token: {segment(at)}}
	var parts []string
	for name := range q.query {
		if !strings.EqualFold(name, token) {
			query.Set(name, q.query.Get(name))
		}
	}
	for name := range query {
		parts = append(parts, name+"="+url.QueryEscape(query.Get(name)))
	}
	slices.Sort(parts)
	return q.url((&url.URL{Path: q.path}).EscapedPath()) + "?" + strings.Join(parts, "&")
}

// ---- the partner's customers as the directory has them

// contract is the directory's word for a customer of the partner. Telling about
// it does not fill the customer's tenant.
// https://learn.microsoft.com/graph/api/resources/contract
func contract(t *tenant) object {
	return object{
		"id": namedGUID("contract " + t.id), "contractType": "ResellerPartner", "customerId": t.id, "defaultDomainName": t.defaultDomain(),
		"deletedDateTime": nil, "displayName": t.name,
	}
}

// customersOf are the tenants of the customers; only partners have any.
func (c *Cloud) customersOf(t *tenant) []*tenant {
	if t != c.order[0] || !t.partner {
		return nil
	}
	return c.order[1:]
}

func (q *call) listContracts() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	customers := q.c.customersOf(q.t)
	return q.pages(pages{
		kind: "contract", context: "contracts", most: largestPage, token: "$skiptoken", filters: []string{"customerId", "defaultDomainName", "displayName"},
		count: len(customers), item: func(i int) object { return contract(customers[i]) },
		refuse: func(text string) error { return fail(http.StatusBadRequest, "Request_UnsupportedQuery", "%s", text) },
	})
}

func (q *call) getContract() (*result, error) {
	if err := q.member(); err != nil {
		return nil, err
	}
	for _, t := range q.c.customersOf(q.t) {
		if data := contract(t); strings.EqualFold(str(data, "id"), q.keys[0]) {
			return q.one(fixed("contract", data)(q.v)[0], data, "contract", "contracts")
		}
	}
	return nil, notFound(q.keys[0])
}

// ---- the customers who gave the partner a relationship

const kindDelegatedCustomer = "delegatedAdminCustomer"

// delegatedCustomer is a customer with an active relationship; nil for the others.
// The service makes the object with the first one and removes it with the last.
// https://learn.microsoft.com/graph/api/resources/delegatedadmincustomer
func (q *call) delegatedCustomer(t *tenant) object {
	for _, e := range q.c.gdap.byCustomer[t.id] {
		if grantsAccess(e.live(q.v)) {
			return object{"@odata.etag": etag(t.id, 1), "id": t.id, "tenantId": t.id, "displayName": t.name}
		}
	}
	return nil
}

// listDelegatedCustomers lists them.
// https://learn.microsoft.com/graph/api/tenantrelationship-list-delegatedadmincustomers
func (q *call) listDelegatedCustomers() (*result, error) {
	if err := q.mayDelegate(); err != nil {
		return nil, err
	}
	customers := q.c.customersOf(q.t)
	return q.gdapPages(pages{
		kind: kindDelegatedCustomer, context: "delegatedAdminCustomers", filters: []string{"displayName", "tenantId", "id"},
		count: len(customers), item: func(i int) object { return q.delegatedCustomer(customers[i]) },
	})
}

func (q *call) getDelegatedCustomer() (*result, error) {
	if err := q.mayDelegate(); err != nil {
		return nil, err
	}
	if t := q.c.tenants[strings.ToLower(q.keys[0])]; t != nil {
		if data := q.delegatedCustomer(t); data != nil {
			return q.gdapOne(data, kindDelegatedCustomer, "delegatedAdminCustomers")
		}
	}
	return nil, notDelegated("The delegated admin customer '%s' was not found.", q.keys[0])
}
