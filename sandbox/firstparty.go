package sandbox

import (
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"

	"msbundle/catalog"
)

// App ids of Microsoft's own apps the world knows besides those in the catalog.
// https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in
const (
	directoryAppID   = "00000002-0000-0000-c000-000000000000"
	sharePointAppID  = "00000003-0000-0ff1-ce00-000000000000"
	teamsAdminAppID  = "48ac35b8-9aa8-4d74-927d-1f4a14a0b239"
	defenderAppID    = "fc780465-2017-40d4-a0c5-307022471b92"
	azureCLI         = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
	azurePowerShell  = "1950a258-227b-4e31-a9cf-717495945fc2"
	exchangeShell    = "fb78d390-0c51-40cd-8e17-fdbfab77341b"
	microsoftTenant  = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
	vendorTenantName = "Rewst"
)

// legacyApps are what the vendor used before its bundle.
var legacyApps = []struct{ id, name string }{
	{"06bfda05-2d5e-4b3b-ac5d-79f07e402973", "Rewst Prod"},
	{"9359814a-7403-4af9-9113-d5c8cab020ed", "Rewst CSP Connector"},
	{"c19d36e8-6537-4998-9872-ea8b962bd0b6", "Rewst Azure Integration"},
}

// knownApp is an app that exists outside the simulated tenants: Microsoft's own
// and the vendor's. A tenant can have a service principal of it.
type knownApp struct {
	appID     string
	name      string
	owner     string   // tenant that owns it
	uris      []string // what a scope can call the API, besides its app id
	roles     []any    // as in servicePrincipal.appRoles
	scopes    []any    // as in servicePrincipal.oauth2PermissionScopes
	principal object   // its service principal, the same in every tenant
	// preauthorized: delegated scopes it has everywhere without consent, by API.
	// A public client has a non-nil map.
	preauthorized map[string][]string
	dynamic       bool // may ask Microsoft Graph for any scope, by consent

	roleByID map[string]permission // of its roles
	// Its roles and scopes as they are sent: an API publishes hundreds.
	texts map[string]json.RawMessage
}

// permission is one that an API publishes.
type permission struct{ id, value string }

//go:embed data/graph-permissions.csv
var moreGraphPermissions string

// userConsentable are delegated Graph scopes that do not need an administrator.
// https://learn.microsoft.com/graph/permissions-reference
var userConsentable = []string{
	"openid", "profile", "email", "offline_access", "User.Read", "User.ReadWrite", "User.ReadBasic.All",
	"Mail.Read", "Mail.ReadBasic", "Mail.ReadWrite", "Mail.Send", "Mail.Read.Shared", "Mail.ReadWrite.Shared", "Mail.Send.Shared",
	"Calendars.Read", "Calendars.ReadWrite", "Calendars.Read.Shared", "Calendars.ReadWrite.Shared", "MailboxSettings.Read", "MailboxSettings.ReadWrite",
	"Contacts.Read", "Contacts.ReadWrite", "Contacts.Read.Shared", "Contacts.ReadWrite.Shared", "People.Read",
	"Files.Read", "Files.Read.All", "Files.ReadWrite", "Files.ReadWrite.All", "Sites.Read.All", "Sites.ReadWrite.All",
	"Tasks.Read", "Tasks.ReadWrite", "Notes.Read", "Notes.ReadWrite", "Notes.Create", "Presence.Read", "Presence.Read.All",
	"Chat.Read", "Chat.ReadBasic", "Chat.ReadWrite", "Chat.Create", "ChatMessage.Read", "ChatMessage.Send", "Team.ReadBasic.All",
	"Channel.ReadBasic.All", "ChannelMessage.Send", "Bookings.Read.All", "OnlineMeetings.Read", "OnlineMeetings.ReadWrite",
	"UserActivity.ReadWrite.CreatedByApp", "IMAP.AccessAsUser.All", "POP.AccessAsUser.All", "SMTP.Send",
}

// knownApps builds the apps of the outside world. retired permissions are left
// out of what the APIs publish.
func knownApps(retired []string) map[string]*knownApp {
	apps := map[string]*knownApp{}
	api := func(appID, name string, uris ...string) *knownApp {
		a := &knownApp{appID: appID, name: name, owner: microsoftTenant, uris: uris}
		apps[appID] = a
		return a
	}
	graph := api(catalog.GraphAppID, "Microsoft Graph")
	for _, c := range catalog.Clouds() {
		graph.uris = append(graph.uris, "https://"+c.Graph)
	}
	api(directoryAppID, "Windows Azure Active Directory", "https://graph.windows.net")
	api(catalog.ExchangeAppID, "Office 365 Exchange Online", "https://outlook.office365.com", "https://outlook.office.com",
		"https://outlook.office365.us", "https://webmail.apps.mil", "https://partner.outlook.cn")
	api(sharePointAppID, "Office 365 SharePoint Online", "https://microsoft.sharepoint-df.com")
	api(catalog.ServiceMgmtAppID, "Windows Azure Service Management API", "https://management.azure.com", "https://management.core.windows.net",
		"https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net",
		"https://management.chinacloudapi.cn", "https://management.core.chinacloudapi.cn")
	api(catalog.KeyVaultAppID, "Azure Key Vault", "https://vault.azure.net")
	api(catalog.StorageAppID, "Azure Storage", "https://storage.azure.com")
	api(catalog.PartnerCenterAppID, "Microsoft Partner Center", "https://api.partnercenter.microsoft.com", "https://partner.partnercenterapi.microsoftonline.cn")
	api(catalog.ManagementAPIsAppID, "Office 365 Management APIs", "https://manage.office.com")
	api(partnerAdministration, "Partner Customer Delegated Administration", "https://api.partnercustomeradministration.microsoft.com")
	api(teamsAdminAppID, "Skype and Teams Tenant Admin API").scope("user_impersonation", namedGUID("teams user_impersonation"))
	api(defenderAppID, "WindowsDefenderATP", "https://api.securitycenter.microsoft.com").role("Machine.Read.All", namedGUID("defender Machine.Read.All"))
	for _, l := range catalog.LookAlikes() {
		api(l.AppID, l.Name).scope("user_impersonation", namedGUID(l.AppID+" user_impersonation"))
	}
	api(portalAppID, portalName).scope("user_impersonation", namedGUID("portal user_impersonation"))
	publish(apps, retired)

	oidc := []string{"openid", "profile", "email", "offline_access"}
	cli := append([]string{
		"Application.ReadWrite.All", "AppRoleAssignment.ReadWrite.All", "AuditLog.Read.All", "DelegatedPermissionGrant.ReadWrite.All",
		"Directory.AccessAsUser.All", "Group.ReadWrite.All", "User.Read.All",
	}, oidc...)
	impersonate := func(graph []string) map[string][]string {
		m := map[string][]string{catalog.GraphAppID: graph}
		for _, id := range []string{catalog.PartnerCenterAppID, catalog.ServiceMgmtAppID, catalog.KeyVaultAppID, catalog.ExchangeAppID, portalAppID} {
			m[id] = []string{"user_impersonation"}
		}
		return m
	}
	client := func(appID, name string, scopes map[string][]string) *knownApp {
		a := api(appID, name)
		a.preauthorized = scopes
		return a
	}
	client(azureCLI, "Microsoft Azure CLI", impersonate(append([]string{"User.ReadWrite.All"}, cli...)))
	client(azurePowerShell, "Microsoft Azure PowerShell", impersonate(cli))
	client(exchangeShell, "Microsoft Exchange REST API Based Powershell", map[string][]string{catalog.ExchangeAppID: {"AdminApi.AccessAsUser.All"}})
	client(catalog.GraphCommandLineTools, "Microsoft Graph Command Line Tools",
		map[string][]string{catalog.GraphAppID: append([]string{"User.Read"}, oidc...)}).dynamic = true

	apps[catalog.VendorConnector] = &knownApp{
		appID: catalog.VendorConnector, name: catalog.VendorConnectorName, owner: namedGUID("tenant " + vendorTenantName),
	}
	for _, l := range legacyApps {
		apps[l.id] = &knownApp{appID: l.id, name: l.name, owner: namedGUID("tenant " + vendorTenantName)}
	}
	for _, a := range apps {
		a.principal = a.servicePrincipal()
		a.texts = map[string]json.RawMessage{"appRoles": encode(nil, list(a.roles)), "oauth2PermissionScopes": encode(nil, list(a.scopes))}
	}
	return apps
}

// publish fills in the permissions of the APIs: everything the catalog names,
// and some of Graph's that the vendor has no use for.
func publish(apps map[string]*knownApp, retired []string) {
	for _, p := range catalog.Permissions() {
		if slices.Contains(retired, p.Name) && p.Resource == catalog.GraphAppID {
			continue
		}
		apps[p.Resource].publish(p.Name, p.ID, p.Kind)
	}
	rows, err := csv.NewReader(strings.NewReader(moreGraphPermissions)).ReadAll()
	if err != nil {
		panic("sandbox: embedded Graph permissions: " + err.Error())
	}
	for _, row := range rows[1:] {
		apps[catalog.GraphAppID].publish(row[1], row[0], catalog.Kind(row[2]))
	}
	apps[catalog.ExchangeAppID].scope("user_impersonation", namedGUID("exchange user_impersonation"))
	apps[catalog.ExchangeAppID].scope("AdminApi.AccessAsUser.All", namedGUID("exchange AdminApi.AccessAsUser.All"))
	apps[directoryAppID].scope("User.Read", "311a71cc-e848-46a1-bdf8-97ff7156d8e6")
	apps[sharePointAppID].scope("AllSites.Read", namedGUID("sharepoint AllSites.Read"))
}

func (a *knownApp) publish(name, id string, kind catalog.Kind) {
	if kind == catalog.Application {
		a.role(name, id)
	} else {
		a.scope(name, id)
	}
}

func (a *knownApp) role(value, id string) {
	text := describe(value)
	if a.roleByID == nil {
		a.roleByID = map[string]permission{}
	}
	a.roleByID[strings.ToLower(id)] = permission{strings.ToLower(id), value}
	a.roles = append(a.roles, object{
		"allowedMemberTypes": []any{"Application"}, "description": "Allows the app to " + lowerFirst(text) + " without a signed-in user.",
		"displayName": text, "id": id, "isEnabled": true, "origin": "Application", "value": value,
	})
}

func (a *knownApp) scope(value, id string) {
	text, kind := describe(value), "Admin"
	if slices.Contains(userConsentable, value) || value == "user_impersonation" {
		kind = "User"
	}
	a.scopes = append(a.scopes, object{
		"adminConsentDescription": "Allows the app to " + lowerFirst(text) + " on behalf of the signed-in user.", "adminConsentDisplayName": text,
		"id": id, "isEnabled": true, "origin": "Application", "type": kind,
		"userConsentDescription": "Allows the app to " + lowerFirst(text) + " on your behalf.", "userConsentDisplayName": text, "value": value,
	})
}

// describe says a permission's name in words, much as the published texts do.
func describe(value string) string {
	parts := strings.Split(value, ".")
	if len(parts) == 1 {
		return "Use " + strings.ReplaceAll(value, "_", " ")
	}
	verb := map[string]string{"Read": "Read", "ReadWrite": "Read and write", "ReadBasic": "Read basic"}[parts[1]]
	if verb == "" {
		verb = parts[1]
	}
	for _, extra := range parts[2:] {
		if extra == "All" {
			verb += " all"
		}
	}
	return verb + " " + parts[0] + " data"
}

func lowerFirst(s string) string { return strings.ToLower(s[:1]) + s[1:] }

// servicePrincipal is what a tenant gets when the app is provisioned there.
func (a *knownApp) servicePrincipal() object {
	names := []any{a.appID}
	for _, u := range a.uris {
		names = append(names, u)
	}
	return with(blankPrincipal(), object{
		"appDisplayName": a.name, "appId": a.appID, "appOwnerOrganizationId": a.owner, "appRoles": list(a.roles),
		"displayName": a.name, "oauth2PermissionScopes": list(a.scopes), "servicePrincipalNames": names,
		"signInAudience": "AzureADMultipleOrgs",
	})
}

// list is an array even when there is nothing in it: the services send [] and
// never null for a collection.
func list(items []any) []any {
	if items == nil {
		return []any{}
	}
	return items
}

// answersTo tells whether a resource as written in a scope means this API.
func (a *knownApp) answersTo(resource string) bool {
	resource = strings.TrimSuffix(resource, "/")
	if strings.EqualFold(resource, a.appID) || strings.EqualFold(resource, "api://"+a.appID) {
		return true
	}
	return slices.ContainsFunc(a.uris, func(u string) bool { return strings.EqualFold(u, resource) })
}

// scopeType is "User" or "Admin" for a scope an API publishes, "" for others.
func scopeType(published []any, value string) string {
	for _, s := range published {
		if o := s.(object); strings.EqualFold(str(o, "value"), value) && o["isEnabled"] == true {
			return str(o, "type")
		}
	}
	return ""
}
