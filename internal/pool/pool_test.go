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

func TestStampedeKeepsTheCaps(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{dialTime: 30 * time.Millisecond, sendTime: 10 * time.Millisecond, quitTime: 10 * time.Millisecond, auth: true}
		p := pool.New(pool.Config{Connections: 5, MessagesPerConnection: 7})
		noErrors(t, crowd(p, s.target("a"), 1000))
		if s.saw().most > 5 {
			t.Errorf("%d connections at once", s.saw().most)
		}
		for _, c := range s.saw().conns {
			if c.sent > 7 {
				t.Errorf("%d messages on one connection", c.sent)
			}
		}
		if len(s.saw().mails) != 1000 || p.Stats().Accepted != 1000 {
			t.Errorf("%d messages, %+v", len(s.saw().mails), p.Stats())
		}
		closed(t, p, s)
	})
}

func TestASerialSenderUsesOneConnection(t *testing.T) {
	for _, ahead := range []bool{false, true} {
		t.Run(fmt.Sprint("ahead ", ahead), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := &server{sendTime: time.Millisecond, ahead: ahead}
				p := pool.New(pool.Config{})
				for range 50 {
					if _, _, err := p.Send(t.Context(), s.target("a"), mail("")); err != nil {
						t.Fatal(err)
					}
				}
				if s.saw().dials != 1 {
					t.Errorf("%d dials", s.saw().dials)
				}
				closed(t, p, s)
			})
		})
	}
}

func TestIdleConnectionsAreReusedLastInFirstOut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{dialTime: time.Second, sendTime: time.Second}
		p := pool.New(pool.Config{Connections: 3, IdleTimeout: 5 * time.Minute})
		noErrors(t, crowd(p, s.target("a"), 3))
		for range 20 { // one message a minute keeps one connection hot
			pass(time.Minute)
			noErrors(t, crowd(p, s.target("a"), 1))
		}
		pass(time.Second)
		if st := p.Stats(); st.Open != 1 || st.Closed["idle"] != 2 || s.saw().quits != 2 || s.saw().dials != 3 {
			t.Errorf("dials %d, quits %d, %+v", s.saw().dials, s.saw().quits, st)
		}
		pass(10 * time.Minute)
		if st := p.Stats(); st.Open != 0 {
			t.Errorf("idle for ten minutes: %+v", st)
		}
		closed(t, p, s)
	})
}

func TestMaxLifetime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{sendTime: time.Second}
		p := pool.New(pool.Config{Connections: 1, MaxLifetime: 10 * time.Second, MessagesPerConnection: -1})
		noErrors(t, crowd(p, s.target("a"), 30))
		if s.saw().dials != 3 || p.Stats().Closed["lifetime"] < 2 {
			t.Errorf("%d dials, %+v", s.saw().dials, p.Stats())
		}
		closed(t, p, s)
	})
}

func TestPriorities(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{dialTime: time.Second}
		p := pool.New(pool.Config{Connections: 1})
		var group sync.WaitGroup
		for i, priority := range []pool.Priority{pool.Bulk, pool.Normal, pool.Urgent, pool.Bulk, pool.High, pool.Urgent} {
			item := mail(fmt.Sprint(i))
			item.Priority = priority
			group.Go(func() { _, _, _ = p.Send(t.Context(), s.target("a"), item) })
			synctest.Wait()
		}
		group.Wait()
		if want := []string{"2", "5", "4", "1", "0", "3"}; !slices.Equal(s.saw().order, want) {
			t.Errorf("order %v, want %v", s.saw().order, want)
		}
		closed(t, p, s)
	})
}

func TestMaxWaiting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{dialTime: time.Second}
		p := pool.New(pool.Config{MaxWaiting: 10})
		busy := 0
		for _, err := range crowd(p, s.target("a"), 15) {
			if errors.Is(err, smtp.ClassBusy) {
				busy++
			} else if err != nil {
				t.Error(err)
			}
		}
		if busy != 5 {
			t.Errorf("%d messages were too many", busy)
		}
		closed(t, p, s)
	})
}

func TestWarm(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{dialTime: time.Second, loginTime: time.Second, auth: true}
		p := pool.New(pool.Config{MinIdle: 3, IdleTimeout: time.Minute, SweepInterval: time.Minute})
		p.Warm(s.target("a"))
		pass(10 * time.Second)
		if st := p.Stats(); st.Idle != 3 || s.saw().logins != 3 {
			t.Errorf("%d logins, %+v", s.saw().logins, st)
		}
		_, waited, err := p.Send(t.Context(), s.target("a"), mail(""))
		if err != nil || waited.Total != 0 {
			t.Errorf("waited %v, %v", waited, err)
		}
		pass(10 * time.Minute)
		if st := p.Stats(); st.Open < 3 || s.saw().quits == 0 {
			t.Errorf("after ten minutes: %+v", st)
		}
		closed(t, p, s)
	})
}

func TestPasswordChangedWhilePooled(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{dialTime: time.Second, sendTime: time.Second, quitTime: time.Second}
		p := pool.New(pool.Config{Connections: 2})
		noErrors(t, crowd(p, s.target("old"), 2))
		noErrors(t, crowd(p, s.target("new"), 4))
		pass(5 * time.Second)
		if st := p.Stats(); s.saw().most > 2 || st.Closed["room"] != 2 || s.saw().dials != 4 || st.Idle != 2 {
			t.Errorf("at most %d, dials %d, %+v", s.saw().most, s.saw().dials, st)
		}
		closed(t, p, s)
	})
}

func TestATargetDoesNotStarveBesideABusyOne(t *testing.T) {
	for _, connections := range []int{1, 2, 5} {
		t.Run(fmt.Sprint(connections), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := &server{dialTime: time.Second, sendTime: time.Second}
				p := pool.New(pool.Config{Connections: connections, MessagesPerConnection: -1})
				var group sync.WaitGroup
				group.Go(func() { noErrors(t, flood(p, s.target("old"), 1000)) })
				pass(5 * time.Second)
				_, waited, err := p.Send(t.Context(), s.target("new"), mail(""))
				if err != nil || waited.Total > 30*time.Second {
					t.Errorf("waited %v, %v", waited, err)
				}
				group.Wait()
				if s.saw().most > connections {
					t.Errorf("%d connections at once", s.saw().most)
				}
				closed(t, p, s)
			})
		})
	}
}

func TestClosePlain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{sendTime: 10 * time.Second, quitTime: time.Second}
		var told []string
		p := pool.New(pool.Config{Connections: 1, OnSlowClose: func(what string) { told = append(told, what) }})
		var group sync.WaitGroup
		errs := make([]error, 3)
		for i := range errs {
			group.Go(func() { _, _, errs[i] = p.Send(t.Context(), s.target("a"), mail("")) })
			synctest.Wait()
		}
		for range 3 {
			group.Go(func() {
				if err := p.Close(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if errs[0] != nil || !errors.Is(errs[1], smtp.ClassClosed) || !errors.Is(errs[2], smtp.ClassClosed) {
			t.Errorf("%v", errs)
		}
		if len(told) == 0 || told[0] != "1 messages in flight, 1 connections at work" {
			t.Errorf("told %q", told)
		}
		if _, _, err := p.Send(t.Context(), s.target("a"), mail("")); !errors.Is(err, smtp.ClassClosed) {
			t.Errorf("Send after Close: %v", err)
		}
		if s.saw().quits != 1 {
			t.Errorf("%d QUITs", s.saw().quits)
		}
		closed(t, p, s)
	})
}

func TestCloseCutsAtTheDeadline(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{sendTime: time.Hour}
		p := pool.New(pool.Config{})
		var group sync.WaitGroup
		group.Go(func() {
			if r, _, err := p.Send(context.Background(), s.target("a"), mail("")); err == nil || r.Outcome != smtp.Unknown {
				t.Errorf("%+v, %v", r, err)
			}
		})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := p.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close = %v", err)
		}
		group.Wait()
		closed(t, p, s)
	})
}

func TestCloseInEveryState(t *testing.T) {
	for name, s := range map[string]*server{
		"unused":     nil,
		"dialling":   {dialTime: time.Minute},
		"logging in": {loginTime: 3 * time.Second, auth: true},
		"sending":    {sendTime: 3 * time.Second},
		"idle":       {},
		"quitting":   {quitTime: 3 * time.Second},
		"hung quit":  {quitTime: time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p := pool.New(pool.Config{})
				if s == nil {
					closed(t, p, &server{})
					return
				}
				var group sync.WaitGroup
				group.Go(func() { flood(p, s.target("a"), 20) })
				pass(time.Second)
				if s.quitTime > 0 {
					p.CloseIdle()
					synctest.Wait()
				}
				closed(t, p, s)
				group.Wait()
			})
		})
	}
}
