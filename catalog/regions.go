package catalog

// Region is one of the vendor's data regions. It decides where the app
// registration sends people back to after they sign in.
type Region struct {
	ID      string // as in setup.yaml
	Name    string
	WebApp  string // where the technician works
	Engine  string // where sign-ins are answered
	Assumed bool   // the callback is inferred: the vendor's guide prints only the US one
}

// Callback is the redirect URI the owned app must carry.
func (r Region) Callback() string {
	return "https://" + r.Engine + "/integrations/bundles/microsoft_cloud/callback"
}

var regions = []Region{
	{ID: "us", Name: "United States", WebApp: "app.rewst.io", Engine: "engine.rewst.io"},
	{ID: "uk", Name: "United Kingdom", WebApp: "app.eu.rewst.io", Engine: "engine.eu.rewst.io", Assumed: true},
	{ID: "de", Name: "Germany", WebApp: "app.rewst.eu", Engine: "engine.rewst.eu", Assumed: true},
	{ID: "au", Name: "Australia", WebApp: "app.rewst.asia", Engine: "engine.rewst.asia", Assumed: true},
}

// Regions lists the vendor's data regions.
func Regions() []Region { return append([]Region(nil), regions...) }

// RegionByID finds a region by its id in setup.yaml.
func RegionByID(id string) (Region, bool) {
	for _, r := range regions {
		if r.ID == id {
			return r, true
		}
	}
	return Region{}, false
}
