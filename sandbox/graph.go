package sandbox

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"msbundle/catalog"
)

// cloudOfGraph finds the cloud a Microsoft Graph host belongs to.
func cloudOfGraph(host string) (catalog.Cloud, bool) {
	for _, c := range catalog.Clouds() {
		if c.Graph == host {
			return c, true
		}
	}
	return catalog.Cloud{}, false
}

// call is one operation on Microsoft Graph: a request of its own or an item of a
// batch.
type call struct {
	c       *Cloud
	host    string
	version string // v1.0 or beta
	method  string
	path    string // below the version, decoded
	query   url.Values
	header  http.Header
	body    []byte
	tok     *token
	t       *tenant
	v       view // the replica this call reads
	op      *operation
	keys    []string
	batched *batch

	requestID       string
	clientRequestID string
}

// result is what an operation returns when it succeeds.
type result struct {
	status int
	body   object
	header map[string]string
}

func created(body object, location string) *result {
	return &result{status: http.StatusCreated, body: body, header: map[string]string{"Location": location}}
}
func ok(body object) *result { return &result{status: http.StatusOK, body: body} }
func noContent() *result     { return &result{status: http.StatusNoContent} }

// graph answers a request to Microsoft Graph. The caller holds mu.
func (c *Cloud) graph(r *http.Request, host string, body []byte, row *Request) *answer {
	call := &call{
		c: c, host: host, method: r.Method, query: r.URL.Query(), header: r.Header, body: body,
		requestID: c.guid(), v: c.look(),
	}
	call.clientRequestID = call.requestID
	if id := r.Header.Get("Client-Request-Id"); isGUID(id) {
		call.clientRequestID = id
	}
	reply := call.run(r, row)
	if reply.header == nil {
		reply.header = map[string]string{}
	}
	reply.header["request-id"] = call.requestID
	reply.header["client-request-id"] = call.clientRequestID
	reply.header["x-ms-resource-unit"] = "1"
	reply.header["Cache-Control"] = "no-cache"
	if call.version != "" {
		reply.header["OData-Version"] = "4.0"
	}
	return reply
}

func (q *call) run(r *http.Request, row *Request) *answer {
	version, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	tok, err := q.c.bearer(r, "https://"+q.host)
	if err != nil {
		return q.failed(err)
	}
	row.Tenant = tok.Tenant
	if err := q.c.stillDelegated(tok); err != nil {
		return q.failed(err)
	}
	if version != "v1.0" && version != "beta" {
		return q.failed(fail(http.StatusBadRequest, "BadRequest", "Invalid version: %s", version))
	}
	// The tenant of the token can be named in the path; some programs do.
	path = strings.TrimPrefix(path, "myorganization/")
	q.version, q.path, q.tok, q.t = version, "/"+path, tok, q.c.tenants[tok.Tenant].enter()
	if q.path == "/$batch" {
		return q.runBatch(row)
	}
	return q.answer()
}

// answer carries out the operation.
func (q *call) answer() *answer {
	res, err := q.operate()
	if err != nil {
		return q.failed(err)
	}
	reply := &answer{status: res.status, header: map[string]string{}}
	maps.Copy(reply.header, res.header)
	if res.body != nil {
		reply.body = res.body
		reply.header["Content-Type"] = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
	}
	return reply
}

func (q *call) failed(err error) *answer {
	var e *graphError
	if !errors.As(err, &e) {
		e = fail(http.StatusInternalServerError, "Service_InternalServerError", "Encountered an internal server error.")
	}
	return e.answer(q.c.now().Format("2006-01-02T15:04:05"), q.requestID, q.clientRequestID)
}

func (q *call) operate() (*result, error) {
	op, keys, err := route(q.version, q.method, q.path)
	if err != nil {
		return nil, err
	}
	q.op, q.keys = op, keys
	if strings.HasPrefix(q.path+"/", "/me/") && q.tok.IDType == "app" {
		return nil, fail(http.StatusBadRequest, "BadRequest", "/me request is only valid with delegated authentication flow.")
	}
	if op.kinds == nil && !op.permits(q.tok, "") {
		if op.refuse != nil {
			return nil, op.refuse()
		}
		return nil, denied()
	}
	return op.run(q)
}

// operation is one method on one path.
type operation struct {
	method string
	path   string // as the official description writes it
	like   string // path whose permissions hold, when the table has no row for this one
	beta   bool   // only there
	kinds  []string
	refuse func() *graphError // how the service says that a permission is missing; nil is as the directory does
	run    func(*call) (*result, error)
	rows   map[string]permissionRow
	parts  []pathPart // of the path, taken apart
}

// operations is everything of Microsoft Graph that is simulated.
var operations = sync.OnceValue(func() []operation {
	return sortOut([]operation{
		{method: "GET", path: "/applications", run: (*call).listApplications},
		{method: "POST", path: "/applications", run: (*call).createApplication},
		{method: "GET", path: "/applications/{application-id}", run: (*call).getApplication},
		{method: "PATCH", path: "/applications/{application-id}", run: (*call).patchApplication},
		{method: "DELETE", path: "/applications/{application-id}", run: (*call).deleteApplication},
		{method: "GET", path: "/applications(appId='{appId}')", run: (*call).getApplication},
		{method: "PATCH", path: "/applications(appId='{appId}')", run: (*call).patchApplication},
		{method: "DELETE", path: "/applications(appId='{appId}')", run: (*call).deleteApplication},
		{method: "POST", path: "/applications/{application-id}/addPassword", run: (*call).addPassword},
		{method: "POST", path: "/applications/{application-id}/removePassword", run: (*call).removePassword},
		{method: "GET", path: "/applications/{application-id}/appManagementPolicies", run: (*call).listAppPolicies},

		{method: "GET", path: "/servicePrincipals", run: (*call).listPrincipals},
		{method: "POST", path: "/servicePrincipals", run: (*call).createPrincipal},
		{method: "GET", path: "/servicePrincipals/{servicePrincipal-id}", run: (*call).getPrincipal},
		{method: "PATCH", path: "/servicePrincipals/{servicePrincipal-id}", run: (*call).patchPrincipal},
		{method: "DELETE", path: "/servicePrincipals/{servicePrincipal-id}", run: (*call).deletePrincipal},
		{method: "GET", path: "/servicePrincipals(appId='{appId}')", run: (*call).getPrincipal},
		{method: "PATCH", path: "/servicePrincipals(appId='{appId}')", like: "/servicePrincipals/{servicePrincipal-id}", run: (*call).patchPrincipal},
		{method: "DELETE", path: "/servicePrincipals(appId='{appId}')", like: "/servicePrincipals/{servicePrincipal-id}", run: (*call).deletePrincipal},
		{method: "GET", path: "/servicePrincipals/{servicePrincipal-id}/appRoleAssignedTo", run: (*call).listAssignments},
		{method: "POST", path: "/servicePrincipals/{servicePrincipal-id}/appRoleAssignedTo", run: (*call).createAssignment},
		{method: "DELETE", path: "/servicePrincipals/{servicePrincipal-id}/appRoleAssignedTo/{appRoleAssignment-id}", run: (*call).deleteAssignment},
		{method: "GET", path: "/servicePrincipals/{servicePrincipal-id}/appRoleAssignments", run: (*call).listAssignments},
		{method: "POST", path: "/servicePrincipals/{servicePrincipal-id}/appRoleAssignments", run: (*call).createAssignment},
		{method: "DELETE", path: "/servicePrincipals/{servicePrincipal-id}/appRoleAssignments/{appRoleAssignment-id}", run: (*call).deleteAssignment},
		{method: "GET", path: "/servicePrincipals/{servicePrincipal-id}/oauth2PermissionGrants", run: (*call).listGrants},

		{method: "GET", path: "/oauth2PermissionGrants", run: (*call).listGrants},
		{method: "POST", path: "/oauth2PermissionGrants", run: (*call).createGrant},
		{method: "GET", path: "/oauth2PermissionGrants/{oAuth2PermissionGrant-id}", run: (*call).getGrant},
		{method: "PATCH", path: "/oauth2PermissionGrants/{oAuth2PermissionGrant-id}", run: (*call).patchGrant},
		{method: "DELETE", path: "/oauth2PermissionGrants/{oAuth2PermissionGrant-id}", run: (*call).deleteGrant},

		{method: "GET", path: "/me", run: (*call).me},
		{method: "GET", path: "/me/ownedObjects", run: (*call).ownedObjects},
		{method: "GET", path: "/me/ownedObjects/graph.application", run: (*call).ownedObjects},
		{method: "GET", path: "/me/ownedObjects/microsoft.graph.application", run: (*call).ownedObjects},
		{method: "GET", path: "/me/memberOf", run: (*call).memberOf},
		{method: "GET", path: "/me/memberOf/microsoft.graph.directoryRole", run: (*call).memberOf},
		{method: "GET", path: "/me/memberOf/graph.directoryRole", run: (*call).memberOf},
		{method: "GET", path: "/me/transitiveMemberOf", run: (*call).memberOf},
		{method: "GET", path: "/me/transitiveMemberOf/microsoft.graph.directoryRole", run: (*call).memberOf},
		{method: "GET", path: "/me/transitiveMemberOf/graph.directoryRole", run: (*call).memberOf},
		{method: "GET", path: "/me/transitiveMemberOf/microsoft.graph.group", run: (*call).memberOf},
		{method: "GET", path: "/me/transitiveMemberOf/graph.group", run: (*call).memberOf},
		{method: "POST", path: "/me/checkMemberGroups", run: (*call).checkMemberGroups},
		{method: "GET", path: "/users", run: (*call).listUsers},
		{method: "POST", path: "/users", run: (*call).createUser},
		{method: "GET", path: "/users/{user-id}", run: (*call).getUser},
		{method: "PATCH", path: "/users/{user-id}", run: (*call).patchUser},
		{method: "DELETE", path: "/users/{user-id}", run: (*call).deleteUser},
		{method: "GET", path: "/users/{user-id}/memberOf", run: (*call).memberOf},
		{method: "GET", path: "/users/{user-id}/transitiveMemberOf", run: (*call).memberOf},
		{method: "GET", path: "/users/{user-id}/transitiveMemberOf/microsoft.graph.directoryRole", run: (*call).memberOf},
		{method: "GET", path: "/users/{user-id}/transitiveMemberOf/graph.directoryRole", run: (*call).memberOf},
		{method: "GET", path: "/users/{user-id}/transitiveMemberOf/microsoft.graph.group", run: (*call).memberOf},
		{method: "GET", path: "/users/{user-id}/transitiveMemberOf/graph.group", run: (*call).memberOf},
		{method: "POST", path: "/users/{user-id}/checkMemberGroups", run: (*call).checkMemberGroups},
		{method: "POST", path: "/users/{user-id}/getMemberGroups", run: (*call).getMemberGroups},
		{method: "GET", path: "/users/{user-id}/authentication/methods", refuse: methodsDenied, run: (*call).methods},
		{method: "GET", path: "/users/{user-id}/authentication/requirements", beta: true, refuse: methodsDenied, run: (*call).requirements},
		{method: "PATCH", path: "/users/{user-id}/authentication/requirements", beta: true, refuse: methodsDenied, run: (*call).patchRequirements},
		{method: "GET", path: "/reports/authenticationMethods/userRegistrationDetails/{userRegistrationDetails-id}", run: (*call).registrationDetails},
		{method: "GET", path: "/groups", run: (*call).listGroups},
		{method: "POST", path: "/groups", run: (*call).createGroup},
		{method: "GET", path: "/groups/{group-id}", run: (*call).getGroup},
		{method: "PATCH", path: "/groups/{group-id}", run: (*call).patchGroup},
		{method: "DELETE", path: "/groups/{group-id}", run: (*call).deleteGroup},
		{method: "GET", path: "/groups/{group-id}/members", run: (*call).groupMembers},
		{method: "GET", path: "/groups/{group-id}/transitiveMembers", run: (*call).groupMembers},
		{method: "POST", path: "/groups/{group-id}/members/$ref", run: (*call).addMember},
		{method: "DELETE", path: "/groups/{group-id}/members/{directoryObject-id}/$ref", run: (*call).removeMember},
		{method: "GET", path: "/organization", run: (*call).organization},
		{method: "GET", path: "/domains", run: (*call).domains},
		{method: "GET", path: "/subscribedSkus", run: (*call).subscribedSkus},
		{method: "GET", path: "/roleManagement/directory/roleDefinitions", run: (*call).roleDefinitions},
		{method: "GET", path: "/roleManagement/directory/roleDefinitions/{unifiedRoleDefinition-id}", run: (*call).roleDefinition},
		{method: "GET", path: "/roleManagement/directory/roleAssignments", run: (*call).roleAssignments},
		{method: "POST", path: "/roleManagement/directory/roleAssignments", run: (*call).createRoleAssignment},
		{method: "GET", path: "/roleManagement/directory/roleAssignments/{unifiedRoleAssignment-id}", run: (*call).getRoleAssignment},
		{method: "DELETE", path: "/roleManagement/directory/roleAssignments/{unifiedRoleAssignment-id}", run: (*call).deleteRoleAssignment},
		{method: "GET", path: "/roleManagement/directory/roleEligibilityScheduleInstances", run: (*call).eligibility},
		{
			method: "GET", path: "/roleManagement/directory/roleEligibilityScheduleInstances/filterByCurrentUser(on='{on}')",
			like: "/roleManagement/directory/roleEligibilityScheduleInstances", run: (*call).eligibility,
		},
		{method: "GET", path: "/policies/defaultAppManagementPolicy", run: (*call).defaultAppManagementPolicy},
		{method: "GET", path: "/policies/authorizationPolicy", run: (*call).authorizationPolicy},
		{method: "GET", path: "/policies/authenticationMethodsPolicy", run: (*call).methodsPolicy},
		{method: "GET", path: "/policies/identitySecurityDefaultsEnforcementPolicy", refuse: accessDenied, run: (*call).securityDefaults},
		{method: "GET", path: "/identity/conditionalAccess/policies", refuse: accessDenied, run: (*call).accessPolicies},
		{method: "POST", path: "/identity/conditionalAccess/policies", refuse: accessDenied, run: (*call).createAccessPolicy},
		{method: "GET", path: "/identity/conditionalAccess/policies/{conditionalAccessPolicy-id}", refuse: accessDenied, run: (*call).accessPolicy},
		{method: "PATCH", path: "/identity/conditionalAccess/policies/{conditionalAccessPolicy-id}", refuse: accessDenied, run: (*call).patchAccessPolicy},
		{method: "DELETE", path: "/identity/conditionalAccess/policies/{conditionalAccessPolicy-id}", refuse: accessDenied, run: (*call).deleteAccessPolicy},

		{method: "GET", path: "/directory/deletedItems/graph.application", run: (*call).listDeleted},
		{method: "GET", path: "/directory/deletedItems/microsoft.graph.application", run: (*call).listDeleted},
		{method: "GET", path: "/directory/deletedItems/graph.servicePrincipal", run: (*call).listDeleted},
		{method: "GET", path: "/directory/deletedItems/microsoft.graph.servicePrincipal", run: (*call).listDeleted},
		{method: "GET", path: "/directory/deletedItems/graph.user", run: (*call).listDeleted},
		{method: "GET", path: "/directory/deletedItems/microsoft.graph.user", run: (*call).listDeleted},
		{method: "GET", path: "/directory/deletedItems/{directoryObject-id}", kinds: deletable, run: (*call).getDeleted},
		{method: "DELETE", path: "/directory/deletedItems/{directoryObject-id}", kinds: deletable, run: (*call).purge},
		{method: "POST", path: "/directory/deletedItems/{directoryObject-id}/restore", kinds: deletable, run: (*call).restore},

		{method: "GET", path: "/contracts", run: (*call).listContracts},
		{method: "GET", path: "/contracts/{contract-id}", run: (*call).getContract},
		{method: "GET", path: "/tenantRelationships/delegatedAdminRelationships", refuse: delegationDenied, run: (*call).listRelationships},
		{method: "POST", path: "/tenantRelationships/delegatedAdminRelationships", refuse: delegationDenied, run: (*call).createRelationship},
		{method: "GET", path: "/tenantRelationships/delegatedAdminRelationships/{delegatedAdminRelationship-id}", refuse: delegationDenied, run: (*call).getRelationship},
		{method: "PATCH", path: "/tenantRelationships/delegatedAdminRelationships/{delegatedAdminRelationship-id}", refuse: delegationDenied, run: (*call).patchRelationship},
		{method: "DELETE", path: "/tenantRelationships/delegatedAdminRelationships/{delegatedAdminRelationship-id}", refuse: delegationDenied, run: (*call).deleteRelationship},
		{method: "GET", path: "/tenantRelationships/delegatedAdminRelationships/{delegatedAdminRelationship-id}/requests", refuse: delegationDenied, run: (*call).listGDAPRequests},
		{method: "POST", path: "/tenantRelationships/delegatedAdminRelationships/{delegatedAdminRelationship-id}/requests", refuse: delegationDenied, run: (*call).requestAction},
		{method: "GET", path: "/tenantRelationships/delegatedAdminRelationships/{delegatedAdminRelationship-id}/requests/{delegatedAdminRelationshipRequest-id}", refuse: delegationDenied, run: (*call).getGDAPRequest},
		{method: "GET", path: "/tenantRelationships/delegatedAdminRelationships/{delegatedAdminRelationship-id}/accessAssignments", refuse: delegationDenied, run: (*call).listMappings},
		{method: "POST", path: "/tenantRelationships/delegatedAdminRelationships/{delegatedAdminRelationship-id}/accessAssignments", refuse: delegationDenied, run: (*call).createMapping},
		{method: "GET", path: "/tenantRelationships/delegatedAdminRelationships/{delegatedAdminRelationship-id}/accessAssignments/{delegatedAdminAccessAssignment-id}", refuse: delegationDenied, run: (*call).getMapping},
		{method: "PATCH", path: "/tenantRelationships/delegatedAdminRelationships/{delegatedAdminRelationship-id}/accessAssignments/{delegatedAdminAccessAssignment-id}", refuse: delegationDenied, run: (*call).patchMapping},
		{method: "DELETE", path: "/tenantRelationships/delegatedAdminRelationships/{delegatedAdminRelationship-id}/accessAssignments/{delegatedAdminAccessAssignment-id}", refuse: delegationDenied, run: (*call).deleteMapping},
		{method: "GET", path: "/tenantRelationships/delegatedAdminRelationships/{delegatedAdminRelationship-id}/operations", refuse: delegationDenied, run: (*call).listOperations},
		{method: "GET", path: "/tenantRelationships/delegatedAdminRelationships/{delegatedAdminRelationship-id}/operations/{delegatedAdminRelationshipOperation-id}", refuse: delegationDenied, run: (*call).getOperation},
		{method: "GET", path: "/tenantRelationships/delegatedAdminCustomers", refuse: delegationDenied, run: (*call).listDelegatedCustomers},
		{method: "GET", path: "/tenantRelationships/delegatedAdminCustomers/{delegatedAdminCustomer-id}", refuse: delegationDenied, run: (*call).getDelegatedCustomer},
	})
})

// deletable are the kinds of objects that are soft-deleted; the operations on a
// single deleted item take different permissions for each.
var deletable = []string{kindApplication, kindPrincipal, kindUser}

// sortOut gives every operation its permissions. Fixed paths go before those
// with a key, so that a cast is not taken for an id.
func sortOut(ops []operation) []operation {
	rows := permissionRows()
	for i := range ops {
		path := ops[i].path
		if ops[i].like != "" {
			path = ops[i].like
		}
		ops[i].rows = rows[ops[i].method+" "+path]
		if ops[i].rows == nil {
			panic("sandbox: no permissions known for " + ops[i].method + " " + ops[i].path)
		}
		ops[i].parts = takeApart(ops[i].path)
	}
	sortBy(ops, func(op operation) string { return strings.Repeat("{", strings.Count(op.path, "{")) })
	return ops
}

// route finds the operation of a request and the keys in its path.
func route(version, method, path string) (*operation, []string, error) {
	found := false
	segments := strings.Split(path, "/")
	all := operations()
	for i := range all {
		keys, ok := matchParts(all[i].parts, segments)
		if !ok || all[i].beta && version != "beta" {
			continue
		}
		if all[i].method == method {
			return &all[i], keys, nil
		}
		found = true
	}
	if found {
		return nil, nil, fail(http.StatusMethodNotAllowed, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
	}
	segment := strings.TrimPrefix(path, "/")
	for s := range strings.SplitSeq(segment, "/") {
		if !knownSegment(s) {
			segment = s
			break
		}
	}
	return nil, nil, fail(http.StatusBadRequest, "BadRequest", "Resource not found for the segment '%s'.", segment)
}

func knownSegment(s string) bool {
	name, _, _ := strings.Cut(s, "(")
	return isGUID(s) || slices.ContainsFunc(operations(), func(op operation) bool {
		return slices.ContainsFunc(strings.Split(op.path, "/"), func(p string) bool {
			p, _, _ = strings.Cut(p, "(")
			return p != "" && p == name
		})
	})
}

// pathPart is one segment of a template: fixed text, or a key between two texts.
type pathPart struct {
	head, tail string
	key        bool
}

func takeApart(template string) []pathPart {
	var parts []pathPart
	for segment := range strings.SplitSeq(template, "/") {
		head, _, key := strings.Cut(segment, "{")
		p := pathPart{head: head, key: key}
		if key {
			p.tail = segment[strings.IndexByte(segment, '}')+1:]
		}
		parts = append(parts, p)
	}
	return parts
}

// matchPath compares a path with a template and returns what stands for its
// keys. A doubled quote inside a key is one quote.
func matchPath(template, path string) ([]string, bool) {
	return matchParts(takeApart(template), strings.Split(path, "/"))
}

func matchParts(want []pathPart, got []string) ([]string, bool) {
	if len(want) != len(got) {
		return nil, false
	}
	for i, w := range want {
		g := got[i]
		switch {
		case !w.key && w.head != g:
			return nil, false
		case !w.key:
		case len(g) <= len(w.head)+len(w.tail) || !strings.HasPrefix(g, w.head) || !strings.HasSuffix(g, w.tail),
			w.head == "" && strings.ContainsAny(g, "('$") && !strings.Contains(g, "@"):
			return nil, false
		}
	}
	var keys []string
	for i, w := range want {
		if w.key {
			keys = append(keys, strings.ReplaceAll(got[i][len(w.head):len(got[i])-len(w.tail)], "''", "'"))
		}
	}
	return keys, true
}

func isGUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, r := range []byte(s) {
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if r != '-' {
				return false
			}
		case !(r >= '0' && r <= '9' || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F'):
			return false
		}
	}
	return true
}

// context is the @odata.context of a reply.
func (q *call) context(what string) string {
	return "https://" + q.host + "/" + q.version + "/$metadata#" + what
}

// url is an absolute address below the version.
func (q *call) url(path string) string { return "https://" + q.host + "/" + q.version + path }

// nowStamp is the time of a write.
func (q *call) nowStamp() string { return stamp(q.c.now().Truncate(time.Second)) }
