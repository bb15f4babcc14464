package kaizen

import (
	"context"
	"errors"
	"sync"
	"time"
)

// pauses are the lanes of the queue that are paused, as of a moment ago: a chain
// goes around an account that somebody paused.
type pauses struct {
	mu    sync.Mutex
	read  time.Time
	busy  bool // somebody is reading
	lanes map[string]error
}

// pausesAge is how old an answer may be.
const pausesAge = time.Second

// pausedAlone is why a paused account sends nothing, also for the chains that it
// is a part of.
func (c *Client) pausedAlone(ctx context.Context, account string) error {
	p := &c.deliveries.pauses
	p.mu.Lock()
	now := time.Now()
	stale := !p.busy && (now.Sub(p.read) >= pausesAge || now.Before(p.read))
	p.busy = p.busy || stale
	p.mu.Unlock()
	if stale {
		c.readPauses(ctx, p, now)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lanes[account]
}

// readPauses asks the store. If it fails, the last answer holds.
func (c *Client) readPauses(ctx context.Context, p *pauses, now time.Time) {
	stats, err := c.config.Queue.Stats(ctx, now)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy = false; err != nil {
		return
	}
	p.read, p.lanes = now, nil
	for _, lane := range stats.Lanes {
		if lane.Paused.IsZero() {
			continue
		}
		if p.lanes == nil {
			p.lanes = make(map[string]error)
		}
		p.lanes[lane.Name] = errors.New("paused" + because(lane.Reason))
	}
}
