package steps

import (
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
)

// Secret is a value that hides itself however it is printed; Reveal gives it.
type Secret = msclient.Secret

// Account is who signed in.
type Account struct {
	Username string
	ObjectID string
	TenantID string
	Guest    bool
	MFA      bool // the sign-in was made with multifactor authentication
	App      bool // an app that acts as itself, for reads
	Browser  bool // the sign-in was made with a browser, not with a code
}

// Organization is the tenant.
type Organization struct {
	ID            string
	Name          string
	DefaultDomain string
	Domains       []string // all that are verified
	PartnerType   string   // what kind of Microsoft partner the directory says it is; empty for none
}

// Findings is what the tenant holds, as far as the setup is concerned. It is the
// result of reads only.
type Findings struct {
	Cloud   catalog.Cloud
	Account Account
	Org     Organization
	RoleIDs []string // template ids of the person's active directory roles
	// RolesUnknown says that there may be more roles than RoleIDs tells.
	RolesUnknown bool
	Skew         time.Duration
	Resources    map[string]Resource // by app id: the APIs present in the tenant
	Refused      map[string]string   // by app id: APIs the tenant is not offered, and its words

	SameName  []AppSummary    // apps of the chosen name, ours and others'
	App       *Application    // the app to bring to the answers; nil when it is to be created
	Principal *Principal      // its service principal
	Secrets   SecretPolicy    // what the tenant allows
	Left      []PasswordFound // secrets that were made and never delivered

	Connector *Principal // the vendor's enterprise app, when that was chosen and is there

	At   time.Time       // the service's time when it was read
	Made map[string]bool // grants our journal says we made: see madeRole, madeScope, madeListed
	// FreshSecret is a secret our journal says was delivered so recently that
	// reads may not show it yet.
	FreshSecret bool

	Ready *Readiness // what the tenant itself holds; nil when the answers have no section about it

	Delegation *Delegation // of customers; nil when the answers have no section about it

	place        *place // a customer's tenant; nil for the partner's own
	redirectOurs bool   // an earlier run opened the app's sign-in and did not close it

	Around // for the checks only

	ours       []*Application // of SameName, those that carry our tag
	noPolicies bool           // those of Conditional Access were not looked at
	policy     *wireManagementPolicy
}

// AppSummary is enough about an app for a person to recognise it.
type AppSummary struct {
	ObjectID string
	AppID    string
	Name     string
	Created  time.Time
	Deleted  time.Time // zero when it is there
	Audience string
	Secrets  int
	Ours     bool // carries our tag
}

// CheckState is how a check of the tenant came out.
type CheckState int

const (
	Passed CheckState = iota
	Warned
	Failed
	Unknown // could not be checked
)

var checkStates = map[CheckState]string{Passed: "passed", Warned: "warning", Failed: "failed", Unknown: "could not check"}

func (c CheckState) String() string { return checkStates[c] }

// Check is one thing looked at before the plan.
type Check struct {
	ID       string
	Title    string
	State    CheckState
	Evidence string // what was seen
	Fix      string // what to do about it; empty when passed
	Blocks   bool   // the setup cannot go on while it fails
	SignIn   bool   // only another sign-in can mend it: looking again shows the same
	Offer    string // id of an offer of the plan that mends it without harm; empty when there is none
	Answer   string // key of the answer that is wrong: "gdap.customers"; empty when that is not the cause
}

// CheckSameName is the check whose failure the person answers by adopting an
// app (Findings.SameName), choosing another name, or stopping.
const CheckSameName = "same-name"

// EventKind says what an Event tells.
type EventKind int

const (
	EventStarted EventKind = iota // changes are being written
	EventDone                     // changes are written
	EventWaiting                  // something has to happen elsewhere first
	EventProof                    // a combined proof read came out
	EventPaused
	EventResumed
	EventNote        // something worth a line, for example a permission left out
	EventInvitations // who is waited for has changed, or was looked at again
)

// Event is progress of an apply.
type Event struct {
	Kind    EventKind
	At      time.Time
	Changes []string // ids of the changes it is about
	Text    string
	Wait    *Wait // for EventWaiting
	Proof   int   // for EventProof: good reads in a row so far
	Of      int   // for EventProof: how many are needed
	// Invitations are for EventInvitations: what customers have yet to approve.
	Invitations []Invitation
	Failed      *CustomerFailure // for EventNote: the customer with whom it did not work; else nil
	Ended       *CustomerEnd     // for EventNote: the customer with whom it came to nothing; else nil
}

// Wait explains why nothing seems to happen.
type Wait struct {
	For   string        // what is waited for
	Usual string        // how long it usually takes
	Since time.Time     // when the waiting began
	Then  string        // what happens next
	Next  time.Duration // until the next look
}

// Value is one thing the person carries over to the vendor.
type Value struct {
	Label string
	Value string
	Where string // the field it goes into
}

// IntegrationResult is how one integration came out.
type IntegrationResult struct {
	ID         string
	Name       string
	Authorized bool
	Granted    int      // permissions read back
	Wanted     int      // permissions asked for
	Missing    []string // names of those not there
}

// Proof is the evidence behind a result.
type Proof struct {
	Reads      int // consecutive good reads
	At         time.Time
	RequestIDs []string
}

// Result is what an apply led to, read back from the tenant.
type Result struct {
	Account       Account
	Org           Organization
	Written       int // changes that were carried out
	AppName       string
	AppID         string
	PrincipalID   string
	PortalURL     string // the enterprise application in the portal
	RedirectURI   string
	Secret        Secret // zero when none was made in this run
	SecretExpires time.Time
	SecretNote    string // why there is no secret to show
	Integrations  []IntegrationResult
	Delegation    *DelegationResult // of the stage about customers; nil when the answers have no section about them
	Tenant        *TenantResult     // of the stage about the tenant; nil when the answers have no section about it
	Behind        int               // customers that were last seen with what an earlier choice gave the app there
	Values        []Value
	Proof         Proof
	Notes         []Note
}

// Done tells whether everything asked for was read back.
func (r Result) Done() bool {
	if r.Proof.Reads == 0 {
		return false
	}
	for _, i := range r.Integrations {
		if !i.Authorized {
			return false
		}
	}
	if r.Delegation != nil && r.Delegation.Ready < r.Delegation.Customers {
		return false
	}
	if r.Tenant != nil {
		return len(r.Tenant.Missing) == 0
	}
	return len(r.Integrations) > 0 || r.Delegation != nil
}

// PlanOptions is what the person decided about a plan, beyond the answers.
type PlanOptions struct {
	Stage    Stage           // only this one; empty means everything the answers name
	Secret   bool            // there is somewhere to deliver a client secret
	Password bool            // there is somewhere to deliver the service account's password
	Insist   string          // the tenant's name, typed to have something dangerous done
	Ticked   map[string]bool // offers taken, by id
	// Awaited are ids of relationships that an earlier run waited for: of delegated
	// administration only the roles that were to follow on their approval. Empty
	// means everything.
	Awaited []string
}

// ApplyOptions says how an apply is watched and where its secret goes.
type ApplyOptions struct {
	Gate    *Gate           // nil when it cannot be paused
	Wait    time.Duration   // how long customers' approvals are waited for; 0 takes up those that are there
	Enough  <-chan struct{} // closed when customers are to be waited for no longer; nil when only Wait decides
	Look    <-chan struct{} // asks for a look at who has approved before its time; may be nil
	Observe func(Event)     // nil when nobody watches; called from one goroutine
	// Deliver sends a new client secret to where the person asked. When nil the
	// secret is in the Result and the caller says SecretDelivered once it was
	// taken.
	Deliver func(Secret) error
	// DeliverPassword does the same with the service account's password; the caller
	// says PasswordDelivered.
	DeliverPassword func(Secret) error
}

// Unfinished is a setup that was begun and not brought to its end.
type Unfinished struct {
	TenantID string
	Name     string // of the tenant
	About    string // what it is about, in a few words, such as "consent at 3 customers"; empty for all of it
	When     time.Time
	Left     string // what is left, in a few words
	File     string // its setup.yaml
	Stage    Stage  // it was left in
	// Awaited are ids of the relationships whose approval was waited for, for
	// PlanOptions; empty when it was left for another reason.
	Awaited []string
}
