package limit

import "time"

// block is a time in which the server takes nothing from a [Pace].
type block struct {
	strikes int           // messages refused in a row, each after a pause; 0: no block
	pause   time.Duration // before the next one
	began   time.Time
	last    time.Time // refusal
}

// windows are those that servers are known to have.
var windows = [...]time.Duration{time.Second, 10 * time.Second, time.Minute, 10 * time.Minute, time.Hour}

// refuse answers a complaint since whose predecessor nothing was accepted: the
// limit has become much lower, or its window is longer than was thought.
func (p *Pace) refuse(now time.Time) {
	b := &p.block
	if b.strikes == 0 {
		b.began, b.pause = p.event, min(p.window, longestPause)
	} else {
		b.pause = min(2*b.pause, longestPause)
	}
	b.strikes++
	b.last = now
	p.measurable = now
	p.paused = later(p.paused, now.Add(b.pause))
	p.due = p.paused
	p.climb.rest(now)
}

// unblock ends the block: the server has taken a message.
func (p *Pace) unblock(now, started time.Time) {
	b := p.block
	if b.strikes == 0 {
		return
	}
	p.block = block{}
	p.measurable = started
	p.due = now.Add(p.distance())
	if b.strikes > 1 {
		p.widen(now, b)
	}
	p.climb.rest(now)
}

// widen learns from the length of a block that the server's window is longer:
// the rate is what was accepted in such a window before the block. If nothing
// was, or the block was longer than any window, it had another reason.
func (p *Pace) widen(now time.Time, b block) {
	blocked := b.last.Sub(b.began)
	for _, w := range windows {
		if w <= p.window || w <= blocked {
			continue
		}
		accepted := p.seen.count(b.began, w, now.Sub(b.began))
		if accepted > 0 {
			p.window = w
			p.fall(now, float64(accepted)/w.Seconds())
			p.due = now.Add(p.distance())
		}
		return
	}
}
