package smtptest

import (
	"slices"
	"sync"
	"time"
)

var (
	tooFast       = Reply{451, "4.7.1 Rate limit exceeded"}
	tooMuch       = Reply{451, "4.7.1 Quota exceeded"}
	tooManyLogins = Reply{454, "4.7.0 Too many login attempts"}
)

// allowance is a Rate and when it was used.
type allowance struct {
	otherwise Reply // where the rate has none

	mu    sync.Mutex
	rate  Rate
	times []time.Time
}

func newAllowance(r Rate, otherwise Reply) *allowance {
	a := &allowance{otherwise: otherwise}
	a.set(r)
	return a
}

func (a *allowance) set(r Rate) {
	r.Reply = r.Reply.or(a.otherwise)
	r.AtFinal = r.AtFinal || r.Recipients
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rate = r
}

// SetRate replaces Limits.Rate while the server runs: for the next messages on
// all connections, open ones too. What was accepted before still counts, as far
// as it was counted. A Rate of no N ends the limit. A message between its MAIL
// and its end is counted twice or not at all if AtFinal changes.
func (s *Server) SetRate(r Rate) { s.limits[0].set(r) }

// messageAllowances are those that say how many messages may pass; the rate
// comes first.
func messageAllowances(l Limits) []*allowance {
	return []*allowance{newAllowance(l.Rate, tooFast), newAllowance(l.Quota, tooMuch)}
}

// takeOne uses one of the allowance, or returns the reply to one who wants too
// much.
func (a *allowance) takeOne(now time.Time) (Reply, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.takeLocked(now, 1)
}

// takeMessage does so for a message, if it is counted at this point.
func (a *allowance) takeMessage(atFinal bool, now time.Time, recipients int) (Reply, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rate.AtFinal != atFinal {
		return Reply{}, true
	}
	return a.takeLocked(now, a.rate.weight(recipients))
}

func (a *allowance) takeLocked(now time.Time, n int) (Reply, bool) {
	if a.rate.N <= 0 {
		return Reply{}, true
	}
	for len(a.times) > 0 && now.Sub(a.times[0]) >= a.rate.Per {
		a.times = a.times[1:]
	}
	if len(a.times)+n > a.rate.N {
		return a.rate.Reply, false
	}
	for range n {
		a.times = append(a.times, now)
	}
	return Reply{}, true
}

// giveBack undoes takeMessage.
func (a *allowance) giveBack(atFinal bool, taken time.Time, recipients int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rate.AtFinal != atFinal {
		return
	}
	if i := slices.Index(a.times, taken); i >= 0 {
		a.times = slices.Delete(a.times, i, min(i+a.rate.weight(recipients), len(a.times)))
	}
}

// weight is what a message counts for.
func (r Rate) weight(recipients int) int {
	if r.Recipients {
		return recipients
	}
	return 1
}

// take counts a message against all allowances that are looked at here, or
// against none: then it returns the reply.
func (s *Server) take(atFinal bool, now time.Time, recipients int) (Reply, bool) {
	for i, a := range s.limits {
		if r, taken := a.takeMessage(atFinal, now, recipients); !taken {
			giveBack(s.limits[:i], atFinal, now, recipients)
			return r, false
		}
	}
	return Reply{}, true
}

// giveBack undoes a take: the message was refused for another reason.
func (s *Server) giveBack(atFinal bool, taken time.Time, recipients int) {
	giveBack(s.limits, atFinal, taken, recipients)
}

func giveBack(from []*allowance, atFinal bool, taken time.Time, recipients int) {
	for _, a := range from {
		a.giveBack(atFinal, taken, recipients)
	}
}
