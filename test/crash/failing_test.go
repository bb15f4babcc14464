package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/test/crash/task"
)

func TestReadTrace(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "trace")
	const failed = "7  fsync(5</q/queue.db-wal>) = -1 EIO (Input/output error) (INJECTED)\n"
	const fine = "8  fdatasync(5</q/queue.db-wal>)      = 0\n"
	for _, c := range []struct {
		trace    string
		injected int
		wrong    bool
	}{
		{fine + failed + "9  close(5</q/queue.db-wal>) = 0\n" + fine, 1, false},
		{failed + fine, 1, true},
		{failed + "7  fsync(6</q/queue.db-wal>) = 0\n", 1, false},
		{strings.ReplaceAll(failed, "-wal", "") + fine, 1, false},
		{failed + failed, 2, true},
		{fine + fine, 0, false},
	} {
		if err := os.WriteFile(name, []byte(c.trace), 0o600); err != nil {
			t.Fatal(err)
		}
		injected, violations, err := readTrace(name)
		if err != nil || injected != c.injected || len(violations) > 0 != c.wrong {
			t.Errorf("%s: %d injected, %q, %v", c.trace, injected, violations, err)
		}
	}
}

// What was given and not acknowledged is given again, half of it.
func TestLedgerGivesAgain(t *testing.T) {
	t.Parallel()
	l := newLedger()
	letters := []task.Letter{{Key: "a"}, {Key: "b"}, {Key: "c"}, {Key: "d"}, {Key: "e"}}
	l.add(producer, letters)
	if due := l.due(producer, letters); len(due) != 5 || len(l.due(deliverer, letters)) != 0 {
		t.Fatalf("due at first: %v", due)
	}
	for _, key := range []string{"a", "b", "c", "d"} {
		l.note(task.Event{What: task.Trying, Key: key})
	}
	l.note(task.Event{What: task.Queued, Key: "a", ID: 1})
	l.note(task.Event{What: task.Refused, Key: "d", Error: "full"})
	due := l.due(producer, letters)
	if len(due) != 2 || due[0].Key != "c" || due[1].Key != "e" || !l.entries["b"].abandoned {
		t.Errorf("due again: %v", due)
	}
	if l.forgive() != 1 || l.complaints() != "full" {
		t.Errorf("complaints %q", l.complaints())
	}
}

func TestLedgerDefersOnce(t *testing.T) {
	t.Parallel()
	l := newLedger()
	l.add(producer, []task.Letter{{Key: "9-3-spam"}})
	for _, c := range []struct {
		address string
		want    bool
	}{{"later-9-3-spam-0@example.net", true}, {"later-9-3-spam-0@example.net", false}, {"later-9-3-spam-1@example.net", true},
		{"to-9-3-spam-0@example.net", false}, {"later-x-0@example.net", false}, {"later-", false}} {
		if got := l.defers(c.address); got != c.want {
			t.Errorf("%s: %t", c.address, got)
		}
	}
}

func TestFindPoints(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, source := range map[string]string{"a.go": `crashpoint.Hit("purge.middle")`, "a_test.go": `crashpoint.Hit("no.test")`, "b.txt": `crashpoint.Hit("no.source")`} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	points, err := findPoints(root)
	if err != nil || len(points) != len(knownPoints)+len(otherPoints)+1 {
		t.Errorf("%v, %v", points, err)
	}
	if _, err := pick(points, "purge.middle"); err != nil {
		t.Error(err)
	}
	if _, err := pick(points, "nowhere"); err == nil || !strings.Contains(err.Error(), "server.final") {
		t.Errorf("an unknown point: %v", err)
	}
	if _, err := findPoints(t.TempDir()); err == nil {
		t.Error("a tree without points was accepted")
	}
}
