package steps

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"
	"unicode/utf8"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/sandbox"
	"msbundle/state"
)

// companies are names of the shapes that real ones have.
func companies() []Customer {
	first := []string{
		"Contoso", "Fabrikam", "Northwind Traders", "Adventure Works", "Wide World Importers", "Tailspin Toys", "Woodgrove Bank", "Proseware", "Litware",
		"A. Datum Corporation", "O’Litware & Söhne", "Fabrikam's", "Société Générale de Démonstration", "Škoda-Ähnliche Werke", "株式会社コントソ", "北风贸易有限公司",
		"ООО Контосо", "कॉन्टोसो लिमिटेड", "Contoso 🚀 Rockets", "Fabrikam/Residences", `"Quoted" Company`, "<b>Litware</b>", "  ", "", "N", "...", "Contoso\tTabbed", "=cmd|' /C calc'!A0",
		"The Very Long Established Northwind Traders International Holding", "The Very Long Established Northwind Traders International Holdings", "İstanbul Kontoso", "ﬁne Łódź",
	}
	last := []string{"", " Ltd", " GmbH & Co. KG", " Pty. Ltd.", " (Holdings) S.à r.l.", " of Greater Manchester and the North West", " Dental – Praxis für Zahnmedizin", " LTD", " Inc.", " 2"}
	var out []Customer
	for i, a := range first {
		for j, b := range last {
			out = append(out, Customer{TenantID: derivedID(fmt.Sprint(i, " ", j)), Name: a + b})
		}
	}
	return out
}

func TestRelationshipNames(t *testing.T) {
	list := companies()
	if len(list) < 300 {
		t.Fatalf("%d names", len(list))
	}
	for _, template := range []string{state.DefaultRelationshipName, "{customer}", "Managed services by Contoso {customer}"} {
		names := relationshipNames(template, list, nil)
		seen := map[string]string{}
		for _, c := range list {
			name := names[c.TenantID]
			key := strings.ToLower(name)
			if other := seen[key]; other != "" {
				t.Errorf("%q serves %q and %q", name, other, c.Name)
			}
			seen[key] = c.Name
			switch {
			case utf8.RuneCountInString(name) > state.MaxRelationshipName, strings.TrimSpace(name) != name, name == "", strings.Contains(name, "  "):
				t.Errorf("%q becomes %q", c.Name, name)
			case strings.ContainsFunc(name, func(r rune) bool {
				return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.In(r, unicode.Mn, unicode.Mc) && !strings.ContainsRune(" -_", r)
			}):
				t.Errorf("%q becomes %q, which has characters that may be refused", c.Name, name)
			}
		}
		again := slices.Clone(list)
		slices.Reverse(again)
		for id, name := range relationshipNames(template, again, nil) {
			if names[id] != name {
				t.Errorf("%q in one run, %q in another", names[id], name)
			}
		}
		taken := map[string]bool{}
		for name := range seen {
			taken[name] = true
		}
		for id, name := range relationshipNames(template, list, taken) {
			if taken[strings.ToLower(name)] || utf8.RuneCountInString(name) > state.MaxRelationshipName {
				t.Errorf("%s: %q is taken", id, name)
			}
			if taken[strings.ToLower(name)] = true; len(taken) > 2*len(list) {
				t.Errorf("more names than customers")
			}
		}
	}
	if got := relationshipNames(state.DefaultRelationshipName, list, nil)[list[0].TenantID]; got != "Rewst GDAP - Contoso" {
		t.Errorf("a plain name becomes %q", got)
	}
}

// A name that is given in a run is not given twice in it.
func TestRelationshipNamesOfOneRun(t *testing.T) {
	long := Customer{TenantID: derivedID("long"), Name: "The Very Long Established Northwind Traders International Holding"}
	name := relationshipNames("{customer}", []Customer{long}, nil)[long.TenantID]
	twin := Customer{TenantID: derivedID("twin"), Name: name} // called as the other's name is shortened
	for _, list := range [][]Customer{{long, twin}, {twin, long}} {
		names := relationshipNames("{customer}", list, nil)
		if names[twin.TenantID] != name || strings.EqualFold(names[long.TenantID], name) {
			t.Errorf("%q", names)
		}
		for _, c := range list {
			if !nameOf("{customer}", c, names[c.TenantID]) {
				t.Errorf("%q is not known for a name of %q", names[c.TenantID], c.Name)
			}
		}
	}
	if nameOf("Rewst GDAP - {customer}", twin, "Rewst GDAP - Contoso") {
		t.Error("another customer's name")
	}
}

// gdapVisit is one look at a tenant whose customers are to be set up.
type gdapVisit struct {
	name     string
	scenario string
	cloud    string
	as       string
	change   func(*state.Answers)
	check    string // that does not pass
	says     string
	warns    bool // it does not stop the setup
	silent   bool // nothing is asked of GDAP
}

func TestGDAPChecks(t *testing.T) {
	passed := map[string]bool{}
	for _, v := range []gdapVisit{
		{name: "in order", scenario: "gdap-mixed"},
		{name: "no account", scenario: "happy", change: func(a *state.Answers) { a.GDAP.Account = "nobody" }, check: "gdap-account", says: "no account nobody@"},
		{
			name: "the account is made in another stage", scenario: "empty-tenant", check: "gdap-account", says: "no account rewst@",
			change: func(a *state.Answers) {
				s := state.DefaultServiceAccount()
				a.GDAP.Account, a.ServiceAccount = "rewst", &s
			},
		},
		{name: "no Admin agent", scenario: "not-admin-agent", check: "gdap", says: "no Admin agent"},
		{name: "no second factor", scenario: "no-mfa", check: "gdap", says: "multifactor"},
		{name: "the US government's cloud", scenario: "gcc-high", cloud: "usgov", check: "gdap", says: "not for US Government", silent: true},
		{name: "no customers", scenario: "single-tenant", check: "gdap", says: "no Admin agent"},
		{
			name: "a customer nobody knows", scenario: "happy", check: "gdap-customers", says: "nobody knows fabrikam.example.com",
			change: func(a *state.Answers) {
				a.GDAP.All, a.GDAP.Customers = false, []string{"fabrikam.example.com", firstCustomer}
			},
		},
		{
			name: "nobody is left", scenario: "happy", check: "gdap-customers", says: "None of the customers named",
			change: func(a *state.Answers) { a.GDAP.All, a.GDAP.Customers = false, []string{"fabrikam.example.com"} },
		},
	} {
		t.Run(v.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, c := range v.checks(t) {
					switch {
					case c.Evidence == "" || (c.State == Passed) != (c.Fix == ""):
						t.Errorf("incomplete: %+v", c)
					case c.ID != v.check && c.State != Passed:
						t.Errorf("%s: %s", c.ID, c.Evidence)
					case c.ID == v.check && (c.State == Passed || c.Blocks == v.warns || !strings.Contains(c.Evidence, v.says)):
						t.Errorf("%+v", c)
					case c.State == Passed:
						passed[c.ID] = true
					}
					if c.ID == v.check {
						v.says = "found"
					}
				}
				if v.check != "" && v.says != "found" {
					t.Errorf("there is no check %s", v.check)
				}
			})
		})
	}
	for _, id := range []string{"gdap", "gdap-account", "gdap-customers", "gdap-rights", "gdap-groups"} {
		if !passed[id] {
			t.Errorf("%s passed nowhere", id)
		}
	}
}

// firstCustomer stands for the domain of a customer there is.
const firstCustomer = "first.example.com"

func (v gdapVisit) checks(t *testing.T) []Check {
	t.Helper()
	c, err := sandbox.New(sandbox.Options{Scenario: v.scenario, Approve: sandbox.ApproveNow})
	if err != nil {
		t.Fatal(err)
	}
	a := delegation()
	if v.change != nil {
		v.change(&a)
	}
	if i := slices.Index(a.GDAP.Customers, firstCustomer); i >= 0 {
		a.GDAP.Customers[i] = domainOfCustomer(t, c)
	}
	s := visit{cloud: v.cloud, as: v.as}.signIn(t, c, a)
	begun := len(c.Requests())
	f, err := s.InspectTenant(t.Context(), a, nil)
	if err != nil {
		t.Fatal(whole(err))
	}
	for _, r := range c.Requests()[begun:] {
		for _, in := range r.Inner {
			if v.silent && (strings.Contains(in.URL, "tenantRelationships") || strings.Contains(in.URL, "/contracts")) {
				t.Errorf("asked %s", in.URL)
			}
		}
	}
	p := MakePlan(a, f, gdapStage)
	checks := GDAPChecks(a, f, gdapStage)
	if slices.ContainsFunc(checks, func(c Check) bool { return c.Blocks }) != p.Empty() {
		t.Errorf("the plan:\n%s\n%v", described(p), p.Notes)
	}
	return checks
}

func domainOfCustomer(t *testing.T, c *sandbox.Cloud) string {
	t.Helper()
	s := visit{}.signIn(t, c, everything("minimum"))
	defer s.Close()
	first, err := s.graph.Do(t.Context(), msclient.Request{Path: contracts})
	if err != nil {
		t.Fatal(err)
	}
	var page struct{ Value []wireContract }
	if err := first.Decode(&page); err != nil {
		t.Fatal(err)
	}
	return page.Value[0].Domain
}

// A relationship tells by itself what is to be said of it.
func TestGDAPPlan(t *testing.T) {
	a := delegation()
	roles := a.GDAP.RoleIDs()
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	const tenant = "11111111-2222-4333-8444-555555555555"
	relation := func(change func(*Relationship)) Relationship {
		r := Relationship{ID: "r", Name: "Contoso GDAP", Status: RelationActive, Tenant: tenant, Customer: "Fabrikam", Roles: roles, Ends: at.AddDate(1, 0, 0), AutoExtend: true, ETag: "tag"}
		change(&r)
		return r
	}
	for name, v := range map[string]struct {
		list  []Relationship
		kinds []Kind // of the changes for the customer, without roles for groups
		note  string
	}{
		"none":           {kinds: []Kind{KindRelationship, KindLock}},
		"enough":         {list: []Relationship{relation(func(*Relationship) {})}},
		"begun":          {list: []Relationship{relation(func(r *Relationship) { r.Status = RelationCreated })}, kinds: []Kind{KindLock}},
		"waits":          {list: []Relationship{relation(func(r *Relationship) { r.Status = RelationPending })}},
		"roles lack":     {list: []Relationship{relation(func(r *Relationship) { r.Roles = roles[:3] })}, kinds: []Kind{KindRelationship, KindLock}, note: "cannot be added"},
		"ends soon":      {list: []Relationship{relation(func(r *Relationship) { r.AutoExtend, r.Ends = false, at.AddDate(0, 0, 20) })}, kinds: []Kind{KindExtension}},
		"ends some time": {list: []Relationship{relation(func(r *Relationship) { r.AutoExtend = false })}},
		"ends soon, with a Global Administrator": {
			list: []Relationship{relation(func(r *Relationship) {
				r.AutoExtend, r.Ends, r.Roles = false, at.AddDate(0, 0, 20), append([]string{catalog.RoleGlobalAdministrator}, roles...)
			})}, note: "ends soon and is not extended",
		},
		"a Global Administrator": {list: []Relationship{relation(func(r *Relationship) { r.Roles = append([]string{catalog.RoleGlobalAdministrator}, roles...) })}, note: "has Global Administrator"},
		"declined":               {list: []Relationship{relation(func(r *Relationship) { r.Status = "terminated" })}, kinds: []Kind{KindRelationship, KindLock}, note: "declined, lapsed or was ended"},
		"Microsoft's":            {list: []Relationship{relation(func(r *Relationship) { r.Name = "MLT_abc" })}, kinds: []Kind{KindRelationship, KindLock}, note: "that Microsoft made"},
		"two":                    {list: []Relationship{relation(func(*Relationship) {}), relation(func(r *Relationship) { r.ID, r.Name = "s", "Helpdesk" })}, note: "stands beside"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &Delegation{UPN: rewst, Account: rewstID, Groups: map[string]*RoleGroup{}, Customers: []Customer{{tenant, "Fabrikam", "fabrikam.example.com"}}, Relationships: v.list, Contracts: 1, gone: map[string]bool{}}
			f := &Findings{Cloud: catalog.Clouds()[0], Delegation: d, At: at}
			var kinds []Kind
			p := MakePlan(a, f, gdapStage)
			for _, c := range p.Changes {
				if c.Kind != KindRoleGroup && c.Kind != KindAccess {
					kinds = append(kinds, c.Kind)
				}
				if strings.Contains(string(c.Body), "terminate") {
					t.Errorf("ends a relationship: %s", c.Describe())
				}
			}
			if !slices.Equal(kinds, v.kinds) {
				t.Errorf("got %v, want %v", kinds, v.kinds)
			}
			if text := fmt.Sprint(p.Notes); v.note == "" && len(p.Notes) > 0 || !strings.Contains(text, v.note) {
				t.Errorf("notes %s, want %q", text, v.note)
			}
		})
	}
}

// Customers can be named in a CSV file.
func TestCustomersOfAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "approvals-arrive", Customers: 10})
		file := filepath.Join(t.TempDir(), "customers.csv")
		text := "Company;Primary domain name\nWhoever;" + domainOfCustomer(t, w.cloud) + "\nLitware;litware.example.com\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		w.answers.GDAP.All, w.answers.GDAP.File = false, file
		f, err := w.run().InspectTenant(t.Context(), w.answers, nil)
		if err != nil {
			t.Fatal(whole(err))
		}
		if p := MakePlan(w.answers, f, gdapStage); !p.Empty() { // before anything is written
			t.Errorf("customers nobody knows, and yet planned: %s", described(p))
		}
		blocked := slices.ContainsFunc(GDAPChecks(w.answers, f, gdapStage), func(c Check) bool {
			return c.Blocks && c.Answer == "gdap.customers" && strings.Contains(c.Evidence, "litware.example.com (line 3)")
		})
		if !blocked {
			t.Error("a customer nobody knows stops nothing")
		}
		text = strings.TrimSuffix(text, "Litware;litware.example.com\n")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := w.apply(t.Context(), fortnight)
		if err != nil || r.Delegation.Customers != 1 || r.Delegation.Ready != 1 {
			t.Fatalf("%+v, %v", r, whole(err))
		}
		if err := os.WriteFile(file, []byte("domain\nnot a domain\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = w.run().InspectTenant(t.Context(), w.answers, nil)
		var bad *state.FileError
		if !errors.As(err, &bad) || bad.Line != 2 || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("got %v", whole(err))
		}
	})
}
