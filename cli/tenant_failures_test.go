package cli

import (
	"bytes"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"msbundle/sandbox"
)

const (
	account    = "version: 1\nintegrations: [graph, csp]\nserviceAccount: {username: rewst}\n"
	policies   = account + "conditionalAccess: {}\n"
	subscribed = account + "azure: {location: westeurope}\n"
)

// accounted is the account with other answers about it.
func accounted(keys string) string {
	return "version: 1\nintegrations: [graph, csp]\nserviceAccount: {" + keys + "}\n"
}

// What can go wrong while a tenant is made ready ends in a sentence that helps, and
// leaves nothing half-done: what was not begun wrote nothing, and what was begun
// is finished by the next run once the cause is gone, or undone.
func TestTenantFailures(t *testing.T) {
	t.Parallel()
	const (
		user, roles = "^/v1.0/users$", "^/v1.0/roleManagement/directory/roleAssignments$"
		access      = "^/v1.0/identity/conditionalAccess/policies"
		vault       = "/providers/Microsoft.KeyVault/vaults/"
		azureRoles  = "/providers/Microsoft.Authorization/roleAssignments/"
		refused     = "Request_BadRequest"
	)
	for name, c := range map[string]struct {
		scenario, setup string
		args            []string
		refuse          refusal // none: the tenant itself is the cause
		code            int
		says            []string // of the run
		writes          bool     // some of it was carried out
		mend            []string // arguments that mend it
	}{
		"duplicate user name": {
			setup: account, refuse: graphRefuses("POST", user, 400, refused, "Another object with the same value for property userPrincipalName already exists."),
			code: exitFailed, says: []string{"another user name (serviceAccount.username)", "Look at the tenant again"},
		},
		"domain not of the tenant": {
			setup: accounted("username: rewst@northwind.com"), code: exitFailed,
			says: []string{"northwind.com is no domain of this tenant", "contoso.onmicrosoft.com"},
		},
		"domain refused": {
			setup: account, refuse: graphRefuses("POST", user, 400, refused, "The domain portion of the userPrincipalName property is invalid. You must use one of the verified domain names in your organization."),
			code: exitFailed, says: []string{"verified, managed domain"},
		},
		"federated domain": {
			scenario: "federated-domain", setup: accounted("username: rewst@contoso.com"), code: exitFailed,
			says: []string{"contoso.com is federated", "contoso.onmicrosoft.com"},
		},
		"password too weak": {
			setup: account, refuse: graphRefuses("POST", user, 400, refused, "The specified password does not comply with password complexity requirements. Please provide a different password."),
			code: exitFailed, says: []string{"too simple for the tenant's rules"},
		},
		"quota": {
			scenario: "user-quota", setup: account, code: exitFailed, says: []string{"Delete what is not needed"},
		},
		"not allowed": {
			setup: account, refuse: graphRefuses("POST", user, 403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
			code: exitFailed, says: []string{"Sign in with a Global Administrator"},
		},
		"disabled": {
			scenario: "leftover-disabled", setup: account, code: exitFailed, says: []string{"is there and disabled", "enable-account"}, mend: []string{"--take", "enable-account"},
		},
		"deleted": {
			scenario: "leftover-deleted", setup: account, code: exitFailed, says: []string{"was deleted on", "restore-account", "replace-account"}, mend: []string{"--take", "restore-account"},
		},
		"deleted, and another made": {
			scenario: "leftover-deleted", setup: account, code: exitFailed, says: []string{"replace-account"}, mend: []string{"--take", "replace-account"},
		},
		"guest": {
			scenario: "leftover-guest", setup: accounted(`username: "rewst_fabrikam.com#EXT#"`), code: exitFailed, says: []string{"is a guest", "serviceAccount.username"},
		},
		"synchronised": {
			scenario: "leftover-synced", setup: account, code: exitFailed, says: []string{"is synchronised from the organisation's own directory", "serviceAccount.username"},
		},
		"absent and not to be made": {
			setup: accounted("username: rewst, create: false"), code: exitFailed, says: []string{"There is no account rewst@contoso.onmicrosoft.com", "serviceAccount.create: true"},
		},
		"role refused": {
			setup: accounted("username: rewst, mfa: leave"), refuse: graphRefuses("POST", roles, 403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation."),
			code: exitFailed, says: []string{"Global Administrator"}, writes: true,
		},
		"policy limit": {
			scenario: "policy-limit", setup: policies, code: exitFailed, says: []string{"240"},
		},
		"policy limit met while writing": {
			setup: policies, refuse: graphRefuses("POST", access, 400, "BadRequest", "The number of Conditional Access policies exceeds the maximum of 240 for the tenant."),
			code: exitFailed, says: []string{"Delete policies that nobody needs"}, writes: true,
		},
		"security defaults": {
			scenario: "security-defaults", setup: accounted("username: rewst, mfa: conditionalAccess"), code: exitFailed, says: []string{"ecurity defaults"},
		},
		"security defaults switched on meanwhile": {
			setup: policies, refuse: graphRefuses("POST", access, 400, "BadRequest", "Security Defaults is enabled in the tenant. You must disable Security defaults before enabling a Conditional Access policy."),
			code: exitFailed, says: []string{"Leave the security defaults on"}, writes: true,
		},
		"no licence": {
			scenario: "no-p1", setup: accounted("username: rewst, mfa: conditionalAccess"), code: exitFailed, says: []string{"Entra ID P1"},
		},
		"scopes missing": {
			setup: policies, refuse: graphRefuses("POST", access, 403, "AccessDenied", "You cannot perform the requested operation, required scopes are missing in the token."),
			code: exitFailed, says: []string{"accept the page that lists the permissions"}, writes: true,
		},
		"policy not valid": {
			scenario: "five-policies", setup: policies, refuse: graphRefuses("PATCH", access, 400, "BadRequest", "1040: Policy must have grant controls or session controls."),
			code: exitFailed, says: []string{"1040", "The number at the start of the message"}, writes: true,
		},
		"no subscription": {
			scenario: "no-subscription", setup: subscribed, code: exitFailed, says: []string{"Azure was left out.", "not everything is ready"}, writes: true,
		},
		"only a reader in Azure": {
			scenario: "azure-reader", setup: subscribed, code: exitFailed, says: []string{"Contributor", "Owner"}, writes: true,
		},
		"provider not registered": {
			scenario: "provider-missing", setup: subscribed, refuse: azureRefuses("POST", "/providers/Microsoft.KeyVault/register$", 403, "AuthorizationFailed",
				"The client 'admin@contoso.onmicrosoft.com' with object id 'x' does not have authorization to perform action 'Microsoft.KeyVault/register/action' over scope '/subscriptions/y' or the scope is invalid."),
			code: exitFailed, says: []string{"Contributor", "register/action"}, writes: true,
		},
		"vault name deleted": {
			scenario: "vault-name-deleted", setup: subscribed, code: exitDone, says: []string{"rewst-contoso-2"}, writes: true,
		},
		"vault name taken": {
			scenario: "vault-name-taken", setup: subscribed, code: exitDone, says: []string{"rewst-contoso-2"}, writes: true,
		},
		"vault name taken meanwhile": {
			scenario: "no-vault", setup: subscribed, refuse: azureRefuses("PUT", vault, 409, "VaultAlreadyExists", "The vault name 'rewst-contoso' is already in use. Vault names are globally unique so it is possible that the name is already taken."),
			code: exitFailed, says: []string{"Choose another name"}, writes: true,
		},
		"disallowed by policy": {
			scenario: "azure-policy", setup: subscribed, code: exitFailed, says: []string{"Azure policy", "exemption", "writes were done and are kept"}, writes: true,
		},
		"location refused": {
			scenario: "empty-tenant", setup: account + "azure: {location: atlantis}\n", code: exitFailed, says: []string{"azure.location"}, writes: true,
		},
		"right to assign missing": {
			setup: subscribed, refuse: azureRefuses("PUT", azureRoles, 403, "AuthorizationFailed",
				"The client 'admin@contoso.onmicrosoft.com' with object id 'x' does not have authorization to perform action 'Microsoft.Authorization/roleAssignments/write' over scope '/subscriptions/y' or the scope is invalid."),
			code: exitFailed, says: []string{"User Access Administrator"}, writes: true,
		},
		"account unknown to Azure": {
			setup: subscribed, refuse: azureRefuses("PUT", azureRoles, 400, "PrincipalNotFound", "Principal 0123456789abcdef0123456789abcdef does not exist in the directory 00000000-0000-0000-0000-000000000000."),
			code: exitFailed, says: []string{"made moments ago", "waiting for"}, writes: true,
		},
		"subscription disabled": {
			setup: subscribed, refuse: azureRefuses("PUT", azureRoles, 409, "ReadOnlyDisabledSubscription", "The subscription 'x' is disabled and therefore marked as read only. You cannot perform any write actions on this subscription until it is re-enabled."),
			code: exitFailed, says: []string{"reactivated"}, writes: true,
		},
		"no Exchange plan": {
			scenario: "no-exchange", setup: wholeTenant, code: exitDone, says: []string{"Exchange then refuses every command", "exchange.administrator: false"}, writes: true,
		},
		"Azure role there already": {
			setup: subscribed, refuse: azureRefuses("PUT", azureRoles, 409, "RoleAssignmentExists", "The role assignment already exists. The ID of the existing role assignment is 0123456789abcdef0123456789abcdef."),
			code: exitFailed, says: []string{"Contributor"}, writes: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := rehearsalOf(t, sandbox.Options{Scenario: c.scenario})
				w.checked()
				start := w.settled()
				args := append(w.passworded(c.setup), c.args...)
				stop := func() int { return 1 }
				if c.refuse.path != "" {
					stop = w.refuse(c.refuse)
				}
				r := w.run(args...).must(t, c.code)
				for _, words := range c.says {
					if !strings.Contains(r.err, words) {
						t.Errorf("stderr does not say %q:\n%s", words, r.err)
					}
				}
				if stop() == 0 {
					t.Error("nothing was refused")
				}
				if got := w.writes(); len(got) > 0 && !c.writes {
					if diff := cmp.Diff(start, w.settled()); diff != "" {
						t.Errorf("something was written:\n%s", diff)
					}
				}
				if c.refuse.path != "" || c.mend != nil {
					w.run(append(args, c.mend...)...).must(t, exitDone)
					before := len(w.writes())
					w.run(args...).must(t, exitDone)
					if got := w.writes()[before:]; len(got) > 0 {
						t.Errorf("run once more, it wrote: %v", got)
					}
				}
				w.run("undo", "--yes").must(t, exitDone)
				if diff := cmp.Diff(start, w.settled()); diff != "" {
					t.Errorf("undone, the tenant differs from the start (-start +undone):\n%s", diff)
				}
			})
		})
	}
}

// What somebody else gives the account at the same moment is as good as what we
// give it: a refusal for being there already is none.
func TestGivenMeanwhile(t *testing.T) {
	t.Parallel()
	want := undisturbedTenant(t, "", subscribed)
	synctest.Test(t, func(t *testing.T) {
		w := rehearsalOf(t, sandbox.Options{})
		twice := regexp.MustCompile("/roleAssignments|/members/[$]ref$|/requirements$")
		n := 0
		w.wrap = func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(req *http.Request) (*http.Response, error) {
				if req.Body == nil || !twice.MatchString(req.URL.Path) {
					return next.RoundTrip(req)
				}
				n++
				body, err := io.ReadAll(req.Body)
				if err != nil {
					return nil, err
				}
				first := req.Clone(req.Context())
				first.Body = io.NopCloser(bytes.NewReader(body))
				if res, err := next.RoundTrip(first); err == nil {
					_ = res.Body.Close()
				}
				req.Body = io.NopCloser(bytes.NewReader(body))
				return next.RoundTrip(req)
			})
		}
		w.run(w.passworded(subscribed)...).must(t, exitDone)
		if n < 3 {
			t.Errorf("%d writes were met by another, want a role, a group and a role in Azure", n)
		}
		if diff := cmp.Diff(want, w.settled()); diff != "" {
			t.Errorf("the tenant differs (-undisturbed +met):\n%s", diff)
		}
	})
}
