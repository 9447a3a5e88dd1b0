package catalog

// Cloud holds the hosts of one Microsoft cloud.
// https://learn.microsoft.com/graph/deployments
type Cloud struct {
	ID            string
	Name          string
	Login         string // host that signs people in
	Graph         string
	ARM           string
	PartnerCenter string
	Exchange      string
	Portal        string // host of the Entra and Azure portals
	Vendor        bool   // the vendor documents its bundle for this cloud
}

var clouds = []Cloud{
	{
		ID: "global", Name: "Microsoft global cloud",
		Login: "login.microsoftonline.com", Graph: "graph.microsoft.com", ARM: "management.azure.com",
		PartnerCenter: "api.partnercenter.microsoft.com", Exchange: "outlook.office365.com",
		Portal: "entra.microsoft.com", Vendor: true,
	},
	{
		ID: "usgov", Name: "US Government L4 (GCC High)",
		Login: "login.microsoftonline.us", Graph: "graph.microsoft.us", ARM: "management.usgovcloudapi.net",
		PartnerCenter: "api.partnercenter.microsoft.com", Exchange: "outlook.office365.us",
		Portal: "entra.microsoft.us",
	},
	{
		ID: "usgovdod", Name: "US Government L5 (DoD)",
		Login: "login.microsoftonline.us", Graph: "dod-graph.microsoft.us", ARM: "management.usgovcloudapi.net",
		PartnerCenter: "api.partnercenter.microsoft.com", Exchange: "webmail.apps.mil",
		Portal: "entra.microsoft.us",
	},
	{
		ID: "china", Name: "Microsoft cloud operated by 21Vianet",
		Login: "login.partner.microsoftonline.cn", Graph: "microsoftgraph.chinacloudapi.cn", ARM: "management.chinacloudapi.cn",
		PartnerCenter: "partner.partnercenterapi.microsoftonline.cn", Exchange: "partner.outlook.cn",
		Portal: "entra.microsoftonline.cn",
	},
}

// Clouds lists the Microsoft clouds, the global one first.
func Clouds() []Cloud { return append([]Cloud(nil), clouds...) }

// CloudByID finds a cloud by the name --cloud takes.
func CloudByID(id string) (Cloud, bool) {
	for _, c := range clouds {
		if c.ID == id {
			return c, true
		}
	}
	return Cloud{}, false
}
