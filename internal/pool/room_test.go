package pool_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

// post sends n messages without waiting for them.
func post(p *pool.Pool, to pool.Target, n int) {
	for i := range n {
		go func() { _, _, _ = p.Send(context.Background(), to, mail(fmt.Sprint(i))) }()
	}
	synctest.Wait()
}

func TestRoomOfAPoolThatIsFree(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{sendTime: time.Second}
		p := pool.New(pool.Config{Connections: 3})
		if r := p.Room("a", 2, 0); r.Messages != 6 || !r.Slots || r.Connections != 3 || r.Err != nil {
			t.Errorf("%+v", r)
		}
		if r := p.Room("a", 2, 4); r.Messages != 2 {
			t.Errorf("with 4 about to come: %+v", r)
		}
		if r := p.Room("a", 2, 9); r.Messages != 0 {
			t.Errorf("with 9 about to come: %+v", r)
		}
		post(p, s.target("a"), 5)
		if r := p.Room("a", 2, 5); r.Messages != 1 {
			t.Errorf("5 on their way: %+v", r)
		}
		if r := p.Room("a", 2, 0); r.Messages != 1 {
			t.Errorf("5 of others on their way: %+v", r)
		}
		post(p, s.target("a"), 20)
		if r := p.Room("a", 2, 0); r.Messages != 0 || r.Err != nil {
			t.Errorf("25 on their way: %+v", r)
		}
		pass(time.Minute)
		if r := p.Room("a", 2, 0); r.Messages != 6 {
			t.Errorf("after all: %+v", r)
		}
		closed(t, p, s)
	})
}

// A limit that holds the line leaves room for one, so that a message stands there
// when a slot becomes free.
func TestRoomUnderALimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := new(server)
		p := pool.New(pool.Config{Connections: 4, Limiter: limit.New(limit.Rate{Count: 3, Per: time.Second})})
		if r := p.Room("a", 2, 0); r.Messages != 3 || !r.Slots {
			t.Errorf("%+v", r)
		}
		post(p, s.target("a"), 3)
		if r := p.Room("a", 2, 0); r.Messages != 1 || r.Slots {
			t.Errorf("nobody in line: %+v", r)
		}
		post(p, s.target("a"), 1)
		if r := p.Room("a", 2, 0); r.Messages != 0 {
			t.Errorf("one in line: %+v", r)
		}
		pass(2 * time.Second)
		if r := p.Room("a", 2, 0); r.Messages != 3 {
			t.Errorf("later: %+v", r)
		}
		closed(t, p, s)
	})
}

// While a server is down there is no room, and word of when to ask again; then one
// finds out.
func TestRoomWhileTheServerIsDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		down := errors.New("connection refused")
		s := &server{dialErr: func(int) error { return down }}
		p := pool.New(pool.Config{})
		post(p, s.target("a"), 1)
		r := p.Room("a", 2, 0)
		if r.Err == nil || r.Messages != 0 || !r.Again.After(time.Now()) || !errors.Is(r.Err, down) {
			t.Errorf("%+v", r)
		}
		if other := p.Room("b", 2, 0); other.Err != nil || other.Messages == 0 {
			t.Errorf("another server: %+v", other)
		}
		pass(time.Until(r.Again))
		if r = p.Room("a", 2, 0); r.Err != nil || r.Messages != 1 {
			t.Errorf("when it may be asked again: %+v", r)
		}
		if r = p.Room("a", 2, 1); r.Messages != 0 {
			t.Errorf("with one about to ask: %+v", r)
		}
		closed(t, p, s)
	})
}

func TestRoomAfterARefusedLogin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{auth: true, authErr: refusal(smtp.ClassAuth, 535)}
		p := pool.New(pool.Config{})
		post(p, s.target("a"), 1)
		if r := p.Room("a", 2, 0); r.Err == nil || r.Err.Class != smtp.ClassAuth || time.Until(r.Again) != time.Second {
			t.Errorf("%+v", r)
		}
		if r := p.Room("other password", 2, 0); r.Err != nil || r.Messages == 0 {
			t.Errorf("%+v", r)
		}
		p.Resume("a")
		if r := p.Room("a", 2, 0); r.Err != nil || r.Messages == 0 {
			t.Errorf("resumed: %+v", r)
		}
		closed(t, p, s)
	})
}

func TestRoomOfAnAllowance(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{verdict: func(*fakeConn, int, *smtp.Transaction) *smtp.Result {
			return &smtp.Result{Outcome: smtp.Rejected, Err: refusal(smtp.ClassQuota, 454)}
		}}
		p := pool.New(pool.Config{})
		post(p, s.target("a"), 1)
		r := p.Room("a", 2, 0)
		if r.Err == nil || r.Err.Class != smtp.ClassQuota || time.Until(r.Again) > time.Second {
			t.Errorf("%+v", r)
		}
		pass(10 * time.Minute)
		if r := p.Room("a", 2, 0); r.Err != nil || r.Messages != 1 {
			t.Errorf("when the pause is over: %+v", r)
		}
		closed(t, p, s)
		if r := p.Room("a", 2, 0); r.Err == nil || r.Err.Class != smtp.ClassClosed {
			t.Errorf("closed: %+v", r)
		}
	})
}
