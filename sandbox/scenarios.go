package sandbox

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"msbundle/catalog"
)

// Scenario is a world a sandbox can start with.
type Scenario struct {
	Name  string
	Title string // one line for a person to choose by
}

type scenario struct {
	Scenario

	notPartner         bool
	tenantName         string
	roles              []string // of the account that signs in; nil is Global Administrator
	guest              bool
	noMFA              bool
	closedRegistration bool
	notOffered         []string // APIs that cannot be provisioned
	retired            []string // Graph permissions that are no longer published
	secretsForbidden   bool
	secretLifetime     time.Duration
	pageSize           int // 0: the service's
	deviceBlocked      bool
	defaultsBlock      bool    // security defaults keep people with device codes out
	cloud              string  // where the tenants live; "": the world is served in every cloud
	person             string  // who signs in instead of the administrator
	events             []Fault // what happens in the middle of the work
	declines           bool
	realistic          bool
	clockOffset        time.Duration
	notAgent           bool // the account is not in AdminAgents
	indirect           bool
	securityDefaults   bool
	federated          bool    // people of the default domain sign in elsewhere
	full               bool    // the directory takes no more users
	foreignMFA         string  // another company's multifactor authentication
	licence            licence // zero: Microsoft 365 E5
	noSubscription     bool
	noVault            bool
	noGroup            bool       // nor a resource group
	providerMissing    bool       // the subscription may not have key vaults yet
	vaultPolicy        bool       // a policy keeps key vaults out
	vaultsElsewhere    []string   // names that key vaults of strangers have
	customers          int        // when none are asked for; 0 is three
	clients            []clientOf // the first of the customers; the others have names of the usual kind
	approvals          bool       // customers approve relationships by themselves
	setup              func(*Cloud, *tenant)
}

// offerOnly: unified audit is off everywhere at first, so the Office 365
// Management APIs are not there but can be provisioned.
var scenarios = append([]scenario{
	{Scenario: Scenario{"happy", "A partner tenant where everything is as it should be"}},
	{
		Scenario:   Scenario{"single-tenant", "An organisation that is no Microsoft partner: no Partner Center, no AdminAgents"},
		notPartner: true, notOffered: []string{catalog.PartnerCenterAppID}, licence: businessPremium,
	},
	{
		Scenario: Scenario{"same-name", "Somebody already made an app called Rewst Integration"},
		setup:    func(c *Cloud, t *tenant) { c.foreignApp(t, "Rewst Integration", nil) },
	},
	{
		Scenario: Scenario{"same-name-twice", "Two apps called Rewst Integration are there already"},
		setup: func(c *Cloud, t *tenant) {
			c.foreignApp(t, "Rewst Integration", nil)
			c.foreignApp(t, "Rewst Integration", nil)
		},
	},
	{Scenario: Scenario{"adopt", "An existing app, Fabrikam automation, that is to be used"}, setup: setupAdopt},
	{Scenario: Scenario{"secrets-forbidden", "The tenant's policy forbids client secrets"}, secretsForbidden: true},
	{Scenario: Scenario{"secret-lifetime", "The tenant's policy limits client secrets to 180 days"}, secretLifetime: 180 * 24 * time.Hour},
	{Scenario: Scenario{"guest", "The account that signs in is a guest of the tenant"}, guest: true, roles: []string{}},
	{Scenario: Scenario{"no-role", "The account holds no directory role, and members may not register apps"}, roles: []string{}, closedRegistration: true},
	{
		Scenario: Scenario{"app-admin", "The account is Application Administrator only"},
		roles:    []string{catalog.RoleApplicationAdministrator},
	},
	{
		Scenario: Scenario{"no-mfa", "The account signs in without multifactor authentication; owner@ is an administrator who uses it"},
		noMFA:    true, setup: setupSecondAdmin,
	},
	{
		Scenario:   Scenario{"api-missing", "Azure Storage and the Office 365 Management APIs are not offered to the tenant"},
		notOffered: []string{catalog.StorageAppID, catalog.ManagementAPIsAppID},
	},
	{
		Scenario: Scenario{"retired-permission", "Microsoft Graph no longer publishes two permissions of the catalogue"},
		retired:  retiredPermissions,
	},
	{
		Scenario:   Scenario{"odd-names", "Names with control sequences, right-to-left marks and 256 characters"},
		tenantName: "Contoso \x1b[31mred\x1b[0m \u202egro.osotnoc", setup: setupOddNames,
	},
	{Scenario: Scenario{"small-pages", "Lists come in small pages, some of them empty"}, pageSize: 3, setup: setupSmallPages},
	{Scenario: Scenario{"device-code-blocked", "Conditional Access blocks the device code flow"}, deviceBlocked: true},
	{Scenario: Scenario{"security-defaults-block", "Security defaults keep people with device codes out"}, securityDefaults: true, defaultsBlock: true},
	{Scenario: Scenario{"declined", "The person declines the sign-in"}, declines: true},
	{Scenario: Scenario{"wrong-tenant", "The person signs in with a customer's account"}, person: "admin@fabrikam.onmicrosoft.com"},
	{
		Scenario: Scenario{"eligible-role", "The account could activate Global Administrator, but has not"},
		roles:    []string{}, setup: setupEligible,
	},
	{
		Scenario: Scenario{"step-up", "A policy changes at the third write: the person has to sign in again"},
		events:   []Fault{{Match: Match{Path: graphPaths}, Nth: 3, Do: eventStepUp}},
	},
	{
		Scenario: Scenario{"revoked", "An administrator revokes the session at the third write"},
		events:   []Fault{{Match: Match{Path: graphPaths}, Nth: 3, Do: eventRevoked}},
	},
	{Scenario: Scenario{"reader-app", "An app with a secret, Contoso reporting, may read the directory by itself"}, setup: setupReader},
	{Scenario: Scenario{"gcc-high", "The tenant is in the US Government cloud"}, cloud: "usgov"},
	{
		Scenario: Scenario{"connector-ready", "The vendor's connector is there with all its stock permissions"},
		setup:    func(c *Cloud, t *tenant) { c.connector(t, catalog.Stock, nil) },
	},
	{
		Scenario: Scenario{"connector-partial", "The vendor's connector is there, but permissions are missing"},
		setup: func(c *Cloud, t *tenant) {
			n := 0
			c.connector(t, catalog.Stock, func(catalog.Permission) bool { n++; return n%7 == 0 })
		},
	},
	{Scenario: Scenario{"clock-skew", "The services' clock is two hours ahead of this computer's"}, clockOffset: 2 * time.Hour},
	{Scenario: Scenario{"no-p1", "The tenant has no Entra ID P1: no Conditional Access, no role-assignable groups"}, licence: businessStandard},
	{Scenario: Scenario{"security-defaults", "Security defaults are on; there is no Conditional Access policy"}, securityDefaults: true},
	{Scenario: Scenario{"policies", "Five Conditional Access policies, four of which would break the service account's sign-in"}, setup: setupPolicies},
	{Scenario: Scenario{"legacy-apps", "The vendor's apps from before the bundle are still in the tenant"}, setup: setupLegacyApps},
	{Scenario: Scenario{"not-admin-agent", "The account is Global Administrator but not in AdminAgents"}, notAgent: true},
	{Scenario: Scenario{"indirect-reseller", "The partner sells through an indirect provider, who holds the relation to the customers"}, indirect: true},
	{Scenario: Scenario{"guest-elsewhere", "The account is also a guest in the first customer's tenant"}, setup: setupGuestElsewhere},
	{Scenario: Scenario{"no-subscription", "There is no Azure subscription the account can see"}, noSubscription: true},
	{Scenario: Scenario{"no-vault", "There is an Azure subscription, but no key vault in it"}, noVault: true},
	{Scenario: Scenario{"provider-missing", "There is no key vault, and the subscription is not registered for Microsoft.KeyVault"}, noVault: true, providerMissing: true},
	{Scenario: Scenario{"vault-name-deleted", "There is no key vault, and rewst-contoso is the name of one that was deleted"}, noVault: true, setup: setupVaultDeleted},
	{Scenario: Scenario{"vault-name-taken", "There is no key vault, and a stranger's is called rewst-contoso"}, noVault: true, vaultsElsewhere: []string{clientVault}},
	{Scenario: Scenario{"azure-reader", "The account only reads the Azure subscription; owner@ owns it"}, noVault: true, setup: setupAzureReader},
	{Scenario: Scenario{"azure-policy", "There is no key vault, and a policy of the Azure subscription keeps them out"}, noVault: true, vaultPolicy: true},
	{Scenario: Scenario{"no-exchange", "The tenant has no Exchange Online plan"}, licence: mobilityE5},
	{Scenario: Scenario{"empty-tenant", "A partner tenant whose Azure subscription is empty and not registered for Microsoft.KeyVault"}, noVault: true, noGroup: true, providerMissing: true},
	{Scenario: Scenario{"slow-directory", "Writes take their documented time to be seen everywhere"}, realistic: true},
}, slices.Concat(accountScenarios, gdapScenarios, traceScenarios, customerScenarios)...)

// retiredPermissions is one name of two permissions, delegated and application,
// so that both lists lose an entry.
var retiredPermissions = []string{"AccessReview.Read.All"}

// Scenarios lists the worlds there are, sorted by name.
func Scenarios() []Scenario {
	var all []Scenario
	for _, s := range scenarios {
		all = append(all, s.Scenario)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

func scenarioByName(name string) (scenario, error) {
	for _, s := range scenarios {
		if s.Name == name {
			return s, nil
		}
	}
	return scenario{}, fmt.Errorf("scenario: %q is not known", name)
}

// foreignApp is an app of somebody else in the tenant: without our tag.
func (c *Cloud) foreignApp(t *tenant, name string, changes object) *entity {
	appID := namedGUID(fmt.Sprint(t.id, " app ", name, len(t.tables[kindApplication])))
	owner := t.userNamed("megan@" + t.domain).id
	data := with(blankApplication(), object{
		"_owners": []any{owner}, "appId": appID, "createdDateTime": founded, "displayName": name,
		"publisherDomain": t.domain, "signInAudience": "AzureADMyOrg",
	})
	return c.add(t, kindApplication, namedGUID("object "+appID), with(data, changes), true)
}

// appPrincipal is the service principal of an app of the tenant itself.
func (c *Cloud) appPrincipal(t *tenant, app *entity) *entity {
	return c.add(t, kindPrincipal, namedGUID("principal "+app.id), principalOfApp(t, app.read(c.master()), nil), true)
}

func (c *Cloud) grantScopes(t *tenant, client, resource *entity, scopes ...string) {
	slices.Sort(scopes)
	c.add(t, kindGrant, grantID(client.id, resource.id, "AllPrincipals"), object{
		"clientId": client.id, "consentType": "AllPrincipals", "principalId": nil, "resourceId": resource.id, "scope": strings.Join(scopes, " "),
	}, true)
}

func (c *Cloud) assignRole(t *tenant, client, resource *entity, roleID string) {
	c.assign(t, grantID(client.id, resource.id, roleID), assignment(c.master(), client, resource, roleID, founded), true)
}

func setupAdopt(c *Cloud, t *tenant) {
	graph := t.principalOf(c.master(), catalog.GraphAppID)
	permission := func(p catalog.Permission) any {
		return object{"id": p.ID, "type": p.Kind.ManifestType()}
	}
	var access, scopes []any
	var names []string
	for _, p := range catalog.Permissions() {
		if p.Resource == catalog.GraphAppID && p.Tier == catalog.Minimum {
			access = append(access, permission(p))
			if p.Kind == catalog.Delegated {
				names = append(names, p.Name)
			}
		}
	}
	extra := scopeNamed(graph.read(c.master()), "Printer.Read.All")
	access = append(access, object{"id": extra, "type": "Scope"})
	lookAlike := catalog.LookAlikes()[0].AppID
	scopes = append(scopes, object{"id": scopeNamed(t.known[lookAlike].principal, "user_impersonation"), "type": "Scope"})
	app := c.foreignApp(t, "Fabrikam automation", object{
		"requiredResourceAccess": []any{
			object{"resourceAppId": catalog.GraphAppID, "resourceAccess": access},
			object{"resourceAppId": lookAlike, "resourceAccess": scopes},
		},
		"web": with(blankWeb(), object{"redirectUris": []any{"https://automation.fabrikam.com/callback", "https://engine.rewst.io/integrations/bundles/microsoft_cloud/callback"}}),
	})
	c.add(t, kindPassword, namedGUID("adopt key"), object{
		"_app": app.id, "_secret": c.secretText(), "customKeyIdentifier": nil, "displayName": "made by Fabrikam", "hint": "f4B",
		"startDateTime": founded, "endDateTime": "2099-03-01T08:00:00Z",
	}, true)
	principal := c.appPrincipal(t, app)
	c.grantScopes(t, principal, graph, append(names, "Printer.Read.All")...)
	c.assignRole(t, principal, graph, roleNamed(graph.read(c.master()), "User.ReadWrite.All"))
}

// scopeNamed and roleNamed find the id of a permission an API publishes.
func scopeNamed(principal object, value string) string {
	return publishedID(principal["oauth2PermissionScopes"], value)
}

func roleNamed(principal object, value string) string {
	return publishedID(principal["appRoles"], value)
}

func publishedID(published any, value string) string {
	entries, _ := published.([]any)
	for _, p := range entries {
		if o := p.(object); strings.EqualFold(str(o, "value"), value) {
			return str(o, "id")
		}
	}
	return ""
}

func setupOddNames(c *Cloud, t *tenant) {
	for _, name := range []string{
		"\x1b]0;owned\x07Rewst Integration", "Rewst\u200b Integration", "\u202enoitargetnI tsweR", "=HYPERLINK(\"https://example.com\")",
		"<b>Rewst</b> & Söhne", strings.Repeat("Ж", 256), "O'Brien's app", "two\nlines\tand a tab",
	} {
		c.appPrincipal(t, c.foreignApp(t, name, nil))
	}
}

func setupSmallPages(c *Cloud, t *tenant) {
	for _, group := range t.all(c.master(), kindResourceGroup) {
		for i := range 4 {
			c.addVault(t, group.id, fmt.Sprintf("line-of-business-%d", i+1))
		}
	}
	for i := range 11 {
		c.appPrincipal(t, c.foreignApp(t, fmt.Sprintf("Line of business app %d", i+1), nil))
	}
}

// setupLegacyApps puts the vendor's older enterprise apps into the tenant.
func setupLegacyApps(c *Cloud, t *tenant) {
	for _, app := range legacyApps {
		t.provision(c, app.id)
	}
}

// connector puts the vendor's enterprise app into the tenant with the
// permissions up to a tier, without those left out.
func (c *Cloud) connector(t *tenant, upTo catalog.Tier, leaveOut func(catalog.Permission) bool) {
	principal := t.provision(c, catalog.VendorConnector)
	scopes := map[string][]string{}
	for _, p := range catalog.Permissions() {
		resource := t.principalOf(c.master(), p.Resource)
		if resource == nil && p.Resource == catalog.ManagementAPIsAppID {
			resource = t.provision(c, p.Resource)
		}
		if resource == nil || p.Tier > upTo || leaveOut != nil && leaveOut(p) {
			continue
		}
		if p.Kind == catalog.Delegated {
			scopes[p.Resource] = append(scopes[p.Resource], p.Name)
		} else {
			c.assignRole(t, principal, resource, p.ID)
		}
	}
	for _, r := range catalog.Resources() {
		if len(scopes[r.AppID]) > 0 {
			c.grantScopes(t, principal, t.principalOf(c.master(), r.AppID), scopes[r.AppID]...)
		}
	}
}
