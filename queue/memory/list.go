package memory

import (
	"context"
	"sort"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// List returns the jobs that match; see [queue.Store].
func (s *Store) List(ctx context.Context, _ time.Time, f queue.Filter) ([]queue.Job, error) {
	var jobs []queue.Job
	err := s.walk(ctx, f.After, f.Reverse, func(r *record) bool {
		if f.Matches(&r.job) {
			jobs = append(jobs, clone(&r.job))
		}
		return len(jobs) < f.Most()
	})
	return jobs, err
}

// walk visits all records after an ID in the order of IDs, or in the other, until
// visit returns false. Between pieces it lets others in.
func (s *Store) walk(ctx context.Context, after queue.ID, back bool, visit func(*record) bool) error {
	for more := true; more; {
		if err := s.enter(ctx); err != nil {
			return err
		}
		after, more = s.walkPiece(after, back, visit)
		s.mu.Unlock()
	}
	return nil
}

func (s *Store) walkPiece(after queue.ID, back bool, visit func(*record) bool) (queue.ID, bool) {
	next, step := s.place(after+1), 1
	if back {
		next, step = s.place(after)-1, -1
		if after == 0 {
			next = len(s.order) - 1
		}
	}
	for range piece {
		if next < 0 || next >= len(s.order) {
			return after, false
		}
		r := s.order[next]
		after, next = r.job.ID, next+step
		if !r.gone && !visit(r) {
			return after, false
		}
	}
	return after, true
}

// place is where in the order an ID is, or would be.
func (s *Store) place(id queue.ID) int {
	return sort.Search(len(s.order), func(i int) bool { return s.order[i].job.ID >= id })
}

// Get returns one job with its history; see [queue.Store].
func (s *Store) Get(ctx context.Context, now time.Time, id queue.ID) (queue.Details, error) {
	if err := s.enter(ctx); err != nil {
		return queue.Details{}, err
	}
	defer s.mu.Unlock()
	r := s.jobs[id]
	if r == nil {
		return queue.Details{}, &queue.NotFoundError{ID: id}
	}
	d := queue.Details{Job: clone(&r.job), Begun: r.begun, Ahead: s.ahead(now, r)}
	for _, e := range r.history {
		d.History = append(d.History, cloneEntry(e))
	}
	if r.body != nil {
		content := r.body.content()
		d.Body = &content
	}
	return d, nil
}

// ahead counts the jobs that go before one: those of higher priority that are due
// when it is, those of its own before it, and those on their way.
func (s *Store) ahead(now time.Time, r *record) int {
	if r.job.State != queue.Queued {
		return 0
	}
	l, own, due := s.lanes[r.job.Lane], r.job.Priority.Rank(), r.job.Due
	if due.Before(now) {
		due = queue.Milli(now)
	}
	count := l.count[queue.Active] + l.queued[own].before(r.job.Due, r.job.ID)
	for rank := range own {
		count += l.queued[rank].before(due.Add(time.Millisecond), 0)
	}
	return count
}
