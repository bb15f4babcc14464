package sqlite

import (
	"context"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/queue"
)

// Stats counts jobs by lane; see [queue.Store]. What it costs depends on how many
// lanes there are, and not on how many jobs.
func (s *Store) Stats(ctx context.Context, now time.Time) (stats queue.Stats, err error) {
	if err := s.enter(ctx); err != nil {
		return stats, err
	}
	defer s.calls.Done()
	if stats.DeliveredBy, stats.Delivering, err = s.deliverer(); err != nil {
		return stats, err
	}
	err = s.read(ctx, func(c *conn) error {
		counts, err := c.counts()
		if err == nil {
			stats.Lanes, err = c.laneStats(now, counts)
		}
		return err
	})
	return stats, err
}

func (c *conn) counts() (map[int64]map[queue.State]int, error) {
	counts := map[int64]map[queue.State]int{}
	err := c.query(func(st *sqlite3.Stmt) bool {
		lane, state := st.ColumnInt64(0), stateOf(letter(st, 1))
		if counts[lane] == nil {
			counts[lane] = map[queue.State]int{}
		}
		counts[lane][state] = st.ColumnInt(2)
		return true
	}, "SELECT lane, state, n FROM tally WHERE n != 0")
	return counts, err
}

func (c *conn) laneStats(now time.Time, counts map[int64]map[queue.State]int) (lanes []queue.Lane, err error) {
	var ids []int64
	err = c.query(func(st *sqlite3.Stmt) bool {
		id := st.ColumnInt64(0)
		lane := queue.Lane{Name: st.ColumnText(1), Count: counts[id], Paused: fromMilli(st.ColumnInt64(2)), Reason: st.ColumnText(3)}
		if lane.Count == nil {
			lane.Count = map[queue.State]int{}
		}
		if len(lane.Count) > 0 || !lane.Paused.IsZero() {
			lanes, ids = append(lanes, lane), append(ids, id)
		}
		return true
	}, "SELECT id, name, paused, reason FROM lane ORDER BY name")
	for i := range lanes {
		if err != nil || lanes[i].Count[queue.Queued] == 0 {
			continue
		}
		var h *heads
		if h, err = c.heads(ids[i], 1); err != nil {
			break
		}
		if next := h.next(); next.After(now) {
			lanes[i].Next = next
		} else {
			lanes[i].Oldest = next
		}
	}
	return lanes, err
}
