package pool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

// moody is a server that fails in every way now and then.
func moody(seed uint64) *server {
	random := rand.New(rand.NewPCG(seed, 2))
	var mu sync.Mutex
	pick := func(n int) int {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(n)
	}
	s := &server{
		dialTime: 20 * time.Millisecond, loginTime: 10 * time.Millisecond,
		sendTime: 5 * time.Millisecond, quitTime: 10 * time.Millisecond,
		auth: seed%2 == 0, ahead: seed%3 == 0,
	}
	s.dialErr = func(int) error {
		switch pick(12) {
		case 0:
			return refusal(smtp.ClassConnect, 0)
		case 1:
			return refusal(smtp.ClassConnectionLimit, 421)
		}
		return nil
	}
	s.verdict = func(*fakeConn, int, *smtp.Transaction) *smtp.Result {
		r := broken(errCut)
		switch pick(40) {
		case 0:
			r.Err = refusal(smtp.ClassConnectionLimit, 421)
		case 1:
			r.Err = refusal(smtp.ClassSessionLimit, 421)
		case 2:
			r.Err = refusal(smtp.ClassAuthTemporary, 454)
		case 3:
			return &smtp.Result{Outcome: smtp.Rejected, Err: refusal(smtp.ClassRecipient, 550)}
		case 4:
		default:
			return nil
		}
		return r
	}
	return s
}

// Whatever happens, every caller gets one answer, what was accepted was sent
// once, the caps hold, and nothing is left behind. A caller who were forgotten
// would show as a deadlock of the bubble.
func TestNobodyIsForgotten(t *testing.T) {
	for seed := range uint64(24) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, func(t *testing.T) { live(t, seed) })
		})
	}
}

func live(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 3))
	s := moody(seed)
	config := pool.Config{Connections: 4, MessagesPerConnection: 20, MaxLifetime: 3 * time.Second, MinIdle: int(seed % 3)}
	if seed%4 == 1 {
		config.Limiter = limit.New(limit.Rate{Count: 50, Per: time.Second})
	}
	p := pool.New(config)
	var group sync.WaitGroup
	for i := range 600 {
		delay := time.Duration(random.IntN(20_000)) * time.Millisecond
		patience := time.Duration(1+random.IntN(3000)) * time.Millisecond
		group.Go(func() {
			<-time.After(delay)
			ctx := context.Background()
			if i%3 == 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, patience)
				defer cancel()
			}
			item := mail(fmt.Sprint(i))
			item.Priority = pool.Priority(i % 4)
			_, _, err := p.Send(ctx, s.target(fmt.Sprint(i%7/5)), item)
			if e := (*smtp.Error)(nil); err != nil && !errors.As(err, &e) {
				t.Errorf("message %d: %v", i, err)
			}
		})
	}
	group.Wait()
	closed(t, p, s)
	st := p.Stats()
	if sum := st.Accepted + st.Rejected + st.NotSent + st.Unknown; sum != 600 {
		t.Errorf("%d outcomes: %+v", sum, st)
	}
	if s.saw().most > 4 {
		t.Errorf("%d connections at once", s.saw().most)
	}
	for _, c := range s.saw().conns {
		if c.sent > 20 {
			t.Errorf("%d messages on one connection", c.sent)
		}
	}
	if n := fullest(s.saw().mails, time.Second); config.Limiter != nil && n > 50 {
		t.Errorf("%d messages in a second", n)
	}
}

// Pre-warming knocks at a dead server once a sweep.
func TestWarmAgainstADeadServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{dialErr: func(int) error { return errors.New("no route") }}
		p := pool.New(pool.Config{MinIdle: 2})
		p.Warm(s.target("a"))
		pass(time.Hour)
		if n := s.saw().dials; n < 30 || n > 65 {
			t.Errorf("%d dials in an hour", n)
		}
		s.mu.Lock()
		s.dialErr = nil
		s.mu.Unlock()
		pass(time.Hour)
		if st := p.Stats(); st.Idle == 0 {
			t.Errorf("%+v", st)
		}
		closed(t, p, s)
	})
}

// A server that hangs up on idle clients says 421 too; that is no crowding.
func TestIdleTimeoutOfTheServerKeepsTheCapacity(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{verdict: func(c *fakeConn, n int, _ *smtp.Transaction) *smtp.Result {
			if c.id == 1 && n == 2 {
				r := broken(nil)
				r.Err = refusal(smtp.ClassConnectionLimit, 421)
				return r
			}
			return nil
		}}
		p := pool.New(pool.Config{})
		noErrors(t, crowd(p, s.target("a"), 1))
		pass(time.Second)
		noErrors(t, crowd(p, s.target("a"), 1))
		if st := p.Stats(); st.Capacity != 5 || st.Repeated != 1 {
			t.Errorf("%+v", st)
		}
		closed(t, p, s)
	})
}

// Where another connection may open, nobody waits for a goodbye: here a message
// counts on a connection that turns out to have had its fill.
func TestAGoodbyeHoldsUpNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{quitTime: 4 * time.Second, lull: time.Second}
		p := pool.New(pool.Config{Connections: 2, MessagesPerConnection: 1})
		noErrors(t, crowd(p, s.target("a"), 1))
		_, waited, err := p.Send(t.Context(), s.target("a"), mail(""))
		if err != nil || waited.Total != time.Second {
			t.Errorf("%+v, %v", waited, err)
		}
		closed(t, p, s)
	})
}
