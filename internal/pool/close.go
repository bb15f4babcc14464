package pool

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// slowClose is when Close begins to tell what it waits for.
const slowClose = 5 * time.Second

// dialGrace is how long a dial may still take once nobody needs it: servers note
// it as a fault of ours if we vanish in the middle of the introductions.
const dialGrace = 500 * time.Millisecond

// Close ends the pool. What stands in line fails with ClassClosed, not sent;
// what is on a connection is finished, then the connections say QUIT. When ctx
// ends first, the rest is cut, and the error says so. Close returns when every
// goroutine of the pool has ended. It may be called again, at the same time too.
func (p *Pool) Close(ctx context.Context) error {
	first := p.beginClose()
	slow := time.NewTicker(slowClose)
	defer slow.Stop()
	grace := time.NewTimer(dialGrace)
	defer grace.Stop()
	deadline := ctx.Done()
	var err error
	for {
		select {
		case <-p.ended:
			p.cut()
			return err
		case <-slow.C:
			if first && p.config.OnSlowClose != nil {
				p.config.OnSlowClose(p.pending())
			}
		case <-grace.C:
			p.endDials()
		case <-deadline:
			deadline = nil
			select {
			case <-p.ended:
			default:
				err = fmt.Errorf("close pool: cut off %s: %w", p.pending(), ctx.Err())
				p.cutAll()
			}
		}
	}
}

// beginClose reports whether it was the first to.
func (p *Pool) beginClose() (first bool) {
	p.unlisten()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return false
	}
	p.closing = true
	for _, t := range p.targets {
		p.failAllLocked(t, waitError(t.server, smtp.ClassClosed, errClosed))
		p.closeGateLocked(t)
	}
	p.closeIdleLocked(closedPool)
	p.stopAlarmLocked()
	if p.running == 0 {
		close(p.ended)
	}
	return true
}

// CloseIdle says goodbye to all connections that have nothing to do. The pool
// stays usable.
func (p *Pool) CloseIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeIdleLocked(closedIdle)
}

func (p *Pool) closeIdleLocked(why reason) {
	for _, t := range p.targets {
		for _, c := range t.idle {
			p.retireLocked(c, why)
		}
		t.idle = nil
	}
}

// cutAll ends what Close has waited for in vain.
func (p *Pool) cutAll() {
	p.cut()
	p.mu.Lock()
	var open []Conn
	for c := range p.connections {
		if c.conn != nil {
			open = append(open, c.conn)
		}
	}
	p.mu.Unlock()
	for _, conn := range open {
		_ = conn.Close()
	}
}

// pending names what is still going on.
func (p *Pool) pending() string {
	s := p.Moment()
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(s.InFlight, "messages in flight")
	add(s.Dialling, "dials")
	add(s.Quitting, "connections saying goodbye")
	add(s.Busy+s.Stranded, "connections at work")
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

// goLocked starts a goroutine that Close joins.
func (p *Pool) goLocked(f func()) {
	p.running++
	go f()
}

func (p *Pool) goroutineEnded() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	if p.closing && p.running == 0 {
		close(p.ended)
	}
}
