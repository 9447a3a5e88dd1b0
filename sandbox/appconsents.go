package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"msbundle/catalog"
)

// appConsents is what Partner Center remembers of requests about consents.
type appConsents struct {
	answered map[string]*answer // by who asked for what, under which id
	budgets  map[string]*budget // by app
}

// consentsPerSecond is how many requests about consents an app may send.
// https://learn.microsoft.com/partner-center/developer/control-panel-vendor-apis
const consentsPerSecond = 50

// budget is a store of requests that fills up with time.
type budget struct {
	left float64
	at   time.Time
}

// spends takes one request out of an app's budget. It is false when there is none.
func (a *appConsents) spends(app string, now time.Time) bool {
	b := a.budgets[app]
	if b == nil {
		if a.budgets == nil {
			a.budgets = map[string]*budget{}
		}
		b = &budget{left: consentsPerSecond, at: now}
		a.budgets[app] = b
	}
	b.left = min(consentsPerSecond, b.left+now.Sub(b.at).Seconds()*consentsPerSecond)
	b.at = now
	if b.left < 1 {
		return false
	}
	b.left--
	return true
}

// once carries out an operation unless it was done under the same id before: then
// its answer is given again. One that failed was not done.
func (q *partnerCall) once(do func() (object, *partnerError)) (object, *partnerError) {
	if !q.c.consents.spends(q.tok.AppID, q.c.now()) {
		err := refusePartner(http.StatusTooManyRequests, "", "Too many requests.")
		err.wait = true
		return nil, err
	}
	id := q.r.Header.Get("MS-RequestId")
	if !isGUID(id) {
		return do()
	}
	key := strings.ToLower(strings.Join([]string{id, q.tok.AppID, q.tok.ObjectID, q.r.Method, q.r.URL.Path}, " "))
	if was := q.c.consents.answered[key]; was != nil {
		q.status = was.status
		out, _ := was.body.(object)
		return out, nil
	}
	out, err := do()
	if err == nil {
		if q.c.consents.answered == nil {
			q.c.consents.answered = map[string]*answer{}
		}
		q.c.consents.answered[key] = &answer{status: q.status, body: out}
	}
	return out, err
}

// appConsent is the body of a consent, as a .NET service reads it: the case of
// names does not matter, and what it does not know it leaves.
type appConsent struct {
	ApplicationID     string     `json:"applicationId"`
	DisplayName       string     `json:"displayName"`
	ApplicationGrants []appGrant `json:"applicationGrants"`
}

type appGrant struct {
	EnterpriseApplicationID string `json:"enterpriseApplicationId"`
	Scope                   string `json:"scope"` // names with commas between them
}

// invalidConsent is Partner Center's answer to a request it cannot take.
func invalidConsent(format string, args ...any) *partnerError {
	return refusePartner(http.StatusBadRequest, "800002", "Invalid request input. "+format, args...)
}

func (q *partnerCall) readConsent() (appConsent, *partnerError) {
	var in appConsent
	kind, _, _ := strings.Cut(q.r.Header.Get("Content-Type"), ";")
	if !strings.EqualFold(strings.TrimSpace(kind), "application/json") {
		return in, refusePartner(http.StatusUnsupportedMediaType, "", "The request entity's media type '%s' is not supported for this resource.", kind)
	}
	dec := json.NewDecoder(bytes.NewReader(q.body))
	err := dec.Decode(&in)
	if err == nil {
		if _, end := dec.Token(); end != io.EOF {
			err = io.ErrUnexpectedEOF
		}
	}
	switch {
	case err != nil:
		return in, invalidConsent("The body cannot be read as JSON.")
	case !isGUID(in.ApplicationID):
		return in, invalidConsent("The applicationId '%s' is not an app id.", in.ApplicationID)
	case len(in.ApplicationGrants) == 0:
		return in, invalidConsent("At least one of applicationGrants is required.")
	}
	for _, g := range in.ApplicationGrants {
		switch {
		case !isGUID(g.EnterpriseApplicationID):
			return in, invalidConsent("The enterpriseApplicationId '%s' is not an app id.", g.EnterpriseApplicationID)
		case strings.TrimSpace(g.Scope) == "":
			return in, invalidConsent("The scope for %s is required.", g.EnterpriseApplicationID)
		}
	}
	return in, nil
}

// createConsent consents for a customer to an app of the partner: a service
// principal in the customer's tenant and, one after the other, a grant for each API.
// What was done before something fails stays done.
// https://learn.microsoft.com/partner-center/developer/control-panel-vendor-apis#acquire-consent
func (q *partnerCall) createConsent() (object, *partnerError) {
	return q.once(func() (object, *partnerError) {
		in, err := q.readConsent()
		if err != nil {
			return nil, err
		}
		t, err := q.consentAt(in.ApplicationID)
		if err != nil {
			return nil, err
		}
		principal, err := q.consentedApp(t, in.ApplicationID)
		if err != nil {
			return nil, err
		}
		grants := []any{}
		for _, g := range in.ApplicationGrants {
			if err := q.grantScopes(t, principal, g); err != nil {
				return nil, err
			}
			grants = append(grants, object{"enterpriseApplicationId": g.EnterpriseApplicationID, "scope": g.Scope})
		}
		q.status = http.StatusCreated
		out := object{
			"applicationId": in.ApplicationID, "displayName": nil, "applicationGrants": grants, "attributes": object{"objectType": "ApplicationConsent"},
		}
		if in.DisplayName != "" {
			out["displayName"] = in.DisplayName
		}
		return out, nil
	})
}

// deleteConsent takes an app out of a customer's tenant with all it was given.
// https://learn.microsoft.com/partner-center/developer/control-panel-vendor-apis#remove-consent
func (q *partnerCall) deleteConsent() (object, *partnerError) {
	return q.once(func() (object, *partnerError) {
		app := q.keys[1]
		if !isGUID(app) {
			return nil, invalidConsent("The application id '%s' is not an app id.", app)
		}
		t, err := q.consentAt(app)
		if err != nil {
			return nil, err
		}
		principal := t.principalOf(q.c.master(), app)
		if principal == nil {
			return nil, refusePartner(http.StatusNotFound, "1000", "Not found: the customer has not consented to the application %s.", app)
		}
		(&call{c: q.c, t: t}).removePrincipal(principal)
		q.status = http.StatusNoContent
		return nil, nil
	})
}

// consentAt finds the customer a path names and tells whether the caller may
// consent there: with a token of that very app, and with a way into the tenant that
// carries a role for it.
func (q *partnerCall) consentAt(app string) (*tenant, *partnerError) {
	if err := q.mayListCustomers(); err != nil {
		return nil, err
	}
	if !strings.EqualFold(q.tok.AppID, app) {
		return nil, refusePartner(http.StatusForbidden, "", "The application %s of the request is not the application %s of the access token.", app, q.tok.AppID)
	}
	t := q.c.tenants[strings.ToLower(q.keys[0])]
	switch {
	case !isGUID(q.keys[0]):
		return nil, refusePartner(http.StatusBadRequest, "2000", "The customer id %s is invalid.", q.keys[0])
	case t == nil:
		return nil, refusePartner(http.StatusNotFound, "60003", "Tenant not found: %s.", q.keys[0])
	case !slices.Contains(q.c.customersOf(q.t), t):
		return nil, refusePartner(http.StatusForbidden, "20002", "The partner ID %s has no commerce relationship with the customer ID %s.", q.t.id, t.id)
	}
	person, roles := q.t.find(kindUser, q.tok.ObjectID), q.c.delegatedRoles(q.t, q.tok.ObjectID, t.id)
	if person == nil || len(roles) == 0 {
		return nil, insufficient()
	}
	t.enter()
	if err := q.letIn(t, person); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(consentingRoles, func(r string) bool { return slices.Contains(roles, r) }) {
		return nil, insufficient()
	}
	return t, nil
}

// consentingRoles may make a service principal and consent for everybody.
var consentingRoles = []string{catalog.RoleGlobalAdministrator, catalog.RoleApplicationAdministrator, catalog.RoleCloudApplicationAdministrator}

func insufficient() *partnerError {
	return refusePartner(http.StatusForbidden, "900308", "Insufficient privileges to complete the operation.")
}

// letIn: Partner Center changes the caller's token for one of the customer's tenant,
// which the policies there can refuse.
// https://learn.microsoft.com/partner-center/developer/error-codes
func (q *partnerCall) letIn(t *tenant, person *entity) *partnerError {
	err := q.c.admits(q.c.sessions[q.tok.Session], t, person, catalog.GraphAppID)
	switch {
	case err == nil:
		return nil
	case err.code == 53003:
		return refusePartner(http.StatusForbidden, "900309", "%s", err.text)
	}
	body, _ := err.answer(q.c, q.c.guid()).body.(object)
	return refusePartner(http.StatusForbidden, "90000", "%s", str(body, "error_description"))
}

// consentedApp is the service principal of an app in a customer's tenant. An app
// that only its own tenant can use has none anywhere else.
func (q *partnerCall) consentedApp(t *tenant, app string) (*entity, *partnerError) {
	cl, err := q.c.client(authority{segment: t.id, tenant: t}, app)
	if err != nil || cl.app == nil {
		return nil, invalidConsent("The appId '%s' of the service principal does not reference a valid application object.", app)
	}
	if e := t.principalOf(q.c.master(), cl.id); e != nil {
		return e, nil
	}
	return q.c.add(t, kindPrincipal, q.c.guid(), q.c.footprint(cl), false), nil
}

// grantScopes gives an app delegated permissions of one API for everybody. What it
// has of it already is not extended.
func (q *partnerCall) grantScopes(t *tenant, principal *entity, g appGrant) *partnerError {
	v := q.c.master()
	resource := t.principalOf(v, g.EnterpriseApplicationID)
	if resource == nil {
		return refusePartner(http.StatusNotFound, "1000", "Not found: the enterprise application %s does not exist in the tenant of the customer %s.", g.EnterpriseApplicationID, t.id)
	}
	published, _ := resource.read(v)["oauth2PermissionScopes"].([]any)
	names := strings.Split(g.Scope, ",")
	for i, name := range names {
		if names[i] = strings.TrimSpace(name); scopeType(published, names[i]) == "" {
			return invalidConsent("The scope '%s' is not a delegated permission of the enterprise application %s.", names[i], g.EnterpriseApplicationID)
		}
	}
	scope := strings.Join(names, " ")
	if utf8.RuneCountInString(scope) > catalog.ScopeCharLimit {
		return invalidConsent("Value length '%d' is out of the valid range of '1' to '%d' for property 'scope'.", utf8.RuneCountInString(scope), catalog.ScopeCharLimit)
	}
	id := grantID(principal.id, resource.id, "AllPrincipals")
	data := object{"clientId": principal.id, "consentType": "AllPrincipals", "principalId": nil, "resourceId": resource.id, "scope": scope}
	switch e := t.find(kindGrant, id); {
	case e == nil:
		q.c.add(t, kindGrant, id, data, false)
	case e.live(v) == nil: // made again after it was removed: the same id
		q.c.write(e, data)
	default:
		return refusePartner(http.StatusConflict, "", "Permission entry already exists.")
	}
	return nil
}
