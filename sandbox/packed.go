package sandbox

import (
	"bytes"
	"compress/gzip"
	"io"
)

// The official tables are kept to be read by people, and packed for the program, which
// is some 70 kB smaller for it. Run go generate after a change.
//
//go:generate gzip -9nkf data/shapes.json data/operations.csv

// unpacked is what a packed table of the program's own holds.
func unpacked(data []byte) []byte {
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err == nil {
		data, err = io.ReadAll(r)
	}
	if err != nil {
		panic("sandbox: embedded table: " + err.Error())
	}
	return data
}
