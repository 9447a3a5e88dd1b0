package ui

import (
	"fmt"
	"slices"
	"strings"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

const leaveOut = "Leave out"

// part is the choice between a part and leaving it out.
func part(does, not string, on bool, with func(*state.Answers, bool)) formChoice {
	return either([]string{"Set up", leaveOut}, []string{does, not}, on, with)
}

// words is a choice among words of the answers.
func words(names, each, values []string, now string, put func(*state.Answers, string)) formChoice {
	return formChoice{names, each, slices.Index(values, now), func(a *state.Answers, n int) { put(a, values[n]) }}
}

func (w readySheet) choice(i formItem) (formChoice, bool) {
	a := w.asked()
	switch i {
	case readyAccount:
		return part("The account that authorises in Rewst: found or made, with its roles and its multifactor authentication.",
			"No account is made or changed, and no Conditional Access policy.", a.ServiceAccount != nil, w.withAccount), true
	case readyAccess:
		return part("Looks for policies that would break the account's sign-in from Rewst's servers, and decides how a new one begins.",
			"No existing policy is changed.", a.ConditionalAccess != nil, w.withAccess), true
	case readyAzure:
		return part("A subscription with a key vault, which Rewst's Azure integration takes, and a role in it for the account. An Azure sign-in may be asked for.",
			"Nothing is looked at or made in Azure.", a.Azure != nil, w.withAzure), true
	case readyExchange:
		c := part("The owned app gets Exchange Administrator, so that it can act in Exchange Online as itself. Whether it can is tried with a call that changes nothing.",
			"The app gets no role for Exchange Online.", a.Exchange != nil && a.Exchange.Administrator, func(a *state.Answers, on bool) {
				a.Exchange = kept(on, nil, state.DefaultExchange)
			})
		c.names = []string{"Exchange Administrator", leaveOut}
		return c, true
	case readyCreate:
		return either(
			[]string{"Make it", "Only use one that is there"},
			[]string{"A cloud-only account with a long password that is shown once.", "Choose it to stop rather than to make an account: give another user name then."},
			a.ServiceAccount.Create, func(a *state.Answers, on bool) { a.ServiceAccount.Create = on }), true
	case readyRoles:
		return words([]string{"For setting up", "For operating", "As they are"}, []string{
			"Global Administrator, which authorising in Rewst takes. Afterwards come back and choose the roles for operating.",
			"The step-down: twelve roles are given and proven, then Global Administrator is taken away. To authorise anew, choose the roles for setting up again. The twelve: " + twelve() + ".",
			"No directory role is given or taken.",
		}, []string{state.RolesSetup, state.RolesOperate, state.RolesLeave}, a.ServiceAccount.Roles,
			func(a *state.Answers, s string) { a.ServiceAccount.Roles = s }), true
	case readyMFA:
		return words([]string{"Automatic", "By policy", "Per user", "As it is"}, []string{
			w.autoMFA(), "A policy that demands it of this account alone. Takes Microsoft Entra ID P1, and security defaults that are off.",
			"The account's own state. Microsoft advises against it beside Conditional Access.",
			"Nothing is changed. Rewst and Partner Center take the account's sign-in only with multifactor authentication.",
		}, []string{state.MFAAuto, state.MFAPolicy, state.MFAPerUser, state.MFALeave}, a.ServiceAccount.MFA,
			func(a *state.Answers, s string) { a.ServiceAccount.MFA = s }), true
	case readyPolicy:
		return words([]string{"On at once", "Report-only first"}, []string{
			"The policy for the account, should one be made, is on from the beginning.",
			"It only reports what it would do. Nothing demands multifactor authentication until you turn it on.",
		}, []string{state.PolicyEnabled, state.PolicyReportOnly}, a.ConditionalAccess.Policy,
			func(a *state.Answers, s string) { a.ConditionalAccess.Policy = s }), true
	case readyExclude:
		return either(
			[]string{"Exclude the account", "Change none"},
			[]string{
				"The account is added to the excluded users of each policy that would break its sign-in, and to no other.",
				"Policies stay as they are. Those that would break the sign-in are still named.",
			},
			a.ConditionalAccess.Exclude, func(a *state.Answers, on bool) { a.ConditionalAccess.Exclude = on }), true
	case readySubscription:
		return w.subscriptions(a), true
	case readyAzureRole:
		return words([]string{"Contributor", "Reader", "Owner", "None"}, []string{
			"The account can make and change what is in the subscription, but give no rights.", "The account can look only.",
			"The account can do everything, giving rights too.", "The account gets no role in the subscription.",
		}, []string{"Contributor", "Reader", "Owner", state.AzureRoleLeave}, a.Azure.Role,
			func(a *state.Answers, s string) { a.Azure.Role = s }), true
	}
	return formChoice{}, false
}

// kept is a part as it was before it was left out, or as it begins; nil when it is
// left out.
func kept[T any](on bool, before *T, first func() T) *T {
	if !on {
		return nil
	}
	p := first()
	if before != nil {
		p = *before
	}
	return &p
}

// withAccount takes the account in or leaves it out, with what is about it.
func (w *wizard) withAccount(a *state.Answers, on bool) {
	a.ServiceAccount = kept(on, w.parts.ServiceAccount, state.DefaultServiceAccount)
	w.withAccess(a, on && !w.noPolicies)
	if a.Azure != nil {
		a.Azure.Role = kept(true, w.parts.Azure, state.DefaultAzure).Role
		if !on {
			a.Azure.Role = state.AzureRoleLeave
		}
	}
}

func (w *wizard) withAccess(a *state.Answers, on bool) {
	a.ConditionalAccess = kept(on, w.parts.ConditionalAccess, state.DefaultConditionalAccess)
}

func (w *wizard) withAzure(a *state.Answers, on bool) {
	a.Azure = kept(on, w.parts.Azure, state.DefaultAzure)
	if on && a.ServiceAccount == nil {
		a.Azure.Role = state.AzureRoleLeave
	}
}

// accept takes what was proposed for what is wanted, when nothing of it was
// changed.
func (w *wizard) accept() {
	if w.proposed != nil {
		w.answers, w.proposed, w.chosen = *w.proposed, nil, true
	}
}

// keep remembers the parts there are, should one be left out and taken in again.
func (w *wizard) keep(a state.Answers) {
	if a.ServiceAccount != nil {
		w.parts.ServiceAccount, w.noPolicies = a.ServiceAccount, a.ConditionalAccess == nil
	}
	if a.ConditionalAccess != nil {
		w.parts.ConditionalAccess = a.ConditionalAccess
	}
	if a.Azure != nil {
		z := *a.Azure
		if a.ServiceAccount == nil { // nobody to give a role to
			z.Role = kept(true, w.parts.Azure, state.DefaultAzure).Role
		}
		w.parts.Azure = &z
	}
}

// subscriptions is the choice among those the person can see.
func (w *wizard) subscriptions(a state.Answers) formChoice {
	z := w.findings.Ready.Azure
	first := "Chosen for you"
	if z.Subscription != nil && a.Azure.Subscription == "" {
		first += ": " + z.Subscription.Name
	}
	names, each, ids := []string{first}, []string{"The one that has a key vault, else the first that can be used."}, []string{""}
	for _, s := range w.findings.Subscriptions {
		about := s.ID
		if !s.Usable {
			about += ", cannot be used: " + s.State
		}
		names, each, ids = append(names, s.Name), append(each, about), append(ids, s.ID)
	}
	at := slices.Index(ids, a.Azure.Subscription)
	if at < 0 {
		at = slices.Index(names, a.Azure.Subscription)
	}
	return formChoice{names, each, max(at, 0), func(a *state.Answers, n int) { a.Azure.Subscription = ids[n] }}
}

// twelve names the roles the account works with.
func twelve() string {
	var names []string
	for _, r := range catalog.ServiceRoles() {
		names = append(names, r.Name)
	}
	return strings.Join(names, ", ")
}

// autoMFA says what the automatic choice is in this tenant, and why.
func (w *wizard) autoMFA() string {
	a := w.asked()
	if w.readiness() == nil || a.ServiceAccount == nil {
		return "A Conditional Access policy where the tenant is licensed for it, the account's own state otherwise, and nothing where security defaults demand it of everybody."
	}
	a.ServiceAccount.MFA = state.MFAAuto
	return "In this tenant: " + steps.MFAChoice(a, w.findings)
}

func (w readySheet) text(i formItem) (formText, bool) {
	a := w.asked()
	switch i {
	case readyUser:
		return formText{
			"serviceAccount.username", state.DefaultUsername,
			"At the tenant's default domain, or with a domain: rewst@contoso.onmicrosoft.com. A federated domain cannot be used: its people sign in elsewhere.",
			a.ServiceAccount.Username, func(a *state.Answers, s string) { a.ServiceAccount.Username = s },
		}, true
	case readyName:
		return formText{
			"serviceAccount.displayName", state.DefaultDisplayName, "How the account is called in Entra.",
			a.ServiceAccount.DisplayName, func(a *state.Answers, s string) { a.ServiceAccount.DisplayName = s },
		}, true
	case readyVault:
		hint := "made from the tenant's name"
		if w.findings != nil && w.findings.Ready != nil && w.findings.Ready.Azure.Name != "" {
			hint = w.findings.Ready.Azure.Name
		}
		return formText{
			"azure.vault", hint, "The subscription has no key vault. An empty one is made; its name is taken worldwide. Leave it open for a name that is free.",
			a.Azure.Vault, func(a *state.Answers, s string) { a.Azure.Vault = s },
		}, true
	case readyGroup:
		return formText{
			"azure.resourceGroup", state.DefaultGroup, "Made unless it is there.",
			a.Azure.ResourceGroup, func(a *state.Answers, s string) { a.Azure.ResourceGroup = s },
		}, true
	case readyLocation:
		return formText{
			"azure.location", state.DefaultLocation, "An Azure region such as eastus, uksouth, westeurope or australiaeast. It cannot be changed later.",
			a.Azure.Location, func(a *state.Answers, s string) { a.Azure.Location = s },
		}, true
	case readyInsist:
		return formText{
			hint: "to the letter", about: fmt.Sprintf("Only to have Global Administrator taken away all the same: type the tenant's name, %s.", w.tenantName()),
			now: w.insist, with: func(_ *state.Answers, s string) { w.insistOn(s) },
		}, true
	}
	return formText{}, false
}

// insistOn takes the tenant's name for the danger there is just now.
func (w *wizard) insistOn(text string) { w.insist, w.insistFor = text, w.stepDownWhy() }

func (w *wizard) tenantName() string {
	if w.findings == nil {
		return ""
	}
	return w.findings.Org.Name
}

func (w readySheet) fault(a state.Answers, i formItem) string {
	q, _ := w.text(i)
	return faultAt(a, q.key)
}
