package kaizen_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// mailboxes are an LMTP server's: each content is asked about for each recipient.
type mailboxes struct {
	mu    sync.Mutex
	asked map[string]int // behind the content
	no    map[string]smtptest.Reply
	once  map[string]bool // no only the first time
}

func (m *mailboxes) reject(phase smtptest.Phase, arg string) *smtptest.Reply {
	if phase != smtptest.PhaseFinal {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.asked == nil {
		m.asked = make(map[string]int)
	}
	m.asked[arg]++
	r, no := m.no[arg]
	if !no || m.once[arg] && m.asked[arg] > 1 {
		return nil
	}
	return &r
}

var (
	mailboxFull = smtptest.Reply{Code: 452, Text: "4.2.2 <{arg}> Mailbox is full"}
	spam        = smtptest.Reply{Code: 550, Text: "5.7.1 <{arg}> Refused by a filter"}
)

// lmtpAccount is the account of a server that speaks LMTP.
func lmtpAccount(s *smtptest.Server) kaizen.Account {
	a := account(s)
	a.LMTP = true
	return a
}

// Each recipient has an outcome of its own, and the error names those who have
// not got the message.
func TestSendByLMTP(t *testing.T) {
	m := &mailboxes{no: map[string]smtptest.Reply{"p1@example.net": mailboxFull, "p3@example.net": spam}}
	bubble(t, smtptest.Config{LMTP: true, Reject: m.reject}, func(t *testing.T, s *smtptest.Server) {
		client := kaizen.New(kaizen.Config{})
		defer client.Close()
		for range 5 {
			r, err := client.Send(t.Context(), lmtpAccount(s), note("1", people(5)...))
			var e *kaizen.Error
			if !errors.As(err, &e) || len(e.Recipients) != 2 || e.Recipients[0].Reply.Code != 452 || e.Recipients[1].Reply.Code != 550 || !e.Temporary() || !e.SafeToRetry() {
				t.Fatalf("%v", err)
			}
			if !strings.Contains(err.Error(), "p1@example.net") || r.Outcome != smtp.Accepted || r.Recipients[4].Outcome != smtp.Accepted || r.Recipients[4].QueueID == "" {
				t.Errorf("%v, %+v", err, r)
			}
		}
		got := s.Accepted()["<1>"]
		if got.Times != 5 || len(got.Recipients) != 15 {
			t.Errorf("%+v", got)
		}
		if h := client.Health(); !h[0].LMTP || h[0].Condition != kaizen.Healthy {
			t.Errorf("%+v", h)
		}
		if err := client.Verify(t.Context(), lmtpAccount(s)); err != nil {
			t.Error(err)
		}
	})
}

// A refusal behind the content is about one recipient: the other parts of a
// message that is sent in parts go all the same.
func TestSendByLMTPInParts(t *testing.T) {
	m := &mailboxes{no: map[string]smtptest.Reply{"p0@example.net": spam, "p1@example.net": mailboxFull}}
	bubble(t, smtptest.Config{LMTP: true, Reject: m.reject, Limits: smtptest.Limits{RecipientsPerMessage: 2}}, func(t *testing.T, s *smtptest.Server) {
		client := kaizen.New(kaizen.Config{})
		defer client.Close()
		r, err := client.Send(t.Context(), lmtpAccount(s), note("1", people(5)...))
		var e *kaizen.Error
		if !errors.As(err, &e) || len(e.Recipients) != 2 {
			t.Fatalf("%v, %+v", err, r)
		}
		eachOnce(t, s, "1", people(5)[2:])
	})
}

// The port by default is LMTP's, of further servers too.
func TestLMTPServers(t *testing.T) {
	t.Parallel()
	a, err := kaizen.ParseURL("lmtp://one.example.com?server=two.example.com,three.example.com:2003,one.example.com:24")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range a.AllServers() {
		got = append(got, s.Address())
	}
	if s := strings.Join(got, " "); s != "one.example.com:24 two.example.com:24 three.example.com:2003" {
		t.Error(s)
	}
}

// SMTP and LMTP are two ways to a server and share no connection.
func TestLMTPSharesNoConnection(t *testing.T) {
	bubble(t, smtptest.Config{LMTP: true}, func(t *testing.T, s *smtptest.Server) {
		client := kaizen.New(kaizen.Config{})
		defer client.Close()
		if _, err := client.Send(t.Context(), lmtpAccount(s), note("1")); err != nil {
			t.Fatal(err)
		}
		if _, err := client.Send(t.Context(), account(s), note("2")); err == nil || !strings.Contains(err.Error(), "speaks LMTP") {
			t.Error(err)
		}
	})
}

// The queue tries again for those who were told to come later, and for nobody else.
func TestQueueByLMTP(t *testing.T) {
	m := &mailboxes{no: map[string]smtptest.Reply{"p1@example.net": mailboxFull, "p2@example.net": spam}, once: map[string]bool{"p1@example.net": true}}
	bubble(t, smtptest.Config{LMTP: true, Reject: m.reject}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), nil)
		defer o.close()
		o.accounts.set("mail", lmtpAccount(s))
		o.run()
		id := o.enqueue("mail", note("1", people(4)...), kaizen.EnqueueOptions{})
		pass(time.Second)
		d := o.wants(id, queue.Queued)
		want := []queue.State{queue.Sent, queue.Queued, queue.Failed, queue.Sent}
		for i, r := range d.Recipients {
			if r.State != want[i] {
				t.Errorf("%s is %v, want %v", r.Address, r.State, want[i])
			}
		}
		if said := d.History[0].Attempt.Transcript; !strings.Contains(said, "> . for p1@example.net\n< 452 4.2.2") || strings.Contains(said, "RCPT") {
			t.Error(said)
		}
		pass(time.Minute)
		d = o.wants(id, queue.Failed)
		if d.Attempts != 2 || d.Recipients[1].State != queue.Sent || m.asked["p2@example.net"] != 1 {
			t.Errorf("%+v; asked %v", d, m.asked)
		}
		eachOnce(t, s, "1", []string{"p0@example.net", "p1@example.net", "p3@example.net"})
	})
}

// The connection is lost among the replies: what was read stands, and only the
// rest is in doubt.
func TestQueueByLMTPInDoubt(t *testing.T) {
	lost := smtptest.Fault{Phase: smtptest.PhaseAfterFinal, Action: smtptest.Drop, Nth: 3}
	for _, policy := range []queue.Policy{queue.Hold, queue.Never, queue.Retry} {
		t.Run(policy.String(), func(t *testing.T) {
			bubble(t, smtptest.Config{LMTP: true, Faults: []smtptest.Fault{lost}}, func(t *testing.T, s *smtptest.Server) {
				o := open(t, memory.New(), nil)
				defer o.close()
				o.accounts.set("mail", lmtpAccount(s))
				o.run()
				id := o.enqueue("mail", note("1", people(4)...), kaizen.EnqueueOptions{Unknown: policy})
				pass(time.Minute)
				state, rest, times := queue.Held, queue.Queued, 1
				switch policy {
				case queue.Never:
					state, rest = queue.Failed, queue.Failed
				case queue.Retry:
					state, rest, times = queue.Sent, queue.Sent, 2
				}
				d := o.wants(id, state)
				for i, r := range d.Recipients {
					if want := []queue.State{queue.Sent, queue.Sent, rest, rest}[i]; r.State != want {
						t.Errorf("%s is %v, want %v", r.Address, r.State, want)
					}
				}
				got := map[string]int{}
				for _, address := range s.Accepted()["<1>"].Recipients {
					got[address]++
				}
				if got["p0@example.net"] != 1 || got["p1@example.net"] != 1 || got["p2@example.net"] != times || got["p3@example.net"] != times {
					t.Errorf("arrived %v", got)
				}
			})
		})
	}
}

// The same by SMTP, where a recipient is refused at RCPT.
func TestQueueWithARecipientWhoWantsALogin(t *testing.T) {
	r := &rcpts{no: func(address string, _ int) *smtptest.Reply {
		if address == "p1@example.net" {
			return &smtptest.Reply{Code: 530, Text: "5.7.0 Authentication required"}
		}
		return nil
	}}
	bubble(t, smtptest.Config{Reject: r.reject}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"relay": s})
		defer o.close()
		o.run()
		o.enqueue("relay", note("1", people(2)...), kaizen.EnqueueOptions{})
		pass(time.Minute)
		if err := o.client.Resume(t.Context(), kaizen.Account{Name: "relay"}); err != nil {
			t.Fatal(err)
		}
		pass(time.Minute)
		eachOnce(t, s, "1", people(1))
	})
}

// Whatever is in the way of one recipient, a job that others have is not sent to
// them again.
func TestQueueByLMTPWithAnAccountsTrouble(t *testing.T) {
	for _, reply := range []smtptest.Reply{{Code: 530, Text: "5.7.0 Authentication required"}, {Code: 421, Text: "4.3.2 Too many connections"}, {Code: 452, Text: "4.7.0 Daily sending quota exceeded"}} {
		t.Run(reply.String(), func(t *testing.T) {
			m := &mailboxes{no: map[string]smtptest.Reply{"p1@example.net": reply}}
			bubble(t, smtptest.Config{LMTP: true, Reject: m.reject}, func(t *testing.T, s *smtptest.Server) {
				o := open(t, memory.New(), nil)
				defer o.close()
				o.accounts.set("mail", lmtpAccount(s))
				o.run()
				o.enqueue("mail", note("1", people(2)...), kaizen.EnqueueOptions{})
				pass(time.Minute)
				if err := o.client.Resume(t.Context(), kaizen.Account{Name: "mail"}); err != nil {
					t.Fatal(err)
				}
				pass(time.Hour)
				eachOnce(t, s, "1", people(1))
			})
		})
	}
}
