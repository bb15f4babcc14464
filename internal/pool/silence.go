package pool

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// A server that refuses connections is noticed at once. One that takes messages and
// falls silent would be noticed when replies are overdue, which may be after ten
// minutes. Where there are other servers, one that has given no sign of life for
// Target.Patience, on no connection, while messages wait for its answer, counts as
// failing. Its busy connections are stranded then: they go on waiting, as the server
// may still answer, but have no place in the count of connections; and messages of
// which it is certain that they were not sent leave them.

// watch is the part of a connection that silence is about.
type watch struct {
	mu       sync.Mutex // guards what follows; Pool.mu is locked before it
	messages []*waiter  // in flight, if the target has several servers
	stranded bool
}

// await says whether w waits for an answer of the server, and not for us.
func (w *watch) await(m *waiter, answer bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if m.awaits == answer {
		return
	}
	if w.stranded {
		if m.awaits = answer; answer {
			m.goAway()
		}
		return
	}
	m.awaits = answer
	e := m.conn.endpoint
	if !answer {
		e.flying.Add(-1)
		return
	}
	if e.flying.Add(1) == 1 {
		e.heard.Store(time.Now().UnixNano())
	}
}

// awaited is how many of the messages wait for an answer.
func (w *watch) awaited() (n int32) {
	for _, m := range w.messages {
		if m.awaits {
			n++
		}
	}
	return n
}

func (w *watch) isStranded() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stranded
}

// hear notes a sign of life.
func (w *watch) hear(e *endpoint) {
	if e.flying.Load() > 0 {
		e.heard.Store(time.Now().UnixNano())
	}
}

// progressed: the server takes the content. If it is read from elsewhere a pause may
// be that reader's.
func (w *waiter) progressed(octets int64) {
	w.conn.watch.hear(w.conn.endpoint)
	if !w.inMemory() {
		w.conn.watch.await(w, false)
	}
	if w.item.Progress == nil {
		return
	}
	w.going.Lock()
	defer w.going.Unlock()
	if !w.gone() {
		w.item.Progress(octets)
	}
}

// gone: the message has left its server. w.going is held.
func (w *waiter) gone() bool { return w.claim.Load() == claimWithdrawn }

var errGone = errors.New("the message went to another server")

// inMemory: its content can be read by two at a time, and never lets wait.
func (w *waiter) inMemory() bool {
	if w.item.Content == nil {
		return true
	}
	_, ok := w.item.Content.Octets()
	return ok
}

// commit is Item.Commit, during which it is not the server that lets wait.
// One that has left is not asked for here: another server's turn may have come.
func (w *waiter) commit() error {
	w.going.Lock()
	if w.gone() {
		w.going.Unlock()
		return errGone
	}
	w.conn.watch.await(w, false)
	w.going.Unlock()
	defer w.conn.watch.await(w, true)
	return w.item.Commit()
}

// followLocked notes that w waits for an answer from now on.
func (p *Pool) followLocked(c *connection, w *waiter, now time.Time) {
	e := c.endpoint
	w.tx.Progress = w.wrote
	if w.item.Commit != nil {
		w.tx.Commit = w.commit
	}
	w.awaits = false
	c.watch.mu.Lock()
	c.watch.messages = append(c.watch.messages, w)
	c.watch.mu.Unlock()
	c.watch.await(w, true)
	if !e.watched {
		e.watched = true
		p.alarmLocked(now.Add(c.target.patience), now)
	}
}

// unfollow notes that w waits no more, and what that says of the server.
func (p *Pool) unfollow(c *connection, w *waiter, r *smtp.Result) {
	if len(c.target.endpoints) == 1 {
		return
	}
	answered := r.Outcome == smtp.Accepted || r.Outcome == smtp.Rejected
	if answered || r.Err != nil && !r.Err.Reply.IsZero() {
		c.watch.hear(c.endpoint)
	}
	c.watch.await(w, false)
	c.watch.mu.Lock()
	c.watch.messages = slices.DeleteFunc(c.watch.messages, func(m *waiter) bool { return m == w })
	stranded := c.watch.stranded
	c.watch.mu.Unlock()
	if answered && (stranded || c.endpoint.doubted.Load()) {
		p.answered(c)
	}
}

// answered: a server that was thought to be gone has answered a message.
func (p *Pool) answered(c *connection) {
	now := time.Now()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unstrandLocked(c, now)
	if c.authErr == nil {
		p.workedLocked(c, now)
		c.endpoint.lapses, c.endpoint.losses = 0, 0
	}
	p.dispatchLocked(c.target, now)
}

// unstrandLocked takes a connection back into the count on which the server has
// spoken again.
func (p *Pool) unstrandLocked(c *connection, now time.Time) {
	if !c.watch.unstrand(c.endpoint, now) {
		return
	}
	p.countLocked(c)
	if !c.quitting {
		c.endpoint.stranded--
		c.endpoint.live++
		c.target.live++
	}
}

// silentLocked reports whether a server has said nothing for too long; if not,
// when to look again, if at all.
func (e *endpoint) silentLocked(patience time.Duration, now time.Time) (silent bool, again time.Time) {
	if e.flying.Load() == 0 {
		return false, time.Time{}
	}
	deadline := time.Unix(0, e.heard.Load()).Add(patience)
	return !now.Before(deadline), deadline
}

// listenCloselyLocked asks the connections when they last read a reply: those to
// single recipients, or to the steps of a login, are told to nobody.
func (p *Pool) listenCloselyLocked(e *endpoint) {
	for c := range p.connections {
		if c.endpoint != e || c.conn == nil {
			continue
		}
		if said, ok := c.conn.(interface{ Heard() time.Time }); ok {
			e.heard.Store(max(e.heard.Load(), said.Heard().UnixNano()))
		}
	}
}

// strandLocked gives a silent server up, for now.
func (p *Pool) strandLocked(t *target, e *endpoint, now time.Time) {
	for c := range p.connections {
		if c.endpoint != e || !c.watch.strand(e) {
			continue
		}
		p.uncountLocked(c)
		if !c.quitting {
			e.stranded++
			e.live--
			t.live--
		}
		if t.login == c {
			p.openGateLocked(t) // others may try the credentials elsewhere
		}
	}
	e.failedLocked(&smtp.Error{Server: e.address, Phase: smtp.PhaseWaiting, Class: smtp.ClassTimeout, Err: silence(t.patience)}, now)
	for _, c := range slices.Clone(t.idle) {
		if c.endpoint == e {
			t.idle = slices.DeleteFunc(t.idle, func(other *connection) bool { return other == c })
			c.abrupt = true
			p.retireLocked(c, closedLost)
		}
	}
	p.reviewHealthLocked(now)
}

// strand tells the messages on a busy connection that they had better leave.
func (w *watch) strand(e *endpoint) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.messages) == 0 || w.stranded {
		return false
	}
	e.flying.Add(-w.awaited())
	w.stranded = true
	for _, m := range w.messages {
		m.goAway()
	}
	return true
}

// unstrand reports whether it was stranded.
func (w *watch) unstrand(e *endpoint, now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stranded {
		return false
	}
	w.stranded = false
	if n := w.awaited(); n > 0 {
		e.heard.Store(now.UnixNano())
		e.flying.Add(n)
	}
	return true
}

// mayLeave: m waits for the server, which is silent, and for nothing of ours.
func (w *watch) mayLeave(m *waiter) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stranded && m.awaits
}

// goAway has the caller of w look whether it can leave.
func (w *waiter) goAway() {
	select {
	case w.away <- struct{}{}:
	default:
	}
}

// moved is the error of a stay that ended because the server fell silent: the
// message was not sent, and keeps this place in line.
type moved uint64

func (moved) Error() string { return "the server fell silent" }

// leave takes the message back from a silent server, if it has certainly not been
// sent.
func (w *waiter) leave() (moved, Waited, bool) {
	w.going.Lock()
	defer w.going.Unlock()
	p := w.pool
	p.mu.Lock()
	stays := w.state != handedOut || w.over || w.steady || !w.inMemory() || !w.conn.watch.mayLeave(w)
	tx, place, waited := w.tx, w.arrival, w.waited
	p.mu.Unlock()
	if stays || !p.withdraw(tx) {
		return 0, Waited{}, false
	}
	w.claim.Store(claimWithdrawn)
	p.mu.Lock()
	w.leaving = true // no further try of this one
	p.releaseProbeLocked(w, time.Now())
	p.mu.Unlock()
	p.count.repeated.Add(1)
	return moved(place), waited, true
}

// silence is how long a server has said nothing.
type silence time.Duration

func (s silence) Error() string {
	return "no answer for " + time.Duration(s).String() + " on any connection"
}

// stuckLocked is how many messages are on connections that do not count.
func (p *Pool) stuckLocked() (n int) {
	if p.beside == 0 {
		return 0
	}
	for c := range p.connections {
		c.watch.mu.Lock()
		if c.watch.stranded {
			n += len(c.watch.messages)
		}
		c.watch.mu.Unlock()
	}
	return n
}
