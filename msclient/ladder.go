package msclient

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"
)

// Method is how a person signs in.
type Method string

// The methods.
const (
	ByDevice  Method = "device"  // a code typed on any device
	ByBrowser Method = "browser" // a browser on this machine, which comes back to it
	ByTunnel  Method = "tunnel"  // a browser on another machine, whose way back is forwarded here
)

// DeviceCode is what a person types into the sign-in page on any device.
type DeviceCode struct {
	UserCode string
	URL      string // as the service returned it
	Expires  time.Time
	Renews   time.Time // when a new one takes its place; zero for the last
}

// Prompt is what a person has to do so that a token can be had. The prompts of
// one sign-in share N; a later one replaces the earlier.
type Prompt struct {
	N       int
	Why     string   // what the sign-in is for
	App     string   // what the sign-in page calls this program's client
	Account string   // who is expected; empty when anybody may
	Method  Method   // in use
	Methods []Method // that can be chosen
	Code    DeviceCode
	URL     string // page to open; ByBrowser and ByTunnel
	Port    int    // on this machine where the browser comes back to; ByBrowser and ByTunnel
	Skip    bool   // the work can go on without this sign-in
	Err     error  // why the last attempt failed; a choice is waited for
	Ended   bool   // there is nothing more to do
}

// ErrSkipped means that the person did not want to make a sign-in.
var ErrSkipped = errors.New("this sign-in was skipped")

// UnattendedError is an ErrSkipped where nobody can be asked.
type UnattendedError struct{ Why string }

func (e *UnattendedError) Error() string { return "nobody can be asked for this sign-in: " + e.Why }

// Unwrap makes it an ErrSkipped.
func (e *UnattendedError) Unwrap() error { return ErrSkipped }

// errNobody means that a sign-in is needed and nobody listens.
var errNobody = errors.New("a sign-in is needed, and nobody can be asked for it")

// ladder answers wishes for tokens with sign-ins, one after the other. The
// person can change the method while one is under way.
type ladder struct {
	turn    chan struct{} // holds one item while a sign-in is under way
	choices chan choice

	mu      sync.Mutex
	method  Method
	methods []Method
	last    Method // of the last sign-in
	show    func(Prompt)
	hold    bool
	busy    bool // a sign-in is under way
	count   int
}

// choice is what a person decided about the sign-in under way.
type choice struct {
	method Method
	skip   bool
}

func newLadder(method Method, methods []Method) ladder {
	if method == "" {
		method = ByDevice
	}
	if !slices.Contains(methods, method) {
		methods = append([]Method{method}, methods...)
	}
	return ladder{turn: make(chan struct{}, 1), choices: make(chan choice, 1), method: method, methods: methods}
}

// Prompts names who is told what to do when a person has to sign in, at the first
// sign-in and whenever a service asks for another one later. It is called from
// several goroutines, one at a time for each sign-in. With hold a failed attempt
// waits for Use or Skip instead of ending the sign-in.
func (c *Client) Prompts(show func(Prompt), hold bool) {
	c.ladder.mu.Lock()
	defer c.ladder.mu.Unlock()
	c.ladder.show, c.ladder.hold = show, hold
}

// Use begins sign-in n again by a method, which also serves the ones after it.
// With the method in use it gives a new code or a new page. When n is over, or 0,
// it is about the next ones only.
func (c *Client) Use(n int, m Method) { c.ladder.choose(n, choice{method: m}) }

// Skip ends sign-in n: what needs it fails with ErrSkipped. It does nothing when n
// is over.
func (c *Client) Skip(n int) { c.ladder.choose(n, choice{skip: true}) }

// choose tells the sign-in under way. The last choice counts.
func (l *ladder) choose(n int, ch choice) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if slices.Contains(l.methods, ch.method) {
		l.method = ch.method
	}
	if !l.busy || n != l.count {
		return
	}
	l.drop()
	l.choices <- ch
}

// used is the method of the last sign-in.
func (l *ladder) used() Method {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last
}

// drop forgets a choice nobody took up. The caller holds mu.
func (l *ladder) drop() {
	select {
	case <-l.choices:
	default:
	}
}

// begin waits until no other sign-in is under way; end lets the next one begin.
func (l *ladder) begin(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *ladder) end() { <-l.turn }

// wish is a token that only a person can bring about.
type wish struct {
	signer *signer
	tenant string // id, or empty for the account's own
	scopes []string
	claims string // the service wants met
	why    string
	skip   bool   // may be skipped
	hint   string // user name that is expected
	anew   bool   // let the person choose an account even when the browser has one
	check  func(Account) error
}

// ways are those of some methods people can sign in with a client by.
func (s *signer) ways(methods []Method) []Method {
	if !s.delegates {
		return methods
	}
	if methods = slices.DeleteFunc(slices.Clone(methods), func(m Method) bool { return m == ByDevice }); len(methods) == 0 {
		methods = []Method{ByTunnel} // there is no other for an app with a secret
	}
	return methods
}

// climb signs a person in, by the method of the moment, until it worked, was
// skipped, or failed with nobody to choose what to do about it. The caller has
// the ladder's turn.
func (c *Client) climb(ctx context.Context, w wish) (public.AuthResult, error) {
	l := &c.ladder
	l.mu.Lock()
	show, hold := l.show, l.hold
	l.count++
	l.busy = true
	p := Prompt{N: l.count, Why: w.why, App: w.signer.name(), Account: w.hint, Methods: w.signer.ways(l.methods), Skip: w.skip}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.busy = false
		l.drop()
		l.mu.Unlock()
	}()
	if show == nil {
		return public.AuthResult{}, errNobody
	}
	defer func() {
		p.Ended, p.Err, p.Code, p.URL = true, nil, DeviceCode{}, ""
		show(p)
	}()
	before, err := w.signer.people(ctx)
	if err != nil {
		return public.AuthResult{}, signInError(err)
	}
	for {
		l.mu.Lock()
		if p.Method = l.method; !slices.Contains(p.Methods, p.Method) {
			p.Method = p.Methods[0]
		}
		l.last = p.Method
		l.mu.Unlock()
		result, chosen, err := l.attempt(ctx, c, w, p, show)
		if err == nil && chosen == nil && ctx.Err() == nil {
			if err = w.refuses(result); err == nil {
				return result, c.commit(ctx, w, result)
			}
		}
		// Whoever signed in and does not count is not kept either, unless the person
		// was there before.
		if !result.Account.IsZero() && !before[result.Account.HomeAccountID] {
			if e := w.signer.msal.RemoveAccount(context.WithoutCancel(ctx), result.Account); e != nil {
				return public.AuthResult{}, signInError(e)
			}
		}
		switch {
		case chosen != nil && chosen.skip:
			return public.AuthResult{}, ErrSkipped
		case chosen != nil:
			continue
		case ctx.Err() != nil:
			return public.AuthResult{}, ctx.Err()
		case !hold:
			return public.AuthResult{}, err
		}
		failed := p
		failed.Err = err
		show(failed)
		select {
		case ch := <-l.choices:
			if ch.skip {
				return public.AuthResult{}, errors.Join(ErrSkipped, err)
			}
			w.anew = true // the account may have been the reason
		case <-ctx.Done():
			return public.AuthResult{}, ctx.Err()
		}
	}
}

// attempt is one sign-in by one method, with nothing done about whoever signed in.
// It ends early when the person chooses something else.
func (l *ladder) attempt(ctx context.Context, c *Client, w wish, p Prompt, show func(Prompt)) (public.AuthResult, *choice, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		result public.AuthResult
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		result, err := c.by(ctx, w, p, show)
		done <- outcome{result, err}
	}()
	select {
	case o := <-done:
		return o.result, nil, o.err
	case ch := <-l.choices:
		cancel()
		o := <-done
		return o.result, &ch, o.err
	}
}

// by signs in by the method the prompt names.
func (c *Client) by(ctx context.Context, w wish, p Prompt, show func(Prompt)) (public.AuthResult, error) {
	if p.Method == ByDevice {
		return c.byDevice(ctx, w, func(code DeviceCode) {
			p.Code = code
			show(p)
		})
	}
	return c.byBrowser(ctx, w, func(url string, port int) {
		p.URL, p.Port = url, port
		show(p)
	})
}
