package pool

import (
	"errors"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// outage is what a target remembers of failing dials and logins.
type outage struct {
	failures int // since something last worked; above 0, one dial at a time
	waves    int // of them; those that fail together are one
	failure  *smtp.Error
	retryAt  time.Time
	shut     bool // until retryAt new messages fail at once if nothing is open
}

// Pauses between dials: with other connections open, or after a refusal that
// asks for patience, they grow from half a second to half a minute. If nothing
// is open every message that waited has failed, and the pause only keeps a
// crowd of callers from knocking in a row.
const (
	firstPause, longestPause = 500 * time.Millisecond, 30 * time.Second
	firstKnock, longestKnock = 100 * time.Millisecond, 15 * time.Second
)

// dialLocked opens a connection in a goroutine of its own.
func (p *Pool) dialLocked(t *target, now time.Time) {
	p.sateLocked(t)
	t.dialling++
	p.openLocked(t, t.chooseLocked(now, p.config.Connections))
}

func (p *Pool) openLocked(t *target, e *endpoint) *connection {
	c := &connection{pool: p, target: t, endpoint: e, open: e.dial}
	c.drive = c.run
	p.connections[c] = struct{}{}
	p.open++
	e.open++
	e.dialling++
	e.dials++
	p.count.dialled.Add(1)
	p.goLocked(c.drive)
	return c
}

// dial reports whether there is a connection now.
func (c *connection) dial() bool {
	p, t := c.pool, c.target
	began := time.Now()
	conn, err := c.open(p.dials)
	now := time.Now()
	needsAuth := err == nil && conn.NeedsAuth()
	if err != nil {
		p.refusing(t, shared(c.endpoint.address, err))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	c.dialledLocked()
	if err != nil {
		p.dialFailedLocked(c, shared(c.endpoint.address, err), now)
		return false
	}
	p.count.handshake.observe(now.Sub(began))
	c.conn = conn
	if told, ok := conn.(interface{ MaxTransactions() int }); ok {
		c.most = told.MaxTransactions()
	}
	c.expires = p.expiry(now)
	if told, ok := conn.(interface{ CertificateExpires() time.Time }); ok {
		p.expires = told.CertificateExpires()
	}
	t.live++
	c.endpoint.live++
	t.serving = c.endpoint
	c.setHungry(true)
	if !needsAuth {
		t.retryAt, t.shut = time.Time{}, false
	}
	p.trimIdleLocked() // if this one was beside the count
	p.reviewHealthLocked(now)
	return true
}

func (p *Pool) expiry(now time.Time) time.Time {
	life := p.config.MaxLifetime
	if life <= 0 {
		return time.Time{}
	}
	return now.Add(life*9/10 + rand.N(life/5+1))
}

func (p *Pool) dialFailedLocked(c *connection, err *smtp.Error, now time.Time) {
	t := c.target
	p.forgetLocked(c, closedDial)
	switch err.Class {
	case smtp.ClassAuth:
		p.refuseLocked(t, err, now)
	case smtp.ClassConnectionLimit:
		p.refusedLocked(c, err, now)
		p.failedLocked(c, err, now)
	default:
		p.disperseLocked(err, now)
		c.endpoint.capacity = 0 // it was going down, rather
		p.failedLocked(c, err, now)
	}
	p.dispatchAllLocked(now)
}

// failedLocked books a failed dial or login. Where no other server is left to try
// it is one of the whole target.
func (p *Pool) failedLocked(c *connection, err *smtp.Error, now time.Time) {
	t := c.target
	if len(t.endpoints) > 1 {
		c.endpoint.failedLocked(err, now)
		if t.elsewhereLocked(now) {
			if t.live > 0 { // else the next one may fail, too
				p.reviewHealthLocked(now)
			}
			return // whoever dispatches next dials another one
		}
		err = t.everywhereLocked(err)
	}
	p.targetFailedLocked(t, err, now)
	for _, e := range t.endpoints {
		e.retryAt = earlier(e.retryAt, t.retryAt)
	}
}

// targetFailedLocked fails who wait if nothing is left that could serve them.
func (p *Pool) targetFailedLocked(t *target, err *smtp.Error, now time.Time) {
	t.failures++
	t.failure = err
	if !now.Before(t.retryAt) {
		t.waves++
	}
	if brokeOff(err) && t.failures < p.config.MaxTries {
		return // whoever dispatches next dials again
	}
	login := refusedLogin(err)
	deserted := t.deserted()
	if deserted && err.Class == smtp.ClassConnectionLimit && t.waves < p.config.MaxTries {
		// Others have the connections that there are: they end, too. That all of ours
		// were refused at a time is one answer.
		t.retryAt = now.Add(pause(firstPause, longestPause, t.waves))
		p.reviewHealthLocked(now)
		return
	}
	// That there are enough connections is no reason to give those up that we have.
	t.shut = deserted || login
	if deserted && !login && err.Class != smtp.ClassConnectionLimit {
		t.retryAt = now.Add(pause(firstKnock, longestKnock, t.waves))
	} else {
		t.retryAt = now.Add(pause(firstPause, longestPause, t.waves))
	}
	if deserted {
		p.failAllLocked(t, err)
	}
	p.reviewHealthLocked(now)
}

// brokeOff: the server could be reached and the connection broke before it was
// of use. Nobody's message was sent, so the next dial may do better. A server
// that refuses or does not answer is another matter.
func brokeOff(err *smtp.Error) bool {
	reached := err.Phase > smtp.PhaseConnect || errors.Is(err, syscall.ECONNRESET)
	return err.Class == smtp.ClassConnect && reached && err.Reply.IsZero()
}

// pause doubles with each failure, less up to a quarter so that crowds disperse.
func pause(first, longest time.Duration, failures int) time.Duration {
	d := min(first<<min(max(failures-1, 0), 16), longest)
	return d - rand.N(d/4+1)
}

// barredLocked says that t must not dial now.
func (p *Pool) barredLocked(t *target, now time.Time) bool {
	if t.failures > 0 && t.dialling > 0 {
		return true
	}
	if !now.Before(t.retryAt) {
		return p.noneToDialLocked(t, now)
	}
	if t.shut && t.deserted() {
		p.failAllLocked(t, t.failure)
		return true
	}
	p.alarmLocked(t.retryAt, now)
	return true
}

// patientLocked says that a connection which was on its way when a login failed
// for now must not be the next to try.
func (t *target) patientLocked(now time.Time) bool {
	return t.shut && t.failures > 0 && now.Before(t.retryAt)
}

// workedLocked ends an outage of t, and of the server that was reached.
func (p *Pool) workedLocked(c *connection, now time.Time) {
	p.targetWorkedLocked(c.target, now)
	p.endpointWorkedLocked(c.target, c.endpoint, now)
}

func (p *Pool) targetWorkedLocked(t *target, now time.Time) {
	if t.outage != (outage{}) {
		t.outage = outage{}
		p.reviewHealthLocked(now)
	}
}
