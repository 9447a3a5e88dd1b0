package ui

import (
	"encoding/json"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/steps"
)

// fakeReadiness is a tenant with a licence for Conditional Access, no policy and no
// service account.
func fakeReadiness() *steps.Readiness {
	return &steps.Readiness{
		Domains:  []steps.Domain{{Name: "contoso.onmicrosoft.com", Default: true, Initial: true, Verified: true}},
		Licensed: true,
		Admins: []steps.RoleGiven{
			{ID: "g1", RoleID: catalog.RoleGlobalAdministrator, Scope: "/", PrincipalID: fakeAccount().ObjectID, User: true},
		},
		Azure: steps.AzureFound{Subscription: &steps.Subscription{ID: "77777777-0000-0000-0000-000000000001", Name: "Production", State: "Enabled", Usable: true, Vaults: []string{"keys"}}, Vault: "keys"},
	}
}

// tenantResult is what the stage about the tenant led to.
func tenantResult() *steps.Result {
	return &steps.Result{
		Account: fakeAccount(), Org: steps.Organization{ID: tenantID, Name: "Contoso", DefaultDomain: "contoso.onmicrosoft.com"},
		Written: 3, Proof: steps.Proof{Reads: 3, At: epoch},
		Tenant: &steps.TenantResult{
			Account: "rewst@contoso.onmicrosoft.com", AccountID: "99999999-0000-0000-0000-000000000001", Created: epoch, Made: true,
			Roles: []string{"Global Administrator"}, Agent: true, RegisteredRaw: true,
			MFA:      "demanded by the policy \"Rewst Conditional Access Policy\"",
			Policies: []string{"Require a compliant device: the account is excluded"},
			Azure:    []string{"Production: key vault keys", "Contributor of Production"},
			Password: msclient.NewSecret(fakePassword),
			Left:     []string{"Sign in once as rewst@contoso.onmicrosoft.com, in a private window, and register a method of multifactor authentication: only a person can."},
		},
	}
}

// theAccount is a service account that is there and healthy.
func theAccount() *steps.User {
	return &steps.User{
		ID: "99999999-0000-0000-0000-000000000001", UPN: "rewst@contoso.onmicrosoft.com", Name: "Rewst Service Account", Enabled: true,
		Created: epoch.AddDate(0, -3, 0), MethodsRead: true, Methods: []string{"Microsoft Authenticator"}, PerUserMFA: "disabled",
	}
}

// lastAdmin has the service account hold Global Administrator alone.
func lastAdmin(f *fake) {
	f.ready.User = theAccount()
	f.ready.User.Roles = []steps.RoleGiven{{ID: "g2", RoleID: catalog.RoleGlobalAdministrator, Scope: "/", PrincipalID: f.ready.User.ID, User: true}}
	f.ready.Admins = f.ready.User.Roles
}

// noVault has two subscriptions, neither with a key vault.
func noVault(f *fake) {
	f.findings.Subscriptions = []steps.Subscription{
		{ID: "77777777-0000-0000-0000-000000000001", Name: "Production", State: "Enabled", Usable: true},
		{ID: "77777777-0000-0000-0000-000000000002", Name: "Test", State: "Enabled", Usable: true},
	}
	f.ready.Azure = steps.AzureFound{Subscription: &f.findings.Subscriptions[0], Provider: "Registered", Regions: []string{"eastus", "westeurope"}, Name: "rewst-contoso"}
}

// withPolicies has policies that reach the account: one that breaks its sign-in,
// one that does not.
func withPolicies(f *fake) {
	f.ready.User = theAccount()
	for _, raw := range []string{
		`{"id":"11111111-aaaa-0000-0000-000000000001","displayName":"Require a compliant device for everybody","state":"enabled","conditions":{"users":{"includeUsers":["All"],"excludeUsers":["aaaaaaaa-0000-0000-0000-000000000001"]},"applications":{"includeApplications":["All"]},"clientAppTypes":["all"]},"grantControls":{"operator":"OR","builtInControls":["compliantDevice"]}}`,
		`{"id":"11111111-aaaa-0000-0000-000000000002","displayName":"Require multifactor authentication for everybody","state":"enabled","conditions":{"users":{"includeUsers":["All"]},"applications":{"includeApplications":["All"]},"clientAppTypes":["all"]},"grantControls":{"operator":"OR","builtInControls":["mfa"]}}`,
		`{"id":"11111111-aaaa-0000-0000-000000000003","displayName":"Block guests","state":"enabled","conditions":{"users":{"includeUsers":["GuestsOrExternalUsers"]},"applications":{"includeApplications":["All"]},"clientAppTypes":["all"]},"grantControls":{"operator":"OR","builtInControls":["block"]}}`,
	} {
		var p steps.AccessPolicy
		if err := json.Unmarshal([]byte(raw), &p); err != nil {
			panic(err)
		}
		p.Raw = json.RawMessage(raw)
		f.ready.Policies = append(f.ready.Policies, p)
	}
}
