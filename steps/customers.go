package steps

import (
	"slices"
	"time"
)

// Shade is how a customer stands: what Rewst shows as the colour of a shield.
type Shade int

// The shades, the best last.
const (
	Unseen Shade = iota // not looked at yet
	Red                 // something that worked, or should, is refused
	Blue                // not set up yet
	Amber               // the way in is open, something of what lies behind it is missing
	Green               // everything was read back
)

// Proofs of a shield, in their order.
// https://learn.microsoft.com/partner-center/developer/control-panel-vendor-apis
const (
	ProofToken        = "token"        // a token for the customer's tenant
	ProofOrganization = "organization" // it is the customer's tenant
	ProofRoles        = "roles"        // the partner has the roles there
	ProofUsers        = "users"        // the directory can be read
	ProofExchange     = "exchange"     // Exchange Online takes commands
	ProofGrants       = "grants"       // the app has what was chosen, nothing missing
)

// Shield is how a customer stands, with what that was seen from.
type Shield struct {
	Shade  Shade        `json:"shade"`
	Reason string       `json:"reason"` // in a few words; empty when green
	Fix    string       `json:"fix"`    // what to do about it; empty when green
	Checks []ShieldPart `json:"checks"`
	At     time.Time    `json:"at"` // when it was looked at; zero when never
	// Spared is when the customer's Conditional Access policies were last seen to keep
	// nobody of the partner out whom an exclusion would let in; zero when they were not
	// read, or do.
	Spared time.Time `json:"spared,omitzero"`
	// Refused is how the last try to write there ended, while that may still be so; nil
	// when none failed.
	Refused *Refusal `json:"refused,omitempty"`
	// Notes say in sentences what is left alone there and why, as it was seen last.
	Notes []string `json:"notes,omitempty"`
	// PolicyNotes is how many of them, the last, are about Conditional Access policies,
	// which only the app can read.
	PolicyNotes int `json:"policyNotes,omitempty"`
	// Chosen stands for what it was judged by: the app and what that was to have.
	Chosen string `json:"chosen,omitempty"`
}

// Failed tells whether what was tried there last did not work and nothing has shown
// since that it would: also in a later run, it is made from what is kept.
func (s Shield) Failed() bool { return s.Shade == Red || s.Refused != nil }

// Missing tells whether it was read back, or refused, that something is as it was
// chosen. What could not be tried is not known to be missing.
func (s Shield) Missing() bool {
	return s.Refused != nil || slices.ContainsFunc(s.Checks, func(c ShieldPart) bool { return c.State == Failed })
}

// ShieldPart is one of the reads behind a shield.
type ShieldPart struct {
	Proof     string     `json:"proof"`
	State     CheckState `json:"state"`
	Evidence  string     `json:"evidence"` // what was seen, or why it was not
	Fix       string     `json:"fix,omitempty"`
	RequestID string     `json:"requestId,omitempty"`
	At        time.Time  `json:"at"`
}

// CustomerRow is a customer as the mapping table has it.
type CustomerRow struct {
	Customer
	Domains       []string // all that are known of it, the default one first
	Relationship  string   // state of the best relationship with it; empty without one
	Organizations []int    // that it is linked to, by their place in the list
	ByHand        bool     // a person chose them, or took the last away
	Suggested     *Suggestion
	Shield        Shield
}

// Suggestion is an organisation that a customer seems to be.
type Suggestion struct {
	Organization int     // its place in the list
	Also         []int   // further organisations Rewst has under the customer's tenant id
	Confidence   float64 // 0 to 1
	Reason       string  // "same tenant id", "same domain contoso.com", "name alike"
	Certain      bool    // sure enough to be chosen for the person
}

// FleetEvent is progress of work at many customers.
type FleetEvent struct {
	Tenant string        // customer it is about; empty when it is about all
	What   string        // what happens there, in a few words
	Done   bool          // with this customer
	Err    error         // it failed there; the others go on
	Shield *Shield       // as it is now; nil when it was not looked at
	Left   int           // customers not done yet
	Of     int           // customers altogether
	Rate   float64       // customers a minute, as measured; 0 when that is not known yet
	Rest   time.Duration // until all are done, from what was measured; 0 when that is not known yet
}

// FleetOptions say how many customers are worked on at a time and who watches.
type FleetOptions struct {
	Workers int   // at a time; 0 means 16
	Gate    *Gate // nil when it cannot be paused
	Observe func(FleetEvent)
}
