package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/kaizenmail/kaizen/test/leak"
)

// suite reads the events of "go test -json" (go doc test2json).
type suite struct {
	out      io.Writer
	finder   *leak.Finder
	harmless map[string]bool             // lines of scripts
	output   map[string]*strings.Builder // of tests that run, by package and name
	ended    int                         // packages
	octets   int
	findings []string
}

// event is one line.
type event struct {
	Action     string
	Package    string
	ImportPath string // of build output
	Test       string
	Output     string
}

func (s *suite) read(r io.Reader) error {
	for decoder := json.NewDecoder(r); ; {
		var e event
		if err := decoder.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("read the output of the tests: %w", err)
		}
		s.take(e)
	}
}

func (s *suite) take(e event) {
	key := e.Package + e.ImportPath + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		if s.output[key] == nil {
			s.output[key] = &strings.Builder{}
		}
		s.output[key].WriteString(e.Output)
	case "pass", "fail", "skip", "build-fail":
		s.end(e, key)
	}
}

// end is that of a test, or of a package and what it wrote outside of tests.
func (s *suite) end(e event, key string) {
	text := ""
	if b := s.output[key]; b != nil {
		text = b.String()
		delete(s.output, key)
	}
	s.search(strings.TrimSpace(key), text)
	switch {
	case e.Action != "pass" && e.Test != "", e.Action == "fail", e.Action == "build-fail":
		fmt.Fprint(s.out, text) // also why a test was not run
	case e.Test == "":
		fmt.Fprint(s.out, summary(text))
	}
	if e.Test == "" && e.Package != "" {
		s.ended++
	}
}

// summary are the lines of a package's output that tell how it went.
func summary(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "?") || strings.HasPrefix(line, "FAIL\t") {
			b.WriteString(line)
		}
	}
	return b.String()
}

func (s *suite) search(where, text string) {
	s.octets += len(text)
	for _, f := range s.finder.FindString(s.withoutScripts(text)) {
		s.findings = append(s.findings, where+": "+f.String())
	}
}

// withoutScripts leaves out the lines that testscript repeats before it runs them.
func (s *suite) withoutScripts(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if command, found := strings.CutPrefix(strings.TrimSpace(line), "> "); !found || !s.harmless[command] {
			b.WriteString(line)
		}
	}
	return b.String()
}

// verdict is an error if a password was found, or if nothing was looked at.
func (s *suite) verdict() error {
	for key, left := range s.output { // of what was interrupted
		s.search(key, left.String())
	}
	if s.ended == 0 {
		return errors.New("no package was tested: is it \"go test -json\"?")
	}
	fmt.Fprintf(s.out, "searched %d octets of output of %d packages for the passwords of test/secrets/planted.txt: found %d\n", s.octets, s.ended, len(s.findings))
	if len(s.findings) > 0 {
		return fmt.Errorf("passwords in the output of tests:\n  %s", strings.Join(s.findings, "\n  "))
	}
	return nil
}
