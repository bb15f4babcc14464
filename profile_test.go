package kaizen_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// profiled is the Config of a provider and an account there that keeps to its
// limits.
func profiled(t *testing.T, name string) (smtptest.Config, kaizen.Limits) {
	t.Helper()
	config, err := smtptest.Profile(name)
	if err != nil {
		t.Fatal(err)
	}
	limits := kaizen.Limits{Connections: config.Limits.Connections, Rates: kaizen.NoRate()}
	if limits.Connections == 0 || limits.Connections > 5 {
		limits.Connections = 5
	}
	if r := config.Limits.Rate; r.N > 0 {
		limits.Rates = []kaizen.Rate{{Count: r.N, Per: r.Per}}
	}
	return config, limits
}

// at is an account on that server.
func at(s *smtptest.Server, limits kaizen.Limits) kaizen.Account {
	return kaizen.Account{Host: "localhost", Port: 587, Username: "ann", Password: "secret",
		TLSConfig: s.ClientTLS(), DialContext: s.DialContext, Limits: limits}
}

// Every provider takes a login and 20 messages, each under its own queue id,
// and its limits hold: where a connection takes 10 messages, more are opened.
func TestProfilesTakeMessages(t *testing.T) {
	t.Parallel()
	for _, name := range smtptest.Profiles() {
		t.Run(name, func(t *testing.T) {
			config, limits := profiled(t, name)
			bubble(t, config, func(t *testing.T, s *smtptest.Server) {
				client := kaizen.New(kaizen.Config{})
				defer client.Close()
				ids := sendForIDs(t, client, at(s, limits), 20)
				if want := 20; name == "mailgun" { // which tells none
					if len(ids) != 1 || ids[""] != 20 {
						t.Errorf("queue ids %v", ids)
					}
				} else if len(ids) != want || ids[""] > 0 {
					t.Errorf("%d queue ids: %v", len(ids), ids)
				}
				keepsLimits(t, s, config.Limits)
			})
		})
	}
}

// sendForIDs sends n messages at once and counts the queue ids they got.
func sendForIDs(t *testing.T, client *kaizen.Client, a kaizen.Account, n int) map[string]int {
	t.Helper()
	var mu sync.Mutex
	ids := map[string]int{}
	var senders sync.WaitGroup
	for i := range n {
		senders.Go(func() {
			receipt, err := client.Send(context.Background(), a, note(fmt.Sprint(i)))
			if err != nil {
				t.Errorf("message %d: %v", i, err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			ids[receipt.Transactions[0].QueueID]++
		})
	}
	senders.Wait()
	return ids
}

func keepsLimits(t *testing.T, s *smtptest.Server, limits smtptest.Limits) {
	t.Helper()
	stats := s.Stats()
	if stats.Accepted != 20 || stats.LoginsAccepted == 0 || stats.LoginsRefused > 0 {
		t.Errorf("%+v", stats)
	}
	if most := limits.MessagesPerConnection; most > 0 && stats.MostMessages > most {
		t.Errorf("%d messages on a connection", stats.MostMessages)
	}
	if most := limits.Connections; most > 0 && stats.Peak > most {
		t.Errorf("%d connections at once", stats.Peak)
	}
	for _, tally := range s.Accepted() {
		if tally.Times != 1 {
			t.Errorf("%+v", tally)
		}
	}
	times := s.MailTimes()
	for i, n := 0, limits.Rate.N; n > 0 && i+n < len(times); i++ {
		if times[i+n].Sub(times[i]) < limits.Rate.Per {
			t.Errorf("more than %d messages in %v", n, limits.Rate.Per)
		}
	}
}

// A connection that has had its fill is replaced, also where the provider's
// number is smaller than the client's: nothing is refused or sent twice.
func TestProfilesReplaceConnections(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"stalwart", "opensmtpd", "ses", "exim", "sendgrid"} {
		t.Run(name, func(t *testing.T) {
			config, limits := profiled(t, name)
			config.Limits.MessagesPerConnection = 3
			bubble(t, config, func(t *testing.T, s *smtptest.Server) {
				client := kaizen.New(kaizen.Config{})
				defer client.Close()
				limits.Connections = 2
				sendAll(t, client, at(s, limits), 20)
				keepsLimits(t, s, config.Limits)
				if n := s.Stats().Connections; n < 7 {
					t.Errorf("20 messages, 3 each, went over %d connections", n)
				}
			})
		})
	}
}

// A password that a provider does not take is asked for once.
func TestProfilesRefuseLogins(t *testing.T) {
	t.Parallel()
	for _, name := range smtptest.Profiles() {
		t.Run(name, func(t *testing.T) {
			config, limits := profiled(t, name)
			config.Auth.AnySecret, config.Auth.Users = false, map[string]string{"ann": "another"}
			bubble(t, config, func(t *testing.T, s *smtptest.Server) {
				client := kaizen.New(kaizen.Config{})
				defer client.Close()
				for range 3 {
					_, err := client.Send(t.Context(), at(s, limits), note("1"))
					if !errors.Is(err, kaizen.ErrAuth) {
						t.Errorf("%v", err)
					}
				}
			})
		})
	}
}

// An idle connection that the provider closes costs no message: SES after 10 s.
func TestProfileClosesIdleConnections(t *testing.T) {
	config, limits := profiled(t, "ses")
	bubble(t, config, func(t *testing.T, s *smtptest.Server) {
		client := kaizen.New(kaizen.Config{})
		defer client.Close()
		for i := range 3 {
			if _, err := client.Send(t.Context(), at(s, limits), note(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
			<-time.After(30 * time.Second)
		}
		if stats := s.Stats(); stats.Accepted != 3 || stats.Connections != 3 {
			t.Errorf("%+v", stats)
		}
	})
}

// Exchange Online refuses what comes over a fourth connection, for now and at
// the end. The client makes do with fewer connections from then on.
func TestProfileOfTooManyConnections(t *testing.T) {
	config, limits := profiled(t, "office365")
	limits.Connections = 5
	config.Limits.Rate = smtptest.Rate{}
	bubble(t, config, func(t *testing.T, s *smtptest.Server) {
		client := kaizen.New(kaizen.Config{})
		defer client.Close()
		limits.Rates = kaizen.NoRate()
		var mu sync.Mutex
		var senders sync.WaitGroup
		refused := 0
		for i := range 50 {
			senders.Go(func() {
				_, err := client.Send(context.Background(), at(s, limits), note(fmt.Sprint(i)))
				if err == nil {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				refused++
				var e *kaizen.Error
				if !errors.As(err, &e) || !errors.Is(err, kaizen.ErrConnectionLimit) || !e.Temporary() {
					t.Errorf("message %d: %v", i, err)
				}
			})
		}
		senders.Wait()
		if accepted := s.Stats().Accepted; accepted+refused != 50 || refused == 0 || refused > 10 {
			t.Errorf("%d accepted, %d refused", accepted, refused)
		}
		sendAll(t, client, at(s, limits), 20)
	})
}
