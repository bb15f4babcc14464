package kaizen

import (
	"context"

	"github.com/kaizenmail/kaizen/smtp"
)

// Verify connects to the account's server, logs in and says goodbye; nothing is
// sent. It returns nil or an [*Error] that says what is wrong.
//
// Verify uses a connection of its own, beside the pooled ones. An account that
// was stopped because its credentials were refused goes on after it succeeds.
func (c *Client) Verify(ctx context.Context, account Account) error {
	a, err := c.resolve(ctx, account)
	if err != nil {
		return err
	}
	w, err := c.way(&a)
	if err != nil {
		return err
	}
	if err := verify(ctx, &a); err != nil {
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

func verify(ctx context.Context, a *Account) error {
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
