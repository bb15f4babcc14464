package pool

import (
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/smtp"
)

// next hands the connection its next message, if one may go now. Stream calls it.
func (c *connection) next(ahead bool) *smtp.Transaction {
	p := c.pool
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	w, slot := p.pullLocked(c, ahead, now)
	if w == nil {
		return nil
	}
	p.leaveLocked(w)
	w.state, w.conn, w.slot, w.taken = handedOut, c, slot, now
	w.addWaited(now)
	c.probing = p.quota.probe == w
	if len(c.target.endpoints) > 1 {
		p.followLocked(c, w, now)
	}
	p.count.wait.observe(now.Sub(w.queued))
	c.setHungry(false)
	c.inFlight++
	c.carried++
	c.period++
	p.inFlight.Add(1)
	p.raiseLocked(now)
	c.endpoint.raiseLocked(p.config.Connections, now)
	p.dispatchLocked(c.target, now)
	if w.item.Pulled != nil {
		w.item.Pulled()
	}
	return w.tx
}

func (p *Pool) pullLocked(c *connection, ahead bool, now time.Time) (*waiter, limit.Slot) {
	t := c.target
	if c.beside { // it is stranded
		if ahead {
			return nil, limit.Slot{}
		}
		p.unstrandLocked(c, now) // what was in flight has ended, and the connection has not
	}
	if c.quitting || p.wornLocked(c, now) {
		return nil, limit.Slot{}
	}
	if p.yieldLocked(c) {
		c.retire = closedForRoom
		p.quitLocked(c)
		return nil, limit.Slot{}
	}
	if ahead {
		p.dispatchLocked(t, now)
		if t.wantsLocked() <= 0 {
			return nil, limit.Slot{} // others are free to take it at once
		}
	}
	for w := t.line.head(); w != nil; w = t.line.head() {
		if !p.quota.passLocked(w) {
			p.blocked = true
			break
		}
		if slot, ok := p.config.Limiter.Take(now, w.use); ok {
			p.admittedLocked(now)
			return w, slot
		}
		p.quota.probe = nil // it was w's
		if err := p.config.Limiter.Fits(now, w.use); err != nil {
			w.failLocked(unfit(t.server, err)) // restricted meanwhile, or the ledger failed
			continue
		}
		p.blockLocked(w, now)
		break
	}
	return nil, limit.Slot{}
}

// finished books the end of a try and reports whether the message is back in
// line; then w belongs to somebody else already.
func (c *connection) finished(w *waiter, r *smtp.Result) (repeated bool) {
	c.inFlight--
	c.pool.inFlight.Add(-1)
	c.pool.unfollow(c, w, r)
	c.pool.count.tried(r)
	c.checkLogin()
	c.paced(w, r)
	repeated = r.Err != nil && c.troubled(w, r)
	if c.probing {
		c.probed(w, r)
	}
	if r.Outcome == smtp.Accepted || r.Outcome == smtp.Rejected {
		if c.completed++; c.completed == 1 {
			c.proved()
		}
	}
	if c.inFlight == 0 && c.retire == stillOpen {
		c.setHungry(true)
	}
	return repeated
}

// paced tells the limiter how fast the server takes messages.
func (c *connection) paced(w *waiter, r *smtp.Result) {
	p := c.pool
	if r.Outcome == smtp.Accepted {
		at := r.Started.Add(r.Duration)
		p.count.lastAccepted.Store(at.UnixNano())
		if p.config.Limiter.Accepted(at, w.taken) {
			p.paceChanged()
		}
		return
	}
	// A rate that is said of a recipient is the recipient's.
	if r.Err == nil || r.Err.Class != smtp.ClassRate || r.Err.Phase == smtp.PhaseRcpt || refusedLogin(r.Err) || r.Err.Reply.IsZero() {
		return
	}
	p.config.Limiter.Throttled(time.Now(), w.taken, r.Err.Reply.String())
	p.paceChanged()
}

// probed tells the gate how the message fared that asked.
func (c *connection) probed(w *waiter, r *smtp.Result) {
	p := c.pool
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	c.probing = false
	p.probedLocked(w, r, now)
}

// proved ends an outage with the first verdict of a connection.
func (c *connection) proved() {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if c.authErr == nil {
		c.pool.workedLocked(c, time.Now())
		c.endpoint.lapses, c.endpoint.losses = 0, 0
	}
}

// troubled draws the consequences of a failure that lies in the connection.
func (c *connection) troubled(w *waiter, r *smtp.Result) (repeated bool) {
	p := c.pool
	now := time.Now()
	switch k := r.Err.Class; {
	case (k == smtp.ClassQuota || longRest(r.Err)) && !refusedLogin(r.Err):
		after, _ := limit.RetryAfter(r.Err.Reply.Text)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.exhaustedLocked(r.Err, w, after, now)
		return false
	case refusedLogin(r.Err), k == smtp.ClassConnectionLimit, k == smtp.ClassSessionLimit:
		p.refusing(c.target, shared(c.endpoint.address, r.Err))
		p.mu.Lock()
		defer p.mu.Unlock()
		p.heedLocked(c, r.Err, now)
	default:
		if !r.Repeatable && !c.elsewhere(w, r) {
			return false
		}
		p.mu.Lock()
		defer p.mu.Unlock()
	}
	if !r.Repeatable && !c.elsewhere(w, r) || !p.repeatLocked(c, w, now) {
		return false
	}
	p.uselessServerLocked(c, r.Err, now)
	if c.retire == stillOpen {
		c.retire = closedLost
	}
	p.count.repeated.Add(1)
	if list := w.item.Repeated; list != nil { // the caller is still there: repeatLocked has looked
		*list = append(*list, r)
	}
	w.renew()
	p.joinLocked(w, now)
	p.dispatchLocked(c.target, now)
	return true
}

// heedLocked does what the server asks for between the lines.
func (p *Pool) heedLocked(c *connection, err *smtp.Error, now time.Time) {
	switch err.Class {
	case smtp.ClassAuth:
		c.authErr, c.heeded, c.retire = err, true, closedLogin
		p.refuseLocked(c.target, shared(c.endpoint.address, err), now)
	case smtp.ClassAuthTemporary, smtp.ClassQuota, smtp.ClassRate: // the latter two of a login
		c.authErr, c.retire = err, closedLogin
		if len(c.target.endpoints) > 1 {
			c.endpoint.failedLocked(shared(c.endpoint.address, err), now)
		}
	case smtp.ClassConnectionLimit:
		c.retire = closedLimit
		// A server that hangs up on an idle client says 421 too: no sign of crowding.
		if stale := c.rested && c.period == 1; !stale {
			p.crowdedLocked(c, err, now)
		}
	case smtp.ClassSessionLimit:
		c.retire = closedMessages
		p.limitSessionLocked(c.completed, err, now)
	}
}

// elsewhere: to ask this server again at once would be hammering, but another one
// may take the message.
func (c *connection) elsewhere(w *waiter, r *smtp.Result) bool {
	if len(c.target.endpoints) == 1 || r.Outcome != smtp.NotSent || w.item.Content != nil && !w.item.Content.Replayable() {
		return false
	}
	switch r.Err.Class {
	case smtp.ClassTimeout, smtp.ClassConnectionLimit, smtp.ClassAuthTemporary:
		return true
	}
	return refusedLogin(r.Err) && r.Err.Class != smtp.ClassAuth
}

// uselessServerLocked counts a fresh connection that failed its first message as a
// failure of the server, if there are others: before the message is dispatched again.
// One that had a rest may have been too old; but not one after the other.
func (p *Pool) uselessServerLocked(c *connection, err *smtp.Error, now time.Time) {
	e := c.endpoint
	if len(c.target.endpoints) == 1 || c.completed > 0 {
		return
	}
	if c.rested {
		if e.losses++; e.losses < p.config.MaxTries {
			return
		}
	}
	e.failedLocked(shared(e.address, err), now)
}

// repeatLocked says whether w may try another connection. On one that had been
// in use before, the failure says little of the server: as many such as the pool
// can hold are free, each of them costs the pool that connection.
func (p *Pool) repeatLocked(c *connection, w *waiter, now time.Time) bool {
	if w.leaving || p.closing || c.target.refused != nil || p.quota.closedLocked(now) != nil {
		return false
	}
	if (c.rested || c.completed > 0) && w.spared < p.config.Connections {
		w.spared++
		return true
	}
	if c.trial {
		return true // the message was not at stake, but for the sake of the server
	}
	w.tries++
	return w.tries < p.config.MaxTries*len(c.target.endpoints)
}
