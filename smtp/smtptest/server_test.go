package smtptest_test

import (
	"context"
	"net/textproto"
	"testing"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// networks are where most tests run.
var networks = []string{smtptest.TCP, smtptest.Memory}

func start(t *testing.T, config smtptest.Config) *smtptest.Server {
	t.Helper()
	s := smtptest.NewServer(config)
	t.Cleanup(func() { s.Close() })
	return s
}

// dial connects; nothing was read yet.
func dial(t *testing.T, s *smtptest.Server) *textproto.Conn {
	t.Helper()
	conn, err := s.DialContext(context.Background(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	c := textproto.NewConn(conn)
	t.Cleanup(func() { c.Close() })
	return c
}

// talk sends each line and expects the code; a code of 0 sends only.
func talk(t *testing.T, c *textproto.Conn, line string, code int) string {
	t.Helper()
	if line != "" {
		if err := c.PrintfLine("%s", line); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	if code == 0 {
		return ""
	}
	got, text, err := c.ReadResponse(0)
	if err != nil && got == 0 {
		t.Fatalf("%s: %v", line, err)
	}
	if got != code {
		t.Fatalf("%s: got %d %s, want %d", line, got, text, code)
	}
	return text
}

func TestLockStepAndAccounts(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			s := start(t, smtptest.Config{Network: network, KeepMessages: true})
			c := dial(t, s)
			talk(t, c, "", 220)
			talk(t, c, "EHLO client.test", 250)
			talk(t, c, "MAIL FROM:<a@b.test> SIZE=10 BODY=8BITMIME RET=HDRS", 250)
			talk(t, c, "RCPT TO:<c@d.test> NOTIFY=NEVER", 250)
			talk(t, c, "RCPT TO:<e@f.test>", 250)
			talk(t, c, "DATA", 354)
			talk(t, c, "Message-ID: <1@b.test>\r\n\r\n..stuffed\r\n.", 250)
			talk(t, c, "QUIT", 221)

			tally := s.Accepted()["<1@b.test>"]
			if tally.Times != 1 || len(tally.Recipients) != 2 || tally.Duplicates() != nil {
				t.Errorf("accepted %+v", tally)
			}
			m := s.Messages()[0]
			if string(m.Data) != "Message-ID: <1@b.test>\r\n\r\n.stuffed\r\n" || m.From != "a@b.test" {
				t.Errorf("message %+v", m)
			}
			if m.Params["RET"] != "HDRS" || m.To[0].Params["NOTIFY"] != "NEVER" || m.To[1].Address != "e@f.test" {
				t.Errorf("parameters %+v, recipients %+v", m.Params, m.To)
			}
			st := s.Stats()
			if st.Accepted != 1 || st.Mails != 1 || st.Commands != 6 || st.RoundTrips != 7 || st.Peak != 1 {
				t.Errorf("stats %+v", st)
			}
			if len(s.MailTimes()) != 1 {
				t.Errorf("mail times %v", s.MailTimes())
			}
		})
	}
}
