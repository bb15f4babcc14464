package kaizen

import (
	"context"
	"errors"

	"github.com/kaizenmail/kaizen/smtp"
)

// Verify connects to the account's server, logs in and says goodbye; nothing is
// sent. A [Mailer] is asked by its Check, if it has one. It returns nil or an [*Error] that says what is wrong.
//
// Verify uses a connection of its own, beside the pooled ones. An account that
// was stopped because its credentials were refused goes on after it succeeds; if
// they are refused now, it is stopped.
func (c *Client) Verify(ctx context.Context, account Account) error {
	a, err := c.resolve(ctx, account)
	if err != nil {
		return err
	}
	w, err := c.way(&a)
	if err != nil {
		return err
	}
	return w.verify(ctx, &a)
}

func (w *way) verify(ctx context.Context, a *Account) error {
	if err := login(ctx, a); err != nil {
		var e *smtp.Error
		if errors.As(err, &e) && e.Class == smtp.ClassAuth {
			w.keeper.refused(w.target.Key, e)
		}
		return front(w.account, err)
	}
	w.keeper.lift()
	w.pool.Resume(w.target.Key)
	return nil
}

// Resume lets an account be used again that was stopped, because its credentials
// were refused, its server does not answer or an allowance was used up: a person
// says that the cause is gone. With a state directory it holds for all who share
// it. Nothing else is asked of the server; [Client.Verify] looks first. A
// changed password needs no Resume.
func (c *Client) Resume(ctx context.Context, account Account) error {
	a, err := c.resolve(ctx, account)
	if err != nil {
		return err
	}
	w, err := c.way(&a)
	if err != nil {
		return err
	}
	w.keeper.lift()
	w.pool.Resume(w.target.Key)
	return nil
}

// login logs in on a connection of its own.
func login(ctx context.Context, a *Account) error {
	if a.Mailer != nil {
		return checkMailer(ctx, a.Mailer)
	}
	conn, err := smtp.Dial(ctx, a.config())
	if err != nil {
		return err
	}
	if err := conn.Authenticate(ctx); err != nil {
		return err
	}
	// The login worked; how the server takes the goodbye is no concern.
	_ = conn.Quit(ctx)
	return nil
}
