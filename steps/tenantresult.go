package steps

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
	"msbundle/state"
)

// TenantResult is what the stage about the tenant led to, read back.
type TenantResult struct {
	Account       string // user name; empty when there is no account
	AccountID     string
	Created       time.Time
	Made          bool     // by this program, in this run or an earlier one
	Roles         []string // directory roles, by name
	Agent         bool     // member of AdminAgents
	MFA           string   // what demands multifactor authentication of it
	Registered    []string // what it has registered to sign in with besides a password
	RegisteredRaw bool     // whether that could be read
	Policies      []string // what became of the tenant's Conditional Access policies
	Azure         []string // subscription, key vault and role
	Exchange      string   // whether the app reaches Exchange; empty when it was not asked for
	Password      Secret   // zero when none was made in this run
	Missing       []string // what was asked for and could not be done
	Left          []string // what is left for a person to do, what is missing first
}

// Handover is the text for where a team documents its accounts. It holds no
// password.
func (r Result) Handover() string {
	t := r.Tenant
	if t == nil || t.Account == "" {
		return ""
	}
	var b strings.Builder
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%-27s %s\n", label+":", text)
		}
	}
	line("Account", t.Account)
	line("Object id", t.AccountID)
	line("Tenant", strings.TrimSpace(r.Org.Name+"  "+r.Org.ID))
	line("Created", t.Created.UTC().Format(time.DateOnly))
	line("Directory roles", strings.Join(t.Roles, ", "))
	if t.Agent {
		line("Groups", agentsGroup)
	}
	line("Multifactor authentication", t.MFA)
	for _, p := range t.Policies {
		line("Conditional Access", p)
	}
	for _, a := range t.Azure {
		line("Azure", a)
	}
	line("Exchange Online", t.Exchange)
	line("App registration", strings.TrimSpace(r.AppName+"  "+r.AppID))
	line("Read back", r.Proof.At.UTC().Format("2006-01-02 15:04 UTC"))
	return b.String()
}

// tenantResult puts together what was read back.
func (e *engine) tenantResult(f *Findings) *TenantResult {
	r := f.Ready
	if r == nil || !e.plan.options.has(StageTenant) {
		return nil
	}
	t := &TenantResult{Azure: azureResult(e.plan.Answers, f), Exchange: exchangeResult(e.plan.Answers, f)}
	t.Missing = slices.Concat(e.accountLeft(f), azureLeft(e.plan.Answers, f), exchangeLeft(e.plan.Answers, f, e.plan.options))
	t.Left = slices.Clone(t.Missing)
	if e.passwordSet {
		t.Password = e.password
	}
	u := r.User
	if u == nil {
		return t
	}
	t.Account, t.AccountID, t.Created, t.Made, t.Agent = u.UPN, u.ID, u.Created, r.made, u.Agent
	t.Registered, t.RegisteredRaw = u.Methods, u.MethodsRead
	for _, g := range u.Roles {
		name := catalog.RoleByID(g.RoleID).Name
		if g.Scope != "/" {
			name += " (for a part of the tenant)"
		}
		t.Roles = append(t.Roles, name)
	}
	slices.Sort(t.Roles)
	t.MFA, t.Policies = accessResult(e.plan.Answers, f)
	if u.MethodsRead && len(u.Methods) == 0 {
		t.Left = append(t.Left, fmt.Sprintf("Sign in once as %s, in a private window, and register a method of multifactor authentication: only a person can.", u.UPN))
	}
	return t
}

// accountLeft says what an account turned out to lack once it was restored: before,
// nobody shows it.
func (e *engine) accountLeft(f *Findings) []string {
	u := f.Ready.User
	if u == nil {
		return nil
	}
	var left []string
	if !u.Enabled {
		left = append(left, fmt.Sprintf("%s is disabled. Run this again and take the offer to enable it (%s).", u.UPN, OfferEnable))
	}
	if e.plan.Answers.ServiceAccount.Roles == state.RolesOperate && u.Holds(catalog.RoleGlobalAdministrator) {
		left = append(left, fmt.Sprintf("%s still has Global Administrator. Run this again to have it taken away.", u.UPN))
	}
	return left
}
