package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
	"github.com/kaizenmail/kaizen/test/crash/task"
)

// ledger is all that is known of the letters of a run, from receipts and from the
// server.
type ledger struct {
	mu       sync.Mutex
	entries  map[string]*entry
	jobs     []queue.Details // what the queue remembers, in the end
	findings []string        // of the queue's check, in the end
	dumped   bool            // all of both was told
	foreign  []string        // what arrived and nobody has written
	refusals []string        // why letters were not queued
	ticks    int             // receipts and arrivals so far
	onTick   func(ticks int)
	// onRefusal is told how many letters were refused.
	onRefusal func(n int)
}

// entry is what is known of one letter.
type entry struct {
	letter    task.Letter
	role      role
	given     bool // to the queue, by a process that may have queued it
	abandoned bool // it is not given again
	acked     queue.ID
	refused   string // the latest error
	cancelled bool   // with success
	arrived   map[string]int
	shaky     map[string]int // those of them that arrived at the shaky server
	spoilt    string         // how it arrived, if not as it was
	// unanswered says that the process was killed when the server had all of the
	// letter and had not replied.
	unanswered bool
	deferred   map[string]bool // recipients that were told to come later
}

func newLedger() *ledger {
	return &ledger{entries: map[string]*entry{}, onTick: func(int) {}, onRefusal: func(int) {}}
}

func (l *ledger) add(who role, letters []task.Letter) {
	for _, letter := range letters {
		l.entries[letter.Key] = &entry{letter: letter, role: who, arrived: map[string]int{}, shaky: map[string]int{}, deferred: map[string]bool{}}
	}
}

// note takes down what a child says.
func (l *ledger) note(e task.Event) {
	l.mu.Lock()
	entry := l.entries[e.Key]
	switch e.What {
	case task.Trying:
		entry.given = true
	case task.Queued:
		if entry.acked != 0 && entry.acked != e.ID {
			l.foreign = append(l.foreign, fmt.Sprintf("%s was acknowledged as job %s, and then as job %s", e.Key, entry.acked, e.ID))
		}
		entry.acked = e.ID
	case task.Refused:
		entry.refused = e.Error
		l.refusals = append(l.refusals, e.Error)
	case task.DidIt:
		entry.cancelled = true
	case task.Dumped:
		l.jobs = append(l.jobs, *e.Job)
	case task.Found:
		l.findings = append(l.findings, e.Finding)
	case task.Finished:
		l.dumped = true
	}
	refusals := len(l.refusals)
	l.mu.Unlock()
	switch e.What {
	case task.Queued:
		l.tick()
	case task.Refused:
		l.onRefusal(refusals)
	}
}

// complaints are the errors with which letters were refused, each once.
func (l *ledger) complaints() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(slices.Compact(slices.Sorted(slices.Values(l.refusals))), "\n")
}

// forgive lets letters be queued again that were refused, and counts them. Those
// without a key could be there twice then.
func (l *ledger) forgive() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.entries {
		if e.refused != "" {
			e.refused, e.given = "", false
			e.abandoned = e.letter.JobKey() == ""
			n++
		}
	}
	return n
}

// tick counts what happens, for those who wait for their turn.
func (l *ledger) tick() {
	l.mu.Lock()
	l.ticks++
	n, call := l.ticks, l.onTick
	l.mu.Unlock()
	call(n)
}

// arrive takes down what the server has taken.
func (l *ledger) arrive(m *smtptest.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.find(m.ID)
	if e == nil {
		l.foreign = append(l.foreign, fmt.Sprintf("%q arrived, which nobody has written", m.ID))
		return
	}
	if m.From != task.From || !bytes.Equal(m.Data, e.letter.Octets()) {
		e.spoilt = fmt.Sprintf("from %s, %d octets", m.From, len(m.Data))
	}
	for _, to := range m.To {
		e.arrived[to.Address]++
	}
}

// arriveShaky takes down what the shaky server has taken.
func (l *ledger) arriveShaky(m *smtptest.Message) {
	l.arrive(m)
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.find(m.ID); e != nil {
		for _, to := range m.To {
			e.shaky[to.Address]++
		}
	}
}

func (l *ledger) find(messageID string) *entry {
	key, _, _ := strings.Cut(strings.Trim(messageID, "<>"), "@")
	return l.entries[key]
}

// defers reports whether the recipient is to come later, once.
func (l *ledger) defers(address string) bool {
	key := strings.TrimPrefix(address, "later-")
	cut := strings.LastIndexByte(key, '-')
	if key == address || cut < 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[key[:cut]]
	if e == nil || e.deferred[address] {
		return false
	}
	e.deferred[address] = true
	return true
}

func (l *ledger) leaveUnanswered(messageID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.find(messageID); e != nil {
		e.unanswered = true
	}
}

// due are the letters that a process of the role is to queue. Of those that an
// earlier one was given and has not acknowledged, every other is abandoned, and those
// without a key, which could be there twice.
func (l *ledger) due(who role, order []task.Letter) (letters []task.Letter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	odd := false
	for _, letter := range order {
		e := l.entries[letter.Key]
		if e.role != who || e.acked != 0 || e.abandoned || e.refused != "" {
			continue
		}
		if e.given {
			odd = !odd
			e.abandoned = odd || letter.JobKey() == ""
		}
		if !e.abandoned {
			letters = append(letters, letter)
		}
	}
	return letters
}
