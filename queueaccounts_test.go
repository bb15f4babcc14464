package kaizen_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/memory"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// allOnce wants jobs sent in one attempt each, and nothing to have arrived twice.
func (o *office) allOnce(s *smtptest.Server, ids []queue.ID) {
	o.Helper()
	for _, id := range ids {
		d := o.wants(id, queue.Sent)
		if d.Attempts != 1 || len(d.History) != 1 || s.Accepted()["<"+d.MessageID+">"].Times != 1 {
			o.Errorf("%d attempts, arrived %d times: %+v", d.Attempts, s.Accepted()["<"+d.MessageID+">"].Times, d.History)
		}
	}
}

// A server that cannot be reached for an hour costs no attempts; when it is back,
// everything goes soon.
func TestQueueOutage(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		var back atomic.Bool
		var dials atomic.Int64
		a := account(s)
		a.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			dials.Add(1)
			if !back.Load() {
				return nil, errors.New("connection refused")
			}
			return s.DialContext(ctx, network, address)
		}
		o.accounts.set("ses", a)
		o.run()
		ids := o.put(letters("ses", "m", 100)...)
		pass(time.Hour)
		for _, id := range ids {
			if d := o.wants(id, queue.Queued); d.Attempts != 0 || len(d.History) != 0 {
				t.Fatalf("%+v", d)
			}
		}
		if n := dials.Load(); n > 330 { // every 11 s or so
			t.Errorf("%d dials in an hour", n)
		}
		back.Store(true)
		pass(3 * time.Minute)
		o.allOnce(s, ids)
	})
}

// A refused login stops its own lane alone, and is tried once. A new password, or
// Resume, lets the lane go on.
func TestQueueRefusedLogin(t *testing.T) {
	t.Parallel()
	for _, resume := range []bool{false, true} {
		t.Run(fmt.Sprint("resume ", resume), func(t *testing.T) {
			var open535 atomic.Bool
			config := smtptest.Config{Auth: &smtptest.Auth{BeforeTLS: true, Mechanisms: []string{"PLAIN"}, Users: map[string]string{"ann": "right"},
				Verdict: func(string, string) *smtptest.Reply {
					if resume && !open535.Load() {
						return &smtptest.Reply{Code: 535, Text: "5.7.8 Not yet"}
					}
					return nil
				}}}
			bubble(t, config, func(t *testing.T, s *smtptest.Server) {
				o := open(t, memory.New(), map[string]*smtptest.Server{"other": s})
				defer o.close()
				a := account(s)
				a.Username, a.Password = "ann", "wrong"
				if resume {
					a.Password = "right"
				}
				o.accounts.set("ses", a)
				o.run()
				ids := o.put(letters("ses", "m", 50)...)
				others := o.put(letters("other", "o", 50)...)
				pass(time.Hour)
				if n := s.Stats().LoginsRefused; n != 1 {
					t.Errorf("%d logins were tried", n)
				}
				o.allOnce(s, others)
				for _, id := range ids {
					if d := o.wants(id, queue.Queued); d.Attempts != 0 || len(d.History) != 0 {
						t.Fatalf("%+v", d)
					}
				}
				open535.Store(true)
				if resume {
					if err := o.client.Resume(context.Background(), kaizen.Account{Name: "ses"}); err != nil {
						t.Error(err)
					}
				} else {
					a.Password = "right"
					o.accounts.set("ses", a)
				}
				pass(5 * time.Second)
				o.allOnce(s, ids)
			})
		})
	}
}

// What is queued for an account that does not exist waits for it.
func TestQueueUnknownAccount(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), nil)
		defer o.close()
		o.run()
		id := o.enqueue("later", note("1"), kaizen.EnqueueOptions{})
		pass(time.Hour)
		o.wants(id, queue.Queued)
		o.accounts.set("later", account(s))
		pass(3 * time.Second)
		o.allOnce(s, []queue.ID{id})
	})
}

// An allowance that is used up stops the lane until it is renewed; one message at a
// time asks.
func TestQueueQuota(t *testing.T) {
	config := smtptest.Config{Limits: smtptest.Limits{Quota: smtptest.Rate{N: 20, Per: time.Hour,
		Reply: smtptest.Reply{Code: 454, Text: "4.7.0 Throttling failure: Daily message quota exceeded."}}}}
	bubble(t, config, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		o.run()
		ids := o.put(letters("ses", "m", 50)...)
		pass(40 * time.Minute)
		if st := s.Stats(); st.Accepted != 20 || st.Mails > 40 {
			t.Errorf("%+v", st)
		}
		pass(150 * time.Minute)
		if st := s.Stats(); st.Accepted != 50 || st.Mails > 90 {
			t.Errorf("%+v", st)
		}
		for _, id := range ids {
			if d := o.wants(id, queue.Sent); s.Accepted()["<"+d.MessageID+">"].Times != 1 {
				t.Errorf("%+v", d)
			}
		}
	})
}

// Servers that say 421 now and then, or take few connections, get everything once.
func TestQueueCrowdedServers(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]smtptest.Config{
		"421 at MAIL":   {Faults: []smtptest.Fault{{Phase: smtptest.PhaseMAIL, Action: smtptest.Close421, Prob: 0.2}}},
		"421 at first":  {Faults: []smtptest.Fault{{Phase: smtptest.PhaseGreeting, Action: smtptest.Close421, Prob: 0.3}}},
		"2 connections": {Limits: smtptest.Limits{Connections: 2, MessagesPerConnection: 5}},
		"drops":         {Faults: []smtptest.Fault{{Phase: smtptest.PhaseBody, Octets: 20, Action: smtptest.Drop, Prob: 0.2}}},
		"rate":          {Limits: smtptest.Limits{Rate: smtptest.Rate{N: 5, Per: time.Second, Reply: smtptest.Reply{Code: 454, Text: "4.7.0 Throttling failure: Maximum sending rate exceeded."}}}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, config, func(t *testing.T, s *smtptest.Server) {
				o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
				defer o.close()
				o.run()
				ids := o.put(letters("ses", "m", 200)...)
				pass(time.Hour)
				for _, id := range ids {
					d := o.wants(id, queue.Sent)
					if n := s.Accepted()["<"+d.MessageID+">"].Times; n != 1 {
						t.Errorf("%s arrived %d times: %+v", d.MessageID, n, d)
					}
				}
			})
		})
	}
}

// A server that greylists has its way: the message is back when it may be.
func TestQueueGreylisting(t *testing.T) {
	r := &rcpts{}
	config := smtptest.Config{Reject: func(phase smtptest.Phase, arg string) *smtptest.Reply {
		reply := r.reject(phase, arg)
		if phase == smtptest.PhaseRCPT && time.Since(r.at[0]) < 5*time.Minute {
			return &smtptest.Reply{Code: 451, Text: "4.7.1 Greylisted, please come back in 5 minutes"}
		}
		return reply
	}}
	bubble(t, config, func(t *testing.T, s *smtptest.Server) {
		o := open(t, memory.New(), map[string]*smtptest.Server{"ses": s})
		defer o.close()
		o.run()
		id := o.enqueue("ses", note("1"), kaizen.EnqueueOptions{})
		pass(6 * time.Minute)
		if d := o.wants(id, queue.Sent); d.Attempts != 2 {
			t.Errorf("%+v", d)
		}
	})
}

// A message that wants of the server what it does not have fails, and is not tried
// all the time.
func TestQueueServerLacksWhatIsNeeded(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*kaizen.Prepared){
		"REQUIRETLS": func(m *kaizen.Prepared) { m.Envelope.RequireTLS = true },
		"SMTPUTF8":   func(m *kaizen.Prepared) { m.Content.RequireSMTPUTF8() },
		"address":    func(m *kaizen.Prepared) { m.Envelope.To[0].Address = "grün@example.net" },
		"BINARYMIME": func(m *kaizen.Prepared) {
			m.Binary, m.Content = true, smtp.Bytes([]byte("Content-Transfer-Encoding: binary\r\n\r\nx\x00\n"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, smtptest.Config{Extensions: smtptest.NoExtensions()}, func(t *testing.T, s *smtptest.Server) {
				store := hook(memory.New(), nil)
				o := open(t, store, map[string]*smtptest.Server{"ses": s})
				defer o.close()
				o.run()
				m := note("1")
				change(m)
				id := o.enqueue("ses", m, kaizen.EnqueueOptions{})
				o.put(letters("ses", "m", 20)...)
				pass(time.Minute)
				if d := o.wants(id, queue.Failed); d.Attempts != 1 || d.History[0].Attempt.Error == "" {
					t.Errorf("%+v", d)
				}
				if n := store.called("claim"); n > 100 {
					t.Errorf("%d claims", n)
				}
			})
		})
	}
}
