package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/sandbox"
)

// chosen are the tenant ids of the customers, in the order they are served.
func (w *partnership) chosen() []string {
	w.Helper()
	f, err := w.run().InspectTenant(w.Context(), w.answers, nil)
	if err != nil {
		w.Fatal(whole(err))
	}
	var out []string
	for _, c := range f.Delegation.Customers {
		out = append(out, c.TenantID)
	}
	return out
}

// failing applies and holds the result to one customer having failed.
func (w *partnership) failing(customer string, wait time.Duration) (*Result, *CustomersFailed) {
	w.Helper()
	r, err := w.apply(w.Context(), wait)
	var failed *CustomersFailed
	if !errors.As(err, &failed) || r == nil {
		w.Fatalf("it ended with %v", whole(err))
	}
	if len(failed.Customers) != 1 || failed.Customers[0].Customer.TenantID != customer {
		w.Fatalf("failed: %+v", failed.Customers)
	}
	name := failed.Customers[0].Customer.Name
	switch p := failed.Customers[0].Problem; {
	case name == "" || !strings.Contains(failed.What, name) || !strings.Contains(failed.Cause, name) || failed.Do == "":
		w.Errorf("told: %s\n%s\n%s", failed.What, failed.Cause, failed.Do)
	case p.What == "" || p.Do == "":
		w.Errorf("why: %+v", p)
	case len(r.Delegation.Failed) != 1 || r.Proof.Reads == 0:
		w.Errorf("the result: %+v, %+v", r.Delegation, r.Proof)
	}
	return r, failed
}

// Whatever the service refuses of one customer, the others are served and proven;
// the next run tries that one again, and nothing else.
func TestOneCustomerIsRefused(t *testing.T) {
	t.Parallel()
	want := undisturbed(t, five())
	for _, v := range []struct {
		name   string
		answer func(string, string) *stub
		wait   time.Duration
	}{
		{"the relationship, 403", at("POST", "/delegatedAdminRelationships", notYours), fortnight},
		{"the relationship, 400", at("POST", "/delegatedAdminRelationships", invalid), fortnight},
		{"the relationship, 409", at("POST", "/delegatedAdminRelationships", clashes), fortnight},
		{"opening it, 403", at("POST", "/requests", notYours), fortnight},
		{"opening it, 400", at("POST", "/requests", invalid), fortnight},
		{"opening it, 404", at("POST", "/requests", unknown), fortnight},
		{"a role, 403", at("POST", "/accessAssignments", notYours), fortnight},
		{"a role, 400", at("POST", "/accessAssignments", invalid), fortnight},
		{"a role, 404", at("POST", "/accessAssignments", unknown), fortnight},
		{"a role, 409", at("POST", "/accessAssignments", clashes), fortnight},
		{"a role, 500", at("POST", "/accessAssignments", broken), fortnight},
		{"a look at its roles, 403", at("GET", "/accessAssignments", notYours), fortnight},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := partnershipOf(t, five())
				w.checkedOften()
				who := w.chosen()[1]
				refusing := w.refusing(who, v.answer)
				if r, _ := w.failing(who, v.wait); r.Delegation.Ready != 4 {
					t.Errorf("%d customers are ready", r.Delegation.Ready)
				}
				if len(refusing.given) == 0 {
					t.Fatal("nothing was refused")
				}
				time.Sleep(time.Hour)
				begun := len(w.cloud.Requests())
				r, _ := w.failing(who, v.wait) // again, to the same end
				if _, _, wrote := w.graphRequests(begun); len(wrote) > 13 || r.Delegation.Ready != 4 {
					t.Errorf("a second run, %d ready, wrote %v", r.Delegation.Ready, wrote)
				}
				w.wrap = nil
				time.Sleep(time.Hour)
				w.untilReady()
				if diff := cmp.Diff(want, w.digest()); diff != "" {
					t.Errorf("(-undisturbed +mended):\n%s", diff)
				}
			})
		})
	}
}

// What is refused at every customer of the first batch is our own right: the run
// stops at once. What others were served with before is not.
func TestOurOwnRightIsMissing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "happy", Customers: 45})
		s := w.refusing("", at("POST", "/delegatedAdminRelationships", notYours))
		r, err := w.apply(t.Context(), 0)
		var failed *CustomersFailed
		var p *Problem
		if r != nil || errors.As(err, &failed) || !errors.As(err, &p) || p.Rule != "gdap.principal" {
			t.Errorf("it ended with %+v, %v", r, whole(err))
		}
		if len(s.given) != 20 {
			t.Errorf("%d were tried", len(s.given))
		}
	})
	synctest.Test(t, func(t *testing.T) { // the first two by chance
		w := partnershipOf(t, sandbox.Options{Scenario: "happy", Customers: 4})
		var waiting *Waiting
		if _, err := w.apply(t.Context(), 0); !errors.As(err, &waiting) {
			t.Fatal(whole(err))
		}
		w.approveAll()
		time.Sleep(time.Hour)
		who := w.chosen()[:2]
		f, err := w.run().InspectTenant(t.Context(), w.answers, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		of := map[string]string{}
		for _, r := range f.Delegation.Relationships {
			of[r.ID] = r.Tenant
		}
		w.refusing("", func(method, path string) *stub {
			if slices.Contains(who, of[relationshipIn("/v1.0"+path)]) {
				return at("POST", "/accessAssignments", notYours)(method, path)
			}
			return nil
		})
		if r, err := w.apply(t.Context(), 0); r != nil || err == nil {
			t.Errorf("%+v, %v", r, whole(err))
		}
		time.Sleep(time.Hour)
		r, err := w.apply(t.Context(), 0) // they wait behind the others now
		var failed *CustomersFailed
		if !errors.As(err, &failed) || len(failed.Customers) != 2 || r.Delegation.Ready != 2 {
			t.Errorf("%+v, %v", r, whole(err))
		}
	})
}

// A relationship that Microsoft did not open cannot be approved: nobody is waited
// for, and the next run opens it, or makes another where it is gone.
func TestARelationshipThatIsNotOpened(t *testing.T) {
	t.Parallel()
	want := undisturbed(t, five())
	for _, wait := range []time.Duration{fortnight, 0} {
		for _, gone := range []bool{false, true} {
			t.Run(fmt.Sprint(wait, " gone ", gone), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					w := partnershipOf(t, five())
					w.checkedOften()
					who := w.chosen()[2]
					s := w.refusing(who, at("POST", "/requests", accepted))
					begun := time.Now()
					if gone {
						s.answer = func(method, path string) *stub {
							out := at("POST", "/requests", accepted)(method, path)
							if out == nil && method == "GET" && s.mine[relationshipIn("/v1.0"+path)] && time.Since(begun) > 2*time.Minute {
								return unknown
							}
							return out
						}
					}
					r, failed := w.failing(who, wait)
					if why := failed.Customers[0].Problem; !strings.Contains(why.What, "open for approval") && !strings.Contains(why.What, "does not show") {
						t.Errorf("told: %+v", why)
					}
					if took := time.Since(begun); took > 11*24*time.Hour {
						t.Errorf("it was waited for as if somebody could approve: %v", took)
					}
					for _, i := range r.Delegation.Invitations {
						if i.Customer.TenantID == who {
							t.Error("the customer is said to be waited for")
						}
					}
					w.wrap = nil
					time.Sleep(time.Hour)
					if gone {
						for id := range s.mine {
							if id != "" {
								w.change(http.MethodDelete, relationships+"/"+id, nil)
							}
						}
					}
					w.untilReady()
					if diff := cmp.Diff(want, w.digest()); diff != "" {
						t.Errorf("(-undisturbed +mended):\n%s", diff)
					}
				})
			})
		}
	}
}

// What somebody else makes under the name of ours, while an answer to us is lost,
// is not taken for ours: not by the run, not by the next, and not by an undo.
func TestNamesTakenMeanwhile(t *testing.T) {
	t.Parallel()
	for _, ends := range []bool{false, true} {
		t.Run(fmt.Sprint("ends ", ends), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := partnershipOf(t, sandbox.Options{Scenario: "happy", Customers: 3})
				w.checkedOften()
				who, name := w.chosen()[0], ""
				ctx, end := context.WithCancel(t.Context())
				defer end()
				s := w.refusing(who, nil)
				s.answer = func(method, path string) *stub {
					if at("POST", "/delegatedAdminRelationships", broken)(method, path) == nil || name != "" {
						return nil
					}
					var ours wireRelationship
					if err := json.Unmarshal(s.body, &ours); err != nil {
						t.Error(err)
					}
					name = ours.Name
					w.change("POST", relationships, map[string]any{
						"displayName": name, "duration": "P30D", "customer": map[string]string{"tenantId": who}, "accessDetails": accessOf(ours.Access.ids()[:1]),
					})
					if ends {
						end()
					}
					return broken
				}
				_, err := w.apply(ctx, 0)
				var failed *CustomersFailed
				if !ends && (!errors.As(err, &failed) || len(failed.Customers) != 1 || !strings.Contains(failed.Cause, "taken by somebody else's")) {
					t.Errorf("it ended with %v", whole(err))
				}
				w.wrap = nil
				time.Sleep(time.Hour)
				var waiting *Waiting
				if _, err := w.apply(t.Context(), 0); !errors.As(err, &waiting) {
					t.Errorf("it ended with %v", whole(err))
				}
				time.Sleep(time.Hour)
				w.undo()
				time.Sleep(time.Hour)
				theirs, ours := 0, 0
				for _, r := range w.digest().Relationships {
					switch {
					case r.Name == name && r.Status == "created":
						theirs++
					case r.Status == "approvalPending":
						ours++
					}
				}
				if theirs != 1 || ours != 3 {
					t.Errorf("%d of theirs and %d of ours are left: %+v", theirs, ours, w.digest().Relationships)
				}
			})
		})
	}
}

// The same goes for a group.
func TestGroupsMadeMeanwhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "happy", Customers: 1})
		made := false
		s := w.refusing("", nil)
		s.answer = func(method, path string) *stub {
			if at("POST", "/groups", broken)(method, path) == nil || made {
				return nil
			}
			made = true
			var ours map[string]any
			if err := json.Unmarshal(s.body, &ours); err != nil {
				t.Error(err)
			}
			delete(ours, "members@odata.bind")
			ours["description"], ours["mailNickname"] = "Somebody else's", "theirs"
			w.change("POST", groups, ours)
			return broken
		}
		var waiting *Waiting
		if _, err := w.apply(t.Context(), 0); !errors.As(err, &waiting) {
			t.Fatal(whole(err))
		}
		w.wrap = nil
		time.Sleep(time.Hour)
		w.undo()
		time.Sleep(time.Hour)
		if left := w.digest().Groups; !slices.ContainsFunc(left, func(g sandbox.GroupDigest) bool { return strings.HasPrefix(g.Name, "Rewst GDAP-") }) {
			t.Errorf("somebody else's group is gone: %+v", left)
		}
	})
}

// What cannot be taken back at one customer is taken back at the others.
func TestUndoWithOneCustomerRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, five())
		w.checkedOften()
		w.untilReady()
		who := w.chosen()[1]
		w.refusing(who, func(method, path string) *stub {
			if method == http.MethodDelete && strings.Contains(path, "/accessAssignments/") {
				return notYours
			}
			return nil
		})
		s := w.run()
		traces, err := s.InspectUndo(t.Context(), "", nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		var failed *CustomersFailed
		told := 0
		r, err := s.Undo(t.Context(), MakeUndoPlan(traces, PlanOptions{}), ApplyOptions{Observe: func(e Event) {
			if e.Failed != nil && e.Failed.Customer.TenantID == who && e.Text != "" {
				told++
			}
		}})
		if r == nil || r.Proof.Reads == 0 || !errors.As(err, &failed) || len(failed.Customers) != 1 || failed.Customers[0].Customer.TenantID != who || failed.Customers[0].Customer.Name == "" || told != 1 {
			t.Fatalf("%+v, %v, told %d times", r, whole(err), told)
		}
		time.Sleep(time.Hour)
		for _, r := range w.digest().Relationships {
			if left := len(r.Assignments); left > 0 != (r.Customer == failed.Customers[0].Customer.Name) {
				t.Errorf("%s: %d roles are left", r.Customer, left)
			}
		}
		w.wrap = nil
		w.undo()
		time.Sleep(time.Hour)
		if _, access := statuses(w.digest()); access != 0 {
			t.Errorf("%d roles are left", access)
		}
	})
}
