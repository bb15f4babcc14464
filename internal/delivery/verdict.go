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
		return queue.Settlement{State: queue.Queued, Due: r.Again} // as it was
	case r.Err == nil && r.Last != nil && len(r.Last.Recipients) == len(j.Recipients):
		return queue.Settlement{State: queue.Sent, Attempt: attempt(r)}
	}
	if len(j.Backoff) > 0 {
		steps = j.Backoff
	}
	v := judgement{job: j, recipients: slices.Clone(j.Recipients), now: now, steps: steps,
		unread: errors.As(r.Err, new(*ReadError)), refused: rejectsSome(r.Last)}
	for i, place := range places[:min(r.Tried, len(places))] {
		v.judge(&v.recipients[place], outcomeOf(r, i, j.Recipients[place].Address))
	}
	if j.Options.AllOrNothing {
		v.bindTogether()
	}
	s := v.conclude()
	s.Attempt = attempt(r)
	return s
}

// concerns reports whether a result says something about the message, and not only
// about its account: an attempt is what a server has answered, or may have.
func concerns(r Result) bool {
	var e *smtp.Error
	if r.Err == nil || r.Last != nil && r.Last.Outcome == smtp.Accepted {
		return true // some have it, whatever was in the way of others
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
	case smtp.ClassTLS:
		if r.Last != nil && (e.Phase == smtp.PhaseMail || e.Phase == smtp.PhaseWaiting) {
			return true // the envelope demands what this server does not have
		}
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
	now        time.Time
	steps      []time.Duration
	unread     bool      // the content could not be read
	refused    bool      // the server said no to somebody
	due        time.Time // the earliest time for a recipient that is tried again
	doubt      bool      // some may have got it
}

func (v *judgement) judge(to *queue.Recipient, r smtp.RecipientResult) {
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
		v.again(r.Class, r.Reply)
	case failure.Temporary(), v.unread && r.Outcome == smtp.NotSent, v.bystander(r):
		v.again(r.Class, r.Reply)
	default:
		to.State = queue.Failed
	}
}

// bystander: the server had nothing against this recipient, but against another one,
// and it is all or nothing.
func (v *judgement) bystander(r smtp.RecipientResult) bool {
	return v.job.Options.AllOrNothing && v.refused && r.Outcome == smtp.NotSent && r.Reply.IsZero()
}

// bindTogether ends a job that is all or nothing and cannot be all any more.
func (v *judgement) bindTogether() {
	if !slices.ContainsFunc(v.recipients, func(r queue.Recipient) bool { return r.State == queue.Failed }) {
		return
	}
	for i := range v.recipients {
		if r := &v.recipients[i]; !r.State.Finished() {
			r.State = queue.Failed
		}
	}
}

func rejectsSome(last *smtp.Result) bool {
	return last != nil && slices.ContainsFunc(last.Recipients, func(r smtp.RecipientResult) bool { return r.Outcome == smtp.Rejected })
}

// again has a recipient tried again that was answered this.
func (v *judgement) again(class smtp.Class, reply smtp.Reply) {
	due := v.now.Add(pause(v.steps, v.job.Attempts+1, class, reply))
	if v.due.IsZero() || due.Before(v.due) {
		v.due = due
	}
}

func (v *judgement) conclude() queue.Settlement {
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
	default:
		v.rest()
		s.Due = v.due
	}
	return s
}

// rest makes sure that a job has a pause of which this try has settled nobody, or
// only others than those who are left.
func (v *judgement) rest() {
	for i := range v.recipients {
		if r := &v.recipients[i]; v.due.IsZero() && !r.State.Finished() {
			v.again(r.Class, r.Reply)
		}
	}
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
