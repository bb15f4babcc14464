package kaizen_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// bubble runs a test under a fake clock, with a server in memory.
func bubble(t *testing.T, config smtptest.Config, test func(t *testing.T, s *smtptest.Server)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		config.Network = smtptest.Memory
		s := smtptest.NewServer(config)
		defer s.Close()
		test(t, s)
	})
}

// sendAll sends n messages at once and wants them all accepted.
func sendAll(t *testing.T, client *kaizen.Client, a kaizen.Account, n int) {
	t.Helper()
	var senders sync.WaitGroup
	for i := range n {
		senders.Go(func() {
			if _, err := client.Send(context.Background(), a, note(fmt.Sprint(i))); err != nil {
				t.Errorf("message %d: %v", i, err)
			}
		})
	}
	senders.Wait()
}

// A zero Client would be of no use, but a zero Config is, and so is an account
// of nothing but a host.
func TestZeroValues(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{TLS: smtptest.TLSStartTLS})
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	a := kaizen.Account{Host: "localhost", DialContext: s.DialContext, TLSConfig: s.ClientTLS()}
	if _, err := client.Send(t.Context(), a, note("1")); err != nil {
		t.Error(err)
	}
	if _, err := client.Send(t.Context(), kaizen.Account{}, note("2")); !errors.Is(err, kaizen.ErrConnect) || !strings.Contains(err.Error(), "no host") {
		t.Errorf("an account without a host: %v", err)
	}
	if n := len(client.Stats()); n != 1 {
		t.Errorf("stats of %d accounts", n)
	}
}

func TestDefaultClient(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{})
	a := account(s)
	a.Name = rand.Text() // the client remembers how accounts were reached
	if _, err := kaizen.Send(t.Context(), a, note("1")); err != nil {
		t.Error(err)
	}
	if err := kaizen.DefaultClient.CloseAccount(t.Context(), a); err != nil {
		t.Error(err)
	}
	if n := s.Stats().Open; n != 0 {
		t.Errorf("%d connections are open", n)
	}
}

// Servers drop idle connections without asking. The next messages go out all
// the same, each once and without an error.
func TestStalePool(t *testing.T) {
	for name, how := range map[string]smtptest.Closing{"FIN": smtptest.CloseFIN, "RST": smtptest.CloseRST, "421": smtptest.CloseWith421} {
		t.Run(name, func(t *testing.T) {
			bubble(t, smtptest.Config{Latency: time.Millisecond}, func(t *testing.T, s *smtptest.Server) {
				client := kaizen.New(kaizen.Config{})
				defer client.Close()
				sendAll(t, client, account(s), 10)
				synctest.Wait()
				s.DropIdle(how)
				synctest.Wait() // the FIN, RST or 421 waits in the receive buffer
				sendAll(t, client, account(s), 10)
				for id, tally := range s.Accepted() {
					if tally.Times != 2 {
						t.Errorf("%s arrived %d times, want once per round", id, tally.Times)
					}
				}
			})
		})
	}
}

// The connections die while messages are on their way to them: their envelopes
// go first, so they were not sent, and go out again.
func TestPoolDroppedOnTheWay(t *testing.T) {
	for name, how := range map[string]smtptest.Closing{"FIN": smtptest.CloseFIN, "RST": smtptest.CloseRST, "421": smtptest.CloseWith421} {
		t.Run(name, func(t *testing.T) {
			bubble(t, smtptest.Config{Latency: 10 * time.Millisecond}, func(t *testing.T, s *smtptest.Server) {
				client := kaizen.New(kaizen.Config{})
				defer client.Close()
				sendAll(t, client, account(s), 10)
				synctest.Wait()
				s.DropIdle(how) // arrives 10 ms later
				sendAll(t, client, account(s), 10)
				for id, tally := range s.Accepted() {
					if tally.Times != 2 {
						t.Errorf("%s arrived %d times, want once per round", id, tally.Times)
					}
				}
			})
		})
	}
}

// A changed password never meets a connection of the old one, and the limits go
// on counting.
func TestChangedPassword(t *testing.T) {
	users := map[string]string{"ann": "old"}
	bubble(t, smtptest.Config{Auth: &smtptest.Auth{Users: users, Required: true}}, func(t *testing.T, s *smtptest.Server) {
		client := kaizen.New(kaizen.Config{})
		defer client.Close()
		a := account(s)
		a.Username, a.Password = "ann", "old"
		a.Limits.Rates = []kaizen.Rate{{Count: 2, Per: time.Minute}}
		sendAll(t, client, a, 1)
		wrong := a
		wrong.Password = "wrong"
		if _, err := client.Send(t.Context(), wrong, note("x")); !errors.Is(err, kaizen.ErrAuth) {
			t.Errorf("a wrong password went out over the old connection: %v", err)
		}
		synctest.Wait()
		users["ann"] = "new" // the server's session goroutines rest
		a.Password = "new"
		sendAll(t, client, a, 3)
		times := s.MailTimes()
		if n := len(s.Accepted()); n != 3 {
			t.Errorf("%d messages arrived", n)
		}
		for i := 2; i < len(times); i++ {
			if d := times[i].Sub(times[i-2]); d < time.Minute {
				t.Errorf("three messages within %v", d)
			}
		}
		for _, c := range s.Connections() {
			if c.Stats.LoginsAccepted > 1 {
				t.Errorf("connection %d logged in %d times", c.Number, c.Stats.LoginsAccepted)
			}
		}
	})
}

// Two accounts of one identity with different limits: the stricter hold, from
// whichever account, and it is said once.
func TestDifferentLimitsOfOneIdentity(t *testing.T) {
	for name, strictFirst := range map[string]bool{"the strict one first": true, "the strict one later": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, smtptest.Config{Latency: time.Millisecond}, func(t *testing.T, s *smtptest.Server) {
				var log bytes.Buffer
				client := kaizen.New(kaizen.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
				defer client.Close()
				strict, loose := account(s), account(s)
				strict.Name, loose.Name = "work", "work"
				strict.Limits = kaizen.Limits{Connections: 1, MessagesPerConnection: 3, Rates: []kaizen.Rate{{Count: 2, Per: time.Second}}}
				loose.Limits = kaizen.Limits{Connections: 4, MessagesPerConnection: -1, Rates: kaizen.NoRate()}
				first, second := loose, strict
				if strictFirst {
					first, second = strict, loose
				}
				sendAll(t, client, first, 1)
				sendAll(t, client, second, 1)
				before := len(s.MailTimes())
				for range 3 {
					sendAll(t, client, loose, 4)
					sendAll(t, client, strict, 1)
				}
				times := s.MailTimes()[before:]
				for i := 2; i < len(times); i++ {
					if d := times[i].Sub(times[i-2]); d < time.Second {
						t.Errorf("three messages within %v", d)
					}
				}
				if st := s.Stats(); st.Peak != 1 || st.MostMessages > 3 {
					t.Errorf("%d connections at once, %d messages on one", st.Peak, st.MostMessages)
				}
				if n := strings.Count(log.String(), "the stricter hold"); n != 1 {
					t.Errorf("said %d times:\n%s", n, log.String())
				}
			})
		})
	}
}

// No rates at all and the default rate are different limits.
func TestNoRateIsNotTheDefault(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		client := kaizen.New(kaizen.Config{})
		defer client.Close()
		a := account(s)
		sendAll(t, client, a, 30)
		a.Limits.Rates = nil // 10 per second
		began := time.Now()
		sendAll(t, client, a, 30)
		if d := time.Since(began); d < 2*time.Second {
			t.Errorf("30 messages at 10 per second took %v", d)
		}
	})
}

// Closing an account ends its connections with QUIT, not its limits.
func TestCloseAccountKeepsTheLimits(t *testing.T) {
	bubble(t, smtptest.Config{Transcripts: true}, func(t *testing.T, s *smtptest.Server) {
		client := kaizen.New(kaizen.Config{})
		defer client.Close()
		a := account(s)
		a.Limits.Rates = []kaizen.Rate{{Count: 1, Per: time.Minute}}
		sendAll(t, client, a, 1)
		for range 2 {
			if err := client.CloseAccount(t.Context(), a); err != nil {
				t.Error(err)
			}
		}
		if !strings.Contains(s.Transcript(1), "QUIT") || s.Stats().Open != 0 {
			t.Errorf("closed without QUIT:\n%s", s.Transcript(1))
		}
		began := time.Now()
		sendAll(t, client, a, 1)
		if d := time.Since(began); d != time.Minute {
			t.Errorf("the next message came after %v, want a minute", d)
		}
	})
}

// The account's old connections are gone before new ones come, or they would
// be too many for a while.
func TestCloseAccountThenSendDoesNotOverlap(t *testing.T) {
	bubble(t, smtptest.Config{Latency: 50 * time.Millisecond}, func(t *testing.T, s *smtptest.Server) {
		client := kaizen.New(kaizen.Config{})
		defer client.Close()
		a := account(s)
		a.Limits.Connections = 2
		for range 3 {
			sendAll(t, client, a, 10)
			var both sync.WaitGroup
			both.Go(func() { _ = client.CloseAccount(context.Background(), a) })
			both.Go(func() { _ = client.CloseAccount(context.Background(), a) })
			synctest.Wait() // the goodbyes are on their way
			sendAll(t, client, a, 4)
			both.Wait()
		}
		if n := s.Stats().Peak; n > 2 {
			t.Errorf("%d connections at once", n)
		}
	})
}

// Close tells those in line that they were not sent, lets finish what is in
// flight, and everyone who closes waits for the end.
func TestCloseWithWaiters(t *testing.T) {
	slow := smtptest.Fault{Phase: smtptest.PhaseFinal, Action: smtptest.Delay, Pause: 5 * time.Second}
	bubble(t, smtptest.Config{Faults: []smtptest.Fault{slow}}, func(t *testing.T, s *smtptest.Server) {
		client := kaizen.New(kaizen.Config{})
		a := account(s)
		a.Limits.Connections = 1
		a.MaxLevel = smtp.LevelGroup // nothing in flight behind the first
		errs := make([]error, 5)
		var senders sync.WaitGroup
		for i := range errs {
			senders.Go(func() { _, errs[i] = client.Send(context.Background(), a, note(fmt.Sprint(i))) })
			synctest.Wait()
		}
		began := time.Now()
		var closers sync.WaitGroup
		for range 3 {
			closers.Go(func() {
				if err := client.Close(); err != nil {
					t.Error(err)
				}
				if d := time.Since(began); d != 5*time.Second || s.Stats().Open != 0 {
					t.Errorf("Close returned after %v", d)
				}
			})
		}
		closers.Wait()
		senders.Wait()
		if errs[0] != nil {
			t.Errorf("the message in flight: %v", errs[0])
		}
		for _, err := range errs[1:] {
			var e *kaizen.Error
			if !errors.Is(err, kaizen.ErrClosed) || !errors.As(err, &e) || !e.SafeToRetry() || len(e.Recipients) != 1 {
				t.Errorf("a message in line: %v", err)
			}
		}
		if err := client.Close(); err != nil {
			t.Errorf("closed again: %v", err)
		}
		_, err := client.Send(t.Context(), a, note("late"))
		if !errors.Is(err, kaizen.ErrClosed) || !strings.Contains(err.Error(), "the client is closed") {
			t.Errorf("sent after Close: %v", err)
		}
		for what, err := range map[string]error{"Verify": client.Verify(t.Context(), a), "Resume": client.Resume(t.Context(), a)} {
			if !errors.Is(err, kaizen.ErrClosed) {
				t.Errorf("%s after Close: %v", what, err)
			}
		}
		if err := client.CloseAccount(t.Context(), a); err != nil {
			t.Errorf("CloseAccount after Close: %v", err)
		}
	})
}

// A Shutdown whose context ends cuts what is left.
func TestShutdownCuts(t *testing.T) {
	stall := smtptest.Fault{Phase: smtptest.PhaseFinal, Action: smtptest.Stall}
	bubble(t, smtptest.Config{Faults: []smtptest.Fault{stall}}, func(t *testing.T, s *smtptest.Server) {
		client := kaizen.New(kaizen.Config{})
		var sendErr error
		var sender sync.WaitGroup
		sender.Go(func() { _, sendErr = client.Send(context.Background(), account(s), note("1")) })
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := client.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		sender.Wait()
		var e *kaizen.Error
		if !errors.As(sendErr, &e) || e.Outcome != smtp.Unknown {
			t.Errorf("the message in flight: %v", sendErr)
		}
	})
}

// A caller may leave at any time: before the point of no return the message is
// not sent, after it nobody knows, and the late verdict is logged.
func TestCallerLeaves(t *testing.T) {
	stall := func(p smtptest.Phase) smtptest.Config {
		return smtptest.Config{Faults: []smtptest.Fault{{Phase: p, Action: smtptest.Delay, Pause: 3 * time.Second, Nth: 1}}}
	}
	for name, c := range map[string]struct {
		server  smtptest.Config
		rate    bool
		outcome kaizen.Outcome
		log     string
		arrived int
	}{
		"waiting":       {smtptest.Config{}, true, smtp.NotSent, `msg="messages wait for a limit of their account" account=work limit="1 per hour"`, 1},
		"dialling":      {stall(smtptest.PhaseGreeting), false, smtp.NotSent, "", 0},
		"after commit":  {stall(smtptest.PhaseFinal), false, smtp.Unknown, `level=INFO msg="late verdict on a message whose sender had given up" account=work from=ann@example.com outcome=accepted`, 1},
		"refused later": {smtptest.Config{Faults: []smtptest.Fault{{Phase: smtptest.PhaseFinal, Action: smtptest.Delay, Pause: 3 * time.Second}}, Reject: rejectContent}, false, smtp.Unknown, "outcome=rejected", 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, c.server, func(t *testing.T, s *smtptest.Server) {
				log := &secretive{}
				client := kaizen.New(kaizen.Config{Logger: slog.New(slog.NewTextHandler(log, nil))})
				a := account(s)
				a.Name = "work"
				if c.rate {
					a.Limits.Rates = []kaizen.Rate{{Count: 1, Per: time.Hour}}
					sendAll(t, client, a, 1)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				began := time.Now()
				_, err := client.Send(ctx, a, note("1"))
				var e *kaizen.Error
				if !errors.Is(err, kaizen.ErrCanceled) || !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &e) ||
					e.Outcome != c.outcome || e.Temporary() || e.Recipients[0].Outcome != c.outcome {
					t.Errorf("%v", err)
				}
				if d := time.Since(began); d != time.Second {
					t.Errorf("returned after %v", d)
				}
				if err := client.Close(); err != nil {
					t.Error(err)
				}
				if !strings.Contains(log.String(), c.log) || c.log == "" && log.String() != "" {
					t.Errorf("logged %q", log.String())
				}
				if n := s.Stats().Accepted; n != c.arrived {
					t.Errorf("%d messages arrived", n)
				}
			})
		})
	}
}

func rejectContent(p smtptest.Phase, _ string) *smtptest.Reply {
	if p == smtptest.PhaseFinal {
		return &smtptest.Reply{Code: 554, Text: "5.6.0 Spam"}
	}
	return nil
}

// A context that has ended already asks nobody.
func TestEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	if _, err := client.Send(ctx, unused(t), note("1")); !errors.Is(err, kaizen.ErrCanceled) || !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// Limits per connection hold, told (RFC 9422) or learned: no message is wasted
// on a connection that has had its fill, once that is known.
func TestMessagesPerConnection(t *testing.T) {
	for name, c := range map[string]struct {
		server  smtptest.Config
		refused int // MAIL commands too many, at most
	}{
		"told":    {smtptest.Config{Extensions: []string{"PIPELINING", "ENHANCEDSTATUSCODES", "LIMITS MAILMAX=4"}}, 0},
		"learned": {smtptest.Config{}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			c.server.Limits.MessagesPerConnection = 4
			c.server.Limits.MessagesReply = smtptest.Reply{Code: 421, Text: "4.7.0 Too many messages per session"}
			bubble(t, c.server, func(t *testing.T, s *smtptest.Server) {
				client := kaizen.New(kaizen.Config{})
				defer client.Close()
				a := account(s)
				a.Limits.Connections = 2
				sendAll(t, client, a, 40)
				st := s.Stats()
				if st.Accepted != 40 || st.MostMessages > 4 || st.Mails-st.Accepted > c.refused {
					t.Errorf("%d accepted, %d on one connection, %d refused", st.Accepted, st.MostMessages, st.Mails-st.Accepted)
				}
			})
		})
	}
}

// resolver knows accounts by name.
type resolver map[string]kaizen.Account

func (r resolver) Account(_ context.Context, name string) (kaizen.Account, error) {
	a, ok := r[name]
	if !ok {
		return a, errUnheardOf
	}
	return a, nil
}

var errUnheardOf = errors.New("unheard of")

func TestAccountsByName(t *testing.T) {
	t.Parallel()
	s := memoryServer(t, smtptest.Config{})
	client := kaizen.New(kaizen.Config{Accounts: resolver{"work": account(s), "hollow": {Username: "ann"}}})
	defer client.Close()
	r, err := client.Send(t.Context(), kaizen.Account{Name: "work"}, note("1"))
	if err != nil || r.Account != "work" {
		t.Errorf("receipt %v, error %v", r, err)
	}
	for name, says := range map[string]string{
		"play":   "account play: find the account: unheard of",
		"hollow": "account hollow: the account has no host (set Account.Host, Socket or Mailer, or Config.Accounts to find accounts by name)",
	} {
		a := kaizen.Account{Name: name}
		_, sent := client.Send(t.Context(), a, note("1"))
		_, transport := client.Transport(t.Context(), a)
		for _, err := range []error{sent, transport, client.Verify(t.Context(), a), client.CloseAccount(t.Context(), a), client.Resume(t.Context(), a)} {
			if err == nil || err.Error() != says {
				t.Errorf("got  %v\nwant %s", err, says)
			}
		}
		if name == "play" && !errors.Is(sent, errUnheardOf) {
			t.Error("the resolver's error is lost")
		}
	}
}
