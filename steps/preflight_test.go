package steps

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

func TestPreflightBlocks(t *testing.T) {
	a := everything("recommended")
	for name, c := range map[string]struct {
		change func(*Findings)
		id     string
		state  CheckState
		blocks bool
	}{
		"guest":     {func(f *Findings) { f.Account.Guest = true }, "account", Failed, true},
		"no MFA":    {func(f *Findings) { f.Account.MFA = false }, "mfa", Failed, true},
		"no role":   {func(f *Findings) { f.RoleIDs = nil }, "roles", Failed, true},
		"apps only": {func(f *Findings) { f.RoleIDs = []string{catalog.RoleApplicationAdministrator} }, "roles", Failed, true},
		"two roles": {func(f *Findings) {
			f.RoleIDs = []string{catalog.RoleCloudApplicationAdministrator, catalog.RolePrivilegedRoleAdministrator}
		}, "roles", Passed, false},
		"clock":           {func(f *Findings) { f.Skew = -time.Hour }, "clock", Warned, false},
		"another cloud":   {func(f *Findings) { f.Cloud.Vendor = false }, "cloud", Warned, false},
		"secrets refused": {func(f *Findings) { f.Secrets.Forbidden = true }, CheckSecrets, Failed, true},
		"policy unread":   {func(f *Findings) { f.Secrets.Known = false }, CheckSecrets, Unknown, false},
		"same name":       {func(f *Findings) { f.SameName = []AppSummary{{AppID: "x", Name: "Rewst Integration"}} }, CheckSameName, Failed, true},
		"API missing":     {func(f *Findings) { delete(f.Resources, catalog.ManagementAPIsAppID) }, "apis", Passed, false},
		"API refused": {func(f *Findings) {
			delete(f.Resources, catalog.ManagementAPIsAppID)
			f.Refused[catalog.ManagementAPIsAppID] = "no"
		}, "apis", Warned, false},
		"permission gone": {func(f *Findings) { delete(f.Resources[catalog.GraphAppID].Roles, "Domain.ReadWrite.All") }, "permissions", Warned, false},
		"others' scopes":  {func(f *Findings) { *f = *withLongGrant(f) }, "length", Failed, true},
		"look-alike":      {func(f *Findings) { *f = *withLookAlike(f) }, "look-alike", Warned, false},
		"a short secret":  {func(f *Findings) { withSecret(f, 30*24*time.Hour) }, CheckSecretLife, Warned, false},
		"a long secret":   {func(f *Findings) { withSecret(f, 300*24*time.Hour) }, CheckSecretLife, Passed, false},
		"assigned only":   {func(f *Findings) { withSecret(f, 300*24*time.Hour); f.Principal = &Principal{Assigned: true} }, "app-state", Warned, false},
		"wide open": {func(f *Findings) {
			withSecret(f, 300*24*time.Hour)
			f.App.Audience = "AzureADandPersonalMicrosoftAccount"
		}, "app-state", Warned, false},
		"not every role shown": {func(f *Findings) { f.RoleIDs, f.RolesUnknown = nil, true }, "roles", Unknown, false},
		"eligible, roles not shown": {func(f *Findings) {
			f.RoleIDs, f.RolesUnknown, f.Eligible = nil, true, []string{catalog.RoleGlobalAdministrator}
		}, "eligible", Failed, false},
		"eligible, not enough": {func(f *Findings) {
			f.RoleIDs, f.RolesUnknown, f.Eligible = nil, true, []string{catalog.RoleApplicationAdministrator}
		}, "eligible", Warned, false},
		"no mailboxes":        {func(f *Findings) { f.Plans = []string{"AAD_PREMIUM_P2", "EXCHANGE_S_FOUNDATION"} }, "exchange", Failed, false},
		"subscription is off": {func(f *Findings) { f.Subscriptions = []Subscription{{Name: "Old", State: "Disabled"}} }, "subscription", Failed, false},
		"partner, not asked": {func(f *Findings) {
			f.Partner, f.Unread[PartPartner] = PartnerAccount{}, Unread{"Not asked", "Ask."}
		}, "partner", Passed, false},
		"not known, not asked": {func(f *Findings) {
			f.Org.PartnerType, f.Partner, f.Unread[PartPartner] = "", PartnerAccount{}, Unread{"Not asked", "Ask."}
		}, "partner", Unknown, false},
	} {
		f := bare()
		c.change(f)
		found := false
		for _, check := range Preflight(a, f, PlanOptions{}) {
			if check.ID != c.id {
				if check.State == Failed && check.Blocks {
					t.Errorf("%s: %s failed too: %s", name, check.ID, check.Evidence)
				}
				continue
			}
			found = true
			if check.State != c.state || check.Blocks != c.blocks {
				t.Errorf("%s: got %s (blocks %v), want %s (blocks %v): %s", name, check.State, check.Blocks, c.state, c.blocks, check.Evidence)
			}
			if check.State != Passed && check.Fix == "" {
				t.Errorf("%s: nothing says what to do", name)
			}
		}
		if !found {
			t.Errorf("%s: no check %s", name, c.id)
		}
	}
	for _, check := range Preflight(a, bare(), PlanOptions{}) {
		if check.State != Passed {
			t.Errorf("a tenant in order: %s is %s: %s", check.ID, check.State, check.Evidence)
		}
	}
}

// Of what can be mended with an offer only what harms nobody is.
func TestOffersThatMend(t *testing.T) {
	a := everything("recommended")
	for name, c := range map[string]struct {
		findings *Findings
		id       string
		offer    string
	}{
		"look-alike": {withLookAlike(bare()), "look-alike", OfferSwap},
		"secret":     {withSecret(bare(), 24*time.Hour), CheckSecretLife, OfferSecret},
		"in order":   {bare(), "look-alike", ""},
	} {
		for _, check := range Preflight(a, c.findings, PlanOptions{}) {
			if check.ID != c.id && check.Offer != "" || check.ID == c.id && check.Offer != c.offer {
				t.Errorf("%s: %s offers %q", name, check.ID, check.Offer)
			}
		}
		p := MakePlan(a, c.findings, PlanOptions{Secret: true})
		if c.offer != "" && !slices.ContainsFunc(p.Offers, func(o Offer) bool { return o.ID == c.offer }) {
			t.Errorf("%s: the plan makes no offer %s", name, c.offer)
		}
	}
}

// withSecret is a tenant with an app of ours whose secret lives that long.
func withSecret(f *Findings, left time.Duration) *Findings {
	f.App = &Application{
		AppSummary: AppSummary{AppID: "x", Audience: audienceMulti, Ours: true}, IDTokens: true,
		Passwords: []PasswordFound{{KeyID: "k", Name: secretPrefix + "2026", Expires: f.At.Add(left)}},
	}
	return f
}

func withLongGrant(f *Findings) *Findings {
	f.App = &Application{AppSummary: AppSummary{AppID: "x", Audience: audienceMulti}}
	f.Principal = &Principal{Grants: []Grant{{
		ID: "g", ResourceID: f.Resources[catalog.GraphAppID].ObjectID, Scopes: []string{strings.Repeat("x", catalog.ScopeCharLimit)},
	}}}
	return f
}

func withLookAlike(f *Findings) *Findings {
	f.App = &Application{AppSummary: AppSummary{AppID: "x", Audience: audienceMulti}, Required: []RequiredAccess{{
		ResourceAppID: catalog.LookAlikes()[0].AppID, Access: []ResourceAccess{{"id", "Scope"}},
	}}}
	return f
}

// What a policy does to an account is worked out from who and what it is about.
func TestAccessPolicies(t *testing.T) {
	const me, mine, other = "00000000-0000-4000-8000-00000000000a", "group-of-mine", "group-of-others"
	const block = `"grantControls": {"operator": "OR", "builtInControls": ["block"]}`
	everybody := `"users": {"includeUsers": ["All"]}, "applications": {"includeApplications": ["All"]}`
	for name, c := range map[string]struct {
		policy string
		change func(*Findings)
		id     string
		says   string // empty when nothing is warned of
	}{
		"blocks everybody":     {`{"conditions": {` + everybody + `}, ` + block + `}`, nil, "access", "blocks sign-ins"},
		"is off":               {`{"state": "disabled", "conditions": {` + everybody + `}, ` + block + `}`, nil, "access", ""},
		"is for somebody else": {`{"conditions": {"users": {"includeUsers": ["x"]}, "applications": {"includeApplications": ["All"]}}, ` + block + `}`, nil, "access", ""},
		"by name":              {`{"conditions": {"users": {"includeUsers": ["` + strings.ToUpper(me) + `"]}, "applications": {"includeApplications": ["All"]}}, ` + block + `}`, nil, "access", "blocks"},
		"by group":             {`{"conditions": {"users": {"includeGroups": ["` + mine + `"]}, "applications": {"includeApplications": ["All"]}}, ` + block + `}`, nil, "access", "blocks"},
		"by another group":     {`{"conditions": {"users": {"includeGroups": ["` + other + `"]}, "applications": {"includeApplications": ["All"]}}, ` + block + `}`, nil, "access", ""},
		"by group, unread": {
			`{"conditions": {"users": {"includeGroups": ["` + other + `"]}, "applications": {"includeApplications": ["All"]}}, ` + block + `}`,
			func(f *Findings) { f.Unread[PartGroups] = Unread{"x", "y"} }, "access", "may block",
		},
		"by role":                 {`{"conditions": {"users": {"includeRoles": ["` + catalog.RoleGlobalAdministrator + `"]}, "applications": {"includeApplications": ["All"]}}, ` + block + `}`, nil, "access", "blocks"},
		"excluded by name":        {`{"conditions": {"users": {"includeUsers": ["All"], "excludeUsers": ["` + me + `"]}, "applications": {"includeApplications": ["All"]}}, ` + block + `}`, nil, "access", ""},
		"excluded by group":       {`{"conditions": {"users": {"includeUsers": ["All"], "excludeGroups": ["` + mine + `"]}, "applications": {"includeApplications": ["All"]}}, ` + block + `}`, nil, "access", ""},
		"excluded by role":        {`{"conditions": {"users": {"includeUsers": ["All"], "excludeRoles": ["` + catalog.RoleGlobalAdministrator + `"]}, "applications": {"includeApplications": ["All"]}}, ` + block + `}`, nil, "access", ""},
		"excluded by other group": {`{"conditions": {"users": {"includeUsers": ["All"], "excludeGroups": ["` + other + `"]}, "applications": {"includeApplications": ["All"]}}, ` + block + `}`, nil, "access", "blocks"},
		"excluded, roles unread": {
			`{"conditions": {"users": {"includeUsers": ["All"], "excludeRoles": ["x"]}, "applications": {"includeApplications": ["All"]}}, ` + block + `}`,
			func(f *Findings) { f.RolesUnknown = true }, "access", "may block",
		},
		"another app":         {`{"conditions": {"users": {"includeUsers": ["All"]}, "applications": {"includeApplications": ["x"]}}, ` + block + `}`, nil, "access", ""},
		"Azure":               {`{"conditions": {"users": {"includeUsers": ["All"]}, "applications": {"includeApplications": ["` + catalog.ServiceMgmtAppID + `"]}}, ` + block + `}`, nil, "access", "blocks"},
		"apps by a filter":    {`{"conditions": {"users": {"includeUsers": ["All"]}, "applications": {"includeApplications": ["All"], "applicationFilter": {"mode": "include", "rule": "x"}}}, ` + block + `}`, nil, "access", "may block"},
		"old clients only":    {`{"conditions": {"clientAppTypes": ["exchangeActiveSync", "other"], ` + everybody + `}, ` + block + `}`, nil, "access", ""},
		"on a risk":           {`{"conditions": {"signInRiskLevels": ["high"], ` + everybody + `}, ` + block + `}`, nil, "access", "may block sign-ins, when Microsoft sees a risk"},
		"from some places":    {`{"conditions": {"locations": {"includeLocations": ["All"], "excludeLocations": ["AllTrusted"]}, ` + everybody + `}, ` + block + `}`, nil, "access", "depending on the place"},
		"a device":            {`{"conditions": {` + everybody + `}, "grantControls": {"operator": "OR", "builtInControls": ["compliantDevice", "domainJoinedDevice"]}}`, nil, "access", "asks for a compliant device or a hybrid joined device"},
		"a device or MFA":     {`{"conditions": {` + everybody + `}, "grantControls": {"operator": "OR", "builtInControls": ["mfa", "compliantDevice"]}}`, nil, "access", ""},
		"a device and MFA":    {`{"conditions": {` + everybody + `}, "grantControls": {"operator": "AND", "builtInControls": ["mfa", "compliantDevice"]}}`, nil, "access", "asks for a compliant device"},
		"MFA":                 {`{"conditions": {` + everybody + `}, "grantControls": {"operator": "OR", "builtInControls": ["mfa"]}}`, nil, "access", ""},
		"a third party's MFA": {`{"conditions": {` + everybody + `}, "grantControls": {"operator": "OR", "builtInControls": [], "customAuthenticationFactors": ["RequireDuoMfa"]}}`, nil, "access", "third party"},
		"bound tokens":        {`{"conditions": {` + everybody + `}, "sessionControls": {"secureSignInSession": {"isEnabled": true}}}`, nil, "access", "bound to a device"},
		"codes":               {`{"conditions": {"authenticationFlows": {"transferMethods": "deviceCodeFlow,authenticationTransfer"}, ` + everybody + `}, ` + block + `}`, nil, "device-code", "blocks it"},
		"codes, not access":   {`{"conditions": {"authenticationFlows": {"transferMethods": "deviceCodeFlow"}, ` + everybody + `}, ` + block + `}`, nil, "access", ""},
		"transfer only":       {`{"conditions": {"authenticationFlows": {"transferMethods": "authenticationTransfer"}, ` + everybody + `}, ` + block + `}`, nil, "device-code", ""},
		"codes with MFA":      {`{"conditions": {"authenticationFlows": {"transferMethods": "deviceCodeFlow"}, ` + everybody + `}, "grantControls": {"operator": "OR", "builtInControls": ["mfa"]}}`, nil, "device-code", ""},
		"every four hours":    {`{"conditions": {` + everybody + `}, "sessionControls": {"signInFrequency": {"isEnabled": true, "value": 4, "type": "hours"}}}`, nil, "frequency", "every 4 hours"},
		"every time":          {`{"conditions": {` + everybody + `}, "sessionControls": {"signInFrequency": {"isEnabled": true, "frequencyInterval": "everyTime"}}}`, nil, "frequency", "every time"},
		"never":               {`{"conditions": {` + everybody + `}, "sessionControls": {"signInFrequency": {"isEnabled": false, "value": 4, "type": "hours"}}}`, nil, "frequency", ""},
	} {
		f := bare()
		f.Account.ObjectID, f.Groups = me, []string{"agents", mine}
		p := AccessPolicy{Name: name, State: "enabled"}
		if err := json.Unmarshal([]byte(c.policy), &p); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		f.Policies = []AccessPolicy{p}
		if c.change != nil {
			c.change(f)
		}
		for _, check := range Preflight(everything("minimum"), f, PlanOptions{}) {
			if check.ID != c.id {
				continue
			}
			if want := c.says != ""; (check.State == Warned) != want || !strings.Contains(check.Evidence, c.says) {
				t.Errorf("%s: got %s: %s, want %q", name, check.State, check.Evidence, c.says)
			}
		}
	}
}

// Policies that only report, and those that spare the account, are told of and
// warn of nothing.
func TestPoliciesThatDoNotBiteYet(t *testing.T) {
	f := bare()
	f.Account.ObjectID = "me"
	for name, policy := range map[string]string{
		"Later":  `{"state": "enabledForReportingButNotEnforced", "conditions": {"users": {"includeUsers": ["All"]}, "applications": {"includeApplications": ["All"]}}, "grantControls": {"operator": "OR", "builtInControls": ["block"]}}`,
		"Off":    `{"state": "disabled", "conditions": {"users": {"includeUsers": ["All"]}, "applications": {"includeApplications": ["All"]}}, "grantControls": {"operator": "OR", "builtInControls": ["block"]}}`,
		"Others": `{"state": "enabled", "conditions": {"users": {"includeUsers": ["All"], "excludeUsers": ["me"]}, "applications": {"includeApplications": ["All"]}}, "grantControls": {"operator": "OR", "builtInControls": ["block"]}}`,
	} {
		p := AccessPolicy{Name: name}
		if err := json.Unmarshal([]byte(policy), &p); err != nil {
			t.Fatal(err)
		}
		f.Policies = append(f.Policies, p)
	}
	c := checkAccess(everything("minimum"), f)
	for _, want := range []string{`report-only mode, so not yet: "Later" blocks sign-ins`, `not others: "Others"`} {
		if c.State != Passed || !strings.Contains(c.Evidence, want) {
			t.Errorf("got %s: %s, want %q", c.State, c.Evidence, want)
		}
	}
	if strings.Contains(c.Evidence, "Off") {
		t.Errorf("a policy that is off is told of: %s", c.Evidence)
	}
}

// What the sign-in left behind is told apart by whom it serves; what other people
// agreed to for themselves is nobody's business here.
func TestFootprint(t *testing.T) {
	got := footprint("Tools", "me", []wireGrant{
		{ConsentType: "Principal", PrincipalID: "ME", Scope: " User.Read Policy.Read.All"},
		{ConsentType: "Principal", PrincipalID: "you", Scope: "Mail.Read"},
		{ConsentType: "AllPrincipals", Scope: "openid"},
	})
	want := &SignInApp{Name: "Tools", Mine: []string{"User.Read", "Policy.Read.All"}, Everyone: []string{"openid"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("footprint (-want +got):\n%s", diff)
	}
}

// What cannot be read says why, and which permission would show it.
func TestWhyUnread(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		says string
	}{
		"skipped":  {fmt.Errorf("GET /subscriptions: %w", msclient.ErrSkipped), "one more sign-in"},
		"refused":  {&msclient.AuthError{OAuth: "invalid_grant", Description: "AADSTS65001: no consent. Trace ID: x Correlation ID: y"}, "AADSTS65001: no consent."},
		"denied":   {&msclient.Error{Status: 403}, "the permission X"},
		"failed":   {&msclient.Error{Status: 500}, "answered 500"},
		"lost":     {&msclient.Error{Err: errors.New("reset")}, "no answer"},
		"not JSON": {errors.New("read the service's answer"), "no answer that could be used"},
	} {
		u := whyUnread(c.err, "the permission X")
		if text := u.Why + ". " + u.Fix; !strings.Contains(text, c.says) || strings.Contains(text, "Trace ID") {
			t.Errorf("%s: got %q, want %q", name, text, c.says)
		}
	}
	for text, want := range map[string]bool{
		"Your tenant is not licensed for this feature.":                                            true,
		"The tenant needs to have Microsoft Entra ID P2 or Microsoft Entra ID Governance license.": false, // its code says so
		"Neither tenant is B2C or tenant doesn't have premium license":                             true,
		"You cannot perform the requested operation, required scopes are missing in the token.":    false,
	} {
		if got := unlicensed(&msclient.Error{Status: 403, Code: "AccessDenied", Message: text}); got != want {
			t.Errorf("%q: unlicensed %v, want %v", text, got, want)
		}
	}
	if !unlicensed(&msclient.Error{Status: 400, Code: "AadPremiumLicenseRequired", Message: "P2"}) {
		t.Error("AadPremiumLicenseRequired is not taken for a missing licence")
	}
}

func TestPlans(t *testing.T) {
	var list []wireSKU
	const skus = `[
		{"capabilityStatus": "Enabled", "servicePlans": [{"servicePlanName": "AAD_PREMIUM", "provisioningStatus": "Success"}, {"servicePlanName": "OFF", "provisioningStatus": "Disabled"}]},
		{"capabilityStatus": "Warning", "servicePlans": [{"servicePlanName": "EXCHANGE_S_STANDARD", "provisioningStatus": "PendingInput"}, {"servicePlanName": "AAD_PREMIUM", "provisioningStatus": "Success"}]},
		{"capabilityStatus": "Suspended", "servicePlans": [{"servicePlanName": "GONE", "provisioningStatus": "Success"}]}]`
	if err := json.Unmarshal([]byte(skus), &list); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"AAD_PREMIUM", "EXCHANGE_S_STANDARD"}, plans(list)); diff != "" {
		t.Errorf("plans (-want +got):\n%s", diff)
	}
}

// With the connector nothing is written, so nothing about the sign-in stops it.
func TestConnectorIsNotStopped(t *testing.T) {
	a := everything("recommended")
	a.Registration = state.Registration{Kind: state.KindConnector}
	f := bare()
	f.Account.MFA, f.RoleIDs = false, nil
	for _, c := range Preflight(a, f, PlanOptions{}) {
		if c.Blocks {
			t.Errorf("%s blocks: %s", c.ID, c.Evidence)
		}
	}
}
