package kaizen

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kaizenmail/kaizen/smtp"
)

// inParts sends to several recipients: at once if the server lets it, else to as
// many at a time as it takes (RFC 5321 §4.5.3.1.10).
func (d *sending) inParts(ctx context.Context) (failed error) {
	all := d.message.Envelope.To
	d.receipt.Recipients = make([]RecipientResult, len(all))
	left := make([]int, len(all)) // where they stand in the envelope
	for i := range left {
		left[i] = i
	}
	for len(left) > 0 {
		part := left[:d.room(len(left))]
		left = left[len(part):]
		result, err := d.transact(ctx, pick(all, part))
		if result == nil {
			d.unsent(part, front("", err).Outcome, err)
			d.unsent(left, smtp.NotSent, err)
			return worse(failed, err)
		}
		over := d.collect(result, part)
		if len(over) > 0 && result.Err.Class == smtp.ClassTooManyRecipients {
			err = beside(result)
		}
		failed = worse(failed, err)
		if hopeless(result) {
			d.unsent(left, smtp.NotSent, err)
			return failed
		}
		left = append(over, left...)
	}
	return failed
}

// room is how many of n recipients the next transaction gets.
func (d *sending) room(n int) int {
	if limit := d.memories.recipientLimit(); limit > 0 {
		return min(limit, n)
	}
	return n
}

func pick(all []Recipient, places []int) []Recipient {
	if len(places) == len(all) {
		return all
	}
	to := make([]Recipient, len(places))
	for i, place := range places {
		to[i] = all[place]
	}
	return to
}

// collect notes the outcomes and returns those for whom the transaction had no
// room: they go into another one, as long as this one took somebody, or with LMTP
// asked about somebody.
func (d *sending) collect(r *smtp.Result, part []int) (over []int) {
	went := r.Outcome == smtp.Accepted || slices.ContainsFunc(r.Recipients, hasFinal)
	for i, to := range r.Recipients {
		d.receipt.Recipients[part[i]] = to
		if went && to.Class == smtp.ClassTooManyRecipients {
			over = append(over, part[i])
		}
	}
	return over
}

// hasFinal: the content was answered for this recipient by itself.
func hasFinal(to smtp.RecipientResult) bool { return to.Phase == smtp.PhaseFinal }

// beside is the failure of a transaction without those it had no room for.
func beside(r *smtp.Result) error {
	for i := range r.Recipients {
		if to := &r.Recipients[i]; to.Outcome != smtp.Accepted && to.Class != smtp.ClassTooManyRecipients {
			return &smtp.Error{Server: r.Server, Phase: cmp.Or(to.Phase, smtp.PhaseRcpt), Class: to.Class, Outcome: to.Outcome,
				Reply: to.Reply, Err: fmt.Errorf("recipient %s", to.Address)}
		}
	}
	return nil
}

// hopeless: the server said no to something that the next part would have in
// common with this one.
func hopeless(r *smtp.Result) bool {
	if r.Err != nil && r.LMTP && r.Err.Phase == smtp.PhaseFinal && r.Err.Outcome == smtp.Rejected {
		return false // it is about one recipient
	}
	return r.Outcome != smtp.Accepted && r.Err != nil && r.Err.Phase != smtp.PhaseRcpt
}

// worse keeps the first failure, unless a later one leaves it open whether the
// message was sent.
func worse(had, err error) error {
	var e *smtp.Error
	if had == nil || errors.As(err, &e) && e.Outcome == smtp.Unknown {
		return err
	}
	return had
}

// unsent notes those whom no transaction with a verdict reached.
func (d *sending) unsent(places []int, outcome Outcome, err error) {
	lost := front("", err)
	for _, place := range places {
		d.receipt.Recipients[place] = lost.about(d.message.Envelope.To[place].Address, outcome)
	}
}

// about is the failure as it concerns one recipient.
func (e *Error) about(address string, outcome Outcome) RecipientResult {
	return RecipientResult{Address: address, Outcome: outcome, Class: e.Class, Reply: e.Reply}
}
