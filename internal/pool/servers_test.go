package pool_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

// farm is a target with several servers.
func farm(patience time.Duration, servers ...*server) pool.Target {
	t := pool.Target{Key: "a", Server: "mx0.test:587", Dial: servers[0].dial, Patience: patience}
	for i, s := range servers[1:] {
		t.Others = append(t.Others, pool.Server{Address: fmt.Sprintf("mx%d.test:587", i+1), Priority: i + 1, Dial: s.dial})
	}
	return t
}

// down makes the server refuse connections, and breaks those that are open.
func (s *server) down(err error) {
	s.mu.Lock()
	s.dialErr = func(int) error { return err }
	conns := s.conns
	s.mu.Unlock()
	for _, c := range conns {
		c.Close()
	}
}

func (s *server) up() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dialErr = nil
}

// stream sends messages one after the other from several callers for a time, and
// returns how many went out.
func stream(t *testing.T, p *pool.Pool, to pool.Target, callers int, d time.Duration) (sent int) {
	t.Helper()
	var mu sync.Mutex
	var group sync.WaitGroup
	end := time.Now().Add(d)
	for range callers {
		group.Go(func() {
			for time.Now().Before(end) {
				_, _, err := p.Send(t.Context(), to, mail("x"))
				mu.Lock()
				if err == nil {
					sent++
				} else if e := new(smtp.Error); !errors.As(err, &e) || e.Outcome != smtp.Unknown {
					t.Errorf("%v: %v", time.Now(), err)
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return sent
}

func (s *server) got() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.order)
}

func TestTheSecondServerServesWhileTheFirstRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first, second := &server{}, &server{sendTime: time.Second}
		first.down(refusal(smtp.ClassConnect, 0))
		p := pool.New(pool.Config{})
		start := time.Now()
		noErrors(t, crowd(p, farm(0, first, second), 20))
		if took := time.Since(start); took > 6*time.Second || second.got() != 20 {
			t.Errorf("%d went to the second, in %v", second.got(), took)
		}
		h := p.Health()
		if h.Condition != pool.Degraded || h.Cause != pool.CauseFailover || len(h.Servers) != 2 || h.Servers[0].Failure == nil || h.Servers[1].Failure != nil || h.Server != "mx1.test:587" {
			t.Errorf("%+v", h)
		}
		closed(t, p, first)
		closed(t, p, second)
	})
}

// The first dies in mid-load: the second takes over, and the first is back soon
// after it returns.
func TestFailoverByRefusal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first, second := &server{dialTime: 50 * time.Millisecond, sendTime: 100 * time.Millisecond}, &server{dialTime: 50 * time.Millisecond, sendTime: 100 * time.Millisecond}
		p := pool.New(pool.Config{})
		to := farm(0, first, second)
		var group sync.WaitGroup
		group.Go(func() { stream(t, p, to, 8, 3*time.Minute) })
		pass(10 * time.Second)
		if second.saw().dials != 0 || first.saw().most > 5 {
			t.Errorf("the second was dialled %d times, the first had %d connections", second.saw().dials, first.saw().most)
		}
		first.down(refusal(smtp.ClassConnect, 0))
		pass(2 * time.Second)
		if n := second.got(); n < 50 {
			t.Errorf("%d went to the second in 2 s", n)
		}
		pass(time.Minute)
		knocks := first.saw().dials
		first.up()
		before := first.got()
		pass(31 * time.Second)
		if first.got()-before < 20 || second.saw().open != 0 {
			t.Errorf("%d went to the first since it is back, the second has %d connections", first.got()-before, second.saw().open)
		}
		if knocks > 30 {
			t.Errorf("%d dials to a server that refuses", knocks)
		}
		group.Wait()
		if h := p.Health(); h.Condition != pool.Healthy {
			t.Errorf("%+v", h)
		}
		closed(t, p, first)
		closed(t, p, second)
	})
}

func TestFailoverBySilence(t *testing.T) {
	for name, committed := range map[string]bool{"before the content": false, "after the content": true} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				first, second := &server{sendTime: 100 * time.Millisecond}, &server{sendTime: 100 * time.Millisecond}
				p := pool.New(pool.Config{})
				p.SetWithdraw(func(*smtp.Transaction) bool { return !committed })
				to := farm(10*time.Second, first, second)
				var group sync.WaitGroup
				group.Go(func() { stream(t, p, to, 20, 2*time.Minute) })
				pass(5 * time.Second)
				mute := first.mute()
				pass(11 * time.Second)
				if n := second.got(); n < 40 {
					t.Errorf("%d went to the second within 11 s", n)
				}
				if n := second.saw().most; n > 5 {
					t.Errorf("the second had %d connections", n)
				}
				if want := map[bool]int{false: 15, true: 10}[committed]; p.Stats().Waiting != want {
					t.Errorf("%+v, want %d waiting", p.Stats().Moment, want)
				}
				mute()
				before := first.got()
				pass(40 * time.Second)
				if first.got() == before || second.saw().open != 0 || first.saw().most > 6 {
					t.Errorf("after its return the first got %d and had up to %d connections, the second has %d", first.got()-before, first.saw().most, second.saw().open)
				}
				group.Wait()
				closed(t, p, first)
				closed(t, p, second)
			})
		})
	}
}

// mute makes the server say nothing any more, neither to a dial. What is returned
// lets it speak again.
func (s *server) mute() (speak func()) {
	gate := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.silent = gate
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.silent = nil
		close(gate)
	}
}

func TestAMutedServerAtTheFirstMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first, second := &server{}, &server{}
		first.mute()
		first.dialLimit = 10 * time.Second
		p := pool.New(pool.Config{})
		start := time.Now()
		noErrors(t, crowd(p, farm(0, first, second), 1))
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took %v", took)
		}
		closed(t, p, first)
		closed(t, p, second)
	})
}

// A server that takes long for one message is not silent while it answers others.
func TestSlowIsNotSilent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first, second := &server{sendTime: 3 * time.Second}, &server{}
		first.verdict = func(c *fakeConn, _ int, _ *smtp.Transaction) *smtp.Result {
			if c.id == 1 {
				_ = wait(context.Background(), c.cut, time.Minute)
			}
			return nil
		}
		p := pool.New(pool.Config{Connections: 3})
		p.SetWithdraw(func(*smtp.Transaction) bool { return false })
		stream(t, p, farm(10*time.Second, first, second), 3, 5*time.Minute)
		if second.saw().dials != 0 {
			t.Errorf("%d dials to the second", second.saw().dials)
		}
		closed(t, p, first)
	})
}

// Content that goes out slowly is a sign of life, and what a commit waits for is not
// the server.
func TestOurOwnDelayIsNotSilence(t *testing.T) {
	for name, item := range map[string]func(*smtp.Transaction){
		"content": func(tx *smtp.Transaction) {
			for i := range 10 {
				pass(5 * time.Second)
				tx.Progress(int64(i))
			}
		},
		"commit": func(tx *smtp.Transaction) {
			if err := tx.Commit(); err != nil {
				panic(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				first, second := &server{}, &server{}
				first.verdict = func(_ *fakeConn, _ int, tx *smtp.Transaction) *smtp.Result { item(tx); return nil }
				p := pool.New(pool.Config{})
				m := mail("x")
				m.Commit = func() error { <-time.After(time.Minute); return nil }
				if _, _, err := p.Send(t.Context(), farm(10*time.Second, first, second), m); err != nil {
					t.Error(err)
				}
				if second.saw().dials != 0 {
					t.Errorf("%d dials to the second", second.saw().dials)
				}
				closed(t, p, first)
			})
		})
	}
}

func TestAllServersAreDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first, second := &server{}, &server{}
		first.down(&smtp.Error{Server: "mx0.test:587", Phase: smtp.PhaseConnect, Class: smtp.ClassConnect, Err: errors.New("refused by the one")})
		second.down(&smtp.Error{Server: "mx1.test:587", Phase: smtp.PhaseConnect, Class: smtp.ClassConnect, Err: errors.New("refused by the other")})
		p := pool.New(pool.Config{})
		to := farm(0, first, second)
		for _, err := range crowd(p, to, 10) {
			if err == nil || !strings.Contains(err.Error(), "refused by the one") || !strings.Contains(err.Error(), "refused by the other") || !errors.Is(err, smtp.ClassConnect) {
				t.Errorf("%v", err)
			}
		}
		if h := p.Health(); h.Condition != pool.Down || h.Cause != pool.CauseOutage {
			t.Errorf("%+v", h)
		}
		second.up()
		pass(time.Minute)
		noErrors(t, crowd(p, to, 10))
		if second.got() != 10 {
			t.Errorf("%d went to the second", second.got())
		}
		closed(t, p, first)
		closed(t, p, second)
	})
}

func TestServersShareByWeight(t *testing.T) {
	bubble(t, func(t *testing.T) {
		heavy, light := &server{sendTime: time.Second}, &server{sendTime: time.Second}
		to := pool.Target{Key: "a", Server: "light.test:25", Dial: light.dial, Weight: 1,
			Others: []pool.Server{{Address: "heavy.test:25", Weight: 3, Dial: heavy.dial}}}
		p := pool.New(pool.Config{Connections: 8, MessagesPerConnection: 10})
		noErrors(t, crowd(p, to, 800))
		if l, h := light.got(), heavy.got(); l < 180 || l > 220 || l+h != 800 {
			t.Errorf("%d and %d", l, h)
		}
		closed(t, p, heavy)
		closed(t, p, light)
	})
}

func TestRefusedCredentialsAreNotTriedElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first := &server{auth: true, authErr: refusal(smtp.ClassAuth, 535)}
		second := &server{auth: true}
		p := pool.New(pool.Config{})
		for _, err := range crowd(p, farm(0, first, second), 10) {
			if !errors.Is(err, smtp.ClassAuth) {
				t.Error(err)
			}
		}
		if second.saw().logins != 0 || first.saw().logins != 1 {
			t.Errorf("%d and %d logins", first.saw().logins, second.saw().logins)
		}
		closed(t, p, first)
		closed(t, p, second)
	})
}

func TestALoginThatFailsForNowIsTriedElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first := &server{auth: true, authErr: refusal(smtp.ClassAuthTemporary, 454)}
		second := &server{auth: true}
		p := pool.New(pool.Config{})
		noErrors(t, crowd(p, farm(0, first, second), 10))
		if first.saw().logins != 1 {
			t.Errorf("%d logins at the first", first.saw().logins)
		}
		closed(t, p, first)
		closed(t, p, second)
	})
}

// A server that says 421 as it goes down is not short of connections.
func TestAServerThatShutsDownIsNotCrowded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first, second := &server{sendTime: time.Second}, &server{sendTime: time.Second}
		p := pool.New(pool.Config{})
		to := farm(0, first, second)
		noErrors(t, crowd(p, to, 10))
		first.mu.Lock()
		first.dialErr = func(int) error { return refusal(smtp.ClassConnect, 0) }
		first.verdict = func(*fakeConn, int, *smtp.Transaction) *smtp.Result {
			return &smtp.Result{Repeatable: true, Err: &smtp.Error{Phase: smtp.PhaseMail, Class: smtp.ClassConnectionLimit, Reply: smtp.Reply{Code: 421, Text: "bye"}}}
		}
		first.mu.Unlock()
		noErrors(t, crowd(p, to, 50))
		if n := second.saw().most; n < 4 {
			t.Errorf("%d connections to the second", n)
		}
		closed(t, p, first)
		closed(t, p, second)
	})
}

func TestCloseWithASilentServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first, second := &server{}, &server{}
		p := pool.New(pool.Config{})
		p.SetWithdraw(func(*smtp.Transaction) bool { return false })
		first.mute()
		var group sync.WaitGroup
		group.Go(func() { stream(t, p, farm(10*time.Second, first, second), 2, time.Second) })
		pass(20 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		group.Wait()
		synctest.Wait()
	})
}

// That one server takes few connections is no reason to have few to another. A server
// that stands in does not, as long as a better one works.
func TestACrowdedServerHoldsUpNoOther(t *testing.T) {
	for name, priority := range map[string]int{"of its priority": 0, "of the next": 10} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				first, second := &server{sendTime: time.Second}, &server{sendTime: time.Second}
				first.dialErr = func(int) error {
					if first.saw().open > 2 {
						return refusal(smtp.ClassConnectionLimit, 421)
					}
					return nil
				}
				to := farm(0, first, second)
				to.Others[0].Priority = priority
				p := pool.New(pool.Config{Connections: 8})
				stream(t, p, to, 20, 30*time.Second)
				before := second.got()
				stream(t, p, to, 20, 20*time.Second)
				if h := p.Health(); h.Cause != pool.CauseConnections || h.Condition != pool.Degraded {
					t.Errorf("%+v", h)
				}
				if took := second.got() - before; priority == 0 && took < 100 || priority > 0 && took > 15 {
					t.Errorf("the second took %d messages in 20 s", took)
				}
				closed(t, p, first)
				closed(t, p, second)
			})
		})
	}
}

// A server that lets in and then drops is tried ever more rarely, and holds up nobody.
func TestAFlappingServerIsAskedEverMoreRarely(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first, second := &server{auth: true, sendTime: 100 * time.Millisecond}, &server{auth: true, sendTime: 100 * time.Millisecond}
		first.verdict = func(*fakeConn, int, *smtp.Transaction) *smtp.Result { return broken(errCut) }
		p := pool.New(pool.Config{MinIdle: 2})
		if n := stream(t, p, farm(0, first, second), 5, 10*time.Minute); n < 25_000 {
			t.Errorf("%d messages in 10 min", n)
		}
		if n := first.saw().dials; n > 200 {
			t.Errorf("%d dials to a server that drops", n)
		}
		closed(t, p, first)
		closed(t, p, second)
	})
}

// One that lets in and then says nothing is not asked by more and more connections.
func TestProbesOfASilentServerDoNotAddUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first, second := &server{sendTime: 100 * time.Millisecond}, &server{sendTime: 100 * time.Millisecond}
		p := pool.New(pool.Config{Connections: 3})
		speak := first.mute()
		stream(t, p, farm(10*time.Second, first, second), 10, 4*time.Minute)
		if n := first.saw().most; n > 4 {
			t.Errorf("%d connections", n)
		}
		if err := p.Check(); err != nil {
			t.Error(err)
		}
		speak()
		pass(time.Minute)
		if err := p.Check(); err != nil {
			t.Error(err)
		}
		closed(t, p, first)
		closed(t, p, second)
	})
}

// A message that leaves a silent server has its place in line, full or not.
func TestAFullLineTakesBackWhatASilentServerHad(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first, second := &server{}, &server{}
		first.mute()
		p := pool.New(pool.Config{Connections: 1, MaxWaiting: 1})
		p.SetWithdraw(func(*smtp.Transaction) bool { return true })
		to := farm(10*time.Second, first, second)
		var group sync.WaitGroup
		for range 2 { // the first is on its way when the second comes
			group.Go(func() {
				if _, _, err := p.Send(t.Context(), to, mail("x")); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		group.Wait()
		if order := second.saw().order; len(order) != 2 {
			t.Errorf("%v", order)
		}
		first.mu.Lock()
		close(first.silent)
		first.silent = nil
		first.mu.Unlock()
		pass(time.Minute)
		closed(t, p, first)
		closed(t, p, second)
	})
}

// The message that asks whether an allowance is renewed leaves a silent server like
// any other, and does not keep the account closed from there.
func TestASilentServerDoesNotKeepAnAllowanceClosed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first, second := &server{}, &server{}
		first.verdict = func(_ *fakeConn, n int, _ *smtp.Transaction) *smtp.Result {
			if n == 1 {
				return &smtp.Result{Err: refusal(smtp.ClassQuota, 452)}
			}
			return nil
		}
		p := pool.New(pool.Config{})
		p.SetWithdraw(func(*smtp.Transaction) bool { return true })
		to := farm(10*time.Second, first, second)
		if _, _, err := p.Send(t.Context(), to, mail("x")); !errors.Is(err, smtp.ClassQuota) {
			t.Error(err)
		}
		pass(6 * time.Minute)
		speak := first.mute()
		began := time.Now()
		noErrors(t, crowd(p, to, 10))
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("took %v", took)
		}
		speak()
		pass(time.Minute)
		closed(t, p, first)
		closed(t, p, second)
	})
}

// A login that hangs at one server does not keep the gate shut for the others.
func TestALoginThatHangsHoldsUpNoOtherServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first, second := &server{auth: true, loginTime: time.Hour}, &server{auth: true}
		p := pool.New(pool.Config{})
		p.SetWithdraw(func(*smtp.Transaction) bool { return true })
		began := time.Now()
		noErrors(t, crowd(p, farm(10*time.Second, first, second), 10))
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("took %v", took)
		}
		if err := p.Check(); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_ = p.Close(ctx)
	})
}

// Before all servers were asked nobody is told that others serve; and the failure of
// all is one that may pass, if one of them may.
func TestNobodyServes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first, second := &server{dialTime: time.Second}, &server{dialTime: time.Second}
		first.down(&smtp.Error{Server: "mx0.test:587", Phase: smtp.PhaseTLS, Class: smtp.ClassTLS, Err: errors.New("untrusted"), Hint: "install its CA"})
		second.down(&smtp.Error{Server: "mx1.test:587", Phase: smtp.PhaseConnect, Class: smtp.ClassConnect, Err: errors.New("refused")})
		var told []pool.Condition
		p := pool.New(pool.Config{OnHealth: func(h pool.Health) { told = append(told, h.Condition) }})
		_, _, err := p.Send(t.Context(), farm(0, first, second), mail("x"))
		synctest.Wait()
		e := new(smtp.Error)
		if !errors.As(err, &e) || e.Class != smtp.ClassConnect || e.Server != "mx1.test:587" || !e.Temporary() || strings.Count(err.Error(), "install its CA") != 1 {
			t.Errorf("%v", err)
		}
		if len(told) != 1 || told[0] != pool.Down {
			t.Errorf("told %v", told)
		}
		closed(t, p, first)
		closed(t, p, second)
	})
}
