package steps

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// stepClient is the step of what is written for the program's own client.
const stepClient = "client"

// ClientName is what the program's own client is called unless a person says
// otherwise.
const ClientName = "msbundle sign-in"

// clientTag marks the program's own client.
const clientTag = catalog.OwnTag + "-client"

// ClientRedirect is where a browser on this machine comes back to; the port does
// not count.
// https://learn.microsoft.com/entra/identity-platform/reply-url#localhost-exceptions
const ClientRedirect = "http://localhost"

// ClientPermission is a delegated permission the program's own client asks for.
type ClientPermission struct {
	API      string // its name
	Resource string // its app id
	Name     string
	ID       string
}

// scopeIDs are the ids of delegated Graph permissions the program signs in with
// and the vendor's bundle has no use for.
// https://learn.microsoft.com/graph/permissions-reference
var scopeIDs = map[string]string{
	"Application.Read.All":          "c79f8feb-a9db-4090-85f9-90d820caa0eb",
	"Directory.Read.All":            "06da0dbc-49e2-44d2-8312-53f166ab848a",
	"RoleManagement.Read.Directory": "741c54c3-0c1e-44a1-818b-3f97ab4e8c83",
}

// ClientPermissions lists what the program's own client asks for: what any
// sign-in of the program needs, so that one sign-in serves every service.
func ClientPermissions() []ClientPermission {
	var out []ClientPermission
	want := func(resource, name string) {
		api, _ := catalog.ResourceByAppID(resource)
		out = append(out, ClientPermission{api.Name, resource, name, delegatedID(resource, name)})
	}
	for _, name := range append(signInScopes(), "openid", "profile", "offline_access") {
		want(catalog.GraphAppID, name)
	}
	want(catalog.PartnerCenterAppID, "user_impersonation")
	want(catalog.ServiceMgmtAppID, "user_impersonation")
	return out
}

// signInScopes are all delegated Graph permissions any sign-in asks for.
func signInScopes() []string {
	a := state.DefaultAnswers()
	for _, i := range catalog.Integrations() {
		if !a.Has(i.ID) {
			a.Integrations = append(a.Integrations, i.ID)
		}
	}
	var out []string
	for _, kind := range []string{state.KindOwned, state.KindConnector} {
		a.Registration.Kind = kind
		for _, reads := range []bool{false, true} {
			for _, scope := range Scopes(a, reads) {
				if !slices.Contains(out, scope) {
					out = append(out, scope)
				}
			}
		}
	}
	return out
}

func delegatedID(resource, name string) string {
	for _, p := range catalog.Permissions() {
		if p.Resource == resource && p.Name == name && p.Kind == catalog.Delegated {
			return p.ID
		}
	}
	return scopeIDs[name]
}

// ClientRegistration is the registration of the program's own client, as Graph
// takes it: an app of its own, for this tenant only. The app Rewst uses must never
// be a public client: anybody could then start a device code sign-in in its name.
func ClientRegistration(name string) map[string]any {
	return wantClient(name, &Findings{}).registration()
}

// wantClient is what the tenant should hold for the client.
func wantClient(name string, f *Findings) desired {
	d := desired{
		answers: state.Answers{Registration: state.Registration{Kind: state.KindOwned, Name: name, Audience: state.AudienceSingle}},
		tag:     clientTag, why: "One sign-in with this client then serves Graph, Azure and Partner Center without asking again.",
		audience: "AzureADMyOrg", permissions: map[string][]wanted{},
	}
	for _, p := range ClientPermissions() {
		d.want(f, Entry{p.Resource, p.Name, catalog.Delegated}, p.ID)
	}
	d.order()
	return d
}

func (d desired) registration() map[string]any {
	return map[string]any{
		"displayName":            d.answers.Registration.Name,
		"signInAudience":         d.audience,
		"tags":                   []string{d.tag},
		"isFallbackPublicClient": true,
		"publicClient":           map[string]any{"redirectUris": []string{ClientRedirect}},
		"requiredResourceAccess": d.required(nil, nil),
	}
}

// InspectClient reads what the tenant holds of the program's own client: the app
// our journal made, or one that carries its mark. Apps of that name without it are
// in SameName.
func (s *Setup) InspectClient(ctx context.Context, name string, observe func(Event)) (*Findings, error) {
	if err := s.requireSignIn(); err != nil {
		return nil, err
	}
	f, err := s.inspectClient(ctx, name, observe)
	if err != nil {
		return nil, problem(err, "the tenant could not be inspected")
	}
	return f, nil
}

func (s *Setup) inspectClient(ctx context.Context, name string, observe func(Event)) (*Findings, error) {
	if observe == nil {
		observe = func(Event) {}
	}
	ctx = s.telling(ctx, observe)
	known, err := s.settleAll(ctx, observe)
	if err != nil {
		return nil, err
	}
	f := &Findings{}
	found, err := msclient.Until(ctx, s.showing("the client's app registration", observe), func(ctx context.Context) (bool, error) {
		*f = Findings{
			Cloud: s.client.Cloud(), Account: s.account, RoleIDs: slices.Clone(s.tokenRoles),
			Resources: map[string]Resource{}, Refused: known.refused, Made: known.made,
		}
		if err := s.readAll(ctx, s.clientRound(name, f, known)); err != nil {
			return false, err
		}
		known.forget(f)
		for id := range f.Resources {
			delete(f.Refused, id)
		}
		f.App = chooseApp(state.Answers{}, f)
		return f.App != nil || !known.client.seen, nil
	})
	switch {
	case err == nil && !found:
		return nil, &Problem{What: "the client that was just made is not shown yet", Do: "Wait a few minutes, then try again.", Retry: true}
	case err != nil:
		return nil, err
	}
	s.account, f.At = f.Account, s.client.Now()
	if f.App == nil {
		return f, nil
	}
	principal, err := s.principal(ctx, f.App.AppID, nil, observe)
	if err != nil {
		return nil, err
	}
	f.Principal = known.live(principal)
	return f, s.closeOpen(f)
}

// clientRound reads what the client's plan is made from.
func (s *Setup) clientRound(name string, f *Findings, known journaled) []reading {
	round := append(s.accountReadings(f), s.apiReading(f),
		s.appsReading("tags/any(t:t eq "+quote(clientTag)+")", func(app *Application) { f.ours = append(f.ours, app) }),
		s.appsReading("displayName eq "+quote(name), func(app *Application) {
			if !slices.Contains(app.Tags, clientTag) {
				f.SameName = append(f.SameName, app.AppSummary)
			}
		}))
	if id := known.client.object; id != "" {
		round = append(round, reading{
			path: query(applications+"/"+id, "$select", applicationFields), absent: func() {},
			take: takeOne(func(w wireApplication, raw json.RawMessage) { f.App = w.application(raw) }),
		})
	}
	return round
}

// MakeClientPlan works out what has to change so that the program's own client is
// there. It is a pure function; Apply carries it out.
func MakeClientPlan(name string, f *Findings) Plan {
	p := Plan{Tenant: f.Org.ID, TenantName: f.Org.Name, Account: f.Account.Username, client: true, findings: f, want: wantClient(name, f)}
	p.Answers = p.want.answers
	p.Notes = append(p.Notes, p.want.skipped...)
	planResources(&p)
	planClient(&p)
	planPrincipal(&p)
	planGrants(&p)
	for i := range p.Changes {
		p.Changes[i].Step, p.Changes[i].ID = stepClient, stepClient+"/"+p.Changes[i].ID
	}
	return p
}

// planClient brings the client's registration to what it has to be.
// https://learn.microsoft.com/graph/api/resources/application
func planClient(p *Plan) {
	d, app := p.want, p.findings.App
	body := d.registration()
	c := Change{
		ID: "app", Kind: KindApplication, Action: Create, Binds: refApp, Name: d.answers.Registration.Name,
		Object: fmt.Sprintf("app registration %q, a public client of this tenant", d.answers.Registration.Name),
		Why:    "This program signs in with it. It is kept apart from Rewst's app, which must not be a public client.",
		Method: "POST", Path: applications, Risk: RiskHigh, Reversible: true,
	}
	if app == nil {
		p.add(c, body)
		return
	}
	var raw struct {
		Public struct {
			RedirectURIs []string `json:"redirectUris"`
		} `json:"publicClient"`
	}
	_ = json.Unmarshal(app.Raw, &raw) // it was decoded from these bytes before
	required := d.required(app.Required, func(resource string, a ResourceAccess) bool {
		return d.asks(resource, a) || !p.findings.Made[madeListed(app.ObjectID, resource, a)]
	})
	for name, right := range map[string]bool{
		"displayName": true, "tags": slices.Contains(app.Tags, clientTag), // whatever else was put there stays
		"signInAudience": app.Audience == d.audience, "isFallbackPublicClient": app.PublicFallback,
		"publicClient": slices.Contains(raw.Public.RedirectURIs, ClientRedirect), "requiredResourceAccess": sameRequired(required, app.Required),
	} {
		if right {
			delete(body, name)
		}
	}
	if len(body) == 0 {
		return
	}
	for name, value := range map[string]any{
		"requiredResourceAccess": required, "tags": append(slices.Clone(app.Tags), clientTag),
		"publicClient": map[string]any{"redirectUris": append(raw.Public.RedirectURIs, ClientRedirect)},
	} {
		if _, wrong := body[name]; wrong {
			body[name] = value
		}
	}
	c.Action, c.Method, c.Path, c.Before, c.Binds = Update, "PATCH", applications+"/"+app.ObjectID, before(app.Raw, body), ""
	c.Name, c.Object = app.Name, fmt.Sprintf("app registration %q", app.Name)
	p.add(c, body)
}
