package catalog

// Integration ids as they are written in setup.yaml.
const (
	Graph         = "graph"
	Exchange      = "exchange"
	CSP           = "csp"
	Azure         = "azure"
	Subscriptions = "subscriptions"
)

// Integration is one part of the vendor's bundle that a person can choose.
type Integration struct {
	ID       string
	Name     string
	Required bool   // always chosen, cannot be left out
	Gives    string // what choosing it makes possible
	Needs    string // what has to be there for it; empty when nothing beyond the tenant
}

var integrations = []Integration{
	{
		ID: Graph, Name: "Microsoft Graph", Required: true,
		Gives: "Users, groups, devices, mail, Teams and most other actions and triggers.",
	},
	{
		ID: Exchange, Name: "Microsoft Exchange Online",
		Gives: "Exchange cmdlets: mailboxes, permissions, mail flow.",
		Needs: "Exchange Administrator on the account that authorises and, for cmdlets run as the app, on the app.",
	},
	{
		ID: CSP, Name: "Microsoft CSP",
		Gives: "Partner Center, and acting in customer tenants.",
		Needs: "A Microsoft partner (CSP) tenant, an account in AdminAgents, and a multitenant app. Leave it out when customers are set up one by one.",
	},
	{
		ID: Azure, Name: "Microsoft Azure",
		Gives: "Azure resources: virtual machines, networks, storage accounts.",
		Needs: "An Azure subscription with at least one key vault; an empty one will do.",
	},
	{
		ID: Subscriptions, Name: "Subscription triggers",
		Gives: "Triggers fed by the Office 365 Management APIs: activity, data loss prevention and service health events.",
		Needs: "Unified audit logging switched on in the tenant.",
	},
}

// Integrations lists every integration in the order the vendor shows them.
func Integrations() []Integration { return append([]Integration(nil), integrations...) }

// IntegrationByID finds an integration by its id in setup.yaml.
func IntegrationByID(id string) (Integration, bool) {
	for _, i := range integrations {
		if i.ID == id {
			return i, true
		}
	}
	return Integration{}, false
}
