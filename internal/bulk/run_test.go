package bulk_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/internal/bulk"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func fault(t *testing.T, text string) smtptest.Fault {
	t.Helper()
	f, err := smtptest.ParseFault(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func faults(t *testing.T, texts ...string) (list []smtptest.Fault) {
	for _, text := range texts {
		list = append(list, fault(t, text))
	}
	return list
}

func TestEverybodyGetsIt(t *testing.T) {
	bubble(t, smtptest.Config{KeepMessages: true}, func(t *testing.T, s *smtptest.Server) {
		c := newCampaign(t, 100, s)
		p := c.mustRun()
		c.eachOnce(100, s)
		if p.Rows.Load() != 100 || p.Accepted.Load() != 100 || p.InFlight.Load() != 0 {
			t.Errorf("%d rows, %d accepted, %d in flight", p.Rows.Load(), p.Accepted.Load(), p.InFlight.Load())
		}
		for _, m := range s.Messages() {
			name := strings.Replace(strings.TrimSuffix(m.To[0].Address, "@example.org"), "p", "Person ", 1)
			if text := string(m.Data); !strings.Contains(text, "Subject: To "+name+"\r\n") || !strings.HasSuffix(text, "\r\n\r\nDear "+name+"\r\n") {
				t.Errorf("%v got\n%s", m.To, text)
			}
		}
		for _, line := range c.resultLines()[1:] {
			if line[2] != "accepted" || !strings.HasPrefix(line[3], "250 ") || line[4] == "" || line[6] == "" || line[8] != "" {
				t.Errorf("%q", line)
			}
		}
	})
}

func TestASecondRunSendsNothing(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		c := newCampaign(t, 20, s)
		c.mustRun()
		c.table = strings.ReplaceAll(c.table, "Person", "Mr") + "new@example.org,Ms New\nP1@Example.org,a twin\n"
		p := c.mustRun()
		if got := received(s); got["new@example.org"] != 1 || len(got) != 22 || p.Finished.Load() != 20 || p.Rows.Load() != 22 {
			t.Errorf("finished %d, rows %d, received %v", p.Finished.Load(), p.Rows.Load(), got)
		}
	})
}

func TestTwinsCanBeLeftOut(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		c := newCampaign(t, 5, s)
		c.table += "P5@EXAMPLE.ORG,Twin\n"
		c.config.Unique = true
		if p := c.mustRun(); p.Twins.Load() != 1 {
			t.Errorf("%d twins", p.Twins.Load())
		}
		c.eachOnce(5, s)
	})
}

func TestInterruptedRunIsResumed(t *testing.T) {
	bubble(t, smtptest.Config{Latency: 20 * time.Millisecond}, func(t *testing.T, s *smtptest.Server) {
		c := newCampaign(t, 200, s)
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			err := c.run(ctx)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		if n := len(received(s)); n == 0 || n >= 200 {
			t.Fatalf("%d received: not interrupted in the middle", n)
		}
		c.mustRun()
		c.eachOnce(200, s)
		if got := c.results(); len(got) != 200 || got["p7@example.org"] != "accepted" {
			t.Errorf("%d results", len(got))
		}
	})
}

func TestGreylistingIsWaitedFor(t *testing.T) {
	bubble(t, smtptest.Config{Faults: faults(t, "rcpt:reply=450 4.2.0 Greylisted, see you later:1st", "final:reply=451 4.3.0 Busy:3rd")},
		func(t *testing.T, s *smtptest.Server) {
			c := newCampaign(t, 10, s)
			began := time.Now()
			p := c.mustRun()
			c.eachOnce(10, s)
			if took := time.Since(began); p.Retried.Load() != 2 || took < 24*time.Second || took > time.Minute {
				t.Errorf("%d tried again, took %v", p.Retried.Load(), took)
			}
		})
}

func TestRefusedForNowIsGivenUpAndResumed(t *testing.T) {
	bubble(t, smtptest.Config{Faults: faults(t, "rcpt:reply=450 4.2.0 Not now:1st", "rcpt:reply=450 4.2.0 Not now:3rd")},
		func(t *testing.T, s *smtptest.Server) {
			c := newCampaign(t, 2, s)
			c.config.Servers[0].Account.Limits.Connections = 1
			c.config.Tries = 2
			if p := c.mustRun(); p.Deferred.Load() != 1 || p.Accepted.Load() != 1 {
				t.Errorf("%d deferred, %d accepted", p.Deferred.Load(), p.Accepted.Load())
			}
			if told := fmt.Sprint(c.results()); strings.Count(told, "deferred") != 1 {
				t.Error(told)
			}
			c.mustRun()
			c.eachOnce(2, s)
			if told := fmt.Sprint(c.results()); strings.Count(told, "accepted") != 2 {
				t.Error(told)
			}
		})
}

func TestRefusedForGoodIsFinal(t *testing.T) {
	reject := func(phase smtptest.Phase, arg string) *smtptest.Reply {
		if phase == smtptest.PhaseRCPT && strings.HasPrefix(arg, "p2@") {
			return &smtptest.Reply{Code: 550, Text: "5.1.1 No such user"}
		}
		return nil
	}
	bubble(t, smtptest.Config{Reject: reject}, func(t *testing.T, s *smtptest.Server) {
		c := newCampaign(t, 3, s)
		if p := c.mustRun(); p.Rejected.Load() != 1 || p.Accepted.Load() != 2 {
			t.Errorf("%d rejected", p.Rejected.Load())
		}
		mails := s.Stats().Mails
		c.mustRun()
		if s.Stats().Mails != mails {
			t.Error("a refused row was sent again")
		}
		if line := c.resultLines()[2]; line[1] != "p2@example.org" || line[2] != "rejected" || line[3] != "550 5.1.1 No such user" {
			t.Errorf("%q", line)
		}
		c.config.Again.Rejected = true
		c.mustRun()
		if s.Stats().Mails != mails+1 {
			t.Errorf("%d instead of 1 row sent again on request", s.Stats().Mails-mails)
		}
	})
}

func TestOnlyThoseWhoLackItGetItAgain(t *testing.T) {
	bubble(t, smtptest.Config{Faults: faults(t, "rcpt:reply=450 4.2.0 Not now:2nd")}, func(t *testing.T, s *smtptest.Server) {
		c := newCampaign(t, 1, s)
		c.letter.Cc = "c1@example.org, c2@example.org"
		c.mustRun()
		for address, n := range received(s) {
			if n != 1 {
				t.Errorf("%s got it %d times", address, n)
			}
		}
		if got := c.results(); len(got) != 3 || got["c1@example.org"] != "accepted" {
			t.Errorf("%v", got)
		}
	})
}

func TestBadRowsHoldUpNobody(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		c := newCampaign(t, 3, s)
		c.table += "not an address,Nobody\n,Nobody\np4@example.org,Ann\n"
		c.letter.Attach = []string{`{{if eq .name "Person 2"}}no such file{{end}}`}
		p := c.mustRun()
		if got := received(s); len(got) != 3 || p.Bad.Load() != 3 || p.Rows.Load() != 6 {
			t.Errorf("%v; %d bad of %d", got, p.Bad.Load(), p.Rows.Load())
		}
		told := fmt.Sprint(c.resultLines())
		for _, want := range []string{`[2 p2@example.org not sent   2`, "no such file", `to "not an address" is not a list of addresses`, "no recipients"} {
			if !strings.Contains(told, want) {
				t.Errorf("the results lack %q:\n%s", want, told)
			}
		}
		c.letter.Attach = nil
		c.mustRun()
		if got := received(s); got["p2@example.org"] != 1 || len(got) != 4 {
			t.Errorf("after the repair: %v", got)
		}
	})
}

func TestUnknownIsListedNotGuessed(t *testing.T) {
	bubble(t, smtptest.Config{Faults: faults(t, "after-final:reset:2nd")}, func(t *testing.T, s *smtptest.Server) {
		c := newCampaign(t, 5, s)
		c.config.Servers[0].Account.Limits.Connections = 1
		if p := c.mustRun(); p.Unknown.Load() != 1 || p.Accepted.Load() != 4 {
			t.Errorf("%d unknown, %d accepted", p.Unknown.Load(), p.Accepted.Load())
		}
		c.mustRun()
		c.eachOnce(5, s)
		history, err := bulk.ReadHistory(c.journal)
		if err != nil {
			t.Fatal(err)
		}
		doubt := history.InDoubt()
		if len(doubt) != 1 {
			t.Fatalf("in doubt: %v", doubt)
		}
		c.config.Again.Unknown = true
		c.mustRun()
		accepted := s.Accepted()
		twice := 0
		for _, a := range accepted {
			if a.Times == 2 {
				twice++
			}
		}
		if len(accepted) != 5 || twice != 1 || received(s)[doubt[0].Address] != 2 {
			t.Errorf("sent again on request: %d Message-IDs, %d of them twice: %v", len(accepted), twice, received(s))
		}
	})
}

func TestAServerThatComesBack(t *testing.T) {
	var list []smtptest.Fault
	for i := range 8 {
		list = append(list, fault(t, fmt.Sprintf("greeting:421=421 4.3.2 Going away:%dth", i+1)))
	}
	bubble(t, smtptest.Config{Faults: list}, func(t *testing.T, s *smtptest.Server) {
		c := newCampaign(t, 50, s)
		p := c.mustRun()
		c.eachOnce(50, s)
		if p.Retried.Load() != 0 {
			t.Error("the server's trouble was counted against rows")
		}
	})
}

func TestAServerThatStaysAway(t *testing.T) {
	bubble(t, smtptest.Config{Faults: faults(t, "connect:drop")}, func(t *testing.T, s *smtptest.Server) {
		c := newCampaign(t, 50, s)
		began := time.Now()
		err := c.run(t.Context())
		if took := time.Since(began); !errors.Is(err, kaizen.ErrConnect) || took < 10*time.Minute || took > 15*time.Minute {
			t.Errorf("%v after %v", err, took)
		}
		if c.config.Progress.Rows.Load() != 0 || len(c.results()) != 0 {
			t.Error("rows were given up with the server")
		}
	})
}

func TestAWrongPasswordEndsTheRun(t *testing.T) {
	users := &smtptest.Auth{Users: map[string]string{"ann": "right"}, Required: true}
	bubble(t, smtptest.Config{Auth: users}, func(t *testing.T, s *smtptest.Server) {
		c := newCampaign(t, 50, s)
		account := &c.config.Servers[0].Account
		account.Username, account.Password = "ann", "wrong"
		if err := c.run(t.Context()); !errors.Is(err, kaizen.ErrAuth) {
			t.Errorf("got %v", err)
		}
		if n := s.Stats().LoginsRefused; n > 2 {
			t.Errorf("%d logins tried", n)
		}
		account.Password = "right"
		c.mustRun()
		c.eachOnce(50, s)
	})
}

func TestABrokenHandshakeIsNoRefusal(t *testing.T) {
	config := smtptest.Config{TLS: smtptest.TLSStartTLS, Faults: faults(t, "tls:reset:1st", "tls:drop:2nd", "starttls:vanish:3rd", "starttls:vanish:4th")}
	bubble(t, config, func(t *testing.T, s *smtptest.Server) {
		c := newCampaign(t, 20, s)
		account := &c.config.Servers[0].Account
		account.TLS = smtp.TLSStartTLS
		if err := c.run(t.Context()); !errors.Is(err, kaizen.ErrTLS) {
			t.Errorf("with a certificate nobody trusts: %v", err)
		}
		account.TLSConfig = s.ClientTLS()
		c.mustRun()
		c.eachOnce(20, s)
	})
}

func TestAUsedUpAllowanceLeavesTheRestToOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		full := memoryServer(t, smtptest.Config{Faults: faults(t, "mail:reply=550 5.4.5 Daily sending quota exceeded")})
		open := memoryServer(t, smtptest.Config{Name: "open.example.com"})
		c := newCampaign(t, 50, full, open)
		c.config.Servers[0].Account.Name = "full"
		c.mustRun()
		c.eachOnce(50, open)
	})
}

func TestWeightsAreShares(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a, b := memoryServer(t, smtptest.Config{Latency: 50 * time.Millisecond}), memoryServer(t, smtptest.Config{})
		c := newCampaign(t, 400, a, b)
		c.config.Servers[0].Weight, c.config.Servers[1].Weight = 3, 1
		c.config.Servers[0].Account.Name, c.config.Servers[1].Account.Name = "a", "b"
		c.mustRun()
		c.eachOnce(400, a, b)
		if n := a.Stats().Accepted; n != 300 {
			t.Errorf("the slow server of weight 3 took %d of 400", n)
		}
	})
}

func TestNobodyAccepted(t *testing.T) {
	bubble(t, smtptest.Config{Faults: faults(t, "rcpt:reply=550 5.7.1 We do not like you")}, func(t *testing.T, s *smtptest.Server) {
		c := newCampaign(t, 500, s)
		c.config.MaxFailures = 20
		if err := c.run(t.Context()); !errors.Is(err, bulk.ErrTooManyFailures) {
			t.Errorf("got %v", err)
		}
		if n := s.Stats().Mails; n > 40 {
			t.Errorf("%d rows were burned", n)
		}
	})
}

// What has been begun and not settled is what a kill leaves unknown.
func TestFewAreBegunAtOnce(t *testing.T) {
	bubble(t, smtptest.Config{Latency: time.Millisecond, Faults: faults(t, "final:stall:50th", "final:stall:80th")}, func(t *testing.T, s *smtptest.Server) {
		c := newCampaign(t, 200, s)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- c.run(ctx) }()
		time.Sleep(5 * time.Second)
		synctest.Wait()
		text, err := os.ReadFile(c.journal)
		if err != nil {
			t.Fatal(err)
		}
		open := strings.Count(string(text), `"event":"begin"`) - strings.Count(string(text), `"event":"result"`)
		if open != 2 {
			t.Errorf("%d begun without a result, want one on each of 2 stalled connections", open)
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if got := c.results(); len(got) == 0 {
			t.Error("no results")
		}
	})
}

func TestWithoutAJournalNothingIsSent(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		c := newCampaign(t, 10, s)
		letter, err := bulk.NewLetter(c.letter)
		if err != nil {
			t.Fatal(err)
		}
		table, _ := bulk.CSV(strings.NewReader(c.table), 0)
		journal, err := bulk.Create(c.journal, "test", "")
		if err != nil {
			t.Fatal(err)
		}
		if err := journal.Close(); err != nil { // as good as a full disk
			t.Fatal(err)
		}
		err = bulk.Run(t.Context(), bulk.Config{Table: table, Letter: letter, Journal: journal, Servers: c.config.Servers})
		var e *bulk.JournalError
		if !errors.As(err, &e) || s.Stats().Accepted != 0 {
			t.Errorf("%v; %d accepted", err, s.Stats().Accepted)
		}
	})
}

func TestABrokenTableEndsTheRunWhereItBreaks(t *testing.T) {
	bubble(t, smtptest.Config{}, func(t *testing.T, s *smtptest.Server) {
		c := newCampaign(t, 10, s)
		whole := c.table
		c.table += "one,two,three\np11@example.org,Person 11\n"
		var e *bulk.TableError
		if err := c.run(t.Context()); !errors.As(err, &e) || e.Line != 12 {
			t.Errorf("got %v", err)
		}
		c.eachOnce(10, s)
		c.table = whole
		c.mustRun()
		c.eachOnce(10, s)
	})
}
