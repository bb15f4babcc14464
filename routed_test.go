package kaizen_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/route"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func shared(weights ...int) (shares []route.Share) {
	for i, w := range weights {
		shares = append(shares, route.Share{Account: fmt.Sprint("a", i), Weight: w})
	}
	return shares
}

func through(account string) []route.Share { return []route.Share{{Account: account, Weight: 1}} }

func ruled(t *testing.T, standard string, rules ...route.Rule) *route.Table {
	t.Helper()
	table, err := route.New(route.Config{Rules: rules, Default: standard})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// servers are some in memory, by account.
func servers(t *testing.T, config smtptest.Config, names ...string) (map[string]*smtptest.Server, *named) {
	t.Helper()
	config.Network = smtptest.Memory
	all, accounts := map[string]*smtptest.Server{}, new(named)
	for _, name := range names {
		s := smtptest.NewServer(config)
		t.Cleanup(func() { s.Close() })
		all[name] = s
		accounts.set(name, account(s))
	}
	return all, accounts
}

// 10,000 messages from many goroutines are shared as the weights say, within 2 %,
// as the servers count.
func TestRoutedShares(t *testing.T) {
	t.Parallel()
	all, accounts := servers(t, smtptest.Config{CountOnly: true}, "a0", "a1", "a2", "a3")
	client := kaizen.New(kaizen.Config{Accounts: accounts, Router: ruled(t, "", route.Rule{Accounts: shared(50, 30, 20, 0)})})
	defer client.Close()
	const n, senders = 10_000, 50
	var group sync.WaitGroup
	for g := range senders {
		group.Go(func() {
			for i := range n / senders {
				if _, err := client.Send(context.Background(), kaizen.Account{}, note(fmt.Sprint(g, "-", i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	for name, want := range map[string]float64{"a0": 5000, "a1": 3000, "a2": 2000, "a3": 0} {
		if got := float64(all[name].Stats().Accepted); got < want*0.98 || got > want*1.02 {
			t.Errorf("%s got %v, want %v", name, got, want)
		}
	}
}

// split are rules by which a message to p0, q1 and p2 goes in two parts.
func split(t *testing.T) *route.Table {
	return ruled(t, "rest", route.Rule{Name: "news", Tags: []string{"news"}, Accounts: through("bulk")},
		route.Rule{Name: "inside", To: []string{"example.org"}, Accounts: through("inside"), Fallback: []string{"rest"}})
}

var mixed = []string{"p0@example.net", "q1@example.org", "p2@example.net"}

// A message in several parts: each recipient gets it once, through its account, and
// the receipt tells of each.
func TestRoutedParts(t *testing.T) {
	t.Parallel()
	all, accounts := servers(t, smtptest.Config{}, "rest", "inside", "bulk")
	client := kaizen.New(kaizen.Config{Accounts: accounts, Router: split(t)})
	defer client.Close()
	r, err := client.Send(t.Context(), kaizen.Account{}, note("1", mixed...))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(addresses(r.Recipients), mixed) || len(r.Parts) != 2 || len(r.Transactions) != 2 || r.Account != "rest" || r.QueueID() == "" ||
		!slices.Equal(r.Parts[1].Rules, []string{"inside"}) || !slices.Equal(r.Parts[0].Rules, []string{route.DefaultRule}) || r.Parts[1].Account != "inside" {
		t.Errorf("%+v", r)
	}
	eachOnce(t, all["rest"], "1", []string{mixed[0], mixed[2]})
	eachOnce(t, all["inside"], "1", mixed[1:2])
	tagged := note("2", mixed...)
	tagged.Tags = []string{"news"}
	if r, err := client.Send(t.Context(), kaizen.Account{}, tagged); err != nil || r.Account != "bulk" || len(r.Parts) != 1 {
		t.Errorf("%+v %v", r, err)
	}
	eachOnce(t, all["bulk"], "2", mixed)
	if r, err := client.Send(t.Context(), kaizen.Account{Name: "rest"}, note("3", mixed...)); err != nil || r.Parts != nil {
		t.Errorf("an account that is named: %+v %v", r, err)
	}
	eachOnce(t, all["rest"], "3", mixed)
}

// One part fails, another one falls back: the error is about the one that failed.
func TestRoutedPartsFail(t *testing.T) {
	t.Parallel()
	all, accounts := servers(t, smtptest.Config{UnknownRecipients: []string{"p2@example.net"}}, "rest", "inside")
	all["inside"].Close()
	client := kaizen.New(kaizen.Config{Accounts: accounts, Router: split(t)})
	defer client.Close()
	r, err := client.Send(t.Context(), kaizen.Account{}, note("1", mixed...))
	var e *kaizen.Error
	if !errors.As(err, &e) || e.Class != kaizen.ErrRecipient || !slices.Equal(addresses(e.Recipients), mixed[2:]) || len(e.Others) != 0 || r.Outcome != smtp.Accepted {
		t.Errorf("%+v %v", r, err)
	}
	eachOnce(t, all["rest"], "1", mixed[:2])
}

// What cannot go in parts is refused before anything is sent; in one part it goes.
func TestIndivisible(t *testing.T) {
	t.Parallel()
	all, accounts := servers(t, smtptest.Config{}, "rest", "inside", "bulk")
	client := kaizen.New(kaizen.Config{Accounts: accounts, Router: split(t), Queue: memory.New()})
	defer client.Close()
	for name, change := range map[string]func(*kaizen.Prepared){
		"all or nothing": func(p *kaizen.Prepared) { p.AllOrNothing = true },
		"only once": func(p *kaizen.Prepared) {
			p.Content = smtp.Reader(io.MultiReader(strings.NewReader("Message-ID: <" + p.MessageID + ">\r\n\r\n" + strings.Repeat("A line.\r\n", 20_000))))
		},
	} {
		for _, to := range [][]string{mixed, mixed[:1]} {
			m := note(fmt.Sprint(name, len(to)), to...)
			change(m)
			_, sent := client.Send(t.Context(), kaizen.Account{}, m)
			m = note(fmt.Sprint(name, len(to)), to...)
			change(m)
			_, queued := client.EnqueueAll(t.Context(), "", m, kaizen.EnqueueOptions{})
			for _, err := range []error{sent, queued} {
				if refused := err != nil; refused != (len(to) > 1) || refused && (!errors.Is(err, kaizen.ErrContent) || !strings.Contains(err.Error(), "rest (2) and inside>rest (1)") || !strings.Contains(err.Error(), name)) {
					t.Errorf("%s to %d: %v", name, len(to), err)
				}
			}
		}
	}
	if n := all["inside"].Stats().Accepted + all["bulk"].Stats().Accepted; n != 0 || all["rest"].Stats().Accepted != 2 {
		t.Errorf("%d, %d", n, all["rest"].Stats().Accepted)
	}
}

// A message in several parts is a job for each, all or none; Enqueue wants one part.
func TestEnqueueAll(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		fail := errors.New("disk full")
		var broken bool
		store := hook(memory.New(), func(call string) error {
			if broken && call == "put" {
				return fail
			}
			return nil
		})
		o := open(t, store, map[string]*smtptest.Server{"rest": s, "inside": s, "bulk": s})
		o.config.Router = split(t)
		o.reopen()
		defer o.close()
		ctx := t.Context()
		if _, err := o.client.Enqueue(ctx, "", note("0", mixed...), kaizen.EnqueueOptions{}); !errors.Is(err, kaizen.ErrContent) || !strings.Contains(err.Error(), "EnqueueAll") {
			t.Errorf("%v", err)
		}
		broken = true
		if _, err := o.client.EnqueueAll(ctx, "", note("0", mixed...), kaizen.EnqueueOptions{}); !errors.Is(err, fail) {
			t.Errorf("%v", err)
		}
		broken = false
		if n := o.count(queue.Queued); n != 0 {
			t.Errorf("%d are queued", n)
		}
		parts, err := o.client.EnqueueAll(ctx, "", note("1", mixed...), kaizen.EnqueueOptions{Key: "k", Tags: []string{"invoice"}})
		if err != nil || len(parts) != 2 || parts[0].Account != "rest" || parts[1].Account != "inside>rest" || len(parts[0].Recipients) != 2 || !slices.Equal(parts[1].Rules, []string{"inside"}) {
			t.Fatalf("%+v %v", parts, err)
		}
		if n := store.called("put"); n != 2 {
			t.Errorf("%d puts", n)
		}
		again, err := o.client.EnqueueAll(ctx, "", note("1", mixed...), kaizen.EnqueueOptions{Key: "k"})
		if err != nil || len(again) != 2 || !again[0].Existing || again[0].ID != parts[0].ID || again[1].ID != parts[1].ID {
			t.Errorf("%+v %v", again, err)
		}
		m := note("2", mixed...)
		m.Tags = []string{"a", "news"}
		one, err := o.client.Enqueue(ctx, "", m, kaizen.EnqueueOptions{Tags: []string{"a", "b"}})
		if err != nil {
			t.Fatal(err)
		}
		if d := o.job(one.ID); d.Lane != "bulk" || !slices.Equal(d.Tags, []string{"a", "news", "b"}) {
			t.Errorf("%+v", d.Job)
		}
		o.run()
		pass(time.Minute)
		for _, p := range parts {
			if d := o.wants(p.ID, queue.Sent); d.MessageID != "1" || d.Lane != p.Account {
				t.Errorf("%+v", d.Job)
			}
		}
		eachOnce(t, s, "1", mixed)
		eachOnce(t, s, "2", mixed)
		if kinds := o.kinds(parts[1].ID); !slices.Equal(kinds, []kaizen.JobEventKind{kaizen.JobQueued, kaizen.JobTried}) {
			t.Errorf("%v", kinds)
		}
	})
}

// A key keeps its lane, however many messages take turns in between, and in every
// process: nothing is queued twice.
func TestRoutedKeys(t *testing.T) {
	t.Parallel()
	store := memory.New()
	for turn := range 4 {
		client := kaizen.New(kaizen.Config{Queue: store, Router: ruled(t, "", route.Rule{Accounts: shared(3, 1, 2)})})
		for i := range 200 {
			r, err := client.Enqueue(t.Context(), "", note(fmt.Sprint(i)), kaizen.EnqueueOptions{Key: fmt.Sprint("key ", i)})
			if err != nil || r.Existing != (turn > 0) {
				t.Fatalf("%+v %v", r, err)
			}
			if i%3 == 0 {
				if _, err := client.Enqueue(t.Context(), "", note("x"), kaizen.EnqueueOptions{}); err != nil {
					t.Fatal(err)
				}
			}
		}
		client.Close()
	}
	stats, err := store.Stats(t.Context(), time.Now())
	if err != nil || stats.Total(queue.Queued) != 200+4*67 || len(stats.Lanes) != 3 {
		t.Errorf("%+v %v", stats, err)
	}
}

// badRouter answers anything.
type badRouter struct {
	parts []route.Part
	err   error
}

func (b badRouter) Route(route.Message) ([]route.Part, error) { return b.parts, b.err }

// No recipient is left out, or gets two copies, by a router's mistake; and what it
// says of nobody is told.
func TestBadRouters(t *testing.T) {
	t.Parallel()
	all, accounts := servers(t, smtptest.Config{}, "a")
	none := ruled(t, "", route.Rule{Name: "inside", To: []string{"example.com"}, Accounts: through("a")})
	for name, c := range map[string]struct {
		router kaizen.Router
		class  kaizen.Class
		says   string
	}{
		"error":      {badRouter{err: io.ErrUnexpectedEOF}, kaizen.ErrConnect, "choose the account"},
		"nothing":    {badRouter{}, kaizen.ErrConnect, "no account for recipient 1"},
		"one of two": {badRouter{parts: []route.Part{{Account: "a", Recipients: []int{1}}}}, kaizen.ErrConnect, "no account for recipient 1"},
		"twice":      {badRouter{parts: []route.Part{{Account: "a", Recipients: []int{0, 1}}, {Account: "b", Recipients: []int{1}}}}, kaizen.ErrConnect, "twice"},
		"beyond":     {badRouter{parts: []route.Part{{Account: "a", Recipients: []int{0, 1, 2}}}}, kaizen.ErrConnect, "none"},
		"no name":    {badRouter{parts: []route.Part{{Account: "", Recipients: []int{0, 1}}}}, kaizen.ErrConnect, "empty"},
		"no rule":    {none, kaizen.ErrRecipient, `rule "inside": to p0@example.net is not example.com`},
	} {
		client := kaizen.New(kaizen.Config{Accounts: accounts, Router: c.router, Queue: memory.New()})
		_, sent := client.Send(t.Context(), kaizen.Account{}, note("1", people(2)...))
		_, queued := client.Enqueue(t.Context(), "", note("1", people(2)...), kaizen.EnqueueOptions{})
		for _, err := range []error{sent, queued} {
			var e *kaizen.Error
			if !errors.As(err, &e) || e.Class != c.class || !strings.Contains(err.Error(), c.says) || !e.SafeToRetry() {
				t.Errorf("%s: %v", name, err)
			}
		}
		client.Close()
	}
	if n := all["a"].Stats().Accepted; n != 0 {
		t.Errorf("%d arrived", n)
	}
}

// Hooks are told of a routed message once, with the account that had it.
func TestRoutedTrace(t *testing.T) {
	t.Parallel()
	_, accounts := servers(t, smtptest.Config{}, "rest", "inside", "bulk")
	var told []string
	client := kaizen.New(kaizen.Config{Accounts: accounts, Router: split(t), Trace: &kaizen.Trace{
		SendStart: func(ctx context.Context, i kaizen.SendStartInfo) context.Context {
			told = append(told, "start "+i.Account+i.Server)
			return ctx
		},
		SendDone: func(_ context.Context, i kaizen.SendDoneInfo) {
			told = append(told, fmt.Sprint("done ", i.Account, i.Err, len(i.Receipt.Parts)))
		},
	}})
	defer client.Close()
	if _, err := client.Send(t.Context(), kaizen.Account{}, note("1", mixed...)); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Send(t.Context(), kaizen.Account{Name: "none>bulk"}, note("2")); err != nil {
		t.Fatal(err)
	}
	if want := []string{"start ", "done rest<nil> 2", "start none>bulk", "done bulk<nil> 2"}; !slices.Equal(told, want) {
		t.Errorf("%q", told)
	}
}
