package kaizen_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

// TestShape holds the tree to what a reader may rely on. It reads files only.
func TestShape(t *testing.T) {
	t.Parallel()
	read := readTree(t, os.DirFS("."))
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			for _, complaint := range rule.check(read) {
				t.Error(complaint)
			}
		})
	}
}

// TestShapeRulesBite shows each rule trees that it must refuse, and one that
// all must accept.
func TestShapeRulesBite(t *testing.T) {
	t.Parallel()
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			for file, content := range rule.refuses {
				files := map[string]string{file: content}
				if len(rule.check(readTree(t, mapFS(files)))) == 0 {
					t.Errorf("accepted %s:\n%.200s", file, content)
				}
			}
			if complaints := rule.check(readTree(t, mapFS(flawless))); len(complaints) > 0 {
				t.Errorf("refused a flawless tree: %q", complaints)
			}
		})
	}
}

var flawless = map[string]string{
	"kaizen.go":            "// Package kaizen sends.\npackage kaizen\nimport _ \"github.com/kaizenmail/kaizen/smtp\"\n",
	"smtp/dial.go":         "// Package smtp speaks.\npackage smtp\nimport _ \"golang.org/x/net/idna\"\n// Dial dials.\nfunc Dial() {}\n",
	"smtp/dial_test.go":    "package smtp_test\nimport (\"testing\"; \"testing/synctest\"; \"time\")\nfunc TestDial(t *testing.T) { synctest.Test(t, func(t *testing.T) { time.Sleep(1) }) }\n",
	"cmd/kaizen/main.go":   "// Command kaizen sends.\npackage main\nimport _ \"github.com/spf13/cobra\"\nfunc main() {}\n",
	"bench/peers/peers.go": "// Package peers compares.\npackage peers\nimport _ \"example.org/anything\"\n",
	"README.md":            "# Kaizen\n",
}

func mapFS(files map[string]string) fs.FS {
	m := fstest.MapFS{}
	for name, content := range files {
		m[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return m
}

// tree is what the rules look at.
type tree struct {
	files       []*source
	readmeLines int
}

// source is one Go file.
type source struct {
	path      string // slashes, from the root
	lines     int
	generated bool
	syntax    *ast.File
	positions *token.FileSet
}

func readTree(t *testing.T, root fs.FS) tree {
	t.Helper()
	var read tree
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			base := entry.Name()
			if base == "testdata" || base != "." && strings.HasPrefix(base, ".") {
				return fs.SkipDir
			}
			return nil
		}
		if name != "README.md" && path.Ext(name) != ".go" {
			return nil
		}
		content, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		lines := bytes.Count(content, []byte("\n"))
		if name == "README.md" {
			read.readmeLines = lines
			return nil
		}
		positions := token.NewFileSet()
		syntax, err := parser.ParseFile(positions, name, content, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		read.files = append(read.files, &source{name, lines, ast.IsGenerated(syntax), syntax, positions})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// packages returns the non-test files of this module by directory. bench is a
// module of its own.
func (t tree) packages() map[string][]*source {
	packages := map[string][]*source{}
	for _, f := range t.files {
		if dir := path.Dir(f.path); !f.isTest() && !within(dir, "bench") {
			packages[dir] = append(packages[dir], f)
		}
	}
	return packages
}

func (f *source) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

func (f *source) imports() []string {
	var paths []string
	for _, spec := range f.syntax.Imports {
		unquoted, _ := strconv.Unquote(spec.Path.Value)
		paths = append(paths, unquoted)
	}
	return paths
}

// at writes a place as an editor understands it.
func (f *source) at(pos token.Pos) string { return f.positions.Position(pos).String() }

func (f *source) line(pos token.Pos) int { return f.positions.Position(pos).Line }
