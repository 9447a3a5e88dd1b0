package steps

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// problem turns any failure into one told to a person. what says what did not
// happen because of it. Cancelling is passed through: it is not a failure.
func problem(err error, what string) error {
	var p *Problem
	if err == nil || errors.Is(err, context.Canceled) || errors.As(err, &p) {
		return err
	}
	out := &Problem{What: what, Err: err}
	var refused *msclient.AuthError
	var failed *msclient.Error
	var dir *state.DirError
	host, unreachable := msclient.Unreachable(err)
	switch {
	case errors.As(err, &refused):
		out.Do, out.Retry = adviseSignIn(refused)
		out.RequestID, out.Raw = refused.Correlation, refused.Error()
	case unreachable:
		out.Do = fmt.Sprintf("%s could not be reached. Check the network and the proxy settings (HTTPS_PROXY), then try again.", host)
		out.Retry = true
	case errors.As(err, &failed):
		out.Do, out.Retry = adviseGraph(failed)
		out.RequestID, out.Raw = failed.RequestID, failed.Message
		if failed.Code != "" {
			out.Raw = failed.Code + ": " + failed.Message
		}
	case errors.As(err, &dir):
		out.What, out.Do, out.Retry = what, strings.ToUpper(dir.Error()[:1])+dir.Error()[1:]+".", true
	case errors.Is(err, msclient.ErrPassphrase):
		out.Do = "It was kept under another passphrase, or its file is damaged. Set the right passphrase, or forget it with 'msbundle logout' and sign in again."
	case errors.Is(err, msclient.ErrSignInExpired):
		out.Do, out.Retry = "Nobody entered the code in time. If the browser showed an error, its code (AADSTS...) says why; then start the sign-in again.", true
	case errors.Is(err, context.DeadlineExceeded):
		out.Do, out.Retry = "The service took too long. Try again.", true
	default:
		var file *state.FileError
		if errors.As(err, &file) {
			out.Do = err.Error()
			break
		}
		out.Do, out.Retry = "Try again; the log (--log FILE) has the details.", true
	}
	return out
}

// adviseSignIn says what to do about a refused sign-in.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
func adviseSignIn(e *msclient.AuthError) (do string, retry bool) {
	switch e.OAuth {
	case "authorization_declined", "access_denied":
		return "The sign-in was declined in the browser. Start it again and choose to continue.", true
	case "invalid_tenant":
		e, _ := catalog.SignInErrorByCode(90002)
		return e.Do, true
	case "bad_verification_code":
		return "The code belongs to another sign-in. Start again with a new one.", true
	}
	for _, code := range e.Codes {
		if e, known := catalog.SignInErrorByCode(code); known {
			return e.Do, true
		}
	}
	return "The sign-in service refused. Start the sign-in again; if it keeps refusing, look up the code with the tenant's administrator.", true
}

// adviseGraph says what to do about a request that Graph refused.
// https://learn.microsoft.com/graph/errors
func adviseGraph(e *msclient.Error) (do string, retry bool) {
	switch {
	case e.Status == 0:
		return "The answer was lost on the way. Try again: what was already done is found and not done twice.", true
	case e.Status == 401:
		return "The sign-in is not valid any more. Sign in again.", true
	case e.Code == "Authorization_RequestDenied":
		return "The account lacks the right for it. Sign in with a Global Administrator, or have the missing role assigned and sign in again.", false
	case e.Code == "Directory_QuotaExceeded":
		return "The tenant or the account has reached its number of directory objects. Delete what is not needed (also for good, under deleted items), then try again.", true
	case e.Code == "CredentialTypeNotAllowedAsPerAppPolicy":
		return "The tenant's app management policy forbids client secrets. Have this app exempted from it (Entra admin center, Enterprise applications, App policies), then try again.", true
	case e.Code == "CredentialInvalidLifetimeAsPerAppPolicy":
		return "The tenant's app management policy does not allow a secret to live this long. Look again at the tenant and plan anew.", true
	case e.Code == "SignInAudienceNotAllowedAsPerAppPolicy":
		return "The tenant's app management policy does not allow this audience. Choose the other one on the app registration page.", false
	case e.Throttled():
		return "The service is busy for this tenant and asked to wait for longer than a few minutes. Try again later.", true
	case e.Status >= 500:
		return "Microsoft's service failed. Try again: what was already done is found and not done twice.", true
	case e.Status == 404:
		return "It is not there (any more). Look at the tenant again and plan anew.", true
	}
	return "The service refused it. Look at the tenant again and plan anew; its own words are below.", true
}
