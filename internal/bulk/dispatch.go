package bulk

import (
	"container/heap"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// fail ends the run. Senders call it.
func (r *run) fail(err error) {
	select {
	case r.fault <- err:
	default: // there is one already
	}
}

// dispatch hands rows to lanes until all is done or must end.
func (r *run) dispatch(ctx context.Context) error {
	asked := ctx.Done()
	for {
		now := time.Now()
		r.promote(now)
		wake := r.handOver(now)
		if r.finished() {
			return r.verdict()
		}
		timer := time.NewTimer(wake)
		select {
		case d := <-r.done:
			r.settle(d)
		case row, more := <-r.wanted():
			r.take(row, more)
		case err := <-r.fault:
			r.end(err)
		case <-asked:
			asked = nil
			r.end(context.Cause(ctx))
		case <-timer.C:
		}
		timer.Stop()
	}
}

// wanted is where the next row comes from, or nil if none can be begun now.
func (r *run) wanted() <-chan Row {
	if r.stop != nil || len(r.ready) > 0 || len(r.retries) >= maxRetrying {
		return nil
	}
	return r.rows
}

func (r *run) finished() bool {
	if r.inFlight > 0 {
		return false
	}
	return r.stop != nil || r.rows == nil && len(r.ready) == 0 && len(r.retries) == 0
}

func (r *run) verdict() error {
	if r.stop != nil {
		return r.stop
	}
	return r.readErr
}

// end lets nothing new begin. What waits for a connection or a rate is taken
// back; it has not been begun.
func (r *run) end(err error) {
	if r.stop != nil {
		return
	}
	r.stop = err
	r.draining.Go(func() {
		drain, cancel := context.WithTimeout(context.Background(), r.Drain)
		defer cancel()
		_ = r.Client.Shutdown(drain) // each message is told its own outcome
	})
}

// take makes a job of a row, unless there is nothing left to do for it.
func (r *run) take(row Row, more bool) {
	if !more {
		r.rows = nil
		return
	}
	recipients := r.Letter.recipients(row)
	key, occurrence := r.keys.next(recipients)
	if occurrence > 0 && r.Unique {
		r.Progress.Rows.Add(1)
		r.Progress.Twins.Add(1)
		return
	}
	j := &job{row: row, key: key}
	if p := r.History.rows[key]; p != nil {
		if p.finished(r.Again) {
			r.Progress.Rows.Add(1)
			r.Progress.Finished.Add(1)
			return
		}
		j.to = slices.Clone(p.recipients())
		for i := range j.to {
			if r.Again.open(j.to[i].Outcome) {
				j.to[i] = Recipient{Address: j.to[i].Address, Outcome: NotSent}
			}
		}
	}
	r.ready = append(r.ready, j)
}

// promote makes the jobs ready whose time has come.
func (r *run) promote(now time.Time) {
	for len(r.retries) > 0 && !r.retries[0].due.After(now) {
		r.ready = append(r.ready, heap.Pop(&r.retries).(*job))
		r.Progress.Waiting.Add(-1)
		r.Progress.Retried.Add(1)
	}
}

// handOver gives ready jobs to lanes, and tells when to look again.
func (r *run) handOver(now time.Time) (wake time.Duration) {
	if r.stop != nil {
		return math.MaxInt64
	}
	for len(r.ready) > 0 {
		j := r.ready[0]
		l := r.choose(j, now)
		if l == nil {
			break
		}
		r.ready = r.ready[1:]
		l.busy++
		r.inFlight++
		r.Progress.InFlight.Add(1)
		l.jobs <- j
	}
	wake = math.MaxInt64
	if len(r.retries) > 0 {
		wake = r.retries[0].due.Sub(now)
	}
	for _, l := range r.lanes {
		if l.stopped == nil && l.pause > 0 && l.busy == 0 && len(r.ready) > 0 {
			wake = min(wake, l.until.Sub(now))
		}
	}
	return max(wake, 0)
}

// choose picks the lane for a job, or nil if it has to wait.
func (r *run) choose(j *job, now time.Time) *lane {
	if r.Enqueue != nil {
		return r.laneOf(j, now)
	}
	return choose(r.lanes, now)
}

// settle decides what comes after a try.
func (r *run) settle(d done) {
	d.lane.busy--
	r.inFlight--
	r.Progress.InFlight.Add(-1)
	now := time.Now()
	if !d.bad {
		d.lane.learn(d.err, now, r.GiveUp)
	}
	switch {
	case d.settled() && !d.bad:
		r.close(d.job)
	case r.stop != nil || r.Enqueue != nil && !d.bad:
		// What was begun is noted; the rest is as if it had never been touched.
	case !d.bad && aboutServer(d.err):
		r.ready = append([]*job{d.job}, r.ready...) // not its fault
	case d.temporary() && d.tries+1 < r.Tries:
		d.tries++
		wait := backoff(r.Backoff, d.tries)
		d.due = now.Add(wait - wait/5 + rand.N(wait*2/5))
		heap.Push(&r.retries, d.job)
		r.Progress.Waiting.Add(1)
	default:
		if !d.noted {
			r.note(d.job, d.lane)
		}
		r.close(d.job)
	}
	r.endIfHopeless()
}

// close counts a job that is over.
func (r *run) close(j *job) {
	r.Progress.count(j, r.began)
	accepted := slices.ContainsFunc(j.to, func(t Recipient) bool { return t.Outcome == Accepted || t.Outcome == Queued })
	if r.failures++; accepted {
		r.failures = 0
	}
	if j.bad {
		r.failures-- // says nothing about the servers
	}
}

// endIfHopeless ends the run when no server is left, or none accepts anything.
func (r *run) endIfHopeless() {
	if r.MaxFailures > 0 && r.failures >= r.MaxFailures {
		r.end(ErrTooManyFailures)
	}
	var last error
	for _, l := range r.lanes {
		if l.stopped == nil {
			return
		}
		last = l.stopped
	}
	r.end(last)
}
