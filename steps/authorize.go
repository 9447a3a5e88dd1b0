package steps

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
)

const (
	stepPermissions = "permissions"
	stepAuthorize   = "authorize"
)

// SecretLifetime is how long a client secret lives unless the tenant's policy
// allows less: the longest the portal offers.
const SecretLifetime = 2 * 365 * 24 * time.Hour

// planResources provisions the APIs that permissions are wanted of and the tenant
// does not have.
// https://learn.microsoft.com/graph/api/serviceprincipal-post-serviceprincipals
func planResources(p *Plan) {
	for _, id := range p.want.resources {
		if _, present := p.findings.Resources[id]; present {
			continue
		}
		api, _ := catalog.ResourceByAppID(id)
		p.add(Change{
			ID: "permissions/resource/" + api.Prefix, Step: stepPermissions, Kind: KindResource, Action: Create, Binds: refResource + id,
			Object: "service principal of " + api.Name,
			Why:    "The tenant does not have this API yet; its permissions cannot be granted before.",
			Method: "POST", Path: principals, Risk: RiskLow, Reversible: true, Name: id,
		}, map[string]string{"appId": id})
	}
}

// planPrincipal makes the app usable in its own tenant.
func planPrincipal(p *Plan) {
	if p.findings.Principal != nil {
		return
	}
	appID := "${app.appId}"
	if p.findings.App != nil {
		appID = p.findings.App.AppID
	}
	p.add(Change{
		ID: "authorize/principal", Step: stepAuthorize, Kind: KindPrincipal, Action: Create, Binds: refPrincipal,
		Object: fmt.Sprintf("enterprise application (service principal) of %q", p.want.answers.Registration.Name),
		Why:    "Permissions are granted to it, and the portal shows it under enterprise applications.",
		Method: "POST", Path: principals, Risk: RiskModerate, Reversible: true, Name: appID,
	}, map[string]any{"appId": appID, "tags": []string{catalog.PortalTag, p.want.tag}})
}

// principalRef is the app's service principal: its id, or the reference to it.
func (p *Plan) principalRef() string {
	if p.findings.Principal != nil {
		return p.findings.Principal.ObjectID
	}
	return "${" + refPrincipal + ".id}"
}

// resourceRef is an API's service principal: its id, or the reference to it.
func (p *Plan) resourceRef(appID string) string {
	if r, ok := p.findings.Resources[appID]; ok {
		return r.ObjectID
	}
	return "${" + refResource + appID + ".id}"
}

// planGrants consents to the delegated permissions for the whole tenant: one
// grant an API. Scopes that others added stay in the grant.
// https://learn.microsoft.com/graph/api/oauth2permissiongrant-post
func planGrants(p *Plan) {
	for _, id := range p.want.resources {
		scopes := p.want.scopes(id)
		if len(scopes) == 0 {
			continue
		}
		api, _ := catalog.ResourceByAppID(id)
		c := Change{
			ID: "authorize/grant/" + api.Prefix, Step: stepAuthorize, Kind: KindGrant, Action: Add,
			Object: fmt.Sprintf("%s of %s, for every user of the tenant", plural(len(scopes), "delegated permission"), api.Name),
			Why:    p.want.why,
			Risk:   p.riskOf(id, catalog.Delegated), Reversible: true, Name: id,
		}
		have := p.grantsFor(id)
		if len(have) == 0 {
			c.Method, c.Path = "POST", grants
			p.add(c, map[string]string{
				"clientId": p.principalRef(), "consentType": "AllPrincipals", "resourceId": p.resourceRef(id), "scope": strings.Join(scopes, " "),
			})
			continue
		}
		// Old tenants hold several grants for one pair: the first takes them all.
		var existing []string
		for _, g := range have {
			existing = append(existing, g.Scopes...)
		}
		full := p.mergeScopes(id, existing, scopes)
		if !sameSet(full, have[0].Scopes) {
			c.Action, c.Method, c.Path, c.Before = Update, "PATCH", grants+"/"+have[0].ID, have[0].Raw
			if len(have) > 1 { // what stood in another one is not ours
				c.Before = withScopes(c.Before, existing)
			}
			c.Object = fmt.Sprintf("delegated permissions of %s: %s", api.Name, difference(have[0].Scopes, full))
			p.add(c, map[string]string{"scope": strings.Join(full, " ")})
		}
		for i, g := range have[1:] {
			p.add(Change{
				ID: fmt.Sprintf("authorize/grant/%s/duplicate-%d", api.Prefix, i+1), Step: stepAuthorize, Kind: KindGrant, Action: Delete,
				Object: "second grant for " + api.Name, Why: "Its permissions are in the first one; two grants for one API contradict each other sooner or later.",
				Method: "DELETE", Path: grants + "/" + g.ID, Risk: RiskLow, Reversible: true, Before: g.Raw, Name: id,
			}, nil)
		}
	}
	p.planGrantRemovals()
}

// withScopes is a grant as it was read, with these permissions.
func withScopes(grant json.RawMessage, scopes []string) json.RawMessage {
	out := filled(grant)
	out["scope"] = strings.Join(scopes, " ")
	return encodeAny(out)
}

// rebaseGrants brings changes of grants to what the grants hold by now: the service
// replaces all of it, and what somebody else gave since the plan was made has to stay.
// The grant of a consent made a moment ago holds what that gave.
func (e *engine) rebaseGrants(ctx context.Context, changes []Change) ([]Change, error) {
	read := map[string]*Principal{}
	var round []reading
	changes = slices.Clone(changes)
	for i := range changes {
		c := &changes[i]
		if c.Before == nil {
			c.Before = withScopes(encode(map[string]string{"clientId": e.refs[refPrincipal+".id"], "resourceId": e.apis[c.Name].ObjectID}), bootstrapScopes)
			continue
		}
		if id := written(c.Before).ClientID; id != "" && read[id] == nil && c.Action != Delete {
			read[id] = &Principal{ObjectID: id}
			round = append(round, e.grantReadings(read[id])[0])
			round[len(round)-1].absent = func() {}
		}
	}
	if err := e.readAll(ctx, round); err != nil {
		return nil, problem(err, lowerFirst(changes[0].Describe())+" was not done: what the app has could not be read")
	}
	for i := range changes {
		e.rebaseGrant(&changes[i], read)
	}
	return changes, nil
}

// rebaseGrant does it for one. What is wanted is given again where it was taken away
// meanwhile; of several grants for one pair the first takes up what the others hold.
func (e *engine) rebaseGrant(c *Change, read map[string]*Principal) {
	before := written(c.Before)
	p := read[before.ClientID]
	if p == nil || c.Action == Delete {
		return
	}
	var now []string
	var raw json.RawMessage
	for _, g := range p.Grants {
		mine := c.Path == grants+"/"+g.ID
		if mine {
			raw = g.Raw
		}
		if mine || c.Action == Update && c.Step != stepUndo && g.ResourceID == before.ResourceID {
			now = union(now, g.Scopes)
		}
	}
	if raw == nil { // the write will tell
		return
	}
	planned := written(c.Body).Scope
	rest := scopesBack(planned, before.Scope, now)
	for _, s := range e.plan.want.scopes(c.Name) {
		if containsFold(strings.Fields(planned), s) {
			rest = union(rest, []string{s})
		}
	}
	c.Before, c.Method, c.Body = withScopes(raw, now), "PATCH", encode(map[string]string{"scope": strings.Join(rest, " ")})
	if len(rest) == 0 {
		c.Method, c.Body = "DELETE", nil
	}
}

// mergeScopes is what a grant should hold: what is there, without what is to be
// removed, and what is wanted.
func (p *Plan) mergeScopes(resource string, existing, want []string) []string {
	var out []string
	for _, s := range existing {
		extra := !containsFold(want, s) && !p.stays(resource, s)
		if extra && (p.options.Ticked[OfferExtras] || p.findings.Made[madeScope(p.principalRef(), resource, s)]) {
			continue
		}
		if !containsFold(out, s) {
			out = append(out, s)
		}
	}
	for _, s := range want {
		if !containsFold(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// planGrantRemovals takes back grants for APIs nothing is wanted of any more.
func (p *Plan) planGrantRemovals() {
	for _, x := range p.extraScopes() {
		_, look := catalog.LookAlikeByAppID(x.api.AppID)
		if len(p.want.scopes(x.api.AppID)) > 0 {
			continue // the grant of a wanted API was dealt with
		}
		var rest []string
		for _, s := range x.scopes {
			drop := look && p.options.Ticked[OfferSwap] || !look && (p.options.Ticked[OfferExtras] || p.findings.Made[madeScope(p.principalRef(), x.api.AppID, s)])
			if !drop {
				rest = append(rest, s)
			}
		}
		if len(rest) == len(x.scopes) {
			continue
		}
		c := Change{
			ID: "authorize/grant/" + x.api.AppID + "/" + x.grant.ID, Step: stepAuthorize, Kind: KindGrant, Action: Remove,
			Object: fmt.Sprintf("delegated permissions of %s: %s", x.api.Name, difference(x.scopes, rest)),
			Why:    "The answers do not ask for them any more.", Path: grants + "/" + x.grant.ID,
			Risk: RiskModerate, Reversible: true, Before: x.grant.Raw, Name: x.api.AppID,
		}
		if len(rest) == 0 {
			c.Method = "DELETE"
			p.add(c, nil)
			continue
		}
		c.Method = "PATCH"
		p.add(c, map[string]string{"scope": strings.Join(rest, " ")})
	}
}

// planRoles grants the application permissions, each by itself.
// https://learn.microsoft.com/graph/api/serviceprincipal-post-approleassignedto
func planRoles(p *Plan) {
	for _, id := range p.want.resources {
		api, _ := catalog.ResourceByAppID(id)
		for _, w := range p.want.roles(id) {
			if p.assigned(id, w.id) {
				continue
			}
			p.add(Change{
				ID: "authorize/role/" + api.Prefix + "/" + w.name, Step: stepAuthorize, Kind: KindRole, Action: Add,
				Object: fmt.Sprintf("%s, application permission of %s", w.name, api.Name),
				Why:    whyPermission(id, w), Risk: riskOfPermission(id, w), Reversible: true, Name: w.id,
				Method: "POST", Path: principals + "/" + p.resourceRef(id) + "/appRoleAssignedTo",
			}, map[string]string{"principalId": p.principalRef(), "resourceId": p.resourceRef(id), "appRoleId": w.id})
		}
	}
	for _, x := range p.extraRoles() {
		if !p.options.Ticked[OfferExtras] && !p.findings.Made[madeRole(p.principalRef(), x.RoleID)] {
			continue
		}
		p.add(Change{
			ID: "authorize/role/" + x.api.AppID + "/" + x.name + "/remove", Step: stepAuthorize, Kind: KindRole, Action: Remove,
			Object: fmt.Sprintf("%s, application permission of %s", x.name, x.api.Name),
			Why:    "The answers do not ask for it any more.", Risk: RiskModerate, Reversible: true, Name: x.RoleID,
			Method: "DELETE", Path: principals + "/" + x.ResourceID + "/appRoleAssignedTo/" + x.ID,
			Before: encode(map[string]string{"principalId": p.principalRef(), "resourceId": x.ResourceID, "appRoleId": x.RoleID}),
		}, nil)
	}
}

// planSecret makes the client secret, last of all, and takes away one that was
// made in an earlier run and never reached anybody.
// https://learn.microsoft.com/graph/api/application-addpassword
func planSecret(p *Plan) {
	f := p.findings
	path := applications + "/${app.id}"
	if f.App != nil {
		path = applications + "/" + f.App.ObjectID
	}
	for _, left := range f.Left {
		p.add(Change{
			ID: "authorize/secret/" + left.KeyID + "/remove", Step: stepAuthorize, Kind: KindSecret, Action: Remove,
			Object: fmt.Sprintf("client secret %q that was never delivered", left.Name),
			Why:    "An earlier run made it and ended before anybody received it.", Name: left.Name,
			Method: "POST", Path: path + "/removePassword", Risk: RiskLow, Reversible: false,
		}, map[string]string{"keyId": left.KeyID})
	}
	if !p.options.Secret {
		p.SecretNote = "No client secret is made: there is nowhere to deliver it. Name a place with --secret-out, or use the wizard."
		p.note("%s", p.SecretNote)
		return
	}
	if p.hasSecret() {
		if !p.offer(Offer{
			ID: OfferSecret, Risk: RiskHigh, Title: "Make another client secret",
			Why: "The value of the one there is cannot be read again. Take this when it was lost; enter the new one in Rewst, then delete the old one in the portal.",
		}) {
			p.note("%s", p.SecretNote)
			return
		}
		p.SecretNote = ""
	}
	p.add(Change{
		ID: "authorize/secret", Step: stepAuthorize, Kind: KindSecret, Action: Create, Binds: "secret",
		Object: "client secret, valid until " + p.secretEnd().Format(time.DateOnly),
		Why: "Rewst proves with it that it is the app. It is shown once. Should its answer be lost on the way, the secret is " +
			"found by its name, removed, and made again.",
		Method: "POST", Path: path + "/addPassword", Risk: RiskHigh, Reversible: true, Name: secretPrefix,
	}, map[string]any{"passwordCredential": map[string]string{
		"displayName": secretPrefix + Generated, "endDateTime": p.secretEnd().Format(time.RFC3339),
	}})
}

// secretPrefix begins the name of every client secret this program makes.
const secretPrefix = "msbundle "

// hasSecret tells whether somebody holds a client secret of ours for the app, and
// notes why no other is made.
func (p *Plan) hasSecret() bool {
	f := p.findings
	if f.App != nil {
		for _, s := range f.App.Passwords {
			if ownLive(s, f.At) {
				p.SecretNote = fmt.Sprintf("The app has the client secret %q of an earlier run, valid until %s. Its value was shown then and cannot be read again.", s.Name, s.Expires.Format(time.DateOnly))
				return true
			}
		}
	}
	if f.FreshSecret {
		p.SecretNote = "An earlier run delivered the app's client secret; its value cannot be read again."
	}
	return f.FreshSecret
}

// ownLive tells whether a secret is one of ours that still serves.
func ownLive(p PasswordFound, now time.Time) bool {
	return strings.HasPrefix(p.Name, secretPrefix) && p.Expires.After(now)
}

// secretEnd is when a new secret expires: as late as the tenant allows.
func (p *Plan) secretEnd() time.Time {
	life := SecretLifetime
	if limit := p.findings.Secrets.MaxLifetime; limit > 0 && limit < life {
		life = limit - time.Hour // the clocks of the two sides differ a little
	}
	return p.findings.At.Add(life).UTC().Truncate(time.Second)
}

func (p *Plan) grantsFor(resource string) []Grant {
	if g := p.consentedGrant(); g != nil && resource == catalog.GraphAppID {
		return []Grant{*g}
	}
	r, present := p.findings.Resources[resource]
	if p.findings.Principal == nil || !present {
		return nil
	}
	var out []Grant
	for _, g := range p.findings.Principal.Grants {
		if g.ResourceID == r.ObjectID {
			out = append(out, g)
		}
	}
	return out
}

func (p *Plan) assigned(resource, roleID string) bool {
	r, present := p.findings.Resources[resource]
	if p.findings.Principal == nil || !present {
		return false
	}
	return slices.ContainsFunc(p.findings.Principal.Assignments, func(a Assignment) bool {
		return a.ResourceID == r.ObjectID && a.RoleID == roleID
	})
}

// extraScope is a delegated grant that holds more than is wanted.
type extraScope struct {
	api    Resource
	grant  Grant
	scopes []string
}

func (p *Plan) extraScopes() []extraScope {
	if p.findings.Principal == nil {
		return nil
	}
	var out []extraScope
	for _, g := range p.findings.Principal.Grants {
		api, known := p.apiByObject(g.ResourceID)
		if !known {
			continue // an API outside the setup is none of its business
		}
		want := p.want.scopes(api.AppID)
		var more []string
		for _, s := range g.Scopes {
			if !containsFold(want, s) && !p.stays(api.AppID, s) {
				more = append(more, s)
			}
		}
		if len(more) > 0 {
			out = append(out, extraScope{api, g, more})
		}
	}
	return out
}

// extraRole is an application permission that is granted and not wanted.
type extraRole struct {
	Assignment
	api  Resource
	name string
}

func (p *Plan) extraRoles() []extraRole {
	if p.findings.Principal == nil {
		return nil
	}
	var out []extraRole
	wanted := map[string]bool{} // by API and id
	for api, list := range p.want.permissions {
		for _, w := range list {
			wanted[api+string(w.kind)+w.id] = true
		}
	}
	for _, a := range p.findings.Principal.Assignments {
		api, known := p.apiByObject(a.ResourceID)
		if !known || a.RoleID == defaultAccess || wanted[api.AppID+string(catalog.Application)+a.RoleID] {
			continue
		}
		name := api.PermissionName(a.RoleID, catalog.Application)
		if name == "" {
			name = a.RoleID
		}
		out = append(out, extraRole{a, api, name})
	}
	return out
}

// defaultAccess is the app role id of an assignment without a role.
const defaultAccess = "00000000-0000-0000-0000-000000000000"

func (p *Plan) apiByObject(objectID string) (Resource, bool) {
	for _, r := range p.findings.Resources {
		if r.ObjectID == objectID {
			return r, true
		}
	}
	return Resource{}, false
}

// Keys of Findings.Made: what we did for one app says nothing about another.
func madeRole(principal, roleID string) string {
	return "role " + principal + " " + strings.ToLower(roleID)
}

func madeScope(principal, resource, scope string) string {
	return "scope " + principal + " " + resource + " " + strings.ToLower(scope)
}

func madeListed(app, resource string, a ResourceAccess) string {
	return "listed " + app + " " + resource + " " + a.ID + " " + a.Type
}

func whyPermission(resource string, w wanted) string {
	for _, p := range catalog.Permissions() {
		if p.Resource == resource && p.Name == w.name && p.Kind == w.kind {
			return UpperFirst(p.UsedFor) + "."
		}
	}
	return "Asked for in the answers."
}

func riskOfPermission(resource string, w wanted) Risk {
	for _, p := range catalog.Permissions() {
		if p.Resource == resource && p.Name == w.name && p.Kind == w.kind && p.Privilege > 0 {
			return Risk(p.Privilege)
		}
	}
	return RiskHigh
}

func (p *Plan) riskOf(resource string, kind catalog.Kind) Risk {
	risk := RiskLow
	for _, w := range p.want.permissions[resource] {
		if w.kind == kind {
			risk = max(risk, riskOfPermission(resource, w))
		}
	}
	return risk
}

func containsFold(list []string, s string) bool {
	return slices.ContainsFunc(list, func(x string) bool { return strings.EqualFold(x, s) })
}

func sameSet(a, b []string) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(s string) bool { return !containsFold(b, s) })
}

// difference tells how many scopes come and go.
func difference(have, want []string) string {
	var parts []string
	added, removed := 0, 0
	for _, s := range want {
		if !containsFold(have, s) {
			added++
		}
	}
	for _, s := range have {
		if !containsFold(want, s) {
			removed++
		}
	}
	if added > 0 {
		parts = append(parts, fmt.Sprintf("%d added", added))
	}
	if removed > 0 {
		parts = append(parts, fmt.Sprintf("%d removed", removed))
	}
	return strings.Join(parts, ", ")
}
