package steps

import (
	"context"

	"msbundle/state"
)

// AzureFound is what the tenant holds of Azure.
type AzureFound struct{}

// readAzure reads it.
func (s *Setup) readAzure(ctx context.Context, a state.Answers, f *Findings) error { return nil }

// planAzure makes a subscription hold a key vault, and gives the service account
// its role there.
func planAzure(p *Plan) {}

// settled waits until Azure has finished what a write began.
func (e *engine) settled(ctx context.Context, a attempt) error { return nil }

// azureResult says what was read back.
func azureResult(a state.Answers, f *Findings) []string { return nil }

// azureChecks check what this part needs.
func azureChecks(a state.Answers, f *Findings) []Check { return nil }
