package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
)

// cloudOfARM finds the cloud an Azure Resource Manager host belongs to.
func cloudOfARM(host string) (catalog.Cloud, bool) {
	i := slices.IndexFunc(catalog.Clouds(), func(c catalog.Cloud) bool { return c.ARM == host })
	if i < 0 {
		return catalog.Cloud{}, false
	}
	return catalog.Clouds()[i], true
}

// armError is an error of Azure Resource Manager.
// https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors
type armError struct {
	status    int
	code      string
	message   string
	target    string
	details   []any
	challenge string // WWW-Authenticate
}

func azure(status int, code, format string, args ...any) *armError {
	return &armError{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

// armCall is one request to Azure Resource Manager.
type armCall struct {
	c     *Cloud
	host  string
	path  string
	keys  []string
	query url.Values
	body  []byte
	tok   *token
	t     *tenant
	v     view
	// What goes with the answer of an operation that succeeds.
	status int
	header map[string]string
}

// armOperation is one method on one path. Paths are compared without regard to
// case, as Azure does.
type armOperation struct {
	method, path string
	run          func(*armCall) (object, *armError) // no object is no body
}

// Where something is: its keys are the first one, two or three of a path.
const (
	inSubscription = "/subscriptions/{subscriptionId}"
	inGroup        = inSubscription + "/resourceGroups/{resourceGroupName}"
	inVault        = inGroup + "/providers/Microsoft.KeyVault/vaults/{vaultName}"
	keyVault       = "/providers/Microsoft.KeyVault"
	authorization  = "/providers/Microsoft.Authorization"
)

// armOperations is what is simulated of Azure Resource Manager.
var armOperations = func() []armOperation {
	ops := []armOperation{
		{"GET", "/tenants", (*armCall).tenants},
		{"GET", "/subscriptions", (*armCall).subscriptions},
		{"GET", inSubscription, (*armCall).subscription},
		{"GET", inSubscription + "/resources", (*armCall).resources},
		{"GET", inSubscription + "/operationresults/{operationId}", (*armCall).operationResult},
		{"GET", inSubscription + "/resourceGroups", (*armCall).resourceGroups},
		{"GET", inGroup, (*armCall).resourceGroup},
		{"HEAD", inGroup, (*armCall).hasResourceGroup},
		{"PUT", inGroup, (*armCall).putResourceGroup},
		{"DELETE", inGroup, (*armCall).deleteResourceGroup},
		{"GET", inSubscription + "/providers/{resourceProviderNamespace}", (*armCall).provider},
		{"POST", inSubscription + "/providers/{resourceProviderNamespace}/register", (*armCall).register},
		{"POST", inSubscription + keyVault + "/checkNameAvailability", (*armCall).checkVaultName},
		{"GET", inSubscription + keyVault + "/deletedVaults", (*armCall).deletedVaults},
		{"GET", inSubscription + keyVault + "/locations/{location}/deletedVaults/{vaultName}", (*armCall).deletedVault},
		{"POST", inSubscription + keyVault + "/locations/{location}/deletedVaults/{vaultName}/purge", (*armCall).purgeVault},
		{"GET", inSubscription + keyVault + "/vaults", (*armCall).vaults},
		{"GET", inGroup + keyVault + "/vaults", (*armCall).vaults},
		{"GET", inVault, (*armCall).vault},
		{"PUT", inVault, (*armCall).putVault},
		{"DELETE", inVault, (*armCall).deleteVault},
		{"GET", authorization + "/roleDefinitions/{roleDefinitionId}", (*armCall).roleDefinition},
		{"POST", "/providers/Microsoft.ResourceGraph/resources", (*armCall).resourceGraph},
	}
	for _, scope := range []string{inSubscription, inGroup, inVault} {
		ops = append(ops, []armOperation{
			{"GET", scope + authorization + "/roleDefinitions", (*armCall).roleDefinitions},
			{"GET", scope + authorization + "/roleDefinitions/{roleDefinitionId}", (*armCall).roleDefinition},
			{"GET", scope + authorization + "/roleAssignments", (*armCall).roleAssignments},
			{"GET", scope + authorization + "/roleAssignments/{roleAssignmentName}", (*armCall).roleAssignment},
			{"PUT", scope + authorization + "/roleAssignments/{roleAssignmentName}", (*armCall).putRoleAssignment},
			{"DELETE", scope + authorization + "/roleAssignments/{roleAssignmentName}", (*armCall).deleteRoleAssignment},
		}...)
		if scope != inSubscription {
			ops = append(ops, armOperation{"GET", scope + authorization + "/permissions", (*armCall).permissions})
		}
	}
	return ops
}()

// matchARM compares a path with that of an operation. Keys stay as they are
// written: names may hold brackets, and keep their case.
func matchARM(template, path string) ([]string, bool) {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}
	var keys []string
	for i, w := range want {
		switch {
		case strings.HasPrefix(w, "{") && got[i] != "":
			keys = append(keys, got[i])
		case !strings.EqualFold(w, got[i]):
			return nil, false
		}
	}
	return keys, true
}

// resourceManager answers a request to Azure Resource Manager. The caller holds
// mu.
func (c *Cloud) resourceManager(r *http.Request, host string, body []byte, row *Request) *answer {
	q := &armCall{
		c: c, host: host, path: strings.TrimSuffix(r.URL.Path, "/"), query: r.URL.Query(), body: body, v: c.look(),
		status: http.StatusOK, header: map[string]string{},
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		q.v = c.master()
	}
	out, err := q.run(r, row)
	reply := &answer{status: q.status, header: q.header}
	if out != nil {
		reply.body = out
	}
	if err != nil {
		reply = err.answer()
	}
	if r.Method == http.MethodHead {
		reply.body = nil
	}
	requestID := c.guid()
	correlation := r.Header.Get("X-Ms-Correlation-Request-Id")
	if !isGUID(correlation) {
		correlation = requestID
	}
	maps.Copy(reply.header, map[string]string{
		"Cache-Control": "no-cache", "x-ms-request-id": requestID, "x-ms-correlation-request-id": correlation,
	})
	return reply
}

func (e *armError) answer() *answer {
	body := object{"code": e.code, "message": e.message}
	if e.target != "" {
		body["target"] = e.target
	}
	if e.details != nil {
		body["details"] = e.details
	}
	reply := &answer{status: e.status, header: map[string]string{}, body: object{"error": body}}
	if e.challenge != "" {
		reply.header["WWW-Authenticate"] = e.challenge
	}
	return reply
}

var apiVersionPattern = regexp.MustCompile(`^20[0-9]{2}-[0-9]{2}-[0-9]{2}(-preview)?$`)

func (q *armCall) run(r *http.Request, row *Request) (object, *armError) {
	if err := q.authenticate(r); err != nil {
		return nil, err
	}
	row.Tenant = q.tok.Tenant
	switch v := q.query.Get("api-version"); {
	case v == "":
		return nil, azure(http.StatusBadRequest, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
	case !apiVersionPattern.MatchString(v):
		return nil, azure(http.StatusBadRequest, "InvalidApiVersionParameter", "The api-version '%s' is invalid.", v)
	}
	q.finishDeleting()
	known := false
	for _, op := range armOperations {
		keys, matches := matchARM(op.path, q.path)
		if !matches {
			continue
		}
		known = true
		if op.method == r.Method {
			q.keys = keys
			return op.run(q)
		}
	}
	if known {
		return nil, azure(http.StatusMethodNotAllowed, "MethodNotAllowed", "The request method '%s' is not supported for '%s'.", r.Method, q.path)
	}
	return nil, azure(http.StatusNotFound, "NotFound", "The resource path '%s' is not known.", q.path)
}

// claimed is what an access token says of itself, before anybody checked it.
func claimed(r *http.Request) token {
	var t token
	if parts := strings.Split(r.Header.Get("Authorization"), "."); len(parts) == 3 {
		if payload, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
			_ = json.Unmarshal(payload, &t)
		}
	}
	return t
}

// armAudiences are what an access token for an Azure Resource Manager host can
// be for: the API has several names.
func armAudiences(host string) []string {
	old := "https://management.core." + strings.TrimPrefix(host, "management.")
	if host == catalog.Clouds()[0].ARM {
		old = "https://management.core.windows.net"
	}
	return []string{old + "/", old, "https://" + host + "/", "https://" + host, catalog.ServiceMgmtAppID}
}

// authenticate checks the access token.
func (q *armCall) authenticate(r *http.Request) *armError {
	refused := func(code, format string, args ...any) *armError {
		e := azure(http.StatusUnauthorized, code, format, args...)
		e.challenge = `Bearer authorization_uri="https://login.microsoftonline.com/common", error="invalid_token", error_description="` + e.message + `"`
		return e
	}
	if r.Header.Get("Authorization") == "" {
		return refused("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing.")
	}
	says := claimed(r)
	tok, err := q.c.bearer(r, says.Audience)
	switch now := q.c.now(); {
	case err != nil && says.Expires > 0 && now.Unix() >= says.Expires:
		return refused("ExpiredAuthenticationToken", "The access token expiry UTC time '%s' is earlier than current UTC time '%s'.",
			time.Unix(says.Expires, 0).UTC().Format("1/2/2006 3:04:05 PM"), now.Format("1/2/2006 3:04:05 PM"))
	case err != nil:
		return refused("InvalidAuthenticationToken", "The access token is invalid.")
	case !slices.Contains(armAudiences(q.host), tok.Audience):
		return refused("InvalidAuthenticationTokenAudience", "The access token has been obtained for wrong audience or resource '%s'. It should exactly match with one of the allowed audiences '%s'.",
			tok.Audience, strings.Join(armAudiences(q.host)[:4], "','"))
	}
	q.tok, q.t = tok, q.c.tenants[tok.Tenant].enter()
	if cloud, _ := cloudOfARM(q.host); q.t.abroad(cloud.Login) {
		return refused("InvalidAuthenticationToken", "The access token is invalid.")
	}
	return nil
}

// found is the subscription a path names, when it is in the tenant of the token.
func (q *armCall) found() (*entity, *armError) {
	id := q.keys[0]
	if !isGUID(id) {
		return nil, azure(http.StatusBadRequest, "InvalidSubscriptionId", "The provided subscription identifier '%s' is malformed or invalid.", id)
	}
	if e := q.t.find(kindSubscription, id); e != nil && e.live(q.v) != nil {
		return e, nil
	}
	for _, t := range q.c.order {
		if t == q.t || t.seen(q.v, kindSubscription, id) == nil {
			continue
		}
		e := azure(http.StatusUnauthorized, "InvalidAuthenticationTokenTenant",
			"The access token is from the wrong issuer 'https://sts.windows.net/%s/'. It must match the tenant 'https://sts.windows.net/%s/' associated with this subscription. Please use the authority (URL) 'https://login.windows.net/%s' to get the token.",
			q.t.id, t.id, t.id)
		e.challenge = `Bearer authorization_uri="https://login.windows.net/` + t.id + `", error="invalid_token", error_description="The access token is from the wrong issuer."`
		return nil, e
	}
	return nil, azure(http.StatusNotFound, "SubscriptionNotFound", "The subscription '%s' could not be found.", id)
}
