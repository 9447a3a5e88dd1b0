package steps

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
	"msbundle/state"
)

// accessed are answers about the account and the policies, in a tenant with
// Conditional Access, these policies and the account.
func accessed(t *testing.T, policies ...string) (state.Answers, *Findings) {
	t.Helper()
	a, f := readied(func(s *state.ServiceAccount, r *Readiness) {
		s.MFA = state.MFAAuto
		r.User = holding(catalog.RoleGlobalAdministrator)
		r.User.Groups, r.User.PerUserMFA, r.Licensed = []string{"agents", "automation"}, perUserDisabled, true
	})
	c := state.DefaultConditionalAccess()
	a.ServiceAccount.MFA, a.ConditionalAccess = state.MFAAuto, &c
	var raw []json.RawMessage
	for _, p := range policies {
		raw = append(raw, json.RawMessage(p))
	}
	var err error
	if f.Ready.Policies, err = accessPolicies(raw); err != nil {
		t.Fatal(err)
	}
	return a, f
}

// rule is a policy about everybody, with a name.
func rule(name, rest string) string {
	return fmt.Sprintf(`{"id": "id of %[1]s", "displayName": %[1]q, "state": "enabled", "conditions": {"users": {"includeUsers": ["All"], "excludeUsers": ["break-glass"], "includeGroups": [], "includeGuestsOrExternalUsers": null},
		"applications": {"includeApplications": ["All"], "excludeApplications": []}, "clientAppTypes": ["all"]}, %[2]s}`, name, rest)
}

const (
	asksDevice = `"grantControls": {"operator": "OR", "builtInControls": ["compliantDevice"], "authenticationStrength": null}`
	asksMFA    = `"grantControls": {"operator": "OR", "builtInControls": ["mfa"]}`
	blocksAll  = `"grantControls": {"operator": "OR", "builtInControls": ["block"]}`
	hourly     = `"grantControls": null, "sessionControls": {"signInFrequency": {"isEnabled": true, "value": 1, "type": "hours"}}`
)

// own is the account's policy as the plan makes it, with changes.
func own(id string, replace ...string) string {
	p := `{"id": "` + id + `", "displayName": "Rewst Conditional Access Policy", "state": "enabled", "conditions": {"clientAppTypes": ["all"],
		"applications": {"includeApplications": ["All"], "excludeApplications": [], "applicationFilter": null}, "users": {"includeUsers": ["` + rewstID + `"], "excludeUsers": []}},
		"grantControls": {"operator": "OR", "builtInControls": ["mfa"]}}`
	return strings.NewReplacer(replace...).Replace(p)
}

// changesOf lists a plan's changes of policies and of the per-user state: the end
// of the path, and what is sent.
func changesOf(p Plan) []string {
	var out []string
	for _, c := range p.Changes {
		if c.Kind == KindPolicy || c.Kind == KindMFA {
			path := strings.TrimPrefix(strings.TrimPrefix(c.Path, policiesPath), "/beta/users/")
			out = append(out, strings.TrimSpace(c.Method+" "+path)+" "+string(c.Body))
		}
	}
	return out
}

func excludes(name string) string {
	return `PATCH /id of ` + name + ` {"conditions":{"users":{"excludeUsers":["break-glass","` + rewstID + `"],"includeGroups":[],"includeUsers":["All"]}}}`
}

func makesPolicy(id, state string) string {
	return `POST {"conditions":{"applications":{"includeApplications":["All"]},"clientAppTypes":["all"],"users":{"includeUsers":["` + id +
		`"]}},"displayName":"Rewst Conditional Access Policy","grantControls":{"builtInControls":["mfa"],"operator":"OR"},"state":"` + state + `"}`
}

func TestPlanOfThePolicies(t *testing.T) {
	in := func(text, old, with string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("no %s in %s", old, text)
		}
		return strings.Replace(text, old, with, 1)
	}
	users := `"includeUsers": ["All"], "excludeUsers": ["break-glass"]`
	made := makesPolicy(rewstID, "enabled")
	tests := []struct {
		name     string
		policies []string
		change   func(*state.Answers, *Findings)
		options  PlanOptions
		want     []string
		says     string // in a note
	}{
		{name: "no policies", want: []string{made}},
		{name: "report-only first", change: func(a *state.Answers, _ *Findings) { a.ConditionalAccess.Policy = state.PolicyReportOnly }, want: []string{makesPolicy(rewstID, policyReports)}, says: "demands nothing until it is switched on"},
		{
			name: "without the section", policies: []string{rule("Devices", asksDevice)}, change: func(a *state.Answers, _ *Findings) { a.ConditionalAccess = nil },
			want: []string{made},
		},
		{
			name: "no account yet", policies: []string{rule("Devices", asksDevice)}, change: func(_ *state.Answers, f *Findings) { f.Ready.User = nil },
			want: []string{makesPolicy("${account.id}", "enabled"), strings.ReplaceAll(excludes("Devices"), rewstID, "${account.id}")},
		},
		{name: "an account nothing can be done with", change: func(_ *state.Answers, f *Findings) { f.Ready.User.Guest = true }},
		{name: "a device", policies: []string{own("own"), rule("Devices", asksDevice)}, want: []string{excludes("Devices")}},
		{name: "a block", policies: []string{own("own"), rule("Keep out", blocksAll)}, want: []string{excludes("Keep out")}},
		{name: "a new sign-in every hour", policies: []string{own("own"), rule("Hourly", hourly)}, want: []string{excludes("Hourly")}},
		{
			name: "bound tokens", policies: []string{own("own"), rule("Bound", `"sessionControls": {"secureSignInSession": {"isEnabled": true}}`)}, want: []string{excludes("Bound")},
		},
		{
			name: "a block by place", policies: []string{own("own"), in(rule("Places", blocksAll), `"clientAppTypes"`, `"locations": {"includeLocations": ["All"], "excludeLocations": ["AllTrusted"]}, "clientAppTypes"`)},
			want: []string{excludes("Places")},
		},
		{name: "multifactor authentication only", policies: []string{own("own"), rule("MFA", asksMFA)}, says: `"MFA" is left alone: it asks for multifactor authentication`},
		{
			name: "a device or multifactor authentication", policies: []string{own("own"), rule("Either", `"grantControls": {"operator": "OR", "builtInControls": ["mfa", "compliantDevice"]}`)},
			says: `"Either" is left alone`,
		},
		{
			name: "codes only", policies: []string{own("own"), in(rule("Codes", blocksAll), `"clientAppTypes"`, `"authenticationFlows": {"transferMethods": "deviceCodeFlow"}, "clientAppTypes"`)},
			says: `"Codes" is left alone: it blocks signing in with a code`,
		},
		{
			name: "a risk only", policies: []string{own("own"), in(rule("Risk", blocksAll), `"clientAppTypes"`, `"signInRiskLevels": ["high"], "clientAppTypes"`)},
			says: `"Risk" is left alone: it blocks sign-ins, when Microsoft sees a risk`,
		},
		{name: "old programs only", policies: []string{own("own"), in(rule("Legacy", blocksAll), `["all"]`, `["exchangeActiveSync", "other"]`)}},
		{name: "browsers only", policies: []string{own("own"), in(rule("Browsers", blocksAll), `["all"]`, `["browser"]`)}, want: []string{excludes("Browsers")}},
		{name: "another app", policies: []string{own("own"), in(rule("Payroll", blocksAll), `{"includeApplications": ["All"]`, `{"includeApplications": ["payroll"]`)}},
		{name: "Exchange", policies: []string{own("own"), in(rule("Mail", blocksAll), `{"includeApplications": ["All"]`, `{"includeApplications": ["`+catalog.ExchangeAppID+`"]`)}, want: []string{excludes("Mail")}},
		{name: "Microsoft 365", policies: []string{own("own"), in(rule("Office", blocksAll), `{"includeApplications": ["All"]`, `{"includeApplications": ["Office365"]`)}, want: []string{excludes("Office")}},
		{
			name: "apps by a filter", policies: []string{own("own"), in(rule("Tagged", blocksAll), `"excludeApplications": []`, `"applicationFilter": {"mode": "include", "rule": "x"}`)},
			says: `"Tagged" blocks sign-ins and may reach the account`,
		},
		{name: "off", policies: []string{own("own"), in(rule("Off", blocksAll), `"enabled"`, `"disabled"`)}},
		{
			name: "only reporting", policies: []string{own("own"), in(rule("Soon", asksDevice), `"enabled"`, `"enabledForReportingButNotEnforced"`)},
			says: `"Soon" only reports so far. Once it is switched on it asks for a compliant device`,
		},
		{name: "others only", policies: []string{own("own"), in(rule("Megan", blocksAll), `"includeUsers": ["All"]`, `"includeUsers": ["megan"]`)}},
		{name: "excluded already", policies: []string{own("own"), in(rule("Devices", asksDevice), `"break-glass"`, `"`+strings.ToUpper(rewstID)+`"`)}},
		{name: "excluded by a group", policies: []string{own("own"), in(rule("Devices", asksDevice), `"includeGroups": []`, `"excludeGroups": ["automation"]`)}},
		{
			name: "by a group it is in", policies: []string{own("own"), in(rule("Group", hourly), users+`, "includeGroups": []`, `"includeUsers": [], "includeGroups": ["automation"]`)},
			want: []string{`PATCH /id of Group {"conditions":{"users":{"excludeUsers":["` + rewstID + `"],"includeGroups":["automation"],"includeUsers":[]}}}`},
		},
		{name: "by a group it is not in", policies: []string{own("own"), in(rule("Group", hourly), users+`, "includeGroups": []`, `"includeUsers": [], "includeGroups": ["other"]`)}},
		{
			name: "by the group it is about to join", policies: []string{own("own"), in(rule("Agents", hourly), users+`, "includeGroups": []`, `"includeGroups": ["agents"]`)},
			change: func(_ *state.Answers, f *Findings) { f.Ready.User.Groups, f.Ready.User.Agent = nil, false },
			want:   []string{`PATCH /id of Agents {"conditions":{"users":{"excludeUsers":["` + rewstID + `"],"includeGroups":["agents"]}}}`},
		},
		{
			name: "by the role it is about to get", policies: []string{own("own"), in(rule("Admins", hourly), users+`, "includeGroups": []`, `"includeRoles": ["`+catalog.RoleGlobalAdministrator+`"]`)},
			change: func(_ *state.Answers, f *Findings) { f.Ready.User.Roles = nil },
			want:   []string{`PATCH /id of Admins {"conditions":{"users":{"excludeUsers":["` + rewstID + `"],"includeRoles":["` + catalog.RoleGlobalAdministrator + `"]}}}`},
		},
		{
			name: "by a role the account that is signed in has through a group", policies: []string{own("own"), in(rule("Readers", hourly), users+`, "includeGroups": []`, `"includeRoles": ["reader"]`)},
			change: func(_ *state.Answers, f *Findings) {
				f.Account.ObjectID, f.RoleIDs = rewstID, append(f.RoleIDs, "reader")
			},
			want: []string{`PATCH /id of Readers {"conditions":{"users":{"excludeUsers":["` + rewstID + `"],"includeRoles":["reader"]}}}`},
		},
		{
			name: "by the role it is about to lose", policies: []string{own("own"), in(rule("Admins", hourly), users+`, "includeGroups": []`, `"includeRoles": ["`+catalog.RoleGlobalAdministrator+`"]`)},
			change: func(a *state.Answers, _ *Findings) { a.ServiceAccount.Roles = state.RolesOperate },
		},
		{
			name: "by the role it keeps", policies: []string{own("own"), in(rule("Admins", hourly), users+`, "includeGroups": []`, `"includeRoles": ["`+catalog.RoleGlobalAdministrator+`"]`)},
			change: func(a *state.Answers, f *Findings) {
				a.ServiceAccount.Roles, f.Ready.Admins = state.RolesOperate, nil
			},
			want: []string{`PATCH /id of Admins {"conditions":{"users":{"excludeUsers":["` + rewstID + `"],"includeRoles":["` + catalog.RoleGlobalAdministrator + `"]}}}`},
		},
		{
			name: "a role for a part of the tenant", policies: []string{own("own"), in(rule("Readers", hourly), users+`, "includeGroups": []`, `"includeRoles": ["reader"]`)},
			change: func(_ *state.Answers, f *Findings) {
				f.Ready.User.Roles = append(f.Ready.User.Roles, RoleGiven{RoleID: "reader", Scope: "/administrativeUnits/x"})
			},
		},
		{
			name: "a restored account may be in groups", policies: []string{rule("MFA", asksMFA), in(rule("Group", hourly), users+`, "includeGroups": []`, `"includeUsers": [], "includeGroups": ["automation"]`)},
			change: func(_ *state.Answers, f *Findings) {
				f.Ready.User, f.Ready.Deleted = nil, []User{{ID: rewstID, UPN: rewst}}
			},
			options: PlanOptions{Ticked: map[string]bool{OfferRestore: true}}, want: []string{makesPolicy("${account.id}", "enabled")},
			says: `"Group" asks for a new sign-in every hour and may reach the account`,
		},
		{name: "Microsoft's own", policies: []string{own("own"), in(rule("Microsoft-managed: Devices", asksDevice), `"id":`, `"templateId": "x", "id":`)}, want: []string{excludes("Microsoft-managed: Devices")}},
		{name: "exclusions not wanted", policies: []string{own("own"), rule("Devices", asksDevice)}, change: func(a *state.Answers, _ *Findings) { a.ConditionalAccess.Exclude = false }},
		{
			name: "exclusions alone", policies: []string{rule("Devices", `"grantControls": {"operator": "AND", "builtInControls": ["mfa", "compliantDevice"]}`)},
			change: func(a *state.Answers, _ *Findings) { a.ServiceAccount.MFA = state.MFALeave }, want: []string{excludes("Devices")},
			says: `also demand multifactor authentication of it ("Devices"), and nothing else`,
		},
		{name: "the policy is there", policies: []string{own("own")}},
		{
			name: "the policy is about somebody else", policies: []string{own("own", rewstID, "somebody")},
			want: []string{`PATCH /own {"conditions":{"users":{"excludeUsers":[],"includeUsers":["somebody","` + rewstID + `"]}}}`},
		},
		{
			name: "the policy is about nobody", policies: []string{own("own", rewstID, "None")},
			want: []string{`PATCH /own {"conditions":{"users":{"excludeUsers":[],"includeUsers":["` + rewstID + `"]}}}`},
		},
		{
			name: "the policy excludes the account", policies: []string{own("own", `"excludeUsers": []`, `"excludeUsers": ["`+rewstID+`"]`)},
			want: []string{`PATCH /own {"conditions":{"users":{"excludeUsers":[],"includeUsers":["` + rewstID + `"]}}}`},
		},
		{
			name: "the policy is about some apps", policies: []string{own("own", `"excludeApplications": []`, `"excludeApplications": ["payroll"]`)},
			want: []string{`PATCH /own {"conditions":{"applications":{"includeApplications":["All"]}}}`},
		},
		{
			name: "the policy blocks", policies: []string{own("own", `"mfa"`, `"block"`)},
			want: []string{`PATCH /own {"grantControls":{"builtInControls":["mfa"],"operator":"OR"}}`},
		},
		{
			name: "the policy takes a device too", policies: []string{own("own", `"mfa"`, `"mfa", "compliantDevice"`)},
			want: []string{`PATCH /own {"grantControls":{"builtInControls":["mfa"],"operator":"OR"}}`},
		},
		{name: "the policy demands more", policies: []string{own("own", `"builtInControls": ["mfa"]`, `"authenticationStrength": {"displayName": "Phishing-resistant MFA"}`)}},
		{name: "the policy is off", policies: []string{own("own", `"enabled"`, `"disabled"`)}, want: []string{`PATCH /own {"state":"enabled"}`}},
		{name: "the policy reports", policies: []string{own("own", `"enabled"`, `"enabledForReportingButNotEnforced"`)}, want: []string{`PATCH /own {"state":"enabled"}`}},
		{
			name: "the policy is on, reporting was asked for", policies: []string{own("own")},
			change: func(a *state.Answers, _ *Findings) { a.ConditionalAccess.Policy = state.PolicyReportOnly }, says: "It is left on",
		},
		{
			name: "the policy is for some places", policies: []string{own("own", `"clientAppTypes": ["all"]`, `"clientAppTypes": ["browser"], "locations": {"includeLocations": ["All"], "excludeLocations": ["AllTrusted"]}`)},
			says: "applies only depending on the place and for some kinds of programs",
		},
		{
			name: "two of that name", policies: []string{own("first", rewstID, "somebody"), own("second")}, says: "There are 2 Conditional Access policies called",
		},
		{
			name: "a policy of that name blocks everybody", policies: []string{rule(accessPolicyName, blocksAll)},
			want: []string{made, excludes(accessPolicyName)}, says: "about other people too",
		},
		{
			name: "a policy of that name for everybody is off", policies: []string{in(rule(accessPolicyName, asksMFA), `"enabled"`, `"disabled"`)},
			want: []string{made}, says: "about other people too",
		},
		{
			name: "a policy of that name for a role is off", policies: []string{own("own", `"includeUsers": ["`+rewstID+`"]`, `"includeUsers": [], "includeRoles": ["reader"]`, `"enabled"`, `"disabled"`)},
			want: []string{made}, says: "about other people too",
		},
		{
			name: "a policy of that name for a group is about some apps", policies: []string{own("own", `"excludeUsers": []`, `"includeGroups": ["technicians"]`, `"excludeApplications": []`, `"excludeApplications": ["payroll"]`)},
			want: []string{made}, says: "about other people too",
		},
		{name: "a policy of that name for others, and ours", policies: []string{in(rule(accessPolicyName, asksMFA), `"enabled"`, `"disabled"`), own("own")}},
		{name: "the policy is about everybody", policies: []string{rule(accessPolicyName, asksMFA)}},
		{
			name: "policies unread", change: func(_ *state.Answers, f *Findings) { f.Unread[PartPolicies] = Unread{"The service answered 500", "x"} },
			says: "no exclusion can be planned: the service answered 500",
		},
		{name: "security defaults", change: func(_ *state.Answers, f *Findings) { f.Ready.Defaults = true }, says: "Security defaults are on and demand"},
		{
			name: "security defaults and a policy", change: func(a *state.Answers, f *Findings) {
				f.Ready.Defaults, a.ServiceAccount.MFA = true, state.MFAPolicy
			}, says: "none is made",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, f := accessed(t, tt.policies...)
			if tt.change != nil {
				tt.change(&a, f)
			}
			tt.options.Stage = StageTenant
			p := MakePlan(a, f, tt.options)
			if diff := cmp.Diff(tt.want, changesOf(p)); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
			for _, c := range p.Changes {
				if c.Method == "PATCH" && c.Kind == KindPolicy && (string(c.Before) == string(c.Body) || len(c.Before) == 0) {
					t.Errorf("%s: before it was %s", c.Describe(), c.Before)
				}
			}
			if !slices.ContainsFunc(p.Notes, func(n Note) bool { return strings.Contains(n.Text, tt.says) }) && tt.says != "" {
				t.Errorf("no note says %q: %v", tt.says, p.Notes)
			}
		})
	}
}

// The account is never without: the policy that demands multifactor authentication
// of it comes before the exclusions.
func TestThePolicyComesFirst(t *testing.T) {
	a, f := accessed(t, rule("A", asksDevice), rule("B", blocksAll))
	f.Ready.User = nil
	var ids []string
	for _, c := range MakePlan(a, f, PlanOptions{Stage: StageTenant}).Changes {
		ids = append(ids, c.ID)
	}
	want := []string{
		"serviceaccount/user", "serviceaccount/role/" + catalog.RoleGlobalAdministrator, "serviceaccount/agents",
		"conditionalaccess/policy", "conditionalaccess/exclude/id of A", "conditionalaccess/exclude/id of B",
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestAccessChecks(t *testing.T) {
	limit := make([]string, maxAccessPolicies)
	for i := range limit {
		limit[i] = strings.Replace(rule(fmt.Sprint("Pilot ", i), asksMFA), `"enabled"`, `"disabled"`, 1)
	}
	foreign := `"grantControls": {"operator": "OR", "builtInControls": [], "customAuthenticationFactors": ["RequireDuoMfa"]}`
	tests := []struct {
		name     string
		policies []string
		change   func(*state.Answers, *Findings)
		check    string
		state    CheckState
		blocks   bool
		says     string
	}{
		{name: "nothing in the way", check: "account-access", state: Passed},
		{name: "excluded", policies: []string{rule("Devices", asksDevice)}, check: "account-access", state: Passed, says: `will be excluded from: "Devices" asks for a compliant device`},
		{
			name: "not excluded", policies: []string{rule("Hourly", hourly)}, change: func(a *state.Answers, _ *Findings) { a.ConditionalAccess.Exclude = false },
			check: "account-access", state: Warned, says: `"Hourly" asks for a new sign-in every hour`,
		},
		{
			name: "later", policies: []string{strings.Replace(rule("Soon", asksDevice), `"enabled"`, `"enabledForReportingButNotEnforced"`, 1)},
			check: "account-access", state: Warned, says: `"Soon" only reports so far`,
		},
		{
			name: "its own policy ends sessions", policies: []string{own("own", `"grantControls"`, `"sessionControls": {"signInFrequency": {"isEnabled": true, "value": 1, "type": "hours"}}, "grantControls"`)},
			check: "account-access", state: Warned, says: "though it is the account's own",
		},
		{
			name: "unread", change: func(_ *state.Answers, f *Findings) { f.Unread[PartPolicies] = Unread{"Not shown", "x"} },
			check: "account-access", state: Unknown, says: "No exclusion can be planned: not shown",
		},
		{name: "room", check: "policy-limit", state: Passed, says: "0 of at most 240"},
		{name: "no room", policies: limit, check: "policy-limit", state: Failed, blocks: true, says: "240 of at most 240"},
		{name: "no room, and none needed", policies: append(limit[1:], own("own")), check: "policy-limit", state: Passed},
		{name: "by a policy", check: "account-mfa", state: Passed, says: "the tenant has Microsoft Entra ID P1"},
		{name: "by security defaults", change: func(_ *state.Answers, f *Findings) { f.Ready.Defaults = true }, check: "account-mfa", state: Passed, says: "Security defaults are on"},
		{name: "no licence", change: func(_ *state.Answers, f *Findings) { f.Ready.Licensed = false }, check: "account-mfa", state: Passed, says: "per-user state"},
		{
			name: "a policy beside security defaults", change: func(a *state.Answers, f *Findings) {
				f.Ready.Defaults, a.ServiceAccount.MFA = true, state.MFAPolicy
			}, check: "account-mfa", state: Failed, blocks: true, says: "no Conditional Access policy can be switched on beside them",
		},
		{
			name: "a policy without a licence", change: func(a *state.Answers, f *Findings) {
				f.Ready.Licensed, a.ServiceAccount.MFA = false, state.MFAPolicy
			}, check: "account-mfa", state: Failed, blocks: true, says: "Entra ID P1",
		},
		{name: "policies unread", change: func(_ *state.Answers, f *Findings) { f.Unread[PartPolicies] = Unread{"Not shown", "x"} }, check: "account-mfa", state: Unknown},
		{name: "defaults unread", change: func(_ *state.Answers, f *Findings) { f.Unread[PartDefaults] = Unread{"Not shown", "x"} }, check: "account-mfa", state: Unknown},
		{
			name: "products unread", change: func(_ *state.Answers, f *Findings) {
				f.Ready.Licensed, f.Unread[PartPlans] = false, Unread{"Not shown", "x"}
			}, check: "account-mfa", state: Unknown,
		},
		{
			name: "products unread, but there are policies", policies: []string{rule("MFA", asksMFA)}, change: func(_ *state.Answers, f *Findings) {
				f.Ready.Licensed, f.Unread[PartPlans] = false, Unread{"Not shown", "x"}
			}, check: "account-mfa", state: Passed,
		},
		{
			name: "the account's own state unread", change: func(_ *state.Answers, f *Findings) {
				f.Ready.Licensed, f.Unread[PartPerUserMFA] = false, Unread{"Not shown", "x"}
			}, check: "account-mfa", state: Unknown, says: "so it is not changed",
		},
		{
			name: "left alone", policies: []string{rule("MFA", asksMFA)}, change: func(a *state.Answers, _ *Findings) { a.ServiceAccount.MFA = state.MFALeave },
			check: "account-mfa", state: Passed, says: `Left as it is: demanded by the policy "MFA"`,
		},
		{name: "nobody registered", check: "account-methods", state: Warned, says: "Nobody has registered"},
		{name: "registered", change: func(_ *state.Answers, f *Findings) { f.Ready.User.Methods = []string{"telephone"} }, check: "account-methods", state: Passed, says: "telephone"},
		{name: "not there to register", change: func(_ *state.Answers, f *Findings) { f.Ready.User = nil }, check: "account-methods", state: Passed, says: "not there yet"},
		{
			name: "methods unread", change: func(_ *state.Answers, f *Findings) { f.Unread[PartRegistered] = Unread{"Not shown", "x"} },
			check: "account-methods", state: Unknown,
		},
		{name: "Microsoft's alone", check: "mfa-providers", state: Passed},
		{name: "another company's", change: func(_ *state.Answers, f *Findings) { f.Ready.External = []string{"Duo"} }, check: "mfa-providers", state: Warned, says: `"Duo" is on as an external`},
		{name: "another company's, demanded", policies: []string{rule("Duo", foreign)}, check: "mfa-providers", state: Warned, says: `"Duo" demands RequireDuoMfa`},
		{
			name: "another company's, demanded of others", policies: []string{strings.Replace(rule("Duo", foreign), "break-glass", rewstID, 1)},
			check: "mfa-providers", state: Passed,
		},
		{
			name: "providers unread", change: func(_ *state.Answers, f *Findings) { f.Unread[PartMethods] = Unread{"Not shown", "x"} },
			check: "mfa-providers", state: Unknown,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, f := accessed(t, tt.policies...)
			if tt.change != nil {
				tt.change(&a, f)
			}
			checks := ReadyChecks(a, f, PlanOptions{})
			i := slices.IndexFunc(checks, func(c Check) bool { return c.ID == tt.check })
			if i < 0 {
				t.Fatalf("no check %s", tt.check)
			}
			c := checks[i]
			if c.State != tt.state || c.Blocks != tt.blocks || !strings.Contains(c.Evidence, tt.says) {
				t.Errorf("got %s (blocks %v): %s; want %s (blocks %v): %s", c.State, c.Blocks, c.Evidence, tt.state, tt.blocks, tt.says)
			}
			if c.State != Passed && c.Fix == "" {
				t.Error("nothing says what to do")
			}
		})
	}
}

func TestAccessPreview(t *testing.T) {
	a, f := accessed(
		t, rule("Devices", asksDevice), rule("MFA", asksMFA), strings.Replace(rule("Off", blocksAll), `"enabled"`, `"disabled"`, 1),
		strings.NewReplacer(`"includeUsers": ["All"]`, `"includeUsers": ["megan"]`, `"id":`, `"templateId": "x", "id":`).Replace(rule("Microsoft-managed: Megan", blocksAll)),
		strings.Replace(rule("Out", hourly), "break-glass", rewstID, 1),
		strings.Replace(rule("Risk", blocksAll), `"clientAppTypes"`, `"userRiskLevels": ["high"], "clientAppTypes"`, 1),
	)
	want := []PolicyView{
		{Name: "Devices", State: "on", Reaches: "Yes: it is about all users", Does: "Asks for a compliant device", Proposal: "Exclude the account: it asks for a compliant device"},
		{
			Name: "MFA", State: "on", Reaches: "Yes: it is about all users", Does: "Asks for multifactor authentication",
			Proposal: "Is left alone: it asks for multifactor authentication, which the account's sign-in has",
		},
		{Name: "Off", State: "off", Reaches: "Yes: it is about all users", Does: "Blocks sign-ins", Proposal: "Nothing: it is off"},
		{Name: "Microsoft-managed: Megan", State: "on", Reaches: "No", Does: "Blocks sign-ins", Proposal: "Nothing: it does not reach the account", Managed: true},
		{Name: "Out", State: "on", Reaches: "No", Does: "Asks for a new sign-in every hour", Proposal: "Nothing: the account is excluded already"},
		{
			Name: "Risk", State: "on", Reaches: "At times: it is about all users", Does: "Blocks sign-ins, when Microsoft sees a risk",
			Proposal: "Is left alone: it blocks sign-ins, when Microsoft sees a risk, and then protects the account. Should it stop Rewst, look at the risk first",
		},
		{Name: accessPolicyName, State: "not there yet", Reaches: "Yes: it names the account", Does: "Asks for multifactor authentication", Proposal: "Made, switched on"},
	}
	if diff := cmp.Diff(want, AccessPreview(a, f)); diff != "" {
		t.Errorf("preview (-want +got):\n%s", diff)
	}
	f.Unread[PartPolicies] = Unread{"x", "y"}
	if got := AccessPreview(a, f); got != nil {
		t.Errorf("what could not be read is shown: %v", got)
	}
}

func TestAccessResult(t *testing.T) {
	a, f := accessed(t, own("own"), rule("MFA", asksMFA), strings.Replace(rule("Devices", asksDevice), "break-glass", rewstID, 1))
	f.Ready.User.PerUserMFA = "enabled"
	mfa, lines := accessResult(a, f)
	if want := `demanded by the policy "Rewst Conditional Access Policy", the policy "MFA" and its per-user state (enabled)`; mfa != want {
		t.Errorf("got %s, want %s", mfa, want)
	}
	want := []string{"Rewst Conditional Access Policy: on, asks for multifactor authentication", "Devices: the account is excluded"}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Errorf("policies (-want +got):\n%s", diff)
	}
	f.Ready.Policies, f.Ready.User.PerUserMFA = nil, ""
	if mfa, _ := accessResult(a, f); mfa != "nothing demands it of the account" {
		t.Error(mfa)
	}
	f.Unread[PartPerUserMFA] = Unread{"x", "y"}
	if mfa, _ := accessResult(a, f); mfa != "what demands it could not be read" {
		t.Error(mfa)
	}
}

// What somebody else changed since the plan was made stays.
func TestMerged(t *testing.T) {
	for name, c := range map[string][4]string{
		"nothing changed":        {`{"a":["x"],"b":["y"]}`, `{"a":["x","me"],"b":["y"]}`, `{"a":["x"],"b":["y"]}`, `{"a":["x","me"],"b":["y"]}`},
		"somebody was added":     {`{"a":["x"]}`, `{"a":["x","me"]}`, `{"a":["x","z"]}`, `{"a":["x","z","me"]}`},
		"somebody was removed":   {`{"a":["x"]}`, `{"a":["x","me"]}`, `{"a":[]}`, `{"a":["me"]}`},
		"a list was added":       {`{"a":["x"]}`, `{"a":["x","me"]}`, `{"a":["x"],"b":["z"]}`, `{"a":["x","me"],"b":["z"]}`},
		"it was a part of it":    {`{"a":["x"],"b":["y"]}`, `{"a":["all"]}`, `{"a":["x"],"b":["y"]}`, `{"a":["all"]}`},
		"it is so already":       {`{"a":["x"]}`, `{"a":["x","me"]}`, `{"a":["x","me"]}`, `{"a":["x","me"]}`},
		"it was nothing":         {`{"a":null}`, `{"a":{"b":1}}`, `{"a":null}`, `{"a":{"b":1}}`},
		"the state":              {`{"a":"off"}`, `{"a":"on"}`, `{"a":"reports"}`, `{"a":"on"}`},
		"what we leave as it is": {`{"a":{"b":1,"c":["x"]}}`, `{"a":{"b":1,"c":["x","me"]}}`, `{"a":{"b":2,"c":["x"]}}`, `{"a":{"b":2,"c":["x","me"]}}`},
	} {
		var v [4]any
		for i := range c {
			if err := json.Unmarshal([]byte(c[i]), &v[i]); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(v[3], merged(v[0], v[1], v[2])); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
