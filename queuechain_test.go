package kaizen_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// pair is an office with two accounts, each with a server of its own; the way to
// the first server can be cut.
type pair struct {
	*office
	first, second *smtptest.Server
	cut           atomic.Bool
}

const lane = "office>backup"

// inPair runs a test under a fake clock.
func inPair(t *testing.T, config smtptest.Config, test func(p *pair)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config.Network = smtptest.Memory
		p := &pair{first: smtptest.NewServer(config), second: smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, Latency: time.Millisecond})}
		defer p.first.Close()
		defer p.second.Close()
		p.office = open(t, memory.New(), map[string]*smtptest.Server{"backup": p.second})
		p.setFirst(func(*kaizen.Account) {})
		test(p)
		p.close()
	})
}

func (p *pair) setFirst(change func(*kaizen.Account)) {
	a := account(p.first)
	a.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if p.cut.Load() {
			return nil, errors.New("connection refused")
		}
		return p.first.DialContext(ctx, network, address)
	}
	change(&a)
	p.accounts.set("office", a)
}

// arrived tells how often a message arrived at each server.
func (p *pair) arrived(id string) (first, second int) {
	return p.first.Accepted()["<"+id+">"].Times, p.second.Accepted()["<"+id+">"].Times
}

func (p *pair) putAndWait(prefix string, n int) []queue.ID {
	ids := p.put(letters(lane, prefix, n)...)
	pass(5 * time.Second)
	return ids
}

// once fails unless each job is sent and arrived exactly once, and where its history
// says. It tells how many went through the first account.
func (p *pair) once(ids []queue.ID) (first int) {
	p.Helper()
	for _, id := range ids {
		d := p.wants(id, queue.Sent)
		a, b := p.arrived(d.MessageID)
		by := d.History[len(d.History)-1].Attempt.Account
		if a+b != 1 || (by == "office") != (a == 1) || (by == "backup") != (b == 1) {
			p.Errorf("%s: arrived %d and %d times, by %q", d.MessageID, a, b, by)
		}
		first += a
	}
	return first
}

// While the first account is down everything goes through the second, without
// costing an attempt, and through the first again when that is back; also after a
// restart.
func TestQueueChainGoesBack(t *testing.T) {
	inPair(t, smtptest.Config{Latency: time.Millisecond}, func(p *pair) {
		p.run()
		ids := p.put(letters(lane, "a", 50)...)
		pass(time.Second)
		if n := p.once(ids); n != 50 {
			t.Errorf("%d through the first", n)
		}
		p.cut.Store(true)
		p.first.CloseConnections(smtptest.CloseFIN)
		pass(time.Second)
		ids = p.put(letters(lane, "b", 200)...)
		pass(5 * time.Second)
		if n := p.once(ids); n != 0 {
			t.Errorf("%d through the first, which is down", n)
		}
		for _, id := range ids {
			if d := p.job(id); d.Attempts != 1 || len(d.History) != 1 {
				t.Errorf("%+v", d)
			}
		}
		ids = p.put(letters(lane, "c", 50)...) // with the process gone
		p.end()
		if err := <-p.ended; err != nil {
			t.Error(err)
		}
		_ = p.client.Close()
		p.reopen()
		p.run()
		pass(5 * time.Second)
		if n := p.once(ids); n != 0 {
			t.Errorf("%d through the first after a restart", n)
		}
		p.cut.Store(false)
		pass(2 * time.Minute)
		p.putAndWait("d", 20) // one of these finds out
		ids = p.putAndWait("e", 50)
		if n := p.once(ids); n != 50 {
			t.Errorf("%d through the first, which is back", n)
		}
	})
}

// The first account dies in the middle of a load, again and again: everything
// arrives, nothing twice. What is in doubt is held, and nowhere else.
func TestQueueChainNothingTwice(t *testing.T) {
	inPair(t, smtptest.Config{Latency: 3 * time.Millisecond}, func(p *pair) {
		p.run()
		var ids []queue.ID
		for round := range 40 {
			jobs := letters(lane, fmt.Sprintf("r%d-", round), 60)
			for i := range jobs {
				jobs[i].Unknown = queue.Hold
			}
			ids = append(ids, p.put(jobs...)...)
			pass(time.Duration(7+round) * time.Millisecond)
			p.cut.Store(round%2 == 0)
			if round%2 == 0 {
				p.first.CloseConnections(smtptest.Closing(round / 2 % 3))
			}
			pass(13 * time.Second)
		}
		p.cut.Store(false)
		pass(time.Hour)
		held, through := 0, [2]int{}
		for _, id := range ids {
			d := p.job(id)
			a, b := p.arrived(d.MessageID)
			through[0], through[1] = through[0]+a, through[1]+b
			switch {
			case d.State == queue.Sent && a+b == 1:
			case d.State == queue.Held && d.Doubt && a <= 1 && b == 0:
				held++
			default:
				t.Errorf("%s is %s, arrived %d and %d times", d.MessageID, d.State, a, b)
			}
		}
		if through[0] == 0 || through[1] == 0 || held > len(ids)/10 {
			t.Errorf("through %v, %d of %d held", through, held, len(ids))
		}
	})
}

// An allowance that is used up is a reason to go on; when it is renewed the lane is
// back.
func TestQueueChainQuota(t *testing.T) {
	config := smtptest.Config{Latency: time.Millisecond, Limits: smtptest.Limits{Quota: smtptest.Rate{N: 20, Per: time.Hour,
		Reply: smtptest.Reply{Code: 454, Text: "4.7.0 Throttling failure: Daily message quota exceeded."}}}}
	inPair(t, config, func(p *pair) {
		p.run()
		ids := p.put(letters(lane, "a", 100)...)
		pass(10 * time.Second)
		if n := p.once(ids); n != 20 {
			t.Errorf("%d through the first", n)
		}
		if n := p.first.Stats().Mails; n > 40 {
			t.Errorf("the server was asked %d times", n)
		}
		pass(3 * time.Hour)
		if n := p.once(p.putAndWait("ask", 1)); n != 1 {
			t.Error("nobody asks whether the allowance is renewed")
		}
		ids = p.put(letters(lane, "b", 10)...)
		pass(10 * time.Second)
		if n := p.once(ids); n != 10 {
			t.Errorf("%d through the first, whose allowance is renewed", n)
		}
	})
}

// A rate of the account itself is waited for: limits are normal. It holds for all
// lanes of the account together.
func TestQueueChainKeepsLimits(t *testing.T) {
	inPair(t, smtptest.Config{Latency: time.Millisecond}, func(p *pair) {
		p.setFirst(func(a *kaizen.Account) { a.Limits.Rates = []kaizen.Rate{{Count: 5, Per: time.Second}} })
		p.run()
		ids := p.put(letters(lane, "a", 50)...)
		ids = append(ids, p.put(letters("office>other", "b", 50)...)...)
		alone := p.put(letters("office", "c", 50)...)
		pass(time.Minute)
		if n := p.once(ids); n != 100 {
			t.Errorf("%d through the first", n)
		}
		p.allOnce(p.first, alone)
		withinRate(t, p.first, 5, time.Second)
	})
}

// A paused account sends nothing, for no chain either, which goes around it. A
// paused chain stands still.
func TestQueueChainPause(t *testing.T) {
	inPair(t, smtptest.Config{Latency: time.Millisecond}, func(p *pair) {
		ctx := context.Background()
		p.run()
		check := func(account string, sent, first int) {
			t.Helper()
			if err := p.store.Pause(ctx, time.Now(), account, "maintenance"); err != nil {
				t.Fatal(err)
			}
			pass(2 * time.Second)
			ids := p.putAndWait(fmt.Sprint(account, p.first.Stats().Accepted), 10)
			if n := p.count(queue.Queued); n != 10-sent {
				t.Errorf("%s is paused: %d are queued", account, n)
			} else if sent > 0 {
				if n := p.once(ids); n != first {
					t.Errorf("%s is paused: %d through the first", account, n)
				}
			}
			if err := p.store.Resume(ctx, time.Now(), account); err != nil {
				t.Fatal(err)
			}
			pass(5 * time.Second)
			p.once(ids)
		}
		check("office", 10, 0)
		check("backup", 10, 10)
		check(lane, 0, 0)
		if err := p.store.Pause(ctx, time.Now(), "backup", ""); err != nil {
			t.Fatal(err)
		}
		check("office", 0, 0) // nobody is left
	})
}

// Accounts that are not there, or have stopped, stop a run until it is empty only
// if no other of the chain can send.
func TestQueueChainUntilEmpty(t *testing.T) {
	inPair(t, smtptest.Config{Auth: &smtptest.Auth{BeforeTLS: true, Users: map[string]string{"ann": "right"}}}, func(p *pair) {
		p.setFirst(login)
		ids := p.put(letters("office>none>backup", "a", 10)...)
		stuck := p.put(letters("none>office", "b", 10)...)
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		if err := p.client.RunUntilEmpty(ctx); err != nil || ctx.Err() != nil {
			t.Errorf("%v %v", err, ctx.Err())
		}
		for _, id := range ids {
			if d := p.wants(id, queue.Sent); d.History[0].Attempt.Account != "backup" {
				t.Errorf("%+v", d)
			}
		}
		for _, id := range stuck {
			if d := p.wants(id, queue.Queued); d.Attempts != 0 || len(d.History) != 0 {
				t.Errorf("%+v", d)
			}
		}
		if n := p.first.Stats().LoginsRefused; n != 1 {
			t.Errorf("%d logins were tried", n)
		}
	})
}

// The first account becomes usable: the chain notices at once.
func TestQueueChainWakes(t *testing.T) {
	inPair(t, smtptest.Config{Auth: &smtptest.Auth{BeforeTLS: true, Users: map[string]string{"ann": "right"}}}, func(p *pair) {
		p.setFirst(login)
		p.run()
		stuck := p.put(letters("none>office", "b", 10)...)
		pass(time.Minute)
		p.setFirst(func(a *kaizen.Account) { login(a); a.Password = "right" })
		pass(4 * time.Second)
		for _, id := range stuck {
			p.wants(id, queue.Sent)
		}
	})
}

// A job whose outcome is unknown is not given to another account while its policy
// says to look first; with the policy retry it is tried again, by its own choice.
func TestQueueChainInDoubt(t *testing.T) {
	inPair(t, faulty(smtptest.PhaseAfterFinal, smtptest.Drop), func(p *pair) {
		p.run()
		var ids []queue.ID
		for _, policy := range []queue.Policy{queue.Hold, queue.Never} {
			j := letter(lane, fmt.Sprint("doubt", policy))
			j.Unknown = policy
			ids = append(ids, p.put(j)...)
		}
		pass(time.Second)
		p.cut.Store(true)
		p.first.CloseConnections(smtptest.CloseFIN)
		pass(time.Hour)
		for _, id := range ids {
			d := p.job(id)
			if a, b := p.arrived(d.MessageID); a != 1 || b != 0 || !d.Doubt {
				t.Errorf("%+v arrived %d and %d times", d, a, b)
			}
		}
	})
}

// While the first account is down and takes long to say so, the lane flows through
// the second: one message at a time waits for the first.
func TestQueueChainFlowsDuringProbes(t *testing.T) {
	inPair(t, smtptest.Config{}, func(p *pair) {
		p.setFirst(func(a *kaizen.Account) {
			a.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
		})
		p.run()
		p.putAndWait("first", 1)
		pass(2 * time.Minute)
		var ids []queue.ID
		for i := range 3000 {
			ids = append(ids, p.put(letter(lane, fmt.Sprint("m", i)))...)
			pass(100 * time.Millisecond)
		}
		pass(2 * time.Minute)
		late := 0
		for _, id := range ids {
			d := p.wants(id, queue.Sent)
			if d.History[0].At.Sub(d.Created) > time.Second {
				late++
			}
		}
		if n := p.once(ids); n != 0 || late > 20 || late == 0 {
			t.Errorf("%d through the first, %d of %d were late", n, late, len(ids))
		}
	})
}

// A run until the queue is empty waits for an account that may come back, though
// another one of the chain is gone for good.
func TestQueueChainWaitsForOne(t *testing.T) {
	inPair(t, smtptest.Config{}, func(p *pair) {
		p.cut.Store(true)
		ids := p.put(letters("none>office", "m", 10)...)
		ended := make(chan error, 1)
		go func() { ended <- p.client.RunUntilEmpty(context.Background()) }()
		pass(10 * time.Minute)
		select {
		case err := <-ended:
			t.Fatalf("the run has ended: %v", err)
		default:
		}
		p.cut.Store(false)
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if n := p.once(ids); n != 10 {
			t.Errorf("%d were sent", n)
		}
	})
}

// Somebody lets an account go on: its chains notice at once.
func TestQueueChainResume(t *testing.T) {
	inPair(t, smtptest.Config{}, func(p *pair) {
		p.cut.Store(true)
		p.run()
		ids := p.put(letters("office>none", "m", 10)...)
		pass(10*time.Minute + 100*time.Millisecond)
		p.cut.Store(false)
		if err := p.client.Resume(context.Background(), kaizen.Account{Name: "office"}); err != nil {
			t.Fatal(err)
		}
		pass(100 * time.Millisecond)
		p.once(ids)
	})
}
