package kaizen_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// answering refuses at one place of a session.
func answering(phase smtptest.Phase, code int, text string) smtptest.Config {
	return smtptest.Config{Faults: []smtptest.Fault{{Phase: phase, Action: smtptest.Answer, Reply: smtptest.Reply{Code: code, Text: text}}}}
}

func faulty(phase smtptest.Phase, action smtptest.Action) smtptest.Config {
	return smtptest.Config{Faults: []smtptest.Fault{{Phase: phase, Action: action}}}
}

// troubles are what can be wrong with the first account of a chain, and whether a
// message goes on to the next one.
var troubles = map[string]struct {
	config  smtptest.Config
	change  func(*kaizen.Account)
	goesOn  bool
	outcome kaizen.Outcome // if it does not
	class   kaizen.Class   // of the first account
}{
	"no connection": {change: func(a *kaizen.Account) {
		a.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("connection refused") }
	}, goesOn: true, class: kaizen.ErrConnect},
	"turned away":            {config: answering(smtptest.PhaseGreeting, 554, "5.7.1 Not welcome"), goesOn: true, class: kaizen.ErrConnect},
	"silent":                 {config: faulty(smtptest.PhaseEHLO, smtptest.Stall), goesOn: true, class: kaizen.ErrTimeout},
	"no TLS":                 {change: func(a *kaizen.Account) { a.TLS = smtp.TLSStartTLS }, goesOn: true, class: kaizen.ErrTLS},
	"no SMTP":                {config: answering(smtptest.PhaseEHLO, 500, "What?"), goesOn: true, class: kaizen.ErrConnect},
	"no line":                {config: faulty(smtptest.PhaseGreeting, smtptest.Oversize), goesOn: true, class: kaizen.ErrProtocol},
	"refused login":          {config: smtptest.Config{Auth: &smtptest.Auth{BeforeTLS: true, Users: map[string]string{"ann": "right"}}}, change: login, goesOn: true, class: kaizen.ErrAuth},
	"login fails now":        {config: smtptest.Config{Auth: &smtptest.Auth{BeforeTLS: true, Verdict: later}}, change: login, goesOn: true, class: kaizen.ErrAuthTemporary},
	"login is needed":        {config: answering(smtptest.PhaseMAIL, 530, "5.7.0 Authentication required"), goesOn: true, class: kaizen.ErrAuth},
	"rate at MAIL":           {config: answering(smtptest.PhaseMAIL, 451, "4.7.0 Rate limit exceeded"), goesOn: true, class: kaizen.ErrRate},
	"rate at the end":        {config: answering(smtptest.PhaseFinal, 451, "4.7.0 Rate limit exceeded"), goesOn: true, class: kaizen.ErrRate},
	"quota at MAIL":          {config: answering(smtptest.PhaseMAIL, 550, "5.4.5 Daily user sending quota exceeded"), goesOn: true, class: kaizen.ErrQuota},
	"quota at RCPT":          {config: answering(smtptest.PhaseRCPT, 550, "5.4.5 Daily user sending quota exceeded"), goesOn: true, class: kaizen.ErrQuota},
	"421 at MAIL":            {config: faulty(smtptest.PhaseMAIL, smtptest.Close421), goesOn: true, class: kaizen.ErrConnectionLimit},
	"session is over":        {config: answering(smtptest.PhaseMAIL, 450, "4.7.0 Too many messages in this session"), goesOn: true, class: kaizen.ErrSessionLimit},
	"cut before the content": {config: faulty(smtptest.PhaseDATA, smtptest.Drop), goesOn: true, class: kaizen.ErrConnect},

	"sender refused":      {config: answering(smtptest.PhaseMAIL, 550, "5.7.1 Sender address rejected: not owned by user"), outcome: smtp.Rejected, class: kaizen.ErrSender},
	"sender for now":      {config: answering(smtptest.PhaseMAIL, 450, "4.1.8 Sender address rejected"), outcome: smtp.Rejected, class: kaizen.ErrSender},
	"recipient refused":   {config: answering(smtptest.PhaseRCPT, 550, "5.1.1 No such user"), outcome: smtp.Rejected, class: kaizen.ErrRecipient},
	"recipient for now":   {config: answering(smtptest.PhaseRCPT, 450, "4.2.1 Mailbox busy"), outcome: smtp.Rejected, class: kaizen.ErrRecipient},
	"rate of a recipient": {config: answering(smtptest.PhaseRCPT, 450, "4.7.0 Rate limit exceeded"), outcome: smtp.Rejected, class: kaizen.ErrRate},
	"content refused":     {config: answering(smtptest.PhaseFinal, 554, "5.6.0 Spam"), outcome: smtp.Rejected, class: kaizen.ErrContent},
	"too large":           {config: answering(smtptest.PhaseFinal, 552, "5.3.4 Message too large"), outcome: smtp.Rejected, class: kaizen.ErrSize},
	"odd at MAIL":         {config: answering(smtptest.PhaseMAIL, 501, "5.5.4 Syntax error"), outcome: smtp.Rejected, class: kaizen.ErrProtocol},
	"cut after the dot":   {config: faulty(smtptest.PhaseAfterFinal, smtptest.Drop), outcome: smtp.Unknown, class: kaizen.ErrConnect},
	"silent at the dot":   {config: faulty(smtptest.PhaseFinal, smtptest.Stall), outcome: smtp.Unknown, class: kaizen.ErrTimeout},
	"silent, had taken":   {config: faulty(smtptest.PhaseAfterFinal, smtptest.Stall), outcome: smtp.Unknown, class: kaizen.ErrTimeout},
}

func login(a *kaizen.Account) { a.Username, a.Password, a.InsecureAuth = "ann", "wrong", true }

func later(string, string) *smtptest.Reply {
	return &smtptest.Reply{Code: 454, Text: "4.7.0 Temporary authentication failure"}
}

// chained are two accounts, the first of which is in trouble.
func chained(t *testing.T, name string) (first, second *smtptest.Server, accounts *named) {
	trouble := troubles[name]
	trouble.config.Network = smtptest.Memory
	first, second = smtptest.NewServer(trouble.config), smtptest.NewServer(smtptest.Config{Network: smtptest.Memory})
	t.Cleanup(func() { first.Close(); second.Close() })
	accounts = new(named)
	a := account(first)
	if trouble.change != nil {
		trouble.change(&a)
	}
	accounts.set("office", a)
	accounts.set("backup", account(second))
	return first, second, accounts
}

// eachTrouble runs a test for each trouble, under a fake clock.
func eachTrouble(t *testing.T, test func(t *testing.T, name string)) {
	t.Parallel()
	for name := range troubles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, name) })
		})
	}
}

func TestSendFallsBack(t *testing.T) {
	eachTrouble(t, func(t *testing.T, name string) {
		trouble := troubles[name]
		first, second, accounts := chained(t, name)
		client := kaizen.New(kaizen.Config{Accounts: accounts})
		defer client.Close()
		r, err := client.Send(t.Context(), kaizen.Account{Name: "office>backup"}, note("1"))
		arrived := [2]int{first.Accepted()["<1>"].Times, second.Accepted()["<1>"].Times}
		if trouble.goesOn {
			if err != nil || r.Account != "backup" || len(r.Parts) != 2 || r.Parts[0].Account != "office" || r.Parts[1].Err != nil || arrived != [2]int{0, 1} {
				t.Fatalf("%+v, %v, arrived %v", r, err, arrived)
			}
			if !errors.Is(r.Parts[0].Err, trouble.class) {
				t.Errorf("%v is not %v", r.Parts[0].Err, trouble.class)
			}
			return
		}
		var e *kaizen.Error
		if !errors.As(err, &e) || e.Account != "office" || !errors.Is(err, trouble.class) || e.Outcome != trouble.outcome || arrived[1] != 0 {
			t.Fatalf("%+v, %v, arrived %v", r, err, arrived)
		}
		if e.SafeToRetry() != (trouble.outcome != smtp.Unknown) || r == nil || r.Outcome != trouble.outcome || len(r.Parts) != 1 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestQueueFallsBack(t *testing.T) {
	eachTrouble(t, func(t *testing.T, name string) {
		trouble := troubles[name]
		first, second, accounts := chained(t, name)
		o := open(t, memory.New(), nil)
		o.config.Accounts, o.accounts = accounts, accounts
		o.reopen()
		defer o.close()
		o.run()
		j := letter("office>backup", "1")
		j.Unknown = queue.Hold
		id := o.put(j)[0]
		pass(10 * time.Minute)
		d := o.job(id)
		arrived := [2]int{first.Accepted()["<1>"].Times, second.Accepted()["<1>"].Times}
		if trouble.goesOn {
			last := d.History[len(d.History)-1].Attempt
			if d.State != queue.Sent || arrived != [2]int{0, 1} || last == nil || last.Account != "backup" || !strings.HasPrefix(last.Before, "office: ") || len(d.History) != 1 {
				t.Fatalf("%+v, arrived %v", d, arrived)
			}
			return
		}
		if arrived[1] != 0 || d.State == queue.Sent || d.Doubt != (trouble.outcome == smtp.Unknown) || d.History[0].Attempt.Account != "office" {
			t.Errorf("%+v, arrived %v", d, arrived)
		}
	})
}

// Recipients that the first account has sent to, or has a verdict on, do not go on;
// only those that were certainly not sent do.
func TestOnlyTheNotSentGoOn(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, second *smtptest.Server) {
		first := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, Reject: func(p smtptest.Phase, arg string) *smtptest.Reply {
			switch {
			case p == smtptest.PhaseRCPT && strings.HasPrefix(arg, "p1@"):
				return &smtptest.Reply{Code: 550, Text: "5.1.1 No such user"}
			case p == smtptest.PhaseRCPT && !strings.HasPrefix(arg, "p0@"):
				return &smtptest.Reply{Code: 550, Text: "5.4.5 Daily sending quota exceeded"}
			}
			return nil
		}})
		defer first.Close()
		accounts := new(named)
		accounts.set("office", account(first))
		accounts.set("backup", account(second))
		client := kaizen.New(kaizen.Config{Accounts: accounts})
		defer client.Close()
		r, err := client.Send(t.Context(), kaizen.Account{Name: "office>backup"}, note("1", people(4)...))
		var e *kaizen.Error
		if !errors.As(err, &e) || len(e.Recipients) != 1 || e.Recipients[0].Address != "p1@example.net" || e.Account != "office" || e.Class != kaizen.ErrRecipient {
			t.Fatalf("%v", err)
		}
		if !slices.Equal(addresses(r.Recipients), people(4)) || r.Recipients[1].Outcome != smtp.Rejected || r.Recipients[3].Outcome != smtp.Accepted || r.Account != "office" {
			t.Errorf("%+v", r)
		}
		if !slices.Equal(addresses(r.Parts[1].Recipients), people(4)[2:]) {
			t.Errorf("%+v", r.Parts)
		}
		eachOnce(t, first, "1", people(4)[:1])
		eachOnce(t, second, "1", people(4)[2:])
	})
}

// If no account can send it, the error tells of all; one that is only down for now
// makes it worth another try.
func TestNoAccountOfAChain(t *testing.T) {
	bubble(t, smtptest.Config{Auth: &smtptest.Auth{BeforeTLS: true, Users: map[string]string{"ann": "right"}}}, func(t *testing.T, s *smtptest.Server) {
		accounts := new(named)
		down := account(s)
		down.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("connection refused") }
		refused := account(s)
		login(&refused)
		accounts.set("office", down)
		accounts.set("backup", refused)
		client := kaizen.New(kaizen.Config{Accounts: accounts})
		defer client.Close()
		for range 2 { // the second one finds both at a standstill
			_, err := client.Send(t.Context(), kaizen.Account{Name: "office>none>backup"}, note("1", people(2)...))
			var e *kaizen.Error
			if !errors.As(err, &e) || e.Account != "backup" || e.Class != kaizen.ErrAuth || len(e.Others) != 2 || len(e.Recipients) != 2 {
				t.Fatal(err)
			}
			if e.Others[0].Account != "office" || e.Others[1].Account != "none" || !e.Temporary() || !e.SafeToRetry() {
				t.Errorf("%v", err)
			}
			for _, want := range []string{"office", "connection refused", `no account "none"`, "535"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not tell of %s", err, want)
				}
			}
			pass(time.Second)
		}
	})
}

// A content that can be read only once goes on as long as nothing of it was read,
// and not after that.
func TestStreamsFallBack(t *testing.T) {
	for name, want := range map[string]bool{"no connection": true, "rate at the end": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, second, accounts := chained(t, name)
				client := kaizen.New(kaizen.Config{Accounts: accounts})
				defer client.Close()
				m := note("1")
				octets := "Message-ID: <1>\r\n\r\n" + strings.Repeat("A line of a long message.\r\n", 10_000)
				m.Content = smtp.Reader(io.MultiReader(strings.NewReader(octets)))
				_, err := client.Send(t.Context(), kaizen.Account{Name: "office>backup"}, m)
				if sent := second.Accepted()["<1>"].Times == 1; sent != want || (err == nil) != want || !want && !errors.Is(err, kaizen.ErrRate) {
					t.Errorf("sent %t, %v", sent, err)
				}
			})
		})
	}
	t.Parallel()
}

// A chain is verified, closed and let go on account by account; a transport needs
// one that works.
func TestChainsElsewhere(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, good *smtptest.Server) {
		bad := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, Auth: &smtptest.Auth{BeforeTLS: true, Users: map[string]string{"ann": "right"}}})
		defer bad.Close()
		accounts := new(named)
		refused := account(bad)
		login(&refused)
		accounts.set("bad", refused)
		accounts.set("good", account(good))
		client := kaizen.New(kaizen.Config{Accounts: accounts})
		defer client.Close()
		ctx, chain := t.Context(), kaizen.Account{Name: "bad > good"}
		var e *kaizen.Error
		if err := client.Verify(ctx, chain); !errors.As(err, &e) || e.Account != "bad" || e.Class != kaizen.ErrAuth {
			t.Errorf("verify: %v", err)
		}
		if err := client.Verify(ctx, kaizen.Account{Name: "good"}); err != nil {
			t.Errorf("verify: %v", err)
		}
		transport, err := client.Transport(ctx, chain)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := transport.Send(ctx, note("1")); err != nil || r.Account != "good" {
			t.Errorf("%+v %v", r, err)
		}
		if err := transport.Close(ctx); err != nil || good.Stats().Open != 0 {
			t.Errorf("%d connections are open: %v", good.Stats().Open, err)
		}
		if _, err := client.Transport(ctx, kaizen.Account{Name: "bad>none"}); !errors.Is(err, kaizen.ErrAuth) || !strings.Contains(err.Error(), "none") {
			t.Errorf("transport: %v", err)
		}
		refused.Password = "right"
		accounts.set("bad", refused)
		if err := client.Resume(ctx, chain); err != nil {
			t.Errorf("resume: %v", err)
		}
		if r, err := client.Send(ctx, chain, note("2")); err != nil || r.Account != "bad" {
			t.Errorf("%+v %v", r, err)
		}
		if _, err := client.Send(ctx, kaizen.Account{Name: "good>good"}, note("3")); err == nil {
			t.Error("a chain that is none was taken")
		}
	})
}

// While the first account is down, one message at a time finds out whether it is
// back, however long it takes to fail; the others do not wait for it.
func TestChainDoesNotWaitForAProbe(t *testing.T) {
	bubble(t, smtptest.Config{Latency: time.Millisecond}, func(t *testing.T, second *smtptest.Server) {
		var dials atomic.Int64
		hung := account(second)
		hung.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			dials.Add(1)
			<-ctx.Done()
			return nil, ctx.Err()
		}
		accounts := new(named)
		accounts.set("office", hung)
		accounts.set("backup", account(second))
		client := kaizen.New(kaizen.Config{Accounts: accounts})
		defer client.Close()
		chain := kaizen.Account{Name: "office>backup"}
		if _, err := client.Send(t.Context(), chain, note("first")); err != nil {
			t.Fatal(err)
		}
		var senders sync.WaitGroup
		var slow atomic.Int64
		began := time.Now()
		for i := range 600 {
			senders.Go(func() {
				time.Sleep(time.Duration(i) * 100 * time.Millisecond)
				at := time.Now()
				if _, err := client.Send(context.Background(), chain, note(fmt.Sprint(i))); err != nil {
					t.Error(err)
				}
				if time.Since(at) > time.Second {
					slow.Add(1)
				}
			})
		}
		senders.Wait()
		if n := slow.Load(); n > 10 {
			t.Errorf("%d of 600 messages waited, %d dials in %v", n, dials.Load(), time.Since(began))
		}
	})
}

// A job that the first account may have sent is not handed to the next one, but
// waits for it; others go around it meanwhile.
func TestAJobInDoubtStaysWithItsAccount(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, second *smtptest.Server) {
		first := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, Faults: []smtptest.Fault{{Phase: smtptest.PhaseAfterFinal, Action: smtptest.Drop, Nth: 1}}})
		defer first.Close()
		var down atomic.Bool
		office := account(first)
		office.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if down.Load() {
				return nil, errors.New("connection refused")
			}
			return first.DialContext(ctx, network, address)
		}
		o := open(t, memory.New(), nil)
		o.accounts.set("office", office)
		o.accounts.set("backup", account(second))
		defer o.close()
		o.run()
		id := o.put(letter("office>backup", "doubtful"))[0]
		pass(time.Second)
		if d := o.job(id); !d.Doubt || d.State != queue.Queued {
			t.Fatalf("%+v", d)
		}
		down.Store(true)
		began := time.Now()
		others := o.put(letters("office>backup", "other", 50)...)
		pass(5 * time.Minute)
		if n := second.Accepted()["<doubtful>"].Times; n != 0 || o.job(id).State != queue.Queued {
			t.Errorf("the second has it %d times; it is %s", n, o.job(id).State)
		}
		for _, other := range others {
			if d := o.wants(other, queue.Sent); d.Ended.Sub(began) > 10*time.Second {
				t.Errorf("%s was sent after %v", other, d.Ended.Sub(began))
			}
		}
		down.Store(false)
		pass(2 * time.Minute)
		o.wants(id, queue.Sent)
		if n := first.Accepted()["<doubtful>"].Times; n != 2 {
			t.Errorf("the first has it %d times", n)
		}
	})
}
