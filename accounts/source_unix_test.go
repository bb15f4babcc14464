//go:build unix

package accounts_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kaizenmail/kaizen/accounts"
)

// withCommand is an account whose password a command prints. The command counts
// its runs in a file.
func withCommand(t *testing.T, dir string, script string) accounts.Entry {
	t.Helper()
	e := work()
	line := "echo x >> " + filepath.Join(dir, "runs") + "; " + script
	e.Secret = accounts.SecretSource{Kind: accounts.SecretCommand, Command: []string{line}, Shell: true}
	return e
}

func runs(t *testing.T, dir string) int {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "runs"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return strings.Count(string(content), "x")
}

func TestCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, ctx := open(t, dir), t.Context()
	must(t, s.Put(ctx, withCommand(t, dir, `printf 'geheim 1\r\nuser: ann\n'; echo noise >&2`)))
	if _, err := s.Entries(); err != nil {
		t.Fatal(err)
	}
	if e, err := s.Entry("work"); err != nil || e.Secret.String() != "a shell command" || runs(t, dir) != 0 {
		t.Fatal("looking ran it:", e.Secret, err)
	}
	for range 3 {
		if a := resolve(t, s, "work"); a.Password != "geheim 1" {
			t.Fatal("not its first line")
		}
	}
	if runs(t, dir) != 1 {
		t.Error("ran", runs(t, dir), "times")
	}
	s.Forget("work")
	resolve(t, s, "work")
	if runs(t, dir) != 2 {
		t.Error("Forget did not make it run again")
	}
	e, err := s.Entry("work")
	must(t, err)
	e.Port = 26
	must(t, s.Put(ctx, e))
	if a := resolve(t, s, "work"); a.Port != 26 || runs(t, dir) != 3 {
		t.Error("a change of the settings did not make it run again")
	}
	if _, err := os.Stat(filepath.Join(dir, "secrets.age")); err == nil {
		t.Error("secrets.age for nothing")
	}
}

func TestCommandOfOneProgram(t *testing.T) {
	t.Parallel()
	s := open(t, t.TempDir())
	e := work()
	e.Secret = accounts.SecretSource{Kind: accounts.SecretCommand, Command: []string{"printf", "%s", "$HOME; a'b\"c"}}
	must(t, s.Put(t.Context(), e))
	if a := resolve(t, s, "work"); a.Password != "$HOME; a'b\"c" {
		t.Errorf("a shell touched it")
	}
}

func TestCommandFails(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"echo 'gpg: no secret key' >&2; exit 2":       "a shell command: no secret: exit status 2 (it said: gpg: no secret key)",
		"echo " + secret + " | tee /dev/fd/2; exit 1": "it said: <secret>",
		"printf 'a\\033[31m\\nb' >&2; exit 1":         "it said: a [31m b",
		":":                                           "it printed nothing",
		"echo; echo second":                           "it printed nothing",
		"printf 'a\\033b'":                            "control character",
		"exit 0 | no-such-program-here":               "exit status 127",
	} {
		dir := t.TempDir()
		s := open(t, dir)
		must(t, s.Put(t.Context(), withCommand(t, dir, script)))
		_, err := s.Account(t.Context(), "work")
		var wrong *accounts.SecretError
		if !errors.As(err, &wrong) || wrong.Account != "work" || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", script, err)
		}
	}
	s := open(t, t.TempDir())
	e := work()
	e.Secret = accounts.SecretSource{Kind: accounts.SecretCommand, Command: []string{"no-such-program-here", "--token=" + secret}}
	must(t, s.Put(t.Context(), e))
	if _, err := s.Account(t.Context(), "work"); err == nil || !strings.Contains(err.Error(), "no-such-program-here") || strings.Contains(err.Error(), secret) {
		t.Error(err)
	}
}

func TestCommandTakesTooLong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, func(o *accounts.Options) { o.CommandTimeout = 50 * time.Millisecond })
	must(t, s.Put(t.Context(), withCommand(t, dir, "exec sleep 60")))
	began := time.Now()
	_, err := s.Account(t.Context(), "work")
	if err == nil || !strings.Contains(err.Error(), "did not end in time (50ms)") || time.Since(began) > 30*time.Second {
		t.Error(time.Since(began), err)
	}
	s = open(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Account(ctx, "work"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// A command that failed is not run for every message that waits, but again after
// a while, and at once after Forget.
func TestFailedCommandRests(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Put(t.Context(), withCommand(t, dir, "exit 1")))
	synctest.Test(t, func(t *testing.T) {
		ask := func(want int) {
			t.Helper()
			if _, err := s.Account(t.Context(), "work"); !errors.Is(err, accounts.ErrNoSecret) {
				t.Error(err)
			}
			if n := runs(t, dir); n != want {
				t.Errorf("ran %d times, want %d", n, want)
			}
		}
		ask(1)
		ask(1)
		time.Sleep(4 * time.Second)
		ask(1)
		time.Sleep(2 * time.Second)
		ask(2)
		s.Forget("work")
		ask(3)
	})
}

func TestPermissions(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "kaizen")
	s, ctx := open(t, dir), t.Context()
	must(t, s.Add(ctx, work(), "first"))
	must(t, s.SetSecret(ctx, "work", secret))
	must(t, s.SetDefault(ctx, "work"))
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		must(t, err)
		info, err := d.Info()
		must(t, err)
		want := os.FileMode(0o600)
		if d.IsDir() {
			want = 0o700
		}
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %04o", path, info.Mode().Perm())
		}
		return nil
	})
	must(t, err)
	for _, name := range []string{"secrets.age", "key.txt"} {
		path := filepath.Join(dir, name)
		for _, mode := range []os.FileMode{0o640, 0o604, 0o602} {
			must(t, os.Chmod(path, mode))
			_, err := open(t, dir).Account(ctx, "work")
			if !errors.Is(err, accounts.ErrPermissions) || !strings.Contains(err.Error(), "chmod 600 "+path) {
				t.Errorf("%s %04o: %v", name, mode, err)
			}
		}
		must(t, os.Chmod(path, 0o600))
	}
	if a := resolve(t, open(t, dir), "work"); a.Password != secret {
		t.Error("mended and not read")
	}
}

// A link to a file elsewhere (as people who keep their settings under version
// control have them) stays a link.
func TestLinksStay(t *testing.T) {
	t.Parallel()
	dir, elsewhere, ctx := t.TempDir(), t.TempDir(), t.Context()
	s := open(t, dir)
	must(t, s.Add(ctx, work(), "first"))
	path, target := filepath.Join(dir, "secrets.age"), filepath.Join(elsewhere, "mine.age")
	must(t, os.Rename(path, target))
	must(t, os.Symlink(target, path))
	must(t, s.SetSecret(ctx, "work", secret))
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Error("the link was replaced", err)
	}
	if a := resolve(t, open(t, dir), "work"); a.Password != secret {
		t.Error("not written through the link")
	}
}

// A command is told no other secrets of ours.
func TestCommandsSeeNoSecrets(t *testing.T) {
	own := []string{"KAIZEN_PASSPHRASE", "KAIZEN_NEW_PASSPHRASE", "KAIZEN_BUNDLE_PASSPHRASE", "KAIZEN_PASSWORD", "KAIZEN_SERVER"}
	for _, name := range own {
		t.Setenv(name, secret)
	}
	t.Setenv("VAULT_TOKEN", "theirs")
	s := open(t, t.TempDir())
	e := work()
	e.Secret = accounts.SecretSource{Kind: accounts.SecretCommand, Command: []string{"env | tr '\\n' ' '"}, Shell: true}
	must(t, s.Put(t.Context(), e))
	seen := resolve(t, s, e.Name).Password
	for _, name := range own {
		if strings.Contains(seen, name+"=") {
			t.Errorf("the command sees %s", name)
		}
	}
	if !strings.Contains(seen, "VAULT_TOKEN=theirs") || strings.Contains(seen, secret) {
		t.Error("the command sees too little, or a secret")
	}
}
