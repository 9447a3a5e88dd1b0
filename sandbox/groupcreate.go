package sandbox

import (
	"net/http"
	"slices"
	"strings"
)

// Limits of groups.
// https://learn.microsoft.com/entra/identity/role-based-access-control/groups-concept
// https://learn.microsoft.com/graph/api/group-post-groups
const (
	maxRoleGroups   = 500
	maxBound        = 20
	maxGroupName    = 256
	maxMailNickname = 64
)

// unified is the type of the groups that belong to Microsoft 365: those with a
// mailbox.
const unified = "Unified"

// createGroup makes a group. Two can have the same name.
// https://learn.microsoft.com/graph/api/group-post-groups
func (q *call) createGroup() (*result, error) {
	body, err := q.read("group_create")
	if err != nil {
		return nil, err
	}
	if err := q.member(); err != nil {
		return nil, err
	}
	if err := checkGroup(body); err != nil {
		return nil, err
	}
	if body["isAssignableToRole"] == true {
		if err := q.mayMakeRoleGroup(body); err != nil {
			return nil, err
		}
	}
	owners, err := q.bound(body, "owners")
	if err != nil {
		return nil, err
	}
	members, err := q.bound(body, "members")
	if err != nil {
		return nil, err
	}
	if len(owners)+len(members) > maxBound {
		return nil, badRequest("The number of references in the request is %d. At most %d owners and members can be specified at creation.", len(owners)+len(members), maxBound)
	}
	if q.t.full {
		return nil, fail(http.StatusForbidden, "Directory_QuotaExceeded", "The directory object quota limit for the Tenant has been exceeded. Please ask your administrator to increase the quota limit or delete objects to reduce the used quota.")
	}
	// Whoever is no administrator owns what they make.
	if q.tok.IDType == "user" && !q.tok.holds(groupAdmins...) && !slices.Contains(owners, any(q.tok.ObjectID)) {
		owners = append(owners, q.tok.ObjectID)
	}
	data := with(blankGroup(), groupProperties(body))
	data = with(data, object{
		"_members": members, "_owners": owners, "createdDateTime": q.nowStamp(), "renewedDateTime": q.nowStamp(),
		"securityIdentifier": "S-1-12-1-1",
	})
	if isUnified(data) {
		mail := str(data, "mailNickname") + "@" + q.t.domain
		data["mail"], data["proxyAddresses"] = mail, []any{"SMTP:" + mail}
	}
	if data["isAssignableToRole"] == true {
		data["visibility"] = "Private"
	}
	e := q.c.add(q.t, kindGroup, q.c.guid(), data, false)
	shown := q.project(with(data, object{"id": e.id}), kindGroup)
	shown["@odata.context"] = q.context("groups/$entity")
	return created(shown, q.url("/groups/"+e.id)), nil
}

// blankGroup are the properties of a group nobody gave a value.
func blankGroup() object {
	return object{
		"classification": nil, "deletedDateTime": nil, "description": nil, "groupTypes": []any{}, "isAssignableToRole": nil, "mail": nil,
		"onPremisesSyncEnabled": nil, "proxyAddresses": []any{}, "visibility": nil,
	}
}

func isUnified(group object) bool {
	types, _ := group["groupTypes"].([]any)
	return slices.Contains(types, any(unified))
}

// groupProperties are those of a body that are kept: the others say something
// about mail and the like, which is not simulated.
func groupProperties(body object) object {
	out := object{}
	for _, name := range []string{
		"classification", "description", "displayName", "groupTypes", "isAssignableToRole", "mailEnabled", "mailNickname", "securityEnabled", "visibility",
	} {
		if value, sent := body[name]; sent {
			out[name] = value
		}
	}
	return out
}

// checkGroup applies the rules about the properties of a group.
func checkGroup(body object) error {
	invalid := func(name string) error {
		return badRequest("Invalid value specified for property '%s' of resource 'Group'.", name).with("InvalidValue", "The value is not valid.", name)
	}
	name, named := body["displayName"]
	text, _ := name.(string)
	if named && (strings.TrimSpace(text) == "" || len([]rune(text)) > maxGroupName) {
		return invalid("displayName")
	}
	nick, nicked := body["mailNickname"]
	text, _ = nick.(string)
	bad := func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`@()\[]";:.<>,`, r) }
	if nicked && (text == "" || len(text) > maxMailNickname || strings.ContainsFunc(text, bad)) {
		return invalid("mailNickname")
	}
	mail, hasMail := body["mailEnabled"]
	if hasMail && mail != isUnified(body) || hasMail && mail == false && body["securityEnabled"] != true {
		return badRequest("The service does not currently support writes of mail-enabled groups. Please ensure that the mail-enablement property is unset and the security-enablement property is set.")
	}
	types, _ := body["groupTypes"].([]any)
	for _, t := range types {
		if t != unified {
			return invalid("groupTypes")
		}
	}
	return nil
}

// mayMakeRoleGroup: whoever puts people into such a group gives roles.
// https://learn.microsoft.com/entra/identity/role-based-access-control/groups-concept
func (q *call) mayMakeRoleGroup(body object) error {
	if !q.tok.has("RoleManagement.ReadWrite.Directory") {
		return denied()
	}
	if err := q.person(privilegedRoles...); err != nil {
		return err
	}
	if body["securityEnabled"] != true {
		return badRequest("Only security enabled groups can be assigned to roles.").with("InvalidValue", "The group is not security enabled.", "isAssignableToRole")
	}
	// Neither the number nor the words of the next two are published.
	if !q.t.has(premium1.name) && !q.t.has(premium2.name) {
		return badRequest("The tenant needs a Microsoft Entra ID P1 or P2 license to create a group with the property isAssignableToRole set to true.").
			with("InvalidValue", "The license is missing.", "isAssignableToRole")
	}
	n := 0
	for _, e := range q.t.all(q.c.master(), kindGroup) {
		if e.read(q.c.master())["isAssignableToRole"] == true {
			n++
		}
	}
	if n >= maxRoleGroups {
		return fail(http.StatusForbidden, "Directory_QuotaExceeded", "The number of role-assignable groups exceeds the maximum of %d for the tenant.", maxRoleGroups)
	}
	return nil
}

// bound reads whom a body names as owners or members, as far as the replica of
// the call knows them.
func (q *call) bound(body object, relation string) ([]any, error) {
	links, _ := body[relation+"@odata.bind"].([]any)
	ids := []any{}
	for _, l := range links {
		text, _ := l.(string)
		link := reference.FindStringSubmatch(text)
		if link == nil || !isGUID(link[1]) {
			return nil, badRequest("Invalid URL format specified in @odata.bind for navigation property '%s'.", relation)
		}
		who := q.memberNamed(q.v, link[1])
		switch {
		case who == nil:
			return nil, badRequest("Resource '%s' does not exist or one of its queried reference-property objects are not present.", link[1])
		case slices.Contains(ids, any(who.id)):
			return nil, badRequest("One or more property values specified are invalid.").with("InvalidValue", "The reference occurs more than once.", relation)
		}
		ids = append(ids, who.id)
	}
	return ids, nil
}

// patchGroup changes a group and adds members to it. Whether roles can be given
// to it stays as it is.
// https://learn.microsoft.com/graph/api/group-update
func (q *call) patchGroup() (*result, error) {
	body, err := q.read("group_update")
	if err != nil {
		return nil, err
	}
	e, data, err := q.managedGroup()
	if err != nil {
		return nil, err
	}
	changed := with(data, groupProperties(body))
	if err := checkGroup(changed); err != nil {
		return nil, err
	}
	if changed["isAssignableToRole"] == true && changed["securityEnabled"] != true {
		return nil, badRequest("Only security enabled groups can be assigned to roles.")
	}
	more, err := q.bound(body, "members")
	if err != nil {
		return nil, err
	}
	members, _ := data["_members"].([]any)
	switch {
	case len(more) > maxBound:
		return nil, badRequest("The number of references in the request is %d. At most %d members can be added at once.", len(more), maxBound)
	case slices.ContainsFunc(more, func(m any) bool { return slices.Contains(members, m) }):
		return nil, badRequest("One or more added object references already exist for the following modified properties: 'members'.")
	}
	if err := q.exclusive(e.id); err != nil {
		return nil, err
	}
	q.c.write(e, with(changed, object{"_members": slices.Concat(members, more)}))
	return noContent(), nil
}

// deleteGroup: a group with a mailbox can be brought back for 30 days, a security
// group is gone at once, and with it what it was given.
// https://learn.microsoft.com/graph/api/group-delete
func (q *call) deleteGroup() (*result, error) {
	e, data, err := q.managedGroup()
	if err != nil {
		return nil, err
	}
	if err := q.exclusive(e.id); err != nil {
		return nil, err
	}
	if isUnified(data) {
		q.c.write(e, with(data, object{"deletedDateTime": q.nowStamp()}))
	} else {
		q.c.write(e, nil)
	}
	for _, given := range q.t.all(q.c.master(), kindRoleGiven) {
		if str(given.read(q.c.master()), "principalId") == e.id {
			q.c.write(given, nil)
		}
	}
	q.c.containerGone(q.t, e.id)
	return noContent(), nil
}
