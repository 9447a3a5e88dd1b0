package steps

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"msbundle/catalog"
	"msbundle/state"
)

// AccessPolicy is a Conditional Access policy, as far as the checks read it.
// https://learn.microsoft.com/graph/api/resources/conditionalaccesspolicy
type AccessPolicy struct {
	Name       string           `json:"displayName"`
	State      string           `json:"state"`
	Conditions AccessConditions `json:"conditions"`
	Grant      *struct {
		Operator string   `json:"operator"`
		Controls []string `json:"builtInControls"`
		Others   []string `json:"customAuthenticationFactors"`
		Terms    []string `json:"termsOfUse"`
		Strength *struct {
			Name string `json:"displayName"`
		} `json:"authenticationStrength"`
	} `json:"grantControls"`
	Session *struct {
		Frequency *struct {
			Enabled  bool   `json:"isEnabled"`
			Value    int    `json:"value"`
			Unit     string `json:"type"` // hours or days
			Interval string `json:"frequencyInterval"`
		} `json:"signInFrequency"`
		BoundToken *struct {
			Enabled bool `json:"isEnabled"`
		} `json:"secureSignInSession"`
	} `json:"sessionControls"`
}

// AccessConditions say what a policy is about.
type AccessConditions struct {
	Users struct {
		Include       []string        `json:"includeUsers"`
		Exclude       []string        `json:"excludeUsers"`
		IncludeGroups []string        `json:"includeGroups"`
		ExcludeGroups []string        `json:"excludeGroups"`
		IncludeRoles  []string        `json:"includeRoles"`
		ExcludeRoles  []string        `json:"excludeRoles"`
		IncludeGuests json.RawMessage `json:"includeGuestsOrExternalUsers"`
		ExcludeGuests json.RawMessage `json:"excludeGuestsOrExternalUsers"`
	} `json:"users"`
	Apps struct {
		Include []string        `json:"includeApplications"`
		Exclude []string        `json:"excludeApplications"`
		Filter  json.RawMessage `json:"applicationFilter"`
	} `json:"applications"`
	Flows *struct {
		Methods string `json:"transferMethods"` // joined by commas
	} `json:"authenticationFlows"`
	Clients     []string        `json:"clientAppTypes"`
	Platforms   json.RawMessage `json:"platforms"`
	Devices     json.RawMessage `json:"devices"`
	SignInRisk  []string        `json:"signInRiskLevels"`
	UserRisk    []string        `json:"userRiskLevels"`
	InsiderRisk json.RawMessage `json:"insiderRiskLevels"`
	Locations   *struct {
		Include []string `json:"includeLocations"`
		Exclude []string `json:"excludeLocations"`
	} `json:"locations"`
}

// policyReading reads the policies. It cannot be a row of a batch: the service
// takes one request a second.
func (s *Setup) policyReading(f *Findings) reading {
	r := f.part(PartPolicies, needsPolicies, reading{
		path: "/v1.0/identity/conditionalAccess/policies",
		take: takePage(s, func(list []AccessPolicy) error { f.Policies = list; return nil }),
	})
	unread := r.unread
	r.unread = func(err error) {
		if unlicensed(err) { // then there can be no policy
			delete(f.Unread, PartPolicies)
			return
		}
		unread(err)
	}
	return r
}

// present tells whether an optional part of a policy is there.
func present(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

// reach is whether a policy is about something.
type reach int

const (
	spared reach = iota
	maybe
	reached
)

// reaches tells whether a policy is about this account's sign-ins here, whatever
// it then demands of them. Where a condition cannot be known from here (a place,
// a device, a risk), it may be.
func (p AccessPolicy) reaches(a state.Answers, f *Findings) reach {
	r := min(p.person(f), p.apps(a))
	c := p.Conditions
	if len(c.Clients) > 0 && !containsFold(c.Clients, "all") && !containsFold(c.Clients, "mobileAppsAndDesktopClients") {
		return spared
	}
	if len(p.narrows()) > 0 {
		r = min(r, maybe)
	}
	return r
}

// person tells whether a policy is about the account.
func (p AccessPolicy) person(f *Findings) reach {
	u := p.Conditions.Users
	_, groupsUnread := f.Unread[PartGroups]
	names := func(users, groups, roles []string) reach {
		switch {
		case containsFold(users, f.Account.ObjectID), f.Account.Guest && containsFold(users, "GuestsOrExternalUsers"),
			common(groups, f.Groups), common(roles, f.RoleIDs):
			return reached
		case groupsUnread && len(groups) > 0, f.RolesUnknown && len(roles) > 0:
			return maybe
		}
		return spared
	}
	in := names(u.Include, u.IncludeGroups, u.IncludeRoles)
	if containsFold(u.Include, "All") {
		in = reached
	}
	out := names(u.Exclude, u.ExcludeGroups, u.ExcludeRoles)
	if f.Account.Guest {
		if present(u.IncludeGuests) {
			in = max(in, maybe)
		}
		if present(u.ExcludeGuests) {
			out = max(out, maybe)
		}
	}
	return min(in, reached-out) // who is excluded is spared, whatever includes them
}

func common(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return containsFold(b, s) })
}

// apps tells whether a policy is about what is signed in to here.
func (p AccessPolicy) apps(a state.Answers) reach {
	used := []string{catalog.GraphAppID}
	if a.Has(catalog.Azure) {
		used = append(used, catalog.ServiceMgmtAppID)
	}
	if a.Has(catalog.CSP) {
		used = append(used, catalog.PartnerCenterAppID)
	}
	apps := p.Conditions.Apps
	left := slices.DeleteFunc(used, func(id string) bool { return containsFold(apps.Exclude, id) })
	switch {
	case len(left) == 0:
		return spared
	case containsFold(apps.Include, "All") && !present(apps.Filter), common(apps.Include, left):
		return reached
	case present(apps.Filter), containsFold(apps.Include, "Office365"):
		return maybe
	}
	return spared
}

// narrows says under which conditions only a policy applies.
func (p AccessPolicy) narrows() []string {
	c := p.Conditions
	var out []string
	if l := c.Locations; l != nil && (!containsFold(l.Include, "All") || len(l.Exclude) > 0) {
		out = append(out, "depending on the place")
	}
	if present(c.Platforms) {
		out = append(out, "on some platforms")
	}
	if present(c.Devices) {
		out = append(out, "on some devices")
	}
	if len(c.SignInRisk) > 0 || len(c.UserRisk) > 0 || present(c.InsiderRisk) {
		out = append(out, "when Microsoft sees a risk")
	}
	return out
}

// blocksDeviceCode tells whether the policy keeps people out who sign in with a
// code.
// https://learn.microsoft.com/entra/identity/conditional-access/concept-authentication-flows
func (p AccessPolicy) blocksDeviceCode() bool {
	return p.Conditions.Flows != nil && strings.Contains(p.Conditions.Flows.Methods, "deviceCodeFlow") && p.blocks()
}

func (p AccessPolicy) blocks() bool { return p.Grant != nil && containsFold(p.Grant.Controls, "block") }

// demands says what the policy asks for that a sign-in here, or later one from
// Rewst, cannot give; empty when there is nothing. Of several things one of which
// suffices, multifactor authentication is one that can be given.
func (p AccessPolicy) demands() string {
	if p.Conditions.Flows != nil && p.Conditions.Flows.Methods != "" {
		return "" // it is about single ways of signing in
	}
	if p.Session != nil && p.Session.BoundToken != nil && p.Session.BoundToken.Enabled {
		return "tokens bound to a device"
	}
	g := p.Grant
	if g == nil {
		return ""
	}
	words := map[string]string{
		"compliantDevice": "a compliant device", "domainJoinedDevice": "a hybrid joined device",
		"approvedApplication": "an approved app", "compliantApplication": "an app with a protection policy",
	}
	var hard []string
	easy := g.Strength != nil || len(g.Terms) > 0
	for _, c := range g.Controls {
		if w, known := words[c]; known {
			hard = append(hard, w)
		} else {
			easy = true
		}
	}
	if len(g.Others) > 0 {
		hard = append(hard, "a third party's multifactor authentication")
	}
	if len(hard) == 0 || easy && strings.EqualFold(g.Operator, "OR") {
		return ""
	}
	joint := " and "
	if strings.EqualFold(g.Operator, "OR") {
		joint = " or "
	}
	return strings.Join(hard, joint)
}

// frequency says how often the policy asks people to sign in again; empty when it
// does not.
func (p AccessPolicy) frequency() string {
	if p.Session == nil || p.Session.Frequency == nil || !p.Session.Frequency.Enabled {
		return ""
	}
	switch f := p.Session.Frequency; {
	case f.Interval == "everyTime":
		return "every time"
	case f.Value == 1:
		return "every " + strings.TrimSuffix(f.Unit, "s")
	default:
		return fmt.Sprintf("every %d %s", f.Value, f.Unit)
	}
}
