package steps

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// verify reads the result back until it was right several times in a row, and
// keeps the evidence.
func (e *engine) verify(ctx context.Context) (*Result, error) {
	appID, tenant := "", e.plan.findings.Ready != nil && e.plan.options.has(StageTenant)
	delegation := e.plan.findings.Delegation != nil && e.plan.options.has(StageGDAP)
	if e.plan.options.has(StageAuthorize) {
		appID = e.appToVerify()
	}
	if appID == "" && !tenant && !delegation {
		return e.result(nil, nil), e.waitForVendor()
	}
	if delegation && appID == "" && !tenant && e.written == 0 {
		if r, err := e.unchanged(); r != nil || err != nil {
			return r, err
		}
	}
	var app *Application
	var principal *Principal
	f := *e.plan.findings // with what was read back
	var lacks []lack
	read := func(ctx context.Context) (string, []string, error) {
		var ids []string
		missing := ""
		lacks = nil
		f = *e.plan.findings
		f.Resources, f.Left = e.apis, nil
		if appID != "" {
			var err error
			if app, principal, ids, err = e.readBack(ctx, appID); err != nil {
				return "", nil, err
			}
			missing = e.lacking(app, principal)
			if tenant && e.plan.Answers.Registration.Kind == state.KindConnector {
				missing = "" // for a person to grant; the tenant is proven by itself
			}
			f.App, f.Principal = app, principal
		}
		if tenant {
			more, err := e.readTenantBack(ctx, &f)
			if err != nil {
				return "", nil, err
			}
			ids = append(ids, more...)
		}
		if delegation {
			more, err := e.readDelegationBack(ctx, &f)
			if err != nil {
				return "", nil, err
			}
			ids = append(ids, more...)
		}
		if missing == "" {
			if lacks = e.lacks(&f); len(lacks) > 0 {
				missing = lacks[0].text
			}
		}
		return missing, ids, nil
	}
	proof, missing, err := e.prove(ctx, e.proofLimit(tenant || delegation), read)
	if err == nil && missing != "" && e.failLacking(lacks) { // and the others are proven without them
		proof, missing, err = e.prove(ctx, e.proofLimit(true), read)
	}
	if err != nil {
		return nil, err
	}
	r := e.result(app, principal)
	if tenant && missing == "" {
		e.tryExchange(ctx, &f)
	}
	r.Proof, r.Tenant, r.Delegation = proof, e.tenantResult(&f), e.delegationResult(&f)
	if err := e.keep(proof, cmp.Or(missing, e.left())); err != nil {
		return nil, err
	}
	if missing != "" && (tenant || delegation || e.plan.Answers.Registration.Kind == state.KindOwned) {
		return r, unproven(missing)
	}
	if appID == "" && e.plan.options.has(StageAuthorize) {
		return r, e.waitForVendor()
	}
	return r, nil
}

// lack is something that is not as it should be.
type lack struct {
	change Change // what would mend it, or what it is about
	text   string
}

// lacks lists the writes that a plan made from what was read back would still
// hold, but for customers that failed.
func (e *engine) lacks(f *Findings) []lack {
	if e.plan.Answers.Registration.Kind == state.KindOwned && e.plan.options.has(StageAuthorize) && f.App == nil {
		return nil
	}
	p := e.plan.again(f)
	var out []lack
	for _, c := range e.hopeful(p.Changes) {
		// A restored account may turn out to have a role that is to be taken away: that
		// is left to another run.
		late := c.Kind == KindRoleGiven && c.Action == Remove && !slices.ContainsFunc(e.plan.Changes, func(p Change) bool { return p.ID == c.ID })
		waits := c.After != "" || e.over(c.Customer) || c.Kind == KindAccess && e.later[c.Customer] != nil
		if c.Kind != KindSecret && c.Kind != KindPassword && !late && !waits {
			out = append(out, lack{c, lowerFirst(c.Describe()) + " does not show yet"})
		}
	}
	if len(out) == 0 && f.Delegation != nil && e.plan.options.has(StageGDAP) {
		for _, l := range p.notInForce() {
			if !e.failed[l.change.Customer] {
				out = append(out, l)
			}
		}
	}
	return out
}

// failLacking gives up the customers of whom something does not show, and tells
// whether that is all that does not.
func (e *engine) failLacking(lacks []lack) bool {
	if len(lacks) == 0 || slices.ContainsFunc(lacks, func(l lack) bool { return l.change.Customer == "" }) {
		return false
	}
	for _, l := range lacks {
		p := &Problem{What: "it could not be read back: " + l.text, Do: "Microsoft may need more time; what is missing is planned anew.", Retry: true}
		if l.change.Kind == KindLock {
			p = e.unopened(relationshipIn(l.change.Path))
		}
		e.fail(CustomerFailure{e.customerOf(l.change), p})
	}
	return true
}

func unproven(missing string) error {
	return &Problem{
		What: "not everything could be read back: " + missing,
		Do:   "Microsoft may need more time. Run it again in a few minutes: what is there is kept, what is missing is planned.", Retry: true,
	}
}

// prove reads again and again until nothing was missing several times in a row.
// read names the first thing that is not as it should be, and the requests it
// took. What is missing in the end is no error.
func (e *engine) prove(ctx context.Context, limit time.Duration, read func(context.Context) (missing string, ids []string, err error)) (Proof, string, error) {
	var p Proof
	missing := ""
	good, err := msclient.Until(ctx, msclient.Patience{
		Good: proofReads, First: firstBackoff, Max: longestWait, Limit: limit,
		Seen: func(n int) { e.tell(Event{Kind: EventProof, Proof: n, Of: proofReads, Text: "Read back"}) },
		Waiting: func(since time.Time, next time.Duration) {
			e.tell(Event{Kind: EventWaiting, Text: "Reading back", Wait: &Wait{
				For: "everything to show in every read (" + missing + ")", Usual: replicaUsual, Since: since, Next: next,
				Then: fmt.Sprintf("it is read again, until it was right %d times in a row", proofReads),
			}})
		},
	}, func(ctx context.Context) (bool, error) {
		var ids []string
		var err error
		if missing, ids, err = read(ctx); err != nil {
			return false, err
		}
		if missing == "" {
			p.RequestIDs = append(p.RequestIDs, ids...)
		} else {
			p.RequestIDs = nil
		}
		return missing == "", nil
	})
	if good {
		p.Reads = proofReads
	}
	p.At = e.client.Now()
	return p, missing, err
}

// proofLimit is how long to go on reading back. What a person did elsewhere is
// looked at, not waited for.
func (e *engine) proofLimit(tenant bool) time.Duration {
	if !tenant && e.plan.Answers.Registration.Kind == state.KindConnector {
		return 0
	}
	return proofLimit
}

// appToVerify is the client id of the app; empty when there is no connector yet.
func (e *engine) appToVerify() string {
	f := e.plan.findings
	switch {
	case e.plan.Answers.Registration.Kind == state.KindConnector && f.Connector == nil:
		return ""
	case e.plan.Answers.Registration.Kind == state.KindConnector:
		return catalog.VendorConnector
	case f.App != nil:
		return f.App.AppID
	}
	return e.refs["app.appId"]
}

// waitForVendor says what has to happen elsewhere before there is a connector.
func (e *engine) waitForVendor() error {
	return &Waiting{Problem{
		What: fmt.Sprintf("the enterprise application %s (%s) is not in this tenant yet", catalog.VendorConnectorName, catalog.VendorConnector),
		Do: "In Rewst open Marketplace, Integrations, Microsoft Cloud Bundle, choose the connector and press Authorize. " +
			"Then look again; Microsoft may take up to 48 hours to show all permissions.", Retry: true,
	}}
}

// Waiting is a Problem that somebody else has to solve.
type Waiting struct{ Problem }

func (w *Waiting) Error() string { return w.Problem.Error() }

// Unwrap gives the Problem to be shown.
func (w *Waiting) Unwrap() error { return &w.Problem }

// readBack reads the app, its service principal and what that was granted in one
// batch.
func (e *engine) readBack(ctx context.Context, appID string) (*Application, *Principal, []string, error) {
	var app *Application
	principal := &Principal{ObjectID: e.principalID()}
	visible := false
	var ids []string
	remember := func(take func(context.Context, *msclient.Response) error) func(context.Context, *msclient.Response) error {
		return func(ctx context.Context, r *msclient.Response) error {
			if !slices.Contains(ids, r.RequestID) {
				ids = append(ids, r.RequestID)
			}
			return take(ctx, r)
		}
	}
	round := []reading{{
		path: query(principals+"(appId="+quote(appID)+")", "$select", principalFields),
		take: remember(takeOne(func(w wirePrincipal, _ json.RawMessage) {
			visible = w.ID == principal.ObjectID
			principal.AppID, principal.Name, principal.Tags = w.AppID, w.DisplayName, w.Tags
		})),
		absent: func() {},
	}}
	if e.plan.Answers.Registration.Kind == state.KindOwned {
		round = append(round, reading{
			path:   query(applications+"(appId="+quote(appID)+")", "$select", applicationFields),
			take:   remember(takeOne(func(w wireApplication, raw json.RawMessage) { app = w.application(raw) })),
			absent: func() {},
		})
	}
	for _, r := range e.grantReadings(principal) {
		r.take, r.absent = remember(r.take), func() {}
		round = append(round, r)
	}
	if err := e.readAll(ctx, round); err != nil {
		return nil, nil, nil, err
	}
	if !visible {
		principal = nil
	}
	return app, principal, ids, nil
}

func (e *engine) principalID() string {
	f := e.plan.findings
	switch {
	case f.Connector != nil:
		return f.Connector.ObjectID
	case f.Principal != nil:
		return f.Principal.ObjectID
	}
	return e.refs[refPrincipal+".id"]
}

// lacking names the first part of the app that does not show; empty when all do.
func (e *engine) lacking(app *Application, principal *Principal) string {
	if principal == nil {
		return "the enterprise application is not visible"
	}
	if e.plan.Answers.Registration.Kind == state.KindConnector {
		for _, r := range e.result(nil, principal).Integrations {
			if !r.Authorized {
				return r.Name + ": " + plural(len(r.Missing), "permission") + " missing"
			}
		}
		return ""
	}
	if app == nil {
		return "the app registration is not visible"
	}
	if key := e.refs["secret.keyId"]; key != "" && !slices.ContainsFunc(app.Passwords, func(p PasswordFound) bool { return p.KeyID == key }) {
		return "the new client secret is not visible"
	}
	return ""
}

// keep makes the evidence durable and, when everything was right, records that
// the stage is finished.
func (e *engine) keep(p Proof, missing string) error {
	what, finished := "owned app and its permissions", state.Record{Kind: state.RecordFinished, At: p.At}
	switch {
	case e.plan.client:
		what, finished.Step = "the program's own client", stepClient
	case e.plan.options.Stage == StageGDAP:
		what, finished.Step = "delegated administration of customers", stepGDAP
	case e.plan.options.Stage == StageTenant || e.plan.options.Stage == StageRest:
		what, finished.Step = "the service account and what it needs of the tenant", stepAccount
	case e.plan.Answers.Registration.Kind == state.KindConnector:
		what = "the vendor's connector and its permissions"
	}
	if err := e.evidence(what, p, missing); err != nil {
		return err
	}
	if !e.plan.client {
		a := e.plan.Answers
		if kept, found, _ := e.Saved(); found { // what cannot be read is written anew
			a = a.Over(kept)
		}
		if _, err := e.Save(a); err != nil {
			return err
		}
	}
	if missing != "" {
		return nil
	}
	return problem(e.store.Append(finished), "the journal could not be written")
}

// evidence makes a proof durable.
func (e *engine) evidence(what string, p Proof, missing string) error {
	err := e.store.AddEvidence(state.Evidence{At: p.At, What: what, Good: missing == "", Text: missing, RequestIDs: p.RequestIDs})
	return problem(err, "the evidence could not be kept")
}
