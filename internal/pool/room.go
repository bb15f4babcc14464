package pool

import (
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/smtp"
)

// Room is how many messages more a pool can make use of.
type Room struct {
	// Messages would go out as soon as the server has answered those before them.
	// While a limit holds the line it is 1 if nobody stands in it.
	Messages int
	// Slots says that the limiter has room for all of them now.
	Slots bool
	// Connections is how many there may be at a time.
	Connections int
	// Err is why nothing would be sent at present; nil while things go their way.
	Err *smtp.Error
	// Again is when to ask again if Messages is 0; zero: when a message has ended.
	Again time.Time
}

// askAgain is how long a stopped account is left alone by those who ask for room:
// somebody else may let it go on.
const askAgain = time.Second

// Room tells how many messages more would be of use, with depth of them on their way
// or in line for each connection. own is how many the asker knows to be so, or about
// to be.
func (p *Pool) Room(key string, depth, own int) Room {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	r := Room{Connections: p.capacity}
	if p.closing {
		r.Err, r.Again = waitError("", smtp.ClassClosed, errClosed), now.Add(askAgain)
		return r
	}
	if r.Err, r.Again = p.standstillLocked(key, now); r.Err != nil {
		return r
	}
	inFlight := int(p.inFlight.Load())
	busy := max(p.waiting+inFlight, own)
	waiting := max(busy-inFlight, 0)
	if t := p.targets[key]; p.quota.strikes > 0 || t != nil && t.failures > 0 && t.live == 0 {
		r.Messages = max(1-busy, 0) // one finds out whether it goes on
		return r
	}
	free := p.capacity*depth - busy + p.stuckLocked()
	slots := p.config.Limiter.Room(now, limit.Message(1, 0), free+waiting) - waiting
	r.Messages = max(min(free, slots), min(1-waiting, free), 0)
	r.Slots = slots >= r.Messages
	return r
}

// standstillLocked is why a message would fail without being tried, and until when.
func (p *Pool) standstillLocked(key string, now time.Time) (*smtp.Error, time.Time) {
	t := p.targets[key]
	switch {
	case t != nil && t.refused != nil:
		return t.refused, now.Add(askAgain)
	case p.quota.closedLocked(now) != nil:
		return p.quota.err, earlier(p.quota.until, now.Add(askAgain))
	case t != nil && t.unavailableLocked(now) != nil:
		return t.failure, t.retryAt
	}
	return nil, time.Time{}
}

// earlier is the earlier of two times: a pause can be lifted before its end.
func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
