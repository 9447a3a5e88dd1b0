package steps

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"msbundle/msclient"
	"msbundle/state"
)

// receipt takes up what an answer gave and records that the write took effect.
func (e *engine) receipt(ctx context.Context, a attempt, r msclient.Result, v verdict) (state.Record, error) {
	record := state.Record{Kind: state.RecordReceipt, At: e.client.Now(), Intent: a.intent, Refs: map[string]string{}}
	if a.Kind == KindConsent {
		return record, e.consented(ctx, a, record.Refs)
	}
	if v == already {
		record.Text = "was there already"
		if err := e.adopt(ctx, a, record.Refs); err != nil {
			return record, err
		}
		return record, nil
	}
	record.RequestID = r.RequestID
	var answer struct {
		ID     string `json:"id"`
		AppID  string `json:"appId"`
		KeyID  string `json:"keyId"`
		Secret string `json:"secretText"`
	}
	if len(r.Body) > 0 {
		if err := r.Decode(&answer); err != nil {
			return record, problem(err, fmt.Sprintf("%s: the answer cannot be read", lowerFirst(a.Describe())))
		}
	}
	if a.Kind == KindSecret {
		if a.Action == Create {
			e.secret = msclient.NewSecret(answer.Secret)
			e.made = ownSecret{strings.Split(a.path, "/")[3], e.secret}
			record.Refs["secret.keyId"], record.Refs["app.id"] = answer.KeyID, strings.Split(a.path, "/")[3]
			e.refs["secret.keyId"] = answer.KeyID
			e.pending = a.intent
		}
		return record, nil
	}
	if a.Binds == refAccount {
		if answer.ID == "" { // a new password for an account that is there answers nothing
			answer.ID = path.Base(a.path)
		}
		e.bindAccount(record.Refs, a, answer.ID)
	} else if a.Binds != "" {
		e.bind(record.Refs, a.Binds, answer.ID, answer.AppID)
		if a.Kind == KindResource {
			return record, e.checkResource(a, r)
		}
	} else if answer.ID != "" {
		record.Refs["id"] = answer.ID
	}
	return record, nil
}

func (e *engine) bind(refs map[string]string, name, id, appID string) {
	refs[name+".id"], refs[name+".appId"] = id, appID
	e.refs[name+".id"], e.refs[name+".appId"] = id, appID
}

// bindAccount takes up the service account, and the password it was given.
func (e *engine) bindAccount(refs map[string]string, a attempt, id string) {
	refs[refAccount+".id"], e.refs[refAccount+".id"] = id, id
	if a.password() {
		e.pendingPassword, e.passwordSet = a.intent, true
	}
}

// adopt finds an object that was there already. What it holds is compared by the
// proof at the end.
func (e *engine) adopt(ctx context.Context, a attempt, refs map[string]string) error {
	switch {
	case a.Kind == KindRelationship:
		return e.adoptRelationship(ctx, a, refs)
	case a.Kind == KindAccess && a.Action == Add:
		return e.adoptAccess(ctx, a, refs)
	}
	fields := "id,appId"
	switch {
	case a.Binds == "":
		return nil
	case a.Kind == KindResource:
		fields = resourceFields
	}
	address := query(principals+"(appId="+quote(a.name)+")", "$select", fields)
	if a.Binds == refAccount {
		address = query(users+"/"+pathName(a.name), "$select", "id")
	}
	found, err := msclient.Until(ctx, msclient.Patience{
		Good: 1, First: firstBackoff, Max: longestWait, Limit: laggingLimit,
		Waiting: func(since time.Time, next time.Duration) {
			e.tell(Event{Kind: EventWaiting, Text: a.Describe(), Wait: &Wait{
				For: "the existing " + a.Object + " to show up", Usual: replicaUsual, Since: since, Next: next, Then: "the setup goes on with it",
			}})
		},
	}, func(ctx context.Context) (bool, error) {
		w, err := msclient.Get[wirePrincipal](ctx, e.graph, address)
		var failed *msclient.Error
		if errors.As(err, &failed) && failed.Status == 404 {
			return false, nil
		}
		switch {
		case err != nil:
		case a.Binds == refAccount:
			e.bindAccount(refs, a, w.ID)
		default:
			e.bind(refs, a.Binds, w.ID, w.AppID)
			if a.Kind == KindResource {
				e.apis[w.AppID] = w.resource()
			}
		}
		return err == nil, err
	})
	if err == nil && !found {
		err = &Problem{What: fmt.Sprintf("%s is said to exist already, but cannot be read", a.Object), Do: "Wait a few minutes, then try again.", Retry: true}
	}
	return problem(err, fmt.Sprintf("%s could not be read", a.Object))
}

// checkResource compares the ids a provisioned API publishes with those the plan
// was made with.
func (e *engine) checkResource(a attempt, r msclient.Result) error {
	var w wirePrincipal
	if err := r.Decode(&w); err != nil {
		return problem(err, "the answer cannot be read")
	}
	live := w.resource()
	e.apis[w.AppID] = live
	for _, want := range e.plan.want.permissions[w.AppID] {
		if id, ok := live.PermissionID(want.name, want.kind); !ok || id != want.id {
			return errReplan
		}
	}
	return nil
}

func (e *engine) refusal(a attempt, err error) state.Record {
	r := state.Record{Kind: state.RecordRefused, At: e.client.Now(), Intent: a.intent}
	var failed *msclient.Error
	if errors.As(err, &failed) {
		r.RequestID, r.Code, r.Text = failed.RequestID, failed.Code, failed.Message
	} else {
		r.Text = "no answer from the sign-in service"
	}
	return r
}

// settleOne looks whether a write that cannot be repeated safely took effect. A
// secret that did is useless, because its value was lost: it is removed.
func (e *engine) settleOne(ctx context.Context, a attempt) (there bool, err error) {
	intent := state.Record{Intent: a.intent, At: e.client.Now().Add(-time.Minute), Change: a.ID, What: string(a.Kind), Object: a.Object, Path: a.path, Body: a.body, Name: a.name}
	refs, err := e.lookFor(ctx, intent, e.tell)
	if err != nil {
		return false, problem(err, fmt.Sprintf("it could not be found out whether this took effect: %s", lowerFirst(a.Describe())))
	}
	record := e.outcome(a.intent, refs)
	switch {
	case refs == nil:
	case a.Kind == KindApplication:
		e.bind(record.Refs, a.Binds, refs["app.id"], refs["app.appId"])
	case a.Kind == KindUser:
		e.bindAccount(record.Refs, a, refs[refAccount+".id"])
	case a.Kind == KindRoleGroup:
		e.bind(record.Refs, a.Binds, refs[a.Binds+".id"], "")
	}
	if err := e.store.Append(record); err != nil {
		return false, problem(err, "the journal could not be written, so nothing more was sent")
	}
	if refs == nil || a.Kind != KindSecret {
		if a.Kind == KindUser && refs != nil {
			return true, e.deliver([]attempt{a})
		}
		return refs != nil, nil
	}
	e.tell(Event{Kind: EventNote, Text: "The answer with the secret was lost; the secret is removed and made again"})
	return false, e.unit(ctx, []Change{{
		ID: a.ID + "/lost", Step: a.Step, Kind: KindSecret, Action: Remove, Object: "client secret whose value was lost",
		Method: "POST", Path: strings.TrimSuffix(a.path, "/addPassword") + "/removePassword", Name: a.name,
		Body: encode(map[string]string{"keyId": refs["secret.keyId"]}),
	}})
}

// deliver sends a fresh secret to where the person asked.
func (e *engine) deliver(attempts []attempt) error {
	if err := e.deliverPassword(attempts[0]); err != nil {
		return err
	}
	if e.secret.IsZero() || e.pending != attempts[0].intent || e.options.Deliver == nil {
		return nil
	}
	if err := e.options.Deliver(e.secret); err != nil {
		return &Problem{
			What: "the client secret was made but could not be delivered", Retry: true, Err: err,
			Do: err.Error() + ". Mend that and run again: the undelivered secret is then removed and a new one made.",
		}
	}
	return e.SecretDelivered()
}
