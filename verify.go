package kaizen

import (
	"context"
	"errors"

	"github.com/kaizenmail/kaizen/smtp"
)

// Verify connects to the account's server, logs in and says goodbye; nothing is
// sent. A [Mailer] is asked by its Check, if it has one. It returns nil or an
// [*Error] that says what is wrong. Of several servers it tries each, and tells of
// the first that is not in order.
//
// Verify uses a connection of its own, beside the pooled ones. An account that
// was stopped because its credentials were refused goes on after it succeeds; if
// they are refused now, it is stopped.
//
// Of a chain of accounts each is verified; the error is about the first that fails,
// with those of the others in it.
func (c *Client) Verify(ctx context.Context, account Account) error {
	return c.forEach(account, func(a Account) error { return c.verify(ctx, a) })
}

func (c *Client) verify(ctx context.Context, account Account) error {
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
	worked, err := login(ctx, a)
	var e *smtp.Error
	switch {
	case errors.As(err, &e) && e.Class == smtp.ClassAuth:
		w.keeper.refused(w.target.Key, e)
	case worked:
		w.keeper.lift()
		w.pool.Resume(w.target.Key)
	}
	if err != nil {
		return front(w.account, err)
	}
	return nil
}

// Resume lets an account be used again that was stopped, because its credentials
// were refused, its server does not answer or an allowance was used up: a person
// says that the cause is gone. With a state directory it holds for all who share
// it. Nothing else is asked of the server; [Client.Verify] looks first. A
// changed password needs no Resume. Of a chain of accounts each is let go on.
func (c *Client) Resume(ctx context.Context, account Account) error {
	return c.forEach(account, func(a Account) error { return c.resume(ctx, a) })
}

func (c *Client) resume(ctx context.Context, account Account) error {
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
