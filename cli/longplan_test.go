package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"msbundle/steps"
)

// A plan about many customers is longer than any setup file, and its writes are known
// again without being kept.
func TestLongPlanFile(t *testing.T) {
	t.Parallel()
	doc := planDocument{
		Schema: planSchema, Tenant: "024072f6-9f6f-4b0d-b84a-a91d1cc637d7", Answers: consentAll, Taken: []string{}, Offers: []steps.Offer{}, Notes: []steps.Note{},
	}
	for i := range 30000 {
		doc.Changes = append(doc.Changes, steps.Change{
			ID: fmt.Sprintf("customers/%d", i), Tenant: doc.Tenant, Method: "POST", Path: "/v1.0/x", Body: json.RawMessage(`{"a": 1}`), Why: strings.Repeat("because ", 8),
		})
	}
	data, err := json.MarshalIndent(doc, "", "  ")
	if err != nil || len(data) <= longest {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	load := func(data []byte) (*applyRun, steps.Agreement, error) {
		path := filepath.Join(t.TempDir(), "plan.json")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r := &applyRun{app: &app{}, file: path}
		_, _, agreed, err := r.load()
		return r, agreed, err
	}
	_, agreed, err := load(data)
	if err != nil || len(agreed) != len(doc.Changes) {
		t.Fatalf("%d writes, %v", len(agreed), err)
	}
	plan := steps.Plan{Changes: doc.Changes}
	if c, all := agreed.Covers(plan); !all {
		t.Errorf("not known again: %+v", c)
	}
	last := &plan.Changes[len(plan.Changes)-1]
	last.Body = json.RawMessage(`{"a":2}`)
	if c, all := agreed.Covers(plan); all || c.ID != last.ID {
		t.Errorf("another body is taken: %+v", c)
	}
	for name, bad := range map[string]string{
		"no end":         string(data[:len(data)-10]),
		"no plan":        strings.Repeat("# a long setup file\n", longest/10),
		"unknown key":    strings.Replace(string(data), `"tenant":`, `"tenants":`, 1),
		"unknown detail": strings.Replace(string(data), `"why":`, `"wherefore":`, 1),
		"no list":        `{"changes": {}, "schema": "` + planSchema + `"}`,
		"another schema": `{"changes": [], "schema": "msbundle.plan/0"}`,
	} {
		if _, _, err := load([]byte(bad)); exitOf(err) != exitUsage {
			t.Errorf("%s: %v", name, err)
		}
	}
}
