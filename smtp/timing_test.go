package smtp_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// rtt is the round trip of the link in what follows.
const rtt = 20 * time.Millisecond

// timed dials under a fake clock, sends two messages and returns their results.
func timed(t *testing.T, config smtptest.Config, wish func(*smtp.Config)) []*smtp.Result {
	d := newDesk(t, config)
	wish(&d.config)
	c, err := smtp.Dial(t.Context(), d.config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Quit(t.Context())
	var results []*smtp.Result
	for range 2 {
		r, err := c.Send(t.Context(), letter(1).Transaction)
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	return results
}

// The first transaction tells how its connection came about, and each how long
// its parts took: they follow one another without a gap.
func TestTimings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := smtptest.Fault{Phase: smtptest.PhaseFinal, Action: smtptest.Delay, Pause: time.Second}
		login := &smtptest.Auth{Users: map[string]string{"ann": "secret"}, Required: true}
		began := time.Now()
		results := timed(t, smtptest.Config{TLS: smtptest.TLSStartTLS, Auth: login, Latency: rtt, Faults: []smtptest.Fault{slow}}, func(c *smtp.Config) {
			c.Auth = &smtp.Auth{Username: "ann", Password: "secret"}
		})
		info := results[0].Opened
		if info == nil || results[1].Opened != nil {
			t.Fatalf("the connection came about with %v and %v", info, results[1].Opened)
		}
		if !info.Started.Equal(began) || info.TLSStarted.Sub(began) < 2*rtt || info.AuthStarted.Sub(began) < info.OpenTime {
			t.Errorf("began %v: dial %v, TLS %v, login %v", began, info.Started, info.TLSStarted, info.AuthStarted)
		}
		if info.OpenTime < info.ConnectTime+info.GreetingTime+info.TLSTime+info.HelloTime || info.AuthTime < rtt {
			t.Errorf("%+v", info)
		}
		for i, r := range results {
			if r.EnvelopeTime < rtt || r.ContentTime < r.EnvelopeTime || r.Duration < r.ContentTime+time.Second || r.RemoteAddr == "" {
				t.Errorf("transaction %d: envelope %v, content %v, all %v, with %q", i, r.EnvelopeTime, r.ContentTime, r.Duration, r.RemoteAddr)
			}
		}
	})
}

// What did not take place took no time.
func TestTimingsOfWhatDidNotHappen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, smtptest.Config{Latency: rtt, UnknownRecipients: []string{"nobody@example.net"}})
		c, err := smtp.Dial(t.Context(), d.config)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Quit(t.Context())
		tx := letter(1).Transaction
		tx.Envelope.To = smtp.To("nobody@example.net")
		r, err := c.Send(t.Context(), tx)
		if err == nil || r.EnvelopeTime != 0 || r.ContentTime != 0 || r.Duration < rtt {
			t.Errorf("%v; envelope %v, content %v, all %v", err, r.EnvelopeTime, r.ContentTime, r.Duration)
		}
		if info := c.Info(); !info.TLSStarted.IsZero() || !info.AuthStarted.IsZero() || info.OpenTime < rtt {
			t.Errorf("%+v", info)
		}
	})
}
