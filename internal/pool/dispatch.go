package pool

import (
	"slices"
	"time"
)

// turn is how many messages the only connection of a target carries before it
// makes room for a target that has none.
const turn = 10

// dispatchLocked adds one connection to those that serve t, if more messages
// wait than are about to be fetched.
func (p *Pool) dispatchLocked(t *target, now time.Time) {
	if t.line.n == 0 || p.closing || p.blocked || t.refused != nil || t.wantsLocked() <= 0 {
		return
	}
	if len(t.idle) > 0 {
		c := t.takeIdleLocked()
		p.count.reused.Add(1)
		p.driveLocked(c)
		return
	}
	if t.wantsLocked() <= t.dialling+len(t.gated) || p.barredLocked(t, now) {
		return
	}
	if p.usedLocked() >= p.capacity {
		p.makeRoomLocked(t)
		return
	}
	p.dialLocked(t, now)
}

// takeIdleLocked takes the idle connection that was used last, of the best server.
func (t *target) takeIdleLocked() *connection {
	at := len(t.idle) - 1
	for i := at - 1; i >= 0 && len(t.endpoints) > 1; i-- {
		if t.idle[i].endpoint.priority < t.idle[at].endpoint.priority {
			at = i
		}
	}
	c := t.idle[at]
	t.idle = slices.Delete(t.idle, at, at+1)
	return c
}

// dispatchAllLocked follows a freed slot. Who starves comes first, then who has
// no connection.
func (p *Pool) dispatchAllLocked(now time.Time) {
	for _, first := range []func(*target) bool{
		func(t *target) bool { return t.starved },
		func(t *target) bool { return t.deserted() },
		func(*target) bool { return true },
	} {
		for _, t := range p.targets {
			if t.line.n > 0 && first(t) {
				p.dispatchLocked(t, now)
			}
		}
	}
}

// makeRoomLocked closes an idle connection of another target, unless a slot is
// being freed anyway. Where none is idle, t starves until a busy one yields.
func (p *Pool) makeRoomLocked(t *target) {
	if p.stayingLocked() < p.capacity {
		return
	}
	var oldest *connection
	for _, other := range p.targets {
		if other == t || len(other.idle) == 0 {
			continue
		}
		if c := other.idle[0]; oldest == nil || c.idleSince.Before(oldest.idleSince) {
			oldest = c
		}
	}
	switch {
	case oldest != nil:
		oldest.target.idle = oldest.target.idle[1:]
		p.retireLocked(oldest, closedForRoom)
	case t.live+t.dialling == 0 && !t.starved:
		t.starved = true
		p.starving++
	}
}

// sateLocked ends the starving of t.
func (p *Pool) sateLocked(t *target) {
	if t.starved {
		t.starved = false
		p.starving--
	}
}

// yieldLocked says whether c shall make room for a target that starves.
func (p *Pool) yieldLocked(c *connection) bool {
	if p.starving == 0 || p.stayingLocked() < p.capacity {
		return false
	}
	return c.target.live > 1 || c.carried >= turn
}

// warmLocked opens connections to the current target up to MinIdle. While its
// server fails, only the sweep tries.
func (p *Pool) warmLocked(now time.Time) {
	t := p.current
	if t == nil || p.closing || t.refused != nil || t.failures > 0 {
		return
	}
	for t.live+t.dialling < p.config.MinIdle && p.usedLocked() < p.capacity && !p.noneToDialLocked(t, now) {
		p.dialLocked(t, now)
	}
	if p.config.MinIdle > 0 {
		p.sweepLaterLocked(now)
	}
}
