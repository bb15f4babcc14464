package kaizen

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// DefaultClient is what [Send] uses.
var DefaultClient = New(Config{})

// Send sends a message with [DefaultClient]; see [Client.Send].
func Send(ctx context.Context, account Account, m Message) (*Receipt, error) {
	return DefaultClient.Send(ctx, account, m)
}

// DialAndSend sends a message over a connection of its own, which is closed
// afterwards. The account's rates do not apply. To send more than one message,
// [Send] is faster and gentler.
func DialAndSend(ctx context.Context, account Account, m Message) (*Receipt, error) {
	c := New(Config{})
	account.Limits.Connections = 1
	account.Limits.Rates = NoRate()
	account.MinIdle = 0
	receipt, err := c.Send(ctx, account, m)
	goodbye, cancel := context.WithTimeout(ctx, goodbyeTimeout)
	defer cancel()
	// That the goodbye failed changes nothing about the message.
	_ = c.Shutdown(goodbye)
	return receipt, err
}

// goodbyeTimeout bounds how long DialAndSend waits for the answer to QUIT.
const goodbyeTimeout = 5 * time.Second

// Transport is a client's way to one account whose login is known to work. It
// is safe for concurrent use.
type Transport struct {
	client  *Client
	account Account
	closed  atomic.Bool
}

// Transport verifies the account and binds to it. It shares the account's pool
// with everybody else who uses it. An account that is stopped is not verified:
// the error is what stopped it, see [Client.Verify] and [Client.Resume].
//
// Of a chain of accounts each is verified, and one whose login works is enough.
func (c *Client) Transport(ctx context.Context, account Account) (*Transport, error) {
	works := false
	err := c.forEach(account, func(one Account) error {
		a, err := c.admit(ctx, one)
		if err == nil {
			works = true
			if account.complete() || one.Name == account.Name {
				account = a
			}
		}
		return err
	})
	if !works {
		return nil, err
	}
	return &Transport{client: c, account: account}, nil
}

// admit verifies an account that is not stopped.
func (c *Client) admit(ctx context.Context, account Account) (Account, error) {
	a, err := c.resolve(ctx, account)
	if err != nil {
		return a, err
	}
	w, err := c.way(&a)
	if err != nil {
		return a, err
	}
	if err := w.keeper.barred(w.target.Key, a.addresses(), a.config().Auth); err != nil {
		return a, front(w.account, err)
	}
	return a, w.verify(ctx, &a)
}

// Format names the account without its secrets.
func (t *Transport) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "transport of %v", t.account) }

// Send sends a message; see [Client.Send].
func (t *Transport) Send(ctx context.Context, m Message) (*Receipt, error) {
	if t.closed.Load() {
		return nil, &Error{Account: t.account.label(), Phase: smtp.PhaseWaiting, Class: ErrClosed, Err: errors.New("the transport is closed")}
	}
	return t.client.Send(ctx, t.account, m)
}

// Close closes the account's connections; see [Client.CloseAccount].
func (t *Transport) Close(ctx context.Context) error {
	if t.closed.Swap(true) {
		return nil
	}
	return t.client.CloseAccount(ctx, t.account)
}
