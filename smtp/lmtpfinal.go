package smtp

import (
	"errors"
	"fmt"
	"slices"
)

// readFinals reads the verdicts on a content in LMTP: one for each recipient
// whose RCPT was accepted, in their order (RFC 2033 §4.2, §4.3).
func (c *Conn) readFinals(x *exchange, grouped bool) *Error {
	w := c.work
	w.finals = w.finals[:0]
	for len(w.finals) < x.accepted {
		r, lost := c.reply(PhaseFinal)
		switch {
		case lost != nil: // those that were read stand
			if n := len(w.finals); n > 0 && lost.Class == ClassTimeout {
				lost.Hint = fmt.Sprintf("the server gave %d of %d replies; LMTP wants one for each recipient", n, x.accepted)
			}
			x.takeFinals(c)
			c.settle(x, lost)
			return lost
		case r.Code < 400 && !r.Positive():
			return c.strayFinal(x, r, grouped)
		}
		w.finals = append(w.finals, r)
		c.reused = true
		c.departing = c.departing || r.Code == 421 // who is left may be answered yet, or not
	}
	return c.concludeFinals(x)
}

// strayFinal is the error for a reply that is no verdict. If an envelope rides
// behind the content, those before it may have been meant for that.
func (c *Conn) strayFinal(x *exchange, r Reply, grouped bool) *Error {
	if !grouped {
		x.takeFinals(c)
	}
	err := c.broken(PhaseFinal, r, "the end of the content was not answered with a verdict for each recipient")
	c.settle(x, err)
	return err
}

// concludeFinals settles x by verdicts that are complete.
func (c *Conn) concludeFinals(x *exchange) *Error {
	finals := c.work.finals
	unfollowed := all(finals, synchronizationError)
	switch {
	case unfollowed && x.level > LevelLockStep:
		x.committed = false
		c.memory.demote(x.level)
		err := c.broken(PhaseFinal, finals[0], "the server does not take grouped commands")
		c.settle(x, err)
		return err
	case unfollowed:
		c.memory.acquit()
	case all(finals, func(r Reply) bool { return c.classify(PhaseFinal, r) == ClassSessionLimit }):
		x.committed = false // they say nothing about this message
		err := c.leavingBefore(x, PhaseFinal, finals[0])
		c.settle(x, err)
		return err
	}
	c.learnFinals(x)
	x.takeFinals(c)
	c.settle(x, nil)
	if i := slices.IndexFunc(finals, func(r Reply) bool { return r.Code == 421 }); i >= 0 {
		return c.leaving(PhaseFinal, finals[i])
	}
	return nil
}

func all(replies []Reply, is func(Reply) bool) bool {
	return !slices.ContainsFunc(replies, func(r Reply) bool { return !is(r) })
}

// learnFinals notes what a complete answer says of the server.
func (c *Conn) learnFinals(x *exchange) {
	if x.level > LevelLockStep {
		return
	}
	if all(c.work.finals, Reply.Positive) {
		c.needReset = false // nothing is left of a transaction that went well
	}
	if c.caps.Pipelining && slices.ContainsFunc(c.work.finals, Reply.Positive) {
		c.memory.confirm()
	}
}

// lastRefusals reads what the server said of recipients before the connection
// broke in the middle of the content: nothing but refusals can count.
func (c *Conn) lastRefusals(x *exchange, lost *Error) *Error {
	w := c.work
	w.finals = w.finals[:0]
	for len(w.finals) < x.accepted {
		r, failed := c.reply(PhaseFinal)
		if failed != nil || r.Code < 400 {
			break
		}
		if r.Code == 421 {
			lost = c.leaving(PhaseBody, r)
			break
		}
		w.finals = append(w.finals, r)
	}
	x.takeFinals(c)
	return lost
}

// takeFinals gives each recipient its verdict, as far as they were read.
func (x *exchange) takeFinals(c *Conn) {
	finals := c.work.finals
	if len(finals) == 0 {
		return
	}
	x.each = true
	for i := range x.result.Recipients {
		to := &x.result.Recipients[i]
		if len(finals) > 0 && to.Outcome != Rejected {
			c.takeFinal(x.result, to, finals[0])
			finals = finals[1:]
		}
	}
}

func (c *Conn) takeFinal(all *Result, to *RecipientResult, r Reply) {
	to.Phase, to.Reply = PhaseFinal, r
	if !r.Positive() {
		to.Outcome, to.Class = Rejected, c.classify(PhaseFinal, r)
		if all.Final.IsZero() {
			all.Final = r
		}
		return
	}
	to.Outcome, to.QueueID = Accepted, queueID(r.Text)
	if !all.Final.Positive() {
		all.Final, all.QueueID = r, to.QueueID
	}
}

// firstRefused is for whom the error of those speaks who were refused. Those for
// whom there was no room count last: they go into another transaction.
func firstRefused(recipients []RecipientResult) (first *RecipientResult) {
	for i := range recipients {
		to := &recipients[i]
		if to.Outcome == Rejected && (first == nil || first.Class == ClassTooManyRecipients && to.Class != ClassTooManyRecipients) {
			first = to
		}
	}
	return first
}

// judgeEach is judge for recipients with verdicts of their own. cause is what
// became of the others, if there are any.
func (c *Conn) judgeEach(x *exchange, cause *Error) {
	r := x.result
	rest := RecipientResult{}
	if cause != nil {
		rest = RecipientResult{Outcome: cause.Outcome, Class: cause.Class, Reply: cause.Reply}
		if x.committed {
			rest.Outcome = Unknown
		}
	}
	x.spread(rest)
	count := tally(r.Recipients)
	r.Outcome = count.outcome()
	missing := len(r.Recipients) - count[Accepted]
	switch {
	case missing == 0:
	case count[Rejected] == missing:
		refused := firstRefused(r.Recipients)
		r.Err = c.refused(refused.Phase, refused.Reply)
		r.Err.Err = aboutFirst(refused.Address, missing, nil)
	default:
		r.Err = firstWithout(r.Recipients, cause, rest.Outcome, missing)
	}
}

// outcomes counts recipients by outcome.
type outcomes [Unknown + 1]int

func tally(recipients []RecipientResult) (n outcomes) {
	for i := range recipients {
		n[recipients[i].Outcome]++
	}
	return n
}

// outcome of the whole: what was accepted or may have been counts most.
func (n outcomes) outcome() Outcome {
	for _, o := range []Outcome{Accepted, Unknown, NotSent} {
		if n[o] > 0 {
			return o
		}
	}
	return Rejected
}

// firstWithout is the error for those who have no verdict: in doubt, it counts
// more than a refusal.
func firstWithout(recipients []RecipientResult, cause *Error, fate Outcome, missing int) *Error {
	i := slices.IndexFunc(recipients, func(to RecipientResult) bool { return to.Outcome == fate })
	e := *cause // others may be told of the same one
	e.Outcome, e.Err = fate, aboutFirst(recipients[i].Address, missing, cause.Err)
	return &e
}

// aboutFirst names a recipient who was not accepted, and how many were not.
func aboutFirst(address string, missing int, cause error) error {
	about := "recipient " + address
	if missing > 1 {
		about += fmt.Sprintf(", one of %d not accepted", missing)
	}
	if cause == nil {
		return errors.New(about)
	}
	return fmt.Errorf("%s: %w", about, cause)
}
