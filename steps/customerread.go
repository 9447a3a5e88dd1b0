package steps

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"msbundle/catalog"
	"msbundle/msclient"
)

// place is what was seen of a customer's tenant besides the app.
type place struct {
	asApp      bool            // it was read with the app's own token
	token      error           // why there was no token for it
	seen       map[string]seen // what each proof of the shield rests on
	Roles      []string        // template ids of the roles the partner has there
	RolesFrom  string          // how they were seen
	own        []string        // template ids of the roles the person's own token names; read where the app is not there
	AppRoles   []string        // template ids of the directory roles of the app's enterprise application
	roleless   bool            // when that was read last it had none for Exchange Online
	RolesWhy   error           // why they could not be read
	Policies   []AccessPolicy
	PoliciesNo error // why the policies could not be read
}

// seen is one answer a shield rests on.
type seen struct {
	err       error
	requestID string
}

// customerFields are what is read of an API's service principal at a customer:
// what it publishes is the same everywhere, and known from the partner's tenant.
const customerFields = "id,appId,displayName"

// lookCustomer reads what a customer's tenant holds of the app, and all a shield
// rests on: one batch where the id of the app's enterprise application there is
// known, two where it is not. A customer that cannot be read is no error; its place
// says why.
func (s *Setup) lookCustomer(ctx context.Context, shared *sharedPlan, known journaled, id string) (*Findings, error) {
	f := &Findings{
		Cloud: s.client.Cloud(), Account: s.account, Resources: map[string]Resource{}, Refused: known.refused, Made: known.made,
		Around: Around{Unread: map[Part]Unread{}}, place: &place{seen: map[string]seen{}, asApp: s.asApp},
	}
	granted := &Principal{ObjectID: id}
	round := s.customerReadings(shared, f)
	if id != "" {
		round = append(round, s.grantedReadings(f.place, granted)...)
	}
	err := s.readAll(ctx, round)
	if everybodys(err) != nil {
		return nil, err
	}
	var denied *msclient.AuthError
	gone := errors.As(err, &denied) && slices.Contains(denied.Codes, 65001) // not consented to, or not any more
	if s.asApp && (gone || err == nil && refused(f.place.unread(nil), 403)) {
		s.graph, s.asApp = s.client.Reader(s.account.TenantID), false
		return s.lookCustomer(ctx, shared, known, id)
	}
	switch {
	case errors.As(err, &denied):
		f.place.token = err
		return f, nil
	case err != nil:
		return nil, err
	}
	f.At = s.client.Now()
	known.forget(f)
	if f.Principal = known.live(f.Principal); f.Principal != nil {
		if f.Principal.ObjectID != id {
			granted = &Principal{ObjectID: f.Principal.ObjectID}
			switch err := s.readAll(ctx, s.grantedReadings(f.place, granted)); {
			case everybodys(err) == nil && errors.As(err, &denied):
				f.place.token = err
				return f, nil
			case err != nil:
				return nil, err
			}
		}
		f.Principal.Grants, f.Principal.Assignments = granted.Grants, granted.Assignments
	}
	for id := range f.Resources {
		delete(f.Refused, id)
	}
	if f.place.RolesWhy != nil {
		s.rolesOfToken(ctx, f.place)
	}
	if f.Principal == nil {
		f.place.own, _ = s.graph.Roles(ctx) // which are not known otherwise
	}
	return f, nil
}

// outside tells whether somebody was not let in at all: that says nothing of what was to
// be read.
func outside(err error) bool {
	var denied *msclient.AuthError
	return errors.As(err, &denied) || everybodys(err) != nil
}

// admitsApp tells whether the app may give itself the rest there: being there is not
// enough.
func (f *Findings) admitsApp() bool {
	p, graph := f.Principal, f.Resources[catalog.GraphAppID].ObjectID
	return p != nil && slices.ContainsFunc(p.Grants, func(g Grant) bool {
		return g.ResourceID == graph && !slices.ContainsFunc(bootstrapScopes, func(s string) bool { return !containsFold(g.Scopes, s) })
	})
}

// customerReadings read a customer's tenant.
func (s *Setup) customerReadings(shared *sharedPlan, f *Findings) []reading {
	w := f.place
	round := []reading{
		w.keep(ProofOrganization, reading{
			path: query("/v1.0/organization", "$select", "id,displayName,verifiedDomains"),
			take: takePage(s, func(orgs []wireOrganization) error {
				if len(orgs) != 1 {
					return fmt.Errorf("the service named %d organizations instead of one", len(orgs))
				}
				f.Org = orgs[0].organization()
				return nil
			}),
		}),
		w.keep(ProofUsers, reading{path: query(users, "$top", "1", "$select", "id"), take: func(context.Context, *msclient.Response) error { return nil }}),
		w.keep(ProofGrants, reading{
			path:   query(principals+"(appId="+quote(shared.app.AppID)+")", "$select", principalFields),
			take:   takeOne(func(x wirePrincipal, _ json.RawMessage) { f.Principal = x.principal() }),
			absent: func() { w.seen[ProofGrants] = seen{} },
		}),
		w.keep(proofAPIs, reading{
			path: query(principals, "$filter", "appId in ("+quotedList(shared.apis())+")", "$select", customerFields, "$top", "999"),
			take: takePage(s, func(list []wirePrincipal) error {
				for _, x := range list {
					f.Resources[x.AppID] = shared.resource(x)
				}
				return nil
			}),
		}),
	}
	for _, role := range shared.roles {
		r := reading{
			path: query(roleAssignments, "$filter", "roleDefinitionId eq "+quote(role), "$expand", "principal"),
			take: takePage(s, func(list []wireRoleAt) error {
				for _, x := range list {
					w.roleAt(x, shared)
				}
				return nil
			}),
		}
		r.unread = func(err error) { w.RolesWhy = err }
		round = append(round, r)
	}
	if shared.policies {
		round = append(round, reading{
			path: policiesPath, take: takePage(s, func(list []json.RawMessage) error {
				more, err := accessPolicies(list)
				w.Policies = append(w.Policies, more...)
				return err
			}),
			unread: func(err error) { w.PoliciesNo = err },
		})
	}
	return round
}

// grantedReadings read what the app was given at a customer.
func (s *Setup) grantedReadings(w *place, p *Principal) []reading {
	var round []reading
	for i, r := range s.grantReadings(p) {
		round = append(round, w.keep([]string{proofGranted, proofAssigned}[i], r))
	}
	return round
}

// keep remembers how a reading came out, and keeps a refusal from ending the look.
func (w *place) keep(proof string, r reading) reading {
	take := r.take
	r.take = func(ctx context.Context, res *msclient.Response) error {
		w.seen[proof] = seen{requestID: res.RequestID}
		return take(ctx, res)
	}
	r.unread = func(err error) {
		id := ""
		if failed := new(msclient.Error); errors.As(err, &failed) {
			id = failed.RequestID
		}
		w.seen[proof] = seen{err, id}
	}
	if r.absent == nil {
		r.absent = func() { r.unread(errAbsent) }
	}
	return r
}

// unread is why something a plan is made from could not be read, or the proof of
// these writes.
func (w *place) unread(writes []Change) error {
	for _, proof := range []string{ProofGrants, proofGranted, proofAssigned, proofAPIs} {
		if err := w.seen[proof].err; err != nil {
			return err
		}
	}
	for _, c := range writes {
		switch {
		case c.Kind == KindPolicy && w.PoliciesNo != nil:
			return w.PoliciesNo
		case c.Kind == KindRoleGiven && !w.appRolesKnown():
			return cmp.Or(w.RolesWhy, errors.New("who has which role is told to nobody but the app"))
		}
	}
	return nil
}

// rolesOfTheToken is told where nobody may read who has which role.
const rolesOfTheToken = "the token for the tenant"

// What the proof of the grants rests on besides the app itself.
const (
	proofGranted  = "granted"
	proofAssigned = "assigned"
	proofAPIs     = "apis"
)

// errAbsent stands for something that is there in every tenant and was not found.
var errAbsent = errors.New("not found")

// wireRoleAt is a role given in a customer's tenant, to whom.
// https://learn.microsoft.com/graph/api/resources/unifiedroleassignment
type wireRoleAt struct {
	RoleID    string `json:"roleDefinitionId"`
	Principal struct {
		OrganizationID string `json:"organizationId"`
		AppID          string `json:"appId"`
	} `json:"principal"`
}

func (w *place) roleAt(x wireRoleAt, shared *sharedPlan) {
	role := strings.ToLower(x.RoleID)
	switch {
	case strings.EqualFold(x.Principal.OrganizationID, shared.partner):
		if !slices.Contains(w.Roles, role) {
			w.Roles = append(w.Roles, role)
		}
		w.RolesFrom = "the roles given in the tenant"
	case strings.EqualFold(x.Principal.AppID, shared.app.AppID):
		w.AppRoles = append(w.AppRoles, role)
	}
}

// rolesOfToken takes the roles from the token for the customer's tenant: who may
// not read who has which role is still told its own.
func (s *Setup) rolesOfToken(ctx context.Context, w *place) {
	roles, err := s.graph.Roles(ctx)
	if err != nil || len(roles) == 0 {
		return
	}
	w.Roles, w.RolesFrom, w.RolesWhy = roles, rolesOfTheToken, nil
}

// apis are the app ids of the APIs something is wanted of.
func (s *sharedPlan) apis() []string { return s.want.resources }

// resource is an API as a customer's tenant holds it.
func (s *sharedPlan) resource(x wirePrincipal) Resource {
	known := s.resources[x.AppID]
	return Resource{ObjectID: x.ID, AppID: x.AppID, Name: x.DisplayName, Roles: known.Roles, Scopes: known.Scopes}
}

func quotedList(list []string) string {
	var out []string
	for _, s := range list {
		out = append(out, quote(s))
	}
	return strings.Join(out, ",")
}

// at is the setup in a customer's tenant, as the partner's app where that was
// signed in with and asApp says that it is known there. What it writes there is
// journalled in the customer's own folder; reading alone makes none.
func (s *Setup) at(c Customer, asApp, writes bool) (*Setup, error) {
	there := *s
	there.account.TenantID, there.abroad = c.TenantID, true
	there.graph, there.asApp = s.client.Reader(c.TenantID), false
	if asApp && s.client.Delegated() != "" {
		there.graph, there.asApp = s.client.Customer(c.TenantID), true
	}
	there.pending, there.pendingPassword, there.store = "", "", nil
	if !writes && !s.store.HasCustomer(c.TenantID) {
		return &there, nil
	}
	store, err := s.store.Customer(c.TenantID, c.Name)
	if err != nil {
		return nil, problem(err, "the state of "+c.called()+" could not be opened")
	}
	there.store = store
	return &there, nil
}

// leave gives the customer's state up, and the tokens for its tenant.
func (s *Setup) leave() error {
	s.client.Forget(s.account.TenantID)
	if s.store == nil {
		return nil
	}
	return s.Close()
}

// knownThere is what the customer's own journal tells.
func (s *Setup) knownThere(ctx context.Context, observe func(Event)) (journaled, error) {
	if s.store == nil {
		return journaled{made: map[string]bool{}, refused: map[string]string{}, deleted: map[string]bool{}}, nil
	}
	return s.settleAll(ctx, observe)
}
