package limit_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
)

// bank is a ledger that fails now and then, and keeps the books of one limiter.
type bank struct {
	mu     sync.Mutex // guards all below
	random *rand.Rand
	fails  int // of 100
	books
}

type books struct {
	granted, done, back limit.Use
	asked               int // for credit
}

// fail has so many of 100 exchanges fail from now on.
func (b *bank) fail(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.fails = n
}

func (b *bank) read() books {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.books
}

var errBank = errors.New("the bank is closed")

func (b *bank) Exchange(_ context.Context, x limit.Exchange) (limit.Grant, error) {
	b.mu.Lock()
	takes := time.Duration(b.random.Int64N(int64(20 * time.Millisecond)))
	b.mu.Unlock()
	<-time.After(takes) // not under the mutex, or the bubble's clock stands still
	b.mu.Lock()
	defer b.mu.Unlock()
	if x.Count > 0 {
		b.asked++
	}
	if b.random.IntN(100) < b.fails {
		return limit.Grant{}, errBank
	}
	for _, d := range x.Done {
		b.done = b.done.Plus(d.Use)
	}
	b.back = b.back.Plus(x.Back)
	n := min(x.Count, b.random.IntN(4))
	b.granted = b.granted.Plus(x.Each.Times(int64(n)))
	return limit.Grant{Count: n, Retry: 5 * time.Millisecond}, nil
}

// Whatever fails in between, in the end all that was granted was either reported
// as done or given back, once; and what was done was reported.
func TestBooksAreBalanced(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 3))
			b := &bank{random: rand.New(rand.NewPCG(seed, 4)), fails: 30}
			l := limit.NewShared(b, nil, limit.Rate{Count: 1000, Per: time.Second}, limit.Rate{Count: 3000, Per: time.Second, Unit: limit.Recipients})
			var done limit.Use
			var open []limit.Slot
			var uses []limit.Use
			for range 1000 {
				time.Sleep(time.Duration(random.Int64N(int64(15 * time.Millisecond))))
				if random.IntN(50) == 0 {
					time.Sleep(time.Second) // idle
				}
				use := limit.Use{Messages: 1, Recipients: 1 + random.Int64N(9)}
				if slot, ok := l.Take(time.Now(), use); ok {
					open, uses = append(open, slot), append(uses, use)
				}
				if len(open) > random.IntN(5) {
					if slot := open[0]; random.IntN(4) == 0 {
						slot.Cancel(time.Now())
					} else {
						slot.Done(time.Now())
						done = done.Plus(uses[0])
					}
					open, uses = open[1:], uses[1:]
				}
			}
			for i := range open {
				open[i].Done(time.Now())
				done = done.Plus(uses[i])
			}
			synctest.Wait()
			b.fail(0)
			if err := l.Close(t.Context()); err != nil {
				t.Error(err)
			}
			got := b.read()
			if done.IsZero() || got.done != done {
				t.Errorf("seed %d: %v were done, %v reported", seed, done, got.done)
			}
			if got.granted != got.done.Plus(got.back) {
				t.Errorf("seed %d: %v granted, %v done, %v given back", seed, got.granted, got.done, got.back)
			}
		})
	}
}

// A limiter that is not used holds nothing back after a short while, though its
// ledger failed meanwhile.
func TestIdleLimiterHoldsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &bank{random: rand.New(rand.NewPCG(1, 1))}
		l := limit.NewShared(b, nil, limit.Rate{Count: 100, Per: time.Hour})
		for b.read().granted.IsZero() {
			l.Take(time.Now(), limit.Message(1, 0))
			time.Sleep(50 * time.Millisecond)
		}
		b.fail(100)
		time.Sleep(2 * time.Second)
		b.fail(0)
		time.Sleep(2 * time.Second)
		if got := b.read(); got.back != got.granted {
			t.Errorf("%v granted, %v given back", got.granted, got.back)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// A ledger that fails is asked for those who wait, not for those who were told.
func TestFailingLedgerIsLeftAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &bank{random: rand.New(rand.NewPCG(1, 1)), fails: 100}
		l := limit.NewShared(b, nil, limit.Rate{Count: 100, Per: time.Hour})
		l.Take(time.Now(), limit.Message(1, 0))
		time.Sleep(100 * time.Millisecond)
		if err := l.Fits(time.Now(), limit.Message(1, 0)); !errors.Is(err, errBank) {
			t.Errorf("%v", err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := b.read().asked; n != 1 {
			t.Errorf("asked %d times", n)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// miser grants so many messages and no more.
type miser struct {
	mu              sync.Mutex // guards all below
	left, exchanges int
	refused         bool
}

func (m *miser) Exchange(_ context.Context, x limit.Exchange) (limit.Grant, error) {
	<-time.After(time.Millisecond)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.exchanges++
	n := min(x.Count, m.left)
	m.left -= n
	m.refused = m.refused || x.Count > 0 && n == 0
	return limit.Grant{Count: n, Retry: time.Minute}, nil
}

// Who has credit left and was refused more does not ask without end.
func TestRefusedLimiterRests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &miser{left: 400}
		l := limit.NewShared(m, nil, limit.Rate{Count: 1000, Per: time.Minute})
		// In a burst at first, so that it asks ahead; then slowly, so that it hears of
		// the refusal while there is credit left.
		for left, refused := m.left, false; !refused; {
			slot, ok := l.Take(time.Now(), limit.Message(1, 0))
			if ok {
				slot.Done(time.Now())
			}
			if !ok || left < 150 {
				time.Sleep(300 * time.Microsecond)
			}
			m.mu.Lock()
			left, refused = m.left, m.refused
			m.mu.Unlock()
		}
		if _, ok := l.Take(time.Now(), limit.Message(1, 0)); !ok {
			t.Fatal("no credit is left, so that this tests nothing")
		}
		m.mu.Lock()
		before := m.exchanges
		m.mu.Unlock()
		time.Sleep(50 * time.Second)
		m.mu.Lock()
		if n := m.exchanges - before; n > 5 {
			t.Errorf("%d exchanges in 50 s of rest", n)
		}
		m.mu.Unlock()
		if err := l.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
