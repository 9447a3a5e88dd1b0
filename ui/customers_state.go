package ui

import (
	"context"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

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

	plan    *steps.CustomersPlan // what was planned last
	choice  *state.Customers     // what that was planned for; the answers take it when it is agreed to
	failed  map[string]*steps.Problem
	written bool // something was written at customers
	at      time.Time
	open    bool // the sign-in with the app was opened, and has to be closed
	work    *clientWork

	edits   int  // of the mapping, so far
	dirty   bool // there are edits that are not kept yet
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
}

// findClients lists the customers and sets them against Rewst's organisations, as
// they were linked before. It takes a while.
func findClients(ctx context.Context, setup Setup, a state.Answers, observe func(steps.Event)) (*foundClients, error) {
	c, err := setup.LookClientele(ctx, a, observe)
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
	return &foundClients{c, list, steps.MatchCustomers(c.Rows, list, kept)}, nil
}

func newClients(f *foundClients) *clients {
	c := &clients{clientele: f.clientele, list: f.organizations, failed: map[string]*steps.Problem{}}
	c.setMapping(f.mapping)
	return c
}

// setMapping takes another mapping of the same customers, as they stand now.
func (c *clients) setMapping(m *steps.Mapping) {
	if c.mapping != nil {
		for i, r := range c.mapping.Rows() {
			if r.Shield.At.After(m.Rows()[i].Shield.At) {
				m.SetShield(i, r.Shield)
			}
		}
	}
	c.mapping, c.order, c.shades = m, nil, [steps.Green + 1]int{}
	for i := range m.Rows() {
		c.shades[m.Rows()[i].Shield.Shade]++
	}
	c.domains = domainsOf(m.Rows())
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
}

// rematch sets the customers against the organisations anew when a look has shown
// more of their domains: a suggestion may be certain by them.
func (c *clients) rematch() tea.Cmd {
	rows := c.clientele.Rows
	if len(c.mapping.Organizations()) == 0 || domainsOf(rows) == c.domains {
		return nil
	}
	rows, list, kept, edits := slices.Clone(rows), c.list, c.mapping.Kept(), c.edits
	return func() tea.Msg { return rematchedMsg{c, edits, steps.MatchCustomers(rows, list, kept)} }
}

// rematched takes it over, or begins again when somebody has edited meanwhile.
func (c *clients) rematched(msg rematchedMsg) tea.Cmd {
	if c.work.running() { // the next look ends with it
		return nil
	}
	if msg.edits != c.edits {
		return c.rematch()
	}
	c.setMapping(msg.mapping)
	return nil
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

// broken are the customers a look or a consent failed at.
func (c *clients) broken() []int {
	list := c.mapping.Filter(nil, steps.MappingFilter{Shades: []steps.Shade{steps.Red}})
	for tenant := range c.failed {
		if i := c.mapping.Find(tenant); i >= 0 && !slices.Contains(list, i) {
			list = append(list, i)
		}
	}
	slices.Sort(list)
	return list
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
	}
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
