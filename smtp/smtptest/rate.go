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
	rate Rate

	mu    sync.Mutex
	times []time.Time
}

func newAllowance(r Rate, otherwise Reply) *allowance {
	r.Reply = r.Reply.or(otherwise)
	r.AtFinal = r.AtFinal || r.Recipients
	return &allowance{rate: r}
}

// messageAllowances are those that say how many messages may pass.
func messageAllowances(l Limits) (all []*allowance) {
	if l.Rate.N > 0 {
		all = append(all, newAllowance(l.Rate, tooFast))
	}
	if l.Quota.N > 0 {
		all = append(all, newAllowance(l.Quota, tooMuch))
	}
	return all
}

// take uses n of the allowance, or returns the reply to one who wants too much.
func (a *allowance) take(now time.Time, n int) (Reply, bool) {
	if a.rate.N == 0 {
		return Reply{}, true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
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

// giveBack undoes a take.
func (a *allowance) giveBack(taken time.Time, n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if i := slices.Index(a.times, taken); i >= 0 {
		a.times = slices.Delete(a.times, i, min(i+n, len(a.times)))
	}
}

// weight is what a message counts for.
func (a *allowance) weight(recipients int) int {
	if a.rate.Recipients {
		return recipients
	}
	return 1
}

// take counts a message against all allowances that are looked at here, or
// against none: then it returns the reply.
func (s *Server) take(atFinal bool, now time.Time, recipients int) (Reply, bool) {
	for i, a := range s.limits {
		if a.rate.AtFinal != atFinal {
			continue
		}
		if r, taken := a.take(now, a.weight(recipients)); !taken {
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
		if a.rate.AtFinal == atFinal {
			a.giveBack(taken, a.weight(recipients))
		}
	}
}
