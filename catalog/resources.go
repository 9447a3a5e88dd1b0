package catalog

// App ids of the APIs (resources) that permissions belong to.
// Source: https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in
// and the vendor's owned-app guide.
const (
	GraphAppID          = "00000003-0000-0000-c000-000000000000"
	ExchangeAppID       = "00000002-0000-0ff1-ce00-000000000000"
	PartnerCenterAppID  = "fa3d9a0c-3fb0-42cc-9193-47c7ecd2edbd"
	ServiceMgmtAppID    = "797f4846-ba00-4fd7-ba43-dac1f8f63013"
	KeyVaultAppID       = "cfa8b339-82a2-471a-a3c9-0fc0be7a4093"
	StorageAppID        = "e406a681-f3d4-42a8-90b6-c2b029497af1"
	ManagementAPIsAppID = "c5393580-f805-4401-95e8-94b7a6ef2fc2"
)

// Resource is an API whose permissions the bundle asks for.
type Resource struct {
	AppID       string
	Name        string
	Prefix      string // how setup.yaml names it: "exchange:Exchange.ManageAsApp"
	Integration string // the integration that brings it in
}

// LookAlike is an API that is easily taken for the one that is meant. An app
// registration that names it does not work; the vendor's guide warns of it.
type LookAlike struct {
	AppID string
	Name  string
	Meant string // app id of the resource to use instead
}

var resources = []Resource{
	{GraphAppID, "Microsoft Graph", "graph", Graph},
	{ExchangeAppID, "Office 365 Exchange Online", "exchange", Exchange},
	{PartnerCenterAppID, "Microsoft Partner Center", "csp", CSP},
	{ServiceMgmtAppID, "Azure Service Management", "azure", Azure},
	{KeyVaultAppID, "Azure Key Vault", "keyvault", Azure},
	{StorageAppID, "Azure Storage", "storage", Azure},
	{ManagementAPIsAppID, "Office 365 Management APIs", "subscriptions", Subscriptions},
}

var lookAlikes = []LookAlike{
	{"fabfbdc4-5751-471c-ac43-3826fa1afc31", "Microsoft Partner Center", PartnerCenterAppID},
	{"4990cffe-04e8-4e8b-808a-1175604b879f", "Microsoft Partner", PartnerCenterAppID},
}

// Resources lists the APIs in the order they are shown.
func Resources() []Resource { return append([]Resource(nil), resources...) }

// LookAlikes lists the APIs that are mistaken for the right ones.
func LookAlikes() []LookAlike { return append([]LookAlike(nil), lookAlikes...) }

// ResourceByAppID finds an API by its app id.
func ResourceByAppID(appID string) (Resource, bool) {
	for _, r := range resources {
		if r.AppID == appID {
			return r, true
		}
	}
	return Resource{}, false
}

// ResourceByPrefix finds an API by the prefix setup.yaml uses for it.
func ResourceByPrefix(prefix string) (Resource, bool) {
	for _, r := range resources {
		if r.Prefix == prefix {
			return r, true
		}
	}
	return Resource{}, false
}

// LookAlikeByAppID tells whether an app id is one of the look-alikes.
func LookAlikeByAppID(appID string) (LookAlike, bool) {
	for _, l := range lookAlikes {
		if l.AppID == appID {
			return l, true
		}
	}
	return LookAlike{}, false
}
