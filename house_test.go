package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayImport is who may import whom, all of it. Test files may cross it.
var mayImport = map[string][]string{
	"main":     {"cli"},
	"cli":      {"ui", "steps", "msclient", "state", "catalog", "sandbox"},
	"ui":       {"steps", "state", "catalog"},
	"steps":    {"msclient", "state", "catalog"},
	"msclient": {"catalog"},
	"state":    {"catalog"},
	"sandbox":  {"catalog"},
	"catalog":  {},
}

// packages reads the program's packages without their test files, by folder.
func packages(t *testing.T) map[string][]*ast.File {
	t.Helper()
	out := map[string][]*ast.File{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != "." {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		if dir == "." {
			dir = "main"
		}
		out[dir] = append(out[dir], f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestImportsFollowTheTable(t *testing.T) {
	found := packages(t)
	for name := range mayImport {
		if len(found[name]) == 0 {
			t.Errorf("the table names %s, which has no files", name)
		}
	}
	for dir, files := range found {
		house, sub, _ := strings.Cut(dir, "/")
		allowed, known := mayImport[house]
		if !known {
			t.Errorf("%s is not in the table", dir)
		}
		for _, f := range files {
			for _, imp := range f.Imports {
				path, err := strconv.Unquote(imp.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				to, ours := strings.CutPrefix(path, "msbundle/")
				if !ours {
					continue
				}
				top, _, _ := strings.Cut(to, "/")
				inside := top == house && sub != ""
				if !slices.Contains(allowed, top) && !inside {
					t.Errorf("%s imports %s, which the table does not allow", dir, to)
				}
				if to == "sandbox/conform" {
					t.Errorf("%s imports %s, which is for tests only", dir, to)
				}
			}
		}
	}
}

func TestEveryPackageHasADocComment(t *testing.T) {
	for dir, files := range packages(t) {
		documented := slices.ContainsFunc(files, func(f *ast.File) bool {
			return f.Doc != nil && len(strings.TrimSpace(f.Doc.Text())) > 20
		})
		if !documented {
			t.Errorf("package %s has no doc comment", dir)
		}
	}
}
