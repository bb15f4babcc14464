package pool

import (
	"context"
	"errors"
	"fmt"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/smtp"
)

var errClosed = errors.New("sending through a closed pool")

func busyError(waiting int) error {
	return fmt.Errorf("%d messages are waiting already", waiting)
}

func waitError(server string, class smtp.Class, cause error) *smtp.Error {
	return &smtp.Error{Server: server, Phase: smtp.PhaseWaiting, Class: class, Err: cause}
}

// unfit is why the limiter will never let a message go, or cannot tell.
func unfit(server string, err error) *smtp.Error {
	class := smtp.ClassRecipient
	var tooMany *limit.TooManyError
	var unknown *limit.UnknownSizeError
	var failed *limit.LedgerError
	switch {
	case errors.As(err, &tooMany) && tooMany.Rate.Unit == limit.Octets, errors.As(err, &unknown):
		class = smtp.ClassSize
	case errors.As(err, &failed):
		class = smtp.ClassState
	}
	return waitError(server, class, err)
}

func canceled(server string, ctx context.Context, outcome smtp.Outcome) *smtp.Error {
	e := waitError(server, smtp.ClassCanceled, ctx.Err())
	e.Outcome = outcome
	if outcome == smtp.Unknown {
		e.Phase = smtp.PhaseFinal
	}
	return e
}

// shared makes an error of one connection fit for all messages that wait: none
// of them was sent.
func shared(server string, err error) *smtp.Error {
	var e *smtp.Error
	if !errors.As(err, &e) {
		return &smtp.Error{Server: server, Phase: smtp.PhaseConnect, Class: smtp.ClassConnect, Err: err}
	}
	if e.Outcome == smtp.NotSent {
		return e
	}
	c := *e
	c.Outcome = smtp.NotSent
	return &c
}
