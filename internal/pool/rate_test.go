package pool_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

func onePerMinute() *limit.Limiter { return limit.New(limit.Rate{Count: 1, Per: time.Minute}) }

// fullest is the most that any window of that length saw.
func fullest(mails []time.Time, per time.Duration) int {
	most, tail := 0, 0
	for i, at := range mails {
		for !mails[tail].Add(per).After(at) {
			tail++
		}
		most = max(most, i-tail+1)
	}
	return most
}

func TestRatesAreNeverExceeded(t *testing.T) {
	for name, s := range map[string]*server{
		"all accepted": {sendTime: 30 * time.Millisecond},
		"ahead":        {sendTime: 30 * time.Millisecond, ahead: true},
		"all rejected": {sendTime: 30 * time.Millisecond, verdict: func(*fakeConn, int, *smtp.Transaction) *smtp.Result {
			return &smtp.Result{Outcome: smtp.Rejected, Err: refusal(smtp.ClassRecipient, 550)}
		}},
		"breaking": {sendTime: 30 * time.Millisecond, verdict: func(_ *fakeConn, n int, _ *smtp.Transaction) *smtp.Result {
			if n > 3 {
				return broken(errCut)
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := pool.New(pool.Config{MessagesPerConnection: 7, Limiter: limit.New(
					limit.Rate{Count: 10, Per: time.Second}, limit.Rate{Count: 100, Per: time.Minute})})
				start := time.Now()
				crowd(p, s.target("a"), 300)
				if n := fullest(s.saw().mails, time.Second); n > 10 {
					t.Errorf("%d messages in a second", n)
				}
				if n := fullest(s.saw().mails, time.Minute); n > 100 {
					t.Errorf("%d messages in a minute", n)
				}
				if took, n := time.Since(start), len(s.saw().mails); took > time.Duration(n/100)*62*time.Second+15*time.Second {
					t.Errorf("%d messages took %v", n, took)
				}
				closed(t, p, s)
			})
		})
	}
}

func TestWaitedSaysForWhat(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{dialTime: time.Second}
		p := pool.New(pool.Config{Limiter: onePerMinute()})
		_, waited, err := p.Send(t.Context(), s.target("a"), mail(""))
		if err != nil || waited != (pool.Waited{Total: time.Second}) {
			t.Errorf("%+v, %v", waited, err)
		}
		_, waited, err = p.Send(t.Context(), s.target("a"), mail(""))
		if err != nil || waited.Total != time.Minute || waited.Rate != time.Minute || waited.Limit.String() != "1 per minute" {
			t.Errorf("%+v, %v", waited, err)
		}
		closed(t, p, s)
	})
}

// A message that never got as far as MAIL does not use up the rate.
func TestUnusedSlotsComeBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{auth: true, authErr: refusal(smtp.ClassAuth, 535)}
		limiter := onePerMinute()
		p := pool.New(pool.Config{Limiter: limiter})
		crowd(p, s.target("a"), 3)
		if _, ok := limiter.Take(time.Now(), limit.Message(1, 0)); !ok {
			t.Error("the slot is gone")
		}
		closed(t, p, s)
	})
}

// Somebody else may use the same limiter.
func TestSharedLimiter(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{}
		limiter := onePerMinute()
		slot, _ := limiter.Take(time.Now(), limit.Message(1, 0))
		p := pool.New(pool.Config{Limiter: limiter})
		var group sync.WaitGroup
		group.Go(func() {
			_, waited, err := p.Send(t.Context(), s.target("a"), mail(""))
			if err != nil || waited.Rate != 3*time.Minute {
				t.Errorf("%+v, %v", waited, err)
			}
		})
		pass(2 * time.Minute)
		slot.Done(time.Now())
		group.Wait()
		closed(t, p, s)
	})
}

func TestTooManyRecipients(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{}
		limiter := limit.New(limit.Rate{Count: 5, Per: time.Hour, Unit: limit.Recipients})
		p := pool.New(pool.Config{Limiter: limiter})
		item := mail("")
		item.Envelope.To = smtp.To("a", "b", "c", "d", "e", "f")
		var tooMany *limit.TooManyError
		if _, _, err := p.Send(t.Context(), s.target("a"), item); !errors.As(err, &tooMany) {
			t.Errorf("%v", err)
		}
		// The limit becomes stricter while a message waits.
		noErrors(t, crowd(p, s.target("a"), 3))
		item.Envelope.To = item.Envelope.To[:4]
		var group sync.WaitGroup
		group.Go(func() {
			if _, _, err := p.Send(t.Context(), s.target("a"), item); !errors.As(err, &tooMany) {
				t.Errorf("%v", err)
			}
		})
		synctest.Wait()
		limiter.Restrict(limit.Rate{Count: 3, Per: time.Hour, Unit: limit.Recipients})
		group.Wait()
		closed(t, p, s)
	})
}

// Waiting for the rate wakes one connection per slot, not all of them.
func TestNothingPolls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{}
		p := pool.New(pool.Config{Limiter: limit.New(limit.Rate{Count: 1, Per: time.Second}), MessagesPerConnection: -1})
		var group sync.WaitGroup
		for i := range 60 {
			group.Go(func() { _, _, _ = p.Send(t.Context(), s.target("a"), mail(fmt.Sprint(i))) })
			synctest.Wait()
		}
		group.Wait()
		if st := p.Stats(); st.Reused > 130 || st.Dialled > 5 {
			t.Errorf("%+v", st)
		}
		closed(t, p, s)
	})
}

// A long wait is told once for each limit, however often it comes.
func TestLongWaitsAreToldOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{}
		var mu sync.Mutex
		told := map[string]int{}
		p := pool.New(pool.Config{Limiter: limit.New(limit.Rate{Count: 1, Per: 2 * time.Second}, limit.Rate{Count: 3, Per: time.Minute}),
			OnHold: func(by limit.Rate, until time.Time) {
				mu.Lock()
				defer mu.Unlock()
				told[by.String()]++
			}})
		noErrors(t, crowd(p, s.target("a"), 12))
		closed(t, p, s)
		if len(told) != 2 || told["1 per 2s"] != 1 || told["3 per minute"] != 1 {
			t.Errorf("%v", told)
		}
	})
}
