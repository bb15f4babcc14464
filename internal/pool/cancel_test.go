package pool_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

// sendUntil sends one message whose caller leaves after d.
func sendUntil(p *pool.Pool, t pool.Target, d time.Duration) *smtp.Error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	_, _, err := p.Send(ctx, t, mail("leaver"))
	var e *smtp.Error
	errors.As(err, &e)
	return e
}

func wantCanceled(t *testing.T, e *smtp.Error, outcome smtp.Outcome) {
	t.Helper()
	if e == nil || e.Class != smtp.ClassCanceled || e.Outcome != outcome || !errors.Is(e, context.DeadlineExceeded) {
		t.Errorf("%+v, want canceled, %v", e, outcome)
	}
}

func TestCancelBeforeItBegins(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := &server{}
	p := pool.New(pool.Config{})
	_, _, err := p.Send(ctx, s.target("a"), mail(""))
	if !errors.Is(err, context.Canceled) || !errors.Is(err, smtp.ClassCanceled) || s.saw().dials != 0 {
		t.Errorf("%v", err)
	}
	closed(t, p, s)
}

func TestCancelWhileDialling(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{dialTime: 2 * time.Second}
		p := pool.New(pool.Config{})
		wantCanceled(t, sendUntil(p, s.target("a"), time.Second), smtp.NotSent)
		pass(5 * time.Second)
		if st := p.Stats(); st.Idle != 1 || st.Waiting != 0 {
			t.Errorf("the dial shall go on: %+v", st)
		}
		noErrors(t, crowd(p, s.target("a"), 1))
		if s.saw().dials != 1 {
			t.Errorf("%d dials", s.saw().dials)
		}
		closed(t, p, s)
	})
}

func TestCancelWhileWaiting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{sendTime: 10 * time.Second}
		p := pool.New(pool.Config{Connections: 1})
		var group sync.WaitGroup
		group.Go(func() { noErrors(t, flood(p, s.target("a"), 3)) })
		synctest.Wait()
		wantCanceled(t, sendUntil(p, s.target("a"), time.Second), smtp.NotSent)
		group.Wait()
		if len(s.saw().mails) != 3 {
			t.Errorf("%d messages were sent", len(s.saw().mails))
		}
		closed(t, p, s)
	})
}

func TestCancelOnAConnection(t *testing.T) {
	for name, withdrawn := range map[string]bool{"before the terminator": true, "after it": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var late []*smtp.Result
				s := &server{sendTime: 10 * time.Second}
				p := pool.New(pool.Config{Connections: 1, OnLate: func(i pool.Item, r *smtp.Result) {
					if i.Envelope.From != "leaver" {
						t.Errorf("late: %q", i.Envelope.From)
					}
					late = append(late, r)
				}})
				p.SetWithdraw(func(*smtp.Transaction) bool { return withdrawn })
				outcome, verdicts := smtp.Unknown, 1
				if withdrawn {
					outcome, verdicts = smtp.NotSent, 0
				}
				wantCanceled(t, sendUntil(p, s.target("a"), time.Second), outcome)
				noErrors(t, crowd(p, s.target("a"), 3))
				closed(t, p, s)
				if len(late) != verdicts || int(p.Stats().Late) != verdicts {
					t.Errorf("%d late verdicts, want %d", len(late), verdicts)
				}
			})
		})
	}
}

func TestCancelWhileWaitingForTheRate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{}
		p := pool.New(pool.Config{Limiter: onePerMinute()})
		noErrors(t, crowd(p, s.target("a"), 1))
		wantCanceled(t, sendUntil(p, s.target("a"), time.Second), smtp.NotSent)
		noErrors(t, crowd(p, s.target("a"), 1))
		closed(t, p, s)
	})
}

// A message that needs much of the limiter no longer holds up those behind it
// when its caller leaves.
func TestCancelOfWhatBlocksTheLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{}
		p := pool.New(pool.Config{Limiter: limit.New(limit.Rate{Count: 3, Per: time.Hour, Unit: limit.Recipients})})
		noErrors(t, crowd(p, s.target("a"), 1))
		var group sync.WaitGroup
		group.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			heavy := mail("")
			heavy.Envelope.To = smtp.To("a", "b", "c")
			if _, waited, err := p.Send(ctx, s.target("a"), heavy); err == nil || waited.Rate != time.Minute {
				t.Errorf("%+v, %v", waited, err)
			}
		})
		pass(time.Second)
		_, waited, err := p.Send(t.Context(), s.target("a"), mail(""))
		if err != nil || waited.Total != 59*time.Second {
			t.Errorf("%+v, %v", waited, err)
		}
		group.Wait()
		closed(t, p, s)
	})
}

// Callers who leave at any instant neither lose a result nor disturb others.
func TestManyCancels(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{dialTime: 3 * time.Millisecond, sendTime: 2 * time.Millisecond, ahead: true}
		p := pool.New(pool.Config{Connections: 3})
		p.SetWithdraw(func(*smtp.Transaction) bool { return false }) // the fake server does not know of it
		var group sync.WaitGroup
		for i := range 2000 {
			group.Go(func() {
				e := sendUntil(p, s.target("a"), time.Duration(1+i)*time.Millisecond)
				if e != nil && e.Class != smtp.ClassCanceled {
					t.Error(e)
				}
			})
		}
		group.Wait()
		closed(t, p, s)
		st := p.Stats()
		if st.Accepted+st.NotSent+st.Unknown != 2000 || int(st.Accepted+st.Unknown) != len(s.saw().mails) || st.Late != st.Unknown {
			t.Errorf("%d mails, %+v", len(s.saw().mails), st)
		}
	})
}

// A dial that nobody needs any more may finish and say goodbye, if it is quick.
func TestCloseWhileDialling(t *testing.T) {
	for dialTime, want := range map[time.Duration]struct {
		quits int
		took  time.Duration
	}{
		200 * time.Millisecond: {1, 100 * time.Millisecond},
		time.Hour:              {0, 500 * time.Millisecond},
	} {
		t.Run(dialTime.String(), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := &server{dialTime: dialTime}
				p := pool.New(pool.Config{})
				ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
				defer cancel()
				if _, _, err := p.Send(ctx, s.target("a"), mail("")); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%v", err)
				}
				began := time.Now()
				closed(t, p, s)
				if n := s.saw().quits; n != want.quits || time.Since(began) != want.took {
					t.Errorf("%d goodbyes, closed after %v", n, time.Since(began))
				}
			})
		})
	}
}
