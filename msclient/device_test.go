package msclient_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/sandbox"
)

// signing is a sign-in by code: the real MSAL client against the sandbox.
type signing struct {
	t     *testing.T
	cloud *sandbox.Cloud
	begun time.Time
	next  http.RoundTripper

	mu    sync.Mutex
	polls []poll
	codes []string
	// answer takes the place of the service's answer to the n-th poll, from 1; a
	// nil result leaves it.
	answer func(n int, at time.Duration) (*http.Response, error)
}

type poll struct {
	code string
	at   time.Duration
}

func (s *signing) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil || !strings.HasSuffix(r.URL.Path, "/token") {
		return s.next.RoundTrip(r)
	}
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	form, _ := url.ParseQuery(string(data))
	code := form.Get("device_code")
	if code == "" {
		return s.next.RoundTrip(r)
	}
	at := time.Since(s.begun)
	s.mu.Lock()
	s.polls = append(s.polls, poll{code, at})
	n := len(s.polls)
	s.mu.Unlock()
	if s.answer != nil {
		if res, err := s.answer(n, at); res != nil || err != nil {
			return res, err
		}
	}
	return s.next.RoundTrip(r)
}

func refusal(status int, text string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text))}
}

// signIn runs a sign-in in its own time. shown hears of each code, with its
// number from 1.
func signIn(t *testing.T, o sandbox.Options, ctx context.Context, prepare func(*signing), shown func(s *signing, c *msclient.Client, n int, p msclient.Prompt)) (*signing, msclient.Account, error) {
	t.Helper()
	if o.Approve == "" {
		o.Approve = sandbox.ApproveManual
	}
	cloud, err := sandbox.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := &signing{t: t, cloud: cloud, begun: time.Now(), next: cloud.Transport()}
	if prepare != nil {
		prepare(s)
	}
	global, _ := catalog.CloudByID("global")
	c, err := msclient.New(msclient.Options{Cloud: global, Transport: s})
	if err != nil {
		t.Fatal(err)
	}
	c.Prompts(func(p msclient.Prompt) {
		if p.Ended || p.Code.UserCode == "" {
			return
		}
		s.mu.Lock()
		s.codes = append(s.codes, p.Code.UserCode)
		n := len(s.codes)
		s.mu.Unlock()
		if shown != nil {
			shown(s, c, n, p)
		}
	}, false)
	account, err := c.SignIn(ctx, msclient.Wish{Scopes: []string{"User.Read", "Application.ReadWrite.All"}})
	return s, account, err
}

// approveAfter has the person finish with the n-th code some time after it was
// shown.
func approveAfter(n int, wait time.Duration) func(*signing, *msclient.Client, int, msclient.Prompt) {
	return func(s *signing, _ *msclient.Client, shown int, p msclient.Prompt) {
		if shown == n {
			time.AfterFunc(wait, func() {
				if err := s.cloud.Approve(p.Code.UserCode, ""); err != nil {
					s.t.Error(err)
				}
			})
		}
	}
}

// gaps are the times between the polls of each code, in the order of the codes.
func (s *signing) gaps() [][]time.Duration {
	var order []string
	last := map[string]time.Duration{}
	all := map[string][]time.Duration{}
	for _, p := range s.polls {
		if at, seen := last[p.code]; seen {
			all[p.code] = append(all[p.code], p.at-at)
		} else {
			order = append(order, p.code)
		}
		last[p.code] = p.at
	}
	var out [][]time.Duration
	for _, code := range order {
		out = append(out, all[code])
	}
	return out
}

const interval = 5 * time.Second

func every(n int) []time.Duration { return slices.Repeat([]time.Duration{interval}, n) }

func TestSignInByCode(t *testing.T) {
	slow := func() *http.Response {
		return refusal(400, `{"error":"slow_down","error_description":"The client polls faster than it was told."}`)
	}
	for _, tt := range []struct {
		name   string
		answer func(n int, at time.Duration) (*http.Response, error)
		shown  func(*signing, *msclient.Client, int, msclient.Prompt)
		codes  int
		gaps   [][]time.Duration
		took   time.Duration
	}{
		{
			name: "approved after four minutes", shown: approveAfter(1, 4*time.Minute),
			codes: 1, gaps: [][]time.Duration{every(48)}, took: 4 * time.Minute,
		},
		{
			name: "slow_down twice", shown: approveAfter(1, time.Minute),
			answer: func(n int, _ time.Duration) (*http.Response, error) {
				if n == 2 || n == 3 {
					return slow(), nil
				}
				return nil, nil
			},
			codes: 1, gaps: [][]time.Duration{{5 * time.Second, 10 * time.Second, 15 * time.Second, 15 * time.Second, 15 * time.Second}}, took: time.Minute,
		},
		{
			name: "90 seconds without network", shown: approveAfter(1, time.Minute),
			answer: func(_ int, at time.Duration) (*http.Response, error) {
				if at >= 20*time.Second && at < 110*time.Second {
					return nil, syscall.ENETUNREACH
				}
				return nil, nil
			},
			codes: 1, gaps: [][]time.Duration{every(22)}, took: 110 * time.Second,
		},
		{
			name: "the service fails once", shown: approveAfter(1, 12*time.Second),
			answer: func(n int, _ time.Duration) (*http.Response, error) {
				if n == 2 {
					return refusal(503, "busy"), nil
				}
				return nil, nil
			},
			codes: 1, gaps: [][]time.Duration{every(3)}, took: 15 * time.Second,
		},
		{
			// Codes live 15 minutes; the next one comes half a minute before.
			name: "two codes expire", shown: approveAfter(3, 50*time.Second),
			codes: 3, gaps: [][]time.Duration{every(179), every(179), every(10)}, took: 29*time.Minute + 50*time.Second,
		},
		{
			name: "the code before is used after the new one was shown", shown: approveAfter(1, 14*time.Minute+40*time.Second),
			codes: 2, gaps: [][]time.Duration{every(176), every(2)}, took: 14*time.Minute + 40*time.Second,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, account, err := signIn(t, sandbox.Options{}, t.Context(), func(s *signing) { s.answer = tt.answer }, tt.shown)
				if err != nil {
					t.Fatal(err)
				}
				if account.Username != s.cloud.Tenant().Admin || len(s.codes) != tt.codes {
					t.Errorf("%s signed in after %d codes, want %d", account.Username, len(s.codes), tt.codes)
				}
				if diff := cmp.Diff(tt.gaps, s.gaps()); diff != "" {
					t.Errorf("gaps between polls (-want +got):\n%s", diff)
				}
				if got := time.Since(s.begun).Round(time.Second); got != tt.took {
					t.Errorf("took %s, want %s", got, tt.took)
				}
			})
		})
	}
}

func TestADeclinedSignInEndsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, err := signIn(t, sandbox.Options{Scenario: "declined", Approve: sandbox.ApproveAuto}, t.Context(), nil, nil)
		var refused *msclient.AuthError
		if !errors.As(err, &refused) || refused.OAuth != "authorization_declined" {
			t.Errorf("got %v", err)
		}
		if got := time.Since(s.begun).Round(time.Second); got != 10*time.Second || len(s.codes) != 1 { // the person answers at the third poll
			t.Errorf("ended after %s and %d codes", got, len(s.codes))
		}
	})
}

// A policy that blocks codes is told to the browser only: the service goes on
// saying that it waits, for as long as the person lets it.
func TestABlockedCodeIsPendingUntilThePersonReportsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cloud, err := sandbox.New(sandbox.Options{Scenario: "device-code-blocked", Approve: sandbox.ApproveManual})
		if err != nil {
			t.Fatal(err)
		}
		global, _ := catalog.CloudByID("global")
		s := &signing{t: t, cloud: cloud, begun: time.Now(), next: cloud.Transport()}
		c, err := msclient.New(msclient.Options{Cloud: global, Transport: s, Methods: []msclient.Method{msclient.ByDevice, msclient.ByTunnel}})
		if err != nil {
			t.Fatal(err)
		}
		shows := ""
		var methods []msclient.Method
		c.Prompts(func(p msclient.Prompt) {
			if p.Ended {
				return
			}
			methods = append(methods, p.Method)
			if p.Code.UserCode != "" {
				time.AfterFunc(20*time.Second, func() {
					if err := cloud.Approve(p.Code.UserCode, ""); err != nil {
						shows = err.Error() // the browser
					}
				})
				time.AfterFunc(5*time.Minute, func() { c.Skip(p.N) })
			}
		}, false)
		_, err = c.SignIn(t.Context(), msclient.Wish{Scopes: []string{"User.Read"}})
		if !errors.Is(err, msclient.ErrSkipped) {
			t.Fatalf("got %v", err)
		}
		if !strings.Contains(shows, "AADSTS53003") {
			t.Errorf("the browser showed %q", shows)
		}
		if diff := cmp.Diff([][]time.Duration{every(59)}, s.gaps()); diff != "" {
			t.Errorf("gaps between polls (-want +got):\n%s", diff)
		}
		if got := time.Since(s.begun); got != 5*time.Minute {
			t.Errorf("took %s", got)
		}
		if diff := cmp.Diff([]msclient.Method{msclient.ByDevice}, methods); diff != "" {
			t.Errorf("methods (-want +got):\n%s", diff)
		}
	})
}

// The person reports what the browser shows; the table of errors names the method
// that may work instead, and it does, with the sign-in still under way. The browser
// comes back by a real port, so the clock is real too; nothing waits for it.
func TestWhoeverReportsABlockedCodeSignsInByBrowser(t *testing.T) {
	cloud, err := sandbox.New(sandbox.Options{Scenario: "device-code-blocked", Approve: sandbox.ApproveAuto})
	if err != nil {
		t.Fatal(err)
	}
	global, _ := catalog.CloudByID("global")
	c, err := msclient.New(msclient.Options{Cloud: global, Transport: cloud.Transport(), Methods: []msclient.Method{msclient.ByDevice, msclient.ByBrowser}})
	if err != nil {
		t.Fatal(err)
	}
	var methods []msclient.Method
	var browsing sync.WaitGroup
	c.Prompts(func(p msclient.Prompt) {
		switch {
		case p.Ended:
		case p.Code.UserCode != "":
			methods = append(methods, p.Method)
			shows := cloud.Approve(p.Code.UserCode, "")
			found := catalog.Explain(catalog.Clues{Text: shows.Error()})
			if found.Rule.ID != "AADSTS53003" || found.Rule.Method != string(msclient.ByBrowser) {
				t.Errorf("%v is explained as %+v", shows, found.Rule)
			}
			c.Use(p.N, msclient.Method(found.Rule.Method))
		default:
			methods = append(methods, p.Method)
			browsing.Go(func() {
				if err := cloud.Browse(t.Context(), p.URL); err != nil {
					t.Error(err)
				}
			})
		}
	}, false)
	account, err := c.SignIn(t.Context(), msclient.Wish{Scopes: []string{"User.Read"}})
	browsing.Wait()
	if err != nil || account.Username != cloud.Tenant().Admin {
		t.Errorf("got %+v, %v", account, err)
	}
	if diff := cmp.Diff([]msclient.Method{msclient.ByDevice, msclient.ByBrowser}, methods); diff != "" {
		t.Errorf("methods (-want +got):\n%s", diff)
	}
}
