package kaizen

import (
	"context"
	"errors"
	"slices"

	routing "github.com/kaizenmail/kaizen/route"
	"github.com/kaizenmail/kaizen/smtp"
)

// several reports whether a message for this account may concern several: a chain
// of them, or those that the rules choose.
func (c *Client) several(a *Account) bool {
	return !a.complete() && (routing.IsChain(a.Name) || a.Name == "" && c.config.Router != nil)
}

// chainOf are the accounts that a name stands for.
func chainOf(name string) (routing.Chain, error) {
	if !routing.IsChain(name) {
		return routing.Chain{name}, nil
	}
	chain, err := routing.ParseChain(name)
	if err != nil {
		return nil, &Error{Account: name, Phase: smtp.PhaseWaiting, Class: ErrConnect, Err: err}
	}
	return chain, nil
}

// forEach does something with the account, or with each of a chain. The error is
// about the first that fails, with those of the others in it.
func (c *Client) forEach(a Account, do func(Account) error) error {
	if a.complete() || !routing.IsChain(a.Name) {
		return do(a)
	}
	chain, err := chainOf(a.Name)
	if err != nil {
		return err
	}
	var failures []*Error
	for _, name := range chain {
		if err := do(Account{Name: name}); err != nil {
			failures = append(failures, front(name, err))
		}
	}
	return together(failures)
}

// together is the first of several failures with the others in it.
func together(failures []*Error) error {
	if len(failures) == 0 {
		return nil
	}
	first := *failures[0]
	first.Others = append(slices.Clone(first.Others), failures[1:]...)
	return &first
}

// accountsMatter reports whether a failure lies in the account or its server, and
// not in the message: the same message may go through another account. heard says
// that the server had heard of the message. What becomes of it after an outcome
// that is unknown is never decided here.
func accountsMatter(class Class, heard bool) bool {
	switch class {
	case smtp.ClassConnect, smtp.ClassTLS, smtp.ClassAuth, smtp.ClassAuthTemporary, smtp.ClassTimeout, smtp.ClassRate,
		smtp.ClassQuota, smtp.ClassConnectionLimit, smtp.ClassSessionLimit, smtp.ClassBusy, smtp.ClassState:
		return true
	case smtp.ClassProtocol:
		return !heard // else it may be the envelope that the server does not understand
	}
	return false
}

// movesOn reports whether a recipient may be tried through another account: it has
// certainly not got the message, for the account's sake. said are the transactions
// that were made.
func movesOn(r *RecipientResult, said []*smtp.Result) bool {
	if r.Outcome != smtp.NotSent && r.Outcome != smtp.Rejected {
		return false
	}
	heard := slices.ContainsFunc(said, func(t *smtp.Result) bool { return !t.Started.IsZero() })
	return accountsMatter(r.Class, heard) && !(r.Class == smtp.ClassRate && repliedToRcpt(r, said))
}

// repliedToRcpt: the reply was to the recipient alone. A rate that is said there is
// the recipient's.
func repliedToRcpt(r *RecipientResult, said []*smtp.Result) bool {
	return r.Outcome == smtp.Rejected && !slices.ContainsFunc(said, func(t *smtp.Result) bool {
		return r.Reply == t.Mail || r.Reply == t.Data || r.Reply == t.Final
	})
}

// down reports whether the account sends nothing at present, but for a message that
// finds out whether it does again.
func (w *way) down() bool { return Condition(w.pool.Health().Condition) == Down }

// beingAsked: the account is down, and another message finds out whether it still
// is.
func (o *outlet) beingAsked() bool {
	if !o.way.down() {
		return false
	}
	room := o.Room(1, 0)
	return room.Err == nil && room.Messages == 0
}

// member finds one account of a chain.
func (c *Client) member(ctx context.Context, name string) (*outlet, error) {
	a, err := c.resolve(ctx, Account{Name: name})
	if err != nil {
		return nil, err
	}
	w, err := c.way(&a)
	if err != nil {
		return nil, err
	}
	return &outlet{c, a, w}, nil
}

var errOnlyOnce = errors.New("its content can be read only once")
