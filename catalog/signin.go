package catalog

import "slices"

// SignInError is what a number of the sign-in service means and what to do about
// it, for the person who signs in.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
type SignInError struct {
	Codes []int // AADSTS numbers
	What  string
	Do    string
}

var signInErrors = []SignInError{
	{
		[]int{53003},
		"Conditional access blocks this sign-in. Many tenants block sign-in by code altogether.",
		"Look at the sign-in log in Entra for the policy's name. Take the account out of that policy for the setup, or sign in with one the policy does not reach; then start again with a new code.",
	},
	{
		[]int{530035, 530032},
		"The tenant's security defaults or security policy block this sign-in.",
		"Finish multifactor authentication for the account first, at https://aka.ms/mfasetup, then start again with a new code. If it still blocks, look at the sign-in log in Entra for the reason.",
	},
	{
		[]int{53000, 53001, 50097, 50005, 530033},
		"A policy asks for a managed or registered device. Sign-in by code cannot show which device it comes from.",
		"Take the account out of that policy for the setup, or sign in with one the policy does not reach; then start again with a new code.",
	},
	{
		[]int{50076, 50074, 50158},
		"Multifactor authentication is required and was not completed.",
		"Sign in again in a private window and finish the second factor. A factor of another vendor may not count.",
	},
	{
		[]int{50079, 50072},
		"The account has to register for multifactor authentication first.",
		"Register at https://aka.ms/mfasetup with this account, then come back and start again with a new code.",
	},
	{
		[]int{65001},
		"Consent is missing: nobody has allowed Microsoft Graph Command Line Tools these permissions yet.",
		"Sign in as a Global Administrator and accept the page that lists the permissions.",
	},
	{
		[]int{65004, 90120},
		"The request was declined, or this code was used already.",
		"Start again with a new code, and accept the page that lists the permissions.",
	},
	{
		[]int{90094},
		"An administrator has to consent, and this account is none.",
		"Sign in as a Global Administrator of your tenant.",
	},
	{
		[]int{50020},
		"The account belongs to another tenant, or is a personal account.",
		"Choose \"use another account\" and sign in with a work account of your own tenant. On Authorize, check the tenant field.",
	},
	{
		[]int{90119, 70018},
		"The code was not recognised.",
		"Type it again exactly as shown. If it fails again, start again with a new code.",
	},
	{
		[]int{70019, 70020},
		"The code has expired.",
		"Start again with a new code.",
	},
	{
		[]int{50126},
		"The user name or the password is wrong.",
		"Sign in again. If the password was changed lately, wait a few minutes for it to spread.",
	},
	{
		[]int{50034, 51004},
		"There is no such account in this tenant.",
		"Check the spelling and the domain. If a tenant is set on App registration, check that it is the right one.",
	},
	{
		[]int{50057},
		"The account is disabled.",
		"Enable it in Entra (Users, the account, Account status), or use another one.",
	},
	{
		[]int{50053},
		"The account is locked, or signs in from an address with a bad reputation.",
		"Wait a few minutes, or sign in from another network.",
	},
	{
		[]int{50055},
		"The password has expired.",
		"Sign in at https://portal.office.com to set a new one, then start again with a new code.",
	},
	{
		[]int{50105},
		"The app takes only assigned users, and this account is not assigned.",
		"In Entra, under Enterprise applications, assign the account to Microsoft Graph Command Line Tools, or switch off \"assignment required\" there.",
	},
	{
		[]int{50059},
		"The tenant could not be told from the request.",
		"Give the tenant's id or a domain of it.",
	},
	{
		[]int{70016},
		"The sign-in was not finished.",
		"Start it again.",
	},
	{
		[]int{90002, 900023},
		"There is no such tenant in this cloud.",
		"There is no such tenant in this cloud. Check the tenant's id or domain, and the cloud (--cloud).",
	},
	{
		[]int{90038, 900432},
		"The tenant is in another national cloud.",
		"The tenant is in another national cloud. Choose it with --cloud.",
	},
	{
		[]int{700016},
		"The app that signs in is not known in this tenant.",
		"Check the client id (--client-id) and the tenant.",
	},
	{
		[]int{7000218},
		"The app that signs in does not allow public client flows.",
		"Switch them on in the authentication settings of the app given with --client-id, or leave --client-id out.",
	},
}

// SignInErrorByCode finds what an AADSTS number means.
func SignInErrorByCode(code int) (SignInError, bool) {
	for _, e := range signInErrors {
		if slices.Contains(e.Codes, code) {
			return e, true
		}
	}
	return SignInError{}, false
}
