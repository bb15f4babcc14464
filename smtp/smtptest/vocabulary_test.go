package smtptest_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// Each command of smtp-sink can be refused, dropped and cut off, and is alone.
func TestFaultsAtCommands(t *testing.T) {
	t.Parallel()
	hard := smtptest.Fault{Action: smtptest.Answer, Reply: smtptest.Reply{Code: 500, Text: "5.3.0 Error: command failed"}}
	soft := smtptest.Fault{Action: smtptest.Answer, Reply: smtptest.Reply{Code: 450, Text: "4.3.0 Error: command failed"}}
	drop := smtptest.Fault{Action: smtptest.Drop}
	off := smtptest.Fault{Action: smtptest.Close421}
	all := "EHLO x\r\nHELO x\r\nNOOP\r\nVRFY a\r\n" + group + letter + "QUIT\r\n"
	for _, tt := range []struct {
		commands string
		fault    smtptest.Fault
		codes    string
	}{
		{"connect", hard, "500"},
		{"connect", drop, ""},
		{"CONNECT", off, "421"},
		{"ehlo", hard, "220 500 250 250 252 250 250 250 354 250 221"},
		{"HELO", soft, "220 250 450 250 252 250 250 250 354 250 221"},
		{"mail", hard, "220 250 250 250 252 250 500 503 503 502 502 502 502 221"},
		{"rcpt", soft, "220 250 250 250 252 250 250 450 554 502 502 502 502 221"},
		{"data", drop, "220 250 250 250 252 250 250 250"},
		{".", soft, "220 250 250 250 252 250 250 250 354 450 221"},
		{"rset, noop", hard, "220 250 250 500 252 500 250 250 354 250 221"},
		{"quit", off, "220 250 250 250 252 250 250 250 354 250 421"},
		{"vrfy\t.", off, "220 250 250 250 421"},
	} {
		faults, err := smtptest.FaultsAt(tt.commands, tt.fault)
		if err != nil {
			t.Fatal(err)
		}
		s := start(t, smtptest.Config{Network: smtptest.Memory, Faults: faults})
		if got := dialogue(t, s, all); got != tt.codes {
			t.Errorf("%v at %s\ngot  %s\nwant %s", tt.fault.Action, tt.commands, got, tt.codes)
		}
	}
	for _, commands := range []string{"", " ,", "lunch", "mail,lunch"} {
		if faults, err := smtptest.FaultsAt(commands, hard); err == nil {
			t.Errorf("%q: %v", commands, faults)
		}
	}
}

// What has no part in sending is answered as by a strict server.
func TestOtherCommands(t *testing.T) {
	t.Parallel()
	long := "NOOP " + strings.Repeat("x", 600) + "\r\n"
	for _, tt := range []struct {
		name   string
		config smtptest.Config
		says   string
		codes  string
	}{
		{"verify, expand, help", smtptest.Config{}, hello + "VRFY joe\r\nVRFY\r\nEXPN list\r\nHELP\r\nHELP mail\r\nTURN\r\nLUNCH\r\n\r\n", "220 250 252 501 502 214 214 502 502 502"},
		{"before a greeting", smtptest.Config{}, "MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\nRSET\r\nNOOP\r\n" + hello, "220 503 503 503 250 250 250"},
		{"out of order", smtptest.Config{}, hello + "RCPT TO:<a@b.test>\r\nDATA\r\nMAIL FROM:<>\r\nMAIL FROM:<>\r\nDATA\r\n" + hello + "RCPT TO:<a@b.test>\r\n", "220 250 503 503 250 503 554 250 503"},
		{"HELO only", smtptest.Config{NoEHLO: true}, hello + "HELO x\r\n" + group + letter, "220 502 250 250 250 250 354 250"},
		{"garbage in a group", smtptest.Config{}, hello + "MAIL FROM:<>\r\n\x01\x02\r\nRCPT TO:<a@b.test>\r\nDATA\r\n" + letter, "220 250 250 502 250 354 250"},
		{"bare LF and CR", smtptest.Config{}, hello + "NOOP\nNO\rOP\r\nNOOP\x00\r\nNOOP\r\n", "220 250 500 500 500 250"},
		{"bare LF refused", smtptest.Config{Quirks: smtptest.Quirks{RefuseBareLF: true}}, hello + "NOOP\nNOOP\r\n", "220 250 521"},
		{"bare LF in content", smtptest.Config{Quirks: smtptest.Quirks{RefuseBareLF: true}}, hello + group + "x\n.\r\n.\r\n", "220 250 250 250 250 354 521"},
		{"bare LF at its start", smtptest.Config{Quirks: smtptest.Quirks{RefuseBareLF: true}}, hello + group + "\nx\r\n.\r\n", "220 250 250 250 250 354 521"},
		{"no bare LF", smtptest.Config{Quirks: smtptest.Quirks{RefuseBareLF: true}}, hello + group + letter, "220 250 250 250 250 354 250"},
		{"long line", smtptest.Config{}, hello + long + "NOOP\r\n", "220 250 250 250"},
		{"line limit", smtptest.Config{Quirks: smtptest.Quirks{LineLimit: 512}}, hello + long + "NOOP\r\n", "220 250 521"},
		{"endless line", smtptest.Config{}, hello + strings.Repeat("x", 20000) + "\r\nNOOP\r\n", "220 250 500"},
		{"no XCLIENT", smtptest.Config{}, hello + "XCLIENT NAME=x\r\nXFORWARD NAME=x\r\n", "220 250 502 502"},
		{"XCLIENT", smtptest.Config{Extensions: []string{"XCLIENT NAME ADDR", "XFORWARD NAME ADDR"}}, hello + "XFORWARD NAME=x\r\nXCLIENT NAME=x\r\nMAIL FROM:<>\r\n" + hello + "MAIL FROM:<>\r\nXCLIENT NAME=y\r\nXCLIENT\r\n", "220 250 250 220 503 250 250 503 503"},
		{"unknown recipients", smtptest.Config{UnknownRecipients: []string{"Joe@B.test", "@c.test"}}, hello + "MAIL FROM:<>\r\nRCPT TO:<joe@b.test>\r\nRCPT TO:<ann@b.test>\r\nRCPT TO:<ann@C.test>\r\n", "220 250 250 550 250 550"},
		{"TLS first", smtptest.Config{TLS: smtptest.TLSStartTLS, RequireTLS: true, Auth: &smtptest.Auth{BeforeTLS: true, AnySecret: true}}, hello + "AUTH PLAIN AAA=\r\nMAIL FROM:<>\r\nNOOP\r\n", "220 250 530 530 250"},
		{"any secret", smtptest.Config{Auth: &smtptest.Auth{AnySecret: true, Required: true}}, hello + "MAIL FROM:<>\r\nAUTH PLAIN AGEAYg==\r\nMAIL FROM:<>\r\n", "220 250 530 235 250"},
		{"logins", smtptest.Config{Auth: &smtptest.Auth{}, Limits: smtptest.Limits{Logins: smtptest.Rate{N: 1, Per: time.Hour}}}, hello + "AUTH PLAIN AGEAYg==\r\nAUTH PLAIN AGEAYg==\r\n", "220 250 535 454"},
		{"quota of recipients", smtptest.Config{Limits: smtptest.Limits{Rate: smtptest.Rate{N: 5, Per: time.Second}, Quota: smtptest.Rate{N: 3, Per: time.Hour, Recipients: true}}},
			hello + strings.Repeat("MAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nRCPT TO:<b@b.test>\r\nBDAT 0 LAST\r\n", 2) + oneRcpt + "BDAT 0 LAST\r\n", "220 250 250 250 250 250 250 250 250 451 250 250 250"},
	} {
		tt.config.Network = smtptest.Memory
		if got := dialogue(t, start(t, tt.config), tt.says); got != tt.codes {
			t.Errorf("%s\ngot  %s\nwant %s", tt.name, got, tt.codes)
		}
	}
}

// The words of a server are its own, and say what they are about.
func TestReplies(t *testing.T) {
	t.Parallel()
	s := start(t, smtptest.Config{Network: smtptest.Memory, Name: "mx.test", Extensions: []string{"AUTH", "SIZE", "Ok"},
		Auth: &smtptest.Auth{Mechanisms: []string{"PLAIN"}}, Quirks: smtptest.Quirks{EnhancedAnyway: true},
		UnknownRecipients: []string{"joe@b.test"},
		Replies: smtptest.Replies{
			Hello:    "{name} says {hello} to {hello} at {client}",
			QueueID:  "4X####y",
			Greeting: smtptest.Reply{Code: 220, Text: "{name} {id} {nothing} {"},
			Accepted: smtptest.Reply{Code: 250, Text: "2.0.0 took {arg} as {id}"},
			Quit:     smtptest.Reply{Code: 221, Text: "2.0.0 See you later"},
		}})
	got := play(t, s, hello+"MAIL FROM:<>\r\nRCPT TO:<joe@b.test>\r\n"+group+letter+"QUIT\r\n")
	want := "220 mx.test 4X0001y {nothing} {\n250-mx.test says x to x at 127.0.0.1\n250-AUTH PLAIN\n250-SIZE\n250 Ok\n" +
		"250 2.1.0 Sender ok\n550 5.1.1 <joe@b.test>: No such user\n250 2.0.0 Ok\n250 2.1.0 Sender ok\n250 2.1.5 Recipient ok\n" +
		"354 End with CRLF.CRLF\n250 2.0.0 took <1@b.test> as 4X0003y\n221 2.0.0 See you later\n"
	if strings.ReplaceAll(got, "\r", "") != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

// waited plays a dialogue under a fake clock and tells how long it took.
func waited(t *testing.T, config smtptest.Config, says string) (codes string, took time.Duration) {
	t.Helper()
	config.Network = smtptest.Memory
	synctest.Test(t, func(t *testing.T) {
		s := smtptest.NewServer(config)
		defer s.Close()
		start := time.Now()
		codes = dialogue(t, s, says)
		took = time.Since(start)
	})
	return codes, took
}

func TestWaiting(t *testing.T) {
	t.Parallel()
	letters := hello + group + letter + "QUIT\r\n"
	for _, tt := range []struct {
		name, fault, codes string
		took               time.Duration
	}{
		{"a command (-W)", "mail:delay=3s", "220 250 250 250 250 354 250 221", 3 * time.Second},
		{"DATA (-w)", "data:delay=4s", "220 250 250 250 250 354 250 221", 4 * time.Second},
		{"reading (-H)", "body:delay=5s", "220 250 250 250 250 354 250 221", 5 * time.Second},
		{"reading, then breaking off (-A)", "body:421=550 5.3.0 Enough:after=6s", "220 250 250 250 250 354 550", 6 * time.Second},
		{"dropping", "final:drop:after=7s", "220 250 250 250 250 354", 7 * time.Second},
	} {
		fault, err := smtptest.ParseFault(tt.fault)
		if err != nil {
			t.Fatal(err)
		}
		codes, took := waited(t, smtptest.Config{Faults: []smtptest.Fault{fault}}, letters)
		if codes != tt.codes || took != tt.took {
			t.Errorf("%s: %s after %v", tt.name, codes, took)
		}
	}
}

// A delay with odds is a random multiple of itself: of 100 with 50 %, about 200.
func TestDelayAgain(t *testing.T) {
	t.Parallel()
	fault, err := smtptest.ParseFault("noop:delay=1s~50%")
	if err != nil {
		t.Fatal(err)
	}
	_, took := waited(t, smtptest.Config{Faults: []smtptest.Fault{fault}, Seed: 1}, strings.Repeat("NOOP\r\n", 100)+"QUIT\r\n")
	if took%time.Second != 0 || took < 150*time.Second || took > 260*time.Second {
		t.Errorf("100 delays took %v", took)
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	for _, says := range []string{"", "EHLO x\r\n", "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\nhalf a"} {
		synctest.Test(t, func(t *testing.T) {
			s := smtptest.NewServer(smtptest.Config{Network: smtptest.Memory, Timeout: 10 * time.Second,
				Replies: smtptest.Replies{Timeout: smtptest.Reply{Code: 451, Text: "4.4.2 Timeout waiting"}}})
			defer s.Close()
			c := dial(t, s)
			io.WriteString(c.W, says)
			c.W.Flush()
			begin := time.Now()
			text, err := io.ReadAll(c.R)
			if err != nil || !strings.HasSuffix(string(text), "Timeout waiting\r\n") || time.Since(begin) != 10*time.Second {
				t.Errorf("after %v: %q, %v", time.Since(begin), text, err)
			}
		})
	}
}

// Connections beyond the limit wait for others to close, as with smtp-sink -m.
func TestQueueConnections(t *testing.T) {
	t.Parallel()
	for _, network := range networks {
		s := start(t, smtptest.Config{Network: network, Limits: smtptest.Limits{Connections: 1}, Quirks: smtptest.Quirks{QueueConnections: true}})
		first := dial(t, s)
		talk(t, first, "", 220)
		second := make(chan string, 1)
		go func() {
			conn, err := s.DialContext(t.Context(), "", "")
			if err != nil {
				second <- err.Error()
				return
			}
			defer conn.Close()
			line, _ := bufio.NewReader(conn).ReadString('\n')
			second <- line
		}()
		if st := s.Stats(); st.Connections != 1 {
			t.Errorf("%+v", st)
		}
		talk(t, first, "QUIT", 221)
		first.Close()
		if line := <-second; !strings.HasPrefix(line, "220 ") {
			t.Errorf("%s: %q", network, line)
		}
		if st := s.Stats(); st.Connections != 2 {
			t.Errorf("%+v", st)
		}
	}
}

// A server that closes does not wait for connections that never close.
func TestCloseWhileConnectionsQueue(t *testing.T) {
	t.Parallel()
	s := smtptest.NewServer(smtptest.Config{Limits: smtptest.Limits{Connections: 1}, Quirks: smtptest.Quirks{QueueConnections: true}})
	for range 3 {
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Over the limit, a connection is greeted; its messages are not taken.
func TestCrowdedAtFinal(t *testing.T) {
	t.Parallel()
	s := start(t, smtptest.Config{Network: smtptest.Memory, Limits: smtptest.Limits{Connections: 1}, Quirks: smtptest.Quirks{CrowdedAtFinal: true},
		Replies: smtptest.Replies{TooManyConnections: smtptest.Reply{Code: 432, Text: "4.3.2 Concurrent connections limit exceeded"}}})
	first, second := dial(t, s), dial(t, s)
	talk(t, first, "", 220)
	talk(t, second, "", 220)
	send := func(code int) {
		t.Helper()
		talk(t, second, "EHLO x", 250)
		talk(t, second, "MAIL FROM:<>", 250)
		talk(t, second, "RCPT TO:<a@b.test>", 250)
		talk(t, second, "DATA", 354)
		talk(t, second, ".", code)
	}
	send(432)
	talk(t, first, "QUIT", 221)
	if _, err := first.ReadLine(); err != io.EOF {
		t.Error(err)
	}
	send(250)
}
