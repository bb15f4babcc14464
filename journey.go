package kaizen

import (
	"context"
	"fmt"
	"time"

	routing "github.com/kaizenmail/kaizen/route"
	"github.com/kaizenmail/kaizen/smtp"
)

// journey is one Send through several accounts: those of a chain, one after the
// other, and the parts that the rules make of a message.
type journey struct {
	client   *Client
	message  *Prepared
	receipt  *Receipt
	seen     *observed // nil if nobody looks
	failures []*Error  // with the last word about some recipient
}

// sendAlong is send for a message that several accounts may be for.
func (c *Client) sendAlong(ctx context.Context, account string, m Message, seen *observed) (*Receipt, error) {
	began := time.Now()
	p, err := Prepare(m)
	if err != nil {
		if account != "" {
			err = named(err, &Account{Name: account})
		}
		return nil, err
	}
	if seen != nil {
		seen.message = p
	}
	defer p.Content.Close() // gives back what was read of a stream that was not sent
	parts, err := c.parts(account, p, p.Tags, "")
	if err == nil {
		err = divisible(p, parts)
	}
	if err != nil {
		return nil, err
	}
	j := journey{client: c, message: p, seen: seen,
		receipt: &Receipt{MessageID: p.MessageID, Recipients: make([]RecipientResult, len(p.Envelope.To))}}
	for i := range parts {
		j.part(ctx, &parts[i])
	}
	return j.end(began)
}

func (j *journey) end(began time.Time) (*Receipt, error) {
	r := j.receipt
	if j.seen != nil {
		j.seen.waited = r.Waited
	}
	r.Took = time.Since(began)
	r.conclude()
	for i := range r.Parts {
		if r.Account = r.Parts[i].Account; r.Parts[i].accepted() {
			break
		}
	}
	if len(j.failures) == 0 {
		return r, nil
	}
	failure := j.worst()
	failure.Recipients = r.notAccepted()
	if len(r.Transactions) == 0 {
		return nil, failure
	}
	return r, failure
}

// worst is the first failure, unless a later one leaves it open whether the message
// was sent; with the others in it.
func (j *journey) worst() *Error {
	at := 0
	for i, e := range j.failures {
		if e.Outcome == smtp.Unknown && j.failures[at].Outcome != smtp.Unknown {
			at = i
		}
	}
	worst := *j.failures[at]
	for i, e := range j.failures {
		if i != at {
			worst.Others = append(worst.Others, e)
		}
	}
	return &worst
}

// part sends to the recipients of one part through the accounts of its chain. One
// that is down, and that another message asks already, has its turn at the end.
func (j *journey) part(ctx context.Context, p *routing.Part) {
	chain, _ := chainOf(p.Account) // parts has checked it
	h := hops{journey: j, rules: p.Rules, left: p.Recipients}
	var later []*outlet
	for i, name := range chain {
		o, err := j.client.member(ctx, name)
		switch {
		case err != nil:
			h.unusable(name, err)
		case i < len(chain)-1 && o.beingAsked():
			later = append(later, o)
		default:
			h.through(ctx, o)
		}
		if h.over(ctx) {
			return
		}
	}
	for _, o := range later {
		if h.through(ctx, o); h.over(ctx) {
			return
		}
	}
	h.giveUp()
}

// hops are the accounts that one part of a message is tried through.
type hops struct {
	*journey
	rules  []string
	left   []int    // recipients that no account has settled
	passed []*Error // why they went on
	stop   bool     // nothing more can be tried
}

// over reports whether no further account is to be tried.
func (h *hops) over(ctx context.Context) bool {
	h.stop = h.stop || ctx.Err() != nil && len(h.passed) > 0
	if h.stop && len(h.left) > 0 {
		h.giveUp()
	}
	return h.stop || len(h.left) == 0
}

// giveUp settles that those who are left get nothing.
func (h *hops) giveUp() {
	n := len(h.passed)
	last := *h.passed[n-1]
	last.Others = h.passed[: n-1 : n-1]
	h.failures = append(h.failures, &last)
	h.left = nil
}

// unusable notes an account that is not there, or cannot be used now.
func (h *hops) unusable(name string, err error) {
	e := front(name, err)
	r := &Receipt{Account: name}
	for _, place := range h.left {
		r.Recipients = append(r.Recipients, e.about(h.message.Envelope.To[place].Address, smtp.NotSent))
	}
	h.book(r, e)
}

// through sends through one account.
func (h *hops) through(ctx context.Context, o *outlet) {
	if err := o.way.open(ctx); err != nil {
		h.unusable(o.way.account, err)
		return
	}
	p := *h.message
	p.Envelope.To = pick(h.message.Envelope.To, h.left)
	d := sending{way: o.way, message: &p, seen: h.seen, receipt: &Receipt{Account: o.way.account, MessageID: p.MessageID}}
	err := d.run(ctx)
	h.book(d.receipt, front(o.way.account, err))
}

// book notes what an account did, and leaves those who may be tried through the
// next one.
func (h *hops) book(r *Receipt, e *Error) {
	if e != nil {
		own := *e // others may have it too
		e = &own
		e.Recipients = r.notAccepted()
	}
	h.receipt.add(r, h.rules, e)
	var left []int
	var settled *Error // the first failure that is one for good
	for i, place := range h.left {
		to := &r.Recipients[i]
		h.receipt.Recipients[place] = *to
		switch {
		case to.Outcome == smtp.Accepted:
		case movesOn(to, r.Transactions):
			left = append(left, place)
		case settled == nil:
			settled = &Error{Account: r.Account, Server: e.Server, Phase: smtp.PhaseRcpt, Class: to.Class, Outcome: to.Outcome,
				Reply: to.Reply, Err: fmt.Errorf("recipient %s", to.Address)}
		}
	}
	if h.left = left; settled != nil {
		if len(left) == 0 {
			settled = e // it is about nobody else
		}
		h.failures = append(h.failures, settled)
	}
	if len(left) == 0 {
		return
	}
	h.passed = append(h.passed, e)
	h.stop = len(r.Transactions) > 0 && !h.message.Content.Reusable()
}
