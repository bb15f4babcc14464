package pool

import (
	"errors"
	"sync/atomic"

	"github.com/kaizenmail/kaizen/smtp"
)

// Counters are the totals of a pool. Pools that follow one another for the same
// account share them ([Config].Counters), so that they never go down: also what
// a closing pool still learns is in them. The zero value is ready for use; it
// must not be copied.
type Counters struct {
	dialled, reused                      atomic.Int64
	accepted, rejected, unknown, notSent atomic.Int64
	canceled, late, repeated, rateWaits  atomic.Int64
	closed                               [reasons]atomic.Int64
	failures                             [classes]atomic.Int64

	recipientsAccepted, recipientsRejected, octets atomic.Int64

	wait, transaction, handshake histogram

	lastAccepted atomic.Int64 // Unix time in nanoseconds; 0: never
}

const classes = int(smtp.ClassState) + 1

// Totals are what [Counters] have counted.
type Totals struct {
	Dialled int64            `json:"dialled"` // dials begun
	Reused  int64            `json:"reused"`  // times an idle connection was woken
	Closed  map[string]int64 `json:"closed"`  // by reason: idle, messages, lifetime, connection-limit, login, room, lost, dial, failback, pool

	Accepted  int64 `json:"accepted"`
	Rejected  int64 `json:"rejected"`
	NotSent   int64 `json:"not_sent"`
	Unknown   int64 `json:"unknown"`
	Canceled  int64 `json:"canceled"`   // of those, because the caller left
	Late      int64 `json:"late"`       // verdicts that came after their caller had left
	Repeated  int64 `json:"repeated"`   // tries beyond the first
	RateWaits int64 `json:"rate_waits"` // times the limiter held the line

	Failures map[string]int64 `json:"failures"` // calls of Send that returned an error, by its class

	RecipientsAccepted int64 `json:"recipients_accepted"` // this and the next two: late verdicts included
	RecipientsRejected int64 `json:"recipients_rejected"`
	Octets             int64 `json:"octets"` // of contents that were accepted

	Wait        Histogram `json:"wait"`        // in line, for each time a message stood there
	Transaction Histogram `json:"transaction"` // from MAIL to the verdict, for each try that came that far
	Handshake   Histogram `json:"handshake"`   // dials that led to a connection, until EHLO was answered
}

// Totals are a moment of the counters. Nothing in them ever goes down.
func (c *Counters) Totals() Totals {
	t := Totals{
		Dialled: c.dialled.Load(), Reused: c.reused.Load(),
		Accepted: c.accepted.Load(), Rejected: c.rejected.Load(), NotSent: c.notSent.Load(), Unknown: c.unknown.Load(),
		Canceled: c.canceled.Load(), Late: c.late.Load(), Repeated: c.repeated.Load(), RateWaits: c.rateWaits.Load(),
		RecipientsAccepted: c.recipientsAccepted.Load(), RecipientsRejected: c.recipientsRejected.Load(), Octets: c.octets.Load(),
		Closed: make(map[string]int64), Failures: make(map[string]int64),
		Wait: c.wait.snapshot(), Transaction: c.transaction.snapshot(), Handshake: c.handshake.snapshot(),
	}
	for i := stillOpen + 1; i < reasons; i++ {
		if n := c.closed[i].Load(); n > 0 {
			t.Closed[reasonNames[i]] = n
		}
	}
	for i := range c.failures {
		if n := c.failures[i].Load(); n > 0 {
			t.Failures[smtp.Class(i).String()] = n
		}
	}
	return t
}

// outcome counts what a caller of Send is told.
func (c *Counters) outcome(o smtp.Outcome) {
	switch o {
	case smtp.Accepted:
		c.accepted.Add(1)
	case smtp.Rejected:
		c.rejected.Add(1)
	case smtp.Unknown:
		c.unknown.Add(1)
	default:
		c.notSent.Add(1)
	}
}

// failed counts the error of a Send by its class.
func (c *Counters) failed(err error) {
	var e *smtp.Error
	if errors.As(err, &e) && int(e.Class) < classes {
		c.failures[e.Class].Add(1)
	}
}

// tried counts the time that a try took on the wire.
func (c *Counters) tried(r *smtp.Result) {
	if !r.Started.IsZero() {
		c.transaction.observe(r.Duration)
	}
}

// verdict counts what a server has said, whether or not anybody still listens.
func (c *Counters) verdict(r *smtp.Result) {
	accepted, rejected := int64(0), int64(0)
	for i := range r.Recipients {
		switch r.Recipients[i].Outcome {
		case smtp.Accepted:
			accepted++
		case smtp.Rejected:
			rejected++
		}
	}
	if accepted > 0 {
		c.recipientsAccepted.Add(accepted)
	}
	if rejected > 0 {
		c.recipientsRejected.Add(rejected)
	}
	if r.Outcome == smtp.Accepted {
		c.octets.Add(r.Octets)
	}
}
