package kaizen_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// withinRate fails if the server saw more MAILs than that in any window.
func withinRate(t *testing.T, s *smtptest.Server, n int, window time.Duration) {
	t.Helper()
	times := s.MailTimes()
	slices.SortFunc(times, time.Time.Compare)
	for i := n; i < len(times); i++ {
		if d := times[i].Sub(times[i-n]); d < window {
			t.Errorf("%d messages within %v", n+1, d)
			return
		}
	}
}

// Limits hold at the server's clock over restarts of the client, and those who wait
// for them lose nothing by it.
func TestQueueKeepsLimitsOverRestarts(t *testing.T) {
	bubble(t, smtptest.Config{Latency: 20 * time.Millisecond}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		a := account(s)
		a.Limits = kaizen.Limits{Rates: []kaizen.Rate{{Count: 10, Per: time.Second}, {Count: 50, Per: time.Minute}}, MessagesPerConnection: 7}
		o.accounts.set("ses", a)
		o.config.StateDir = t.TempDir()
		o.reopen()
		ids := o.put(letters("ses", "m", 200)...)
		for i := range 8 {
			if i > 0 {
				o.reopen()
			}
			o.run()
			pass(time.Duration(31+i) * time.Second)
			for _, id := range ids {
				if d := o.job(id); d.State == queue.Queued && (d.Attempts > 0 || len(d.History) > 0) {
					t.Fatalf("a job that waits has a history: %+v", d)
				}
			}
			o.close()
		}
		o.reopen()
		o.run()
		pass(time.Minute)
		o.close()
		withinRate(t, s, 10, time.Second)
		withinRate(t, s, 50, time.Minute)
		if st := s.Stats(); st.Accepted != 200 || st.MostMessages > 7 {
			t.Errorf("%+v", st)
		}
		for _, id := range ids {
			if d := o.wants(id, queue.Sent); d.Attempts != 1 || len(d.History) != 1 {
				t.Errorf("%+v", d)
			}
		}
	})
}

// arrival is when a message reached the server.
func arrival(t *testing.T, s *smtptest.Server, id string) time.Time {
	t.Helper()
	for _, m := range s.Messages() {
		if m.ID == "<"+id+">" {
			return m.Received
		}
	}
	t.Errorf("%s has not arrived", id)
	return time.Time{}
}

// An urgent message is the next one to leave a lane that is held by its limit.
func TestQueueUrgentIsNext(t *testing.T) {
	bubble(t, smtptest.Config{KeepMessages: true}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		a := account(s)
		a.Limits.Rates = []kaizen.Rate{{Count: 10, Per: time.Second}}
		o.accounts.set("ses", a)
		bulk := letters("ses", "bulk", 5000)
		for i := range bulk {
			bulk[i].Priority = queue.Bulk
		}
		o.put(bulk...)
		o.run()
		pass(30 * time.Second)
		for i := range 5 {
			pass(1700 * time.Millisecond)
			here := note(fmt.Sprint("here", i))
			here.Priority = kaizen.PriorityUrgent
			before := s.Stats().Accepted
			o.enqueue("ses", here, kaizen.EnqueueOptions{})
			pass(1500 * time.Millisecond)
			if m := s.Messages()[before]; m.Received.Before(arrival(t, s, here.MessageID)) {
				t.Errorf("%s left before the urgent one", m.ID)
			}
			there := letter("ses", fmt.Sprint("there", i))
			there.Priority = queue.Urgent
			put := time.Now()
			o.put(there)
			pass(2 * time.Second)
			if late := arrival(t, s, there.MessageID).Sub(put); late > 1200*time.Millisecond {
				t.Errorf("that of another process left after %v", late)
			}
		}
	})
}

// On a lane without a limit it leaves within 50 ms, however long the backlog is.
func TestQueueUrgentOvertakesABacklog(t *testing.T) {
	bubble(t, smtptest.Config{KeepMessages: true, Latency: 5 * time.Millisecond}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		bulk := letters("ses", "bulk", 3000)
		for i := range bulk {
			bulk[i].Priority = queue.Bulk
		}
		o.put(bulk...)
		o.run()
		pass(100 * time.Millisecond)
		m := note("urgent")
		m.Priority = kaizen.PriorityUrgent
		put := time.Now()
		o.enqueue("ses", m, kaizen.EnqueueOptions{})
		pass(500 * time.Millisecond)
		if late := arrival(t, s, "urgent").Sub(put); late > 50*time.Millisecond {
			t.Errorf("it left after %v", late)
		}
		if n := s.Stats().Accepted; n == 3001 {
			t.Error("nothing was left to overtake")
		}
		o.close()
	})
}

// Ten thousand lanes (fewer with -short or -race) of which all but one are blocked, each in
// some way: what is put into the other one leaves within 50 ms.
func TestQueueBlockedLanesHinderNobody(t *testing.T) {
	reject := func(phase smtptest.Phase, _ string) *smtptest.Reply {
		if phase == smtptest.PhaseAUTH {
			return &smtptest.Reply{Code: 535, Text: "5.7.8 No"}
		}
		return nil
	}
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		down := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory})
		down.Close()
		stop := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, Auth: &smtptest.Auth{AnySecret: true, BeforeTLS: true}, Reject: reject})
		defer stop.Close()
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		lanes := 10_000
		if testing.Short() || raceEnabled {
			lanes = 1_000
		}
		var jobs []queue.Submission
		all := make(map[string]kaizen.Account)
		for i := range lanes - 1 {
			name := fmt.Sprint("lane", i)
			a := account(down)
			switch i % 4 {
			case 1: // refused
				a = account(stop)
				a.Username, a.Password = "ann", "secret"
			case 2: // paused
				if err := o.store.Pause(context.Background(), time.Now(), name, ""); err != nil {
					t.Fatal(err)
				}
			case 3: // at its limit
				a = account(s)
				a.Limits.Rates = []kaizen.Rate{{Count: 1, Per: time.Hour}}
			}
			a.Name = name
			all[name] = a
			jobs = append(jobs, letters(name, name+"-", 2)...)
		}
		ses := account(s)
		ses.Name = "ses"
		all["ses"] = ses
		o.accounts.accounts = all
		o.put(jobs...)
		o.run()
		pass(10 * time.Second)
		for i := range 3 {
			pass(777 * time.Millisecond)
			id := o.enqueue("ses", note(fmt.Sprint(i)), kaizen.EnqueueOptions{})
			pass(50 * time.Millisecond)
			o.wants(id, queue.Sent)
		}
		for _, job := range []int{0, 2, 4} { // of lanes that are down, refused and paused
			if d := o.job(queue.ID(1 + job)); d.State != queue.Queued || d.Attempts != 0 || len(d.History) != 0 {
				t.Errorf("%+v", d)
			}
		}
	})
}

// Bulk is served although there is always something more important.
func TestQueueBulkIsNotStarved(t *testing.T) {
	bubble(t, smtptest.Config{KeepMessages: true}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		a := account(s)
		a.Limits.Rates = []kaizen.Rate{{Count: 1, Per: time.Second}}
		o.accounts.set("ses", a)
		bulk := letters("ses", "bulk", 5)
		for i := range bulk {
			bulk[i].Priority = queue.Bulk
		}
		ids := o.put(bulk...)
		o.run()
		o.put(letters("ses", "first", 100)...)
		for i := range 34 { // as many as can go
			o.put(letters("ses", fmt.Sprint("n", i, "-"), 20)...)
			pass(20 * time.Second)
		}
		for _, id := range ids {
			o.wants(id, queue.Sent)
		}
		if n := s.Stats().Accepted; n < 650 {
			t.Errorf("%d were sent", n)
		}
	})
}

// Send and the queue share an account's limit.
func TestQueueSharesLimitsWithSend(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		a := account(s)
		a.Limits.Rates = []kaizen.Rate{{Count: 5, Per: time.Second}}
		o.accounts.set("ses", a)
		o.put(letters("ses", "q", 100)...)
		o.run()
		for i := range 20 {
			if _, err := o.client.Send(t.Context(), kaizen.Account{Name: "ses"}, note(fmt.Sprint("s", i))); err != nil {
				t.Error(err)
			}
		}
		pass(30 * time.Second)
		withinRate(t, s, 5, time.Second)
		if n := s.Stats().Accepted; n != 120 {
			t.Errorf("%d were sent", n)
		}
		o.close()
	})
}
