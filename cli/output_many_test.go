package cli

import (
	"testing"

	"msbundle/steps"
)

func TestDeeds(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{"gdap/access/tenant/role": "given another role", "undo/access/relationship/assignment": "set back to the earlier roles"} {
		if got := deedOf(steps.Change{ID: id, Kind: steps.KindAccess, Action: steps.Update}); got.noun != "group" || got.verb != want {
			t.Errorf("%s: got %q %q, want %q", id, got.noun, got.verb, want)
		}
	}
}
