package smtp

import (
	"context"
	"time"
)

// Stream sends transactions until next returns nil, then returns nil and leaves
// the connection at rest. Any other return means that the connection is closed.
// Every transaction that next handed out has been told its outcome by then.
//
// next must not block. It is called with ahead false when nothing is in flight,
// and with ahead true when the last octets of a message are ready to be written
// and the envelope of another could ride behind them.
//
// When ctx ends the connection is cut at once.
func (c *Conn) Stream(ctx context.Context, next func(ahead bool) *Transaction) error {
	if c.closed.Load() {
		return c.lost(PhaseIdle, errServerClosed, 0)
	}
	defer c.cutWith(ctx)()
	c.borrow()
	defer c.giveBack()
	if c.needAuth && !c.authRidesAlong() {
		if err := c.login(ctx); err != nil {
			c.cut(err)
			return err
		}
	}
	for {
		x := c.pull(next, false)
		if x == nil {
			return c.rest()
		}
		if err := c.run(ctx, x, next); err != nil {
			c.cut(err)
			return err
		}
	}
}

// rest checks that the server said no more than it was asked.
func (c *Conn) rest() error {
	err := c.overheard(nil, PhaseIdle)
	if err == nil {
		return nil
	}
	c.cut(err)
	return err
}

// overheard is the error for a server that has said something when everything
// was answered. It may be leaving; else one reply was too many, and nobody knows
// since when they are counted wrongly.
func (c *Conn) overheard(x *exchange, phase Phase) *Error {
	if c.work.replies.buffered() == 0 {
		return nil
	}
	r, lost := c.reply(phase)
	switch {
	case lost != nil:
		return lost
	case r.Code == 421:
		return c.leaving(phase, r)
	}
	return c.astray(x, phase, r, errUnasked.Error())
}

// astray is the error for a reply that fits nothing that was asked. What was
// read of x before may have been meant for other commands, so it is no verdict.
func (c *Conn) astray(x *exchange, phase Phase, r Reply, what string) *Error {
	level := c.Level()
	if x != nil {
		level = x.level
		x.failure = nil
		for i := range x.result.Recipients {
			x.result.Recipients[i] = RecipientResult{Address: x.result.Recipients[i].Address}
		}
	}
	if level > LevelLockStep {
		c.memory.stepDown(level)
	}
	return c.broken(phase, r, what)
}

// pull takes the next transaction that this server can take.
func (c *Conn) pull(next func(ahead bool) *Transaction, ahead bool) *exchange {
	for t := next(ahead); t != nil; t = next(ahead) {
		if x := c.newExchange(t); x != nil {
			return x
		}
	}
	return nil
}

// run sends x, and whatever can be pulled behind its content, until nothing is
// in flight. An error means that the connection is of no use any more.
func (c *Conn) run(ctx context.Context, x *exchange, next func(ahead bool) *Transaction) *Error {
	if err := c.envelope(ctx, x); err != nil {
		return err
	}
	for x != nil && x.ready() {
		ahead, err := c.content(x, next)
		if err == nil && ahead != nil {
			err = c.envelope(ctx, ahead)
		}
		if err != nil {
			if ahead != nil {
				c.settle(ahead, c.behind(err))
			}
			return err
		}
		x = ahead
	}
	return nil
}

// behind is the error of a transaction whose envelope rode behind one that
// broke: the server never got to it, or never answered.
func (c *Conn) behind(err *Error) *Error {
	e := *err
	e.Outcome = NotSent
	return &e
}

// ready: the server waits for the content, or for the lone dot.
func (x *exchange) ready() bool { return !x.settled || x.go354 }

// envelope sends what is left of the envelope and reads all verdicts on it.
// Afterwards x is settled, or the server waits for its content.
func (c *Conn) envelope(ctx context.Context, x *exchange) *Error {
	for {
		if err := c.listen(x); err != nil {
			c.settle(x, err)
			return err
		}
		if x.go354 && x.accepted == 0 {
			c.settle(x, nil) // the lone dot to come changes nothing
		}
		if x.settled || x.go354 || c.decide(x) || x.bdat && x.envelopeDone() {
			return nil
		}
		err := c.appendGroup(ctx, x)
		if err == nil {
			err = c.flushGroup(x)
		}
		if err != nil {
			c.settle(x, err)
			return err
		}
	}
}

// listen reads all replies that x waits for, and makes sure that there are no
// more of them.
func (c *Conn) listen(x *exchange) *Error {
	if x.outstanding() {
		if err := c.readGroup(x); err != nil {
			c.demoteFor(x, err)
			return err
		}
	}
	return c.overheard(x, PhaseIdle)
}

// flushGroup writes what was put together; a group is a round trip.
func (c *Conn) flushGroup(x *exchange) *Error {
	w := c.work
	x.result.RoundTrips++
	if x.result.Started.IsZero() {
		x.result.Started = time.Now()
	}
	c.info.RoundTrips++
	_, err := c.reader.conn.Write(w.out)
	w.out = w.out[:0]
	if err != nil && c.link.refused == nil {
		return c.lost(PhaseMail, err, c.config.Timeouts.Data)
	}
	// After a failed write the replies that still come decide.
	return nil
}

// decide ends an envelope that cannot get a content: nothing is written for it.
func (c *Conn) decide(x *exchange) (done bool) {
	refusedSome := x.rcptRead > x.accepted
	switch {
	case x.failure != nil:
	case x.t.withdrawn():
		x.failure = c.canceled(PhaseRcpt)
	case x.t.AllOrNothing && refusedSome && x.rcptRead == x.rcptSent:
	case x.envelopeDone() && x.accepted == 0:
	default:
		return false
	}
	c.settle(x, nil)
	return true
}
