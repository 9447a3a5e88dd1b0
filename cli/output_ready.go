package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"msbundle/steps"
)

// accountDocument is what became of the tenant itself: of the service account and
// what surrounds it.
type accountDocument struct {
	Account    string           `json:"account"`
	ID         string           `json:"id"`
	Created    string           `json:"created,omitempty"`
	Made       bool             `json:"made"` // by this program
	Roles      []string         `json:"roles"`
	Agent      bool             `json:"adminAgent"`
	MFA        string           `json:"mfa"`
	Registered []string         `json:"registered"` // null when it could not be read
	Policies   []string         `json:"policies"`
	Azure      []string         `json:"azure"`
	Exchange   string           `json:"exchange"`
	Password   passwordDocument `json:"password"`
	Missing    []string         `json:"missing"` // what was asked for and could not be done
	Left       []string         `json:"left"`
	Handover   string           `json:"handover"`
}

type passwordDocument struct {
	Made  bool   `json:"made"`
	Value string `json:"value,omitempty"` // only where --password-out - asked for it
}

func readyDocument(r *steps.Result) *accountDocument {
	t := r.Tenant
	if t == nil {
		return nil
	}
	d := &accountDocument{
		Account: t.Account, ID: t.AccountID, Made: t.Made, Roles: append([]string{}, t.Roles...), Agent: t.Agent, MFA: t.MFA,
		Policies: append([]string{}, t.Policies...), Azure: append([]string{}, t.Azure...), Exchange: t.Exchange,
		Password: passwordDocument{Made: !t.Password.IsZero()}, Missing: append([]string{}, t.Missing...), Left: append([]string{}, t.Left...), Handover: r.Handover(),
	}
	if t.RegisteredRaw {
		d.Registered = append([]string{}, t.Registered...)
	}
	if !t.Created.IsZero() {
		d.Created = t.Created.UTC().Format(time.RFC3339)
	}
	return d
}

// printReady tells what became of the tenant itself, as a text for where a team
// documents its accounts.
func printReady(w io.Writer, r *steps.Result, passwordOut string) {
	t := r.Tenant
	if t == nil {
		return
	}
	fmt.Fprintln(w)
	for line := range strings.Lines(r.Handover()) {
		fmt.Fprintln(w, plain(strings.TrimSuffix(line, "\n")))
	}
	line := func(label, text string) {
		if text != "" {
			fmt.Fprintf(w, "%-27s %s\n", label+":", plain(text))
		}
	}
	if t.Account == "" { // then there is nothing to hand over
		for _, text := range t.Azure {
			line("Azure", text)
		}
		line("Exchange Online", t.Exchange)
	} else {
		line("Methods registered", registered(t))
		line("Password", whereabouts(t, passwordOut))
	}
	if len(t.Left) > 0 {
		fmt.Fprintln(w, "\nLeft for a person:")
		for _, text := range t.Left {
			fmt.Fprintf(w, "  %s\n", plain(text))
		}
	}
}

func registered(t *steps.TenantResult) string {
	switch {
	case !t.RegisteredRaw:
		return "could not be read"
	case len(t.Registered) == 0:
		return "none yet"
	}
	return strings.Join(t.Registered, ", ")
}

// whereabouts says where the password is.
func whereabouts(t *steps.TenantResult, passwordOut string) string {
	switch {
	case t.Password.IsZero() && passwordOut != "":
		return "none was made: the account has one (--take " + steps.OfferPassword + " makes a new one)"
	case t.Password.IsZero():
		return ""
	case passwordOut == "":
		return "nobody knows it: run again with --password-out to have a new one delivered"
	case passwordOut == "-":
		return "on stdout"
	}
	return "in " + passwordOut
}
