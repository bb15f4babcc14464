package smtp

import (
	"errors"
	"fmt"
)

// exchange is a transaction on its way through a connection: what was written
// of it, and what was answered.
type exchange struct {
	t      *Transaction
	result *Result
	level  Level
	before int // transactions begun on the connection before it
	mail   mailParams
	body   contentReader
	bdat   bool
	begin  int // where the flight begins in the buffer: behind room left for BDAT

	// What was written, and what of it is still unanswered.
	authDue, reset, mailDue, dataDue bool
	mailSent, dataSent               bool
	rcptSent, rcptRead               int

	accepted  int // recipients
	go354     bool
	each      bool // recipients have verdicts of their own on the content: LMTP's
	committed bool // its final octets were handed over
	failure   *Error
	settled   bool
}

// verdicts is a Result with room for the most frequent number of recipients.
type verdicts struct {
	Result
	first [1]RecipientResult
}

// newExchange takes a transaction on, or settles it at once if this server
// cannot take it.
func (c *Conn) newExchange(t *Transaction) *exchange {
	w := c.work
	x := &w.exchanges[w.turn]
	*x = exchange{t: t, level: c.Level(), before: int(c.mails)}
	v := &verdicts{Result: Result{Server: c.info.Server, RemoteAddr: c.info.RemoteAddr, Level: x.level, LMTP: c.config.LMTP}}
	v.Recipients = v.first[:0]
	if len(t.Envelope.To) > len(v.first) {
		v.Recipients = make([]RecipientResult, 0, len(t.Envelope.To))
	}
	for i := range t.Envelope.To {
		v.Recipients = append(v.Recipients, RecipientResult{Address: t.Envelope.To[i].Address})
	}
	x.result = &v.Result
	if err := c.suit(x); err != nil {
		c.settle(x, err)
		return nil // its place is free again: the other one may be in use
	}
	w.turn = 1 - w.turn
	return x
}

// suit finds the parameters of MAIL, and what keeps this message from this server.
func (c *Conn) suit(x *exchange) *Error {
	t := x.t
	if t.withdrawn() {
		return c.canceled(PhaseWaiting)
	}
	if len(t.Envelope.To) == 0 {
		return c.unfit(errNoRecipients, ClassRecipient)
	}
	if err := prepare(t.Content); err != nil {
		return c.unfit(err, ClassContent)
	}
	seen := t.Content.traits()
	x.result.Octets = max(seen.size, 0)
	x.bdat = c.caps.Chunking && (t.Chunking || t.Binary)
	x.mail = mailParams{caps: &c.caps, size: seen.size, utf8: envelopeNeedsUTF8(&t.Envelope) || t.Content.utf8}
	if c.caps.SMTPUTF8 && c.caps.EightBitMIME && seen.headerEightBit {
		x.mail.utf8 = true
	}
	if t.Envelope.RequireTLS && !c.verified() {
		return c.unfit(errors.New("the envelope demands TLS (RFC 8689), and the connection has none whose certificate was verified"), ClassTLS)
	}
	if limit := c.caps.MaxSize; limit > 0 && seen.size > limit {
		return c.unfit(fmt.Errorf("the message has %d octets, the server takes %d", seen.size, limit), ClassSize)
	}
	if err := c.suitBody(x, seen); err != nil {
		return err
	}
	return c.suitCommands(x)
}

// verified: the server proved with a certificate who it is.
func (c *Conn) verified() bool { return c.info.TLS != nil && len(c.info.TLS.VerifiedChains) > 0 }

// prepare makes a panic of the source an error: it must not take the messages
// of others with it.
func prepare(content *Content) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = sourceError(panicError(p))
		}
	}()
	return content.Prepare()
}

// suitCommands writes the envelope's commands to see whether this server can be
// told them all: later, others may be in flight and none may be left out.
func (c *Conn) suitCommands(x *exchange) *Error {
	out := c.work.out
	if _, err := appendMail(out, &x.t.Envelope, x.mail); err != nil {
		return c.unfit(err, ClassSender)
	}
	for i := range x.t.Envelope.To {
		if _, err := appendRcpt(out, &x.t.Envelope.To[i], x.mail); err != nil {
			return c.unfit(err, ClassRecipient)
		}
	}
	return nil
}

func (c *Conn) suitBody(x *exchange, seen traits) *Error {
	t := x.t
	switch {
	case t.Binary && !(c.caps.BinaryMIME && c.caps.Chunking):
		return c.unfit(errors.New("the content is binary, and the server does not offer BINARYMIME"), ClassContent)
	case t.Binary:
		x.mail.body = "BINARYMIME"
		return nil
	case seen.longLine > 0 && !t.AllowLongLines:
		return c.unfit(longLineError(seen.longLine), ClassContent)
	case seen.complete && !seen.eightBit:
		return nil
	case c.caps.EightBitMIME:
		x.mail.body = "8BITMIME"
	case seen.eightBit:
		return c.unfit(eightBitError(seen.eightBitLine), ClassContent)
	}
	return nil
}

// unfit makes the error for a message that was refused here, before the server
// heard of it.
func (c *Conn) unfit(err error, class Class) *Error {
	var known *Error
	if errors.As(err, &known) {
		e := *known
		e.Server = c.info.Server
		return &e
	}
	return c.unfitIn(PhaseWaiting, err, class)
}

func (c *Conn) unfitIn(phase Phase, err error, class Class) *Error {
	e := &Error{Server: c.info.Server, Phase: phase, Class: class, Err: err}
	var content *contentError
	if errors.As(err, &content) {
		e.Class, e.Hint = ClassContent, content.hint
	}
	return e
}

func (c *Conn) canceled(phase Phase) *Error {
	return &Error{Server: c.info.Server, Phase: phase, Class: ClassCanceled, Err: errWithdrawn}
}

func (x *exchange) encoding() encoding {
	return encoding{
		stuff:          !x.bdat,
		raw:            x.t.Binary,
		allowEightBit:  x.mail.body != "",
		allowLongLines: x.t.AllowLongLines || x.t.Binary,
	}
}
