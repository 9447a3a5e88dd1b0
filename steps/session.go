package steps

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// Options are what a Setup needs from outside.
type Options struct {
	Client   *msclient.Client
	StateDir string              // empty when nothing is to be kept: then only WhoAmI works
	World    string              // of a sandbox, whose state is kept apart; empty for Microsoft's cloud
	Settle   time.Duration       // how long a write of unknown outcome is looked for
	ReadOnly bool                // sign in with reading permissions only
	Look     bool                // leave the tenant's state to whoever works on it: it is only read
	Restore  bool                // take up the sign-in the client's cache remembers, if it serves
	Page     func(string) string // where a rehearsal has a sign-in page; nil in earnest
	Approval func(string) string // where it has the page of an invitation; nil when the links are Microsoft's
	Asked    func()              // called before a person is asked to sign in; may be nil
}

// Setup takes one tenant through the pipeline: sign in, inspect, plan, apply,
// verify. Its methods are called one at a time.
type Setup struct {
	client   *msclient.Client
	root     string
	cloudID  string
	settle   time.Duration
	read     bool
	looks    bool
	restore  bool
	onAsk    func()
	page     func(string) string
	approval func(string) string

	rehearsal bool

	account    Account
	asked      bool     // somebody signed in: the next sign-in is for another account
	tokenRoles []string // roles the token of the sign-in names
	graph      *msclient.Graph
	abroad     bool // in a customer's tenant
	asApp      bool // graph speaks to a customer's tenant as the partner's app
	store      *state.Store
	pending    string // intent of a secret that was not delivered yet

	pendingPassword string // the same of the service account's password
	appOpened       bool   // the app's own sign-in was opened in this run
	appKey          string // key id of the secret the app's own sign-in is made with

	made       ownSecret // the last client secret this process made
	madeBefore ownSecret // the same before the app's own sign-in was opened
}

// ownSecret is a client secret and the object id of its app.
type ownSecret struct {
	app   string
	value Secret
}

// New makes a Setup nobody is signed in to yet.
func New(o Options) *Setup {
	id := o.Client.Cloud().ID
	if o.World != "" {
		id = "sandbox-" + o.World
	}
	return &Setup{
		client: o.Client, root: o.StateDir, cloudID: id, settle: o.Settle, read: o.ReadOnly, looks: o.Look, restore: o.Restore, onAsk: o.Asked, page: o.Page, approval: o.Approval, rehearsal: o.World != "",
	}
}

// Close gives the tenant's state up.
func (s *Setup) Close() error {
	if s.store == nil {
		return nil
	}
	err := s.store.Close()
	s.store = nil
	return err
}

// WhoAmI reads who is signed in, to which tenant and with which roles.
func (s *Setup) WhoAmI(ctx context.Context) (*Findings, error) {
	f := &Findings{Cloud: s.client.Cloud(), Account: s.account, RoleIDs: slices.Clone(s.tokenRoles)}
	if err := s.readAll(ctx, s.accountReadings(f)); err != nil {
		return nil, problem(err, "the account could not be read")
	}
	return f, nil
}

// draftFile keeps the answers of a setup whose tenant is not known yet.
const draftFile = "draft.yaml"

// Save writes the answers: beside the tenant's journal once somebody signed in,
// as a draft before.
func (s *Setup) Save(a state.Answers) (string, error) {
	if s.store != nil {
		path, err := s.store.SaveAnswers(a)
		if err != nil {
			return path, problem(err, "the answers could not be saved")
		}
		_ = os.Remove(s.draft()) // it is a tenant's now
		return path, nil
	}
	path := s.draft()
	if err := state.WriteFile(path, a.Encode()); err != nil {
		return path, problem(err, "the answers could not be saved")
	}
	return path, nil
}

func (s *Setup) draft() string { return filepath.Join(s.root, s.cloudID, draftFile) }

// Unfinished lists the setups that were begun and not brought to their end, the
// newest first.
func (s *Setup) Unfinished() ([]Unfinished, error) {
	var out []Unfinished
	for _, t := range state.Tenants(s.root, s.cloudID) {
		if t.Answers == "" {
			continue
		}
		if u, open := unfinished(t); open {
			out = append(out, u)
		}
		if u, left := s.customersLeft(t); left {
			out = append(out, u)
		}
		if len(t.Waiting) > 0 {
			out = append(out, Unfinished{
				TenantID: t.Tenant, Name: t.TenantName, File: t.Answers, When: t.Records[len(t.Records)-1].At, Stage: StageGDAP, Awaited: t.Waiting,
				Left: plural(len(t.Waiting), "customer") + " to approve when it was last looked at",
			})
		}
	}
	if info, err := os.Stat(s.draft()); err == nil {
		out = append(out, Unfinished{Name: "the answers saved last", When: info.ModTime(), Left: "answers chosen, nobody signed in yet", File: s.draft()})
	}
	sortStably(out, func(a, b Unfinished) int { return b.When.Compare(a.When) })
	return out, nil
}

// customersLeft is what is left at customers: failures, and the app's own sign-in where
// a run ended before it had closed that.
func (s *Setup) customersLeft(t state.Tenant) (Unfinished, bool) {
	u := Unfinished{TenantID: t.Tenant, Name: t.TenantName, File: t.Answers, When: t.Records[len(t.Records)-1].At, Stage: StageCustomers}
	if n := s.failedAt(t); n > 0 {
		u.About = "consent at " + plural(n, "customer")
		u.Left = "what failed there"
	}
	if signInLeft(t.Records) {
		if u.Left != "" {
			u.Left += ", and "
		}
		u.Left += "the app's own sign-in, which is still open"
		if u.About == "" {
			u.About = "close the app's sign-in"
		}
	}
	return u, u.Left != ""
}

// failedAt is at how many customers of a tenant the consent that was asked for failed
// and was not taken back since.
func (s *Setup) failedAt(t state.Tenant) (n int) {
	a, err := state.LoadAnswers(t.Answers)
	if err != nil || a.Customers == nil || a.Customers.Direct {
		return 0
	}
	store, err := state.Look(s.root, t.Identity)
	if err != nil {
		return 0
	}
	undone := false // since the last run at customers
	for _, r := range t.Records {
		undone = r.Kind == state.RecordUndone || undone && r.Change != appSecret
	}
	for tenant, c := range customersIn(store) {
		if !undone && c.Shield.Failed() && a.Customers.Chosen(tenant, c.Domains) {
			n++
		}
	}
	return n
}

// signInLeft tells whether a run ended before it had closed the app's own sign-in.
func signInLeft(records []state.Record) bool {
	entries := state.Entries(records)
	secrets, gone := journaledSecrets(entries)
	return redirectLeft(entries) || slices.ContainsFunc(secrets, func(e state.Entry) bool {
		return e.Change == appSecret && !gone[e.Name] && (e.Open() || e.Outcome.Kind == state.RecordReceipt)
	})
}

func unfinished(t state.Tenant) (Unfinished, bool) {
	u := Unfinished{TenantID: t.Tenant, Name: t.TenantName, File: t.Answers}
	records := t.Records
	for i, r := range slices.Backward(records) {
		if r.Kind == state.RecordFinished && r.Step != stepClient {
			records = records[i+1:]
			break
		}
	}
	open, done, undoing := 0, 0, false
	for _, e := range state.Entries(records) {
		switch { // the client is begun anew by its own command; of the app's sign-in signInLeft tells
		case e.Step == stepClient, e.Step == stepCustomers, e.Step == stepGDAP && len(t.Waiting) > 0:
			continue
		}
		undoing = undoing || e.Step == stepUndo
		switch {
		case slices.Contains([]string{stepAccount, stepMFA, stepAccess, stepAzure, stepExchange}, e.Step) && u.Stage != StageAuthorize:
			u.Stage = StageTenant
		case e.Step == stepGDAP && u.Stage == "":
			u.Stage = StageGDAP
		case e.Step != stepGDAP:
			u.Stage = StageAuthorize
		}
		if u.When.Before(e.At) {
			u.When = e.At
		}
		if e.Open() {
			open++
		} else if e.Outcome.Kind == state.RecordReceipt {
			done++
		}
	}
	if u.Stage == "" || open+done == 0 {
		u.Stage = StageAuthorize
	}
	undelivered := 0
	secrets, gone := journaledSecrets(state.Entries(t.Records))
	for _, e := range secrets {
		if !e.Delivered && !gone[e.Name] && e.Step != stepCustomers && e.Outcome.Kind == state.RecordReceipt {
			undelivered++
		}
	}
	switch {
	case undoing:
		u.Left = "an undo that was not finished: msbundle undo"
	case open > 0:
		u.Left = fmt.Sprintf("%s done, %d to be looked at", plural(done, "write"), open)
	case done > 0:
		u.Left = fmt.Sprintf("%s done, not proven yet", plural(done, "write"))
	case undelivered > 0:
		u.Left = "a client secret nobody received"
		u.When = t.Records[len(t.Records)-1].At
	default:
		return u, false
	}
	return u, true
}

// Resume loads the answers of an unfinished setup.
func (s *Setup) Resume(u Unfinished) (state.Answers, error) {
	a, err := state.LoadAnswers(u.File)
	if err != nil {
		return a, problem(err, "the answers of this setup cannot be read")
	}
	if a.Tenant == "" {
		a.Tenant = u.TenantID
	}
	return a, nil
}

// Begun tells whether answers of any tenant are kept: what builds on an earlier setup
// has nothing to go by elsewhere.
func (s *Setup) Begun() bool {
	return state.Kept(s.root, s.cloudID)
}

// Saved loads the answers kept for the tenant that is signed in to; false when there
// are none.
func (s *Setup) Saved() (state.Answers, bool, error) {
	if s.store == nil {
		return state.Answers{}, false, nil
	}
	a, found, err := s.store.Answers()
	return a, found, problem(err, "the answers kept for this tenant cannot be read")
}

// SecretDelivered records that the person has received the client secret of the
// last apply.
func (s *Setup) SecretDelivered() error {
	if s.pending == "" || s.store == nil {
		return nil
	}
	if err := s.store.Append(state.Record{Kind: state.RecordDelivered, At: s.client.Now(), Intent: s.pending}); err != nil {
		return problem(err, "it could not be recorded that the secret was delivered, so the next run will replace it")
	}
	s.pending = ""
	return nil
}

// PasswordDelivered records that the person has received the service account's
// password of the last apply.
func (s *Setup) PasswordDelivered() error {
	if s.pendingPassword == "" || s.store == nil {
		return nil
	}
	if err := s.store.Append(state.Record{Kind: state.RecordDelivered, At: s.client.Now(), Intent: s.pendingPassword}); err != nil {
		return problem(err, "it could not be recorded that the password was delivered, so the next run will make a new one")
	}
	s.pendingPassword = ""
	return nil
}

// requireSignIn guards the methods that need a tenant.
func (s *Setup) requireSignIn() error {
	if s.store == nil {
		return &Problem{What: "nobody is signed in", Do: "Sign in first.", Retry: true, Err: errors.New("no session")}
	}
	return nil
}

// portalURL is where the portal shows an enterprise application.
func portalURL(cloud catalog.Cloud, principalID, appID string) string {
	return fmt.Sprintf("https://%s/#view/Microsoft_AAD_IAM/ManagedAppMenuBlade/~/Overview/objectId/%s/appId/%s", cloud.Portal, principalID, appID)
}
