package pool

import (
	"errors"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// beginLoginLocked lets c log in, or makes it wait at the gate: until the
// credentials have worked once, one connection tries them.
func (p *Pool) beginLoginLocked(c *connection) bool {
	t := c.target
	if !t.proven && t.login != nil && t.login != c {
		c.setHungry(false)
		t.gated = append(t.gated, c)
		return false
	}
	if !t.proven {
		t.login = c
	}
	c.loggingIn = true
	return true
}

// endLoginLocked opens the gate: to all if the credentials work, to the next
// one if c came to an end without an answer.
func (p *Pool) endLoginLocked(c *connection) {
	c.loggingIn = false
	if c.target.login == c {
		p.openGateLocked(c.target)
	}
}

// openGateLocked ends the turn of the connection that tries the credentials.
func (p *Pool) openGateLocked(t *target) {
	t.login = nil
	n := len(t.gated)
	if !t.proven {
		n = min(n, 1)
	}
	for _, waiting := range t.gated[:n] {
		p.driveLocked(waiting)
	}
	t.gated = t.gated[n:]
}

// checkLogin notices that a login has worked, at the first reply that shows it.
func (c *connection) checkLogin() {
	if !c.loggingIn || c.conn.NeedsAuth() {
		return
	}
	p := c.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if key := c.target.key; !c.target.proven && p.config.OnProven != nil {
		p.tellLocked(func() { p.config.OnProven(key) })
	}
	c.target.proven = true
	if now := time.Now(); c.inFlight > 0 && len(c.target.endpoints) > 1 {
		p.targetWorkedLocked(c.target, now) // what is in flight tells of the server
	} else {
		p.workedLocked(c, now)
	}
	p.endLoginLocked(c)
}

// loginFailed looks whether a login has failed, as Stream or Authenticate or a
// transaction told.
func (c *connection) loginFailed(err error) {
	if c.authErr == nil && refusedLogin(err) {
		c.authErr = err
	}
	if c.authErr == nil {
		return
	}
	p, t := c.pool, c.target
	if !c.heeded {
		p.refusing(t, shared(c.endpoint.address, c.authErr))
	}
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	c.retire = closedLogin
	p.quitLocked(c)
	if c.heeded {
		p.endLoginLocked(c)
		return // and somebody may have resumed the account since
	}
	p.closeGateLocked(t)
	p.endLoginLocked(c)
	cause := shared(c.endpoint.address, c.authErr)
	if cause.Class == smtp.ClassAuth {
		p.refuseLocked(t, cause, now)
		return
	}
	p.failedLocked(c, cause, now)
	p.dispatchLocked(t, now)
}

// refusedLogin tells whether an error is the answer to a login, in whatever
// words: one that speaks of an allowance is not to be asked for again and again
// either.
func refusedLogin(err error) bool {
	var e *smtp.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Class {
	case smtp.ClassAuth, smtp.ClassAuthTemporary:
		return true
	case smtp.ClassQuota, smtp.ClassRate:
		return e.Phase == smtp.PhaseAuth
	}
	return false
}

// refusing tells of a login that was refused for good, before the lock is taken.
func (p *Pool) refusing(t *target, err *smtp.Error) {
	if err.Class == smtp.ClassAuth && p.config.OnRefused != nil {
		p.config.OnRefused(t.key, err)
	}
}

// refuseLocked stops everything for these credentials until Resume.
func (p *Pool) refuseLocked(t *target, err *smtp.Error, now time.Time) {
	t.refused = err
	t.proven = false
	p.failAllLocked(t, err)
	p.closeGateLocked(t)
	for _, c := range t.idle {
		p.retireLocked(c, closedLogin)
	}
	t.idle = nil
	p.reviewHealthLocked(now)
}

func (p *Pool) closeGateLocked(t *target) {
	for _, c := range t.gated {
		p.retireLocked(c, closedLogin)
	}
	t.gated = nil
}

// Resume lets a target be used again whose credentials were refused, whose
// server did not answer, or whose allowance was used up: a person says that the cause is gone.
func (p *Pool) Resume(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.reopenLocked(now)
	if t := p.targets[key]; t != nil {
		t.refused = nil
		p.targetWorkedLocked(t, now)
		for _, e := range t.endpoints {
			e.retryAt = time.Time{}
		}
		p.reviewHealthLocked(now)
		p.dispatchLocked(t, now)
	}
}
