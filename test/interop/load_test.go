package interop_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue/sqlite"
	"github.com/kaizenmail/kaizen/smtp"
)

// load is small messages that go out at an even pace until it is stopped, and what
// their sender was told of each.
type load struct {
	client  *kaizen.Client
	account kaizen.Account
	give    func(ctx context.Context, id string, m *kaizen.Prepared) error
	halt    chan struct{}
	ended   sync.Once
	senders sync.WaitGroup
	queue   sync.WaitGroup // Run
	end     func()         // of the queue; nil if there is none

	mu       sync.Mutex // guards what follows
	told     map[string]*verdict
	accepted map[string]int       // by server
	last     map[string]time.Time // when each accepted one
	health   []string             // what the client said of the account
	wrong    []error
}

// verdict is what was told of a message.
type verdict struct {
	accepted bool
	unknown  int // tries of which nobody knows what became
}

const pace = time.Second / 300 // between two messages

// startLoad sends through an account, at once or by way of a queue.
func startLoad(t *testing.T, a kaizen.Account, queued bool) *load {
	t.Helper()
	l := &load{account: a, halt: make(chan struct{}), told: map[string]*verdict{}, accepted: map[string]int{}, last: map[string]time.Time{}}
	if l.give = l.send; queued {
		l.openQueue(t)
	} else {
		l.client = kaizen.New(kaizen.Config{OnHealth: l.changedHealth})
	}
	t.Cleanup(l.finish)
	ticker := time.NewTicker(pace)
	t.Cleanup(ticker.Stop)
	for range 50 {
		l.senders.Go(func() {
			for {
				select {
				case <-ticker.C:
					l.one()
				case <-l.halt:
					return
				}
			}
		})
	}
	return l
}

// one gives away a message.
func (l *load) one() {
	l.mu.Lock()
	id := fmt.Sprintf("load-%d", len(l.told))
	l.told[id] = &verdict{}
	l.mu.Unlock()
	m := &kaizen.Prepared{Envelope: kaizen.Envelope{From: sender, To: []kaizen.Recipient{{Address: "bob@" + domain}}},
		Content: smtp.Bytes(append([]byte("Copy: "+id+"\r\n"), raw(id, strings.Repeat("A line of a small message.\r\n", 20)).octets...))}
	if err := l.give(context.Background(), id, m); err != nil {
		l.complain(fmt.Errorf("%s: %w", id, err))
	}
}

// complain keeps what must not be, if it is anything.
func (l *load) complain(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.wrong = append(l.wrong, err)
	}
}

// send sends at once. A message that certainly was not sent is a failure: the other
// server was there.
func (l *load) send(ctx context.Context, id string, m *kaizen.Prepared) error {
	receipt, err := l.client.Send(ctx, l.account, m)
	if e := new(kaizen.Error); errors.As(err, &e) && e.Outcome == smtp.Unknown {
		l.note(id, smtp.Unknown, "")
		return nil
	}
	if err == nil {
		l.note(id, receipt.Outcome, receipt.Transactions[0].Server)
	}
	return err
}

func (l *load) note(id string, o smtp.Outcome, server string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch o {
	case smtp.Accepted:
		l.told[id].accepted = true
		l.accepted[server]++
		l.last[server] = time.Now()
	case smtp.Unknown:
		l.told[id].unknown++
	}
}

// openQueue has messages kept on disk, and delivered from there.
func (l *load) openQueue(t *testing.T) {
	t.Helper()
	store, err := sqlite.Open(t.TempDir(), sqlite.Options{})
	must(t, err)
	l.client = kaizen.New(kaizen.Config{Queue: store, Accounts: onlyAccount{l.account}, OnJob: l.changed, OnHealth: l.changedHealth})
	l.give = func(ctx context.Context, id string, m *kaizen.Prepared) error {
		_, err := l.client.Enqueue(ctx, l.account.Name, m, kaizen.EnqueueOptions{Tags: []string{id}, Backoff: []time.Duration{time.Second}})
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.queue.Go(func() {
		l.complain(l.client.Run(ctx))
	})
	l.end = func() {
		cancel()
		l.queue.Wait()
		l.complain(store.Close())
	}
}

// onlyAccount resolves every name to one account.
type onlyAccount struct{ is kaizen.Account }

// Account implements kaizen.AccountResolver.
func (o onlyAccount) Account(context.Context, string) (kaizen.Account, error) { return o.is, nil }

// changed notes each try.
func (l *load) changed(e kaizen.JobEvent) {
	switch {
	case e.Kind == kaizen.JobQueued:
	case e.Kind == kaizen.JobTried && e.Attempt != nil && e.Attempt.Outcome != smtp.Rejected:
		l.note(e.Job.Tags[0], e.Attempt.Outcome, e.Attempt.Server)
	default:
		l.complain(fmt.Errorf("%s: %s %s %+v", e.Job.Tags, e.Kind, e.Job.State, e.Attempt))
	}
}

// changedHealth is kept to explain what is measured.
func (l *load) changedHealth(h kaizen.Health) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.health = append(l.health, fmt.Sprintf("%v %v %s %s", time.Now().Format(clock), h.Condition, h.Cause, h.Reason))
}

func (l *load) acceptedBy(in *instance) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.accepted[in.plain]
}

func (l *load) lastBy(in *instance) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last[in.plain]
}

// settled reports that each message was accepted, or will not be.
func (l *load) settled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, v := range l.told {
		if !v.accepted && (l.end != nil || v.unknown == 0) {
			return false
		}
	}
	return true
}

// until waits, and gives up if the test cannot go on.
func (l *load) until(t *testing.T, long time.Duration, what string, happened func() bool) {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.Now().Add(long); !happened(); <-ticker.C {
		if time.Now().After(deadline) {
			l.finish()
			t.Fatalf("waited %v in vain: %s; accepted so far: %v; what went wrong: %v", long, what, l.accepted, l.wrong)
		}
	}
}

// stop sends no more, and waits for what was given.
func (l *load) stop(t *testing.T) {
	t.Helper()
	close(l.halt)
	l.senders.Wait()
	l.until(t, 2*time.Minute, "the rest goes out", l.settled)
	l.finish()
	for _, err := range l.wrong {
		t.Error(err)
	}
}

// finish ends everything, also where the test has failed.
func (l *load) finish() {
	l.ended.Do(func() {
		select {
		case <-l.halt:
		default:
			close(l.halt)
		}
		l.complain(l.client.Close())
		l.senders.Wait()
		if l.end != nil {
			l.end()
		}
	})
}
