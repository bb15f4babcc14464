package kaizen_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// ends stops the run and wants it to return in time and without an error.
func (o *office) ends(within time.Duration) {
	o.Helper()
	began := time.Now()
	o.end()
	if err := <-o.ended; err != nil {
		o.Errorf("run: %v", err)
	}
	if took := time.Since(began); took > within {
		o.Errorf("the end took %v", took)
	}
	o.end = nil
	if n := o.count(queue.Active); n != 0 {
		o.Errorf("%d jobs are left active", n)
	}
}

// What is in line goes back as it was; what is on its way is waited for.
func TestQueueDrains(t *testing.T) {
	config := smtptest.Config{Latency: 200 * time.Millisecond, Faults: []smtptest.Fault{{Phase: smtptest.PhaseFinal, Action: smtptest.Delay, Pause: 5 * time.Second}}}
	bubble(t, config, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		ids := o.put(letters("ses", "m", 300)...)
		for i := range 10 {
			o.run()
			pass(time.Duration(700+i*531) * time.Millisecond)
			o.ends(10 * time.Second)
			for _, id := range ids {
				d := o.job(id)
				arrived := s.Accepted()["<"+d.MessageID+">"].Times
				switch {
				case d.State == queue.Queued && (d.Attempts > 0 || len(d.History) > 0 || arrived > 0):
					t.Fatalf("it is queued and has arrived %d times: %+v", arrived, d)
				case d.State == queue.Sent && (d.Attempts != 1 || arrived != 1):
					t.Fatalf("it is sent and has arrived %d times: %+v", arrived, d)
				}
			}
		}
		if n := s.Stats().Accepted; n < 20 || n == 300 {
			t.Errorf("%d were sent", n)
		}
	})
}

// A server that never answers is cut off when the time is over: what had begun is
// unknown, and goes the way of its policy.
func TestQueueDrainCuts(t *testing.T) {
	config := smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseFinal, Action: smtptest.Stall}}}
	bubble(t, config, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		o.config.DrainTimeout = 7 * time.Second
		o.reopen()
		defer func() { _ = o.client.Close() }() // it is told that it cut something
		var ids []queue.ID
		for i := range 60 {
			j := letter("ses", fmt.Sprint(i))
			j.Unknown = queue.Policy(i % 3)
			ids = append(ids, o.put(j)...)
		}
		o.run()
		pass(time.Second)
		o.ends(8 * time.Second)
		doubtful := 0
		for i, id := range ids {
			d := o.job(id)
			want := queue.Queued
			if d.Doubt {
				doubtful++
				want = []queue.State{queue.Queued, queue.Held, queue.Failed}[i%3]
				if d.Attempts != 1 || d.History[0].Attempt.Outcome != smtp.Unknown {
					t.Errorf("%+v", d)
				}
			} else if d.Attempts != 0 || len(d.History) != 0 {
				t.Errorf("%+v", d)
			}
			if d.State != want {
				t.Errorf("job %s is %s, want %s", id, d.State, want)
			}
		}
		if doubtful != 5 {
			t.Errorf("%d are in doubt", doubtful)
		}
	})
}

// Negative: not at all.
func TestQueueDrainAtOnce(t *testing.T) {
	config := smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseFinal, Action: smtptest.Stall}}}
	bubble(t, config, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		o.config.DrainTimeout = -1
		o.reopen()
		o.put(letters("ses", "m", 10)...)
		o.run()
		pass(time.Second)
		o.ends(time.Second)
		_ = o.client.Close()
	})
}

// An end that comes while a Begin is under way neither waits for ever nor sends.
func TestQueueDrainDuringBegin(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, hook(memory.New(), slowBegin), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		ids := o.put(letters("ses", "m", 20)...)
		o.run()
		pass(500 * time.Millisecond)
		o.ends(3 * time.Second)
		if n := s.Stats().Accepted; n != 0 {
			t.Errorf("%d arrived", n)
		}
		for _, id := range ids {
			if d := o.wants(id, queue.Queued); d.Attempts != 0 || d.Doubt {
				t.Errorf("%+v", d)
			}
		}
		o.run()
		pass(time.Minute)
		o.allOnce(s, ids)
	})
}

// An account can be closed while its queue is delivered.
func TestQueueCloseAccount(t *testing.T) {
	bubble(t, smtptest.Config{Latency: 50 * time.Millisecond}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		ids := o.put(letters("ses", "m", 500)...)
		o.run()
		for range 5 {
			pass(700 * time.Millisecond)
			if err := o.client.CloseAccount(context.Background(), kaizen.Account{Name: "ses"}); err != nil {
				t.Error(err)
			}
		}
		pass(time.Minute)
		o.allOnce(s, ids)
	})
}
