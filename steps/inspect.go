package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// reading is one GET of an inspection and what to do with its answer.
type reading struct {
	path   string
	header http.Header
	take   func(context.Context, *msclient.Response) error
	// absent is called when the object is not there; nil makes that a failure.
	absent func()
	// unread is called when it cannot be read for another reason; nil makes that a
	// failure.
	unread func(error)
}

func (r reading) version() string { return r.path[:strings.Index(r.path[1:], "/")+1] }

// readAll sends a round of readings as batches. A failure does not keep the rest of
// the round from being taken.
func (s *Setup) readAll(ctx context.Context, round []reading) error {
	var bad error
	// A batch is of one version of the API.
	round = slices.Clone(round)
	sortStably(round, func(a, b reading) int { return strings.Compare(b.version(), a.version()) })
	for len(round) > 0 {
		n := min(len(round), msclient.BatchSize)
		if other := slices.IndexFunc(round[:n], func(r reading) bool { return r.version() != round[0].version() }); other > 0 {
			n = other
		}
		chunk := round[:n]
		round = round[n:]
		reqs := make([]msclient.Request, len(chunk))
		for i, r := range chunk {
			reqs[i].Path, reqs[i].Header = r.path, r.header
		}
		results, err := s.graph.Batch(ctx, reqs)
		if err != nil {
			return err
		}
		for i, r := range chunk {
			err := results[i].Err
			var failed *msclient.Error
			switch {
			case err == nil:
				err = r.take(ctx, results[i].Response)
			case errors.As(err, &failed) && failed.Status == 404 && r.absent != nil:
				r.absent()
				err = nil
			case r.unread != nil && ctx.Err() == nil && !(s.abroad && outside(err)):
				r.unread(err)
				err = nil
			}
			if err != nil && bad == nil {
				bad = err
			}
		}
		if bad != nil {
			return bad
		}
	}
	return nil
}

// once drops readings that stand there already; who wanted them again is told, too.
func once(round []reading) []reading {
	var out []reading
	at := map[string]int{}
	for _, r := range round {
		i, again := at[r.path]
		if !again {
			at[r.path] = len(out)
			out = append(out, r)
			continue
		}
		first, second := out[i].take, r.take
		out[i].take = func(ctx context.Context, res *msclient.Response) error {
			if err := first(ctx, res); err != nil {
				return err
			}
			return second(ctx, res)
		}
	}
	return out
}

// Inspect reads everything of the tenant the setup needs to know. It writes
// nothing there. Writes of an earlier run whose outcome is unknown are looked
// for first; observe hears of that, because it can take a while.
func (s *Setup) Inspect(ctx context.Context, a state.Answers, observe func(Event)) (*Findings, error) {
	if err := s.requireSignIn(); err != nil {
		return nil, err
	}
	if observe == nil {
		observe = func(Event) {}
	}
	ctx = s.telling(ctx, observe)
	f, err := s.look(ctx, a, true, observe)
	if err == nil {
		err = s.lookFurther(ctx, a, f)
	}
	if err == nil {
		err = s.lookReady(ctx, a, f, observe)
	}
	if err == nil {
		err = s.lookDelegation(ctx, f)
	}
	if err != nil {
		return nil, problem(err, "the tenant could not be inspected")
	}
	return f, nil
}

// inspect reads what a plan is made from, and nothing for the checks.
func (s *Setup) inspect(ctx context.Context, a state.Answers, observe func(Event)) (*Findings, error) {
	f, err := s.look(ctx, a, false, observe)
	if err == nil {
		err = s.lookReady(ctx, a, f, observe)
	}
	if err == nil {
		err = s.lookDelegation(ctx, f)
	}
	return f, err
}

// look reads what a plan is made from and, with around, what the checks tell of
// beyond that: most of it fits into the same batches.
func (s *Setup) look(ctx context.Context, a state.Answers, around bool, observe func(Event)) (*Findings, error) {
	known, err := s.settleAll(ctx, observe)
	if err != nil {
		return nil, err
	}
	listed, err := listedCustomers(a)
	if err != nil {
		return nil, err
	}
	f := &Findings{}
	// An app our journal made a moment ago and that was seen since is there: a
	// round of reads that misses it met a replica that lags.
	due := known.app.seen && known.app.name == a.Registration.Name && a.Registration.Kind == state.KindOwned && a.Registration.AppID == ""
	found, err := msclient.Until(ctx, s.showing("the app registration", observe), func(ctx context.Context) (bool, error) {
		*f = Findings{
			Cloud: s.client.Cloud(), Account: s.account, RoleIDs: slices.Clone(s.tokenRoles),
			Resources: map[string]Resource{}, Refused: known.refused, Made: known.made,
			Around: Around{Unread: map[Part]Unread{}},
		}
		round := append(s.firstRound(a, f, known), s.readyReadings(a, f)...)
		round = append(round, s.delegationReadings(a, f)...)
		if f.Delegation != nil {
			f.Delegation.listed = listed
		}
		if around {
			round = append(round, s.aroundReadings(a, f)...)
		}
		round = once(round)
		if err := s.readAll(ctx, round); around && denied(err) {
			f.Unread[PartDirectory] = Unread{
				"The tenant's apps and APIs are not shown to this account", "Sign in with a member of the tenant who has a role such as Global Administrator.",
			}
			return true, nil
		} else if err != nil {
			return false, err
		}
		if f.Delegation != nil && f.Delegation.failed != nil {
			return false, f.Delegation.failed
		}
		known.forget(f)
		for id := range f.Resources {
			delete(f.Refused, id)
		}
		f.App = chooseApp(a, f)
		return f.App != nil || !due, nil
	})
	if err == nil && !found {
		err = &Problem{What: "the app registration that was just made is not shown yet", Do: "Wait a few minutes, then try again.", Retry: true}
	}
	if err != nil {
		return nil, err
	}
	s.account = f.Account
	f.At, f.Skew = s.client.Now(), s.client.Skew()
	if _, unread := f.Unread[PartDirectory]; unread {
		return f, nil
	}
	if f.policy != nil {
		made := f.At
		if f.App != nil {
			made = f.App.Created
		}
		f.Secrets = f.policy.secrets(made)
	}
	if err := s.completeDelegation(ctx, a, f, known, observe); err != nil {
		return nil, err
	}
	appID := ""
	var round []reading
	switch {
	case a.Registration.Kind == state.KindConnector:
		appID = catalog.VendorConnector
	case f.App != nil:
		appID = f.App.AppID
		if f.Secrets.Forbidden {
			round = append(round, exemption(f))
		}
	}
	if around {
		round = append(round, s.secondReadings(a, f)...)
	}
	round = append(round, s.readyAccountReadings(a, f)...)
	round = append(round, s.delegationAccountReadings(a, f)...)
	principal, err := s.principal(ctx, appID, round, observe)
	switch {
	case err != nil:
		return nil, err
	case a.Registration.Kind == state.KindConnector:
		f.Connector = principal
		return f, nil
	case f.App == nil:
		return f, nil
	}
	f.Principal = known.live(principal)
	s.inspectSecrets(f, known)
	return f, s.closeOpen(f)
}

// firstRound reads everything that does not depend on another answer.
func (s *Setup) firstRound(a state.Answers, f *Findings, known journaled) []reading {
	round := append(s.accountReadings(f), s.apiReading(f))
	if a.Registration.Kind == state.KindConnector {
		return round
	}
	round = append(round, reading{
		path: "/v1.0/policies/defaultAppManagementPolicy",
		take: takeOne(func(w wireManagementPolicy, _ json.RawMessage) { f.policy = &w }),
		// Without the policy the plan goes on; the service says no if it has to.
		unread: func(error) {}, absent: func() {},
	})
	takeApp := takeOne(func(w wireApplication, raw json.RawMessage) { f.App = w.application(raw) })
	if a.Registration.AppID != "" {
		return append(round, reading{
			path: query(applications+"(appId="+quote(a.Registration.AppID)+")", "$select", applicationFields),
			take: takeApp, absent: func() {},
		})
	}
	round = append(round, s.appsReading("displayName eq "+quote(a.Registration.Name), func(app *Application) {
		f.SameName = append(f.SameName, app.AppSummary)
		if app.Ours {
			f.ours = append(f.ours, app)
		}
	}))
	if id := known.app.object; id != "" && known.app.name == a.Registration.Name {
		round = append(round, reading{
			path: query(applications+"/"+id, "$select", applicationFields),
			take: takeApp, absent: func() {},
		})
	}
	return round
}

// apiReading reads which of Microsoft's APIs are in the tenant.
func (s *Setup) apiReading(f *Findings) reading {
	var ids []string
	for _, r := range catalog.Resources() {
		ids = append(ids, quote(r.AppID))
	}
	for _, l := range catalog.LookAlikes() {
		ids = append(ids, quote(l.AppID))
	}
	return reading{
		path: query(principals, "$filter", "appId in ("+strings.Join(ids, ",")+")", "$select", resourceFields, "$top", "999"),
		take: takePage(s, func(list []wirePrincipal) error {
			for _, w := range list {
				f.Resources[w.AppID] = w.resource()
			}
			return nil
		}),
	}
}

// appsReading reads the app registrations a filter lets through.
func (s *Setup) appsReading(filter string, take func(*Application)) reading {
	return reading{
		path: query(applications, "$filter", filter, "$select", applicationFields, "$top", "999"),
		take: takePage(s, func(list []json.RawMessage) error {
			for _, raw := range list {
				var w wireApplication
				if err := json.Unmarshal(raw, &w); err != nil {
					return err
				}
				take(w.application(raw))
			}
			return nil
		}),
	}
}

// accountReadings read who is signed in, to which tenant and with which roles. Of
// an app that acts as itself there is nothing to read, nor in a customer's tenant,
// where the person is nobody by name.
func (s *Setup) accountReadings(f *Findings) []reading {
	round := []reading{
		{path: query("/v1.0/organization", "$select", "id,displayName,verifiedDomains,partnerTenantType"), take: takePage(s, func(orgs []wireOrganization) error {
			if len(orgs) != 1 {
				return fmt.Errorf("the service named %d organizations instead of one", len(orgs))
			}
			f.Org = orgs[0].organization()
			return nil
		})},
	}
	if f.Account.App || s.abroad {
		f.RolesUnknown = true
		return round
	}
	return append(round, []reading{
		{path: query("/v1.0/me", "$select", "id,userPrincipalName,userType"), take: takeOne(func(u wireUser, _ json.RawMessage) {
			f.Account.Guest = strings.EqualFold(u.UserType, "Guest")
		})},
		{
			path: query("/v1.0/me/transitiveMemberOf/microsoft.graph.directoryRole", "$select", "id,roleTemplateId"),
			take: takePage(s, func(roles []wireRole) error {
				for _, r := range roles {
					if r.RoleTemplateID == "" { // what may not be read comes with its id only
						f.RolesUnknown = true
					} else if !slices.Contains(f.RoleIDs, r.RoleTemplateID) {
						f.RoleIDs = append(f.RoleIDs, r.RoleTemplateID)
					}
				}
				return nil
			}), unread: func(error) { f.RolesUnknown = true },
		},
	}...)
}

// chooseApp picks the app to bring to the answers: the one named by id, the one
// our journal made, or the one of this name that carries our tag.
func chooseApp(a state.Answers, f *Findings) *Application {
	if f.App != nil {
		return f.App
	}
	if a.Registration.AppID != "" || len(f.ours) == 0 {
		return nil
	}
	slices.SortFunc(f.ours, func(x, y *Application) int {
		if c := x.Created.Compare(y.Created); c != 0 {
			return c
		}
		return strings.Compare(x.ObjectID, y.ObjectID)
	})
	return f.ours[0]
}

// principal reads an app's service principal with its grants; nil when there is
// none, or no app. Other readings of the same round go with it.
func (s *Setup) principal(ctx context.Context, appID string, others []reading, observe func(Event)) (*Principal, error) {
	var p *Principal
	round := others
	if appID != "" {
		round = append(round, reading{
			path:   query(principals+"(appId="+quote(appID)+")", "$select", principalFields),
			take:   takeOne(func(w wirePrincipal, _ json.RawMessage) { p = w.principal() }),
			absent: func() {},
		})
	}
	if err := s.readAll(ctx, round); err != nil || p == nil {
		return nil, err
	}
	// A replica that does not know the service principal yet knows no grants of it.
	shown, err := msclient.Until(ctx, s.showing(fmt.Sprintf("the enterprise application %q", p.Name), observe), func(ctx context.Context) (bool, error) {
		p.Grants, p.Assignments = nil, nil
		lagging := false
		readings := s.grantReadings(p)
		for i := range readings {
			readings[i].absent = func() { lagging = true }
		}
		err := s.readAll(ctx, readings)
		return !lagging, err
	})
	if err == nil && !shown {
		err = &Problem{What: "what was granted to the enterprise application cannot be read", Do: "Wait a few minutes, then try again.", Retry: true}
	}
	return p, err
}

// grantReadings read what a service principal was granted.
func (s *Setup) grantReadings(p *Principal) []reading {
	return []reading{
		{path: query(principals+"/"+p.ObjectID+"/oauth2PermissionGrants", "$top", "999"), take: takePage(s, func(list []json.RawMessage) error {
			for _, raw := range list {
				var w wireGrant
				if err := json.Unmarshal(raw, &w); err != nil {
					return err
				}
				if w.ConsentType == "AllPrincipals" { // a grant for one person does not serve the vendor
					p.Grants = append(p.Grants, Grant{w.ID, w.ResourceID, strings.Fields(w.Scope), raw})
				}
			}
			return nil
		})},
		{path: query(principals+"/"+p.ObjectID+"/appRoleAssignments", "$top", "999"), take: takePage(s, func(list []wireAssignment) error {
			for _, w := range list {
				p.Assignments = append(p.Assignments, Assignment{w.ID, w.ResourceID, w.AppRoleID})
			}
			return nil
		})},
	}
}

// inspectSecrets finds the secrets nobody received, and those too fresh to be
// seen.
//
// The journal decides: a secret of ours that was not delivered is nobody's,
// whatever became of the write that made it, and one that was removed is gone,
// even where a replica still shows it.
func (s *Setup) inspectSecrets(f *Findings, known journaled) {
	for _, e := range known.secrets {
		shown := slices.IndexFunc(f.App.Passwords, func(p PasswordFound) bool { return p.Name == e.Name })
		ofApp := e.Outcome.Refs["app.id"] == f.App.ObjectID
		if e.Delivered {
			f.FreshSecret = f.FreshSecret || ofApp && f.At.Sub(e.Outcome.At) < replicationHorizon
			continue
		}
		left := PasswordFound{KeyID: e.Outcome.Refs["secret.keyId"], Name: e.Name}
		if shown >= 0 {
			left = f.App.Passwords[shown]
			f.App.Passwords = slices.Delete(f.App.Passwords, shown, shown+1)
		}
		if !known.gone[e.Name] && (shown >= 0 || ofApp && left.KeyID != "") {
			f.Left = append(f.Left, left)
		}
	}
}

// secrets is what the policy says of an app made at a time.
func (w wireManagementPolicy) secrets(made time.Time) SecretPolicy {
	p := SecretPolicy{Known: true}
	if !w.IsEnabled {
		return p
	}
	for _, r := range w.Restrictions.Passwords {
		if r.State != "enabled" || r.After.After(made) {
			continue
		}
		switch r.Type {
		case "passwordAddition":
			p.Forbidden = true
		case "passwordLifetime":
			if d, ok := parseISODuration(r.MaxLifetime); ok && (p.MaxLifetime == 0 || d < p.MaxLifetime) {
				p.MaxLifetime = d
			}
		}
	}
	return p
}

// exemption reads whether the app has a policy of its own in place of the
// tenant's.
// https://learn.microsoft.com/graph/api/resources/applicationmanagementpolicies-overview
func exemption(f *Findings) reading {
	return reading{
		path: query(applications+"/"+f.App.ObjectID+"/appManagementPolicies", "$select", "id,isEnabled"),
		take: func(_ context.Context, r *msclient.Response) error {
			var page msclient.Page[wireManagementPolicy]
			if err := r.Decode(&page); err != nil {
				return err
			}
			f.Secrets.Own = len(page.Value) > 0
			return nil
		},
		unread: func(error) {}, absent: func() {},
	}
}
