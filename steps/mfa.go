package steps

import (
	"encoding/json"

	"msbundle/state"
)

// planMFA demands multifactor authentication of the service account.
func planMFA(p *Plan) {}

// wireMethod is one thing an account has registered to sign in with.
type wireMethod struct {
	Type string `json:"@odata.type"`
}

// methods names what was registered besides a password.
func methods(list []wireMethod) []string { return nil }

type wireMethodsPolicy struct{}

// external names other companies' multifactor authentication that is on.
func (w wireMethodsPolicy) external() []string { return nil }

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
func mfaChecks(a state.Answers, f *Findings) []Check { return nil }
