package smtp

import (
	"context"
	"errors"
	"io"
	"time"
)

// aheadMax is the largest content behind which another envelope rides. Behind a
// larger one a message would wait long that another connection could take.
const aheadMax = 1 << 20

// enough is the free room that is not worth another look into the source.
const enough = 1 << 10

// content writes the content of x and reads the verdict. In the write that ends
// it rides the envelope of the transaction it returns, if one could be pulled.
func (c *Conn) content(x *exchange, next func(ahead bool) *Transaction) (ahead *exchange, err *Error) {
	if x.settled {
		return c.finish(x, next)
	}
	x.result.EnvelopeTime = x.sinceStarted()
	x.t.writing.Store(c)
	if x.t.withdrawn() {
		return nil, c.abandon(x, c.canceled(PhaseBody))
	}
	if err := x.t.Content.openInto(&x.body, x.encoding()); err != nil {
		return nil, c.abandon(x, c.spoiled(err))
	}
	if x.bdat {
		return c.chunks(x, next)
	}
	for {
		err := c.fill(x)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, c.abandon(x, c.spoiled(err))
		}
		if len(c.work.out) < cap(c.work.out)-groupRoom-enough {
			continue // a source may give little at a time
		}
		if err := c.flushContent(x); err != nil {
			return nil, err
		}
	}
	c.endContent(x)
	return c.finish(x, next)
}

// fill adds content to the flight until it is full. A Read of a source that is
// not in memory is not waited for by Withdraw.
func (c *Conn) fill(x *exchange) error {
	w := c.work
	n, err := c.take(x, w.out[len(w.out):cap(w.out)-groupRoom])
	w.out = w.out[:len(w.out)+n]
	return err
}

// take reads content, unless the transaction was withdrawn.
func (c *Conn) take(x *exchange, room []byte) (int, error) {
	if x.body.inMemory() {
		x.t.touching.Lock()
		defer x.t.touching.Unlock()
	}
	if x.t.withdrawn() {
		return 0, errWithdrawn
	}
	return x.body.fill(room)
}

// spoiled is the error for a content that could not be sent to its end.
func (c *Conn) spoiled(err error) *Error {
	if errors.Is(err, errWithdrawn) {
		return c.canceled(PhaseBody)
	}
	return c.unfitIn(PhaseBody, err, ClassContent)
}

// abandon gives up a transaction whose content was asked for. Only closing the
// connection keeps the server from taking the half for the whole: QUIT, RSET or
// a dot would end the content.
func (c *Conn) abandon(x *exchange, why *Error) *Error {
	c.settle(x, why)
	return why
}

// flushContent writes a full buffer of content that is not the last.
func (c *Conn) flushContent(x *exchange) *Error {
	w := c.work
	_, err := c.reader.conn.Write(w.out)
	w.out = w.out[:0]
	if err != nil {
		return c.interrupted(x, err)
	}
	x.progress()
	return nil
}

// interrupted: the connection broke while content was written. The server may
// have said why; nothing but a refusal can count now.
func (c *Conn) interrupted(x *exchange, err error) *Error {
	lost := c.lost(PhaseBody, err, c.config.Timeouts.Data)
	if c.config.LMTP {
		lost = c.lastRefusals(x, lost)
	} else if r, failed := c.reply(PhaseFinal); failed == nil && r.Code >= 400 {
		lost = c.refused(PhaseBody, r)
		if r.Code == 421 {
			lost.Outcome = NotSent
		}
	}
	c.settle(x, lost)
	return lost
}

// sinceStarted is never zero, though a clock may be coarse: zero says that it did
// not come to that.
func (x *exchange) sinceStarted() time.Duration { return max(time.Since(x.result.Started), 1) }

func (x *exchange) progress() {
	if x.t.Progress != nil {
		x.t.Progress(x.octets())
	}
}

// octets is how much content was put into flights, as the server counts it.
func (x *exchange) octets() int64 {
	if n := x.body.octets(); n > 0 || !x.bdat {
		return n
	}
	return int64(len("\r\n")) // what stands for an empty content
}

// endContent closes the content once all of it is in the flight.
func (c *Conn) endContent(x *exchange) {
	x.result.Octets = x.octets()
	c.traceContent(x.result.Octets)
	if !x.bdat {
		c.appendDot()
	}
}

func (c *Conn) appendDot() {
	c.work.out = append(c.work.out, ".\r\n"...)
	c.traceSent(".")
}

// finish passes the point of no return: it lets the next envelope ride behind
// the last octets of x, writes them, and reads the verdict on x.
func (c *Conn) finish(x *exchange, next func(ahead bool) *Transaction) (ahead *exchange, err *Error) {
	if x.settled { // nobody to deliver to: a lone dot ends the transaction
		c.appendDot()
	} else if why := c.commit(x); why != nil {
		return nil, c.abandon(x, why)
	}
	end := len(c.work.out) - x.begin
	if min(x.level, c.Level()) == LevelLookAhead && x.body.octets() <= aheadMax && c.finalsKnown(x) {
		ahead = c.pull(next, true)
	}
	if ahead != nil {
		if err := c.appendGroup(context.Background(), ahead); err != nil {
			c.settle(ahead, err)
			return nil, c.abandon(x, err)
		}
		ahead.result.Started = time.Now()
	}
	if err := c.flushLast(x, end); err != nil {
		return ahead, err
	}
	return ahead, c.readFinal(x, ahead != nil)
}

// commit asks the owner for leave to pass the point of no return.
func (c *Conn) commit(x *exchange) *Error {
	if x.t.Commit != nil {
		if err := x.t.Commit(); err != nil {
			return &Error{Server: c.info.Server, Phase: PhaseBody, Class: ClassCanceled, Err: err}
		}
	}
	if !x.t.commit() {
		return c.canceled(PhaseBody)
	}
	return nil
}

// flushLast writes the flight that ends the content. How much of it left decides
// what can be claimed: on a bare connection, not sent if the terminator did not
// leave; through TLS nobody can tell.
func (c *Conn) flushLast(x *exchange, end int) *Error {
	w := c.work
	if !x.settled { // else its owner has the result already
		x.result.RoundTrips++
	}
	c.info.RoundTrips++
	x.committed = true
	n, err := c.reader.conn.Write(w.out[x.begin:])
	w.out = w.out[:0]
	if err == nil {
		if !x.settled {
			x.result.ContentTime = x.sinceStarted()
			x.progress()
		}
		return nil
	}
	x.committed = !c.bare() || n >= end
	if !x.committed {
		return c.interrupted(x, err)
	}
	return nil // the verdict may be here all the same
}

// readFinal reads the verdict on the content (or on the lone dot, which changes
// nothing).
func (c *Conn) readFinal(x *exchange, grouped bool) *Error {
	if c.config.LMTP {
		return c.readFinals(x, grouped)
	}
	r, lost := c.reply(PhaseFinal)
	if lost != nil {
		c.settle(x, lost)
		return lost
	}
	if x.settled {
		x.go354 = false
		return c.unlessLeaving(PhaseFinal, r)
	}
	switch {
	case r.Positive():
		return c.accepted(x, r)
	case r.Code/100 == 3:
		err := c.broken(PhaseFinal, r, "the end of the content was not answered with a verdict")
		c.settle(x, err)
		return err
	case synchronizationError(r) && x.level > LevelLockStep:
		x.committed = false
		c.memory.demote(x.level)
		err := c.broken(PhaseFinal, r, "the server does not take grouped commands")
		c.settle(x, err)
		return err
	case synchronizationError(r):
		c.memory.acquit()
	}
	x.result.Final = r
	c.reused = true
	x.failure = c.refused(PhaseFinal, r)
	if x.failure.Class == ClassSessionLimit { // it says nothing about this message
		x.failure, x.committed = nil, false
		err := c.leavingBefore(x, PhaseFinal, r)
		c.settle(x, err)
		return err
	}
	c.settle(x, nil)
	return c.unlessLeaving(PhaseFinal, r)
}

func (c *Conn) accepted(x *exchange, r Reply) *Error {
	x.result.Final = r
	x.result.QueueID = queueID(r.Text)
	c.reused = true
	if x.level == LevelLockStep {
		c.needReset = false // nothing is left of a transaction that went well
		if c.caps.Pipelining {
			c.memory.confirm()
		}
	}
	c.settle(x, nil)
	return nil
}
