package memory

import (
	"context"
	"slices"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// Begin notes that jobs may be delivered from now on; see [queue.Store].
func (s *Store) Begin(ctx context.Context, now time.Time, tokens []queue.Token) ([]error, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	errs := make([]error, len(tokens))
	for i, token := range tokens {
		errs[i] = s.begin(now, token)
	}
	return errs, nil
}

func (s *Store) begin(now time.Time, token queue.Token) error {
	r := s.standing(token)
	switch {
	case r == nil:
		return queue.ErrStale
	case !r.begun && r.job.HasExpired(now):
		s.change(r, func(j *queue.Job) queue.Entry { return j.Expire(now) })
		return queue.ErrExpired
	}
	r.begun = true
	return nil
}

// Settle notes what became of claimed jobs; see [queue.Store].
func (s *Store) Settle(ctx context.Context, now time.Time, settlements []queue.Settlement) ([]error, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	errs := make([]error, len(settlements))
	for i := range settlements {
		errs[i] = s.settle(now, settlements[i])
	}
	return errs, nil
}

func (s *Store) settle(now time.Time, settlement queue.Settlement) error {
	settlement.Recipients = slices.Clone(settlement.Recipients)
	if r := s.standing(settlement.Token); r != nil {
		s.change(r, func(j *queue.Job) queue.Entry { return j.Settle(now, &settlement) })
		return nil
	}
	if r := s.jobs[settlement.Token.ID]; r != nil {
		r.note(settlement.LateEntry(now))
	}
	return queue.ErrStale
}
