package steps

import (
	"context"

	"msbundle/state"
)

// planAccess makes the tenant's own Conditional Access policies fit the service
// account.
func planAccess(p *Plan) {}

// lookForPolicy looks for a policy that a write may have made.
func (s *Setup) lookForPolicy(ctx context.Context, intent state.Record) (map[string]string, error) {
	return nil, nil
}

// accessResult says what demands multifactor authentication of the account, and
// what became of the policies.
func accessResult(a state.Answers, f *Findings) (mfa string, policies []string) { return "", nil }

// accessChecks check what this part needs.
func accessChecks(a state.Answers, f *Findings) []Check { return nil }
