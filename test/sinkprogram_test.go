package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sinkProcess starts "kaizen sink" and returns its address and what it printed
// once it has ended.
func sinkProcess(t *testing.T, args ...string) (addr string, end func() map[string]any) {
	t.Helper()
	cmd := exec.Command(filepath.Join(programDir, "kaizen"), append([]string{"sink", "--listen", "127.0.0.1:0"}, args...)...)
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
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if after, found := strings.CutPrefix(lines.Text(), "listening on "); found {
			addr = after
			break
		}
	}
	return addr, func() map[string]any {
		if err := cmd.Wait(); err != nil {
			t.Errorf("sink: %v", err)
		}
		var stats map[string]any
		if err := json.Unmarshal(out.Bytes(), &stats); err != nil {
			t.Errorf("%v in %q", err, out.String())
		}
		return stats
	}
}

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
			addr, end := sinkProcess(t, "--tls", c.tls, "--auth", "ann:secret", "--require-auth", "--write-ca", ca,
				"--save", filepath.Join(dir, "mail"), "--exit-after", "1")
			url := c.scheme + "://ann@" + addr + c.query
			args := []string{"send", "--server", url, "--raw", filepath.Join(dir, "raw.eml")}
			if c.tls != "none" {
				args = append(args, "--ca", ca)
			}
			send := exec.Command(filepath.Join(programDir, "kaizen"), args...)
			send.Env = append(os.Environ(), "KAIZEN_PASSWORD=secret")
			if out, err := send.CombinedOutput(); err != nil || bytes.Contains(out, []byte("secret")) {
				t.Fatalf("%v: %s", err, out)
			}
			if stats := end(); stats["accepted"] != 1.0 || stats["logins_accepted"] != 1.0 {
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
