package pool

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/smtp"
)

// waiter is a message with the caller who waits for it. Waiters are reused,
// their channel and hooks with them.
type waiter struct {
	pool     *Pool
	item     Item
	use      limit.Use // of the limiter's windows
	target   *target
	result   chan *smtp.Result // nil means err
	replied  func()            // the transaction's MailReplied
	finished func(*smtp.Result)
	wrote    func(octets int64) // the transaction's Progress, where a server is watched
	away     chan struct{}      // its server is silent: see leave

	going sync.Mutex // held while it leaves; Pool.mu is locked after it
	over  bool       // its try has an outcome; written under going or Pool.mu, read under both

	// Guarded by Pool.mu.
	prev, next *waiter
	arrival    uint64
	state      waiterState
	awaits     bool // it waits for the server's answer; guarded by the connection's watch
	leaving    bool // the caller is going: no further try
	steady     bool // it has left a silent server before
	err        error
	tx         *smtp.Transaction
	queued     time.Time
	held       time.Duration // Pool.heldLocked when it was queued
	waited     Waited

	// The driver's own while handed out.
	conn          *connection
	slot          limit.Slot
	taken         time.Time // when it was handed to the connection
	tries, spared int

	claim atomic.Uint32 // who speaks last: the connection or the caller
}

type waiterState uint8

const (
	inLine    waiterState = iota
	handedOut             // a connection has it
	failed                // err is set, nil is in result
)

const (
	claimOpen      = iota
	claimDelivered // the result is in the channel
	claimAbandoned // the caller left not knowing
	claimWithdrawn // the caller left knowing it is not sent
)

func (p *Pool) newWaiter(item Item) *waiter {
	w, _ := p.waiters.Get().(*waiter)
	if w == nil {
		w = &waiter{pool: p, result: make(chan *smtp.Result, 1), away: make(chan struct{}, 1)}
		w.replied, w.finished, w.wrote = w.mailReplied, w.done, w.progressed
	}
	w.item, w.use = item, item.use()
	w.renew()
	return w
}

// renew makes the transaction of the next try: one is used only once.
func (w *waiter) renew() {
	w.over = false
	w.tx = &smtp.Transaction{
		Envelope:       w.item.Envelope,
		Content:        w.item.Content,
		AllOrNothing:   w.item.AllOrNothing,
		Chunking:       w.item.Chunking,
		Binary:         w.item.Binary,
		AllowLongLines: w.item.AllowLongLines,
		Progress:       w.item.Progress,
		Commit:         w.item.Commit,
		MailReplied:    w.replied,
		Done:           w.finished,
	}
}

// release gives w back for reuse; whoever knows last of it calls it.
func (w *waiter) release() {
	p := w.pool
	w.item, w.target, w.err, w.tx, w.conn = Item{}, nil, nil, nil, nil
	w.leaving, w.steady, w.state, w.waited = false, false, inLine, Waited{}
	w.arrival, w.tries, w.spared = 0, 0, 0
	select {
	case <-w.away:
	default:
	}
	w.claim.Store(claimOpen)
	p.waiters.Put(w)
}

// failLocked ends a message that is in line: not sent.
func (w *waiter) failLocked(err error) {
	w.pool.leaveLocked(w)
	w.state, w.err = failed, err
	w.pool.count.notSent.Add(1)
	w.pool.count.wait.observe(time.Since(w.queued))
	w.result <- nil
}

// await blocks the caller until the message is settled or ctx ends.
func (w *waiter) await(ctx context.Context) (*smtp.Result, Waited, error) {
	for {
		select {
		case r := <-w.result:
			return w.settled(r)
		case <-w.away:
			if m, waited, ok := w.leave(); ok {
				return nil, waited, m
			}
		case <-ctx.Done():
			return w.abandon(ctx)
		}
	}
}

func (w *waiter) settled(r *smtp.Result) (*smtp.Result, Waited, error) {
	waited, err := w.waited, w.err
	w.release()
	if r != nil && r.Err != nil {
		err = r.Err
	}
	return r, waited, err
}

// abandon ends the wait of a caller whose context ended.
func (w *waiter) abandon(ctx context.Context) (*smtp.Result, Waited, error) {
	p := w.pool
	now := time.Now()
	p.mu.Lock()
	w.leaving = true
	if w.state == inLine {
		p.withdrawLocked(w, canceled(w.target.server, ctx, smtp.NotSent), now)
	}
	state, tx, server, waited := w.state, w.tx, w.target.server, w.waited
	p.mu.Unlock()
	if state == failed {
		return w.settled(<-w.result)
	}
	claim, outcome := uint32(claimAbandoned), smtp.Unknown
	if p.withdraw(tx) {
		claim, outcome = claimWithdrawn, smtp.NotSent
	}
	if !w.claim.CompareAndSwap(claimOpen, claim) {
		return w.settled(<-w.result)
	}
	p.count.outcome(outcome)
	p.count.canceled.Add(1)
	return nil, waited, canceled(server, ctx, outcome)
}

// withdrawLocked takes w out of the line for its caller.
func (p *Pool) withdrawLocked(w *waiter, err error, now time.Time) {
	t := w.target
	first := t.line.head() == w
	w.addWaited(now)
	w.failLocked(err)
	p.count.canceled.Add(1)
	if first && p.blocked {
		p.blocked = false // the new head may need less of the limiter
		p.dispatchLocked(t, now)
	}
}

// addWaited books the time in line up to now.
func (w *waiter) addWaited(now time.Time) {
	total := now.Sub(w.queued)
	w.waited.Total += total
	if rate := min(total, w.pool.heldLocked(now)-w.held); rate > 0 && w.pool.heldBy != (limit.Rate{}) {
		w.waited.Rate += rate
		w.waited.Limit = w.pool.heldBy
	}
}

// mailReplied is called when the server answers MAIL, which no server does that
// has refused a login.
func (w *waiter) mailReplied() {
	w.conn.watch.hear(w.conn.endpoint)
	w.conn.checkLogin()
}

// done takes the outcome of a try, from the goroutine that drives the connection.
// Only now does the rate slot begin to expire: some servers count a message at
// MAIL, some each recipient, some at the end of the content.
func (w *waiter) done(r *smtp.Result) {
	w.going.Lock() // it may be leaving
	w.over = true
	w.going.Unlock()
	if w.slot != (limit.Slot{}) {
		if r.Started.IsZero() {
			w.slot.Cancel(time.Now())
		} else {
			w.slot.Done(time.Now())
		}
	}
	if w.conn.finished(w, r) {
		return // back in line
	}
	w.deliver(r)
}

func (w *waiter) deliver(r *smtp.Result) {
	p := w.pool
	p.count.verdict(r)
	if w.claim.CompareAndSwap(claimOpen, claimDelivered) {
		p.count.outcome(r.Outcome)
		w.result <- r
		return
	}
	if w.claim.Load() == claimAbandoned {
		p.count.late.Add(1)
		if p.config.OnLate != nil {
			p.config.OnLate(w.item, r)
		}
	}
	w.release()
}
