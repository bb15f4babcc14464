package queuetest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// people are many who put, deliver and change jobs at the same time. What they were
// told is written down, and must be true together.
type people struct {
	*fixture
	clock atomic.Int64 // orders what happens: one tick for each beginning and end
	mu    sync.Mutex
	known map[queue.ID]*told
}

// told is what was said of a job, and when.
type told struct {
	tried     int   // settlements with an attempt that were taken
	sent      int   // those that said it was sent
	late      int   // those that were not taken
	cancelled int64 // when a cancel was answered; 0: none was
	begun     int64 // when the last Begin that was granted was asked for
	settled   int64 // when the last settlement that ended it was answered
}

// crowd lets eight of them work at once.
func crowd(f *fixture) {
	p := &people{fixture: f, known: map[queue.ID]*told{}}
	var group sync.WaitGroup
	for n := range uint64(8) {
		group.Go(func() { p.work(rand.New(rand.NewPCG(n, 0))) })
	}
	group.Wait()
	if f.Failed() {
		return
	}
	p.drain()
	p.judge()
}

func (p *people) tell(id queue.ID, note func(*told)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known[id] == nil {
		p.known[id] = &told{}
	}
	note(p.known[id])
}

// fail tells of an error; it does not stop a test from another goroutine.
func (p *people) fail(err error) bool {
	if err != nil {
		p.Error(err)
	}
	return err != nil
}

func (p *people) work(r *rand.Rand) {
	for range 60 {
		switch r.IntN(6) {
		case 0, 1:
			p.putSome(r)
		case 2, 3:
			p.deliver(r)
		case 4:
			p.change(r)
		default:
			_, err := p.store.Stats(p.ctx, p.now)
			p.fail(err)
			jobs, err := p.store.List(p.ctx, p.now, queue.Filter{Lane: "a", Limit: 5})
			p.fail(err)
			for i := range jobs {
				_, err := p.store.Get(p.ctx, p.now, jobs[i].ID)
				p.fail(err)
			}
		}
	}
}

func (p *people) putSome(r *rand.Rand) {
	batch := make([]queue.Submission, 1+r.IntN(4))
	for i := range batch {
		batch[i] = job(string(rune('a'+r.IntN(2))), priority(queue.Priority(r.IntN(4))))
	}
	receipts, err := p.store.Put(p.ctx, p.now, batch)
	if p.fail(err) {
		return
	}
	for _, receipt := range receipts {
		p.tell(receipt.ID, func(*told) {})
	}
}

// deliver claims some jobs, begins most, and settles most.
func (p *people) deliver(r *rand.Rand) {
	claimed, err := p.store.Claim(p.ctx, p.now, []queue.Want{{Lane: "a", Count: r.IntN(3)}, {Lane: "b", Count: 1, Urgent: 1}})
	if p.fail(err) {
		return
	}
	for _, got := range claimed {
		for _, c := range got.Claims {
			asked := p.clock.Add(1)
			errs, err := p.store.Begin(p.ctx, p.now, []queue.Token{c.Token})
			if p.fail(err) {
				return
			}
			if errs[0] == nil {
				p.tell(c.Job.ID, func(t *told) { t.begun = max(t.begun, asked) })
			}
			p.end(&c, r.IntN(4))
		}
	}
}

// end settles a job in one way or another.
func (p *people) end(c *queue.Claim, how int) {
	s := accepted(c.Token)
	if how == 0 {
		s = refused(c.Token, queue.Queued, p.now)
	}
	errs, err := p.store.Settle(p.ctx, p.now, []queue.Settlement{s})
	if p.fail(err) {
		return
	}
	answered := p.clock.Add(1)
	p.tell(c.Job.ID, func(t *told) {
		switch {
		case errs[0] != nil:
			t.late++
			return
		case s.State == queue.Sent:
			t.sent++
			t.settled = answered
		}
		t.tried++
	})
}

// change does something to a job or two.
func (p *people) change(r *rand.Rand) {
	jobs, err := p.store.List(p.ctx, p.now, queue.Filter{States: []queue.State{queue.Queued, queue.Active, queue.Held}, Limit: 20})
	if p.fail(err) || len(jobs) == 0 {
		return
	}
	c := queue.Command{
		Action: []queue.Action{queue.DoCancel, queue.DoHold, queue.DoRetry, queue.DoMove}[r.IntN(4)],
		IDs:    []queue.ID{jobs[r.IntN(len(jobs))].ID}, Lane: "b",
	}
	done, err := p.store.Control(p.ctx, p.now, c)
	if p.fail(err) || c.Action != queue.DoCancel {
		return
	}
	answered := p.clock.Add(1)
	for _, id := range done.IDs {
		p.tell(id, func(t *told) { t.cancelled = answered })
	}
}

// drain sends what is left.
func (p *people) drain() {
	p.control(queue.Command{Action: queue.DoRelease, Filter: queue.Filter{States: []queue.State{queue.Held}}})
	for _, lane := range []string{"a", "b"} {
		for _, c := range p.want(queue.Want{Lane: lane, Count: 10_000}).Claims {
			p.ok(p.begin(c.Token))
			p.end(&c, 1)
		}
	}
}

// judge compares what was told with what there is.
func (p *people) judge() {
	jobs, err := p.store.List(p.ctx, p.now, queue.Filter{Limit: 100_000})
	p.ok(err)
	if len(jobs) != len(p.known) {
		p.Fatalf("there are %d jobs, and %d receipts", len(jobs), len(p.known))
	}
	count := map[queue.State]int{}
	for i := range jobs {
		t := p.known[jobs[i].ID]
		if t == nil {
			p.Fatalf("nobody put job %s", jobs[i].ID)
		}
		count[jobs[i].State]++
		p.judgeJob(p.get(jobs[i].ID), t)
	}
	stats := p.stats()
	for _, state := range queue.States() {
		p.same(fmt.Sprintf("stats of jobs that are %s", state), stats.Total(state), count[state])
	}
	p.advance(time.Hour)
	p.same("forgotten jobs", p.purge(queue.Retention{Sent: time.Minute, Failed: time.Minute}).Jobs, len(jobs))
}

func (p *people) judgeJob(d queue.Details, t *told) {
	p.Helper()
	late := 0
	for _, e := range d.History {
		if e.Kind == queue.Late {
			late++
		}
	}
	want := queue.Sent
	if t.cancelled > 0 {
		want = queue.Cancelled
	}
	switch {
	case d.State != want, t.sent > 1, t.sent > 0 && t.cancelled > 0:
		p.Fatalf("job %s is %s; it was sent %d times, cancelled: %t", d.ID, d.State, t.sent, t.cancelled > 0)
	case d.Attempts != t.tried || late != t.late:
		p.Fatalf("job %s has %d attempts and %d late lines; %d settlements were taken, %d not", d.ID, d.Attempts, late, t.tried, t.late)
	case t.cancelled > 0 && t.begun > t.cancelled, t.settled > 0 && t.begun > t.settled:
		p.Fatalf("job %s began after it was finished", d.ID)
	}
}
