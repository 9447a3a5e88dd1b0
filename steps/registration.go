package steps

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"msbundle/catalog"
)

const stepRegistration = "registration"

// OfferSwap and the other ids name the offers a plan can make.
const (
	OfferSwap     = "swap-look-alike"
	OfferNarrow   = "narrow-audience"
	OfferExtras   = "remove-extras"
	OfferSecret   = "new-secret"
	graphAPI      = "/v1.0"
	applications  = graphAPI + "/applications"
	principals    = graphAPI + "/servicePrincipals"
	grants        = graphAPI + "/oauth2PermissionGrants"
	refApp        = "app"
	refPrincipal  = "sp"
	refResource   = "resource."
	audienceMulti = "AzureADMultipleOrgs"
)

// planApplication brings the app registration to the answers: creates it, or
// changes what differs. What others put on an existing app stays unless the
// person takes the offer to remove it.
// https://learn.microsoft.com/graph/api/resources/application
func planApplication(p *Plan) {
	d, app := p.want, p.findings.App
	if app == nil {
		p.add(Change{
			ID: "registration/app", Step: stepRegistration, Kind: KindApplication, Action: Create, Binds: refApp,
			Object: fmt.Sprintf("app registration %q", d.answers.Registration.Name),
			Why:    "Rewst signs in as this app; it lists what the app may ask for.",
			Method: "POST", Path: applications, Risk: RiskModerate, Reversible: true, Name: d.answers.Registration.Name,
		}, map[string]any{
			"displayName":    d.answers.Registration.Name,
			"signInAudience": d.audience,
			"tags":           []string{catalog.OwnTag},
			"web": map[string]any{
				"redirectUris":          []string{d.redirect},
				"implicitGrantSettings": map[string]bool{"enableIdTokenIssuance": true, "enableAccessTokenIssuance": false},
			},
			"isFallbackPublicClient": false,
			"requiredResourceAccess": d.required(nil, nil),
		})
		return
	}
	body, why := map[string]any{}, []string{}
	if app.Audience != d.audience {
		wide := app.Audience == audienceMulti || app.Audience == "AzureADandPersonalMicrosoftAccount"
		if d.audience == audienceMulti && app.Audience == "AzureADMyOrg" || wide && p.offer(Offer{
			ID: OfferNarrow, Risk: RiskHigh,
			Title: "Limit the app to " + audienceWords(d.audience),
			Why:   fmt.Sprintf("It is open to %s now. Whoever uses it from elsewhere would lose it.", audienceWords(app.Audience)),
		}) {
			body["signInAudience"] = d.audience
			why = append(why, "open it to "+audienceWords(d.audience))
		}
	}
	redirects := app.RedirectURIs
	if !slices.Contains(redirects, d.redirect) {
		redirects = append(slices.Clone(redirects), d.redirect)
		why = append(why, "add Rewst's redirect URI")
	}
	if !app.IDTokens {
		why = append(why, "issue ID tokens (without them signing in ends in AADSTS700054)")
	}
	if len(redirects) > len(app.RedirectURIs) || !app.IDTokens {
		body["web"] = wholeWeb(app, redirects)
	}
	if required := p.requiredOf(app); !sameRequired(required, app.Required) {
		body["requiredResourceAccess"] = required
		why = append(why, "list the chosen permissions")
	}
	if app.PublicFallback {
		p.note("The app allows public client flows. Anyone could start a device code sign-in in its name; consider turning that off in the portal.")
	}
	if len(body) == 0 {
		return
	}
	p.add(Change{
		ID: "registration/app", Step: stepRegistration, Kind: KindApplication, Action: Update,
		Object: fmt.Sprintf("app registration %q", app.Name), Why: sentence(why), Name: app.Name,
		Method: "PATCH", Path: applications + "/" + app.ObjectID, Risk: RiskModerate, Reversible: true,
		Before: before(app.Raw, body),
	}, body)
}

// wholeWeb is the app's web settings with ID tokens on and these redirect URIs.
// An update replaces the object whole: what is left out of it is lost.
func wholeWeb(app *Application, redirects []string) map[string]any {
	var raw struct {
		Web map[string]any `json:"web"`
	}
	_ = json.Unmarshal(app.Raw, &raw) // it was decoded from these bytes before
	web := sendable(raw.Web)
	web["redirectUris"] = redirects
	web["implicitGrantSettings"] = map[string]bool{"enableIdTokenIssuance": true, "enableAccessTokenIssuance": app.AccessTokens}
	return web
}

// sendable is what of an app's web settings, as they were read, can be written.
func sendable(read map[string]any) map[string]any {
	web := map[string]any{}
	for k, v := range read {
		// redirectUriSettings mirrors redirectUris and would contradict it.
		if v != nil && k != "redirectUriSettings" && !strings.Contains(k, "@odata") {
			web[k] = v
		}
	}
	return web
}

// requiredOf is the list of permissions an existing app should carry.
func (p *Plan) requiredOf(app *Application) []RequiredAccess {
	d := p.want
	swap := false
	var names []string
	for _, r := range app.Required {
		if l, ok := catalog.LookAlikeByAppID(r.ResourceAppID); ok {
			names = append(names, fmt.Sprintf("%s (%s)", l.Name, l.AppID))
		}
	}
	if len(names) > 0 {
		right, _ := catalog.ResourceByAppID(catalog.PartnerCenterAppID)
		swap = p.offer(Offer{
			ID: OfferSwap, Risk: RiskModerate,
			Title: "Take the wrong Partner Center API off the registration",
			Why:   fmt.Sprintf("It lists %s, which is easily taken for %s (%s) and does not work with Rewst.", strings.Join(names, " and "), right.Name, right.AppID),
		})
	}
	extras := p.extras()
	drop := len(extras.unmade) > 0 && p.offer(Offer{
		ID: OfferExtras, Risk: RiskHigh,
		Title: fmt.Sprintf("Remove %s the answers do not ask for", plural(len(extras.unmade), "permission")),
		Why:   "Somebody else put them there, and something may rely on them: " + some(extras.unmade) + ".",
	})
	return d.required(app.Required, func(resource string, a ResourceAccess) bool {
		if _, look := catalog.LookAlikeByAppID(resource); look {
			return !swap
		}
		if d.asks(resource, a) {
			return true
		}
		return !p.findings.Made[madeListed(app.ObjectID, resource, a)] && !drop
	})
}

// extraPermissions are permissions the app has that the answers do not ask for,
// by who put them there.
type extraPermissions struct {
	made   []string // ours, by the journal
	unmade []string // somebody else's
}

// extras names every permission that is granted or listed without being wanted.
func (p *Plan) extras() extraPermissions {
	f, d := p.findings, p.want
	seen := map[string]bool{}
	var out extraPermissions
	note := func(api, name string, kind catalog.Kind, made bool) {
		text := name + "/" + string(kind)
		if api != "" {
			text = api + " " + text
		}
		if seen[text] {
			return
		}
		seen[text] = true
		if made {
			out.made = append(out.made, text)
		} else {
			out.unmade = append(out.unmade, text)
		}
	}
	if f.App != nil {
		for _, r := range f.App.Required {
			api, known := f.Resources[r.ResourceAppID]
			if _, look := catalog.LookAlikeByAppID(r.ResourceAppID); look {
				continue
			}
			for _, a := range r.Access {
				if d.asks(r.ResourceAppID, a) {
					continue
				}
				kind := catalog.Delegated
				if a.Type == catalog.Application.ManifestType() {
					kind = catalog.Application
				}
				name := a.ID
				if known {
					if n := api.PermissionName(a.ID, kind); n != "" {
						name = n
					}
				}
				note(shortAPI(r.ResourceAppID), name, kind, f.Made[madeListed(f.App.ObjectID, r.ResourceAppID, a)])
			}
		}
	}
	for _, g := range p.extraScopes() {
		for _, s := range g.scopes {
			note(shortAPI(g.api.AppID), s, catalog.Delegated, f.Made[madeScope(p.principalRef(), g.api.AppID, s)])
		}
	}
	for _, x := range p.extraRoles() {
		note(shortAPI(x.api.AppID), x.name, catalog.Application, f.Made[madeRole(p.principalRef(), x.RoleID)])
	}
	return out
}

func shortAPI(appID string) string {
	if appID == catalog.GraphAppID {
		return ""
	}
	if r, ok := catalog.ResourceByAppID(appID); ok {
		return r.Name
	}
	return appID
}

func audienceWords(audience string) string {
	switch audience {
	case audienceMulti:
		return "any organisation"
	case "AzureADMyOrg":
		return "this tenant only"
	case "AzureADandPersonalMicrosoftAccount":
		return "any organisation and personal accounts"
	}
	return audience
}

// before keeps, of an object as it was read, the properties a change touches.
func before(raw json.RawMessage, body map[string]any) json.RawMessage {
	var all map[string]json.RawMessage
	if json.Unmarshal(raw, &all) != nil {
		return nil
	}
	kept := map[string]json.RawMessage{}
	for k := range body {
		if v, ok := all[k]; ok {
			kept[k] = v
		}
	}
	out, _ := json.Marshal(kept)
	return out
}

// sentence joins reasons: "Add this, issue that."
func sentence(parts []string) string {
	s := strings.Join(parts, ", ")
	if s == "" {
		return s
	}
	return UpperFirst(s) + "."
}

// some names a few of a list and counts the rest.
func some(names []string) string {
	const shown = 12
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
