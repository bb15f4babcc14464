package limit_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
)

// client sends one message at a time as soon as the pace permits; replies take
// no time.
type client struct {
	pace limit.Pace
	now  time.Time
}

func newClient() *client { return &client{now: start} }

// start waits for its turn and starts a message.
func (c *client) start() time.Time {
	c.now = c.pace.Next(c.now)
	c.pace.Take(c.now)
	return c.now
}

// accepted sends n messages over some time, all of which are accepted.
func (c *client) accepted(n int, over time.Duration) {
	for range n {
		started := c.start()
		c.pace.Accepted(c.now, started)
		c.now = c.now.Add(over / time.Duration(n))
	}
}

func (c *client) throttled(reply string) {
	started := c.start()
	c.pace.Throttled(c.now, started, reply)
}

// rate must be about as expected.
func (c *client) rate(t *testing.T, want float64) {
	t.Helper()
	if got := c.pace.State().PerSecond; got < 0.98*want || got > 1.02*want {
		t.Fatalf("%.4f per second, want about %.4f", got, want)
	}
}

func TestPaceWithoutComplaints(t *testing.T) {
	t.Parallel()
	c := newClient()
	for range 1000 {
		if started := c.start(); !started.Equal(start) {
			t.Fatal("a pace that knows nothing makes wait")
		}
		c.pace.Accepted(c.now, c.now)
		c.pace.Cancel(c.now)
	}
	if s := c.pace.State(); s != (limit.PaceState{}) || s.String() != "" {
		t.Fatalf("it says %v", s)
	}
}

func TestPaceFallsToWhatWasAccepted(t *testing.T) {
	t.Parallel()
	for _, accepted := range []int{1, 2, 10, 500} {
		c := newClient()
		c.accepted(accepted, 500*time.Millisecond)
		c.throttled(sesReply)
		c.rate(t, 0.95*float64(accepted))
		first := c.start()
		if waited := first.Sub(start); waited < time.Second || waited > 1600*time.Millisecond {
			t.Errorf("%d accepted: goes on after %v, not when the server's window has room", accepted, waited)
		}
		if between := c.start().Sub(first).Seconds(); between < 0.98/0.95/float64(accepted) || between > 1.02/0.95/float64(accepted) {
			t.Errorf("%d accepted: %v s between messages", accepted, between)
		}
	}
}

func TestPaceFallsByTheWindowThatIsNamed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]float64{
		"451 too fast":                           20,
		"451 at most 60 messages per minute":     60. / 60,
		"450 4.7.1 hourly rate limit exceeded":   60. / 3600,
		"450 only 60 messages in the last hour":  60. / 3600,
		"451 slow down, 60 in every 10 minutes!": 60. / 600,
	} {
		c := newClient()
		c.accepted(60, 3*time.Second)
		c.throttled(text)
		if got := c.pace.State().PerSecond / 0.95; got < 0.9*want || got > 1.1*want {
			t.Errorf("%q: %.3f per second were accepted, want %.3f", text, got, want)
		}
	}
}

// What was on its way when the server complained says nothing new.
func TestPaceOneEventFallsOnce(t *testing.T) {
	t.Parallel()
	c := newClient()
	c.accepted(10, 500*time.Millisecond)
	var flying []time.Time
	for range 10 {
		flying = append(flying, c.start())
	}
	for _, started := range flying {
		c.now = c.now.Add(5 * time.Millisecond)
		c.pace.Throttled(c.now, started, sesReply)
	}
	c.rate(t, 9.5)
	// One of the burst that was accepted is answered late.
	c.pace.Accepted(c.now, start)
	c.rate(t, 0.95*11)
}

func TestPaceHeedsWhenToComeBack(t *testing.T) {
	t.Parallel()
	c := newClient()
	c.accepted(10, 900*time.Millisecond)
	c.throttled("450 4.7.1 Try again in 30 seconds")
	said := c.now.Add(30 * time.Second)
	if next := c.pace.Next(c.now); !next.Equal(said) {
		t.Fatalf("Next is %v after the reply", next.Sub(c.now))
	}
	// A later answer, also to the same event, may ask for more, never for less.
	c.pace.Throttled(c.now, start, "450 try again in 5 minutes")
	c.pace.Throttled(c.now, start, "450 try again in 1 second")
	if next := c.pace.Next(c.now); !next.Equal(c.now.Add(5 * time.Minute)) {
		t.Fatalf("Next is %v after the reply", next.Sub(c.now))
	}
	// It is kept for the next process.
	var other limit.Pace
	other.Restore(c.now, c.pace.Export())
	if next := other.Next(c.now); !next.Equal(c.now.Add(5 * time.Minute)) {
		t.Fatalf("restored: Next is %v after the reply", next.Sub(c.now))
	}
}

// A step that is refused costs one message, and comes later each time.
func TestPaceTakesBackAFailedStep(t *testing.T) {
	t.Parallel()
	c := newClient()
	c.accepted(10, 990*time.Millisecond)
	c.throttled(sesReply)
	var steps []time.Time
	for c.now.Sub(start) < 3*time.Hour {
		started := c.start()
		if c.pace.State().PerSecond <= 10 {
			c.pace.Accepted(c.now, started)
			continue
		}
		steps = append(steps, c.now)
		good := c.pace.Export().PerSecond
		c.pace.Throttled(c.now, started, sesReply)
		c.rate(t, good)
	}
	var between []time.Duration
	for i := 1; i < len(steps); i++ {
		between = append(between, steps[i].Sub(steps[i-1]))
	}
	last := between[len(between)-1]
	if between[0] > 2*time.Minute || last < 9*time.Minute || last > 15*time.Minute || len(steps) > 40 {
		t.Fatalf("%d steps failed, %v apart", len(steps), between)
	}
	if c.pace.State().PerSecond < 9.7 {
		t.Fatalf("it stays at %v", c.pace.State())
	}
}

func TestPaceIdleClientProvesNothing(t *testing.T) {
	t.Parallel()
	c := newClient()
	c.accepted(10, 900*time.Millisecond)
	c.throttled(sesReply)
	for range 10_000 {
		c.now = c.now.Add(time.Second) // uses a tenth
		c.pace.Accepted(c.now, c.start())
	}
	c.rate(t, 9.5)
}

func TestPaceFollowsARise(t *testing.T) {
	t.Parallel()
	c := newClient()
	c.accepted(4, 900*time.Millisecond)
	c.throttled(sesReply)
	for c.now.Sub(start) < 5*time.Minute {
		c.pace.Accepted(c.now, c.start())
	}
	if got := c.pace.State().PerSecond; got < 40 {
		t.Fatalf("%.1f per second after 5 minutes without a complaint, it was 3.8", got)
	}
}

func TestPaceStopsAtTheBound(t *testing.T) {
	t.Parallel()
	c := newClient()
	c.pace.Bound(10)
	c.accepted(4, 900*time.Millisecond)
	c.throttled(sesReply)
	for c.now.Sub(start) < 30*time.Minute {
		c.pace.Accepted(c.now, c.start())
	}
	c.rate(t, 10)
	c.now = start.Add(time.Hour + 2*time.Second)
	if next := c.pace.Next(c.now); !next.Equal(c.now) || c.pace.State() != (limit.PaceState{}) {
		t.Fatal("it does not end after an hour at the bound")
	}
}

func TestPaceEndsAfterAQuietDay(t *testing.T) {
	t.Parallel()
	c := newClient()
	c.accepted(4, 900*time.Millisecond)
	c.throttled(sesReply)
	if c.pace.Next(start.Add(24 * time.Hour)); c.pace.State().PerSecond == 0 {
		t.Fatal("it ended within a day")
	}
	if c.pace.Next(start.Add(24*time.Hour + 2*time.Second)); c.pace.State().PerSecond != 0 {
		t.Fatal("it did not end")
	}
}

// A server that takes nothing for hours is asked again, seldom; and once it
// takes messages, they flow.
func TestPaceOfAServerThatTakesNothing(t *testing.T) {
	t.Parallel()
	for _, before := range []int{0, 1, 50} {
		c := newClient()
		c.pace.Bound(50)
		c.accepted(before, time.Second)
		asked, last := 0, c.now
		for c.now.Sub(start) < 12*time.Hour {
			c.throttled(exchangeReply)
			if pause := c.now.Sub(last); pause > 5*time.Minute {
				t.Fatalf("asked after %v", pause)
			}
			asked, last = asked+1, c.now
		}
		if asked > 160 {
			t.Errorf("asked %d times", asked)
		}
		again := c.now
		for c.now.Sub(again) < 30*time.Minute {
			c.pace.Accepted(c.now, c.start())
		}
		c.rate(t, 50)
	}
}

// While the server takes nothing, one message at a time asks; one whose answer
// is never known does not stop the others.
func TestPaceAsksOneAtATime(t *testing.T) {
	t.Parallel()
	c := newClient()
	c.accepted(10, 900*time.Millisecond)
	c.throttled(exchangeReply)
	c.throttled(exchangeReply)
	asked := c.start()
	if next := c.pace.Next(c.now).Sub(asked); next < time.Second || next > 5*time.Second {
		t.Fatalf("the next asks after %v", next)
	}
	c.pace.Cancel(c.now)
	if next := c.pace.Next(c.now); !next.Equal(c.now) {
		t.Fatalf("after one that was not sent the next waits %v", next.Sub(c.now))
	}
	asked = c.start()
	c.now = c.now.Add(50 * time.Millisecond)
	c.pace.Accepted(c.now, asked)
	if next := c.pace.Next(c.now).Sub(c.now); next > 200*time.Millisecond {
		t.Fatalf("after one that was taken the next waits %v", next)
	}
}

// A window of a minute is learned from how long nothing is taken.
func TestPaceLearnsTheWindow(t *testing.T) {
	t.Parallel()
	for _, per := range []time.Duration{time.Second, 10 * time.Second, time.Minute, 10 * time.Minute, time.Hour} {
		c, server := newClient(), &sliding{per: per}
		for c.now.Sub(start) < 2*per {
			started := c.start()
			if server.take(c.now.Sub(start), 30) {
				c.pace.Accepted(c.now, started)
			} else {
				c.pace.Throttled(c.now, started, exchangeReply)
			}
			c.now = c.now.Add(time.Millisecond)
		}
		if got := c.pace.State().Window; got != per {
			t.Errorf("window %v, want %v", got, per)
		}
	}
}

func TestPaceMakesUpForLateStarts(t *testing.T) {
	t.Parallel()
	c := newClient()
	c.accepted(100, 900*time.Millisecond)
	c.throttled(sesReply)
	first, n := c.start(), 0
	for c.now.Sub(first) < 5*time.Second {
		c.now = c.pace.Next(c.now).Add(3 * time.Millisecond) // the timer is late
		c.pace.Take(c.now)
		n++
	}
	if n < 470 || n > 480 {
		t.Fatalf("%d messages in 5 s at 95 per second", n)
	}
}

func TestPaceCancel(t *testing.T) {
	t.Parallel()
	c := newClient()
	c.accepted(10, 900*time.Millisecond)
	c.throttled(sesReply)
	c.start()
	next := c.pace.Next(c.now)
	c.start()
	c.pace.Cancel(c.now)
	if again := c.pace.Next(c.now); !again.Equal(next) {
		t.Fatalf("Next is %v later", again.Sub(next))
	}
}

func TestPaceIsKept(t *testing.T) {
	t.Parallel()
	c := newClient()
	c.accepted(10, 900*time.Millisecond)
	c.throttled(sesReply)
	text, err := json.Marshal(c.pace.Export())
	if err != nil {
		t.Fatal(err)
	}
	var kept limit.PaceState
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	for age, want := range map[time.Duration]bool{0: true, time.Hour: true, 23 * time.Hour: true, 25 * time.Hour: false, -time.Hour: true} {
		var p limit.Pace
		now := c.now.Add(age)
		p.Restore(now, kept)
		if s := p.State(); (s.PerSecond == kept.PerSecond) != want || want && (s.Reply != sesReply || s.Window != time.Second) {
			t.Errorf("after %v: %v", age, s)
		}
		p.Take(now)
		if paced := p.Next(now).After(now); paced != want {
			t.Errorf("after %v: paced %v", age, paced)
		}
	}
	c.pace.Restore(c.now, limit.PaceState{PerSecond: 1, Complaint: c.now})
	c.rate(t, 9.5)
	for _, bad := range []limit.PaceState{{}, {PerSecond: -1, Complaint: start}, {PerSecond: 1e300, Complaint: start}} {
		var p limit.Pace
		if p.Restore(start, bad); p.State() != (limit.PaceState{}) {
			t.Errorf("restored %+v", bad)
		}
	}
}

func TestPaceStateString(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 1, 12, 1, 0, 0, time.UTC)
	for want, s := range map[string]limit.PaceState{
		"9.5 per second, learned 12:01 from: 454 Throttling failure": {PerSecond: 9.5, Complaint: at, Reply: "454 Throttling failure"},
		"28.5 per minute, learned 12:01":                             {PerSecond: 28.5 / 60, Complaint: at},
		"12.0 per hour":                                              {PerSecond: 12.0 / 3600},
		"250 per second":                                             {PerSecond: 250},
		"":                                                           {Complaint: at},
	} {
		if got := s.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestPaceDoesNotAllocate(t *testing.T) {
	c := newClient()
	c.accepted(10, 900*time.Millisecond)
	c.throttled(sesReply)
	step := func() { c.pace.Accepted(c.now, c.start()) }
	if allocs := testing.AllocsPerRun(1000, step); allocs != 0 {
		t.Fatalf("%v allocations per message", allocs)
	}
}

// Whatever happens: Next is not in the past, nor further away than what the
// server asked for or the longest pause; and the rate is a sensible one.
func TestPaceHoldsItsPromises(t *testing.T) {
	t.Parallel()
	replies := []string{sesReply, exchangeReply, "451 30 per minute", "450 hourly limit", "450 try again in 2 minutes", ""}
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 3))
		c := newClient()
		var flying []time.Time
		for range 2000 {
			c.now = c.now.Add(upTo(random, []time.Duration{time.Millisecond, time.Second, time.Minute}[random.IntN(3)]))
			next := c.pace.Next(c.now)
			if next.Before(c.now) || next.Sub(c.now) > 2*time.Hour {
				t.Fatalf("seed %d: Next in %v, %v", seed, next.Sub(c.now), c.pace.State())
			}
			if random.IntN(2) == 0 || len(flying) == 0 {
				flying = append(flying, c.start())
				continue
			}
			started := flying[0]
			flying = flying[1:]
			switch random.IntN(4) {
			case 0:
				c.pace.Throttled(c.now, started, replies[random.IntN(len(replies))])
			case 1:
				c.pace.Cancel(c.now)
			default:
				c.pace.Accepted(c.now, started)
			}
			if s := c.pace.State(); s.PerSecond < 0 || s.PerSecond > 1e6 || s.PerSecond > 0 && s.PerSecond < 0.95/3601 {
				t.Fatalf("seed %d: %+v", seed, s)
			}
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"450 4.7.1 Try again in 30 seconds":                                 30 * time.Second,
		"451 Please try again in 5 minutes.":                                5 * time.Minute,
		"421 retry after 10 min":                                            10 * time.Minute,
		"421 4.7.0 Retry-After: 120":                                        2 * time.Minute,
		"450 Greylisted for 300 seconds, see https://x.example/":            5 * time.Minute,
		"450 4.2.0 Please wait 1 hour and 30 minutes":                       90 * time.Minute,
		"450 wait 1h30m":                                                    90 * time.Minute,
		"450 try again later (in 45 secs)":                                  45 * time.Second,
		"450 Try again in a minute":                                         time.Minute,
		"450 try again in an hour":                                          time.Hour,
		"450 come back after 1.5 hours":                                     90 * time.Minute,
		"450 TRY AGAIN\nIN 30 SECONDS":                                      30 * time.Second,
		"451 4.7.500 Server busy. Please try again later from [192.0.2.1].": 0,
		"451 4.7.1 try again later. You sent 100 messages in 60 minutes":    0,
		"454 Throttling failure: Maximum sending rate exceeded.":            0,
		"450 try again in 48 hours":                                         0,
		"450 try again in 0 seconds":                                        0,
		"450 try again in 99999999999999999999999 seconds":                  0,
		"450 try again in -5 seconds":                                       0,
		"450 rate limit is 30 per minute, try again":                        0,
		"450 retry-after":                                                   0,
		"":                                                                  0,
	} {
		if got, said := limit.RetryAfter(text); got != want || said != (want > 0) {
			t.Errorf("%q: %v, %v; want %v", text, got, said, want)
		}
	}
}

func TestWindowIn(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"454 Throttling failure: Maximum sending rate exceeded.": time.Second,
		"450 10 messages per second":                             time.Second,
		"450 limit is 30/min":                                    time.Minute,
		"451 too many messages in the last 10 minutes":           10 * time.Minute,
		"452 hourly limit reached":                               time.Hour,
		"452 100 messages an hour":                               time.Hour,
		"452 within 60 seconds":                                  time.Minute,
		"450 Try again in a minute":                              0,
		"450 try again in 5 minutes":                             0,
		"450 500 per day":                                        0,
		"450 10 messages per connection":                         0,
		"450 per":                                                0,
		"":                                                       0,
	} {
		got, said := limit.WindowIn(text)
		if said != (want > 0) || said && got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, said, want)
		}
	}
}

func FuzzReplyTimes(f *testing.F) {
	for _, text := range []string{"450 Try again in 30 seconds", "421 Retry-After: 120", "450 wait 1 hour and 30 minutes", "450 1h30m per 10 min", "450 30/s a second, hourly within 5 (minutes)."} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if wait, said := limit.RetryAfter(text); said && (wait <= 0 || wait > 24*time.Hour) || !said && wait != 0 {
			t.Errorf("RetryAfter: %v, %v", wait, said)
		}
		if window, said := limit.WindowIn(text); said && (window <= 0 || window > time.Hour) {
			t.Errorf("WindowIn: %v", window)
		}
		var p limit.Pace
		p.Throttled(start, start, text)
		if next := p.Next(start); next.Before(start) || next.Sub(start) > 25*time.Hour || !strings.Contains(p.State().String(), "per") {
			t.Errorf("Next in %v: %v", next.Sub(start), p.State())
		}
	})
}
