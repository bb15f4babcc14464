package kaizen

import (
	"context"
	"errors"
	"time"

	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

// Send sends a message through the account's pool and waits for the outcome.
//
// The error is non-nil exactly when some recipient was not accepted; it is an
// [*Error]. The receipt is set when a server was asked and gave the last word,
// also beside an error: some recipients may have got the message. A message that
// can go nowhere (no recipients, an address with a line end, an attachment that
// is not there) fails before any connection is made.
//
// An Account that is only the name of a chain, "office>backup", stands for several.
// A message that the first one cannot send goes to the next at once, if it was
// certainly not sent and the reason lies in the account or its server: it cannot
// be reached, refuses the login, has used up an allowance, or turns the message
// away for now. A verdict on the message, its sender or a recipient is no reason,
// nor is waiting for a limit of the account; and after an outcome that is unknown
// nothing is tried again. Recipients who have the message do not get it again.
//
// With the zero Account, Config.Router chooses. If that makes several parts of the
// message, they are sent one after the other; it cannot be AllOrNothing then, and
// its content must be such as can be read again.
//
// If ctx ends before the message is on its way it is not sent. Later, the
// outcome is unknown: Send returns at once and the late verdict is logged.
func (c *Client) Send(ctx context.Context, account Account, m Message) (*Receipt, error) {
	if c.config.Trace != nil {
		return c.sendTraced(ctx, account, m)
	}
	if c.several(&account) {
		return c.sendAlong(ctx, account.Name, m, nil)
	}
	a, err := c.resolve(ctx, account)
	if err != nil {
		return nil, err
	}
	return c.send(ctx, &a, m, nil)
}

// send tells seen, if it is not nil, what a receipt does not.
func (c *Client) send(ctx context.Context, a *Account, m Message, seen *observed) (*Receipt, error) {
	began := time.Now()
	p, err := Prepare(m)
	if err != nil {
		return nil, named(err, a)
	}
	if seen != nil {
		seen.message = p
	}
	defer p.Content.Close() // gives back what was read of a stream that was not sent
	w, err := c.way(a)
	if err == nil {
		err = w.open(ctx)
	}
	if err != nil {
		return nil, err
	}
	d := sending{way: w, message: p, receipt: &Receipt{Account: w.account, MessageID: p.MessageID}, seen: seen}
	err = d.run(ctx)
	if seen != nil {
		seen.waited = d.receipt.Waited
	}
	d.receipt.Took = time.Since(began)
	d.receipt.conclude()
	if err == nil {
		return d.receipt, nil
	}
	failure := front(w.account, err)
	failure.Recipients = d.receipt.notAccepted()
	if len(d.receipt.Transactions) == 0 {
		return nil, failure
	}
	return d.receipt, failure
}

// named puts the account's name on an error that was made without it.
func named(err error, a *Account) error {
	if e, ok := err.(*Error); ok && e.Account == "" {
		e.Account = a.label()
	}
	return err
}

// sending is one Send: as many transactions as the server needs to take all
// recipients.
type sending struct {
	way
	message *Prepared
	receipt *Receipt
	seen    *observed // nil if nobody looks
	pulled  func()    // told when a connection takes the message; may be nil
}

func (d *sending) run(ctx context.Context) error {
	to := d.message.Envelope.To
	if len(to) > 1 && !d.message.AllOrNothing && d.message.Content.Reusable() {
		return d.inParts(ctx)
	}
	result, err := d.transact(ctx, to)
	if result != nil {
		d.receipt.Recipients = result.Recipients
		return err
	}
	lost := front("", err)
	for i := range to {
		d.receipt.Recipients = append(d.receipt.Recipients, lost.about(to[i].Address, lost.Outcome))
	}
	return err
}

// transact is one transaction, repeated by the pool as long as it was not sent.
// There is no result if no connection had the last word.
func (d *sending) transact(ctx context.Context, to []Recipient) (*smtp.Result, error) {
	result, waited, err := d.pool.Send(ctx, d.target, d.item(to))
	if result == nil && barredBefore(err) && d.resumeElsewhere() {
		result, waited, err = d.pool.Send(ctx, d.target, d.item(to))
	}
	d.receipt.Waited.add(waited)
	if result != nil {
		if d.receipt.Transactions == nil {
			d.receipt.Transactions = d.receipt.first[:0]
		}
		d.receipt.Transactions = append(d.receipt.Transactions, result)
	}
	return result, err
}

// barredBefore: the account was stopped or paused, or is since, so that nothing
// was sent.
func barredBefore(err error) bool {
	return errors.Is(err, ErrAuth) || errors.Is(err, ErrQuota) || errors.Is(err, ErrRate)
}

func (d *sending) item(to []Recipient) pool.Item {
	m := d.message
	item := pool.Item{Envelope: m.Envelope, Content: m.Content, Priority: priorities[min(m.Priority, PriorityBulk)],
		AllOrNothing: m.AllOrNothing, Chunking: m.Chunking, Binary: m.Binary, AllowLongLines: m.AllowLongLines, Progress: m.Progress, Commit: m.Commit, Pulled: d.pulled}
	item.Envelope.To = to
	if d.seen != nil {
		item.Repeated = &d.seen.repeated
	}
	return item
}

var priorities = [...]pool.Priority{PriorityNormal: pool.Normal, PriorityUrgent: pool.Urgent, PriorityHigh: pool.High, PriorityBulk: pool.Bulk}
