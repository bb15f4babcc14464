package delivery

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// settled is an outcome that is to be stored.
type settled struct {
	lane *lane
	job  *queue.Job
	queue.Settlement
}

// settles collects outcomes and stores them together. What cannot be stored is kept
// and tried again.
type settles struct {
	runner *runner
	signal chan struct{}

	mu      sync.Mutex
	pending []settled
	writing int // taken from pending, not stored yet
	events  []Event
	telling bool       // of some events
	idle    *sync.Cond // nothing is pending or being written
}

// settleAtOnce bounds a transaction.
const settleAtOnce = 500

func (s *settles) init(r *runner) {
	s.runner, s.signal = r, make(chan struct{}, 1)
	s.idle = sync.NewCond(&s.mu)
}

func (s *settles) add(outcome settled) {
	s.mu.Lock()
	s.pending = append(s.pending, outcome)
	s.mu.Unlock()
	s.kick()
}

// tell passes on an event in its turn.
func (s *settles) tell(e Event) {
	s.mu.Lock()
	s.events = append(s.events, e)
	s.mu.Unlock()
	s.kick()
}

func (s *settles) kick() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// waiting is how many outcomes are to be stored.
func (s *settles) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending) + s.writing
}

// busy reports whether something is to be stored or told.
func (s *settles) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.busyLocked()
}

func (s *settles) busyLocked() bool {
	return len(s.pending)+s.writing+len(s.events) > 0 || s.telling
}

func (s *settles) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.signal:
		}
		for s.step(ctx) && ctx.Err() == nil {
		}
	}
}

// step stores what is pending and tells of it; it reports whether it did anything.
func (s *settles) step(ctx context.Context) bool {
	s.mu.Lock()
	n := min(len(s.pending), settleAtOnce)
	batch := s.pending[:n:n]
	s.pending = s.pending[n:]
	s.writing = n
	events := s.events
	s.events, s.telling = nil, true
	s.mu.Unlock()
	if n > 0 {
		events = append(events, s.store(ctx, batch)...)
	}
	for _, e := range events {
		s.runner.config.OnEvent(e)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing, s.telling = 0, false
	s.runner.kick() // claims may have waited for this
	if s.busyLocked() {
		return true
	}
	s.idle.Broadcast()
	return false
}

// store writes outcomes, however long it takes, or until ctx ends.
func (s *settles) store(ctx context.Context, batch []settled) (events []Event) {
	settlements := make([]queue.Settlement, len(batch))
	for i := range batch {
		settlements[i] = batch[i].Settlement
	}
	for failures := 1; ; failures++ {
		now := time.Now()
		answers, err := s.runner.store.Settle(ctx, now, settlements)
		if err == nil {
			s.runner.well(settling)
			return s.stored(batch, answers, now)
		}
		if ctx.Err() != nil {
			s.giveBack(batch)
			return nil
		}
		s.runner.sick(settling, err)
		select {
		case <-ctx.Done():
		case <-time.After(storePause(failures)):
		}
	}
}

// giveBack keeps what could not be stored to its end.
func (s *settles) giveBack(batch []settled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(batch, s.pending...)
}

// stored makes events of what was stored, and has lanes looked at that have jobs
// again.
func (s *settles) stored(batch []settled, answers []error, now time.Time) []Event {
	events := make([]Event, 0, len(batch))
	r := s.runner
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range batch {
		b := &batch[i]
		e := Event{Kind: Settled, Job: *b.job, Attempt: b.Attempt}
		if answers[i] != nil {
			e.Kind = Stale
		} else {
			told := b.Settlement
			e.Job.Settle(now, &told)
		}
		if b.State == queue.Queued && answers[i] == nil {
			b.lane.queuedLocked(&e.Job)
			r.heatLocked(b.lane)
		}
		if e.Kind == Stale || b.Attempt != nil || b.State != queue.Queued {
			events = append(events, e)
		}
	}
	return events
}

// queuedLocked notes when a job is due that was queued again.
func (l *lane) queuedLocked(j *queue.Job) {
	if l.next.IsZero() || j.Due.Before(l.next) {
		l.next = j.Due
	}
	if j.Priority == queue.Urgent && (l.urgent.IsZero() || j.Due.Before(l.urgent)) {
		l.urgent = j.Due
	}
}

// flush waits until everything is stored and told, for so long at most.
func (s *settles) flush(most time.Duration) error {
	late := false
	timer := time.AfterFunc(most, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		late = true
		s.idle.Broadcast()
	})
	defer timer.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.busyLocked() && !late {
		s.idle.Wait()
	}
	if n := len(s.pending) + s.writing; n > 0 {
		return fmt.Errorf("the outcomes of %d messages could not be stored: they will be unknown", n)
	}
	return nil
}
