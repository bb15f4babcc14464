package kaizen_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// named are accounts by name; it may change meanwhile.
type named struct {
	mu       sync.Mutex
	accounts map[string]kaizen.Account
}

func (n *named) Account(_ context.Context, name string) (kaizen.Account, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if a, ok := n.accounts[name]; ok {
		return a, nil
	}
	return kaizen.Account{}, fmt.Errorf("no account %q", name)
}

func (n *named) set(name string, a kaizen.Account) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.accounts = maps.Clone(n.accounts)
	if n.accounts == nil {
		n.accounts = make(map[string]kaizen.Account)
	}
	a.Name = name
	n.accounts[name] = a
}

// office is a client with a queue, under a fake clock.
type office struct {
	*testing.T
	store    queue.Store
	accounts *named
	config   kaizen.Config
	client   *kaizen.Client
	end      context.CancelFunc
	ended    chan error

	mu     sync.Mutex
	events []kaizen.JobEvent
}

// open makes an office with an account for each server.
func open(t *testing.T, store queue.Store, servers map[string]*smtptest.Server) *office {
	o := &office{T: t, store: store, accounts: new(named)}
	for name, s := range servers {
		o.accounts.set(name, account(s))
	}
	o.config = kaizen.Config{Accounts: o.accounts, Queue: store, OnJob: func(e kaizen.JobEvent) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.events = append(o.events, e)
	}}
	o.reopen()
	return o
}

// reopen makes another client with the same store and accounts.
func (o *office) reopen() {
	o.client, o.end = kaizen.New(o.config), nil
	if o.config.StateDir != "" {
		o.client.UseTestClock()
	}
}

// put puts jobs into the store as another process does.
func (o *office) put(jobs ...queue.Submission) []queue.ID {
	o.Helper()
	receipts, err := o.store.Put(context.Background(), time.Now(), jobs)
	if err != nil {
		o.Fatal(err)
	}
	ids := make([]queue.ID, len(receipts))
	for i := range receipts {
		ids[i] = receipts[i].ID
	}
	return ids
}

// letter is a note as a job.
func letter(lane, id string, to ...string) queue.Submission {
	p := note(id, to...)
	octets, _ := p.Content.Octets()
	return queue.Submission{Job: queue.Job{Lane: lane, Envelope: p.Envelope, Recipients: queue.To(p.Envelope.To),
		MessageID: id}, Body: queue.Octets(octets)}
}

// letters are n notes with IDs of that prefix.
func letters(lane, prefix string, n int) []queue.Submission {
	list := make([]queue.Submission, n)
	for i := range list {
		list[i] = letter(lane, fmt.Sprintf("%s%d", prefix, i))
	}
	return list
}

func (o *office) control(c queue.Command) queue.Controlled {
	o.Helper()
	done, err := o.store.Control(context.Background(), time.Now(), c)
	if err != nil {
		o.Fatal(err)
	}
	return done
}

// pass lets time pass.
func pass(d time.Duration) { time.Sleep(d); synctest.Wait() }

// count tells how many jobs are in these states.
func (o *office) count(states ...queue.State) int {
	o.Helper()
	stats, err := o.store.Stats(context.Background(), time.Now())
	if err != nil {
		o.Fatal(err)
	}
	return stats.Total(states...)
}

func (o *office) run() {
	o.Helper()
	ctx, end := context.WithCancel(context.Background())
	o.end, o.ended = end, make(chan error, 1)
	go func() { o.ended <- o.client.Run(ctx) }()
}

// close ends the run and the client.
func (o *office) close() {
	o.Helper()
	if o.end != nil {
		o.end()
		if err := <-o.ended; err != nil {
			o.Errorf("run: %v", err)
		}
	}
	if err := o.client.Close(); err != nil {
		o.Errorf("close: %v", err)
	}
}

func (o *office) enqueue(account string, m kaizen.Message, options kaizen.EnqueueOptions) queue.ID {
	o.Helper()
	r, err := o.client.Enqueue(context.Background(), account, m, options)
	if err != nil {
		o.Fatalf("enqueue: %v", err)
	}
	return r.ID
}

func (o *office) job(id queue.ID) queue.Details {
	o.Helper()
	d, err := o.store.Get(context.Background(), time.Now(), id)
	if err != nil {
		o.Fatal(err)
	}
	return d
}

// wants the state of a job.
func (o *office) wants(id queue.ID, state queue.State) queue.Details {
	o.Helper()
	d := o.job(id)
	if d.State != state {
		o.Errorf("job %s is %s, want %s (%s; last reply %q)", id, d.State, state, d.Reason, d.Last.String())
	}
	return d
}

func (o *office) kinds(id queue.ID) (kinds []kaizen.JobEventKind) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.events {
		if e.Job.ID == id {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

func TestEnqueueAndRun(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		before := o.enqueue("ses", note("before"), kaizen.EnqueueOptions{Tags: []string{"a"}})
		o.wants(before, queue.Queued)
		o.run()
		synctest.Wait()
		d := o.wants(before, queue.Sent)
		if d.Subject != "note" || d.MessageID != "before" || len(d.History) != 1 || d.History[0].Attempt.QueueID == "" {
			t.Errorf("details are %+v", d)
		}
		after := o.enqueue("ses", note("after"), kaizen.EnqueueOptions{})
		synctest.Wait()
		o.wants(after, queue.Sent)
		if got := slices.Sorted(maps.Keys(s.Accepted())); !slices.Equal(got, []string{"<after>", "<before>"}) {
			t.Errorf("the server has %q", got)
		}
		if got := o.kinds(after); !slices.Equal(got, []kaizen.JobEventKind{kaizen.JobQueued, kaizen.JobTried}) {
			t.Errorf("events are %q", got)
		}
	})
}
