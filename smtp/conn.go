package smtp

import (
	"context"
	"errors"
)

// Conn is one connection to a server. See the package comment for who may call what.
type Conn struct{}

// Dial connects to the server, secures the connection, and reads what the
// server offers. It does not log in: see [Conn.Authenticate].
//
// The context bounds dialling only. Errors are of type [*Error].
func Dial(ctx context.Context, config Config) (*Conn, error) { return nil, errors.ErrUnsupported }

// Authenticate logs in, if Config.Auth is set and it was not done yet.
func (c *Conn) Authenticate(ctx context.Context) error { return errors.ErrUnsupported }

// NeedsAuth reports whether a login is still to come. [Conn.Stream] does it
// together with the first transaction where that saves a round trip.
func (c *Conn) NeedsAuth() bool { return false }

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
	return errors.ErrUnsupported
}

// Send sends one message and waits for its outcome. The error is the result's
// Err; both are returned where some recipients were accepted.
func (c *Conn) Send(ctx context.Context, t *Transaction) (*Result, error) {
	return nil, errors.ErrUnsupported
}

// Withdraw takes the transaction back. It returns true if the message will
// certainly not be sent, and false if that is too late: the octets that can
// deliver it have been, or are being, written. Safe for concurrent use.
func (t *Transaction) Withdraw() bool { return false }

// Alive reports, without a round trip, whether an idle connection seems usable:
// the server has neither closed it nor said anything unasked.
func (c *Conn) Alive() bool { return false }

// Noop asks the server for a sign of life: one round trip.
func (c *Conn) Noop(ctx context.Context) error { return errors.ErrUnsupported }

// Quit says goodbye, waits for the answer and closes. A failure to say goodbye
// is no failure of anything that was sent.
func (c *Conn) Quit(ctx context.Context) error { return errors.ErrUnsupported }

// Close cuts the connection. Safe for concurrent use, and more than once.
func (c *Conn) Close() error { return errors.ErrUnsupported }

// Capabilities are those of the last EHLO.
func (c *Conn) Capabilities() Capabilities { return Capabilities{} }

// Level is the level the next transaction will be sent at.
func (c *Conn) Level() Level { return LevelAuto }

// Info tells how the connection came about.
func (c *Conn) Info() Info { return Info{} }
