package conform_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"msbundle/catalog"
	"msbundle/sandbox/conform"
)

// folder is where the official descriptions are.
func folder(t *testing.T) string {
	t.Helper()
	dir := os.Getenv(conform.Env)
	if dir == "" {
		t.Skip("set MSBUNDLE_CONFORMANCE_DIR to the folder with the API descriptions (../shared/conformance beside a checkout)")
	}
	return dir
}

func load(t *testing.T) *conform.Checker {
	t.Helper()
	c, err := conform.Load(folder(t))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// table reads a CSV file as one map a row.
func table(t *testing.T, path string) []map[string]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, name := range rows[0] {
			m[name] = row[i]
		}
		out = append(out, m)
	}
	return out
}

func TestSamples(t *testing.T) {
	c := load(t)
	text, err := os.ReadFile(filepath.Join(folder(t), "request-samples.json"))
	if err != nil {
		t.Fatal(err)
	}
	var samples []conform.Sample
	if err := json.Unmarshal(text, &samples); err != nil {
		t.Fatal(err)
	}
	for _, s := range samples {
		err, loaded := c.CheckSample(s)
		if !loaded {
			t.Errorf("%s: no description %s", s.Name, s.Description)
		}
		if (err == nil) != s.Accept {
			t.Errorf("%s (%s %s): accepted %v, want %v: %v", s.Name, s.Method, s.URL, err == nil, s.Accept, err)
		}
	}
	if len(samples) < 100 {
		t.Errorf("only %d samples", len(samples))
	}
}

func TestCatalogAgainstGraph(t *testing.T) {
	ids := map[string]string{}
	for _, row := range table(t, filepath.Join(folder(t), "graph-permissions.csv")) {
		ids[row["value"]+"/"+row["type"]] = row["id"]
	}
	for _, p := range catalog.Permissions() {
		if got := ids[p.Name+"/"+string(p.Kind)]; p.Resource == catalog.GraphAppID && got != p.ID {
			t.Errorf("%s/%s: the catalog has %s, Microsoft Graph %q", p.Name, p.Kind, p.ID, got)
		}
	}
	for _, row := range table(t, "../data/graph-permissions.csv") {
		if ids[row["value"]+"/"+row["type"]] != row["id"] {
			t.Errorf("%s/%s: the sandbox has %s, Microsoft Graph %q", row["value"], row["type"], row["id"], ids[row["value"]+"/"+row["type"]])
		}
	}
}

func TestOperationsTable(t *testing.T) {
	columns := []string{"version", "method", "path", "delegated_accepted", "application_accepted", "object"}
	key := func(row map[string]string) string {
		var parts []string
		for _, c := range columns {
			parts = append(parts, row[c])
		}
		return strings.Join(parts, ",")
	}
	var official []string
	for _, row := range table(t, filepath.Join(folder(t), "operation-permissions.csv")) {
		official = append(official, key(row))
	}
	for _, row := range table(t, "../data/operations.csv") {
		if !slices.Contains(official, key(row)) {
			t.Errorf("no such row: %s", key(row))
		}
	}
}

// The shapes the sandbox checks bodies with are those of the description.
func TestShapes(t *testing.T) {
	want, err := readShapes(folder(t))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../data/shapes.json")
	if err != nil {
		t.Fatal(err)
	}
	var got shapeFile
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Bodies) < 30 || len(got.Select) < 10 {
		t.Fatalf("%d bodies, %d selects", len(got.Bodies), len(got.Select))
	}
	for name, g := range got.Bodies {
		if w := want.Bodies[name]; !reflect.DeepEqual(g, w) {
			t.Errorf("%s:\n got %s\nwant %s", name, fmt.Sprint(g), fmt.Sprint(w))
		}
	}
	for name, g := range got.Select {
		if w := want.Select[name]; !slices.Equal(g, w) {
			t.Errorf("$select of %s:\n got %v\nwant %v", name, g, w)
		}
	}
}
