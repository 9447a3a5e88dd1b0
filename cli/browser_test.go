package cli

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"msbundle/catalog"
	"msbundle/sandbox"
)

// webDriver leads a real browser without a screen.
// https://www.w3.org/TR/webdriver2/
type webDriver struct {
	t       *testing.T
	session string // address of the session
}

// openBrowser starts Chromium so that it reaches the simulated sign-in hosts and
// nothing else, and trusts the sandbox's authority only. localhost is what it
// takes for itself.
func openBrowser(t *testing.T, address, localhost string) *webDriver {
	t.Helper()
	driver, err := exec.LookPath("chromedriver")
	if err != nil {
		t.Skip("chromedriver is not installed")
	}
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed")
	}
	c := exec.Command(driver, "--port=0") // ends after the session does, see below
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	port := ""
	lines := bufio.NewScanner(out)
	for port == "" && lines.Scan() {
		if m := regexp.MustCompile(`started successfully on port (\d+)`).FindStringSubmatch(lines.Text()); m != nil {
			port = m[1]
		}
	}
	if port == "" {
		t.Fatal("chromedriver did not say where it listens")
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	b := &webDriver{t: t, session: "http://127.0.0.1:" + port}
	made := b.do(http.MethodPost, "/session", map[string]any{"capabilities": map[string]any{"alwaysMatch": map[string]any{
		"browserName": "chrome",
		"goog:chromeOptions": map[string]any{"binary": chromium, "args": []string{
			"--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--user-data-dir=" + t.TempDir(),
			"--host-resolver-rules=MAP login.microsoftonline.com " + address + ", MAP localhost " + localhost + ", MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE 127.0.0.2",
			"--ignore-certificate-errors-spki-list=" + authorityPin(t, address),
		}},
	}}})
	id, _ := made.(map[string]any)["sessionId"].(string)
	b.session += "/session/" + id
	t.Cleanup(func() { b.do(http.MethodDelete, "", nil) })
	return b
}

// authorityPin names the key of the sandbox's certificate authority.
func authorityPin(t *testing.T, address string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}} //nolint:gosec // asks for what to trust
	resp, err := client.Get("https://" + address + "/_sandbox/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("no certificate: %s", text)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// do is one command to the browser.
func (b *webDriver) do(method, path string, body any) any {
	b.t.Helper()
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			b.t.Fatal(err)
		}
	}
	// The last command is sent when the test is over.
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, b.session+path, bytes.NewReader(text))
	if err != nil {
		b.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct{ Value any }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		b.t.Fatalf("%s %s: %d %v %v", method, path, resp.StatusCode, answer.Value, err)
	}
	return answer.Value
}

func (b *webDriver) open(page string) {
	b.t.Helper()
	b.do(http.MethodPost, "/url", map[string]any{"url": page})
}

// click clicks the first element a CSS selector finds.
func (b *webDriver) click(css string) {
	b.t.Helper()
	found := b.do(http.MethodPost, "/element", map[string]any{"using": "css selector", "value": css}).(map[string]any)
	for _, id := range found { // under a name the standard makes up
		b.do(http.MethodPost, fmt.Sprintf("/element/%s/click", id), map[string]any{})
	}
}

// comesBack stands in for a program a browser comes back to.
type comesBack struct {
	address string
	answers chan *http.Request
}

func listenForBrowser(t *testing.T) *comesBack {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &comesBack{answers: make(chan *http.Request, 10)}
	l.address = fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" { // browsers look for a picture, too
			http.NotFound(w, r)
			return
		}
		if err := r.ParseForm(); err == nil {
			l.answers <- r
		}
		_, _ = io.WriteString(w, "<!doctype html><title>Back</title><p>You can close this window.")
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return l
}

func (l *comesBack) wait(t *testing.T) *http.Request {
	t.Helper()
	select {
	case r := <-l.answers:
		return r
	case <-time.After(30 * time.Second):
		t.Fatal("the browser did not come back")
		return nil
	}
}

func TestBrowserSignsIn(t *testing.T) {
	t.Parallel()
	const verifier = "0123456789abcdefghijklmnopqrstuvwxyz-._~ABCDEFG"
	sum := sha256.Sum256([]byte(verifier))
	for _, approve := range []string{sandbox.ApproveAuto, sandbox.ApproveManual} {
		t.Run(approve, func(t *testing.T) {
			cloud, base := serve(t, sandbox.Options{Approve: approve})
			address := strings.TrimPrefix(base, "https://")
			b, back := openBrowser(t, address, "127.0.0.1"), listenForBrowser(t)
			tenant := cloud.Tenant()
			q := url.Values{
				"client_id": {catalog.GraphCommandLineTools}, "response_type": {"code"}, "response_mode": {"form_post"}, "redirect_uri": {back.address},
				"scope": {"openid profile offline_access User.Read"}, "state": {"<a> & \"b\""}, "prompt": {"select_account"},
				"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
			}
			page := "https://login.microsoftonline.com/" + tenant.ID + "/oauth2/v2.0/authorize?"
			b.open(page + q.Encode())
			if approve == sandbox.ApproveManual {
				b.click(`button[value="continue"]`)
			}
			r := back.wait(t)
			if r.Method != http.MethodPost || r.PostForm.Get("state") != q.Get("state") || r.URL.RawQuery != "" {
				t.Errorf("came back by %s %s with %v", r.Method, r.URL, r.PostForm)
			}
			// From a page by https to an address by http the browser does not say where
			// the form was, so a program cannot go by that.
			if from := r.Header.Get("Origin"); from != "null" {
				t.Errorf("the form came from %q", from)
			}

			redeem := func(verifier string) (int, string) {
				t.Helper()
				form := url.Values{
					"grant_type": {"authorization_code"}, "client_id": q["client_id"], "redirect_uri": q["redirect_uri"],
					"code": {r.PostForm.Get("code")}, "code_verifier": {verifier},
				}
				remote, err := sandbox.Remote(t.Context(), base)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := (&http.Client{Transport: remote.Transport()}).PostForm("https://login.microsoftonline.com/"+tenant.ID+"/oauth2/v2.0/token", form)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = resp.Body.Close() }()
				text, err := io.ReadAll(resp.Body)
				if err != nil {
					t.Fatal(err)
				}
				return resp.StatusCode, string(text)
			}
			if status, text := redeem(verifier + "x"); status != 400 || !strings.Contains(text, "AADSTS501481") {
				t.Errorf("wrong verifier: %d %s", status, text)
			}
			if status, text := redeem(verifier); status != 200 || !strings.Contains(text, `"access_token"`) {
				t.Fatalf("redeemed: %d %s", status, text)
			}
			if status, text := redeem(verifier); status != 400 || !strings.Contains(text, "AADSTS54005") {
				t.Errorf("second use: %d %s", status, text)
			}

			// The same by an address, as browsers come back to other programs.
			q.Set("response_mode", "query")
			b.open(page + q.Encode())
			if approve == sandbox.ApproveManual {
				b.click(`button[value="continue"]`)
			}
			if r := back.wait(t); r.Method != http.MethodGet || r.Form.Get("state") != q.Get("state") || r.Form.Get("code") == "" {
				t.Errorf("came back by %s %s", r.Method, r.URL)
			}
		})
	}
}

// text is what the page says.
func (b *webDriver) text() string {
	b.t.Helper()
	text, _ := b.do(http.MethodPost, "/execute/sync", map[string]any{"script": "return document.body.innerText", "args": []any{}}).(string)
	return text
}

// until waits for the page to say something.
func (b *webDriver) until(want string) {
	b.t.Helper()
	for range 200 {
		if strings.Contains(b.text(), want) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.t.Fatalf("the page does not say %q:\n%s", want, b.text())
}

// loggingIn is 'msbundle login' on its way, with a browser somewhere.
type loggingIn struct {
	address string // to open
	port    int
	ended   chan ran
}

// login starts the command against a served sandbox and waits for the page it
// names.
func (w *world) login(base string) loggingIn {
	w.t.Helper()
	var out lockedBuffer
	read, write := io.Pipe()
	l := loggingIn{ended: make(chan ran, 1)}
	go func() {
		code := w.program(w.t.Context(), &out, write, []string{"login", "--auth", "browser", "--json", "--sandbox=" + base})
		_ = write.Close()
		l.ended <- ran{code: code, out: out.String()}
	}()
	lines := bufio.NewScanner(read)
	for l.address == "" && lines.Scan() {
		var event struct {
			Event, Address string
			Port           int
		}
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			w.t.Fatalf("%v: %s", err, lines.Text())
		}
		if event.Event == "sign-in" {
			l.address, l.port = event.Address, event.Port
		}
	}
	if l.address == "" {
		r := <-l.ended
		w.t.Fatalf("no page was named, exit code %d", r.code)
	}
	go func() { _, _ = io.Copy(io.Discard, read) }()
	return l
}

// relay carries a port of another address to this program's, as ssh -L does from
// another machine. It counts what came through.
func relay(t *testing.T, from string, port int) *atomic.Int64 {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(from, strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	var n atomic.Int64
	go func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			n.Add(1)
			out, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
			if err != nil {
				_ = in.Close()
				continue
			}
			go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
			go func() { _, _ = io.Copy(in, out); _ = in.Close() }()
		}
	}()
	return &n
}

// forger serves a page of another origin that sends a sign-in an answer.
func forger(t *testing.T, to, state string) string {
	t.Helper()
	page := fmt.Sprintf(`<!doctype html><form method="post" action="%s"><input name="code" value="x"><input name="state" value="%s"></form>
<script>document.forms[0].submit()</script>`, to, html.EscapeString(state))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, page)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// The program signs in with a real browser: on the same machine, and on another
// one whose port is forwarded. What does not belong to the sign-in is refused and
// does not disturb it.
func TestLoginInARealBrowser(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, localhost string }{{"on this machine", "127.0.0.1"}, {"through a forwarded port", "127.0.0.2"}} {
		t.Run(c.name, func(t *testing.T) {
			cloud, base := serve(t, sandbox.Options{Approve: sandbox.ApproveManual, Canary: "k4n4ry"})
			b := openBrowser(t, strings.TrimPrefix(base, "https://"), c.localhost)
			w := &world{t: t, cloud: cloud, state: t.TempDir(), vars: map[string]string{}}
			l := w.login(base)
			var through *atomic.Int64
			if c.localhost != "127.0.0.1" {
				through = relay(t, c.localhost, l.port)
			}
			page, err := url.Parse(l.address)
			if err != nil {
				t.Fatal(err)
			}
			back := page.Query().Get("redirect_uri") + "/"
			b.open(forger(t, back, "guessed"))
			b.until("does not come from the sign-in page")
			b.open(forger(t, back, page.Query().Get("state")))
			b.until("does not come from the sign-in page")
			b.open("data:text/html,<form method=post action=" + back + "><input name=code value=x><input name=state value=guessed></form><script>document.forms[0].submit()</script>")
			b.until("belongs to another sign-in")

			b.open(l.address)
			b.click(`button[value="continue"]`)
			b.until("browser's part is done")
			r := (<-l.ended).must(t, exitDone)
			if got := decode[map[string]any](t, r)["account"]; got != cloud.Tenant().Admin {
				t.Errorf("signed in as %v", got)
			}
			if through != nil && through.Load() == 0 {
				t.Error("nothing went through the forwarded port")
			}
			if strings.Contains(l.address, "k4n4ry") {
				t.Error("a secret is part of the address")
			}
			// Whoever has the answer cannot use it again.
			if _, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(l.port))); err == nil {
				t.Error("the port is still open")
			}
		})
	}
}
