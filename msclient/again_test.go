package msclient

import (
	"errors"
	"fmt"
	"testing"
)

// A sign-in that is asked for anew says why where the service did.
func TestWhyAgain(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{
		65001: " (it takes permissions that the last one did not ask for)", 700082: " (the last one has expired)", 70043: " (a policy limits how long one lasts)", 1: "",
	} {
		if got := whyAgain(fmt.Errorf("x: %w", &AuthError{Codes: []int{9, code}})); got != want {
			t.Errorf("%d: %q", code, got)
		}
	}
	if got := whyAgain(errors.New("x")); got != "" {
		t.Error(got)
	}
}
