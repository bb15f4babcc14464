package limit

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// reserve is what a limiter has with its ledger. Slots are taken from credit
// alone, so that no one ever waits for a disk with a lock held; a goroutine asks
// the ledger when credit runs short, and reports what was done. Limiter.mu guards
// the fields.
type reserve struct {
	ledger Ledger

	credit Use       // granted, and not taken
	spent  time.Time // when credit was last taken or granted
	done   []Done    // to be reported, oldest first

	wanted Use       // a message that found no credit, or soon will; zero: nobody waits
	dry    time.Time // when credit ran out; zero: there is some
	ahead  int       // how many more to ask for than are wanted now

	retryAt time.Time // nothing was granted: not asked again before
	bound   Rate      // and the window in the way
	failure *LedgerError

	closed  bool
	active  bool // an exchange is going on
	timer   *time.Timer
	timerAt time.Time // zero: not set
	running sync.WaitGroup
	work    context.Context
	cut     context.CancelFunc
	notice  func(string)
}

const (
	// reportAfter is how long what was done may go unreported: the ledger counts it
	// as used meanwhile. Short windows want it sooner.
	reportAfter = 50 * time.Millisecond
	// keepCredit is how long unused credit is kept: others may be waiting for it.
	keepCredit = 200 * time.Millisecond
	// retryFailed is how long a failing ledger is left alone.
	retryFailed = time.Second
	// quickly: credit that is gone within this time was too little.
	quickly = 20 * time.Millisecond
)

// LedgerError says that the ledger failed, so that nobody knows how much of a
// limit is left. Nothing is sent then.
type LedgerError struct{ Err error }

// Error says what follows from the failure.
func (e *LedgerError) Error() string {
	return fmt.Sprintf("how much of the account's limits is left cannot be told, so nothing is sent: %v", e.Err)
}

// Unwrap returns the failure.
func (e *LedgerError) Unwrap() error { return e.Err }

func (r *reserve) open(ledger Ledger, notice func(string)) {
	r.ledger, r.notice = ledger, notice
	r.work, r.cut = context.WithCancel(context.Background())
}

// counted is the part of a message that some window counts; the rest would only
// make messages differ.
func (l *Limiter) counted(message Use) Use {
	for unit, counts := range l.units {
		if counts {
			continue
		}
		switch Unit(unit) {
		case Recipients:
			message.Recipients = 0
		case Octets:
			message.Octets = 0
		}
	}
	return message
}

// lacksLocked reports whether credit, rather than a window, is what a message waits for.
func (l *Limiter) lacksLocked(now time.Time, message Use) bool {
	return l.ledger != nil && len(l.windows) > 0 && l.failedLocked(now) == nil && !l.credit.Covers(l.counted(message))
}

// failedLocked is why the ledger cannot be asked now.
func (l *Limiter) failedLocked(now time.Time) error {
	if l.failure == nil || !now.Before(l.retryAt) {
		return nil
	}
	return l.failure
}

// spendLocked takes a message from the credit, or asks the ledger for more.
func (l *Limiter) spendLocked(now time.Time, message Use) (Use, bool) {
	if l.ledger == nil || len(l.windows) == 0 {
		return Use{}, true
	}
	want := l.counted(message)
	if !l.credit.Covers(want) {
		l.askLocked(now, message)
		return Use{}, false
	}
	l.credit = l.credit.Minus(want)
	l.spent = now
	l.wanted = Use{}
	if l.ahead > 1 && !l.credit.Covers(want.Times(int64(l.ahead/2))) {
		l.wanted = want // before it runs out
		l.stirLocked(now)
	}
	return want, true
}

// askLocked has the ledger asked for a message.
func (l *Limiter) askLocked(now time.Time, message Use) {
	l.wanted = l.counted(message)
	if l.dry.IsZero() {
		l.dry = now
	}
	l.stirLocked(now)
}

func (l *Limiter) refundLocked(granted Use) {
	if l.ledger != nil {
		l.credit = l.credit.Plus(granted)
		l.stirLocked(time.Now())
	}
}

func (l *Limiter) reportLocked(d Done) {
	if l.ledger == nil || d.Granted.IsZero() {
		return
	}
	l.done = append(l.done, d)
	l.stirLocked(d.At)
}

// stirLocked has an exchange made when one is due.
func (l *Limiter) stirLocked(now time.Time) {
	at := l.dueLocked(now)
	if l.closed || l.active || at.IsZero() {
		return
	}
	if at.After(now) {
		l.alarmLocked(at, now)
		return
	}
	l.active = true
	l.running.Add(1)
	go l.exchange()
}

// dueLocked is when the next exchange is due; zero: never.
func (l *Limiter) dueLocked(now time.Time) (at time.Time) {
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	if !l.wanted.IsZero() {
		sooner(l.retryAt)
		if l.retryAt.IsZero() {
			sooner(now)
		}
	}
	if len(l.done) > 0 {
		sooner(l.done[0].At.Add(l.patienceLocked()))
	}
	if !l.credit.IsZero() && !l.waitsLocked() { // also what is too little for any message
		sooner(l.spent.Add(keepCredit))
	}
	if l.failure != nil && !at.IsZero() && at.Before(l.retryAt) {
		at = l.retryAt
	}
	return at
}

// waitsLocked reports whether somebody waits for credit, or only will.
func (l *Limiter) waitsLocked() bool { return !l.wanted.IsZero() && !l.credit.Covers(l.wanted) }

// patienceLocked is how long a report may wait.
func (l *Limiter) patienceLocked() time.Duration {
	wait := reportAfter
	for _, w := range l.windows {
		wait = min(wait, max(w.Per/20, time.Millisecond))
	}
	return wait
}

func (l *Limiter) alarmLocked(at, now time.Time) {
	if !l.timerAt.IsZero() {
		if !at.Before(l.timerAt) || !l.timer.Stop() {
			return // it rings before, or just now
		}
		l.running.Done()
	}
	l.timerAt = at
	l.running.Add(1)
	l.timer = time.AfterFunc(at.Sub(now), l.ring)
}

func (l *Limiter) ring() {
	defer l.running.Done()
	now := time.Now()
	l.mu.Lock()
	l.timerAt = time.Time{}
	l.stirLocked(now)
	l.mu.Unlock()
}

// exchange speaks to the ledger until nothing is due.
func (l *Limiter) exchange() {
	defer l.running.Done()
	for {
		now := time.Now()
		l.mu.Lock()
		at := l.dueLocked(now)
		if l.closed || at.IsZero() || at.After(now) {
			l.active = false
			l.stirLocked(now)
			l.mu.Unlock()
			return
		}
		x := l.draftLocked(now)
		l.mu.Unlock()
		grant, err := l.ledger.Exchange(l.work, x)
		l.settle(x, grant, err)
	}
}

// draftLocked writes down all that is due, and takes it out of the books.
func (l *Limiter) draftLocked(now time.Time) Exchange {
	x := Exchange{Done: l.done}
	for _, w := range l.windows {
		x.Rates = append(x.Rates, w.Rate)
	}
	l.done = nil
	idle := !l.waitsLocked() && now.Sub(l.spent) >= keepCredit
	if idle {
		l.wanted = Use{}
	}
	if !l.wanted.IsZero() && !now.Before(l.retryAt) {
		x.Each, x.Count = l.wanted, l.amountLocked()
	}
	// Credit that is not enough goes back as well: two who each hold a part of what
	// they want would wait for each other.
	if idle || x.Count > 0 && !l.credit.Covers(l.wanted) {
		x.Back, l.credit = l.credit, Use{}
	}
	if idle {
		l.ahead = 0
	}
	return x
}

// amountLocked is how many messages to ask for. Credit that ran out quickly was
// too little; but never more than a tenth of a window is asked for ahead, as it is
// lost for a while if this process dies, and others may need it.
func (l *Limiter) amountLocked() int {
	if !l.dry.IsZero() && l.dry.Sub(l.spent) < quickly {
		l.ahead = max(1, 2*l.ahead)
	}
	l.dry = time.Time{}
	for _, w := range l.windows {
		each := max(l.wanted.Of(w.Unit), 1)
		l.ahead = min(l.ahead, int(int64(w.Count)/10/each))
	}
	return 1 + max(0, l.ahead)
}

// settle books what the ledger answered.
func (l *Limiter) settle(x Exchange, grant Grant, err error) {
	now := time.Now()
	l.mu.Lock()
	if l.failure != nil || x.Count > 0 {
		l.failure, l.retryAt, l.bound = nil, time.Time{}, Rate{}
	}
	switch {
	case err != nil:
		l.failure, l.retryAt = &LedgerError{Err: err}, now.Add(retryFailed)
		l.done = append(x.Done, l.done...)
		l.credit = l.credit.Plus(x.Back)
		l.wanted = Use{} // whoever waits is told now
	case grant.Count > 0:
		l.credit = l.credit.Plus(x.Each.Times(int64(grant.Count)))
		l.spent = now
		l.wanted = Use{}
	case x.Count > 0 && x.Each.Of(grant.Bound.Unit) > int64(grant.Bound.Count) && grant.Bound.limits():
		// Another process's window, which the message never fits: it is ours from now
		// on, so that whoever waits is told.
		l.restrict(grant.Bound)
		l.boundPaceLocked()
		l.wanted = Use{}
	case x.Count > 0:
		l.retryAt, l.bound = now.Add(max(grant.Retry, time.Millisecond)), grant.Bound
	}
	l.unlockAndTell()
	if grant.Notice != "" && l.notice != nil {
		l.notice(grant.Notice)
	}
}

// Close gives back what was reserved and reports what was done, and waits for
// that until ctx ends. Nothing may be taken afterwards. A limiter without a
// ledger has nothing to close.
func (l *Limiter) Close(ctx context.Context) error {
	if l == nil || l.ledger == nil {
		return nil
	}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		l.running.Wait()
		return nil
	}
	l.closed = true
	if !l.timerAt.IsZero() && l.timer.Stop() {
		l.timerAt = time.Time{}
		l.running.Done()
	}
	l.mu.Unlock()
	stop := context.AfterFunc(ctx, l.cut)
	l.running.Wait()
	stop()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("settle the account's limits: %w", err)
	}
	l.mu.Lock()
	x := Exchange{Done: l.done, Back: l.credit}
	l.done, l.credit = nil, Use{}
	l.mu.Unlock()
	defer l.cut()
	if len(x.Done) == 0 && x.Back.IsZero() {
		return nil
	}
	if _, err := l.ledger.Exchange(ctx, x); err != nil {
		return fmt.Errorf("settle the account's limits: %w", err)
	}
	return nil
}
