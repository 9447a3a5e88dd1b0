package sandbox

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// createUser makes an account.
// https://learn.microsoft.com/graph/api/user-post-users
func (q *call) createUser() (*result, error) {
	body, err := q.read("user_create")
	if err != nil {
		return nil, err
	}
	if err := q.person(accountMakers...); err != nil {
		return nil, err
	}
	if q.t.full {
		return nil, fail(http.StatusForbidden, "Directory_QuotaExceeded", "The directory object quota limit for the Tenant has been exceeded. Please ask your administrator to increase the quota limit or delete objects to reduce the used quota.")
	}
	profile, _ := body["passwordProfile"].(object)
	if str(profile, "password") == "" {
		return nil, badRequest("A password must be specified to create a new user.").with("InvalidValue", "A password is required.", "passwordProfile")
	}
	if err := q.checkUser(body, nil); err != nil {
		return nil, err
	}
	data := with(with(blankUser(), q.accountParts(body)), object{"createdDateTime": q.nowStamp()})
	e := q.c.add(q.t, kindUser, q.c.guid(), data, false)
	shown := q.project(with(data, object{"id": e.id}), kindUser)
	shown["@odata.context"] = q.context("users/$entity")
	return created(shown, q.url("/directoryObjects/"+e.id+"/Microsoft.DirectoryServices.User")), nil
}

// accountParts leaves of a body what is kept of it: a password never is.
func (q *call) accountParts(body object) object {
	parts := q.writable(body)
	delete(parts, "passwordProfile")
	return parts
}

// changeUser finds the account a path names, as it is now.
func (q *call) changeUser() (*entity, object, error) {
	e := q.userNamed(q.keys[0])
	if e == nil {
		return nil, nil, notFound(q.keys[0])
	}
	data, err := q.current(e)
	return e, data, err
}

// mastered is what of a synchronised account is changed in the directory it comes
// from.
// https://learn.microsoft.com/graph/api/resources/user
var mastered = []string{
	"accountEnabled", "businessPhones", "city", "companyName", "country", "department", "displayName", "employeeId", "faxNumber", "givenName",
	"jobTitle", "mail", "mailNickname", "mobilePhone", "officeLocation", "passwordProfile", "postalCode", "state", "streetAddress", "surname",
	"userPrincipalName",
}

// sensitiveParts are protected when the account is that of an administrator.
// https://learn.microsoft.com/graph/api/resources/users#who-can-perform-sensitive-actions
var sensitiveParts = []string{"accountEnabled", "businessPhones", "mobilePhone", "onPremisesImmutableId", "otherMails", "passwordProfile", "userPrincipalName"}

// patchUser changes an account.
// https://learn.microsoft.com/graph/api/user-update
func (q *call) patchUser() (*result, error) {
	body, err := q.read("user_update")
	if err != nil {
		return nil, err
	}
	e, data, err := q.changeUser()
	if err != nil {
		return nil, err
	}
	if err := q.person(accountAdmins...); err != nil {
		return nil, err
	}
	names := func(list []string) bool {
		return slices.ContainsFunc(list, func(name string) bool { return has(body, name) })
	}
	if names(sensitiveParts) {
		var permissions []string
		if len(body) == 1 && body["passwordProfile"] != nil {
			permissions = []string{"User-PasswordProfile.ReadWrite.All"}
		}
		if err := q.sensitive(e.id, permissions...); err != nil {
			return nil, err
		}
	}
	if data["onPremisesSyncEnabled"] == true && names(mastered) {
		return nil, badRequest("Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently undergoing migration.")
	}
	if err := q.checkUser(body, e); err != nil {
		return nil, err
	}
	if err := q.exclusive(e.id); err != nil {
		return nil, err
	}
	q.c.write(e, with(data, q.accountParts(body)))
	return noContent(), nil
}

// deleteUser moves an account to the deleted ones for 30 days. Its directory
// roles go for good, its groups come back with it.
// https://learn.microsoft.com/graph/api/user-delete
func (q *call) deleteUser() (*result, error) {
	e, _, err := q.changeUser()
	if err != nil {
		return nil, err
	}
	if err := q.person(accountAdmins...); err != nil {
		return nil, err
	}
	if err := q.sensitive(e.id); err != nil {
		return nil, err
	}
	if err := q.notTheLast(e.id); err != nil {
		return nil, err
	}
	if err := q.exclusive(e.id); err != nil {
		return nil, err
	}
	q.c.removeUser(q.t, e)
	return noContent(), nil
}

// removeUser soft-deletes an account. Its user name is free again: the deleted one
// has the object id in front of it.
// https://learn.microsoft.com/entra/identity/users/users-restore
func (c *Cloud) removeUser(t *tenant, e *entity) {
	v := c.master()
	for _, kind := range []string{kindRoleGiven, kindEligibility, kindGrant} {
		for _, relation := range t.all(v, kind) {
			if str(relation.read(v), "principalId") == e.id {
				c.write(relation, nil)
			}
		}
	}
	groups := []any{}
	for _, g := range t.groupsOf(v, e.id) {
		groups = append(groups, g.id)
		c.write(g, withoutMember(g.read(v), e.id))
	}
	data := e.read(v)
	name := str(data, "userPrincipalName")
	c.write(e, with(data, object{
		"_groups": groups, "_name": name, "deletedDateTime": stamp(c.now()), "userPrincipalName": strings.ReplaceAll(e.id, "-", "") + name,
	}))
}

// restoreUser brings an account back under its old user name.
// https://learn.microsoft.com/graph/api/directory-deleteditems-restore
func (q *call) restoreUser(e *entity, data object) error {
	name := str(data, "_name")
	if q.t.nameTaken(q.c.master(), name, e) != "" {
		return objectConflict("userPrincipalName")
	}
	q.c.write(e, with(data, object{"_groups": nil, "_name": nil, "deletedDateTime": nil, "userPrincipalName": name}))
	groups, _ := data["_groups"].([]any)
	for _, id := range groups {
		if g := q.t.find(kindGroup, id.(string)); g != nil && g.live(q.c.master()) != nil {
			group := g.read(q.c.master())
			members, _ := group["_members"].([]any)
			q.c.write(g, with(group, object{"_members": append(slices.Clone(members), any(e.id))}))
		}
	}
	return nil
}

// ---- what an account may look like

func userValue(property, why string) *graphError {
	return badRequest("Invalid value specified for property '%s' of resource 'User'.", property).with("InvalidValue", why, property)
}

// has tells whether a body says something about a property, if only that it is
// null.
func has(body object, property string) bool {
	_, sent := body[property]
	return sent
}

func objectConflict(property string) *graphError {
	e := badRequest("Another object with the same value for property %s already exists.", property)
	return e.with("ObjectConflict", e.message, property)
}

var (
	localPart = regexp.MustCompile(`^[A-Za-z0-9'._!#^~-]{1,64}$`)
	nickname  = regexp.MustCompile(`^[^@()\\\[\]";:<>, ]{1,64}$`)
)

// checkUser applies the rules for accounts to what a request sets. e is the
// account it is about, nil for one to be.
func (q *call) checkUser(body object, e *entity) error {
	const why = "The value is empty, too long or has characters that are not allowed."
	display := str(body, "displayName")
	if n := utf8.RuneCountInString(display); n == 0 && has(body, "displayName") || n > maxDisplayName {
		return userValue("displayName", why)
	}
	if has(body, "mailNickname") && !nickname.MatchString(str(body, "mailNickname")) {
		return userValue("mailNickname", why)
	}
	if has(body, "accountEnabled") && body["accountEnabled"] == nil {
		return userValue("accountEnabled", "A value is required.")
	}
	name := str(body, "userPrincipalName")
	if has(body, "userPrincipalName") {
		if err := q.checkName(name, body); err != nil {
			return err
		}
		if property := q.t.nameTaken(q.c.master(), name, e); property != "" {
			return objectConflict(property)
		}
	}
	if mail := str(body, "mail"); mail != "" && q.t.nameTaken(q.c.master(), mail, e) != "" {
		return objectConflict("proxyAddresses")
	}
	profile, _ := body["passwordProfile"].(object)
	if password, sent := profile["password"].(string); sent {
		if e != nil {
			data := e.read(q.c.master())
			name, display = str(data, "userPrincipalName"), str(data, "displayName")
		}
		if !acceptable(password, name, display) {
			return badRequest("The specified password does not comply with password complexity requirements. Please provide a different password.").
				with("InvalidValue", "The password does not meet the requirements.", "passwordProfile.password")
		}
	}
	return nil
}

// checkName: a user principal name is made of certain characters and ends in a
// verified domain of the tenant. People of a federated one come with an anchor in
// the directory they sign in to.
// https://learn.microsoft.com/entra/identity/authentication/concept-sspr-policy#userprincipalname-policies
func (q *call) checkName(name string, body object) error {
	i := strings.LastIndexByte(name, '@')
	local, at := name[:max(i, 0)], strings.ToLower(name[i+1:])
	known := slices.IndexFunc(q.t.domains(), func(d domain) bool { return d.name == at })
	switch {
	case i < 0 || known < 0:
		e := badRequest("The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain names in your organization.")
		return e.with("InvalidValue", e.message, "userPrincipalName")
	case !localPart.MatchString(local), strings.HasPrefix(local, "."), strings.HasSuffix(local, "."), strings.Contains(local, ".."):
		return badRequest("Property userPrincipalName is invalid.").with("InvalidValue", "The user name has characters that are not allowed.", "userPrincipalName")
	case q.t.domains()[known].signIn == federatedDomain && str(body, "onPremisesImmutableId") == "":
		return badRequest("SourceAnchor is a required property for creation of a federated user.").with("InvalidValue", "A value is required.", "onPremisesImmutableId")
	}
	return nil
}

// nameTaken tells which property of another live object has a name or address
// already, "" when none has. Deleted accounts do not count.
func (t *tenant) nameTaken(v view, name string, but *entity) string {
	for _, e := range t.all(v, kindUser) {
		data := e.read(v)
		addresses, _ := data["proxyAddresses"].([]any)
		switch {
		case e == but:
		case strings.EqualFold(str(data, "userPrincipalName"), name):
			return "userPrincipalName"
		case strings.EqualFold(str(data, "mail"), name), slices.ContainsFunc(addresses, func(a any) bool { return strings.EqualFold(fmt.Sprint(a), "smtp:"+name) }):
			return "proxyAddresses"
		}
	}
	return ""
}

// Passwords.
// https://learn.microsoft.com/entra/identity/authentication/concept-password-ban-bad-combined-policy
const (
	shortestPassword = 8
	longestPassword  = 256
)

// banned are words of the service's own list.
var banned = []string{"password", "passw0rd", "p@ssw0rd", "qwerty", "letmein", "welcome", "iloveyou", "123456", "abc123", "contoso", "microsoft"}

// acceptable tells whether a password is long and varied enough, and not made of
// what everybody would guess.
func acceptable(password, name, display string) bool {
	n := utf8.RuneCountInString(password)
	if n < shortestPassword || n > longestPassword {
		return false
	}
	classes := map[int]bool{}
	for _, r := range password {
		switch {
		case unicode.IsUpper(r):
			classes[0] = true
		case unicode.IsLower(r):
			classes[1] = true
		case unicode.IsDigit(r):
			classes[2] = true
		default:
			classes[3] = true
		}
	}
	local, _, _ := strings.Cut(name, "@")
	lower := strings.ToLower(password)
	guessed := func(word string) bool { return len(word) >= 4 && strings.Contains(lower, strings.ToLower(word)) }
	return len(classes) >= 3 && !slices.ContainsFunc(slices.Concat(banned, strings.Fields(display), []string{local}), guessed)
}
