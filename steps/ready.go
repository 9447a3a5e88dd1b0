package steps

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// Readiness is what the tenant itself holds of what the vendor's guide asks for
// before the customers: the service account and what surrounds it.
type Readiness struct {
	Domains  []Domain
	UPN      string      // user name of the service account, with its domain
	Renamed  string      // why UPN is at another domain than the default one; empty when it is not
	User     *User       // the service account; nil when there is none
	Deleted  []User      // deleted accounts that had that user name, the last one first
	Agents   string      // object id of AdminAgents; empty in a tenant that is no partner's
	Admins   []RoleGiven // who holds Global Administrator
	Policies []AccessPolicy
	Licensed bool     // the tenant can have Conditional Access policies
	Defaults bool     // security defaults are on
	External []string // other companies' multifactor authentication that the tenant has on

	Azure AzureFound
	App   *AppRoles // the owned app in the tenant; nil when there is none, or it was not asked for

	password string // intent of a password that never reached anybody
	made     bool   // our journal made the account
}

// Domain is a domain of the tenant.
type Domain struct {
	Name      string
	Default   bool
	Initial   bool // the one that ends in onmicrosoft.com
	Verified  bool
	Federated bool // people sign in elsewhere
}

// User is an account as the tenant holds it.
type User struct {
	ID          string
	UPN         string
	Name        string
	Enabled     bool
	Guest       bool
	Synced      bool // mastered by the organisation's own directory
	Created     time.Time
	Deleted     time.Time
	Roles       []RoleGiven // active directory roles, given to it directly
	Groups      []string    // object ids, those it is in through another group too
	Agent       bool        // member of AdminAgents
	PerUserMFA  string      // "disabled", "enabled" or "enforced"; empty when it could not be read
	Methods     []string    // what it has registered to sign in with besides a password
	MethodsRead bool
}

// Holds tells whether the account has an active directory role for the whole
// tenant.
func (u *User) Holds(role string) bool { return u != nil && u.given(role) != nil }

func (u *User) given(role string) *RoleGiven {
	for i, g := range u.Roles {
		if g.RoleID == role && g.Scope == "/" {
			return &u.Roles[i]
		}
	}
	return nil
}

// RoleGiven is a directory role somebody holds.
type RoleGiven struct {
	ID          string
	RoleID      string // template id
	Scope       string // "/" for the whole tenant
	PrincipalID string
	User        bool // a person's account that is enabled; when it was asked for
}

// AppRoles are the directory roles of the owned app's service principal.
type AppRoles struct {
	ObjectID string
	AppID    string
	Name     string
	Roles    []RoleGiven
	Seen     string // what Exchange Online said when it was asked as the app; empty when it was not
}

const (
	users            = "/v1.0/users"
	roleAssignments  = "/v1.0/roleManagement/directory/roleAssignments"
	userFields       = "id,userPrincipalName,displayName,accountEnabled,userType,onPremisesSyncEnabled,createdDateTime,deletedDateTime"
	deletedUsers     = "/v1.0/directory/deletedItems/microsoft.graph.user"
	methodsPolicy    = "/v1.0/policies/authenticationMethodsPolicy"
	defaultsPolicy   = "/v1.0/policies/identitySecurityDefaultsEnforcementPolicy"
	needsUserMethods = "the permission UserAuthenticationMethod.Read.All and a role such as Global Reader or Authentication Administrator"
)

// InspectTenant reads what the stage about the tenant is about, and of the rest
// only what that needs. The permissions it takes beyond those of the sign-in are
// asked for with the first request.
func (s *Setup) InspectTenant(ctx context.Context, a state.Answers, observe func(Event)) (*Findings, error) {
	if err := s.requireSignIn(); err != nil {
		return nil, err
	}
	if observe == nil {
		observe = func(Event) {}
	}
	s.widen(Scopes(a, s.read)...)
	f, err := s.inspect(s.telling(ctx, observe), a, observe)
	if err != nil {
		return nil, problem(err, "the tenant could not be inspected")
	}
	return f, nil
}

// widen asks from now on for permissions beyond those of the sign-in. At a customer
// there are those that were consented to, and no others.
func (s *Setup) widen(scopes ...string) {
	if s.abroad {
		return
	}
	s.client.Widen(scopes...)
	s.graph = s.client.Graph(s.account.TenantID)
}

// readyReadings read what does not depend on another answer.
func (s *Setup) readyReadings(a state.Answers, f *Findings) []reading {
	if !a.Ready() {
		return nil
	}
	r := &Readiness{}
	f.Ready = r
	round := []reading{
		s.defaultsReading(f),
		s.plansReading(f),
		{path: query("/v1.0/domains", "$select", "id,isDefault,isInitial,isVerified,authenticationType"), take: takePage(s, func(list []wireDomain) error {
			r.Domains = nil
			for _, w := range list {
				r.Domains = append(r.Domains, w.domain())
			}
			return nil
		})},
	}
	if a.Azure != nil && !f.Account.App { // who may do something in Azure may do so through a group
		round = append(round, s.groupsReading(f))
	}
	if a.ServiceAccount == nil {
		return round
	}
	round = append(round, reading{
		path: query(roleAssignments, "$filter", "roleDefinitionId eq "+quote(catalog.RoleGlobalAdministrator), "$expand", "principal"),
		take: takePage(s, func(list []json.RawMessage) error {
			var err error
			r.Admins, err = rolesGiven(list)
			return err
		}),
	}, reading{
		path: methodsPolicy,
		take: takeOne(func(w wireMethodsPolicy, _ json.RawMessage) { r.External = w.external() }),
		// Without it nothing is known of other companies' methods, and the checks say so.
		unread: func(err error) { f.Unread[PartMethods] = whyUnread(err, needsPolicies) },
	})
	round = append(round, reading{
		path: query("/v1.0/groups", "$filter", "displayName eq "+quote(agentsGroup), "$select", "id,displayName,securityEnabled"),
		take: takePage(s, func(list []wireGroup) error {
			for _, g := range list {
				if g.SecurityEnabled {
					r.Agents = g.ID
				}
			}
			return nil
		}),
	})
	if f.noPolicies = a.ServiceAccount.MFA == state.MFALeave && a.ConditionalAccess == nil; !f.noPolicies {
		round = append(round, s.policyReading(f))
	}
	return round
}

// readyAccountReadings read the service account by its user name, which takes the
// tenant's domains to know.
func (s *Setup) readyAccountReadings(a state.Answers, f *Findings) []reading {
	if f.Ready == nil || a.ServiceAccount == nil {
		return nil
	}
	r := f.Ready
	r.Licensed = slices.Contains(f.Plans, "AAD_PREMIUM") || slices.Contains(f.Plans, "AAD_PREMIUM_P2")
	r.Defaults = f.SecurityDefaults
	r.Policies = f.Policies
	r.UPN, r.Renamed = accountName(*a.ServiceAccount, r.Domains)
	if r.UPN == "" {
		return nil
	}
	return []reading{{
		path:   query(users+"/"+pathName(r.UPN), "$select", userFields),
		take:   takeOne(func(w wireAccount, _ json.RawMessage) { r.User = w.user() }),
		absent: func() {},
	}, {
		// A deleted account's user name has its object id in front.
		// https://learn.microsoft.com/entra/identity/users/users-restore
		path:   query(deletedUsers, "$filter", "endswith(userPrincipalName,"+quote(r.UPN)+")", "$count", "true", "$select", userFields),
		header: http.Header{"ConsistencyLevel": {"eventual"}},
		take: takePage(s, func(list []wireAccount) error {
			r.Deleted = nil
			for _, w := range list {
				u := w.user()
				name, domain, _ := strings.Cut(r.UPN, "@")
				had, at, _ := strings.Cut(u.UPN, "@")
				if strings.EqualFold(at, domain) && strings.EqualFold(strings.TrimPrefix(had, strings.ReplaceAll(u.ID, "-", "")), name) {
					r.Deleted = append(r.Deleted, *u)
				}
			}
			sortStably(r.Deleted, func(a, b User) int { return b.Deleted.Compare(a.Deleted) })
			return nil
		}),
		unread: func(err error) {
			f.Unread[PartDeletedUsers] = whyUnread(err, "the permission User.Read.All or Directory.Read.All")
		},
	}}
}

// lookReady reads what takes the account's id, and what other services know. An
// account that was made a moment ago may be known by its name and not by its id.
func (s *Setup) lookReady(ctx context.Context, a state.Answers, f *Findings, observe func(Event)) error {
	r := f.Ready
	if _, unread := f.Unread[PartDirectory]; r == nil || unread {
		return nil
	}
	if err := s.freshAccount(ctx, r, observe); err != nil {
		return err
	}
	s.journaledAccount(r)
	shown, err := msclient.Until(ctx, s.showing("the service account", observe), func(ctx context.Context) (bool, error) {
		complete := true
		round := s.readyIDReadings(a, f)
		for i := range round {
			if round[i].absent == nil {
				round[i].absent = func() { complete = false }
			}
		}
		err := s.readAll(ctx, round)
		return complete && err == nil, err
	})
	if err == nil && !shown {
		err = &Problem{What: "the service account is there, and what belongs to it cannot be read", Do: "Wait a few minutes, then look again.", Retry: true}
	}
	if err != nil {
		return err
	}
	return s.readAzure(ctx, a, f)
}

// readyIDReadings read what is known of the account and of the app by their ids.
func (s *Setup) readyIDReadings(a state.Answers, f *Findings) []reading {
	r := f.Ready
	var round []reading
	if u := r.User; u != nil {
		round = append(round, s.userReadings(f, u)...)
	}
	return append(round, s.exchangeReadings(a, f)...)
}

// userReadings read what surrounds an account.
func (s *Setup) userReadings(f *Findings, u *User) []reading {
	u.Roles, u.Groups, u.Methods, u.MethodsRead, u.Agent = nil, nil, nil, false, false
	return []reading{{
		path: query(roleAssignments, "$filter", "principalId eq "+quote(u.ID)),
		take: takePage(s, func(list []json.RawMessage) error {
			var err error
			u.Roles, err = rolesGiven(list)
			return err
		}),
	}, {
		path: query(users+"/"+u.ID+"/transitiveMemberOf/microsoft.graph.group", "$select", "id", "$top", "999"),
		take: takePage(s, func(list []wireID) error {
			u.Groups = ids(list)
			u.Agent = f.Ready.Agents != "" && slices.Contains(u.Groups, f.Ready.Agents)
			return nil
		}),
	}, {
		path: users + "/" + u.ID + "/authentication/methods",
		take: takePage(s, func(list []wireMethod) error {
			u.Methods, u.MethodsRead = methods(list), true
			return nil
		}),
		unread: func(err error) { f.Unread[PartRegistered] = whyUnread(err, needsUserMethods) },
	}, s.perUserReading(f, u)}
}

// accountName is the user name of the service account: at the domain the answers
// name, or the tenant's default one. At a federated domain people sign in
// elsewhere, so the initial one takes its place.
func accountName(s state.ServiceAccount, domains []Domain) (upn, why string) {
	if strings.Contains(s.Username, "@") {
		return s.Username, ""
	}
	var initial string
	for _, d := range domains {
		switch {
		case d.Default && !d.Federated:
			return s.Username + "@" + d.Name, ""
		case d.Default:
			why = fmt.Sprintf("%s, the tenant's default domain, is federated: its people sign in elsewhere", d.Name)
		case d.Initial:
			initial = d.Name
		}
	}
	if initial == "" {
		return "", why
	}
	return s.Username + "@" + initial, why
}

// journaledAccount takes up what the journal knows of the account.
func (s *Setup) journaledAccount(r *Readiness) {
	if s.store != nil && r.User != nil {
		r.journaled(s.store.Entries())
	}
}

func (r *Readiness) journaled(entries []state.Entry) {
	undelivered := ""
	for _, e := range entries {
		took := e.Outcome.Kind == state.RecordReceipt && e.Outcome.Refs[refAccount+".id"] == r.User.ID
		// Nobody knows whether the password is the new one or the old one.
		lost := e.Open() && Kind(e.What) == KindPassword && path.Base(e.Path) == r.User.ID
		if e.Undone || e.Outcome.There || !took && !lost {
			continue
		}
		if !bytes.Contains(e.Body, []byte(Generated)) { // restored, with the password it had
			continue
		}
		switch Kind(e.What) {
		case KindUser, KindPassword:
			r.made = r.made || Kind(e.What) == KindUser
			undelivered = e.Intent
			if e.Delivered {
				undelivered = ""
			}
		}
	}
	r.password = undelivered
}

// ---- the parts of Microsoft Graph's objects the stage reads

type wireDomain struct {
	ID        string `json:"id"`
	IsDefault bool   `json:"isDefault"`
	IsInitial bool   `json:"isInitial"`
	Verified  bool   `json:"isVerified"`
	SignIn    string `json:"authenticationType"`
}

func (w wireDomain) domain() Domain {
	return Domain{w.ID, w.IsDefault, w.IsInitial, w.Verified, w.SignIn == "Federated"}
}

type wireAccount struct {
	ID       string    `json:"id"`
	UPN      string    `json:"userPrincipalName"`
	Name     string    `json:"displayName"`
	Enabled  bool      `json:"accountEnabled"`
	UserType string    `json:"userType"`
	Synced   *bool     `json:"onPremisesSyncEnabled"`
	Created  time.Time `json:"createdDateTime"`
	Deleted  time.Time `json:"deletedDateTime"`
}

func (w wireAccount) user() *User {
	return &User{
		ID: w.ID, UPN: w.UPN, Name: w.Name, Enabled: w.Enabled, Guest: strings.EqualFold(w.UserType, "Guest"),
		Synced: w.Synced != nil && *w.Synced, Created: w.Created, Deleted: w.Deleted,
	}
}

type wireGroup struct {
	ID              string `json:"id"`
	SecurityEnabled bool   `json:"securityEnabled"`
}

type wireRoleGiven struct {
	ID          string `json:"id"`
	RoleID      string `json:"roleDefinitionId"`
	Scope       string `json:"directoryScopeId"`
	PrincipalID string `json:"principalId"`
	Principal   struct {
		Type    string `json:"@odata.type"`
		Enabled bool   `json:"accountEnabled"`
	} `json:"principal"`
}

func rolesGiven(list []json.RawMessage) ([]RoleGiven, error) {
	var out []RoleGiven
	for _, raw := range list {
		var w wireRoleGiven
		if err := json.Unmarshal(raw, &w); err != nil {
			return nil, err
		}
		out = append(out, RoleGiven{
			ID: w.ID, RoleID: w.RoleID, Scope: w.Scope, PrincipalID: w.PrincipalID,
			User: w.Principal.Type == "#microsoft.graph.user" && w.Principal.Enabled,
		})
	}
	return out, nil
}

// refused tells whether a service said no for good, with one of these statuses.
func refused(err error, statuses ...int) bool {
	var failed *msclient.Error
	return errors.As(err, &failed) && slices.Contains(statuses, failed.Status)
}

// readTenantBack reads into f what the stage about the tenant is to be proven
// with: as few requests as can be, since ids are known by now.
func (e *engine) readTenantBack(ctx context.Context, f *Findings) ([]string, error) {
	a, before := e.plan.Answers, f.Ready
	f.Around.Unread = map[Part]Unread{}
	round := e.readyReadings(a, f)
	r := f.Ready
	r.Domains, r.Azure = before.Domains, before.Azure
	f.Plans, f.SecurityDefaults = e.plan.findings.Plans, e.plan.findings.SecurityDefaults
	round = append(round, e.readyAccountReadings(a, f)...)
	known := &User{}
	if before.User != nil {
		known.ID = before.User.ID
	} else {
		known.ID = e.refs[refAccount+".id"]
	}
	if known.ID != "" {
		round = append(round, e.userReadings(f, known)...)
	}
	round = append(round, e.exchangeReadings(a, f)...)
	var ids []string
	for i := range round {
		r := &round[i]
		take := r.take
		r.take = func(ctx context.Context, res *msclient.Response) error {
			if !slices.Contains(ids, res.RequestID) {
				ids = append(ids, res.RequestID)
			}
			return take(ctx, res)
		}
		if r.absent == nil {
			r.absent = func() {} // not shown yet
		}
	}
	if err := e.readAll(ctx, round); err != nil {
		return nil, err
	}
	r.Policies = f.Policies
	if u := r.User; u != nil {
		u.Roles, u.Groups, u.Methods, u.MethodsRead, u.PerUserMFA = known.Roles, known.Groups, known.Methods, known.MethodsRead, known.PerUserMFA
		u.Agent = r.Agents != "" && slices.Contains(u.Groups, r.Agents)
	}
	e.journaledAccount(r)
	return ids, e.readAzure(ctx, a, f)
}
