package limit

import "time"

// climb is how a [Pace] finds out whether the server takes more.
type climb struct {
	ceiling float64       // a rate that was refused and has not held since; 0: none
	refused float64       // the rate last refused
	step    float64       // the next one's share of the rate
	hold    time.Duration // how long to stay below the ceiling
	until   time.Time     // when that ends
	from    time.Time     // the present rate is being proved since
	proved  int           // messages accepted since
	slipped bool          // a step back was made since the last proof
}

const (
	smallStep = 0.02
	largeStep = 0.25
	firstHold = 10 * time.Second
	shortest  = 10 * time.Second // of a proof
	used      = 0.9              // the share of a rate that proves it
	near      = 0.99             // of the ceiling: as good as there
	beyond    = 1.05             // of what was refused: the limit is another one
)

// rest begins a hold.
func (c *climb) rest(now time.Time) {
	c.until = now.Add(c.hold)
	c.from, c.proved = now, 0
}

// wait makes holds longer. A window is longer than a hold where the window is
// long: a rate is not refused before one has passed.
func (c *climb) wait(window time.Duration) {
	c.hold = min(2*c.hold, max(longestHold, 2*window))
}

// stepFailed takes back the last step.
func (p *Pace) stepFailed(now time.Time) {
	c := &p.climb
	c.ceiling, c.refused = p.rate, p.rate
	p.set(now, p.good)
	if c.next(p.rate) >= near*c.ceiling {
		c.wait(p.window)
	}
	c.step = max(c.step/2, smallStep)
	c.rest(now)
}

// stepBack answers a single complaint about a rate that held for long.
func (p *Pace) stepBack(now time.Time) {
	c := &p.climb
	c.ceiling, c.refused = p.rate, p.rate
	c.step, c.slipped = smallStep, true
	p.set(now, p.rate/(1+smallStep))
	c.wait(p.window)
	c.rest(now)
}

// prove counts an accepted message. A rate is proved when it was used for a
// while without a complaint; an idle client proves nothing.
func (p *Pace) prove(now time.Time) {
	c := &p.climb
	c.proved++
	elapsed := now.Sub(c.from)
	if elapsed < max(shortest, p.window*3/2, seconds(10/p.rate)) {
		return
	}
	enough := float64(c.proved) >= used*p.rate*elapsed.Seconds()
	c.from, c.proved = now, 0
	if !enough {
		return
	}
	c.slipped = false
	if p.rate > p.good {
		p.good = p.rate
		c.held(p.rate)
	}
	p.stepUp(now)
}

// held is a step that was proved.
func (c *climb) held(rate float64) {
	c.step = min(2*c.step, largeStep)
	if rate >= c.ceiling {
		c.ceiling = 0
	}
	if rate >= c.refused*beyond {
		c.hold = max(c.hold/2, firstHold)
	}
}

// stepUp tries more, if it is time.
func (p *Pace) stepUp(now time.Time) {
	c := &p.climb
	next := c.next(p.rate)
	if c.ceiling > 0 && next >= near*c.ceiling && now.Before(c.until) {
		return
	}
	if p.bound > 0 {
		next = min(next, p.bound)
	}
	if next > p.rate {
		p.rate, p.since = next, now
	}
}

// next is the rate to try: half way to the ceiling at most, but a small step at
// least.
func (c *climb) next(rate float64) float64 {
	next := rate * (1 + c.step)
	if c.ceiling > 0 {
		next = min(next, (rate+c.ceiling)/2)
	}
	return max(next, rate*(1+smallStep))
}
