package memory

import (
	"context"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// Expire ends waiting jobs whose time is over; see [queue.Store].
func (s *Store) Expire(ctx context.Context, now time.Time, limit int) ([]queue.Job, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var expired []queue.Job
	for len(expired) < limit {
		r := s.expiring.first()
		if r == nil || !r.job.HasExpired(now) {
			break
		}
		s.change(r, func(j *queue.Job) queue.Entry { return j.Expire(now) })
		expired = append(expired, clone(&r.job))
	}
	return expired, nil
}

// Purge forgets finished jobs and their bodies; see [queue.Store].
func (s *Store) Purge(ctx context.Context, now time.Time, retain queue.Retention, limit int) (queue.Purged, error) {
	if err := s.enter(ctx); err != nil {
		return queue.Purged{}, err
	}
	defer s.mu.Unlock()
	retain = retain.WithDefaults()
	var purged queue.Purged
	for range limit {
		r := old(&s.spent, now, retain.SentBodies)
		if r == nil {
			break
		}
		purged.Bodies += r.drop()
	}
	for purged.Jobs < limit {
		r := old(&s.sent, now, retain.Sent)
		if r == nil {
			r = old(&s.failed, now, retain.Failed)
		}
		if r == nil {
			break
		}
		purged.Bodies += s.forget(r)
		purged.Jobs++
	}
	return purged, nil
}

// old is the first of finished jobs, if it ended so long ago.
func old(finished *tree, now time.Time, age time.Duration) *record {
	r := finished.first()
	if r == nil || age < 0 || now.Sub(r.job.Ended) < age {
		return nil
	}
	return r
}

// drop lets go of a body. It returns how many bodies are gone by that.
func (r *record) drop() int {
	r.limit.remove()
	stored := r.body
	r.body = nil
	if stored == nil {
		return 0
	}
	stored.refs--
	if stored.refs > 0 {
		return 0
	}
	return 1
}

// forget removes all that is known of a job.
func (s *Store) forget(r *record) (bodies int) {
	bodies = r.drop()
	s.takeOut(r)
	s.tidy(r.job.Lane)
	delete(s.jobs, r.job.ID)
	if r.key.key != "" {
		delete(s.keys, r.key)
	}
	*r = record{job: queue.Job{ID: r.job.ID}, gone: true}
	s.gone++
	if s.gone > piece && s.gone > len(s.order)/2 {
		s.compact()
	}
	return bodies
}

// compact leaves forgotten jobs out of the order.
func (s *Store) compact() {
	kept := make([]*record, 0, len(s.order)-s.gone)
	for _, r := range s.order {
		if !r.gone {
			kept = append(kept, r)
		}
	}
	s.order, s.gone = kept, 0
}
