package steps

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
	"msbundle/state"
)

// accountAlone are answers about the account and nothing that surrounds it.
func accountAlone(a *state.Answers) {
	a.ConditionalAccess = nil
	a.ServiceAccount.Roles, a.ServiceAccount.MFA = state.RolesLeave, state.MFALeave
}

// hiding has an account that was made unknown by its name for a while. It can lose
// the answer to the first one that is made.
type hiding struct {
	http.RoundTripper
	until time.Time
	loses bool
	posts int
}

// visitHidden is a visit to a tenant without an account, which is hidden.
func visitHidden(t *testing.T, h *hiding) *tenantVisit {
	t.Helper()
	c, err := sandbox.New(sandbox.Options{Scenario: "empty-tenant", Approve: sandbox.ApproveNow})
	if err != nil {
		t.Fatal(err)
	}
	a := everything("minimum")
	account, policies := state.DefaultServiceAccount(), state.DefaultConditionalAccess()
	a.ServiceAccount, a.ConditionalAccess = &account, &policies
	accountAlone(&a)
	wrap := func(next http.RoundTripper) http.RoundTripper { h.RoundTripper = next; return h }
	return &tenantVisit{Cloud: c, setup: visit{wrap: wrap}.signIn(t, c, a), answers: a}
}

const unknownYetBody = `{"error": {"code": "Request_ResourceNotFound", "message": "Resource does not exist."}}`

// batch has the account unknown in the rows of a batch too.
func (h *hiding) batch(r *http.Request) (*http.Response, error) {
	var asked struct {
		Requests []struct{ ID, URL string }
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &asked)
	}
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	res, err := h.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Responses []map[string]any `json:"responses"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return nil, err
	}
	for _, row := range answer.Responses {
		for _, q := range asked.Requests {
			if q.ID == row["id"] && strings.HasPrefix(q.URL, "/users/rewst") {
				row["status"], row["body"] = http.StatusNotFound, json.RawMessage(unknownYetBody)
			}
		}
	}
	text, err := json.Marshal(answer)
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	res.Header.Del("Content-Length")
	return res, err
}

func (h *hiding) RoundTrip(r *http.Request) (*http.Response, error) {
	hidden := h.posts > 0 && time.Now().Before(h.until)
	if hidden && path.Base(r.URL.Path) == "$batch" {
		return h.batch(r)
	}
	if r.Method == http.MethodGet && path.Base(r.URL.Path) == rewst && hidden {
		return &http.Response{
			StatusCode: http.StatusNotFound, Header: http.Header{}, Request: r,
			Body: io.NopCloser(strings.NewReader(unknownYetBody)),
		}, nil
	}
	res, err := h.RoundTripper.RoundTrip(r)
	if r.Method == http.MethodPost && r.URL.Path == users && err == nil {
		if h.posts++; h.posts == 1 && h.loses {
			_ = res.Body.Close()
			return nil, io.ErrUnexpectedEOF
		}
	}
	return res, err
}

// An account whose answer was lost, and which shows only long after, is ours all
// the same: in the run itself, or in the next one, which then makes a password
// somebody receives.
func TestAccountThatShowsLate(t *testing.T) {
	for name, late := range map[string]time.Duration{"in the same run": 3 * time.Minute, "in the next run": 30 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := visitHidden(t, &hiding{until: time.Now().Add(late), loses: true})
				delivered := 0
				apply := func() error {
					_, err := v.setup.Apply(t.Context(), v.plan, ApplyOptions{DeliverPassword: func(Secret) error { delivered++; return nil }})
					return err
				}
				v.look(t)
				err := apply()
				if late > laggingLimit {
					if err == nil {
						t.Fatal("an account that cannot be read was taken for made")
					}
					time.Sleep(late)
					v.look(t)
					err = apply()
				}
				if err != nil {
					t.Fatal(err)
				}
				if delivered != 1 {
					t.Errorf("a password was delivered %d times", delivered)
				}
				f := v.look(t)
				if !v.plan.Empty() || !f.Ready.made || f.Ready.password != "" {
					t.Errorf("left %v; made %v, undelivered %q", writesOf(v.plan), f.Ready.made, f.Ready.password)
				}
			})
		})
	}
}

// Replicas that do not know a fresh account by its name do not have it made again.
func TestFreshAccountUnknownByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hiding{}
		v := visitHidden(t, h)
		v.look(t)
		full := errors.New("the disk is full")
		if _, err := v.setup.Apply(t.Context(), v.plan, ApplyOptions{DeliverPassword: func(Secret) error { return full }}); !errors.Is(err, full) {
			t.Fatal(err)
		}
		h.until = time.Now().Add(time.Minute)
		if v.look(t); slices.ContainsFunc(v.plan.Changes, func(c Change) bool { return c.Kind == KindUser }) || len(v.plan.Changes) == 0 {
			t.Errorf("planned %v, want another password", writesOf(v.plan))
		}
	})
}

// A new password whose answer was lost is one nobody may know.
func TestPasswordOfUnknownOutcome(t *testing.T) {
	made, lost, again := madeAccount(1), newPasswordOf(2), newPasswordOf(3)
	made.Delivered, again.Delivered = true, true
	lost.Outcome = state.Record{}
	other := newPasswordOf(4)
	other.Path, other.Outcome = users+"/somebody", state.Record{}
	for name, tt := range map[string]struct {
		entries []state.Entry
		want    string
	}{
		"delivered":                     {[]state.Entry{made}, ""},
		"lost":                          {[]state.Entry{made, lost}, "i2"},
		"lost, then delivered":          {[]state.Entry{made, lost, again}, ""},
		"lost, of somebody else's":      {[]state.Entry{made, other}, ""},
		"lost, the account not of ours": {[]state.Entry{lost}, "i2"},
	} {
		r := &Readiness{User: holding()}
		r.journaled(tt.entries)
		if r.password != tt.want {
			t.Errorf("%s: %q, want %q", name, r.password, tt.want)
		}
	}
}

// A role that comes through a group cannot be taken away here, and is said to stay.
func TestGlobalAdministratorThroughAGroup(t *testing.T) {
	byRole := rule("Admins", hourly)
	byRole = strings.Replace(byRole, `"includeUsers": ["All"]`, `"includeUsers": [], "includeRoles": ["`+catalog.RoleGlobalAdministrator+`"]`, 1)
	for _, group := range []string{"automation", "others"} {
		a, f := accessed(t, own("own"), byRole)
		a.ServiceAccount.Roles = state.RolesOperate
		f.Ready.User.Roles = holding(twelve()...).Roles
		f.Ready.Admins = append(f.Ready.Admins, RoleGiven{RoleID: catalog.RoleGlobalAdministrator, Scope: "/", PrincipalID: group})
		p := MakePlan(a, f, PlanOptions{Stage: StageTenant})
		c := checkStepDown(a, f, &p)
		keeps := group == "automation"
		if (c.State == Warned) != keeps || strings.Contains(c.Evidence, "through a group") != keeps {
			t.Errorf("%s: %v %s", group, c.State, c.Evidence)
		}
		said := slices.ContainsFunc(p.Notes, func(n Note) bool { return strings.Contains(n.Text, "through a group") })
		if excluded := slices.Contains(changesOf(p), `PATCH /id of Admins {"conditions":{"users":{"excludeUsers":["break-glass","`+rewstID+`"],"includeGroups":[],"includeRoles":["`+
			catalog.RoleGlobalAdministrator+`"],"includeUsers":[]}}}`); said != keeps || excluded != keeps {
			t.Errorf("%s: said %v, excluded from what is about the role %v", group, said, excluded)
		}
	}
}

// A password goes nowhere but where one belongs.
func TestPasswordsStayInTheirPlace(t *testing.T) {
	body := json.RawMessage(`{"displayName":"[generated]","passwordProfile":{"forceChangePasswordNextSignIn":false,"password":"[generated]"}}`)
	e := &engine{}
	got := e.withPassword(body)
	if n := bytes.Count(got, []byte(e.password.Reveal())); n != 1 || !bytes.Contains(got, []byte(`"displayName":"[generated]"`)) {
		t.Errorf("the password stands there %d times", n)
	}
}

// What shows only when an account is restored is said, and left to another run.
func TestRestoredAccount(t *testing.T) {
	for name, tt := range map[string]struct {
		change   func(*testing.T, *tenantVisit, string)
		restored func(*testing.T, *tenantVisit, string)
		missing  string
	}{
		"disabled": {change: func(t *testing.T, v *tenantVisit, id string) {
			graph := v.setup.graph.Service
			asOther(t, graph, http.MethodPost, "/v1.0/directory/deletedItems/"+id+"/restore", nil)
			asOther(t, graph, http.MethodPatch, users+"/"+id, map[string]bool{"accountEnabled": false})
			asOther(t, graph, http.MethodDelete, users+"/"+id, nil)
		}, missing: OfferEnable},
		"Global Administrator": {restored: func(t *testing.T, v *tenantVisit, id string) {
			asOther(t, v.setup.graph.Service, http.MethodPost, roleAssignments, map[string]string{
				"roleDefinitionId": catalog.RoleGlobalAdministrator, "principalId": id, "directoryScopeId": "/",
			})
		}, missing: "still has Global Administrator"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := visitTenant(t, sandbox.Options{Scenario: "leftover-deleted"}, func(a *state.Answers) {
					accountAlone(a)
					a.ServiceAccount.Roles = state.RolesOperate
				})
				f := v.look(t)
				id := f.Ready.Deleted[0].ID
				if tt.change != nil {
					tt.change(t, v, id)
					f = v.look(t)
				}
				p := MakePlan(v.answers, f, PlanOptions{Stage: StageTenant, Ticked: map[string]bool{OfferRestore: true}})
				begun := time.Now()
				r, err := v.setup.Apply(t.Context(), p, ApplyOptions{Observe: func(ev Event) {
					if ev.Kind == EventDone && slices.Contains(ev.Changes, "serviceaccount/restore") && tt.restored != nil {
						tt.restored(t, v, id)
					}
				}})
				if err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begun); took > time.Minute {
					t.Errorf("it took %s", took)
				}
				if text := strings.Join(r.Tenant.Missing, " "); r.Done() || !strings.Contains(text, tt.missing) || !strings.Contains(strings.Join(r.Tenant.Left, " "), tt.missing) {
					t.Errorf("done %v; missing %q, left %q", r.Done(), text, r.Tenant.Left)
				}
			})
		})
	}
}
