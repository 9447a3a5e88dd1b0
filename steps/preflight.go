package steps

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
	"msbundle/state"
)

// Ids of the checks other code refers to.
const (
	CheckSecrets = "secrets"
	CheckAppID   = "app-id"
)

// maxSkew is how wrong this machine's clock may be before sign-ins suffer.
const maxSkew = 5 * time.Minute

// Preflight checks whether the setup can be done with these answers in this
// tenant by this account. It is a pure function of what was found.
func Preflight(a state.Answers, f *Findings) []Check {
	checks := []Check{
		checkTenant(f), checkAccount(f), checkMFA(f), checkClock(f),
	}
	if a.Registration.Kind == state.KindConnector {
		return append(checks, checkConnector(f), checkPermissions(a, f))
	}
	checks = append(checks, checkRoles(a, f), checkApp(a, f), checkSecrets(a, f), checkAPIs(a, f), checkPermissions(a, f), checkLength(a, f))
	if c, found := checkLookAlike(f); found {
		checks = append(checks, c)
	}
	return checks
}

func checkTenant(f *Findings) Check {
	c := Check{ID: "tenant", Title: "Tenant", Evidence: fmt.Sprintf("%s (%s), %s", f.Org.Name, f.Org.DefaultDomain, f.Org.ID)}
	if !f.Cloud.Vendor {
		c.State, c.Evidence = Warned, c.Evidence+", in "+f.Cloud.Name
		c.Fix = "Rewst documents its bundle for Microsoft's global cloud only. Ask Rewst before you rely on it here."
	}
	return c
}

func checkAccount(f *Findings) Check {
	c := Check{ID: "account", Title: "Account", Evidence: f.Account.Username + ", a member of this tenant"}
	if f.Account.Guest {
		c.State, c.Blocks, c.Evidence = Failed, true, f.Account.Username+" is a guest in this tenant"
		c.Fix = "Sign in with an account that lives in this tenant. Consent given by a guest is refused later."
	}
	return c
}

func checkMFA(f *Findings) Check {
	c := Check{ID: "mfa", Title: "Multifactor authentication", Evidence: "The sign-in was made with it"}
	if !f.Account.MFA {
		c.State, c.Evidence = Warned, "The sign-in was made without it"
		c.Fix = "The setup works, but the account that later authorises in Rewst must use Microsoft's multifactor authentication."
	}
	return c
}

func checkClock(f *Findings) Check {
	c := Check{ID: "clock", Title: "Clock of this machine", Evidence: "Right to within a few minutes"}
	if f.Skew.Abs() > maxSkew {
		direction := "behind"
		if f.Skew < 0 {
			direction = "ahead"
		}
		c.State, c.Evidence = Warned, fmt.Sprintf("%s %s Microsoft's", f.Skew.Abs().Round(time.Minute), direction)
		c.Fix = "Set the clock of this machine. Sign-ins and expiry dates depend on it; the plan uses Microsoft's time."
	}
	return c
}

// checkRoles holds the person's directory roles against what the writes need.
// https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
func checkRoles(a state.Answers, f *Findings) Check {
	c := Check{ID: "roles", Title: "Directory roles"}
	has := func(ids ...string) bool {
		return slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(f.RoleIDs, id) })
	}
	global := has(catalog.RoleGlobalAdministrator)
	apps := has(catalog.RoleApplicationAdministrator, catalog.RoleCloudApplicationAdministrator)
	privileged := has(catalog.RolePrivilegedRoleAdministrator)
	graphRoles := len(desire(a, f).roles(catalog.GraphAppID)) > 0
	switch {
	case global:
		c.Evidence = "Global Administrator"
	case apps && (privileged || !graphRoles):
		c.Evidence = "Enough for everything in this setup"
	case f.RolesUnknown:
		c.State, c.Evidence = Unknown, "Not every role of this account could be read"
		c.Fix = "The setup goes on; where a role is missing, Microsoft refuses the write and nothing else is lost. A Global Administrator has all of them."
	case apps:
		c.State, c.Blocks, c.Evidence = Failed, true, "May register apps, but not grant application permissions of Microsoft Graph"
		c.Fix = "Sign in with a Global Administrator, or add the role Privileged Role Administrator to this account and sign in again."
	default:
		c.State, c.Blocks, c.Evidence = Failed, true, "No active role that may register apps and grant permissions"
		c.Fix = "Sign in with a Global Administrator. A role that is only eligible (Privileged Identity Management) has to be activated first, and then sign in again."
	}
	return c
}

// checkApp tells which app the setup works on. Apps of the chosen name that are
// not ours are for the person to decide about.
func checkApp(a state.Answers, f *Findings) Check {
	c := Check{ID: CheckSameName, Title: "App registration"}
	switch {
	case f.App != nil && f.App.Audience == "PersonalMicrosoftAccount":
		c.ID, c.State, c.Blocks = CheckAppID, Failed, true
		c.Evidence = fmt.Sprintf("%q is for personal Microsoft accounts only", f.App.Name)
		c.Fix = "Such an app cannot be opened to organisations. Use another one, or create one."
	case a.Registration.AppID != "":
		c.ID = CheckAppID
		if f.App == nil {
			c.State, c.Blocks = Failed, true
			c.Evidence = fmt.Sprintf("There is no app registration with the client id %s in this tenant", a.Registration.AppID)
			c.Fix = "Check the id: it is the Application (client) ID on the app's overview page, not the object id, and the app must live in this tenant. Correct it under App registration."
			return c
		}
		c.Evidence = fmt.Sprintf("%q exists and is brought to the answers; what others put there stays", f.App.Name)
	case f.App != nil:
		c.Evidence = fmt.Sprintf("%q was made by an earlier run and is brought to the answers", f.App.Name)
		if n := len(f.ours); n > 1 {
			c.State = Warned
			c.Evidence = fmt.Sprintf("%d apps called %q carry our mark; the oldest (%s) is used", n, f.App.Name, f.App.AppID)
			c.Fix = "Delete the others in the portal when nothing uses them, or name the right one by its client id."
		}
	case len(f.SameName) > 0:
		c.State, c.Blocks = Failed, true
		var ids []string
		for _, s := range f.SameName {
			ids = append(ids, s.AppID)
		}
		c.Evidence = fmt.Sprintf("%s called %q already, with client id %s", pluralExist(len(f.SameName)), a.Registration.Name, strings.Join(ids, ", "))
		c.Fix = "This program did not make it. Adopt it by its client id, choose another name, or stop."
		if len(ids) > 1 {
			c.Fix = "This program did not make them. Adopt one by its client id, choose another name, or stop."
		}
	default:
		c.Evidence = fmt.Sprintf("No app is called %q yet; it is created", a.Registration.Name)
	}
	return c
}

func pluralExist(n int) string {
	if n == 1 {
		return "There is an app"
	}
	return fmt.Sprintf("There are %d apps", n)
}

func checkSecrets(a state.Answers, f *Findings) Check {
	c := Check{ID: CheckSecrets, Title: "Client secrets", Evidence: "Allowed, for up to 24 months"}
	switch {
	case f.App != nil && slices.ContainsFunc(f.App.Passwords, func(p PasswordFound) bool { return ownLive(p, f.At) }):
		c.Evidence = "The app has the one of an earlier run"
	case !f.Secrets.Known:
		c.State, c.Evidence = Unknown, "The tenant's app management policy could not be read"
		c.Fix = "The setup goes on; should the policy forbid secrets, the last step says so and nothing else is lost."
	case f.Secrets.Forbidden && f.Secrets.Own:
		c.State, c.Evidence = Warned, "The tenant's policy forbids them; this app has a policy of its own, which may allow them"
		c.Fix = "The setup goes on; should the app's policy forbid them too, the last step says so and nothing else is lost."
	case f.Secrets.Forbidden:
		c.State, c.Blocks, c.Evidence = Failed, true, "The tenant's app management policy forbids new client secrets"
		c.Fix = "Rewst needs one. Have the app exempted (Entra admin center, App management policies), then look again. " +
			"An app that does not exist yet is made without a secret first: 'msbundle apply' without --secret-out."
	case f.Secrets.MaxLifetime > 0 && f.Secrets.MaxLifetime < SecretLifetime:
		days := int(f.Secrets.MaxLifetime / (24 * time.Hour))
		c.State, c.Evidence = Warned, fmt.Sprintf("The tenant's policy lets a secret live %d days", days)
		c.Fix = "The secret is made for that long. Renew it in time, or Rewst stops working."
	}
	return c
}

func checkAPIs(a state.Answers, f *Findings) Check {
	c := Check{ID: "apis", Title: "Microsoft APIs"}
	var missing, refused []string
	sel, _ := Select(a)
	for _, r := range catalog.Resources() {
		wanted := slices.ContainsFunc(sel.Chosen(), func(p catalog.Permission) bool { return p.Resource == r.AppID })
		if !wanted {
			continue
		}
		if _, no := f.Refused[r.AppID]; no {
			refused = append(refused, r.Name)
		} else if _, ok := f.Resources[r.AppID]; !ok {
			missing = append(missing, r.Name)
		}
	}
	switch {
	case len(refused) > 0:
		c.State, c.Evidence = Warned, "Not offered in this tenant: "+strings.Join(refused, ", ")
		c.Fix = "Their permissions are left out. A licence or subscription may be missing; add it and run again, or leave the integration out."
	case slices.Contains(missing, partnerCenter()):
		c.State, c.Evidence = Warned, "Microsoft Partner Center is not in this tenant, which a partner's tenant has"
		c.Fix = "When this is no Microsoft partner (CSP), leave Microsoft CSP out. Otherwise go on: the plan asks for the API, and Microsoft may say no."
	case len(missing) > 0:
		c.Evidence = "Not in this tenant yet, so the plan provisions them: " + strings.Join(missing, ", ")
	default:
		c.Evidence = "All there"
	}
	return c
}

func partnerCenter() string {
	r, _ := catalog.ResourceByAppID(catalog.PartnerCenterAppID)
	return r.Name
}

func checkPermissions(a state.Answers, f *Findings) Check {
	c := Check{ID: "permissions", Title: "Permissions"}
	d := desire(a, f)
	total := 0
	for _, list := range d.permissions {
		total += len(list)
	}
	c.Evidence = fmt.Sprintf("%d, each looked up in this tenant", total)
	var out []string
	for _, n := range d.skipped {
		if n.Permission != "" {
			out = append(out, n.Permission)
		}
	}
	if len(out) > 0 {
		c.State = Warned
		c.Evidence = fmt.Sprintf("%d; left out: %s", total, strings.Join(out, ", "))
		c.Fix = "This tenant does not publish them: the name is unknown, was retired, or its API is not offered. The plan gives the reason for each."
	}
	return c
}

// checkLength holds the longest scope string, with what others granted already,
// against the limits.
func checkLength(a state.Answers, f *Findings) Check {
	c := Check{ID: "length", Title: "Length of the delegated permissions"}
	p := Plan{findings: f, want: desire(a, f)}
	longest, total, api := 0, 0, ""
	for _, id := range p.want.resources {
		var existing []string
		for _, g := range p.grantsFor(id) {
			existing = append(existing, g.Scopes...)
		}
		total += len(p.want.permissions[id])
		if n := len([]rune(strings.Join(p.mergeScopes(id, existing, p.want.scopes(id)), " "))); n > longest {
			r, _ := catalog.ResourceByAppID(id)
			longest, api = n, r.Name
		}
	}
	c.Evidence = fmt.Sprintf("%d of %d characters (%d of %d bytes) for %s", longest, catalog.ScopeCharLimit, 2*longest, catalog.ScopeByteLimit, api)
	switch {
	case longest > catalog.ScopeCharLimit || 2*longest > catalog.ScopeByteLimit:
		c.State, c.Blocks = Failed, true
		c.Fix = "Go back to the permissions and leave some delegated ones out; those a chosen ReadWrite covers come first."
	case total > catalog.ManifestPermissionLimit:
		c.State, c.Blocks = Failed, true
		c.Evidence = fmt.Sprintf("%d permissions; an app may list %d", total, catalog.ManifestPermissionLimit)
		c.Fix = "Go back to the permissions and leave some out."
	}
	return c
}

func checkLookAlike(f *Findings) (Check, bool) {
	if f.App == nil {
		return Check{}, false
	}
	for _, r := range f.App.Required {
		if l, ok := catalog.LookAlikeByAppID(r.ResourceAppID); ok {
			return Check{
				ID: "look-alike", Title: "Partner Center API", State: Warned,
				Evidence: fmt.Sprintf("The app lists %s (%s), which does not work with Rewst", l.Name, l.AppID),
				Fix:      "The right one is added when CSP is chosen; the plan offers to take the wrong one off.",
			}, true
		}
	}
	return Check{}, false
}

func checkConnector(f *Findings) Check {
	c := Check{ID: "connector", Title: catalog.VendorConnectorName, Evidence: "The enterprise application is in this tenant"}
	if f.Connector == nil {
		c.State, c.Evidence = Warned, "The enterprise application is not in this tenant yet"
		c.Fix = "Authorise it in Rewst (Marketplace, Integrations, Microsoft Cloud Bundle), then look again."
	}
	return c
}
