package sqlite

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/queue"
)

// Changes returns lanes that are worth a claim; see [queue.Store].
func (s *Store) Changes(ctx context.Context, _ time.Time) ([]string, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.calls.Done()
	if s.delivers() {
		if err := s.collect(ctx); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	names := slices.Sorted(maps.Keys(s.changed))
	clear(s.changed)
	return names, nil
}

// note remembers lanes for Changes.
func (s *Store) note(lanes []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range lanes {
		s.changed[name] = true
	}
}

// collect takes over the lanes that other processes have touched. Mostly there are
// none, and nothing is written.
func (s *Store) collect(ctx context.Context) error {
	touched := false
	c, err := s.quick.take(ctx, s)
	if err != nil {
		return err
	}
	_, touched, err = c.number("SELECT lane FROM touched LIMIT 1")
	s.quick.give(c, s)
	if err != nil {
		return s.diskError("read", err)
	}
	if !touched {
		return nil
	}
	var names []string
	err = s.write(ctx, nothing, 0, func(t *tx) (err error) {
		if names, err = t.names("SELECT name FROM lane WHERE id IN (SELECT lane FROM touched)"); err != nil {
			return err
		}
		return t.run("DELETE FROM touched")
	})
	if err == nil {
		s.note(names)
	}
	return err
}

// allLanes are those with jobs or a pause.
func (t *tx) allLanes() ([]string, error) {
	return t.names("SELECT name FROM lane WHERE paused != 0 OR EXISTS (SELECT 1 FROM tally WHERE lane = lane.id AND n != 0)")
}

func (c *conn) names(sql string) (names []string, err error) {
	err = c.query(func(st *sqlite3.Stmt) bool {
		names = append(names, st.ColumnText(0))
		return true
	}, sql)
	return names, err
}

// Pause stops claims of a lane; see [queue.Store]. One that is paused already
// stays so since then, for the new reason.
func (s *Store) Pause(ctx context.Context, now time.Time, name, reason string) error {
	if err := queue.CheckLane(name); err != nil {
		return err
	}
	return s.lanewise(ctx, func(t *tx) error {
		lane, err := t.lane(name)
		if err != nil {
			return err
		}
		t.wake(lane)
		return t.run("UPDATE lane SET paused=iif(paused, paused, ?), reason=? WHERE id=?", milli(now), queue.Clean(reason), lane)
	})
}

// Resume ends a pause; see [queue.Store].
func (s *Store) Resume(ctx context.Context, _ time.Time, name string) error {
	return s.lanewise(ctx, func(t *tx) error {
		lane, err := t.s.laneID(t.conn, name)
		if err != nil || lane == 0 {
			return err
		}
		if err := t.run("UPDATE lane SET paused=0, reason='' WHERE id=? AND paused != 0", lane); err != nil {
			return err
		}
		if t.Changes() > 0 {
			t.wake(lane)
		}
		return nil
	})
}

func (s *Store) lanewise(ctx context.Context, do func(*tx) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	return s.write(ctx, nothing, 0, do)
}
