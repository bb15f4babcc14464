package sendmail

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kaizenmail/kaizen/smtp"
)

// errRequireTLS: the command does not promise it, whatever it is.
var errRequireTLS = &smtp.Error{Phase: smtp.PhaseWaiting, Class: smtp.ClassTLS,
	Err: errors.New("the envelope demands TLS on all the way (RFC 8689), which no sendmail command can be told")}

// noRoom asks for a run of its own for a recipient.
var noRoom = smtp.Reply{Code: 452, Enhanced: smtp.EnhancedCode{4, 5, 3}, Text: "too many recipients for one command line"}

// arguments are those of the command for this message. Recipients that have no
// room on a command line are refused.
func (m *Mailer) arguments(s *smtp.Submission) ([]string, error) {
	e := &s.Envelope
	if e.RequireTLS {
		return nil, errRequireTLS
	}
	args := slices.Clone(m.options.Args)
	if !slices.Contains(args, "-i") && !slices.Contains(args, "-oi") {
		args = append(args, "-i") // or a line with a dot alone would end the message
	}
	if m.options.DSN {
		args = append(args, wishes(e)...)
	}
	from := e.From
	if from == "" {
		from = "<>"
	}
	args = append(args, "-f", from, "--")
	room := maxArguments
	for i, to := range e.To {
		if room -= len(to.Address) + pointer; room < 0 && i > 0 {
			if s.AllOrNothing {
				return nil, tooMany(len(e.To))
			}
			s.Refuse(i, noRoom)
			continue
		}
		args = append(args, to.Address)
	}
	return args, nil
}

// pointer is what an argument takes of the system's room beside its octets.
const pointer = 9

func tooMany(n int) error {
	return &smtp.Error{Phase: smtp.PhaseWaiting, Class: smtp.ClassTooManyRecipients, Reply: smtp.Reply{Code: 552, Enhanced: smtp.EnhancedCode{5, 5, 3}, Text: noRoom.Text},
		Err: fmt.Errorf("%d recipients, all or nothing", n)}
}

// wishes are the options of delivery status notifications. -N holds for all
// recipients: it is left out if they want different things.
func wishes(e *smtp.Envelope) (args []string) {
	notify := e.To[0].Notify
	alike := !slices.ContainsFunc(e.To, func(r smtp.Recipient) bool { return r.Notify != notify })
	if notify != 0 && alike {
		args = append(args, "-N", conditions(notify))
	}
	switch e.Return {
	case smtp.ReturnFull:
		args = append(args, "-R", "full")
	case smtp.ReturnHeaders:
		args = append(args, "-R", "hdrs")
	}
	if e.EnvelopeID != "" {
		args = append(args, "-V", e.EnvelopeID)
	}
	return args
}

func conditions(n smtp.Notify) string {
	if n&smtp.NotifyNever != 0 {
		return "never"
	}
	var words []string
	for i, word := range [...]string{"success", "failure", "delay"} {
		if n&(1<<i) != 0 {
			words = append(words, word)
		}
	}
	return strings.Join(words, ",")
}
