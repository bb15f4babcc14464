package delivery

import (
	"errors"
	"strings"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

// attempt is a result as the history of its job has it.
func attempt(r Result) *queue.Attempt {
	a := &queue.Attempt{Account: r.Account, Before: r.Before}
	var e *smtp.Error
	if errors.As(r.Err, &e) {
		a.Server, a.Phase, a.Outcome, a.Class, a.Reply = e.Server, e.Phase, e.Outcome, e.Class, e.Reply
	}
	if r.Err != nil {
		a.Error = r.Err.Error()
	}
	t := r.Last
	if t == nil {
		return a
	}
	a.Started, a.Duration, a.Server, a.Remote = t.Started, t.Duration, t.Server, t.RemoteAddr
	a.Outcome, a.QueueID = t.Outcome, t.QueueID
	if a.Reply.IsZero() {
		a.Reply = t.Final
	}
	if differ(t.Recipients) {
		a.Recipients = t.Recipients
	}
	if r.Err != nil {
		a.Transcript = dialogue(t, e)
	}
	return a
}

func differ(recipients []smtp.RecipientResult) bool {
	for i := range recipients {
		if recipients[i].Outcome != recipients[0].Outcome || recipients[i].Reply != recipients[0].Reply {
			return true
		}
	}
	return false
}

// dialogueRecipients is how many recipients a dialogue shows.
const dialogueRecipients = 20

// finals are the replies to a content in LMTP, one for each recipient.
func finals(t *smtp.Result, line func(said string, reply smtp.Reply)) {
	for i := range t.Recipients[:min(len(t.Recipients), dialogueRecipients)] {
		if to := &t.Recipients[i]; to.Phase == smtp.PhaseFinal {
			line(". for "+to.Address, to.Reply)
		}
	}
}

// dialogue is what was said in a transaction that failed, put together from its
// replies.
func dialogue(t *smtp.Result, e *smtp.Error) string {
	var b strings.Builder
	line := func(said string, reply smtp.Reply) {
		if !reply.IsZero() {
			b.WriteString("> " + said + "\n< " + reply.String() + "\n")
		}
	}
	line("MAIL", t.Mail)
	for i := range t.Recipients[:min(len(t.Recipients), dialogueRecipients)] {
		to := &t.Recipients[i]
		if to.Phase == smtp.PhaseRcpt {
			line("RCPT TO:<"+to.Address+">", to.Reply)
		}
	}
	line("DATA", t.Data)
	if t.LMTP {
		finals(t, line)
	} else {
		line(".", t.Final)
	}
	if e != nil && e.Reply.IsZero() {
		b.WriteString("! " + e.Phase.String() + ": " + e.Class.String())
		if e.Err != nil {
			b.WriteString(": " + e.Err.Error())
		}
		b.WriteString("\n")
	}
	return b.String()
}
