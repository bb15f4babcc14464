package sqlite

import (
	"context"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// piece is how many jobs are changed in one transaction, so that others need not
// wait long.
const piece = 1000

// Control does to jobs what people want done to them; see [queue.Store].
func (s *Store) Control(ctx context.Context, now time.Time, c queue.Command) (done queue.Controlled, err error) {
	if err := c.Check(); err != nil {
		return done, err
	}
	if err := s.enter(ctx); err != nil {
		return done, err
	}
	defer s.calls.Done()
	if len(c.IDs) == 0 {
		err = s.controlMatching(ctx, now, &c, &done)
	} else {
		err = s.controlNamed(ctx, now, &c, &done)
	}
	return done, err
}

func (s *Store) controlNamed(ctx context.Context, now time.Time, c *queue.Command, done *queue.Controlled) error {
	for ids := c.IDs; len(ids) > 0; {
		some := ids[:min(piece, len(ids))]
		ids = ids[len(some):]
		outcomes, err := s.controlPiece(ctx, now, c, nil, some)
		if err != nil {
			return err
		}
		for i, o := range outcomes {
			if o.err != nil {
				done.Not = append(done.Not, queue.Refusal{ID: some[i], Err: o.err})
				continue
			}
			done.Add(some[i], o.again)
		}
	}
	return nil
}

// controlMatching goes through the jobs there are when it begins, so that it does
// not meet those it makes.
func (s *Store) controlMatching(ctx context.Context, now time.Time, c *queue.Command, done *queue.Controlled) error {
	f := c.Filter
	f.After, f.Reverse, f.Limit = 0, false, piece
	if len(f.States) == 0 {
		f.States = c.Action.States()
	}
	last, err := s.lastID(ctx)
	for more := true; more && err == nil; {
		var ids []queue.ID
		if ids, err = s.matching(ctx, &f, last); err != nil || len(ids) == 0 {
			break
		}
		more, f.After = len(ids) == piece, ids[len(ids)-1]
		var outcomes []outcome
		if outcomes, err = s.controlPiece(ctx, now, c, &f, ids); err != nil {
			break
		}
		for i, o := range outcomes {
			if o.err == nil { // one that cannot be changed is not meant
				done.Add(ids[i], o.again)
			}
		}
	}
	return err
}

func (s *Store) lastID(ctx context.Context) (last queue.ID, err error) {
	err = s.read(ctx, func(c *conn) error {
		n, _, err := c.number("SELECT max(id) FROM job")
		last = queue.ID(n)
		return err
	})
	return last, err
}

func (s *Store) matching(ctx context.Context, f *queue.Filter, last queue.ID) (ids []queue.ID, err error) {
	err = s.read(ctx, func(c *conn) error {
		jobs, err := s.list(c, f, last)
		for i := range jobs {
			ids = append(ids, jobs[i].ID)
		}
		return err
	})
	return ids, err
}

// outcome is what became of one job of a command.
type outcome struct {
	again queue.ID
	err   error
}

// controlPiece does it to some jobs; with a filter, to those that still match it.
func (s *Store) controlPiece(ctx context.Context, now time.Time, c *queue.Command, f *queue.Filter, ids []queue.ID) ([]outcome, error) {
	var outcomes []outcome
	fresh, err := s.newIDs(ctx, s.repeats(c, f, len(ids)))
	if err != nil {
		return nil, err
	}
	err = s.write(ctx, nothing, 0, func(t *tx) error {
		outcomes = make([]outcome, len(ids))
		for i, id := range ids {
			var new queue.ID
			if len(fresh) > 0 {
				new = fresh[i]
			}
			if outcomes[i].again, outcomes[i].err = t.control(now, c, f, id, new); t.failed != nil {
				return t.failed
			}
		}
		return nil
	})
	return outcomes, err
}

// repeats is how many new jobs a command may make of n.
func (s *Store) repeats(c *queue.Command, f *queue.Filter, n int) int {
	if c.Action != queue.DoRetry {
		return 0
	}
	if f == nil {
		return n
	}
	for _, state := range f.States {
		if state.Finished() {
			return n
		}
	}
	return 0
}

// errOther says that a job does not match any more.
type errOther struct{ error }

func (t *tx) control(now time.Time, c *queue.Command, f *queue.Filter, id, new queue.ID) (again queue.ID, err error) {
	st, err := t.load(id)
	switch {
	case err != nil:
		return 0, err
	case st == nil:
		return 0, &queue.NotFoundError{ID: id}
	case f != nil && !f.Matches(&st.job):
		return 0, errOther{}
	case c.Action == queue.DoRetry && st.job.State.Finished():
		return t.repeat(now, st, new)
	}
	e, err := st.job.Apply(now, c, st.begun)
	if err != nil {
		return 0, err
	}
	return 0, t.change(st, e)
}

// repeat makes a new job of a finished one, with the same body.
func (t *tx) repeat(now time.Time, st *stored, id queue.ID) (queue.ID, error) {
	again, err := st.job.Repeat(now)
	if err != nil {
		return 0, err
	}
	_, there, err := t.number("SELECT 1 FROM octets WHERE id=?", st.body)
	if err != nil {
		return 0, err
	}
	if !there {
		return 0, queue.ErrBodyGone
	}
	again.ID = id
	r, err := encode(&again)
	if err != nil {
		return 0, err
	}
	r.lane, r.body = st.lane, st.body
	if err := t.share(st.body); err != nil {
		return 0, err
	}
	if err := t.insert(r); err != nil {
		return 0, err
	}
	return id, t.note(st.id, st.entries, &queue.Entry{At: queue.Milli(now), Kind: queue.WasSentAgain, Detail: "as job " + id.String()})
}
