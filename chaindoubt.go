package kaizen

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/kaizenmail/kaizen/internal/delivery"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

// doubtRest is how long a job waits for the account that may have sent it already.
const doubtRest = 30 * time.Second

// only is the chain for one job: if it may have been sent by one of the accounts, it
// is not handed to another one. Which it was after a crash, nobody knows.
func (o *chainOutlet) only(ctx context.Context, j *queue.Job) (links []link, account string, err error) {
	if !j.Doubt {
		return o.links, "", nil
	}
	d, err := o.client.config.Queue.Get(ctx, time.Now(), j.ID)
	if err != nil {
		return nil, "", fmt.Errorf("find the account that may have sent it: %w", err)
	}
	account = inDoubt(d.History)
	i := slices.IndexFunc(o.links, func(l link) bool { return l.name == account })
	if i < 0 {
		return o.links, "", nil // it was moved here from another lane, or nobody knows
	}
	return o.links[i : i+1], account, nil
}

// inDoubt is the account of the latest try whose outcome is unknown.
func inDoubt(history []queue.Entry) string {
	for i := len(history) - 1; i >= 0; i-- {
		a := history[i].Attempt
		if a == nil {
			continue
		}
		unknown := func(r smtp.RecipientResult) bool { return r.Outcome == smtp.Unknown }
		if a.Outcome == smtp.Unknown || slices.ContainsFunc(a.Recipients, unknown) {
			return a.Account
		}
	}
	return ""
}

// rest gives a job back for a while.
func rest(r delivery.Result, err error) delivery.Result {
	r.Last, r.Again = nil, time.Now().Add(doubtRest)
	r.Err = &smtp.Error{Phase: smtp.PhaseWaiting, Class: ErrState, Err: err}
	return r
}
