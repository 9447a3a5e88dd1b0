package steps

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
	"msbundle/state"
)

// AccessPolicy is a Conditional Access policy, as far as it is read here.
// https://learn.microsoft.com/graph/api/resources/conditionalaccesspolicy
type AccessPolicy struct {
	ID         string           `json:"id"`
	TemplateID string           `json:"templateId"`
	Created    time.Time        `json:"createdDateTime"`
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

	Raw json.RawMessage `json:"-"` // as read, for the before-image
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
		path: policiesPath,
		take: takePage(s, func(list []json.RawMessage) error {
			var err error
			f.noPolicies = false
			f.Policies, err = accessPolicies(list)
			return err
		}),
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

const policiesPath = "/v1.0/identity/conditionalAccess/policies"

func accessPolicies(list []json.RawMessage) ([]AccessPolicy, error) {
	var out []AccessPolicy
	for _, raw := range list {
		p := AccessPolicy{Raw: raw}
		if err := json.Unmarshal(raw, &p); err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
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

// signIns are what a policy is held against: who signs in, to what and by which
// kind of program.
type signIns struct {
	id           string
	guest        bool
	groups       []string
	roles        []string // template ids
	groupsUnread bool     // there may be more groups
	rolesUnread  bool     // there may be more roles
	apps         []string
	clients      []string
}

// signInsHere are those of the account that is signed in here.
func signInsHere(a state.Answers, f *Findings) signIns {
	_, unread := f.Unread[PartGroups]
	s := signIns{
		id: f.Account.ObjectID, guest: f.Account.Guest, groups: f.Groups, roles: f.RoleIDs, groupsUnread: unread, rolesUnread: f.RolesUnknown,
		apps: []string{catalog.GraphAppID}, clients: []string{"mobileAppsAndDesktopClients"},
	}
	if a.Has(catalog.Azure) {
		s.apps = append(s.apps, catalog.ServiceMgmtAppID)
	}
	if a.Has(catalog.CSP) {
		s.apps = append(s.apps, catalog.PartnerCenterAppID)
	}
	return s
}

// reaches tells whether a policy is about these sign-ins, whatever it then
// demands of them. Where a condition cannot be known from here (a place, a
// device, a risk), it may be.
func (p AccessPolicy) reaches(s signIns) reach {
	r := min(p.person(s), p.apps(s))
	if c := p.Conditions.Clients; len(c) > 0 && !containsFold(c, "all") && !common(c, s.clients) {
		return spared
	}
	if len(p.narrows()) > 0 {
		r = min(r, maybe)
	}
	return r
}

// person tells whether a policy is about the account.
func (p AccessPolicy) person(s signIns) reach {
	u := p.Conditions.Users
	names := func(users, groups, roles []string) reach {
		switch {
		case containsFold(users, s.id), s.guest && containsFold(users, "GuestsOrExternalUsers"), common(groups, s.groups), common(roles, s.roles):
			return reached
		case s.groupsUnread && len(groups) > 0, s.rolesUnread && len(roles) > 0:
			return maybe
		}
		return spared
	}
	in := names(u.Include, u.IncludeGroups, u.IncludeRoles)
	if containsFold(u.Include, "All") {
		in = reached
	}
	out := names(u.Exclude, u.ExcludeGroups, u.ExcludeRoles)
	if s.guest {
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

// apps tells whether a policy is about what is signed in to.
func (p AccessPolicy) apps(s signIns) reach {
	apps := p.Conditions.Apps
	left := slices.DeleteFunc(slices.Clone(s.apps), func(id string) bool { return containsFold(apps.Exclude, id) })
	switch {
	case len(left) == 0:
		return spared
	case containsFold(apps.Include, "All") && !present(apps.Filter), common(apps.Include, left):
		return reached
	case present(apps.Filter), containsFold(apps.Include, officeApps):
		return maybe
	}
	return spared
}

// officeApps is the word policies have for Microsoft 365's apps together.
const officeApps = "Office365"

const onRisk = "when Microsoft sees a risk"

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
		out = append(out, onRisk)
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
