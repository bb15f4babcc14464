package pool_test

import (
	"context"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

// Each duration is in exactly one bucket: the first whose bound is not below it.
func TestHistogramBuckets(t *testing.T) {
	t.Parallel()
	bounds := pool.Bounds()
	tests := map[time.Duration]int{-time.Second: 0, 0: 0, bounds[0]: 0, bounds[0] + 1: 1, bounds[5]: 5,
		bounds[len(bounds)-1]: len(bounds) - 1, bounds[len(bounds)-1] + 1: len(bounds), time.Hour: len(bounds)}
	for d, want := range tests {
		var c pool.Counters
		c.CountMessage(d, &smtp.Result{})
		h := c.Totals().Wait
		if h.Counts[want] != 1 || h.Sum != max(d, 0) || len(h.Counts) != len(bounds)+1 {
			t.Errorf("%v: %v, sum %v; want it in bucket %d", d, h.Counts, h.Sum, want)
		}
	}
}

// Pools that follow one another count on, and each Send counts once.
func TestCountersOutliveAPool(t *testing.T) {
	bubble(t, func(t *testing.T) {
		counters := new(pool.Counters)
		s := &server{dialTime: 20 * time.Millisecond, sendTime: 10 * time.Millisecond}
		for range 3 {
			p := pool.New(pool.Config{Counters: counters, Connections: 1})
			noErrors(t, crowd(p, s.target("a"), 10))
			closed(t, p, s)
		}
		c := counters.Totals()
		if c.Accepted != 30 || c.Dialled != 3 || c.Closed["pool"] != 3 || len(c.Failures) != 0 {
			t.Errorf("%+v", c)
		}
		if c.Handshake.Sum != 60*time.Millisecond || c.Handshake.Counts[4] != 3 {
			t.Errorf("handshakes: %+v", c.Handshake)
		}
	})
}

// Whatever keeps a message from the line, or ends its stay there, is counted
// once as an outcome, and once as a failure of its class.
func TestFailuresAreCountedByClass(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{}
		p := pool.New(pool.Config{Limiter: limit.New(limit.Rate{Count: 1, Per: time.Hour, Unit: limit.Recipients})})
		noErrors(t, crowd(p, s.target("a"), 1))
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		_, _, _ = p.Send(gone, s.target("a"), mail(""))
		many := mail("")
		many.Envelope.To = smtp.To("a", "b")
		_, _, _ = p.Send(t.Context(), s.target("a"), many)
		_ = sendUntil(p, s.target("a"), time.Minute)
		closed(t, p, s)
		_, _, _ = p.Send(t.Context(), s.target("a"), mail(""))
		st := p.Stats()
		if st.Accepted != 1 || st.NotSent != 4 || st.Canceled != 2 {
			t.Errorf("%+v", st)
		}
		if f := st.Failures; f["canceled"] != 2 || f["recipient"] != 1 || f["closed"] != 1 || len(f) != 3 {
			t.Errorf("%v", f)
		}
		if st.Wait.Counts[0] != 1 || st.Wait.Sum != time.Minute {
			t.Errorf("%+v", st.Wait)
		}
	})
}
