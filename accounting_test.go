package kaizen_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// account reaches a test server without limits of its own.
func account(s *smtptest.Server) kaizen.Account {
	a, err := kaizen.ParseURL("smtp://" + s.Addr() + "?tls=none&rate=none")
	if err != nil {
		panic(err)
	}
	a.DialContext = s.DialContext
	return a
}

// note is a small message with that Message-ID.
func note(id string, to ...string) *kaizen.Prepared {
	if len(to) == 0 {
		to = []string{"bob@example.net"}
	}
	return &kaizen.Prepared{
		Envelope:  kaizen.Envelope{From: "ann@example.com", To: smtp.To(to...)},
		Content:   smtp.Bytes([]byte("Message-ID: <" + id + ">\r\nSubject: note\r\n\r\n.A line that begins with a dot.\r\n")),
		MessageID: id,
	}
}

// outcomes counts what senders were told, by Message-ID.
type outcomes struct {
	mu   sync.Mutex
	told map[string]kaizen.Outcome
}

func (o *outcomes) note(id string, r *kaizen.Receipt, err error) {
	outcome := smtp.Accepted
	var e *kaizen.Error
	if errors.As(err, &e) {
		outcome = e.Outcome
	}
	if r != nil && r.Outcome != outcome && err == nil {
		panic("the receipt and the error contradict each other")
	}
	o.mu.Lock()
	o.told[id] = outcome
	o.mu.Unlock()
}

// sendMany sends n messages from that many goroutines.
func sendMany(t *testing.T, client *kaizen.Client, a kaizen.Account, n, senders int) map[string]kaizen.Outcome {
	t.Helper()
	o := outcomes{told: make(map[string]kaizen.Outcome)}
	ids := make(chan string, n)
	for i := range n {
		ids <- fmt.Sprintf("m%d@example.com", i)
	}
	close(ids)
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for id := range ids {
				r, err := client.Send(context.Background(), a, note(id))
				o.note(id, r, err)
				if errors.Is(err, kaizen.ErrConnect) || errors.Is(err, kaizen.ErrConnectionLimit) {
					// Else the senders, who do not wait, would run out of messages while
					// the client leaves the server alone for a moment.
					_ = client.Resume(context.Background(), a)
				}
			}
		})
	}
	wg.Wait()
	return o.told
}

// everywhere makes a server drop connections in all phases, now and then.
func everywhere() (faults []smtptest.Fault) {
	phases := []smtptest.Phase{smtptest.PhaseConnect, smtptest.PhaseGreeting, smtptest.PhaseEHLO, smtptest.PhaseMAIL,
		smtptest.PhaseRCPT, smtptest.PhaseDATA, smtptest.PhaseBody, smtptest.PhaseFinal, smtptest.PhaseAfterFinal, smtptest.PhaseRSET}
	for i, phase := range phases {
		faults = append(faults, smtptest.Fault{Phase: phase, Action: []smtptest.Action{smtptest.Drop, smtptest.Reset, smtptest.Vanish}[i%3], Octets: 40, Prob: 0.01})
	}
	faults[8].Action = smtptest.Drop // the message has arrived, its verdict is lost
	return append(faults, smtptest.Fault{Phase: smtptest.PhaseMAIL, Action: smtptest.Close421, Prob: 0.005})
}

// Whatever a server does to its connections, every message is accounted for:
// none that was reported not sent or rejected was accepted, every one reported
// accepted arrived once, and unknown are only those whose verdict was lost.
func TestDroppedConnections(t *testing.T) {
	t.Parallel()
	messages := 10_000
	if testing.Short() {
		messages = 1_000
	}
	for _, network := range []string{smtptest.TCP, smtptest.Memory} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			s := smtptest.NewServer(smtptest.Config{Network: network, Faults: everywhere(), Seed: 7})
			defer s.Close()
			client := kaizen.New(kaizen.Config{})
			told := sendMany(t, client, account(s), messages, 50)
			if err := client.Close(); err != nil {
				t.Error(err)
			}
			checkAccounts(t, s, told, messages)
		})
	}
}

func checkAccounts(t *testing.T, s *smtptest.Server, told map[string]kaizen.Outcome, messages int) {
	t.Helper()
	if len(told) != messages {
		t.Errorf("%d of %d messages are accounted for", len(told), messages)
	}
	arrived := s.Accepted()
	count := make(map[kaizen.Outcome]int)
	lost := 0
	for id, outcome := range told {
		count[outcome]++
		times := arrived["<"+id+">"].Times + arrived[id].Times
		switch {
		case outcome == smtp.Accepted && times != 1:
			t.Errorf("%s was reported accepted and arrived %d times", id, times)
		case (outcome == smtp.NotSent || outcome == smtp.Rejected) && times != 0:
			t.Errorf("%s was reported %v and arrived %d times", id, outcome, times)
		case outcome == smtp.Unknown && times > 1:
			t.Errorf("%s was reported unknown and arrived %d times", id, times)
		case outcome == smtp.Unknown && times == 1:
			lost++
		}
	}
	t.Logf("%v; of the unknown, %d arrived", count, lost)
	if count[smtp.Accepted] < messages*8/10 {
		t.Errorf("only %d of %d were accepted", count[smtp.Accepted], messages)
	}
}

// The server's own clock never sees more messages in a window than allowed,
// however many senders, connections, refusals and reconnects there are.
func TestRatesHoldOnTheServersClock(t *testing.T) {
	t.Parallel()
	const window, allowed = 200 * time.Millisecond, 40
	s := smtptest.NewServer(smtptest.Config{
		Latency: 5 * time.Millisecond,
		Limits:  smtptest.Limits{MessagesPerConnection: 60},
		Faults: []smtptest.Fault{
			{Phase: smtptest.PhaseRCPT, Action: smtptest.Answer, Reply: smtptest.Reply{Code: 550, Text: "5.1.1 no such user"}, Prob: 0.2},
			{Phase: smtptest.PhaseMAIL, Action: smtptest.Delay, Pause: 30 * time.Millisecond, Prob: 0.1},
			{Phase: smtptest.PhaseFinal, Action: smtptest.Drop, Prob: 0.05},
		},
	})
	defer s.Close()
	a := account(s)
	a.Limits = kaizen.Limits{Connections: 20, MessagesPerConnection: 50, Rates: []kaizen.Rate{{Count: allowed, Per: window}}}
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	sendMany(t, client, a, 1_000, 1_000)

	times := s.MailTimes()
	slices.SortFunc(times, time.Time.Compare)
	for i := allowed; i < len(times); i++ {
		if d := times[i].Sub(times[i-allowed]); d < window {
			t.Fatalf("%d messages within %v: message %d and %d", allowed+1, d, i-allowed, i)
		}
	}
	if stats := s.Stats(); stats.Peak > 20 || stats.MostMessages > 50 {
		t.Errorf("peak of %d connections, %d messages on one", stats.Peak, stats.MostMessages)
	}
	if len(times) < 1_000 {
		t.Errorf("the server saw %d messages", len(times))
	}
}

// A thousand sends with a wrong password knock at most twice.
func TestWrongPasswordIsTriedTwiceAtMost(t *testing.T) {
	t.Parallel()
	s := smtptest.NewServer(smtptest.Config{Auth: &smtptest.Auth{Users: map[string]string{"ann": "right"}}})
	defer s.Close()
	a := account(s)
	a.Username, a.Password = "ann", "wrong"
	client := kaizen.New(kaizen.Config{})
	defer client.Close()
	var wg sync.WaitGroup
	for i := range 1_000 {
		wg.Go(func() {
			_, err := client.Send(context.Background(), a, note(fmt.Sprint(i)))
			var e *kaizen.Error
			if !errors.Is(err, kaizen.ErrAuth) || !errors.As(err, &e) || e.Outcome != smtp.NotSent || e.Temporary() {
				t.Errorf("not told that the login failed: %v", err)
			}
		})
	}
	wg.Wait()
	if n := s.Stats().LoginsRefused; n > 2 || n == 0 {
		t.Errorf("%d logins were tried", n)
	}

	a.Password = "right"
	if _, err := client.Send(context.Background(), a, note("mended")); err != nil {
		t.Errorf("a changed password is not used: %v", err)
	}
}
