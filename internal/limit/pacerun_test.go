package limit_test

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"
)

const (
	sesReply      = "454 Throttling failure: Maximum sending rate exceeded."
	exchangeReply = "451 4.7.500 Server busy. Please try again later from [192.0.2.1]."
)

// scene is a kind of server, and what must be reached there with every seed.
type scene struct {
	name      string
	server    func() counting
	per       time.Duration
	limits    [3]int // one after the other
	span      time.Duration
	settle    time.Duration
	reply     string
	jitter    time.Duration
	share     float64 // of what is allowed, in each settled part, at least
	throttled float64 // of all messages, at most
}

// The first is what is promised. The others are what holds where the answer of
// a server says less about its limit: a bucket forgives for a while, a fixed
// window refuses until its end, and where replies take different times messages
// crowd at the server that were spaced evenly here.
var scenes = []scene{
	{"any second", func() counting { return &sliding{per: time.Second} }, time.Second, [3]int{10, 4, 20}, 35 * time.Minute, 20 * time.Minute, sesReply, 20 * time.Millisecond, 0.95, 0.01},
	{"any second, no words", func() counting { return &sliding{per: time.Second} }, time.Second, [3]int{10, 4, 20}, 35 * time.Minute, 20 * time.Minute, exchangeReply, 20 * time.Millisecond, 0.95, 0.01},
	{"any second, steady link", func() counting { return &sliding{per: time.Second} }, time.Second, [3]int{10, 4, 20}, 35 * time.Minute, 20 * time.Minute, sesReply, 0, 0.95, 0.01},
	{"any second, uneven link", func() counting { return &sliding{per: time.Second} }, time.Second, [3]int{10, 4, 20}, 35 * time.Minute, 20 * time.Minute, sesReply, 100 * time.Millisecond, 0.90, 0.01},
	{"each second", func() counting { return &fixed{per: time.Second} }, time.Second, [3]int{10, 4, 20}, 35 * time.Minute, 20 * time.Minute, sesReply, 20 * time.Millisecond, 0.95, 0.01},
	{"a bucket", func() counting { return &bucket{per: time.Second, burst: 10} }, time.Second, [3]int{10, 4, 20}, 35 * time.Minute, 20 * time.Minute, sesReply, 20 * time.Millisecond, 0.95, 0.01},
	{"any minute", func() counting { return &sliding{per: time.Minute} }, time.Minute, [3]int{30, 12, 60}, 6 * time.Hour, 3 * time.Hour, exchangeReply, 20 * time.Millisecond, 0.95, 0.01},
	{"each minute", func() counting { return &fixed{per: time.Minute} }, time.Minute, [3]int{30, 12, 60}, 6 * time.Hour, 3 * time.Hour, exchangeReply, 20 * time.Millisecond, 0.92, 0.01},
	{"any hour", func() counting { return &sliding{per: time.Hour} }, time.Hour, [3]int{300, 100, 600}, 60 * time.Hour, 30 * time.Hour, exchangeReply, 20 * time.Millisecond, 0.95, 0.01},
}

// More of them take long under the race detector.
var seeds = flag.Uint64("seeds", 4, "runs of each simulation of a pace; of the one that is promised 20 at least")

func TestPaceFindsWhatIsAllowed(t *testing.T) {
	t.Parallel()
	for i, c := range scenes {
		runs := *seeds
		if i == 0 {
			runs = max(runs, 20)
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			check(t, c, runs)
		})
	}
}

func check(t *testing.T, c scene, seeds uint64) {
	t.Helper()
	low, most, mean := []float64{9, 9, 9}, 0.0, 0.0
	for seed := range seeds {
		got := c.simulation(rand.New(rand.NewPCG(seed, 1))).run(seed)
		for i, s := range got.shares {
			low[i] = min(low[i], s)
			if s < c.share {
				t.Errorf("seed %d: limit %d: %.1f %% of what is allowed, want %.0f", seed, c.limits[i], 100*s, 100*c.share)
			}
		}
		throttled := got.throttledShare()
		most, mean = max(most, throttled), mean+throttled/float64(seeds)
		if throttled > c.throttled {
			t.Errorf("seed %d: %d of %d throttled, want at most %.1f %%", seed, got.throttled, got.started, 100*c.throttled)
		}
	}
	t.Logf("%-24s of limits %v at least %.1f %.1f %.1f %%; throttled %.2f %% at most, %.2f %% in the mean",
		c.name, c.limits, 100*low[0], 100*low[1], 100*low[2], 100*most, 100*mean)
}

// simulation draws what differs between runs.
func (c scene) simulation(random *rand.Rand) simulation {
	s := simulation{server: c.server(), per: c.per, reply: c.reply, jitter: c.jitter}
	for _, n := range c.limits {
		s.phases = append(s.phases, phase{n, c.span, c.settle})
	}
	s.rtt = 20*time.Millisecond + upTo(random, 180*time.Millisecond)
	s.configured = []int{0, 50}[random.IntN(2)]
	// As many connections as the rate needs at least: fewer are no matter of pace.
	need := int(25*(s.rtt+s.jitter)/time.Second) + 1
	s.connections = need + random.IntN(11-min(need, 10))
	return s
}

// A client that has little to send most of the time, and then much.
func TestPaceWithLittleToSend(t *testing.T) {
	t.Parallel()
	for seed := range *seeds {
		s := simulation{server: &sliding{per: time.Second}, per: time.Second, reply: sesReply, rtt: 60 * time.Millisecond, connections: 5,
			phases: []phase{{10, 3 * time.Hour, time.Hour}},
			demand: func(now time.Duration) bool { return now/time.Minute%10 == time.Duration(seed%10) }}
		got := s.run(seed)
		if share := 10 * got.shares[0]; share < 0.93 || got.throttledShare() > 0.01 {
			t.Errorf("seed %d: %.1f %% of what is allowed, %.2f %% throttled", seed, 100*share, 100*got.throttledShare())
		}
		if rate := got.paces[0].State().PerSecond; rate > 11 {
			t.Errorf("seed %d: %.1f per second were never used", seed, rate)
		}
	}
}

// Programs that do not know of each other share what is allowed.
func TestPacesOfSeveralPrograms(t *testing.T) {
	t.Parallel()
	for seed := range *seeds {
		s := simulation{server: &sliding{per: time.Second}, per: time.Second, reply: sesReply, rtt: 60 * time.Millisecond, jitter: 10 * time.Millisecond,
			connections: 5, senders: 3, phases: []phase{{10, 2 * time.Hour, time.Hour}}}
		got := s.run(seed)
		if got.shares[0] < 0.85 || got.throttledShare() > 0.02 {
			t.Errorf("seed %d: %.1f %% of what is allowed, %.2f %% throttled", seed, 100*got.shares[0], 100*got.throttledShare())
		}
		for i, p := range got.paces {
			if p.State().PerSecond < 0.5 {
				t.Errorf("seed %d: the pace of %d is %v", seed, i, p.State())
			}
		}
	}
}

// A rise is found in minutes, though the last steps failed.
func TestPaceFindsARise(t *testing.T) {
	t.Parallel()
	for seed := range *seeds {
		s := simulation{server: &sliding{per: time.Second}, per: time.Second, reply: sesReply, rtt: 60 * time.Millisecond, jitter: 10 * time.Millisecond,
			connections: 5, phases: []phase{{5, 2 * time.Hour, time.Hour}, {20, 25 * time.Minute, 20 * time.Minute}}}
		if got := s.run(seed); got.shares[1] < 0.95 {
			t.Errorf("seed %d: %.1f %% of a rise after 20 minutes", seed, 100*got.shares[1])
		}
	}
}
