package ui

import (
	"fmt"
	"strings"

	"msbundle/steps"
)

// recordRows are the values of the stage about the tenant that somebody keeps.
func recordRows(r *steps.Result) []resultRow {
	t := r.Tenant
	if t == nil || t.Account == "" {
		return nil
	}
	return []resultRow{
		{label: "User name", value: t.Account},
		{label: "Object id", value: t.AccountID},
		{label: "Hand-over text", value: r.Handover(), text: true},
	}
}

// tenantFacts say what the tenant holds now, what is left for a person first.
func tenantFacts(r *steps.Result) []fact {
	t := r.Tenant
	if t == nil {
		return nil
	}
	var facts []fact
	add := func(label, text string) {
		if text != "" {
			facts = append(facts, fact{label, text})
		}
	}
	several := func(label string, texts []string) {
		for i, text := range texts {
			if i > 0 {
				label = ""
			}
			facts = append(facts, fact{label, text})
		}
	}
	several("Left for you", t.Left)
	if t.Account != "" {
		account := t.Account
		if t.Made {
			account += ", made by this program on " + day(t.Created)
		} else if !t.Created.IsZero() {
			account += ", made on " + day(t.Created)
		}
		add("Account", account)
		roles := "none"
		if len(t.Roles) > 0 {
			roles = strings.Join(t.Roles, ", ")
		}
		add("Directory roles", roles)
		if t.Agent {
			add("Groups", "AdminAgents")
		}
		add("MFA", t.MFA)
		add("Registered", registered(t.Registered, t.RegisteredRaw))
	}
	several("Policies", t.Policies)
	several("Azure", t.Azure)
	add("Exchange", t.Exchange)
	return facts
}

// registered says what an account can sign in with besides its password.
func registered(methods []string, read bool) string {
	switch {
	case !read:
		return "could not be read"
	case len(methods) == 0:
		return "no method yet: a person registers one at the first sign-in"
	}
	return strings.Join(methods, ", ")
}

// doneBy names who signed in for a stage.
func doneBy(stage steps.Stage) string {
	if stage != steps.StageAuthorize {
		return "Done by"
	}
	return "Authorised by"
}

// handover shows the text for the documentation, line by line as it is copied.
func (s *result) handover(f Frame) []string {
	t := f.Theme
	head := t.lines(t.Title, "Hand-over text", f.Width)
	head = append(head, t.lines(t.Muted, "For where your team documents its accounts. The password is not in it. c copies it, esc goes back.", f.Width)...)
	head = append(head, "")
	var lines []string
	for l := range strings.Lines(s.got.Handover()) {
		lines = append(lines, wrap(strings.TrimRight(l, "\n"), f.Width-2)...)
	}
	return append(head, s.scroll.View(f.sized(f.Width, f.Height-len(head)), lines)...)
}

// tenantSummary is what is printed of the stage after the program has ended. It
// never holds the password.
func tenantSummary(r *steps.Result) []string {
	lines := []string{fmt.Sprintf("%s: the tenant %s (%s).", verdictOf(steps.StageTenant, r), name(r.Org.Name, r.Org.ID), count(r.Written, "write", "writes"))}
	for _, f := range tenantFacts(r) {
		if f.label != "" {
			lines = append(lines, "  "+f.label+": "+f.text)
		} else {
			lines = append(lines, "  "+f.text)
		}
	}
	return lines
}
