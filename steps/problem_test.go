package steps

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// refusal is an answer of the sign-in service.
func refusal(oauth string, code int, text string) *msclient.AuthError {
	e := &msclient.AuthError{OAuth: oauth, Description: text, Correlation: "11111111-aaaa-bbbb-cccc-111111111111"}
	if code != 0 {
		e.Codes = []int{code}
	}
	return e
}

func TestProblem(t *testing.T) {
	graph := func(status int, code, message string) error {
		return &msclient.Error{Op: "POST /v1.0/applications", Status: status, Code: code, Message: message, RequestID: "22222222-aaaa-bbbb-cccc-222222222222"}
	}
	for name, c := range map[string]struct {
		err   error
		rule  string
		code  string
		says  []string // in Cause, Do and Who together
		retry bool
	}{
		"blocked by a policy": {
			refusal("invalid_grant", 53003, "AADSTS53003: Access has been blocked by Conditional Access policies."), "AADSTS53003", "AADSTS53003",
			[]string{"Conditional Access blocks", "for the setup", "administrator"},
			true,
		},
		"a number without words": {refusal("invalid_grant", 50105, ""), "AADSTS50105", "AADSTS50105", []string{"takes only assigned users", "Microsoft Graph Command Line Tools"}, true},
		"own client":             {refusal("unauthorized_client", 700016, "AADSTS700016: words"), "AADSTS700016", "AADSTS700016", []string{"--client-id"}, true},
		"no such tenant":         {refusal("invalid_tenant", 90002, "AADSTS90002: Tenant 'nowhere' not found."), "AADSTS90002", "AADSTS90002", []string{"no such tenant", "--cloud"}, true},
		"declined, not expired":  {refusal("authorization_declined", 70020, "AADSTS70020: The end user denied the authorization request."), "signin.declined", "AADSTS70020", []string{"declined", "choose to continue", "you, at this sign-in"}, true},
		"expired":                {refusal("expired_token", 70020, "AADSTS70020: This device code has expired."), "AADSTS70020", "AADSTS70020", []string{"expired", "new code"}, true},
		"only an OAuth word":     {refusal("bad_verification_code", 0, ""), "AADSTS70018", "bad_verification_code", []string{"another sign-in"}, true},
		"an unknown number":      {refusal("invalid_grant", 999999, "AADSTS999999: new"), "", "AADSTS999999", []string{"refused", "look up the code"}, true},
		"an unknown word":        {refusal("brand_new", 0, ""), "", "", []string{"refused"}, true},
		"no second factor":       {fmt.Errorf("sign in: %w", msclient.ErrNoMFA), "", "", []string{"without a second factor", "private window"}, true},
		"no way back":            {msclient.ErrNoRedirect, "", "", []string{"no way back to this computer", "in a few minutes"}, true},
		"wrapped": {
			fmt.Errorf("POST /v1.0/applications: %w", refusal("invalid_grant", 50020, "AADSTS50020: words")), "AADSTS50020", "AADSTS50020", []string{"your own tenant"}, true,
		},
		"a role is missing":      {graph(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."), "graph.denied", "Authorization_RequestDenied", []string{"Global Administrator", "role assigned", "an administrator of your tenant"}, false},
		"a secret is forbidden":  {graph(400, "CredentialTypeNotAllowedAsPerAppPolicy", "Credential type not allowed as per assigned policy 'x'."), "app.no-secrets", "CredentialTypeNotAllowedAsPerAppPolicy", []string{"forbids client secrets", "exempted"}, true},
		"other answers needed":   {graph(400, "SignInAudienceNotAllowedAsPerAppPolicy", "no"), "app.audience-forbidden", "SignInAudienceNotAllowedAsPerAppPolicy", []string{"app registration page"}, false},
		"the words say more":     {graph(400, "Request_BadRequest", "Permission entry already exists."), "grant.entry-exists", "Request_BadRequest", []string{"already"}, true},
		"the status only":        {graph(404, "NobodyKnowsThis", "no"), "http.404", "NobodyKnowsThis", []string{"plan anew"}, true},
		"not a request's name":   {&msclient.Error{Op: "reading the customers", Status: 404}, "http.404", "", []string{"plan anew"}, true},
		"the service failed":     {graph(503, "", ""), "http.500", "", []string{"not done twice", "Microsoft: wait"}, true},
		"throttled":              {graph(429, "TooManyRequests", "no"), "graph.throttled", "TooManyRequests", []string{"busy", "Try again later"}, true},
		"nothing is known of it": {graph(451, "NobodyKnowsThis", "no"), "", "NobodyKnowsThis", []string{"own words are below"}, true},
		"the answer was lost":    {&msclient.Error{Op: "POST /v1.0/applications", Err: errors.New("connection reset")}, "", "", []string{"lost on the way", "not done twice"}, true},
		"details count": {
			&msclient.Error{Status: 400, Code: "Request_BadRequest", Details: []msclient.Detail{{Code: "ObjectConflict"}}}, "graph.exists", "ObjectConflict", []string{"exists already"}, true,
		},
		"a relationship's name": {
			&msclient.Error{Op: "POST /v1.0/tenantRelationships/delegatedAdminRelationships", Status: 409}, "gdap.name-taken", "", []string{"another name"}, true,
		},
		"no network": {&net.OpError{Op: "dial", Err: &net.DNSError{Name: "graph.microsoft.com", Err: "no such host"}}, "", "", []string{"graph.microsoft.com could not be reached", "HTTPS_PROXY", "network"}, true},
		"too late":   {msclient.ErrSignInExpired, "", "", []string{"in time", "AADSTS"}, true},
		"too slow":   {context.DeadlineExceeded, "", "", []string{"too long"}, true},
		"a bad file": {&state.FileError{File: "setup.yaml", Line: 3, Key: "x", Text: "unknown key"}, "", "", []string{"setup.yaml", "line 3"}, false},
		"who knows":  {errors.New("odd"), "", "", []string{"own words"}, true},
		"the folder": {&state.DirError{Dir: "/state", Text: "permission denied"}, "", "", []string{"permission denied"}, true},
	} {
		var p *Problem
		if err := problem(c.err, "it did not work"); !errors.As(err, &p) {
			t.Errorf("%s: got %v, want a problem", name, err)
			continue
		}
		told := p.Cause + " " + p.Do + " " + p.Who
		for _, word := range c.says {
			if !strings.Contains(told, word) {
				t.Errorf("%s: does not say %q: %s", name, word, told)
			}
		}
		if p.What != "it did not work" || p.Rule != c.rule || p.Code != c.code || p.Retry != c.retry || p.Do == "" || !errors.Is(p, c.err) && p.Err == nil {
			t.Errorf("%s: got %+v", name, p)
		}
		if strings.Contains(p.Do, p.Cause) && p.Cause != "" {
			t.Errorf("%s: what to do repeats the cause: %s", name, told)
		}
		if _, known := catalog.RuleByID(p.Rule); p.Rule != "" && !known {
			t.Errorf("%s: there is no rule %s", name, p.Rule)
		}
	}
}

func TestProblemKeepsWhatSupportNeeds(t *testing.T) {
	var p *Problem
	errors.As(problem(refusal("invalid_grant", 53003, "AADSTS53003: words\r\nTrace ID: x"), "no"), &p)
	if p.RequestID != "11111111-aaaa-bbbb-cccc-111111111111" || p.Raw != "AADSTS53003: words" {
		t.Errorf("got %q, %q", p.RequestID, p.Raw)
	}
	errors.As(problem(&msclient.Error{Status: 403, Code: "Authorization_RequestDenied", Message: "words", RequestID: "r"}, "no"), &p)
	if p.RequestID != "r" || p.Raw != "Authorization_RequestDenied: words" {
		t.Errorf("got %q, %q", p.RequestID, p.Raw)
	}
}

func TestProblemLeavesSomeErrorsAlone(t *testing.T) {
	known := &Problem{What: "told already"}
	for _, err := range []error{nil, context.Canceled, fmt.Errorf("x: %w", context.Canceled), known, fmt.Errorf("x: %w", known)} {
		if got := problem(err, "other words"); got != err {
			t.Errorf("%v became %v", err, got)
		}
	}
}
