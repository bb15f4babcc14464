package memory

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// Pause stops claims of a lane; see [queue.Store]. One that is paused already
// stays so since then, for the new reason.
func (s *Store) Pause(ctx context.Context, now time.Time, name, reason string) error {
	if err := queue.CheckLane(name); err != nil {
		return err
	}
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	l := s.lane(name)
	if l.paused.IsZero() {
		l.paused = queue.Milli(now)
	}
	l.reason = queue.Clean(reason)
	s.changed[name] = true
	return nil
}

// Resume ends a pause; see [queue.Store].
func (s *Store) Resume(ctx context.Context, _ time.Time, name string) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if l := s.lanes[name]; l != nil && !l.paused.IsZero() {
		l.paused, l.reason = time.Time{}, ""
		s.changed[name] = true
		s.tidy(name)
	}
	return nil
}

// Changes returns lanes that are worth a claim; see [queue.Store].
func (s *Store) Changes(ctx context.Context, _ time.Time) ([]string, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	names := slices.Sorted(maps.Keys(s.changed))
	clear(s.changed)
	return names, nil
}

// Stats counts jobs by lane; see [queue.Store].
func (s *Store) Stats(ctx context.Context, now time.Time) (queue.Stats, error) {
	if err := s.enter(ctx); err != nil {
		return queue.Stats{}, err
	}
	defer s.mu.Unlock()
	stats := queue.Stats{Delivering: s.delivering}
	for _, name := range slices.Sorted(maps.Keys(s.lanes)) {
		stats.Lanes = append(stats.Lanes, s.lanes[name].stats(now, name))
	}
	return stats, nil
}

func (l *lane) stats(now time.Time, name string) queue.Lane {
	stats := queue.Lane{Name: name, Count: map[queue.State]int{}, Paused: l.paused, Reason: l.reason}
	for state, n := range l.count {
		if n > 0 {
			stats.Count[queue.State(state)] = n
		}
	}
	if next := l.next(); next.After(now) {
		stats.Next = next
	} else {
		stats.Oldest = next
	}
	return stats
}
