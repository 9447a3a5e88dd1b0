package steps

import (
	"fmt"
	"slices"
	"strings"

	"msbundle/state"
)

// checkDefaults tells whether Microsoft's basic protection is on.
// https://learn.microsoft.com/entra/fundamentals/security-defaults
func checkDefaults(f *Findings) Check {
	c := Check{ID: "defaults", Title: "Security defaults", Evidence: "Off, so Conditional Access policies can be used"}
	if u, missing := f.unread(PartDefaults); missing {
		return c.unknown(u)
	}
	if f.SecurityDefaults {
		c.State, c.Evidence = Warned, "On: everybody is asked for multifactor authentication, and no Conditional Access policy can be switched on beside them"
		c.Fix = "Nothing for this setup: no policy is needed for the account then. Should you switch them off, Microsoft may put policies of its own in place, one of which blocks signing in with a code."
	}
	return c
}

// said is a policy and what it does to this account's sign-ins.
type said struct {
	name string
	does string
	may  bool
}

// policies sorts the policies that do something: those in force, and those that
// only report. others are those in force that spare this account.
func policies(a state.Answers, f *Findings, does func(AccessPolicy) (is, may string)) (inForce, reported []said, others []string) {
	here := signInsHere(a, f)
	for _, p := range f.Policies {
		is, may := does(p)
		if is == "" || p.State == "disabled" {
			continue
		}
		r := p.reaches(here)
		s := said{p.Name, is, r == maybe}
		if s.may {
			s.does = may
			if n := p.narrows(); len(n) > 0 {
				s.does += ", " + strings.Join(n, ", ")
			}
		}
		switch {
		case r == spared && p.State == "enabled":
			others = append(others, p.Name)
		case r == spared:
		case p.State == "enabled":
			inForce = append(inForce, s)
		default:
			reported = append(reported, s)
		}
	}
	return inForce, reported, others
}

func tell(list []said) string {
	var out []string
	for _, s := range list {
		out = append(out, fmt.Sprintf("%q %s", s.name, s.does))
	}
	return strings.Join(out, "; ")
}

// byPolicies fills a check from the policies: a warning when one in force reaches the
// account, with those that only report or spare it as a note.
func (c Check) byPolicies(a state.Answers, f *Findings, fix string, does func(AccessPolicy) (is, may string)) Check {
	if f.Account.App {
		return c.unknown(appOnly)
	}
	if u, missing := f.unread(PartPolicies); missing {
		return c.unknown(u)
	}
	inForce, reported, others := policies(a, f, does)
	notes := []string{c.Evidence}
	if len(inForce) > 0 {
		c.State, c.Fix = Warned, fix
		notes[0] = tell(inForce)
	}
	if len(reported) > 0 {
		notes = append(notes, "In report-only mode, so not yet: "+tell(reported))
	}
	if len(others) > 0 {
		slices.Sort(others)
		notes = append(notes, "Sparing this account, not others: "+quoted(others))
	}
	c.Evidence = strings.Join(notes, ". ")
	return c
}

func quoted(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(out, ", ")
}

// checkDeviceCode names the policies against signing in with a code. A session
// remembers that it began with one: a policy switched on later ends it.
func checkDeviceCode(a state.Answers, f *Findings) Check {
	c := Check{ID: "device-code", Title: "Signing in with a code", Evidence: "No Conditional Access policy blocks it for this account"}
	fix := "Sign in with a browser (--auth browser): a session that began with a code can end in the middle of the work. Or have this account excluded from the policy."
	if f.Account.Browser {
		fix = "This sign-in was made with a browser, which that does not reach. Keep to it (--auth browser) in later runs."
	}
	return c.byPolicies(a, f, fix, func(p AccessPolicy) (string, string) {
		if !p.blocksDeviceCode() {
			return "", ""
		}
		return "blocks it", "may block it"
	})
}

// checkAccess names the policies that keep this account out, or ask for what
// neither a terminal nor Rewst's servers have.
func checkAccess(a state.Answers, f *Findings) Check {
	c := Check{ID: "access", Title: "Conditional Access", Evidence: "No policy keeps this account out, or asks for a device or a place"}
	fix := "Exclude the account that authorises in Rewst from these policies: its sign-in is used from Rewst's servers, which have neither your devices nor your places."
	return c.byPolicies(a, f, fix, func(p AccessPolicy) (string, string) {
		if p.blocks() && (p.Conditions.Flows == nil || p.Conditions.Flows.Methods == "") {
			return "blocks sign-ins", "may block sign-ins"
		}
		if d := p.demands(); d != "" {
			return "asks for " + d, "may ask for " + d
		}
		return "", ""
	})
}

// checkFrequency names the policies that end sessions.
// https://learn.microsoft.com/entra/identity/conditional-access/concept-session-lifetime
func checkFrequency(a state.Answers, f *Findings) Check {
	c := Check{ID: "frequency", Title: "How long a sign-in lasts", Evidence: "No Conditional Access policy asks this account to sign in again"}
	fix := "Exclude the account that authorises in Rewst from it: what Rewst keeps of its sign-in ends then, and every automation with it."
	return c.byPolicies(a, f, fix, func(p AccessPolicy) (string, string) {
		often := p.frequency()
		if often == "" {
			return "", ""
		}
		return "asks for a new sign-in " + often, "may ask for a new sign-in " + often
	})
}

// checkPremium: Conditional Access, and groups that can hold roles, take Microsoft
// Entra ID P1.
// https://learn.microsoft.com/entra/identity/conditional-access/overview#license-requirements
func checkPremium(f *Findings) Check {
	c := Check{ID: "premium", Title: "Microsoft Entra ID P1", Evidence: "The tenant has it"}
	if u, missing := f.unread(PartPlans); missing {
		return c.unknown(u)
	}
	if !slices.Contains(f.Plans, "AAD_PREMIUM") && !slices.Contains(f.Plans, "AAD_PREMIUM_P2") {
		c.State, c.Evidence = Warned, "No product of this tenant has it"
		c.Fix = "The app registration does not need it. A Conditional Access policy for the account that authorises in Rewst does, and so do groups that can hold roles; " +
			"without it, have security defaults on or demand multifactor authentication of that account itself."
	}
	return c
}

// checkExchange: Exchange answers only where somebody has a mailbox plan.
func checkExchange(f *Findings) Check {
	c := Check{ID: "exchange", Title: "Exchange Online", Evidence: "The tenant has a plan with it"}
	if u, missing := f.unread(PartPlans); missing {
		return c.unknown(u)
	}
	mailbox := slices.ContainsFunc(f.Plans, func(p string) bool {
		// The foundation comes with nearly every product and holds no mailbox.
		return strings.HasPrefix(p, "EXCHANGE_") && !strings.Contains(p, "FOUNDATION") && !strings.Contains(p, "ARCHIVE") && !strings.Contains(p, "ANALYTICS")
	})
	if !mailbox {
		c.State, c.Evidence = Failed, "No product of this tenant has a plan with mailboxes"
		c.Fix = "Leave Microsoft Exchange Online out, or buy such a plan. The permissions can be granted; Exchange then refuses every command."
	}
	return c
}
