package steps

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"msbundle/catalog"
	"msbundle/msclient"
	"msbundle/state"
)

// Versions of Azure's APIs.
const (
	subscriptionsVersion = "2022-12-01"
	vaultsVersion        = "2024-11-01"
	resourceGraphVersion = "2021-03-01"
)

// lookFurther reads from the services the chosen integrations need besides
// Microsoft Graph. Both take the same further sign-in: whoever leaves it out for
// one is not asked again for the other, and nobody is asked for it while something
// else stops the setup.
func (s *Setup) lookFurther(ctx context.Context, a state.Answers, f *Findings) error {
	without := error(nil)
	switch {
	case f.Account.App: // it is the person who has access to Azure and Partner Center, not the app
		without = errAppOnly
	case slices.ContainsFunc(preflight(a, f, PlanOptions{}), func(c Check) bool { return c.Blocks && c.ID != CheckSecrets }):
		without = errLater // a setup without a secret is one that can go on
	}
	read := func(part Part, needs string, look func() error) bool {
		err := without
		if err == nil {
			err = look()
		}
		if err == nil {
			return true
		}
		switch {
		case errors.Is(err, errAppOnly):
			f.Unread[part] = appOnly
		case errors.Is(err, errLater):
			f.Unread[part] = Unread{"Something else has to be mended first", "Mend that, then look again."}
		default:
			f.Unread[part] = whyUnread(err, needs)
		}
		var refused *msclient.AuthError
		if errors.Is(err, msclient.ErrSkipped) || errors.Is(err, msclient.ErrSignInExpired) || errors.As(err, &refused) {
			without = err
		}
		return false
	}
	if a.Has(catalog.CSP) {
		const needs = "an account in AdminAgents and a sign-in with multifactor authentication"
		if read(PartPartner, needs, func() error { return s.readPartner(ctx, f) }) {
			read(PartCustomers, needs, func() error { return s.readCustomers(ctx, f) })
		}
	}
	if a.Has(catalog.Azure) || a.Azure != nil {
		const needs = "a role in an Azure subscription, such as Reader: roles of the directory do not count there"
		if read(PartAzure, needs, func() error { return s.readSubscriptions(ctx, f) }) {
			read(PartVaults, needs, func() error { return s.readVaults(ctx, f) })
		}
	}
	return ctx.Err()
}

// Why nobody is asked for a further sign-in.
var (
	errAppOnly = errors.New("an app that acts as itself has no access to it")
	errLater   = errors.New("something else has to be mended first")
)

// appOnly is why nothing is known of a person when an app signed in.
var appOnly = Unread{
	"An app signed in by itself, and this is about the person who authorises",
	"Look again signed in as that person.",
}

type wireSubscription struct {
	ID       string `json:"subscriptionId"`
	Name     string `json:"displayName"`
	State    string `json:"state"`
	TenantID string `json:"tenantId"`
}

// azureList reads a list of Azure's to its end. A page that is empty need not be
// the last.
func azureList[T any](ctx context.Context, azure *msclient.Service, host, path string) ([]T, error) {
	var all []T
	for range maxAzurePages {
		page, err := msclient.Get[struct {
			Value []T    `json:"value"`
			Next  string `json:"nextLink"`
		}](ctx, azure, path)
		if err != nil {
			return nil, err
		}
		all = append(all, page.Value...)
		next, here := strings.CutPrefix(page.Next, "https://"+host)
		if page.Next == "" {
			return all, nil
		}
		if !here {
			return nil, fmt.Errorf("GET %s: the next page is on another host", path)
		}
		path = next
	}
	return all, nil
}

// maxAzurePages is more than there can be: a page has up to a thousand entries.
const maxAzurePages = 100

// readSubscriptions lists the subscriptions the account can see. A subscription
// of another tenant can be among them, when it is managed from here.
// https://learn.microsoft.com/rest/api/resources/subscriptions/list
func (s *Setup) readSubscriptions(ctx context.Context, f *Findings) error {
	list, err := azureList[wireSubscription](ctx, s.client.Azure(f.Org.ID), f.Cloud.ARM, "/subscriptions?api-version="+subscriptionsVersion)
	if err != nil {
		return err
	}
	f.Subscriptions = []Subscription{}
	for _, w := range list {
		f.Subscriptions = append(f.Subscriptions, Subscription{
			ID: w.ID, Name: w.Name, State: w.State,
			Usable: w.State == "Enabled" && (w.TenantID == "" || strings.EqualFold(w.TenantID, f.Org.ID)),
		})
	}
	return nil
}

type wireVault struct {
	Name         string `json:"name"`
	Subscription string `json:"subscriptionId"` // from Azure Resource Graph only
}

// readVaults finds the key vaults of the usable subscriptions: in the one there
// is, or with one question about all of them.
func (s *Setup) readVaults(ctx context.Context, f *Findings) error {
	azure := s.client.Azure(f.Org.ID)
	var usable []string
	for _, sub := range f.Subscriptions {
		if sub.Usable {
			usable = append(usable, sub.ID)
		}
	}
	var found []wireVault
	switch len(usable) {
	case 0:
		return nil
	case 1:
		var err error
		if found, err = s.vaultsIn(ctx, f, usable[0]); err != nil {
			return err
		}
	default:
		// https://learn.microsoft.com/rest/api/azureresourcegraph/resourcegraph/resources/resources
		res, err := azure.Do(ctx, msclient.Request{
			Method: "POST", Path: "/providers/Microsoft.ResourceGraph/resources?api-version=" + resourceGraphVersion,
			Body: map[string]any{
				"subscriptions": usable, "query": "resources | where type =~ 'microsoft.keyvault/vaults' | project name, subscriptionId",
			},
		})
		if err != nil {
			return err
		}
		var answer struct {
			Data []wireVault `json:"data"`
		}
		if err := res.Decode(&answer); err != nil {
			return err
		}
		found = answer.Data
	}
	for i := range f.Subscriptions {
		sub := &f.Subscriptions[i]
		for _, v := range found {
			if strings.EqualFold(v.Subscription, sub.ID) {
				sub.Vaults = append(sub.Vaults, v.Name)
			}
		}
		slices.Sort(sub.Vaults)
	}
	return nil
}

// vaultsIn lists the key vaults of one subscription. One that was never registered
// for them has none.
// https://learn.microsoft.com/rest/api/keyvault/keyvault/vaults/list-by-subscription
func (s *Setup) vaultsIn(ctx context.Context, f *Findings, subscription string) ([]wireVault, error) {
	path := fmt.Sprintf("/subscriptions/%s/providers/Microsoft.KeyVault/vaults?api-version=%s", subscription, vaultsVersion)
	list, err := azureList[wireVault](ctx, s.client.Azure(f.Org.ID), f.Cloud.ARM, path)
	var failed *msclient.Error
	if errors.As(err, &failed) && failed.Code == unregistered {
		return nil, nil
	}
	for i := range list {
		list[i].Subscription = subscription
	}
	return list, err
}

// unregistered is how Azure says that a subscription was never prepared for a kind
// of resource.
const unregistered = "MissingSubscriptionRegistration"

// absentAPI is how the sign-in service says that a tenant does not have an API.
const absentAPI = 500011

// readPartner asks Partner Center who the partner is. It answers partners only,
// and of their people admin agents only.
// https://learn.microsoft.com/partner-center/developer/get-an-organization-profile
func (s *Setup) readPartner(ctx context.Context, f *Findings) error {
	var profile struct {
		Name string `json:"companyName"`
	}
	err := s.partnerCenter(ctx, f, "/v1/profiles/organization", &profile)
	var refused *msclient.AuthError
	if denied(err) || errors.As(err, &refused) && slices.Contains(refused.Codes, absentAPI) {
		f.Partner.Refused = true
		return nil
	}
	f.Partner.Name = profile.Name
	return err
}

// readCustomers asks for one customer: whether they are shown at all is what
// matters. An indirect reseller's belong to its provider.
// https://learn.microsoft.com/partner-center/developer/get-a-list-of-customers
func (s *Setup) readCustomers(ctx context.Context, f *Findings) error {
	if f.Partner.Refused {
		return nil
	}
	var list struct {
		Total int `json:"totalCount"`
	}
	err := s.partnerCenter(ctx, f, "/v1/customers?size=1", &list)
	if denied(err) {
		f.Partner.Unlisted = true
		return nil
	}
	f.Partner.Customers = list.Total
	return err
}

func (s *Setup) partnerCenter(ctx context.Context, f *Findings, path string, into any) error {
	res, err := s.client.PartnerCenter(f.Org.ID).Do(ctx, msclient.Request{Path: path})
	if err != nil {
		return err
	}
	// Its answers begin with a byte order mark, which is no JSON.
	if err := json.Unmarshal(bytes.TrimPrefix(res.Body, []byte("\xef\xbb\xbf")), into); err != nil {
		return fmt.Errorf("read Partner Center's answer: %w", err)
	}
	return nil
}
