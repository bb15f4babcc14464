package pool_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

func TestAllPooledConnectionsAreStale(t *testing.T) {
	for name, spoil := range map[string]func(*fakeConn){
		"noticed at check-out":   func(c *fakeConn) { c.dead = true },
		"noticed by the message": func(c *fakeConn) { c.stale = true },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := &server{dialTime: time.Second, sendTime: time.Second}
				p := pool.New(pool.Config{Connections: 10, MaxTries: 1})
				noErrors(t, crowd(p, s.target("a"), 10))
				s.mu.Lock()
				for _, c := range s.conns {
					spoil(c)
				}
				s.mu.Unlock()
				noErrors(t, crowd(p, s.target("a"), 1))
				noErrors(t, crowd(p, s.target("a"), 20))
				if st := p.Stats(); st.Closed["lost"] != 10 || s.saw().most > 10 {
					t.Errorf("%+v", st)
				}
				closed(t, p, s)
			})
		})
	}
}

func TestRepeatsAreBounded(t *testing.T) {
	for _, tries := range []int{1, 3} {
		t.Run(fmt.Sprint(tries), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := &server{verdict: func(*fakeConn, int, *smtp.Transaction) *smtp.Result { return broken(errCut) }}
				p := pool.New(pool.Config{MaxTries: tries})
				r, _, err := p.Send(t.Context(), s.target("a"), mail(""))
				if !errors.Is(err, errCut) || r == nil || s.saw().dials != tries {
					t.Errorf("%d dials, %v, %v", s.saw().dials, r, err)
				}
				closed(t, p, s)
			})
		})
	}
}

// A connection that takes one message and then breaks never makes one message
// travel for ever.
func TestConnectionsThatBreakAtTheSecondMessage(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{dialTime: time.Second, sendTime: time.Second, verdict: func(_ *fakeConn, n int, _ *smtp.Transaction) *smtp.Result {
			if n > 1 {
				return broken(errCut)
			}
			return nil
		}}
		p := pool.New(pool.Config{})
		noErrors(t, crowd(p, s.target("a"), 100))
		closed(t, p, s)
	})
}

func TestARepeatedMessageKeepsItsPlace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{dialTime: time.Second, sendTime: time.Second, ahead: true,
			verdict: func(c *fakeConn, n int, _ *smtp.Transaction) *smtp.Result {
				if c.id == 1 && n == 2 {
					return broken(errCut) // the one pulled ahead is given back too
				}
				return nil
			}}
		p := pool.New(pool.Config{Connections: 1})
		var group sync.WaitGroup
		for i := range 6 {
			group.Go(func() {
				if _, _, err := p.Send(t.Context(), s.target("a"), mail(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		group.Wait()
		if want := []string{"0", "1", "1", "2", "3", "4", "5"}; !slices.Equal(s.saw().order, want) {
			t.Errorf("order %v, want %v", s.saw().order, want)
		}
		closed(t, p, s)
	})
}

func TestWaiterIsWokenByDeath(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{sendTime: time.Hour}
		p := pool.New(pool.Config{Connections: 1})
		var group sync.WaitGroup
		group.Go(func() { _, _, _ = p.Send(t.Context(), s.target("a"), mail("first")) })
		synctest.Wait()
		group.Go(func() {
			_, waited, err := p.Send(t.Context(), s.target("a"), mail("second"))
			if err != nil || waited.Total != time.Minute {
				t.Errorf("waited %v, %v", waited.Total, err)
			}
		})
		pass(time.Minute)
		s.saw().conns[0].Close()
		group.Wait()
		closed(t, p, s)
	})
}

func TestDeadServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		down := refusal(smtp.ClassConnect, 0)
		s := &server{dialTime: time.Second, dialErr: func(int) error { return down }}
		p := pool.New(pool.Config{})
		start := time.Now()
		for i, err := range crowd(p, s.target("a"), 1000) {
			if !errors.Is(err, down) {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		if s.saw().dials > 5 || time.Since(start) != time.Second {
			t.Errorf("%d dials in %v", s.saw().dials, time.Since(start))
		}
		if _, _, err := p.Send(t.Context(), s.target("a"), mail("")); !errors.Is(err, down) || s.saw().dials > 5 {
			t.Errorf("a moment later: %d dials, %v", s.saw().dials, err)
		}
		pass(2 * time.Second)
		before := s.saw().dials
		crowd(p, s.target("a"), 100)
		if n := s.saw().dials - before; n != 1 {
			t.Errorf("%d dials while the server is down, want 1", n)
		}
		pass(2 * time.Second)
		s.dialErr = nil
		noErrors(t, crowd(p, s.target("a"), 100))
		closed(t, p, s)
	})
}

func TestDialsBackOffWhileOthersAreOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{sendTime: time.Second, dialErr: func(n int) error {
			if n > 1 {
				return refusal(smtp.ClassConnect, 0)
			}
			return nil
		}}
		p := pool.New(pool.Config{Connections: 5, MessagesPerConnection: -1})
		noErrors(t, crowd(p, s.target("a"), 1))
		noErrors(t, crowd(p, s.target("a"), 120))
		if n := s.saw().dials; n > 15 {
			t.Errorf("%d dials in two minutes", n)
		}
		closed(t, p, s)
	})
}

// A server that greets and hangs up without a word costs one dial at a time.
func TestConnectionThatIsGoodForNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := pool.New(pool.Config{})
		hangUp := pool.Target{Key: "a", Dial: func(context.Context) (pool.Conn, error) {
			return useless{&fakeConn{server: &server{}, cut: make(chan struct{})}}, nil
		}}
		for i, err := range crowd(p, hangUp, 100) {
			if !errors.Is(err, errCut) {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		if n := p.Stats().Dialled; n > 5 {
			t.Errorf("%d dials", n)
		}
		closed(t, p, &server{})
	})
}

type useless struct{ *fakeConn }

func (c useless) Stream(context.Context, func(bool) *smtp.Transaction) error { return errCut }

func TestWrongPassword(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{dialTime: time.Second, loginTime: time.Second, auth: true, authErr: refusal(smtp.ClassAuth, 535)}
		p := pool.New(pool.Config{})
		for i, err := range crowd(p, s.target("wrong"), 1000) {
			if !errors.Is(err, smtp.ClassAuth) {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		pass(time.Hour)
		crowd(p, s.target("wrong"), 10)
		if s.saw().logins > 2 || s.saw().dials > 5 || s.saw().open != 0 {
			t.Errorf("%d logins, %d dials, %d open", s.saw().logins, s.saw().dials, s.saw().open)
		}
		s.authErr = nil
		noErrors(t, crowd(p, s.target("right"), 10))
		p.Resume("wrong")
		noErrors(t, crowd(p, s.target("wrong"), 10))
		closed(t, p, s)
	})
}

func TestWrongPasswordAtPreWarming(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{loginTime: time.Second, auth: true, authErr: refusal(smtp.ClassAuth, 535)}
		p := pool.New(pool.Config{MinIdle: 3})
		p.Warm(s.target("a"))
		pass(time.Hour)
		if s.saw().logins != 1 {
			t.Errorf("%d logins", s.saw().logins)
		}
		closed(t, p, s)
	})
}

func TestOneLoginUntilTheCredentialsHaveWorked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{loginTime: time.Second, sendTime: time.Second, auth: true}
		p := pool.New(pool.Config{Connections: 5})
		var group sync.WaitGroup
		group.Go(func() { noErrors(t, flood(p, s.target("a"), 50)) })
		pass(500 * time.Millisecond)
		if st := p.Stats(); s.saw().loggingIn != 1 || st.Gated != 4 {
			t.Errorf("%d log in at once, %+v", s.saw().loggingIn, st)
		}
		group.Wait()
		if s.saw().logins != 5 {
			t.Errorf("%d logins", s.saw().logins)
		}
		closed(t, p, s)
	})
}

func TestLoginFailsForNow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{dialTime: time.Second, loginTime: time.Second, auth: true, authErr: refusal(smtp.ClassAuthTemporary, 454)}
		p := pool.New(pool.Config{})
		for i, err := range crowd(p, s.target("a"), 1000) {
			if !errors.Is(err, smtp.ClassAuthTemporary) {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		if s.saw().logins != 1 {
			t.Errorf("%d logins", s.saw().logins)
		}
		s.authErr = nil
		pass(time.Minute)
		noErrors(t, crowd(p, s.target("a"), 10))
		closed(t, p, s)
	})
}

// Connections that were on their way when the login failed do not try it too.
func TestLoginFailsWhileOthersDial(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{auth: true, authErr: refusal(smtp.ClassAuthTemporary, 454)}
		s.dialErr = func(n int) error {
			<-time.After(time.Duration(n) * 50 * time.Millisecond)
			return nil
		}
		p := pool.New(pool.Config{})
		for i, err := range crowd(p, s.target("a"), 20) {
			if !errors.Is(err, smtp.ClassAuthTemporary) {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		if s.saw().logins != 1 {
			t.Errorf("%d logins", s.saw().logins)
		}
		closed(t, p, s)
	})
}

func TestCredentialsRefusedByDial(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{dialErr: func(int) error { return fmt.Errorf("token: %w", refusal(smtp.ClassAuth, 0)) }}
		p := pool.New(pool.Config{})
		for range 3 {
			if _, _, err := p.Send(t.Context(), s.target("a"), mail("")); !errors.Is(err, smtp.ClassAuth) {
				t.Errorf("%v", err)
			}
			pass(time.Minute)
		}
		if s.saw().dials != 1 {
			t.Errorf("%d dials", s.saw().dials)
		}
		closed(t, p, s)
	})
}

// A password that changes every hour leaves no trace.
func TestManyFormerTargets(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{dialTime: time.Second}
		p := pool.New(pool.Config{})
		for i := range 100 {
			noErrors(t, crowd(p, s.target(fmt.Sprint(i)), 1))
			pass(time.Hour)
		}
		if st := p.Stats(); st.Open != 0 || s.saw().dials != 100 {
			t.Errorf("%d dials, %+v", s.saw().dials, st)
		}
		closed(t, p, s)
	})
}

func TestConnectionLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{dialTime: time.Second, sendTime: time.Second}
		s.dialErr = func(int) error {
			if s.saw().open > 2 {
				return refusal(smtp.ClassConnectionLimit, 421)
			}
			return nil
		}
		p := pool.New(pool.Config{Connections: 5, MessagesPerConnection: -1})
		var group sync.WaitGroup
		group.Go(func() { noErrors(t, flood(p, s.target("a"), 1000)) })
		pass(time.Minute)
		if st := p.Stats(); st.Capacity > 2 || st.Open == 0 {
			t.Errorf("after a minute: %+v", st)
		}
		group.Wait()
		if n := s.saw().dials; n > 30 {
			t.Errorf("%d dials", n)
		}
		closed(t, p, s)
	})
}

// TestConnectionLimitBeforeTheFirstLogin has a server that turns connections
// away at the greeting while the first two are still at their TLS handshakes.
func TestConnectionLimitBeforeTheFirstLogin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{auth: true, dialTime: time.Second / 10, loginTime: time.Second, sendTime: time.Second}
		s.dialErr = func(n int) error {
			if n > 2 {
				return refusal(smtp.ClassConnectionLimit, 421)
			}
			<-time.After(time.Second / 10)
			return nil
		}
		p := pool.New(pool.Config{Connections: 5, MessagesPerConnection: -1})
		noErrors(t, crowd(p, s.target("a"), 40))
		if st := p.Stats(); st.Capacity != 2 || s.saw().most > 5 {
			t.Errorf("%+v", st)
		}
		closed(t, p, s)
	})
}

// A server that turns all connections away at a time has said so once: it is asked
// again before those who wait fail.
func TestConnectionLimitForAllAtATime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{dialTime: time.Second, sendTime: time.Second}
		s.dialErr = func(n int) error {
			if n <= 5 {
				return refusal(smtp.ClassConnectionLimit, 421)
			}
			return nil
		}
		p := pool.New(pool.Config{Connections: 5})
		noErrors(t, crowd(p, s.target("a"), 40))
		closed(t, p, s)
	})
}

func TestCapacityRecovers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		crowded := 3
		s := &server{dialTime: time.Second, sendTime: time.Second}
		s.verdict = func(c *fakeConn, n int, _ *smtp.Transaction) *smtp.Result {
			if c.id <= crowded && n == 2 {
				r := broken(nil)
				r.Err = refusal(smtp.ClassConnectionLimit, 421)
				return r
			}
			return nil
		}
		p := pool.New(pool.Config{Connections: 5, MessagesPerConnection: -1})
		var group sync.WaitGroup
		group.Go(func() { noErrors(t, flood(p, s.target("a"), 2000)) })
		pass(10 * time.Second)
		if st := p.Stats(); st.Capacity != 2 {
			t.Errorf("%+v", st)
		}
		pass(5 * time.Minute)
		if st := p.Stats(); st.Capacity != 5 || st.Open != 5 {
			t.Errorf("%+v", st)
		}
		group.Wait()
		closed(t, p, s)
	})
}

func TestSessionLimitIsLearned(t *testing.T) {
	for _, ahead := range []bool{false, true} {
		t.Run(fmt.Sprint("ahead ", ahead), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := &server{dialTime: time.Second, sendTime: time.Second, ahead: ahead}
				s.verdict = func(_ *fakeConn, n int, _ *smtp.Transaction) *smtp.Result {
					if n > 5 {
						r := broken(nil)
						r.Err = refusal(smtp.ClassSessionLimit, 421)
						return r
					}
					return nil
				}
				p := pool.New(pool.Config{Connections: 2})
				noErrors(t, crowd(p, s.target("a"), 100))
				if st := p.Stats(); st.SessionLimit != 5 || st.Repeated > 4 {
					t.Errorf("%+v", st)
				}
				closed(t, p, s)
			})
		})
	}
}
