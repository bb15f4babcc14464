package delivery

import (
	"context"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// stick notes a job that waits for somebody to act, though its lane goes on.
func (r *runner) stick(c *carrier) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.lane.stuck == nil {
		c.lane.stuck = make(map[queue.ID]struct{})
	}
	c.lane.stuck[c.claim.Job.ID] = struct{}{}
}

// onlyStuck reports whether nothing is left but jobs that are stuck.
func (r *runner) onlyStuck(ctx context.Context) bool {
	lanes, ok := r.stuckLanes()
	for lane, stuck := range lanes {
		if !ok || !r.allStuck(ctx, lane, stuck) {
			return false
		}
	}
	return ok
}

// stuckLanes are the lanes that are not empty, each with how many jobs are stuck; not
// ok if one has none, or something is on its way.
func (r *runner) stuckLanes() (lanes map[string]int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.hot) > 0 || len(r.carriers) > 0 || r.settles.busy() {
		return nil, false
	}
	lanes = make(map[string]int)
	for name, l := range r.lanes {
		switch {
		case l.empty():
		case l.flight+l.asked > 0 || l.probe || len(l.stuck) == 0:
			return nil, false
		default:
			lanes[name] = len(l.stuck)
		}
	}
	return lanes, len(lanes) > 0
}

// allStuck asks the store, which knows what was put, moved or ended meanwhile.
func (r *runner) allStuck(ctx context.Context, lane string, stuck int) bool {
	jobs, err := r.store.List(ctx, time.Now(), queue.Filter{Lane: lane, States: []queue.State{queue.Queued, queue.Active}, Limit: stuck + 1})
	if err != nil {
		return false // asked again
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lanes[lane]
	for i := range jobs {
		if _, ok := l.stuck[jobs[i].ID]; !ok {
			return false
		}
	}
	return true
}
