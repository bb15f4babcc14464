package smtp

import (
	"fmt"
	"time"
)

// settle writes the outcome into the result and tells the owner. cause is what
// ended the transaction if it was not its own verdict; a verdict that was read
// before counts more (a server may refuse MAIL and hang up).
func (c *Conn) settle(x *exchange, cause *Error) {
	if x.settled {
		return
	}
	x.settled = true
	x.t.writing.Store(nil)
	x.body.close()
	x.mailCounted()
	r := x.result
	if !r.Started.IsZero() {
		r.Duration = max(time.Since(r.Started), r.EnvelopeTime, r.ContentTime)
		if x.before == 0 {
			info := c.info
			r.Opened = &info
		}
	}
	if x.failure != nil {
		cause = x.failure
	}
	if x.each {
		c.judgeEach(x, cause)
	} else {
		c.judge(x, cause)
	}
	r.Repeatable = r.Outcome == NotSent && c.repeatable(x, r.Err)
	x.t.Done(r)
}

// mailCounted tells once that the server's clock has seen MAIL by now.
func (x *exchange) mailCounted() {
	if x.mailDue && x.t.MailReplied != nil {
		x.t.MailReplied()
	}
	x.mailDue = false
}

// judge spreads the transaction's fate over its recipients; those refused by
// themselves keep their own reply.
func (c *Conn) judge(x *exchange, cause *Error) {
	r := x.result
	fate := x.fate(cause)
	shared := RecipientResult{Outcome: fate, Class: ClassRecipient}
	switch {
	case fate == Accepted:
		shared.Class, shared.Reply = ClassNone, r.Final
	case cause != nil:
		shared.Class, shared.Reply = cause.Class, cause.Reply
	}
	refused := x.spread(shared)
	r.Outcome = fate
	if refused == nil && fate == Accepted {
		return
	}
	if refused != nil && (cause == nil || fate == NotSent && x.allRefused()) {
		if fate != Accepted {
			r.Outcome = Rejected
		}
		r.Err = c.refused(PhaseRcpt, refused.Reply)
		r.Err.Err = fmt.Errorf("recipient %s", refused.Address)
		return
	}
	r.Err = cause
	r.Err.Outcome = fate
}

// fate is what becomes of the recipients that were not refused by themselves.
func (x *exchange) fate(cause *Error) Outcome {
	switch {
	case x.result.Final.Positive():
		return Accepted
	case cause == nil:
		return NotSent
	case cause.Outcome == NotSent && x.committed:
		return Unknown
	}
	return cause.Outcome
}

// spread gives all recipients that have no verdict of their own the shared fate,
// and returns the first refused one.
func (x *exchange) spread(shared RecipientResult) (refused *RecipientResult) {
	for i := range x.result.Recipients {
		to := &x.result.Recipients[i]
		if to.Outcome != Rejected && to.Outcome != Accepted {
			to.Outcome, to.Class, to.Reply = shared.Outcome, shared.Class, shared.Reply
		} else if refused == nil && !to.Reply.IsZero() && x.rcptRefused(i) {
			refused = to
		}
	}
	return refused
}

// rcptRefused: the reply to this RCPT was read, and it was no.
func (x *exchange) rcptRefused(i int) bool { return i < x.rcptRead }

func (x *exchange) allRefused() bool {
	return x.accepted == 0 && x.rcptRead == len(x.result.Recipients)
}

// repeatable: the reason lies in the connection or in how commands were
// grouped, so that another connection may do at once what this one could not.
// On a connection that has never worked, silence or a 421 is the server's
// answer, and asking again would be hammering.
func (c *Conn) repeatable(x *exchange, why *Error) bool {
	if x.t.withdrawn() || !x.t.Content.Replayable() {
		return false
	}
	switch why.Class {
	case ClassSessionLimit:
		return true
	case ClassProtocol:
		return x.level > LevelLockStep || c.reused
	case ClassConnect:
		return true
	case ClassTimeout, ClassConnectionLimit:
		return c.reused
	}
	return false
}
