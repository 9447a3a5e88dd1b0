package sandbox

import (
	"bytes"
	"os"
	"testing"
)

// What the program holds is what people read.
func TestPackedTables(t *testing.T) {
	t.Parallel()
	for name, packed := range map[string][]byte{"shapes.json": shapesJSON, "operations.csv": operationsCSV} {
		want, err := os.ReadFile("data/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(unpacked(packed), want) {
			t.Errorf("data/%s is newer than what is packed of it: run go generate ./sandbox", name)
		}
	}
}
