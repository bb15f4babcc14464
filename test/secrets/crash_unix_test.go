//go:build unix

package main_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A dump of all goroutines (SIGQUIT, or a panic) tells addresses and lengths of
// text, not the text. What it cannot help is a core dump, which GOTRACEBACK=crash
// and the system's settings have to ask for: that is the whole memory.
func TestDumps(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"in KAIZEN_PASSWORD", "in a URL", "very long"} {
		t.Run(secret, func(t *testing.T) {
			t.Parallel()
			server, waiting := slowServer(t, secret)
			s := newStage(t)
			cmd := s.command(t.Context(), from(append(s.plant(server.Addr(), secret), "--transcript")...)...)
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			await(t, "the login", waiting)
			checkProcesses(t)
			if err := cmd.Process.Signal(syscall.SIGQUIT); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err == nil {
				t.Error("it survived")
			}
			contains(t, stderr.String(), "SIGQUIT: quit", "goroutine ", "smtp.")
			s.search("a dump of all goroutines", stdout.String()+stderr.String())
		})
	}
}

// A command sees the environment, but none of it that is ours and may be a secret;
// what it tells is used and shown nowhere, on whichever stream.
func TestPasswordCommand(t *testing.T) {
	t.Parallel()
	password := secrets["from a command"]
	server := serverFor(t, "ann@example.com", password)
	s := newStage(t)
	for name, secret := range map[string]string{"KAIZEN_PASSWORD": "in KAIZEN_PASSWORD", "KAIZEN_PASSPHRASE": "passphrase of the secrets",
		"KAIZEN_NEW_PASSPHRASE": "new passphrase", "KAIZEN_BUNDLE_PASSPHRASE": "passphrase of a bundle"} {
		s.env[name] = secrets[secret]
	}
	s.hold("vault", password+"\n")
	command := "env > seen.env; cat " + filepath.Join(s.dir, "vault")
	s.want(0, "", "account", "add", "--name", "work", "--address", "ann@example.com", "--server", addressOf(server.Addr()), "--password-command", command)
	s.use("work")
	s.write("fails", "cat "+filepath.Join(s.dir, "vault")+"; echo no good: $(cat "+filepath.Join(s.dir, "vault")+") >&2; exit 1\n")
	s.want(0, "", "account", "add", "--name", "broken", "--address", "ann@example.com", "--server", addressOf(server.Addr()), "--no-verify",
		"--password-command", "sh "+filepath.Join(s.dir, "fails"))
	r := s.want(78, "", "verify", "--account", "broken")
	contains(t, r.stderr, "no good")
	found, err := filepath.Glob(filepath.Join(s.dir, "config", "seen.env"))
	if err != nil || len(found) != 1 {
		t.Error("the command was not run") // searchFiles looks into its environment
	}
}

// Whoever looks at the list of processes while the program runs sees no secret.
func TestProcessList(t *testing.T) {
	t.Parallel()
	password := secrets["in secrets.age"]
	server, waiting := slowServer(t, "in secrets.age")
	s := newStage(t)
	s.holdKey()
	s.want(0, password+"\n", "account", "add", "--username", "ann", "--server", addressOf(server.Addr()), "--name", "work", "--password-stdin", "--no-verify", "--address", "ann@example.com")
	cmd := s.command(t.Context(), "verify", "--account", "work")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "the login", waiting)
	checkProcesses(t)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Error(err)
	}
}
