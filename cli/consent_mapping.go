package cli

import (
	"context"
	"fmt"
	"strings"

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
	r.known, r.before = organizations, kept
	r.rematch(kept)
	return nil
}

// rematch sets them anew against the same organisations: more may be certain by
// domains that reading a customer's tenant has shown.
func (r *atCustomers) rematch(kept state.Mapping) {
	r.mapping = steps.MatchCustomers(r.clientele.Rows, r.known, kept)
	r.mapping.AcceptCertain()
}

// seen takes over what reading customers has shown of them.
func (r *atCustomers) seen() {
	for i := range r.clientele.Rows { // which the mapping has in the same order
		row := &r.clientele.Rows[i]
		if len(row.Domains) != len(r.mapping.Rows()[i].Domains) {
			r.rematch(r.mapping.Kept())
			return
		}
		r.mapping.SetShield(i, row.Shield)
	}
}

// justLinked counts the customers that are linked and were not when this began.
func (r *atCustomers) justLinked() int {
	n := 0
	for i, row := range r.mapping.Rows() {
		if r.mapping.State(i) == steps.RowLinked && len(r.before.Links[strings.ToLower(row.TenantID)].Organizations) == 0 {
			n++
		}
	}
	return n
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
	// The workflow knows ids and tenants, which Rewst's file does not have.
	called := map[string]bool{}
	for _, o := range more {
		called[strings.ToLower(o.Name)] = true
	}
	for _, o := range list {
		if !called[strings.ToLower(o.Name)] {
			more = append(more, o)
		}
	}
	return more, nil
}

// keepMapping remembers what was linked.
func (r *atCustomers) keepMapping() error { return r.s.KeepMapping(r.mapping.Kept()) }

// mappingDocument counts how the customers stand with Rewst's organisations.
type mappingDocument struct {
	Organizations int `json:"organizations"`
	Linked        int `json:"linked"`
	JustLinked    int `json:"justLinked"` // of those
	Suggested     int `json:"suggested"`  // a person has to look at them
	None          int `json:"none"`       // and nobody said that they are to have none
	Declined      int `json:"declined"`   // they are to have none
	Wrong         int `json:"wrong"`      // several customers have one organisation, or it is gone
}

func (r *atCustomers) mapped() mappingDocument {
	m := r.mapping
	return mappingDocument{
		Organizations: len(m.Organizations()), Linked: m.Count(steps.RowLinked), JustLinked: r.justLinked(), Suggested: m.Count(steps.RowSuggested) + m.Count(steps.RowCertain),
		None: m.Count(steps.RowOpen), Declined: m.Count(steps.RowDeclined), Wrong: m.Count(steps.RowShared) + m.Count(steps.RowMissing),
	}
}
