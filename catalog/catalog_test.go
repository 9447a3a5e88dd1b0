package catalog

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var guid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

func TestPermissionsTableIsReadWhole(t *testing.T) {
	list, err := parsePermissions(permissionsCSV)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list, Permissions()); diff != "" {
		t.Errorf("Permissions() (-table +got):\n%s", diff)
	}
	keys := map[string]bool{}
	for _, p := range list {
		if keys[p.Key()] {
			t.Errorf("%s is listed twice", p.Key())
		}
		keys[p.Key()] = true
		if p.UsedFor == "" {
			t.Errorf("%s does not say what it is used for", p.Key())
		}
		if !guid.MatchString(p.ID) {
			t.Errorf("%s has the id %q", p.Key(), p.ID)
		}
		if _, ok := IntegrationByID(p.Integration); !ok {
			t.Errorf("%s belongs to integration %q, which is not known", p.Key(), p.Integration)
		}
		if _, ok := ResourceByAppID(p.Resource); !ok {
			t.Errorf("%s belongs to API %q, which is not known", p.Key(), p.Resource)
		}
		if _, mistaken := LookAlikeByAppID(p.Resource); mistaken {
			t.Errorf("%s belongs to a look-alike", p.Key())
		}
		if p.Resource != GraphAppID && p.Note == "" {
			t.Errorf("%s says nothing about where its id comes from", p.Key())
		}
	}
}

// An id names one permission of its API and kind. (The Office 365 Management
// APIs give both kinds of a permission the same id.)
func TestPermissionIDsAreNotShared(t *testing.T) {
	owner := map[string]string{}
	for _, p := range Permissions() {
		key := p.Resource + "/" + p.ID + "/" + string(p.Kind)
		if other, taken := owner[key]; taken {
			t.Errorf("%s and %s have the same id %s", other, p.Key(), p.ID)
		}
		owner[key] = p.Key()
	}
}

func TestTierCounts(t *testing.T) {
	type count struct{ All, Application, Delegated int }
	got := map[string]count{}
	for _, p := range Permissions() {
		for _, tier := range []Tier{Minimum, Recommended, Stock, Optional} {
			if p.Tier > tier {
				continue
			}
			c := got[tier.String()]
			c.All++
			if p.Kind == Application {
				c.Application++
			} else {
				c.Delegated++
			}
			got[tier.String()] = c
		}
	}
	want := map[string]count{
		"minimum": {15, 4, 11}, "recommended": {23, 8, 15}, "stock": {304, 141, 163}, "optional": {320, 147, 173},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("permissions up to each tier (-want +got):\n%s", diff)
	}
}

func TestScopeStringSizes(t *testing.T) {
	for _, tt := range []struct {
		upTo Tier
		want int
		fits bool
	}{{Stock, 3730, true}, {Optional, 3995, false}} {
		var names []string
		for _, p := range Permissions() {
			if p.Resource == GraphAppID && p.Kind == Delegated && p.Tier <= tt.upTo {
				names = append(names, p.Name)
			}
		}
		scope := strings.Join(names, " ")
		if len(scope) != tt.want {
			t.Errorf("Graph's delegated names up to %s: got %d characters, want %d", tt.upTo, len(scope), tt.want)
		}
		if fits := len(scope) <= ScopeCharLimit && 2*len(scope) <= ScopeByteLimit; fits != tt.fits {
			t.Errorf("Graph's delegated names up to %s fit: got %t, want %t", tt.upTo, fits, tt.fits)
		}
	}
	if n := len(Permissions()); n > ManifestPermissionLimit {
		t.Errorf("the table has %d permissions, an application may list %d", n, ManifestPermissionLimit)
	}
}

func TestCoveredBy(t *testing.T) {
	for name, want := range map[string]string{
		"User.Read":                        "User.ReadWrite",
		"User.Read.All":                    "User.ReadWrite.All",
		"Calendars.Read.Shared":            "Calendars.ReadWrite.Shared",
		"User.ReadBasic.All":               "",
		"User.ReadWrite.All":               "",
		"Directory.AccessAsUser.All":       "",
		"openid":                           "",
		"":                                 "",
		"Read.All":                         "", // the first part names what is read
		"X.ReadBasic.Read.All":             "X.ReadBasic.ReadWrite.All",
		"PrivilegedAccess.Read.AzureAD":    "PrivilegedAccess.ReadWrite.AzureAD",
		"Policy.ReadWrite.ConditionalRead": "",
	} {
		if got := CoveredBy(name); got != want {
			t.Errorf("CoveredBy(%q): got %q, want %q", name, got, want)
		}
	}
}

func TestRedundantDelegatedReads(t *testing.T) {
	have := map[string]bool{}
	for _, p := range Permissions() {
		have[p.Key()] = true
	}
	count, saved := 0, 0
	for _, p := range Permissions() {
		wider := p
		wider.Name = CoveredBy(p.Name)
		if p.Kind == Delegated && wider.Name != "" && have[wider.Key()] {
			count++
			saved += len(p.Name) + 1
		}
	}
	if count != 48 || saved != 1058 {
		t.Errorf("redundant delegated reads: got %d worth %d characters, want 48 worth 1058", count, saved)
	}
}

func TestATableErrorNamesItsRow(t *testing.T) {
	row := func(kind, tier, level string) string {
		return fmt.Sprintf("graph,%s,Microsoft Graph,User.Read,e1fe6dd8-ba31-4d61-89e7-88639da4683d,%s,%s,%s,\"own\nprofile\",", GraphAppID, kind, tier, level)
	}
	good := row("delegated", "minimum", "2")
	table := func(rows ...string) string { return permissionColumns + "\n" + strings.Join(rows, "\n") }
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", "permissions table: EOF"},
		{"other columns", "integration,name\n", "permissions table, row 1: columns integration,name"},
		{"unknown tier", table(good, row("delegated", "must", "")), `row 4: unknown tier "must"`},
		{"unknown kind", table(row("scope", "minimum", "")), `row 2: unknown type "scope"`},
		{"level no number", table(good, good, row("delegated", "stock", "high")), `row 6: privilege level "high"`},
		{"level out of range", table(row("delegated", "stock", "5")), `row 2: privilege level "5"`},
		{"column missing", table(good, "graph,x"), "record on line 4: wrong number of fields"},
		{"broken quotes", table(good, `graph,"x`), "line 4"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			list, err := parsePermissions(tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
			if list != nil {
				t.Errorf("got %d permissions beside the error", len(list))
			}
		})
	}
	// A quoted text over two lines counts as two.
	if list, err := parsePermissions(table(good, good)); err != nil || len(list) != 2 {
		t.Errorf("got %d permissions, %v", len(list), err)
	}
}

func TestTierWords(t *testing.T) {
	for _, tier := range []Tier{Minimum, Recommended, Stock, Optional} {
		if got, ok := ParseTier(tier.String()); got != tier || !ok {
			t.Errorf("ParseTier(%q): got %v, %t", tier, got, ok)
		}
	}
	for _, word := range []string{"", "Minimum", "all"} {
		if tier, ok := ParseTier(word); ok {
			t.Errorf("ParseTier(%q): got %v", word, tier)
		}
	}
	if Delegated.ManifestType() != "Scope" || Application.ManifestType() != "Role" {
		t.Errorf("manifest types: got %s, %s", Delegated.ManifestType(), Application.ManifestType())
	}
}

func TestLookAlikes(t *testing.T) {
	want := []LookAlike{
		{"fabfbdc4-5751-471c-ac43-3826fa1afc31", "Microsoft Partner Center", PartnerCenterAppID},
		{"4990cffe-04e8-4e8b-808a-1175604b879f", "Microsoft Partner", PartnerCenterAppID},
	}
	if diff := cmp.Diff(want, LookAlikes()); diff != "" {
		t.Errorf("look-alikes (-want +got):\n%s", diff)
	}
	for _, l := range want {
		if got, ok := LookAlikeByAppID(l.AppID); !ok || got != l {
			t.Errorf("LookAlikeByAppID(%s): got %v, %t", l.AppID, got, ok)
		}
		if _, ok := ResourceByAppID(l.AppID); ok {
			t.Errorf("%s is listed as an API", l.AppID)
		}
	}
	if _, ok := LookAlikeByAppID(PartnerCenterAppID); ok {
		t.Error("Partner Center counts as its own look-alike")
	}
}

func TestResourcesAndIntegrations(t *testing.T) {
	prefixes, used := map[string]bool{}, map[string]bool{}
	for _, r := range Resources() {
		if !guid.MatchString(r.AppID) || prefixes[r.Prefix] {
			t.Errorf("%s: app id %s, prefix %s", r.Name, r.AppID, r.Prefix)
		}
		prefixes[r.Prefix] = true
		if got, ok := ResourceByPrefix(r.Prefix); !ok || got != r {
			t.Errorf("ResourceByPrefix(%q): got %v, %t", r.Prefix, got, ok)
		}
		if got, ok := ResourceByAppID(r.AppID); !ok || got != r {
			t.Errorf("ResourceByAppID(%q): got %v, %t", r.AppID, got, ok)
		}
		if _, ok := IntegrationByID(r.Integration); !ok {
			t.Errorf("%s belongs to integration %q", r.Name, r.Integration)
		}
		used[r.Integration] = true
	}
	for _, i := range Integrations() {
		if !used[i.ID] || i.Name == "" || i.Gives == "" {
			t.Errorf("integration %+v has no API, no name or no use", i)
		}
		if i.Required != (i.ID == Graph) {
			t.Errorf("%s required: got %t", i.ID, i.Required)
		}
	}
	for _, p := range Permissions() {
		if r, _ := ResourceByAppID(p.Resource); r.Integration != p.Integration {
			t.Errorf("%s belongs to integration %s, its API to %s", p.Key(), p.Integration, r.Integration)
		}
	}
	if _, ok := IntegrationByID("teams"); ok {
		t.Error("an unknown integration was found")
	}
	if _, ok := ResourceByPrefix(""); ok {
		t.Error("an unknown prefix was found")
	}
}

func TestRoles(t *testing.T) {
	list, err := parseRoles(rolesCSV)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(list, Roles()); diff != "" {
		t.Errorf("Roles() (-table +got):\n%s", diff)
	}
	var gdap, other []string
	ids := map[string]string{}
	for _, r := range list {
		if r.GDAP {
			gdap = append(gdap, r.Name)
		} else {
			other = append(other, r.Name)
		}
		if !guid.MatchString(r.TemplateID) || r.Purpose == "" || ids[r.TemplateID] != "" {
			t.Errorf("%+v is incomplete or shares its id with %q", r, ids[r.TemplateID])
		}
		ids[r.TemplateID] = r.Name
	}
	if len(gdap) != 12 {
		t.Errorf("got %d GDAP roles, want 12: %v", len(gdap), gdap)
	}
	if diff := cmp.Diff([]string{"Global Administrator"}, other); diff != "" {
		t.Errorf("other roles (-want +got):\n%s", diff)
	}
	for id, want := range map[string]string{
		RoleGlobalAdministrator:         "Global Administrator",
		RoleApplicationAdministrator:    "Application Administrator",
		RolePrivilegedRoleAdministrator: "Privileged Role Administrator",
	} {
		if ids[id] != want {
			t.Errorf("role %s: got %q, want %q", id, ids[id], want)
		}
	}
	for _, text := range []string{"", "name,id\na,b\n", roleColumns + "\nonly one\n"} {
		if list, err := parseRoles(text); err == nil || list != nil {
			t.Errorf("roles table %q: got %v, %v", text, list, err)
		}
	}
}

func TestRegions(t *testing.T) {
	got := map[string]string{}
	for _, r := range Regions() {
		got[r.ID] = r.Callback()
		if found, ok := RegionByID(r.ID); !ok || found != r {
			t.Errorf("RegionByID(%q): got %v, %t", r.ID, found, ok)
		}
		if r.Assumed == (r.ID == "us") {
			t.Errorf("%s: only the US callback is printed in the vendor's guide, assumed is %t", r.ID, r.Assumed)
		}
	}
	want := map[string]string{
		"us": "https://engine.rewst.io/integrations/bundles/microsoft_cloud/callback",
		"uk": "https://engine.eu.rewst.io/integrations/bundles/microsoft_cloud/callback",
		"de": "https://engine.rewst.eu/integrations/bundles/microsoft_cloud/callback",
		"au": "https://engine.rewst.asia/integrations/bundles/microsoft_cloud/callback",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("callbacks (-want +got):\n%s", diff)
	}
	if _, ok := RegionByID("US"); ok {
		t.Error("an unknown region was found")
	}
}

func TestClouds(t *testing.T) {
	type hosts struct{ Login, Graph string }
	got := map[string]hosts{}
	for _, c := range Clouds() {
		got[c.ID] = hosts{c.Login, c.Graph}
		for _, host := range []string{c.Login, c.Graph, c.ARM, c.PartnerCenter, c.Exchange, c.Portal} {
			if host == "" || strings.ContainsAny(host, "/: ") {
				t.Errorf("%s: %q is no host", c.ID, host)
			}
		}
		if c.Vendor != (c.ID == "global") {
			t.Errorf("%s: the vendor documents the global cloud only, got %t", c.ID, c.Vendor)
		}
		if found, ok := CloudByID(c.ID); !ok || found != c {
			t.Errorf("CloudByID(%q): got %v, %t", c.ID, found, ok)
		}
	}
	want := map[string]hosts{
		"global":   {"login.microsoftonline.com", "graph.microsoft.com"},
		"usgov":    {"login.microsoftonline.us", "graph.microsoft.us"},
		"usgovdod": {"login.microsoftonline.us", "dod-graph.microsoft.us"},
		"china":    {"login.partner.microsoftonline.cn", "microsoftgraph.chinacloudapi.cn"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("clouds (-want +got):\n%s", diff)
	}
	if Clouds()[0].ID != "global" {
		t.Errorf("the first cloud is %s", Clouds()[0].ID)
	}
	if _, ok := CloudByID("mars"); ok {
		t.Error("an unknown cloud was found")
	}
}

// Callers may sort or cut what they get.
func TestListsAreCopies(t *testing.T) {
	Clouds()[0].ID, Regions()[0].ID, Integrations()[0].ID = "x", "x", "x"
	Resources()[0].Prefix, LookAlikes()[0].Name = "x", "x"
	if Clouds()[0].ID == "x" || Regions()[0].ID == "x" || Integrations()[0].ID == "x" || Resources()[0].Prefix == "x" || LookAlikes()[0].Name == "x" {
		t.Error("a list can be changed from outside")
	}
}
