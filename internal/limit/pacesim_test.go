package limit_test

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
)

// counting is how a server counts what it takes: n messages per window.
type counting interface {
	take(now time.Duration, n int) bool
}

// sliding takes n messages in any window, as smtptest does.
type sliding struct {
	per   time.Duration
	times []time.Duration
}

func (s *sliding) take(now time.Duration, n int) bool {
	for len(s.times) > 0 && now-s.times[0] >= s.per {
		s.times = s.times[1:]
	}
	if len(s.times) >= n {
		return false
	}
	s.times = append(s.times, now)
	return true
}

// fixed takes n messages in each window of its clock.
type fixed struct {
	per, window time.Duration
	used        int
}

func (f *fixed) take(now time.Duration, n int) bool {
	if w := now / f.per; w != f.window {
		f.window, f.used = w, 0
	}
	f.used++
	return f.used <= n
}

// bucket gets n tokens in each window, evenly, and holds burst of them.
type bucket struct {
	per          time.Duration
	burst, level float64
	last         time.Duration
}

func (b *bucket) take(now time.Duration, n int) bool {
	b.level = min(b.burst, b.level+float64(n)*(now-b.last).Seconds()/b.per.Seconds())
	b.last = now
	if b.level < 1 {
		return false
	}
	b.level--
	return true
}

// phase is a time during which a limit stays the same.
type phase struct {
	n            int           // messages per window
	span, settle time.Duration // how long it is, and its part that is not measured
}

// simulation is senders, each with a pace, and a server.
type simulation struct {
	server      counting
	per         time.Duration // the server's window
	phases      []phase
	reply       string
	rtt, jitter time.Duration // of a message, from its start to its reply
	senders     int
	connections int // of each sender
	configured  int // messages per second, of each sender; 0: none
	// demand says whether there are messages to send; nil: always.
	demand func(now time.Duration) bool
}

// outcome is what came of a simulation.
type outcome struct {
	shares             []float64 // accepted of what was allowed, in the measured part of each phase
	started, throttled int
	paces              []*limit.Pace
}

func (o outcome) throttledShare() float64 { return float64(o.throttled) / float64(max(o.started, 1)) }

// happening is the arrival of a message at the server, or of its reply.
type happening struct {
	at, replied    time.Duration
	number         int // breaks ties
	by             *sender
	started        time.Time
	slot           limit.Slot
	decided, taken bool
}

type agenda []*happening

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	return a[i].at < a[j].at || a[i].at == a[j].at && a[i].number < a[j].number
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(*happening)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

// sender has connections, a configured limit and a pace.
type sender struct {
	pace *limit.Pace
	own  *limit.Limiter
	idle int
}

// next is when a message may be started.
func (s *sender) next(now time.Time) (time.Time, bool) {
	own, _, known := s.own.Next(now, limit.Message(1, 0))
	if at := s.pace.Next(now); at.After(own) {
		own = at
	}
	return own, known && s.idle > 0
}

type world struct {
	simulation
	random  *rand.Rand
	now     time.Duration
	agenda  agenda
	number  int
	all     []*sender
	settled []int // accepted in the measured part of a phase
	phase   int
	begun   time.Duration // the phase
	outcome outcome
}

func (s simulation) run(seed uint64) outcome {
	w := &world{simulation: s, random: rand.New(rand.NewPCG(seed, 7)), settled: make([]int, len(s.phases))}
	for range max(s.senders, 1) {
		one := &sender{&limit.Pace{}, limit.New(limit.Rate{Count: s.configured, Per: time.Second}), s.connections}
		one.pace.Bound(float64(s.configured))
		w.all, w.outcome.paces = append(w.all, one), append(w.outcome.paces, one.pace)
	}
	for i, p := range s.phases {
		w.phase = i
		for w.step(w.begun + p.span) {
		}
		w.begun += p.span
		allowed := float64(p.n) * (p.span - p.settle).Seconds() / s.per.Seconds()
		w.outcome.shares = append(w.outcome.shares, float64(w.settled[i])/allowed)
	}
	return w.outcome
}

// step does what comes first, unless that is after the end.
func (w *world) step(end time.Duration) bool {
	at, first := end, (*sender)(nil)
	for _, s := range w.all {
		if next, may := s.next(start.Add(w.now)); may && next.Sub(start) < at {
			at, first = next.Sub(start), s
		}
	}
	if len(w.agenda) > 0 && w.agenda[0].at <= at {
		w.happen(heap.Pop(&w.agenda).(*happening))
		return true
	}
	w.now = at
	switch {
	case first == nil:
		return false
	case w.demand != nil && !w.demand(at):
		w.now += 10 * time.Millisecond // nothing to send: look again
	default:
		w.start(first)
	}
	return true
}

func (w *world) start(s *sender) {
	now := start.Add(w.now)
	slot, ok := s.own.Take(now, limit.Message(1, 0))
	if !ok {
		panic("the limiter has no room when it said it would")
	}
	s.idle--
	s.pace.Take(now)
	w.outcome.started++
	there := w.rtt/2 + upTo(w.random, w.jitter)/2
	back := w.rtt/2 + upTo(w.random, w.jitter)/2
	w.number++
	heap.Push(&w.agenda, &happening{at: w.now + there, replied: w.now + there + back, number: w.number, by: s, started: now, slot: slot})
}

func (w *world) happen(h *happening) {
	w.now = h.at
	if !h.decided {
		h.taken = w.server.take(w.now, w.phases[w.phase].n)
		if h.taken && w.now >= w.begun+w.phases[w.phase].settle {
			w.settled[w.phase]++
		}
		h.decided, h.at = true, h.replied
		heap.Push(&w.agenda, h)
		return
	}
	now := start.Add(w.now)
	h.by.idle++
	h.slot.Done(now)
	if h.taken {
		h.by.pace.Accepted(now, h.started)
		return
	}
	w.outcome.throttled++
	h.by.pace.Throttled(now, h.started, w.reply)
}

func upTo(random *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(random.Int64N(int64(most) + 1))
}
