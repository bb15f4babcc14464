package main_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// storedOnce is a stage with an account whose password is in secrets.age, and has a
// backup.
func storedOnce(t *testing.T) (s *stage, sealed, key string) {
	t.Helper()
	s = newStage(t)
	key = s.holdKey()
	server := serverFor(t, "ann@example.com", secrets["in secrets.age"])
	for _, name := range []string{"work", "other"} {
		s.want(0, secrets["in secrets.age"]+"\n", "account", "add", "--address", "ann@example.com", "--server", addressOf(server.Addr()), "--name", name, "--password-stdin", "--no-verify")
	}
	s.want(0, "", "verify")
	return s, filepath.Join(s.dir, "config", "secrets.age"), key
}

// The age tool opens what we encrypt, and what it encrypts is opened by us.
func TestAgeTool(t *testing.T) {
	t.Parallel()
	tool, err := exec.LookPath("age")
	if err != nil {
		// skip: there is no age tool; .ci/run installs it where it can.
		t.Skip("NOT RUN: there is no age tool (https://age-encryption.org)")
	}
	s, sealed, key := storedOnce(t)
	opened, err := exec.CommandContext(t.Context(), tool, "-d", "-i", key, sealed).Output()
	if err != nil {
		t.Fatal("age -d:", err)
	}
	contains(t, string(opened), "[accounts.work]", secrets["in secrets.age"])

	s.want(0, "", "account", "export", "bundle.age", "--to", s.publicKey())
	bundle, err := exec.CommandContext(t.Context(), tool, "-d", "-i", key, filepath.Join(s.dir, "bundle.age")).Output()
	if err != nil {
		t.Fatal("age -d:", err)
	}
	contains(t, string(bundle), "[secrets]", secrets["in secrets.age"])

	seal := exec.CommandContext(t.Context(), tool, "-e", "-r", s.publicKey(), "-o", sealed+".new")
	seal.Stdin = bytes.NewReader(opened)
	if out, err := seal.CombinedOutput(); err != nil {
		t.Fatalf("age -e: %v: %s", err, out)
	}
	if err := os.Rename(sealed+".new", sealed); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(sealed, 0o600); err != nil { // age leaves that to the umask, and we refuse what others can read
		t.Fatal(err)
	}
	s.want(0, "", "verify")
}

// publicKey is what "kaizen account key" prints.
func (s *stage) publicKey() string {
	s.t.Helper()
	_, key, _ := strings.Cut(s.want(0, "", "account", "key").stdout, "Public key ")
	return strings.TrimSpace(key)
}

// Another key does not open the passwords; it is called the wrong one.
func TestWrongKey(t *testing.T) {
	t.Parallel()
	s, _, key := storedOnce(t)
	right, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := newStage(t)
	elsewhere.holdKey()
	elsewhere.want(0, "other\n", "account", "add", "--address", "bob@example.com", "--server", "smtp://127.0.0.1:1", "--password-stdin", "--no-verify")
	wrong, err := os.ReadFile(filepath.Join(elsewhere.dir, "config", "key.txt"))
	if err != nil {
		t.Fatal(err)
	}
	s.hold("config/key.txt", string(wrong))
	for _, args := range [][]string{{"verify"}, from(), {"account", "export", "-", "--to", elsewhere.publicKey()}} {
		r := s.want(78, "", args...)
		contains(t, r.stderr, "secrets.age: wrong key")
	}
	r := s.want(78, secrets["mistyped"]+"\n", "account", "password", "work", "--password-stdin", "--no-verify")
	contains(t, r.stderr, "wrong key")
	s.hold("config/key.txt", string(right))
	s.want(0, "", "verify") // nothing was changed meanwhile
}

// A file that was cut short or changed in any octet is noticed before anything of
// it is used; the error offers the backup, which opens.
func TestDamagedSecrets(t *testing.T) {
	t.Parallel()
	s, sealed, _ := storedOnce(t)
	whole, err := os.ReadFile(sealed)
	if err != nil {
		t.Fatal(err)
	}
	backup, err := os.ReadFile(sealed + ".bak")
	if err != nil {
		t.Fatal(err)
	}
	flipped := func(at int) []byte {
		b := bytes.Clone(whole)
		b[at] ^= 1
		return b
	}
	body := bytes.Index(whole, []byte("\n--- ")) + 50
	for what, content := range map[string][]byte{
		"empty": {}, "half": whole[:len(whole)/2], "last octet missing": whole[:len(whole)-1], "one too many": append(bytes.Clone(whole), 0),
		"first octet": flipped(0), "in the body": flipped(body + 20), "last octet": flipped(len(whole) - 1),
	} {
		if err := os.WriteFile(sealed, content, 0o600); err != nil {
			t.Fatal(err)
		}
		r := s.want(78, "", "verify")
		contains(t, r.stderr, "secrets.age: damaged: it was cut short or changed by something else",
			"(kaizen account restore (Store.RestoreBackup) takes the version before the last change, secrets.age.bak)")
		r = s.want(0, "", "account", "restore")
		if want := "Restored the passwords from the backup.\n"; r.stdout != want {
			t.Errorf("%s: %q", what, r.stdout)
		}
		if restored, err := os.ReadFile(sealed); err != nil || !bytes.Equal(restored, backup) {
			t.Errorf("%s: the restored file is not the backup (%v)", what, err)
		}
		s.want(0, "", "verify")
	}
	// Wherever a bit is flipped: in the header (which names the key), or behind.
	for at := 0; at < len(whole); at += 37 {
		if err := os.WriteFile(sealed, flipped(at), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := s.run("", "verify"); r.code != 78 || !strings.Contains(r.stderr, "secrets.age: ") {
			t.Errorf("octet %d was flipped: exit code %d: %s", at, r.code, fmt.Sprintf("%.300s", r.stderr))
		}
	}
}
