package test

import (
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

// What smtp-sink says with letters.
func TestSinkVocabulary(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--reject-hard", "rcpt", "--hard-reply", "550 5.1.1 Not here"}, "550 5.1.1 Not here"},
		{[]string{"--reject-soft", "connect,mail"}, "Error: command failed"},
		{[]string{"--close-at", "."}, "421 4.3.2"},
		{[]string{"--drop-at", "ehlo"}, "closed"},
		{[]string{"--abort-delay", "1ns"}, "550 5.3.0"},
	} {
		t.Run(tt.flags[0], func(t *testing.T) {
			t.Parallel()
			sink := startSink(t, append(tt.flags, "--exit-after-connections", "1", "--counters")...)
			code, out := send(t, "smtp://"+sink.addr+"?tls=none", short...)
			if code == 0 || !strings.Contains(out, tt.want) {
				t.Errorf("exit code %d: %s", code, out)
			}
			if stats, said := sink.end(); stats["accepted"] != 0.0 || !strings.Contains(said, "connections ") {
				t.Errorf("%v, %s", stats, said)
			}
		})
	}
	sink := startSink(t, "--no-ehlo", "--greeting", "220 **********", "--without", "pipelining,dsn", "--delay", "data:10ms:20",
		"--read-delay", "10ms", "--timeout", "1m", "--window", "4096", "--queue-connections", "--max-connections", "1", "--exit-after", "1")
	if code, out := send(t, "smtp://"+sink.addr+"?tls=none", short...); code != 0 {
		t.Errorf("exit code %d: %s", code, out)
	}
	sink.end()
}
