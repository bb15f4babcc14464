package bulk

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

// job is a row on its way. One goroutine has it at a time.
type job struct {
	row   Row
	key   Key
	to    []Recipient // nil before the first try
	id    string      // Message-ID
	date  time.Time   // of the message, the same at each try
	tries int         // that recipients refused for now
	due   time.Time   // of the next try

	err   error // of the last try
	bad   bool  // the row cannot be made a message
	noted bool  // in the journal, as it stands
}

// done is a job that was tried.
type done struct {
	*job
	lane *lane
}

// try makes a message of the row, sends it and notes the outcome.
func (j *job) try(ctx context.Context, r *run, l *lane) {
	j.err, j.bad, j.noted = nil, false, false
	prepared, err := r.prepare(j)
	if err != nil {
		j.err, j.bad = err, true
		r.note(j, l)
		return
	}
	if r.Enqueue != nil {
		j.enqueue(ctx, r, l, prepared)
		return
	}
	t := try{job: j, run: r, lane: l, to: openRecipients(j.to)}
	prepared.Commit = t.commit
	receipt, err := r.Client.Send(ctx, l.Account, prepared)
	j.err = err
	j.learn(receipt, err)
	if t.begun.Load() || j.settled() {
		r.note(j, l)
	}
	t.end()
}

// try is one attempt to send a job.
type try struct {
	*job
	run   *run
	lane  *lane
	to    []Recipient
	begun atomic.Bool
}

// commit notes the message before it can be delivered. It waits while too many
// others are begun and not noted as settled: after a kill those are what nobody
// knows the outcome of. It never waits for long: on each connection the verdict
// of at most one is outstanding, and what the others wait for is their own note.
func (t *try) commit() error {
	if t.begun.Load() {
		return nil // a further try or transaction of the same row
	}
	t.lane.begun <- struct{}{}
	if err := t.run.Journal.begin(t.key, t.row.Number, t.to, t.lane.name, t.job.id); err != nil {
		<-t.lane.begun
		t.run.fail(err)
		return err
	}
	t.begun.Store(true)
	return nil
}

func (t *try) end() {
	if t.begun.Load() {
		<-t.lane.begun
	}
}

// openRecipients are those that are still to get the message.
func openRecipients(all []Recipient) (open []Recipient) {
	for _, r := range all {
		if !r.Outcome.Final() {
			open = append(open, Recipient{Address: r.Address})
		}
	}
	return open
}

// learn takes over what became of the recipients that were open.
func (j *job) learn(receipt *kaizen.Receipt, err error) {
	var results []kaizen.RecipientResult
	var failure *kaizen.Error
	if receipt != nil {
		results = receipt.Recipients
	} else if errors.As(err, &failure) {
		results = failure.Recipients
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	for i := range j.to {
		r := &j.to[i]
		if r.Outcome.Final() {
			continue
		}
		*r = Recipient{Address: r.Address, Outcome: NotSent}
		at := slices.IndexFunc(results, func(s kaizen.RecipientResult) bool { return s.Address == r.Address })
		if at < 0 {
			continue
		}
		r.Outcome = outcomeOf(&results[at])
		if !results[at].Reply.IsZero() {
			r.Reply = results[at].Reply.String()
		}
		if r.Outcome.Final() {
			r.Time = now
			r.Server, r.QueueID = takenBy(receipt, r.Address)
		}
	}
}

// takenBy tells which server has a recipient's message, and under which name.
func takenBy(receipt *kaizen.Receipt, address string) (server, queueID string) {
	if receipt == nil {
		return "", ""
	}
	for _, t := range receipt.Transactions {
		server = t.Server
		for _, r := range t.Recipients {
			if r.Address == address && r.Outcome == smtp.Accepted {
				return t.Server, cmp.Or(r.QueueID, t.QueueID)
			}
		}
	}
	return server, ""
}

// settled reports whether every recipient has a last word.
func (j *job) settled() bool {
	return !slices.ContainsFunc(j.to, func(r Recipient) bool { return !r.Outcome.Final() })
}

// temporary reports whether the last try may be repeated as it was.
func (j *job) temporary() bool {
	var e *kaizen.Error
	return !j.bad && errors.As(j.err, &e) && e.Temporary()
}

// reason is what the journal says of a failure: on one line, without what makes
// an error readable on a terminal.
func (j *job) reason() string {
	if j.err == nil {
		return ""
	}
	return strings.Join(strings.Fields(j.err.Error()), " ")
}
