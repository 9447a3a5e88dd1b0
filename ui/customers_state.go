package ui

import (
	"context"
	"errors"
	"slices"
	"sort"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"msbundle/catalog"
	"msbundle/state"
	"msbundle/steps"
)

// clients is what the stage about customers' tenants has come to: who they are,
// what they are linked to, how they stand, and the work under way. Both faces of
// the wizard share it.
type clients struct {
	clientele *steps.Clientele
	list      []state.Organization // as the file names them
	domains   int                  // of all customers, that the mapping was made with
	mapping   *steps.Mapping
	shades    [steps.Green + 1]int // how many customers stand so
	order     []int                // organisations by name; nil when that has to be worked out
	names     []string             // of organisations, in small letters

	plan     *steps.CustomersPlan      // what was planned last
	choice   *state.Customers          // what that was planned for; the answers take it when it is agreed to
	failed   map[string]*steps.Problem // what a consent of this run was refused with, by customer
	asked    state.Customers           // what was agreed to, now or in an earlier run
	wanted   []bool                    // customers the consent was asked for at, by place
	written  bool                      // something was written at customers
	open     bool                      // the sign-in with the app was opened, and has to be closed
	ajar     bool                      // closing it failed
	stale    bool                      // the partner's tenant was written to since the customers were listed
	relisted bool                      // the mapping is of an earlier list of customers
	work     *clientWork
	stopped  bool // the work has ended though nobody heard of it

	file    string      // with organisations that was named last
	before  *listBefore // the list to go back to, when this one has made links wrong
	linked  []int       // customers linked just now, because it was certain
	asIs    bool        // that was taken back
	last    *edit       // the last change by hand; nil when there is none to take back
	moved   bool        // customers have other places than before
	edits   int         // of the mapping, so far
	dirty   bool        // there are edits that are not kept yet
	keeping bool
	keepErr error
}

// keptMsg says that the mapping is on disk, or is not.
type keptMsg struct {
	clients *clients
	err     error
}

// keepMsg asks for that, once somebody has stopped editing for a moment.
type keepMsg struct {
	clients *clients
	edits   int
}

// keepAfter is how long an edit may wait for others before it is kept.
const keepAfter = 300 * time.Millisecond

// foundClients is what a look at the partner's tenant brings.
type foundClients struct {
	clientele     *steps.Clientele
	organizations []state.Organization
	mapping       *steps.Mapping
	linked        []int
	asked         state.Customers
}

// matched sets customers against organisations, and links those that need no look.
// It tells which.
func matched(rows []steps.CustomerRow, list []state.Organization, kept state.Mapping) (m *steps.Mapping, linked []int) {
	m = steps.MatchCustomers(rows, list, kept)
	certain := m.Filter(nil, steps.MappingFilter{States: []steps.RowState{steps.RowCertain}})
	m.AcceptCertain()
	for _, i := range certain {
		if len(m.Rows()[i].Organizations) > 0 { // the organisation was not taken by another one meanwhile
			linked = append(linked, i)
		}
	}
	return m, linked
}

// findClients lists the customers and sets them against Rewst's organisations, as
// they were linked before. It takes a while.
func findClients(ctx context.Context, setup Setup, a state.Answers, observe func(steps.Event)) (*foundClients, error) {
	c, err := clienteleByName(ctx, setup, a, observe)
	if errors.Is(err, steps.ErrNoPermissions) {
		return nil, setupFirst()
	}
	if err != nil {
		return nil, err
	}
	kept, err := setup.KeptMapping()
	if err != nil {
		return nil, err
	}
	list, err := steps.ListedOrganizations(a)
	if err != nil {
		return nil, err
	}
	found := &foundClients{clientele: c, organizations: list, asked: *a.Customers}
	found.mapping, found.linked = matched(c.Rows, list, kept)
	return found, nil
}

// clienteleByName lists the customers by their names.
func clienteleByName(ctx context.Context, setup Setup, a state.Answers, observe func(steps.Event)) (*steps.Clientele, error) {
	c, err := setup.LookClientele(ctx, a, observe)
	if err == nil {
		sort.SliceStable(c.Rows, func(i, j int) bool {
			return strings.ToLower(shownName(c.Rows[i].Customer)) < strings.ToLower(shownName(c.Rows[j].Customer))
		})
	}
	return c, err
}

var errSetupFirst = errors.New("New setup comes first")

func newClients(f *foundClients) *clients {
	c := &clients{clientele: f.clientele, list: f.organizations, failed: map[string]*steps.Problem{}, asked: f.asked}
	c.setMapping(f.mapping, f.linked)
	return c
}

// setMapping takes another mapping of the customers, as they stand now.
func (c *clients) setMapping(m *steps.Mapping, linked []int) {
	if c.mapping != nil {
		c.moved = c.moved || len(m.Rows()) != len(c.mapping.Rows())
		for i, r := range c.mapping.Rows() {
			at := m.Find(r.TenantID)
			c.moved = c.moved || at != i
			if at >= 0 && !m.Rows()[at].Shield.At.After(r.Shield.At) {
				m.SetShield(at, r.Shield)
			}
		}
	}
	c.mapping, c.linked, c.last, c.order, c.shades = m, linked, nil, nil, [steps.Green + 1]int{}
	for i := range m.Rows() {
		c.shades[m.Rows()[i].Shield.Shade]++
	}
	c.domains = domainsOf(m.Rows())
	c.want(c.asked)
}

func domainsOf(rows []steps.CustomerRow) int {
	n := 0
	for i := range rows {
		n += len(rows[i].Domains)
	}
	return n
}

// rematchedMsg brings the mapping made anew with what a look has shown.
type rematchedMsg struct {
	clients *clients
	edits   int
	mapping *steps.Mapping
	linked  []int
}

// rematch sets the customers against the organisations anew when they were listed
// again, or when a look has shown more of their domains: a suggestion may be certain
// by them.
func (c *clients) rematch() tea.Cmd {
	rows := c.clientele.Rows
	if !c.relisted && (len(c.mapping.Organizations()) == 0 || domainsOf(rows) == c.domains) {
		return nil
	}
	rows, list, kept, edits, asIs := slices.Clone(rows), c.list, c.mapping.Kept(), c.edits, c.asIs
	return func() tea.Msg {
		msg := rematchedMsg{clients: c, edits: edits}
		if asIs {
			msg.mapping = steps.MatchCustomers(rows, list, kept)
		} else {
			msg.mapping, msg.linked = matched(rows, list, kept)
		}
		return msg
	}
}

// rematched takes it over, or begins again when somebody has edited meanwhile.
func (c *clients) rematched(msg rematchedMsg) tea.Cmd {
	if c.work.running() { // the next look ends with it
		return nil
	}
	if msg.edits != c.edits {
		return c.rematch()
	}
	c.relisted = false
	c.setMapping(msg.mapping, msg.linked)
	if len(msg.linked) > 0 {
		return c.edited()
	}
	return nil
}

// linkedText says who was linked just now; nothing when nobody was.
func (c *clients) linkedText() string {
	if len(c.linked) == 0 {
		return ""
	}
	return count(len(c.linked), "customer was", "customers were") + " linked, as their tenant id, domain or name leaves no doubt; "
}

// unlink takes from a customer the organisations that are wrong, or all when none is.
func (c *clients) unlink(i int) {
	m := c.mapping
	all, wrong := slices.Clone(c.row(i).Organizations), []int(nil)
	for _, n := range all {
		if m.Wrong(n) {
			wrong = append(wrong, n)
		}
	}
	if len(wrong) > 0 {
		all = wrong
	}
	for _, n := range all {
		m.Unlink(i, n)
	}
}

// unlinkCertain takes back what was linked just now.
func (c *clients) unlinkCertain() {
	for _, i := range c.linked {
		if !c.row(i).ByHand {
			c.mapping.Forget(i)
		}
	}
	c.linked, c.asIs = nil, true
}

// reaches is the service account where somebody else is signed in: it is what gets into
// customers' tenants. Empty where that is not so, or not known.
func (c *clients) reaches() string {
	f := c.clientele.Findings
	if d := f.Delegation; d != nil && d.Account != "" && !strings.EqualFold(d.UPN, f.Account.Username) {
		return d.UPN
	}
	return ""
}

// strange tells whether the account that is signed in has got in nowhere, as one would
// expect of it.
func (c *clients) strange() bool {
	return c.reaches() != "" && c.shades[steps.Green]+c.shades[steps.Amber] == 0
}

// fix says in what is to be done who is to sign in, and the key for that.
func (c *clients) fix(text string) string {
	const as = "Sign in as "
	return strings.Replace(text, as+"the service account", as+name(c.reaches(), "the service account")+" (S on the list of customers)", 1)
}

// row is a customer by its place.
func (c *clients) row(i int) *steps.CustomerRow { return &c.mapping.Rows()[i] }

// seen records how a customer stands.
func (c *clients) seen(tenant string, s steps.Shield) {
	i := c.mapping.Find(tenant)
	if i < 0 {
		return
	}
	c.shades[c.row(i).Shield.Shade]--
	c.shades[s.Shade]++
	c.mapping.SetShield(i, s)
}

// noted are the customers where something is left alone.
func (c *clients) noted() []int {
	var out []int
	for i := range c.mapping.Rows() {
		if len(c.row(i).Shield.Notes) > 0 {
			out = append(out, i)
		}
	}
	return out
}

// leftAlone says how much that is; nothing when nothing is.
func (c *clients) leftAlone() string {
	list, n := c.noted(), 0
	for _, i := range list {
		n += len(c.row(i).Shield.Notes)
	}
	if n == 0 {
		return ""
	}
	return leftAlone(n, len(list))
}

// tenants are the ids of customers by their places.
func (c *clients) tenants(rows []int) []string {
	out := make([]string, len(rows))
	for n, i := range rows {
		out[n] = c.row(i).TenantID
	}
	return out
}

func (c *clients) all() []int {
	out := make([]int, len(c.mapping.Rows()))
	for i := range out {
		out[i] = i
	}
	return out
}

// edited has the mapping kept before long.
func (c *clients) edited() tea.Cmd {
	c.edits++
	c.dirty = true
	n := c.edits
	return tea.Tick(keepAfter, func(time.Time) tea.Msg { return keepMsg{c, n} })
}

// keep writes the mapping in the background unless it is being written.
func (c *clients) keep(setup Setup) tea.Cmd {
	if !c.dirty || c.keeping {
		return nil
	}
	c.dirty, c.keeping = false, true
	kept := c.mapping.Kept()
	return func() tea.Msg { return keptMsg{c, setup.KeepMapping(kept)} }
}

// flush keeps edits that nothing is waited for any more.
func (c *clients) flush(setup Setup) {
	if c != nil && c.dirty {
		c.dirty = false
		c.edits++
		c.keepErr = setup.KeepMapping(c.mapping.Kept())
	}
}

// organizations are those customers can be linked to, by name.
func (c *clients) organizations() (order []int, names []string) {
	list := c.mapping.Organizations()
	if len(c.order) != len(list) || c.order == nil {
		c.order, c.names = make([]int, len(list)), make([]string, len(list))
		for n, o := range list {
			c.order[n], c.names[n] = n, strings.ToLower(clean(o.Name))
		}
		slices.SortStableFunc(c.order, func(a, b int) int { return strings.Compare(c.names[a], c.names[b]) })
	}
	return c.order, c.names
}

// setCustomers takes answers about customers' tenants.
func (w *wizard) setCustomers(with func(*state.Customers)) {
	a := w.asked()
	c := *a.Customers
	c.Consent = slices.Clone(c.Consent)
	with(&c)
	w.answers.Customers, w.proposed, w.chosen = &c, nil, true
}

// chooseConsent has a consent planned at customers, besides those that were chosen
// before.
func (w *wizard) chooseConsent(rows []int) {
	c, x := w.clients, w.customersAnswers()
	x.Consent = slices.Clone(x.Consent)
	if x.All = x.All || len(rows) == len(c.mapping.Rows()); x.All {
		x.Consent = nil
	}
	for _, tenant := range c.tenants(rows) {
		if !x.Chosen(tenant, nil) {
			x.Consent = append(x.Consent, tenant)
		}
	}
	c.choice = &x
}

// agreeConsent takes into the answers what was planned.
func (w *wizard) agreeConsent() {
	if choice := w.clients.choice; choice != nil {
		w.setCustomers(func(x *state.Customers) { *x = *choice })
		w.clients.want(*choice)
	}
}

// exclude has the partner taken out of customers' policies, or not, and says what that
// means.
func (w *wizard) exclude() string {
	w.setCustomers(func(c *state.Customers) { c.Exclude = !c.Exclude })
	switch {
	case !w.customersAnswers().Exclude:
		return "Customers' Conditional Access policies are left alone."
	case !w.mayExclude():
		return nothingExcluded
	}
	return "With a consent, Conditional Access policies that would keep your service account out are shown, and get an exclusion for service providers of your tenant alone once you agree."
}

const (
	policyPermission = "Policy.ReadWrite.ConditionalAccess"
	nothingExcluded  = "Nothing can be excluded: that takes the delegated permission " + policyPermission + ", which is not among the chosen ones. Add it in New setup first."
)

// mayExclude tells whether the app is to have what changing policies takes.
func (w *wizard) mayExclude() bool {
	a := w.asked()
	if a.NoApp { // then it is as an earlier run left it
		if kept, found, err := w.cfg.Setup.Saved(); err == nil && found {
			a = kept
		}
	}
	selection, _ := steps.Select(a)
	return selection.Has(catalog.Permission{Resource: catalog.GraphAppID, Name: policyPermission, Kind: catalog.Delegated})
}

// answersFor are the answers work at customers is done with.
func (w *wizard) answersFor(kind workKind) state.Answers {
	a := w.asked()
	if choice := w.clients.choice; kind != workLook && choice != nil {
		a.Customers = choice
	}
	return a
}

// customers are the answers of the stage about customers' tenants.
func (w *wizard) customersAnswers() state.Customers { return *w.asked().Customers }

// connector tells whether Rewst's own app is used, which only Rewst consents to.
func (w *wizard) connector() bool { return w.answers.Registration.Kind == state.KindConnector }
