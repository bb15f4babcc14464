package kaizen_test

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// unsure is a server that loses the reply to its first message.
func unsure() smtptest.Config {
	return smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseAfterFinal, Action: smtptest.Drop, Nth: 1}}}
}

// doubtful puts a job that the first account may have sent.
func (p *pair) doubtful(j queue.Submission) queue.ID {
	p.Helper()
	id := p.put(j)[0]
	pass(100 * time.Millisecond)
	if d := p.job(id); !d.Doubt {
		p.Fatalf("it is not in doubt: %+v", d)
	}
	return id
}

// A released job of the policy hold is held again if its next try is cut off too.
func TestChainHoldsAgain(t *testing.T) {
	config := unsure()
	config.Faults = append(config.Faults, smtptest.Fault{Phase: smtptest.PhaseFinal, Action: smtptest.Stall, Nth: 2})
	inPair(t, config, func(p *pair) {
		p.config.DrainTimeout = 2 * time.Second
		p.reopen()
		p.run()
		j := letter(lane, "m")
		j.Unknown = queue.Hold
		id := p.doubtful(j)
		p.control(queue.Command{Action: queue.DoRelease, IDs: []queue.ID{id}})
		pass(time.Second)
		p.ends(5 * time.Second)
		if d := p.wants(id, queue.Held); d.Attempts != 2 {
			p.Errorf("%+v", d)
		}
		_ = p.client.Close() // it tells that it cut something
		p.reopen()
	})
}

// A job in doubt that no server will ever take ends, as any other.
func TestChainDoubtEnds(t *testing.T) {
	inPair(t, unsure(), func(p *pair) {
		p.setFirst(func(a *kaizen.Account) {
			a.Limits.Rates = []kaizen.Rate{{Count: 1000, Per: time.Hour, Unit: kaizen.Octets}}
		})
		p.run()
		id := p.doubtful(letter(lane, "m"))
		p.setFirst(func(a *kaizen.Account) {
			a.Limits.Rates = []kaizen.Rate{{Count: 10, Per: time.Hour, Unit: kaizen.Octets}}
		})
		pass(10 * time.Minute)
		p.wants(id, queue.Failed)
		if _, n := p.arrived("m"); n != 0 {
			p.Error("the other account has sent it")
		}
	})
}

// Recipients who certainly have not got it go on, if those in doubt have failed by
// the policy never.
func TestChainNeverGoesOn(t *testing.T) {
	config := unsure()
	config.Limits.RecipientsPerMessage = 2
	inPair(t, config, func(p *pair) {
		p.onceReachable()
		p.run()
		j := letter(lane, "m", people(5)...)
		j.Unknown = queue.Never
		id := p.put(j)[0]
		pass(10 * time.Minute)
		d := p.wants(id, queue.Failed)
		for i, r := range d.Recipients {
			if want := i < 2; (r.State == queue.Failed) != want || (r.Outcome == smtp.Unknown) != want {
				p.Errorf("%d: %+v", i, r)
			}
		}
		eachOnce(p.T, p.first, "m", people(5)[:2])
		eachOnce(p.T, p.second, "m", people(5)[2:])
	})
}

// onceReachable lets the first account make one connection, and none after it.
func (p *pair) onceReachable() {
	var dials atomic.Int64
	p.setFirst(func(a *kaizen.Account) {
		dial := a.DialContext
		a.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if dials.Add(1) > 1 {
				return nil, errors.New("connection refused")
			}
			return dial(ctx, network, address)
		}
	})
}

// A run until the queue is empty does not wait for an account that needs a person,
// also if only a job in doubt is for it alone.
func TestChainUntilEmptyLeavesDoubt(t *testing.T) {
	inPair(t, unsure(), func(p *pair) {
		p.run()
		id := p.doubtful(letter(lane, "m"))
		p.ends(time.Minute)
		p.accounts.remove("office")
		others := p.put(letters(lane, "o", 20)...)
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		defer cancel()
		if err := p.client.RunUntilEmpty(ctx); err != nil || ctx.Err() != nil {
			p.Errorf("%v %v", err, ctx.Err())
		}
		p.wants(id, queue.Queued)
		for _, other := range others {
			p.wants(other, queue.Sent)
		}
	})
}

func (n *named) remove(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.accounts, name)
}

// A job in doubt that is moved to a chain with its account in it stays with that.
func TestMovedInDoubt(t *testing.T) {
	inPair(t, unsure(), func(p *pair) {
		p.run()
		id := p.doubtful(letter("office", "m"))
		p.cut.Store(true)
		p.control(queue.Command{Action: queue.DoMove, IDs: []queue.ID{id}, Lane: "backup>office"})
		pass(5 * time.Minute)
		p.wants(id, queue.Queued)
		p.cut.Store(false)
		pass(5 * time.Minute)
		p.wants(id, queue.Sent)
		if a, b := p.arrived("m"); a != 2 || b != 0 {
			p.Errorf("arrived %d and %d times", a, b)
		}
	})
}

// The same after a crash: what the lane of one account had begun, that account may
// have sent.
func TestMovedAfterACrash(t *testing.T) {
	inPair(t, smtptest.Config{}, func(p *pair) {
		id := p.put(letter("office", "m"))[0]
		p.die("office", 1, 0)
		p.cut.Store(true)
		p.run()
		pass(100 * time.Millisecond)
		p.control(queue.Command{Action: queue.DoMove, IDs: []queue.ID{id}, Lane: "backup>office"})
		pass(5 * time.Minute)
		p.wants(id, queue.Queued)
		if _, b := p.arrived("m"); b != 0 {
			p.Error("the other account has sent it")
		}
	})
}

// A job in doubt is sent soon after its account is back, and does not keep the store
// busy if that takes long.
func TestChainDoubtIsPatient(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ down, within time.Duration }{
		"short": {2 * time.Second, 3 * time.Second},
		"long":  {2 * time.Hour, 6 * time.Minute}, // the server is asked by others, too
	} {
		t.Run(name, func(t *testing.T) {
			inPair(t, unsure(), func(p *pair) {
				store := hook(p.store, nil)
				p.store, p.config.Queue = store, store
				p.reopen()
				p.run()
				id := p.doubtful(letter(lane, "m"))
				p.cut.Store(true)
				pass(c.down)
				p.cut.Store(false)
				back := time.Now()
				pass(10 * time.Minute)
				if d := p.wants(id, queue.Sent); d.Ended.Sub(back) > c.within {
					t.Errorf("it was sent %v after", d.Ended.Sub(back))
				}
				if n := store.called("settle"); n > 300 {
					t.Errorf("it was given back %d times", n)
				}
			})
		})
	}
}
