// Package sandbox is a simulated Microsoft cloud: an http.Handler with an
// in-memory world behind it. It speaks the services' wire formats at their real
// hosts and paths, and says no the way they do.
//
// It shares nothing with the client but the facts in the catalog, so a mistake
// in the client cannot be repeated here. Everything that takes time is expressed
// in the sandbox's own clock: the process's clock plus an offset that can be
// moved.
package sandbox

import (
	crand "crypto/rand"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options choose the world a sandbox starts with. The zero value is the happy
// scenario without delays, with a person who approves after two polls.
type Options struct {
	Scenario  string        // a name from Scenarios; "" is "happy"
	Customers int           // customer tenants, at most MaxCustomers; 0 takes the scenario's number
	Seed      int64         // decides ids, delays and which replica answers
	Latency   time.Duration // added to every request
	Interval  time.Duration // polling interval told to device code clients; 0 is five seconds
	Approve   string        // who answers a device code: "now", "auto" (after two polls) or "manual"
	Delays    string        // "none", or "realistic" for replication lag as documented
	Faults    []Fault
	Canary    string       // part of every secret, token and device code handed out
	Log       func(string) // told one line a request; may be nil
}

// MaxCustomers is the largest world a sandbox builds.
const MaxCustomers = 10_000

// How a device code is answered, and whether writes take time to be seen.
const (
	ApproveNow    = "now"
	ApproveAuto   = "auto"
	ApproveManual = "manual"

	DelaysNone      = "none"
	DelaysRealistic = "realistic"
)

// TenantInfo names a tenant and the account a person would sign in with.
type TenantInfo struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	DefaultDomain string `json:"defaultDomain"`
	Admin         string `json:"admin"` // user principal name
	Cloud         string `json:"cloud"` // where it lives; empty: in all of them
	World         string `json:"world"` // another one for each sandbox that is made: nothing of one is known to the next
}

// Cloud is one simulated cloud. Its methods are safe for concurrent use.
type Cloud struct {
	opts     Options
	scenario scenario
	world    string
	key      []byte // signs the tokens, so that a forged one is refused

	mu       sync.Mutex // guards everything below; never held while waiting
	rng      *rand.Rand
	offset   time.Duration // sandbox clock minus process clock
	stale    staleWindow
	tenants  map[string]*tenant // by id
	byDomain map[string]*tenant
	order    []*tenant // the partner's tenant first
	codes    map[string]*deviceCode
	refresh  map[string]*refreshToken
	grants   map[string]*codeGrant
	// Every time somebody signed in, by id; why those before it do not suffice any
	// more; and who the simulated person is, "" for the scenario's.
	sessions map[string]*session
	demand   *demand
	signsIn  string
	faults   []*armedFault
	log      []*Request
	seq      int
	gdap     gdap // delegated admin relationships
	consents appConsents

	authorityPEM []byte // certificate of the server, when there is one
}

// A canary has to survive in a JWT and in a form value as it is.
var canaryPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{0,64}$`)

// New builds the world of a scenario. An option that cannot be used is an error that
// begins with the option's name.
func New(o Options) (*Cloud, error) {
	if o.Scenario == "" {
		o.Scenario = "happy"
	}
	if o.Approve == "" {
		o.Approve = ApproveAuto
	}
	if o.Delays == "" {
		o.Delays = DelaysNone
	}
	if o.Interval == 0 {
		o.Interval = 5 * time.Second
	}
	s, err := scenarioByName(o.Scenario)
	if err != nil {
		return nil, err
	}
	switch {
	case o.Customers < 0 || o.Customers > MaxCustomers:
		return nil, fmt.Errorf("customers: %d is not between 0 and %d", o.Customers, MaxCustomers)
	case o.Approve != ApproveNow && o.Approve != ApproveAuto && o.Approve != ApproveManual:
		return nil, fmt.Errorf("approve: %q is none of now, auto, manual", o.Approve)
	case o.Delays != DelaysNone && o.Delays != DelaysRealistic:
		return nil, fmt.Errorf("delays: %q is none of none, realistic", o.Delays)
	case o.Interval < 0:
		return nil, fmt.Errorf("interval: a time cannot be negative")
	case o.Latency < 0:
		return nil, fmt.Errorf("latency: a time cannot be negative")
	case !canaryPattern.MatchString(o.Canary):
		return nil, fmt.Errorf("canary: at most 64 letters, digits, hyphens and underscores")
	}
	if s.realistic {
		o.Delays = DelaysRealistic
	}
	armed, err := armFaults(append(slices.Clone(o.Faults), s.events...))
	if err != nil {
		return nil, err
	}
	c := &Cloud{
		opts: o, scenario: s, world: strings.ToLower(crand.Text()[:8]), faults: armed, offset: s.clockOffset,
		rng:     rand.New(rand.NewPCG(uint64(o.Seed), 0x6d7362756e646c65)),
		tenants: map[string]*tenant{}, byDomain: map[string]*tenant{}, codes: map[string]*deviceCode{}, refresh: map[string]*refreshToken{},
		grants: map[string]*codeGrant{}, sessions: map[string]*session{}, signsIn: s.person, gdap: newGDAP(),
	}
	c.key = []byte(c.random(43))
	c.build()
	return c, nil
}

// Tenant is the partner's tenant, where the setup happens.
func (c *Cloud) Tenant() TenantInfo {
	t := c.order[0]
	i := slices.IndexFunc(t.domains(), func(d domain) bool { return d.isDefault })
	return TenantInfo{ID: t.id, Name: t.name, DefaultDomain: t.domains()[i].name, Admin: t.admin, Cloud: t.cloud.ID, World: c.world}
}

// Advance moves the sandbox's clock forward.
func (c *Cloud) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.offset += d
}

// SetFaults replaces the faults. A fault whose path is not a regular expression
// matches nothing; ParseFaults reports such mistakes.
func (c *Cloud) SetFaults(faults []Fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = nil
	for _, f := range faults {
		if armed, err := f.arm(); err == nil {
			c.faults = append(c.faults, armed)
		}
	}
}

// now is the sandbox's time. The caller holds mu.
func (c *Cloud) now() time.Time { return time.Now().Add(c.offset).UTC() }

// clock is now for callers that do not hold mu.
func (c *Cloud) clock() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}
