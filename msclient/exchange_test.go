package msclient

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"msbundle/catalog"
)

// exchangeService answers for Exchange, and leaves signing in to the fake service.
type exchangeService struct {
	*service
	calls  []sent
	answer func(n int) reply
}

func (x *exchangeService) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Host != "outlook.office365.com" {
		return x.service.RoundTrip(r)
	}
	body, _ := io.ReadAll(r.Body)
	x.calls = append(x.calls, sent{method: r.Method, path: r.URL.RequestURI(), header: r.Header.Clone(), body: string(body)})
	a := x.answer(len(x.calls))
	return &http.Response{
		StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}, "X-Ms-Request-Id": {"answer"}},
		Body: io.NopCloser(strings.NewReader(a.body)), ContentLength: int64(len(a.body)), Request: r,
	}, nil
}

func exchanging(t *testing.T, answer func(n int) reply, run func(t *testing.T, s *exchangeService, x *Exchange)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &exchangeService{service: newService(t), answer: answer}
		c, err := New(Options{Cloud: catalog.Clouds()[0], Transport: s})
		if err != nil {
			t.Fatal(err)
		}
		x, err := c.Exchange(App{TenantID: homeTenant, ClientID: "app", Secret: NewSecret(canary)})
		if err != nil {
			t.Fatal(err)
		}
		run(t, s, x)
	})
}

func TestExchangeReads(t *testing.T) {
	exchanging(t, func(int) reply { return ok(`{"value":[{"Name":"contoso.onmicrosoft.com"}]}`) }, func(t *testing.T, s *exchangeService, x *Exchange) {
		var got []struct{ Name string }
		if err := x.Read(t.Context(), "Get-OrganizationConfig", &got); err != nil || len(got) != 1 || got[0].Name != "contoso.onmicrosoft.com" {
			t.Fatalf("got %v, %v", got, err)
		}
		call := s.calls[0]
		var body struct {
			CmdletInput struct {
				CmdletName string
				Parameters map[string]any
			}
		}
		if err := json.Unmarshal([]byte(call.body), &body); err != nil {
			t.Fatal(err)
		}
		if call.method != "POST" || call.path != "/adminapi/beta/"+homeTenant+"/InvokeCommand" || body.CmdletInput.CmdletName != "Get-OrganizationConfig" || body.CmdletInput.Parameters == nil {
			t.Errorf("sent %s %s %s", call.method, call.path, call.body)
		}
		if got := call.header.Get("X-AnchorMailbox"); got != "APP:SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}@"+homeTenant {
			t.Errorf("the anchor is %q", got)
		}
		if !strings.HasPrefix(call.header.Get("Authorization"), "Bearer ") {
			t.Error("there is no token")
		}
		for _, r := range s.to("/token") {
			if got := r.form.Get("scope"); !strings.Contains(got, "https://outlook.office365.com/.default") || r.form.Get("grant_type") != "client_credentials" {
				t.Errorf("the token was asked for with %s for %q", r.form.Get("grant_type"), got)
			}
		}
	})
}

// Whatever place Exchange puts its words in, they are found; a refused token is
// asked about once.
func TestExchangeRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		status     int
		body, want string
	}{
		"the inner error":     {400, `{"error":{"code":"BadRequest","message":"outer","innererror":{"message":"inner"}}}`, "inner"},
		"the message":         {403, `{"error":{"code":"Forbidden","message":"outer","details":[{"message":"detail"}]}}`, "outer"},
		"the details":         {400, `{"error":{"code":"BadRequest","message":"","details":[{"message":""},{"message":"detail"}]}}`, "detail"},
		"the inner exception": {400, `{"error":{"code":"BadRequest","innererror":{"internalexception":{"message":"deep"}}}}`, "deep"},
		"no JSON":             {401, `<html>`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			exchanging(t, func(int) reply { return reply{status: c.status, body: c.body} }, func(t *testing.T, s *exchangeService, x *Exchange) {
				var got []struct{}
				err := x.Read(t.Context(), "Get-OrganizationConfig", &got)
				var failed *Error
				if !errors.As(err, &failed) || failed.Status != c.status || failed.Message != c.want || failed.RequestID != "answer" {
					t.Errorf("got %#v", err)
				}
				if len(s.calls) != 1 {
					t.Errorf("asked %d times", len(s.calls))
				}
			})
		})
	}
}

func TestExchangeIsAskedAgainWhenItFails(t *testing.T) {
	exchanging(t, func(n int) reply {
		if n < 3 {
			return status(503)
		}
		return ok(`{"value":[]}`)
	}, func(t *testing.T, s *exchangeService, x *Exchange) {
		var got []struct{}
		if err := x.Read(t.Context(), "Get-OrganizationConfig", &got); err != nil || len(s.calls) != 3 {
			t.Errorf("got %v after %d calls", err, len(s.calls))
		}
	})
}

// A secret that is not known everywhere yet is a refusal of the sign-in service,
// and nothing reaches Exchange.
func TestExchangeWithASecretThatIsNotKnownYet(t *testing.T) {
	exchanging(t, func(int) reply { return ok(`{"value":[]}`) }, func(t *testing.T, s *exchangeService, x *Exchange) {
		s.redeem = func(sent) reply { return oauth("invalid_client", 7000215) }
		var got []struct{}
		err := x.Read(t.Context(), "Get-OrganizationConfig", &got)
		var refused *AuthError
		if !errors.As(err, &refused) || len(refused.Codes) != 1 || refused.Codes[0] != 7000215 {
			t.Errorf("got %v", err)
		}
		if len(s.calls) != 0 || len(s.to("/token")) != 1 {
			t.Errorf("%d calls and %d tokens asked for", len(s.calls), len(s.to("/token")))
		}
		if strings.Contains(err.Error(), canary) {
			t.Errorf("the error tells the secret: %v", err)
		}
	})
}
