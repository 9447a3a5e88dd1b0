package steps

import (
	"bytes"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"path/filepath"
	"strings"
	"time"

	"msbundle/state"
)

// InvitationsFile is the table among exported invitations.
const InvitationsFile = "invitations.csv"

// ExportInvitations writes a table and a mail to be sent for each invitation into
// a folder, making it when absent, and tells where the table lies.
func ExportInvitations(dir, partner string, list []Invitation) (string, error) {
	path, err := filepath.Abs(filepath.Join(dir, InvitationsFile))
	if err != nil {
		return "", problem(err, "the invitations could not be written")
	}
	for _, i := range list {
		if err := state.WriteFile(filepath.Join(filepath.Dir(path), mailFile(i)), mailOf(i, partner)); err != nil {
			return "", problem(err, "the invitations could not be written")
		}
	}
	if err := state.WriteFile(path, invitationTable(list)); err != nil {
		return "", problem(err, "the invitations could not be written")
	}
	return path, nil
}

// mailFile names a customer's mail: the same in every run, and never another's.
func mailFile(i Invitation) string {
	name := []rune(safeName(i.marked(" ", i.Customer.Name)))
	return string(name[:min(len(name), 40)]) + " " + idLetters(i.Customer.TenantID, 0) + ".eml"
}

// mailOf is an unsent mail that a mail program opens as a draft.
func mailOf(i Invitation, partner string) []byte {
	subject, body := InvitationMail(i, partner)
	var b bytes.Buffer
	fmt.Fprintf(&b, "Subject: %s\r\n", mime.QEncoding.Encode("utf-8", subject))
	b.WriteString("X-Unsent: 1\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(strings.ReplaceAll(body, "\n", "\r\n"))) // a buffer takes everything
	_ = w.Close()
	return b.Bytes()
}

func invitationTable(list []Invitation) []byte {
	rows := make([][]string, len(list))
	for n, i := range list {
		rows[n] = []string{i.marked(": ", i.Customer.Name), i.Customer.Domain, i.Customer.TenantID, i.StatusWord(), i.Name, i.Link, dateOf(i.Since), dateOf(i.Until), dateOf(i.Reminded)}
	}
	return tableOf([]string{"customer", "domain", "tenantId", "state", "relationship", "link", "since", "lapses", "lastReminder"}, rows)
}

func dateOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.DateOnly)
}

// InvitationsDir is the folder invitations are exported to unless another is named.
func (s *Setup) InvitationsDir() string {
	return filepath.Join(state.Dir(s.root, state.Identity{Cloud: s.cloudID, Tenant: s.account.TenantID}), "invitations")
}

// Remind records when customers were last reminded; the zero time means never. It
// may be called while an apply is under way.
func (s *Setup) Remind(list []Invitation, at time.Time) error {
	ids := make([]string, len(list))
	for n, i := range list {
		ids[n] = i.ID
	}
	return problem(s.store.Remind(at.UTC(), ids...), "that a customer was reminded could not be kept")
}

// Reminded fills in when customers were last reminded.
func (s *Setup) Reminded(list []Invitation) []Invitation {
	if s.store == nil || len(list) == 0 {
		return list
	}
	at := s.store.Reminders()
	for n := range list {
		list[n].Reminded = at[list[n].ID]
	}
	return list
}

// ExportInvitations is the function of that name.
func (s *Setup) ExportInvitations(dir, partner string, list []Invitation) (string, error) {
	return ExportInvitations(dir, partner, list)
}
