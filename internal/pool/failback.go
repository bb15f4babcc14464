package pool

import "time"

// inUse is how long after its last message a target looks whether servers that
// failed are back.
const inUse = time.Minute

// watchLocked looks after the servers of a target, if it has several: whether one
// has fallen silent, and whether one that failed is back.
func (p *Pool) watchLocked(t *target, now time.Time) {
	if len(t.endpoints) == 1 || p.closing {
		return
	}
	for _, e := range t.endpoints {
		p.listenLocked(t, e, now)
		p.probeLocked(t, e, now)
	}
}

// listenLocked gives a server up that has been silent for too long.
func (p *Pool) listenLocked(t *target, e *endpoint, now time.Time) {
	if !e.watched {
		return
	}
	silent, again := e.silentLocked(t.patience, now)
	if silent {
		p.listenCloselyLocked(e)
		silent, again = e.silentLocked(t.patience, now)
	}
	switch {
	case silent:
		e.watched = false
		p.strandLocked(t, e, now)
	case again.IsZero():
		e.watched = false
	default:
		p.alarmLocked(again, now)
	}
}

// probeLocked dials a server that failed, when its time has come, beside the
// connections that there are: they need not make room for a server that may still
// be gone.
func (p *Pool) probeLocked(t *target, e *endpoint, now time.Time) {
	switch {
	case e.failures == 0 || e.dialling > 0 || e.live > 0 || t.refused != nil:
		return
	case !e.bearsProbe(p.config.Connections):
		return // the end of one of its connections brings us here again
	case t.line.n == 0 && p.inFlight.Load() == 0 && now.Sub(t.used) > inUse:
		return
	case t.failures > 0 && t.deserted():
		return // the next message asks
	case now.Before(e.retryAt):
		p.alarmLocked(e.retryAt, now)
		return
	}
	t.probing++
	c := p.openLocked(t, e)
	c.probe = true
	p.uncountLocked(c)
}

// bearsProbe: beside those that it has not answered on, a silent server gets one
// connection more than a pool may open.
func (e *endpoint) bearsProbe(most int) bool {
	return e.open < most || e.open == most && e.stranded > 0
}

// dialledLocked books the end of a dial.
func (c *connection) dialledLocked() {
	c.endpoint.dialling--
	if c.probe {
		c.target.probing--
		c.probe, c.trial = false, true
		c.pool.countLocked(c)
		return
	}
	c.target.dialling--
}

// supersededLocked: a better server works.
func (c *connection) supersededLocked() bool {
	first := c.target.endpoints[0]
	if first.priority == c.endpoint.priority {
		return false
	}
	for _, e := range c.target.endpoints {
		if e.priority < c.endpoint.priority && e.failures == 0 && e.open < c.pool.config.Connections {
			return true
		}
	}
	return false
}

// hasWorse: connections to a worse server are open, which leave before those to e.
func (e *endpoint) hasWorse(t *target) bool {
	for _, other := range t.endpoints {
		if other.priority > e.priority && other.live > 0 {
			return true
		}
	}
	return false
}

// giveUpIdleLocked takes the idle connection that was used longest ago, of the
// worst server.
func (t *target) giveUpIdleLocked() *connection {
	at := 0
	for i, c := range t.idle {
		if c.endpoint.priority > t.idle[at].endpoint.priority {
			at = i
		}
	}
	c := t.idle[at]
	t.idle = append(t.idle[:at], t.idle[at+1:]...)
	return c
}

// usedLocked is how many connections there are that count.
func (p *Pool) usedLocked() int { return p.open - p.beside }

// stayingLocked is how many of them are not about to leave.
func (p *Pool) stayingLocked() int { return p.open - p.beside - p.quitting }

func (p *Pool) uncountLocked(c *connection) {
	if c.beside {
		return
	}
	c.beside = true
	p.beside++
	if c.quitting {
		p.quitting--
	}
}

func (p *Pool) countLocked(c *connection) {
	if !c.beside {
		return
	}
	c.beside = false
	p.beside--
	if c.quitting {
		p.quitting++
	}
}
