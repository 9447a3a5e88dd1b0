package state

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"msbundle/catalog"
)

// Words of setup.yaml.
const (
	ProfileRewst = "rewst"

	KindOwned     = "owned"
	KindConnector = "connector"

	AudienceMulti  = "multitenant"
	AudienceSingle = "single"
)

// MaxAppName is how long an application's display name may be, in characters.
// https://learn.microsoft.com/graph/api/resources/application
const MaxAppName = 256

// Answers is what the person chose: the content of setup.yaml. It holds no
// secret.
type Answers struct {
	Profile      string
	Region       string
	Tenant       string // tenant id or domain; empty means the tenant of whoever signs in
	Account      string // user name of who is to sign in; empty means anybody
	Integrations []string
	Registration Registration
	Permissions  Permissions
	// NoApp leaves the app registration untouched: the file is about the tenant, and
	// has neither registration nor permissions.
	NoApp bool

	// About the tenant itself; nil leaves it untouched.
	ServiceAccount    *ServiceAccount
	ConditionalAccess *ConditionalAccess
	Azure             *Azure
	Exchange          *Exchange

	GDAP      *GDAP      // delegated administration of customers; nil leaves it untouched
	Customers *Customers // the customers' tenants; nil leaves them untouched
}

// Registration says which app is authorised.
type Registration struct {
	Kind     string // KindOwned or KindConnector
	Name     string
	Audience string // AudienceMulti or AudienceSingle
	AppID    string // adopt this existing app; empty means ours, made when absent
}

// Permissions says which permissions the app asks for: a base and what differs
// from it. An entry is "Name" (Microsoft Graph, every kind it has),
// "Name/delegated" or "exchange:Exchange.ManageAsApp/application".
type Permissions struct {
	Base   string // minimum, recommended or stock, each with those before it
	Add    []string
	Remove []string
}

// DefaultAnswers are the answers a new setup starts from.
func DefaultAnswers() Answers {
	return Answers{
		Profile:      ProfileRewst,
		Region:       "us",
		Integrations: []string{catalog.Graph},
		Registration: Registration{Kind: KindOwned, Name: "Rewst Integration", Audience: AudienceMulti},
		Permissions:  Permissions{Base: "recommended"},
	}
}

// Has tells whether an integration was chosen.
func (a Answers) Has(integration string) bool { return slices.Contains(a.Integrations, integration) }

// Clone copies the answers so that either can be changed alone.
func (a Answers) Clone() Answers {
	a.Integrations = slices.Clone(a.Integrations)
	a.Permissions.Add = slices.Clone(a.Permissions.Add)
	a.Permissions.Remove = slices.Clone(a.Permissions.Remove)
	a.ServiceAccount, a.ConditionalAccess = clone(a.ServiceAccount), clone(a.ConditionalAccess)
	a.Azure, a.Exchange = clone(a.Azure), clone(a.Exchange)
	if a.GDAP = clone(a.GDAP); a.GDAP != nil {
		a.GDAP.Customers, a.GDAP.Roles = slices.Clone(a.GDAP.Customers), slices.Clone(a.GDAP.Roles)
	}
	if a.Customers = clone(a.Customers); a.Customers != nil {
		a.Customers.Consent = slices.Clone(a.Customers.Consent)
	}
	return a
}

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

// Invalid is an answer that cannot be used.
type Invalid struct {
	Key  string // "registration.name"
	Text string // what is wrong and what to do
}

func (e Invalid) Error() string { return e.Key + ": " + e.Text }

// Validate lists what cannot be used. It looks at each answer by itself and at
// how they fit together; it knows nothing of any tenant.
func (a Answers) Validate() []Invalid {
	var out []Invalid
	bad := func(key, format string, args ...any) {
		out = append(out, Invalid{key, fmt.Sprintf(format, args...)})
	}
	if a.Profile != ProfileRewst {
		bad("profile", "%s is not known; use %s", quote(a.Profile), ProfileRewst)
	}
	if _, ok := catalog.RegionByID(a.Region); !ok {
		bad("region", "%s is not known; use us, uk, de or au", quote(a.Region))
	}
	if text := CheckTenant(a.Tenant); text != "" {
		bad("tenant", "%s", text)
	}
	if text := CheckAccount(a.Account); text != "" {
		bad("account", "%s", text)
	}
	seen := map[string]bool{}
	for _, id := range a.Integrations {
		if _, ok := catalog.IntegrationByID(id); !ok {
			bad("integrations", "%s is not known; use graph, exchange, csp, azure or subscriptions", quote(id))
		} else if seen[id] {
			bad("integrations", "%s is listed twice", quote(id))
		}
		seen[id] = true
	}
	if !seen[catalog.Graph] {
		bad("integrations", "graph is always needed; add it")
	}
	out = append(out, a.validateRegistration()...)
	out = append(out, a.validateReady()...)
	out = append(out, a.validateGDAP()...)
	out = append(out, a.validateCustomers()...)
	if tier, ok := catalog.ParseTier(a.Permissions.Base); !ok || tier == catalog.Optional {
		bad("permissions.base", "%s is not known; use minimum, recommended or stock", quote(a.Permissions.Base))
	}
	return out
}

func (a Answers) validateRegistration() []Invalid {
	var out []Invalid
	bad := func(key, text string) { out = append(out, Invalid{"registration." + key, text}) }
	r := a.Registration
	switch r.Kind {
	case KindConnector:
		if r.AppID != "" {
			bad("appId", "the vendor's connector is not an app of yours; leave appId out or use kind: owned")
		}
		return out
	case KindOwned:
	default:
		bad("kind", quote(r.Kind)+" is not known; use owned or connector")
		return out
	}
	if text := CheckAppName(r.Name); text != "" {
		bad("name", text)
	}
	if r.AppID != "" && !IsGUID(r.AppID) {
		bad("appId", "this is not an application (client) id; it looks like 00000000-0000-0000-0000-000000000000")
	}
	switch {
	case r.Audience != AudienceMulti && r.Audience != AudienceSingle:
		bad("audience", quote(r.Audience)+" is not known; use multitenant or single")
	case r.Audience == AudienceSingle && a.Has(catalog.CSP):
		bad("audience", "Microsoft CSP acts in customer tenants and needs a multitenant app; use multitenant or leave csp out")
	}
	return out
}

// quote repeats an answer in an error, its beginning when it is long: what is put
// in a wrong place may not be meant to be shown.
func quote(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return quote(string(r[:most])) + "..."
	}
	return `"` + strings.Map(func(r rune) rune {
		if !strconv.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, s) + `"`
}

var (
	guid   = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	domain = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$`)
)

// IsGUID tells whether s has the form of Microsoft's ids.
func IsGUID(s string) bool { return guid.MatchString(s) }

// CheckAccount says what is wrong with a user name; empty when it can be one, or
// is empty.
func CheckAccount(s string) string {
	name, host, _ := strings.Cut(s, "@")
	if s == "" || name != "" && !strings.ContainsAny(name, " \t\r\n,;<>") && domain.MatchString(host) {
		return ""
	}
	return quote(s) + " is no user name; it looks like admin@contoso.com"
}

// CheckTenant says what is wrong with a tenant id or domain; empty when it can
// be used or is absent.
func CheckTenant(s string) string {
	if s == "" || IsGUID(s) || domain.MatchString(s) {
		return ""
	}
	return "this is neither a tenant id (00000000-0000-0000-0000-000000000000) nor a domain (contoso.onmicrosoft.com)"
}

// CheckAppName says what is wrong with an application's display name; empty when
// it can be used.
func CheckAppName(s string) string {
	switch {
	case strings.Contains(s, "${"):
		return "the name holds ${, which stands for something else in a plan; leave it out"
	case strings.TrimSpace(s) == "":
		return "give the app a name, for example Rewst Integration"
	case !utf8.ValidString(s):
		return "the name is not valid UTF-8"
	case utf8.RuneCountInString(s) > MaxAppName:
		return fmt.Sprintf("the name has %d characters; Microsoft allows %d", utf8.RuneCountInString(s), MaxAppName)
	case strings.ContainsFunc(s, unicode.IsControl):
		return "the name holds a control character; use plain text"
	case strings.TrimSpace(s) != s:
		return "the name begins or ends with a blank; remove it"
	}
	return ""
}
