package msclient

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"
)

// byBrowser signs a person in with a browser that comes back to this machine:
// the authorization code flow with a loopback redirect (RFC 8252) and PKCE (RFC
// 7636). It calls show with the page to open.
// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow
func (c *Client) byBrowser(ctx context.Context, w wish, show func(url string, port int)) (public.AuthResult, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	verifier := rand.Text() + rand.Text() // 52 of the 43 to 128 characters allowed
	back := &callback{
		state: rand.Text(), origins: append([]string{c.cloud.Login}, loginAliases...), done: make(chan struct{}),
	}
	if w.signer.delegates { // which port it will be makes no difference to the service
		page, err := c.signInPage(ctx, w, "http://localhost", verifier, back.state)
		if err != nil {
			return public.AuthResult{}, signInError(err)
		}
		if err := c.awaitRedirect(ctx, page); err != nil {
			return public.AuthResult{}, err
		}
	}
	port, stop, err := back.listen(ctx)
	if err != nil {
		return public.AuthResult{}, fmt.Errorf("this machine does not let a browser come back to it: %w", err)
	}
	stop = sync.OnceFunc(stop)
	defer stop()
	redirect := fmt.Sprintf("http://localhost:%d", port)
	page, err := c.signInPage(ctx, w, redirect, verifier, back.state)
	if err != nil {
		return public.AuthResult{}, signInError(err)
	}
	show(page, port)
	select {
	case <-back.done:
	case <-ctx.Done():
		return public.AuthResult{}, ctx.Err()
	}
	stop() // what follows may take a while, and nothing else is to come in
	if back.refused != nil {
		return public.AuthResult{}, back.refused
	}
	redeeming, cancelRedeeming := context.WithTimeout(ctx, msalTimeout)
	defer cancelRedeeming()
	result, err := w.signer.msal.byCode(redeeming, back.code.Reveal(), redirect, verifier, w)
	if ctx.Err() != nil {
		return public.AuthResult{}, ctx.Err()
	}
	if err != nil {
		return public.AuthResult{}, signInError(err)
	}
	return result, nil
}

// signInPage is the address where the person signs in.
func (c *Client) signInPage(ctx context.Context, w wish, redirect, verifier, state string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, msalTimeout)
	defer cancel()
	page, err := w.signer.msal.page(ctx, w.signer.id, redirect, w)
	if err != nil {
		return "", err
	}
	u, err := url.Parse(page)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(verifier))
	q := u.Query()
	q.Set("state", state)
	q.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
	q.Set("code_challenge_method", "S256")
	q.Set("response_mode", "form_post") // keeps the code out of the browser's history
	switch {
	case w.claims != "": // a session the browser has is what did not suffice
		q.Set("prompt", "login")
	case w.anew || w.hint == "":
		q.Set("prompt", "select_account")
	}
	if w.signer.delegates && w.claims == "" {
		q.Set("claims", demandMFA)
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// loginAliases are hosts a sign-in may end at besides the cloud's own.
var loginAliases = []string{"login.microsoft.com", "login.windows.net", "login.live.com"}

// callback waits for the browser to come back, once.
type callback struct {
	state   string
	origins []string
	port    int
	done    chan struct{} // closed when code or refused is set

	answering sync.WaitGroup // requests under way
	mu        sync.Mutex
	code      Secret
	refused   *AuthError
}

// ports is how many ports are tried for one that is free for both address families.
const ports = 8

// listen opens a loopback port on both address families: a browser may take
// localhost for either.
func (b *callback) listen(ctx context.Context) (port int, stop func(), err error) {
	var listeners []net.Listener
	for try := 1; ; try++ {
		if listeners, err = loopback(ctx); err == nil {
			break
		}
		if try == ports || !errors.Is(err, syscall.EADDRINUSE) {
			return 0, nil, err
		}
	}
	b.port = listeners[0].Addr().(*net.TCPAddr).Port
	server := &http.Server{Handler: b, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second}
	var served sync.WaitGroup
	for _, l := range listeners {
		served.Go(func() { _ = server.Serve(l) })
	}
	return b.port, func() {
		// The page that says what came of it may still be on its way. Browsers also
		// keep connections open that they never use; those are not waited for.
		answered := make(chan struct{})
		go func() {
			b.answering.Wait()
			close(answered)
		}()
		select {
		case <-answered:
		case <-time.After(time.Second):
		}
		_ = server.Close()
		served.Wait()
	}, nil
}

// loopback listens on a free port, on IPv6 only where this machine has it.
func loopback(ctx context.Context) ([]net.Listener, error) {
	var lc net.ListenConfig
	four, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	six, err := lc.Listen(ctx, "tcp", fmt.Sprintf("[::1]:%d", four.Addr().(*net.TCPAddr).Port))
	switch {
	case err == nil:
		return []net.Listener{four, six}, nil
	case errors.Is(err, syscall.EADDRINUSE): // whoever has it would get the answer
		_ = four.Close()
		return nil, err
	}
	return []net.Listener{four}, nil
}

// ServeHTTP takes the answer of the sign-in page. Everything else that a local
// port may meet is refused and changes nothing.
func (b *callback) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.answering.Add(1)
	defer b.answering.Done()
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	w.Header().Set("Referrer-Policy", "no-referrer")
	switch {
	case !slices.Contains([]string{"localhost", "127.0.0.1", "[::1]"}, strings.TrimSuffix(r.Host, ":"+strconv.Itoa(b.port))):
		b.say(w, http.StatusMisdirectedRequest, "This address is not part of the sign-in.", "")
		return
	case r.URL.Path != "/":
		b.say(w, http.StatusNotFound, "There is nothing at this address.", "")
		return
	case r.Method != http.MethodPost:
		b.say(w, http.StatusMethodNotAllowed, "This address only takes the answer of the sign-in page.", "Go back to the terminal and open the address shown there.")
		return
	case !b.sameOrigin(r.Header.Get("Origin")):
		b.say(w, http.StatusForbidden, "This answer does not come from the sign-in page.", "Nothing was accepted. Go back to the terminal.")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		b.say(w, http.StatusBadRequest, "This answer cannot be read.", "Go back to the terminal and begin again.")
		return
	}
	form := r.PostForm
	if subtle.ConstantTimeCompare([]byte(form.Get("state")), []byte(b.state)) != 1 {
		b.say(w, http.StatusBadRequest, "This answer belongs to another sign-in.", "Nothing was accepted. Close this window and use the one opened last.")
		return
	}
	switch taken := b.take(form); {
	case taken != nil && errors.Is(taken, errUsed):
		b.say(w, http.StatusGone, "This sign-in was already taken up.", "Go back to the terminal.")
	case taken != nil:
		b.say(w, http.StatusOK, "The sign-in did not work.", taken.Error())
	default:
		b.say(w, http.StatusOK, "The browser's part is done.", "Close this window and go back to the terminal: it says whether you are signed in.")
	}
}

// sameOrigin tells whether a form was sent by a sign-in page. Browsers hide the
// origin of a form that goes from an encrypted page to a plain address; the state
// then has to do, which stands in the page's address and is known to whoever can
// see that.
func (b *callback) sameOrigin(origin string) bool {
	if origin == "" || origin == "null" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Scheme == "https" && slices.Contains(b.origins, u.Host)
}

var errUsed = errors.New("the answer was taken already")

// take remembers the first answer.
func (b *callback) take(form url.Values) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.done:
		return errUsed
	default:
	}
	defer close(b.done)
	if code := form.Get("code"); code != "" && form.Get("error") == "" {
		b.code = NewSecret(code)
		return nil
	}
	b.refused = &AuthError{
		OAuth: form.Get("error"), Description: form.Get("error_description"), Suberror: form.Get("error_subcode"), Codes: codesIn(form.Get("error_description")),
	}
	if b.refused.OAuth == "" {
		b.refused.OAuth = "invalid_request"
	}
	return b.refused
}

var aadsts = regexp.MustCompile(`AADSTS(\d{5,7})\b`)

// codesIn finds the numbers the sign-in page names only in its words.
func codesIn(text string) []int {
	var codes []int
	for _, m := range aadsts.FindAllStringSubmatch(text, -1) {
		if n, err := strconv.Atoi(m[1]); err == nil && !slices.Contains(codes, n) {
			codes = append(codes, n)
		}
	}
	return codes
}

// backPage is what the browser shows when it has come back. Its texts hold what a
// service or a page said.
func backPage(title, text string) []byte {
	return []byte(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>msbundle</title>
<style>body{font:1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:3rem auto;padding:0 1rem}</style></head>
<body><main><h1>` + html.EscapeString(title) + "</h1><p>" + html.EscapeString(text) + "</p></main></body></html>\n")
}

// say answers at once and in full: the port may be closed as soon as it has.
func (b *callback) say(w http.ResponseWriter, status int, title, text string) {
	page := backPage(title, text)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(page)))
	w.WriteHeader(status)
	_, _ = w.Write(page)
	_ = http.NewResponseController(w).Flush()
}
