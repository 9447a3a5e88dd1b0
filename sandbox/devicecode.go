package sandbox

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// codeLife is how long a device code can be used.
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
const codeLife = 15 * time.Minute

// codeState is how far the person at the browser has come.
type codeState int

const (
	codePending codeState = iota
	codeApproved
	codeDeclined
	codeRefused // signed in, but no token will be issued
)

// deviceCode is one sign-in on another device.
type deviceCode struct {
	code      string
	userCode  string
	authority authority
	client    client
	want      request
	can       []string // capabilities of the client
	expires   time.Time

	state    codeState
	session  *session // once approved
	refusal  *stsError
	polls    int
	lastPoll time.Time
	redeemed bool
}

func (c *Cloud) startDeviceCode(a authority, form url.Values) (*answer, *stsError) {
	if form.Get("client_id") == "" {
		return nil, refuse("invalid_request", 900144, "The request body must contain the following parameter: 'client_id'.")
	}
	cl, err := c.client(a, form.Get("client_id"))
	if err != nil {
		return nil, err
	}
	want, err := c.parseScopes(a.host, a.tenant, form.Get("scope"))
	if err != nil {
		return nil, err
	}
	can, err := capabilities(form.Get("claims"))
	if err != nil {
		return nil, err
	}
	dc := &deviceCode{
		code: c.opaque("", 160), userCode: c.pick(codeLetters, 9), authority: a, client: cl, want: want, can: can, expires: c.now().Add(codeLife),
	}
	c.codes[dc.code] = dc
	page := "https://microsoft.com/" + devicePages[cloudOfLogin(a.host).ID]
	return &answer{status: http.StatusOK, body: object{
		"user_code": dc.userCode, "device_code": dc.code, "verification_uri": page, "expires_in": int(codeLife.Seconds()),
		"interval": max(int((c.opts.Interval+time.Second-1)/time.Second), 1),
		"message":  fmt.Sprintf("To sign in, use a web browser to open the page %s and enter the code %s to authenticate.", page, dc.userCode),
	}}, nil
}

// devicePages is where people of a cloud enter their code.
var devicePages = map[string]string{
	"global": "devicelogin", "usgov": "deviceloginus", "usgovdod": "deviceloginus", "china": "deviceloginchina",
}

// redeemDeviceCode answers a poll.
func (c *Cloud) redeemDeviceCode(a authority, cl client, form url.Values) (*answer, *stsError) {
	if err := c.mustBePublic(cl, form); err != nil {
		return nil, err
	}
	dc := c.codes[form.Get("device_code")]
	if form.Get("device_code") == "" {
		return nil, refuse("invalid_request", 900144, "The request body must contain the following parameter: 'device_code'.")
	}
	if dc == nil || dc.redeemed || dc.client.id != cl.id || dc.authority.segment != a.segment {
		return nil, refuse("bad_verification_code", 70018, "Invalid verification code due to User typing in wrong user code for device code flow.")
	}
	now := c.now()
	if !now.Before(dc.expires) {
		return nil, refuse("expired_token", 70020, "The provided value for the input parameter 'device_code' is not valid. This device code has expired.")
	}
	// A little slack: what counts is when the client sent it.
	early := !dc.lastPoll.IsZero() && now.Sub(dc.lastPoll) < c.opts.Interval-c.opts.Interval/20
	dc.lastPoll = now
	if early {
		return nil, refuse("slow_down", 0, "The client polls faster than the interval it was told.")
	}
	dc.polls++
	if dc.state == codePending && (c.opts.Approve == ApproveNow || c.opts.Approve == ApproveAuto && dc.polls > 2) {
		c.person(dc)
	}
	switch dc.state {
	case codeDeclined:
		return nil, refuse("authorization_declined", 70020, "The end user denied the authorization request.")
	case codeRefused:
		return nil, dc.refusal
	case codeApproved:
		can, err := capabilities(form.Get("claims"))
		if err != nil {
			return nil, err
		}
		s := dc.session
		if err := c.admits(s, s.home, s.user, dc.want.api.appID); err != nil {
			return nil, err
		}
		reply, err := c.issue(a.host, cl, s.home, s.user, dc.want, s, append(dc.can, can...))
		if err == nil {
			dc.redeemed = true
		}
		return reply, err
	}
	return nil, refuse("authorization_pending", 70016, "OAuth 2.0 device flow error. Authorization is pending. Continue polling.")
}

// person does at the browser what the scenario's person does.
func (c *Cloud) person(dc *deviceCode) {
	if c.scenario.declines {
		dc.state = codeDeclined
		return
	}
	_ = c.enterCode(dc, c.chosen(dc.authority, dc.client, ""), false, false)
}

// enterCode is a person entering a code and signing in. The error is what the
// browser shows.
func (c *Cloud) enterCode(dc *deviceCode, account string, everybody, passed bool) *stsError {
	switch {
	case !c.now().Before(dc.expires):
		return refuse("expired_token", 70019, "Verification code expired. Have the user retry the sign-in.")
	case dc.state != codePending || dc.redeemed:
		return refuse("invalid_request", 90120, "The device code has already been authorized or declined.")
	}
	user, home, err := c.account(dc.authority, dc.client, account)
	if err != nil {
		return err
	}
	if err := c.deviceCodeBlock(home, user); err != nil {
		return err // the client is not told: for it the sign-in goes on waiting
	}
	if err := c.consent(dc.client, home, user, dc.want, everybody); err != nil {
		dc.state, dc.refusal = codeRefused, err
		return err
	}
	dc.state = codeApproved
	dc.session = c.open(session{client: dc.client.id, public: true, home: home, user: user, amr: c.amr(user, passed), device: true})
	return nil
}

// codeFor finds a sign-in by what the person types.
func (c *Cloud) codeFor(userCode string) *deviceCode {
	userCode = strings.ToUpper(strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, userCode))
	for _, dc := range c.codes {
		if dc.userCode == userCode {
			return dc
		}
	}
	return nil
}

// Approve is the person entering a code: account "" is whoever signs in by
// default. The error is what the browser would show.
func (c *Cloud) Approve(userCode, account string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	dc := c.codeFor(userCode)
	if dc == nil {
		return errors.New("AADSTS90119: the user code is wrong")
	}
	if account == "" {
		account = c.chosen(dc.authority, dc.client, "")
	}
	if err := c.enterCode(dc, account, false, false); err != nil {
		return fmt.Errorf("AADSTS%d: %s", err.code, err.text)
	}
	return nil
}

// approveAll answers every code that waits, as the scenario's person would.
func (c *Cloud) approveAll() int {
	n := 0
	for _, dc := range c.codes {
		if dc.state == codePending && c.now().Before(dc.expires) {
			c.person(dc)
			n++
		}
	}
	return n
}
