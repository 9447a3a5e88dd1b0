package ui

import (
	"context"
	"errors"
	"time"

	"msbundle/state"
	"msbundle/steps"
)

// Setup is what the wizard needs of the setup engine. *steps.Setup satisfies it.
type Setup interface {
	SignIn(ctx context.Context, a state.Answers) (steps.Account, error)
	// Prompts, Use and Skip are about the sign-in under way; they may be called
	// while another method runs.
	Prompts(show func(steps.Prompt), hold bool)
	Use(n int, m steps.Method)
	Skip(n int)
	Inspect(ctx context.Context, a state.Answers, observe func(steps.Event)) (*steps.Findings, error)
	// InspectTenant reads for the stage about the tenant, which takes more
	// permissions than authorising.
	InspectTenant(ctx context.Context, a state.Answers, observe func(steps.Event)) (*steps.Findings, error)
	Apply(ctx context.Context, p steps.Plan, o steps.ApplyOptions) (*steps.Result, error)
	// InvitationsDir, ExportInvitations and Remind are about customers who have yet
	// to approve; they may be called while an apply is under way.
	InvitationsDir() string
	ExportInvitations(dir, partner string, list []steps.Invitation) (string, error)
	Remind(list []steps.Invitation, at time.Time) error
	// These are about customers' tenants: who they are, how they stand, and the
	// consent there, between opening and closing the sign-in with the app.
	LookClientele(ctx context.Context, a state.Answers, observe func(steps.Event)) (*steps.Clientele, error)
	InspectCustomers(ctx context.Context, a state.Answers, c *steps.Clientele, tenants []string, o steps.FleetOptions) (*steps.CustomersPlan, error)
	OpenApp(ctx context.Context, p steps.AppPlan, o steps.ApplyOptions) error
	ApplyCustomers(ctx context.Context, a state.Answers, c *steps.Clientele, p *steps.CustomersPlan, o steps.FleetOptions) ([]steps.CustomerFailure, error)
	CloseApp(ctx context.Context, p steps.AppPlan, o steps.ApplyOptions) error
	// KeptMapping and KeepMapping are about which organisation each customer is;
	// they may be called while another method runs.
	KeptMapping() (state.Mapping, error)
	KeepMapping(kept state.Mapping) error
	MappingDir() string
	ExportMapping(m *steps.Mapping, dir string) ([]string, error)
	// SecretDelivered says that the person took the secret of the last Result.
	SecretDelivered() error
	// PasswordDelivered says the same of the service account's password.
	PasswordDelivered() error
	// Save writes the answers as a setup file and says where.
	Save(a state.Answers) (path string, err error)
	// Saved are the answers kept for the tenant that is signed in to.
	Saved() (a state.Answers, ok bool, err error)
	// Begun tells whether answers of any tenant are kept.
	Begun() bool
	Unfinished() ([]steps.Unfinished, error)
	Resume(u steps.Unfinished) (state.Answers, error)
}

// Config is everything the wizard is given. Only Setup and Now are required.
type Config struct {
	Setup   Setup
	Answers state.Answers
	Now     func() time.Time

	// Sandbox labels a rehearsal, for example "sandbox, happy"; every screen
	// then says so. Empty means a real tenant.
	Sandbox string
	// DevicePage is where a rehearsal's code is typed, in place of Microsoft's
	// page.
	DevicePage string
	// Rehearse prepares a wizard against the sandbox; nil when there is none or
	// this one already is a rehearsal.
	Rehearse func(ctx context.Context) (Config, error)

	OpenURL func(url string) error  // nil when no browser can be opened
	Copy    func(text string) error // native clipboard; nil when there is none

	// Methods are the ways to sign in here, the one to begin with first. Empty
	// means by a code alone.
	Methods []steps.Method
	// Browse opens a sign-in page in this computer's browser, or plays one in a
	// rehearsal; nil when there is neither.
	Browse func(url string) error
	// Play has the person of a rehearsal be an account from now on, "" the usual one;
	// nil where a person signs in.
	Play func(account string)
	// Tunnel is the command that leads a browser on another computer back to a
	// port of this one.
	Tunnel    func(port int) string
	OwnClient bool   // people sign in through a client of their own
	Remember  string // where the sign-in is kept, and how; empty when it ends with the program

	// Again is the command line that applies a setup file with these answers later;
	// nil when a later run would not find this cloud again.
	Again func(file string, a state.Answers) string
	// Undo is the command line that takes back what was written; empty when a later
	// run would not find it.
	Undo string
	// Invitations is the command line that lists who is waited for, in the same way.
	Invitations string

	StateDir string        // where answers and journal are kept; named on the first screen
	NoColor  bool          // meaning is carried by words and marks alone
	Grace    time.Duration // keys ignored after a screen changed by itself
}

// Outcome says how the wizard ended.
type Outcome int

const (
	Left        Outcome = iota // before anything was written
	Done                       // everything asked for was read back
	Partial                    // some of it is missing, or the apply failed
	Waits                      // somebody else has to act first
	NoSignIn                   // the sign-in failed and the wizard was left there
	Interrupted                // left while changes were being written
	Declined                   // before anything was written, by a word or because the input ended
)

// problemOf turns any error into what a person is shown.
func problemOf(err error) *steps.Problem {
	var p *steps.Problem
	if errors.As(err, &p) {
		return p
	}
	return &steps.Problem{
		What: "That did not work.", Do: "Try again. If it keeps happening, run msbundle with --log FILE and look there.",
		Retry: true, Raw: err.Error(), Err: err,
	}
}

func cancelled(err error) bool { return errors.Is(err, context.Canceled) }
