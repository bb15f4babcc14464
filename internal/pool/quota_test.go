package pool_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/internal/limit"
	"github.com/kaizenmail/kaizen/internal/pool"
	"github.com/kaizenmail/kaizen/smtp"
)

func class(err error) smtp.Class {
	var e *smtp.Error
	if !errors.As(err, &e) {
		return smtp.ClassNone
	}
	return e.Class
}

// A message whose connection broke is not what asks a server that wants to be
// left alone.
func TestNoRepeatWhileAnAllowanceIsUsedUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{sendTime: 20 * time.Millisecond}
		s.verdict = func(_ *fakeConn, _ int, tx *smtp.Transaction) *smtp.Result {
			switch tx.Envelope.From {
			case "over":
				err := refusal(smtp.ClassQuota, 452)
				return &smtp.Result{Outcome: smtp.Rejected, Err: err}
			case "breaks":
				<-time.After(100 * time.Millisecond)
				return broken(errCut)
			}
			return nil
		}
		p := pool.New(pool.Config{Connections: 2})
		breaks := make(chan error)
		go func() {
			_, _, err := p.Send(context.Background(), s.target("a"), mail("breaks"))
			breaks <- err
		}()
		pass(time.Millisecond)
		if _, _, err := p.Send(context.Background(), s.target("a"), mail("over")); class(err) != smtp.ClassQuota {
			t.Errorf("%v", err)
		}
		if err := <-breaks; err == nil {
			t.Error("it was sent")
		}
		if n := len(s.saw().mails); n != 2 {
			t.Errorf("the server was asked %d times", n)
		}
		closed(t, p, s)
	})
}

// The message that asks whether the allowance is renewed can be taken back by
// its sender, or lose its connection, at any time: another one asks then.
func TestAnotherMessageAsks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{sendTime: 200 * time.Millisecond}
		over := true
		s.verdict = func(_ *fakeConn, _ int, tx *smtp.Transaction) *smtp.Result {
			if over {
				return &smtp.Result{Outcome: smtp.Rejected, Err: refusal(smtp.ClassQuota, 452)}
			}
			if tx.Envelope.From == "breaks" {
				return broken(errCut)
			}
			return nil
		}
		p := pool.New(pool.Config{Connections: 2})
		_, _, _ = p.Send(context.Background(), s.target("a"), mail("over"))
		over = false
		pass(10 * time.Minute)
		gone, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		first := make(chan error)
		go func() {
			_, _, err := p.Send(gone, s.target("a"), mail("abandoned"))
			first <- err
		}()
		go func() {
			_, _, err := p.Send(context.Background(), s.target("a"), mail("breaks"))
			first <- err
		}()
		pass(time.Millisecond)
		noErrors(t, crowd(p, s.target("a"), 5))
		for range 2 {
			if err := <-first; err == nil {
				t.Error("no error")
			}
		}
		closed(t, p, s)
	})
}

// When the pause has ended one message asks, however many there are.
func TestOneMessageAsks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{sendTime: 200 * time.Millisecond}
		s.verdict = func(*fakeConn, int, *smtp.Transaction) *smtp.Result {
			return &smtp.Result{Outcome: smtp.Rejected, Err: refusal(smtp.ClassQuota, 452)}
		}
		p := pool.New(pool.Config{Connections: 5})
		for i := range 4 {
			for _, err := range crowd(p, s.target("a"), 1+4*min(i, 1)) {
				if class(err) != smtp.ClassQuota {
					t.Errorf("%v", err)
				}
			}
			if n := len(s.saw().mails); n != i+1 {
				t.Errorf("after %d pauses the server was asked %d times", i, n)
			}
			pass(2 * time.Hour)
		}
		closed(t, p, s)
	})
}

// A message that is to ask and has to wait for a limit does not keep the others
// from asking, nor itself.
func TestAskingWaitsForTheLimit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{}
		over := true
		s.verdict = func(*fakeConn, int, *smtp.Transaction) *smtp.Result {
			if over {
				return &smtp.Result{Outcome: smtp.Rejected, Err: refusal(smtp.ClassQuota, 452)}
			}
			return nil
		}
		l := limit.New(limit.Rate{Count: 1, Per: 3 * time.Hour})
		p := pool.New(pool.Config{Limiter: l})
		_ = crowd(p, s.target("a"), 1)
		over = false
		pass(2 * time.Hour) // the pause has ended, the window has not
		began := time.Now()
		noErrors(t, crowd(p, s.target("a"), 1))
		if took := time.Since(began); took > time.Hour {
			t.Errorf("it took %v", took)
		}
		closed(t, p, s)
	})
}

// Who comes to the head of a line that a limit holds, and needs less, goes.
func TestSmallerAndMoreUrgent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{}
		p := pool.New(pool.Config{Limiter: limit.New(limit.Rate{Count: 10, Per: time.Hour, Unit: limit.Recipients})})
		to := func(n int, priority pool.Priority) pool.Item {
			item := mail("x")
			item.Priority = priority
			for len(item.Envelope.To) < n {
				item.Envelope.To = append(item.Envelope.To, item.Envelope.To[0])
			}
			return item
		}
		if _, _, err := p.Send(context.Background(), s.target("a"), to(5, pool.Normal)); err != nil {
			t.Fatal(err)
		}
		large := make(chan error)
		go func() {
			_, _, err := p.Send(context.Background(), s.target("a"), to(6, pool.Normal))
			large <- err
		}()
		pass(time.Minute)
		began := time.Now()
		if _, _, err := p.Send(context.Background(), s.target("a"), to(2, pool.Urgent)); err != nil || time.Since(began) > time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if err := <-large; err != nil {
			t.Error(err)
		}
		closed(t, p, s)
	})
}

// That the message that asks is refused for its rate is no sign that the
// allowance is renewed.
func TestThrottledIsNotRenewed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := &server{}
		is := smtp.ClassQuota
		s.verdict = func(*fakeConn, int, *smtp.Transaction) *smtp.Result {
			return &smtp.Result{Outcome: smtp.Rejected, Err: refusal(is, 452)}
		}
		p := pool.New(pool.Config{})
		_ = crowd(p, s.target("a"), 1)
		for _, is = range []smtp.Class{smtp.ClassRate, smtp.ClassRecipient} {
			pass(2 * time.Hour)
			_ = crowd(p, s.target("a"), 1)
			if closed := p.Health().Cause == pool.CauseQuota; closed != (is == smtp.ClassRate) {
				t.Errorf("after class %v: %+v", is, p.Health())
			}
		}
		closed(t, p, s)
	})
}
