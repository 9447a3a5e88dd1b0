package state

import "testing"

// A write counts as taken back once a write that says so took effect, or once a
// proof says so.
func TestEntriesTakenBack(t *testing.T) {
	intent := func(id string, undoes ...string) Record {
		return Record{Kind: RecordIntent, Intent: id, Undoes: undoes}
	}
	outcome := func(kind RecordKind, id string) Record { return Record{Kind: kind, Intent: id} }
	got := map[string]bool{}
	for _, e := range Entries([]Record{
		intent("a"), intent("b"), intent("c"), intent("d"), intent("e"),
		intent("took", "a"), outcome(RecordReceipt, "took"), intent("refused", "b"), outcome(RecordRefused, "refused"), intent("open", "c"),
		{Kind: RecordUndone, Undoes: []string{"d", "of another journal"}},
	}) {
		got[e.Intent] = e.Undone
	}
	for id, want := range map[string]bool{"a": true, "b": false, "c": false, "d": true, "e": false, "took": false} {
		if got[id] != want {
			t.Errorf("%s: got %v, want %v", id, got[id], want)
		}
	}
}
