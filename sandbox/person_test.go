package sandbox_test

import (
	"testing"

	"msbundle/sandbox"
)

// Nobody in particular is the scenario's own person again.
func TestSignInAsTheUsualPerson(t *testing.T) {
	s := serving(t, sandbox.Options{Scenario: "customers-mixed"})
	signsIn := func(want string) {
		t.Helper()
		code := s.form("organizations", "devicecode", "client_id", gct, "scope", "openid User.Read").want(200).body["device_code"].(string)
		out := s.form("organizations", "token", "grant_type", "urn:ietf:params:oauth:grant-type:device_code", "client_id", gct, "device_code", code).want(200)
		if got := claims(t, out.body["access_token"])["upn"]; got != want {
			t.Errorf("%v signed in, want %s", got, want)
		}
	}
	s.cloud.SignInAs("admin@contoso.onmicrosoft.com")
	signsIn("admin@contoso.onmicrosoft.com")
	s.cloud.SignInAs("")
	signsIn("rewst@contoso.onmicrosoft.com")
}
