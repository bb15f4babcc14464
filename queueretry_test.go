package kaizen_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// rcpts notes for whom a server was asked, and says no to some.
type rcpts struct {
	mu    sync.Mutex
	asked []string
	at    []time.Time
	no    func(address string, n int) *smtptest.Reply // n-th time, from 1
}

func (r *rcpts) reject(phase smtptest.Phase, arg string) *smtptest.Reply {
	if phase != smtptest.PhaseRCPT {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked, r.at = append(r.asked, arg), append(r.at, time.Now())
	n := 0
	for _, a := range r.asked {
		if a == arg {
			n++
		}
	}
	if r.no == nil {
		return nil
	}
	return r.no(arg, n)
}

func (r *rcpts) times(address string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range r.asked {
		if a == address {
			n++
		}
	}
	return n
}

// gaps are the times between one question for a recipient and the next.
func (r *rcpts) gaps() (gaps []time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := 1; i < len(r.at); i++ {
		gaps = append(gaps, r.at[i].Sub(r.at[i-1]))
	}
	return gaps
}

// aboutAll wants durations that are these, give or take 10 %.
func aboutAll(t *testing.T, got []time.Duration, want ...time.Duration) {
	t.Helper()
	if len(got) < len(want) {
		t.Errorf("%d pauses, want %d: %v", len(got), len(want), got)
		return
	}
	for i, w := range want {
		if got[i] < w*9/10-time.Second || got[i] > w*11/10+time.Second {
			t.Errorf("pause %d is %v, want about %v", i, got[i], w)
		}
	}
}

// Who is refused for now is tried again, later and later; who is refused for good or
// has it already is not.
func TestQueueTriesAgain(t *testing.T) {
	r := &rcpts{no: func(address string, n int) *smtptest.Reply {
		switch {
		case address == "later@example.net" && n < 5:
			return &smtptest.Reply{Code: 450, Text: "4.2.0 Busy"}
		case address == "never@example.net":
			return &smtptest.Reply{Code: 550, Text: "5.1.1 No such user"}
		}
		return nil
	}}
	bubble(t, smtptest.Config{Reject: r.reject}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		o.run()
		one := o.enqueue("ses", note("1", "later@example.net"), kaizen.EnqueueOptions{})
		pass(10 * time.Minute)
		if d := o.wants(one, queue.Sent); d.Attempts != 5 || len(d.History) != 5 || d.History[0].Attempt.Reply.Code != 450 {
			t.Errorf("%+v", d)
		}
		const m = time.Minute
		aboutAll(t, r.gaps(), m/2, m, 2*m, 5*m)
		mixed := o.enqueue("ses", note("2", "yes@example.net", "never@example.net", "soon@example.net"), kaizen.EnqueueOptions{})
		pass(m)
		d := o.wants(mixed, queue.Failed)
		if d.Attempts != 1 || r.times("yes@example.net") != 1 || d.Recipients[0].State != queue.Sent || d.Recipients[1].State != queue.Failed || d.Recipients[1].Reply.Code != 550 {
			t.Errorf("%+v", d)
		}
		eachOnce(t, s, "2", []string{"yes@example.net", "soon@example.net"})
	})
}

// Messages and accounts may have pauses and an expiry of their own; the server's
// words come first.
func TestQueuePausesOfMessageAndAccount(t *testing.T) {
	r := &rcpts{no: func(address string, _ int) *smtptest.Reply {
		if address == "hint@example.net" {
			return &smtptest.Reply{Code: 450, Text: "4.7.1 Greylisted, please try again in 300 seconds"}
		}
		return &smtptest.Reply{Code: 450, Text: "4.2.0 Busy"}
	}}
	bubble(t, smtptest.Config{Reject: r.reject}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		a := account(s)
		a.Retry = kaizen.Retry{Backoff: []time.Duration{10 * time.Second}, Expire: 12 * time.Minute}
		o.accounts.set("ses", a)
		o.run()
		for i, c := range []struct {
			to      string
			options kaizen.EnqueueOptions
			want    time.Duration
			expire  time.Duration
		}{
			{"account@example.net", kaizen.EnqueueOptions{}, 10 * time.Second, 12 * time.Minute},
			{"message@example.net", kaizen.EnqueueOptions{Backoff: []time.Duration{20 * time.Second}, Expire: 3 * time.Minute}, 20 * time.Second, 3 * time.Minute},
			{"hint@example.net", kaizen.EnqueueOptions{}, 5 * time.Minute, 12 * time.Minute},
		} {
			r.at = nil
			began := time.Now()
			id := o.enqueue("ses", note(fmt.Sprint(i), c.to), c.options)
			pass(13 * time.Minute)
			aboutAll(t, r.gaps(), c.want, c.want)
			d := o.wants(id, queue.Expired)
			if late := d.Ended.Sub(began) - c.expire; late < 0 || late > 2*time.Second || d.Last.Code != 450 || d.Recipients[0].Reply.Code != 450 {
				t.Errorf("%s: %v late: %+v", c.to, late, d.Job)
			}
			if got := o.kinds(id); got[len(got)-1] != kaizen.JobExpired || slices.Contains(got[:len(got)-1], kaizen.JobExpired) {
				t.Errorf("told %v", got)
			}
		}
		if d := o.job(o.enqueue("nobody", note("x"), kaizen.EnqueueOptions{})); d.Expires.Sub(d.Created) != 48*time.Hour {
			t.Errorf("it expires after %v by default", d.Expires.Sub(d.Created))
		}
		if d := o.job(o.enqueue("nobody", note("y"), kaizen.EnqueueOptions{Expire: -1})); !d.Expires.IsZero() {
			t.Errorf("it expires at %v", d.Expires)
		}
	})
}

// A server that takes few recipients at a time gets them in parts, each of which is
// settled, whether it says so by 452 or at EHLO (RFC 9422).
func TestQueueSendsInParts(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]smtptest.Config{
		"452":     {Limits: smtptest.Limits{RecipientsPerMessage: 3}},
		"RCPTMAX": {Limits: smtptest.Limits{RecipientsPerMessage: 3}, Extensions: append(smtptest.DefaultExtensions(), "LIMITS RCPTMAX=3")},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, config, func(t *testing.T, s *smtptest.Server) {
				o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
				defer o.close()
				o.run()
				id := o.enqueue("ses", note("1", people(10)...), kaizen.EnqueueOptions{Backoff: []time.Duration{time.Hour}})
				pass(time.Second)
				d := o.wants(id, queue.Sent)
				if d.Attempts < 4 || d.Attempts > 5 || len(d.History) != d.Attempts {
					t.Errorf("%d attempts, history %+v", d.Attempts, d.History)
				}
				eachOnce(t, s, "1", people(10))
			})
		})
	}
}

// All or nothing: as long as one is refused nobody gets it.
func TestQueueAllOrNothing(t *testing.T) {
	r := &rcpts{no: func(address string, n int) *smtptest.Reply {
		switch {
		case address == "p1@example.net" && n == 1:
			return &smtptest.Reply{Code: 450, Text: "4.2.0 Busy"}
		case address == "never@example.net":
			return &smtptest.Reply{Code: 550, Text: "5.1.1 No such user"}
		}
		return nil
	}}
	bubble(t, smtptest.Config{Reject: r.reject}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		o.run()
		m := note("1", people(3)...)
		m.AllOrNothing = true
		id := o.enqueue("ses", m, kaizen.EnqueueOptions{})
		pass(10 * time.Second)
		if d := o.wants(id, queue.Queued); s.Stats().Accepted != 0 || d.Recipients[0].State != queue.Queued {
			t.Errorf("%+v", d)
		}
		pass(time.Minute)
		o.wants(id, queue.Sent)
		eachOnce(t, s, "1", people(3))
		m = note("2", "p0@example.net", "p1@example.net", "never@example.net")
		m.AllOrNothing = true
		id = o.enqueue("ses", m, kaizen.EnqueueOptions{})
		pass(time.Minute)
		if d := o.wants(id, queue.Failed); s.Stats().Accepted != 1 || d.Recipients[0].State != queue.Failed || d.Attempts != 1 {
			t.Errorf("%+v", d)
		}
	})
}

// dropAfterFinal takes the first message and hangs up without a word.
func dropAfterFinal() smtptest.Config {
	return smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseAfterFinal, Action: smtptest.Drop, Nth: 1}}}
}

// Nobody knows whether the server has taken it: sent again, held or failed.
func TestQueueUnknownOutcome(t *testing.T) {
	t.Parallel()
	for policy, want := range map[queue.Policy]queue.State{queue.Retry: queue.Sent, queue.Hold: queue.Held, queue.Never: queue.Failed} {
		t.Run(policy.String(), func(t *testing.T) {
			bubble(t, dropAfterFinal(), func(t *testing.T, s *smtptest.Server) {
				o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
				defer o.close()
				o.run()
				id := o.enqueue("ses", note("1"), kaizen.EnqueueOptions{Unknown: policy})
				pass(time.Hour)
				d := o.wants(id, want)
				if !d.Doubt || d.History[0].Attempt.Outcome != smtp.Unknown {
					t.Errorf("%+v", d)
				}
				arrived := 1
				if policy == queue.Retry {
					arrived = 2
				} else if d.Reason == "" {
					t.Error("it has no reason")
				}
				if n := s.Accepted()["<1>"].Times; n != arrived {
					t.Errorf("it arrived %d times", n)
				}
				if policy != queue.Hold {
					return
				}
				if done := o.control(queue.Command{Action: queue.DoRelease, IDs: []queue.ID{id}}); done.Changed != 1 {
					t.Errorf("%+v", done)
				}
				pass(time.Second)
				o.wants(id, queue.Sent)
			})
		})
	}
}

// die leaves jobs as a process does that dies: the first claimed and begun, the next
// only claimed.
func (o *office) die(lane string, begun, claimed int) {
	o.Helper()
	ctx := context.Background()
	if _, err := o.store.Recover(ctx, time.Now()); err != nil {
		o.Fatal(err)
	}
	got, err := o.store.Claim(ctx, time.Now(), []queue.Want{{Lane: lane, Count: begun + claimed}})
	if err != nil || len(got[0].Claims) != begun+claimed {
		o.Fatal(err, len(got[0].Claims))
	}
	for i := range begun {
		if errs, err := o.store.Begin(ctx, time.Now(), []queue.Token{got[0].Claims[i].Token}); err != nil || errs[0] != nil {
			o.Fatal(err, errs)
		}
	}
	if err := o.store.Release(); err != nil {
		o.Fatal(err)
	}
}

// What had begun when the process died is unknown, and nothing else.
func TestQueueAfterACrash(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		ids := make(map[queue.Policy]queue.ID)
		for _, policy := range []queue.Policy{queue.Retry, queue.Hold, queue.Never} {
			ids[policy] = o.enqueue("ses", note(policy.String()), kaizen.EnqueueOptions{Unknown: policy})
		}
		safe := o.enqueue("ses", note("safe"), kaizen.EnqueueOptions{Unknown: queue.Never})
		o.die("ses", 3, 1)
		o.run()
		pass(time.Minute)
		defer o.close()
		for policy, want := range map[queue.Policy]queue.State{queue.Retry: queue.Sent, queue.Hold: queue.Held, queue.Never: queue.Failed} {
			d := o.wants(ids[policy], want)
			if !d.Doubt || d.History[0].Kind != queue.Lost {
				t.Errorf("%s: %+v", policy, d)
			}
		}
		d := o.wants(safe, queue.Sent)
		if d.Attempts != 1 || d.Doubt || s.Accepted()["<safe>"].Times != 1 || d.History[0].Kind != queue.Interrupted {
			t.Errorf("%+v", d)
		}
		if n := len(s.Accepted()); n != 2 {
			t.Errorf("%d messages arrived", n)
		}
	})
}

// The run that finds what was lost tells of it.
func TestQueueTellsOfWhatWasLost(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		id := o.enqueue("ses", note("1"), kaizen.EnqueueOptions{Unknown: queue.Never, Report: true})
		o.die("ses", 1, 0)
		o.run()
		pass(time.Minute)
		defer o.close()
		if got := o.kinds(id); !slices.Equal(got, []kaizen.JobEventKind{kaizen.JobQueued, kaizen.JobLost}) {
			t.Errorf("told %v", got)
		}
		if n := s.Stats().Accepted; n != 1 {
			t.Errorf("%d messages arrived, want the report alone", n)
		}
	})
}

// A content that the store cannot open for a moment goes later, as it is.
func TestQueueBodyThatCannotBeOpened(t *testing.T) {
	bubble(t, smtptest.Config{KeepMessages: true}, func(t *testing.T, s *smtptest.Server) {
		store := &brittle{Store: memory.New(), closed: time.Now().Add(time.Minute)}
		o := open(t, store, map[string]*smtptest.Server{"ses": s})
		defer o.close()
		o.run()
		m := note("1")
		m.Content = smtp.Bytes([]byte("Message-ID: <1>\r\n\r\n" + strings.Repeat(strings.Repeat("x", 70)+"\r\n", 2000)))
		id := o.enqueue("ses", m, kaizen.EnqueueOptions{})
		synctest.Wait()
		o.wants(id, queue.Queued)
		pass(10 * time.Minute)
		if d := o.wants(id, queue.Sent); d.Attempts < 2 || !strings.Contains(d.History[0].Attempt.Error, "too many open files") {
			t.Errorf("%+v", d)
		}
		if n := s.Accepted()["<1>"].Times; n != 1 {
			t.Errorf("it arrived %d times", n)
		}
	})
}
