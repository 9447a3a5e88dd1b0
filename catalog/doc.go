// Package catalog holds the facts of the setup, embedded and typed: what the
// integrations are, which permissions they want and why, which roles, regions
// and clouds there are, the ids Microsoft gave to all of them, and what the errors
// of all these services mean.
//
// It knows nothing of any tenant. Ids that Microsoft publishes only inside a
// tenant (those of every API but Microsoft Graph) carry a note and are resolved
// again from the tenant before they are used.
package catalog
