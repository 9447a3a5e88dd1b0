package steps

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"msbundle/sandbox"
)

// transport changes the answers of services, as seen by who asked.
type transport struct {
	next   http.RoundTripper
	change func(r *http.Request, body []byte) []byte
}

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(r)
	if err != nil {
		return res, err
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	body = t.change(r, body)
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	res.Header.Set("Content-Length", fmt.Sprint(len(body)))
	return res, nil
}

// Of several subscriptions those of this tenant that are in force count, and their
// vaults take one question. Partner Center's answers begin with a mark.
func TestServicesAsTheyReallyAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := sandbox.New(sandbox.Options{Approve: sandbox.ApproveNow})
		if err != nil {
			t.Fatal(err)
		}
		const off, foreign, second = "11111111-0000-4000-8000-000000000001", "11111111-0000-4000-8000-000000000002", "11111111-0000-4000-8000-000000000003"
		v := visit{wrap: func(next http.RoundTripper) http.RoundTripper {
			return transport{next, func(r *http.Request, body []byte) []byte {
				switch {
				case strings.HasPrefix(r.URL.Host, "api.partnercenter"):
					return append([]byte("\xef\xbb\xbf"), body...)
				case r.URL.Path != "/subscriptions":
					return body
				case r.URL.Query().Get("$skiptoken") == "":
					return fmt.Appendf(nil, `{"value": [], "nextLink": "https://%s%s&$skiptoken=0"}`, r.URL.Host, r.URL.RequestURI())
				}
				var page struct {
					Value []map[string]any `json:"value"`
				}
				if err := json.Unmarshal(body, &page); err != nil {
					t.Error(err)
				}
				for id, change := range map[string][2]string{
					off: {"state", "Disabled"}, foreign: {"tenantId", "22222222-0000-4000-8000-000000000000"}, second: {"displayName", "Second"},
				} {
					more := maps.Clone(page.Value[0])
					more["subscriptionId"], more[change[0]] = id, change[1]
					page.Value = append(page.Value, more)
				}
				out, _ := json.Marshal(page)
				return out
			}}
		}}
		a := everything("minimum")
		s := v.signIn(t, c, a)
		f, err := s.Inspect(t.Context(), a, nil)
		if err != nil {
			t.Fatal(err)
		}
		usable, vaults := 0, 0
		for _, sub := range f.Subscriptions {
			if sub.Usable {
				usable++
			}
			vaults += len(sub.Vaults)
		}
		if len(f.Subscriptions) != 4 || usable != 2 || vaults != 1 || len(f.Unread) > 0 {
			t.Errorf("got %d subscriptions, %d usable, %d vaults (%v), want 4, 2, 1", len(f.Subscriptions), usable, vaults, f.Unread)
		}
		if f.Partner.Name != "Contoso" || f.Partner.Customers != 3 {
			t.Errorf("partner: got %+v", f.Partner)
		}
		asked := 0
		for _, r := range c.Requests() {
			if strings.Contains(r.URL, "Microsoft.ResourceGraph") || strings.Contains(r.URL, "Microsoft.KeyVault") {
				asked++
			}
		}
		if asked != 1 {
			t.Errorf("the vaults took %d requests, want 1", asked)
		}
	})
}

// Whoever leaves the further sign-in out is asked once, and not at all while
// something else stops the setup.
func TestFurtherSignInIsAskedOnce(t *testing.T) {
	for scenario, want := range map[string]int{"happy": 1, "no-mfa": 0, "same-name": 0} {
		t.Run(scenario, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, err := sandbox.New(sandbox.Options{Scenario: scenario, Approve: sandbox.ApproveNow})
				if err != nil {
					t.Fatal(err)
				}
				asked := map[int]bool{}
				v := visit{prompted: func(s *Setup, p Prompt) {
					if p.Skip && !p.Ended {
						asked[p.N] = true
						s.Skip(p.N)
					}
				}}
				a := everything("minimum")
				s := v.signIn(t, c, a)
				f, err := s.Inspect(t.Context(), a, nil)
				if err != nil {
					t.Fatal(err)
				}
				if len(asked) != want {
					t.Errorf("asked %d times, want %d", len(asked), want)
				}
				for _, p := range []Part{PartPartner, PartAzure} {
					if u := f.Unread[p]; u.Why == "" || u.Fix == "" {
						t.Errorf("%s: nothing says why it was not read", p)
					}
				}
			})
		})
	}
}
