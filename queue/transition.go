package queue

import (
	"slices"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// The methods below change a job as the transitions of a store do, and return the
// line of its history, without number. Every store uses them, so that they
// cannot differ; what is left to a store is to do it in one piece and for good.

// Settle changes a claimed job. The entry has Kind 0 if there is none to be made:
// no attempt was, and the job is queued as it had been.
func (j *Job) Settle(now time.Time, s *Settlement) Entry {
	j.State, j.Reason = s.State, Clean(s.Reason)
	switch {
	case s.Recipients != nil:
		j.Recipients = slices.Clone(s.Recipients)
	case s.State == Sent && s.Attempt != nil:
		for i := range j.Recipients {
			if r := &j.Recipients[i]; !r.State.Finished() {
				r.State, r.Outcome, r.Class, r.Reply = Sent, s.Attempt.Outcome, 0, s.Attempt.Reply
			}
		}
	}
	for i := range j.Recipients {
		r := &j.Recipients[i]
		r.Reply.Text = Clean(r.Reply.Text)
	}
	if s.State == Queued && !s.Due.IsZero() {
		j.Due = Milli(s.Due)
	}
	if s.State.Finished() {
		j.Ended = Milli(now)
	}
	if s.Attempt == nil {
		if s.State == Queued {
			return Entry{}
		}
		return Entry{At: Milli(now), Kind: Tried, State: s.State, Detail: j.Reason}
	}
	j.Attempts++
	attempt := s.Attempt.cleaned()
	j.Doubt = j.Doubt || attempt.doubtful()
	if !attempt.Reply.IsZero() {
		j.Last = attempt.Reply
	}
	return Entry{At: Milli(now), Kind: Tried, State: s.State, Detail: j.Reason, Attempt: attempt}
}

// LateEntry is the line for a settlement whose token does not stand any more.
func (s *Settlement) LateEntry(now time.Time) Entry {
	e := Entry{At: Milli(now), Kind: Late}
	if s.Attempt != nil {
		e.Attempt = s.Attempt.cleaned()
	}
	return e
}

// Interrupt changes a job that was Active when whoever delivered it ended.
func (j *Job) Interrupt(now time.Time, begun bool) Entry {
	if !begun {
		j.State = Queued
		return Entry{At: Milli(now), Kind: Interrupted, State: Queued}
	}
	j.Attempts++
	j.Doubt = true
	s := j.Doubtful(now)
	j.State, j.Recipients, j.Reason = s.State, s.Recipients, s.Reason
	if s.State == Queued {
		j.Due = Milli(s.Due)
	}
	if s.State.Finished() {
		j.Ended = Milli(now)
	}
	return Entry{At: Milli(now), Kind: Lost, State: s.State, Detail: "the process that sent it ended before it had an answer"}
}

// Why a job is held or has failed whose outcome is unknown.
const (
	HeldInDoubt   = "the server may have taken it: the outcome of the last try is unknown"
	FailedInDoubt = "the server may have taken it: the outcome is unknown, and it is not to be sent twice"
)

// Doubtful is the settlement, without Attempt and Token, of a try whose outcome is
// unknown for all open recipients: by the job's policy it is tried again at due,
// held, or has failed.
func (j *Job) Doubtful(due time.Time) Settlement {
	s := Settlement{State: Queued, Due: due, Recipients: slices.Clone(j.Recipients)}
	for i := range s.Recipients {
		if r := &s.Recipients[i]; !r.State.Finished() {
			r.Outcome = unknown
			if j.Unknown == Never {
				r.State = Failed
			}
		}
	}
	switch j.Unknown {
	case Hold:
		s.State, s.Reason = Held, HeldInDoubt
	case Never:
		s.State, s.Reason = Outcome(s.Recipients), FailedInDoubt
	}
	return s
}

// Expire ends a job whose time is over.
func (j *Job) Expire(now time.Time) Entry {
	j.end(now, Expired)
	return Entry{At: Milli(now), Kind: DidExpire, State: Expired}
}

// HasExpired reports whether the job must not begin any more.
func (j *Job) HasExpired(now time.Time) bool { return !j.Expires.IsZero() && !now.Before(j.Expires) }

// Damage puts a job aside that cannot be read.
func (j *Job) Damage(now time.Time, why string) Entry {
	j.State, j.Reason = Held, Clean(why)
	return Entry{At: Milli(now), Kind: WasDamaged, State: Held, Detail: j.Reason}
}

// end gives all open recipients the state, and the job.
func (j *Job) end(now time.Time, state State) {
	j.Recipients = slices.Clone(j.Recipients)
	for i := range j.Recipients {
		if r := &j.Recipients[i]; !r.State.Finished() {
			r.State = state
		}
	}
	j.State, j.Ended = state, Milli(now)
}

// Apply does to the job what the command wants, or returns why it cannot be done.
// begun says that the job has begun. A finished job is not changed: for a DoRetry,
// see Repeat.
func (j *Job) Apply(now time.Time, c *Command, begun bool) (Entry, error) {
	switch {
	case begun:
		return Entry{}, ErrTooLate
	case j.State.Finished():
		return Entry{}, ErrFinished
	case c.Action == DoRelease && j.State != Held:
		return Entry{}, ErrNotHeld
	}
	e := Entry{At: Milli(now), Detail: Clean(c.Reason)}
	switch c.Action {
	case DoCancel:
		j.end(now, Cancelled)
		j.Reason = e.Detail
		e.Kind, e.State = DidCancel, Cancelled
	case DoRetry:
		j.State, j.Due, j.Reason = Queued, Milli(now), ""
		e.Kind, e.State = DidRetry, Queued
	case DoHold:
		j.State, j.Reason = Held, e.Detail
		e.Kind, e.State = DidHold, Held
	case DoRelease:
		j.State, j.Reason = Queued, ""
		e.Kind, e.State = DidRelease, Queued
	case DoReorder:
		e.Kind, e.Detail = DidReorder, j.Priority.String()+" to "+c.Priority.String()
		j.Priority = c.Priority
		j.unclaim()
	case DoMove:
		e.Kind, e.Detail = DidMove, "from "+j.Lane
		j.Lane = c.Lane
		j.unclaim()
	}
	return e, nil
}

func (j *Job) unclaim() {
	if j.State == Active {
		j.State = Queued
	}
}

// Repeat makes a new job for the recipients of a finished one that were not
// accepted. It has the same body and, so that nobody is surprised by an old date,
// as much time as the first one had.
func (j *Job) Repeat(now time.Time) (Job, error) {
	again := *j
	again.Recipients = nil
	for _, r := range j.Recipients {
		if r.State != Sent {
			again.Recipients = append(again.Recipients, Recipient{Recipient: r.Recipient, State: Queued})
		}
	}
	if len(again.Recipients) == 0 {
		return Job{}, ErrAllSent
	}
	again.ID, again.Again, again.State, again.Key = 0, j.ID, Queued, ""
	again.Attempts, again.Doubt, again.Reason, again.Ended = 0, false, "", time.Time{}
	again.Last = smtp.Reply{}
	if !j.Expires.IsZero() {
		again.Expires = Milli(now.Add(j.Expires.Sub(j.Created)))
	}
	again.Created, again.Due = Milli(now), Milli(now)
	return again, nil
}

// States are those of jobs that the action can change.
func (a Action) States() []State {
	switch a {
	case DoRelease:
		return []State{Held}
	case DoHold:
		return []State{Queued, Active}
	}
	return []State{Queued, Active, Held}
}

func (a *Attempt) doubtful() bool {
	if a.Outcome == unknown {
		return true
	}
	for _, r := range a.Recipients {
		if r.Outcome == unknown {
			return true
		}
	}
	return false
}

// cleaned is a copy that every store can keep as it is.
func (a *Attempt) cleaned() *Attempt {
	c := *a
	c.Started, c.Duration = Milli(a.Started), a.Duration.Truncate(time.Microsecond)
	c.Reply.Text, c.Error, c.Transcript = Clean(a.Reply.Text), Clean(a.Error), Clean(a.Transcript)
	c.QueueID, c.Server, c.Remote = Clean(a.QueueID), Clean(a.Server), Clean(a.Remote)
	c.Recipients = slices.Clone(a.Recipients)
	for i := range c.Recipients {
		r := &c.Recipients[i]
		r.Address, r.Reply.Text = Clean(r.Address), Clean(r.Reply.Text)
	}
	return &c
}

// Clean makes text of any origin valid UTF-8 without NUL, which not every store
// can keep.
func Clean(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
