package msclient

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"

	"msbundle/catalog"
)

// Cache keeps the tokens of a public client between runs.
type Cache interface {
	Cache(clientID string) cache.ExportReplace
}

// Options say which cloud a Client speaks to, and how.
type Options struct {
	Cloud    catalog.Cloud
	ClientID string   // a public client of the person's own, which then serves every resource; empty means Microsoft's
	Method   Method   // how people sign in unless they choose otherwise; empty means ByDevice
	Methods  []Method // what they can choose from; empty means Method only
	// Unattended says why nobody is there to decide about sign-ins the work can go on
	// without: they are left out. Empty means that somebody is.
	Unattended string
	App        *App              // signs in by itself, for reads; then nobody is asked
	Transport  http.RoundTripper // nil means the network
	Sessions   Cache             // nil means that sign-ins end with the process
	Log        *slog.Logger      // nil means no log
}

// Client is one identity's access to Microsoft's services. It is safe for
// concurrent use.
type Client struct {
	cloud    catalog.Cloud
	own      string // client id of the person's own public client
	http     *http.Client
	log      *slog.Logger
	pacer    *pacer
	clock    clock
	ladder   ladder
	alone    string // why sign-ins that can be left out are; empty when they are not
	app      *appSigner
	sessions Cache

	mu       sync.Mutex
	signers  map[string]*signer // by client id
	delegate *signer            // of the partner's own app; nil until Delegate
	identity identity
	services map[string]*Service
	budgets  map[string]*budget // by tenant
}

// identity is who is signed in.
type identity struct {
	username string
	objectID string
	tenant   string // of the sign-in
	scopes   []string
}

// New makes a client nobody is signed in to yet.
func New(o Options) (*Client, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	c := &Client{
		cloud: o.Cloud, own: o.ClientID, log: o.Log, sessions: o.Sessions, alone: o.Unattended,
		http: &http.Client{
			Transport: o.Transport,
			// None of the services redirects. Following one would hand a refresh token
			// or a device code, which travel in bodies, to another host.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		signers: map[string]*signer{}, services: map[string]*Service{}, budgets: map[string]*budget{},
	}
	c.ladder = newLadder(o.Method, o.Methods)
	c.pacer = &pacer{next: c.http, log: o.Log, clock: &c.clock}
	if o.App != nil {
		var err error
		if c.app, err = c.newAppSigner(*o.App); err != nil {
			return nil, err
		}
	}
	_, err := c.signer(catalog.GraphAppID)
	return c, err
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
	if park, parks := ctx.Value(parkingKey{}).(func() func()); parks {
		defer park()()
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
