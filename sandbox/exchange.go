package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"msbundle/catalog"
)

// otherExchange are names of Exchange Online's hosts besides those in the catalog.
var otherExchange = map[string]string{"outlook-dod.office365.us": "usgovdod"}

// cloudOfExchange finds the cloud an Exchange Online host belongs to.
func cloudOfExchange(host string) (catalog.Cloud, bool) {
	if id, known := otherExchange[host]; known {
		return catalog.CloudByID(id)
	}
	for _, c := range catalog.Clouds() {
		if c.Exchange == host {
			return c, true
		}
	}
	return catalog.Cloud{}, false
}

// isExchange tells whether a host is Exchange Online of any cloud.
func isExchange(host string) bool {
	_, known := cloudOfExchange(host)
	return known
}

// exchangeRoles are the directory roles that mean something in Exchange Online.
// https://learn.microsoft.com/powershell/exchange/app-only-auth-powershell-v2#assign-microsoft-entra-roles-to-the-application
var exchangeRoles = []string{
	"29232cdf-9323-42fd-ade2-1d097af3e4de", // Exchange Administrator
	catalog.RoleGlobalAdministrator,
	"17315797-102d-40b4-93e0-432062caca18", // Compliance Administrator
	"729827e3-9c14-49f7-bb1b-9608f156bbb8", // Helpdesk Administrator
	roleSecurityAdmin, roleSecurityReader, roleGlobalReader,
}

// mobilityE5 is a licence without mailboxes.
var mobilityE5 = licence{"b05e124f-c7cc-45a0-a6aa-8cf78c946968", "EMSPREMIUM", []servicePlan{premium1, premium2}}

// exchangeError is an error of Exchange Online's admin API, which says the same
// in several places.
type exchangeError struct {
	status int
	code   string
	text   string
	kind   string // of the exception
}

func refuseExchange(status int, code, kind, format string, args ...any) *exchangeError {
	return &exchangeError{status: status, code: code, kind: kind, text: fmt.Sprintf(format, args...)}
}

func (e *exchangeError) answer() *answer {
	reply := &answer{status: e.status, header: map[string]string{}, body: object{"error": object{
		"code": e.code, "message": e.text, "details": []any{object{"code": "Context", "target": "", "message": "|" + e.kind + "|" + e.text}},
		"innererror": object{
			"message": e.text, "type": "Microsoft.Exchange.Admin.OData.Core.ODataServiceException", "stacktrace": "",
			"internalException": object{"message": e.text, "type": e.kind, "stacktrace": ""},
		},
	}}}
	if e.status == http.StatusUnauthorized {
		reply.header["WWW-Authenticate"] = `Bearer client_id="` + catalog.ExchangeAppID + `", token_types="app_asserted_user_v1 service_asserted_app_v1", error="invalid_token"`
	}
	return reply
}

// exchangeCall is one cmdlet that runs in Exchange Online.
type exchangeCall struct {
	c          *Cloud
	r          *http.Request
	host       string
	tok        *token
	t          *tenant
	parameters object
}

var invokePath = regexp.MustCompile(`(?i)^/adminapi/beta/([^/]+)/InvokeCommand$`)

// exchange answers a request to the API behind the Exchange Online cmdlets. The
// caller holds mu.
func (c *Cloud) exchange(r *http.Request, host string, body []byte, row *Request) *answer {
	q := &exchangeCall{c: c, r: r, host: host}
	out, err := q.run(body, row)
	reply := &answer{status: http.StatusOK, body: out, header: map[string]string{}}
	if err != nil {
		reply = err.answer()
	}
	maps.Copy(reply.header, map[string]string{"request-id": c.guid(), "Cache-Control": "no-cache", "OData-Version": "4.0"})
	return reply
}

func (q *exchangeCall) run(body []byte, row *Request) (object, *exchangeError) {
	if err := q.authenticate(); err != nil {
		return nil, err
	}
	row.Tenant = q.tok.Tenant
	named := invokePath.FindStringSubmatch(q.r.URL.Path)
	switch {
	case named == nil:
		return nil, refuseExchange(http.StatusNotFound, "NotFound", "Microsoft.Exchange.Admin.OData.Core.ODataServiceException", "No HTTP resource was found that matches the request URI '%s'.", q.r.URL.Path)
	case q.r.Method != http.MethodPost:
		return nil, refuseExchange(http.StatusMethodNotAllowed, "MethodNotAllowed", "Microsoft.Exchange.Admin.OData.Core.ODataServiceException", "The requested resource does not support http method '%s'.", q.r.Method)
	case q.c.tenantNamed(named[1]) != q.t:
		return nil, refuseExchange(http.StatusUnauthorized, "Unauthorized", "Microsoft.Exchange.Security.OAuth.InvalidOAuthTokenException", "The token has an invalid value: it was issued for another organization than '%s'.", named[1])
	}
	if err := q.anchored(); err != nil {
		return nil, err
	}
	if err := q.permitted(); err != nil {
		return nil, err
	}
	// Nobody has a role in an organisation that is not there.
	if !slices.ContainsFunc(q.t.licence.plans, func(p servicePlan) bool { return p.service == "exchange" }) {
		return nil, refuseExchange(http.StatusBadRequest, "BadRequest", "Microsoft.Exchange.Admin.OData.Core.ODataServiceException",
			"The service principal for resource 'https://%s' is disabled. This indicate that a subscription within the tenant has lapsed, or that the administrator for this tenant has disabled the application, preventing tokens from being issued for it.", q.host)
	}
	if err := q.authorise(); err != nil {
		return nil, err
	}
	return q.invoke(body)
}

// authenticate checks the access token.
func (q *exchangeCall) authenticate() *exchangeError {
	invalid := func(format string, args ...any) *exchangeError {
		return refuseExchange(http.StatusUnauthorized, "Unauthorized", "Microsoft.Exchange.Security.OAuth.InvalidOAuthTokenException", format, args...)
	}
	says := claimed(q.r)
	tok, err := q.c.bearer(q.r, says.Audience)
	switch {
	case err != nil && says.Expires > 0 && q.c.now().Unix() >= says.Expires:
		return invalid("The token has expired.")
	case err != nil:
		return invalid("The token is missing or cannot be validated.")
	case strings.TrimSuffix(tok.Audience, "/") != "https://"+q.host:
		return invalid("The audience claim value is invalid '%s'.", tok.Audience)
	}
	q.tok, q.t = tok, q.c.tenants[tok.Tenant].enter()
	if cloud, _ := cloudOfExchange(q.host); q.t.abroad(cloud.Login) {
		return invalid("The token was issued by another cloud.")
	}
	return nil
}

// systemMailbox is what an app names as its mailbox.
const systemMailbox = "SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}"

// anchored: the request goes to where a mailbox is, so it has to name one.
func (q *exchangeCall) anchored() *exchangeError {
	kind, mailbox, ok := strings.Cut(q.r.Header.Get("X-AnchorMailbox"), ":")
	name, domain, at := strings.Cut(mailbox, "@")
	bad := !ok || !at || name == ""
	switch strings.ToUpper(kind) {
	case "APP":
		bad = bad || !strings.EqualFold(name, systemMailbox) || q.c.tenantNamed(domain) != q.t
	case "UPN":
		bad = bad || !strings.EqualFold(name, systemMailbox) && q.t.userNamed(mailbox) == nil
	default:
		bad = true
	}
	if bad {
		return refuseExchange(http.StatusBadRequest, "BadRequest", "Microsoft.Exchange.Admin.OData.Core.ODataServiceException",
			"The X-AnchorMailbox header is missing or does not name a mailbox of the organization.")
	}
	return nil
}

// exchangeLag is how long a directory role takes to count in Exchange Online.
const exchangeLag = 15 * time.Minute

// permitted: an app takes a permission of its own, a person one by the app.
// https://learn.microsoft.com/powershell/exchange/app-only-auth-powershell-v2
func (q *exchangeCall) permitted() *exchangeError {
	app := q.tok.IDType == "app"
	if app && !q.tok.has("Exchange.ManageAsApp") || !app && !q.tok.has("Exchange.Manage") && !q.tok.has("AdminApi.AccessAsUser.All") {
		return refuseExchange(http.StatusUnauthorized, "Unauthorized", "Microsoft.Exchange.Security.OAuth.InvalidOAuthTokenException", "The token does not have the permission that is needed for this request.")
	}
	return nil
}

// authorise: an app takes a directory role, a person does too.
func (q *exchangeCall) authorise() *exchangeError {
	switch {
	case q.hasRole():
		return nil
	case q.tok.IDType == "app":
		return refuseExchange(http.StatusUnauthorized, "UnAuthorized", "Microsoft.Exchange.Configuration.Authorization.CmdletAccessDeniedException",
			"The role assigned to application %s isn't supported in this scenario. Please check online documentation for assigning correct Directory Roles to Azure AD Application for EXO App-Only Authentication.", q.tok.AppID)
	}
	return refuseExchange(http.StatusForbidden, "Forbidden", "Microsoft.Exchange.Configuration.Authorization.CmdletAccessDeniedException",
		"The cmdlet is not present in the role definition of the current user. Check the management roles assigned to you, and try again.")
}

// hasRole tells whether the caller has a directory role that has got through.
func (q *exchangeCall) hasRole() bool {
	if q.tok.Provider != "" { // somebody of the partner
		roles := q.c.delegatedRoles(q.c.order[0], q.tok.ObjectID, q.t.id)
		return slices.ContainsFunc(roles, func(r string) bool { return containsFold(exchangeRoles, r) })
	}
	now := q.c.now()
	return slices.ContainsFunc(q.t.tables[kindRoleGiven], func(e *entity) bool {
		data := e.live(q.c.master())
		if data == nil || !strings.EqualFold(str(data, "principalId"), q.tok.ObjectID) || !containsFold(exchangeRoles, str(data, "roleDefinitionId")) {
			return false
		}
		if q.c.opts.Delays != DelaysRealistic {
			return true
		}
		given := e.versions[len(e.versions)-1].everywhere()
		return !now.Before(given.Add(exchangeLag))
	})
}

// ---- cmdlets

// cmdlet is one of those that are simulated, with the parameters it takes.
type cmdlet struct {
	parameters []string
	run        func(*exchangeCall) ([]any, *exchangeError)
}

var cmdlets = map[string]cmdlet{
	"get-organizationconfig": {nil, (*exchangeCall).organizationConfig},
	"get-accepteddomain":     {[]string{"Identity", "ResultSize"}, (*exchangeCall).acceptedDomains},
	"get-mailbox":            {[]string{"Identity", "ResultSize"}, (*exchangeCall).mailboxes},
}

// invoke runs the cmdlet a request names.
func (q *exchangeCall) invoke(body []byte) (object, *exchangeError) {
	var in struct {
		CmdletInput *struct {
			CmdletName string
			Parameters object
		}
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.DisallowUnknownFields()
	err := dec.Decode(&in)
	if err == nil {
		if _, end := dec.Token(); end != io.EOF {
			err = io.ErrUnexpectedEOF
		}
	}
	if err != nil || in.CmdletInput == nil || in.CmdletInput.CmdletName == "" {
		return nil, refuseExchange(http.StatusBadRequest, "BadRequest", "Microsoft.OData.ODataException", "The request body cannot be read: a CmdletInput with a CmdletName is expected.")
	}
	name := in.CmdletInput.CmdletName
	run, known := cmdlets[strings.ToLower(name)]
	if !known {
		return nil, refuseExchange(http.StatusBadRequest, "BadRequest", "System.Management.Automation.CommandNotFoundException",
			"The term '%s' is not recognized as a name of a cmdlet, function, script file, or executable program. Check the spelling of the name, or if a path was included, verify that the path is correct and try again.", name)
	}
	for parameter := range in.CmdletInput.Parameters {
		if !containsFold(run.parameters, parameter) {
			return nil, refuseExchange(http.StatusBadRequest, "BadRequest", "System.Management.Automation.ParameterBindingException",
				"A parameter cannot be found that matches parameter name '%s'.", parameter)
		}
	}
	q.parameters = in.CmdletInput.Parameters
	all, failed := run.run(q)
	if failed != nil {
		return nil, failed
	}
	return q.page(all)
}

// page cuts a list by what the caller prefers; the next part takes the same body.
func (q *exchangeCall) page(all []any) (object, *exchangeError) {
	if most, limited := q.parameters["ResultSize"].(float64); limited {
		all = all[:min(len(all), max(0, int(most)))]
	}
	size := 100
	if text, found := strings.CutPrefix(q.r.Header.Get("Prefer"), "odata.maxpagesize="); found {
		if n, err := strconv.Atoi(text); err == nil && n > 0 {
			size = min(n, 1000)
		}
	}
	start := 0
	if text := q.r.URL.Query().Get("$skiptoken"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, refuseExchange(http.StatusBadRequest, "BadRequest", "Microsoft.OData.ODataException", "The skip token '%s' is invalid.", text)
		}
		start = min(n, len(all))
	}
	end := min(start+size, len(all))
	base := "https://" + q.host + "/adminapi/beta/" + q.t.id
	out := object{
		"@odata.context": base + "/$metadata#Collection(Exchange.GenericHashTable)", "adminapi.warnings@odata.type": "#Collection(String)",
		"@adminapi.warnings": []any{}, "value": append([]any{}, all[start:end]...),
	}
	if end < len(all) {
		out["@odata.nextLink"] = base + "/InvokeCommand?" + url.Values{"$skiptoken": {strconv.Itoa(end)}}.Encode()
	}
	return out, nil
}

// organizationConfig is about the whole organisation.
// https://learn.microsoft.com/powershell/module/exchange/get-organizationconfig
func (q *exchangeCall) organizationConfig() ([]any, *exchangeError) {
	return []any{object{
		"Name": q.t.domain, "DisplayName": q.t.name, "Identity": q.t.domain, "Guid": namedGUID(q.t.id + " exchange organization"), "IsDehydrated": false,
		"OrganizationId": q.t.domain, "EwsEnabled": nil, "AuditDisabled": false, "OAuth2ClientProfileEnabled": true,
	}}, nil
}

// identity is what a cmdlet is asked about; "" is everything.
func (q *exchangeCall) identity() string { return str(q.parameters, "Identity") }

func (q *exchangeCall) notThere(what string) *exchangeError {
	return refuseExchange(http.StatusNotFound, "NotFound", "Microsoft.Exchange.Configuration.Tasks.ManagementObjectNotFoundException",
		"The operation couldn't be performed because object '%s' couldn't be found on '%s'.", what, q.t.domain)
}

// acceptedDomains lists where the organisation takes mail.
// https://learn.microsoft.com/powershell/module/exchange/get-accepteddomain
func (q *exchangeCall) acceptedDomains() ([]any, *exchangeError) {
	list := []any{}
	for _, d := range q.t.domains() {
		if want := q.identity(); want == "" || strings.EqualFold(want, d.name) {
			list = append(list, object{
				"Name": d.name, "DomainName": d.name, "Identity": d.name, "DomainType": "Authoritative", "Default": d.isDefault, "InitialDomain": d.isInitial,
			})
		}
	}
	if len(list) == 0 {
		return nil, q.notThere(q.identity())
	}
	return list, nil
}

// mailboxes lists those of the people of the organisation; guests have none.
// https://learn.microsoft.com/powershell/module/exchange/get-mailbox
func (q *exchangeCall) mailboxes() ([]any, *exchangeError) {
	list := []any{}
	v := q.c.look()
	for _, e := range q.t.all(v, kindUser) {
		data := e.read(v)
		name := str(data, "userPrincipalName")
		if want := q.identity(); str(data, "userType") == "Guest" || want != "" && !strings.EqualFold(want, name) && !strings.EqualFold(want, e.id) {
			continue
		}
		list = append(list, object{
			"Identity": name, "UserPrincipalName": name, "PrimarySmtpAddress": name, "DisplayName": data["displayName"], "Alias": data["mailNickname"],
			"ExternalDirectoryObjectId": e.id, "RecipientTypeDetails": "UserMailbox", "Guid": namedGUID(e.id + " mailbox"),
		})
	}
	if len(list) == 0 && q.identity() != "" {
		return nil, q.notThere(q.identity())
	}
	return list, nil
}
