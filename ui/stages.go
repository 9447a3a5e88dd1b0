package ui

import (
	"slices"

	tea "charm.land/bubbletea/v2"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

// stage is a part of the wizard with questions of its own that ends in a plan, an
// apply and a result.
type stage struct {
	id    steps.Stage
	title string // before those of its pages; empty for the stage the wizard begins with
	look  string // the page that looks at the tenant
	pages []page
}

// page is a screen's place in the wizard.
type page struct {
	id      string
	title   string
	passing bool // back does not stop here
	aside   bool // not counted: it is opened only when it is needed
	open    func(*wizard) Screen
}

// Ids of the pages.
const (
	pageStart        = "start"
	pageIntegrations = "integrations"
	pageRegistration = "registration"
	pagePermissions  = "permissions"
	pageAuthorize    = "authorize"
	pageSignIn       = "signin"
	pagePreflight    = "preflight"
	pageAccount      = "serviceaccount"
	pageGDAP         = "gdap"
	pageCustomers    = "customers"
	pagePlan         = "plan"
	pageApply        = "apply"
	pageResult       = "result"
)

// stages is the order of the wizard.
func stages() []stage {
	plan := page{id: pagePlan, title: "Plan", open: newPlan}
	apply := page{id: pageApply, title: "Apply", passing: true, open: newApply}
	result := page{id: pageResult, title: "Result", open: newResult}
	return []stage{
		{id: steps.StageAuthorize, look: pagePreflight, pages: []page{
			{id: pageIntegrations, title: "Select integrations", open: newIntegrations},
			{id: pageRegistration, title: "App registration", open: newRegistration},
			{id: pagePermissions, title: "Permissions", open: newPermissions},
			{id: pageAuthorize, title: "Authorize", open: newAuthorize},
			{id: pageSignIn, title: "Sign in", passing: true, open: newSignIn},
			{id: pagePreflight, title: "Preflight", open: newPreflight},
			plan, apply, result,
		}},
		{id: steps.StageTenant, title: "Service account", look: pageAccount, pages: []page{
			{id: pageSignIn, title: "Sign in", passing: true, aside: true, open: newSignIn},
			{id: pageAccount, title: "Service account", open: newAccount},
			plan, apply, result,
		}},
		{id: steps.StageGDAP, title: "GDAP", look: pageGDAP, pages: []page{
			{id: pageSignIn, title: "Sign in", passing: true, aside: true, open: newSignIn},
			{id: pageGDAP, title: "GDAP", open: newGDAP},
			plan, apply, result,
		}},
		{id: steps.StageCustomers, title: "Customers", look: pageCustomers, pages: []page{
			{id: pageSignIn, title: "Sign in", passing: true, aside: true, open: newSignIn},
			{id: pageCustomers, title: "Customers", open: newCustomers},
		}},
	}
}

// lookPage is the page of a stage that looks at the tenant.
func lookPage(id steps.Stage) string {
	for _, s := range stages() {
		if s.id == id {
			return s.look
		}
	}
	return pageStart
}

// place is a page among those of all stages.
type place struct {
	page
	stage  steps.Stage // empty for the first page, which is of none
	prefix string      // of its title
	n, of  int         // which one of its stage; 0 when it is not counted
}

// name is the page's title with the stage's.
func (p place) name() string {
	if p.prefix == "" || p.prefix == p.title {
		return p.title
	}
	return p.prefix + " › " + p.title
}

// places lists all pages in order, the first one before any stage.
func places() []place {
	out := []place{{page: page{id: pageStart, title: "Start", open: newStart}}}
	for _, s := range stages() {
		of := 0
		for _, p := range s.pages {
			if !p.aside {
				of++
			}
		}
		n := 0
		for _, p := range s.pages {
			at := place{page: p, stage: s.id, prefix: s.title}
			if !p.aside {
				n++
				at.n, at.of = n, of
			}
			out = append(out, at)
		}
	}
	return out
}

// course is how far a stage has come.
type course struct {
	stage     steps.Stage
	proposed  *state.Answers // what a stage proposes until something of it is answered
	findings  *steps.Findings
	read      *state.Answers  // what the findings were read for
	ticked    map[string]bool // offers taken
	insist    string          // the tenant's name, typed to have something dangerous done
	insistFor string          // why that was asked for
	awaited   []string        // relationships an earlier run waited for: the stage begins with its inbox
	plan      *steps.Plan
	apply     *applying
	wrote     bool // something was written to the tenant: there is no way back to the questions
	result    *steps.Result
	taken     bool // the secret of the result was revealed or copied
	revealed  bool // it was shown once and is not shown again
	waived    bool // the person went on without it
	clients   *clients
	resumed   bool // for what failed at customers

	before *course // of the same stage, gone through earlier
}

// enter goes to a stage: on with it where it was left, or through it again when
// something was carried out.
func (w *wizard) enter(id steps.Stage) {
	c := w.courses[id]
	if c == nil || c.apply != nil && !c.apply.running() {
		c = &course{stage: id, ticked: map[string]bool{}, before: c}
		w.courses[id] = c
	}
	w.course, c.awaited = c, nil
	w.propose()
}

// next goes to the stage after this one.
func (w *wizard) next() {
	if s, ok := stageAfter(w.stage); ok {
		w.enter(s.id)
		w.begin()
	}
}

// stageAfter is the stage that follows on another.
func stageAfter(id steps.Stage) (stage, bool) {
	all := stages()
	at := slices.IndexFunc(all, func(s stage) bool { return s.id == id }) + 1
	if at >= len(all) {
		return stage{}, false
	}
	return all[at], true
}

// begin opens the first page of a stage that follows on authorising: the sign-in,
// unless somebody is signed in.
func (w *wizard) begin() {
	if w.account == nil {
		w.open(pageSignIn)
		return
	}
	w.open(w.firstPage())
}

// firstPage is where a stage begins once somebody is signed in.
func (w *wizard) firstPage() string {
	if len(w.awaited) > 0 {
		return pageApply
	}
	return lookPage(w.stage)
}

// here tells whether a stage has a result to go back to, of the tenant that is
// signed in to.
func (w *wizard) here(id steps.Stage) bool {
	c := w.courses[id]
	return c != nil && c.result != nil && w.account != nil && c.result.Account.TenantID == w.account.TenantID
}

// revisit shows a stage as it was left.
func (w *wizard) revisit(id steps.Stage) { w.course = w.courses[id] }

func (w *wizard) forgetFindings() {
	w.findings, w.read, w.plan, w.result = nil, nil, nil, nil
	w.ticked, w.insist = map[string]bool{}, ""
}

// propose has a stage begin with what most need, unless the answers say something
// about it.
func (w *wizard) propose() {
	w.proposed = nil
	if w.stage == steps.StageGDAP && w.answers.GDAP == nil {
		a := w.answers.Clone()
		gdap := state.DefaultGDAP()
		a.GDAP, w.proposed = &gdap, &a
		return
	}
	if w.stage == steps.StageCustomers && w.answers.Customers == nil {
		a := w.answers.Clone()
		customers := state.DefaultCustomers()
		a.Customers, w.proposed = &customers, &a
		return
	}
	if w.stage != steps.StageTenant || w.answers.Ready() {
		return
	}
	a := w.answers.Clone()
	account, access := state.DefaultServiceAccount(), state.DefaultConditionalAccess()
	a.ServiceAccount, a.ConditionalAccess = &account, &access
	if a.Has(catalog.Azure) {
		azure := state.DefaultAzure()
		a.Azure = &azure
	}
	if a.Has(catalog.Exchange) && a.Registration.Kind == state.KindOwned {
		exchange := state.DefaultExchange()
		a.Exchange = &exchange
	}
	w.proposed = &a
}

// signedIn goes on as whoever signed in: what was read as somebody else serves no
// stage any more.
func (w *wizard) signedIn(account steps.Account, saved *state.Answers) {
	w.account = &account
	w.load(saved)
	for _, c := range w.courses {
		c.findings, c.read, c.plan, c.clients = nil, nil, nil, nil
		c.ticked, c.insist = map[string]bool{}, ""
	}
	w.forgetFindings()
}

// asked are the answers as the open stage has them: authorising asks for no
// permission that only a later stage takes.
func (w *wizard) asked() state.Answers {
	a := w.usable()
	if w.proposed != nil {
		noApp := a.NoApp
		a = w.proposed.Clone()
		a.NoApp = noApp
	}
	if s := a.ServiceAccount; w.stage == steps.StageGDAP && s != nil && a.GDAP != nil {
		a.GDAP.Account = s.Username
	}
	if w.stage != steps.StageTenant {
		a.ServiceAccount, a.ConditionalAccess, a.Azure, a.Exchange = nil, nil, nil, nil
	}
	if w.stage != steps.StageGDAP && w.stage != steps.StageCustomers { // whom it reaches there, and as whom
		a.GDAP = nil
	}
	if w.stage != steps.StageCustomers {
		a.Customers = nil
	}
	return a
}

// usable are the answers without what waits for an owned app while the connector
// is chosen. They are about an app only where that was gone through, now or before.
func (w *wizard) usable() state.Answers {
	a := w.answers.Clone()
	if w.stage == steps.StageAuthorize || w.carriedOut(steps.StageAuthorize) {
		a.NoApp = false
	}
	if a.Registration.Kind == state.KindConnector {
		a.Exchange = nil
	}
	return a
}

// options are what was decided about the open stage's plan.
func (w *wizard) options() steps.PlanOptions {
	return steps.PlanOptions{Stage: w.stage, Secret: true, Password: true, Insist: w.insist, Ticked: w.ticked, Awaited: w.awaited}
}

// gone lists how far each stage has come, the stages in order. Of one that was
// opened again without anything being carried out, the time before counts.
func (w *wizard) gone() []*course {
	var out []*course
	for _, s := range stages() {
		c := w.courses[s.id]
		for c != nil && c.apply == nil && c.clients == nil && c.before != nil {
			c = c.before
		}
		if c != nil {
			out = append(out, c)
		}
	}
	return out
}

// secret is what the course has to hand over once, and what it is called; zero
// when there is nothing.
func (c *course) secret() (steps.Secret, handing) {
	switch r := c.result; {
	case r == nil:
	case !r.Secret.IsZero():
		return r.Secret, clientSecret
	case r.Tenant != nil:
		return r.Tenant.Password, password
	}
	return steps.Secret{}, clientSecret
}

// unfinishedSecret tells whether a secret of the course would be lost by leaving.
func (c *course) unfinishedSecret() bool {
	s, _ := c.secret()
	return !s.IsZero() && !c.taken
}

// handing is how a secret that is handed over once is spoken of.
type handing struct {
	title string
	short string
	label string // among the values
	where string // it goes
	lost  string // what it means that nobody took it
	leave string // the same, before it is too late
	keep  string
	store func(Setup) error // records that it was taken
}

var (
	clientSecret = handing{
		title: "client secret", short: "secret", label: "Client secret", where: "Client Secret (the value, not the secret id)",
		lost:  "The client secret was neither shown nor copied. The next run replaces it.",
		leave: "It cannot be read again later: the next run removes it and makes a new one.",
		keep:  keepSecret + " It goes into Rewst with the other values.",
		store: Setup.SecretDelivered,
	}
	password = handing{
		title: "password", short: "password", label: "Password", where: "a password manager",
		lost:  "The service account's password was neither shown nor copied. The next run makes a new one.",
		leave: "It cannot be read again later: the next run makes a new one.",
		keep:  keepSecret + " It belongs in a password manager, not in the documentation.",
		store: Setup.PasswordDelivered,
	}
)

// question asks whether to leave without it.
func (h handing) question(then func() tea.Cmd) *question {
	return &question{
		title: "Leave without the " + h.title + "?",
		text:  "The " + h.title + " was neither shown nor copied. " + h.leave,
		yes:   "leave", no: "stay", agree: then,
	}
}

// losing is a secret that would be lost by ending the program, and that nobody
// agreed to lose.
func (w *wizard) losing() (handing, bool) {
	for _, c := range w.gone() {
		if _, h := c.secret(); c.unfinishedSecret() && !c.waived {
			return h, true
		}
	}
	return handing{}, false
}
