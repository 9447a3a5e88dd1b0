package msclient

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"msbundle/catalog"
)

// Reader gives access to Microsoft Graph in a customer's tenant, over delegated
// administration and by Microsoft's Azure CLI, which no customer has to consent to:
// it reads what a plan is made from, and cannot read role assignments (Roles does
// instead) or policies. The person is asked to sign in with Azure CLI by the first
// request, unless they have.
//
// Its tokens are in memory only, and Forget drops them.
func (c *Client) Reader(tenant string) *Graph {
	return &Graph{c.service(endpoint{
		name: readerService, host: c.cloud.Graph, resource: catalog.GraphAppID, scopes: []string{c.scopeOf(catalog.GraphAppID)},
		client: catalog.AzureCLI, abroad: true, why: "your customers' tenants, which are read with Microsoft's own client: no customer has to consent to that",
	}, tenant)}
}

// Customer gives access to Microsoft Graph in a customer's tenant as the delegate of
// the partner's own app once Delegate has signed in, and as Reader does until then.
// A customer who has not consented to the app refuses the delegate with an
// *AuthError of 65001; Reader goes on serving there.
//
// What the app was given since takes another token: Forget, then Customer again.
func (c *Client) Customer(tenant string) *Graph {
	c.mu.Lock()
	delegate := c.delegate
	c.mu.Unlock()
	if delegate == nil {
		return c.Reader(tenant)
	}
	return &Graph{c.service(endpoint{
		name: delegatedService, host: c.cloud.Graph, resource: catalog.GraphAppID, scopes: []string{c.scopeOf(catalog.GraphAppID)},
		delegated: true, abroad: true, why: "Microsoft asks for a new sign-in with your app before it goes on at your customers",
	}, tenant)}
}

// The names of the pipelines to customers' tenants.
const (
	readerService    = "customer"
	delegatedService = "customer as the app"
)

// Forget drops what is kept of a customer's tenant: its tokens and its pipelines. A
// Graph of it that is still held goes on working by itself.
func (c *Client) Forget(tenant string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.services, readerService+" "+tenant)
	delete(c.services, delegatedService+" "+tenant)
	if tenant != c.identity.tenant {
		delete(c.budgets, tenant)
	}
}

// Roles are the directory roles that the token for the tenant names, by template
// id: those its person holds there, by delegated administration too. There may be
// more.
func (g *Graph) Roles(ctx context.Context) ([]string, error) {
	claims, err := g.claims(ctx)
	return claims.Roles, err
}

// Scopes are the delegated permissions the token for the tenant carries: those that
// were granted when it was issued, as far as the sign-in service knew.
func (g *Graph) Scopes(ctx context.Context) ([]string, error) {
	claims, err := g.claims(ctx)
	return strings.Fields(claims.Scopes), err
}

// tokenClaims is what a token says about whoever brings it.
type tokenClaims struct {
	Roles  []string `json:"wids"`
	Scopes string   `json:"scp"`
}

func (g *Graph) claims(ctx context.Context) (claims tokenClaims, err error) {
	err = g.withPerson(ctx, func() error {
		token, err := g.key.GetToken(ctx, policy.TokenRequestOptions{Scopes: g.key.scopes})
		if err == nil {
			decodeClaims(token.Token, &claims)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return err
	})
	if err != nil {
		err = fmt.Errorf("read the token for tenant %s: %w", g.key.tenant, err)
	}
	return claims, err
}

// customerLanes is how many requests a customer's tenant is sent at a time.
const customerLanes = 4

// budget is what all pipelines to a tenant share.
type budget struct {
	spacer spacer
	lanes  lanes
}

// budgetOf gives a tenant's budget. The caller holds mu.
func (c *Client) budgetOf(tenant string) *budget {
	b := c.budgets[tenant]
	if b == nil {
		b = &budget{lanes: make(lanes, customerLanes)}
		c.budgets[tenant] = b
	}
	return b
}

// lanes let so many requests at a time through.
type lanes chan struct{}

// Do sends a request when a lane is free.
func (l lanes) Do(req *policy.Request) (*http.Response, error) {
	select {
	case l <- struct{}{}:
	case <-req.Raw().Context().Done():
		return nil, &unsent{req.Raw().Context().Err()}
	}
	defer func() { <-l }()
	return req.Next()
}
