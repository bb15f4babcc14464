package smtp

import "context"

const (
	// maxGroup bounds the octets of commands that are unanswered at a time, so
	// that neither side's buffers can fill while both write (RFC 2920 §3.1).
	maxGroup      = 4 << 10
	maxGroupRcpts = 100
	// refusalsToHold is after how many envelopes in a row without any recipient
	// DATA waits for the verdicts: each needless DATA is one more error, and
	// servers hang up on those who make many.
	refusalsToHold = 2
)

// appendGroup adds as much of the envelope to the flight as may be unanswered.
func (c *Conn) appendGroup(ctx context.Context, x *exchange) *Error {
	w := c.work
	lockStep := x.level == LevelLockStep
	if c.needAuth && !x.authDue {
		if err := c.appendAuth(ctx, x); err != nil {
			return err
		}
	}
	start := len(w.out) // behind the login, which the trace must not see
	if !x.mailSent {
		if c.needReset {
			w.out = append(w.out, "RSET\r\n"...)
			x.reset = true
			if c.needReset = false; lockStep {
				return c.traceGroup(start)
			}
		}
		if err := c.appendMailTo(x); err != nil || lockStep {
			return err
		}
	}
	room := maxGroupRcpts
	for x.rcptSent < len(x.t.Envelope.To) && room > 0 && len(w.out)-start < maxGroup {
		if err := c.appendRcptTo(x); err != nil || lockStep {
			return err
		}
		room--
	}
	if x.rcptSent == len(x.t.Envelope.To) && c.dataFits(x) {
		w.out = append(w.out, "DATA\r\n"...)
		x.dataSent, x.dataDue = true, true
	}
	return c.traceGroup(start)
}

func (c *Conn) traceGroup(start int) *Error {
	c.traceLines(c.work.out[start:])
	return nil
}

// dataFits: DATA may stand in this group. It must wait for the verdicts on the
// recipients if one of them can forbid it, since SMTP cannot abort after 354.
func (c *Conn) dataFits(x *exchange) bool {
	switch {
	case x.bdat || x.dataSent:
		return false
	case x.rcptRead == len(x.t.Envelope.To):
		return true
	}
	return x.level > LevelLockStep && !x.t.AllOrNothing && c.refusals < refusalsToHold
}

func (c *Conn) appendMailTo(x *exchange) *Error {
	w := c.work
	start := len(w.out)
	out, err := appendMail(w.out, &x.t.Envelope, x.mail)
	if err != nil {
		return c.unfit(err, ClassSender)
	}
	w.out = out
	x.mailSent, x.mailDue = true, true
	c.needReset = true
	c.mails++
	if x.level == LevelLockStep {
		c.traceLines(w.out[start:])
	}
	return nil
}

func (c *Conn) appendRcptTo(x *exchange) *Error {
	w := c.work
	start := len(w.out)
	out, err := appendRcpt(w.out, &x.t.Envelope.To[x.rcptSent], x.mail)
	if err != nil {
		return c.unfit(err, ClassRecipient)
	}
	w.out = out
	x.rcptSent++
	if x.level == LevelLockStep {
		c.traceLines(w.out[start:])
	}
	return nil
}

// outstanding: something of x was written and is not answered yet.
func (x *exchange) outstanding() bool {
	return x.authDue || x.reset || x.mailDue || x.rcptRead < x.rcptSent || x.dataDue
}

// envelopeDone: every command of the envelope but DATA is answered.
func (x *exchange) envelopeDone() bool {
	return x.mailSent && x.rcptRead == len(x.t.Envelope.To)
}

// readGroup reads the replies to what was written of x, matched by count alone
// (RFC 2920 §3.1).
func (c *Conn) readGroup(x *exchange) *Error {
	if x.authDue {
		if err := c.readAuth(x); err != nil {
			return err
		}
	}
	if x.reset {
		if err := c.readReset(x); err != nil {
			return err
		}
	}
	if x.mailDue {
		if err := c.readMail(x); err != nil {
			return err
		}
	}
	for x.rcptRead < x.rcptSent {
		if err := c.readRcpt(x); err != nil {
			return err
		}
	}
	if x.dataDue {
		return c.readData(x)
	}
	return nil
}

// readReset: a server that does not know where it stands is of no use.
func (c *Conn) readReset(x *exchange) *Error {
	r, lost := c.reply(PhaseReset)
	if lost != nil {
		return lost
	}
	x.reset = false
	switch {
	case r.Code == 421:
		return c.leavingBefore(x, PhaseReset, r)
	case !r.Positive():
		if x.level > LevelLockStep {
			c.memory.stepDown(x.level)
		}
		return c.broken(PhaseReset, r, "RSET was refused")
	}
	return nil
}

func (c *Conn) readMail(x *exchange) *Error {
	r, lost := c.reply(PhaseMail)
	x.mailCounted()
	if lost != nil {
		return lost
	}
	x.result.Mail = r
	switch {
	case r.Positive():
		return nil
	case r.Code < 400:
		return c.astray(x, PhaseMail, r, "MAIL was not answered with a verdict")
	}
	return c.noVerdict(x, PhaseMail, r)
}

func (c *Conn) readRcpt(x *exchange) *Error {
	r, lost := c.reply(PhaseRcpt)
	if lost != nil {
		return lost
	}
	to := &x.result.Recipients[x.rcptRead]
	switch {
	case r.Positive():
		x.rcptRead++
		x.accepted++
		return nil
	case r.Code < 400:
		return c.astray(x, PhaseRcpt, r, "RCPT was not answered with a verdict")
	case r.Code == 421 || x.failure == nil && x.level > LevelLockStep && synchronizationError(r):
		return c.noVerdict(x, PhaseRcpt, r)
	}
	x.rcptRead++
	if x.failure != nil { // a consequence of MAIL's refusal
		return nil
	}
	if synchronizationError(r) {
		c.memory.acquit()
	}
	to.Outcome, to.Phase, to.Reply, to.Class = Rejected, PhaseRcpt, r, c.classify(PhaseRcpt, r)
	if to.Class == ClassTooManyRecipients {
		c.memory.envelopeFull(x.accepted)
	}
	return nil
}

func (c *Conn) readData(x *exchange) *Error {
	r, lost := c.reply(PhaseData)
	if lost != nil {
		return lost
	}
	x.dataDue = false
	switch {
	case r.Code == 354:
		return c.readGo(x, r)
	case r.Code < 400:
		return c.astray(x, PhaseData, r, "DATA was not answered with 354")
	case x.failure != nil || x.accepted == 0:
		c.refusals++
		return c.unlessLeaving(PhaseData, r)
	}
	x.result.Data = r
	return c.noVerdict(x, PhaseData, r)
}

// readGo: the server waits for a content. If no recipient was accepted it gets
// a lone dot, which delivers nothing (RFC 2920 §4). If MAIL was refused and yet
// a recipient accepted, nobody knows what a content would do.
func (c *Conn) readGo(x *exchange, r Reply) *Error {
	if x.failure != nil && x.accepted > 0 {
		return c.broken(PhaseData, r, "DATA was accepted although MAIL was not")
	}
	if x.accepted == 0 && c.config.LMTP {
		return c.endless(x, r)
	}
	x.go354 = true
	if x.accepted == 0 {
		c.refusals++
		return nil
	}
	c.refusals = 0
	if x.level > LevelLockStep {
		c.memory.groupClean()
	}
	return nil
}

// noVerdict handles a refusal of MAIL, of DATA, or one by a server that did not
// follow. It returns an error if the connection is over.
func (c *Conn) noVerdict(x *exchange, phase Phase, r Reply) *Error {
	switch {
	case r.Code == 421:
		return c.leavingBefore(x, phase, r)
	case synchronizationError(r) && x.level > LevelLockStep:
		c.memory.demote(x.level)
		return c.broken(phase, r, "the server does not take grouped commands")
	case synchronizationError(r):
		c.memory.acquit()
	}
	refusal := c.refused(phase, r)
	if refusal.Class == ClassSessionLimit {
		return c.leavingBefore(x, phase, r)
	}
	x.failure = refusal
	return nil
}

func (c *Conn) unlessLeaving(phase Phase, r Reply) *Error {
	if r.Code == 421 {
		return c.leaving(phase, r)
	}
	return nil
}

// leaving is the error for a server that ends the session: what it had not
// accepted yet was not sent.
func (c *Conn) leaving(phase Phase, r Reply) *Error {
	e := c.refused(phase, r)
	e.Outcome = NotSent
	return e
}

// leavingBefore: x is one more than the server takes on a connection, if that
// is its reason.
func (c *Conn) leavingBefore(x *exchange, phase Phase, r Reply) *Error {
	e := c.leaving(phase, r)
	if e.Class == ClassSessionLimit {
		c.memory.sessionFull(x.before)
	}
	return e
}

// demoteFor notes a connection that broke in the middle of a group.
func (c *Conn) demoteFor(x *exchange, err *Error) {
	if x.level == LevelLockStep || err.Reply.Code != 0 || c.closeCause() != nil {
		return
	}
	if err.Class == ClassProtocol || err.Class == ClassTimeout && x.partlyAnswered() {
		c.memory.stepDown(x.level)
		return
	}
	if x.partlyAnswered() {
		c.memory.lostInGroup(x.level)
	}
}

func (x *exchange) partlyAnswered() bool { return !x.result.Mail.IsZero() && x.outstanding() }
