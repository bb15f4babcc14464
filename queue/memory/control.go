package memory

import (
	"context"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// piece is how many jobs are looked at in one transition.
const piece = 1000

// Control does to jobs what people want done to them; see [queue.Store].
func (s *Store) Control(ctx context.Context, now time.Time, c queue.Command) (done queue.Controlled, err error) {
	if err := c.Check(); err != nil {
		return done, err
	}
	if len(c.IDs) == 0 {
		err = s.controlMatching(ctx, now, &c, &done)
	} else {
		err = s.controlNamed(ctx, now, &c, &done)
	}
	return done, err
}

func (s *Store) controlNamed(ctx context.Context, now time.Time, c *queue.Command, done *queue.Controlled) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for _, id := range c.IDs {
		var err error = &queue.NotFoundError{ID: id}
		if r := s.jobs[id]; r != nil {
			err = s.control(now, r, c, done)
		}
		if err != nil {
			done.Not = append(done.Not, queue.Refusal{ID: id, Err: err})
		}
	}
	return nil
}

// controlMatching goes through the jobs there were when it began, so that it does
// not meet those it makes.
func (s *Store) controlMatching(ctx context.Context, now time.Time, c *queue.Command, done *queue.Controlled) error {
	filter := c.Filter
	if len(filter.States) == 0 {
		filter.States = c.Action.States()
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	last := s.last
	s.mu.Unlock()
	return s.walk(ctx, 0, false, func(r *record) bool {
		if r.job.ID > last {
			return false
		}
		if filter.Matches(&r.job) {
			_ = s.control(now, r, c, done) // one that cannot be changed is not meant
		}
		return true
	})
}

func (s *Store) control(now time.Time, r *record, c *queue.Command, done *queue.Controlled) error {
	if c.Action == queue.DoRetry && r.job.State.Finished() {
		again, err := s.repeat(now, r)
		if err == nil {
			done.Add(r.job.ID, again)
		}
		return err
	}
	changed := r.job
	e, err := changed.Apply(now, c, r.begun)
	if err != nil {
		return err
	}
	s.change(r, func(j *queue.Job) queue.Entry {
		*j = changed
		return e
	})
	done.Add(r.job.ID, 0)
	return nil
}

// repeat makes a new job of a finished one.
func (s *Store) repeat(now time.Time, r *record) (queue.ID, error) {
	again, err := r.job.Repeat(now)
	if err != nil {
		return 0, err
	}
	if r.body == nil {
		return 0, queue.ErrBodyGone
	}
	id := s.create(&record{job: again, body: r.body})
	r.note(queue.Entry{At: queue.Milli(now), Kind: queue.WasSentAgain, Detail: "as job " + id.String()})
	return id, nil
}
