package smtptest_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/textproto"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func TestLatency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, Latency: 100 * time.Millisecond})
		defer s.Close()
		began := time.Now()
		trips := func(want int) {
			t.Helper()
			if got := time.Since(began); got != time.Duration(want)*100*time.Millisecond {
				t.Errorf("after %v, want %d round trips", got, want)
			}
		}
		c := dial(t, s)
		trips(1)
		talk(t, c, "", 220)
		trips(2)
		talk(t, c, "EHLO x", 250)
		trips(3)
		talk(t, c, "MAIL FROM:<a@b.test>\r\nRCPT TO:<c@d.test>\r\nDATA", 250)
		talk(t, c, "", 250)
		talk(t, c, "", 354)
		trips(4)
		talk(t, c, ".\r\nQUIT", 250)
		talk(t, c, "", 221)
		if _, err := c.ReadLine(); err != io.EOF {
			t.Error(err)
		}
		trips(5)
		if got := s.Stats().RoundTrips; got != 3 { // the dial and the farewell are not counted
			t.Errorf("the server counts %d round trips", got)
		}
	})
}

func TestFlightsOverlap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, Latency: time.Second})
		defer s.Close()
		c := dial(t, s)
		talk(t, c, "", 220)
		began := time.Now()
		for range 5 { // each is a flight of its own, 100 ms apart
			talk(t, c, "NOOP", 0)
			time.Sleep(100 * time.Millisecond)
		}
		for i := range 5 {
			talk(t, c, "", 250)
			if got, want := time.Since(began), time.Second+time.Duration(i)*100*time.Millisecond; got != want {
				t.Errorf("reply %d after %v, want %v", i, got, want)
			}
		}
	})
}

func TestLatencyCountsHandshakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, TLS: smtptest.TLSImplicit, Latency: time.Second})
		defer s.Close()
		began := time.Now()
		conn, err := s.DialContext(context.Background(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		config := s.ClientTLS()
		config.ServerName = "localhost"
		c := textproto.NewConn(tls.Client(conn, config))
		talk(t, c, "", 220)
		// TCP, TLS 1.3, greeting.
		if got := time.Since(began); got != 3*time.Second {
			t.Errorf("greeting after %v", got)
		}
	})
}

func TestDelays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := smtptest.NewServer(smtptest.Config{
			Network: smtptest.Memory, GreetingDelay: time.Second, AuthDelay: 2 * time.Second,
			Auth: &smtptest.Auth{Users: map[string]string{"": ""}},
			Faults: []smtptest.Fault{
				{Phase: smtptest.PhaseMAIL, Action: smtptest.Delay, Pause: 3 * time.Second},
				{Phase: smtptest.PhaseIdle, Action: smtptest.Close421, Quiet: time.Minute},
			},
		})
		defer s.Close()
		c := dial(t, s)
		began := time.Now()
		lap := func(want time.Duration) {
			t.Helper()
			if got := time.Since(began); got != want {
				t.Errorf("after %v, want %v", got, want)
			}
			began = time.Now()
		}
		talk(t, c, "", 220)
		lap(time.Second)
		talk(t, c, "EHLO x", 250)
		lap(0)
		talk(t, c, "AUTH PLAIN AAA=", 235)
		lap(2 * time.Second)
		talk(t, c, "MAIL FROM:<>", 250)
		lap(3 * time.Second)
		time.Sleep(2 * time.Minute) // not idle: a transaction is open
		talk(t, c, "RSET", 250)
		began = time.Now()
		talk(t, c, "", 421)
		lap(time.Minute)
	})
}

func TestDropIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory})
		defer s.Close()
		idle, busy := dial(t, s), dial(t, s)
		for _, c := range []*textproto.Conn{idle, busy} {
			talk(t, c, "", 220)
			talk(t, c, "EHLO x", 250)
		}
		talk(t, busy, "MAIL FROM:<>", 250)
		synctest.Wait()
		s.DropIdle(smtptest.CloseWith421)
		talk(t, idle, "", 421)
		if _, err := idle.ReadLine(); err != io.EOF {
			t.Error(err)
		}
		talk(t, busy, "RCPT TO:<a@b.test>", 250)
	})
}
