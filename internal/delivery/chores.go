package delivery

import (
	"context"
	"time"
)

// Chores are done in pieces, so that what is urgent need not wait for them.
const (
	expireEvery, expireAtOnce = time.Second, 500
	purgeEvery, purgeAtOnce   = 10 * time.Second, 500
	betweenPieces             = 20 * time.Millisecond
)

// chores ends jobs whose time is over, and forgets finished ones.
func (r *runner) chores(ctx context.Context) {
	expire := time.NewTicker(expireEvery)
	defer expire.Stop()
	purge := time.NewTicker(purgeEvery)
	defer purge.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-expire.C:
			r.inPieces(ctx, betweenPieces, expiring, r.expire)
		case <-purge.C:
			r.inPieces(ctx, betweenPieces, purging, r.purge)
		}
	}
}

// inPieces repeats a chore as long as there is more of it.
func (r *runner) inPieces(ctx context.Context, rest time.Duration, c call, chore func(context.Context) (more bool, err error)) {
	for {
		more, err := chore(ctx)
		if err != nil {
			r.sick(c, err)
			return
		}
		r.well(c)
		if !more {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(rest):
		}
	}
}

func (r *runner) expire(ctx context.Context) (more bool, err error) {
	expired, err := r.store.Expire(ctx, time.Now(), expireAtOnce)
	for i := range expired {
		r.settles.tell(Event{Kind: Expired, Job: expired[i]})
	}
	return len(expired) == expireAtOnce, err
}

func (r *runner) purge(ctx context.Context) (more bool, err error) {
	purged, err := r.store.Purge(ctx, time.Now(), r.config.Retention, purgeAtOnce)
	return purged.Jobs+purged.Bodies >= purgeAtOnce, err
}
