package sandbox

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"msbundle/catalog"
)

// SignInAs decides who the simulated person is from now on: an account by its
// user principal name, at any of the tenants. "" is the scenario's own person
// again.
func (c *Cloud) SignInAs(account string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.signsIn = cmp.Or(account, c.scenario.person)
}

// chosen is the account the person signs in with: an administrator of the tenant
// the client asks for. Somebody who was told whom to be does not mind that, nor the
// hint of a client; the scenario's own person has that administrator sign in where a
// customer's tenant is asked for.
func (c *Cloud) chosen(a authority, cl client, hint string) string {
	if c.signsIn != "" {
		_, _, err := c.account(a, cl, c.signsIn)
		if err == nil || a.tenant == nil || a.tenant == c.order[0] || c.signsIn != c.scenario.person {
			return c.signsIn
		}
	}
	if _, t, err := c.account(a, cl, hint); hint != "" && err == nil && t != nil {
		return hint
	}
	if a.tenant != nil {
		return a.tenant.admin
	}
	return c.order[0].admin
}

// account finds who signs in, and into which tenant. The error is what the
// browser shows.
func (c *Cloud) account(a authority, cl client, name string) (*entity, *tenant, *stsError) {
	user, home := (*entity)(nil), a.tenant
	if home != nil {
		user = home.userNamed(name)
	}
	for _, t := range c.order {
		// An account that is only known elsewhere is told apart from one that
		// does not exist; a tenant nobody has entered yet has its administrator.
		if user != nil || home != nil && t == home {
			continue
		}
		if !strings.HasSuffix(strings.ToLower(name), "@"+t.domain) && t != c.order[0] {
			continue
		}
		if user = t.enter().userNamed(name); user != nil && home != nil {
			return nil, nil, stranger(cl, name, t, home)
		} else if user != nil {
			home = t
			break
		}
	}
	switch {
	case user == nil:
		return nil, nil, refuse("invalid_grant", 50034, "The user account %s does not exist in the directory.", name)
	case user.read(c.master())["accountEnabled"] != true:
		return nil, nil, refuse("invalid_grant", 50057, "The user account is disabled.")
	case home.abroad(a.host):
		return nil, nil, home.elsewhere(a.host)
	}
	return user, home, nil
}

// stranger is the answer to an account of another tenant that is no guest here.
func stranger(cl client, name string, home, where *tenant) *stsError {
	return refuse("invalid_grant", 50020, "User account '%s' from identity provider 'https://sts.windows.net/%s/' does not exist in tenant '%s' and cannot access the application '%s'(%s) in that tenant. The account needs to be added as an external user in the tenant first. Sign out and sign in again with a different account.", name, home.id, where.name, cl.id, cl.name)
}

// guestNamed is the object a person of another tenant has in this one.
func (t *tenant) guestNamed(upn string) *entity {
	if e := t.userNamed(upn); e != nil && str(e.live(view{replica: primary}), "userType") == "Guest" {
		return e
	}
	return nil
}

// amr is how a person proved who they are. In the scenario without multifactor
// authentication only its administrator does without, and can still pass.
func (c *Cloud) amr(user *entity, passed bool) []string {
	if c.scenario.noMFA && !passed && user == c.order[0].userNamed(c.order[0].admin) {
		return []string{"pwd"}
	}
	return []string{"pwd", "mfa"}
}

// Activate makes the directory roles an account could have active, as in
// Privileged Identity Management. Tokens issued from then on have them. It tells
// how many there were.
func (c *Cloud) Activate(account string) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.order[0]
	user := t.userNamed(account)
	if user == nil {
		return 0, fmt.Errorf("%s has no account %q", t.domain, account)
	}
	held, n := t.rolesOf(c.master(), user.id), 0
	for _, e := range t.all(c.master(), kindEligibility) {
		could := e.read(c.master())
		role := str(could, "roleDefinitionId")
		if str(could, "principalId") == user.id && !slices.Contains(held, role) {
			c.giveRole(t, user.id, role)
			n++
		}
	}
	return n, nil
}

// eligible lets a person activate a role.
// https://learn.microsoft.com/graph/api/resources/unifiedroleeligibilityscheduleinstance
func (c *Cloud) eligible(t *tenant, user *entity, role string) {
	id := namedGUID(t.id + " eligible " + user.id + role)
	c.add(t, kindEligibility, id, object{
		"appScopeId": nil, "directoryScopeId": "/", "endDateTime": nil, "memberType": "Direct", "principalId": user.id, "roleDefinitionId": role,
		"roleEligibilityScheduleId": id, "startDateTime": founded,
	}, true)
}

func (c *Cloud) postPerson(r *http.Request) (any, error) {
	var in struct {
		Account string `json:"account"`
	}
	if err := decodeStrict(r, &in); err != nil {
		return nil, err
	}
	c.SignInAs(in.Account)
	return object{"account": in.Account}, nil
}

func (c *Cloud) postActivate(r *http.Request) (any, error) {
	var in struct {
		Account string `json:"account"`
	}
	if err := decodeStrict(r, &in); err != nil {
		return nil, err
	}
	n, err := c.Activate(in.Account)
	if err != nil {
		return nil, err
	}
	return object{"activated": n}, nil
}

// graphPaths are requests to Microsoft Graph, in the words of a fault.
const graphPaths = `^/(v1\.0|beta)/`

// setupSecondAdmin adds an administrator who does what the first does not.
func setupSecondAdmin(c *Cloud, t *tenant) {
	owner := c.addUser(t, "owner@"+t.domain, "Nestor Wilke")
	c.giveRole(t, owner.id, catalog.RoleGlobalAdministrator)
	agents := t.byProperty(c.master(), kindGroup, "displayName", "AdminAgents")
	data := agents.read(c.master())
	members, _ := data["_members"].([]any)
	agents.versions[0].data = with(data, object{"_members": append(slices.Clone(members), any(owner.id))})
}

// setupEligible: somebody consented to the client for everybody before, since the
// account cannot do it as long as its role is not active.
func setupEligible(c *Cloud, t *tenant) {
	c.eligible(t, t.userNamed(t.admin), catalog.RoleGlobalAdministrator)
	c.grantScopes(t, t.provision(c, catalog.GraphCommandLineTools), t.principalOf(c.master(), catalog.GraphAppID),
		"Application.Read.All", "Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "DelegatedPermissionGrant.ReadWrite.All",
		"Directory.Read.All", "Policy.Read.All", "RoleManagement.Read.Directory", "User.Read")
}

// readerName is the app of setupReader.
const readerName = "Contoso reporting"

// setupReader makes an app that reads the directory without anybody signed in.
func setupReader(c *Cloud, t *tenant) {
	app := c.foreignApp(t, readerName, nil)
	c.add(t, kindPassword, namedGUID("reader key"), object{
		"_app": app.id, "_secret": c.secretText(), "customKeyIdentifier": nil, "displayName": "reports", "hint": "r3P",
		"startDateTime": founded, "endDateTime": "2099-03-01T08:00:00Z",
	}, true)
	principal, graph := c.appPrincipal(t, app), t.principalOf(c.master(), catalog.GraphAppID)
	for _, name := range []string{"Application.Read.All", "Directory.Read.All", "Policy.Read.All"} {
		c.assignRole(t, principal, graph, roleNamed(graph.read(c.master()), name))
	}
}

// AppCredentials are the client id and the secret of the app that can sign in by
// itself, empty in scenarios without one.
func (c *Cloud) AppCredentials() (clientID, secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.order[0]
	app := t.byProperty(c.master(), kindApplication, "displayName", readerName)
	if app == nil {
		return "", ""
	}
	key := t.byProperty(c.master(), kindPassword, "_app", app.id)
	if key == nil {
		return "", ""
	}
	return str(app.read(c.master()), "appId"), str(key.read(c.master()), "_secret")
}
