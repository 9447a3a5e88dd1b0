package steps

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
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
	// appSecretEnd stands in the plan for when the secret ends: whoever agrees to it may
	// take their time.
	appSecretEnd = "[a day after it is made]"
)

// AppPlan is what it takes to sign in with the partner's own app, as a consent at
// a customer asks for: what is opened before, and what is closed afterwards. Left
// takes away what an earlier run opened and did not get to close; it is for when
// nobody signs in with the app this time.
type AppPlan struct {
	Open  Plan
	Close Plan
	Left  Plan
}

// MakeAppPlan works it out from what was read of the partner's tenant. The app is
// never made a public client: anybody could then start a device code sign-in in
// its name. It is a pure function.
func MakeAppPlan(a state.Answers, f *Findings) AppPlan {
	blank := Plan{Tenant: f.Org.ID, TenantName: f.Org.Name, Account: f.Account.Username, Answers: a, findings: f, want: desire(a, f)}
	p := AppPlan{blank, blank, blank}
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
		p.Open.removeKey(path, left, "an earlier run")
		p.Left.removeKey(path, left, "an earlier run")
	}
	p.Open.add(Change{
		ID: appSecret, Step: stepCustomers, Kind: KindSecret, Action: Create, Binds: "secret",
		Object: fmt.Sprintf("client secret of %q for this run, valid for a day", app.Name),
		Why:    "The app signs in with it. It stays in this program's memory and is removed at the end.",
		Method: "POST", Path: path + "/addPassword", Risk: RiskHigh, Reversible: true, Name: secretPrefix,
	}, map[string]any{"passwordCredential": map[string]string{
		"displayName": secretPrefix + Generated, "endDateTime": appSecretEnd,
	}})
	p.Close.add(removeSecret(path, secretPrefix, "It has served.", appSecretGone), map[string]string{"keyId": "${secret.keyId}"})
	without := slices.DeleteFunc(slices.Clone(app.RedirectURIs), func(s string) bool { return s == ClientRedirect })
	back := Change{
		ID: appRedirectGone, Step: stepCustomers, Kind: KindApplication, Action: Update, Name: app.Name,
		Object: fmt.Sprintf("app registration %q: sign-ins come back to Rewst only, as before", app.Name), Why: "The sign-in with the app is over.",
		Method: "PATCH", Path: path, Risk: RiskLow, Reversible: true, Before: encode(map[string]any{"web": webOf(app, append(slices.Clone(without), ClientRedirect))}),
	}
	if !there || f.redirectOurs {
		p.Close.add(back, map[string]any{"web": webOf(app, without)})
	}
	if there && f.redirectOurs {
		p.Left.add(back, map[string]any{"web": webOf(app, without)})
	}
	return p
}

// removeKey takes away a client secret that nobody signs in with any more.
func (p *Plan) removeKey(app string, key PasswordFound, whose string) {
	c := removeSecret(app, key.Name, "It was made for such a sign-in, and whoever made it ended before it was removed.", "customers/app/secret/"+key.KeyID+"/remove")
	c.Object = "client secret of " + whose
	p.add(c, map[string]string{"keyId": key.KeyID})
}

func removeSecret(app, name, why, id string) Change {
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
func redirectLeft(entries []state.Entry) bool {
	left := false
	for _, e := range entries {
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
	if !s.appOpened {
		s.madeBefore = s.made
	}
	s.appOpened = true
	pending := s.pending
	err := e.run(ctx)
	s.appKey, s.pending = e.refs["secret.keyId"], pending // whoever waits for a client secret waits for another one
	if err != nil {
		return problem(err, "the sign-in with the app could not be prepared")
	}
	_, err = s.client.Delegate(ctx, msclient.App{TenantID: s.account.TenantID, ClientID: app.AppID, Secret: e.secret}, app.Name, msclient.Wish{
		Why: fmt.Sprintf("the app %q itself: Partner Center takes a consent at a customer only from it, on behalf of a person who passed multifactor authentication", app.Name),
	})
	return problem(err, "the sign-in with the app did not come about")
}

// How long what is under way can take from when it is to end: a write, and closing the
// sign-in with the app after that.
const (
	WriteLimit = msclient.TryTimeout
	CloseLimit = time.Minute
)

// CloseApp takes away what OpenApp made, or what an earlier run left when OpenApp
// was not called, and reads back that it is gone. It is carried out whatever became
// of the rest, and has all the time it takes; CloseLimit once the context has ended.
func (s *Setup) CloseApp(ctx context.Context, p AppPlan, o ApplyOptions) error {
	if err := s.requireSignIn(); err != nil {
		return err
	}
	ctx, cancel := msclient.WithGrace(ctx, CloseLimit)
	defer cancel()
	plan := p.Left
	if s.appOpened {
		plan, s.made = p.Close, s.madeBefore
	}
	plan.Changes = slices.DeleteFunc(slices.Clone(plan.Changes), func(c Change) bool {
		return c.ID == appSecretGone && s.appKey == "" || c.ID == appRedirectGone && !redirectLeft(s.store.Entries())
	})
	for i := range plan.Changes {
		if plan.Changes[i].ID == appSecretGone { // by its own name the journal knows that it is gone
			plan.Changes[i].Name = s.keyName(s.appKey)
		}
	}
	s.client.Undelegate()
	s.lostKeys(&plan)
	err := s.shut(ctx, plan, o)
	if err == nil {
		s.appKey = ""
	}
	// What may have been made besides is looked for last: that can take all the time there is.
	if sought := s.seekKeys(ctx, plan, o); sought != nil {
		err = errors.Join(err, problem(late(sought), notClosed+": whether a client secret was made for it is not known"))
	} else {
		plan.Changes = nil
		s.lostKeys(&plan)
		err = errors.Join(err, s.shut(ctx, plan, o))
	}
	if err == nil {
		s.appOpened = false
	}
	return err
}

// notClosed is what failed when the sign-in with the app is left open.
const notClosed = "the sign-in with the app could not be closed"

// late is why closing did not come to its end: nobody cancels that, it runs out of time.
func late(err error) error {
	var told *Problem
	switch {
	case !errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &told):
		return told
	}
	return context.DeadlineExceeded
}

// shut carries out a plan that closes the sign-in with the app, and proves it.
func (s *Setup) shut(ctx context.Context, plan Plan, o ApplyOptions) error {
	if plan.Empty() {
		return nil
	}
	e := s.engineFor(plan, o)
	e.refs["secret.keyId"] = s.appKey
	ctx = s.telling(ctx, e.tell)
	var err error
	for i := range plan.Changes { // that one thing cannot be closed does not leave another open
		if err = errors.Join(err, e.carryOut(ctx, plan.Changes[i:i+1])); ctx.Err() != nil {
			break
		}
	}
	if err == nil {
		var proof Proof
		var missing string
		proof, missing, err = e.prove(ctx, proofLimit, e.readClosed)
		if err == nil {
			err = e.evidence("the sign-in with the app is closed", proof, missing)
		}
		if err == nil && missing != "" {
			err = unproven(missing)
		}
	}
	return problem(late(err), notClosed)
}

// seekKeys finds out whether client secrets were made by this opening without an answer
// saying so.
func (s *Setup) seekKeys(ctx context.Context, p Plan, o ApplyOptions) error {
	if !s.appOpened {
		return nil
	}
	for _, x := range s.store.Entries() {
		if x.Change != appSecret || !x.Open() {
			continue
		}
		refs, err := s.lookFor(ctx, x.Record, s.engineFor(p, o).tell)
		if err == nil {
			err = s.store.Append(s.outcome(x.Intent, refs))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lostKeys adds to what closes this opening the client secrets that are known to have
// been made, and nobody received: their values are nobody's.
func (s *Setup) lostKeys(p *Plan) {
	if !s.appOpened {
		return
	}
	app := applications + "/" + p.findings.App.ObjectID
	for _, key := range s.openKeys(app) {
		if key.KeyID != s.appKey {
			p.removeKey(app, key, "this run that nobody received")
		}
	}
}

// openKeys are the client secrets of sign-ins with the app that the journal knows to
// have been made, and not to have been removed.
func (s *Setup) openKeys(app string) (list []PasswordFound) {
	made, gone := journaledSecrets(s.store.Entries())
	for _, x := range made {
		if key := x.Outcome.Refs["secret.keyId"]; x.Change == appSecret && x.Path == app+"/addPassword" && key != "" && !gone[x.Name] {
			list = append(list, PasswordFound{KeyID: key, Name: x.Name})
		}
	}
	return list
}

// keyName is what the journal calls a client secret.
func (s *Setup) keyName(key string) string {
	for _, e := range s.store.Entries() {
		if e.Change == appSecret && e.Outcome.Refs["secret.keyId"] == key {
			return e.Name
		}
	}
	return ""
}

// leftOfSignIn are, of client secrets nobody received, those an earlier run signed in
// with as the app, and those the journal knows of: a read may be older than them. Any
// other may still be on its way to whom it was made for.
func (s *Setup) leftOfSignIn(app *Application, list []PasswordFound) []PasswordFound {
	if app == nil {
		return nil
	}
	ours := map[string]bool{}
	for _, e := range s.store.Entries() {
		ours[e.Name] = ours[e.Name] || e.Change == appSecret
	}
	list = slices.DeleteFunc(list, func(p PasswordFound) bool { return !ours[p.Name] })
	for _, key := range s.openKeys(applications + "/" + app.ObjectID) {
		if !slices.ContainsFunc(list, func(p PasswordFound) bool { return p.KeyID == key.KeyID }) {
			list = append(list, key)
		}
	}
	return list
}

// readClosed reads back that nothing is left of the sign-in with the app.
func (e *engine) readClosed(ctx context.Context) (missing string, requests []string, err error) {
	now, id, err := e.appNow(ctx)
	if err != nil {
		return "", nil, err
	}
	for _, c := range e.plan.Changes {
		switch {
		case c.ID == appRedirectGone && slices.Contains(now.RedirectURIs, ClientRedirect):
			return "the way back to this computer is still there", nil, nil
		case c.Kind == KindSecret && slices.ContainsFunc(now.Passwords, func(x PasswordFound) bool { return strings.Contains(e.resolve(string(c.Body)), x.KeyID) }):
			return "a client secret of ours is still there", nil, nil
		}
	}
	return "", []string{id}, nil
}

// appNow reads the app as it is by now.
func (e *engine) appNow(ctx context.Context) (app *Application, requestID string, err error) {
	res, err := e.graph.Do(ctx, msclient.Request{Path: query(applications+"/"+e.plan.findings.App.ObjectID, "$select", applicationFields)})
	if err != nil {
		return nil, "", err
	}
	var w wireApplication
	err = res.Decode(&w)
	return w.application(res.Body), res.RequestID, err
}

// rebaseRedirect brings a change of where the app's sign-ins come back to to what
// that is by now: the service replaces the whole list, and it may have been read
// hours ago.
func (e *engine) rebaseRedirect(ctx context.Context, c Change) ([]Change, error) {
	now, _, err := e.appNow(ctx)
	if err != nil {
		return nil, problem(err, fmt.Sprintf("%s was not done: the app could not be read", lowerFirst(c.Describe())))
	}
	next := slices.DeleteFunc(slices.Clone(now.RedirectURIs), func(s string) bool { return s == ClientRedirect })
	if c.ID == appRedirect {
		if len(next) < len(now.RedirectURIs) { // somebody else's, so it stays at the end
			return nil, nil
		}
		next = append(next, ClientRedirect)
	}
	c.Before, c.Body = encode(map[string]any{"web": webOf(now, now.RedirectURIs)}), encode(map[string]any{"web": webOf(now, next)})
	return []Change{c}, nil
}

func (s *Setup) engineFor(p Plan, o ApplyOptions) *engine {
	return &engine{Setup: s, options: o, plan: p, refs: map[string]string{}, apis: maps.Clone(p.findings.Resources)}
}

// ErrNoApp is what takes the setup's app is refused with where there is none.
var ErrNoApp = errors.New("no app")

// noOwnApp says that there is no app whose consent could be given.
func noOwnApp(a state.Answers) error {
	if a.Registration.Kind == state.KindConnector {
		return &Problem{
			What: "the vendor's connector is not in this tenant yet",
			Do:   "Authorise it in Rewst first (Marketplace, Integrations, Microsoft Cloud Bundle), then look again.", Retry: true, Err: ErrNoApp,
		}
	}
	return &Problem{
		What: "there is no app registration of the setup in this tenant yet",
		Do:   "Make it first: the stage before this one does, or msbundle apply with the sections registration and permissions.", Err: ErrNoApp,
	}
}
