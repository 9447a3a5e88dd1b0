package steps

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"msbundle/msclient"
	"msbundle/state"
)

// stepAccess is the step of the tenant's own Conditional Access policies.
const stepAccess = "conditionalaccess"

// accessPolicyName is the name the vendor's guide gives the policy.
const accessPolicyName = "Rewst Conditional Access Policy"

// States of a policy.
const (
	policyOn      = "enabled"
	policyReports = "enabledForReportingButNotEnforced"
	policyOff     = "disabled"
)

// maxAccessPolicies counts those in every state.
// https://learn.microsoft.com/entra/identity/conditional-access/plan-conditional-access
const maxAccessPolicies = 240

// planAccess makes the tenant's own Conditional Access policies fit the service
// account: first the one that demands multifactor authentication of it, so that
// it is never without, then the exclusions from those that would break its
// sign-in.
func planAccess(p *Plan) {
	a, f := p.want.answers, p.findings
	who := p.accountRef()
	way, _ := mfaFor(a, f)
	if who == "" || way != mfaByPolicy && a.ConditionalAccess == nil {
		return
	}
	if u, missing := f.unread(PartPolicies); missing {
		if a.ConditionalAccess != nil && a.ConditionalAccess.Exclude {
			p.note("The Conditional Access policies could not be read, so whether one would break the account's sign-in is not known and no exclusion can be planned: %s.", lowerFirst(u.Why))
		}
		return
	}
	if way == mfaByPolicy {
		p.planAccessPolicy(who)
	}
	if a.ConditionalAccess != nil {
		p.planExclusions(who)
	}
}

// wantedState is the state the policy is made in.
func wantedState(a state.Answers) string {
	if c := a.ConditionalAccess; c != nil && c.Policy == state.PolicyReportOnly {
		return policyReports
	}
	return policyOn
}

// ownPolicy finds the policy by its name: of several the one that names the
// account. others tells how many more there are. One that would have to be changed
// for other people too is none: it could keep them out.
func ownPolicy(list []AccessPolicy, id string) (own *AccessPolicy, others int) {
	for i, p := range list {
		switch {
		case !strings.EqualFold(p.Name, accessPolicyName), p.foreign(id):
		case own == nil:
			own = &list[i]
		default:
			others++
			if containsFold(p.Conditions.Users.Include, id) && !containsFold(own.Conditions.Users.Include, id) {
				own = &list[i]
			}
		}
	}
	return own, others
}

// foreign tells whether a policy is about other people than the account and does
// not demand of them what the account's own is to demand.
func (p AccessPolicy) foreign(id string) bool {
	u := p.Conditions.Users
	others := slices.ContainsFunc(u.Include, func(who string) bool { return who != "None" && !strings.EqualFold(who, id) }) ||
		len(u.IncludeGroups) > 0 || len(u.IncludeRoles) > 0 || present(u.IncludeGuests)
	return others && (p.State != policyOn || p.someApps() || !p.demandsMFA())
}

// someApps tells whether a policy is not about all apps.
func (p AccessPolicy) someApps() bool {
	a := p.Conditions.Apps
	return !containsFold(a.Include, "All") || len(a.Exclude) > 0 || present(a.Filter)
}

// planAccessPolicy makes the policy that demands multifactor authentication of
// the account, or brings the one of that name to it.
// https://learn.microsoft.com/graph/api/conditionalaccessroot-post-policies
func (p *Plan) planAccessPolicy(who string) {
	r, want := p.findings.Ready, wantedState(p.want.answers)
	own, others := ownPolicy(r.Policies, who)
	if others > 0 {
		p.note("There are %d Conditional Access policies called %q. The one that is about the account is used, and what the others do is left as it is.", others+1, accessPolicyName)
	}
	for _, other := range r.Policies {
		if strings.EqualFold(other.Name, accessPolicyName) && other.foreign(who) {
			p.note("A Conditional Access policy called %q is about other people too, and differs from what the account takes: it is not changed for them.", other.Name)
		}
	}
	if own != nil {
		p.mendAccessPolicy(*own, who, want)
	} else {
		p.add(Change{
			ID: "conditionalaccess/policy", Step: stepAccess, Kind: KindPolicy, Action: Create,
			Object: fmt.Sprintf("Conditional Access policy %q for %s", accessPolicyName, r.UPN),
			Why:    "It demands multifactor authentication of the account, whatever it signs in to. It is about no other account.",
			Method: "POST", Path: policiesPath, Risk: RiskModerate, Reversible: true, Name: accessPolicyName,
		}, map[string]any{
			"displayName": accessPolicyName, "state": want,
			"conditions": map[string]any{
				"clientAppTypes": []string{"all"},
				"applications":   map[string]any{"includeApplications": []string{"All"}},
				"users":          map[string]any{"includeUsers": []string{who}},
			},
			"grantControls": demandMFA(),
		})
	}
	if want == policyReports && (own == nil || own.State != policyOn) {
		p.note("The policy %q only reports what it would do: it demands nothing until it is switched on (conditionalAccess.policy: enabled).", accessPolicyName)
	}
}

func demandMFA() map[string]any {
	return map[string]any{"operator": "OR", "builtInControls": []string{"mfa"}}
}

// mendAccessPolicy brings a policy of that name to what is asked for. What it has
// beyond that stays, and is told of.
// https://learn.microsoft.com/graph/api/conditionalaccesspolicy-update
func (p *Plan) mendAccessPolicy(own AccessPolicy, who, want string) {
	raw := own.parts()
	body, before, conditions, had := map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}
	var does []string
	change := func(to, was map[string]any, part string, value, old any, text string) {
		to[part], was[part] = value, old
		does = append(does, text)
	}
	if u := own.Conditions.Users; !containsFold(u.Include, who) && !containsFold(u.Include, "All") || containsFold(u.Exclude, who) {
		users := filled(raw.users)
		if !containsFold(u.Include, who) && !containsFold(u.Include, "All") {
			users["includeUsers"] = append(slices.DeleteFunc(slices.Clone(u.Include), func(id string) bool { return id == "None" }), who)
		}
		if containsFold(u.Exclude, who) {
			users["excludeUsers"] = slices.DeleteFunc(slices.Clone(u.Exclude), func(id string) bool { return strings.EqualFold(id, who) })
		}
		change(conditions, had, "users", users, filled(raw.users), "the account is added")
	}
	if own.someApps() {
		change(conditions, had, "applications", map[string]any{"includeApplications": []string{"All"}}, filled(raw.apps), "it is about all apps")
	}
	if !own.demandsMFA() {
		change(body, before, "grantControls", demandMFA(), orNil(filled(raw.grant)), "it demands multifactor authentication")
	}
	switch {
	case own.State == want:
	case own.State == policyOn:
		p.note("The policy %q is switched on already, which is more than the report-only mode that was asked for. It is left on.", own.Name)
	default:
		text := "it is switched on"
		if want == policyReports {
			text = "it reports"
		}
		change(body, before, "state", want, own.State, text)
	}
	narrow := own.narrows()
	if c := own.Conditions.Clients; len(c) > 0 && !containsFold(c, "all") {
		narrow = append(narrow, "for some kinds of programs")
	}
	if len(narrow) > 0 {
		p.note("The policy %q applies only %s, as somebody set it. Rewst wants multifactor authentication at every sign-in.", own.Name, together(narrow))
	}
	if len(does) == 0 {
		return
	}
	if len(conditions) > 0 {
		body["conditions"], before["conditions"] = conditions, had
	}
	p.add(Change{
		ID: "conditionalaccess/policy", Step: stepAccess, Kind: KindPolicy, Action: Update,
		Object: fmt.Sprintf("Conditional Access policy %q: %s", own.Name, together(does)),
		Why:    "A policy of that name is there and differs from what demands multifactor authentication of the account.",
		Method: "PATCH", Path: policiesPath + "/" + own.ID, Risk: RiskHigh, Reversible: true, Name: own.Name, Before: encodeAny(before),
	}, body)
}

// planExclusions takes the account out of each policy that would break its
// sign-in, and out of no other.
func (p *Plan) planExclusions(who string) {
	a, r := p.want.answers, p.findings.Ready
	if !a.ConditionalAccess.Exclude {
		return
	}
	var unprotected []string
	for _, x := range assess(a, p.findings, p.stepsDown()) {
		switch x.treatment {
		case policyTold:
			p.note("The policy %q %s", x.Name, x.word)
		case policyExclude:
			before := filled(x.parts().users)
			users := filled(x.parts().users)
			users["excludeUsers"] = append(slices.Clone(x.Conditions.Users.Exclude), who)
			managed := ""
			if x.managed() {
				managed = " Microsoft manages this policy; who it excludes may be changed."
			}
			p.add(Change{
				ID: "conditionalaccess/exclude/" + x.ID, Step: stepAccess, Kind: KindPolicy, Action: Update,
				Object: fmt.Sprintf("Conditional Access policy %q: %s excluded", x.Name, r.UPN),
				Why:    fmt.Sprintf("The policy reaches the account (%s) and %s, which the sign-in that Rewst's servers keep using cannot live with.%s", x.because, x.harm, managed),
				Method: "PATCH", Path: policiesPath + "/" + x.ID, Risk: RiskHigh, Reversible: true, Name: x.Name,
				Before: encodeAny(map[string]any{"conditions": map[string]any{"users": before}}),
			}, map[string]any{"conditions": map[string]any{"users": users}})
			if x.asksMFA() {
				unprotected = append(unprotected, fmt.Sprintf("%q", x.Name))
			}
		}
	}
	if way, _ := mfaFor(a, p.findings); len(unprotected) > 0 && (way == mfaAsItIs || way == mfaByPolicy && wantedState(a) == policyReports) {
		p.note("The account is taken out of policies that also demand multifactor authentication of it (%s), and nothing else this plan makes demands it.", strings.Join(unprotected, ", "))
	}
}

// policyParts are a policy's parts as they were read.
type policyParts struct{ users, apps, grant json.RawMessage }

func (p AccessPolicy) parts() policyParts {
	var w struct {
		Conditions struct {
			Users json.RawMessage `json:"users"`
			Apps  json.RawMessage `json:"applications"`
		} `json:"conditions"`
		Grant json.RawMessage `json:"grantControls"`
	}
	_ = json.Unmarshal(p.Raw, &w) // it was read from this
	return policyParts{w.Conditions.Users, w.Conditions.Apps, w.Grant}
}

// orNil is null for an object without anything in it.
func orNil(o map[string]any) any {
	if len(o) == 0 {
		return nil
	}
	return o
}

func encodeAny(v any) json.RawMessage {
	out, _ := json.Marshal(v) // only called with what was decoded, and texts
	return out
}

// lookForPolicy looks for a policy that a write may have made.
func (s *Setup) lookForPolicy(ctx context.Context, intent state.Record) (map[string]string, error) {
	mine := map[string]bool{} // policies the journal already accounts for
	for _, e := range s.store.Entries() {
		if e.What == string(KindPolicy) && e.Outcome.Refs["id"] != "" {
			mine[e.Outcome.Refs["id"]] = true
		}
	}
	var body AccessPolicy
	_ = json.Unmarshal(intent.Body, &body) // we wrote it
	for p, err := range msclient.List[AccessPolicy](ctx, s.graph, policiesPath) {
		if err != nil {
			return nil, err
		}
		ours := p.Name == intent.Name && common(p.Conditions.Users.Include, body.Conditions.Users.Include)
		if ours && !mine[p.ID] && p.Created.After(intent.At.Add(-clockTolerance)) {
			return map[string]string{"id": p.ID}, nil
		}
	}
	return nil, nil
}

// awaitPolicy waits for a policy our journal made a moment ago, because a list
// that misses it would have it made again. When it does not show in the time a
// write of unknown outcome is looked for, somebody has deleted it.
func (s *Setup) awaitPolicy(ctx context.Context, e state.Entry, observe func(Event)) ([]AccessPolicy, error) {
	id := e.Outcome.Refs["id"]
	for _, later := range s.store.Entries() {
		if later.Action == string(Delete) && later.Path == policiesPath+"/"+id { // we have, or may have
			return nil, nil
		}
	}
	var found []AccessPolicy
	_, err := msclient.Until(ctx, s.settling(e.Object, observe), func(ctx context.Context) (bool, error) {
		raw, err := msclient.Get[json.RawMessage](ctx, s.graph, policiesPath+"/"+id)
		if refused(err, 404) {
			return false, nil
		}
		if err == nil {
			found, err = accessPolicies([]json.RawMessage{raw})
		}
		return err == nil, err
	})
	return found, err
}

// correctPolicies mends a list that a replica gave which lags behind our journal.
func (k *journaled) correctPolicies(f *Findings) {
	f.Policies = slices.DeleteFunc(f.Policies, func(p AccessPolicy) bool { return k.deleted[p.ID] })
	for _, made := range k.access {
		if !slices.ContainsFunc(f.Policies, func(p AccessPolicy) bool { return p.ID == made.ID }) {
			f.Policies = append(f.Policies, made)
		}
	}
}
