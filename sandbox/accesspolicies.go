package sandbox

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"msbundle/catalog"
)

// accessWriters may change Conditional Access policies, besides the permissions.
// https://learn.microsoft.com/graph/api/conditionalaccessroot-post-policies
var accessWriters = []string{catalog.RoleGlobalAdministrator, roleConditionalAccessAdmin, roleSecurityAdmin}

// maxAccessPolicies counts those in every state.
// https://learn.microsoft.com/entra/identity/conditional-access/plan-conditional-access
const maxAccessPolicies = 240

// policyNamed finds the policy a path names.
func (q *call) policyNamed() (*entity, error) {
	e := q.t.find(kindAccessPolicy, q.keys[0])
	if e == nil || e.live(q.v) == nil {
		return nil, fail(http.StatusNotFound, "ResourceNotFound", "The requested conditional access policy could not be found.")
	}
	return e, nil
}

// malformed is the service's answer to whatever it cannot read as a policy. It
// does not say what is wrong.
func (q *call) malformed() *graphError {
	page := "conditionalaccessroot-post-policies"
	if q.method == http.MethodPatch {
		page = "conditionalaccesspolicy-update"
	}
	return badPolicy("1007: Incoming ConditionalAccessPolicy object is null or does not match the schema of ConditionalAccessPolicy type. For examples, please see API documentation at https://docs.microsoft.com/en-us/graph/api/%s?view=graph-rest-1.0.", page)
}

func badPolicy(format string, args ...any) *graphError {
	return fail(http.StatusBadRequest, "BadRequest", format, args...)
}

// readPolicy decodes and checks the body of a request about a policy. What a
// policy does not use is left out: the service does not take back the nulls it
// sends, except for the controls as a whole.
func (q *call) readPolicy(shape string) (object, error) {
	if bytes.Contains(q.body, []byte(`"templateId"`)) {
		return nil, badPolicy("1118: TemplateId is a read-only field and cannot be updated.")
	}
	body, err := q.read(shape)
	if err != nil {
		return nil, q.malformed()
	}
	if conditions, sent := body["conditions"]; sent && hasNull(conditions) {
		return nil, q.malformed()
	}
	return plain(body).(object), nil
}

func hasNull(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case object:
		for _, child := range v {
			if hasNull(child) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, hasNull)
	}
	return false
}

// plain turns what was decoded into what is stored: whole numbers, and no types
// but those of other tenants, which are of several.
func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		n, _ := v.Int64()
		return int(n)
	case object:
		out := object{}
		for name, child := range v {
			if name != "@odata.type" || strings.Contains(str(v, name), "ExternalTenants") {
				out[name] = plain(child)
			}
		}
		return out
	case []any:
		out := []any{}
		for _, child := range v {
			out = append(out, plain(child))
		}
		return out
	}
	return v
}

// The parts of a policy as the service sends them when nothing is in them.
// https://learn.microsoft.com/graph/api/resources/conditionalaccessconditionset

func blankConditions() object {
	return object{
		"applications": nil, "authenticationFlows": nil, "clientAppTypes": []any{}, "clientApplications": nil, "devices": nil, "insiderRiskLevels": nil,
		"locations": nil, "platforms": nil, "servicePrincipalRiskLevels": []any{}, "signInRiskLevels": []any{}, "userRiskLevels": []any{}, "users": nil,
	}
}

// blankAccessPart is a part of the conditions; nil for those without lists.
func blankAccessPart(name string) object {
	switch name {
	case "applications":
		return object{
			"applicationFilter": nil, "excludeApplications": []any{}, "includeApplications": []any{},
			"includeAuthenticationContextClassReferences": []any{}, "includeUserActions": []any{},
		}
	case "locations":
		return object{"includeLocations": []any{}, "excludeLocations": []any{}}
	case "platforms":
		return object{"includePlatforms": []any{}, "excludePlatforms": []any{}}
	case "users":
		return object{
			"excludeGroups": []any{}, "excludeGuestsOrExternalUsers": nil, "excludeRoles": []any{}, "excludeUsers": []any{},
			"includeGroups": []any{}, "includeGuestsOrExternalUsers": nil, "includeRoles": []any{}, "includeUsers": []any{},
		}
	}
	return nil
}

func blankGrantControls() object {
	return object{
		"authenticationStrength": nil, "builtInControls": []any{}, "customAuthenticationFactors": []any{}, "operator": nil, "termsOfUse": []any{},
	}
}

func blankSessionControls() object {
	return object{
		"applicationEnforcedRestrictions": nil, "cloudAppSecurity": nil, "disableResilienceDefaults": nil, "persistentBrowser": nil,
		"secureSignInSession": nil, "signInFrequency": nil,
	}
}

// mergePolicy is a policy after a request. Each part of the conditions that is
// sent takes the place of the one before, and so do the controls.
// https://learn.microsoft.com/graph/api/conditionalaccesspolicy-update
func mergePolicy(data, body object) object {
	out := with(data, body)
	was, _ := data["conditions"].(object)
	sent, _ := body["conditions"].(object)
	conditions := with(was, nil)
	for name, value := range sent {
		if part, isPart := value.(object); isPart {
			value = with(blankAccessPart(name), part)
		}
		conditions[name] = value
	}
	out["conditions"] = conditions
	if controls, sent := body["grantControls"].(object); sent {
		out["grantControls"] = with(blankGrantControls(), controls)
	}
	if controls, sent := body["sessionControls"].(object); sent {
		out["sessionControls"] = with(blankSessionControls(), controls)
	}
	return out
}

// createAccessPolicy makes a policy.
// https://learn.microsoft.com/graph/api/conditionalaccessroot-post-policies
func (q *call) createAccessPolicy() (*result, error) {
	if err := q.conditionalAccess(accessWriters); err != nil {
		return nil, err
	}
	body, err := q.readPolicy("conditionalAccessPolicy_create")
	if err != nil {
		return nil, err
	}
	data := mergePolicy(object{
		"conditions": blankConditions(), "createdDateTime": q.nowStamp(), "deletedDateTime": nil, "description": nil, "grantControls": nil,
		"modifiedDateTime": nil, "sessionControls": nil, "templateId": nil,
	}, body)
	if err := q.checkPolicy(data, nil); err != nil {
		return nil, err
	}
	if len(q.t.all(q.c.master(), kindAccessPolicy)) >= maxAccessPolicies {
		return nil, badPolicy("The number of Conditional Access policies exceeds the maximum of %d for the tenant.", maxAccessPolicies)
	}
	e := q.c.add(q.t, kindAccessPolicy, q.c.guid(), data, false)
	shown := q.project(with(data, object{"id": e.id}), kindAccessPolicy)
	shown["@odata.context"] = q.context("identity/conditionalAccess/policies/$entity")
	return created(shown, q.url("/identity/conditionalAccess/policies/"+e.id)), nil
}

func (q *call) patchAccessPolicy() (*result, error) {
	if err := q.conditionalAccess(accessWriters); err != nil {
		return nil, err
	}
	body, err := q.readPolicy("conditionalAccessPolicy_update")
	if err != nil {
		return nil, err
	}
	e, err := q.policyNamed()
	if err != nil {
		return nil, err
	}
	was, err := q.current(e)
	if err != nil {
		return nil, err
	}
	data := mergePolicy(was, body)
	if was["templateId"] != nil && !bytes.Equal(withoutExclusions(was), withoutExclusions(data)) {
		return nil, badPolicy("Microsoft-managed policies cannot be changed except for their state and the users, groups and roles they exclude.")
	}
	if err := q.checkPolicy(data, was); err != nil {
		return nil, err
	}
	if err := q.exclusive(e.id); err != nil {
		return nil, err
	}
	q.c.write(e, with(data, object{"modifiedDateTime": q.nowStamp()}))
	return noContent(), nil
}

func (q *call) deleteAccessPolicy() (*result, error) {
	if err := q.conditionalAccess(accessWriters); err != nil {
		return nil, err
	}
	e, err := q.policyNamed()
	if err != nil {
		return nil, err
	}
	data, err := q.current(e)
	if err != nil {
		return nil, err
	}
	if data["templateId"] != nil {
		return nil, badPolicy("Microsoft-managed policies cannot be deleted.")
	}
	q.c.write(e, nil)
	return noContent(), nil
}

// exclusions are the parts of a policy's users that say who it is not about.
var exclusions = []string{"excludeUsers", "excludeGroups", "excludeRoles", "excludeGuestsOrExternalUsers"}

// withoutExclusions is what nobody but Microsoft changes of a policy it manages.
// https://learn.microsoft.com/entra/identity/conditional-access/managed-policies
func withoutExclusions(policy object) []byte {
	conditions, _ := policy["conditions"].(object)
	users, _ := conditions["users"].(object)
	users, conditions = with(users, nil), with(conditions, nil)
	for _, name := range exclusions {
		delete(users, name)
	}
	conditions["users"] = users
	text, err := json.Marshal(with(policy, object{"conditions": conditions, "state": nil}))
	if err != nil {
		panic("sandbox: policy cannot be encoded: " + err.Error())
	}
	return text
}

// checkPolicy applies the rules between and inside the parts of a policy. Of the
// numbers the service gives them 1007, 1012, 1102 and 1118 are seen in the open;
// the others stand for those that are not. was is
// the one it takes the place of: whoever is named there may have gone since.
func (q *call) checkPolicy(data, was object) error {
	if data["state"] == "enabled" && q.t.securityDefaults {
		return badPolicy("Security Defaults is enabled in the tenant. You must disable Security defaults before enabling a Conditional Access policy.")
	}
	if str(data, "displayName") == "" {
		return q.malformed()
	}
	conditions, _ := data["conditions"].(object)
	if !filled(conditions, "clientAppTypes") {
		return q.malformed()
	}
	applications, _ := conditions["applications"].(object)
	switch named := filled(applications, "includeApplications"); {
	case named && filled(applications, "includeUserActions"):
		return badPolicy("1012: 'applications' condition cannot include both 'includeApplications' and 'includeUserActions'/'includeProtectionLevels'. Please remove one of the conditions.")
	case !named && !filled(applications, "includeUserActions") && !filled(applications, "includeAuthenticationContextClassReferences"):
		return badPolicy("1011: 'applications' condition must include applications, user actions or authentication contexts.")
	}
	before, _ := was["conditions"].(object)
	if err := q.checkPolicyUsers(conditions["users"], before["users"]); err != nil {
		return err
	}
	return q.checkControls(data)
}

// filled tells whether a list of an object has something in it.
func filled(o object, name string) bool {
	items, _ := o[name].([]any)
	return len(items) > 0
}

func (q *call) checkControls(data object) error {
	grant, demands := data["grantControls"].(object)
	_, session := data["sessionControls"].(object)
	controls, _ := grant["builtInControls"].([]any)
	all := len(controls)
	for _, name := range []string{"customAuthenticationFactors", "termsOfUse"} {
		items, _ := grant[name].([]any)
		all += len(items)
	}
	switch {
	case !demands && !session:
		return badPolicy("1040: Policy must have grant controls or session controls.")
	case demands && (all == 0 || grant["operator"] == nil):
		return q.malformed()
	case slices.Contains(controls, any("block")) && all > 1:
		return badPolicy("1042: The grant control 'block' cannot be combined with others.")
	}
	return nil
}

// policyWords stand in the lists of a policy in place of ids.
var policyWords = map[string][]string{
	"includeUsers": {"All", "None", "GuestsOrExternalUsers"}, "excludeUsers": {"GuestsOrExternalUsers"},
}

// checkPolicyUsers: a policy is about somebody, and those it names are there.
func (q *call) checkPolicyUsers(sent, was any) error {
	users, _ := sent.(object)
	before, _ := was.(object)
	about := users["includeGuestsOrExternalUsers"] != nil
	for _, name := range []string{"includeUsers", "includeGroups", "includeRoles"} {
		about = about || filled(users, name)
	}
	if !about {
		return badPolicy("1009: 'users' condition must include users, groups, roles, guests or external users.")
	}
	for _, side := range []string{"include", "exclude"} {
		ids, _ := users[side+"Users"].([]any)
		if slices.Contains(ids, any("GuestsOrExternalUsers")) && users[side+"GuestsOrExternalUsers"] != nil {
			return badPolicy("'GuestsOrExternalUsers' cannot be combined with guestOrExternalUsers")
		}
		if strangers := users[side+"GuestsOrExternalUsers"]; strangers != nil && !wellFormed(strangers) {
			return q.malformed()
		}
		for _, kind := range []struct{ list, what, kind string }{{"Users", "user", kindUser}, {"Groups", "group", kindGroup}, {"Roles", "role", ""}} {
			if unknown := q.unknown(users, before, side+kind.list, kind.kind); len(unknown) > 0 {
				number := map[string]int{kindUser: 1100, kindGroup: 1101, "": 1102}[kind.kind]
				return badPolicy("%d: 'users' condition contains invalid %s ids: %s.", number, kind.what, strings.Join(unknown, ", "))
			}
		}
	}
	return nil
}

// externalTypes are the kinds of people from elsewhere.
// https://learn.microsoft.com/graph/api/resources/conditionalaccessguestsorexternalusers
var externalTypes = []string{
	"internalGuest", "b2bCollaborationGuest", "b2bCollaborationMember", "b2bDirectConnectUser", "otherExternalUser", "serviceProvider",
}

// wellFormed tells whether a condition names kinds of people, and tenants in one of
// the two forms there are.
func wellFormed(strangers any) bool {
	part, _ := strangers.(object)
	kinds := strings.Split(str(part, "guestOrExternalUserTypes"), ",")
	for i, kind := range kinds {
		if kind = strings.TrimSpace(kind); !slices.Contains(externalTypes, kind) || slices.Contains(kinds[:i], kind) {
			return false
		}
	}
	if part["externalTenants"] == nil {
		return true
	}
	tenants, _ := part["externalTenants"].(object)
	members, _ := tenants["members"].([]any)
	switch strings.TrimPrefix(str(tenants, "@odata.type"), "#") {
	case "microsoft.graph.conditionalAccessAllExternalTenants":
		return members == nil && str(tenants, "membershipKind") != "enumerated"
	case "microsoft.graph.conditionalAccessEnumeratedExternalTenants":
		strange := func(m any) bool { id, _ := m.(string); return !isGUID(id) }
		return len(members) > 0 && !slices.ContainsFunc(members, strange) && str(tenants, "membershipKind") != "all"
	}
	return false
}

// unknown lists what a list names that is not there, as far as the replica of the
// call knows; what was named before stays.
func (q *call) unknown(users, before object, list, kind string) []string {
	var missing []string
	ids, _ := users[list].([]any)
	old, _ := before[list].([]any)
	for _, id := range ids {
		text, _ := id.(string)
		switch {
		case slices.Contains(policyWords[list], text), slices.Contains(old, id):
		case isGUID(text) && (kind == "" || q.t.seen(q.v, kind, text) != nil):
		default:
			missing = append(missing, text)
		}
	}
	return missing
}

// editPolicy is what another administrator does in the middle of somebody's work.
func (c *Cloud) editPolicy(t *tenant) {
	e := t.byProperty(c.master(), kindAccessPolicy, "displayName", compliantDevice)
	adele := t.userNamed("adele@" + t.domain)
	if e == nil || adele == nil {
		return
	}
	data := e.read(c.master())
	conditions := data["conditions"].(object)
	users := conditions["users"].(object)
	out, _ := users["excludeUsers"].([]any)
	users = with(users, object{"excludeUsers": append(slices.Clone(out), any(adele.id))})
	c.write(e, with(data, object{"conditions": with(conditions, object{"users": users}), "modifiedDateTime": stamp(c.now())}))
}
