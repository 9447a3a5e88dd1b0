package sandbox

import (
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"msbundle/catalog"
)

// The states of a relationship.
// https://learn.microsoft.com/graph/api/resources/delegatedadminrelationship
const (
	relCreated     = "created"
	relPending     = "approvalPending"
	relApproved    = "approved"
	relActivating  = "activating"
	relActive      = "active"
	relExpiring    = "expiring"
	relExpired     = "expired"
	relEnding      = "terminationRequested"
	relTerminating = "terminating"
	relTerminated  = "terminated"
)

// Limits of relationships.
const (
	longestName     = 50
	longestDuration = 730
	approvalDays    = 90
	halfYear        = "P180D"
	noExtension     = "PT0S"
	day             = 24 * time.Hour
)

// grantsAccess tells whether a relationship is one that something follows from.
func grantsAccess(relationship object) bool {
	return slices.Contains([]string{relActive, relExpiring}, str(relationship, "status"))
}

// delegable are the roles a relationship can carry, besides those the rest of the
// world knows.
// https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
var delegable = []catalog.Role{
	{Name: "Directory Readers", TemplateID: "88d8e3e3-8f55-4a1e-953a-9b9898b8876b"},
	{Name: "Directory Writers", TemplateID: "9360feb5-f418-4baa-8175-e2a00bac4301"},
	{Name: "License Administrator", TemplateID: "4d6ac14f-3453-41d0-bef9-a3e0c569773a"},
	{Name: "Service Support Administrator", TemplateID: "f023fd81-a637-4b56-95fd-791ac0226033"},
	{Name: "Helpdesk Administrator", TemplateID: "729827e3-9c14-49f7-bb1b-9608f156bbb8"},
	{Name: "Message Center Reader", TemplateID: "790c1fb9-7f7d-4f88-86a1-ef1f95c05c1b"},
	{Name: "Usage Summary Reports Reader", TemplateID: "75934031-6c7e-415a-99d7-48dbd49e875e"},
	{Name: "Billing Administrator", TemplateID: "b0f54661-2d74-4c50-afa3-1ec803f12efe"},
	{Name: "Domain Name Administrator", TemplateID: "8329153b-31d0-4727-b945-745eb3bc5f31"},
	{Name: "Compliance Administrator", TemplateID: "17315797-102d-40b4-93e0-432062caca18"},
}

// delegableRoles names the roles a relationship can carry, by template id.
var delegableRoles = func() map[string]string {
	names := map[string]string{}
	for _, r := range append(roleTemplates(), delegable...) {
		names[r.TemplateID] = r.Name
	}
	return names
}()

// ---- reading

// relationship finds the relationship a path names, for somebody who may know.
func (q *call) relationship() (*entity, error) {
	if err := q.mayDelegate(); err != nil {
		return nil, err
	}
	first, second, _ := cutGUID(q.keys[0])
	if !isGUID(first) || !isGUID(second) {
		return nil, badDelegation("The passed in delegatedAdminRelationshipId is invalid.")
	}
	if e := q.t.find(kindRelationship, q.keys[0]); e != nil && e.live(q.v) != nil {
		return e, nil
	}
	return nil, notDelegated("The delegated admin relationship '%s' was not found.", q.keys[0])
}

// cutGUID splits the id of a relationship into the two it is made of.
func cutGUID(id string) (first, second string, ok bool) {
	if len(id) != 73 || id[36] != '-' {
		return id, "", false
	}
	return id[:36], id[37:], true
}

// listRelationships lists those of the partner.
// https://learn.microsoft.com/graph/api/tenantrelationship-list-delegatedadminrelationships
func (q *call) listRelationships() (*result, error) {
	if err := q.mayDelegate(); err != nil {
		return nil, err
	}
	all := q.t.tables[kindRelationship]
	return q.gdapPages(pages{
		kind: kindRelationship, context: "delegatedAdminRelationships", filters: []string{"status", "customer/tenantId"}, count: len(all),
		item: func(i int) object { return all[i].live(q.v) },
		show: func(i int) object { return withTag(all[i], all[i].live(q.v)) },
	})
}

func (q *call) getRelationship() (*result, error) {
	e, err := q.relationship()
	if err != nil {
		return nil, err
	}
	return q.gdapOne(withTag(e, e.live(q.v)), kindRelationship, "delegatedAdminRelationships")
}

func (q *call) listGDAPRequests() (*result, error) { return q.listParts(kindGDAPRequest, "requests") }
func (q *call) getGDAPRequest() (*result, error)   { return q.onePart(kindGDAPRequest, "requests") }
func (q *call) listOperations() (*result, error)   { return q.listParts(kindGDAPWork, "operations") }
func (q *call) getOperation() (*result, error)     { return q.onePart(kindGDAPWork, "operations") }

// ---- writing

// createRelationship makes a relationship, which nobody but the partner knows of
// until it is locked.
// https://learn.microsoft.com/graph/api/tenantrelationship-post-delegatedadminrelationships
func (q *call) createRelationship() (*result, error) {
	if err := q.mayDelegate(); err != nil {
		return nil, err
	}
	body, err := q.readDelegation("delegatedAdminRelationship_create")
	if err != nil {
		return nil, err
	}
	data, err := q.checkRelationship(with(object{"autoExtendDuration": noExtension, "customer": nil}, body), nil)
	if err != nil {
		return nil, err
	}
	now := precise(q.c.now())
	data = with(data, object{
		"activatedDateTime": nil, "createdDateTime": now, "endDateTime": nil, "lastModifiedDateTime": now, "status": relCreated, "_version": 1,
	})
	e := q.c.addRelationship(q.t, q.c.guid()+"-"+q.c.guid(), data, false)
	shown := q.shownPart(withTag(e, data), kindRelationship)
	shown["@odata.context"] = q.context("tenantRelationships/delegatedAdminRelationships/$entity")
	return created(shown, q.url("/tenantRelationships/delegatedAdminRelationships/"+e.id)), nil
}

// addRelationship stores a relationship and makes it known by name and customer.
func (c *Cloud) addRelationship(t *tenant, id string, data object, settled bool) *entity {
	e := c.add(t, kindRelationship, id, data, settled)
	c.gdap.names[strings.ToLower(str(data, "displayName"))] = e
	c.joins(e, customerOf(data))
	return e
}

// joins notes whose customer's relationship it is.
func (c *Cloud) joins(e *entity, customer string) {
	if list := c.gdap.byCustomer[customer]; customer != "" && !slices.Contains(list, e) {
		c.gdap.byCustomer[customer] = append(list, e)
	}
}

func customerOf(relationship object) string {
	customer, _ := relationship["customer"].(object)
	return strings.ToLower(str(customer, "tenantId"))
}

// wholeDays is the form of a duration the service takes.
var wholeDays = regexp.MustCompile(`^P([0-9]{1,4})D$`)

func days(duration string) int {
	if m := wholeDays.FindStringSubmatch(duration); m != nil {
		n, _ := strconv.Atoi(m[1])
		return n
	}
	return 0
}

// checkRelationship applies the rules about a relationship and puts it into the
// form it is kept in. e is the one that is changed; nil is a new one.
func (q *call) checkRelationship(data object, e *entity) (object, error) {
	name := str(data, "displayName")
	holder := q.c.gdap.names[strings.ToLower(name)]
	switch {
	case strings.TrimSpace(name) == "":
		return nil, badDelegation("The display name of the delegated admin relationship cannot be empty.")
	case len([]rune(name)) > longestName:
		return nil, badDelegation("The display name of the delegated admin relationship cannot be longer than %d characters.", longestName)
	case holder != nil && holder != e:
		return nil, fail(http.StatusConflict, "conflict", "A delegated admin relationship with the display name '%s' already exists.", name)
	}
	if n := days(str(data, "duration")); n < 1 || n > longestDuration {
		return nil, badDelegation("The duration of the delegated admin relationship must be between P1D and P%dD.", longestDuration)
	}
	roles, err := rolesIn(data)
	if err != nil {
		return nil, err
	}
	extend := str(data, "autoExtendDuration")
	if extend != halfYear {
		extend = noExtension
	}
	if extend == halfYear && slices.Contains(roles, catalog.RoleGlobalAdministrator) {
		return nil, badDelegation("A delegated admin relationship with the Global Administrator role cannot be extended automatically.")
	}
	customer, err := q.participant(data["customer"])
	if err != nil {
		return nil, err
	}
	return with(data, object{"accessDetails": accessDetails(roles), "autoExtendDuration": extend, "customer": customer}), nil
}

// participant is the customer a relationship is for: nobody in particular, or one
// of the partner's.
func (q *call) participant(v any) (any, error) {
	in, named := v.(object)
	if !named {
		return nil, nil
	}
	id := strings.ToLower(str(in, "tenantId"))
	if id == "" {
		return object{"tenantId": "", "displayName": in["displayName"]}, nil
	}
	t := q.c.tenants[id]
	switch {
	case !isGUID(id):
		return nil, badDelegation("The customer tenant ID '%s' is invalid.", id)
	case t == nil || !slices.Contains(q.c.customersOf(q.t), t):
		return nil, delegationDenied() // no reseller's relationship with them
	case str(in, "displayName") != "":
		return object{"tenantId": id, "displayName": str(in, "displayName")}, nil
	}
	return object{"tenantId": id, "displayName": t.name}, nil
}

// rolesIn reads the roles of a body.
func rolesIn(data object) ([]string, error) {
	details, _ := data["accessDetails"].(object)
	list, _ := details["unifiedRoles"].([]any)
	var ids []string
	for _, r := range list {
		role, _ := r.(object)
		id := strings.ToLower(str(role, "roleDefinitionId"))
		if delegableRoles[id] == "" {
			return nil, badDelegation("The role definition ID '%s' is invalid or not supported.", id)
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, badDelegation("At least one unified role must be specified in the access details.")
	}
	return ids, nil
}

func accessDetails(roles []string) object {
	list := []any{}
	for _, id := range roles {
		list = append(list, object{"roleDefinitionId": id})
	}
	return object{"unifiedRoles": list}
}

// carried are the roles of something that is stored.
func carried(data object) []string {
	roles, _ := rolesIn(data)
	return roles
}

// settledRelationship finds the relationship of a write that was seen as it is.
func (q *call) settledRelationship() (*entity, object, error) {
	e, err := q.relationship()
	if err != nil {
		return nil, nil, err
	}
	data := e.live(q.c.master())
	if data == nil {
		return nil, nil, notDelegated("The delegated admin relationship '%s' was not found.", e.id)
	}
	return e, data, q.matches(e, data, true)
}

// inState refuses what a relationship's state does not allow.
func inState(data object, states ...string) error {
	if data["_locking"] == true || !slices.Contains(states, str(data, "status")) {
		return badDelegation("The delegated admin relationship is in the status '%s', which does not allow this.", str(data, "status"))
	}
	return nil
}

// patchRelationship: of one that was created everything can be changed. Of an
// active one it is whether it is extended, and that it no longer carries Global
// Administrator.
// https://learn.microsoft.com/graph/api/delegatedadminrelationship-update
func (q *call) patchRelationship() (*result, error) {
	e, was, err := q.settledRelationship()
	if err != nil {
		return nil, err
	}
	body, err := q.readDelegation("delegatedAdminRelationship_update")
	if err != nil {
		return nil, err
	}
	if err := inState(was, relCreated, relActive); err != nil {
		return nil, err
	}
	data, err := q.checkRelationship(with(was, body), e)
	if err != nil {
		return nil, err
	}
	now := q.c.now()
	if was["status"] == relActive {
		return q.patchActive(e, was, data, body)
	}
	delete(q.c.gdap.names, strings.ToLower(str(was, "displayName")))
	q.c.gdap.names[strings.ToLower(str(data, "displayName"))] = e
	if old := customerOf(was); old != customerOf(data) {
		q.c.gdap.byCustomer[old] = slices.DeleteFunc(q.c.gdap.byCustomer[old], func(o *entity) bool { return o == e })
		q.c.joins(e, customerOf(data))
	}
	q.c.change(e, now, data)
	return q.gdapOne(withTag(e, e.read(q.c.master())), kindRelationship, "delegatedAdminRelationships")
}

func (q *call) patchActive(e *entity, was, data, body object) (*result, error) {
	for name := range body {
		if name != "autoExtendDuration" && name != "accessDetails" {
			return nil, badDelegation("The property '%s' of a delegated admin relationship that is active cannot be updated.", name)
		}
	}
	now, roles := q.c.now(), carried(was)
	if _, sent := body["accessDetails"]; sent {
		left := slices.DeleteFunc(slices.Clone(roles), func(id string) bool { return id == catalog.RoleGlobalAdministrator })
		if !sameSet(left, carried(data)) || len(left) == len(roles) {
			return nil, badDelegation("Of the roles of a delegated admin relationship that is active only Global Administrator can be removed.")
		}
		work := q.operation(e, "delegatedAdminRelationshipUpdate", data)
		q.c.carryOut(work, now, func(at time.Time) {
			q.c.change(e, at, object{"accessDetails": data["accessDetails"], "autoExtendDuration": data["autoExtendDuration"]})
		})
		return q.accepted(work, e), nil
	}
	q.c.change(e, now, object{"autoExtendDuration": data["autoExtendDuration"]})
	return q.gdapOne(withTag(e, e.read(q.c.master())), kindRelationship, "delegatedAdminRelationships")
}

func sameSet(a, b []string) bool {
	a, b = slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b))
	return slices.Equal(a, b)
}

// deleteRelationship: only what was never locked goes without a trace.
// https://learn.microsoft.com/graph/api/delegatedadminrelationship-delete
func (q *call) deleteRelationship() (*result, error) {
	e, data, err := q.settledRelationship()
	if err != nil {
		return nil, err
	}
	if err := inState(data, relCreated); err != nil {
		return nil, err
	}
	delete(q.c.gdap.names, strings.ToLower(str(data, "displayName")))
	q.c.write(e, nil)
	return noContent(), nil
}

// operation begins something that goes on after the answer.
// https://learn.microsoft.com/graph/api/resources/delegatedadminrelationshipoperation
func (q *call) operation(rel *entity, kind string, data object) *entity {
	now := precise(q.c.now())
	return q.c.part(q.t, kindGDAPWork, rel, object{
		"createdDateTime": now, "lastModifiedDateTime": now, "operationType": kind, "status": "notStarted", "data": asText(data), "_version": 1,
	}, false)
}

// carryOut brings an operation to its end.
func (c *Cloud) carryOut(work *entity, from time.Time, effect func(at time.Time)) {
	c.inTurn(from, turn{c.takes(2*time.Second, 5*time.Second), func(at time.Time) {
		c.change(work, at, object{"status": "running"})
	}}, turn{c.takes(5*time.Second, 40*time.Second), func(at time.Time) {
		effect(at)
		c.change(work, at, object{"status": "succeeded"})
	}})
}
