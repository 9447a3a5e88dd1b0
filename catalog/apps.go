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
