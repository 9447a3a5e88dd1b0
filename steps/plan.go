package steps

import (
	"encoding/json"
	"fmt"

	"msbundle/state"
)

// Action is what a change does to its object.
type Action string

const (
	Create Action = "create"
	Update Action = "update"
	Delete Action = "delete"
	Add    Action = "add"
	Remove Action = "remove"
)

// Risk rates a change from 1 (harmless) to 4 (grants great power).
type Risk int

const (
	RiskLow Risk = iota + 1
	RiskModerate
	RiskHigh
	RiskCritical
)

var riskNames = map[Risk]string{RiskLow: "low", RiskModerate: "moderate", RiskHigh: "high", RiskCritical: "critical"}

func (r Risk) String() string { return riskNames[r] }

// Generated stands in a body for a value that is made while applying and never
// shown in a plan.
const Generated = "[generated]"

// Change is one write: exactly one request to Microsoft, or one row of a batch.
type Change struct {
	ID         string          `json:"id"`
	Step       string          `json:"step"`
	Tenant     string          `json:"tenant"`
	Action     Action          `json:"action"`
	Object     string          `json:"object"` // what it is done to, for people
	Why        string          `json:"why"`
	Method     string          `json:"method"`
	Path       string          `json:"path"`           // with the API version; may hold references like ${app.id}
	Body       json.RawMessage `json:"body,omitempty"` // may hold references; secrets show as Generated
	Risk       Risk            `json:"risk"`
	Reversible bool            `json:"reversible"`

	Kind   Kind            `json:"kind"`             // how the engine carries it out and settles doubts
	Binds  string          `json:"binds,omitempty"`  // the reference its answer fills: "app" gives ${app.id}
	Before json.RawMessage `json:"before,omitempty"` // what was there, for an update or a removal
	Name   string          `json:"name,omitempty"`   // what the object is found by when an answer is lost
	Undoes []string        `json:"undoes,omitempty"` // writes of the journal that it takes back
	Proves []string        `json:"proves,omitempty"` // directory roles that have to be in force before it is sent
	// IfMatch is the version of the object it is about; empty where none is asked for.
	IfMatch string `json:"ifMatch,omitempty"`
	// Customer is the tenant id of the customer it is about; empty when it is about
	// none. A refusal of it stops nothing but what is done for that customer.
	Customer string `json:"customer,omitempty"`
	// After is the tenant id of the customer who has to approve first.
	After string `json:"after,omitempty"`
	// Service is the one it is sent to; empty for Microsoft Graph.
	Service Service `json:"service,omitempty"`
	Young   bool    `json:"-"` // what it removes was made so recently that "not found" may mean "not yet"
}

// Kind groups changes that the engine treats alike.
type Kind string

const (
	KindResource     Kind = "resource"         // the service principal of a Microsoft API
	KindApplication  Kind = "application"      // the app registration
	KindPrincipal    Kind = "servicePrincipal" // the app's service principal
	KindGrant        Kind = "delegatedGrant"
	KindRole         Kind = "appRole"
	KindSecret       Kind = "secret"
	KindUser         Kind = "user"          // an account, made, restored or enabled
	KindPassword     Kind = "password"      // a new one for an account that is there
	KindMember       Kind = "groupMember"   // in a group
	KindRoleGiven    Kind = "directoryRole" // given to an account or an app
	KindMFA          Kind = "perUserMFA"    // the per-user state
	KindPolicy       Kind = "accessPolicy"  // of Conditional Access
	KindRoleGroup    Kind = "roleGroup"     // whose members get a role at customers
	KindRelationship Kind = "relationship"  // of delegated administration
	KindLock         Kind = "relationshipLock"
	KindExtension    Kind = "relationshipExtension"
	KindAccess       Kind = "accessAssignment" // of a group to a role at a customer
	KindConsent      Kind = "consent"          // to the app at a customer
	KindProvider     Kind = "azureProvider"    // registered in a subscription
	KindGroup        Kind = "azureGroup"       // a resource group
	KindVault        Kind = "azureVault"       // a key vault
	KindAzureRole    Kind = "azureRole"        // given in a subscription
)

// Service is one of Microsoft's services besides Graph.
type Service string

// The services.
const (
	ServiceAzure   Service = "azure"   // Azure Resource Manager
	ServicePartner Service = "partner" // Partner Center, with the app's own token
)

// Offer is a change nobody asked for but that may be wanted. It joins the plan
// only when the person ticks it.
type Offer struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Why    string `json:"why"`
	Risk   Risk   `json:"risk"`
	Ticked bool   `json:"ticked"`
}

// Note is something the person should know about a plan that is not a write.
type Note struct {
	Text string `json:"text"`
	// Permission and Reason are set when the note is about a permission that is
	// left out.
	Permission string `json:"permission,omitempty"`
	Reason     string `json:"reason,omitempty"`
	// Done says that it is about what the plan does, not about what it leaves alone.
	Done bool `json:"-"`
}

// Plan is every write that will happen, in order.
type Plan struct {
	Tenant     string
	TenantName string
	Account    string // who signed in
	Answers    state.Answers
	Changes    []Change
	Offers     []Offer
	Notes      []Note
	SecretNote string // why the plan makes no client secret; empty when it does
	Rest       int    // writes that are left for another plan: see PlanOptions.Awaited

	want     desired
	findings *Findings
	options  PlanOptions
	client   bool           // it is about the program's own client
	customer *customerWorld // it is about a customer's tenant; nil when it is not
	traces   *Traces        // of an undo: what it was made from
	undone   []string       // of an undo: the writes that are taken back when it was carried out
}

// Empty tells whether there is nothing to change.
func (p Plan) Empty() bool { return len(p.Changes) == 0 }

// Secret tells whether the plan makes a client secret.
func (p Plan) Secret() bool {
	for _, c := range p.Changes {
		if c.Kind == KindSecret && c.Action == Create {
			return true
		}
	}
	return false
}

// Group is a run of changes shown under one heading.
type Group struct {
	Title   string
	Changes []Change
}

var groupTitles = map[Kind]string{
	KindResource:     "Microsoft APIs to provision",
	KindApplication:  "App registration",
	KindPrincipal:    "Enterprise application",
	KindGrant:        "Delegated permissions",
	KindRole:         "Application permissions",
	KindSecret:       "Client secret",
	KindUser:         "Service account",
	KindPassword:     "Service account",
	KindMember:       "Groups",
	KindRoleGiven:    "Directory roles",
	KindMFA:          "Multifactor authentication",
	KindPolicy:       "Conditional Access",
	KindRoleGroup:    "Groups for delegated administration",
	KindRelationship: "Relationships with customers",
	KindLock:         "Relationships opened for approval",
	KindExtension:    "Relationships extended",
	KindAccess:       "Roles at customers",
	KindConsent:      "Consent at customers",
	KindProvider:     "Azure",
	KindGroup:        "Azure",
	KindVault:        "Azure",
	KindAzureRole:    "Azure",
}

// Groups splits the plan into runs of changes of one kind, in order.
func (p Plan) Groups() []Group {
	var out []Group
	for _, c := range p.Changes {
		title := groupTitles[c.Kind]
		if c.Kind == KindResource && c.Action == Delete {
			title = "Microsoft APIs"
		}
		if n := len(out); n == 0 || out[n-1].Title != title {
			out = append(out, Group{Title: title})
		}
		g := &out[len(out)-1]
		g.Changes = append(g.Changes, c)
	}
	return out
}

// MakePlan works out what has to change. It is a pure function: the same answers,
// findings and options give the same plan.
func MakePlan(a state.Answers, f *Findings, o PlanOptions) Plan {
	p := Plan{
		Tenant: f.Org.ID, TenantName: f.Org.Name, Account: f.Account.Username, Answers: a,
		findings: f, options: o, want: desire(a, f),
	}
	if o.has(StageAuthorize) {
		planAuthorize(&p)
	}
	if o.has(StageTenant) && f.Ready != nil {
		planReady(&p)
	}
	if o.has(StageGDAP) && f.Delegation != nil {
		planGDAP(&p)
		p.onlyAwaited()
	}
	return p
}

// planAuthorize works out what the app registration takes.
func planAuthorize(p *Plan) {
	p.Notes = append(p.Notes, p.want.skipped...)
	if p.want.answers.Registration.Kind == state.KindConnector {
		p.note("The connector is created and authorised in Rewst; nothing is written here.")
		return
	}
	planResources(p)
	planApplication(p)
	planPrincipal(p)
	planGrants(p)
	planRoles(p)
	planSecret(p)
}

func (p *Plan) note(format string, args ...any) {
	p.Notes = append(p.Notes, Note{Text: fmt.Sprintf(format, args...)})
}

// add puts a change at the end of the plan.
func (p *Plan) add(c Change, body any) {
	c.Tenant = p.Tenant
	if body != nil {
		c.Body, _ = json.Marshal(body) // maps, slices and strings always encode
	}
	p.Changes = append(p.Changes, c)
}

// offer proposes a change and tells whether it was taken.
func (p *Plan) offer(o Offer) bool {
	o.Ticked = p.options.Ticked[o.ID]
	p.Offers = append(p.Offers, o)
	return o.Ticked
}

// Describe says in one line what a change does.
func (c Change) Describe() string {
	verb := map[Action]string{Create: "Create", Update: "Change", Delete: "Delete", Add: "Grant", Remove: "Remove"}[c.Action]
	return fmt.Sprintf("%s %s", verb, c.Object)
}

// Problem is a failure told to a person: what happened, what to do, and whether
// trying again can help.
type Problem struct {
	What      string // what happened
	Cause     string // what is behind it, when that is known
	Do        string // what to do next
	Who       string // who can do it
	Retry     bool   // trying again may help
	RequestID string // Microsoft's id of the failed request, for support
	Raw       string // the service's own words, made harmless where shown
	Code      string // "AADSTS53003", "Authorization_RequestDenied"; empty when there was none
	Rule      string // id of the catalogue's rule that was found; empty when none was
	Err       error
}

func (p *Problem) Error() string {
	if p.Do == "" {
		return p.What
	}
	return p.What + ": " + p.Do
}

func (p *Problem) Unwrap() error { return p.Err }
