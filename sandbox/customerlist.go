package sandbox

import (
	"encoding/csv"
	"net/http"
	"strings"
)

// clientOf is a customer of a scenario, and the organisation a person would map it
// to. The two are often not called the same.
type clientOf struct {
	name         string // as Microsoft has it
	domain       string // its own, and the default; "" for none but the initial one
	organization string // its name in Rewst; "" when it has none there
	site         string // domain of the organisation; mostly nobody entered one
	trouble      trouble
}

// trouble is what stands in the way of consent at a customer.
type trouble int

const (
	noTrouble    trouble = iota
	hourly               // a policy makes people sign in again every hour: a program cannot
	blocked              // a policy keeps service providers out
	unassigned           // nobody at the partner was given Application Administrator
	terminated           // the relationship has ended
	unrelated            // there never was one
	migratedOnly         // Microsoft's own relationship is the only one
)

// mixedClients are the customers of customers-mixed: names as they are found in
// the two directories, with near-duplicates on either side. Rewst knows 44 of the
// 60, and straySites besides.
var mixedClients = []clientOf{
	{name: "Fabrikam", domain: "fabrikam.com", organization: "Fabrikam"},
	{name: "Fabrikam Residences", domain: "fabrikamresidences.com", organization: "Fabrikam Residences LLC"},
	{name: "Fabrikam Fiber Ltd", domain: "fabrikamfiber.com", organization: "Fabrikam Fibre"},
	{name: "Northwind Traders", domain: "northwindtraders.com", organization: "Northwind Traders, Inc.", site: "northwindtraders.com"},
	{name: "Northwind Electric Cars", domain: "northwindcars.com", organization: "Northwind Electric"},
	{name: "Adventure Works Cycles GmbH", domain: "adventure-works.com", organization: "AdventureWorks"},
	{name: "Adventure Works Travel", domain: "adventureworkstravel.com", organization: "Travel - Adventure Works"},
	{name: "Tailspin Toys", domain: "tailspintoys.com", organization: "Tailspin Toys"},
	{name: "Tailspin Toys (Canada)", domain: "tailspintoys.ca", organization: "Tailspin Toys Canada"},
	{name: "Wingtip Toys", domain: "wingtiptoys.com", organization: "Wingtip Toys Pty Ltd"},
	{name: "Litware, Inc.", domain: "litwareinc.com", organization: "Litware", site: "litwareinc.com"},
	{name: "Litware Insurance", domain: "litwareinsurance.com", organization: "LitWare Insurance Agency"},
	{name: "Proseware, Inc.", domain: "proseware.com", organization: "PROSEWARE"},
	{name: "Woodgrove Bank", domain: "woodgrovebank.com", organization: "Woodgrove Bank"},
	{name: "Woodgrove Bank North", organization: "Woodgrove Bank (North)"},
	{name: "Woodgrove Bank South", organization: "Woodgrove Bank (South)"},
	{name: "Lucerne Publishing", domain: "lucernepublishing.com", organization: "Lucerne Publ. AG", trouble: terminated},
	{name: "Nod Publishers", domain: "nodpublishers.com", organization: "Nod Publishers"},
	{name: "Trey Research", domain: "treyresearch.net", organization: "Trey Research", trouble: unassigned},
	{name: "Coho Winery", domain: "cohowinery.com", organization: "Coho Winery"},
	{name: "Coho Vineyard", domain: "cohovineyard.com", organization: "Coho Vineyards"},
	{name: "Coho Vineyard & Winery", domain: "cohovineyardandwinery.com", organization: "Coho Vineyard and Winery"},
	{name: "Humongous Insurance", domain: "humongousinsurance.com", organization: "Humongous Insurance Co.", trouble: blocked},
	{name: "Graphic Design Institute", domain: "graphicdesigninstitute.com", organization: "Institute of Graphic Design"},
	{name: "School of Fine Art", domain: "fineartschool.net", organization: "School of Fine Arts", site: "fineartschool.net"},
	{name: "Southridge Video", domain: "southridgevideo.com", organization: "Southridge Video Production"},
	{name: "VanArsdel, Ltd.", domain: "vanarsdelltd.com", organization: "Van Arsdel", trouble: hourly},
	{name: "Wide World Importers", domain: "wideworldimporters.com", organization: "WWI", site: "wideworldimporters.com"},
	{name: "A. Datum Corporation", domain: "adatum.com", organization: "Adatum Corp"},
	{name: "Blue Yonder Airlines", domain: "blueyonderairlines.com", organization: "Blue Yonder Airlnes"},
	{name: "City Power & Light", domain: "cpandl.com", organization: "City Power and Light"},
	{name: "Consolidated Messenger", domain: "consolidatedmessenger.com", organization: "Consolidated Msgr", site: "www.consolidatedmessenger.com"},
	{name: "Fourth Coffee", domain: "fourthcoffee.com", organization: "4th Coffee"},
	{name: "Margie's Travel", domain: "margiestravel.com", organization: "Margies Travel", trouble: hourly},
	{name: "The Phone Company", domain: "thephone-company.com", organization: "Phone Company, The"},
	{name: "Relecloud", domain: "relecloud.com", organization: "RELECLOUD S.A."},
	{name: "Alpine Ski House", domain: "alpineskihouse.com", organization: "Alpine Skihouse"},
	{name: "Bellows College", domain: "bellowscollege.com", organization: "Bellows Coll."},
	{name: "Best For You Organics Company", domain: "bestforyouorganics.com", organization: "Best4You Organics", site: "bestforyouorganics.com"},
	{name: "First Up Consultants", domain: "firstupconsultants.com", organization: "First Up Consulting"},
	{name: "Lamna Healthcare Company", domain: "lamnahealthcare.com", organization: "Lamna Health Care"},
	{name: "Liberty's Delightful Sinful Bakery & Cafe", domain: "libertysbakery.com", organization: "Liberty’s Delightful Sinful Bakery & Café", trouble: hourly},
	{name: "Munson's Pickles and Preserves Farm", domain: "munsonspickles.com", organization: "Munsons Pickles & Preserves Farm"},
	{name: "Tailwind Traders", domain: "tailwindtraders.com", organization: "Tailwind Traders"},
	{name: "Parnell Aerospace", domain: "parnellaerospace.com"},
	{name: "ProElectron, Inc.", domain: "proelectron.com"},
	{name: "The Volcano Coffee Company", domain: "volcanocoffee.com"},
	{name: "Baldwin Museum of Science", domain: "baldwinmuseumofscience.com", trouble: hourly},
	{name: "Boulder Innovations"},
	{name: "Fincher Architects", domain: "fincherarchitects.com"},
	{name: "Terra Firm", domain: "terrafirm.com"},
	{name: "Proseware Marketing", domain: "prosewaremarketing.com"},
	{name: "Woodgrove Financial Services"},
	{name: "Relecloud Hosting B.V.", domain: "relecloudhosting.nl"},
	{name: "Wingtip Games", domain: "wingtipgames.com"},
	{name: "Trey Research Labs", domain: "treyresearchlabs.com"},
	{name: "Nordwind Händler GmbH", domain: "nordwindhaendler.de"},
	{name: "Blue Yonder Charter", domain: "blueyondercharter.com"},
	{name: "Lucerne Print", domain: "lucerneprint.com"},
	{name: "Alpine Ski School", domain: "alpineskischool.com"},
}

// straySites are organisations of no customer: what an MSP has there besides.
var straySites = []string{"Contoso", "Contoso Internal", "Sandbox - do not use", "Humongous Inc", "Datum Analytics", "Woodgrove Bank East"}

// oddClients have names that do harm where they are shown or written carelessly.
var oddClients = []clientOf{
	{name: "Fabrikam", organization: "Fabrikam"},
	{name: "\x1b]0;owned\x07\x1b[31mNorthwind\x1b[0m Traders", organization: "Northwind Traders"},
	{name: `=cmd|' /C calc'!A0`, organization: `=cmd|' /C calc'!A0`},
	{name: `+HYPERLINK("https://example.com","Litware")`, organization: `@SUM(1+1)*cmd|' /C calc'!A0`},
	{name: "-2+3 Tailspin Toys", organization: "\tTailspin Toys"},
	{name: strings.Repeat("Adventure Works ", 13)[:200], organization: strings.Repeat("Adventure Works ", 13)[:200]},
	{name: "\u202eskroW erutnevdA\u202c", organization: "שירותי ענן רלקלאוד"},
	{name: "שירותי ענן רלקלאוד"},
	{name: "Wingtip 🧸🏳️‍🌈 Toys", organization: "Wingtip Toys"},
	{name: "Woodgrove\u200b Bank", organization: "Woodgrove Bank"},
	{name: "two\r\nlines, a \"quote\"; and a\ttab", organization: `two lines, a "quote"`},
	{name: "<b>Proseware</b> & Söhne", organization: "Proseware & Söhne"},
	{name: "東京コントソ株式会社", organization: "東京コントソ"},
	{name: "Z̸a̸l̸g̸o̸ Coffee", organization: "Zalgo Coffee"},
}

// Organizations are the customers' places in Rewst as a table that it exports and
// imports. Customers a scenario says nothing of are called the same there.
func (c *Cloud) Organizations() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var text strings.Builder
	w := csv.NewWriter(&text)
	managing := namedGUID("organization " + c.order[0].name)
	row := func(name, site string) {
		_ = w.Write([]string{name, managing, site, slug(name), "true", "managed"})
	}
	_ = w.Write([]string{"organizationName", "managingOrgId", "domain", "orgSlug", "isEnabled", "tagNames"})
	list := c.scenario.clients
	for i, t := range c.order[1:] {
		switch {
		case list == nil:
			row(t.name, t.vanity())
		case i < len(list) && list[i].organization != "":
			row(list[i].organization, list[i].site)
		}
	}
	if list != nil {
		for _, name := range straySites {
			row(name, "")
		}
	}
	w.Flush() // a builder takes everything
	return text.String()
}

// slug is a name as it stands in an address.
func slug(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	return strings.Join(words, "-")
}

func (c *Cloud) sendOrganizations(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="organizations.csv"`)
	_, _ = w.Write([]byte(c.Organizations()))
}
