package steps

import (
	"fmt"
	"strings"

	"msbundle/state"
)

// azureChecks check what this part needs. Only answers that cannot be carried out
// block: where the account lacks a right, or there is no subscription, the rest of
// the setup can go on without Azure.
func azureChecks(a state.Answers, f *Findings) []Check {
	if a.Azure == nil {
		return nil
	}
	c := Check{ID: "azure-subscription", Title: "Subscription for the key vault"}
	if u, missing := f.unread(PartAzure); missing {
		return []Check{c.unknown(u)}
	}
	if o := azureObstacle(a, f); o != nil {
		c.State, c.Evidence, c.Fix = Failed, o.why, o.do
		return []Check{c}
	}
	z := &f.Ready.Azure
	c.Evidence = fmt.Sprintf("%s (%s)", z.Subscription.Name, z.Subscription.ID)
	return []Check{c, checkNewVault(a, f), checkAzureRole(a, f)}
}

// checkNewVault tells whether a key vault can be made where there is none.
func checkNewVault(a state.Answers, f *Findings) Check {
	z := &f.Ready.Azure
	c := Check{ID: "azure-vault", Title: "Key vault in it"}
	if z.Vault != "" {
		c.Evidence = z.Vault + " is there"
		return c
	}
	if u, missing := f.unread(PartVaults, PartRegistration); missing {
		return c.unknown(u)
	}
	may := f.azureRight(azureContributor, azureOwner)
	if o := vaultObstacle(a, f); o != nil {
		c.State, c.Blocks, c.SignIn, c.Evidence, c.Fix = Failed, may != spared, may == spared, o.why, o.do
		return c
	}
	c.Evidence = fmt.Sprintf("There is none; %s will be made in %s", z.Name, a.Azure.Location)
	if len(z.Taken) > 0 {
		c.Evidence += fmt.Sprintf(" (%s is taken)", strings.Join(z.Taken, ", "))
	}
	if z.Provider != registered {
		c.Evidence += ", and the subscription registered for it. Whether the name is free shows only then"
	}
	if may == maybe {
		c.State, c.Evidence = Warned, c.Evidence+". Whether this account may do that cannot be told from here"
		c.Fix = fmt.Sprintf("Make sure that it has the role Contributor at %s, or one that includes as much.", z.scope())
	}
	return c
}

// checkAzureRole tells whether the service account can be given its role.
func checkAzureRole(a state.Answers, f *Findings) Check {
	c := Check{ID: "azure-role", Title: "Role in the subscription"}
	z := &f.Ready.Azure
	switch {
	case a.Azure.Role == state.AzureRoleLeave:
		c.Evidence = "Not asked for"
		return c
	case f.Ready.azureHolds(azureRoleIDs[a.Azure.Role]):
		c.Evidence = fmt.Sprintf("%s has %s, or a role that includes it", f.Ready.UPN, a.Azure.Role)
		return c
	}
	if u, missing := f.unread(PartRBAC); missing {
		return c.unknown(u)
	}
	if o := roleObstacle(a, f); o != nil {
		c.State, c.SignIn, c.Evidence, c.Fix = Failed, true, o.why, o.do
		return c
	}
	c.Evidence = fmt.Sprintf("%s will be given %s", f.Ready.UPN, a.Azure.Role)
	if f.azureRight(azureAssigners...) == maybe {
		c.State, c.Evidence = Warned, c.Evidence+". Whether this account may do that cannot be told from here"
		c.Fix = fmt.Sprintf("Make sure that it has the role Owner or User Access Administrator at %s.", z.scope())
	}
	return c
}
