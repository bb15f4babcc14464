package kaizen_test

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/maildrop"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/queue/sqlite"
	"github.com/kaizenmail/kaizen/route"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// An account with two servers uses its own second one before the next account.
func TestChainOfSeveralServers(t *testing.T) {
	inPair(t, smtptest.Config{}, func(p *pair) {
		spare := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory})
		defer spare.Close()
		var spareCut atomic.Bool
		p.setFirst(func(a *kaizen.Account) {
			a.Servers = []kaizen.Server{{Host: "spare.example.com", Port: 2500, TLS: smtp.TLSNone, Priority: 10}}
			dial := a.DialContext
			a.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				switch {
				case !strings.HasPrefix(address, "spare."):
					return dial(ctx, network, address)
				case spareCut.Load():
					return nil, errors.New("connection refused")
				}
				return spare.DialContext(ctx, network, address)
			}
		})
		p.run()
		p.cut.Store(true)
		for _, id := range p.putAndWait("a", 20) {
			if d := p.wants(id, queue.Sent); d.History[0].Attempt.Account != "office" || len(d.History) != 1 {
				p.Errorf("%+v", d.History)
			}
		}
		spareCut.Store(true)
		spare.CloseConnections(smtptest.CloseFIN)
		pass(time.Second)
		for _, id := range p.putAndWait("b", 20) {
			if d := p.wants(id, queue.Sent); d.History[0].Attempt.Account != "backup" {
				p.Errorf("%+v", d.History)
			}
		}
		if a, b, c := p.first.Stats().Accepted, spare.Stats().Accepted, p.second.Stats().Accepted; a != 0 || b != 20 || c != 20 {
			p.Errorf("%d, %d and %d were sent", a, b, c)
		}
	})
}

// A folder can be the last resort, of a Send and of the queue.
func TestChainEndsInAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	down := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory})
	down.Close()
	accounts := new(named)
	a := account(down)
	a.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("connection refused") }
	accounts.set("office", a)
	accounts.set("kept", kaizen.Account{Mailer: maildrop.New(dir, maildrop.Options{Format: maildrop.EML})})
	client := kaizen.New(kaizen.Config{Accounts: accounts, Queue: memory.New()})
	defer client.Close()
	chain := kaizen.Account{Name: "office>kept"}
	r, err := client.Send(t.Context(), chain, note("1", people(3)...))
	if err != nil || r.Account != "kept" || r.Outcome != smtp.Accepted {
		t.Errorf("%+v %v", r, err)
	}
	if _, err := client.Enqueue(t.Context(), chain.Name, note("2"), kaizen.EnqueueOptions{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := client.RunUntilEmpty(ctx); err != nil {
		t.Error(err)
	}
	if files, err := filepath.Glob(filepath.Join(dir, "*.eml")); len(files) != 2 {
		t.Errorf("%q %v", files, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Error(err)
	}
}

// Of a content that LMTP has answered for some, those without an answer stay with
// the account, and those who were told to come later with them.
func TestChainOfLMTP(t *testing.T) {
	inPair(t, smtptest.Config{}, func(p *pair) {
		box := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, LMTP: true, Faults: []smtptest.Fault{{Phase: smtptest.PhaseFinal, Action: smtptest.Drop, Nth: 3}},
			Reject: func(phase smtptest.Phase, arg string) *smtptest.Reply {
				if phase == smtptest.PhaseFinal && arg == "p1@example.net" {
					return &smtptest.Reply{Code: 452, Text: "4.2.2 Mailbox full"}
				}
				return nil
			}})
		defer box.Close()
		var down atomic.Bool
		a := lmtpAccount(box)
		a.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if down.Load() {
				return nil, errors.New("connection refused")
			}
			return box.DialContext(ctx, network, address)
		}
		p.accounts.set("box", a)
		p.run()
		down.Store(false)
		id := p.put(letter("box>backup", "m", people(3)...))[0]
		pass(500 * time.Millisecond)
		down.Store(true)
		d := p.job(id)
		if d.Recipients[0].State != queue.Sent || d.Recipients[1].State != queue.Queued || d.Recipients[2].Outcome != smtp.Unknown || !d.Doubt {
			p.Fatalf("%+v", d)
		}
		pass(20 * time.Minute)
		if n := p.second.Stats().Accepted; n != 0 {
			p.Errorf("the next account has sent %d", n)
		}
		p.control(queue.Command{Action: queue.DoCancel, IDs: []queue.ID{id}})
		others := p.put(letters("box>backup", "o", 5)...)
		pass(time.Minute)
		for _, other := range others {
			p.wants(other, queue.Sent)
		}
	})
}

// All parts of a message are put, or none: also if rules have changed since the key
// was used, and with a store on disk.
func TestPartsOfAKey(t *testing.T) {
	t.Parallel()
	disk, err := sqlite.Open(t.TempDir(), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	for name, store := range map[string]queue.Store{"memory": memory.New(), "sqlite": disk} {
		one := ruled(t, "rest")
		two := split(t)
		for what, c := range map[string]struct {
			first, second *route.Table
			to            [2][]string
		}{
			"split since":         {one, two, [2][]string{mixed, mixed}},
			"joined since":        {two, one, [2][]string{mixed, mixed}},
			"one recipient more":  {two, two, [2][]string{mixed[:1], mixed[:2]}},
			"one recipient less":  {two, two, [2][]string{mixed, mixed[:2]}},
			"one part of several": {two, two, [2][]string{mixed, mixed[1:2]}},
		} {
			key := kaizen.EnqueueOptions{Key: what}
			first := kaizen.New(kaizen.Config{Queue: store, Router: c.first})
			put, err := first.EnqueueAll(t.Context(), "", note(what, c.to[0]...), key)
			if err != nil {
				t.Fatal(err)
			}
			again, err := first.EnqueueAll(t.Context(), "", note(what, c.to[0]...), key)
			if err != nil || len(again) != len(put) || !again[0].Existing || again[0].ID != put[0].ID {
				t.Errorf("%s, %s: again: %+v %v", name, what, again, err)
			}
			before := total(t, store)
			second := kaizen.New(kaizen.Config{Queue: store, Router: c.second})
			got, err := second.EnqueueAll(t.Context(), "", note(what, c.to[1]...), key)
			if conflict := (*queue.ConflictError)(nil); !errors.As(err, &conflict) || total(t, store) != before {
				t.Errorf("%s, %s: %+v %v, %d jobs and %d before", name, what, got, err, total(t, store), before)
			}
			_ = first.Close()
			_ = second.Close()
		}
	}
}

func total(t *testing.T, store queue.Store) int {
	t.Helper()
	stats, err := store.Stats(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return stats.Total(queue.Queued)
}

// routes is a router by hand.
type routes []route.Part

func (r routes) Route(route.Message) ([]route.Part, error) { return r, nil }

// However a router writes a chain, its jobs are in one lane.
func TestChainsOfARouter(t *testing.T) {
	t.Parallel()
	router := routes{{Account: " office > backup ", Recipients: []int{0}}}
	client := kaizen.New(kaizen.Config{Queue: memory.New(), Router: router})
	defer client.Close()
	put, err := client.EnqueueAll(t.Context(), "", note("1"), kaizen.EnqueueOptions{})
	if err != nil || put[0].Account != lane || router[0].Account == lane {
		t.Errorf("%+v %v", put, err)
	}
}
