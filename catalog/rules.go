package catalog

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// Rule is one error the setup can meet: how it is recognised, what is behind it,
// what to do and who can do it.
type Rule struct {
	ID    string // stable: "AADSTS53003", "gdap.name-taken"
	Where Place

	// How it is recognised. Each of these is enough by itself; Also are
	// combinations, which find a more specific rule than their parts.
	AADSTS []int    // numbers of the sign-in service
	Codes  []string // codes and OAuth words of a service, in any case
	Texts  []string // fragments of the message, as normalised by readWords
	Also   []Match
	Broad  bool // the codes say little: whatever else is recognised comes first

	Cause  string
	Fix    string
	Here   string // in place of Fix when msbundle's own request was refused
	Who    Who
	Retry  bool   // the same again, a little later and with nothing changed, may help
	Method string // the sign-in method that may work instead, as --auth takes it
	Source string // the page behind the rule
}

// Match is a combination of signs. Of every list given, one has to be found; of
// All, every one.
type Match struct {
	AADSTS []int
	Codes  []string
	Status []int    // of HTTP
	About  []string // words of the address that was called
	All    []string // fragments of the message
	Any    []string
	Clause []string // fragments that are a whole sentence or field, for short ones
}

// DoHere is what to do when it was msbundle's own sign-in or request that was
// refused.
func (r Rule) DoHere() string { return cmp.Or(r.Here, r.Fix) }

// Place is where an error appears; several can be joined.
type Place uint

// The places.
const (
	AtSignIn        Place = 1 << iota // the sign-in page in the browser
	AtToken                           // the answer of the sign-in service to a program
	AtGraph                           // Microsoft Graph
	AtPartnerCenter                   // Partner Center, its API and GDAP
	AtAzure                           // Azure Resource Manager and Key Vault
	AtExchange                        // Exchange Online
	AtRewst                           // Rewst's own screens and workflows
)

var placeNames = []string{
	"the sign-in page in the browser", "the sign-in service", "Microsoft Graph", "Partner Center",
	"Azure", "Exchange Online", "Rewst",
}

func (p Place) String() string {
	var names []string
	for i, name := range placeNames {
		if p&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " or " + names[last]
	}
	return strings.Join(names, "")
}

// Who can put an error right.
type Who string

// Those who can.
const (
	ByYou           Who = "you, at this sign-in"
	ByYouHere       Who = "you, in msbundle"
	ByYouInRewst    Who = "you, in Rewst"
	ByAdmin         Who = "an administrator of your tenant"
	ByCustomerAdmin Who = "an administrator of the customer's tenant"
	ByEitherAdmin   Who = "an administrator of the tenant that refuses: yours, or the customer's"
	ByNetwork       Who = "whoever looks after the network you are in"
	ByMicrosoft     Who = "Microsoft: wait"
	ByDevelopers    Who = "the developers of msbundle"
	ByNobody        Who = "nobody has to: it is as it should be"
)

// MethodBrowser is the sign-in in the browser of this machine: the device it comes
// from is known, and policies against codes do not reach it.
const MethodBrowser = "browser"

// Pages several rules rest on.
const (
	aadstsPage      = "https://learn.microsoft.com/entra/identity-platform/reference-error-codes"
	deviceCodePage  = "https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code"
	oauthPage       = "https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow"
	caPage          = "https://learn.microsoft.com/entra/identity/conditional-access/troubleshoot-conditional-access"
	flowsPage       = "https://learn.microsoft.com/entra/identity/conditional-access/concept-authentication-flows"
	graphPage       = "https://learn.microsoft.com/graph/errors"
	graphSigninPage = "https://learn.microsoft.com/graph/resolve-auth-errors"
	appPolicyPage   = "https://learn.microsoft.com/graph/api/resources/applicationauthenticationmethodpolicy"
	gdapPage        = "https://learn.microsoft.com/graph/api/resources/delegatedadminrelationships-api-overview"
	gdapFAQ         = "https://learn.microsoft.com/partner-center/gdap-faq"
	partnerPage     = "https://learn.microsoft.com/partner-center/developer/error-codes"
	partnerMFAPage  = "https://learn.microsoft.com/partner-center/security/partner-security-requirements-mandating-mfa"
	azurePage       = "https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors"
	exchangePage    = "https://learn.microsoft.com/powershell/exchange/app-only-auth-powershell-v2"
	vendorPage      = "Rewst's troubleshooting guide of the Microsoft Cloud integration bundle, https://docs.rewst.help"
)

// Rules lists every error that is known. The slice is shared: do not change it.
func Rules() []Rule { return rules() }

var rules = sync.OnceValue(func() []Rule {
	return slices.Concat(accountRules, policyRules, consentRules, appRules, requestRules, graphRules,
		directoryRules, tenantRules, gdapRules, partnerRules, azureRules, exchangeRules, rewstRules, statusRules)
})

// RuleByID finds a rule by its id.
func RuleByID(id string) (Rule, bool) {
	for _, r := range rules() {
		if r.ID == id {
			return r, true
		}
	}
	return Rule{}, false
}
