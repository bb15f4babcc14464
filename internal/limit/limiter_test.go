package limit_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func take(t *testing.T, l *limit.Limiter, now time.Time, recipients int) limit.Slot {
	t.Helper()
	s, ok := l.Take(now, limit.Message(recipients, 0))
	if !ok {
		t.Fatalf("no slot at %v", now.Sub(start))
	}
	return s
}

func refused(t *testing.T, l *limit.Limiter, now time.Time, recipients int) {
	t.Helper()
	if _, ok := l.Take(now, limit.Message(recipients, 0)); ok {
		t.Fatalf("a slot too many at %v", now.Sub(start))
	}
}

func TestSlotIsFreedOneWindowAfterTheReply(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Rate{Count: 1, Per: time.Second})
	s := take(t, l, start, 1)
	refused(t, l, start.Add(time.Hour), 1) // in flight: never expires
	if _, bound, known := l.Next(start.Add(time.Hour), limit.Message(1, 0)); known || bound.Count != 1 {
		t.Fatalf("Next while in flight: known %v, bound by %v", known, bound)
	}
	replied := start.Add(2 * time.Hour)
	s.Done(replied)
	s.Done(replied) // only the first counts
	refused(t, l, replied.Add(time.Second-1), 1)
	at, _, known := l.Next(replied, limit.Message(1, 0))
	if !known || !at.Equal(replied.Add(time.Second)) {
		t.Fatalf("Next = %v, %v", at.Sub(start), known)
	}
	take(t, l, at, 1)
}

func TestCancelFreesAtOnce(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Rate{Count: 1, Per: time.Second})
	s := take(t, l, start, 1)
	s.Cancel(start)
	s.Done(start) // too late to count
	take(t, l, start, 1)
}

func TestSeveralWindowsHoldTogether(t *testing.T) {
	t.Parallel()
	perDay := limit.Rate{Count: 3, Per: 24 * time.Hour}
	l := limit.New(limit.Rate{Count: 2, Per: time.Second}, perDay)
	now := start
	for range 2 {
		s := take(t, l, now, 1)
		s.Done(now)
	}
	if _, bound, _ := l.Next(now, limit.Message(1, 0)); bound.String() != "2 per second" {
		t.Fatalf("bound by %v", bound)
	}
	now = now.Add(time.Second)
	s := take(t, l, now, 1)
	s.Done(now)
	at, bound, known := l.Next(now, limit.Message(1, 0))
	if bound != perDay || !known || !at.Equal(start.Add(24*time.Hour)) {
		t.Fatalf("Next = %v, %v, %v", at, bound, known)
	}
	take(t, l, at, 1)
}

func TestRecipients(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Rate{Count: 10, Per: time.Minute, Unit: limit.Recipients})
	a := take(t, l, start, 4)
	a.Done(start)
	b := take(t, l, start, 4)
	b.Done(start.Add(time.Second))
	refused(t, l, start.Add(2*time.Second), 3)
	for recipients, want := range map[int]time.Duration{2: 2 * time.Second, 3: time.Minute, 6: time.Minute, 7: time.Minute + time.Second} {
		at, _, known := l.Next(start.Add(2*time.Second), limit.Message(recipients, 0))
		if !known || at.Sub(start) != want {
			t.Errorf("Next(%d) = %v, %v; want %v", recipients, at.Sub(start), known, want)
		}
	}
	var tooMany *limit.TooManyError
	if err := l.Fits(start, limit.Message(11, 0)); !errors.As(err, &tooMany) || tooMany.Rate.Count != 10 {
		t.Fatalf("Fits(11) = %v", err)
	}
	if err := l.Fits(start, limit.Message(10, 0)); err != nil {
		t.Fatal(err)
	}
}

func TestUnlimited(t *testing.T) {
	t.Parallel()
	for _, l := range []*limit.Limiter{nil, limit.New(), limit.New(limit.Rate{})} {
		s := take(t, l, start, 1_000_000)
		s.Done(start)
		s.Cancel(start)
		if at, _, known := l.Next(start, limit.Message(1, 0)); !known || !at.Equal(start) {
			t.Error("an unlimited limiter makes wait")
		}
		if l.Fits(start, limit.Message(1_000_000, 0)) != nil || len(l.Rates()) != 0 {
			t.Error("an unlimited limiter limits")
		}
		l.Notify(func() {})()
	}
}

func TestRestrictKeepsTheStricter(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Rate{Count: 5, Per: time.Minute})
	if l.Restrict(limit.Rate{Count: 5, Per: time.Minute}) || l.Restrict(limit.Rate{Count: 9, Per: time.Minute}) {
		t.Fatal("a laxer rate changed something")
	}
	for range 3 {
		s := take(t, l, start, 1)
		s.Done(start)
	}
	if !l.Restrict(limit.Rate{Count: 2, Per: time.Minute}) {
		t.Fatal("a stricter rate changed nothing")
	}
	refused(t, l, start.Add(time.Second), 1)
	// A new window counts what the others remember.
	if !l.Restrict(limit.Rate{Count: 1, Per: 10 * time.Second}) {
		t.Fatal("a new window changed nothing")
	}
	if at, _, _ := l.Next(start, limit.Message(1, 0)); !at.Equal(start.Add(time.Minute)) {
		t.Fatalf("Next = %v", at.Sub(start))
	}
	at := start.Add(time.Minute)
	s := take(t, l, at, 1)
	s.Done(at)
	refused(t, l, at.Add(10*time.Second-1), 1)
	take(t, l, at.Add(10*time.Second), 1)
}

func TestNotifyAfterARefusalOnly(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Rate{Count: 2, Per: time.Second})
	woken := 0
	stop := l.Notify(func() { woken++ })
	a, b := take(t, l, start, 1), take(t, l, start, 1)
	a.Done(start)
	if woken != 0 {
		t.Fatal("woken though nobody was refused")
	}
	refused(t, l, start, 1)
	b.Cancel(start)
	if woken != 1 {
		t.Fatalf("woken %d times", woken)
	}
	stop()
	c := take(t, l, start, 1)
	refused(t, l, start, 1)
	c.Cancel(start)
	if woken != 1 {
		t.Fatal("woken after stop")
	}
}

func TestRateString(t *testing.T) {
	t.Parallel()
	for rate, want := range map[limit.Rate]string{
		{Count: 10, Per: time.Second}:                             "10 per second",
		{Count: 30, Per: time.Minute}:                             "30 per minute",
		{Count: 7, Per: time.Hour}:                                "7 per hour",
		{Count: 500, Per: 24 * time.Hour, Unit: limit.Recipients}: "500 recipients per day",
		{Count: 3, Per: 90 * time.Second}:                         "3 per 1m30s",
	} {
		if got := rate.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Rate{Count: 50, Per: time.Hour})
	var given atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				s, ok := l.Take(start, limit.Message(1, 0))
				if ok {
					given.Add(1)
					s.Done(start)
				}
			}
		})
	}
	group.Wait()
	if given.Load() != 50 {
		t.Fatalf("%d slots given, want 50", given.Load())
	}
}

func BenchmarkTakeAndDone(b *testing.B) {
	b.ReportAllocs()
	l := limit.New(limit.Rate{Count: 1000, Per: time.Second}, limit.Rate{Count: 1_000_000, Per: 24 * time.Hour})
	now := start
	for b.Loop() {
		now = now.Add(time.Second / 10)
		if s, ok := l.Take(now, limit.Message(1, 0)); ok {
			s.Done(now)
		}
	}
}

func TestAMessageThatNeverFitsDoesNotWait(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Rate{Count: 5, Per: time.Hour, Unit: limit.Recipients})
	a := take(t, l, start, 3)
	refused(t, l, start, 4)
	woken := false
	l.Notify(func() { woken = true })
	l.Restrict(limit.Rate{Count: 3, Per: time.Hour, Unit: limit.Recipients})
	if at, _, known := l.Next(start, limit.Message(4, 0)); !woken || !known || !at.Equal(start) || l.Fits(start, limit.Message(4, 0)) == nil {
		t.Errorf("woken %v, Next = %v, %v", woken, at, known)
	}
	a.Cancel(start)
}
