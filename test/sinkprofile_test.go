package test

import (
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// profiled starts a sink with a profile and returns how to send to it.
func profiled(t *testing.T, args ...string) (sink sinkProgram, url string, flags []string) {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	sink = startSink(t, append([]string{"--write-ca", ca}, args...)...)
	return sink, "smtp://ann@" + sink.addr, append([]string{"--ca", ca}, short...)
}

// A sink takes a login and a message as each provider does.
func TestSinkProfiles(t *testing.T) {
	t.Parallel()
	for _, name := range smtptest.Profiles() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sink, url, flags := profiled(t, "--profile", name, "--exit-after", "1")
			if code, out := send(t, url, flags...); code != 0 {
				t.Fatalf("exit code %d: %s", code, out)
			}
			if stats, _ := sink.end(); stats["accepted"] != 1.0 || stats["logins_accepted"] != 1.0 {
				t.Errorf("%v", stats)
			}
		})
	}
}

// Flags change a profile: its words stay.
func TestSinkProfileIsChanged(t *testing.T) {
	t.Parallel()
	sink, url, flags := profiled(t, "--profile", "gmail", "--auth", "ann:secret", "--auth", "eve:another",
		"--quota", "1/24h", "--unknown-recipient", "@example.org", "--name", "mx.test", "--transcript", "--exit-after-connections", "4")
	if code, out := send(t, url, flags...); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	if code, out := send(t, url, flags...); code != 75 || !strings.Contains(out, "Daily user sending limit exceeded") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if code, out := send(t, url, append(flags, "--to", "joe@example.org")...); !strings.Contains(out, "does not exist") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if code, out := send(t, strings.Replace(url, "ann", "eve", 1), flags...); code != 77 || !strings.Contains(out, "BadCredentials") {
		t.Errorf("exit code %d: %s", code, out)
	}
	if _, said := sink.end(); !strings.Contains(said, "S: 220 mx.test ESMTP ") || !strings.Contains(said, "250-AUTH LOGIN PLAIN XOAUTH2") {
		t.Errorf("%s", said)
	}
}

// say opens a connection, says it all at once and returns the answers.
func say(t *testing.T, addr, lines string) string {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, lines)
	answers, err := io.ReadAll(conn)
	if err != nil {
		t.Error(err)
	}
	return string(answers)
}

const letter = "EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b.test>\r\nDATA\r\n\r\nHello\r\n.\r\nQUIT\r\n"

// What smtp-sink says with letters.
func TestSinkVocabulary(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		flags      []string
		has, lacks string
	}{
		{[]string{"--reject-hard", "rcpt", "--hard-reply", "550 5.1.1 Not here"}, "\r\n550 5.1.1 Not here", "354"},
		{[]string{"--reject-soft", "connect,mail"}, "450 Error: command failed", "250"},
		{[]string{"--close-at", "."}, "354 End with CRLF.CRLF\r\n421 4.3.2", "221"},
		{[]string{"--drop-at", "data"}, "250 2.1.5", "354"},
		{[]string{"--abort-delay", "1ms"}, "354 End with CRLF.CRLF\r\n550 5.3.0", "221"},
		{[]string{"--no-ehlo", "--greeting", "220 ********"}, "220 ********\r\n502", "PIPELINING"},
		{[]string{"--without", "pipelining,DSN", "--name", "mx.test"}, "250-mx.test", "PIPELINING"},
		{[]string{"--delay", "data:10ms:20", "--read-delay", "10ms", "--timeout", "1m", "--window", "4096"}, "queued", "421"},
		{[]string{"--queue-connections", "--max-connections", "1", "--delay", "ehlo:1"}, "queued", "421"},
	} {
		t.Run(tt.flags[0], func(t *testing.T) {
			t.Parallel()
			sink := startSink(t, append(tt.flags, "--exit-after-connections", "1", "--counters")...)
			if answers := say(t, sink.addr, letter); !strings.Contains(answers, tt.has) || strings.Contains(answers, tt.lacks) {
				t.Errorf("%q", answers)
			}
			if stats, said := sink.end(); stats["connections"] != 1.0 || !strings.Contains(said, "connections 1,") {
				t.Errorf("%v, %s", stats, said)
			}
		})
	}
}

// The rate changes on schedule, in the words of the profile and where it says
// them.
func TestSinkRateIsChanged(t *testing.T) {
	t.Parallel()
	sink, url, flags := profiled(t, "--profile", "ses", "--quota", "none", "--rate", "none,1/24h@1ms,1/12h@2ms,1/1h@12h", "--exit-after-connections", "2")
	if code, out := send(t, url, flags...); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	if code, out := send(t, url, flags...); code != 75 || !strings.Contains(out, "454 Throttling failure: Maximum sending rate exceeded") {
		t.Errorf("exit code %d: %s", code, out)
	}
	stats, said := sink.end()
	if stats["accepted"] != 1.0 || stats["rejected"] != 1.0 || !strings.Contains(said, "rate 1/24h after 1ms\nrate 1/12h after 2ms\n") {
		t.Errorf("%v, %s", stats, said)
	}
}
