package steps

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/msclient"
	"msbundle/state"
)

// stepAzure is the step of the subscription and its key vault.
const stepAzure = "azure"

// refAzure is bound when something in the subscription was made that what follows
// there builds on.
const refAzure = "azure"

// obstacle is why a part of Azure's setup is left out.
type obstacle struct{ why, do string }

func (o *obstacle) String() string { return o.why + ". " + o.do }

// planAzure makes a subscription hold a key vault, and gives the service account
// its role there.
func planAzure(p *Plan) {
	a, f := p.want.answers, p.findings
	if a.Azure == nil {
		return
	}
	z := &f.Ready.Azure
	if o := azureObstacle(a, f); o != nil {
		p.note("Azure is left out. %s", o)
		return
	}
	switch o := vaultObstacle(a, f); {
	case z.Vault != "":
		p.note("There is a key vault already, %s in the subscription %s: none is made.", z.Vault, z.Subscription.Name)
	case o != nil:
		p.note("No key vault is made. %s", o)
	default:
		p.planVault()
	}
	if o := roleObstacle(a, f); o != nil {
		p.note("%s is not given the role %s in Azure. %s", f.Ready.UPN, a.Azure.Role, o)
		return
	}
	p.planAzureRole()
}

// azureObstacle is why nothing can be done in Azure; nil when something can.
func azureObstacle(a state.Answers, f *Findings) *obstacle {
	if u, unread := f.unread(PartAzure); unread {
		return &obstacle{u.Why, u.Fix}
	}
	if f.Ready.Azure.Subscription != nil {
		return nil
	}
	usable, others := f.subscriptions()
	const otherwise = "Without one leave Microsoft Azure out in Rewst: it cannot be authorised."
	switch {
	case len(usable) > 0:
		return &obstacle{
			fmt.Sprintf("No subscription that can be used is called %s", a.Azure.Subscription),
			"Name another one (azure.subscription): " + some(usable) + ".",
		}
	case len(others) > 0:
		return &obstacle{"No subscription can be used: " + some(others), "Have one switched on again, or buy one. " + otherwise}
	}
	return &obstacle{
		fmt.Sprintf("%s can see no Azure subscription", f.Account.Username),
		"Buy one or create a free one, or have its owner give this account the role Owner there: roles of the directory do not count. " + otherwise,
	}
}

// vaultObstacle is why no key vault can be made where there is none.
func vaultObstacle(a state.Answers, f *Findings) *obstacle {
	z := &f.Ready.Azure
	if u, unread := f.unread(PartVaults, PartRegistration); unread {
		return &obstacle{u.Why, u.Fix}
	}
	switch {
	case f.azureRight(azureContributor, azureOwner) == spared:
		return lacksRole(f, "Contributor")
	case z.Name == "" && a.Azure.Vault == "":
		return &obstacle{fmt.Sprintf("The names %s are all taken", strings.Join(z.Taken, ", ")), "Choose a name for it (azure.vault)."}
	case z.Name == "" && !z.Recoverable.IsZero():
		return &obstacle{
			fmt.Sprintf("A deleted key vault of this subscription has the name %s until %s", a.Azure.Vault, z.Recoverable.Format(time.DateOnly)),
			"Choose another name (azure.vault), or recover or purge the deleted one in the Azure portal (Key vaults, Manage deleted vaults).",
		}
	case z.Name == "":
		return &obstacle{
			fmt.Sprintf("The name %s is taken: names of key vaults are unique in the whole world, and those of deleted ones stay taken for up to 90 days", a.Azure.Vault),
			"Choose another name (azure.vault), or leave it out to have one made.",
		}
	case len(z.Regions) > 0 && !slices.Contains(z.Regions, a.Azure.Location):
		return &obstacle{
			fmt.Sprintf("%s is no region this subscription can have key vaults in", a.Azure.Location),
			"Choose another one (azure.location): " + some(z.Regions) + ".",
		}
	}
	return nil
}

// roleObstacle is why the service account cannot be given its role.
func roleObstacle(a state.Answers, f *Findings) *obstacle {
	if a.Azure.Role == state.AzureRoleLeave || f.Ready.azureHolds(azureRoleIDs[a.Azure.Role]) {
		return nil
	}
	if u, unread := f.unread(PartRBAC); unread {
		return &obstacle{"Who has which role in the subscription could not be read: " + lowerFirst(u.Why), u.Fix}
	}
	if f.azureRight(azureAssigners...) == spared {
		return lacksRole(f, "Owner or User Access Administrator")
	}
	return nil
}

func lacksRole(f *Findings, role string) *obstacle {
	scope := f.Ready.Azure.scope()
	return &obstacle{
		fmt.Sprintf("It takes the role %s at %s, which %s does not have", role, scope, f.Account.Username),
		"Have an owner of the subscription " + f.Ready.Azure.Subscription.Name + " give it (Azure portal, Subscriptions, Access control), or sign in as somebody who has it, then run this again.",
	}
}

// addAzure adds a change that Azure Resource Manager carries out.
func (p *Plan) addAzure(c Change, body any) {
	c.Step, c.Service = stepAzure, ServiceAzure
	p.add(c, body)
}

// planVault makes a key vault, and what one needs.
// https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/create-or-update
func (p *Plan) planVault() {
	a, z := p.want.answers.Azure, &p.findings.Ready.Azure
	if len(z.Taken) > 0 {
		p.note("The key vault is called %s: %s is taken, by somebody's vault or by a deleted one.", z.Name, strings.Join(z.Taken, ", "))
	}
	if z.Provider != registered {
		p.addAzure(Change{
			ID: "azure/provider", Kind: KindProvider, Action: Update, Name: vaultProvider, Method: "POST",
			Path:   z.scope() + "/providers/" + vaultProvider + "/register?api-version=" + resourcesVersion,
			Object: fmt.Sprintf("the subscription %s: registered for key vaults (%s)", z.Subscription.Name, vaultProvider),
			Why:    "A subscription can hold key vaults only then. It costs nothing, and stays.", Risk: RiskLow,
		}, nil)
	}
	if z.Group == "" {
		p.addAzure(Change{
			ID: "azure/group", Kind: KindGroup, Action: Create, Name: a.ResourceGroup, Method: "PUT", Path: groupPath(z.Subscription.ID, a.ResourceGroup),
			Object: fmt.Sprintf("resource group %s in the subscription %s (%s)", a.ResourceGroup, z.Subscription.Name, a.Location),
			Why:    "The key vault has to be in one.", Risk: RiskLow, Reversible: true,
		}, map[string]string{"location": a.Location})
	}
	group, _, _ := strings.Cut(groupPath(z.Subscription.ID, a.ResourceGroup), "?")
	p.addAzure(Change{
		ID: "azure/vault", Kind: KindVault, Action: Create, Name: z.Name, Method: "PUT", Path: group + "/providers/" + vaultProvider + "/vaults/" + z.Name + "?api-version=" + vaultsVersion,
		Object: fmt.Sprintf("empty key vault %s in the resource group %s (%s)", z.Name, a.ResourceGroup, a.Location),
		Why:    "Rewst's authorisation of Microsoft Azure fails where there is none. An empty one costs nothing.", Risk: RiskLow, Reversible: true,
	}, map[string]any{
		"location": a.Location,
		"properties": map[string]any{
			"tenantId": p.findings.Org.ID, "sku": map[string]string{"family": "A", "name": "standard"},
			"enableRbacAuthorization": true, "enableSoftDelete": true, "softDeleteRetentionInDays": 90,
		},
	})
}

// planAzureRole gives the service account its role in the subscription. Rewst acts
// there as that account, so the app needs none.
// https://learn.microsoft.com/rest/api/authorization/role-assignments/create
func (p *Plan) planAzureRole() {
	a, r := p.want.answers.Azure, p.findings.Ready
	who := p.accountRef()
	if a.Role == state.AzureRoleLeave || who == "" || r.azureHolds(azureRoleIDs[a.Role]) {
		return
	}
	id, scope := azureRoleIDs[a.Role], r.Azure.scope()
	authorization := scope + "/providers/Microsoft.Authorization/"
	p.addAzure(Change{
		ID: "azure/role", Kind: KindAzureRole, Action: Add, Name: id, Method: "PUT",
		Path:   fmt.Sprintf("%sroleAssignments/${guid %s %s %s}?api-version=%s", authorization, scope, who, id, rolesVersion),
		Object: fmt.Sprintf("%s in the subscription %s to %s", a.Role, r.Azure.Subscription.Name, r.UPN),
		Why:    "Rewst works in Azure as this account; roles of the directory do not count there.",
		Risk:   map[string]Risk{azureReader: RiskModerate, azureContributor: RiskHigh, azureOwner: RiskCritical}[id], Reversible: true,
	}, map[string]any{"properties": map[string]string{
		"roleDefinitionId": authorization + "roleDefinitions/" + id, "principalId": who, "principalType": "User",
	}})
}

// How long Azure may take over what it finishes later.
const (
	azureLimit = 10 * time.Minute
	azureUsual = "half a minute to two minutes"
)

// settled waits until Azure has finished what a write began.
func (e *engine) settled(ctx context.Context, a attempt) error {
	if a.Service != ServiceAzure || a.Action == Delete || a.Action == Remove {
		return nil
	}
	e.refs[refAzure] = a.name
	switch a.Kind {
	case KindProvider:
		return e.finished(ctx, a, strings.Replace(a.path, "/register?", "?", 1), "the subscription to be registered", registered)
	case KindVault:
		return e.finished(ctx, a, a.path, "the key vault to be ready", "Succeeded")
	}
	return nil
}

// finished waits until Azure says that something is in a state.
func (e *engine) finished(ctx context.Context, a attempt, path, what, state string) error {
	now := ""
	done, err := msclient.Until(ctx, msclient.Patience{
		Good: 1, First: firstBackoff, Max: longestWait, Limit: azureLimit,
		Waiting: func(since time.Time, next time.Duration) {
			e.tell(Event{Kind: EventWaiting, Text: a.Describe(), Wait: &Wait{For: what, Usual: azureUsual, Since: since, Next: next, Then: "it is looked at again"}})
		},
	}, func(ctx context.Context) (bool, error) {
		w, err := msclient.Get[struct {
			Registration string `json:"registrationState"`
			Properties   struct {
				Provisioning string `json:"provisioningState"`
			} `json:"properties"`
		}](ctx, e.client.Azure(e.account.TenantID), path)
		if refused(err, 404) { // not shown yet
			return false, nil
		}
		now = w.Registration + w.Properties.Provisioning
		return now == state, err
	})
	if err == nil && !done {
		err = &Problem{
			What: fmt.Sprintf("Azure has not finished this yet: %s (it says %q)", lowerFirst(a.Describe()), now), Retry: true,
			Do: "Wait some minutes, then run it again: it goes on from there.",
		}
	}
	return problem(err, fmt.Sprintf("whether Azure has finished this could not be read: %s", lowerFirst(a.Describe())))
}

// azureResult says what was read back.
func azureResult(a state.Answers, f *Findings) []string {
	if a.Azure == nil || f.Ready.Azure.Subscription == nil {
		return nil
	}
	z := &f.Ready.Azure
	out := []string{fmt.Sprintf("Subscription %s (%s)", z.Subscription.Name, z.Subscription.ID)}
	if z.Vault != "" {
		out = append(out, "Key vault "+z.Vault)
	}
	if id, asked := azureRoleIDs[a.Azure.Role]; asked && f.Ready.azureHolds(id) {
		out = append(out, fmt.Sprintf("%s for %s", a.Azure.Role, f.Ready.User.UPN))
	}
	return out
}

// azureLeft says what is left for a person to do in Azure.
func azureLeft(a state.Answers, f *Findings) []string {
	if a.Azure == nil {
		return nil
	}
	if o := azureObstacle(a, f); o != nil {
		return []string{"Azure was left out. " + o.String()}
	}
	var left []string
	if o := vaultObstacle(a, f); f.Ready.Azure.Vault == "" && o != nil {
		left = append(left, "There is no key vault yet. "+o.String())
	}
	if o := roleObstacle(a, f); o != nil {
		left = append(left, fmt.Sprintf("%s does not have the role %s in Azure yet. %s", f.Ready.UPN, a.Azure.Role, o))
	}
	return left
}
