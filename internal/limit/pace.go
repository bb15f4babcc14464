package limit

import "time"

// Pace is how fast a server was seen to take messages: nothing as long as it
// does not complain, then evenly spaced messages at a rate that follows what
// the server takes.
//
// At the first complaint the rate falls to 0.95 of what was accepted in the
// last window. It climbs from there in small steps, larger ones while nothing
// is refused, and only if the present rate was really used. A step that is
// refused is taken back, and the next one comes later: after 10 s at first,
// after 10 minutes in the end. When nothing is taken at all, one message at a
// time asks again after growing pauses of 5 minutes at most.
//
// What is not known of the server is guessed: its window, which is a second
// until its words or the length of a pause tell otherwise; and what it counts,
// which is messages.
//
// A Pace reads no clock and waits for nothing; times must not go back by more
// than a round trip. The zero value knows nothing and limits nothing. It is not
// safe for concurrent use.
type Pace struct {
	active bool
	bound  float64       // what is configured, per second; 0: not known
	rate   float64       // what is tried, per second
	good   float64       // the highest rate that was used and held
	window time.Duration // the server's, as far as it is known
	seen   acceptances

	due    time.Time // of the next message by its distance from the last
	paused time.Time // nothing starts before

	event      time.Time // the last complaint that was news
	sinceEvent int       // accepted of those started after it
	measurable time.Time // acceptances before it say nothing about the present limit
	burst      int       // accepted before the first complaint, in its window; later complaints: 0

	block block
	climb climb

	since     time.Time // of the present rate
	complaint time.Time // the last one
	reply     string    // its text
}

const (
	fallTo       = 0.95             // of what was accepted
	firstWindow  = time.Second      // until more is known
	isolated     = 100              // a complaint after so many accepted ones is no fall: 1 % is tolerable
	longestPause = 5 * time.Minute  // between two messages that ask whether anything is taken again
	slowest      = 1.0 / 3600       // per second: one in the longest window
	proofOfFall  = 20               // messages by which a paced rate is measured
	forgetBound  = time.Hour        // without a complaint, at the configured rate
	forget       = 24 * time.Hour   // without a complaint, at any rate
	longestLate  = time.Second      // that a late message may be made up for
	longestHold  = 10 * time.Minute // between two steps above what was refused
)

// Bound says what rate is configured, in messages per second; 0, the default,
// says that none is. A Pace does not climb above it, and ends when it has been
// there for an hour without a complaint. Without a bound it ends after a day.
func (p *Pace) Bound(perSecond float64) { p.bound = max(perSecond, 0) }

// Next is the earliest instant at which the next message may be started: now or
// later. It changes with every call of the other methods; Accepted and
// Throttled may bring it nearer or push it away.
func (p *Pace) Next(now time.Time) time.Time {
	p.dissolve(now)
	if !p.active {
		return now
	}
	return later(now, later(p.paused, p.due))
}

// Take says that a message is started now. Pass that instant to Accepted,
// Throttled or Cancel later.
func (p *Pace) Take(now time.Time) {
	if !p.active {
		return
	}
	distance := p.distance()
	if p.block.strikes > 0 {
		distance = p.block.pause // one at a time, until its answer is known
	}
	if now.Sub(p.due) > p.tolerance() {
		p.due = now
	}
	p.due = p.due.Add(distance)
}

// Cancel says that a message that was taken never reached the server.
func (p *Pace) Cancel(now time.Time) {
	switch {
	case !p.active:
	case p.block.strikes > 0:
		p.due = now
	default:
		p.due = p.due.Add(-p.distance())
	}
}

// Accepted says that the server took a message that was started then. Of
// messages that it refused for another reason than their rate, and of those
// whose fate is unknown, nothing is said.
func (p *Pace) Accepted(now, started time.Time) {
	p.seen.add(now)
	switch {
	case !p.active:
	case !started.After(p.event):
		p.acceptedLate()
	default:
		p.sinceEvent++
		p.unblock(now, started)
		p.prove(now)
	}
}

// Throttled says that the server refused a message started then because of its
// rate, with this reply (code and text). If the reply says when to come back,
// nothing is started before.
func (p *Pace) Throttled(now, started time.Time, reply string) {
	p.complaint, p.reply = now, reply
	if wait, said := RetryAfter(reply); said {
		p.paused = later(p.paused, now.Add(wait))
	}
	if p.active && !started.After(p.event) {
		return // on its way when the server complained: the same event
	}
	if w, said := WindowIn(reply); said {
		p.window = w
	}
	p.judge(now)
	p.event, p.sinceEvent = now, 0
	p.due = later(p.due, now.Add(p.distance()))
}

// judge decides what a complaint means.
func (p *Pace) judge(now time.Time) {
	p.burst = 0
	switch {
	case !p.active:
		p.begin(now)
	case p.sinceEvent == 0:
		p.refuse(now)
		return // its pause is longer than that for room
	case p.rate > p.good:
		p.stepFailed(now)
	case p.sinceEvent >= isolated || !p.climb.slipped:
		p.stepBack(now)
	default:
		p.fall(now, p.accepted(now))
	}
	p.waitForRoom(now)
}

// begin is the first complaint.
func (p *Pace) begin(now time.Time) {
	if p.window == 0 {
		p.window = firstWindow
	}
	p.active = true
	p.climb = climb{hold: firstHold, step: smallStep}
	p.measurable = now.Add(-p.window)
	burst := p.seen.count(now, p.window, 0)
	if burst == 0 {
		p.set(now, 1/p.window.Seconds())
		p.climb.step = largeStep // a guess: find the rate soon
		p.event = now
		p.refuse(now)
		return
	}
	p.rate = float64(burst) / p.window.Seconds()
	p.fall(now, p.rate)
	p.burst = burst
}

// fall goes down to a share of what was accepted.
func (p *Pace) fall(now time.Time, accepted float64) {
	before := p.rate
	accepted = max(min(accepted, p.rate), slowest)
	p.set(now, fallTo*accepted)
	p.climb.ceiling, p.climb.refused = accepted, accepted
	p.climb.step = smallStep
	if p.rate < 0.85*before {
		p.climb.hold = firstHold // the limit is another one: what was learned is void
	} else {
		p.climb.wait(p.window)
	}
	p.climb.rest(now)
}

// acceptedLate is a message of the burst before the first complaint, whose
// answer came after it.
func (p *Pace) acceptedLate() {
	if p.burst == 0 {
		return
	}
	p.burst++
	accepted := float64(p.burst) / p.window.Seconds()
	p.rate, p.good, p.climb.ceiling = fallTo*accepted, fallTo*accepted, accepted
}

// accepted is the rate accepted of late: in the last window, or while a number
// of messages were sent if that is longer.
func (p *Pace) accepted(now time.Time) float64 {
	known := now.Sub(p.measurable)
	span := max(p.window, min(known, seconds(proofOfFall/p.rate)))
	return float64(p.seen.count(now, min(span, known), 0)) / span.Seconds()
}

// waitForRoom lets the server's window lose the first of the messages that
// fill it: what was accepted in a burst is still counted there.
func (p *Pace) waitForRoom(now time.Time) {
	if oldest, any := p.seen.oldest(now, p.window); any {
		p.paused = later(p.paused, oldest.Add(p.window))
	}
}

// set makes a rate the present one, and takes it for good.
func (p *Pace) set(now time.Time, rate float64) {
	p.rate = max(rate, slowest)
	p.good, p.since = p.rate, now
}

// dissolve ends what nobody complained about for long.
func (p *Pace) dissolve(now time.Time) {
	if !p.active || now.Before(p.paused) {
		return
	}
	quiet := now.Sub(p.complaint)
	if quiet > forget || quiet > forgetBound && p.bound > 0 && p.rate >= p.bound {
		*p = Pace{bound: p.bound, seen: p.seen}
	}
}

// distance is the time between two messages.
func (p *Pace) distance() time.Duration { return seconds(1 / p.rate) }

// tolerance is how much earlier a message may start after one that was late,
// so that the rate is reached though timers and connections are late: little
// enough not to be seen in the server's window.
func (p *Pace) tolerance() time.Duration { return min(p.window/100, longestLate) }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
