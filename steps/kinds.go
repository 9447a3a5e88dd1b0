package steps

import (
	"errors"
	"strings"

	"msbundle/msclient"
)

// verdict is what an answer to a write means.
type verdict int

const (
	took      verdict = iota // it took effect
	already                  // it was so before
	lagging                  // what it refers to is not visible everywhere yet: try again
	busy                     // the service is busy with the same object: try again
	cutOff                   // it did not leave, no connection could be made: try again
	doubtful                 // it may or may not have taken effect
	stale                    // somebody else changed the object since it was read
	unoffered                // the API is not offered to this tenant
	forbidden                // it did not take effect and will not
)

// judge reads an answer to a change. fresh tells whether what the change refers
// to was made in this run, so that "not found" may only mean "not yet"; doubted
// that an earlier try of it may have taken effect.
//
// Which words mean what: https://learn.microsoft.com/graph/errors and the pages
// of the single operations; replication shows as 404, as several kinds of 400
// and as a misleading 403.
func judge(c Change, err error, fresh, doubted bool) verdict {
	if err == nil {
		return took
	}
	var e *msclient.Error
	if !errors.As(err, &e) {
		return forbidden
	}
	if e.InDoubt() {
		return doubtful
	}
	says := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(strings.ToLower(e.Message), strings.ToLower(p)) {
				return true
			}
		}
		return false
	}
	switch {
	case e.Throttled(), e.Code == "Directory_ConcurrencyViolation":
		return busy
	case e.Status == 412 && c.IfMatch != "":
		return stale
	case e.NoConnection():
		return cutOff
	case e.Status == 0: // it did not leave this machine, and will not
		return forbidden
	case c.Action == Remove || c.Action == Delete:
		gone := e.Status == 404 || c.Kind == KindSecret && e.Status == 400 && says("no password", "not found", "does not exist", "no credential") ||
			e.Code == "ResourceGroupBeingDeleted"
		switch {
		case gone && c.Young:
			return lagging
		case gone:
			return already
		}
		return forbidden
	}
	switch c.Kind {
	case KindResource, KindPrincipal:
		if e.Status == 409 && e.Code == "Request_MultipleObjectsWithSameKeyValue" {
			return already
		}
	case KindConsent:
		if says("permission entry already exists", "already exists") {
			return already // what it holds is read, and brought to the plan
		}
	case KindGrant:
		if (e.Status == 409 || e.Status == 400) && says("permission entry already exists") || e.Code == "Request_MultipleObjectsWithSameKeyValue" {
			return already
		}
	case KindRole:
		if e.Status == 400 && says("permission being assigned already exists") {
			return already
		}
	case KindMember:
		if e.Status == 400 && says("one or more added object references already exist") {
			return already
		}
	case KindRoleGiven:
		if says("a conflicting object with one or more of the specified property values is present") {
			return already
		}
	case KindRelationship:
		if doubted && e.Status == 409 {
			return already
		}
	case KindAccess:
		switch {
		case c.Action == Add && e.Status == 409: // which roles it is about is looked at
			return already
		case c.Action == Update && e.Status == 400 && says("'pending'"):
			return lagging
		}
	case KindUser: // somebody else's account of that name is not ours
		if doubted && e.Status == 400 && says("already exists") {
			return already
		}
	case KindPolicy: // the account is not known yet where policies are kept
		if fresh && e.Status == 400 && says("user") && says("invalid", "not exist", "not found") {
			return lagging
		}
	case KindGroup, KindVault:
		switch {
		case e.Code == "ResourceGroupBeingDeleted":
			return busy
		case fresh && e.Code == unregistered: // the registration is not known everywhere yet
			return lagging
		case c.Kind == KindVault && doubted && (e.Code == "VaultAlreadyExists" || e.Code == "ConflictError"):
			return already // by the try whose answer was lost; anybody else's vault of that name is not ours
		}
	case KindAzureRole:
		if e.Status == 409 && e.Code == "RoleAssignmentExists" {
			return already
		}
		if e.Status == 400 && e.Code == "PrincipalNotFound" {
			return lagging
		}
	}
	if fresh {
		switch {
		case e.Status == 404,
			e.Status == 400 && says("does not reference a valid application object", "reference-property objects", "not a valid reference update", "does not exist", "was not found"),
			e.Status == 403 && says("backing application"):
			return lagging
		}
	}
	if c.Kind == KindResource && (e.Status == 400 || e.Status == 403 && says("backing application")) {
		return unoffered
	}
	return forbidden
}
