package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// stepExchange is the step of the owned app's role.
const stepExchange = "exchange"

// exchangeAnswered is said of an app whose command Exchange carried out.
const exchangeAnswered = "tried: Exchange answered"

// exchangePermission is what an app calls Exchange's commands with; it works only
// together with a role.
// https://learn.microsoft.com/powershell/exchange/app-only-auth-powershell-v2
const exchangePermission = "Exchange.ManageAsApp"

// asksExchange tells whether the app is to be given the role.
func asksExchange(a state.Answers) bool {
	return a.Exchange != nil && a.Exchange.Administrator && a.Registration.Kind != state.KindConnector
}

// exchangeReadings read the owned app's directory roles.
func (s *Setup) exchangeReadings(a state.Answers, f *Findings) []reading {
	if !asksExchange(a) || f.Principal == nil {
		return nil
	}
	app := &AppRoles{ObjectID: f.Principal.ObjectID, AppID: f.Principal.AppID, Name: f.Principal.Name}
	f.Ready.App = app
	return []reading{{
		path: query(roleAssignments, "$filter", "principalId eq "+quote(app.ObjectID)),
		take: takePage(s, func(list []json.RawMessage) error {
			var err error
			app.Roles, err = rolesGiven(list)
			return err
		}),
	}}
}

// reachesExchange tells whether the app has a role that Exchange takes for
// everything.
func (r *AppRoles) reachesExchange() bool {
	return r != nil && slices.ContainsFunc(r.Roles, func(g RoleGiven) bool {
		return g.Scope == "/" && (g.RoleID == catalog.RoleExchangeAdministrator || g.RoleID == catalog.RoleGlobalAdministrator)
	})
}

// noApp says why the app cannot be given the role; empty when it can.
func noApp(f *Findings, o PlanOptions) string {
	if f.Principal != nil || o.has(StageAuthorize) {
		return ""
	}
	return "There is no app of the setup in this tenant yet that could be given the role for Exchange Online"
}

// planExchange gives the owned app Exchange Administrator.
// https://learn.microsoft.com/graph/api/rbacapplication-post-roleassignments
func planExchange(p *Plan) {
	a, f := p.want.answers, p.findings
	if !asksExchange(a) {
		return
	}
	if why := noApp(f, p.options); why != "" {
		p.note("%s. Make the app registration first.", why)
		return
	}
	if f.Principal != nil && f.Ready.App.reachesExchange() {
		return
	}
	const id = catalog.RoleExchangeAdministrator
	p.add(Change{
		ID: "exchange/role", Step: stepExchange, Kind: KindRoleGiven, Action: Add, Name: id,
		Object: fmt.Sprintf("%s to the app %s", catalog.RoleByID(id).Name, a.Registration.Name),
		Why:    "Rewst then runs Exchange's commands as the app itself: that takes the permission " + exchangePermission + " and this role.",
		Method: "POST", Path: roleAssignments, Risk: RiskHigh, Reversible: true,
	}, map[string]string{"roleDefinitionId": id, "principalId": p.principalRef(), "directoryScopeId": "/"})
}

// asksManageAsApp tells whether the answers give the app the permission the role
// works with.
func asksManageAsApp(d desired) bool {
	return slices.ContainsFunc(d.permissions[catalog.ExchangeAppID], func(w wanted) bool {
		return w.name == exchangePermission && w.kind == catalog.Application
	})
}

// exchangeChecks check what this part needs.
func exchangeChecks(a state.Answers, f *Findings, o PlanOptions) []Check {
	if !asksExchange(a) {
		return nil
	}
	c := Check{ID: "exchange-role", Title: "The app's role in Exchange Online"}
	why, plan := noApp(f, o), checkExchange(f)
	switch {
	case why != "":
		c.State, c.Evidence, c.Fix = Failed, why, "Make the app registration first: the stage before this one. Or leave the role out (exchange.administrator: false)."
	case plan.State == Failed:
		c.State, c.Evidence = Warned, plan.Evidence+": the role can be given, and Exchange then refuses every command"
		c.Fix = "Leave the role out (exchange.administrator: false), or buy a plan with mailboxes."
	case !asksManageAsApp(desire(a, f)):
		c.State, c.Evidence = Warned, fmt.Sprintf("The answers do not ask for %s, and without it the role has no effect", exchangePermission)
		c.Fix = "Choose Microsoft Exchange Online and that application permission, or leave the role out (exchange.administrator: false)."
	case f.Principal != nil && f.Ready.App.reachesExchange():
		c.Evidence = f.Ready.App.Name + " has it"
	default:
		c.Evidence = fmt.Sprintf("%s will be given %s", a.Registration.Name, catalog.RoleByID(catalog.RoleExchangeAdministrator).Name)
	}
	return []Check{c}
}

const (
	exchangeLimit = 2 * time.Minute // how long Exchange is asked whether it knows of the role
	firstExchange = 5 * time.Second
	exchangeUsual = "Microsoft names a quarter of an hour to an hour"
)

// unknownYet are the refusals of the sign-in service that a new secret or app can
// meet while it is not known everywhere.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
var unknownYet = []int{7000215, 700016}

// tryExchange asks Exchange something harmless as the app, which shows what no
// directory tells: that the role is in force. It can only while the secret is
// known, and whatever comes of it changes nothing about what was read back.
func (e *engine) tryExchange(ctx context.Context, f *Findings) {
	app := f.Ready.App
	if !asksExchange(e.plan.Answers) || !app.reachesExchange() {
		return
	}
	switch {
	case !asksManageAsApp(e.plan.want):
		app.Seen = "not tried: the app does not have " + exchangePermission
		return
	case e.made.value.IsZero(), f.App == nil, e.made.app != f.App.ObjectID:
		app.Seen = "could not be tried: the client secret is not known here"
		return
	}
	var configs []struct {
		Name string `json:"Name"`
	}
	var last error
	reached, err := msclient.Until(ctx, msclient.Patience{
		Good: 1, First: firstExchange, Max: longestWait, Limit: exchangeLimit,
		Waiting: func(since time.Time, next time.Duration) {
			e.tell(Event{Kind: EventWaiting, Text: "Asking Exchange Online as the app", Wait: &Wait{
				For: "Exchange Online to know of the app's role", Usual: exchangeUsual, Since: since, Next: next,
				Then: "it is asked again, for two minutes at most; the setup does not depend on it",
			}})
		},
	}, func(ctx context.Context) (bool, error) {
		// A token made before the role was in force would be refused until it ends.
		exchange, err := e.client.Exchange(msclient.App{TenantID: e.account.TenantID, ClientID: app.AppID, Secret: e.made.value})
		if err == nil {
			err = exchange.Read(ctx, "Get-OrganizationConfig", &configs)
		}
		if last = err; exchangeLags(err) {
			err = nil
		}
		return last == nil, err
	})
	switch {
	case reached && len(configs) > 0:
		app.Seen = fmt.Sprintf("%s for %s", exchangeAnswered, configs[0].Name)
	case reached:
		app.Seen = exchangeAnswered
	case err == nil: // the time was up
		app.Seen = "not in force yet; Microsoft takes up to an hour"
	case ctx.Err() != nil:
		app.Seen = "not tried: it was given up"
	default:
		app.Seen = "tried, and refused. " + whyRefused(err)
	}
}

// exchangeLags tells whether a refusal may only mean that something new is not
// known everywhere yet.
func exchangeLags(err error) bool {
	var refused *msclient.AuthError
	var failed *msclient.Error
	switch {
	case errors.As(err, &refused):
		return slices.ContainsFunc(refused.Codes, func(n int) bool { return slices.Contains(unknownYet, n) })
	case errors.As(err, &failed):
		return failed.Status == 401 || failed.Status == 403 && strings.Contains(strings.ToLower(failed.Message), "role definition")
	}
	return false
}

// whyRefused says in a sentence why something was refused.
func whyRefused(err error) string {
	var p *Problem
	if errors.As(problem(err, "Exchange Online could not be asked"), &p) && p.Cause != "" {
		return strings.TrimSuffix(p.Cause, ".")
	}
	return "The service did not say why"
}

// exchangeResult says what was read back.
func exchangeResult(a state.Answers, f *Findings) string {
	if !asksExchange(a) || !f.Ready.App.reachesExchange() {
		return ""
	}
	role := catalog.RoleByID(catalog.RoleExchangeAdministrator).Name
	if f.Ready.App.Seen == "" {
		return role
	}
	return role + "; " + f.Ready.App.Seen
}

// exchangeLeft says what is left for a person to do about Exchange.
func exchangeLeft(a state.Answers, f *Findings, o PlanOptions) []string {
	if !asksExchange(a) {
		return nil
	}
	if why := noApp(f, o); why != "" {
		return []string{why + ". Make the app registration, then run this again."}
	}
	return nil
}
