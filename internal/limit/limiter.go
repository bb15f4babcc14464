package limit

import (
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
	inFlight tally
	log      journal
	windows  []window
	waited   bool // somebody was refused, or told to wait, since the last notice

	listeners map[int]func()
	listener  int
}

// tally counts in both units.
type tally struct{ messages, recipients int64 }

func (a tally) of(u Unit) int64 {
	if u == Recipients {
		return a.recipients
	}
	return a.messages
}

// New returns a limiter for these rates together.
func New(rates ...Rate) *Limiter {
	l := &Limiter{}
	l.Restrict(rates...)
	return l
}

// Slot is room for one message in all windows of a limiter. Its owner calls
// Done or Cancel; only the first call counts. The zero Slot holds nothing. A
// Slot belongs to one goroutine at a time.
type Slot struct {
	limiter    *Limiter
	recipients int64
}

// Take takes a slot for a message with that many recipients, or reports that
// some window has no room.
func (l *Limiter) Take(now time.Time, recipients int) (Slot, bool) {
	if l == nil || !l.limited.Load() {
		return Slot{}, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(now)
	want := demand(recipients)
	for i := range l.windows {
		if l.excess(&l.windows[i], want) > 0 {
			l.waited = true
			return Slot{}, false
		}
	}
	l.inFlight.messages += want.messages
	l.inFlight.recipients += want.recipients
	return Slot{limiter: l, recipients: want.recipients}, true
}

// Next tells when a message with that many recipients may find room, and which
// rate it waits for (the zero Rate if there is room now). The instant is known
// only if enough slots are expiring; while they are in flight known is false:
// come back after a Done or Cancel, see [Limiter.Notify]. For a message that can
// never fit there is nothing to wait for: the answer is now, see [Limiter.Fits].
func (l *Limiter) Next(now time.Time, recipients int) (at time.Time, bound Rate, known bool) {
	if l == nil || !l.limited.Load() {
		return now, Rate{}, true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.advance(now)
	at, known = now, true
	want := demand(recipients)
	for i := range l.windows {
		w := &l.windows[i]
		excess := l.excess(w, want)
		if excess <= 0 {
			continue
		}
		if want.of(w.Unit) > int64(w.Count) {
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
	return at, bound, true
}

// Fits returns a [*TooManyError] if a message with that many recipients would
// wait for ever.
func (l *Limiter) Fits(recipients int) error {
	if l == nil || !l.limited.Load() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.windows {
		if demand(recipients).of(w.Unit) > int64(w.Count) {
			return &TooManyError{Recipients: recipients, Rate: w.Rate}
		}
	}
	return nil
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

// Done says that the server has counted the message: the reply to its MAIL was
// read, or the connection was lost, now. The slot is freed one window later.
func (s *Slot) Done(now time.Time) {
	l := s.limiter
	if l == nil {
		return
	}
	l.mu.Lock()
	l.advance(now)
	given := l.release(s)
	l.log.add(l.latest, given)
	for i := range l.windows {
		l.windows[i].used += given.of(l.windows[i].Unit)
	}
	l.unlockAndTell()
}

// Cancel says that MAIL was never written: the slot is free at once.
func (s *Slot) Cancel() {
	l := s.limiter
	if l == nil {
		return
	}
	l.mu.Lock()
	l.release(s)
	l.unlockAndTell()
}

func (l *Limiter) release(s *Slot) tally {
	given := tally{messages: 1, recipients: s.recipients}
	s.limiter = nil
	l.inFlight.messages -= given.messages
	l.inFlight.recipients -= given.recipients
	return given
}

func (l *Limiter) unlockAndTell() {
	var wake []func()
	if l.waited {
		l.waited = false
		for _, f := range l.listeners {
			wake = append(wake, f)
		}
	}
	l.mu.Unlock()
	for _, f := range wake {
		f()
	}
}

// excess is by how much the window would overflow.
func (l *Limiter) excess(w *window, want tally) int64 {
	return w.used + l.inFlight.of(w.Unit) + want.of(w.Unit) - int64(w.Count)
}

func demand(recipients int) tally { return tally{messages: 1, recipients: int64(max(recipients, 1))} }
