package steps

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"msbundle/msclient"
)

// tenantTraces is what the tenant holds now of what the stage about it wrote.
type tenantTraces struct {
	ever     bool                    // the journal knows of that stage, undone or not
	users    map[string]*User        // by object id
	given    map[string][]RoleGiven  // directory roles, by who holds them
	groups   map[string][]string     // by account: the groups it is in, not through another one
	perUser  map[string]string       // by account: the per-user state of multifactor authentication
	policies map[string]AccessPolicy // by id
	azure    map[string]*azureThing  // by path in small letters
	unread   map[Part]error          // what is not shown to this account
	taking   map[string]bool         // writes that undoing writes of unknown outcome take back
	failed   error

	delegation delegationTraces
}

// azureThing is something in Azure that is there.
type azureThing struct {
	contents []string // of a resource group: the paths of what is in it, in small letters
	leaving  string   // what is being deleted already; empty when it is not
}

// anew is the same before anything was read.
func (r tenantTraces) anew() tenantTraces {
	return tenantTraces{
		ever: r.ever, taking: r.taking, users: map[string]*User{}, given: map[string][]RoleGiven{}, groups: map[string][]string{}, perUser: map[string]string{},
		policies: map[string]AccessPolicy{}, azure: map[string]*azureThing{}, unread: map[Part]error{},
		delegation: delegationTraces{relations: map[string]*Relationship{}, groups: map[string]*roleGroupUse{}},
	}
}

// underWay says what Azure has not finished deleting; empty when there is nothing.
func (r tenantTraces) underWay() string {
	for _, thing := range r.azure {
		if thing.leaving != "" {
			return thing.leaving + " is still being deleted"
		}
	}
	return ""
}

// hidden notes that something is not shown to this account; another failure is
// one of the whole inspection.
func (r *tenantTraces) hidden(part Part, err error) {
	var no *msclient.AuthError
	if refused(err, 401, 403) || errors.As(err, &no) || errors.Is(err, msclient.ErrSkipped) || errors.Is(err, msclient.ErrSignInExpired) {
		r.unread[part] = err
		return
	}
	r.failed = err
}

// part is what a trail is read from, where that may be hidden.
func (t *trail) part() Part {
	if t.ofCustomers() {
		return PartDelegation
	}
	switch t.kind {
	case KindPolicy:
		return PartPolicies
	case KindMFA:
		return PartPerUserMFA
	case KindGroup, KindVault, KindAzureRole:
		return PartAzure
	}
	return ""
}

// user is an account that is there; nil when it is not.
func (t *Traces) user(id string) *User { return t.ready.users[id] }

// leaves tells whether an account is to go: because our journal made it, or
// brought it back. Whoever is signed in stays.
func (t *Traces) leaves(id string) bool {
	return t.user(id) != nil && !t.self(id) && slices.ContainsFunc(t.trails, func(x *trail) bool {
		return x.kind == KindUser && x.object == id && x.created()
	})
}

// self tells whether an id is the account that is signed in.
func (t *Traces) self(id string) bool { return id != "" && strings.EqualFold(id, t.account.ObjectID) }

// tenantReadings read what a trail of the stage about the tenant leads to.
func (t *Traces) tenantReadings(s *Setup, x *trail) []reading {
	account := func(id string) reading {
		return reading{
			path: query(users+"/"+id, "$select", userFields),
			take: takeOne(func(w wireAccount, _ json.RawMessage) { t.ready.users[w.ID] = w.user() }),
		}
	}
	roles := func(id string) reading {
		return reading{
			path: query(roleAssignments, "$filter", "principalId eq "+quote(id)),
			take: takePage(s, func(list []json.RawMessage) error {
				var err error
				t.ready.given[id], err = rolesGiven(list)
				return err
			}),
		}
	}
	if x.ofCustomers() {
		return t.delegationReadings(s, x)
	}
	switch x.kind {
	case KindUser:
		return []reading{account(x.object), roles(x.object)}
	case KindPassword:
		return []reading{account(x.object)}
	case KindRoleGiven:
		holder := account(x.principal)
		if step := x.first().Step; step == stepExchange || step == stepCustomers {
			holder = reading{
				path: query(principals+"/"+x.principal, "$select", principalFields),
				take: takeOne(func(w wirePrincipal, _ json.RawMessage) { t.found(w) }),
			}
		}
		if t.reader {
			return []reading{holder}
		}
		return []reading{holder, roles(x.principal)}
	case KindMember:
		return []reading{account(x.principal), {
			path: query(users+"/"+x.principal+"/memberOf", "$select", "id", "$top", "999"),
			take: takePage(s, func(list []wireID) error { t.ready.groups[x.principal] = ids(list); return nil }),
		}}
	case KindMFA:
		return []reading{account(x.principal), {
			path: "/beta/users/" + x.principal + "/authentication/requirements",
			take: takeOne(func(w struct {
				State string `json:"perUserMfaState"`
			}, _ json.RawMessage,
			) {
				t.ready.perUser[x.principal] = w.State
			}),
			unread: func(err error) { t.ready.hidden(PartPerUserMFA, err) },
		}}
	case KindPolicy:
		return []reading{{
			path: policiesPath,
			take: takePage(s, func(list []json.RawMessage) error {
				all, err := accessPolicies(list)
				for _, p := range all {
					t.ready.policies[p.ID] = p
				}
				return err
			}),
			unread: func(err error) {
				if !unlicensed(err) { // then there can be no policy
					t.ready.hidden(PartPolicies, err)
				}
			},
		}}
	}
	return nil
}

// readAzureTraces reads what the trails lead to in Azure. Nobody is asked to sign
// in there when they lead to nothing.
func (s *Setup) readAzureTraces(ctx context.Context, t *Traces) error {
	if t.ready.failed != nil {
		return t.ready.failed
	}
	for _, x := range t.trails {
		if !x.azure() || t.ready.azure[x.object] != nil {
			continue
		}
		thing, err := s.azureThing(ctx, t, x)
		var failed *msclient.Error
		switch {
		case err == nil:
			t.ready.azure[x.object] = thing
		case errors.As(err, &failed) && failed.Code == "SubscriptionNotFound": // or not shown to this account
			t.ready.unread[PartAzure] = err
		case !refused(err, 404):
			t.ready.hidden(PartAzure, err)
		}
		if t.ready.failed != nil || t.ready.unread[PartAzure] != nil {
			return t.ready.failed
		}
	}
	return nil
}

func (s *Setup) azureThing(ctx context.Context, t *Traces, x *trail) (*azureThing, error) {
	azure := s.client.Azure(s.account.TenantID)
	res, err := azure.Do(ctx, msclient.Request{Path: x.first().Path})
	if err != nil {
		return nil, err
	}
	t.requests = append(t.requests, res.RequestID)
	var w struct {
		Name       string `json:"name"`
		Properties struct {
			State string `json:"provisioningState"`
		} `json:"properties"`
	}
	if err := res.Decode(&w); err != nil || x.kind != KindGroup {
		return &azureThing{}, err
	}
	thing := &azureThing{}
	if w.Properties.State == "Deleting" {
		thing.leaving = "the resource group " + w.Name
		return thing, nil
	}
	// https://learn.microsoft.com/rest/api/resources/resources/list
	path, version, _ := strings.Cut(x.first().Path, "?")
	path = query(strings.Join(strings.Split(path, "/")[:3], "/")+"/resources", "$filter", "resourceGroup eq "+quote(w.Name))
	list, err := azureList[wireID](ctx, azure, s.client.Cloud().ARM, path+"&"+version)
	for _, id := range ids(list) {
		thing.contents = append(thing.contents, strings.ToLower(id))
	}
	return thing, err
}

// showsTenant tells whether the effect of a trail's last write can be seen, for
// the stage about the tenant.
func (t *Traces) showsTenant(x *trail) bool {
	last := x.last()
	if t.ready.unread[x.part()] != nil || t.ready.taking[last.Intent] || t.reader && x.asApp() {
		return true
	}
	if x.ofCustomers() {
		return t.showsDelegation(x)
	}
	switch x.kind {
	case KindUser:
		u := t.user(x.object)
		switch {
		case u == nil:
			return t.deleted[x.object] || !x.created()
		case last.Action == string(Update):
			return x.created() || x.valueBack("accountEnabled", u.Enabled) != u.Enabled
		}
	case KindRoleGiven:
		return t.leaves(x.principal) || t.deleted[x.principal] || (x.given(t.ready.given[x.principal]) != nil) == (last.Action == string(Add))
	case KindMember:
		return t.user(x.principal) == nil || slices.Contains(t.ready.groups[x.principal], x.resource)
	case KindMFA:
		return t.user(x.principal) == nil || x.valueBack("perUserMfaState", t.ready.perUser[x.principal]) != t.ready.perUser[x.principal]
	case KindPolicy:
		p, there := t.ready.policies[x.object]
		return there && (x.created() || len(x.policyBack(p.Raw)) > 0)
	case KindGroup, KindVault, KindAzureRole:
		return t.ready.azure[x.object] != nil
	}
	return true
}
