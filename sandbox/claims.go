package sandbox

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// session is one time a person signed in. Everything issued because of it refers
// to it.
type session struct {
	id     string
	client string
	public bool // no secret goes with its refresh tokens
	home   *tenant
	user   *entity
	amr    []string
	device bool // begun with a device code, which stays with it
	begun  time.Time
	seq    int // two sign-ins can be in the same second
}

// open begins a session.
func (c *Cloud) open(s session) *session {
	c.seq++
	s.id, s.begun, s.seq = c.guid(), c.now(), c.seq
	c.sessions[s.id] = &s
	c.register(s.user, s.amr)
	return &s
}

// demand is why people have to sign in again.
type demand struct {
	since   time.Time
	seq     int // sessions before it do not suffice
	revoked bool
}

// Events in the middle of somebody's work.
const (
	eventStepUp      = "claims"              // policies changed: the sign-ins so far do not suffice
	eventRevoked     = "revoked"             // an administrator revoked the sessions
	eventDeviceBlock = "device-code-blocked" // a policy against device codes was switched on
	eventPolicyEdit  = "policy-edited"       // another administrator changed a policy
	eventGDAPEdit    = "gdap-edited"         // another administrator changed all relationships
)

// happen brings an event about. The caller holds mu.
func (c *Cloud) happen(event string) {
	switch event {
	case eventDeviceBlock:
		c.addAccessRule(c.order[0], deviceCodeRule())
		return
	case eventPolicyEdit:
		c.editPolicy(c.order[0])
		return
	case eventGDAPEdit:
		c.touchRelationships()
		return
	}
	c.seq++
	c.demand = &demand{since: c.now(), seq: c.seq, revoked: event == eventRevoked}
}

// outdated tells whether a session has to be repeated.
func (c *Cloud) outdated(s *session) bool { return c.demand != nil && s != nil && s.seq < c.demand.seq }

// challenge is continuous access evaluation: a service refuses a token that was
// in order when it was issued. Only clients that said they can cope are told;
// the tokens of others go on until they expire.
// https://learn.microsoft.com/entra/identity-platform/claims-challenge
func (c *Cloud) challenge(t *token) *graphError {
	if !c.outdated(c.sessions[t.Session]) || !containsFold(t.Capabilities, "cp1") {
		return nil
	}
	code := "TokenCreatedWithOutdatedPolicies"
	if c.demand.revoked {
		code = "TokenIssuedBeforeRevocationTimestamp"
	}
	text := "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: " + code
	claims := fmt.Sprintf(`{"access_token":{"nbf":{"essential":true, "value":"%d"}}}`, c.demand.since.Unix())
	e := fail(http.StatusUnauthorized, "InvalidAuthenticationToken", "%s", text)
	e.header = map[string]string{"WWW-Authenticate": fmt.Sprintf(
		`Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000", error_description="%s", error="insufficient_claims", claims="%s"`,
		text, base64.StdEncoding.EncodeToString([]byte(claims)))}
	return e
}

// admits tells whether a session is still good for tokens of a tenant, after what
// happened since and by the tenant's policies. user is who the person is there.
func (c *Cloud) admits(s *session, t *tenant, user *entity, resource string) *stsError {
	if c.outdated(s) {
		if c.demand.revoked {
			return refuse("invalid_grant", 50173, "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have changed or reset their password. The grant was issued on '%s' and the TokensValidFrom date (before which tokens are not valid) for this user is '%s'.",
				precise(s.begun), precise(c.demand.since))
		}
		err := refuse("invalid_grant", 50076, "Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '%s'.", resource)
		err.sub, err.claims = "basic_action", policyClaims(namedGUID(t.id+" access step-up"))
		return err
	}
	if s.device {
		// The flow a session began with is remembered for as long as it lasts.
		// https://learn.microsoft.com/entra/identity/conditional-access/concept-authentication-flows
		if err := c.deviceCodeBlock(t, user); err != nil {
			return err
		}
	}
	if t.visits(user) {
		if err := c.keptOut(s, t, user, resource); err != nil {
			return err
		}
	}
	for _, p := range c.policiesFor(t, user) {
		limit := signInFrequency(p.read(c.master()))
		if limit > 0 && c.now().Sub(s.begun) > limit {
			err := refuse("invalid_grant", 70043, "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access. The token was issued on %s and the maximum allowed lifetime for this request is %d.",
				precise(s.begun), int(limit.Seconds()))
			err.sub = "token_expired"
			return err
		}
	}
	return nil
}

// precise writes a time as the token service does in its texts.
func precise(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

// policyClaims is what a client hands to the next sign-in so that it meets a
// policy.
func policyClaims(policy string) string {
	return fmt.Sprintf(`{"access_token":{"capolids":{"essential":true,"values":["%s"]}}}`, policy)
}

// deviceCodeBlock is the refusal of people who sign in with a device code; nil
// when they may.
func (c *Cloud) deviceCodeBlock(t *tenant, user *entity) *stsError {
	if c.scenario.defaultsBlock && t == c.order[0] {
		return refuse("invalid_grant", 530035, "Access has been blocked by security defaults. This is due to the request using legacy auth or being deemed unsafe by security defaults policies.")
	}
	for _, p := range c.policiesFor(t, user) {
		data := p.read(c.master())
		conditions, _ := data["conditions"].(object)
		flows, _ := conditions["authenticationFlows"].(object)
		controls, _ := data["grantControls"].(object)
		wanted, _ := controls["builtInControls"].([]any)
		if strings.Contains(str(flows, "transferMethods"), "deviceCodeFlow") && slices.Contains(wanted, any("block")) {
			err := refuse("invalid_grant", 53003, "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.")
			err.sub, err.claims = "message_only", policyClaims(p.id)
			return err
		}
	}
	return nil
}

// policiesFor lists the Conditional Access policies that are enforced for a
// person. Of what they can be about only people and authentication flows are
// looked at: a browser on a managed device in the office meets the rest. What they
// demand of the partner's people is in keptOut.
func (c *Cloud) policiesFor(t *tenant, user *entity) []*entity {
	all := t.all(c.master(), kindAccessPolicy)
	if len(all) == 0 {
		return nil
	}
	who := c.standing(t, user)
	return slices.DeleteFunc(all, func(e *entity) bool {
		p := e.read(c.master())
		conditions, _ := p["conditions"].(object)
		users, _ := conditions["users"].(object)
		return p["state"] != "enabled" || !who.listed(users, "include") || who.listed(users, "exclude")
	})
}

// signInFrequency is after how long a policy wants people to sign in again; 0 is
// never.
func signInFrequency(policy object) time.Duration {
	controls, _ := policy["sessionControls"].(object)
	frequency, _ := controls["signInFrequency"].(object)
	n := 0
	switch v := frequency["value"].(type) {
	case int:
		n = v
	case float64:
		n = int(v)
	}
	if frequency["isEnabled"] != true {
		return 0
	}
	if str(frequency, "type") == "days" {
		n *= 24
	}
	return time.Duration(n) * time.Hour
}

// capabilities reads what a client says it can cope with in the claims parameter
// of a request. The values come back in the access token.
// https://learn.microsoft.com/entra/identity-platform/claims-challenge#receive-xms_cc-claim-in-an-access-token
func capabilities(claims string) ([]string, *stsError) {
	if claims == "" {
		return nil, nil
	}
	var in struct {
		AccessToken struct {
			Capabilities struct {
				Values []string `json:"values"`
			} `json:"xms_cc"`
		} `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(claims), &in); err != nil {
		return nil, refuse("invalid_request", 90023, "The provided value for the input parameter 'claims' is not valid.")
	}
	return in.AccessToken.Capabilities.Values, nil
}
