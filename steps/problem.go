package steps

import (
	"context"
	"errors"
	"fmt"

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
	out := &Problem{What: what, Err: err, Retry: true}
	var refused *msclient.AuthError
	var failed *msclient.Error
	var dir *state.DirError
	var file *state.FileError
	host, unreachable := msclient.Unreachable(err)
	var other *msclient.OtherAccountError
	var alone *msclient.UnattendedError
	switch {
	case errors.As(err, &alone):
		out.Cause = "It takes one more sign-in, and nobody can be asked for it here: " + alone.Why + "."
		out.Do, out.Who = "Run it where somebody can be asked.", string(catalog.ByYou)
	case errors.Is(err, msclient.ErrSkipped):
		out.Cause = "It takes a sign-in that was given up."
		out.Do, out.Who = "Look again, and sign in when you are asked to.", string(catalog.ByYou)
	case errors.As(err, &other):
		out.Cause = fmt.Sprintf("%s signed in, and %s was expected.", other.Got, other.Want)
		out.Do, out.Who = "Sign in again and choose \"use another account\", in a private window if the browser keeps taking the wrong one.", string(catalog.ByYou)
	case errors.Is(err, msclient.ErrNoMFA):
		out.Cause = "The sign-in was finished without a second factor, and Partner Center takes a consent from nobody who did not give one."
		out.Do, out.Who = "Have multifactor authentication demanded of the account and a method registered, then sign in again, in a private window so that an older sign-in does not serve.", string(catalog.ByYou)
	case errors.Is(err, msclient.ErrNoRedirect):
		out.Cause = "The app has no way back to this computer (http://localhost, platform Web)."
		out.Do, out.Who = "Try again in a few minutes: what was just added may not be known everywhere yet.", string(catalog.ByYouHere)
	case errors.As(err, &refused):
		out.signIn(refused)
	case unreachable:
		out.Cause = host + " could not be reached."
		out.Do, out.Who = "Check the network and the proxy settings (HTTPS_PROXY), then try again.", string(catalog.ByNetwork)
	case errors.As(err, &failed):
		out.request(failed)
	case errors.As(err, &dir):
		out.Do, out.Who = UpperFirst(dir.Error())+".", string(catalog.ByYouHere)
	case errors.Is(err, msclient.ErrSignInExpired):
		out.Cause = "Nobody entered the code in time."
		out.Do, out.Who = "If the browser showed an error, its code (AADSTS...) says why; then start the sign-in again.", string(catalog.ByYou)
	case errors.Is(err, context.DeadlineExceeded):
		out.Cause, out.Do, out.Who = "The service took too long.", "Try again.", string(catalog.ByMicrosoft)
	case errors.As(err, &file):
		out.Do, out.Who, out.Retry = err.Error(), string(catalog.ByYouHere), false
	default:
		out.Do, out.Raw = "Try again; should it stay like this, its own words below say why.", err.Error()
	}
	return out
}

// signIn tells why the sign-in service refused.
func (p *Problem) signIn(e *msclient.AuthError) {
	p.RequestID, p.Raw = e.Correlation, e.Error()
	p.Do = "Start the sign-in again; if it keeps refusing, look up the code with the tenant's administrator."
	p.Cause, p.Who = "The sign-in service refused.", string(catalog.ByEitherAdmin)
	if len(e.Codes) > 0 {
		p.Code = fmt.Sprintf("AADSTS%d", e.Codes[0])
	}
	p.explain(catalog.Clues{Text: e.Description, AADSTS: e.Codes, Codes: []string{e.OAuth}})
}

// request tells why a request failed.
// https://learn.microsoft.com/graph/errors
func (p *Problem) request(e *msclient.Error) {
	p.RequestID, p.Raw, p.Code = e.RequestID, e.Message, e.Code
	if e.Code != "" {
		p.Raw = e.Code + ": " + e.Message
	}
	if e.Status == 0 {
		p.Cause = "The answer was lost on the way."
		p.Do, p.Who = "Try again: what was already done is found and not done twice.", string(catalog.ByNetwork)
		return
	}
	p.Cause, p.Who = "The service refused it.", string(catalog.ByYouHere)
	p.Do = "Look at the tenant again and plan anew; the service's own words are below."
	codes := []string{e.Code}
	for _, d := range e.Details {
		codes = append(codes, d.Code)
	}
	p.explain(catalog.Clues{Text: e.Error(), Codes: codes, Status: e.Status})
	switch p.Rule {
	case "graph.denied", "graph.access-denied", "http.403", "app.audience-forbidden":
		p.Retry = false // nothing changes until somebody else signs in or other answers are given
	}
}

// explain fills in what the catalogue knows.
func (p *Problem) explain(c catalog.Clues) {
	e := catalog.Explain(c)
	if !e.Found {
		return
	}
	p.Rule, p.Cause, p.Do, p.Who = e.Rule.ID, e.Rule.Cause, e.Rule.DoHere(), string(e.Rule.Who)
	if e.Code != "" {
		p.Code = e.Code
	}
}
