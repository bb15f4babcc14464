package delivery

import (
	"errors"
	"slices"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

// next are the recipients that a try is for, and their places in the job: those that
// none was for yet, as a server may take a few at a time, else all that are open.
func next(j *queue.Job) (to []smtp.Recipient, places []int) {
	fresh := !j.Options.AllOrNothing && slices.ContainsFunc(j.Recipients, openAndUntried)
	for i := range j.Recipients {
		if r := &j.Recipients[i]; !r.State.Finished() && (!fresh || untried(r)) {
			to, places = append(to, r.Recipient), append(places, i)
		}
	}
	return to, places
}

func openAndUntried(r queue.Recipient) bool { return !r.State.Finished() && untried(&r) }

func untried(r *queue.Recipient) bool {
	return r.Outcome == smtp.NotSent && r.Class == smtp.ClassNone && r.Reply.IsZero()
}

// verdict says what becomes of a job after a try for the recipients at these
// places.
func verdict(j *queue.Job, places []int, r Result, now time.Time, steps []time.Duration) queue.Settlement {
	var damaged *queue.DamagedError
	switch {
	case errors.As(r.Err, &damaged):
		return queue.Settlement{State: queue.Held, Reason: damaged.Error()}
	case !concerns(r):
		return queue.Settlement{State: queue.Queued} // as it was
	case r.Err == nil && r.Last != nil && len(r.Last.Recipients) == len(j.Recipients):
		return queue.Settlement{State: queue.Sent, Attempt: attempt(r)}
	}
	if j.Backoff != nil {
		steps = j.Backoff
	}
	v := judgement{job: j, recipients: slices.Clone(j.Recipients)}
	for i, place := range places[:min(r.Tried, len(places))] {
		v.judge(&v.recipients[place], outcomeOf(r, i, j.Recipients[place].Address), now, steps)
	}
	s := v.conclude(now)
	s.Attempt = attempt(r)
	return s
}

// concerns reports whether a result says something about the message, and not only
// about its account: an attempt is what a server has answered, or may have.
func concerns(r Result) bool {
	var e *smtp.Error
	if r.Err == nil {
		return true
	}
	if !errors.As(r.Err, &e) {
		return false
	}
	if e.Outcome == smtp.Unknown {
		return true
	}
	switch e.Class {
	case smtp.ClassAuth, smtp.ClassAuthTemporary, smtp.ClassState, smtp.ClassClosed, smtp.ClassCanceled, smtp.ClassBusy:
		return false
	case smtp.ClassSize, smtp.ClassRecipient, smtp.ClassSender, smtp.ClassContent:
		return true
	}
	return r.Last != nil && !r.Last.Started.IsZero()
}

// outcomeOf is what became of the i-th recipient that was tried.
func outcomeOf(r Result, i int, address string) smtp.RecipientResult {
	if r.Last != nil && i < len(r.Last.Recipients) {
		return r.Last.Recipients[i]
	}
	out := smtp.RecipientResult{Address: address}
	var e *smtp.Error
	if errors.As(r.Err, &e) {
		out.Outcome, out.Class, out.Reply = e.Outcome, e.Class, e.Reply
	}
	return out
}

// judgement is a verdict in the making.
type judgement struct {
	job        *queue.Job
	recipients []queue.Recipient
	due        time.Time // the earliest time for a recipient that is tried again
	doubt      bool      // some may have got it
}

func (v *judgement) judge(to *queue.Recipient, r smtp.RecipientResult, now time.Time, steps []time.Duration) {
	if r.Class == smtp.ClassTooManyRecipients && r.Outcome != smtp.Unknown {
		return // the transaction had no room for it
	}
	to.Outcome, to.Class, to.Reply = r.Outcome, r.Class, r.Reply
	failure := smtp.Error{Class: r.Class, Outcome: r.Outcome, Reply: r.Reply}
	switch {
	case r.Outcome == smtp.Accepted:
		to.State = queue.Sent
	case r.Outcome == smtp.Unknown:
		v.doubt = true
		if v.job.Unknown == queue.Never {
			to.State = queue.Failed
			return
		}
		v.again(now.Add(pause(steps, v.job.Attempts+1, r.Class, r.Reply)))
	case failure.Temporary():
		v.again(now.Add(pause(steps, v.job.Attempts+1, r.Class, r.Reply)))
	default:
		to.State = queue.Failed
	}
}

func (v *judgement) again(due time.Time) {
	if v.due.IsZero() || due.Before(v.due) {
		v.due = due
	}
}

func (v *judgement) conclude(now time.Time) queue.Settlement {
	s := queue.Settlement{State: queue.Queued, Recipients: v.recipients}
	open := slices.ContainsFunc(v.recipients, func(r queue.Recipient) bool { return !r.State.Finished() })
	fresh := slices.ContainsFunc(v.recipients, openAndUntried)
	switch {
	case v.doubt && v.job.Unknown == queue.Hold && open:
		s.State, s.Reason = queue.Held, queue.HeldInDoubt
	case !open:
		s.State = queue.Outcome(v.recipients)
		if v.doubt {
			s.Reason = queue.FailedInDoubt
		}
	case fresh && v.progress():
		// At once: the rest goes into a transaction of its own.
	case v.due.IsZero():
		s.Due = now.Add(throttlePause)
	default:
		s.Due = v.due
	}
	return s
}

// progress reports whether this try has settled somebody, so that the next one is
// for fewer.
func (v *judgement) progress() bool {
	for i := range v.recipients {
		if was, is := &v.job.Recipients[i], &v.recipients[i]; untried(was) && !untried(is) {
			return true
		}
	}
	return false
}
