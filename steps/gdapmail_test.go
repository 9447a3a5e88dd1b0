package steps

import (
	"encoding/csv"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"msbundle/catalog"
	"msbundle/state"
)

func invitationOf(name, tenant string) Invitation {
	since := time.Date(2026, 9, 1, 9, 0, 0, 0, time.UTC)
	return Invitation{
		Customer: Customer{TenantID: tenant, Name: name, Domain: "fabrikam.example"}, Name: "Rewst GDAP - " + name, ID: tenant + "-x", Status: RelationPending,
		Link: InvitationLink(tenant + "-x"), Since: since, Until: since.Add(invitationLapses), Roles: []string{catalog.ServiceRoles()[0].TemplateID},
	}
}

func TestInvitationMail(t *testing.T) {
	i := invitationOf("Fabrikam", "cccccccc-0000-0000-0000-000000000001")
	subject, body := InvitationMail(i, "Contoso")
	if !strings.Contains(subject, "Fabrikam") || !strings.Contains(subject, "Contoso") {
		t.Errorf("subject %q", subject)
	}
	for _, want := range []string{i.Link, "Global Administrator of Fabrikam", "private (InPrivate", catalog.ServiceRoles()[0].Name, "lapses on 30 November 2026", "Rewst GDAP - Fabrikam"} {
		if !strings.Contains(body, want) {
			t.Errorf("not in the mail: %q\n%s", want, body)
		}
	}
	i.Customer.Name = "Fabrikam\r\nBcc: everybody@contoso.example"
	if subject, _ := InvitationMail(i, "Con\ntoso"); strings.ContainsAny(subject, "\r\n") {
		t.Errorf("the subject has several lines: %q", subject)
	}
}

// What a rehearsal writes for customers says so wherever it could be sent from.
func TestInvitationsOfARehearsal(t *testing.T) {
	i := invitationOf("Fabrikam", "cccccccc-0000-0000-0000-000000000001")
	i.Rehearsal = true
	subject, body := InvitationMail(i, "Contoso")
	first, _, _ := strings.Cut(body, "\n")
	if !strings.HasPrefix(subject, "Rehearsal: Fabrikam") || !strings.HasPrefix(first, "Rehearsal: ") || !strings.Contains(first, "do not send it") {
		t.Errorf("subject %q, begins with %q", subject, first)
	}
	dir := t.TempDir()
	path, err := ExportInvitations(dir, "Contoso", []Invitation{i})
	if err != nil {
		t.Fatal(err)
	}
	mails, err := filepath.Glob(filepath.Join(dir, "Rehearsal Fabrikam*.eml"))
	if err != nil || len(mails) != 1 {
		t.Errorf("got %v, %v", mails, err)
	}
	data, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(data), "\nRehearsal: Fabrikam,") {
		t.Errorf("the table, %v:\n%s", err, data)
	}
}

// What is exported can be opened: mails by a mail program, the table by a
// spreadsheet, and no name acts in either.
func TestExportInvitations(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	list := []Invitation{
		invitationOf("=HYPERLINK(\"https://evil.example\")", "cccccccc-0000-0000-0000-000000000001"),
		invitationOf("Żółw & Søn / ..\\", "cccccccc-0000-0000-0000-000000000002"),
		invitationOf("Fabrikam\r\nBcc: x@contoso.example", "cccccccc-0000-0000-0000-000000000003"),
		invitationOf("", "cccccccc-0000-0000-0000-000000000004"),
		invitationOf("", "cccccccc-0000-0000-0000-000000000005"),
	}
	for range 2 { // the second time over the first
		path, err := ExportInvitations(dir, "Contoso", list)
		if err != nil || path != filepath.Join(dir, InvitationsFile) {
			t.Fatalf("got %q, %v", path, err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != len(list)+1 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	var bodies []string
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if f.Name() == InvitationsFile {
			rows, err := csv.NewReader(strings.NewReader(string(data))).ReadAll()
			if err != nil || len(rows) != len(list)+1 {
				t.Fatalf("%d rows, %v", len(rows), err)
			}
			for _, row := range rows {
				for _, cell := range row {
					if strings.HasPrefix(cell, "=") {
						t.Errorf("a formula: %q", cell)
					}
				}
			}
			continue
		}
		m, err := mail.ReadMessage(strings.NewReader(string(data)))
		if err != nil || len(m.Header) != 5 || m.Header.Get("Bcc") != "" {
			t.Fatalf("%s: %v, %v", f.Name(), m.Header, err)
		}
		if _, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
			t.Error(err)
		}
		body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, string(body))
	}
	for _, i := range list {
		if !slices.ContainsFunc(bodies, func(b string) bool { return strings.Contains(b, i.Link) }) {
			t.Errorf("no mail for %q", i.Customer.Name)
		}
	}
}

func TestDefused(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "Fabrikam": "Fabrikam", "=1": "'=1", " =1": "' =1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "＝1": "'＝1", "a=1": "a=1",
	} {
		if got := defused(text); got != want {
			t.Errorf("%q: got %q want %q", text, got, want)
		}
	}
}

// viewed is a tenant of customers in every state.
func viewed() (state.Answers, *Findings) {
	var all []string
	groups := map[string]*RoleGroup{}
	var given []Access
	for _, r := range catalog.ServiceRoles() {
		all = append(all, r.TemplateID)
		groups[r.TemplateID] = &RoleGroup{ID: "g-" + r.TemplateID, Name: "Rewst GDAP-" + r.Name, Account: true}
		given = append(given, Access{Group: "g-" + r.TemplateID, Status: "active", Roles: []string{r.TemplateID}})
	}
	now := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	cloud, _ := catalog.CloudByID("global")
	d := &Delegation{UPN: "rewst@contoso.example", Account: "account", Groups: groups, Assignable: true}
	for _, name := range []string{"none", "good", "poor", "waits", "ended", "bare", "microsoft", "ending"} {
		d.Customers = append(d.Customers, Customer{TenantID: "tenant-" + name, Name: name, Domain: name + ".example"})
	}
	add := func(name, status, title string, roles []string, access []Access, ends time.Time, extends bool) {
		d.Relationships = append(d.Relationships, Relationship{
			ID: "r-" + name, Name: title, Status: status, Tenant: "tenant-" + name, Roles: roles, Access: access, Created: now.AddDate(0, 0, -9), Ends: ends, AutoExtend: extends,
		})
	}
	far := now.AddDate(1, 0, 0)
	add("good", RelationActive, "good", all, given, far, true)
	add("poor", RelationActive, "poor", all[:8], given[:8], far, true)
	add("waits", RelationPending, "waits", all, nil, time.Time{}, true)
	add("ended", "terminated", "ended", all, nil, far, true)
	add("bare", RelationActive, "bare", all, []Access{}, far, true)
	add("microsoft", RelationActive, "MLT_1", all[:2], nil, far, false)
	add("ending", RelationActive, "ending", all, given, now.AddDate(0, 0, 20), false)
	a := state.DefaultAnswers()
	gdap := state.DefaultGDAP()
	a.GDAP = &gdap
	return a, &Findings{Cloud: cloud, At: now, Org: Organization{ID: "partner", Name: "Contoso"}, Delegation: d, Resources: map[string]Resource{}}
}

func TestCustomerViews(t *testing.T) {
	a, f := viewed()
	want := map[string]struct {
		status   CheckState
		state    string
		proposal string
	}{
		"none":      {Failed, "no relationship", "a new relationship"},
		"good":      {Passed, "active", "nothing"},
		"poor":      {Failed, "active, lacks 4 roles", "a new relationship"},
		"waits":     {Unknown, "waits for approval", "wait for the approval"},
		"ended":     {Failed, "was ended", "a new relationship"},
		"bare":      {Warned, "active, 12 roles not given", "give 12 roles"},
		"microsoft": {Failed, "only Microsoft's own, lacks 10 roles", "a new relationship"},
		"ending":    {Warned, "active until 2026-09-21", "extend it"},
	}
	views := CustomerViews(a, f)
	if len(views) != len(want) {
		t.Fatalf("%d views want %d", len(views), len(want))
	}
	for _, v := range views {
		w := want[v.Customer.Name]
		if v.Status != w.status || v.State != w.state || v.Proposal != w.proposal {
			t.Errorf("%s: got %v, %q, %q want %v", v.Customer.Name, v.Status, v.State, v.Proposal, w)
		}
		if (v.NewName != "") != (w.proposal == "a new relationship") {
			t.Errorf("%s: new name %q", v.Customer.Name, v.NewName)
		}
	}
	if last := views[len(views)-1]; last.Customer.Name != "good" {
		t.Errorf("the last is %q: what needs somebody stands first", last.Customer.Name)
	}
}

// Of several relationships that serve, the one the plan goes on with is shown.
func TestCustomerViewsOfSeveral(t *testing.T) {
	a, f := viewed()
	d := f.Delegation
	good := d.Relationships[0]
	second := good
	second.ID, second.Name, second.Access = "r-second", "second", []Access{}
	d.Customers, d.Relationships = d.Customers[1:2], []Relationship{second, good}
	view := CustomerViews(a, f)[0]
	if view.Name != "good" || view.Proposal != "nothing" || !slices.Equal(view.More, []string{"second: active"}) {
		t.Errorf("%+v", view)
	}
}

func TestChoosing(t *testing.T) {
	a, f := viewed()
	a.GDAP.All, a.GDAP.Customers = false, []string{"TENANT-good", "Poor.example", "nobody.example"}
	got := f.Choosing(*a.GDAP)
	if len(got.Delegation.Customers) != 2 || !slices.Equal(got.Delegation.Unknown, []string{"nobody.example"}) {
		t.Errorf("chose %v, unknown %q", got.Delegation.Customers, got.Delegation.Unknown)
	}
	if len(f.Delegation.Customers) != 8 {
		t.Error("what was found was changed")
	}
	for _, c := range MakePlan(a, got, PlanOptions{Stage: StageGDAP}).Changes {
		if who := c.Customer; who != "" && who != "tenant-poor" {
			t.Errorf("planned for %s: %s", who, c.Describe())
		}
	}
}
