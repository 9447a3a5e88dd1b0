package state

import (
	"encoding/json"
	"slices"
	"time"
)

// RecordKind says what a journal record tells.
type RecordKind string

const (
	RecordHeader    RecordKind = "journal"   // first line: whose journal this is
	RecordIntent    RecordKind = "intent"    // a write is about to be sent
	RecordReceipt   RecordKind = "receipt"   // the write took effect
	RecordRefused   RecordKind = "refused"   // the service said no: it did not take effect
	RecordUnoffered RecordKind = "unoffered" // the service said that the tenant does not get this API
	RecordAbsent    RecordKind = "absent"    // the answer was lost, and looking showed it did not take effect
	RecordDelivered RecordKind = "delivered" // a secret reached the person
	RecordFinished  RecordKind = "finished"  // everything asked for was read back
	RecordUndone    RecordKind = "undone"    // it was read back that the writes it lists were taken back
)

// Record is one line of a tenant's journal. It never holds a secret.
type Record struct {
	Kind   RecordKind `json:"kind"`
	At     time.Time  `json:"at"`
	Intent string     `json:"intent,omitempty"` // id of the intent the record belongs to

	// Of an intent: what is about to be written.
	Change string          `json:"change,omitempty"` // id of the plan's change
	Step   string          `json:"step,omitempty"`   // the change's step; of a finish: whose, empty for the setup
	What   string          `json:"what,omitempty"`   // the change's kind
	Action string          `json:"action,omitempty"`
	Object string          `json:"object,omitempty"`
	Method string          `json:"method,omitempty"`
	Path   string          `json:"path,omitempty"`
	Body   json.RawMessage `json:"body,omitempty"`
	Before json.RawMessage `json:"before,omitempty"` // what was there
	Name   string          `json:"name,omitempty"`   // what the object is found by when the answer is lost
	Undoes []string        `json:"undoes,omitempty"` // intents whose effect it takes back; also of RecordUndone

	// Of a receipt or a refusal.
	Refs      map[string]string `json:"refs,omitempty"`  // ids the answer gave
	There     bool              `json:"there,omitempty"` // it was so before the write, so it is not ours
	RequestID string            `json:"requestId,omitempty"`
	Code      string            `json:"code,omitempty"`
	Text      string            `json:"text,omitempty"`

	// Of the header.
	Schema     string `json:"schema,omitempty"`
	Cloud      string `json:"cloud,omitempty"`
	Tenant     string `json:"tenant,omitempty"`
	TenantName string `json:"tenantName,omitempty"`
}

// Entry is an intent with what became of it.
type Entry struct {
	Record
	Outcome   Record // zero Kind while the outcome is unknown
	Delivered bool
	Undone    bool // its effect was taken back
}

// Open tells whether the outcome of the write is unknown.
func (e Entry) Open() bool { return e.Outcome.Kind == "" }

// Entries pairs the journal's intents with their outcomes, oldest first.
func Entries(records []Record) []Entry {
	intents := 0
	for _, r := range records {
		if r.Kind == RecordIntent {
			intents++
		}
	}
	out := slices.Grow([]Entry(nil), intents)
	at := make(map[string]int, intents)
	undo := func(intents []string) {
		for _, id := range intents {
			if i, ok := at[id]; ok {
				out[i].Undone = true
			}
		}
	}
	for _, r := range records {
		switch r.Kind {
		case RecordIntent:
			at[r.Intent] = len(out)
			out = append(out, Entry{Record: r})
		case RecordReceipt, RecordRefused, RecordUnoffered, RecordAbsent:
			if i, ok := at[r.Intent]; ok {
				out[i].Outcome = r
				if r.Kind == RecordReceipt {
					undo(out[i].Undoes)
				}
			}
		case RecordDelivered:
			if i, ok := at[r.Intent]; ok {
				out[i].Delivered = true
			}
		case RecordUndone:
			undo(r.Undoes)
		}
	}
	return out
}

// Evidence is one proof: what was read back, when, and Microsoft's ids of the
// requests.
type Evidence struct {
	At         time.Time `json:"at"`
	What       string    `json:"what"`
	Good       bool      `json:"good"`
	Text       string    `json:"text,omitempty"`
	RequestIDs []string  `json:"requestIds,omitempty"`
}
