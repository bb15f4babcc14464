package pool

import (
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/smtp"
)

// quotaGate closes the account while an allowance of hours or days is used up:
// to wait in line for it would help nobody. Then one message at a time asks
// whether it is over. Pool.mu guards it.
type quotaGate struct {
	strikes int // refusals in a row; 0: open
	until   time.Time
	err     *smtp.Error
	probe   *waiter // the message that asks
}

// How long the account is left alone, unless the server says.
const (
	firstQuotaPause   = 5 * time.Minute
	longestQuotaPause = time.Hour
	// patientWait is how long a pause may be that messages wait for in line.
	patientWait = 5 * time.Minute
)

// Pause is a closed account, to be remembered.
type Pause struct {
	Until time.Time
	Err   *smtp.Error
}

// exhaustedLocked notes that the server says the allowance is used up, and when
// to come back if it says so.
func (p *Pool) exhaustedLocked(err *smtp.Error, w *waiter, after time.Duration, now time.Time) {
	q := &p.quota
	if now.Before(q.until) && q.probe != w {
		return // on its way when the first one was refused
	}
	if after <= 0 {
		after = pause(firstQuotaPause, longestQuotaPause, q.strikes+1)
	}
	q.strikes++
	q.until, q.err = now.Add(after), shared(err.Server, err)
	for _, t := range p.targets {
		p.failAllLocked(t, q.err)
	}
	if told := (Pause{q.until, q.err}); p.config.OnPause != nil {
		p.tellLocked(func() { p.config.OnPause(told) })
	}
	p.reviewHealthLocked(now)
}

// longRest: the server wants to be left alone for longer than anybody waits.
func longRest(err *smtp.Error) bool {
	after, said := limit.RetryAfter(err.Reply.Text)
	return err.Class == smtp.ClassRate && err.Phase != smtp.PhaseRcpt && said && after > patientWait
}

// closedLocked is why a message need not even wait.
func (q *quotaGate) closedLocked(now time.Time) *smtp.Error {
	if q.strikes > 0 && now.Before(q.until) {
		return q.err
	}
	return nil
}

// passLocked lets w go, unless another one is asking already.
func (q *quotaGate) passLocked(w *waiter) bool {
	if q.strikes == 0 {
		return true
	}
	if q.probe != nil {
		return false
	}
	q.probe = w
	return true
}

// probedLocked notes how the message fared that asked.
func (p *Pool) probedLocked(w *waiter, r *smtp.Result, now time.Time) {
	q := &p.quota
	if q.probe != w {
		return
	}
	q.probe = nil
	if r.Outcome == smtp.Accepted || r.Outcome == smtp.Rejected && r.Err != nil && r.Err.Class != smtp.ClassQuota && r.Err.Class != smtp.ClassRate {
		p.reopenLocked(now)
	}
	p.blocked = false
	p.dispatchAllLocked(now)
}

// releaseProbeLocked has another message ask, as w has left a silent server.
func (p *Pool) releaseProbeLocked(w *waiter, now time.Time) {
	if p.quota.probe != w {
		return
	}
	p.quota.probe = nil
	p.blocked = false
	p.dispatchAllLocked(now)
}

// reopenLocked opens the gate.
func (p *Pool) reopenLocked(now time.Time) {
	if p.quota.strikes == 0 {
		return
	}
	p.quota = quotaGate{}
	if p.config.OnPause != nil {
		p.tellLocked(func() { p.config.OnPause(Pause{}) })
	}
	p.reviewHealthLocked(now)
}
