package cli

import (
	"context"
	"fmt"

	"msbundle/msclient"
	"msbundle/state"
	"msbundle/steps"
)

// Where the address and the secret of a workflow that lists Rewst's organisations
// come from. The address works like a password, so neither is a flag's value: those
// show in lists of processes.
const (
	webhookVar       = "MSBUNDLE_REWST_WEBHOOK"
	webhookSecretVar = "MSBUNDLE_REWST_WEBHOOK_SECRET"
)

// match sets the customers against Rewst's organisations, with what was chosen
// before, and links those that need no look.
func (r *atCustomers) match(ctx context.Context) error {
	organizations, err := r.organizations(ctx)
	if err != nil {
		return err
	}
	kept, err := r.s.KeptMapping()
	if err != nil {
		return err
	}
	r.mapping = steps.MatchCustomers(r.clientele.Rows, organizations, kept)
	r.certain = r.mapping.AcceptCertain()
	return nil
}

// organizations are those of the file the answers name and of the workflow the
// environment names.
func (r *atCustomers) organizations(ctx context.Context) ([]state.Organization, error) {
	list, err := steps.ListedOrganizations(r.answers)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	address, _ := r.env(webhookVar)
	if address == "" {
		return list, nil
	}
	secret, _ := r.env(webhookSecretVar)
	more, err := r.s.WebhookOrganizations(ctx, msclient.NewSecret(address), msclient.NewSecret(secret))
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", webhookVar, err)
	}
	return append(list, more...), nil
}

// keepMapping remembers what was linked.
func (r *atCustomers) keepMapping() error { return r.s.KeepMapping(r.mapping.Kept()) }

// mappingDocument counts how the customers stand with Rewst's organisations.
type mappingDocument struct {
	Organizations int `json:"organizations"`
	Linked        int `json:"linked"`
	Suggested     int `json:"suggested"` // a person has to look at them
	None          int `json:"none"`
	Wrong         int `json:"wrong"` // several customers have one organisation, or it is gone
}

func (r *atCustomers) mapped() mappingDocument {
	m := r.mapping
	return mappingDocument{
		Organizations: len(m.Organizations()), Linked: m.Count(steps.RowLinked), Suggested: m.Count(steps.RowSuggested) + m.Count(steps.RowCertain),
		None: m.Count(steps.RowOpen) + m.Count(steps.RowDeclined), Wrong: m.Count(steps.RowShared) + m.Count(steps.RowMissing),
	}
}
