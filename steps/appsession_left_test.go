package steps

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/msclient"
	"msbundle/sandbox"
)

// A client secret of an ended run is closed by what the journal knows, though the read
// does not show it: it may come from before the secret was made, or somebody removed
// it, which is told by trying.
func TestSecretsTheReadDoesNotShow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
		s := w.run()
		c, _ := w.look(t.Context(), s)
		if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		app := c.Findings.App
		if list := s.leftOfSignIn(app, nil); len(list) != 1 || list[0].KeyID != s.appKey {
			t.Errorf("a read that does not show it: %+v", list)
		}
		if _, err := s.graph.Do(t.Context(), msclient.Request{
			Method: http.MethodPost, Path: applications + "/" + app.ObjectID + "/removePassword", Body: map[string]string{"keyId": s.appKey},
		}); err != nil {
			t.Fatal(whole(err))
		}
		next := w.run()
		c, _ = w.look(t.Context(), next)
		if len(c.App.Left.Changes) != 2 {
			t.Errorf("left: %+v", c.App.Left.Changes)
		}
		if err := next.CloseApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Error(whole(err))
		}
		w.closed()
		if c, _ = w.look(t.Context(), w.run()); !c.App.Left.Empty() {
			t.Errorf("once more: %+v", c.App.Left.Changes)
		}
	})
}

// What can be closed is closed, whatever is refused besides.
func TestOneThingThatCannotBeClosed(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		method, path string
		secrets      int // that are left
		redirect     bool
	}{
		"the secret":                    {method: http.MethodPost, path: "/removePassword", secrets: 1},
		"the way back to this computer": {method: http.MethodPatch, path: "/applications/", redirect: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 3})
				refused := false
				w.wrap = func(next http.RoundTripper) http.RoundTripper {
					return roundTrip(func(req *http.Request) (*http.Response, error) {
						if refused && req.Method == tt.method && strings.Contains(req.URL.Path, tt.path) {
							return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{"Content-Type": {"application/json"}}, Request: req, Body: http.NoBody}, nil
						}
						return next.RoundTrip(req)
					})
				}
				s := w.run()
				c, _ := w.look(t.Context(), s)
				if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
					t.Fatal(whole(err))
				}
				refused = true
				if err := s.CloseApp(t.Context(), c.App, ApplyOptions{}); err == nil {
					t.Error("it says that it is closed")
				}
				time.Sleep(time.Hour)
				next := w.run()
				left, _ := w.look(t.Context(), next)
				if f := left.Findings; len(f.Left) != tt.secrets || slices.Contains(f.App.RedirectURIs, ClientRedirect) != tt.redirect {
					t.Errorf("left: %v, %v", f.Left, f.App.RedirectURIs)
				}
				refused = false
				if err := next.CloseApp(t.Context(), left.App, ApplyOptions{}); err != nil {
					t.Error(whole(err))
				}
				w.closed()
			})
		})
	}
}

// Closing that somebody gave up ends after its minute, also within a write: the journal
// has that as open, for it may have been carried out.
func TestClosingThatIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := clienteleOf(t, sandbox.Options{Scenario: "customers-ready", Customers: 1})
		hangs := false
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(req *http.Request) (*http.Response, error) {
				res, err := next.RoundTrip(req)
				if hangs && strings.HasSuffix(req.URL.Path, "/removePassword") {
					<-req.Context().Done()
					return nil, req.Context().Err()
				}
				return res, err
			})
		}
		s := w.run()
		c, _ := w.look(t.Context(), s)
		if err := s.OpenApp(t.Context(), c.App, ApplyOptions{}); err != nil {
			t.Fatal(whole(err))
		}
		hangs = true
		ctx, giveUp := context.WithCancel(t.Context())
		giveUp()
		begun := time.Now()
		err := s.CloseApp(ctx, c.App, ApplyOptions{})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != CloseLimit {
			t.Errorf("after %s: %v", time.Since(begun), whole(err))
		}
		if list := s.store.Entries(); !list[len(list)-1].Open() || list[len(list)-1].Change != appSecretGone {
			t.Errorf("the journal ends with %+v", list[len(list)-1])
		}
		hangs = false
		next := w.run()
		left, _ := w.look(t.Context(), next)
		if err := next.CloseApp(t.Context(), left.App, ApplyOptions{}); err != nil {
			t.Error(whole(err))
		}
		w.closed()
	})
}
