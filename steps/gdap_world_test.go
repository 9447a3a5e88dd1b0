package steps

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/msclient"
	"msbundle/sandbox"
	"msbundle/sandbox/conform"
	"msbundle/state"
)

// described are the services' official descriptions, read once.
var descriptions = sync.OnceValues(func() (*conform.Checker, error) { return conform.Load(os.Getenv(conform.Env)) })

// partnership is a partner's tenant in which delegated administration is set up,
// by one run after the other.
type partnership struct {
	*testing.T
	cloud   *sandbox.Cloud
	answers state.Answers
	dir     string
	setup   *Setup
	wrap    func(http.RoundTripper) http.RoundTripper
	checker *conform.Checker
}

func delegation() state.Answers {
	a := state.DefaultAnswers()
	g := state.DefaultGDAP()
	g.Account = "admin@contoso.onmicrosoft.com"
	a.GDAP = &g
	return a
}

func partnershipOf(t *testing.T, o sandbox.Options) *partnership {
	t.Helper()
	o.Approve = sandbox.ApproveNow
	c, err := sandbox.New(o)
	if err != nil {
		t.Fatal(whole(err))
	}
	return &partnership{T: t, cloud: c, answers: delegation(), dir: t.TempDir()}
}

// run signs in anew, as a program that is started again does.
func (w *partnership) run() *Setup {
	w.Helper()
	if w.setup != nil {
		_ = w.setup.Close()
	}
	s := visit{wrap: w.wrapped}.signIn(w.T, w.cloud, w.answers)
	if err := s.Close(); err != nil {
		w.Fatal(whole(err))
	}
	s.root = w.dir
	var err error
	if s.store, err = state.Open(w.dir, state.Identity{Cloud: s.cloudID, Tenant: s.account.TenantID}); err != nil {
		w.Fatal(whole(err))
	}
	w.setup = s
	w.Cleanup(func() { _ = s.Close() })
	return s
}

func (w *partnership) wrapped(next http.RoundTripper) http.RoundTripper {
	if w.checker != nil {
		next = w.checker.Wrap(next)
	}
	if w.wrap != nil {
		next = w.wrap(next)
	}
	return next
}

var gdapStage = PlanOptions{Stage: StageGDAP}

// apply inspects, plans and applies.
func (w *partnership) apply(ctx context.Context, wait time.Duration) (*Result, error) {
	s := w.run()
	f, err := s.InspectTenant(ctx, w.answers, nil)
	if err != nil {
		return nil, err
	}
	return s.Apply(ctx, MakePlan(w.answers, f, gdapStage), ApplyOptions{Wait: wait})
}

func (w *partnership) plan() Plan {
	w.Helper()
	f, err := w.run().InspectTenant(w.Context(), w.answers, nil)
	if err != nil {
		w.Fatal(whole(err))
	}
	return MakePlan(w.answers, f, gdapStage)
}

// killed is a program that ends at a write to Graph: no answer reaches it any
// more, and nothing leaves it.
type killed struct {
	next   http.RoundTripper
	at     int
	after  bool // the write is carried out
	writes int
	end    context.CancelFunc
	dead   bool
}

var errKilled = errors.New("the program was killed")

func (k *killed) RoundTrip(req *http.Request) (*http.Response, error) {
	if k.dead {
		return nil, errKilled
	}
	if !writesGraph(req) {
		return k.next.RoundTrip(req)
	}
	if k.writes++; k.writes != k.at {
		return k.next.RoundTrip(req)
	}
	if k.after {
		if res, err := k.next.RoundTrip(req); err == nil {
			_ = res.Body.Close()
		}
	}
	k.dead = true
	k.end()
	return nil, errKilled
}

// writesGraph tells whether a request changes something.
func writesGraph(req *http.Request) bool {
	if req.URL.Host != "graph.microsoft.com" || req.Method == http.MethodGet {
		return false
	}
	if !strings.HasSuffix(req.URL.Path, "/$batch") {
		return true
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return true
	}
	req.Body = io.NopCloser(bytes.NewReader(body))
	return bytes.Contains(body, []byte(`"method":"POST"`)) || bytes.Contains(body, []byte(`"method":"PATCH"`)) || bytes.Contains(body, []byte(`"method":"DELETE"`))
}

// endedAt applies until the nth write, and tells whether there was one.
func (w *partnership) endedAt(n int, after bool, wait time.Duration) bool {
	w.Helper()
	ctx, end := context.WithCancel(w.Context())
	defer end()
	k := &killed{at: n, after: after, end: end}
	w.wrap = func(next http.RoundTripper) http.RoundTripper { k.next = next; return k }
	defer func() { w.wrap = nil }()
	_, err := w.apply(ctx, wait)
	if !k.dead {
		var waiting *Waiting
		if err != nil && !errors.As(err, &waiting) {
			w.Fatal(whole(err))
		}
	}
	return k.dead
}

// digest is what the partner's tenant holds in the end.
func (w *partnership) digest() sandbox.TenantDigest { return partner(w.cloud) }

// graphRequests counts what was asked of Graph since.
func (w *partnership) graphRequests(since int) (all, polls int, writes []string) {
	rows := w.cloud.Requests()[since:]
	for _, r := range rows {
		if !strings.Contains(r.URL, "graph.microsoft.com") {
			continue
		}
		all++
		if isPoll(r) {
			polls++
		}
		if r.Write {
			writes = append(writes, r.Method+" "+r.URL)
		}
	}
	return all, polls, writes
}

// isPoll tells whether a request only looks whether customers approved.
func isPoll(r sandbox.Request) bool {
	if strings.Contains(r.URL, "approvalPending") {
		return true
	}
	return len(r.Inner) > 0 && !slices.ContainsFunc(r.Inner, func(in sandbox.InnerRequest) bool {
		_, id, found := strings.Cut(in.URL, relationships+"/")
		return !found || in.Write || strings.Contains(id, "/")
	})
}

// looks counts how often polling read a single relationship.
func (w *partnership) looks(since int) int {
	n := 0
	for _, r := range w.cloud.Requests()[since:] {
		if isPoll(r) {
			n += len(r.Inner)
		}
	}
	return n
}

const aThousand = 1000

// A thousand customers approve over ten days while nobody sits at the machine; and
// the same with the program killed at twenty moments.
func TestAThousandCustomers(t *testing.T) {
	t.Parallel()
	var want, got sandbox.TenantDigest
	t.Cleanup(func() {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("killed 20 times (-undisturbed +killed):\n%.2000s", diff)
		}
	})
	t.Run("undisturbed", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := partnershipOf(t, sandbox.Options{Scenario: "approvals-arrive", Customers: aThousand})
			w.checkedOften()
			begun := len(w.cloud.Requests())
			r, err := w.apply(t.Context(), 14*24*time.Hour)
			if err != nil {
				t.Fatal(whole(err))
			}
			if !r.Done() || r.Delegation.Ready != aThousand {
				t.Errorf("%d of %d are ready", r.Delegation.Ready, r.Delegation.Customers)
			}
			all, polls, sent := w.graphRequests(begun)
			if all-polls > 6*aThousand || len(sent) < 20*killedWithin {
				t.Errorf("%d requests beyond polling, %d writes", all-polls, len(sent))
			}
			t.Logf("%d requests, %d of them polls, %d writes", all, polls, len(sent))
			if looks := w.looks(begun); looks > 2*aThousand { // whoever is done is not looked at any more
				t.Errorf("polling looked at relationships %d times", looks)
			}
			want = w.digest()
			w.nothingTwice(aThousand)
		})
	})
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := partnershipOf(t, sandbox.Options{Scenario: "approvals-arrive", Customers: aThousand})
			w.checkedOften()
			rng := rand.New(rand.NewPCG(11, 20))
			for range 20 {
				if !w.endedAt(1+rng.IntN(killedWithin), rng.IntN(2) == 0, 14*24*time.Hour) {
					t.Error("it came to its end before it was killed")
				}
			}
			if r, err := w.apply(t.Context(), 14*24*time.Hour); err != nil || !r.Done() {
				t.Fatalf("%+v, %v", r, err)
			}
			got = w.digest()
		})
	})
}

// killedWithin is how many writes a program that is killed gets to at most: twenty
// of them do not come to the end.
const killedWithin = 39

// nothingTwice runs again where all is done: little is read, and nothing written.
func (w *partnership) nothingTwice(customers int) {
	w.Helper()
	time.Sleep(time.Hour)
	s := w.run()
	begun := len(w.cloud.Requests())
	f, err := s.InspectTenant(w.Context(), w.answers, nil)
	if err != nil {
		w.Fatal(whole(err))
	}
	p := MakePlan(w.answers, f, gdapStage)
	r, err := s.Apply(w.Context(), p, ApplyOptions{Wait: time.Hour})
	if err != nil || !r.Done() || !p.Empty() {
		w.Errorf("a second run: %v\n%.500s", err, described(p))
	}
	all, _, writes := w.graphRequests(begun)
	paging := 0
	for _, req := range w.cloud.Requests()[begun:] {
		if strings.Contains(req.URL, "kiptoken") || strings.Contains(req.URL, "kipToken") {
			paging++
		}
	}
	if batches := (customers + msclient.BatchSize - 1) / msclient.BatchSize; len(writes) > 0 || all > 4+paging+batches {
		w.Errorf("a second run: %d requests, %d of them pages, %d batches are needed, wrote %v", all, paging, batches, writes)
	}
}

// whole is an error with what a person is not shown first.
func whole(err error) string {
	var p *Problem
	if errors.As(err, &p) {
		return fmt.Sprintf("%v; %s; %v", err, p.Raw, p.Err)
	}
	return fmt.Sprint(err)
}

// Worlds of a thousand customers are large, and what is thrown away beside them is
// not: it is collected less often than the runtime would.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	os.Exit(m.Run())
}
