package state

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

// table is what is known of a sort of CSV file.
type table struct {
	columns map[string][]string // names people use for a column, in small letters and nothing else, the surest first
	needs   []string            // columns of which there has to be one
	needed  string              // those, in words
	example string              // a first line
	nothing string              // what a file without rows says
	others  []string            // columns that only another sort of file has
	other   string              // what is said of that one
}

// row is a line of a table: its columns by the name the table has for them.
type row func(column string) string

// load reads a file and hands its rows to each, which tells what is wrong with one.
// All faults found are joined, each a *FileError that names the line.
func (t table) load(path string, each func(r row, line int) (fault string)) error {
	r, header, err := t.begin(path)
	if err != nil {
		return err
	}
	line, _ := r.FieldPos(0)
	if has(header, t.others) {
		return &FileError{File: path, Line: line, Text: t.other}
	}
	at := t.find(header)
	if !slices.ContainsFunc(t.needs, func(c string) bool { return at[c] >= 0 }) {
		return &FileError{File: path, Line: line, Text: "none of the columns is called " + t.needed + "; the first line names the columns, such as " + t.example}
	}
	return t.read(path, r, at, len(header), each)
}

// begin opens a file and reads its first line.
func (t table) begin(path string) (*csv.Reader, []string, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		text := "there is no such file"
		if filepath.IsAbs(path) { // a setup file's name of it was made so
			text += "; a relative name counts from the folder of the setup file"
		}
		return nil, nil, &FileError{File: path, Text: text}
	case err != nil:
		if info, bad := os.Stat(path); bad == nil && info.IsDir() {
			err = errors.New("this is a folder; name the CSV file in it")
		}
		return nil, nil, &FileError{File: path, Text: err.Error()}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if line := firstLine(data, func(l []byte) bool { return !utf8.Valid(l) }); line > 0 {
		return nil, nil, &FileError{File: path, Line: line, Text: "this is not UTF-8 text; save the file as CSV UTF-8"}
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace, r.ReuseRecord = separator(data), -1, true, true
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil, nil, &FileError{File: path, Text: "the file is empty; its first line names the columns, such as " + t.example}
	}
	if err != nil {
		return nil, nil, csvError(path, err)
	}
	return r, header, nil
}

// has tells whether one of the columns has one of these names.
func has(header, names []string) bool {
	return slices.ContainsFunc(header, func(s string) bool { return slices.Contains(names, letters(s)) })
}

// read hands over the rows below the first line, which names so many columns.
func (t table) read(path string, r *csv.Reader, at map[string]int, columns int, each func(row, int) string) error {
	var faults []error
	some := false
	for {
		fields, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return errors.Join(append(faults, csvError(path, err))...)
		}
		if filled(fields) == 0 {
			continue // an empty line of a spreadsheet
		}
		some = true
		line, _ := r.FieldPos(0)
		if cells := filled(fields); cells > columns {
			text := fmt.Sprintf("this line has %d cells, and the first line names %d columns; put what holds a separator in quotation marks", cells, columns)
			faults = append(faults, &FileError{File: path, Line: line, Text: text})
			continue
		}
		fault := each(func(column string) string {
			if i := at[column]; i >= 0 && i < len(fields) {
				return strings.TrimSpace(fields[i])
			}
			return ""
		}, line)
		if fault != "" {
			faults = append(faults, &FileError{File: path, Line: line, Text: fault})
		}
	}
	if !some {
		return &FileError{File: path, Text: t.nothing}
	}
	return errors.Join(faults...)
}

// filled is how many cells there are up to the last that is not empty: spreadsheets
// write empty ones.
func filled(fields []string) int {
	n := len(fields)
	for n > 0 && strings.TrimSpace(fields[n-1]) == "" {
		n--
	}
	return n
}

// find tells where each column stands; -1 where it does not.
func (t table) find(header []string) map[string]int {
	at := map[string]int{}
	for name, known := range t.columns {
		at[name] = -1
		for _, word := range known {
			i := slices.IndexFunc(header, func(s string) bool { return letters(s) == word })
			if i >= 0 {
				at[name] = i
				break
			}
		}
	}
	return at
}

// separator is what separates the names of the columns: spreadsheets write what
// the country they are used in is used to.
func separator(data []byte) rune {
	first, _, _ := bytes.Cut(data, []byte("\n"))
	best, most := ',', bytes.Count(first, []byte(","))
	for _, r := range ";\t" {
		if n := bytes.Count(first, []byte(string(r))); n > most {
			best, most = r, n
		}
	}
	return best
}

func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(s))
}

func csvError(file string, err error) error {
	var bad *csv.ParseError
	if errors.As(err, &bad) {
		return &FileError{File: file, Line: bad.Line, Text: "this is not CSV: " + bad.Err.Error()}
	}
	return &FileError{File: file, Text: err.Error()}
}
