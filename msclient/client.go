package msclient

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"msbundle/catalog"
)

// Options say which cloud a Client speaks to, and how.
type Options struct {
	Cloud     catalog.Cloud
	ClientID  string            // public client that signs people in; empty means Microsoft Graph Command Line Tools
	Transport http.RoundTripper // nil means the network
	Cache     cache.ExportReplace
	Log       *slog.Logger // nil means no log
}

// Client is one identity's access to Microsoft's services. It is safe for
// concurrent use.
type Client struct {
	cloud    catalog.Cloud
	clientID string
	http     *http.Client
	log      *slog.Logger
	pacer    *pacer
	msal     public.Client
	clock    clock

	mu      sync.Mutex
	account public.Account
	scopes  []string  // asked for at sign-in, on Graph
	home    string    // tenant id of the account's sign-in
	first   Secret    // access token of the sign-in
	ends    time.Time // when it does
	graphs  map[string]*Graph
}

// New makes a client nobody is signed in to yet.
func New(o Options) (*Client, error) {
	if o.ClientID == "" {
		o.ClientID = catalog.GraphCommandLineTools
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	c := &Client{
		cloud: o.Cloud, clientID: o.ClientID, log: o.Log,
		http: &http.Client{
			Transport: o.Transport,
			// None of the services redirects. Following one would hand a refresh token
			// or a device code, which travel in bodies, to another host.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		graphs: map[string]*Graph{},
	}
	c.pacer = &pacer{next: c.http, log: o.Log, clock: &c.clock}
	opts := []public.Option{
		public.WithAuthority("https://" + o.Cloud.Login + "/organizations"),
		public.WithHTTPClient(c.pacer),
		public.WithClientCapabilities([]string{"CP1"}), // continuous access evaluation
	}
	if o.Cache != nil {
		opts = append(opts, public.WithCache(o.Cache))
	}
	var err error
	if c.msal, err = public.New(o.ClientID, opts...); err != nil {
		return nil, fmt.Errorf("set up sign-in at %s: %w", o.Cloud.Login, err)
	}
	return c, nil
}

// Cloud tells which cloud the client speaks to.
func (c *Client) Cloud() catalog.Cloud { return c.cloud }

// Skew is how far the service's clock is ahead of this machine's, from the last
// answer received. Zero until there was one.
func (c *Client) Skew() time.Duration { return c.clock.skew() }

// Now is the service's time.
func (c *Client) Now() time.Time { return time.Now().Add(c.clock.skew()) }

// clock learns the service's time from the Date header of its answers.
type clock struct {
	mu     sync.Mutex
	offset time.Duration
}

func (k *clock) learn(h http.Header) {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	offset := time.Until(at)
	if offset.Abs() < 2*time.Second { // the header has whole seconds
		offset = 0
	}
	k.mu.Lock()
	k.offset = offset
	k.mu.Unlock()
}

func (k *clock) skew() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.offset
}

// Sleep waits, or returns the context's error.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
