package pool

import (
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
)

// rateGate is how the pool waits for its limiter. Pool.mu guards it.
type rateGate struct {
	blocked bool      // no waking and dialling until the limiter may have room
	wanted  limit.Use // by the message that found none

	heldSince time.Time     // the limiter holds the line since; zero: it does not
	heldTotal time.Duration // before that
	heldBy    limit.Rate    // by which window, last; zero: what it has used must be looked up

	saidHeldBy map[limit.Rate]bool // by which windows, as was told
}

// longHold is how long the limiter may hold the line without a word.
const longHold = time.Second

// heldLocked is how long the limiter has held the line since the pool began;
// the difference of two values is what it cost a message in between.
func (g *rateGate) heldLocked(now time.Time) time.Duration {
	if g.heldSince.IsZero() {
		return g.heldTotal
	}
	return g.heldTotal + now.Sub(g.heldSince)
}

// blockLocked notes that w found no room and sets the alarm.
func (p *Pool) blockLocked(w *waiter, now time.Time) {
	if p.heldSince.IsZero() {
		p.heldSince, p.heldBy = now, limit.Rate{}
		p.count.rateWaits.Add(1)
	}
	p.blocked, p.wanted = true, w.use
	p.reviewRateLocked(now)
}

// admittedLocked notes that the limiter gave a slot.
func (p *Pool) admittedLocked(now time.Time) {
	p.blocked = false
	if !p.heldSince.IsZero() {
		p.heldTotal += now.Sub(p.heldSince)
		p.heldSince = time.Time{}
	}
}

// reviewRateLocked lifts the block if there may be room, else waits on: for an
// instant if it is known, for the limiter's notice if not.
func (p *Pool) reviewRateLocked(now time.Time) {
	at, by, known := p.config.Limiter.Next(now, p.wanted)
	if by != (limit.Rate{}) {
		p.heldBy = by
	}
	switch {
	case !known:
	case at.After(now):
		p.alarmLocked(at, now)
	default:
		p.blocked = false
		return
	}
	if p.config.OnHold != nil && at.Sub(now) > longHold {
		p.sayHeldLocked(by, at)
	}
}

// sayHeldLocked tells of a long wait, once for each limit. One that was learned
// is another each time, but the same news.
func (p *Pool) sayHeldLocked(by limit.Rate, until time.Time) {
	key := by
	if by.Learned {
		key = limit.Rate{Learned: true}
	}
	if p.saidHeldBy[key] {
		return
	}
	if p.saidHeldBy == nil {
		p.saidHeldBy = make(map[limit.Rate]bool)
	}
	p.saidHeldBy[key] = true
	p.tellLocked(func() { p.config.OnHold(by, until) })
}

// rateChanged is the limiter's notice.
func (p *Pool) rateChanged() {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.blocked || p.closing {
		return
	}
	if p.reviewRateLocked(now); !p.blocked {
		p.dispatchAllLocked(now)
	}
}
