package pool

import (
	"context"
	"errors"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// connection is a slot of the pool with, after the dial, a Conn in it.
type connection struct {
	pool     *Pool
	target   *target
	endpoint *endpoint
	drive    func() // c.run, made once
	open     func(context.Context) (Conn, error)
	watch    watch

	// Guarded by Pool.mu.
	conn      Conn
	beside    bool      // it does not count as open: a probe, or stranded
	probe     bool      // it is dialled to see whether its server is back
	expires   time.Time // zero: never
	idleSince time.Time
	most      int // messages it may carry, as the server tells; 0: unknown
	quitting  bool

	// The driver's own.
	inFlight  int
	carried   int // messages handed to it
	period    int // of those, since it last rested
	completed int // of those, answered with a verdict
	hungry    bool
	rested    bool  // it was idle before
	loggingIn bool  // it has not logged in yet and is about to
	authErr   error // a login failed, as a transaction told
	heeded    bool  // the account was stopped for it
	probing   bool  // the message in flight asks whether the allowance is renewed
	trial     bool  // it was dialled to see whether its server is back
	retire    reason
	abrupt    bool // without a goodbye: the server is silent
}

// step is what a connection does next.
type step uint8

const (
	stepRest step = iota
	stepStream
	stepLogin
	stepQuit
)

// quitTimeout bounds how long a goodbye may hold a slot.
const quitTimeout = 5 * time.Second

// run drives the connection for one busy period. It is a goroutine of its own.
func (c *connection) run() {
	defer c.pool.goroutineEnded()
	if c.conn == nil && !c.dial() {
		return
	}
	if c.period = 0; c.rested && !c.conn.Alive() {
		c.lost(nil)
		return
	}
	for {
		var err error
		switch c.pool.step(c, c.conn.NeedsAuth()) {
		case stepRest:
			return
		case stepQuit:
			c.quit()
			return
		case stepLogin:
			err = c.conn.Authenticate(c.pool.work)
		case stepStream:
			err = c.conn.Stream(c.pool.work, c.next)
		}
		c.checkLogin()
		if c.loginFailed(err); err != nil {
			c.lost(err)
			return
		}
	}
}

// step decides under the lock what c does next, and books it.
func (p *Pool) step(c *connection, needsAuth bool) step {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	t := c.target
	if needsAuth && (t.patientLocked(now) || now.Before(c.endpoint.retryAt)) {
		c.retire = closedLogin
	}
	if p.wornLocked(c, now) {
		p.endLoginLocked(c)
		p.quitLocked(c)
		p.dispatchLocked(t, now)
		return stepQuit
	}
	if needsAuth && !p.beginLoginLocked(c) {
		return stepRest
	}
	switch {
	case t.line.n > 0 && !p.blocked:
		return stepStream
	case needsAuth:
		return stepLogin
	}
	p.restLocked(c, now)
	return stepRest
}

// wornLocked says that c takes no more messages, and notes why.
func (p *Pool) wornLocked(c *connection, now time.Time) bool {
	switch {
	case c.retire != stillOpen:
	case p.closing:
		c.retire = closedPool
	case c.target.refused != nil:
		c.retire = closedLogin
	case p.config.MessagesPerConnection > 0 && c.carried >= p.config.MessagesPerConnection:
		c.retire = closedMessages
	case p.learned.Messages > 0 && c.carried >= p.learned.Messages, c.most > 0 && c.carried >= c.most:
		c.retire = closedMessages
	case c.agedLocked(now):
		c.retire = closedLifetime
	case p.stayingLocked() > p.config.Connections && !c.endpoint.hasWorse(c.target): // restricted meanwhile, or a better server is back
		c.retire = closedForRoom
	case c.supersededLocked():
		c.retire = closedFailback
	}
	return c.retire != stillOpen
}

func (c *connection) agedLocked(now time.Time) bool {
	return !c.expires.IsZero() && !now.Before(c.expires)
}

// restLocked makes c idle: its goroutine ends.
func (p *Pool) restLocked(c *connection, now time.Time) {
	c.setHungry(false)
	c.rested = true
	c.idleSince = now
	c.target.idle = append(c.target.idle, c)
	p.sweepLaterLocked(now)
	// Somebody else may have been waiting for a connection to fall idle.
	for _, other := range p.targets {
		if other != c.target && other.line.n > 0 {
			p.dispatchLocked(other, now)
		}
	}
}

// driveLocked starts a busy period.
func (p *Pool) driveLocked(c *connection) {
	c.setHungry(true)
	p.goLocked(c.drive)
}

// retireLocked says goodbye to a connection at rest, which is in no list any more.
func (p *Pool) retireLocked(c *connection, why reason) {
	c.retire = why
	p.quitLocked(c)
	p.goLocked(c.drive)
}

// quitLocked marks that c leaves; its slot stays taken until it has.
func (p *Pool) quitLocked(c *connection) {
	c.setHungry(false)
	if c.quitting {
		return
	}
	c.quitting = true
	if !c.beside {
		p.quitting++
	}
	if c.watch.isStranded() {
		c.endpoint.stranded--
	} else {
		c.target.live--
		c.endpoint.live--
	}
}

func (c *connection) quit() {
	p := c.pool
	ctx, cancel := context.WithTimeout(p.work, quitTimeout)
	if !c.abrupt {
		_ = c.conn.Quit(ctx) // no failure of anything that was sent
	}
	cancel()
	c.gone()
}

// lost ends a connection that broke.
func (c *connection) lost(cause error) {
	p := c.pool
	p.mu.Lock()
	if c.retire == stillOpen {
		c.retire = closedLost
	}
	p.endLoginLocked(c)
	p.quitLocked(c)
	if cause != nil && c.completed == 0 && !c.rested && c.authErr == nil && !ownDoing(cause) {
		p.uselessLocked(c, cause)
	}
	p.mu.Unlock()
	c.gone()
}

// ownDoing: a connection was given up for its message, as SMTP knows no other way to
// end half a content. That says nothing of the server.
func ownDoing(cause error) bool {
	return errors.Is(cause, smtp.ClassCanceled) || errors.Is(cause, smtp.ClassContent)
}

// uselessLocked notes that c greeted and then was good for nothing. If it failed
// a message, that has its tries; if not even that, it counts as a failed dial, or
// those who wait would see one such connection after the other.
func (p *Pool) uselessLocked(c *connection, cause error) {
	if p.closing || c.period > 0 && len(c.target.endpoints) == 1 {
		c.target.failures++
		return
	}
	p.failedLocked(c, shared(c.endpoint.address, cause), time.Now())
}

func (c *connection) gone() {
	_ = c.conn.Close()
	p := c.pool
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forgetLocked(c, c.retire)
	p.watchLocked(c.target, now)
	p.dispatchAllLocked(now)
	p.warmLocked(now)
}

// forgetLocked frees the slot of c.
func (p *Pool) forgetLocked(c *connection, why reason) {
	delete(p.connections, c)
	p.countLocked(c)
	p.open--
	c.endpoint.open--
	if c.quitting {
		p.quitting--
	}
	p.count.closed[why].Add(1)
}

// setHungry books whether c is about to ask for a message.
func (c *connection) setHungry(hungry bool) {
	if hungry == c.hungry {
		return
	}
	c.hungry = hungry
	if hungry {
		c.target.hungry.Add(1)
	} else {
		c.target.hungry.Add(-1)
	}
}
