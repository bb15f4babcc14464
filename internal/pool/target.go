package pool

import (
	"context"
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
	line     line
	dial     func(ctx context.Context) (Conn, error)
	used     time.Time
	live     int // greeted and not quitting: gated, busy or idle
	dialling int
	idle     []*connection // last in, first out; so the first is the oldest
	gated    []*connection
	login    *connection // tries the credentials
	proven   bool        // they have worked once
	refused  *smtp.Error // they were refused for good
	starved  bool        // counted in Pool.starving
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
		t = &target{key: to.Key, server: to.Server}
		p.targets[to.Key] = t
	}
	t.dial = to.Dial // it may know a newer access token
	t.used = now
	p.current = t
	return t
}

func (p *Pool) forgetOneLocked() {
	var oldest *target
	for _, t := range p.targets {
		unused := t.line.n == 0 && t.live == 0 && t.dialling == 0
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
	if t.shut && t.live == 0 && t.dialling == 0 && now.Before(t.retryAt) {
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
