package kaizen

import (
	"fmt"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

// ended is for jobs that do not wait, or wait for a person.
func (s *Situation) ended(d *queue.Details) (Why, bool) {
	w := Why{Code: WhyFinished, Since: d.Ended}
	when := s.ago(d.Ended)
	switch d.State {
	case queue.Sent:
		w.Sentence = "sent " + when + toAll(len(d.Recipients)) + words(d.Last)
	case queue.Failed:
		w.Sentence = "failed " + when + because(whyFailed(d))
		w.Advice = "'kaizen queue retry " + d.ID.String() + "' sends it again to those who have not got it"
		if d.Doubt {
			w.Advice = "look whether it arrived; " + w.Advice
		}
	case queue.Expired:
		w.Sentence = "expired " + when + ": its time was over after " + tries(d.Attempts) + lastWords(d)
		w.Advice = "'kaizen queue retry " + d.ID.String() + "' sends it again"
	case queue.Cancelled:
		w.Sentence = "cancelled " + when + because(d.Reason)
	case queue.Held:
		w.Code, w.Since = WhyHeld, changedTo(d, queue.Held)
		w.Sentence = "held" + since(s.clock(w.Since)) + because(d.Reason)
		w.Advice = "'kaizen queue release " + d.ID.String() + "' lets it go, 'kaizen queue cancel " + d.ID.String() + "' takes it back"
		if d.Doubt {
			w.Advice = "look whether it arrived; " + w.Advice
		}
	default:
		return w, false
	}
	return w, true
}

// whyFailed is the worst that a server said, and to whom.
func whyFailed(d *queue.Details) string {
	var first *queue.Recipient
	n := 0
	for i := range d.Recipients {
		if r := &d.Recipients[i]; r.State == queue.Failed {
			if n++; first == nil || first.Reply.IsZero() {
				first = r
			}
		}
	}
	if d.Reason != "" || first == nil {
		return orElse(d.Reason, lastError(d))
	}
	said := lastError(d)
	if !first.Reply.IsZero() {
		said = oneLine(first.Reply.String())
	}
	who := first.Address
	if n > 1 {
		who += fmt.Sprintf(" and %s others were", thousands(n-1))
	} else {
		who += " was"
	}
	if said == "" {
		return who + " refused"
	}
	return who + " refused: " + said
}

// onItsWay is for jobs that are being sent at this moment.
func (s *Situation) onItsWay(d *queue.Details) (Why, bool) {
	switch {
	case d.State != queue.Active:
		return Why{}, false
	case !s.Stats.Delivering:
		return Why{Code: WhyAbandoned, Sentence: "whoever was sending it has ended; what became of it is settled when somebody delivers again",
			Advice: "run 'kaizen queue run'"}, true
	case d.Begun:
		return Why{Code: WhySending, Sentence: "it is being sent now, and can not be taken back any more"}, true
	}
	return Why{}, false
}

// early is for jobs whose time has not come.
func (s *Situation) early(d *queue.Details) (Why, bool) {
	if d.State != queue.Queued || !d.Due.After(s.Now) {
		return Why{}, false
	}
	if d.Attempts == 0 && !tried(d) {
		w := Why{Code: WhyNotBefore, Sentence: "it is not to be sent before " + s.clock(d.Due) + " (" + s.until(d.Due) + ")", Next: d.Due}
		return s.expiry(d, w), true
	}
	w := Why{Code: WhyRetry, Since: lastTry(d), Next: d.Due,
		Sentence: fmt.Sprintf("it is tried again %s (try %d)%s", s.until(d.Due), d.Attempts+1, lastWords(d)),
		Advice:   "'kaizen queue retry " + d.ID.String() + "' tries it at once"}
	return s.expiry(d, w), true
}

// expiry adds that the time will be over before.
func (s *Situation) expiry(d *queue.Details, w Why) Why {
	if !d.Expires.IsZero() && !d.Expires.After(d.Due) {
		w.Sentence += ", but it expires before, " + s.until(d.Expires)
		w.Next = time.Time{}
	}
	return w
}

func tried(d *queue.Details) bool {
	for i := range d.History {
		if d.History[i].Kind == queue.Tried {
			return true
		}
	}
	return false
}

// changedTo is when the job last became that.
func changedTo(d *queue.Details, state queue.State) (at time.Time) {
	for i := range d.History {
		if d.History[i].State == state {
			at = d.History[i].At
		}
	}
	return at
}

// lastWords are what was said last to the job, as the end of a sentence.
func lastWords(d *queue.Details) string {
	if said := lastError(d); said != "" {
		return "; the last try: " + said
	}
	return ""
}

// lastError is the reply of the last try, or why there was none.
func lastError(d *queue.Details) string {
	for i := len(d.History) - 1; i >= 0; i-- {
		a := d.History[i].Attempt
		if a == nil || d.History[i].Kind != queue.Tried {
			continue
		}
		if !a.Reply.IsZero() {
			return oneLine(a.Reply.String())
		}
		if a.Error != "" {
			return oneLine(a.Error)
		}
		break
	}
	return oneLine(replyText(d.Last))
}

func replyText(r smtp.Reply) string {
	if r.IsZero() {
		return ""
	}
	return r.String()
}

func words(r smtp.Reply) string { return because(oneLine(replyText(r))) }

func toAll(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(" to all %s recipients", thousands(n))
}

// oneLine is a text of others in a sentence of ours.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// lastTry is when the job was last tried.
func lastTry(d *queue.Details) time.Time {
	for i := len(d.History) - 1; i >= 0; i-- {
		if d.History[i].Kind == queue.Tried {
			return d.History[i].At
		}
	}
	return time.Time{}
}
