package bulk

import (
	"context"
	"errors"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
)

// queueSenders is how many rows of a lane are queued at the same time, so that one
// write to the disk is for many of them.
const queueSenders = 64

// enqueue puts the message of a row into the queue and notes it. After a crash
// between the two the row is queued again with the same key, so it is there once. The
// message may be another one then, as table or letter may have been corrected: the
// first one stays.
func (j *job) enqueue(ctx context.Context, r *run, l *lane, p *kaizen.Prepared) {
	receipt, err := r.Enqueue(ctx, l.name, r.Journal.campaign+"/"+j.key.String(), p)
	if conflict, ok := errors.AsType[*queue.ConflictError](err); ok {
		receipt, err = queue.Receipt{ID: conflict.ID, Existing: true}, nil
	}
	if err != nil {
		j.err = err
		if _, j.bad = errors.AsType[*queue.InvalidError](err); !j.bad {
			r.fail(err)
			return
		}
		r.note(j, l)
		return
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	for i := range j.to {
		if t := &j.to[i]; !t.Outcome.Final() {
			*t = Recipient{Address: t.Address, Outcome: Queued, QueueID: receipt.ID.String(), Time: now}
		}
	}
	r.note(j, l)
}

// laneOf is the lane that a row is queued for: the same in each run with the same
// servers, as a key is one of a lane. nil: it has no room now.
func (r *run) laneOf(j *job, now time.Time) *lane {
	total := uint64(0)
	for _, l := range r.lanes {
		total += uint64(max(l.Weight, 1))
	}
	at := uint64(j.key) % total
	for _, l := range r.lanes {
		if weight := uint64(max(l.Weight, 1)); at >= weight {
			at -= weight
		} else if l.free(now) {
			return l
		} else {
			break
		}
	}
	return nil
}
