package matrix_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

var write = flag.Bool("write", false, "write docs/faults.md anew")

const pageFile = "../../docs/faults.md"

// docs/faults.md is expected.txt for readers.
func TestPageIsCurrent(t *testing.T) {
	t.Parallel()
	want := page(t)
	if *write {
		if err := os.WriteFile(pageFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(pageFile)
	if err != nil {
		t.Fatal(err)
	}
	if strings.ReplaceAll(string(got), "\r\n", "\n") != want {
		t.Error("docs/faults.md is not what expected.txt says; run go test ./test/matrix -run Page -write")
	}
}

const pageIntroduction = `# What becomes of messages when a server misbehaves

Written by the test in ` + "`test/matrix`" + ` from the expectations it holds the code to (` + "`go test ./test/matrix -run Page -write`" + `). Each fault of the test server, at each place of a session, at each level of the wire, was tried on one connection and through a client, and the server's own accounts compared: what is told accepted arrived once, what is told not sent or rejected did not arrive, what is unknown arrived once at most, and nothing arrived twice, but where the server contradicts itself (*kept*).

*Again* means not sent, and sent on another connection by itself; the sender is told *accepted* in the end. *Not sent* and *rejected* are told as they are: trying later makes no duplicate. *Unknown* is told, never repeated. (*Kept*: the server kept the message although it never said so, or said otherwise. A server that contradicts itself can be told nothing for certain.)

The levels are lock-step, group (envelope in one write), look-ahead (the next envelope behind the content) and bdat (look-ahead with BDAT, RFC 3030).

## The message in which the fault strikes

`

// page renders the table.
func page(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(pageIntroduction)
	overview(&b, cells(t), readTable(t))
	for _, p := range readTable(t) {
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n", p.name, strings.ToUpper(p.about[:1])+p.about[1:])
		row(&b, "fault", "level", "message before", "struck", "message after", "connection", "through the client", "why")
		row(&b, slices.Repeat([]string{"---"}, 8)...)
		for _, l := range p.lines {
			row(&b, strings.Join(l.actions, ", "), levelsInWords(l.levels), l.before, l.struck, l.after,
				map[bool]string{true: "goes on", false: "closed"}[l.open], clientInWords(t, cell{p.name, l.actions[0], l.levels[0], l}), l.why)
		}
	}
	return b.String()
}

func row(b *strings.Builder, fields ...string) {
	for _, f := range fields {
		if f == "" {
			f = "–"
		}
		b.WriteString("| " + f + " ")
	}
	b.WriteString("|\n")
}

func levelsInWords(names []string) string {
	if len(names) == len(levels) {
		return "all"
	}
	return strings.Join(names, ", ")
}

func clientInWords(t *testing.T, c cell) string {
	t.Helper()
	struck, after, repeats := c.throughClient(t)
	words := struck
	if after != struck {
		words += ", then " + after
	}
	switch repeats {
	case 0:
		return words
	case 1:
		return words + "; 1 repeat"
	}
	return fmt.Sprintf("%s; %d repeats", words, repeats)
}

// overview is one table of all: faults down, places across.
func overview(b *strings.Builder, all []cell, places []place) {
	heads := []string{""}
	for _, p := range places {
		heads = append(heads, p.name)
	}
	row(b, heads...)
	row(b, slices.Repeat([]string{"---"}, len(heads))...)
	for _, action := range actionNames() {
		fields := []string{action}
		for _, p := range places {
			fields = append(fields, shortly(slices.DeleteFunc(slices.Clone(all), func(c cell) bool { return c.place != p.name || c.action != action })))
		}
		row(b, fields...)
	}
}

// shortly is the outcome of the struck message over the levels.
func shortly(levels []cell) string {
	var words []string
	at := map[string][]string{}
	for _, c := range levels {
		word := outcomeWord(c)
		if at[word] == nil {
			words = append(words, word)
		}
		at[word] = append(at[word], c.level)
	}
	if len(words) == 1 {
		return words[0]
	}
	for i, word := range words {
		words[i] = word + " (" + strings.Join(at[word], ", ") + ")"
	}
	return strings.Join(words, "; ")
}

func outcomeWord(c cell) string {
	verdict, again, _ := expectation(c.struck)
	first, rest, _ := strings.Cut(verdict, " ")
	switch {
	case again:
		return "again"
	case first == "not":
		return "not sent"
	case first == "dial" || first == "login":
		if strings.HasPrefix(c.client, "accepted") {
			return "dialled again"
		}
		return "not sent"
	case (first == "noop" || first == "quit") && rest == "":
		return "fine"
	case first == "noop" || first == "quit":
		return "failed"
	}
	return first
}
