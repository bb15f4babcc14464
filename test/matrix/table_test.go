package matrix_test

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

//go:embed expected.txt
var expectedText string

// levels of the wire, as columns of the matrix.
var levels = []string{"lock-step", "group", "look-ahead", "bdat"}

// levelSets are names for several levels.
var levelSets = map[string][]string{
	"all": levels, "data": levels[:3], "grouped": levels[1:], "single": levels[:2], "ahead": levels[2:],
}

// place is where in a session a fault strikes.
type place struct {
	name, about string
	lines       []line
}

// line is one expectation, for all cells it names.
type line struct {
	actions, levels       []string
	before, struck, after string // "" for -
	open                  bool
	client                string // "" if it follows from the rest
	why                   string
}

// readTable reads expected.txt.
func readTable(t *testing.T) []place {
	t.Helper()
	var places []place
	for n, text := range strings.Split(expectedText, "\n") {
		switch name, about, isPlace := strings.Cut(strings.TrimPrefix(text, "at "), ": "); {
		case text == "" || text[0] == '#':
		case isPlace && strings.HasPrefix(text, "at "):
			places = append(places, place{name: name, about: about})
		default:
			l, err := readLine(text)
			if err != nil {
				t.Fatalf("expected.txt:%d: %v", n+1, err)
			}
			last := &places[len(places)-1]
			last.lines = append(last.lines, l)
		}
	}
	return places
}

func readLine(text string) (line, error) {
	fields := strings.Split(text, "|")
	if len(fields) != 8 {
		return line{}, fmt.Errorf("%d fields, want 8", len(fields))
	}
	for i := range fields {
		if fields[i] = strings.TrimSpace(fields[i]); fields[i] == "" {
			return line{}, fmt.Errorf("field %d is empty", i+1)
		}
	}
	l := line{actions: strings.Fields(fields[0]), before: dash(fields[2]), struck: dash(fields[3]),
		after: dash(fields[4]), open: fields[5] == "open", client: fields[6], why: fields[7]}
	for _, name := range strings.Fields(fields[1]) {
		if set := levelSets[name]; set != nil {
			l.levels = append(l.levels, set...)
		} else {
			l.levels = append(l.levels, name)
		}
	}
	if l.client == "=" {
		l.client = ""
	}
	if !l.open && fields[5] != "closed" {
		return line{}, fmt.Errorf("connection %q: want open or closed", fields[5])
	}
	return l, nil
}

func dash(field string) string {
	if field == "-" {
		return ""
	}
	return field
}

// cell is one combination, with the line that says what must happen.
type cell struct {
	place, action, level string
	line
}

func (c cell) String() string { return c.place + "/" + c.action + "/" + c.level }

// cells returns every combination, and complains of those without exactly one
// line and of lines that name what is not there.
func cells(t *testing.T) (all []cell) {
	t.Helper()
	named := 0
	for _, p := range readTable(t) {
		for _, l := range p.lines {
			named += len(l.actions) * len(l.levels)
		}
		for _, action := range actionNames() {
			for _, level := range levels {
				i := slices.IndexFunc(p.lines, func(l line) bool {
					return slices.Contains(l.actions, action) && slices.Contains(l.levels, level)
				})
				if i < 0 {
					t.Errorf("expected.txt says nothing about %s at %s in %s", action, p.name, level)
					continue
				}
				all = append(all, cell{p.name, action, level, p.lines[i]})
			}
		}
	}
	if named != len(all) {
		t.Errorf("expected.txt names %d cells, of which %d are in the matrix: some twice, or misspelt", named, len(all))
	}
	return all
}

// replies are what the action "reply" is tried with.
var replies = []string{"451", "550", "500"}

// actionNames are all that smtptest can do, "reply" in three kinds.
func actionNames() (names []string) {
	for a := smtptest.Action(0); a.String() != "unknown"; a++ {
		if a == smtptest.Answer {
			names = append(names, replies...)
		} else {
			names = append(names, a.String())
		}
	}
	return names
}

// Every phase of smtptest is a place of the matrix, and every combination of
// fault, place and level has exactly one expectation.
func TestEveryCellHasAnExpectation(t *testing.T) {
	t.Parallel()
	var names []string
	for _, p := range readTable(t) {
		names = append(names, p.name)
	}
	for phase := smtptest.Phase(0); phase.String() != "unknown"; phase++ {
		if !slices.Contains(names, phase.String()) {
			t.Errorf("expected.txt says nothing about phase %v", phase)
		}
	}
	if all := cells(t); len(all) < 17*13*4 {
		t.Errorf("%d cells only", len(all))
	}
}
