package limit_test

import (
	"math/rand/v2"
	"sort"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
)

// counted is one MAIL command as the server saw it.
type counted struct {
	at         time.Time
	recipients int
}

// worst is the fullest window [at, at+per) of what the server counted.
func worst(seen []counted, r limit.Rate) int {
	sort.Slice(seen, func(i, j int) bool { return seen[i].at.Before(seen[j].at) })
	most, sum, tail := 0, 0, 0
	weight := func(c counted) int {
		if r.Unit == limit.Recipients {
			return c.recipients
		}
		return 1
	}
	for _, c := range seen {
		sum += weight(c)
		for !seen[tail].at.Add(r.Per).After(c.at) {
			sum -= weight(seen[tail])
			tail++
		}
		most = max(most, sum)
	}
	return most
}

// Whatever the network does between the moment a slot is taken and the moment
// the reply is read, no window of the server's own clock ever overflows.
func TestNoWindowOfTheServerOverflows(t *testing.T) {
	t.Parallel()
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 1))
		rates := []limit.Rate{
			{Count: 1 + random.IntN(10), Per: time.Second},
			{Count: 5 + random.IntN(30), Per: 7 * time.Second},
			{Count: 20 + random.IntN(30), Per: 5 * time.Second, Unit: limit.Recipients},
		}
		for _, r := range rates {
			if got := worst(traffic(random, limit.New(rates...)), r); got > r.Count {
				t.Fatalf("seed %d: the server saw %d, limit %v", seed, got, r)
			}
		}
	}
}

func traffic(random *rand.Rand, l *limit.Limiter) []counted {
	type pending struct {
		slot limit.Slot
		done time.Time
	}
	var seen []counted
	var open []pending
	now := start
	for range 1000 {
		now = now.Add(time.Duration(random.Int64N(int64(200 * time.Millisecond))))
		for i := 0; i < len(open); {
			if open[i].done.After(now) {
				i++
				continue
			}
			open[i].slot.Done(open[i].done)
			open = append(open[:i], open[i+1:]...)
		}
		recipients := 1 + random.IntN(10)
		slot, ok := l.Take(now, limit.Message(recipients, 0))
		switch {
		case !ok:
		case random.IntN(10) == 0:
			slot.Cancel(start)
		default:
			delay := time.Duration(random.Int64N(int64(3 * time.Second)))
			read := now.Add(time.Duration(random.Int64N(int64(delay) + 1)))
			seen = append(seen, counted{read, recipients})
			open = append(open, pending{slot, now.Add(delay)})
		}
	}
	return seen
}

// It is not stricter than it must be: N messages per window and reply delay.
func TestFullThroughput(t *testing.T) {
	t.Parallel()
	const n, delay, span = 10, 40 * time.Millisecond, time.Minute
	l := limit.New(limit.Rate{Count: n, Per: time.Second})
	sent := 0
	for now := start; now.Sub(start) < span; {
		slot, ok := l.Take(now, limit.Message(1, 0))
		if !ok {
			at, _, known := l.Next(now, limit.Message(1, 0))
			if !known {
				t.Fatal("nothing is in flight, yet Next is not known")
			}
			now = at
			continue
		}
		sent++
		slot.Done(now.Add(delay)) // all of a burst are in flight together
	}
	if want := int(n * span / (time.Second + delay)); sent < want {
		t.Fatalf("sent %d in %v, possible are %d", sent, span, want)
	}
}

// The memory of a window of N is bounded by N whatever the traffic.
func TestSteadyStateDoesNotAllocate(t *testing.T) {
	l := limit.New(limit.Rate{Count: 100, Per: time.Second})
	now := start
	step := func() {
		now = now.Add(3 * time.Millisecond)
		if s, ok := l.Take(now, limit.Message(1, 0)); ok {
			s.Done(now)
		}
	}
	for range 1000 {
		step()
	}
	if allocs := testing.AllocsPerRun(10_000, step); allocs != 0 {
		t.Fatalf("%v allocations per message", allocs)
	}
}
