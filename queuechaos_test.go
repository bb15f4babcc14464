package kaizen_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// chaos is an office in which everything goes wrong now and then.
type chaos struct {
	*office
	random *rand.Rand
	server *smtptest.Server
	lanes  []string
	ids    []queue.ID
}

// moodyServer fails in all phases, refuses some people for good and others for now.
func moodyServer(seed uint64) smtptest.Config {
	config := smtptest.Config{Latency: 15 * time.Millisecond, Seed: seed, Faults: everywhere(),
		Limits: smtptest.Limits{MessagesPerConnection: 20, RecipientsPerMessage: 4}}
	for i := range config.Faults {
		config.Faults[i].Prob = 0.03
	}
	config.Faults = append(config.Faults,
		smtptest.Fault{Phase: smtptest.PhaseRCPT, Action: smtptest.Answer, Reply: smtptest.Reply{Code: 450, Text: "4.2.0 Busy, try again in 30 seconds"}, Prob: 0.1},
		smtptest.Fault{Phase: smtptest.PhaseMAIL, Action: smtptest.Answer, Reply: smtptest.Reply{Code: 451, Text: "4.3.0 Local problem"}, Prob: 0.02},
		smtptest.Fault{Phase: smtptest.PhaseFinal, Action: smtptest.Answer, Reply: smtptest.Reply{Code: 554, Text: "5.6.0 Not this"}, Prob: 0.02},
		smtptest.Fault{Phase: smtptest.PhaseFinal, Action: smtptest.Delay, Pause: 40 * time.Second, Prob: 0.02})
	config.UnknownRecipients = []string{"p3@example.net"}
	return config
}

func (c *chaos) put() {
	for range c.random.IntN(40) {
		j := letter(c.lanes[c.random.IntN(len(c.lanes))], fmt.Sprint("m", len(c.ids)), people(1+c.random.IntN(6))...)
		j.Unknown, j.Priority = queue.Policy(c.random.IntN(3)), queue.Priority(c.random.IntN(4))
		j.Backoff = []time.Duration{20 * time.Second, time.Minute}
		j.Options.AllOrNothing = c.random.IntN(10) == 0
		if c.random.IntN(4) == 0 {
			j.Expires = time.Now().Add(time.Duration(c.random.IntN(600)) * time.Second)
		}
		c.ids = append(c.ids, c.office.put(j)...)
	}
}

// meddle does to some jobs or lanes what people do to them.
func (c *chaos) meddle() {
	ctx, now := context.Background(), time.Now()
	lane := c.lanes[c.random.IntN(len(c.lanes))]
	actions := []queue.Action{queue.DoCancel, queue.DoHold, queue.DoRelease, queue.DoReorder, queue.DoMove, queue.DoRetry}
	for range c.random.IntN(10) {
		if len(c.ids) == 0 {
			return
		}
		n := c.random.IntN(len(c.ids))
		c.control(queue.Command{Action: actions[c.random.IntN(len(actions))], Lane: lane, Priority: queue.Priority(c.random.IntN(4)),
			Filter: queue.Filter{MessageID: fmt.Sprint("m", n)}})
	}
	switch c.random.IntN(6) {
	case 0:
		if err := c.store.Pause(ctx, now, lane, "chaos"); err != nil {
			c.Error(err)
		}
	case 1, 2:
		if err := c.store.Resume(ctx, now, lane); err != nil {
			c.Error(err)
		}
	case 3:
		if c.end != nil {
			_ = c.client.CloseAccount(ctx, kaizen.Account{Name: lane}) // it may cut something
		}
	}
}

// crash leaves some jobs as a process does that was killed.
func (c *chaos) crash() {
	ctx, now := context.Background(), time.Now()
	if _, err := c.store.Recover(ctx, now); err != nil {
		c.Fatal(err)
	}
	for _, lane := range c.lanes {
		got, err := c.store.Claim(ctx, now, []queue.Want{{Lane: lane, Count: c.random.IntN(4)}})
		if err != nil {
			c.Fatal(err)
		}
		for i := range got[0].Claims {
			if c.random.IntN(2) == 0 {
				_, _ = c.store.Begin(ctx, now, []queue.Token{got[0].Claims[i].Token})
			}
		}
	}
	if err := c.store.Release(); err != nil {
		c.Error(err)
	}
}

// session is the life of one client.
func (c *chaos) session(steps int) {
	c.config.DrainTimeout = []time.Duration{-1, time.Second, time.Minute}[c.random.IntN(3)]
	c.reopen()
	c.run()
	for range steps {
		c.put()
		c.meddle()
		pass(time.Duration(c.random.IntN(20_000)) * time.Millisecond)
	}
	c.ends(2 * time.Minute)
	_ = c.client.Close() // it may have cut something
}

// Whatever happens: at the end each job is finished or held, and what its history
// says is what has arrived.
func TestQueueChaos(t *testing.T) {
	t.Parallel()
	seeds := uint64(4)
	if testing.Short() || raceEnabled {
		seeds = 1
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			bubble(t, moodyServer(seed), func(t *testing.T, s *smtptest.Server) {
				c := &chaos{random: rand.New(rand.NewPCG(seed, 5)), server: s, lanes: []string{"a", "b", "c"},
					office: open(t, memory.New(), map[string]*smtptest.Server{"a": s, "b": s, "c": s})}
				slow := account(s)
				slow.Limits.Rates = []kaizen.Rate{{Count: 20, Per: time.Minute}}
				c.accounts.set("c", slow)
				for range 5 {
					c.session(8)
					c.crash()
				}
				c.settle()
				for _, id := range c.ids {
					c.check(c.job(id))
				}
				t.Logf("%d jobs: %d sent, %d failed, %d expired, %d cancelled, %d held", len(c.ids), c.count(queue.Sent),
					c.count(queue.Failed), c.count(queue.Expired), c.count(queue.Cancelled), c.count(queue.Held))
			})
		})
	}
}

// settle lets everything come to its end.
func (c *chaos) settle() {
	c.config.DrainTimeout = time.Minute
	c.reopen()
	for _, lane := range c.lanes {
		if err := c.store.Resume(context.Background(), time.Now(), lane); err != nil {
			c.Error(err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Hour)
	defer cancel()
	if err := c.client.RunUntilEmpty(ctx); err != nil || ctx.Err() != nil {
		c.Errorf("run: %v, %v", err, ctx.Err())
	}
	if err := c.client.Close(); err != nil {
		c.Error(err)
	}
	if n := c.count(queue.Queued, queue.Active); n != 0 {
		c.Errorf("%d jobs are left", n)
	}
}

// check compares a job with its history and what has arrived.
func (c *chaos) check(d queue.Details) {
	tries, doubts, releases, ends := 0, 0, 0, 0
	for i, e := range d.History {
		if e.Number != i+1 || i > 0 && e.At.Before(d.History[i-1].At) {
			c.Errorf("job %s: line %d has number %d", d.ID, i+1, e.Number)
		}
		if e.State.Finished() {
			ends++
		}
		switch {
		case e.Kind == queue.Tried && e.Attempt != nil:
			tries++
			if e.Attempt.Outcome == smtp.Unknown {
				doubts++
			}
		case e.Kind == queue.Lost:
			tries++
			doubts++
		case e.Kind == queue.DidRelease, e.Kind == queue.DidRetry:
			releases++
		case e.Kind == queue.Late && e.Attempt != nil && e.Attempt.Outcome != smtp.NotSent && e.Attempt.Outcome != smtp.Rejected:
			c.Errorf("job %s went out although its claim did not stand: %+v", d.ID, e.Attempt)
		}
	}
	if tries != d.Attempts || d.Doubt != (doubts > 0) || (ends == 1) != d.State.Finished() {
		c.Errorf("the history does not agree: %+v", d)
	}
	got := make(map[string]int)
	for _, address := range c.server.Accepted()["<"+d.MessageID+">"].Recipients {
		got[address]++
	}
	most := 1 + doubts
	switch d.Unknown {
	case queue.Never:
		most = 1
	case queue.Hold:
		most = 1 + min(doubts, releases)
	}
	for _, r := range d.Recipients {
		n := got[r.Address]
		switch {
		case n > most, r.State == queue.Sent && n == 0, r.State != queue.Sent && n > 0 && doubts == 0, d.State == queue.Sent && r.State != queue.Sent:
			c.Errorf("%s has it %d times, at most %d are permitted: %+v", r.Address, n, most, d)
		}
	}
}
