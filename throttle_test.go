package kaizen_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// phase is how a server took messages while its rate was the same.
type phase struct{ accepted, settled, throttled int }

// A server whose permitted rate nobody has told us, and which changes it twice:
// what it takes is found and used, and hardly a message is refused for it.
func TestPaceFollowsTheServer(t *testing.T) {
	config, limits := profiled(t, "ses")
	limits.Rates = kaizen.NoRate()
	config.Limits.Quota = smtptest.Rate{}
	config.Latency = 20 * time.Millisecond
	config.CountOnly = true
	bubble(t, config, func(t *testing.T, s *smtptest.Server) {
		client := kaizen.New(kaizen.Config{})
		defer client.Close()
		a := at(s, limits)
		total, throttled := 0, 0
		const length = 20 * time.Minute
		for _, n := range []int{10, 4, 20} {
			rate := config.Limits.Rate
			rate.N = n
			s.SetRate(rate)
			p := sendFor(t, client, a, length)
			allowed := n * int(length.Seconds()) / 2
			share := 100 * float64(p.settled) / float64(allowed)
			t.Logf("%2d per second: %d accepted, %d throttled; settled at %.1f %%; %s", n, p.accepted, p.throttled, share, client.Health()[0].Reason)
			if share < 95 {
				t.Errorf("%d per second permitted: settled at %.1f %% of it", n, share)
			}
			if h := client.Health()[0]; h.Condition != kaizen.Degraded || h.Cause != kaizen.CauseThrottled || !strings.Contains(h.Reason, "Throttling failure") {
				t.Errorf("%+v", h)
			}
			total += p.accepted + p.throttled
			throttled += p.throttled
		}
		if share := 100 * float64(throttled) / float64(total); share >= 1 {
			t.Errorf("%.2f %% of the messages were throttled", share)
		}
	})
}

// sendFor sends as fast as it goes for so long. What was accepted in the second
// half counts as settled.
func sendFor(t *testing.T, client *kaizen.Client, a kaizen.Account, length time.Duration) (p phase) {
	t.Helper()
	var accepted, settled, throttled atomic.Int64
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	half := time.Now().Add(length / 2)
	var senders sync.WaitGroup
	for i := range 10 {
		senders.Go(func() {
			for ctx.Err() == nil {
				_, err := client.Send(ctx, a, note(fmt.Sprint(i)))
				switch {
				case err == nil:
					accepted.Add(1)
					if time.Now().After(half) {
						settled.Add(1)
					}
				case errors.Is(err, kaizen.ErrRate):
					throttled.Add(1)
				case ctx.Err() == nil:
					t.Errorf("%v", err)
				}
			}
		})
	}
	senders.Wait()
	return phase{accepted: int(accepted.Load()), settled: int(settled.Load()), throttled: int(throttled.Load())}
}

// A pace that was learned is known to the next process.
func TestPaceIsKept(t *testing.T) {
	config, limits := profiled(t, "ses")
	limits.Rates = kaizen.NoRate()
	config.Limits.Quota = smtptest.Rate{}
	config.Limits.Rate.N = 5
	bubble(t, config, func(t *testing.T, s *smtptest.Server) {
		dir := t.TempDir()
		a := at(s, limits)
		client := stateful(t, dir)
		sendFor(t, client, a, 5*time.Minute)
		closeAll(t, client)
		client = stateful(t, dir)
		p := sendFor(t, client, a, time.Minute)
		if p.throttled > 5 || p.accepted < 270 {
			t.Errorf("%+v", p)
		}
		closeAll(t, client)
	})
}

// "Try again in 30 seconds" is heeded, and the wait is told.
func TestTryAgainIn(t *testing.T) {
	var asked atomic.Int64
	reject := func(p smtptest.Phase, _ string) *smtptest.Reply {
		if p == smtptest.PhaseMAIL && asked.Add(1) == 1 {
			return &smtptest.Reply{Code: 451, Text: "4.7.1 Too much mail, please try again in 30 seconds"}
		}
		return nil
	}
	bubble(t, smtptest.Config{Reject: reject}, func(t *testing.T, s *smtptest.Server) {
		client := kaizen.New(kaizen.Config{})
		a := account(s)
		if _, err := client.Send(t.Context(), a, note("1")); !errors.Is(err, kaizen.ErrRate) {
			t.Errorf("%v", err)
		}
		h := client.Health()[0]
		if h.Cause != kaizen.CauseThrottled || time.Until(h.NextProbe) != 30*time.Second {
			t.Errorf("%+v", h)
		}
		receipt, err := client.Send(t.Context(), a, note("2"))
		if err != nil || receipt.Waited.ForRate < 30*time.Second || !strings.Contains(receipt.Waited.Rate, "learned") {
			t.Errorf("%+v, %v", receipt, err)
		}
		closeAll(t, client)
	})
}
