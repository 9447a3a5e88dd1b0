package steps

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/state"
)

// checkApp tells which app the setup works on. Apps of the chosen name that are
// not ours are for the person to decide about.
func checkApp(a state.Answers, f *Findings) Check {
	c := Check{ID: CheckSameName, Title: "App registration", Answer: "registration.appId"}
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

// checkAppState looks at settings of an app that is already there which the plan
// leaves alone, and names those it brings in line.
func checkAppState(a state.Answers, f *Findings) Check {
	c := Check{ID: "app-state", Title: "The app's own settings", Evidence: "It is created with the right ones"}
	app := f.App
	if app == nil {
		return c
	}
	d := desire(a, f)
	var wrong, fix, planned []string
	if f.Principal != nil && f.Principal.Disabled {
		c.State = Failed
		wrong = append(wrong, "sign-ins to it are switched off")
		fix = append(fix, "Switch them on (enterprise application, Properties), or Rewst's sign-in ends in AADSTS7000112.")
	}
	if f.Principal != nil && f.Principal.Assigned {
		wrong = append(wrong, "only people it is assigned to can sign in")
		fix = append(fix, "Assign the account that authorises in Rewst (enterprise application, Users and groups), or its sign-in ends in AADSTS50105.")
	}
	if app.PublicFallback {
		wrong = append(wrong, "it allows public client flows")
		fix = append(fix, "Switch them off (app registration, Authentication): with them anybody can begin a sign-in in this app's name.")
	}
	switch {
	case app.Audience == d.audience:
	case d.audience == audienceMulti && app.Audience == "AzureADMyOrg":
		planned = append(planned, "who can use it")
	default:
		wrong = append(wrong, "it is open to "+audienceWords(app.Audience))
		fix = append(fix, "The plan offers to limit it to "+audienceWords(d.audience)+"; whoever uses it from elsewhere would lose it.")
	}
	if !slices.Contains(app.RedirectURIs, d.redirect) {
		planned = append(planned, "the redirect URI")
	}
	if !app.IDTokens {
		planned = append(planned, "ID tokens")
	}
	c.Evidence = "As they should be"
	if len(planned) > 0 {
		c.Evidence = "The plan brings in line: " + strings.Join(planned, ", ")
	}
	if len(wrong) > 0 {
		c.State = max(c.State, Warned)
		c.Evidence = sentence(wrong) + " " + c.Evidence
		c.Fix = strings.Join(fix, " ")
	}
	return c
}

// restorable is how long a deleted app can be restored.
// https://learn.microsoft.com/entra/identity-platform/howto-remove-app#restore-applications
const restorable = 30 * 24 * time.Hour

// checkDeleted tells of a deleted app of the chosen name: it may be the one that
// is missed.
func checkDeleted(a state.Answers, f *Findings) Check {
	c := Check{ID: "deleted", Title: "Deleted apps", Evidence: fmt.Sprintf("None called %q can be restored", a.Registration.Name)}
	if u, missing := f.unread(PartDeleted); missing {
		return c.unknown(u)
	}
	if len(f.Deleted) == 0 {
		return c
	}
	var which []string
	for _, d := range f.Deleted {
		which = append(which, fmt.Sprintf("%s, until %s", d.AppID, d.Deleted.Add(restorable).Format(time.DateOnly)))
	}
	c.State, c.Evidence = Warned, fmt.Sprintf("Called %q, and can be restored: %s", a.Registration.Name, strings.Join(which, "; "))
	c.Fix = "When Rewst used it, restore it (Entra admin center, App registrations, Deleted applications) and look again: it comes back with its client id and its secrets. Otherwise nothing."
	return c
}

// checkSecrets tells whether the app may be given a client secret.
func checkSecrets(f *Findings) Check {
	c := Check{ID: CheckSecrets, Title: "Client secrets", Evidence: "Allowed"}
	_, own := f.ownSecret()
	switch {
	case own:
		c.Evidence = "The app has the one of an earlier run"
	case !f.Secrets.Known:
		c.State, c.Evidence = Unknown, "The tenant's app management policy could not be read"
		c.Fix = "It takes " + needsPolicies + ". The setup goes on; should the policy forbid secrets, the last step says so and nothing else is lost."
	case f.Secrets.Forbidden && f.Secrets.Own:
		c.State, c.Evidence = Warned, "The tenant's policy forbids them; this app has a policy of its own, which may allow them"
		c.Fix = "The setup goes on; should the app's policy forbid them too, the last step says so and nothing else is lost."
	case f.Secrets.Forbidden:
		c.State, c.Blocks, c.Evidence = Failed, true, "The tenant's app management policy forbids new client secrets"
		c.Fix = "Rewst needs one. Have the app exempted (Entra admin center, App management policies), then look again. " +
			"An app that does not exist yet is made without a secret first: 'msbundle apply' without --secret-out."
	}
	return c
}

// ownSecret is the client secret of ours that lives longest, of those in force.
func (f *Findings) ownSecret() (PasswordFound, bool) {
	var last PasswordFound
	if f.App == nil {
		return last, false
	}
	for _, p := range f.App.Passwords {
		if ownLive(p, f.At) && p.Expires.After(last.Expires) {
			last = p
		}
	}
	return last, last.Name != ""
}

// shortSecret is how much of a secret's life is left when it is time to renew it.
const shortSecret = 60 * 24 * time.Hour

// checkSecretLife tells how long a client secret lives: the one there is, or the
// one to come.
func checkSecretLife(f *Findings) Check {
	c := Check{ID: CheckSecretLife, Title: "Life of a client secret", Evidence: "Up to 24 months"}
	if have, own := f.ownSecret(); own {
		c.Evidence = "The app's lives until " + have.Expires.Format(time.DateOnly)
		if left := have.Expires.Sub(f.At); left < shortSecret {
			c.State, c.Evidence = Warned, fmt.Sprintf("%s: %d days", c.Evidence, int(left/(24*time.Hour)))
			c.Fix = "The plan offers another one. Enter it in Rewst before that day, or Rewst stops working."
			c.Offer = OfferSecret
		}
		return c
	}
	switch days := int(f.Secrets.MaxLifetime / (24 * time.Hour)); {
	case !f.Secrets.Known:
		c.State, c.Evidence = Unknown, "The tenant's app management policy could not be read"
		c.Fix = "It takes " + needsPolicies + ". The setup goes on; should the policy want a shorter life, the last step says so and nothing else is lost."
	case f.Secrets.MaxLifetime > 0 && f.Secrets.MaxLifetime < SecretLifetime:
		c.State, c.Evidence = Warned, fmt.Sprintf("The tenant's policy lets a secret live %d days", days)
		c.Fix = "The secret is made for that long. Renew it in time, or Rewst stops working."
	}
	return c
}
