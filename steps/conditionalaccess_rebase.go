package steps

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"msbundle/msclient"
)

// prepare makes sure that a change can be sent as it was planned, or as it has to
// be by now. Nothing is left of changes that have become needless.
func (e *engine) prepare(ctx context.Context, changes []Change) ([]Change, error) {
	if err := e.proveRoles(ctx, changes[0]); err != nil {
		return nil, err
	}
	if err := e.renewToken(ctx, changes[0]); err != nil {
		return nil, err
	}
	return e.rebase(ctx, changes)
}

// rebase brings a change of a policy or a grant to what that is by now: the service
// replaces what is sent as a whole, and what somebody else changed there since
// the plan was made has to stay.
func (e *engine) rebase(ctx context.Context, changes []Change) ([]Change, error) {
	c := changes[0]
	switch {
	case c.ID == appRedirect, c.ID == appRedirectGone:
		return e.rebaseRedirect(ctx, c)
	case c.Kind == KindGrant && c.Method != "POST":
		return e.rebaseGrants(ctx, changes)
	case c.Kind != KindPolicy || c.Method != "PATCH":
		return changes, nil
	case len(c.Undoes) > 0:
		return e.rebaseUndo(ctx, c)
	}
	raw, err := msclient.Get[json.RawMessage](ctx, e.graph, e.resolve(c.Path))
	if refused(err, 404) {
		return nil, &Problem{
			What: fmt.Sprintf("%s was not done: the policy is not there any more", lowerFirst(c.Describe())),
			Do:   "Look at the tenant again and plan anew.", Retry: true, Err: err,
		}
	}
	if err != nil {
		return nil, problem(err, fmt.Sprintf("%s was not done: the policy could not be read", lowerFirst(c.Describe())))
	}
	if e.plan.customer != nil {
		return e.rebaseExclusion(c, raw)
	}
	policy, body, before := filled(raw), filled(json.RawMessage(e.resolve(string(c.Body)))), filled(c.Before)
	now := picked(policy, body)
	if conditions, sent := body["conditions"].(map[string]any); sent {
		is, _ := policy["conditions"].(map[string]any)
		now["conditions"] = picked(is, conditions)
	}
	c.Before, c.Body = encodeAny(now), encodeAny(merged(before, body, now))
	if string(c.Before) == string(c.Body) {
		return nil, nil
	}
	return []Change{c}, nil
}

// picked are the parts of an object that another one names.
func picked(o, names map[string]any) map[string]any {
	out := map[string]any{}
	for name := range names {
		out[name] = o[name]
	}
	return out
}

// merged does to what is there now what a change did to what was there before.
func merged(before, body, now any) any {
	switch body := body.(type) {
	case map[string]any:
		is, isThere := now.(map[string]any)
		if !isThere {
			return body
		}
		was, _ := before.(map[string]any)
		out := map[string]any{}
		for name, value := range is {
			if was[name] == nil { // somebody added it since
				out[name] = value
			}
		}
		for name, value := range body {
			out[name] = merged(was[name], value, is[name])
		}
		return out
	case []any:
		is, isThere := now.([]any)
		if !isThere {
			return body
		}
		was, _ := before.([]any)
		return takenBackList(body, was, is, func(a, b any) bool { return reflect.DeepEqual(a, b) })
	}
	if reflect.DeepEqual(before, body) {
		return now
	}
	return body
}
