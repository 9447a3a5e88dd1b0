package steps

import (
	"context"

	"msbundle/state"
)

// WebhookOrganizations asks a workflow of the partner's own, by the address of its
// trigger, for Rewst's organisations.
func (s *Setup) WebhookOrganizations(ctx context.Context, address, secret Secret) ([]state.Organization, error) {
	answer, err := s.client.Webhook(ctx, address, secret, nil)
	if err != nil {
		return nil, problem(err, "the workflow that lists Rewst's organisations did not answer")
	}
	list, err := state.ParseOrganizations(answer)
	if err != nil {
		return nil, &Problem{What: "the answer of the workflow that lists Rewst's organisations cannot be used", Cause: asSentence(err.Error()), Do: "Mend the workflow, then try again.", Err: err}
	}
	return list, nil
}
