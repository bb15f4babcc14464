package pool

import (
	"fmt"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/smtp"
)

// Condition is how well an account serves.
type Condition uint8

// The conditions.
const (
	Healthy  Condition = iota
	Degraded           // messages go out, but slower than they could, or some of them fail
	Down               // no message goes out
)

// Cause is why an account is not healthy.
type Cause uint8

// The causes, the worst first among those that hold at a time.
const (
	CauseNone        Cause = iota
	CauseLogin             // the login was refused: nothing is tried until Resume
	CauseOutage            // no connection can be made, and none is open
	CauseQuota             // an allowance is used up
	CauseTrouble           // no further connection can be made
	CauseFailover          // one of several servers cannot be used
	CauseThrottled         // the server takes messages slower than they come
	CauseConnections       // the server takes fewer connections than wanted
)

// Health is how an account is doing.
type Health struct {
	Server    string // of the target that was used last
	Condition Condition
	Cause     Cause
	Reason    string
	Since     time.Time   // of the condition
	NextProbe time.Time   // nothing is tried before; zero: nothing is waited for
	Err       *smtp.Error // what the server or the network said, if that is why
	// Expires is when the server's certificate does; zero: no TLS, or no
	// connection yet.
	Expires  time.Time
	Accepted time.Time // when a message was last accepted
	Learned  Learned
	Servers  []ServerHealth // if there are several, those of the lowest priority first
}

// ServerHealth is how one of several servers is doing.
type ServerHealth struct {
	Address          string
	Priority, Weight int
	Connections      int         // that are open and in use for it
	Failure          *smtp.Error // why it is not used; nil while it is
	Since            time.Time   // of that
	NextProbe        time.Time   // it is not asked before
}

// Learned is what a server was seen to take, and by what we know. Zero numbers
// are unknown.
type Learned struct {
	Connections       int
	ConnectionsReason string
	ConnectionsAt     time.Time
	Messages          int // on a connection
	MessagesReason    string
	MessagesAt        time.Time
	Rate              string // for people
	RateReason        string
	RateAt            time.Time
	Pace              limit.PaceState
}

// Health tells how the account is doing.
func (p *Pool) Health() Health {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.diagnoseLocked(now)
	h.Since = p.told.since
	if h.Condition != p.told.condition { // by the passing of time alone
		h.Since = now
	}
	return h
}

// told is what was last told of the health.
type told struct {
	condition Condition
	cause     Cause
	expiring  bool
	failing   uint64 // which of the servers
	since     time.Time
}

// expiryWarning is how long before its end a certificate is worth a word.
const expiryWarning = 14 * 24 * time.Hour

// Expiring reports whether the certificate ends soon, or has.
func (h *Health) Expiring(now time.Time) bool {
	return !h.Expires.IsZero() && h.Expires.Sub(now) < expiryWarning
}

// reviewHealthLocked tells about the health if it has changed. Whatever may
// change it calls this.
func (p *Pool) reviewHealthLocked(now time.Time) {
	if p.closing {
		return // what fails now does so because of that
	}
	h := p.diagnoseLocked(now)
	is := told{h.Condition, h.Cause, h.Expiring(now), h.failing(), p.told.since}
	if h.Condition != p.told.condition {
		is.since = now
	}
	if is == p.told {
		return
	}
	p.told = is
	h.Since = is.since
	if p.config.OnHealth != nil {
		p.tellLocked(func() { p.config.OnHealth(h) })
	}
}

func (p *Pool) diagnoseLocked(now time.Time) Health {
	h := Health{Learned: p.learned, Expires: p.expires}
	if at := p.count.lastAccepted.Load(); at != 0 {
		h.Accepted = time.Unix(0, at)
	}
	t := p.current
	if t == nil {
		return h
	}
	h.Server = t.server
	p.diagnoseServersLocked(&h, t)
	switch {
	case t.refused != nil:
		h.blame(Down, CauseLogin, t.refused, "the login was refused")
	case t.failure != nil && t.live == 0:
		h.blame(Down, CauseOutage, t.failure, "no connection can be made")
		h.NextProbe = t.retryAt
	case p.quota.strikes > 0:
		h.blame(Down, CauseQuota, p.quota.err, "an allowance is used up")
		h.NextProbe = p.quota.until
	case t.failure != nil:
		h.blame(Degraded, CauseTrouble, t.failure, "no further connection can be made")
		h.NextProbe = t.retryAt
	case h.failing() != 0:
		h.blameServers()
	default:
		p.diagnoseLimitsLocked(&h, now)
	}
	if h.NextProbe.Before(now) {
		h.NextProbe = time.Time{}
	}
	return h
}

func (p *Pool) diagnoseLimitsLocked(h *Health, now time.Time) {
	if pace, _ := p.config.Limiter.Learned(); pace.PerSecond > 0 {
		h.Condition, h.Cause, h.NextProbe = Degraded, CauseThrottled, pace.Until
		h.Reason = "the server takes messages slower than they come: " + pace.String()
		return
	}
	for _, e := range p.current.endpoints {
		if most := p.config.Connections; e.limit(most) < most {
			h.Condition, h.Cause = Degraded, CauseConnections
			h.Reason = fmt.Sprintf("%s takes %d of %d connections: %s", e.address, e.capacity, most, words(e.crowded))
			return
		}
	}
	if p.capacity < p.config.Connections {
		h.Condition, h.Cause = Degraded, CauseConnections
		h.Reason = fmt.Sprintf("%d of %d connections are used: %s", p.capacity, p.config.Connections, p.learned.ConnectionsReason)
	}
}

func (h *Health) blame(c Condition, why Cause, err *smtp.Error, what string) {
	h.Condition, h.Cause, h.Err = c, why, err
	h.Reason = what + ": " + err.Error()
}

// tellLocked has f called soon, from another goroutine, without locks, after all
// that was told before.
func (p *Pool) tellLocked(f func()) {
	p.news = append(p.news, f)
	if !p.telling {
		p.telling = true
		p.goLocked(p.tell)
	}
}

func (p *Pool) tell() {
	defer p.goroutineEnded()
	for {
		p.mu.Lock()
		news := p.news
		p.news = nil
		if len(news) == 0 {
			p.telling = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		for _, f := range news {
			f()
		}
	}
}

// learnLocked notes what the server takes, and tells it.
func (p *Pool) learnLocked() {
	if learned := p.learned; p.config.OnLearned != nil {
		p.tellLocked(func() { p.config.OnLearned(learned) })
	}
}

// lowerLocked takes less connections, as the server wants; at least one.
func (p *Pool) lowerLocked(capacity int, why *smtp.Error, now time.Time) {
	p.capacity = max(1, capacity)
	p.capacityAt = now
	p.learned.Connections, p.learned.ConnectionsReason, p.learned.ConnectionsAt = p.capacity, words(why), now
	p.learnLocked()
	p.reviewHealthLocked(now)
}

// crowd is what the capacity was before a server turned connections away that it
// had taken. Pool.mu guards it.
type crowd struct {
	before int
	at     time.Time // of the first of them
}

// leaving is how long a server may take to shut down.
const leaving = 10 * time.Second

func (c *crowd) grewLocked(capacity int, now time.Time) {
	if now.Sub(c.at) > leaving {
		c.before, c.at = capacity, now
	}
}

// disperseLocked takes it back that there were too many connections if the server
// does not even listen now: it was shutting down, which it tells by 421 as well
// (RFC 5321 §3.8).
func (p *Pool) disperseLocked(err *smtp.Error, now time.Time) {
	if err.Phase > smtp.PhaseConnect || err.Class != smtp.ClassConnect || p.crowd.before <= p.capacity || now.Sub(p.crowd.at) > leaving {
		return
	}
	p.capacity = min(p.crowd.before, p.config.Connections)
	p.crowd = crowd{}
	p.learned.Connections, p.learned.ConnectionsReason, p.learned.ConnectionsAt = 0, "", time.Time{}
	p.learnLocked()
}

// raiseLocked allows one connection more after a minute of success.
func (p *Pool) raiseLocked(now time.Time) {
	if p.capacity >= p.config.Connections || now.Sub(p.capacityAt) < time.Minute {
		return
	}
	p.capacity++
	p.capacityAt = now
	p.learned.Connections = p.capacity
	if p.capacity == p.config.Connections {
		p.learned.Connections, p.learned.ConnectionsReason, p.learned.ConnectionsAt = 0, "", time.Time{}
		p.learnLocked()
	}
	p.reviewHealthLocked(now)
}

// paceChanged notes that the server complained of the rate, or stopped to.
func (p *Pool) paceChanged() {
	now := time.Now()
	pace, keep := p.config.Limiter.Learned()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.learned.Rate, p.learned.RateReason, p.learned.RateAt, p.learned.Pace = "", "", time.Time{}, keep
	if pace.PerSecond > 0 {
		p.learned.Rate, p.learned.RateReason, p.learned.RateAt = pace.Words(), pace.Reply, pace.Complaint
	}
	p.learnLocked()
	p.reviewHealthLocked(now)
}

// limitSessionLocked learns how many messages a connection takes.
func (p *Pool) limitSessionLocked(n int, why *smtp.Error, now time.Time) {
	if n < 1 || p.learned.Messages > 0 && n >= p.learned.Messages {
		return
	}
	p.learned.Messages, p.learned.MessagesReason, p.learned.MessagesAt = n, words(why), now
	p.learnLocked()
}

// words are what the server said.
func words(err *smtp.Error) string {
	if !err.Reply.IsZero() {
		return err.Reply.String()
	}
	return err.Error()
}

// ForgetAfter is how long what was learned before the pool began is believed.
const ForgetAfter = 24 * time.Hour

// recallLocked starts with what an earlier pool learned.
func (p *Pool) recallLocked(l Learned, now time.Time) {
	if l.Connections > 0 && now.Sub(l.ConnectionsAt) < ForgetAfter {
		p.capacity = min(p.capacity, l.Connections)
		p.capacityAt = l.ConnectionsAt
		p.learned.Connections, p.learned.ConnectionsReason, p.learned.ConnectionsAt = l.Connections, l.ConnectionsReason, l.ConnectionsAt
	}
	if p.config.Limiter.Recall(now, l.Pace); l.Rate != "" && now.Sub(l.RateAt) < ForgetAfter {
		p.learned.Rate, p.learned.RateReason, p.learned.RateAt, p.learned.Pace = l.Rate, l.RateReason, l.RateAt, l.Pace
	}
	if l.Messages > 0 && now.Sub(l.MessagesAt) < ForgetAfter {
		p.learned.Messages, p.learned.MessagesReason, p.learned.MessagesAt = l.Messages, l.MessagesReason, l.MessagesAt
	}
}

// diagnoseServersLocked tells of each server, if there are several.
func (p *Pool) diagnoseServersLocked(h *Health, t *target) {
	if len(t.endpoints) == 1 {
		return
	}
	for _, e := range t.endpoints {
		s := ServerHealth{Address: e.address, Priority: e.priority, Weight: e.weight, Connections: e.live}
		if e.failure != nil {
			s.Failure, s.Since, s.NextProbe = e.failure, e.since, e.retryAt
		}
		h.Servers = append(h.Servers, s)
	}
	if t.serving != nil {
		h.Server = t.serving.address
	}
}

// failing has a bit for each server that is not used.
func (h *Health) failing() (bits uint64) {
	for i, s := range h.Servers {
		if s.Failure != nil {
			bits |= 1 << (i % 64)
		}
	}
	return bits
}

// blameServers says which servers are out, and who stands in.
func (h *Health) blameServers() {
	var out []string
	for _, s := range h.Servers {
		if s.Failure == nil {
			continue
		}
		if out = append(out, s.Failure.Error()); h.Err == nil {
			h.Err, h.NextProbe = s.Failure, s.NextProbe
		}
	}
	h.Condition, h.Cause = Degraded, CauseFailover
	h.Reason = "a server cannot be used, others serve: " + strings.Join(out, "; ")
}
