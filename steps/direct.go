package steps

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
	"msbundle/state"
)

// The direct route is for customers without delegated administration: an
// administrator of the customer signs in to the customer's own tenant, and the same
// steps are gone through there as in the partner's.

// DirectAnswers are what a customer's own tenant is to hold on the direct route:
// the partner's answers without what only a partner has. Where they choose nothing
// it is what Rewst's guide has: the vendor's connector, and a service account.
func DirectAnswers(a state.Answers, c Customer) state.Answers {
	a = a.Clone()
	a.Tenant, a.Account = cmp.Or(c.TenantID, c.Domain), "" // whoever signs in is the customer's
	a.GDAP, a.Customers, a.Azure = nil, nil, nil
	a.Integrations = slices.DeleteFunc(a.Integrations, func(id string) bool { return id == catalog.CSP })
	if a.NoApp && !a.Ready() {
		account, access := state.DefaultServiceAccount(), state.DefaultConditionalAccess()
		a.ServiceAccount, a.ConditionalAccess = &account, &access
		a.NoApp, a.Registration.Kind = false, state.KindConnector
	}
	a.Registration.AppID = ""
	a.Registration.Audience = state.AudienceSingle // it acts nowhere else
	if a.Registration.Kind == state.KindConnector {
		a.Exchange = nil // the role is for an owned app
	}
	a.Permissions.Base = catalog.Stock.String()
	a.Permissions.Add = slices.DeleteFunc(a.Permissions.Add, partnersOnly)
	a.Permissions.Remove = slices.DeleteFunc(a.Permissions.Remove, partnersOnly)
	if s := a.ServiceAccount; s != nil {
		s.Username, _, _ = strings.Cut(s.Username, "@") // the partner's domain is not the customer's
	}
	return a
}

// partnersOnly tells whether a permission is one that only a partner has.
func partnersOnly(entry string) bool {
	e, err := ParseEntry(entry)
	api, _ := catalog.ResourceByAppID(e.Resource)
	return err == nil && api.Integration == catalog.CSP
}

// checkDirect lists what does not go together with the direct route.
func checkDirect(a state.Answers) []state.Invalid {
	c := a.Customers
	if c == nil || !c.Direct {
		return nil
	}
	var out []state.Invalid
	bad := func(wrong bool, key, text string) {
		if wrong {
			out = append(out, state.Invalid{Key: key, Text: text})
		}
	}
	bad(!c.All && len(c.Consent) == 0 && a.Tenant == "", "customers.consent", "name the customers whose administrators sign in, for example [fabrikam.onmicrosoft.com]")
	bad(c.All, "customers.consent", "all is not known on the direct route, where nobody lists the customers; name them, for example [fabrikam.onmicrosoft.com]")
	bad(c.Exclude, "customers.exclude", "this is about partners, and nobody comes as one on the direct route; leave it out (conditionalAccess is about the service account there)")
	bad(a.GDAP != nil, "gdap", "delegated administration and the direct route are two ways to customers; use a file for each")
	bad(a.Azure != nil, "azure", "a subscription is one tenant's; leave it out, and apply a file with tenant: and azure: for the customer that has one")
	bad(!a.NoApp && a.Registration.AppID != "", "registration.appId", "each customer's tenant has an app of its own on the direct route; leave it out")
	return out
}

// DirectCustomer finds a customer of the direct route by its tenant id or domain.
// Nobody has to be signed in.
func (s *Setup) DirectCustomer(ctx context.Context, name string) (Customer, error) {
	c := Customer{Domain: name}
	tenant, err := s.client.ResolveTenant(ctx, name)
	if err == nil {
		err = rightCloud(s.client.Cloud(), name, tenant)
	}
	if err != nil {
		return c, problem(err, fmt.Sprintf("the tenant %q could not be found", name))
	}
	if c.TenantID = tenant.ID; state.IsGUID(name) {
		c.Domain = ""
	}
	return c, nil
}

// keptDirect is what is remembered of a customer of the direct route, in the
// customer's own folder.
type keptDirect struct {
	keptCustomer
	Answers string `json:"answers,omitempty"` // that were brought to their end; empty when none were
}

// DirectKept is how a customer of the direct route was seen to stand last, and
// whether it was brought to where these answers want it. Nobody has to be signed in.
func (s *Setup) DirectKept(a state.Answers, c Customer) (Shield, bool) {
	store, err := state.Look(s.root, state.Identity{Cloud: s.cloudID, Tenant: c.TenantID})
	if err != nil {
		return Shield{}, false // signing in tells
	}
	kept := directIn(store)[c.TenantID]
	entries := store.Entries()
	since := slices.ContainsFunc(entries, func(e state.Entry) bool { return e.At.After(kept.Shield.At) }) // it was taken back, or begun anew
	return kept.Shield, kept.Answers != "" && kept.Answers == string(a.Encode()) && !since
}

func directIn(store *state.Store) map[string]keptDirect {
	kept := map[string]keptDirect{}
	_ = json.Unmarshal(store.Shields(), &kept) // what cannot be read can be looked at again
	return kept
}

// KeepDirect says how a customer stands after an apply in its tenant, and remembers
// it. r is nil where there is no result.
func (s *Setup) KeepDirect(a state.Answers, r *Result, cause error) (Shield, error) {
	if err := s.requireSignIn(); err != nil {
		return Shield{}, err
	}
	kept := directIn(s.store)
	if kept == nil {
		kept = map[string]keptDirect{}
	}
	one := kept[s.account.TenantID]
	one.Shield, one.Answers = DirectShield(a, r, cause, one.Shield, s.client.Now()), ""
	if r != nil {
		one.Domains = r.Org.Domains
		if cause == nil && r.Done() {
			one.Answers = string(a.Encode())
		}
	}
	kept[s.account.TenantID] = one
	data, err := json.Marshal(kept)
	if err == nil {
		err = s.store.SaveShields(data)
	}
	return one.Shield, problem(err, "how the customer stands could not be kept")
}

// DirectShield says how a customer of the direct route stands, from what an apply
// read back. What that did not look at stands as it was read back before. It is a
// pure function.
func DirectShield(a state.Answers, r *Result, cause error, before Shield, now time.Time) Shield {
	var waits *Waiting
	if cause != nil && !errors.As(cause, &waits) || r == nil {
		s := failedShield(cause, now)
		s.Checks = before.Checks
		return s
	}
	d := directFacts{answers: a, result: r, before: before, now: now}
	d.organization()
	d.roles()
	d.users()
	d.exchange()
	d.grants()
	s := Shield{Shade: Green, Checks: d.checks, At: now}
	for _, c := range s.Checks {
		shade := Amber
		switch {
		case c.State == Passed:
			continue
		case c.Proof == ProofOrganization:
			shade = Red
		case c.Proof == ProofGrants && c.State == Failed && r.PrincipalID == "":
			shade = Blue
		}
		if shade < s.Shade { // the worst counts
			s.Shade, s.Reason, s.Fix = shade, c.Evidence, c.Fix
		}
	}
	if t := r.Tenant; s.Shade == Green && t != nil && len(t.Missing) > 0 {
		s.Shade, s.Reason, s.Fix = Amber, "Something that was asked for could not be done.", t.Missing[0]
	}
	return s
}

// directFacts are what the shield of a customer of the direct route is made from.
type directFacts struct {
	answers state.Answers
	result  *Result
	before  Shield
	now     time.Time
	checks  []ShieldPart
}

func (d *directFacts) add(proof string, state CheckState, evidence, fix string) {
	d.checks = append(d.checks, ShieldPart{Proof: proof, State: state, Evidence: evidence, Fix: fix, At: d.now})
}

// unseen is a proof this run did not look at: it stands as it was passed before, or
// is not known.
func (d *directFacts) unseen(proof, evidence, fix string) {
	if last := d.before.part(proof); last.State == Passed && last.Evidence != "" {
		d.checks = append(d.checks, last)
		return
	}
	d.add(proof, Unknown, evidence, fix)
}

func (d *directFacts) organization() {
	d.add(ProofToken, Passed, fmt.Sprintf("%s signed in to the tenant.", d.result.Account.Username), "")
	if !strings.EqualFold(d.result.Org.ID, d.result.Account.TenantID) {
		d.add(ProofOrganization, Failed, fmt.Sprintf("The sign-in leads into another tenant: %s.", d.result.Org.Name), "Sign in as an administrator of the customer.")
		return
	}
	d.add(ProofOrganization, Passed, fmt.Sprintf("The tenant says that it is %s.", d.result.Org.Name), "")
}

// roles: on the direct route it is the service account in the customer's tenant that
// has the twelve.
func (d *directFacts) roles() {
	t := d.result.Tenant
	if t == nil || t.Account == "" {
		d.unseen(ProofRoles, "The service account was not looked at.", "Add serviceAccount: with its username to the answers.")
		return
	}
	var missing []string
	twelve := catalog.ServiceRoles()
	for _, r := range twelve {
		if !slices.Contains(t.Roles, r.Name) {
			missing = append(missing, r.Name)
		}
	}
	global := catalog.RoleByID(catalog.RoleGlobalAdministrator).Name
	switch {
	case slices.Contains(t.Roles, global):
		d.add(ProofRoles, Failed, fmt.Sprintf("%s is %s, as authorising takes.", t.Account, global),
			fmt.Sprintf("Authorise in Rewst as %s. Then have it step down: serviceAccount.roles: %s.", t.Account, state.RolesOperate))
	case len(missing) > 0:
		d.add(ProofRoles, Failed, fmt.Sprintf("%s lacks %d of %d roles: %s.", t.Account, len(missing), len(twelve), some(missing)),
			fmt.Sprintf("Give them with serviceAccount.roles: %s.", state.RolesOperate))
	default:
		d.add(ProofRoles, Passed, fmt.Sprintf("%s has the %d roles there, and is not %s.", t.Account, len(twelve), global), "")
	}
}

func (d *directFacts) users() {
	if t := d.result.Tenant; t != nil && t.AccountID != "" {
		d.add(ProofUsers, Passed, fmt.Sprintf("The directory can be read: %s is there.", t.Account), "")
		return
	}
	d.unseen(ProofUsers, "No user of the tenant was read.", "Add serviceAccount: with its username to the answers.")
}

func (d *directFacts) exchange() {
	t := d.result.Tenant
	switch {
	case !d.answers.Has(catalog.Exchange):
	case t != nil && strings.Contains(t.Exchange, exchangeAnswered):
		d.add(ProofExchange, Passed, "Exchange Online answered a command of the app.", "")
	case t != nil && t.Exchange != "":
		d.unseen(ProofExchange, fmt.Sprintf("Exchange Online did not answer a command of the app: %s.", lowerFirst(t.Exchange)), "Press the customer's shield in Rewst, which sends it one.")
	default:
		d.unseen(ProofExchange, "Exchange Online was not tried: that takes the app's own sign-in.", "Press the customer's shield in Rewst, which sends it a command.")
	}
}

func (d *directFacts) grants() {
	connector := d.answers.Registration.Kind == state.KindConnector
	fix := "Apply it again."
	if connector {
		fix = "In Rewst switch to the customer's organisation, choose the connector without Microsoft CSP, and press Authorize. Then look again."
	}
	granted, missing := 0, []string{}
	for _, i := range d.result.Integrations {
		granted += i.Granted
		missing = append(missing, i.Missing...)
	}
	switch {
	case d.answers.NoApp:
		d.unseen(ProofGrants, "The app was not looked at: the answers leave it untouched.", "Add registration: to the answers.")
	case d.result.PrincipalID == "" && connector:
		d.add(ProofGrants, Failed, "Rewst's connector is not authorised there yet.", fix)
	case d.result.PrincipalID == "":
		d.add(ProofGrants, Failed, "The app is not there.", fix)
	case len(missing) > 0:
		d.add(ProofGrants, Failed, fmt.Sprintf("The app lacks %s: %s.", plural(len(missing), "permission"), some(missing)), fix)
	default:
		d.add(ProofGrants, Passed, fmt.Sprintf("The app has what was chosen: %s.", plural(granted, "permission")), "")
	}
}

// DirectOnly is what a person has to know of the direct route before it is taken.
const DirectOnly = "Do not set the bundle up for the same customer at the level of your own organisation in Rewst as well: where both are, Rewst fails with AADSTS65001."

// AlsoAtPartner warns of a customer the app was consented to by delegated
// administration, as far as this machine knows; empty when it knows of none.
func (s *Setup) AlsoAtPartner(c Customer) string {
	for _, t := range state.Tenants(s.root, s.cloudID) {
		if strings.EqualFold(t.Tenant, c.TenantID) {
			continue
		}
		store, err := state.Look(s.root, t.Identity)
		if err != nil {
			continue
		}
		if was := customersIn(store)[c.TenantID].Shield; was.Shade >= Amber {
			return fmt.Sprintf("%s is set up at the level of %s already, as seen on %s. %s", c.called(), cmp.Or(t.TenantName, t.Tenant), was.At.Format(time.DateOnly), DirectOnly)
		}
	}
	return ""
}
