package steps

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"msbundle/state"
)

func TestPlanOfMFA(t *testing.T) {
	enforce := func(id string) string {
		return "PATCH " + id + `/authentication/requirements {"perUserMfaState":"enforced"}`
	}
	mfaPolicy := makesPolicy(rewstID, "enabled")
	unlicensed := func(_ *state.Answers, f *Findings) { f.Ready.Licensed = false }
	perUser := func(a *state.Answers, _ *Findings) { a.ServiceAccount.MFA = state.MFAPerUser }
	tests := []struct {
		name     string
		policies []string
		changes  []func(*state.Answers, *Findings)
		want     []string
		before   string
		says     string
	}{
		{name: "with a licence", want: []string{mfaPolicy}, says: "Microsoft advises against the per-user state beside it"},
		{name: "without one", changes: []func(*state.Answers, *Findings){unlicensed}, want: []string{enforce(rewstID)}, before: "disabled", says: "no product of the tenant has Microsoft Entra ID P1"},
		{
			name: "without one, enabled", changes: []func(*state.Answers, *Findings){unlicensed, func(_ *state.Answers, f *Findings) { f.Ready.User.PerUserMFA = "enabled" }},
			want: []string{enforce(rewstID)}, before: "enabled",
		},
		{name: "without one, enforced", changes: []func(*state.Answers, *Findings){unlicensed, func(_ *state.Answers, f *Findings) { f.Ready.User.PerUserMFA = "enforced" }}},
		{
			name: "without one, no account yet", changes: []func(*state.Answers, *Findings){unlicensed, func(_ *state.Answers, f *Findings) { f.Ready.User = nil }},
			want: []string{enforce("${account.id}")}, before: "disabled",
		},
		{
			name: "without one, unread", changes: []func(*state.Answers, *Findings){unlicensed, func(_ *state.Answers, f *Findings) { f.Unread[PartPerUserMFA] = Unread{"Not shown", "x"} }},
			says: "could not be read, so it is not changed: not shown",
		},
		{
			name: "enforced beside a policy", changes: []func(*state.Answers, *Findings){func(_ *state.Answers, f *Findings) { f.Ready.User.PerUserMFA = "enforced" }},
			want: []string{mfaPolicy}, says: "per-user state is enforced too. It is left as it is",
		},
		{name: "asked for", changes: []func(*state.Answers, *Findings){perUser}, want: []string{enforce(rewstID)}, before: "disabled", says: "as asked for"},
		{
			name: "asked for beside the policy", policies: []string{own("own")}, changes: []func(*state.Answers, *Findings){perUser},
			want: []string{enforce(rewstID)}, before: "disabled", says: `demanded by the policy "Rewst Conditional Access Policy" as well`,
		},
		{
			name: "asked for beside security defaults", changes: []func(*state.Answers, *Findings){perUser, func(_ *state.Answers, f *Findings) { f.Ready.Defaults = true }},
			want: []string{enforce(rewstID)}, before: "disabled", says: "demanded by security defaults as well",
		},
		{name: "security defaults, without a licence", changes: []func(*state.Answers, *Findings){unlicensed, func(_ *state.Answers, f *Findings) { f.Ready.Defaults = true }}, says: "nothing is added"},
		{
			name: "a policy without a licence", changes: []func(*state.Answers, *Findings){unlicensed, func(a *state.Answers, _ *Findings) { a.ServiceAccount.MFA = state.MFAPolicy }},
			says: "no policy is made",
		},
		{
			name: "a policy, as asked for", changes: []func(*state.Answers, *Findings){func(a *state.Answers, _ *Findings) { a.ServiceAccount.MFA = state.MFAPolicy }},
			want: []string{mfaPolicy}, says: "by a Conditional Access policy, as asked for",
		},
		{name: "left alone", changes: []func(*state.Answers, *Findings){unlicensed, func(a *state.Answers, _ *Findings) { a.ServiceAccount.MFA = state.MFALeave }}},
		{name: "defaults unread", changes: []func(*state.Answers, *Findings){func(_ *state.Answers, f *Findings) { f.Unread[PartDefaults] = Unread{"Not shown", "x"} }}, says: "nothing is done"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, f := accessed(t, tt.policies...)
			for _, change := range tt.changes {
				change(&a, f)
			}
			p := MakePlan(a, f, PlanOptions{Stage: StageTenant})
			if diff := cmp.Diff(tt.want, changesOf(p)); diff != "" {
				t.Errorf("writes (-want +got):\n%s", diff)
			}
			for _, c := range p.Changes {
				if want := `{"perUserMfaState":"` + tt.before + `"}`; c.Kind == KindMFA && string(c.Before) != want {
					t.Errorf("before it was %s, want %s", c.Before, want)
				}
			}
			if tt.says != "" && !slices.ContainsFunc(p.Notes, func(n Note) bool { return strings.Contains(n.Text, tt.says) }) {
				t.Errorf("no note says %q: %v", tt.says, p.Notes)
			}
		})
	}
}

func TestMethods(t *testing.T) {
	var list []wireMethod
	for _, kind := range []string{"password", "email", "phone", "phone", "microsoftAuthenticator", "fido2", "softwareOath", "windowsHelloForBusiness", "temporaryAccessPass", "future"} {
		list = append(list, wireMethod{"#microsoft.graph." + kind + "AuthenticationMethod"})
	}
	want := []string{
		"Microsoft Authenticator", "Temporary Access Pass", "Windows Hello for Business", "authenticator app (software token)", "security key or passkey (FIDO2)", "telephone",
	}
	if diff := cmp.Diff(want, methods(list)); diff != "" {
		t.Errorf("methods (-want +got):\n%s", diff)
	}
}

func TestExternalMethods(t *testing.T) {
	var w wireMethodsPolicy
	const policy = `{"authenticationMethodConfigurations": [
		{"@odata.type": "#microsoft.graph.fido2AuthenticationMethodConfiguration", "id": "Fido2", "state": "enabled"},
		{"@odata.type": "#microsoft.graph.externalAuthenticationMethodConfiguration", "id": "a", "displayName": "Duo", "state": "enabled"},
		{"@odata.type": "#microsoft.graph.externalAuthenticationMethodConfiguration", "id": "b", "state": "enabled"},
		{"@odata.type": "#microsoft.graph.externalAuthenticationMethodConfiguration", "id": "c", "displayName": "Old", "state": "disabled"}]}`
	if err := json.Unmarshal([]byte(policy), &w); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"Duo", "b"}, w.external()); diff != "" {
		t.Errorf("external (-want +got):\n%s", diff)
	}
}
