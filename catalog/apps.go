package catalog

// Apps the setup meets or uses.
const (
	// GraphCommandLineTools is Microsoft's public client "Microsoft Graph
	// Command Line Tools", which an administrator can consent to scope by scope.
	GraphCommandLineTools = "14d82eec-204b-4c2f-b7e8-296a70dab67e"
	// AzureCLI is Microsoft's public client "Microsoft Azure CLI", which has
	// access to Azure Resource Manager and Partner Center everywhere.
	AzureCLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
	// VendorConnector is the vendor's own enterprise app, the alternative to an
	// owned app registration.
	VendorConnector = "2bfb92c3-5845-4776-a1ad-5398acdf285e"
	// VendorConnectorName is what that enterprise app is called in a tenant.
	VendorConnectorName = "Rewst MS Cloud Connector"
)

// OwnTag marks an application and a service principal as made by this program.
const OwnTag = "msbundle"

// PortalTag makes the portal list a service principal under enterprise
// applications.
const PortalTag = "WindowsAzureActiveDirectoryIntegratedApp"

// LegacyApp is an enterprise app of the vendor's from before the bundle.
type LegacyApp struct {
	AppID string
	Name  string
	Still string // what it is still good for; empty when for nothing
}

// LegacyApps lists the vendor's apps a tenant can still hold from an earlier
// integration. The vendor documents what the first two were for; the ids of all
// but the CSP connector come from its users.
func LegacyApps() []LegacyApp {
	return []LegacyApp{
		{"06bfda05-2d5e-4b3b-ac5d-79f07e402973", "Rewst Prod", "signing in to Rewst itself"},
		{"9359814a-7403-4af9-9113-d5c8cab020ed", "Rewst CSP Connector", ""},
		{"c19d36e8-6537-4998-9872-ea8b962bd0b6", "Rewst Azure Integration", ""},
	}
}
