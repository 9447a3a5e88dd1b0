package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"msbundle/msclient"
	"msbundle/state"
)

// Ids of the changes that open and close the sign-in with the partner's own app.
const (
	appRedirect       = "customers/app/redirect"
	appSecret         = "customers/app/secret"
	appSecretGone     = "customers/app/secret/remove"
	appRedirectGone   = "customers/app/redirect/remove"
	appSecretLifetime = 24 * time.Hour
)

// AppPlan is what it takes to sign in with the partner's own app, as a consent at
// a customer asks for: what is opened before, and what is closed afterwards.
type AppPlan struct {
	Open  Plan
	Close Plan
}

// MakeAppPlan works it out from what was read of the partner's tenant. The app is
// never made a public client: anybody could then start a device code sign-in in
// its name. It is a pure function.
func MakeAppPlan(a state.Answers, f *Findings) AppPlan {
	blank := Plan{Tenant: f.Org.ID, TenantName: f.Org.Name, Account: f.Account.Username, Answers: a, findings: f, want: desire(a, f)}
	p := AppPlan{blank, blank}
	app := f.App
	if app == nil {
		return p
	}
	path := applications + "/" + app.ObjectID
	there := slices.Contains(app.RedirectURIs, ClientRedirect)
	if !there {
		p.Open.add(Change{
			ID: appRedirect, Step: stepCustomers, Kind: KindApplication, Action: Update, Name: app.Name,
			Object: fmt.Sprintf("app registration %q: sign-ins may come back to this computer (%s)", app.Name, ClientRedirect),
			Why:    "Partner Center takes a consent only from the app itself, so somebody signs in with it here, in a browser. It is taken away again at the end.",
			Method: "PATCH", Path: path, Risk: RiskModerate, Reversible: true, Before: encode(map[string]any{"web": webOf(app, app.RedirectURIs)}),
		}, map[string]any{"web": webOf(app, append(slices.Clone(app.RedirectURIs), ClientRedirect))})
	}
	for _, left := range f.Left {
		p.Open.add(removeSecret(path, left.KeyID, left.Name, "An earlier run made it and ended before it was removed.", "customers/app/secret/"+left.KeyID+"/remove"), map[string]string{"keyId": left.KeyID})
	}
	p.Open.add(Change{
		ID: appSecret, Step: stepCustomers, Kind: KindSecret, Action: Create, Binds: "secret",
		Object: fmt.Sprintf("client secret of %q for this run, valid for a day", app.Name),
		Why:    "The app signs in with it. It stays in this program's memory and is removed at the end.",
		Method: "POST", Path: path + "/addPassword", Risk: RiskHigh, Reversible: true, Name: secretPrefix,
	}, map[string]any{"passwordCredential": map[string]string{
		"displayName": secretPrefix + Generated, "endDateTime": f.At.Add(appSecretLifetime).UTC().Truncate(time.Second).Format(time.RFC3339),
	}})
	p.Close.add(removeSecret(path, "${secret.keyId}", secretPrefix, "It has served.", appSecretGone), map[string]string{"keyId": "${secret.keyId}"})
	if !there || f.redirectOurs {
		without := slices.DeleteFunc(slices.Clone(app.RedirectURIs), func(s string) bool { return s == ClientRedirect })
		p.Close.add(Change{
			ID: appRedirectGone, Step: stepCustomers, Kind: KindApplication, Action: Update, Name: app.Name,
			Object: fmt.Sprintf("app registration %q: sign-ins come back to Rewst only, as before", app.Name), Why: "The sign-in with the app is over.",
			Method: "PATCH", Path: path, Risk: RiskLow, Reversible: true, Before: encode(map[string]any{"web": webOf(app, append(slices.Clone(without), ClientRedirect))}),
		}, map[string]any{"web": webOf(app, without)})
	}
	return p
}

func removeSecret(app, key, name, why, id string) Change {
	return Change{
		ID: id, Step: stepCustomers, Kind: KindSecret, Action: Remove, Object: "client secret of this run", Why: why, Name: name,
		Method: "POST", Path: app + "/removePassword", Risk: RiskLow, Reversible: false,
	}
}

// webOf is the app's web settings with these redirect URIs and nothing else
// different.
func webOf(app *Application, redirects []string) map[string]any {
	web := wholeWeb(app, redirects)
	web["implicitGrantSettings"] = map[string]bool{"enableIdTokenIssuance": app.IDTokens, "enableAccessTokenIssuance": app.AccessTokens}
	return web
}

// Lines are the writes of opening and closing, in order.
func (p AppPlan) Lines() []Change { return append(slices.Clone(p.Open.Changes), p.Close.Changes...) }

// redirectLeft tells whether an earlier run opened the app's sign-in for this
// computer and did not close it.
func (s *Setup) redirectLeft() bool {
	left := false
	for _, e := range s.store.Entries() {
		took := e.Outcome.Kind == state.RecordReceipt || e.Open()
		switch {
		case !took || e.Undone:
		case e.Change == appRedirect:
			left = true
		case e.Change == appRedirectGone:
			left = e.Open()
		}
	}
	return left
}

// OpenApp carries out what opens the sign-in with the app, and has the person sign
// in with it. Whatever it returns, CloseApp is to be called afterwards.
func (s *Setup) OpenApp(ctx context.Context, p AppPlan, o ApplyOptions) error {
	if err := s.requireSignIn(); err != nil {
		return err
	}
	app := p.Open.findings.App
	if app == nil {
		return noOwnApp(p.Open.Answers)
	}
	e := s.engineFor(p.Open, o)
	ctx = s.telling(ctx, e.tell)
	if err := e.run(ctx); err != nil {
		return problem(err, "the sign-in with the app could not be prepared")
	}
	s.appKey = e.refs["secret.keyId"]
	_, err := s.client.Delegate(ctx, msclient.App{TenantID: s.account.TenantID, ClientID: app.AppID, Secret: e.secret}, app.Name, msclient.Wish{
		Why: fmt.Sprintf("the app %q itself: Partner Center takes a consent at a customer only from it, on behalf of a person who passed multifactor authentication", app.Name),
	})
	return problem(err, "the sign-in with the app did not come about")
}

// CloseApp takes away what OpenApp made, and reads back that it is gone. It is
// carried out whatever became of the rest; only the context ends it.
func (s *Setup) CloseApp(ctx context.Context, p AppPlan, o ApplyOptions) error {
	if err := s.requireSignIn(); err != nil {
		return err
	}
	plan := p.Close
	plan.Changes = slices.DeleteFunc(slices.Clone(plan.Changes), func(c Change) bool { return c.ID == appSecretGone && s.appKey == "" })
	s.client.Undelegate()
	e := s.engineFor(plan, o)
	e.refs["secret.keyId"] = s.appKey
	ctx = s.telling(ctx, e.tell)
	if err := e.run(ctx); err != nil {
		return problem(err, "the sign-in with the app could not be closed")
	}
	key, app := s.appKey, plan.findings.App
	proof, missing, err := e.prove(ctx, proofLimit, func(ctx context.Context) (string, []string, error) {
		res, err := s.graph.Do(ctx, msclient.Request{Path: query(applications+"/"+app.ObjectID, "$select", applicationFields)})
		if err != nil {
			return "", nil, err
		}
		var w wireApplication
		if err := res.Decode(&w); err != nil {
			return "", nil, err
		}
		now := w.application(res.Body)
		switch {
		case slices.ContainsFunc(now.Passwords, func(x PasswordFound) bool { return x.KeyID == key }):
			return "the client secret of this run is still there", nil, nil
		case len(plan.Changes) > 1 && slices.Contains(now.RedirectURIs, ClientRedirect):
			return "the way back to this computer is still there", nil, nil
		}
		return "", []string{res.RequestID}, nil
	})
	if err == nil {
		err = s.store.AddEvidence(state.Evidence{At: proof.At, What: "the sign-in with the app is closed", Good: missing == "", Text: missing, RequestIDs: proof.RequestIDs})
	}
	if err == nil && missing != "" {
		err = unproven(missing)
	}
	s.appKey = ""
	return problem(err, "the sign-in with the app could not be closed")
}

func (s *Setup) engineFor(p Plan, o ApplyOptions) *engine {
	return &engine{Setup: s, options: o, plan: p, refs: map[string]string{}, apis: maps.Clone(p.findings.Resources)}
}

// noOwnApp says that there is no app whose consent could be given.
func noOwnApp(a state.Answers) error {
	if a.Registration.Kind == state.KindConnector {
		return &Problem{
			What: "the vendor's connector is not in this tenant yet",
			Do:   "Authorise it in Rewst first (Marketplace, Integrations, Microsoft Cloud Bundle), then look again.", Retry: true, Err: errors.New("no app"),
		}
	}
	return &Problem{
		What: "there is no app registration of the setup in this tenant yet",
		Do:   "Make it first: the stage before this one does, or msbundle apply with the sections registration and permissions.", Err: errors.New("no app"),
	}
}
