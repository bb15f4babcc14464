package sqlite

import (
	"context"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/queue"
)

// Recover makes this store the one that delivers; see [queue.Store]. What it
// costs depends on how many jobs were Active, and not on how many there are.
func (s *Store) Recover(ctx context.Context, now time.Time) (queue.Recovered, error) {
	if err := s.enter(ctx); err != nil {
		return queue.Recovered{}, err
	}
	defer s.calls.Done()
	f, err := s.acquire(ctx)
	if err != nil {
		return queue.Recovered{}, err
	}
	var found queue.Recovered
	var lanes []string
	err = s.write(ctx, nothing, 0, func(t *tx) (err error) {
		if found, err = t.interrupt(now); err != nil {
			return err
		}
		lanes, err = t.allLanes()
		return err
	})
	if err != nil {
		_ = unlock(f)
		return queue.Recovered{}, err
	}
	s.mu.Lock()
	s.lock = f
	s.mu.Unlock()
	s.note(lanes)
	s.minding.Go(func() { s.sweep(s.ended) })
	return found, nil
}

// interrupt settles what an earlier process left Active.
func (t *tx) interrupt(now time.Time) (found queue.Recovered, err error) {
	var ids []queue.ID
	err = t.query(func(st *sqlite3.Stmt) bool {
		ids = append(ids, queue.ID(st.ColumnInt64(0)))
		return true
	}, "SELECT id FROM active ORDER BY id")
	for _, id := range ids {
		if err == nil {
			err = t.interruptOne(now, id, &found)
		}
	}
	return found, err
}

func (t *tx) interruptOne(now time.Time, id queue.ID, found *queue.Recovered) error {
	st, err := t.load(id)
	if err != nil {
		return err
	}
	if st == nil {
		return t.run("DELETE FROM active WHERE id=?", int64(id))
	}
	begun := st.begun
	if err := t.change(st, st.job.Interrupt(now, begun)); err != nil {
		return err
	}
	if begun {
		found.Unknown = append(found.Unknown, st.job)
	} else {
		found.Requeued++
	}
	return nil
}

// Release lets another store deliver; see [queue.Store].
func (s *Store) Release() error {
	if err := s.enter(context.Background()); err != nil {
		return err
	}
	defer s.calls.Done()
	s.mu.Lock()
	f := s.lock
	s.lock = nil
	s.mu.Unlock()
	return unlock(f)
}
