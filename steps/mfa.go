package steps

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"msbundle/catalog"
	"msbundle/state"
)

// stepMFA is the step of the multifactor authentication of the service account.
const stepMFA = "mfa"

// States of the multifactor authentication an account has by itself.
const (
	perUserDisabled = "disabled"
	perUserEnforced = "enforced"
)

// mfaWay is how multifactor authentication comes to be demanded of the account.
type mfaWay int

const (
	mfaAsItIs     mfaWay = iota // nothing was asked for
	mfaByDefaults               // security defaults demand it of everybody
	mfaByPolicy
	mfaByUser     // by the per-user state
	mfaUnknown    // what the tenant has could not be read
	mfaBeside     // a policy is asked for, and security defaults are in its way
	mfaUnlicensed // a policy is asked for, and the tenant cannot have one
)

// mfaFor chooses the way and says why it is that one. Microsoft advises against
// having the per-user state beside Conditional Access, so it is one or the other.
// https://learn.microsoft.com/entra/identity/authentication/howto-mfa-userstates
func mfaFor(a state.Answers, f *Findings) (mfaWay, string) {
	s, r := a.ServiceAccount, f.Ready
	if s == nil || s.MFA == state.MFALeave {
		return mfaAsItIs, ""
	}
	if s.MFA == state.MFAPerUser {
		return mfaByUser, "Multifactor authentication of the account is demanded by its per-user state, as asked for. Microsoft advises to use Conditional Access instead where the tenant has it."
	}
	if u, missing := f.unread(PartDefaults); missing {
		return mfaUnknown, "Whether security defaults are on could not be read, so nothing is done about multifactor authentication of the account: " + lowerFirst(u.Why) + "."
	}
	asked := s.MFA == state.MFAPolicy
	switch {
	case r.Defaults && asked:
		return mfaBeside, "Security defaults are on, and no Conditional Access policy can be switched on beside them: none is made."
	case r.Defaults:
		return mfaByDefaults, "Security defaults are on and demand multifactor authentication of everybody: nothing is added for the account."
	}
	if u, missing := f.unread(PartPlans); missing && len(r.Policies) == 0 {
		return mfaUnknown, "Whether the tenant has Microsoft Entra ID P1 could not be read, so nothing is done about multifactor authentication of the account: " + lowerFirst(u.Why) + "."
	} else if !missing && !r.Licensed {
		if asked {
			return mfaUnlicensed, "No product of the tenant has Microsoft Entra ID P1, which Conditional Access takes: no policy is made."
		}
		return mfaByUser, "Multifactor authentication of the account is demanded by its per-user state: no product of the tenant has Microsoft Entra ID P1, which Conditional Access takes."
	}
	if u, missing := f.unread(PartPolicies); missing {
		return mfaUnknown, "The Conditional Access policies could not be read, so none is made: " + lowerFirst(u.Why) + "."
	}
	why := "Multifactor authentication of the account is demanded by a Conditional Access policy, as asked for."
	if !asked {
		why = "Multifactor authentication of the account is demanded by a Conditional Access policy: the tenant has Microsoft Entra ID P1, and Microsoft advises against the per-user state beside it."
	}
	return mfaByPolicy, why
}

// MFAChoice says how multifactor authentication comes to be demanded of the account
// with these answers, and why that way; empty when nothing was asked for.
func MFAChoice(a state.Answers, f *Findings) string {
	_, why := mfaFor(a, f)
	return why
}

// planMFA demands multifactor authentication of the service account, where its
// own state is what does; planAccess does it where a policy does.
// https://learn.microsoft.com/graph/api/authentication-update?view=graph-rest-beta
func planMFA(p *Plan) {
	who := p.accountRef()
	way, why := mfaFor(p.want.answers, p.findings)
	if who == "" || way == mfaAsItIs {
		return
	}
	p.note("%s", why)
	r := p.findings.Ready
	had := perUserDisabled
	if r.User != nil && r.User.PerUserMFA != "" {
		had = r.User.PerUserMFA
	}
	if way != mfaByUser {
		if had != perUserDisabled {
			p.note("The account's per-user state is %s too. It is left as it is, so both demand it.", had)
		}
		return
	}
	if others := besidePerUser(p.want.answers, p.findings); len(others) > 0 {
		p.note("Both are on: multifactor authentication of the account is demanded by %s as well.", together(others))
	}
	if u, missing := p.findings.unread(PartPerUserMFA); missing {
		p.note("The account's per-user state could not be read, so it is not changed: %s.", lowerFirst(u.Why))
		return
	}
	if had == perUserEnforced {
		return
	}
	p.add(Change{
		ID: "mfa/perUser", Step: stepMFA, Kind: KindMFA, Action: Update,
		Object: fmt.Sprintf("per-user multifactor authentication of %s: enforced", r.UPN),
		Why:    "Rewst and Partner Center take the account's sign-in only with multifactor authentication. Whoever signs in first registers a method.",
		Method: "PATCH", Path: "/beta/users/" + who + "/authentication/requirements", Risk: RiskModerate, Reversible: true, Name: r.UPN,
		Before: encode(map[string]string{"perUserMfaState": had}),
	}, map[string]string{"perUserMfaState": perUserEnforced})
}

// besidePerUser names what else demands multifactor authentication of the
// account.
func besidePerUser(a state.Answers, f *Findings) []string {
	var out []string
	if f.Ready.Defaults {
		out = append(out, "security defaults")
	}
	for _, p := range f.Ready.Policies {
		if p.State == policyOn && p.demandsMFA() && p.reaches(signInsOfAccount(a, f, false)) == reached {
			out = append(out, fmt.Sprintf("the policy %q", p.Name))
		}
	}
	return out
}

// together names several things in a sentence.
func together(names []string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
	return strings.Join(names, "")
}

// wireMethod is one thing an account has registered to sign in with.
type wireMethod struct {
	Type string `json:"@odata.type"`
}

// methodNames are the methods that count as a second factor; a password and an
// e-mail address do not.
// https://learn.microsoft.com/graph/api/resources/authenticationmethods-overview
var methodNames = map[string]string{
	"microsoftAuthenticator":  "Microsoft Authenticator",
	"phone":                   "telephone",
	"fido2":                   "security key or passkey (FIDO2)",
	"softwareOath":            "authenticator app (software token)",
	"hardwareOath":            "hardware token",
	"windowsHelloForBusiness": "Windows Hello for Business",
	"platformCredential":      "platform credential",
	"x509Certificate":         "certificate",
	"temporaryAccessPass":     "Temporary Access Pass",
	"external":                "another company's method",
}

// methods names what was registered besides a password.
func methods(list []wireMethod) []string {
	var out []string
	for _, m := range list {
		kind := strings.TrimSuffix(strings.TrimPrefix(m.Type, "#microsoft.graph."), "AuthenticationMethod")
		if name, known := methodNames[kind]; known && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// wireMethodsPolicy is which methods the tenant allows.
// https://learn.microsoft.com/graph/api/resources/externalauthenticationmethodconfiguration
type wireMethodsPolicy struct {
	Methods []struct {
		Type  string `json:"@odata.type"`
		ID    string `json:"id"`
		Name  string `json:"displayName"`
		State string `json:"state"`
	} `json:"authenticationMethodConfigurations"`
}

// external names other companies' multifactor authentication that is on.
func (w wireMethodsPolicy) external() []string {
	var out []string
	for _, m := range w.Methods {
		if m.Type != "#microsoft.graph.externalAuthenticationMethodConfiguration" || m.State != "enabled" {
			continue
		}
		if m.Name == "" {
			m.Name = m.ID
		}
		out = append(out, m.Name)
	}
	return out
}

// perUserReading reads the per-user state of multifactor authentication, which
// only the beta of Microsoft Graph has.
// https://learn.microsoft.com/graph/api/authentication-get?view=graph-rest-beta
func (s *Setup) perUserReading(f *Findings, u *User) reading {
	u.PerUserMFA = ""
	return reading{
		path: "/beta/users/" + u.ID + "/authentication/requirements",
		take: takeOne(func(w struct {
			State string `json:"perUserMfaState"`
		}, _ json.RawMessage,
		) {
			u.PerUserMFA = w.State
		}),
		absent: func() {},
		unread: func(err error) { f.Unread[PartPerUserMFA] = whyUnread(err, needsPolicies) },
	}
}

// mfaChecks check what this part needs.
func mfaChecks(a state.Answers, f *Findings) []Check {
	if a.ServiceAccount == nil {
		return nil
	}
	return []Check{checkAccountMFA(a, f), checkRegistered(f), checkProviders(a, f)}
}

// checkAccountMFA tells how multifactor authentication is demanded of the account,
// and whether that can be done.
func checkAccountMFA(a state.Answers, f *Findings) Check {
	c := Check{ID: "account-mfa", Title: "Multifactor authentication of the account"}
	way, why := mfaFor(a, f)
	c.Evidence = strings.TrimSuffix(why, ".")
	switch way {
	case mfaAsItIs:
		c.Evidence = "Left as it is: " + mfaNow(a, f)
		if demanded, unread := mfaDemanded(a, f); !demanded && !unread && f.Ready.User != nil {
			c.State, c.Fix = Warned, "Have it demanded (serviceAccount.mfa: auto), or see to it elsewhere: a partner's sign-in without it is let into no customer."
		}
	case mfaBeside:
		c.State, c.Blocks = Failed, true
		c.Fix = "Security defaults demand it already: let it be chosen by what the tenant has (serviceAccount.mfa: auto), or leave it as it is. " +
			"To use Conditional Access instead, switch security defaults off in the portal first; that is about everybody in the tenant."
	case mfaUnlicensed:
		c.State, c.Blocks = Failed, true
		c.Fix = "Use the per-user state (serviceAccount.mfa: perUser or auto), or buy a product with Microsoft Entra ID P1 and look again."
	case mfaUnknown:
		u, _ := f.unread(PartDefaults, PartPlans, PartPolicies)
		c.State, c.Fix = Unknown, u.Fix
	case mfaByUser:
		if u, missing := f.unread(PartPerUserMFA); missing {
			c = c.unknown(u)
			c.Evidence = "The account's per-user state could not be read, so it is not changed: " + lowerFirst(u.Why)
		}
	}
	return c
}

// checkRegistered tells whether somebody has registered a method already: the
// first sign-in, by a person, is where that happens.
func checkRegistered(f *Findings) Check {
	c := Check{ID: "account-methods", Title: "Registered methods of the account"}
	u := f.Ready.User
	if why, missing := f.unread(PartRegistered); missing && u != nil {
		return c.unknown(why)
	}
	if u != nil && len(u.Methods) > 0 {
		c.Evidence = strings.Join(u.Methods, ", ")
		return c
	}
	if u == nil {
		c.Evidence = "The account is not there yet; a person registers one at its first sign-in"
		return c
	}
	c.State, c.Evidence = Warned, "Nobody has registered a method yet"
	c.Fix = "Sign in once as the account, in a private window, and register a method: only a person can. Nothing here has to wait for it."
	return c
}

// checkProviders looks for multifactor authentication of other companies, which
// Partner Center and Rewst's sign-in do not take.
// https://learn.microsoft.com/partner-center/security/partner-security-requirements
func checkProviders(a state.Answers, f *Findings) Check {
	c := Check{ID: "mfa-providers", Title: "Other companies' multifactor authentication", Evidence: "None that reaches the account"}
	var found []string
	for _, name := range f.Ready.External {
		found = append(found, fmt.Sprintf("%q is on as an external authentication method", name))
	}
	who := signInsOfAccount(a, f, false)
	for _, p := range f.Ready.Policies {
		if p.State == policyOn && p.Grant != nil && len(p.Grant.Others) > 0 && p.reaches(who) != spared {
			found = append(found, fmt.Sprintf("the policy %q demands %s", p.Name, strings.Join(p.Grant.Others, ", ")))
		}
	}
	if len(found) > 0 {
		c.State, c.Evidence = Warned, UpperFirst(strings.Join(found, "; "))
		c.Fix = "Have the account use Microsoft's own multifactor authentication: Partner Center takes no other, and answers with a refusal. Exclude the account from the other company's method and from policies that demand it."
		if !a.Has(catalog.CSP) {
			c.Fix = "Have the account use Microsoft's own multifactor authentication: Rewst supports no other. Exclude the account from the other company's method and from policies that demand it."
		}
		return c
	}
	if u, missing := f.unread(PartMethods, PartPolicies); missing {
		return c.unknown(u)
	}
	return c
}
