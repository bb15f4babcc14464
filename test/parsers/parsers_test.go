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
	dir := t.TempDir()
	cases, files := writeCorpus(t, dir)
	for parser, command := range parsers {
		t.Run(parser, func(t *testing.T) {
			t.Parallel()
			readings := run(t, command, files)
			for i, c := range cases {
				t.Run(c.Name, func(t *testing.T) {
					checkDifferences(t, parser, c.Name, corpus.Compare(expect(t, c), &readings[i]))
				})
			}
		})
	}
}

func writeCorpus(t *testing.T, dir string) (cases []corpus.Case, files []string) {
	t.Helper()
	fromDisk, err := corpus.FileCase(dir)
	if err != nil {
		t.Fatal(err)
	}
	cases = append(corpus.Cases(), fromDisk)
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
	return cases, files
}

func expect(t *testing.T, c corpus.Case) *corpus.Reading {
	t.Helper()
	want, err := corpus.Expect(c.Message)
	if err != nil {
		t.Fatal(err)
	}
	return want
}

// run returns a reading for each file.
func run(t *testing.T, command, files []string) (readings []corpus.Reading) {
	t.Helper()
	var said bytes.Buffer
	program := exec.CommandContext(t.Context(), command[0], slices.Concat(command[1:], files)...)
	program.Stderr = &said
	printed, err := program.Output()
	if err != nil {
		t.Fatalf("%q: %v\n%s", command, err, said.String())
	}
	decoder := json.NewDecoder(bytes.NewReader(printed))
	decoder.DisallowUnknownFields()
	for range files {
		var r corpus.Reading
		if err := decoder.Decode(&r); err != nil {
			t.Fatalf("%q: reading %d: %v", command, len(readings), err)
		}
		readings = append(readings, r)
	}
	return readings
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
