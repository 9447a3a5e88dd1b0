package ui

import (
	"regexp"
	"slices"
	"strings"
)

// browserError is what the sign-in page may show while this program only sees
// that nobody has signed in yet.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
type browserError struct {
	codes []string
	what  string
	do    string
}

var browserErrors = []browserError{
	{
		[]string{"53003"},
		"Conditional access blocks this sign-in. Many tenants block sign-in by code altogether.",
		"Look at the sign-in log in Entra for the policy's name. Take the account out of that policy for the setup, or sign in with one the policy does not reach; then press n for a new code.",
	},
	{
		[]string{"530035", "530032"},
		"The tenant's security defaults or security policy block this sign-in.",
		"Finish multifactor authentication for the account first, at https://aka.ms/mfasetup, then press n for a new code. If it still blocks, look at the sign-in log in Entra for the reason.",
	},
	{
		[]string{"53000", "53001", "50097", "50005", "530033"},
		"A policy asks for a managed or registered device. Sign-in by code cannot show which device it comes from.",
		"Take the account out of that policy for the setup, or sign in with one the policy does not reach; then press n for a new code.",
	},
	{
		[]string{"50076", "50074", "50158"},
		"Multifactor authentication is required and was not completed.",
		"Sign in again in a private window and finish the second factor. A factor of another vendor may not count.",
	},
	{
		[]string{"50079", "50072"},
		"The account has to register for multifactor authentication first.",
		"Register at https://aka.ms/mfasetup with this account, then come back and press n for a new code.",
	},
	{
		[]string{"65001"},
		"Consent is missing: nobody has allowed Microsoft Graph Command Line Tools these permissions yet.",
		"Sign in as a Global Administrator and accept the page that lists the permissions.",
	},
	{
		[]string{"65004", "90120"},
		"The request was declined, or this code was used already.",
		"Press n for a new code, and accept the page that lists the permissions.",
	},
	{
		[]string{"90094"},
		"An administrator has to consent, and this account is none.",
		"Sign in as a Global Administrator of your tenant.",
	},
	{
		[]string{"50020"},
		"The account belongs to another tenant, or is a personal account.",
		"Choose \"use another account\" and sign in with a work account of your own tenant. On Authorize, check the tenant field.",
	},
	{
		[]string{"90119", "70018"},
		"The code was not recognised.",
		"Type it again exactly as shown. If it fails again, press n for a new code.",
	},
	{
		[]string{"70019", "70020"},
		"The code has expired.",
		"Press n for a new code.",
	},
	{
		[]string{"50126"},
		"The user name or the password is wrong.",
		"Sign in again. If the password was changed lately, wait a few minutes for it to spread.",
	},
	{
		[]string{"50034", "51004"},
		"There is no such account in this tenant.",
		"Check the spelling and the domain. If a tenant is set on App registration, check that it is the right one.",
	},
	{
		[]string{"50057"},
		"The account is disabled.",
		"Enable it in Entra (Users, the account, Account status), or use another one.",
	},
	{
		[]string{"50053"},
		"The account is locked, or signs in from an address with a bad reputation.",
		"Wait a few minutes, or sign in from another network.",
	},
	{
		[]string{"50055"},
		"The password has expired.",
		"Sign in at https://portal.office.com to set a new one, then press n for a new code.",
	},
	{
		[]string{"50105"},
		"The app takes only assigned users, and this account is not assigned.",
		"In Entra, under Enterprise applications, assign the account to Microsoft Graph Command Line Tools, or switch off \"assignment required\" there.",
	},
}

var errorNumber = regexp.MustCompile(`\d{5,7}`)

// explain finds what a number or message shown by the browser means.
func explain(text string) (browserError, string, bool) {
	number := errorNumber.FindString(text)
	for _, e := range browserErrors {
		if slices.Contains(e.codes, number) {
			return e, number, true
		}
	}
	if number == "" {
		number = strings.TrimSpace(text)
	}
	return browserError{}, number, false
}
