package steps

import (
	"fmt"
	"strings"
	"time"

	"msbundle/catalog"
)

// WhoApproves says who can approve an invitation, and how.
const WhoApproves = "A Global Administrator of the customer's own tenant, signed in there: best in a private window, so that no other account is in the way."

// InvitationMail is a text that asks a customer to approve; partner is the name of
// who asks. A paragraph is one line, which ends in a line feed.
func InvitationMail(i Invitation, partner string) (subject, body string) {
	customer := oneLine(i.Customer.Name)
	if customer == "" {
		customer = i.Customer.TenantID
	}
	if partner = oneLine(partner); partner == "" {
		partner = "Your Microsoft partner"
	}
	subject = i.marked(": ", fmt.Sprintf("%s: please approve the administration of your Microsoft tenant by %s", customer, partner))
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	if i.Rehearsal {
		line("Rehearsal: do not send it to anybody. It shows what a customer would get; none of it exists, and its link leads to a simulated cloud or nowhere.")
		line("")
	}
	line("Hello,")
	line("")
	line("%s asks to administer the Microsoft tenant of %s by granular delegated admin privileges (GDAP). Microsoft lets us do so only once you have approved.", partner, customer)
	line("")
	line("Who can approve: a Global Administrator of %s. Please use a private (InPrivate, incognito) window, so that no other account is in the way:", customer)
	line("")
	line("1. Open this address and sign in with your own administrator account:")
	line("")
	line("%s", i.Link)
	line("")
	line("2. Compare the name of the request: %s", oneLine(i.Name))
	line("3. Choose Approve all.")
	if older := oneLine(i.Older); older != "" {
		line("")
		line("There is an older request that does not have all it takes: %s. Please do not approve that one. It lapses by itself.", older)
	}
	line("")
	if len(i.Roles) > 0 {
		line("These are the roles we ask for:")
		line("")
		for _, id := range i.Roles {
			role := catalog.RoleByID(id).Name
			if role == "" {
				role = id
			}
			line("- %s", role)
		}
		line("")
	}
	if !i.Until.IsZero() {
		line("The request lapses on %s.", i.Until.UTC().Format("2 January 2006"))
	}
	line("You can end the relationship at any time, in the Microsoft 365 admin center under Settings > Partner relationships.")
	line("")
	line("Kind regards")
	line("%s", partner)
	return subject, b.String()
}

// marked has a text about an invitation say that it is one of a rehearsal.
func (i Invitation) marked(sep, text string) string {
	if i.Rehearsal {
		return "Rehearsal" + sep + text
	}
	return text
}

// oneLine keeps text from outside on one line of a mail.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// StatusWord is an invitation's state, for people.
func (i Invitation) StatusWord() string {
	switch i.Status {
	case RelationPending:
		return "waits for approval"
	case RelationApproved, RelationStarting:
		return "approved, being set up"
	case RelationActive:
		return "approved"
	case RelationCreated:
		return "being opened for approval"
	}
	return i.Status
}

// Waits is for how many whole days the customer has been waited for.
func (i Invitation) Waits(now time.Time) int {
	return max(int(now.Sub(i.Since)/(24*time.Hour)), 0)
}
