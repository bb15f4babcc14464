package main

import (
	"context"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// timed is a store that notes how long its hot transitions take, and how many jobs
// each has.
type timed struct {
	queue.Store
	mu    sync.Mutex
	calls map[string]*calls
}

type calls struct {
	took []time.Duration
	jobs int
}

func newTimed(store queue.Store) *timed {
	return &timed{Store: store, calls: make(map[string]*calls)}
}

func (t *timed) note(what string, began time.Time, jobs int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.calls[what]
	if c == nil {
		c = new(calls)
		t.calls[what] = c
	}
	c.took = append(c.took, time.Since(began))
	c.jobs += jobs
}

// Claim claims.
func (t *timed) Claim(ctx context.Context, now time.Time, wants []queue.Want) ([]queue.Claimed, error) {
	began := time.Now()
	got, err := t.Store.Claim(ctx, now, wants)
	n := 0
	for i := range got {
		n += len(got[i].Claims)
	}
	t.note("claim", began, n)
	return got, err
}

// Begin begins.
func (t *timed) Begin(ctx context.Context, now time.Time, tokens []queue.Token) ([]error, error) {
	defer t.note("begin", time.Now(), len(tokens))
	return t.Store.Begin(ctx, now, tokens)
}

// Settle settles.
func (t *timed) Settle(ctx context.Context, now time.Time, settlements []queue.Settlement) ([]error, error) {
	defer t.note("settle", time.Now(), len(settlements))
	return t.Store.Settle(ctx, now, settlements)
}

func (t *timed) tell() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, what := range []string{"claim", "begin", "settle"} {
		if c := t.calls[what]; c != nil {
			say("  %-6s %6d calls of %.1f jobs, p50 %.2f ms, p99 %.2f ms", what, len(c.took), float64(c.jobs)/float64(len(c.took)), ms(at(0.5, c.took)), ms(at(0.99, c.took)))
		}
	}
}
