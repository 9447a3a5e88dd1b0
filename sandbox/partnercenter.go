package sandbox

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"msbundle/catalog"
)

// isPartnerCenter tells whether a host is Partner Center of any cloud.
func isPartnerCenter(host string) bool {
	return slices.ContainsFunc(catalog.Clouds(), func(c catalog.Cloud) bool { return c.PartnerCenter == host })
}

// partnerError is an error of Partner Center. Not all of them have a number.
// https://learn.microsoft.com/partner-center/developer/error-codes
type partnerError struct {
	status int
	code   string
	text   string
	wait   bool // a second, then it may be tried again
}

func refusePartner(status int, code, format string, args ...any) *partnerError {
	return &partnerError{status: status, code: code, text: fmt.Sprintf(format, args...)}
}

func (e *partnerError) answer() *answer {
	code := e.code
	if code == "" {
		code = strconv.Itoa(e.status)
	}
	return &answer{status: e.status, body: object{"code": code, "description": e.text, "data": []any{}, "source": "PartnerAPI"}}
}

// partnerCall is one request to Partner Center.
type partnerCall struct {
	c      *Cloud
	r      *http.Request
	query  url.Values
	body   []byte
	keys   []string // what stands in the path for its keys
	tok    *token
	t      *tenant
	status int // of a success
}

// partnerOperation is one method on one path.
type partnerOperation struct {
	method, path string
	run          func(*partnerCall) (object, *partnerError)
}

// partnerOperations is what is simulated of Partner Center.
var partnerOperations = []partnerOperation{
	{"GET", "/v1/profiles/organization", (*partnerCall).organizationProfile},
	{"GET", "/v1/profiles/legalbusiness", (*partnerCall).legalProfile},
	{"GET", "/v1/customers", (*partnerCall).customers},
	{"GET", "/v1/customers/{customer-id}", (*partnerCall).customer},
	{"POST", "/v1/customers/{customer-id}/applicationconsents", (*partnerCall).createConsent},
	{"DELETE", "/v1/customers/{customer-id}/applicationconsents/{application-id}", (*partnerCall).deleteConsent},
}

// partnerCenter answers a request to Partner Center. The caller holds mu.
func (c *Cloud) partnerCenter(r *http.Request, host string, body []byte, row *Request) *answer {
	q := &partnerCall{c: c, r: r, query: r.URL.Query(), body: body, status: http.StatusOK}
	out, err := q.run(host, row)
	reply := &answer{status: q.status}
	header := map[string]string{}
	switch {
	case err != nil:
		reply = err.answer()
		if err.wait {
			header["Retry-After"] = "1"
		}
	case out != nil:
		reply.body = out
	}
	for _, name := range []string{"MS-RequestId", "MS-CorrelationId"} {
		header[name] = r.Header.Get(name)
		if !isGUID(header[name]) {
			header[name] = c.guid()
		}
	}
	if q.tok != nil && strings.EqualFold(r.Header.Get("ValidateMfa"), "true") {
		header["isMfaCompliant"] = strconv.FormatBool(slices.Contains(q.tok.AMR, "mfa"))
	}
	reply.header = header
	return reply
}

func (q *partnerCall) run(host string, row *Request) (object, *partnerError) {
	if err := q.authenticate(host); err != nil {
		return nil, err
	}
	row.Tenant = q.tok.Tenant
	known := false
	for _, op := range partnerOperations {
		keys, matches := matchPath(op.path, strings.TrimSuffix(q.r.URL.Path, "/"))
		if !matches {
			continue
		}
		known = true
		if op.method == q.r.Method {
			q.keys = keys
			return op.run(q)
		}
	}
	if known {
		return nil, refusePartner(http.StatusMethodNotAllowed, "", "The requested resource does not support http method '%s'.", q.r.Method)
	}
	return nil, refusePartner(http.StatusNotFound, "", "There is nothing at %s.", q.r.URL.Path)
}

// authenticate: Partner Center wants a person, signed in with a second factor,
// who is an admin agent of a partner.
// https://learn.microsoft.com/partner-center/developer/partner-center-authentication
func (q *partnerCall) authenticate(host string) *partnerError {
	says := claimed(q.r)
	tok, err := q.c.bearer(q.r, says.Audience)
	if err != nil {
		return refusePartner(http.StatusUnauthorized, "", "Unauthorized: the access token is missing, invalid or expired.")
	}
	audience := strings.TrimSuffix(tok.Audience, "/")
	if audience != "https://"+host && audience != catalog.PartnerCenterAppID {
		return refusePartner(http.StatusUnauthorized, "900420", "The access token has the audience %s, which is not accepted.", tok.Audience)
	}
	q.tok, q.t = tok, q.c.tenants[tok.Tenant].enter()
	switch {
	case tok.IDType == "app":
		return refusePartner(http.StatusForbidden, "900329", "App only token is not supported. The request takes a token of an app and a user.")
	case !slices.Contains(tok.AMR, "mfa"):
		return refusePartner(http.StatusUnauthorized, "", "MFA required")
	case !q.agent():
		return insufficient()
	}
	return nil
}

// agent tells whether the person is in the group of the admin agents, which only
// partners have. It is a group like any other; that Partner Center made it is
// what counts.
func (q *partnerCall) agent() bool {
	data := q.t.seen(q.c.look(), kindGroup, agentGroup(q.t, "AdminAgents"))
	members, _ := data["_members"].([]any)
	return slices.Contains(members, any(q.tok.ObjectID))
}

// agentGroup is the id of one of the groups that Partner Center makes in a
// partner's tenant.
func agentGroup(t *tenant, name string) string { return namedGUID(t.id + " group " + name) }

func link(uri string, headers ...any) object {
	return object{"uri": uri, "method": "GET", "headers": list(headers)}
}

// organizationProfile is the partner's own account.
// https://learn.microsoft.com/partner-center/developer/get-an-organization-profile
func (q *partnerCall) organizationProfile() (object, *partnerError) {
	return object{
		"id": q.t.id, "companyName": q.t.name, "tenantId": q.t.id, "domain": q.t.domain, "email": q.t.admin, "language": "en", "culture": "en-US",
		"defaultAddress": partnerAddress(), "links": object{"self": link("/v1/profiles/organization")},
		"attributes": object{"objectType": "OrganizationProfile"},
	}, nil
}

func partnerAddress() object {
	return object{
		"country": "US", "city": "Redmond", "state": "WA", "addressLine1": "1 Microsoft Way", "postalCode": "98052", "firstName": "Admin",
		"lastName": "Contoso", "phoneNumber": "4255550100",
	}
}

// legalProfile is what Microsoft has verified of the partner's business.
// https://learn.microsoft.com/partner-center/developer/get-legal-business-profile
func (q *partnerCall) legalProfile() (object, *partnerError) {
	return object{
		"companyName": q.t.name, "address": partnerAddress(), "companyApproverAddress": partnerAddress(), "companyApproverEmail": q.t.admin,
		"primaryContact": object{"firstName": "Admin", "lastName": "Contoso", "email": q.t.admin, "phoneNumber": "4255550100"},
		"vettingStatus":  "authorized", "vettingSubStatus": "none", "profileType": "LegalBusinessProfile",
		"links": object{"self": link("/v1/profiles/legalbusiness")}, "attributes": object{"objectType": "PartnerLegalBusinessProfile"},
	}, nil
}

// mayListCustomers: an indirect reseller's customers belong to its provider.
func (q *partnerCall) mayListCustomers() *partnerError {
	if q.t.indirect {
		return refusePartner(http.StatusForbidden, "", "The partner is not permitted to access this resource.")
	}
	return nil
}

// Page sizes of the list of customers.
const (
	defaultCustomers = 100
	mostCustomers    = 500
)

// customers lists the partner's customers, a page at a time.
// https://learn.microsoft.com/partner-center/developer/get-a-list-of-customers
func (q *partnerCall) customers() (object, *partnerError) {
	if err := q.mayListCustomers(); err != nil {
		return nil, err
	}
	size := defaultCustomers
	if text := q.query.Get("size"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostCustomers {
			return nil, refusePartner(http.StatusBadRequest, "2000", "The size %s is not between 1 and %d.", text, mostCustomers)
		}
		size = n
	}
	if small := q.c.scenario.pageSize; small > 0 {
		size = min(size, small)
	}
	match, err := q.filter()
	if err != nil {
		return nil, err
	}
	start := 0
	if q.query.Get("seekOperation") == "Next" {
		n, err := strconv.Atoi(q.r.Header.Get("MS-ContinuationToken"))
		if err != nil || n < 0 {
			return nil, refusePartner(http.StatusBadRequest, "2000", "The header MS-ContinuationToken is missing or invalid.")
		}
		start = n
	}
	var all []*tenant
	for _, t := range q.c.order {
		if t != q.t && match(t) {
			all = append(all, t)
		}
	}
	start = min(start, len(all))
	end := min(start+size, len(all))
	items := []any{}
	for _, t := range all[start:end] {
		items = append(items, customer(t))
	}
	links := object{"self": link(q.address(false))}
	if end < len(all) {
		links["next"] = link(q.address(true), object{"key": "MS-ContinuationToken", "value": strconv.Itoa(end)})
	}
	return object{"totalCount": len(all), "items": items, "links": links, "attributes": object{"objectType": "Collection"}}, nil
}

// address is that of this page, or of the next.
func (q *partnerCall) address(next bool) string {
	query := url.Values{}
	maps.Copy(query, q.query)
	query.Del("seekOperation")
	if next {
		query.Set("seekOperation", "Next")
	}
	if len(query) == 0 {
		return q.r.URL.Path
	}
	return q.r.URL.Path + "?" + query.Encode()
}

// filter reads the filter parameter: a JSON object.
// https://learn.microsoft.com/partner-center/developer/get-a-list-of-customers-filtered-by-a-search-field
func (q *partnerCall) filter() (func(*tenant) bool, *partnerError) {
	text := q.query.Get("filter")
	if text == "" {
		return func(*tenant) bool { return true }, nil
	}
	var f struct{ Field, Value, Operator string }
	if err := json.Unmarshal([]byte(text), &f); err != nil || f.Operator != "starts_with" || f.Field != "CompanyName" && f.Field != "Domain" {
		return nil, refusePartner(http.StatusBadRequest, "2000", "The filter is invalid.")
	}
	return func(t *tenant) bool {
		value := t.name
		if f.Field == "Domain" {
			value = t.domain
		}
		return strings.HasPrefix(strings.ToLower(value), strings.ToLower(f.Value))
	}, nil
}

// customer is a customer as in the list. Reading it does not fill its tenant.
func customer(t *tenant) object {
	self := "/v1/customers/" + t.id
	return object{
		"id": t.id, "allowDelegatedAccess": true, "relationshipToPartner": "reseller",
		"companyProfile": object{
			"tenantId": t.id, "domain": t.domain, "companyName": t.name,
			"links": object{"self": link(self + "/profiles/company")}, "attributes": object{"objectType": "CustomerCompanyProfile"},
		},
		"links": object{"self": link(self)}, "attributes": object{"objectType": "Customer"},
	}
}

// customer answers for one of them.
// https://learn.microsoft.com/partner-center/developer/get-a-customer-by-id
func (q *partnerCall) customer() (object, *partnerError) {
	if err := q.mayListCustomers(); err != nil {
		return nil, err
	}
	t := q.c.tenants[strings.ToLower(q.keys[0])]
	switch {
	case !isGUID(q.keys[0]):
		return nil, refusePartner(http.StatusBadRequest, "2000", "The customer id %s is invalid.", q.keys[0])
	case t == nil || t == q.t:
		return nil, refusePartner(http.StatusNotFound, "60003", "The tenant %s was not found.", q.keys[0])
	}
	return customer(t), nil
}
