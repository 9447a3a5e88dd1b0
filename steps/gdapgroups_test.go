package steps

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/sandbox"
	"msbundle/state"
)

// post has somebody else make something, and tells its id.
func (w *partnership) post(path string, body any) string {
	w.Helper()
	if w.setup == nil {
		w.run()
	}
	res, err := w.setup.graph.Do(w.Context(), msclient.Request{Method: http.MethodPost, Path: path, Body: body})
	if err != nil {
		w.Fatal(whole(err))
	}
	var made wireID
	if err := res.Decode(&made); err != nil {
		w.Fatal(err)
	}
	return made.ID
}

func (w *partnership) group(name string, more map[string]any) string {
	w.Helper()
	body := map[string]any{"displayName": name, "mailEnabled": false, "mailNickname": groupNickname(name), "securityEnabled": true}
	maps.Copy(body, more)
	return w.post(groups, body)
}

// made are the groups a plan makes.
func made(p Plan) []string {
	var out []string
	for _, c := range p.Changes {
		if c.Kind == KindRoleGroup {
			out = append(out, c.Name)
		}
	}
	return out
}

// Whatever the groups are called, a second run finds those of the first.
func TestGroupsOfAnyName(t *testing.T) {
	t.Parallel()
	for _, template := range []string{"{role}", "{role} (Rewst)", "rewst {role}", "MSP's {role} – Kunden"} {
		synctest.Test(t, func(t *testing.T) {
			w := partnershipOf(t, sandbox.Options{Scenario: "approvals-arrive", Customers: 1})
			w.checked()
			w.answers.GDAP.GroupName = template
			if bad := w.answers.Validate(); len(bad) > 0 {
				t.Fatal(bad)
			}
			w.untilReady()
			time.Sleep(time.Hour)
			if p := w.plan(); !p.Empty() {
				t.Errorf("%s: a second run plans:\n%s", template, described(p))
			}
		})
	}
}

// Groups that have one of the names of the vendor's guides are used whatever the
// template is.
func TestGroupsOfTheGuides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "approvals-arrive", Customers: 1})
		w.answers.GDAP.GroupName = "MSP {role}"
		names := append(slices.Clone(vendorGroupNames), "Rewst – {role}")
		want := map[string]string{}
		for i, role := range catalog.ServiceRoles()[:len(names)] {
			want[role.TemplateID] = w.group(groupName(names[i], role.Name), nil)
		}
		p := w.plan()
		if n := len(made(p)); n != 12-len(want) {
			t.Errorf("%d groups are made: %q", n, made(p))
		}
		for role, id := range want {
			if g := p.findings.Delegation.Groups[role]; g == nil || g.ID != id {
				t.Errorf("%s: %+v", catalog.RoleByID(role).Name, g)
			}
		}
	})
}

// What cannot be given roles, or does not let its members be chosen, is left alone.
func TestGroupsThatCannotServe(t *testing.T) {
	for want, w := range map[string]wireRoleGroup{
		"":                      {SecurityEnabled: true},
		"dynamic membership":    {SecurityEnabled: true, Types: []string{"DynamicMembership"}},
		"synchronised":          {SecurityEnabled: true, Synchronised: true},
		"Microsoft 365 group":   {SecurityEnabled: true, MailEnabled: true, Types: []string{"Unified"}},
		"a mail address":        {SecurityEnabled: true, MailEnabled: true},
		"is no security group":  {MailEnabled: true},
		"rule says who its mem": {SecurityEnabled: true, Types: []string{"Unified", "DynamicMembership"}},
	} {
		if got := w.unfit(); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "approvals-arrive", Customers: 1})
		first := catalog.ServiceRoles()[0].Name
		mailbox := map[string]any{"mailEnabled": true, "groupTypes": []string{"Unified"}}
		w.group("Rewst GDAP-"+first, mailbox)
		p := w.plan()
		if got := made(p); len(got) != 12 || got[0] != "Rewst GDAP-"+first+" 2" {
			t.Errorf("made: %q", got)
		}
		if text := fmt.Sprint(p.Notes); !strings.Contains(text, "Microsoft 365 group") {
			t.Errorf("notes: %s", text)
		}
		w.untilReady()
		time.Sleep(time.Hour)
		if p := w.plan(); !p.Empty() {
			t.Errorf("a second run plans:\n%s", described(p))
		}
	})
	synctest.Test(t, func(t *testing.T) { // nor the second name
		w := partnershipOf(t, sandbox.Options{Scenario: "approvals-arrive", Customers: 1})
		first := catalog.ServiceRoles()[0].Name
		mailbox := map[string]any{"mailEnabled": true, "groupTypes": []string{"Unified"}}
		w.group("Rewst GDAP-"+first, mailbox)
		mailbox["mailNickname"] = "another"
		w.group("Rewst GDAP-"+first+" 2", mailbox)
		p := w.plan()
		blocks := slices.ContainsFunc(GDAPChecks(w.answers, p.findings, gdapStage), func(c Check) bool { return c.Blocks && c.Answer == "gdap.groupName" && c.Fix != "" })
		if !p.Empty() || !blocks {
			t.Errorf("blocks: %v, planned:\n%s", blocks, described(p))
		}
	})
}

// Nobody gets roles at customers without its being said.
func TestOthersInTheGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "approvals-arrive", Customers: 1})
		w.run()
		var people struct {
			Value []struct{ ID, DisplayName, UserPrincipalName string }
		}
		res, err := w.setup.graph.Do(t.Context(), msclient.Request{Path: query(users, "$select", "id,displayName,userPrincipalName")})
		if err != nil {
			t.Fatal(whole(err))
		}
		if err := res.Decode(&people); err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(people.Value, func(u struct{ ID, DisplayName, UserPrincipalName string }) bool {
			return !strings.HasPrefix(u.UserPrincipalName, "admin@")
		})
		other := people.Value[i]
		bind := map[string]any{"members@odata.bind": []string{"https://graph.microsoft.com/v1.0/directoryObjects/" + other.ID}}
		w.group("Rewst GDAP-"+catalog.ServiceRoles()[0].Name, bind)
		w.group("Rewst GDAP-"+catalog.ServiceRoles()[1].Name, bind)
		text := fmt.Sprint(w.plan().Notes)
		if want := other.DisplayName + " (2 groups)"; !strings.Contains(text, "1 other member") || !strings.Contains(text, want) {
			t.Errorf("notes do not say %q: %s", want, text)
		}
		if !strings.Contains(text, "Plain security groups are used") {
			t.Errorf("that they may hold no roles is not said: %s", text)
		}
		w.untilReady()
		time.Sleep(time.Hour)
		if p := w.plan(); len(p.Notes) > 0 {
			t.Errorf("nothing is given, and yet: %v", p.Notes)
		}
	})
}

// Of several groups for a role that serves which has the role at customers.
func TestSeveralGroupsForARole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "approvals-arrive", Customers: 2})
		name := "Rewst GDAP-" + catalog.ServiceRoles()[0].Name
		role := catalog.ServiceRoles()[0].TemplateID
		a, b := w.group(name, nil), w.group(name, nil)
		p := w.plan()
		if got := p.findings.Delegation.Groups[role].ID; got != min(a, b) {
			t.Errorf("%s is used, of %s and %s", got, a, b)
		}
		if text := fmt.Sprint(p.Notes); !strings.Contains(text, "Several groups") || !strings.Contains(text, min(a, b)) {
			t.Errorf("notes: %s", text)
		}
		w.untilReady()
		time.Sleep(time.Hour)
		low := "" // a group with a lower id, or with a likelier name, does not come first now
		for i := 0; low == "" || low > min(a, b); i++ {
			low = w.group(name, map[string]any{"mailNickname": fmt.Sprint("g", i)})
		}
		if p := w.plan(); !p.Empty() || p.findings.Delegation.Groups[role].ID != min(a, b) {
			t.Errorf("another group of the name, and %s is used:\n%s", p.findings.Delegation.Groups[role].ID, described(p))
		}
	})
}

// Where a group is gone that a replica still shows, another one that could serve takes
// its place.
func TestGroupsForgotten(t *testing.T) {
	t.Parallel()
	d := &Delegation{Groups: map[string]*RoleGroup{}, candidates: map[string][]*RoleGroup{}, unfit: map[string]string{}}
	role := catalog.ServiceRoles()[0]
	name := groupName(state.DefaultGroupName, role.Name)
	d.takeGroups(state.DefaultGroupName, []wireRoleGroup{{ID: "b", Name: name, SecurityEnabled: true}, {ID: "a", Name: name, SecurityEnabled: true}})
	for _, want := range []string{"a", "b", ""} {
		got := ""
		if g := d.Groups[role.TemplateID]; g != nil {
			got = g.ID
		}
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		d.forgetGroups(map[string]bool{want: true})
	}
}

// draft is a relationship that somebody began.
func (w *partnership) draft(name string, c Customer, roles []string) string {
	w.Helper()
	return w.post(relationships, map[string]any{
		"displayName": name, "duration": "P365D", "customer": map[string]string{"tenantId": c.TenantID, "displayName": c.Name}, "accessDetails": accessOf(roles),
	})
}

// Only a draft that is ours is opened for approval: then nobody can change it.
func TestDraftsOfOthers(t *testing.T) {
	for name, v := range map[string]struct {
		name  string
		roles func([]string) []string
		taken bool
	}{
		"ours":             {name: "Rewst GDAP - %s", taken: true},
		"another name":     {name: "Helpdesk %s"},
		"with a role more": {name: "Rewst GDAP - %s", roles: func(all []string) []string { return append([]string{"f2ef992c-3afb-46b9-b7cf-a126ee74c451"}, all...) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := partnershipOf(t, sandbox.Options{Scenario: "happy", Customers: 1})
				c, roles := w.plan().findings.Delegation.Customers[0], w.answers.GDAP.RoleIDs()
				if v.roles != nil {
					roles = v.roles(roles)
				}
				id := w.draft(fmt.Sprintf(v.name, safeName(c.Name)), c, roles)
				p := w.plan()
				locked := slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Kind == KindLock && strings.Contains(c.Path, id) })
				anew := slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Kind == KindRelationship })
				if locked != v.taken || anew == v.taken {
					t.Errorf("locked %v, another made %v:\n%s", locked, anew, described(p))
				}
				if text := fmt.Sprint(p.Notes); strings.Contains(text, "draft") == v.taken {
					t.Errorf("notes: %s", text)
				}
				if view := CustomerViews(w.answers, p.findings)[0]; v.taken != (view.Proposal == "open it for approval") {
					t.Errorf("%+v", view)
				}
			})
		})
	}
	for _, lost := range []bool{true, false} { // ours by the journal, whatever the template is now
		synctest.Test(t, func(t *testing.T) {
			w := partnershipOf(t, sandbox.Options{Scenario: "happy", Customers: 1})
			if n := 2; lost { // after the groups
				w.endedAt(n, true, 0)
			} else {
				w.endedAt(n+1, false, 0)
			}
			time.Sleep(time.Hour)
			w.answers.GDAP.RelationshipName = "MSP {customer}"
			p := w.plan()
			if slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Kind == KindRelationship }) || !slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Kind == KindLock }) {
				t.Errorf("answer lost %v: %s", lost, described(p))
			}
		})
	}
}

// A customer is whoever the directory lists, whoever gave a relationship, and
// whoever is asked for one; each once.
func TestChosenCustomers(t *testing.T) {
	id := func(n int) string { return fmt.Sprintf("%08d-0000-4000-8000-000000000000", n) }
	d := &Delegation{
		contracts: []wireContract{{strings.ToUpper("aaaa") + id(1)[4:], "Contoso", "contoso.example.com"}, {id(2), "", "fabrikam.example.com"}},
		delegated: []wireDelegated{{id(2), "Fabrikam"}, {id(3), "Litware"}},
		Relationships: []Relationship{
			{Tenant: id(3), Customer: "Litware", Status: RelationActive},
			{Tenant: id(4), Customer: "Proseware", Status: RelationPending},
			{Tenant: id(5), Customer: "Tailspin Toys", Status: "terminated"},
			{Customer: "whoever", Status: RelationPending},
			{Tenant: id(6), Customer: "Woodgrove Bank", Status: RelationCreated, Foreign: true},
			{Tenant: id(7), Customer: "Twice", Status: "expired"},
			{Tenant: id(8), Customer: "Twice", Status: "expired"},
		},
	}
	names := func(list []Customer) string {
		var out []string
		for _, c := range list {
			out = append(out, c.Name+"/"+c.Domain)
		}
		return strings.Join(out, " ")
	}
	for want, v := range map[string]struct {
		g       state.GDAP
		listed  []state.CustomerRow
		unknown []string
	}{
		"Fabrikam/fabrikam.example.com Litware/ Proseware/ Contoso/contoso.example.com": {g: state.GDAP{All: true}},
		"Tailspin Toys/ Contoso/contoso.example.com": {
			g: state.GDAP{Customers: []string{"CONTOSO.example.com", id(5), "nobody.example.com"}}, unknown: []string{"nobody.example.com"},
		},
		"Litware/litware.example.com Contoso/contoso.example.com": {
			listed: []state.CustomerRow{
				{Domain: "contoso.example.com", Line: 2},
				{TenantID: "aaaa" + id(1)[4:], Line: 3},
				{Domain: "litware.example.com", Name: "litware ", Line: 4},
				{Domain: "contoso.example.org", Name: "Contoso", Line: 5},
				{Domain: "twice.example.com", Name: "Twice", Line: 6},
			},
			unknown: []string{"contoso.example.org (line 5)", "twice.example.com (line 6)"},
		},
	} {
		d.listed = v.listed
		chosen, unknown := chosenCustomers(v.g, d)
		if got := names(chosen); got != want || !slices.Equal(unknown, v.unknown) {
			t.Errorf("got %q, unknown %q; want %q, %q", got, unknown, want, v.unknown)
		}
	}
}

// Of several relationships with all of the roles one is chosen for a reason.
func TestBestRelationship(t *testing.T) {
	roles := state.DefaultGDAP().RoleIDs()
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	d := &Delegation{Groups: map[string]*RoleGroup{roles[0]: {ID: "g0"}, roles[1]: {ID: "g1"}}}
	given := func(groups ...string) []Access {
		var out []Access
		for i, g := range groups {
			out = append(out, Access{Group: g, Status: accessActive, Roles: []string{roles[i]}})
		}
		return out
	}
	for name, change := range map[string]func(good, poor *Relationship){
		"without Global Administrator": func(_, poor *Relationship) { poor.Roles = append([]string{catalog.RoleGlobalAdministrator}, roles...) },
		"with our groups in it":        func(good, poor *Relationship) { good.Access, poor.Access = given("g0"), given("theirs", "theirs") },
		"with more of our groups":      func(good, poor *Relationship) { good.Access, poor.Access = given("g0", "g1"), given("g0") },
		"extended":                     func(good, poor *Relationship) { good.AutoExtend, good.Ends = true, now },
		"lasting":                      func(good, _ *Relationship) { good.Ends = now.AddDate(2, 0, 0) },
		"active, with Global Administrator, before one that waits": func(good, poor *Relationship) {
			good.Roles, poor.Status = append([]string{catalog.RoleGlobalAdministrator}, roles...), RelationPending
		},
		"ours, before somebody else's draft": func(good, poor *Relationship) {
			good.Status, poor.Status, poor.Foreign, poor.AutoExtend = RelationCreated, RelationCreated, true, true
		},
		"by id": func(_, poor *Relationship) { poor.ID = "zz" },
	} {
		good := Relationship{ID: "z", Status: RelationActive, Roles: roles, Ends: now.AddDate(1, 0, 0)}
		poor := good
		poor.ID = "a" // which alone would have it chosen
		change(&good, &poor)
		for _, list := range [][]*Relationship{{&good, &poor}, {&poor, &good}} {
			if d.best(list, roles) != &good {
				t.Errorf("%s: not chosen", name)
			}
		}
	}
}

// Of what a group has that is gone only what this program gave is taken away.
func TestAssignmentsOfGroupsThatAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "approvals-arrive", Customers: 1})
		w.untilReady()
		theirs := w.group("Helpdesk", nil)
		r := w.plan().findings.Delegation.Relationships[0]
		id := w.post(relationships+"/"+r.ID+"/accessAssignments", map[string]any{
			"accessContainer": map[string]string{"accessContainerId": theirs, "accessContainerType": "securityGroup"}, "accessDetails": accessOf(r.Roles[:1]),
		})
		intent := state.Record{Kind: state.RecordIntent, Intent: "late", Step: stepGDAP, What: string(KindAccess), Action: string(Add)}
		found := state.Record{Kind: state.RecordReceipt, Intent: "late", Refs: map[string]string{"id": id}, There: true} // somebody was quicker
		if err := w.setup.store.Append(intent, found); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		w.change(http.MethodDelete, groups+"/"+theirs, nil)
		time.Sleep(time.Hour)
		p := w.plan()
		if text := fmt.Sprint(p.Notes); !p.Empty() || !strings.Contains(text, "A group that is gone still has roles") {
			t.Errorf("notes %s, planned:\n%s", text, described(p))
		}
	})
}

// A second invitation does not go out unmentioned.
func TestInvitationsThatLackRoles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := partnershipOf(t, sandbox.Options{Scenario: "happy", Customers: 1})
		c := w.plan().findings.Delegation.Customers[0]
		id := w.draft("Poor", c, w.answers.GDAP.RoleIDs()[:4])
		w.post(relationships+"/"+id+"/requests", map[string]string{"action": "lockForApproval"})
		time.Sleep(time.Hour)
		p := w.plan()
		i := slices.IndexFunc(p.Changes, func(c Change) bool { return c.Kind == KindRelationship })
		if i < 0 || !strings.Contains(p.Changes[i].Why, `"Poor"`) || !strings.Contains(fmt.Sprint(p.Notes), "It takes a second one") {
			t.Fatalf("%s\n%+v\n%v", described(p), p.Changes, p.Notes)
		}
		if p.Changes[i].Reversible || !strings.Contains(p.Changes[i].Why, "cannot be deleted") {
			t.Errorf("it is opened for approval, and cannot be undone: %+v", p.Changes[i])
		}
		var told []Invitation
		_, _ = w.setup.Apply(t.Context(), p, ApplyOptions{Observe: func(e Event) { told = append(told, e.Invitations...) }})
		told = append(told, Invitations(w.answers, w.plan().findings)...)
		if len(told) < 2 {
			t.Fatalf("%v", told)
		}
		for _, i := range told {
			if _, mail := InvitationMail(i, "Contoso"); i.Older != "Poor" || !strings.Contains(mail, "older request that does not have all it takes: Poor") {
				t.Errorf("%+v\n%s", i, mail)
			}
		}
	})
}

// Only an invitation that lacks roles is one not to be approved.
func TestInvitationsBesideAnother(t *testing.T) {
	a, f := viewed()
	d := f.Delegation
	waits := d.Relationships[2]
	another := waits
	another.ID, another.Name, another.AutoExtend = "r-another", "another", false
	d.Relationships = append(d.Relationships, another)
	list := Invitations(a, f)
	if len(list) != 1 || list[0].Name != "waits" || list[0].Older != "" {
		t.Errorf("%+v", list)
	}
	d.Relationships[len(d.Relationships)-1].Roles = waits.Roles[:3]
	if list = Invitations(a, f); len(list) != 1 || list[0].Older != "another" {
		t.Errorf("%+v", list)
	}
}

// What the ids of a write stand for can be told.
func TestMeanings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := mixedWorld(t)
		p := w.plan()
		seen := map[Kind]string{}
		for _, c := range p.Changes {
			var text strings.Builder
			for _, m := range p.Meanings(c) {
				if !strings.Contains(c.Path+string(c.Body)+string(c.Before), m.ID) {
					t.Errorf("%s is not in %s", m.ID, c.Describe())
				}
				text.WriteString(m.Name + "; ")
			}
			seen[c.Kind] += text.String()
		}
		for kind, want := range map[Kind][]string{
			KindAccess:       {`relationship "`, `group "Rewst GDAP-`, "role Exchange Administrator", "which this plan makes"},
			KindRelationship: {"customer ", "role User Administrator"},
			KindExtension:    {`relationship "`},
		} {
			for _, s := range want {
				if !strings.Contains(seen[kind], s) {
					t.Errorf("%s: no %q in %.300s", kind, s, seen[kind])
				}
			}
		}
		if (Plan{}).Meanings(p.Changes[0]) != nil {
			t.Error("a plan without findings knows nothing")
		}
	})
}
