package pool_test

import (
	"context"
	"errors"
	"testing"
	"time"

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
