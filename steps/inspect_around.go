package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// part is a reading the work can go on without. Until it was taken it counts as
// unread; needs is what the service wants for it.
func (f *Findings) part(id Part, needs string, r reading) reading {
	f.Unread[id] = Unread{Why: "It was not read", Fix: "Look again."}
	take := r.take
	r.take = func(ctx context.Context, res *msclient.Response) error {
		err := take(ctx, res)
		if err == nil {
			delete(f.Unread, id)
		}
		return err
	}
	r.unread = func(err error) { f.Unread[id] = whyUnread(err, needs) }
	return r
}

// whyUnread says why something could not be read, and what would show it.
func whyUnread(err error, needs string) Unread {
	var failed *msclient.Error
	var refused *msclient.AuthError
	var alone *msclient.UnattendedError
	const client = "name an app of your own with --client-id that has this access."
	switch {
	case errors.As(err, &alone):
		return Unread{"It takes one more sign-in, and nobody can be asked for it here: " + alone.Why, "Look where somebody can be asked, or " + client}
	case errors.Is(err, msclient.ErrSkipped):
		return Unread{
			"It takes one more sign-in, which was left out",
			"Look again and make that sign-in when it is asked for, or " + client,
		}
	case errors.Is(err, msclient.ErrSignInExpired):
		return Unread{"It takes one more sign-in, and nobody entered the code in time", "Look again and make that sign-in, or leave it out."}
	case errors.As(err, &refused):
		words, _, _ := strings.Cut(refused.Error(), " Trace ID")
		return Unread{"The sign-in for it was refused: " + words, "Look the code up with 'msbundle explain', then look again. It takes " + needs + "."}
	case errors.As(err, &failed) && (failed.Status == 403 || failed.Status == 401):
		return Unread{fmt.Sprintf("The service does not show it to this account (%d)", failed.Status), "It takes " + needs + ". The setup goes on without this check."}
	case errors.As(err, &failed) && failed.Status > 0:
		return Unread{fmt.Sprintf("The service answered %d", failed.Status), "Look again later."}
	}
	return Unread{"The service gave no answer that could be used", "Look again; the log (--log FILE) has the details."}
}

// denied tells whether a service does not show something to this account.
func denied(err error) bool {
	var failed *msclient.Error
	return errors.As(err, &failed) && failed.Status == 403
}

// unlicensed tells whether a service said no because the tenant has not bought
// it: then there is nothing of it to be found.
func unlicensed(err error) bool {
	var failed *msclient.Error
	if !errors.As(err, &failed) || failed.Status != 400 && failed.Status != 403 {
		return false
	}
	words := strings.ToLower(failed.Code + " " + failed.Message)
	return strings.Contains(words, "licens") && (strings.Contains(words, "premium") || strings.Contains(words, "not licensed"))
}

// aroundReadings read what the checks tell of besides the setup itself.
func (s *Setup) aroundReadings(a state.Answers, f *Findings) []reading {
	round := []reading{
		s.policyReading(f),
		s.defaultsReading(f),
		s.plansReading(f),
		s.vendorAppReading(f),
	}
	if !f.Account.App {
		round = append(round, s.groupsReading(f))
	}
	if a.Has(catalog.CSP) {
		round = append(round, f.part(PartAgents, "the permission Directory.Read.All", reading{
			path: query("/v1.0/groups", "$filter", "displayName eq "+quote(agentsGroup), "$select", "id"),
			take: takePage(s, func(list []wireID) error { f.AgentGroups = ids(list); return nil }),
		}))
	}
	if a.Registration.Kind == state.KindConnector {
		return round
	}
	return append(round, f.part(PartMembers, needsPolicies, reading{
		path: "/v1.0/policies/authorizationPolicy",
		take: takeOne(func(w wireAuthorizationPolicy, _ json.RawMessage) { f.MembersRegister = w.Members.CreateApps }),
	}), f.part(PartDeleted, "the permission Application.Read.All and a role such as Application Administrator or Global Reader", reading{
		path: query("/v1.0/directory/deletedItems/microsoft.graph.application", "$select", "id,appId,displayName,deletedDateTime,createdDateTime,tags", "$top", "999"),
		take: takePage(s, func(list []wireApplication) error {
			f.Deleted = nil
			for _, w := range list {
				if strings.EqualFold(w.DisplayName, a.Registration.Name) { // as the service compares names
					f.Deleted = append(f.Deleted, w.summary())
				}
			}
			return nil
		}),
	}))
}

// groupsReading reads which groups the person is in.
func (s *Setup) groupsReading(f *Findings) reading {
	return f.part(PartGroups, "the permission Directory.Read.All", reading{
		path: query("/v1.0/me/transitiveMemberOf/microsoft.graph.group", "$select", "id", "$top", "999"),
		take: takePage(s, func(list []wireID) error { f.Groups = ids(list); return nil }),
	})
}

func (s *Setup) defaultsReading(f *Findings) reading {
	return f.part(PartDefaults, needsPolicies, reading{
		path: defaultsPolicy,
		take: takeOne(func(w struct {
			IsEnabled bool `json:"isEnabled"`
		}, _ json.RawMessage,
		) {
			f.SecurityDefaults = w.IsEnabled
		}),
	})
}

func (s *Setup) plansReading(f *Findings) reading {
	return f.part(PartPlans, "the permission Organization.Read.All or Directory.Read.All", reading{
		path: query("/v1.0/subscribedSkus", "$select", "capabilityStatus,servicePlans"),
		take: takePage(s, func(list []wireSKU) error { f.Plans = plans(list); return nil }),
	})
}

const (
	// agentsGroup is what Partner Center calls the group whose members may act for
	// the partner.
	agentsGroup = "AdminAgents"

	needsPolicies = "the permission Policy.Read.All and a role such as Global Reader or Security Reader"
)

type wireID struct {
	ID string `json:"id"`
}

func ids(list []wireID) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = w.ID
	}
	return out
}

type wireAuthorizationPolicy struct {
	Members struct {
		CreateApps bool `json:"allowedToCreateApps"`
	} `json:"defaultUserRolePermissions"`
}

type wireSKU struct {
	Status string `json:"capabilityStatus"`
	Plans  []struct {
		Name   string `json:"servicePlanName"`
		Status string `json:"provisioningStatus"`
	} `json:"servicePlans"`
}

// plans are the services a tenant has: those of products that are in force, or
// run out and can still be used.
// https://learn.microsoft.com/graph/api/resources/subscribedsku
func plans(list []wireSKU) []string {
	var out []string
	for _, sku := range list {
		if sku.Status != "Enabled" && sku.Status != "Warning" {
			continue
		}
		for _, p := range sku.Plans {
			if p.Status != "Disabled" && !slices.Contains(out, p.Name) {
				out = append(out, p.Name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// vendorAppReading finds the vendor's enterprise apps, of today and of before,
// and the client people sign in through.
func (s *Setup) vendorAppReading(f *Findings) reading {
	wanted := []string{quote(catalog.VendorConnector), quote(catalog.GraphCommandLineTools)}
	for _, l := range catalog.LegacyApps() {
		wanted = append(wanted, quote(l.AppID))
	}
	return f.part(PartVendorApps, "the permission Application.Read.All", reading{
		path: query(principals, "$filter", "appId in ("+strings.Join(wanted, ",")+")", "$select", principalFields),
		take: takePage(s, func(list []wirePrincipal) error {
			f.Leftovers, f.VendorApp, f.signInApp = nil, nil, nil
			for _, w := range list {
				switch w.AppID {
				case catalog.VendorConnector:
					f.VendorApp = w.principal()
				case catalog.GraphCommandLineTools:
					f.signInApp = w.principal()
				default:
					f.Leftovers = append(f.Leftovers, *w.principal())
				}
			}
			return nil
		}),
	})
}

// secondReadings read what only the first round showed to be worth it: what the
// sign-in left behind, and which roles could be activated where some are missing.
func (s *Setup) secondReadings(a state.Answers, f *Findings) []reading {
	var round []reading
	if p := f.signInApp; p != nil {
		round = append(round, f.part(PartSignInApp, "the permission Directory.Read.All", reading{
			path: query(principals+"/"+p.ObjectID+"/oauth2PermissionGrants", "$top", "999"),
			take: takePage(s, func(list []wireGrant) error { f.SignInApp = footprint(p.Name, f.Account.ObjectID, list); return nil }),
		}))
	}
	if a.Registration.Kind == state.KindOwned && !f.Account.App && !f.rolesSuffice(a, f.RoleIDs) {
		round = append(round, s.eligibleReading(f))
	}
	return round
}

// footprint is what a client was granted: to one person, and to everybody.
func footprint(name, person string, list []wireGrant) *SignInApp {
	app := &SignInApp{Name: name}
	for _, g := range list {
		switch {
		case g.ConsentType == "AllPrincipals":
			app.Everyone = append(app.Everyone, strings.Fields(g.Scope)...)
		case strings.EqualFold(g.PrincipalID, person):
			app.Mine = append(app.Mine, strings.Fields(g.Scope)...)
		}
	}
	return app
}

type wireEligibility struct {
	RoleID string     `json:"roleDefinitionId"`
	Ends   *time.Time `json:"endDateTime"`
}

// eligibleReading reads the roles the person could activate. Everybody may read
// their own.
// https://learn.microsoft.com/graph/api/unifiedroleeligibilityscheduleinstance-filterbycurrentuser
func (s *Setup) eligibleReading(f *Findings) reading {
	r := f.part(PartEligible, "the permission RoleManagement.Read.Directory", reading{
		path: query("/v1.0/roleManagement/directory/roleEligibilityScheduleInstances/filterByCurrentUser(on='principal')", "$select", "roleDefinitionId,endDateTime"),
		take: takePage(s, func(list []wireEligibility) error {
			f.Eligible = nil
			for _, w := range list {
				if w.Ends == nil || w.Ends.After(s.client.Now()) {
					f.Eligible = append(f.Eligible, w.RoleID)
				}
			}
			return nil
		}),
	})
	unread := r.unread
	r.unread = func(err error) {
		if unlicensed(err) { // no Privileged Identity Management, so nothing is eligible
			delete(f.Unread, PartEligible)
			return
		}
		unread(err)
	}
	return r
}
