package kaizen

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"

	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

// Mailer takes messages in place of a server: a program, a folder, an HTTP API.
// Packages sendmail and maildrop have two; any other is set as [Account.Mailer].
// It must be safe for concurrent use.
//
// A method Check(context.Context) error, if it has one, tells whether messages
// would be taken, as far as that can be told without one. [Client.Verify] calls
// it, and each of the account's connections (see [Account.Mailer]) before its first
// message and after a failure of class ErrConnect or ErrTimeout. As long as it
// fails, messages fail or wait as for a server that cannot be reached.
type Mailer interface {
	// Mail hands over one message for all recipients of its envelope, and returns
	// when it is known what became of it, or soon after ctx has ended. What it
	// returns is explained at [smtp.Carry]: nil and a positive reply (or the zero
	// Reply) if the message was accepted, an [*smtp.Error] to say exactly why not.
	// Single recipients are refused with [smtp.Submission.Refuse].
	Mail(ctx context.Context, s *smtp.Submission) (Reply, error)
	// String names the mailer and tells it from others, without a secret:
	// "sendmail:/usr/sbin/sendmail". It stands where the address of a server does,
	// and must always be the same: mailers of one String are taken for one.
	String() string
}

// checker is what a [Mailer] may have beside.
type checker interface {
	Check(ctx context.Context) error
}

// checkMailer asks a mailer whether it would take messages.
func checkMailer(ctx context.Context, m Mailer) (err error) {
	c, ok := m.(checker)
	if !ok {
		return nil
	}
	if err = c.Check(ctx); err == nil {
		return nil
	}
	told := smtp.Error{Phase: smtp.PhaseConnect, Class: smtp.ClassConnect, Err: err}
	if known, ok := errors.AsType[*smtp.Error](err); ok {
		told = *known
	}
	told.Server, told.Outcome = m.String(), smtp.NotSent
	return &told
}

// mailerRoute is the way to an account without a server.
func (l *lane) mailerRoute(a *Account) route {
	mailer, key, server, k := a.Mailer, a.connectionKey(), a.address(), l.keeper
	k.use(key, nil)
	dial := func(ctx context.Context) (pool.Conn, error) {
		if err := k.barred(key, []string{server}, nil); err != nil {
			return nil, err
		}
		if err := checkMailer(ctx, mailer); err != nil {
			return nil, err
		}
		return &mailerConn{mailer: mailer, server: server}, nil
	}
	return route{account: *a, memories: memories{l.memory(server)}, target: pool.Target{Key: key, Server: server, Dial: dial}}
}

// mailerConn is what stands for a connection: one message at a time.
type mailerConn struct {
	mailer Mailer
	server string
	closed atomic.Bool
}

// Stream hands over message after message. An error means that the mailer is to
// be checked before the next one.
func (c *mailerConn) Stream(ctx context.Context, next func(ahead bool) *smtp.Transaction) error {
	for t := next(false); t != nil; t = next(false) {
		if err := smtp.Carry(ctx, c.server, t, c.mailer.Mail); err != nil {
			return err
		}
	}
	return nil
}

// Authenticate has nothing to do: a mailer has its credentials itself.
func (c *mailerConn) Authenticate(context.Context) error { return nil }

// NeedsAuth is false.
func (c *mailerConn) NeedsAuth() bool { return false }

// Alive is true until the end.
func (c *mailerConn) Alive() bool { return !c.closed.Load() }

// Quit says goodbye to nobody.
func (c *mailerConn) Quit(context.Context) error { return c.Close() }

// Close ends it. What is under way ends with the context of Stream.
func (c *mailerConn) Close() error {
	c.closed.Store(true)
	return nil
}

// address is what stands for the server in errors, results and statistics.
func (a *Account) address() string {
	if a.Mailer != nil {
		return a.Mailer.String()
	}
	return a.config().Address()
}

// complete reports whether the account says where messages go.
func (a *Account) complete() bool { return a.Host != "" || a.Socket != "" || a.Mailer != nil }

// ambiguous is the error for an account with two ways.
func (a *Account) ambiguous() error {
	if a.Mailer == nil || a.Host == "" && a.Socket == "" && len(a.Servers) == 0 {
		return nil
	}
	return &Error{Account: a.Name, Phase: smtp.PhaseWaiting, Class: ErrConnect, Err: errors.New("the account has a server and a mailer"),
		Hint: "set one of Account.Host and Account.Mailer"}
}

// sameMailer compares without a panic: a mailer may be of any type.
func sameMailer(a, b Mailer) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	t := reflect.TypeOf(a)
	return t == reflect.TypeOf(b) && t.Kind() == reflect.Pointer && a == b
}
