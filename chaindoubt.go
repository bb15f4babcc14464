package kaizen

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/internal/delivery"
	"github.com/kaizenmail/kaizen/queue"
	routing "github.com/kaizenmail/kaizen/route"
	"github.com/kaizenmail/kaizen/smtp"
)

// How long a job waits for the account that may have sent it already: as long as it
// has been in doubt, within these.
const (
	doubtRestLeast = time.Second
	doubtRest      = 30 * time.Second
)

// doubt is the one account that may be asked with a job, as it may have sent it.
type doubt struct {
	account string // empty: any may be asked
	since   time.Time
}

// only is the chain for one job: if it may have been sent by one of the accounts, it
// is not handed to another one. Which it was after a crash, nobody knows.
func (o *chainOutlet) only(ctx context.Context, j *queue.Job) (links []link, alone doubt, err error) {
	if !openInDoubt(j) {
		return o.links, doubt{}, nil
	}
	d, err := o.client.config.Queue.Get(ctx, time.Now(), j.ID)
	if err != nil {
		return nil, doubt{}, fmt.Errorf("find the account that may have sent it: %w", err)
	}
	alone = mayHaveSent(&d)
	i := slices.IndexFunc(o.links, func(l link) bool { return l.name == alone.account })
	if i < 0 {
		return o.links, doubt{}, nil // it was moved here from another lane, or nobody knows
	}
	return o.links[i : i+1], alone, nil
}

// openInDoubt reports whether somebody may have got the job who is to get it. By the
// policy never, those in doubt have failed.
func openInDoubt(j *queue.Job) bool { return j.Doubt && j.Unknown != queue.Never }

// mayHaveSent is the account of the latest try whose outcome is unknown; none if
// nobody knows.
func mayHaveSent(d *queue.Details) doubt {
	lane := d.Lane // at that time
	for i := len(d.History) - 1; i >= 0; i-- {
		e := &d.History[i]
		switch {
		case e.Kind == queue.DidMove:
			lane = strings.TrimPrefix(e.Detail, "from ")
		case e.Attempt != nil && doubtful(e.Attempt):
			return doubt{cmp.Or(e.Attempt.Account, lane), e.At}
		case e.Kind == queue.Lost && !routing.IsChain(lane):
			return doubt{lane, e.At}
		}
	}
	return doubt{}
}

func doubtful(a *queue.Attempt) bool {
	unknown := func(r smtp.RecipientResult) bool { return r.Outcome == smtp.Unknown }
	return a.Outcome == smtp.Unknown || slices.ContainsFunc(a.Recipients, unknown)
}

// onlyThrough is why a job in doubt waits for an account, though others could send.
func onlyThrough(account string) string {
	return "it may have been sent through " + account + ", so no other account takes it"
}

// rest gives a job back for a while.
func (d doubt) rest(r delivery.Result, err error) delivery.Result {
	now := time.Now()
	r.Last, r.Again = nil, now.Add(min(max(now.Sub(d.since), doubtRestLeast), doubtRest))
	r.Err = &smtp.Error{Phase: smtp.PhaseWaiting, Class: ErrState, Err: err}
	return r
}
