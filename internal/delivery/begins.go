package delivery

import (
	"context"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/queue"
)

// begins collects jobs that are about to begin, and has them begin together.
type begins struct {
	runner *runner
	signal chan struct{}

	mu      sync.Mutex
	pending []*carrier
}

func (b *begins) init(r *runner) { b.runner, b.signal = r, make(chan struct{}, 1) }

// add never blocks.
func (b *begins) add(c *carrier) {
	b.mu.Lock()
	b.pending = append(b.pending, c)
	b.mu.Unlock()
	select {
	case b.signal <- struct{}{}:
	default:
	}
}

func (b *begins) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.signal:
		}
		b.mu.Lock()
		batch := b.pending
		b.pending = nil
		b.mu.Unlock()
		b.begin(ctx, batch)
	}
}

func (b *begins) begin(ctx context.Context, batch []*carrier) {
	tokens := make([]queue.Token, len(batch))
	for i, c := range batch {
		tokens[i] = c.claim.Token
	}
	answers, err := b.runner.store.Begin(ctx, time.Now(), tokens)
	if err != nil {
		b.runner.sick(beginning, err)
	} else {
		b.runner.well(beginning)
	}
	for i, c := range batch {
		if c.refusal = err; err == nil {
			c.refusal = answers[i]
		}
		close(c.begun)
	}
}
