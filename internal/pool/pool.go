package pool

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/smtp"
)

// Config says how a pool behaves. The zero value is usable.
type Config struct {
	Connections           int           // at once, over all targets; default 5
	MessagesPerConnection int           // default 100; negative: no limit
	IdleTimeout           time.Duration // default 5 min; negative: no limit
	SweepInterval         time.Duration // how often idle ones are looked at; default 1 min
	MaxLifetime           time.Duration // of a connection, give or take 10 %; default no limit
	MaxWaiting            int           // messages in line; default 100,000
	MinIdle               int           // connections of the latest target kept open and logged in; default 0
	MaxTries              int           // of a message that was not sent, on fresh connections, for each server; default 3

	// Limiter is asked before each message; nil limits nothing.
	Limiter *limit.Limiter

	// Learned and Paused are what an earlier pool of the account knew.
	Learned Learned
	Paused  Pause

	// OnRefused is told of a refused login before anybody else is, from the
	// goroutine of the connection, which waits for it.
	OnRefused func(key string, err *smtp.Error)
	// OnProven is told that credentials work, once for each target and Resume.
	OnProven func(key string)
	// These are told in the order of events, from one goroutine that Close joins.
	OnHealth  func(Health)                         // it has changed
	OnLearned func(Learned)                        // something new
	OnPause   func(Pause)                          // of the account; the zero Pause ends it
	OnHold    func(by limit.Rate, until time.Time) // the limiter holds the line, until about then

	// OnLate is told what became of a message whose caller had left without
	// knowing. OnSlowClose is told every five seconds what Close still waits for.
	// Neither must block.
	OnLate      func(Item, *smtp.Result)
	OnSlowClose func(waitingFor string)

	// Counters take the totals; default: counters of this pool's own.
	Counters *Counters
}

func (c Config) withDefaults() Config {
	fallback(&c.Connections, 5)
	fallback(&c.MessagesPerConnection, 100)
	fallback(&c.IdleTimeout, 5*time.Minute)
	fallback(&c.SweepInterval, time.Minute)
	fallback(&c.MaxWaiting, 100_000)
	fallback(&c.MaxTries, 3)
	c.Connections = max(c.Connections, 1)
	c.MinIdle = min(c.MinIdle, c.Connections)
	return c
}

func fallback[T int | time.Duration](value *T, standard T) {
	if *value == 0 {
		*value = standard
	}
}

// Pool sends messages of one account identity. It is safe for concurrent use.
type Pool struct {
	config  Config
	waiters sync.Pool
	count   *Counters

	work     context.Context // ends at the deadline of Close
	cut      context.CancelFunc
	dials    context.Context // ends soon after the beginning of Close
	endDials context.CancelFunc
	unlisten func()
	withdraw func(*smtp.Transaction) bool // Transaction.Withdraw but in tests

	inFlight atomic.Int64 // messages on a connection

	// The mutex guards what follows; see the package comment.
	mu          sync.Mutex
	targets     map[string]*target
	current     *target // of the latest Send or Warm
	connections map[*connection]struct{}
	arrivals    uint64
	waiting     int

	open, quitting int // slots in use, and those that count and are about to be freed
	beside         int // slots in use that do not count
	starving       int // targets without any connection for want of room
	capacity       int // what the server lets us have, up to Connections
	capacityAt     time.Time
	crowd          crowd
	learned        Learned
	quota          quotaGate

	told    told
	expires time.Time // of the certificate that was seen last
	news    []func()  // to be told
	telling bool      // a goroutine does so

	rateGate
	alarm

	closing bool
	running int           // goroutines and armed timers
	ended   chan struct{} // closed when closing and running is 0
}

// New returns a pool. It starts nothing before the first message.
func New(config Config) *Pool {
	p := &Pool{
		config:      config.withDefaults(),
		targets:     make(map[string]*target),
		connections: make(map[*connection]struct{}),
		ended:       make(chan struct{}),
		withdraw:    (*smtp.Transaction).Withdraw,
	}
	p.count = p.config.Counters
	if p.count == nil {
		p.count = new(Counters)
	}
	p.capacity = p.config.Connections
	now := time.Now()
	p.told.since = now
	p.recallLocked(config.Learned, now)
	if config.Paused.Err != nil && now.Before(config.Paused.Until) {
		p.quota = quotaGate{strikes: 1, until: config.Paused.Until, err: config.Paused.Err}
	}
	p.work, p.cut = context.WithCancel(context.Background())
	p.dials, p.endDials = context.WithCancel(p.work)
	p.unlisten = p.config.Limiter.Notify(p.rateChanged)
	return p
}

// Send puts the message into the line of its target and waits for the outcome.
// The error is nil exactly when every recipient was accepted; it is an
// [*smtp.Error]. There is no Result if no connection had the last word.
//
// If ctx ends while the message can still be taken back, it is not sent; later,
// the outcome is unknown and Config.OnLate hears the rest.
func (p *Pool) Send(ctx context.Context, t Target, item Item) (*smtp.Result, Waited, error) {
	r, waited, err := p.send(ctx, t, item, 0)
	if m, ok := err.(moved); ok {
		before := waited
		r, waited, err = p.send(ctx, t, item, uint64(m))
		waited.add(before)
	}
	if err != nil {
		p.count.failed(err)
	}
	return r, waited, err
}

// send is a stay of a message in line and on connections. One that has no place
// yet, which is 0, may be told to come again: see moved.
func (p *Pool) send(ctx context.Context, t Target, item Item, place uint64) (*smtp.Result, Waited, error) {
	if ctx.Err() != nil {
		p.count.notSent.Add(1)
		p.count.canceled.Add(1)
		return nil, Waited{}, canceled(t.Server, ctx, smtp.NotSent)
	}
	now := time.Now()
	if err := p.config.Limiter.Fits(now, item.use()); err != nil {
		p.count.notSent.Add(1)
		return nil, Waited{}, unfit(t.Server, err)
	}
	w := p.newWaiter(item)
	w.arrival, w.steady = place, place > 0
	p.mu.Lock()
	if err := p.enqueueLocked(w, t, now); err != nil {
		p.mu.Unlock()
		w.release()
		p.count.notSent.Add(1)
		return nil, Waited{}, err
	}
	p.mu.Unlock()
	return w.await(ctx)
}

// Restrict lowers Config.Connections and Config.MessagesPerConnection to these,
// which are read as there; what is not lower changes nothing. Connections that
// are too many by now leave as soon as they can.
func (p *Pool) Restrict(connections, messages int) {
	other := Config{Connections: connections, MessagesPerConnection: messages}.withDefaults()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.config.Connections = min(p.config.Connections, other.Connections)
	p.config.MinIdle = min(p.config.MinIdle, p.config.Connections)
	p.capacity = min(p.capacity, p.config.Connections)
	if other.MessagesPerConnection > 0 && (p.config.MessagesPerConnection < 0 || other.MessagesPerConnection < p.config.MessagesPerConnection) {
		p.config.MessagesPerConnection = other.MessagesPerConnection
	}
	p.trimIdleLocked()
}

// trimIdleLocked says goodbye to idle connections beyond Config.Connections.
func (p *Pool) trimIdleLocked() {
	for _, t := range p.targets {
		for len(t.idle) > 0 && p.stayingLocked() > p.config.Connections {
			p.retireLocked(t.giveUpIdleLocked(), closedForRoom)
		}
	}
}

func (p *Pool) enqueueLocked(w *waiter, to Target, now time.Time) error {
	if p.closing {
		return waitError(to.Server, smtp.ClassClosed, errClosed)
	}
	t := p.targetLocked(to, now)
	if err := t.unavailableLocked(now); err != nil {
		return err
	}
	if err := p.quota.closedLocked(now); err != nil {
		return err
	}
	if p.waiting >= p.config.MaxWaiting && w.arrival == 0 {
		return waitError(to.Server, smtp.ClassBusy, busyError(p.waiting))
	}
	if w.target = t; w.arrival == 0 {
		p.arrivals++
		w.arrival = p.arrivals
	}
	p.joinLocked(w, now)
	if p.blocked && t.line.head() == w {
		p.blocked = false // it may fit where the former head did not
	}
	p.watchLocked(t, now)
	p.dispatchLocked(t, now)
	if p.config.MinIdle > 0 {
		p.warmLocked(now)
	}
	return nil
}

func (p *Pool) joinLocked(w *waiter, now time.Time) {
	w.state, w.queued, w.held = inLine, now, p.heldLocked(now)
	w.target.line.add(w)
	p.waiting++
}

func (p *Pool) leaveLocked(w *waiter) {
	w.target.line.remove(w)
	p.waiting--
	if w.target.line.n == 0 {
		p.sateLocked(w.target)
	}
}

// Warm makes the target the current one and opens Config.MinIdle connections to
// it in the background.
func (p *Pool) Warm(to Target) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closing {
		return
	}
	now := time.Now()
	p.targetLocked(to, now)
	p.warmLocked(now)
}
