package smtp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// Conn is one connection to a server. See the package comment for who may call what.
type Conn struct {
	config Config
	link   *link // below TLS
	memory *Memory

	caps   Capabilities
	info   Info
	reader patientReader // its conn is what is read and written: the link, or TLS over it
	work   *workspace    // borrowed while busy

	secrets []hidden // what no reply may show, made when the first one comes

	needAuth  bool
	needReset bool  // a transaction was begun since EHLO or the last RSET
	reused    bool  // a transaction was completed here
	mails     int32 // transactions begun
	refusals  int32 // transactions in a row that found no recipient
	departing bool  // the server said 421 to one of several recipients

	heard  atomic.Int64 // when the last reply was read, in Unix nanoseconds
	cause  atomic.Pointer[error]
	closed atomic.Bool
}

// Close cuts the connection. Safe for concurrent use, and more than once.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.traceClosed(c.closeCause())
	return c.link.Close()
}

// cut closes the connection for a reason, which then explains what fails.
func (c *Conn) cut(cause error) {
	c.cause.CompareAndSwap(nil, &cause)
	c.Close()
}

func (c *Conn) closeCause() error {
	if p := c.cause.Load(); p != nil {
		return *p
	}
	return nil
}

// cutWith cuts the connection when ctx ends. The returned function ends that.
func (c *Conn) cutWith(ctx context.Context) (release func() bool) {
	if ctx.Done() == nil {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, func() { c.cut(endOf(ctx)) })
}

// endOf is why ctx ended: also its error where the caller gave a cause, so that
// callers find both.
func endOf(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// Format names the server alone: a connection knows the password.
func (c *Conn) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "smtp connection to %s", c.info.Server) }

// Capabilities are those of the last EHLO.
func (c *Conn) Capabilities() Capabilities { return c.caps }

// Level is the level the next transaction will be sent at.
func (c *Conn) Level() Level {
	if !c.caps.Pipelining {
		return LevelLockStep
	}
	level := c.memory.level()
	if c.config.MaxLevel != LevelAuto {
		level = min(level, c.config.MaxLevel)
	}
	return level
}

// MaxTransactions is how many transactions the server takes on one connection:
// what it told (RFC 9422) or was seen to take. 0 means unknown.
func (c *Conn) MaxTransactions() int {
	c.memory.mu.Lock()
	defer c.memory.mu.Unlock()
	return lower(c.caps.Limits.MailMax, c.memory.mailMax)
}

// Info tells how the connection came about.
func (c *Conn) Info() Info { return c.info }

// Heard is when the server last gave a complete reply. Safe for concurrent use.
func (c *Conn) Heard() time.Time { return time.Unix(0, c.heard.Load()) }

// NeedsAuth reports whether a login is still to come. [Conn.Stream] does it
// together with the first transaction where that saves a round trip.
func (c *Conn) NeedsAuth() bool { return c.needAuth }

// reply reads the next reply, whatever it says.
func (c *Conn) reply(phase Phase) (Reply, *Error) {
	timeout := c.replyTimeout(phase)
	c.reader.expect(timeout)
	r, err := c.work.replies.next()
	if err != nil {
		if known := (*Error)(nil); c.config.Auth != nil && phase >= PhaseAuth && errors.As(err, &known) {
			err = &Error{Class: known.Class, Err: errJunk} // its words may repeat the password
		}
		return Reply{}, c.lost(phase, err, timeout)
	}
	c.heard.Store(time.Now().UnixNano())
	shown := c.scrub(phase, r)
	c.traceReceived(shown)
	if phase == PhaseAuth && r.Code == 334 {
		return r, nil // a challenge is needed as it is
	}
	return shown, nil
}

// scrub returns a reply as it may be kept and shown, in every phase: servers
// repeat what they were told, some of them later. What EHLO offers is read as it
// is; no server has said anything to a login by then.
func (c *Conn) scrub(phase Phase, r Reply) Reply {
	if c.config.Auth == nil || phase == PhaseHello && r.Positive() {
		return r
	}
	if c.secrets == nil {
		c.secrets = c.config.Auth.secrets()
	}
	return scrubReply(r, c.secrets)
}

// hide adds the token of a mechanism to what no reply may show; a server may speak
// of one that was refused before, too.
func (c *Conn) hide(m Mechanism) {
	if m, ok := m.(*oauthMechanism); ok {
		if c.secrets == nil {
			c.secrets = c.config.Auth.secrets()
		}
		c.secrets = append(c.secrets, m.secrets()...)
	}
}

// hideResponse adds what a mechanism of the caller's says: only it knows what of
// that is secret.
func (c *Conn) hideResponse(response []byte) {
	if c.config.Auth.New == nil || len(response) < 3 {
		return
	}
	if c.secrets == nil {
		c.secrets = c.config.Auth.secrets()
	}
	c.secrets = append(c.secrets, encoded(response)...)
	for _, part := range bytes.FieldsFunc(response, func(r rune) bool { return r <= 1 }) { // as PLAIN and XOAUTH2 are written
		if text := strings.TrimPrefix(string(part), "auth=Bearer "); len(text) >= 3 && text != c.config.Auth.Username {
			c.secrets = append(c.secrets, formsOf(text)...)
		}
	}
}

// drainTimeout is how long to wait for replies once writing has failed: what
// the server said before it left is in the socket already or will not come.
const drainTimeout = 2 * time.Second

func (c *Conn) replyTimeout(phase Phase) time.Duration {
	if c.link.refused != nil {
		return drainTimeout
	}
	switch phase {
	case PhaseGreeting:
		return c.config.Timeouts.Greeting
	case PhaseFinal:
		if c.departing { // it may close, or forget to
			return c.config.Timeouts.Command
		}
		return c.config.Timeouts.Final
	}
	return c.config.Timeouts.Command
}

// command writes one line and reads its reply: a round trip.
func (c *Conn) command(phase Phase, line, shown string) (Reply, *Error) {
	c.traceSent(shown)
	if err := c.write(phase, append([]byte(line), '\r', '\n')); err != nil {
		return Reply{}, err
	}
	return c.reply(phase)
}

// write hands octets to the connection and counts a flight. When it fails the
// server's last words are read, since they tell more than the error.
func (c *Conn) write(phase Phase, p []byte) *Error {
	c.info.RoundTrips++
	_, err := c.reader.conn.Write(p)
	if err == nil {
		return nil
	}
	if r, lost := c.reply(phase); lost == nil {
		return c.refused(phase, r)
	}
	return c.lost(phase, err, c.config.Timeouts.Data)
}

// lost makes the error for a connection that broke, timed out or was cut.
func (c *Conn) lost(phase Phase, err error, timeout time.Duration) *Error {
	e := &Error{Server: c.info.Server, Phase: phase, Class: ClassConnect}
	var junk *Error
	switch cause := c.closeCause(); {
	case cause != nil:
		e.Class, e.Err = classOfCut(cause), cause
	case errors.Is(err, os.ErrDeadlineExceeded):
		e.Class, e.Err = ClassTimeout, &silentError{timeout, err}
	case errors.As(err, &junk):
		e.Class, e.Err = junk.Class, junk.Err
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		e.Err = errServerClosed
	case errors.Is(err, net.ErrClosed):
		e.Class, e.Err = ClassClosed, err
	case refusedCertificate(err):
		e.Class, e.Err, e.Hint = ClassTLS, err, certificateHint
	default:
		e.Err = err
	}
	return e
}

// classOfCut is the class of what fails on a connection that was cut for a cause.
func classOfCut(cause error) Class {
	var known *Error
	switch {
	case errors.Is(cause, context.Canceled), errors.Is(cause, errWithdrawn):
		return ClassCanceled
	case errors.Is(cause, context.DeadlineExceeded):
		return ClassTimeout
	case errors.As(cause, &known):
		return known.Class
	case errors.Is(cause, errUnasked):
		return ClassProtocol
	}
	return ClassConnect
}

// refused makes the error for a reply that says no.
func (c *Conn) refused(phase Phase, r Reply) *Error {
	class := c.classify(phase, r)
	if class == ClassNone { // a success, but not the one that was asked for
		class = ClassProtocol
	}
	return &Error{Server: c.info.Server, Phase: phase, Class: class, Outcome: Rejected, Reply: r, Hint: hintFor(phase, class, r)}
}

// broken makes the error for a server that does not keep to the protocol.
func (c *Conn) broken(phase Phase, r Reply, what string) *Error {
	return &Error{Server: c.info.Server, Phase: phase, Class: ClassProtocol, Reply: r, Err: errors.New(what)}
}

var errJunk = errors.New("not an SMTP reply")

var errServerClosed = errors.New("the server closed the connection")

// silentError is a timeout in words.
type silentError struct {
	after time.Duration
	err   error
}

func (e *silentError) Error() string { return "no progress within " + e.after.String() }
func (e *silentError) Unwrap() error { return e.err }

// Noop asks the server for a sign of life: one round trip.
func (c *Conn) Noop(ctx context.Context) error {
	defer c.cutWith(ctx)()
	c.borrow()
	defer c.giveBack()
	r, lost := c.command(PhaseIdle, "NOOP", "NOOP")
	if lost == nil && r.Code == 421 {
		lost = c.refused(PhaseIdle, r)
	}
	if lost == nil {
		lost = c.unasked(PhaseIdle)
	}
	if lost != nil {
		c.cut(lost)
		return lost
	}
	return nil
}

// unasked is the error for a server that said more than it was asked.
func (c *Conn) unasked(phase Phase) *Error {
	if c.work.replies.buffered() == 0 {
		return nil
	}
	return c.broken(phase, Reply{}, errUnasked.Error())
}

// Quit says goodbye, waits for the answer and closes. A failure to say goodbye
// is no failure of anything that was sent.
func (c *Conn) Quit(ctx context.Context) error {
	if c.closed.Load() {
		return nil
	}
	defer c.cutWith(ctx)()
	c.borrow()
	defer c.giveBack()
	_, lost := c.command(PhaseQuit, "QUIT", "QUIT")
	if c.closed.Swap(true) {
		return lost.orNil()
	}
	c.traceClosed(nil)
	err := c.reader.conn.Close() // with TLS: close_notify first
	if lost != nil {
		return lost
	}
	return ignoreGone(err)
}

// ignoreGone: a server that leaves first after QUIT has done nothing wrong.
func ignoreGone(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return nil
	}
	return err
}

func (e *Error) orNil() error {
	if e == nil {
		return nil
	}
	return e
}
