package pool

import (
	"sync/atomic"

	"github.com/kaizenmail/kaizen/smtp"
)

// reason is why a connection was closed; the zero value: it is still open.
type reason uint8

const (
	stillOpen      reason = iota
	closedIdle            // nothing to do for IdleTimeout, or CloseIdle
	closedMessages        // it had carried as many messages as it may
	closedLifetime        // older than MaxLifetime
	closedLimit           // the server has too many connections, or goes away
	closedLogin           // the login failed
	closedForRoom         // another target of the pool needed its place
	closedLost            // it broke
	closedDial            // it never came about
	closedPool            // the pool was closed
	reasons
)

var reasonNames = [reasons]string{"open", "idle", "messages", "lifetime", "connection-limit",
	"login", "room", "lost", "dial", "pool"}

// Stats is a moment of a pool. Counts without "now" are totals since New.
type Stats struct {
	Waiting  int `json:"waiting"`   // now: messages in line
	InFlight int `json:"in_flight"` // now: messages on a connection

	Open     int `json:"open"`     // now: slots in use, the sum of the next five
	Dialling int `json:"dialling"` // now
	Gated    int `json:"gated"`    // now: wait until the credentials have worked once
	Busy     int `json:"busy"`     // now
	Idle     int `json:"idle"`     // now
	Quitting int `json:"quitting"` // now

	Capacity     int `json:"capacity"`      // now: connections the server lets us have, as learned
	SessionLimit int `json:"session_limit"` // now: messages on a connection, as learned; 0: not learned

	Dialled int64            `json:"dialled"` // dials begun
	Reused  int64            `json:"reused"`  // times an idle connection was woken
	Closed  map[string]int64 `json:"closed"`  // by reason: idle, messages, lifetime, connection-limit, login, room, lost, dial, pool

	Accepted  int64 `json:"accepted"`
	Rejected  int64 `json:"rejected"`
	NotSent   int64 `json:"not_sent"`
	Unknown   int64 `json:"unknown"`
	Canceled  int64 `json:"canceled"`   // of those, because the caller left
	Late      int64 `json:"late"`       // verdicts that came after their caller had left
	Repeated  int64 `json:"repeated"`   // tries beyond the first
	RateWaits int64 `json:"rate_waits"` // times the limiter held the line
}

type counters struct {
	inFlight                             atomic.Int64
	dialled, reused                      atomic.Int64
	accepted, rejected, unknown, notSent atomic.Int64
	canceled, late, repeated, rateWaits  atomic.Int64
	closed                               [reasons]atomic.Int64
	lastAccepted                         atomic.Int64 // Unix time in nanoseconds; 0: never
}

func (c *counters) outcome(o smtp.Outcome) {
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

// Stats tells how the pool is doing.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	s := Stats{
		Waiting: p.waiting, Open: p.open, Quitting: p.quitting,
		Capacity: p.capacity, SessionLimit: p.learned.Messages,
	}
	for _, t := range p.targets {
		s.Dialling += t.dialling
		s.Gated += len(t.gated)
		s.Idle += len(t.idle)
	}
	p.mu.Unlock()
	s.Busy = s.Open - s.Dialling - s.Gated - s.Idle - s.Quitting
	c := &p.count
	s.InFlight = int(c.inFlight.Load())
	s.Dialled, s.Reused = c.dialled.Load(), c.reused.Load()
	s.Accepted, s.Rejected, s.NotSent, s.Unknown = c.accepted.Load(), c.rejected.Load(), c.notSent.Load(), c.unknown.Load()
	s.Canceled, s.Late, s.Repeated, s.RateWaits = c.canceled.Load(), c.late.Load(), c.repeated.Load(), c.rateWaits.Load()
	s.Closed = make(map[string]int64)
	for i := stillOpen + 1; i < reasons; i++ {
		if n := c.closed[i].Load(); n > 0 {
			s.Closed[reasonNames[i]] = n
		}
	}
	return s
}
