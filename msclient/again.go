package msclient

import (
	"errors"
	"slices"
)

// again says why a sign-in that was good before does not serve any more.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
var again = []struct {
	codes []int
	why   string
}{
	{[]int{65001}, "it takes permissions that the last one did not ask for"},
	{[]int{70008, 700082, 700084}, "the last one has expired"},
	{[]int{70043, 70044}, "a policy limits how long one lasts"},
	{[]int{50072, 50074, 50076, 50078, 50079, 50158}, "a policy wants multifactor authentication"},
	{[]int{50132, 50133, 50173}, "the password was changed, or all sign-ins were ended"},
	{[]int{53003}, "a policy does not take the last one"},
}

// whyAgain is empty when it is not known.
func whyAgain(err error) string {
	var refused *AuthError
	if !errors.As(err, &refused) {
		return ""
	}
	for _, a := range again {
		if slices.ContainsFunc(refused.Codes, func(code int) bool { return slices.Contains(a.codes, code) }) {
			return " (" + a.why + ")"
		}
	}
	return ""
}
