package steps

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/sandbox"
)

// An answer is lost, and what stands there when the write is repeated is somebody
// else's: it is not taken for ours, neither by the journal nor by an undo.
func TestWhatOthersMadeMeanwhileIsNotOurs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "happy", Customers: 2})
		_, _ = w.apply(t.Context(), 0) // waits for the approvals
		w.approveAll()
		time.Sleep(time.Hour)
		roles, lost := w.answers.GDAP.RoleIDs(), false
		s := w.refusing(w.chosen()[0], nil)
		s.answer = func(method, path string) *stub {
			if at("POST", "/accessAssignments", broken)(method, path) == nil || lost {
				return nil
			}
			lost = true
			var a struct {
				Container json.RawMessage `json:"accessContainer"`
				Access    wireRoles       `json:"accessDetails"`
			}
			if err := json.Unmarshal(s.body, &a); err != nil {
				t.Fatal(err)
			}
			other := roles[0]
			if a.Access.ids()[0] == other {
				other = roles[1]
			}
			w.change(http.MethodPost, "/v1.0"+path, map[string]any{"accessContainer": a.Container, "accessDetails": accessOf([]string{other})})
			return broken
		}
		if _, err := w.apply(t.Context(), 0); err == nil || !lost {
			t.Fatalf("the group has another role by now, and that goes unnoticed: %v", whole(err))
		}
		w.wrap = nil
		time.Sleep(time.Hour)
		traces, err := w.run().InspectUndo(t.Context(), "", nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		taken := map[string]int{}
		for _, c := range MakeUndoPlan(traces, PlanOptions{}).Changes {
			if c.Kind == KindAccess {
				taken[c.Object]++
			}
		}
		for object, n := range taken {
			if n > 1 && strings.Contains(object, " at ") {
				t.Errorf("%s is taken away %d times: one of them is somebody else's", object, n)
			}
		}
	})
}
