package kaizen_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// slowBegin takes a second for each Begin.
func slowBegin(call string) error {
	if call == "begin" {
		time.Sleep(time.Second)
	}
	return nil
}

// No message is accepted before it is on record that it may be: one by one, many at
// once, in parts, and when the pool tries again.
func TestQueueBeginsBeforeTheServerCanAccept(t *testing.T) {
	config := smtptest.Config{KeepMessages: true, Latency: 3 * time.Millisecond, Limits: smtptest.Limits{RecipientsPerMessage: 3},
		Faults: []smtptest.Fault{
			{Phase: smtptest.PhaseBody, Action: smtptest.Drop, Octets: 30, Prob: 0.1},
			{Phase: smtptest.PhaseMAIL, Action: smtptest.Close421, Prob: 0.05},
			{Phase: smtptest.PhaseAfterFinal, Action: smtptest.Drop, Prob: 0.05},
		}}
	bubble(t, config, func(t *testing.T, s *smtptest.Server) {
		store := hook(memory.New(), slowBegin)
		o := open(t, store, map[string]*smtptest.Server{"ses": s})
		defer o.close()
		ids := make(map[string]queue.ID)
		for i := range 500 {
			j := letter("ses", fmt.Sprint(i), people(1+i%7)...)
			j.Unknown = queue.Policy(i % 3)
			ids["<"+fmt.Sprint(i)+">"] = o.put(j)[0]
		}
		o.run()
		pass(time.Hour)
		for _, m := range s.Messages() {
			if at := store.when(ids[m.ID]); at.IsZero() || at.After(m.Received) {
				t.Errorf("%s arrived %v before it had begun", m.ID, at.Sub(m.Received))
			}
		}
		if n := o.count(queue.Queued, queue.Active); n != 0 {
			t.Errorf("%d jobs are left", n)
		}
	})
}

// A Begin that fails stops the message, which is no attempt.
func TestQueueBeginThatFails(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		store := hook(memory.New(), func(call string) error {
			if call == "begin" {
				return errors.New("disk full")
			}
			return nil
		})
		o := open(t, store, map[string]*smtptest.Server{"ses": s})
		defer o.close()
		o.run()
		id := o.enqueue("ses", note("1"), kaizen.EnqueueOptions{})
		pass(10 * time.Minute)
		if d := o.job(id); d.State.Finished() || d.Attempts != 0 || len(d.History) != 0 || s.Stats().Accepted != 0 {
			t.Errorf("%+v", d)
		}
		if n := store.called("begin"); n > 600 {
			t.Errorf("Begin was called %d times in ten minutes", n)
		}
		store.set(nil)
		pass(10 * time.Second)
		if d := o.wants(id, queue.Sent); d.Attempts != 1 || s.Accepted()["<1>"].Times != 1 {
			t.Errorf("%+v", d)
		}
	})
}

// Before a job has begun it can be cancelled, held, moved and reordered, wherever it
// stands; then it is not sent from there.
func TestQueueControlsUntilItBegins(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		command queue.Command
		state   queue.State
		lane    string
		arrives int
	}{
		{queue.Command{Action: queue.DoCancel, Reason: "no more"}, queue.Cancelled, "ses", 0},
		{queue.Command{Action: queue.DoHold, Reason: "look at it"}, queue.Held, "ses", 0},
		{queue.Command{Action: queue.DoMove, Lane: "other"}, queue.Sent, "other", 1},
		{queue.Command{Action: queue.DoReorder, Priority: queue.Urgent}, queue.Sent, "ses", 1},
		{queue.Command{Action: queue.DoRetry}, queue.Sent, "ses", 1},
	} {
		t.Run(c.command.Action.String(), func(t *testing.T) {
			bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
				o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s, "other": s})
				defer o.close()
				a := account(s)
				a.Limits.Rates = []kaizen.Rate{{Count: 1, Per: time.Minute}}
				o.accounts.set("ses", a)
				o.run()
				first := o.enqueue("ses", note("first"), kaizen.EnqueueOptions{})
				second := o.enqueue("ses", note("second"), kaizen.EnqueueOptions{Unknown: queue.Hold})
				pass(10 * time.Second)
				o.wants(first, queue.Sent)
				o.wants(second, queue.Active) // it stands in the pool's line
				c.command.IDs = []queue.ID{second}
				if done := o.control(c.command); done.Changed != 1 {
					t.Fatalf("%+v", done)
				}
				pass(3 * time.Minute)
				d := o.wants(second, c.state)
				if d.Lane != c.lane || s.Accepted()["<second>"].Times != c.arrives || d.Attempts != c.arrives {
					t.Errorf("arrived %d times: %+v", s.Accepted()["<second>"].Times, d)
				}
				third := o.enqueue("ses", note("third"), kaizen.EnqueueOptions{})
				pass(3 * time.Minute)
				o.wants(third, queue.Sent)
			})
		})
	}
}

// After it has begun it is too late.
func TestQueueTooLate(t *testing.T) {
	config := smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseFinal, Action: smtptest.Delay, Pause: time.Minute}}}
	bubble(t, config, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		o.run()
		id := o.enqueue("ses", note("1"), kaizen.EnqueueOptions{})
		pass(time.Second)
		for _, a := range []queue.Action{queue.DoCancel, queue.DoHold, queue.DoRetry} {
			if done := o.control(queue.Command{Action: a, IDs: []queue.ID{id}}); len(done.Not) != 1 || !errors.Is(done.Not[0].Err, queue.ErrTooLate) {
				t.Errorf("%s: %+v", a, done)
			}
		}
		pass(2 * time.Minute)
		o.wants(id, queue.Sent)
	})
}

// A job that expires in line, or while it begins, is not sent.
func TestQueueExpiresBeforeItBegins(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		a := account(s)
		a.Limits.Rates = []kaizen.Rate{{Count: 1, Per: time.Minute}}
		o.accounts.set("ses", a)
		o.run()
		var ids []queue.ID
		for i := range 5 {
			ids = append(ids, o.enqueue("ses", note(fmt.Sprint(i)), kaizen.EnqueueOptions{Expire: 90 * time.Second}))
		}
		pass(10 * time.Minute)
		for i, id := range ids {
			if i < 2 {
				o.wants(id, queue.Sent)
				continue
			}
			d := o.wants(id, queue.Expired)
			finished := 0
			for _, kind := range o.kinds(id) {
				if kind == kaizen.JobExpired {
					finished++
				}
			}
			if d.Attempts != 0 || finished != 1 {
				t.Errorf("told %v: %+v", o.kinds(id), d)
			}
		}
		if n := s.Stats().Accepted; n != 2 {
			t.Errorf("%d arrived", n)
		}
	})
}

// What another process puts, releases, moves, resumes or wants tried is sent within
// 200 ms.
func TestQueueNoticesOthers(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s, "other": s, "paused": s})
		defer o.close()
		ctx := context.Background()
		o.run()
		if err := o.store.Pause(ctx, time.Now(), "paused", "for a while"); err != nil {
			t.Fatal(err)
		}
		later := letter("ses", "later")
		later.Due = time.Now().Add(24 * time.Hour)
		ids := o.put(letter("nobody", "moved"), letter("nobody", "held"), letter("paused", "paused"), later)
		moved, held, paused, waits := ids[0], ids[1], ids[2], ids[3]
		o.control(queue.Command{Action: queue.DoHold, IDs: []queue.ID{held}})
		pass(10 * time.Second)
		for _, c := range []struct {
			do func()
			id queue.ID
		}{
			{func() { o.control(queue.Command{Action: queue.DoMove, Lane: "other", IDs: []queue.ID{moved}}) }, moved},
			{func() {
				o.control(queue.Command{Action: queue.DoMove, Lane: "ses", IDs: []queue.ID{held}})
				o.control(queue.Command{Action: queue.DoRelease, IDs: []queue.ID{held}})
			}, held},
			{func() {
				if err := o.store.Resume(ctx, time.Now(), "paused"); err != nil {
					t.Error(err)
				}
			}, paused},
			{func() { o.control(queue.Command{Action: queue.DoRetry, IDs: []queue.ID{waits}}) }, waits},
		} {
			pass(1234 * time.Millisecond)
			c.do()
			pass(200 * time.Millisecond)
			o.wants(c.id, queue.Sent)
		}
		id := o.put(letter("ses", "put"))[0]
		pass(200 * time.Millisecond)
		o.wants(id, queue.Sent)
		if err := o.store.Pause(ctx, time.Now(), "ses", ""); err != nil {
			t.Fatal(err)
		}
		pass(200 * time.Millisecond)
		id = o.put(letter("ses", "not now"))[0]
		pass(time.Minute)
		o.wants(id, queue.Queued)
	})
}

// A job that comes of one that failed is sent, to those who did not get it.
func TestQueueRepeats(t *testing.T) {
	r := &rcpts{no: func(address string, n int) *smtptest.Reply {
		if address == "full@example.net" && n == 1 {
			return &smtptest.Reply{Code: 552, Text: "5.2.2 Mailbox full"}
		}
		return nil
	}}
	bubble(t, smtptest.Config{Reject: r.reject}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		o.run()
		id := o.enqueue("ses", note("1", "a@example.net", "full@example.net"), kaizen.EnqueueOptions{})
		synctest.Wait()
		o.wants(id, queue.Failed)
		done := o.control(queue.Command{Action: queue.DoRetry, IDs: []queue.ID{id}})
		if len(done.Repeated) != 1 {
			t.Fatalf("%+v", done)
		}
		pass(200 * time.Millisecond)
		o.wants(done.Repeated[0], queue.Sent)
		o.wants(id, queue.Failed)
		eachOnce(t, s, "1", []string{"a@example.net", "full@example.net"})
	})
}
