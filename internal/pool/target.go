package pool

import (
	"sync/atomic"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// target is what the pool knows of a Target.
type target struct {
	key, server string

	// hungry counts busy connections with nothing in flight. It only guides
	// dispatching, so a connection may raise it without the lock.
	hungry atomic.Int32

	// Guarded by Pool.mu.
	line      line
	endpoints []*endpoint // its servers, those of the lowest priority first
	patience  time.Duration
	serving   *endpoint // that was reached last
	used      time.Time
	live      int           // greeted and not quitting: gated, busy or idle; without those that are stranded
	dialling  int           // without probing
	probing   int           // dials that look whether a server is back
	idle      []*connection // last in, first out; so the first is the oldest
	gated     []*connection
	login     *connection // tries the credentials
	proven    bool        // they have worked once
	refused   *smtp.Error // they were refused for good
	starved   bool        // counted in Pool.starving
	outage
}

// maxTargets bounds how many former keys are remembered.
const maxTargets = 32

func (p *Pool) targetLocked(to Target, now time.Time) *target {
	t := p.targets[to.Key]
	if t == nil {
		if len(p.targets) >= maxTargets {
			p.forgetOneLocked()
		}
		t = newTarget(to)
		p.targets[to.Key] = t
	}
	t.redial(to)
	t.used = now
	p.current = t
	return t
}

func (p *Pool) forgetOneLocked() {
	var oldest *target
	for _, t := range p.targets {
		unused := t.line.n == 0 && !t.hasConnections()
		if unused && (oldest == nil || t.used.Before(oldest.used)) {
			oldest = t
		}
	}
	if oldest != nil {
		delete(p.targets, oldest.key)
	}
}

// unavailableLocked tells why a message need not even wait.
func (t *target) unavailableLocked(now time.Time) error {
	if t.refused != nil {
		return t.refused
	}
	if t.shut && t.deserted() && now.Before(t.retryAt) {
		return t.failure
	}
	return nil
}

func (p *Pool) failAllLocked(t *target, err error) {
	for w := t.line.head(); w != nil; w = t.line.head() {
		w.failLocked(err)
	}
}

// wantsLocked is how many messages no connection is on its way for.
func (t *target) wantsLocked() int {
	return t.line.n - int(t.hungry.Load())
}

// deserted: no connection is open or on its way that could serve.
func (t *target) deserted() bool { return t.live == 0 && t.dialling+t.probing == 0 }

// hasConnections: a connection is open or on its way.
func (t *target) hasConnections() bool {
	for _, e := range t.endpoints {
		if e.stranded > 0 {
			return true
		}
	}
	return !t.deserted()
}
