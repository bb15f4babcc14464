package memory

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

const (
	// aside is how many expired jobs one claim puts aside at most, so that a great
	// many of them do not stop everybody else; the next claim goes on.
	aside = 1000
	// inline is how large a body may be to be handed out whole.
	inline = 64 << 10
)

// Claim hands jobs out; see [queue.Store].
func (s *Store) Claim(ctx context.Context, now time.Time, wants []queue.Want) ([]queue.Claimed, error) {
	if err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	claimed := make([]queue.Claimed, len(wants))
	for i := range wants {
		claimed[i] = s.claim(now, &wants[i])
	}
	return claimed, nil
}

func (s *Store) claim(now time.Time, want *queue.Want) queue.Claimed {
	got := queue.Claimed{Lane: want.Lane}
	l := s.lanes[want.Lane]
	if l == nil {
		return got
	}
	got.Paused = !l.paused.IsZero()
	for !got.Paused && len(got.Expired) < aside {
		r := l.pick(now, want, len(got.Claims))
		if r == nil {
			break
		}
		if r.job.HasExpired(now) {
			s.change(r, func(j *queue.Job) queue.Entry { return j.Expire(now) })
			got.Expired = append(got.Expired, clone(&r.job))
			continue
		}
		got.Claims = append(got.Claims, s.take(r, want.Begin))
	}
	got.Next, got.Urgent = l.next(), l.queued[queue.Urgent.Rank()].head()
	return got
}

// pick is the job that has the next turn, or nil if there is none, or the want has
// its fill.
func (l *lane) pick(now time.Time, want *queue.Want, claimed int) *record {
	p, ok := queue.Pick(l.heads(), now, want.Turn+uint64(claimed))
	switch {
	case !ok, claimed >= want.Count+want.Urgent, claimed >= want.Count && p != queue.Urgent:
		return nil
	}
	return l.queued[p.Rank()].first()
}

// take makes a job Active, under a fresh token.
func (s *Store) take(r *record, begin bool) queue.Claim {
	s.takeOut(r)
	r.job.State = queue.Active
	r.nonce = 1 + rand.Uint64N(1<<63)
	r.begun = begin && r.job.Unknown == queue.Retry
	s.putIn(r)
	return queue.Claim{
		Job:   clone(&r.job),
		Token: queue.Token{ID: r.job.ID, Nonce: r.nonce},
		Begun: r.begun,
		Body:  r.body.content(),
	}
}

// content is the body for somebody else; of one that is gone, an empty one.
func (b *body) content() queue.Content {
	switch {
	case b == nil:
		return queue.Content{}
	case len(b.octets) <= inline:
		return queue.Content{Size: int64(len(b.octets)), Octets: append([]byte{}, b.octets...)}
	}
	octets := b.octets
	return queue.Content{Size: int64(len(octets)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(octets)), nil
	}}
}
