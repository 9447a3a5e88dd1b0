package steps

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"msbundle/msclient"
	"msbundle/state"
)

const (
	laggingLimit = 5 * time.Minute // how long an object made in this run may stay invisible
	writeTries   = 8
	firstBackoff = time.Second
	longestWait  = 30 * time.Second
	longestAsked = 10 * time.Minute // a service that asks for more is left for another day
	replicaUsual = "a few seconds, now and then a minute or two"
)

// engine carries out one plan.
type engine struct {
	*Setup
	options ApplyOptions
	plan    Plan
	refs    map[string]string   // what the answers gave: "app.id"
	apis    map[string]Resource // by app id: those found, and those provisioned on the way
	written int
	secret  Secret

	password    Secret // of the service account, when this run makes one
	passwordSet bool   // and it was taken

	served   bool              // something took effect for a customer
	failed   map[string]bool   // customers with whom it does not work in this run
	failures []CustomerFailure // why, in the order it turned out
	refusals map[string]bool   // ids of changes that were refused when they were last tried

	later  map[string][]Change     // what waits for customers to approve, by customer
	asked  map[string]Relationship // those that wait for approval, by id, as they were seen last
	closed map[string]time.Time    // since when a relationship is seen not to be open for approval
	waits  map[string]bool         // ids of those that waited at the last look
	looks  int                     // at those that wait
	ended  []CustomerEnd           // those with whom it came to nothing meanwhile
}

func (e *engine) tell(ev Event) {
	if e.options.Observe != nil {
		ev.At = time.Now()
		e.options.Observe(ev)
	}
}

// units splits the changes into what is sent at once: a batch of changes that do
// not need each other's answers, or a single one. What is deleted goes after what
// is written: a batch has no order. Applications and secrets go
// alone: their answers decide what follows, and a doubt about one must not touch
// others.
func units(changes []Change) [][]Change {
	var out [][]Change
	for _, c := range changes {
		if n := len(out); !c.alone() && n > 0 {
			last := out[n-1]
			if !last[0].alone() && last[0].Kind == c.Kind && last[0].Method == c.Method && len(last) < msclient.BatchSize {
				out[n-1] = append(last, c)
				continue
			}
		}
		out = append(out, []Change{c})
	}
	return out
}

// alone tells whether a change is never a row of a batch.
func (c Change) alone() bool {
	switch c.Kind {
	case KindApplication, KindSecret, KindPrincipal, KindUser, KindPassword, KindPolicy, KindMFA:
		return true
	}
	return c.Service != "" || len(c.Proves) > 0
}

// run carries out the plan's changes in order.
//
// What has to wait for a customer's approval is left out.
func (e *engine) run(ctx context.Context) error {
	var now []Change
	for _, c := range e.plan.Changes {
		if c.After == "" {
			now = append(now, c)
		}
	}
	return e.carryOut(ctx, now)
}

func (e *engine) carryOut(ctx context.Context, changes []Change) error {
	for _, unit := range units(e.lastRefused(changes)) {
		if unit = e.hopeful(unit); len(unit) == 0 {
			continue
		}
		if e.options.Gate != nil && e.options.Gate.Paused() {
			e.tell(Event{Kind: EventPaused, Text: "Paused before the next write"})
			if err := e.options.Gate.Wait(ctx); err != nil {
				return err
			}
			e.tell(Event{Kind: EventResumed})
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := e.unit(ctx, unit); err != nil {
			return err
		}
	}
	return nil
}

// attempt is a change on its way: with references resolved and an intent in the
// journal.
type attempt struct {
	Change
	intent string
	body   json.RawMessage
	path   string
	name   string
}

func (e *engine) unit(ctx context.Context, changes []Change) error {
	ids := make([]string, len(changes))
	for i, c := range changes {
		ids[i] = c.ID
	}
	e.tell(Event{Kind: EventStarted, Changes: ids, Text: changes[0].Describe()})
	changes, err := e.prepare(ctx, changes)
	if err != nil {
		return err
	}
	begun, tries, delay := time.Now(), 0, firstBackoff
	left, doubted, missed := changes, map[string]bool{}, map[string]bool{}
	for len(left) > 0 {
		attempts, err := e.intend(left)
		if err != nil {
			return err
		}
		// A write under way is seen through: giving up in the middle would only
		// leave a doubt behind.
		seen := msclient.SeenThrough(ctx)
		results := e.send(msclient.OneTry(seen), attempts)
		if seen.Err() != nil && results[0].Err != nil { // it took too long for that; the journal has it as open
			return seen.Err()
		}
		var again []Change
		var worst verdict
		var asked time.Duration
		var stop error // what nothing can go on after
		var lost []CustomerFailure
		wrong := func(c Change, err error) {
			switch {
			case err == nil:
			case c.Customer != "" && ownFailure(err):
				lost, missed[c.ID] = append(lost, e.failure(c, err)), true
			case stop == nil:
				stop = err
			}
		}
		lastErr := map[string]error{} // of those tried again
		var settled []state.Record
		for i, a := range attempts {
			v, err := e.judged(ctx, a, results[i].Err, doubted)
			wrong(a.Change, err)
			var failed *msclient.Error
			if errors.As(results[i].Err, &failed) {
				asked = max(asked, failed.RetryAfter)
			}
			switch v {
			case took, already:
				record, err := e.receipt(ctx, a, results[i], v)
				record.There = v == already && !doubted[a.ID]
				wrong(a.Change, err)
				switch {
				case err != nil && singular(a.Kind, a.Action): // what was made is not known: the next run looks for it
				case err != nil && v == already: // what is there is not what was to be made, so it is not ours
					settled = append(settled, e.refusal(a, results[i].Err))
				default:
					e.served = e.served || a.Customer != "" && err == nil
					settled = append(settled, record)
				}
			case lagging, busy, cutOff:
				settled = append(settled, e.refusal(a, results[i].Err))
				again = append(again, a.Change)
			case stale:
				next, needed, err := e.renew(ctx, a.Change)
				wrong(a.Change, err)
				if needed || err != nil {
					settled, again = append(settled, e.refusal(a, results[i].Err)), append(again, next)
					worst = max(worst, busy)
					break
				}
				settled = append(settled, state.Record{Kind: state.RecordReceipt, At: e.client.Now(), Intent: a.intent, Text: "was so by then", There: !doubted[a.ID]})
			case doubtful:
				if !singular(a.Kind, a.Action) { // repeating it does no harm
					doubted[a.ID] = true
					a.Young = false // what it removes may be gone by now
					again = append(again, a.Change)
					break
				}
				doubted[a.ID] = true
				there, err := e.settleOne(ctx, a)
				if err != nil {
					return err
				}
				if !there {
					again = append(again, a.Change)
				}
			case unoffered:
				record := e.refusal(a, results[i].Err)
				record.Kind = state.RecordUnoffered
				settled = append(settled, record)
				e.tell(Event{Kind: EventNote, Text: fmt.Sprintf("The %s is not offered in this tenant; its permissions are left out", a.Object)})
				wrong(a.Change, errReplan)
			default:
				settled = append(settled, e.refusal(a, results[i].Err))
				wrong(a.Change, problem(results[i].Err, fmt.Sprintf("%s did not work", lowerFirst(a.Describe()))))
			}
			if v == lagging || v == busy || v == cutOff || v == doubtful {
				worst = max(worst, v)
			}
			lastErr[a.ID] = results[i].Err
		}
		if err := e.store.Append(settled...); err != nil {
			return problem(err, "the journal could not be written, so nothing more was sent")
		}
		if stop == nil && e.ownRight(attempts, results) {
			stop = problem(results[0].Err, fmt.Sprintf("%s did not work, nor did it at any other customer that was tried", lowerFirst(attempts[0].Describe())))
		}
		if stop != nil {
			return stop
		}
		e.fail(lost...)
		if err := e.deliver(attempts); err != nil {
			return err
		}
		for i, a := range attempts {
			if results[i].Err == nil {
				if err := e.settled(ctx, a); err != nil {
					return err
				}
			}
		}
		left = e.hopeful(again)
		for _, c := range again {
			if e.failed[c.Customer] {
				missed[c.ID] = true
			}
		}
		if len(left) == 0 {
			break
		}
		if tries++; worst != lagging && tries >= writeTries || worst == lagging && time.Since(begun) > laggingLimit || asked > longestAsked {
			alone := oneCustomers(left) // a service that is down fails with everybody
			for _, c := range left {
				err := problem(lastErr[c.ID], fmt.Sprintf("%s did not work after several tries", lowerFirst(c.Describe())))
				if c.Customer == "" || !ownFailure(err) && !(alone && refused(err, 500, 502, 503, 504)) {
					return err
				}
				missed[c.ID] = true
				e.fail(e.failure(c, err))
			}
			break
		}
		wait := max(delay, asked)
		e.waiting(left, worst, begun, wait)
		if err := msclient.Sleep(ctx, wait); err != nil {
			return err
		}
		delay = min(2*delay, longestWait)
	}
	e.written += len(changes) - len(missed)
	ids = slices.DeleteFunc(ids, func(id string) bool { return missed[id] })
	e.tell(Event{Kind: EventDone, Changes: ids})
	return nil
}

func (e *engine) waiting(left []Change, v verdict, begun time.Time, wait time.Duration) {
	w := &Wait{Usual: replicaUsual, Since: begun, Next: wait, Then: "it is tried again"}
	switch v {
	case lagging:
		w.For = "what was just made to be known everywhere in Microsoft's directory"
	case busy:
		w.For = "Microsoft's directory, which is busy with this tenant"
	case cutOff:
		w.For, w.Usual = "the network: no connection can be made", "seconds"
	default:
		w.For = "Microsoft's service, which gave no answer"
	}
	e.tell(Event{Kind: EventWaiting, Text: left[0].Describe(), Wait: w})
}

// intend resolves references and journals what is about to be written. Nothing
// is sent before this is durable.
func (e *engine) intend(changes []Change) ([]attempt, error) {
	attempts := make([]attempt, len(changes))
	records := make([]state.Record, len(changes))
	for i, c := range changes {
		a := attempt{Change: c, intent: rand.Text()[:16], name: e.resolve(c.Name), path: e.resolve(c.Path)}
		body := e.resolve(string(c.Body))
		if c.Kind == KindSecret && c.Action == Create {
			a.name = secretPrefix + e.client.Now().UTC().Format(time.DateOnly) + " " + strings.ToLower(rand.Text()[:6])
			body = strings.ReplaceAll(body, secretPrefix+Generated, a.name)
			body = strings.ReplaceAll(body, appSecretEnd, e.client.Now().Add(appSecretLifetime).UTC().Truncate(time.Second).Format(time.RFC3339))
		}
		if body != "" {
			a.body = json.RawMessage(body)
		}
		shown := a.body // a password is not for the journal
		if c.password() {
			a.body = e.withPassword(a.body)
		}
		if strings.Contains(a.path+body, "${") {
			return nil, &Problem{What: fmt.Sprintf("%s refers to something that was not made", lowerFirst(c.Describe())), Do: "Look at the tenant again and plan anew.", Retry: true}
		}
		attempts[i] = a
		records[i] = state.Record{
			Kind: state.RecordIntent, At: e.client.Now(), Intent: a.intent, Change: c.ID, What: string(c.Kind), Action: string(c.Action),
			Step: c.Step, Object: c.Object, Method: c.Method, Path: a.path, Body: shown, Before: c.Before, Name: a.name, Undoes: c.Undoes,
			TenantName: e.plan.TenantName,
		}
	}
	if err := e.store.Append(records...); err != nil {
		return nil, problem(err, "the journal could not be written, so the next write was not sent; what was written before stays and is taken up by the next run")
	}
	return attempts, nil
}

func (e *engine) resolve(s string) string {
	if !strings.Contains(s, "${") {
		return s
	}
	s = reference.ReplaceAllStringFunc(s, func(m string) string {
		if value, known := e.refs[m[2:len(m)-1]]; known {
			return value
		}
		return m
	})
	return derived.ReplaceAllStringFunc(s, func(m string) string { return derivedID(derived.FindStringSubmatch(m)[1]) })
}

// reference is the place of something an answer gives.
var reference = regexp.MustCompile(`\$\{[^${} ]+\}`)

// derived stands in a path for an id that is always the same for the same text:
// a second try then writes the same object.
var derived = regexp.MustCompile(`\$\{guid ([^${}]*)\}`)

func derivedID(text string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("msbundle "+strings.ToLower(text))).String()
}

// password tells whether a change sends a password that is made for it.
func (c Change) password() bool {
	return (c.Kind == KindUser || c.Kind == KindPassword) && bytes.Contains(c.Body, []byte(Generated))
}

// withPassword puts the password of this run into a body. It is the same at every
// try: an earlier one may turn out to have been carried out.
func (e *engine) withPassword(body json.RawMessage) json.RawMessage {
	if e.password.IsZero() {
		e.password = newPassword()
	}
	place := func(password string) []byte { return []byte(`"password":"` + password + `"`) }
	return bytes.Replace(body, place(Generated), place(e.password.Reveal()), 1)
}

// send sends one request, or several as a batch.
func (e *engine) send(ctx context.Context, attempts []attempt) []msclient.Result {
	reqs := make([]msclient.Request, len(attempts))
	for i, a := range attempts {
		reqs[i] = msclient.Request{Method: a.Method, Path: a.path}
		if a.IfMatch != "" {
			reqs[i].Header = http.Header{"If-Match": {a.IfMatch}}
		}
		if a.body != nil {
			reqs[i].Body = a.body
		}
	}
	if len(reqs) == 1 {
		service := e.graph.Service
		switch attempts[0].Service {
		case ServiceAzure:
			service = e.client.Azure(e.account.TenantID)
		case ServicePartner:
			service = e.client.Partner()
		}
		res, err := service.Do(ctx, reqs[0])
		return []msclient.Result{{Response: res, Err: err}}
	}
	results, err := e.graph.Batch(ctx, reqs)
	if err != nil {
		results = make([]msclient.Result, len(reqs))
		for i := range results {
			results[i].Err = err
		}
	}
	return results
}

// fresh tells whether a change builds on something made in this run.
func (e *engine) fresh(c Change) bool {
	if c.Service == ServiceAzure && e.refs[refAzure] != "" {
		return true
	}
	if c.Kind == KindPolicy && e.refs[refAccount+".id"] != "" {
		return true
	}
	switch c.Kind { // what was made for customers is known to one replica before the others
	case KindMember, KindLock, KindAccess, KindExtension:
		if c.Step == stepGDAP {
			return true
		}
	}
	return strings.Contains(c.Path+string(c.Body)+c.Name, "${") || c.Kind == KindGrant || c.Kind == KindRole || c.Kind == KindRoleGiven || c.Kind == KindSecret && c.Action == Create
}

// errReplan means that the tenant turned out different from what was found, and
// a plan with fewer or other changes is needed.
var errReplan = errors.New("the plan has to be made again")

// lowerFirst has a sentence go on within another one. What begins with a name, a
// code or an address stays as it is.
func lowerFirst(s string) string {
	word, _, _ := strings.Cut(s, " ")
	name := slices.Contains(names, strings.TrimSuffix(strings.TrimRight(word, ".,:"), "'s"))
	if word == "" || name || strings.ContainsAny(word[1:], "ABCDEFGHIJKLMNOPQRSTUVWXYZ@_") {
		return s
	}
	return firstAs(unicode.ToLower, s)
}

// UpperFirst begins a sentence, in any language.
func UpperFirst(s string) string { return firstAs(unicode.ToUpper, s) }

// firstAs changes the first letter, which a service may have written in any language.
func firstAs(letter func(rune) rune, s string) string {
	if s == "" {
		return s
	}
	first, size := utf8.DecodeRuneInString(s)
	return string(letter(first)) + s[size:]
}

// names are words of sentences here that are written with a capital anywhere: those
// of products, companies and roles.
var names = []string{"Azure", "Conditional", "Entra", "Exchange", "Global", "Graph", "Microsoft", "Office", "Partner", "Privileged", "Rewst", "Security"}
