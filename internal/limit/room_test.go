package limit_test

import (
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
)

func room(t *testing.T, l *limit.Limiter, now time.Time, most, want int) {
	t.Helper()
	if got := l.Room(now, limit.Message(1, 0), most); got != want {
		t.Errorf("room for %d of %d, want %d", got, most, want)
	}
}

func TestRoomWithoutLimits(t *testing.T) {
	t.Parallel()
	room(t, nil, start, 7, 7)
	room(t, limit.New(), start, 7, 7)
	room(t, limit.New(), start, -3, 0)
}

// Room is what Take would give, now and when slots are in flight, given back or over.
func TestRoomIsWhatTakeGives(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Rate{Count: 5, Per: time.Second}, limit.Rate{Count: 8, Per: time.Minute})
	room(t, l, start, 100, 5)
	room(t, l, start, 2, 2)
	room(t, l, start, 0, 0)
	room(t, l, start, -1, 0)
	first, second := take(t, l, start, 1), take(t, l, start, 1)
	room(t, l, start, 100, 3)
	first.Cancel(start)
	room(t, l, start, 100, 4)
	second.Done(start)
	room(t, l, start, 100, 4)
	later := start.Add(time.Second)
	room(t, l, later, 100, 5)
	for range 5 {
		s := take(t, l, later, 1)
		s.Done(later)
	}
	room(t, l, later, 100, 0)
	room(t, l, later.Add(time.Second), 100, 2) // of those of the minute
	room(t, l, later.Add(time.Minute), 100, 5)
}

// A message that takes several of what is counted needs room for all of them.
func TestRoomCountsWhatAMessageTakes(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Rate{Count: 10, Per: time.Second, Unit: limit.Recipients})
	if got := l.Room(start, limit.Message(3, 0), 100); got != 3 {
		t.Errorf("room for %d messages of 3 recipients", got)
	}
	take(t, l, start, 9)
	room(t, l, start, 100, 1)
	if got := l.Room(start, limit.Message(3, 0), 100); got != 0 {
		t.Errorf("room for %d messages of 3 recipients", got)
	}
	bytes := limit.New(limit.Rate{Count: 1000, Per: time.Second, Unit: limit.Octets})
	room(t, bytes, start, 100, 100) // messages of no octets
}

// To ask takes nothing.
func TestRoomTakesNothing(t *testing.T) {
	t.Parallel()
	l := limit.New(limit.Rate{Count: 2, Per: time.Second})
	for range 10 {
		room(t, l, start, 5, 2)
	}
	take(t, l, start, 1)
	take(t, l, start, 1)
	refused(t, l, start, 1)
}
