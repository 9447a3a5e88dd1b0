package steps

import (
	"slices"

	"msbundle/catalog"
	"msbundle/state"
)

// ToggleIntegration chooses an integration or leaves it out, and says what else
// that changes in the answers; empty when nothing. A required integration stays.
func ToggleIntegration(a state.Answers, id string) (state.Answers, string) {
	a = a.Clone()
	i, ok := catalog.IntegrationByID(id)
	if !ok || i.Required {
		return a, "Microsoft Graph is always part of the setup."
	}
	if a.Has(id) {
		a.Integrations = slices.DeleteFunc(a.Integrations, func(s string) bool { return s == id })
		return dropEntries(a), ""
	}
	var ordered []string
	for _, known := range catalog.Integrations() {
		if known.ID == id || a.Has(known.ID) {
			ordered = append(ordered, known.ID)
		}
	}
	a.Integrations = ordered
	if id == catalog.CSP && a.Registration.Kind == state.KindOwned && a.Registration.Audience == state.AudienceSingle {
		a.Registration.Audience = state.AudienceMulti
		return a, "The app becomes multitenant: acting in customer tenants needs it."
	}
	return a, ""
}

// dropEntries removes permission entries of integrations that are not chosen.
func dropEntries(a state.Answers) state.Answers {
	foreign := func(text string) bool {
		e, err := ParseEntry(text)
		if err != nil {
			return false
		}
		r, _ := catalog.ResourceByAppID(e.Resource)
		return !a.Has(r.Integration)
	}
	a.Permissions.Add = slices.DeleteFunc(a.Permissions.Add, foreign)
	a.Permissions.Remove = slices.DeleteFunc(a.Permissions.Remove, foreign)
	return a
}
