package steps

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"msbundle/msclient"
	"msbundle/state"
)

// AzureFound is what the tenant holds of Azure, as far as a key vault for Rewst and
// the service account's role are concerned.
type AzureFound struct {
	Subscription *Subscription // the one that is meant; nil when there is none that can be used
	Vault        string        // a key vault in it; empty when there is none

	// Read only where a vault has to be made.
	Provider    string    // how far the subscription is registered for key vaults; empty when it could not be read
	Regions     []string  // where key vaults can be
	Group       string    // region of the resource group the answers name; empty when it is not there
	Name        string    // what a new vault can be called; empty when the name in the answers is taken
	Taken       []string  // names that were tried before it
	Recoverable time.Time // until when a deleted vault of the name in the answers can be recovered here

	Given []AzureGiven // roles given for the subscription, or further up

	read   bool // it was looked for
	unread map[Part]Unread
}

// AzureGiven is a role somebody was given in Azure.
type AzureGiven struct {
	RoleID      string // of the role's definition
	PrincipalID string
}

// Versions of Azure's APIs.
const (
	resourcesVersion = "2021-04-01"
	rolesVersion     = "2022-04-01"
)

const (
	vaultProvider = "Microsoft.KeyVault"
	registered    = "Registered" // what Azure says of a provider that can be used

	maxVaultNames = 9  // names that are tried
	maxVaultName  = 24 // letters in one

	needsAzureRole = "a role in the subscription, such as Reader: roles of the directory do not count there"
)

// readAzure reads it. Without the sign-in that takes the rest goes on.
func (s *Setup) readAzure(ctx context.Context, a state.Answers, f *Findings) error {
	if a.Azure == nil || f.Ready == nil {
		return nil
	}
	z := &f.Ready.Azure
	if z.read {
		return s.readAzureAgain(ctx, a, f)
	}
	read := func(part Part, look func() error) {
		if _, unread := f.unread(PartAzure, part); unread {
			return
		}
		if err := look(); err != nil {
			f.Unread[part] = whyUnread(err, needsAzureRole)
		}
	}
	if f.Account.App {
		f.Unread[PartAzure] = appOnly
	}
	if f.Subscriptions == nil {
		read(PartAzure, func() error { return s.readSubscriptions(ctx, f) })
		read(PartVaults, func() error { return s.readVaults(ctx, f) })
	}
	if z.Subscription = chooseSubscription(a.Azure.Subscription, f.Subscriptions); z.Subscription != nil {
		if len(z.Subscription.Vaults) > 0 {
			z.Vault = z.Subscription.Vaults[0]
		}
		read(PartRBAC, func() error { return s.readAzureRoles(ctx, f) })
		if _, unread := f.unread(PartVaults); z.Vault == "" && !unread && f.azureRight(azureContributor, azureOwner) != spared {
			read(PartRegistration, func() error { return s.readForVault(ctx, a, f) })
		}
	}
	z.read, z.unread = true, map[Part]Unread{}
	for _, part := range []Part{PartAzure, PartVaults, PartRBAC, PartRegistration} {
		if u, unread := f.Unread[part]; unread {
			z.unread[part] = u
		}
	}
	return ctx.Err()
}

// readAzureAgain reads what a plan changes, as little as can be.
func (s *Setup) readAzureAgain(ctx context.Context, a state.Answers, f *Findings) error {
	z := &f.Ready.Azure
	maps.Copy(f.Unread, z.unread)
	if z.Subscription == nil {
		return nil
	}
	if z.Vault == "" && vaultObstacle(a, f) == nil {
		list, err := s.vaultsIn(ctx, f, z.Subscription.ID)
		if err != nil {
			return err
		}
		if len(list) > 0 {
			z.Vault = list[0].Name
		}
	}
	if _, unread := f.unread(PartRBAC); unread || a.Azure.Role == state.AzureRoleLeave || f.azureRight(azureAssigners...) == spared {
		return nil
	}
	return s.readAzureRoles(ctx, f)
}

// chooseSubscription finds the subscription the answers name, or else the first one
// that has a key vault, or else the first.
func chooseSubscription(want string, list []Subscription) *Subscription {
	var chosen *Subscription
	for _, s := range list {
		meant := want == "" || strings.EqualFold(want, s.ID) || strings.EqualFold(want, s.Name)
		if s.Usable && meant && (chosen == nil || len(chosen.Vaults) == 0 && len(s.Vaults) > 0) {
			chosen = &s
		}
	}
	return chosen
}

func (z *AzureFound) scope() string { return "/subscriptions/" + z.Subscription.ID }

type wireAzureRole struct {
	Properties struct {
		RoleID      string `json:"roleDefinitionId"`
		PrincipalID string `json:"principalId"`
	} `json:"properties"`
}

// readAzureRoles reads who has which role for the whole subscription.
// https://learn.microsoft.com/rest/api/authorization/role-assignments/list-for-scope
func (s *Setup) readAzureRoles(ctx context.Context, f *Findings) error {
	z := &f.Ready.Azure
	list, err := azureList[wireAzureRole](ctx, s.client.Azure(f.Org.ID), f.Cloud.ARM, query(
		z.scope()+"/providers/Microsoft.Authorization/roleAssignments", "$filter", "atScope()", "api-version", rolesVersion))
	if err != nil {
		return err
	}
	z.Given = nil
	for _, w := range list {
		p := w.Properties
		z.Given = append(z.Given, AzureGiven{strings.ToLower(path.Base(p.RoleID)), p.PrincipalID})
	}
	return nil
}

type wireProvider struct {
	State string `json:"registrationState"`
	Types []struct {
		Type    string   `json:"resourceType"`
		Regions []string `json:"locations"` // as they are shown: "West Europe"
	} `json:"resourceTypes"`
}

// readForVault reads what making a vault depends on.
// https://learn.microsoft.com/rest/api/resources/providers/get
func (s *Setup) readForVault(ctx context.Context, a state.Answers, f *Findings) error {
	z, azure := &f.Ready.Azure, s.client.Azure(f.Org.ID)
	provider, err := msclient.Get[wireProvider](ctx, azure, providerPath(z.Subscription.ID))
	if err != nil {
		return err
	}
	group, err := msclient.Get[struct {
		Location string `json:"location"`
	}](ctx, azure, groupPath(z.Subscription.ID, a.Azure.ResourceGroup))
	if err != nil && !refused(err, 404) {
		return err
	}
	z.Provider, z.Group = provider.State, group.Location
	for _, t := range provider.Types {
		if strings.EqualFold(t.Type, "vaults") {
			for _, r := range t.Regions {
				z.Regions = append(z.Regions, regionName(r))
			}
		}
	}
	return s.nameVault(ctx, a, f)
}

// regionName is a region as answers name it.
func regionName(shown string) string { return strings.ToLower(strings.ReplaceAll(shown, " ", "")) }

func providerPath(subscription string) string {
	return "/subscriptions/" + subscription + "/providers/" + vaultProvider + "?api-version=" + resourcesVersion
}

func groupPath(subscription, group string) string {
	return "/subscriptions/" + subscription + "/resourceGroups/" + url.PathEscape(group) + "?api-version=" + resourcesVersion
}

// nameVault finds a name for a vault. Every vault there is, wherever it is, has
// another one; which are taken can be asked once the subscription is registered.
// https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/check-name-availability
func (s *Setup) nameVault(ctx context.Context, a state.Answers, f *Findings) error {
	z := &f.Ready.Azure
	first := a.Azure.Vault
	if first == "" {
		first = vaultName(f.Org.DefaultDomain, 1)
	}
	if z.Provider != registered {
		z.Name = first
		return nil
	}
	for n, name := 1, first; n <= maxVaultNames; n, name = n+1, vaultName(f.Org.DefaultDomain, n+1) {
		res, err := s.client.Azure(f.Org.ID).Do(ctx, msclient.Request{
			Method: "POST", Path: z.scope() + "/providers/" + vaultProvider + "/checkNameAvailability?api-version=" + vaultsVersion,
			Body: map[string]string{"name": name, "type": vaultProvider + "/vaults"},
		})
		if err != nil {
			return err
		}
		var answer struct {
			Free bool `json:"nameAvailable"`
		}
		switch err := res.Decode(&answer); {
		case err != nil:
			return err
		case answer.Free:
			z.Name = name
			return nil
		case s.madeVault(z.Subscription.ID, name): // and the list does not show it yet
			z.Vault = name
			return nil
		}
		if z.Taken = append(z.Taken, name); a.Azure.Vault != "" {
			return s.recoverable(ctx, f, name)
		}
	}
	return nil
}

// vaultName makes the n-th name for a vault from the tenant's domain.
func vaultName(domain string, n int) string {
	label, _, _ := strings.Cut(strings.ToLower(domain), ".")
	label = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, label)
	if label == "" {
		label = "vault"
	}
	end := ""
	if n > 1 {
		end = fmt.Sprintf("-%d", n)
	}
	name := "rewst-" + label
	return name[:min(len(name), maxVaultName-len(end))] + end
}

// madeVault tells whether the journal has it that a vault was made, or may have
// been, so recently that lists may not show it yet.
func (s *Setup) madeVault(subscription, name string) bool {
	if s.store == nil {
		return false
	}
	return slices.ContainsFunc(s.store.Entries(), func(e state.Entry) bool {
		at := e.At
		if !e.Open() {
			at = e.Outcome.At
		}
		return e.What == string(KindVault) && e.Action == string(Create) && e.Name == name && !e.Undone &&
			(e.Open() || e.Outcome.Kind == state.RecordReceipt) && s.client.Now().Sub(at) < replicationHorizon &&
			strings.HasPrefix(strings.ToLower(e.Path), "/subscriptions/"+strings.ToLower(subscription)+"/")
	})
}

type wireDeletedVault struct {
	Name       string `json:"name"`
	Properties struct {
		Purged time.Time `json:"scheduledPurgeDate"`
	} `json:"properties"`
}

// recoverable looks among the subscription's deleted vaults for a name that is
// taken.
// https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/list-deleted
func (s *Setup) recoverable(ctx context.Context, f *Findings, name string) error {
	z := &f.Ready.Azure
	list, err := azureList[wireDeletedVault](ctx, s.client.Azure(f.Org.ID), f.Cloud.ARM,
		z.scope()+"/providers/"+vaultProvider+"/deletedVaults?api-version="+vaultsVersion)
	if denied(err) { // then it is not known whose the name is
		return nil
	}
	for _, w := range list {
		if strings.EqualFold(w.Name, name) {
			z.Recoverable = w.Properties.Purged
		}
	}
	return err
}

// Ids of Azure's built-in roles, the same everywhere.
// https://learn.microsoft.com/azure/role-based-access-control/built-in-roles
const (
	azureOwner       = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
	azureContributor = "b24988ac-6180-42a0-ab88-20f7382dd24c"
	azureReader      = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
	azureAccessAdmin = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9" // User Access Administrator
	azureRBACAdmin   = "f58310d9-a9f6-439a-9e8d-f62e7b41a168" // Role Based Access Control Administrator
)

// azureRoleIDs are the roles the service account can be given.
var azureRoleIDs = map[string]string{"Reader": azureReader, "Contributor": azureContributor, "Owner": azureOwner}

// azureAssigners are the roles that can give others.
var azureAssigners = []string{azureOwner, azureAccessAdmin, azureRBACAdmin}

// azureRight tells whether the person has one of these roles for the subscription.
// A role of the organisation's own may include as much.
func (f *Findings) azureRight(roles ...string) reach {
	_, groupsUnread := f.Unread[PartGroups]
	if _, unread := f.Unread[PartRBAC]; unread {
		return maybe
	}
	has := spared
	for _, g := range f.Ready.Azure.Given {
		serves := slices.Contains(roles, g.RoleID)
		own := !slices.Contains([]string{azureOwner, azureContributor, azureReader, azureAccessAdmin, azureRBACAdmin}, g.RoleID)
		switch mine := strings.EqualFold(g.PrincipalID, f.Account.ObjectID) || containsFold(f.Groups, g.PrincipalID); {
		case mine && serves:
			return reached
		case mine && own, !mine && serves && groupsUnread:
			has = maybe
		}
	}
	return has
}

// azureHolds tells whether the service account has a role for the subscription,
// or one that includes it.
func (r *Readiness) azureHolds(role string) bool {
	serve := map[string][]string{
		azureReader:      {azureReader, azureContributor, azureOwner},
		azureContributor: {azureContributor, azureOwner},
		azureOwner:       {azureOwner},
	}[role]
	return r.User != nil && slices.ContainsFunc(r.Azure.Given, func(g AzureGiven) bool {
		return slices.Contains(serve, g.RoleID) && (strings.EqualFold(g.PrincipalID, r.User.ID) || containsFold(r.User.Groups, g.PrincipalID))
	})
}
