// Package parsers_test gives the corpus to parsers in other languages.
package parsers_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kaizenmail/kaizen/test/corpus"
)

// parsers are programs that print a corpus.Reading for each file they are given.
var parsers = map[string][]string{
	"email":      {"python3", "parse.py"},
	"mailparser": {"node", "parse.mjs"},
}

// TestParsersAgree compares, field by field, what parsers read with what was in
// the message. A difference must be one that is known, with its reason, and a
// known one must still be there.
func TestParsersAgree(t *testing.T) {
	t.Parallel()
	cases := allCases(t)
	files := writeMessages(t, cases)
	for parser, command := range parsers {
		t.Run(parser, func(t *testing.T) {
			t.Parallel()
			readings := run[corpus.Reading](t, command, files)
			for i, c := range cases {
				t.Run(c.Name, func(t *testing.T) {
					checkDifferences(t, parser, c.Name, corpus.Compare(expect(t, c), &readings[i]))
				})
			}
		})
	}
}

func allCases(t *testing.T) []corpus.Case {
	t.Helper()
	fromDisk, err := corpus.FileCase(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return append(corpus.Cases(), fromDisk)
}

// writeMessages writes each message into a file.
func writeMessages(t *testing.T, cases []corpus.Case) (files []string) {
	t.Helper()
	dir := t.TempDir()
	for i, c := range cases {
		var b bytes.Buffer
		if _, err := c.Message.WriteTo(&b); err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		files = append(files, filepath.Join(dir, fmt.Sprintf("%d.eml", i)))
		if err := os.WriteFile(files[i], b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func expect(t *testing.T, c corpus.Case) *corpus.Reading {
	t.Helper()
	want, err := corpus.Expect(c.Message)
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// run starts a program, which prints one line of JSON for each file.
func run[T any](t *testing.T, command, files []string) (printed []T) {
	t.Helper()
	var said bytes.Buffer
	program := exec.CommandContext(t.Context(), command[0], slices.Concat(command[1:], files)...)
	program.Stderr = &said
	output, err := program.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s", command, err, said.String())
	}
	decoder := json.NewDecoder(bytes.NewReader(output))
	decoder.DisallowUnknownFields()
	for range files {
		var each T
		if err := decoder.Decode(&each); err != nil {
			t.Fatalf("%q: line %d: %v", command, len(printed)+1, err)
		}
		printed = append(printed, each)
	}
	return printed
}

// checkDifferences compares with those that are known: each must be one of them,
// and each of them must show.
func checkDifferences(t *testing.T, parser, name string, found []corpus.Difference) {
	t.Helper()
	for _, k := range differences {
		if !k.concerns(parser, name) {
			continue
		}
		before := len(found)
		found = slices.DeleteFunc(found, func(d corpus.Difference) bool {
			return k.fields.MatchString(d.Field) && k.alike(d.Want, d.Got)
		})
		if len(found) == before {
			t.Errorf("%s no longer %s: take this case out of the table", parser, k.reason)
		} else {
			t.Logf("known: %s %s (%d fields)", parser, k.reason, before-len(found))
		}
	}
	for _, d := range found {
		t.Errorf("%s: want %.300s\n got %.300s", d.Field, d.Want, d.Got)
	}
}
