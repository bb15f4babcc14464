package smtp

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Carry takes a transaction through mail, which hands the message to something
// that is no SMTP server. All that holds on a connection holds here: what is
// [Transaction.Withdraw]n before its last octets were given is not sent, Commit is
// asked before them, Done is told exactly once, from this goroutine. server is
// what stands for a server's address in results and errors.
//
// The context of mail ends with ctx, and when the transaction is withdrawn. What
// mail returns decides:
//
//   - nil, and a positive reply or none: accepted. If the content was not read to
//     its end, nobody knows what was accepted: unknown.
//   - nil, and a reply of 4xx or 5xx: rejected.
//   - an [*Error]: as it says. An Outcome that is left out claims not sent. A
//     missing Class is made of the reply.
//   - any other error, or a panic: not sent if the content was not read to its
//     end, else unknown.
//
// It returns nil or an [*Error] if something other than the message may be to
// blame. Binary content is refused: line ends would not survive.
func Carry(ctx context.Context, server string, t *Transaction, mail func(context.Context, *Submission) (Reply, error)) error {
	c := &carriage{server: server, t: t, result: &Result{Server: server, Recipients: make([]RecipientResult, len(t.Envelope.To))}}
	for i := range t.Envelope.To {
		c.result.Recipients[i].Address = t.Envelope.To[i].Address
	}
	failed := c.run(ctx, mail)
	c.settle(failed)
	if failed == nil || failed.Class != ClassConnect && failed.Class != ClassTimeout {
		return nil
	}
	told := *failed
	return &told
}

// carriage is a transaction on its way through something that is no connection.
type carriage struct {
	server string
	t      *Transaction
	result *Result
	s      *Submission
	load   load
}

// run hands the message over; the error is the fate of those recipients that were
// not refused by themselves, nil if they were accepted.
func (c *carriage) run(ctx context.Context, mail func(context.Context, *Submission) (Reply, error)) *Error {
	if err := c.begin(); err != nil {
		return err
	}
	defer c.load.close()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	withdraw := func() { stop(errWithdrawn) }
	c.t.carried.Store(&withdraw)
	defer c.t.carried.Store(nil)
	if c.t.withdrawn() {
		return c.wrong(PhaseWaiting, ClassCanceled, errWithdrawn)
	}
	c.result.Started = time.Now()
	reply, err := c.mail(ctx, mail)
	c.load.stop()
	failed := c.judge(ctx, reply, err)
	c.result.Duration = max(time.Since(c.result.Started), c.result.ContentTime, 1)
	if c.t.MailReplied != nil {
		c.t.MailReplied()
	}
	return failed
}

// begin makes sure that the message can go at all.
func (c *carriage) begin() *Error {
	if c.t.withdrawn() {
		return c.wrong(PhaseWaiting, ClassCanceled, errWithdrawn)
	}
	if err := prepare(c.t.Content); err != nil {
		return c.wrong(PhaseWaiting, ClassContent, err)
	}
	if c.t.Binary {
		return c.wrong(PhaseWaiting, ClassContent, errBinaryCarried)
	}
	s, err := c.t.submission(&c.load)
	if err != nil {
		return c.wrong(PhaseWaiting, ClassRecipient, err)
	}
	if err := c.t.Content.openInto(&c.load.body, encoding{allowEightBit: true, allowLongLines: c.t.AllowLongLines}); err != nil {
		return c.wrong(PhaseWaiting, ClassContent, err)
	}
	c.s = s
	c.load.init(c.t, c.result)
	return nil
}

var errBinaryCarried = errors.New("the content is binary, and only an SMTP server with BINARYMIME takes that")

// mail calls the function; a panic in it must not take other messages along.
func (c *carriage) mail(ctx context.Context, mail func(context.Context, *Submission) (Reply, error)) (reply Reply, err error) {
	defer func() {
		if p := recover(); p != nil {
			reply, err = Reply{}, panicError(p)
		}
	}()
	reply, err = mail(ctx, c.s)
	reply.Text = harmless([]byte(reply.Text))
	return reply, err
}

// judge says what became of the message.
func (c *carriage) judge(ctx context.Context, reply Reply, err error) *Error {
	if err == nil && !reply.Temporary() && !reply.Permanent() {
		return c.accepted(reply)
	}
	var said *Error
	switch {
	case errors.As(err, &said) && (said.Outcome == Unknown || said.Outcome == Accepted):
		// Nothing that happened besides makes more certain what it does not know, and
		// the message cannot be taken back any more.
		_ = c.load.commit()
		return c.said(said)
	case err == nil:
		c.result.Final = reply
		return &Error{Server: c.server, Phase: PhaseFinal, Class: Classify(PhaseFinal, reply), Outcome: Rejected, Reply: reply}
	case c.load.failed != nil && !c.load.complete:
		return c.contentFailed()
	case !c.load.complete && ctx.Err() != nil:
		return c.wrong(PhaseBody, classOfCut(context.Cause(ctx)), context.Cause(ctx))
	case said != nil:
		return c.said(said)
	}
	failed := c.wrong(PhaseFinal, ClassConnect, err)
	if !c.load.complete {
		failed.Phase = PhaseBody
	} else {
		failed.Outcome = Unknown
	}
	if ctx.Err() != nil {
		failed.Class = classOfCut(context.Cause(ctx))
	}
	return failed
}

// accepted believes a success only if it can be about the whole message.
func (c *carriage) accepted(reply Reply) *Error {
	if c.load.complete {
		if reply.IsZero() {
			reply = Reply{Code: 250, Enhanced: EnhancedCode{2, 0, 0}, Text: "accepted"}
		}
		c.result.Final = reply
		c.result.QueueID = queueID(reply.Text)
		return nil
	}
	failed := c.wrong(PhaseBody, ClassProtocol, errPartAccepted)
	if c.load.failed != nil {
		failed = c.contentFailed()
		failed.Err = fmt.Errorf("%w: %w", errPartAccepted, failed.Err)
	}
	// What was taken cannot be taken back: the owner is to know that first.
	_ = c.load.commit()
	failed.Outcome = Unknown
	return failed
}

var errPartAccepted = errors.New("it claims to have accepted the message without having read it to its end")

// contentFailed is why the content was not given to its end.
func (c *carriage) contentFailed() *Error {
	var known *Error
	if errors.As(c.load.failed, &known) {
		return known
	}
	return c.wrong(PhaseBody, ClassContent, c.load.failed)
}

// said completes what the one who took the message says.
func (c *carriage) said(known *Error) *Error {
	e := *known
	e.Server = c.server
	e.Reply.Text = harmless([]byte(e.Reply.Text))
	if e.Phase == PhaseNone && c.load.complete {
		e.Phase = PhaseFinal
	} else if e.Phase == PhaseNone {
		e.Phase = PhaseBody
	}
	if e.Class == ClassNone {
		if e.Class = Classify(e.Phase, e.Reply); e.Class == ClassNone {
			e.Class = ClassConnect
		}
	}
	if e.Outcome == Accepted { // an error says otherwise
		e.Outcome = Unknown
	}
	if e.Outcome == Rejected {
		c.result.Final = e.Reply
	}
	return &e
}

func (c *carriage) wrong(phase Phase, class Class, err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		e := *known
		e.Server = c.server
		return &e
	}
	e := &Error{Server: c.server, Phase: phase, Class: class, Err: err}
	var content *contentError
	if errors.As(err, &content) {
		e.Class, e.Hint = ClassContent, content.hint
	}
	return e
}

// settle spreads the fate of the message over its recipients and tells the owner.
func (c *carriage) settle(failed *Error) {
	r := c.result
	shared := RecipientResult{Outcome: Accepted, Reply: r.Final}
	if failed != nil {
		shared = RecipientResult{Outcome: failed.Outcome, Class: failed.Class, Reply: failed.Reply}
	}
	refused, others := -1, false
	for i := range r.Recipients {
		to := &r.Recipients[i]
		if c.s != nil && c.s.refused != nil && !c.s.refused[i].IsZero() {
			why := c.s.refused[i]
			why.Text = harmless([]byte(why.Text))
			to.Outcome, to.Class, to.Reply = Rejected, Classify(PhaseRcpt, why), why
			if refused < 0 {
				refused = i
			}
			continue
		}
		to.Outcome, to.Class, to.Reply, others = shared.Outcome, shared.Class, shared.Reply, true
	}
	r.Outcome, r.Err = shared.Outcome, failed
	if refused >= 0 && (failed == nil || !others) {
		r.Err = c.refusal(&r.Recipients[refused])
		if !others {
			r.Outcome = Rejected
		}
	}
	c.t.Done(r)
}

func (c *carriage) refusal(to *RecipientResult) *Error {
	return &Error{Server: c.server, Phase: PhaseRcpt, Class: to.Class, Outcome: Rejected, Reply: to.Reply, Err: fmt.Errorf("recipient %s", to.Address)}
}
