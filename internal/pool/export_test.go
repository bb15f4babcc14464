package pool

import (
	"errors"
	"fmt"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// SetWithdraw decides for a fake connection what only an engine knows: whether
// the terminator has been written.
func (p *Pool) SetWithdraw(f func(*smtp.Transaction) bool) { p.withdraw = f }

// CountMessage does all that is counted for one message that is accepted.
func (c *Counters) CountMessage(waited time.Duration, r *smtp.Result) {
	c.wait.observe(waited)
	c.tried(r)
	c.verdict(r)
	c.outcome(r.Outcome)
}

// Check recounts everything that the pool keeps count of, and tells what differs.
func (p *Pool) Check() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	type share struct{ live, dialling, stranded, flying int }
	type sum struct{ live, dialling, probing int }
	servers, targets := map[*endpoint]*share{}, map[*target]*sum{}
	for _, t := range p.targets {
		targets[t] = new(sum)
	}
	for c := range p.connections {
		if targets[c.target] == nil {
			targets[c.target] = new(sum)
		}
	}
	for t := range targets {
		for _, e := range t.endpoints {
			servers[e] = new(share)
		}
	}
	for c := range p.connections { // so that nothing changes meanwhile
		c.watch.mu.Lock()
		defer c.watch.mu.Unlock()
	}
	var wrong []error
	same := func(what string, kept, is int) {
		if kept != is {
			wrong = append(wrong, fmt.Errorf("%s: %d, not %d", what, kept, is))
		}
	}
	var quitting, beside, waiting, starving int
	for c := range p.connections {
		t, s := targets[c.target], servers[c.endpoint]
		stranded := c.watch.stranded
		if c.quitting && !c.beside {
			quitting++
		}
		if c.beside {
			beside++
		}
		switch {
		case c.conn == nil && c.probe:
			t.probing++
			s.dialling++
		case c.conn == nil:
			t.dialling++
			s.dialling++
		case c.quitting:
		case stranded:
			s.stranded++
		default:
			t.live++
			s.live++
		}
		if !stranded {
			s.flying += int(c.watch.awaited())
		}
		if want := c.conn == nil && c.probe || stranded; c.beside != want {
			wrong = append(wrong, fmt.Errorf("a connection of %s: beside is %v, stranded %v, probe %v, quitting %v", c.endpoint.address, c.beside, stranded, c.probe, c.quitting))
		}
	}
	same("open", p.open, len(p.connections))
	same("quitting", p.quitting, quitting)
	same("beside", p.beside, beside)
	for t, is := range targets {
		same("live", t.live, is.live)
		same("dialling", t.dialling, is.dialling)
		same("probing", t.probing, is.probing)
		waiting += t.line.n
		if t.starved {
			starving++
		}
		for _, e := range t.endpoints {
			same("live of "+e.address, e.live, servers[e].live)
			same("dialling of "+e.address, e.dialling, servers[e].dialling)
			same("stranded of "+e.address, e.stranded, servers[e].stranded)
			if len(t.endpoints) > 1 {
				same("flying of "+e.address, int(e.flying.Load()), servers[e].flying)
			}
			if e.doubted.Load() != (e.failures > 0) || (e.failure == nil) != (e.failures == 0) || e.since.IsZero() != (e.failures == 0) {
				wrong = append(wrong, fmt.Errorf("%s: %d failures since %v, doubted %v: %v", e.address, e.failures, e.since, e.doubted.Load(), e.failure))
			}
		}
		for _, c := range t.idle {
			if c.quitting || c.target != t || len(c.watch.messages) > 0 || c.watch.stranded {
				wrong = append(wrong, fmt.Errorf("idle: quitting %v, %d messages, stranded %v", c.quitting, len(c.watch.messages), c.watch.stranded))
			}
		}
	}
	same("waiting", p.waiting, waiting)
	same("starving", p.starving, starving)
	if used := p.usedLocked(); used < 0 || p.stayingLocked() < 0 {
		wrong = append(wrong, fmt.Errorf("%d used, %d staying", used, p.stayingLocked()))
	}
	return errors.Join(wrong...)
}

// AtRest is what must be zero when nothing is under way.
func (p *Pool) AtRest() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var wrong []error
	for _, t := range p.targets {
		if n := t.hungry.Load(); n != 0 {
			wrong = append(wrong, fmt.Errorf("hungry is %d", n))
		}
		for _, e := range t.endpoints {
			if n := e.flying.Load(); n != 0 {
				wrong = append(wrong, fmt.Errorf("%s: flying is %d", e.address, n))
			}
		}
		if t.line.n != 0 || len(t.gated) != 0 || t.dialling != 0 || t.probing != 0 {
			wrong = append(wrong, fmt.Errorf("%d wait, %d gated, %d dialling, %d probing", t.line.n, len(t.gated), t.dialling, t.probing))
		}
	}
	if n := p.inFlight.Load(); n != 0 {
		wrong = append(wrong, fmt.Errorf("%d in flight", n))
	}
	return errors.Join(wrong...)
}
