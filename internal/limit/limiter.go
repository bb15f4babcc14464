package limit

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Limiter holds several windows at once: a slot is given when all of them have
// room. A nil *Limiter and one without rates limit nothing. It is safe for
// concurrent use.
type Limiter struct {
	limited atomic.Bool // false spares the lock

	// The mutex guards what follows; no foreign function is called under it.
	mu       sync.Mutex
	epoch    time.Time
	latest   time.Duration // since epoch; never goes back, so that the log is sorted
	inFlight Use
	log      journal
	windows  []window
	units    [Octets + 1]bool // which of them some window counts
	waited   bool             // somebody was refused, or told to wait, since the last notice
	reserve
	pace Pace

	listeners map[int]func()
	listener  int
}

// New returns a limiter for these rates together, of this process alone.
func New(rates ...Rate) *Limiter {
	l := &Limiter{}
	l.Restrict(rates...)
	return l
}

// NewShared returns a limiter that takes only what the ledger has granted to it.
// What a person should know of the ledger goes to notice. Close it when nothing
// is in flight any more.
func NewShared(ledger Ledger, notice func(string), rates ...Rate) *Limiter {
	l := &Limiter{}
	l.reserve.open(ledger, notice)
	l.Restrict(rates...)
	return l
}

// Slot is room for one message in all windows of a limiter. Its owner calls
// Done or Cancel; only the first call counts. The zero Slot holds nothing. A
// Slot belongs to one goroutine at a time.
type Slot struct {
	limiter *Limiter
	use     Use
	granted Use // by the ledger
	started time.Time
}

// Take takes a slot for a message, or reports that some window has no room.
func (l *Limiter) Take(now time.Time, message Use) (Slot, bool) {
	if l == nil || !l.limited.Load() {
		return Slot{}, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(now)
	message.Octets = max(message.Octets, 0) // unknown, and no window counts them
	if l.pace.Next(now).After(now) {
		l.waited = true
		return Slot{}, false
	}
	for i := range l.windows {
		if l.excess(&l.windows[i], message) > 0 {
			l.waited = true
			return Slot{}, false
		}
	}
	granted, ok := l.spendLocked(now, message)
	if !ok {
		l.waited = true
		return Slot{}, false
	}
	l.pace.Take(now)
	l.inFlight = l.inFlight.Plus(message)
	return Slot{limiter: l, use: message, granted: granted, started: now}, true
}

// Next tells when a message may find room, and which rate it waits for (the
// zero Rate if there is room now). The instant is known only if enough slots are
// expiring; while they are in flight, or others hold them, known is false: come
// back after a Done or Cancel, see [Limiter.Notify]; at is then a guess, or zero.
// For a message that can never fit there is nothing to wait for: the answer is
// now, see [Limiter.Fits].
func (l *Limiter) Next(now time.Time, message Use) (at time.Time, bound Rate, known bool) {
	if l == nil || !l.limited.Load() {
		return now, Rate{}, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(now)
	at, known = now, true
	if paced := l.pace.Next(now); paced.After(now) {
		at, bound = paced, l.pace.bounds()
		l.waited = true // an answer may bring it nearer
	}
	for i := range l.windows {
		w := &l.windows[i]
		excess := l.excess(w, message)
		if excess <= 0 {
			continue
		}
		if message.Of(w.Unit) > int64(w.Count) {
			return now, w.Rate, true
		}
		l.waited = true
		free, ok := l.log.instant(w.head, w.Unit, excess)
		if !ok {
			return time.Time{}, w.Rate, false
		}
		if t := l.epoch.Add(free + w.Per); bound == (Rate{}) || t.After(at) {
			at, bound = t, w.Rate
		}
	}
	if !at.After(now) && l.lacksLocked(now, message) {
		l.waited = true
		l.askLocked(now, message)
		return l.retryAt, l.bound, false
	}
	return at, bound, true
}

// Fits returns why a message would wait for ever: a [*TooManyError], an
// [*UnknownSizeError], or a [*LedgerError] if the ledger failed.
func (l *Limiter) Fits(now time.Time, message Use) error {
	if l == nil || !l.limited.Load() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.windows {
		if message.Of(w.Unit) < 0 {
			return &UnknownSizeError{Rate: w.Rate}
		}
		if message.Of(w.Unit) > int64(w.Count) {
			return &TooManyError{Use: message, Rate: w.Rate}
		}
	}
	return l.failedLocked(now)
}

// Notify has wake called whenever a slot was given up after somebody was
// refused or told by Next to wait, or the limits were restricted: then Next may
// answer otherwise. The call comes from the goroutine that did so, without locks
// held. The returned function ends it.
func (l *Limiter) Notify(wake func()) (stop func()) {
	if l == nil {
		return func() {}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.listeners == nil {
		l.listeners = make(map[int]func())
	}
	id := l.listener
	l.listener++
	l.listeners[id] = wake
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.listeners, id)
	}
}

// Done says that the server has counted the message at the latest now: its
// final reply was read, or the connection was lost. The slot is freed one window
// later.
func (s *Slot) Done(now time.Time) {
	l := s.limiter
	if l == nil {
		return
	}
	l.mu.Lock()
	l.advance(now)
	l.release(s)
	l.log.add(l.latest, s.use)
	for i := range l.windows {
		l.windows[i].used += s.use.Of(l.windows[i].Unit)
	}
	l.reportLocked(Done{At: now, Use: s.use, Granted: s.granted})
	l.unlockAndTell()
}

// Cancel says that MAIL was never written: the slot is free at once.
func (s *Slot) Cancel(now time.Time) {
	l := s.limiter
	if l == nil {
		return
	}
	l.mu.Lock()
	l.release(s)
	l.pace.Cancel(now)
	l.refundLocked(s.granted)
	l.unlockAndTell()
}

func (l *Limiter) release(s *Slot) {
	s.limiter = nil
	l.inFlight = l.inFlight.Minus(s.use)
}

func (l *Limiter) unlockAndTell() {
	var wake []func()
	if l.waited {
		l.waited = false
		wake = slices.Collect(maps.Values(l.listeners))
	}
	l.mu.Unlock()
	for _, f := range wake {
		f()
	}
}

// excess is by how much the window would overflow.
func (l *Limiter) excess(w *window, want Use) int64 {
	return w.used + l.inFlight.Of(w.Unit) + want.Of(w.Unit) - int64(w.Count)
}
