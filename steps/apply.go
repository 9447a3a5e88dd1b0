package steps

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"msbundle/catalog"
	"msbundle/state"
)

const (
	maxReplans = 10               // more APIs than the setup knows cannot be refused
	proofReads = 3                // this many reads in a row have to be good
	proofLimit = 10 * time.Minute // how long to go on reading for that
)

// Apply carries out a plan and proves the result by reading it back. When it
// returns an error the journal knows what was done: inspecting, planning and
// applying again goes on from there. A *Waiting error means that somebody else
// has to act first. A Result can come with an error when something was read back.
func (s *Setup) Apply(ctx context.Context, p Plan, o ApplyOptions) (*Result, error) {
	if err := s.requireSignIn(); err != nil {
		return nil, err
	}
	if p.Tenant != s.account.TenantID {
		return nil, &Problem{What: "the plan is for another tenant than the one signed in to", Do: "Look at the tenant again and plan anew.", Retry: true}
	}
	e := &engine{Setup: s, options: o, plan: p, refs: map[string]string{}, apis: maps.Clone(p.findings.Resources)}
	ctx = s.telling(ctx, e.tell)
	for replans := 0; ; replans++ {
		err := e.run(ctx)
		if err == nil {
			err = e.watch(ctx)
		}
		if err == nil {
			break
		}
		if !errors.Is(err, errReplan) || replans == maxReplans {
			return nil, problem(err, "the setup stopped")
		}
		if err := e.replan(ctx); err != nil {
			return nil, problem(err, "the setup stopped")
		}
	}
	result, err := e.verify(ctx)
	if err == nil {
		err = e.withCustomers()
	} else if result != nil {
		err = errors.Join(err, e.customersFailed())
	}
	return result, problem(err, "the result could not be proven")
}

// replan looks at the tenant again and makes the plan anew, with what turned out
// different. It can only leave out what the person has agreed to, or correct the
// id of a permission: nothing is added.
func (e *engine) replan(ctx context.Context) error {
	inspect := func() (*Findings, error) { return e.inspect(ctx, e.plan.Answers, e.tell) }
	switch {
	case e.plan.client:
		inspect = func() (*Findings, error) { return e.inspectClient(ctx, e.plan.Answers.Registration.Name, e.tell) }
	case e.plan.customer != nil:
		inspect = func() (*Findings, error) {
			f, err := e.inspectCustomer(ctx, e.plan.customer.shared, e.tell)
			if err == nil {
				f.place.roleless = e.plan.findings.place.roleless
			}
			return f, err
		}
	}
	f, err := inspect()
	if err != nil {
		return err
	}
	maps.Copy(f.Resources, e.apis) // what an answer gave is newer than what a replica shows
	next := e.plan.again(f)
	if c, more := next.beyond(e.plan.Changes, func(c Change) string { return c.ID + " " + c.Method }); more {
		return &Problem{
			What: "the tenant has changed since the plan was made: " + lowerFirst(c.Describe()) + " would now be needed",
			Do:   "Look at the tenant again and confirm the new plan.", Retry: true,
		}
	}
	for _, n := range next.Notes {
		if n.Permission != "" {
			e.tell(Event{Kind: EventNote, Text: n.Text + ": " + n.Reason})
		}
	}
	e.plan = next
	return nil
}

// again makes the plan anew from other findings.
func (p Plan) again(f *Findings) Plan {
	switch {
	case p.client:
		return MakeClientPlan(p.Answers.Registration.Name, f)
	case p.customer != nil:
		return makeCustomerPlan(p.customer.shared, p.customer.customer, f)
	}
	return MakePlan(p.Answers, f, p.options)
}

// beyond finds a change that is not among those agreed to, by what write tells of
// it.
func (p Plan) beyond(agreed []Change, write func(Change) string) (Change, bool) {
	known := map[string]bool{}
	for _, c := range agreed {
		known[write(c)] = true
	}
	for _, c := range p.Changes {
		if !known[write(c)] {
			return c, true
		}
	}
	return Change{}, false
}

// Beyond finds a write of the plan that differs from those agreed to earlier; a
// write that was agreed to and is not needed any more is none.
func (p Plan) Beyond(agreed []Change) (Change, bool) {
	return p.beyond(agreed, asWritten)
}

// asWritten is what two plans have in common of a change they both make.
func asWritten(c Change) string {
	if c.Kind == KindSecret { // its expiry moves with the time of planning
		return c.ID + c.Method + c.Path
	}
	var body bytes.Buffer
	_ = json.Compact(&body, c.Body) // a body is JSON, or empty
	return c.ID + c.Method + c.Path + body.String()
}

// Agreement is what was agreed to in an earlier run. It holds a mark of each write
// only: a plan about a thousand customers has a hundred thousand of them.
type Agreement map[[sha256.Size]byte]bool

func markOf(c Change) [sha256.Size]byte { return sha256.Sum256([]byte(c.Tenant + asWritten(c))) }

// Add adds a write.
func (a Agreement) Add(c Change) { a[markOf(c)] = true }

// Covers finds a write of the plan that was not agreed to, as Beyond does.
func (a Agreement) Covers(p Plan) (more Change, all bool) {
	for _, c := range p.Changes {
		if !a[markOf(c)] {
			return c, false
		}
	}
	return Change{}, true
}

// values are what the person carries over to the vendor.
func values(a state.Answers, r *Result) []Value {
	subject := "common"
	if a.Registration.Audience == state.AudienceSingle {
		subject = r.Org.ID
	}
	return []Value{
		{"Client ID", r.AppID, "Client ID"},
		{"Auth subject", subject, "Auth Subject"},
		{"Tenant ID", r.Org.ID, "Tenant ID"},
	}
}

// result puts together what was read back.
func (e *engine) result(app *Application, principal *Principal) *Result {
	a := e.plan.Answers
	r := &Result{Account: e.account, Org: e.plan.findings.Org, Written: e.written, Notes: e.plan.Notes, Secret: e.secret}
	if principal != nil {
		r.PrincipalID = principal.ObjectID
		r.PortalURL = portalURL(e.client.Cloud(), principal.ObjectID, principal.AppID)
		r.AppName, r.AppID = principal.Name, principal.AppID
	}
	if app != nil {
		r.AppName, r.AppID, r.RedirectURI = app.Name, app.AppID, e.plan.want.redirect
		for _, p := range app.Passwords {
			if p.KeyID != "" && p.KeyID == e.refs["secret.keyId"] {
				r.SecretExpires = p.Expires
			}
		}
	}
	if !e.plan.options.has(StageAuthorize) {
		return r
	}
	for _, i := range catalog.Integrations() {
		if a.Has(i.ID) {
			r.Integrations = append(r.Integrations, e.integrationResult(i, principal))
		}
	}
	r.Behind = behind(e.store, choice(a, r.AppID))
	if a.Registration.Kind == state.KindOwned {
		r.Values = values(a, r)
		if e.secret.IsZero() {
			r.SecretNote = e.plan.SecretNote
		}
	}
	return r
}

func (e *engine) integrationResult(i catalog.Integration, principal *Principal) IntegrationResult {
	out := IntegrationResult{ID: i.ID, Name: i.Name}
	for _, resource := range e.plan.want.resources {
		if api, _ := catalog.ResourceByAppID(resource); api.Integration != i.ID {
			continue
		}
		for _, w := range e.plan.want.permissions[resource] {
			out.Wanted++
			if principal != nil && e.granted(principal, resource, w) {
				out.Granted++
			} else {
				out.Missing = append(out.Missing, Entry{resource, w.name, w.kind}.String())
			}
		}
	}
	for _, n := range e.plan.want.skipped { // what the tenant does not offer is not there either
		if n.Permission == "" {
			continue
		}
		entry, err := ParseEntry(n.Permission)
		if api, _ := catalog.ResourceByAppID(entry.Resource); err == nil && api.Integration == i.ID && requiredEntry(entry) {
			out.Wanted++
			out.Missing = append(out.Missing, entry.String())
		}
	}
	out.Authorized = out.Wanted > 0 && len(out.Missing) == 0
	return out
}

// requiredEntry tells whether an integration cannot do without a permission.
func requiredEntry(e Entry) bool {
	for _, p := range catalog.Permissions() {
		if p.Resource == e.Resource && p.Name == e.Name && (e.Kind == "" || p.Kind == e.Kind) {
			return p.Tier == catalog.Minimum
		}
	}
	return false
}

// granted tells whether a permission was read back on the service principal.
func (e *engine) granted(principal *Principal, resource string, w wanted) bool {
	objectID := e.apis[resource].ObjectID
	if w.kind == catalog.Application {
		for _, a := range principal.Assignments {
			if a.ResourceID == objectID && a.RoleID == w.id {
				return true
			}
		}
		return false
	}
	for _, g := range principal.Grants {
		if g.ResourceID == objectID && containsFold(g.Scopes, w.name) {
			return true
		}
	}
	return false
}
