package msclient

import (
	"context"
	"errors"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"
)

const (
	// maxCodes is how many codes may expire unused before nobody is expected to
	// sign in any more: about an hour.
	maxCodes = 4
	// codeLead is how long before its end a code is replaced on the screen. Both
	// serve until then: the person may be half-way through with the older one.
	codeLead = 30 * time.Second
	// codeRetry is how long to wait before another code is asked for again.
	codeRetry = 10 * time.Second
	// msalTimeout is for what MSAL does in one go. Without a limit it sets one of
	// half a minute for each request, which leaves the pacer no room to repeat it.
	msalTimeout = 2 * time.Minute
)

// ErrSignInExpired means the person did not finish signing in while any code
// was valid.
var ErrSignInExpired = errors.New("the sign-in code expired before the sign-in was finished")

// byDevice signs a person in by a code typed on any device. It calls show with
// the first code and with each that replaces one.
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
func (c *Client) byDevice(ctx context.Context, w wish, show func(DeviceCode)) (public.AuthResult, error) {
	ctx, cancel := context.WithCancel(ctx)
	type outcome struct {
		result public.AuthResult
		err    error
	}
	results := make(chan outcome)
	polling, codes := 0, 0
	defer func() {
		cancel()
		for ; polling > 0; polling-- {
			<-results
		}
	}()
	renew := time.NewTimer(0)
	defer renew.Stop()
	for {
		select {
		case <-renew.C:
			code, err := c.deviceCode(ctx, w)
			switch {
			case err != nil && polling > 0: // the one before still serves
				renew.Reset(codeRetry)
				continue
			case err != nil:
				return public.AuthResult{}, signInError(err)
			}
			codes++
			polling++
			go func() {
				result, err := code.AuthenticationResult(ctx)
				c.pacer.forget(code.Result.DeviceCode)
				results <- outcome{result, err}
			}()
			// The wall clock goes on while a machine sleeps, the monotonic one does not.
			told := DeviceCode{UserCode: code.Result.UserCode, URL: code.Result.VerificationURL, Expires: code.Result.ExpiresOn.Round(0)}
			if codes < maxCodes {
				told.Renews = told.Expires.Add(-codeLead)
				renew.Reset(time.Until(told.Renews))
			}
			if ctx.Err() == nil {
				show(told)
			}
		case o := <-results:
			polling--
			switch {
			case o.err == nil:
				return o.result, nil
			case ctx.Err() != nil:
				return public.AuthResult{}, ctx.Err()
			case !expired(o.err):
				return public.AuthResult{}, signInError(o.err)
			case polling > 0:
			case codes == maxCodes:
				return public.AuthResult{}, ErrSignInExpired
			default: // this machine slept, or the next code could not be had
				renew.Reset(0)
			}
		}
	}
}

func expired(err error) bool {
	var refused *AuthError
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &refused) && refused.OAuth == "expired_token"
}

func (c *Client) deviceCode(ctx context.Context, w wish) (public.DeviceCode, error) {
	ctx, cancel := context.WithTimeout(ctx, msalTimeout)
	defer cancel()
	return w.signer.msal.deviceCode(ctx, w)
}
