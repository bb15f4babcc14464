package test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sinkProgram is a running "kaizen sink".
type sinkProgram struct {
	addr    string
	process *os.Process
	// end waits for the end of the program and returns its statistics and what
	// it said on standard error since it was ready.
	end func() (stats map[string]any, said string)
}

// awaitLine reads what a program says until it says that, and returns the rest of
// the line.
func awaitLine(t *testing.T, lines *bufio.Reader, begins string) string {
	t.Helper()
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("the program ended before it said %q: %v", begins, err)
		}
		if after, found := strings.CutPrefix(line, begins); found {
			return strings.TrimSpace(after)
		}
	}
}

// startSink starts "kaizen sink" and returns once it listens.
func startSink(t *testing.T, args ...string) sinkProgram {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, filepath.Join(programDir, "kaizen"), append([]string{"sink", "--listen", "127.0.0.1:0"}, args...)...)
	var out bytes.Buffer
	cmd.Stdout = &out
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewReader(stderr)
	addr := awaitLine(t, lines, "listening on ")
	return sinkProgram{addr, cmd.Process, func() (stats map[string]any, said string) {
		rest, _ := io.ReadAll(lines)
		if err := cmd.Wait(); err != nil {
			t.Errorf("sink: %v", err)
		}
		if err := json.Unmarshal(out.Bytes(), &stats); err != nil {
			t.Errorf("%v in %q", err, out.String())
		}
		return stats, string(rest)
	}}
}

// send runs "kaizen send" and returns what it exits with and prints.
func send(t *testing.T, url string, args ...string) (code int, out string) {
	t.Helper()
	cmd := exec.Command(filepath.Join(programDir, "kaizen"), append([]string{"send", "--server", url}, args...)...)
	cmd.Env = append(os.Environ(), "KAIZEN_PASSWORD=secret")
	octets, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return exit.ExitCode(), string(octets)
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, string(octets)
}

var short = []string{"--from", "ann@example.com", "--to", "bob@example.net", "--subject", "s", "--text", "t"}

// What is sent is what is saved, octet by octet, over each kind of TLS.
func TestSendToSink(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ tls, scheme, query string }{
		{"none", "smtp", "?tls=none"}, {"starttls", "smtp", ""}, {"implicit", "smtps", ""},
	} {
		t.Run(c.tls, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			raw := []byte("From: ann@example.com\r\nTo: bob@example.net\r\nSubject: raw\r\n\r\n.dot\r\n..two\r\nend\r\n")
			if err := os.WriteFile(filepath.Join(dir, "raw.eml"), raw, 0o600); err != nil {
				t.Fatal(err)
			}
			ca := filepath.Join(dir, "ca.pem")
			flags := []string{"--tls", c.tls, "--auth", "ann:secret", "--require-auth",
				"--save", filepath.Join(dir, "mail"), "--exit-after", "1"}
			args := []string{"--raw", filepath.Join(dir, "raw.eml")}
			if c.tls != "none" {
				flags = append(flags, "--write-ca", ca)
				args = append(args, "--ca", ca)
			}
			sink := startSink(t, flags...)
			code, out := send(t, c.scheme+"://ann@"+sink.addr+c.query, args...)
			if code != 0 || strings.Contains(out, "secret") {
				t.Fatalf("exit code %d: %s", code, out)
			}
			if stats, _ := sink.end(); stats["accepted"] != 1.0 || stats["logins_accepted"] != 1.0 {
				t.Errorf("%v", stats)
			}
			saved, _ := filepath.Glob(filepath.Join(dir, "mail", "new", "*"))
			if len(saved) != 1 {
				t.Fatalf("%d files were saved", len(saved))
			}
			if got, _ := os.ReadFile(saved[0]); !bytes.HasSuffix(got, raw) {
				t.Errorf("saved %q", got)
			}
		})
	}
}

// The last message of --exit-after has its reply on the way for a whole
// latency: a sink that left earlier would leave its sender not knowing.
func TestSinkEndsAfterTheLastReply(t *testing.T) {
	t.Parallel()
	sink := startSink(t, "--latency", "600ms", "--exit-after", "1")
	if code, out := send(t, "smtp://"+sink.addr+"?tls=none", short...); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	if stats, _ := sink.end(); stats["accepted"] != 1.0 {
		t.Errorf("%v", stats)
	}
}

// A sink can refuse; its transcript shows what was said, and no secret.
func TestSinkRefusesAndTells(t *testing.T) {
	t.Parallel()
	sink := startSink(t, "--auth", "ann:secret", "--auth-mechanisms", "login", "--transcript",
		"--fault", "rcpt:reply=550 5.1.1 No such user:1st", "--exit-after", "1")
	url := "smtp://ann@" + sink.addr + "?tls=none"
	if code, out := send(t, url, short...); code != 67 || !strings.Contains(out, "No such user") {
		t.Fatalf("exit code %d: %s", code, out)
	}
	if code, out := send(t, url, short...); code != 0 {
		t.Fatalf("exit code %d: %s", code, out)
	}
	stats, said := sink.end()
	if stats["accepted"] != 1.0 || stats["connections"] != 2.0 || stats["logins_accepted"] != 2.0 {
		t.Errorf("%v", stats)
	}
	if !strings.Contains(said, "-- connection 2\n") || !strings.Contains(said, "C: AUTH LOGIN\n") ||
		strings.Contains(said, "secret") || strings.Contains(said, "c2VjcmV0") {
		t.Errorf("transcript: %s", said)
	}
}

// What the server offers and how much it takes can be chosen.
func TestSinkHasLimits(t *testing.T) {
	t.Parallel()
	sink := startSink(t, "--extensions", "none", "--max-recipients", "2", "--max-messages", "1", "--exit-after", "2")
	args := append([]string{"--to", "eve@example.net,joe@example.net"}, short...)
	if code, out := send(t, "smtp://"+sink.addr+"?tls=none", args...); code != 0 || !strings.Contains(out, "lock-step") {
		t.Fatalf("exit code %d: %s", code, out)
	}
	if stats, _ := sink.end(); stats["accepted"] != 2.0 || stats["most_messages_on_a_connection"] != 1.0 {
		t.Errorf("%v", stats)
	}
}
