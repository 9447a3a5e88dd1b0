package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"msbundle/msclient"
	"msbundle/state"
)

// refID is the id that a write's answer gave to what is called prefix and more.
func refID(refs map[string]string, prefix string) string {
	for name, id := range refs {
		if strings.HasPrefix(name, prefix) && strings.HasSuffix(name, ".id") {
			return id
		}
	}
	return ""
}

// ---- what an earlier run made, and reads may miss

// learnDelegation takes up what was made a moment ago.
func (k *journaled) learnDelegation(e state.Entry) {
	switch {
	case e.Action != string(Create):
	case e.What == string(KindRelationship):
		k.relations = append(k.relations, refID(e.Outcome.Refs, "relation."))
	case e.What == string(KindRoleGroup):
		k.groups[path.Base(e.Change)] = RoleGroup{ID: refID(e.Outcome.Refs, "group."), Name: e.Name}
	}
}

// completeDelegation adds to what was listed what our journal made a moment ago,
// as soon as it can be read, and takes away what it deleted: made a second time
// there would be two. What does not show in all that time was taken away by
// somebody else.
func (s *Setup) completeDelegation(ctx context.Context, a state.Answers, f *Findings, known journaled, observe func(Event)) error {
	d := f.Delegation
	if d == nil {
		return nil
	}
	d.forgetGroups(known.deleted)
	d.Relationships = slices.DeleteFunc(d.Relationships, func(r Relationship) bool { return known.deleted[r.ID] })
	if _, unread := f.unread(PartDelegation, PartRoleGroups); unread {
		return nil
	}
	listed := map[string]bool{}
	for _, r := range d.Relationships {
		listed[r.ID] = true
	}
	missing := func() []reading {
		var round []reading
		for role, g := range known.groups {
			if _, ours := groupRole(a.GDAP.GroupName, g.Name); d.Groups[role] != nil || g.ID == "" || known.deleted[g.ID] || !ours {
				continue
			}
			round = append(round, reading{
				path: query(groups+"/"+g.ID, "$select", roleGroupFields),
				take: takeOne(func(w wireRoleGroup, _ json.RawMessage) {
					d.Groups[role] = &RoleGroup{ID: w.ID, Name: w.Name, Assignable: w.Assignable}
				}),
				absent: func() {},
			})
		}
		for _, id := range known.relations {
			if id == "" || listed[id] || known.deleted[id] {
				continue
			}
			round = append(round, reading{path: relationships + "/" + id, absent: func() {}, take: takeOne(func(_ wireID, raw json.RawMessage) {
				if list, err := relationshipsOf([]json.RawMessage{raw}); err == nil {
					listed[id], d.Relationships = true, append(d.Relationships, list[0])
				}
			})})
		}
		return round
	}
	_, err := msclient.Until(ctx, s.showing("what an earlier run made for customers", observe), func(ctx context.Context) (bool, error) {
		if err := s.readAll(ctx, missing()); err != nil {
			return false, err
		}
		return len(missing()) == 0, nil
	})
	return err
}

// closeDelegation records of writes left without an answer those whose effect was
// seen.
func (s *Setup) closeDelegation(f *Findings) error {
	var records []state.Record
	byID, byName := map[string]*Relationship{}, map[string]*Relationship{}
	for i := range f.Delegation.Relationships {
		r := &f.Delegation.Relationships[i]
		byID[r.ID], byName[strings.ToLower(r.Name)] = r, r
	}
	for _, e := range s.store.Entries() {
		if !e.Open() || e.Step != stepGDAP {
			continue
		}
		var refs map[string]string
		switch Kind(e.What) {
		case KindRelationship:
			if r := byName[strings.ToLower(e.Name)]; r != nil && r.madeBy(e.Record) {
				refs = map[string]string{"relation." + r.Tenant + ".id": r.ID}
			}
		case KindAccess:
			r, w := byID[relationshipIn(e.Path)], wireAccess{}
			if e.Action != string(Add) || r == nil || json.Unmarshal(e.Body, &w) != nil {
				continue
			}
			if x := r.of(w.Container.ID); x != nil && contains(x.Roles, w.Access.ids()) {
				refs = map[string]string{"id": x.ID}
			}
		}
		if refs != nil {
			records = append(records, s.outcome(e.Intent, refs))
		}
	}
	return s.store.Append(records...)
}

// relationshipIn is the id of the relationship a path is about.
func relationshipIn(address string) string {
	id, _, _ := strings.Cut(strings.TrimPrefix(address, relationships+"/"), "/")
	return id
}

// of finds what a group has of the relationship, or is about to have.
func (r *Relationship) of(group string) *Access {
	for i, x := range r.Access {
		if strings.EqualFold(x.Group, group) && (x.Status == accessActive || x.Status == accessPending) {
			return &r.Access[i]
		}
	}
	return nil
}

// madeBy tells whether a relationship is the one that a write set out to make: its
// name alone may be somebody else's.
func (r *Relationship) madeBy(intent state.Record) bool {
	var w wireRelationship
	return json.Unmarshal(intent.Body, &w) == nil && strings.EqualFold(r.Name, intent.Name) && strings.EqualFold(r.Tenant, w.Customer.TenantID) &&
		sameSet(r.Roles, w.Access.ids()) && r.Created.After(intent.At.Add(-clockTolerance))
}

// lookForGroup looks for a group that a write may have made.
func (s *Setup) lookForGroup(ctx context.Context, intent state.Record) (map[string]string, error) {
	known := map[string]bool{}
	for _, e := range s.store.Entries() {
		known[refID(e.Outcome.Refs, "group.")] = true
	}
	type settings struct {
		Nickname    string `json:"mailNickname"`
		Description string `json:"description"`
		Assignable  bool   `json:"isAssignableToRole"`
		Mail        bool   `json:"mailEnabled"`
		Security    bool   `json:"securityEnabled"`
	}
	var want settings
	if err := json.Unmarshal(intent.Body, &want); err != nil {
		return nil, err
	}
	address := query(groups, "$filter", "displayName eq "+quote(intent.Name), "$select", "id,createdDateTime,mailNickname,description,isAssignableToRole,mailEnabled,securityEnabled")
	for w, err := range msclient.List[struct {
		ID      string    `json:"id"`
		Created time.Time `json:"createdDateTime"`
		settings
	}](ctx, s.graph, address) {
		if err != nil {
			return nil, err
		}
		if w.settings == want && w.Created.After(intent.At.Add(-clockTolerance)) && !known[w.ID] {
			return map[string]string{"group." + path.Base(intent.Change) + ".id": w.ID}, nil
		}
	}
	return nil, nil
}

// ---- what an answer means that only a look can tell

// judged is judge with a look at the relationship where the answer alone does not
// tell.
func (e *engine) judged(ctx context.Context, a attempt, failure error, doubted map[string]bool) (verdict, error) {
	v := judge(a.Change, failure, e.fresh(a.Change), doubted[a.ID])
	if v != forbidden {
		return v, nil
	}
	switch {
	case a.Kind == KindRelationship && refused(failure, 409) && e.triedBefore(a):
		doubted[a.ID] = true
		return already, nil
	case a.Kind == KindLock && refused(failure, 400, 409):
		r, err := e.relationship(ctx, relationshipIn(a.path))
		switch {
		case err != nil:
			return v, problem(err, fmt.Sprintf("it could not be found out whether this took effect: %s", lowerFirst(a.Describe())))
		case strings.HasPrefix(r.Status, "terminat") == a.terminates() && r.Status != RelationCreated && (a.terminates() || !r.over()):
			doubted[a.ID] = true
			return already, nil
		case r.Status == RelationCreated && !a.terminates() && e.lockedBefore(a): // it is being opened, or replicas disagree
			return lagging, nil
		}
	}
	return v, nil
}

// terminates tells whether a request ends a relationship.
func (c Change) terminates() bool { return strings.Contains(string(c.Body), `"terminate"`) }

// over tells whether nothing can come of a relationship any more.
func (r *Relationship) over() bool {
	return slices.Contains([]string{"expired", "terminationRequested", "terminating", "terminated"}, r.Status)
}

// triedBefore tells whether an earlier write set out to make the same relationship.
func (e *engine) triedBefore(a attempt) bool { return len(e.tries(a)) > 0 }

// tries are the earlier writes that set out to make the relationship of an attempt.
func (e *engine) tries(a attempt) []state.Entry {
	return e.wrote(a, func(x state.Entry) bool { return x.Action == string(Create) && strings.EqualFold(x.Name, a.name) })
}

func (e *engine) lockedBefore(a attempt) bool {
	return len(e.wrote(a, func(x state.Entry) bool { return x.Path == a.path })) > 0
}

// wrote are the earlier writes of an attempt's kind that took effect or may have.
func (e *engine) wrote(a attempt, same func(state.Entry) bool) []state.Entry {
	return slices.DeleteFunc(e.store.Entries(), func(x state.Entry) bool {
		took := x.Open() || x.Outcome.Kind == state.RecordReceipt
		return x.What != string(a.Kind) || x.Intent == a.intent || !took || !same(x)
	})
}

func (e *engine) relationship(ctx context.Context, id string) (*Relationship, error) {
	raw, err := msclient.Get[json.RawMessage](ctx, e.graph, relationships+"/"+id)
	if err != nil {
		return nil, err
	}
	list, err := relationshipsOf([]json.RawMessage{raw})
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

// adoptRelationship finds the relationship that a write of unknown outcome made.
func (e *engine) adoptRelationship(ctx context.Context, a attempt, refs map[string]string) error {
	address := query(relationships, "$filter", "customer/tenantId eq "+quote(a.Customer), "$top", "300")
	tries, others := e.tries(a), false
	err := e.shown(ctx, a, fmt.Sprintf("the relationship %q", a.name), func(ctx context.Context) (bool, error) {
		for raw, err := range msclient.List[json.RawMessage](ctx, e.graph, address) {
			if err != nil {
				return false, err
			}
			list, err := relationshipsOf([]json.RawMessage{raw})
			if err != nil {
				return false, err
			}
			r := list[0]
			if slices.ContainsFunc(tries, func(x state.Entry) bool { return r.madeBy(x.Record) }) {
				e.bind(refs, a.Binds, r.ID, "")
				return true, nil
			}
			others = others || strings.EqualFold(r.Name, a.name)
		}
		return others, nil
	})
	if err == nil && others && refs[a.Binds+".id"] == "" {
		err = &Problem{
			What: fmt.Sprintf("the name %q was taken by somebody else's relationship meanwhile", a.name), Do: "The next run takes another name.", Retry: true,
		}
	}
	return err
}

// adoptAccess makes sure that a group that is said to have roles at a customer
// already has the one that was to be given.
func (e *engine) adoptAccess(ctx context.Context, a attempt, refs map[string]string) error {
	var want wireAccess
	if err := json.Unmarshal(a.body, &want); err != nil {
		return err
	}
	other := false
	err := e.shown(ctx, a, lowerFirst(a.Object), func(ctx context.Context) (bool, error) {
		r := Relationship{ID: relationshipIn(a.path)}
		if err := e.readAll(ctx, []reading{e.accessReading(&r)}); err != nil {
			return false, err
		}
		x := r.of(want.Container.ID)
		if x == nil {
			return false, nil
		}
		refs["id"] = x.ID
		other = !contains(x.Roles, want.Access.ids())
		return true, nil
	})
	if err == nil && other {
		err = &Problem{
			What: fmt.Sprintf("%s was not done: the group was given other roles there meanwhile", lowerFirst(a.Describe())),
			Do:   "Look at the tenant again: the plan then adds the role to those it has.", Retry: true,
		}
	}
	return err
}

// shown looks again and again for something that is said to be there.
func (e *engine) shown(ctx context.Context, a attempt, object string, look func(context.Context) (bool, error)) error {
	found, err := msclient.Until(ctx, e.showing(object, e.tell), look)
	if err == nil && !found {
		err = &Problem{What: object + " is said to exist already, but cannot be read", Do: "Wait a few minutes, then try again.", Retry: true}
	}
	return problem(err, object+" could not be read")
}

// renew reads again what a change is about, because somebody else changed it since
// it was read. It tells whether the change is still needed.
func (e *engine) renew(ctx context.Context, c Change) (Change, bool, error) {
	raw, err := msclient.Get[json.RawMessage](ctx, e.graph, e.resolve(c.Path))
	switch {
	case refused(err, 404) && (c.Action == Delete || c.Action == Remove):
		return c, false, nil
	case err != nil:
		return c, false, problem(err, fmt.Sprintf("%s was not done: it could not be read again", lowerFirst(c.Describe())))
	}
	changed := &Problem{
		What: fmt.Sprintf("%s was not done: it was changed meanwhile", lowerFirst(c.Describe())),
		Do:   "Look at the tenant again and plan anew.", Retry: true,
	}
	if c.Kind == KindAccess {
		return c.renewAccess(raw, changed)
	}
	list, err := relationshipsOf([]json.RawMessage{raw})
	if err != nil {
		return c, false, err
	}
	r := list[0]
	c.IfMatch = r.ETag
	if c.Kind == KindExtension {
		var body struct {
			Extend string `json:"autoExtendDuration"`
		}
		if err := json.Unmarshal(c.Body, &body); err != nil {
			return c, false, err
		}
		extends, _ := parseISODuration(body.Extend)
		switch {
		case r.AutoExtend == (extends > 0), r.over():
			return c, false, nil
		case r.Status != RelationActive:
			return c, false, changed
		}
		return c, true, nil
	}
	return c, r.Status == RelationCreated, nil // a deletion; what was locked meanwhile cannot be deleted any more
}

func (c Change) renewAccess(raw json.RawMessage, changed error) (Change, bool, error) {
	var w wireAccess
	if err := json.Unmarshal(raw, &w); err != nil {
		return c, false, err
	}
	x := w.access()
	c.IfMatch = x.ETag
	if c.Action == Remove {
		return c, x.Status != accessDeleting && x.Status != accessDeleted, nil
	}
	var want struct {
		Access wireRoles `json:"accessDetails"`
	}
	if err := json.Unmarshal(c.Body, &want); err != nil {
		return c, false, err
	}
	switch {
	case x.Status != accessActive && x.Status != accessPending:
		return c, false, changed
	case sameSet(x.Roles, want.Access.ids()):
		return c, false, nil
	case len(c.Undoes) == 0:
		c.Body = encode(map[string]any{"accessDetails": accessOf(union(x.Roles, want.Access.ids()))})
	}
	return c, true, nil
}

// accessOf is how roles are written.
func accessOf(roles []string) map[string]any {
	list := []map[string]string{}
	for _, id := range roles {
		list = append(list, map[string]string{"roleDefinitionId": id})
	}
	return map[string]any{"unifiedRoles": list}
}

// union are the entries of two lists, each once.
func union(a, b []string) []string {
	out := slices.Clone(a)
	for _, s := range b {
		if !containsFold(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// delegationRefused tells a refusal that is about the account, not about what was
// asked.
func delegationRefused(err error) (Unread, bool) {
	var failed *msclient.Error
	if !errors.As(err, &failed) {
		return Unread{}, false
	}
	switch {
	case failed.Status == 401 && strings.Contains(strings.ToLower(failed.Message), "mfa"):
		return Unread{
			"Microsoft shows relationships with customers only to somebody who signed in with multifactor authentication",
			"Sign in again with multifactor authentication. Every account of a partner has to use it.",
		}, true
	case failed.Status == 401 || failed.Status == 403:
		return Unread{
			"Microsoft does not show this account the relationships with customers: it is no Admin agent of a partner's tenant, or its sign-in is restricted",
			"Make the account an Admin agent (Partner Center, Account settings, User management: the group AdminAgents), then sign in anew. A Global Administrator is not one by itself.",
		}, true
	}
	return Unread{}, false
}
