// Package memory keeps a queue in RAM: for programs whose mail may be lost when
// they end, and for tests. What it promises, and what each transition does, is
// what [queue.Store] says; its receipts have the durability [queue.Memory].
//
// It starts no goroutine and reads no clock.
package memory

import (
	"context"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

var _ queue.Store = (*Store)(nil)

// Store is a queue in RAM. All methods are safe for concurrent use. Nothing that
// is handed in or out is shared with it, but for bodies of the durability Memory.
//
// Claiming a job, or changing it, costs O(log n) in the jobs of its lane.
type Store struct {
	mu         sync.Mutex
	closed     bool
	delivering bool
	last       queue.ID
	jobs       map[queue.ID]*record
	order      []*record // by ID; those that are forgotten are left out in time
	gone       int       // how many of order are forgotten
	lanes      map[string]*lane
	keys       map[key]*record
	active     map[queue.ID]*record
	expiring   tree            // waiting jobs that can expire, by when
	sent       tree            // jobs that were sent, by when
	failed     tree            // other finished jobs, by when
	spent      tree            // jobs that were sent and have their body still, by when
	changed    map[string]bool // lanes
}

// New makes an empty store.
func New() *Store {
	return &Store{
		jobs:    map[queue.ID]*record{},
		lanes:   map[string]*lane{},
		keys:    map[key]*record{},
		active:  map[queue.ID]*record{},
		changed: map[string]bool{},
	}
}

// key is a job's Key in the lane where it was put.
type key struct{ lane, key string }

// enter locks the store, unless ctx has ended or the store has.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return queue.ErrClosed
	}
	return nil
}

// Recover makes the caller the one that delivers; see [queue.Store].
func (s *Store) Recover(ctx context.Context, now time.Time) (found queue.Recovered, err error) {
	if err := s.enter(ctx); err != nil {
		return found, err
	}
	defer s.mu.Unlock()
	if s.delivering {
		return found, &queue.LockedError{By: "this process"}
	}
	s.delivering = true
	for _, r := range byID(s.active) {
		begun := r.begun
		s.change(r, func(j *queue.Job) queue.Entry { return j.Interrupt(now, begun) })
		if begun {
			found.Unknown = append(found.Unknown, clone(&r.job))
		} else {
			found.Requeued++
		}
	}
	for name := range s.lanes {
		s.changed[name] = true
	}
	return found, nil
}

// Release lets somebody else deliver; see [queue.Store].
func (s *Store) Release() error {
	if err := s.enter(context.Background()); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.delivering = false
	return nil
}

// Close ends the store and forgets all that is in it. A second call does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed, s.delivering = true, false
	s.jobs, s.order, s.lanes, s.keys, s.active, s.changed = nil, nil, nil, nil, nil, nil
	s.expiring, s.sent, s.failed, s.spent = tree{}, tree{}, tree{}, tree{}
	return nil
}
