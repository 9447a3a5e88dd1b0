package steps

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"msbundle/state"
)

// KnowsNamed refuses answers that would have the app consented to at a tenant that is
// no customer's, before anything is written. Only tenant ids are judged: some domains
// of a customer show in its own tenant alone.
func (s *Setup) KnowsNamed(ctx context.Context, a state.Answers, observe func(Event)) error {
	if a.Customers == nil || !slices.ContainsFunc(a.Customers.Consent, state.IsGUID) {
		return nil
	}
	f, _, err := s.lookPartner(ctx, a, observe)
	if err != nil {
		return err
	}
	known := everyCustomer(f.Delegation)
	var strangers []string
	for _, name := range a.Customers.Consent {
		if _, err := findCustomer(known, name); err != nil && state.IsGUID(name) {
			strangers = append(strangers, name)
		}
	}
	if len(strangers) == 0 {
		return nil
	}
	return &Problem{
		What: fmt.Sprintf("customers.consent: not among the %d customers of %s: %s", len(known), f.Org.Name, strings.Join(strangers, ", ")),
		Do:   "Correct or remove them; nothing was written. 'msbundle customers' lists the customers.", Err: ErrNoSuchCustomer,
	}
}
