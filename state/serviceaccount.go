package state

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Words of the sections about the tenant itself.
const (
	RolesSetup   = "setup"   // Global Administrator, as authorising takes
	RolesOperate = "operate" // the twelve roles, and Global Administrator no more
	RolesLeave   = "leave"   // as they are

	MFAAuto    = "auto"              // Conditional Access where the tenant has it, else the per-user state
	MFAPolicy  = "conditionalAccess" // a Conditional Access policy for the account
	MFAPerUser = "perUser"           // the per-user state
	MFALeave   = "leave"             // as it is

	PolicyEnabled    = "enabled"
	PolicyReportOnly = "reportOnly" // Conditional Access reports what it would do and does nothing

	AzureRoleLeave = "leave" // no role in the subscription is given
)

// Defaults of the sections.
const (
	DefaultUsername    = "rewst"
	DefaultDisplayName = "Rewst Service Account"
	DefaultGroup       = "rewst"
	DefaultLocation    = "eastus"
	DefaultAzureRole   = "Contributor"
)

// AzureRoles are the roles in a subscription the service account can be given.
var AzureRoles = []string{"Reader", "Contributor", "Owner"}

// ServiceAccount is the section about the account that authorises in Rewst.
type ServiceAccount struct {
	Create      bool   // make it when it is absent
	Username    string // "rewst", at the tenant's default domain, or "rewst@contoso.com"
	DisplayName string // of an account that is made
	Roles       string // RolesSetup, RolesOperate or RolesLeave
	MFA         string // MFAAuto, MFAPolicy, MFAPerUser or MFALeave
}

// ConditionalAccess is the section about the tenant's own policies.
type ConditionalAccess struct {
	Policy  string // PolicyEnabled or PolicyReportOnly, of the policy that is made
	Exclude bool   // take the account out of policies that would break its sign-in
}

// Azure is the section about the subscription and its key vault.
type Azure struct {
	Subscription  string // id or name; empty means the one that has a vault, or the first that can be used
	ResourceGroup string // of a vault that is made
	Location      string // of what is made
	Vault         string // name of a vault that is made; empty means one made from the tenant's name
	Role          string // of the service account in the subscription: one of AzureRoles, or AzureRoleLeave
}

// Exchange is the section about Exchange Online.
type Exchange struct {
	Administrator bool // give the owned app Exchange Administrator
}

// DefaultServiceAccount is the section as it is without its keys, and so on.
func DefaultServiceAccount() ServiceAccount {
	return ServiceAccount{Create: true, Username: DefaultUsername, DisplayName: DefaultDisplayName, Roles: RolesSetup, MFA: MFAAuto}
}

// DefaultConditionalAccess is the section as it is without its keys.
func DefaultConditionalAccess() ConditionalAccess {
	return ConditionalAccess{Policy: PolicyEnabled, Exclude: true}
}

// DefaultAzure is the section as it is without its keys.
func DefaultAzure() Azure {
	return Azure{ResourceGroup: DefaultGroup, Location: DefaultLocation, Role: DefaultAzureRole}
}

// DefaultExchange is the section as it is without its keys.
func DefaultExchange() Exchange { return Exchange{Administrator: true} }

// Ready tells whether the answers have a section about the tenant itself.
func (a Answers) Ready() bool {
	return a.ServiceAccount != nil || a.ConditionalAccess != nil || a.Azure != nil || a.Exchange != nil
}

// Blank tells whether there is nothing in the answers that could be applied.
func (a Answers) Blank() bool { return a.NoApp && !a.Ready() && a.GDAP == nil && a.Customers == nil }

// Over lays answers over those kept before: what they leave untouched stays as it
// was kept.
func (a Answers) Over(kept Answers) Answers {
	a = a.Clone()
	if a.NoApp {
		a.NoApp, a.Profile, a.Region, a.Integrations = kept.NoApp, kept.Profile, kept.Region, kept.Integrations
		a.Registration, a.Permissions = kept.Registration, kept.Permissions
	}
	a.ServiceAccount, a.ConditionalAccess = cmp.Or(a.ServiceAccount, kept.ServiceAccount), cmp.Or(a.ConditionalAccess, kept.ConditionalAccess)
	a.Azure, a.Exchange, a.GDAP = cmp.Or(a.Azure, kept.Azure), cmp.Or(a.Exchange, kept.Exchange), cmp.Or(a.GDAP, kept.GDAP)
	a.Customers = cmp.Or(a.Customers, kept.Customers)
	return a
}

func (a Answers) validateReady() []Invalid {
	var out []Invalid
	bad := func(key, format string, args ...any) { out = append(out, Invalid{key, fmt.Sprintf(format, args...)}) }
	choice := func(key, value string, known ...string) {
		if !slices.Contains(known, value) {
			bad(key, "%s is not known; use %s", quote(value), either(known))
		}
	}
	if s := a.ServiceAccount; s != nil {
		if text := CheckUsername(s.Username); text != "" {
			bad("serviceAccount.username", "%s", text)
		}
		if text := CheckDisplayName(s.DisplayName); text != "" {
			bad("serviceAccount.displayName", "%s", text)
		}
		choice("serviceAccount.roles", s.Roles, RolesSetup, RolesOperate, RolesLeave)
		choice("serviceAccount.mfa", s.MFA, MFAAuto, MFAPolicy, MFAPerUser, MFALeave)
	}
	if c := a.ConditionalAccess; c != nil {
		choice("conditionalAccess.policy", c.Policy, PolicyEnabled, PolicyReportOnly)
		if a.ServiceAccount == nil {
			bad("conditionalAccess", "the policies are about the service account; add serviceAccount: with its username")
		}
	}
	if z := a.Azure; z != nil {
		if text := CheckResourceGroup(z.ResourceGroup); text != "" {
			bad("azure.resourceGroup", "%s", text)
		}
		if text := CheckVault(z.Vault); text != "" {
			bad("azure.vault", "%s", text)
		}
		if !location.MatchString(z.Location) {
			bad("azure.location", "%s is no Azure region; it looks like eastus or westeurope", quote(z.Location))
		}
		choice("azure.role", z.Role, append(slices.Clone(AzureRoles), AzureRoleLeave)...)
		if a.ServiceAccount == nil && z.Role != AzureRoleLeave {
			bad("azure.role", "the role is for the service account; add serviceAccount: with its username, or use leave")
		}
	}
	if x := a.Exchange; x != nil && x.Administrator && a.Registration.Kind == KindConnector {
		bad("exchange.administrator", "the role is for an owned app; leave the section out with the connector")
	}
	return out
}

func either(words []string) string {
	n := len(words) - 1
	return strings.Join(words[:n], ", ") + " or " + words[n]
}

var (
	location = regexp.MustCompile(`^[a-z0-9]{3,40}$`)
	vault    = regexp.MustCompile(`^[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?$`)
	group    = regexp.MustCompile(`^[\p{L}\p{Nd}_().-]+$`)
	upnName  = regexp.MustCompile(`^[A-Za-z0-9'._!#^~-]+$`)
)

// maxUsername is how long the part of a user name before the @ may be.
// https://learn.microsoft.com/graph/api/resources/user
const maxUsername = 64

// CheckUsername says what is wrong with the service account's user name; empty
// when it can be used. It may have a domain.
func CheckUsername(s string) string {
	name, host, at := strings.Cut(s, "@")
	switch {
	case !upnName.MatchString(name):
		return quote(s) + " is no user name; use letters, digits and ' . - _ ! # ^ ~, for example rewst"
	case strings.HasPrefix(name, ".") || strings.HasSuffix(name, "."):
		return quote(s) + " begins or ends with a dot before the @; remove it"
	case len(name) > maxUsername:
		return fmt.Sprintf("the name has %d characters before the @; Microsoft allows %d", len(name), maxUsername)
	case at && !domain.MatchString(host):
		return quote(host) + " is no domain; it looks like contoso.onmicrosoft.com"
	}
	return ""
}

// CheckDisplayName says what is wrong with a person's or account's display name;
// empty when it can be used.
func CheckDisplayName(s string) string {
	switch {
	case strings.TrimSpace(s) == "":
		return "give the account a name, for example " + DefaultDisplayName
	case !utf8.ValidString(s):
		return "the name is not valid UTF-8"
	case utf8.RuneCountInString(s) > MaxAppName:
		return fmt.Sprintf("the name has %d characters; Microsoft allows %d", utf8.RuneCountInString(s), MaxAppName)
	case strings.ContainsFunc(s, unicode.IsControl), strings.Contains(s, "${"):
		return "the name holds a control character or ${; use plain text"
	case strings.TrimSpace(s) != s:
		return "the name begins or ends with a blank; remove it"
	}
	return ""
}

// CheckResourceGroup says what is wrong with a resource group's name; empty when
// it can be used.
// https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
func CheckResourceGroup(s string) string {
	if !group.MatchString(s) || strings.HasSuffix(s, ".") || utf8.RuneCountInString(s) > 90 {
		return quote(s) + " is no name of a resource group; use up to 90 letters, digits and _ - . ( ), without a dot at the end"
	}
	return ""
}

// CheckVault says what is wrong with a key vault's name; empty when it can be
// used, or is empty.
// https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules
func CheckVault(s string) string {
	if s != "" && (!vault.MatchString(s) || strings.Contains(s, "--") || len(s) < 3 || len(s) > 24) {
		return quote(s) + " is no name of a key vault; use 3 to 24 letters, digits and single dashes, beginning with a letter"
	}
	return ""
}
