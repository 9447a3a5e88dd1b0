package steps

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math/big"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// stepAccount is the step of the service account.
const stepAccount = "serviceaccount"

// Offers about a service account that is not simply there or absent.
const (
	OfferEnable   = "enable-account"  // a disabled account is enabled
	OfferRestore  = "restore-account" // a deleted account is restored
	OfferReplace  = "replace-account" // a new account is made, and the deleted one left alone
	OfferPassword = "new-password"    // an account that is there gets a new password
)

// refAccount is the reference to the service account.
const refAccount = "account"

// planReady works out what the stage about the tenant has to write.
func planReady(p *Plan) {
	planAccount(p)
	planMFA(p)
	planAccess(p)
	planAzure(p)
	planExchange(p)
	planStepDown(p)
}

// accountRef is the service account: its id, or the reference to it; empty when
// the plan leads to none.
func (p *Plan) accountRef() string {
	a, r := p.want.answers.ServiceAccount, p.findings.Ready
	switch {
	case a == nil || r == nil:
		return ""
	case r.User != nil && !r.User.Guest && !r.User.Synced && (r.User.Enabled || p.options.Ticked[OfferEnable]):
		return r.User.ID
	case r.User == nil && p.makesAccount():
		return "${" + refAccount + ".id}"
	}
	return ""
}

// makesAccount tells whether the plan makes the account, or restores it.
func (p *Plan) makesAccount() bool {
	a, r := p.want.answers.ServiceAccount, p.findings.Ready
	switch {
	case r.User != nil, r.UPN == "", r.badDomain() != "":
		return false
	case len(r.Deleted) > 0 && p.options.Ticked[OfferRestore]:
		return true
	}
	return a.Create && (len(r.Deleted) == 0 || p.options.Ticked[OfferReplace])
}

// badDomain says why no account can be made at the domain; empty when it can.
func (r *Readiness) badDomain() string {
	_, host, _ := strings.Cut(r.UPN, "@")
	for _, d := range r.Domains {
		switch {
		case !strings.EqualFold(d.Name, host):
		case !d.Verified:
			return host + " is not verified in this tenant"
		case d.Federated:
			return host + " is federated: its people sign in elsewhere, and Microsoft holds no password for them"
		default:
			return ""
		}
	}
	return host + " is no domain of this tenant"
}

// planAccount finds or makes the service account, gives it what authorising takes
// and puts it into AdminAgents.
// https://learn.microsoft.com/graph/api/user-post-users
func planAccount(p *Plan) {
	a, r := p.want.answers.ServiceAccount, p.findings.Ready
	if a == nil {
		return
	}
	if r.Renamed != "" {
		p.note("%s. The account is %s.", r.Renamed, r.UPN)
	}
	switch {
	case r.User == nil && len(r.Deleted) > 0:
		p.planDeleted()
	case r.User == nil && p.makesAccount():
		p.planNewAccount()
	case r.User != nil && !r.User.Enabled && !r.User.Guest && !r.User.Synced:
		p.planEnable()
	}
	who := p.accountRef()
	if who == "" {
		return
	}
	p.planPassword()
	if a.Roles == state.RolesSetup && !r.User.Holds(catalog.RoleGlobalAdministrator) {
		p.giveRole(catalog.RoleGlobalAdministrator, "Authorising the integration takes it. Take it away afterwards: choose the roles for operating.")
	}
	p.planAgents(who)
}

func (p *Plan) planNewAccount() {
	a, r := p.want.answers.ServiceAccount, p.findings.Ready
	name, _, _ := strings.Cut(r.UPN, "@")
	p.add(Change{
		ID: "serviceaccount/user", Step: stepAccount, Kind: KindUser, Action: Create, Binds: refAccount,
		Object: fmt.Sprintf("account %s (%s)", r.UPN, a.DisplayName),
		Why:    "Rewst acts in Microsoft's cloud as this account. Its password is made here and shown once.",
		Method: "POST", Path: users, Risk: RiskHigh, Reversible: true, Name: r.UPN,
	}, map[string]any{
		"accountEnabled": true, "displayName": a.DisplayName, "mailNickname": nickname(name), "userPrincipalName": r.UPN,
		"passwordProfile": map[string]any{"password": Generated, "forceChangePasswordNextSignIn": false},
	})
	p.lostPassword("The account is made with a password nobody knows: there is nowhere to deliver it.")
}

func (p *Plan) lostPassword(what string) {
	if !p.options.Password {
		p.note("%s Name a place with --password-out in a later run, or set one in the portal.", what)
	}
}

// nickname is the part of a user name that may be a mail nickname.
// https://learn.microsoft.com/graph/api/resources/user
func nickname(name string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("'!#^~", r) || r == '.' {
			return -1
		}
		return r
	}, name)
}

// planDeleted offers what can be done about a deleted account of that name.
func (p *Plan) planDeleted() {
	r := p.findings.Ready
	d := r.Deleted[0]
	restore := p.offer(Offer{
		ID: OfferRestore, Risk: RiskHigh, Title: "Restore the deleted account " + r.UPN,
		Why: fmt.Sprintf("It was deleted on %s and can be restored for 30 days: with its groups, and with the directory roles it had. Its password is the one it had.", d.Deleted.Format(time.DateOnly)),
	})
	replace := p.want.answers.ServiceAccount.Create && p.offer(Offer{
		ID: OfferReplace, Risk: RiskModerate, Title: "Make a new account " + r.UPN + " beside the deleted one",
		Why: "The deleted one can then be restored only under another user name.",
	})
	switch {
	case restore:
		p.add(Change{
			ID: "serviceaccount/restore", Step: stepAccount, Kind: KindUser, Action: Create, Binds: refAccount,
			Object: "deleted account " + r.UPN + ", restored", Why: "The offer to restore it was taken.",
			Method: "POST", Path: "/v1.0/directory/deletedItems/" + d.ID + "/restore", Risk: RiskHigh, Reversible: true, Name: r.UPN,
		}, nil)
	case replace && r.badDomain() == "":
		p.planNewAccount()
	}
}

func (p *Plan) planEnable() {
	u := p.findings.Ready.User
	why := "It is there and disabled: somebody did that, and may have had a reason. Nothing can sign in with it until it is enabled."
	if len(u.Roles) > 0 { // https://learn.microsoft.com/graph/api/resources/users#who-can-perform-sensitive-actions
		why += " It has directory roles, and Microsoft refuses to have an administrator's account enabled from here: enable it in the portal if that happens."
	}
	if !p.offer(Offer{ID: OfferEnable, Risk: RiskHigh, Title: "Enable the account " + u.UPN, Why: why}) {
		return
	}
	p.add(Change{
		ID: "serviceaccount/enable", Step: stepAccount, Kind: KindUser, Action: Update,
		Object: "account " + u.UPN + ": enabled", Why: "The offer to enable it was taken.",
		Method: "PATCH", Path: users + "/" + u.ID, Risk: RiskHigh, Reversible: true, Name: u.UPN,
		Before: json.RawMessage(`{"accountEnabled":false}`),
	}, map[string]any{"accountEnabled": true})
}

// planPassword gives an account a password that somebody knows.
// https://learn.microsoft.com/graph/api/user-update
func (p *Plan) planPassword() {
	r := p.findings.Ready
	u := r.User
	if u == nil {
		return
	}
	why := "The offer was taken. Whatever signs in with the old password stops working."
	switch {
	case r.password != "" && !p.options.Password:
		p.lostPassword("An earlier run made the account's password, and nobody received it.")
		return
	case r.password != "":
		why = "An earlier run made the account and ended before anybody received its password."
	case !p.options.Password, !p.offer(Offer{
		ID: OfferPassword, Risk: RiskHigh, Title: "Make a new password for " + u.UPN,
		Why: "Take this when nobody knows the account's password. Whatever signs in with the old one stops working, Rewst too once its sign-in ends.",
	}):
		return
	}
	p.add(Change{
		ID: "serviceaccount/password", Step: stepAccount, Kind: KindPassword, Action: Update, Binds: refAccount,
		Object: "password of " + u.UPN, Why: why, Method: "PATCH", Path: users + "/" + u.ID, Risk: RiskHigh, Reversible: false, Name: u.UPN,
	}, map[string]any{"passwordProfile": map[string]any{"password": Generated, "forceChangePasswordNextSignIn": false}})
}

// planAgents puts the account where Partner Center looks for who may act for the
// partner.
// https://learn.microsoft.com/graph/api/group-post-members
func (p *Plan) planAgents(who string) {
	r := p.findings.Ready
	switch {
	case r.User != nil && r.User.Agent:
		return
	case !p.want.answers.Has(catalog.CSP):
		if r.Agents != "" {
			p.note("This is a partner's tenant, and Microsoft CSP is not chosen: the account is not put into %s, so it sees no customers. Choose Microsoft CSP among the integrations to have it put there.", agentsGroup)
		}
		return
	case r.Agents == "":
		p.note("There is no group %s, which every partner's tenant has: the account cannot be put into it.", agentsGroup)
		return
	}
	p.add(Change{
		ID: "serviceaccount/agents", Step: stepAccount, Kind: KindMember, Action: Add,
		Object: fmt.Sprintf("membership of the group %s to %s", agentsGroup, r.UPN),
		Why:    "Partner Center shows customers to members of this group only. It gives no rights in customers' tenants.",
		Method: "POST", Path: "/v1.0/groups/" + r.Agents + "/members/$ref", Risk: RiskHigh, Reversible: true, Name: r.Agents,
	}, map[string]string{"@odata.id": "https://" + p.findings.Cloud.Graph + "/v1.0/directoryObjects/" + who})
}

// giveRole gives the service account a directory role.
// https://learn.microsoft.com/graph/api/rbacapplication-post-roleassignments
func (p *Plan) giveRole(id, why string) {
	risk := RiskHigh
	if id == catalog.RoleGlobalAdministrator {
		risk = RiskCritical
	}
	role := catalog.RoleByID(id)
	p.add(Change{
		ID: "serviceaccount/role/" + id, Step: stepAccount, Kind: KindRoleGiven, Action: Add,
		Object: fmt.Sprintf("%s to %s", role.Name, p.findings.Ready.UPN), Why: why,
		Method: "POST", Path: roleAssignments, Risk: risk, Reversible: true, Name: id,
	}, map[string]string{"roleDefinitionId": id, "principalId": p.accountRef(), "directoryScopeId": "/"})
}

// pathName writes a user name as one segment of a path.
func pathName(upn string) string { return url.PathEscape(upn) }

const passwordLength = 32

// newPassword makes a password that every tenant's rules take: long, of all four
// kinds of characters, and without letters that look alike.
// https://learn.microsoft.com/entra/identity/authentication/concept-password-ban-bad-combined-policy
func newPassword() Secret {
	kinds := []string{"ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghijkmnpqrstuvwxyz", "23456789", "!#$%*+-=?@_"}
	all := strings.Join(kinds, "")
	for {
		b := make([]byte, passwordLength)
		for i := range b {
			n, err := rand.Int(rand.Reader, big.NewInt(int64(len(all))))
			if err != nil { // the system's random source cannot fail on what Go runs on
				panic(err)
			}
			b[i] = all[n.Int64()]
		}
		complete := true
		for _, k := range kinds {
			complete = complete && strings.ContainsAny(string(b), k)
		}
		if complete {
			return msclient.NewSecret(string(b))
		}
	}
}

// lookForAccount looks for an account that a write may have made or restored.
func (s *Setup) lookForAccount(ctx context.Context, intent state.Record) (map[string]string, error) {
	w, err := msclient.Get[wireAccount](ctx, s.graph, query(users+"/"+pathName(intent.Name), "$select", userFields))
	if refused(err, 404) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	restored := path.Base(intent.Path) == "restore"
	if !restored && !w.Created.After(intent.At.Add(-clockTolerance)) || restored && !strings.Contains(intent.Path, w.ID) {
		return nil, nil // somebody's, of before
	}
	return map[string]string{refAccount + ".id": w.ID}, nil
}

// freshAccount finds an account that our journal made a moment ago and that a
// replica does not know by its name yet.
func (s *Setup) freshAccount(ctx context.Context, r *Readiness, observe func(Event)) error {
	if r.User != nil || s.store == nil {
		return nil
	}
	for _, e := range s.store.Entries() {
		id := e.Outcome.Refs[refAccount+".id"]
		if Kind(e.What) != KindUser || e.Action != string(Create) || id == "" || e.Undone || !strings.EqualFold(e.Name, r.UPN) ||
			s.client.Now().Sub(e.Outcome.At) > replicationHorizon || slices.ContainsFunc(r.Deleted, func(u User) bool { return u.ID == id }) {
			continue
		}
		// What does not show in all that time was deleted by somebody else.
		_, err := msclient.Until(ctx, s.settling(e.Object, observe), func(ctx context.Context) (bool, error) {
			w, err := msclient.Get[wireAccount](ctx, s.graph, query(users+"/"+id, "$select", userFields))
			if refused(err, 404) {
				return false, nil
			}
			if err == nil && strings.EqualFold(w.UPN, r.UPN) { // or somebody gave it another name
				r.User = w.user()
			}
			return err == nil, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// deliverPassword sends a fresh password to where the person asked.
func (e *engine) deliverPassword(a attempt) error {
	if !e.passwordSet || e.pendingPassword != a.intent || e.options.DeliverPassword == nil {
		return nil
	}
	if err := e.options.DeliverPassword(e.password); err != nil {
		return &Problem{
			What: "the account's password was made but could not be delivered", Retry: true, Err: err,
			Do: err.Error() + ". Mend that and run again: a new password is then made.",
		}
	}
	return e.PasswordDelivered()
}
