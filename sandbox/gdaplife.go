package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"msbundle/catalog"
)

// requestAction asks the service to take a relationship to another state.
// https://learn.microsoft.com/graph/api/delegatedadminrelationship-post-requests
func (q *call) requestAction() (*result, error) {
	e, err := q.relationship()
	if err != nil {
		return nil, err
	}
	body, err := q.readDelegation("delegatedAdminRelationshipRequest_create")
	if err != nil {
		return nil, err
	}
	data := e.live(q.c.master())
	if data == nil {
		return nil, notDelegated("The delegated admin relationship '%s' was not found.", e.id)
	}
	// A tag is not asked for, but heeded.
	if err := q.matches(e, data, false); err != nil {
		return nil, err
	}
	now, follow := q.c.now(), q.c.lock
	switch action := str(body, "action"); action {
	case "lockForApproval":
		err = inState(data, relCreated)
	case "terminate":
		err, follow = inState(data, relActive, relExpiring), q.c.terminate
	}
	if err != nil {
		return nil, err
	}
	asked := object{
		"action": body["action"], "createdDateTime": precise(now), "lastModifiedDateTime": precise(now), "status": "created", "_version": 1,
	}
	r := q.c.part(q.t, kindGDAPRequest, e, asked, false)
	follow(e, r, now)
	shown := q.shownPart(withTag(r, asked), kindGDAPRequest)
	shown["@odata.context"] = q.context("tenantRelationships/delegatedAdminRelationships('" + e.id + "')/requests/$entity")
	return created(shown, q.url("/tenantRelationships/delegatedAdminRelationships/"+e.id+"/requests/"+r.id)), nil
}

// move brings a relationship to another state.
func (c *Cloud) move(e *entity, at time.Time, status string, changes object) {
	c.change(e, at, with(object{"status": status}, changes))
}

func (c *Cloud) status(e *entity) string { return str(e.live(c.master()), "status") }

// lock makes a relationship one that the customer can approve.
func (c *Cloud) lock(e, request *entity, now time.Time) {
	c.change(e, now, object{"_locking": true})
	c.inTurn(now, turn{c.takes(time.Second, 3*time.Second), func(at time.Time) {
		c.change(request, at, object{"status": "pending"})
	}}, turn{c.takes(time.Second, 8*time.Second), func(at time.Time) {
		c.change(request, at, object{"status": "succeeded"})
		c.waitForCustomer(e, at)
	}})
}

// waitForCustomer is the time a customer has. In the scenario in which they answer
// by themselves they do within ten days.
func (c *Cloud) waitForCustomer(e *entity, at time.Time) {
	c.move(e, at, relPending, object{"_locking": nil})
	c.at(at.Add(approvalDays*day), func(at time.Time) {
		if c.status(e) == relPending {
			c.move(e, at, relExpired, nil)
		}
	})
	if c.scenario.approvals && customerOf(e.live(c.master())) != "" {
		hash := fnv.New64a()
		_, _ = hash.Write([]byte(str(e.live(c.master()), "displayName")))
		c.at(at.Add(time.Hour+time.Duration(hash.Sum64()%uint64(10*day-time.Hour))), func(at time.Time) {
			if c.status(e) == relPending {
				c.approved(e, at)
			}
		})
	}
}

// approved is what follows from the customer's yes.
func (c *Cloud) approved(e *entity, at time.Time) {
	c.move(e, at, relApproved, nil)
	c.inTurn(at, turn{c.takes(5*time.Second, 20*time.Second), func(at time.Time) {
		c.move(e, at, relActivating, nil)
	}}, turn{c.takes(20*time.Second, 3*time.Minute), func(at time.Time) {
		end := at.Add(time.Duration(days(str(e.live(c.master()), "duration"))) * day)
		c.move(e, at, relActive, object{"activatedDateTime": precise(at), "endDateTime": precise(end)})
		c.endAt(e, end)
	}})
}

// endAt is the end of a relationship's time, unless it is extended.
func (c *Cloud) endAt(e *entity, end time.Time) {
	c.at(end, func(at time.Time) {
		data := e.live(c.master())
		switch {
		case str(data, "status") != relActive:
		case data["autoExtendDuration"] == halfYear:
			later := at.Add(180 * day)
			c.change(e, at, object{"endDateTime": precise(later)})
			c.endAt(e, later)
		default:
			c.move(e, at, relExpiring, nil)
			c.inTurn(at, turn{c.takes(time.Minute, 5*time.Minute), func(at time.Time) {
				if c.status(e) == relExpiring {
					c.move(e, at, relExpired, nil)
				}
			}})
		}
	})
}

// terminate ends a relationship before its time.
func (c *Cloud) terminate(e, request *entity, now time.Time) {
	c.move(e, now, relEnding, nil)
	c.inTurn(now, turn{c.takes(10*time.Second, 30*time.Second), func(at time.Time) {
		c.change(request, at, object{"status": "pending"})
		c.move(e, at, relTerminating, nil)
	}}, turn{c.takes(20*time.Second, time.Minute), func(at time.Time) {
		c.change(request, at, object{"status": "succeeded"})
		c.move(e, at, relTerminated, object{"endDateTime": precise(at)})
	}})
}

// ---- the customer

// ApproveRelationship answers a relationship that waits for its customer, as an
// administrator there would.
func (c *Cloud) ApproveRelationship(id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, err := c.waiting(id)
	if err != nil {
		return err
	}
	if c.tenants[customerOf(e.live(c.master()))] == nil {
		return errors.New("the relationship names no customer: whoever opens its link is the one")
	}
	c.approved(e, c.now())
	return nil
}

// waiting finds a relationship that a customer can approve.
func (c *Cloud) waiting(id string) (*entity, error) {
	c.settle()
	e := c.order[0].find(kindRelationship, strings.TrimSpace(id))
	switch {
	case e == nil || e.live(c.master()) == nil:
		return nil, fmt.Errorf("there is no relationship %q", id)
	case c.status(e) != relPending:
		return nil, fmt.Errorf("the relationship %s does not wait for its customer: it is %s", id, c.status(e))
	}
	return e, nil
}

// approveRelationships answers everything that waits for its customer.
func (c *Cloud) approveRelationships() int {
	c.settle()
	n := 0
	for _, e := range c.order[0].tables[kindRelationship] {
		if c.status(e) == relPending && c.tenants[customerOf(e.live(c.master()))] != nil {
			c.approved(e, c.now())
			n++
		}
	}
	return n
}

// decide is an answer of somebody who opened the link. What it returns is why it is
// none, in the words of the page.
func (c *Cloud) decide(e *entity, account string, approve bool) string {
	user, home, refused := c.account(authority{host: catalog.Clouds()[0].Login}, client{}, account)
	if refused != nil {
		return refused.text
	}
	v := c.master()
	person, data := user.live(v), e.live(v)
	wanted := customerOf(data)
	switch {
	case home == c.order[0]:
		return "This account belongs to the partner. Sign in with an administrator of your own organization."
	case str(person, "userType") == "Guest" || wanted != "" && wanted != home.id:
		return "This request is for another organization. Sign in with one of its own administrators."
	case !slices.Contains(home.effectiveRoles(v, user.id), catalog.RoleGlobalAdministrator):
		return "You don't have permission to answer this request. Ask a Global Administrator of your organization."
	case !approve:
		// There is no state for it among those published; what was declined cannot be
		// approved any more.
		c.move(e, c.now(), relTerminated, nil)
		return ""
	case wanted == "":
		c.change(e, c.now(), object{"customer": object{"tenantId": home.id, "displayName": home.name}})
		c.joins(e, home.id)
	}
	c.approved(e, c.now())
	return ""
}

// asText is an object in a string, as operations carry it.
func asText(data object) string {
	data = with(data, nil)
	maps.DeleteFunc(data, func(name string, _ any) bool { return strings.HasPrefix(name, "_") })
	text, err := json.Marshal(data)
	if err != nil {
		panic("sandbox: data of an operation cannot be encoded: " + err.Error())
	}
	return string(text)
}

// touchRelationships is another administrator at work: what was read of
// relationships before is out of date.
func (c *Cloud) touchRelationships() {
	c.settle()
	c.recallAll()
	for _, kind := range []string{kindRelationship, kindMapping} {
		for _, e := range c.order[0].all(c.master(), kind) {
			c.change(e, c.now(), nil)
		}
	}
}
