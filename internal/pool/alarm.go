package pool

import "time"

// alarm is the one timer of a pool. Pool.mu guards it.
type alarm struct {
	timer   *time.Timer
	rings   time.Time // zero: not set
	sweepAt time.Time // zero: nothing to sweep
}

// alarmLocked has ring called at that time, or earlier if it was set so.
func (p *Pool) alarmLocked(at, now time.Time) {
	if p.closing || !p.rings.IsZero() && !at.Before(p.rings) {
		return
	}
	wasSet := !p.rings.IsZero()
	if wasSet && !p.timer.Stop() {
		return // it is ringing, and looks at everything as soon as it has the lock
	}
	p.rings = at
	if !wasSet {
		p.running++
	}
	if p.timer == nil {
		p.timer = time.AfterFunc(at.Sub(now), p.ring)
	} else {
		p.timer.Reset(at.Sub(now))
	}
}

// ring does all that is due and sets the alarm for what is not.
func (p *Pool) ring() {
	defer p.goroutineEnded()
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rings = time.Time{}
	if p.closing {
		return
	}
	if p.blocked {
		p.reviewRateLocked(now)
	}
	p.sweepLocked(now)
	for _, t := range p.targets {
		p.watchLocked(t, now)
	}
	p.dispatchAllLocked(now)
}

func (p *Pool) stopAlarmLocked() {
	if !p.rings.IsZero() && p.timer.Stop() {
		p.rings = time.Time{}
		p.running--
	}
}

// sweepLaterLocked makes sure that what is idle now is looked at in time.
func (p *Pool) sweepLaterLocked(now time.Time) {
	if p.sweepAt.IsZero() {
		p.sweepAt = now.Add(p.config.SweepInterval)
	}
	p.alarmLocked(p.sweepAt, now)
}

// sweepLocked closes idle connections that are too old, and comes again while
// there are others.
func (p *Pool) sweepLocked(now time.Time) {
	if p.sweepAt.IsZero() {
		return
	}
	if now.Before(p.sweepAt) {
		p.alarmLocked(p.sweepAt, now)
		return
	}
	p.sweepAt = time.Time{}
	left := 0
	for _, t := range p.targets {
		left += p.sweepTargetLocked(t, now)
	}
	if p.config.MinIdle > 0 {
		p.rewarmLocked(now)
	}
	if left > 0 {
		p.sweepLaterLocked(now)
	}
}

func (p *Pool) sweepTargetLocked(t *target, now time.Time) (left int) {
	var keep []*connection
	for _, c := range t.idle {
		switch {
		case c.agedLocked(now):
			p.retireLocked(c, closedLifetime)
		case p.config.IdleTimeout > 0 && now.Sub(c.idleSince) >= p.config.IdleTimeout:
			p.retireLocked(c, closedIdle)
		default:
			keep = append(keep, c)
		}
	}
	t.idle = keep
	return len(keep)
}

// rewarmLocked refills to MinIdle; after a failure with one dial at a time.
func (p *Pool) rewarmLocked(now time.Time) {
	p.warmLocked(now)
	t := p.current
	if t != nil && t.refused == nil && t.failures > 0 && t.live+t.dialling < p.config.MinIdle &&
		p.usedLocked() < p.capacity && !p.barredLocked(t, now) {
		p.dialLocked(t, now)
	}
	p.sweepLaterLocked(now)
}
