package ui

import (
	"reflect"
	"slices"

	"msbundle/state"
	"msbundle/steps"
)

// readySheet holds the questions of the stage about the tenant.
type readySheet struct{ *wizard }

const (
	readyAccount formItem = iota + 100
	readyUser
	readyName
	readyCreate
	readyRoles
	readyInsist
	readyMFA
	readyAccess
	readyPolicy
	readyExclude
	readyPolicies
	readyAzure
	readySubscription
	readyVault
	readyGroup
	readyLocation
	readyAzureRole
	readyExchange
)

// heads begin a part that can be left out as a whole.
var heads = []formItem{readyAccount, readyAccess, readyAzure, readyExchange}

func (w readySheet) label(i formItem) string {
	return map[formItem]string{
		readyAccount: "Service account", readyUser: "User name", readyName: "Display name", readyCreate: "If it is absent",
		readyRoles: "Directory roles", readyInsist: "Tenant's name", readyMFA: "MFA",
		readyAccess: "Conditional Access", readyPolicy: "New policy", readyExclude: "Exclusions", readyPolicies: "Policies now",
		readyAzure: "Azure", readySubscription: "Subscription", readyVault: "New key vault", readyGroup: "Resource group", readyLocation: "Region",
		readyAzureRole: "Role there", readyExchange: "Exchange",
	}[i]
}

func (w readySheet) questions() []formItem {
	a := w.asked()
	owned := a.Registration.Kind == state.KindOwned
	items := []formItem{readyAccount}
	if s := a.ServiceAccount; s != nil {
		items = append(items, readyUser)
		if r := w.readiness(); r != nil && r.User == nil && len(r.Deleted) == 0 {
			items = append(items, readyCreate)
			if s.Create {
				items = append(items, readyName)
			}
		}
		items = append(items, readyRoles)
		if w.stepDownStops() {
			items = append(items, readyInsist)
		}
		items = append(items, readyMFA, readyAccess)
		if _, none := w.noAccess(); a.ConditionalAccess != nil && !none {
			if s.MFA == state.MFAAuto || s.MFA == state.MFAPolicy {
				items = append(items, readyPolicy)
			}
			items = append(items, readyExclude)
		}
		if len(w.policyViews()) > 0 {
			items = append(items, readyPolicies)
		}
	}
	items = append(items, readyAzure)
	if a.Azure != nil && w.findings != nil && w.read != nil && w.read.Azure != nil { // what is typed there must not hide it
		z := w.findings.Ready.Azure
		if len(w.findings.Subscriptions) > 1 {
			items = append(items, readySubscription)
		}
		if z.Vault == "" && z.Subscription != nil {
			items = append(items, readyVault, readyGroup, readyLocation)
		}
		if a.ServiceAccount != nil && z.Subscription != nil {
			items = append(items, readyAzureRole)
		}
	}
	if owned {
		items = append(items, readyExchange)
	}
	return items
}

// readiness is what the tenant holds, when it was read for these answers.
func (w *wizard) readiness() *steps.Readiness {
	if w.stale() {
		return nil
	}
	return w.findings.Ready
}

// stale tells whether the tenant has to be read, or read again, before the answers
// can be planned: something else has to be looked at, or more permissions are
// needed than were asked for.
func (w *wizard) stale() bool {
	if w.findings == nil || w.read == nil {
		return true
	}
	now := w.asked()
	asked := steps.Scopes(*w.read, false)
	more := slices.ContainsFunc(steps.Scopes(now, false), func(s string) bool { return !slices.Contains(asked, s) })
	return more || !reflect.DeepEqual(toRead(*w.read), toRead(now))
}

// toRead is what of the answers decides what is read.
func toRead(a state.Answers) state.Answers {
	a = a.Clone()
	if s := a.ServiceAccount; s != nil {
		policies := s.MFA != state.MFALeave || a.ConditionalAccess != nil
		*s = state.ServiceAccount{Username: s.Username, Create: policies}
	}
	if a.ConditionalAccess != nil {
		*a.ConditionalAccess = state.ConditionalAccess{}
	}
	if a.Azure != nil {
		a.Azure.Role = ""
	}
	if g := a.GDAP; g != nil {
		*g = state.GDAP{File: g.File, Account: g.Account, GroupName: g.GroupName}
	}
	return a
}

func (w readySheet) set(a state.Answers) {
	before := w.asked()
	if reflect.DeepEqual(before, a) {
		return
	}
	w.keep(before)
	if other := a.ServiceAccount; other == nil || before.ServiceAccount == nil || other.Username != before.ServiceAccount.Username {
		w.ticked, w.insist = map[string]bool{}, "" // it was about another account
	}
	a.GDAP = w.answers.GDAP // of another stage
	w.answers, w.proposed, w.chosen = a, nil, true
	w.plan = nil
}

// stepDownStops tells whether the tenant's name is asked for before Global
// Administrator is taken away.
func (w *wizard) stepDownStops() bool { return w.stepDownWhy() != "" }

// stepDownWhy says why it is asked for; empty when it is not.
func (w *wizard) stepDownWhy() string {
	r := w.readiness()
	a := w.asked()
	if r == nil || a.ServiceAccount == nil || a.ServiceAccount.Roles != state.RolesOperate {
		return ""
	}
	o := w.options()
	o.Insist = ""
	for _, c := range steps.ReadyChecks(a, w.findings, o) {
		if c.ID == steps.CheckStepDown && c.State == steps.Failed {
			return c.Evidence
		}
	}
	return ""
}

// looked takes what was read for these answers. The tenant's name serves for the
// danger it was typed for, and for no other.
func (w *wizard) looked(f *steps.Findings, a state.Answers) {
	w.findings, w.read = f, &a
	if w.insist != "" && w.stepDownWhy() != w.insistFor {
		w.insist = ""
	}
}
