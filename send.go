package kaizen

import (
	"context"
	"time"

	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

// Send sends a message through the account's pool and waits for the outcome.
//
// The error is non-nil exactly when some recipient was not accepted; it is an
// [*Error]. The receipt is set whenever a server was asked, also beside an error.
//
// If ctx ends before the message is on its way it is not sent. Later, the
// outcome is unknown: Send returns at once and the late verdict is logged.
func (c *Client) Send(ctx context.Context, account Account, m Message) (*Receipt, error) {
	a, err := c.resolve(ctx, account)
	if err != nil {
		return nil, err
	}
	return c.send(ctx, &a, m)
}

func (c *Client) send(ctx context.Context, a *Account, m Message) (*Receipt, error) {
	began := time.Now()
	p, err := Prepare(m)
	if err != nil {
		return nil, named(err, a)
	}
	w, err := c.way(a)
	if err != nil {
		return nil, err
	}
	d := delivery{way: w, message: p, receipt: &Receipt{Account: w.account, MessageID: p.MessageID}}
	err = d.run(ctx)
	_ = p.Content.Close() // gives back what was read of a stream that was not sent
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

// delivery is one Send: as many transactions as the server needs to take all
// recipients.
type delivery struct {
	way
	message *Prepared
	receipt *Receipt
}

func (d *delivery) run(ctx context.Context) (failed error) {
	for to := d.message.Envelope.To; len(to) > 0; {
		batch := to[:d.batch(len(to))]
		to = to[len(batch):]
		result, waited, err := d.pool.Send(ctx, d.target, d.item(batch))
		d.waited(waited)
		if result == nil {
			d.unsent(append(batch[:len(batch):len(batch)], to...), err)
			return err
		}
		d.receipt.Transactions = append(d.receipt.Transactions, result)
		over := d.collect(result, batch)
		if failed == nil || err == nil {
			failed = firstError(failed, err, len(over) < len(batch) && onlyOverflow(result))
		}
		to = append(over, to...)
	}
	return failed
}

// firstError keeps the first failure. That a transaction had its fill is none:
// the rest goes into another.
func firstError(had, err error, overflow bool) error {
	if had != nil || overflow {
		return had
	}
	return err
}

func onlyOverflow(r *smtp.Result) bool {
	for i := range r.Recipients {
		if to := &r.Recipients[i]; to.Outcome != smtp.Accepted && to.Class != smtp.ClassTooManyRecipients {
			return false
		}
	}
	return true
}

// batch is how many recipients the next transaction gets.
func (d *delivery) batch(n int) int {
	limit := d.memory.RecipientLimit()
	if limit == 0 || limit >= n || d.message.AllOrNothing || !d.message.Content.Replayable() {
		return n
	}
	return limit
}

func (d *delivery) item(to []Recipient) pool.Item {
	m := d.message
	item := pool.Item{Envelope: m.Envelope, Content: m.Content, Priority: priorities[m.Priority%4],
		AllOrNothing: m.AllOrNothing, Chunking: m.Chunking, Binary: m.Binary, AllowLongLines: m.AllowLongLines, Progress: m.Progress}
	item.Envelope.To = to
	return item
}

var priorities = [...]pool.Priority{PriorityNormal: pool.Normal, PriorityUrgent: pool.Urgent, PriorityHigh: pool.High, PriorityBulk: pool.Bulk}

// collect adds the outcomes to the receipt and returns the recipients that the
// transaction had no room for: they go into another one at once, as long as
// this one took somebody (RFC 5321 §4.5.3.1.10).
func (d *delivery) collect(r *smtp.Result, batch []Recipient) (over []Recipient) {
	again := r.Outcome == smtp.Accepted && !d.message.AllOrNothing && d.message.Content.Replayable()
	if !again && d.receipt.Recipients == nil {
		d.receipt.Recipients = r.Recipients // the usual case: one transaction
		return nil
	}
	for i, to := range r.Recipients {
		if again && to.Class == smtp.ClassTooManyRecipients {
			over = append(over, batch[i])
			continue
		}
		d.receipt.Recipients = append(d.receipt.Recipients, to)
	}
	return over
}

// unsent notes those whom no transaction reached.
func (d *delivery) unsent(to []Recipient, err error) {
	class, outcome := front("", err).Class, front("", err).Outcome
	for i := range to {
		d.receipt.Recipients = append(d.receipt.Recipients, RecipientResult{Address: to[i].Address, Outcome: outcome, Class: class})
	}
}

func (d *delivery) waited(w pool.Waited) {
	d.receipt.Waited.Total += w.Total
	d.receipt.Waited.ForRate += w.Rate
	if w.Rate > 0 {
		d.receipt.Waited.Rate = w.Limit.String()
	}
}
