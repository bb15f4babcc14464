package accounts_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/accounts"
)

const childVariable = "KAIZEN_ACCOUNTS_TEST_CHILD"

// TestChild is what the other processes of the tests below do; by itself it does
// nothing.
func TestChild(t *testing.T) {
	t.Parallel()
	dir, what, asked := strings.Cut(os.Getenv(childVariable), "|")
	if !asked {
		return
	}
	s := open(t, dir)
	if what != "until killed" {
		add(t, s, what)
		return
	}
	began := time.Now()
	for i := 0; time.Since(began) < time.Minute; i++ {
		must(t, s.SetSecret(t.Context(), "work", secret+strings.Repeat("x", i%500)))
		if i == 0 {
			fmt.Println("begun")
		}
	}
}

func child(t *testing.T, dir, what string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), childVariable+"="+dir+"|"+what)
	return cmd
}

const each = 10

// add writes accounts with their secrets, and changes one that all share.
func add(t *testing.T, s *accounts.Store, prefix string) {
	for i := range each {
		e := work()
		e.Name = fmt.Sprintf("%s-%d", prefix, i)
		if err := s.Add(t.Context(), e, "secret of "+e.Name); err != nil {
			t.Error(err)
		}
	}
}

// Writers in several goroutines of several stores and in several processes: no
// account and no secret is lost.
func TestWritersAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := func(o *accounts.Options) { o.LockTimeout = time.Minute }
	one, two := open(t, dir, long), open(t, dir, long)
	first, second := child(t, dir, "first"), child(t, dir, "second")
	must(t, first.Start())
	must(t, second.Start())
	var writers sync.WaitGroup
	for name, s := range map[string]*accounts.Store{"a": one, "b": one, "c": two} {
		writers.Go(func() { add(t, s, name) })
	}
	writers.Wait()
	must(t, first.Wait())
	must(t, second.Wait())
	fresh := open(t, dir)
	names, err := fresh.Names()
	if err != nil || len(names) != 5*each {
		t.Fatal(len(names), err)
	}
	for _, name := range names {
		if a := resolve(t, fresh, name); a.Password != "secret of "+name {
			t.Error(name, "lost its secret")
		}
	}
}

// A process that is killed while it writes leaves the old file or the new one,
// and its half of a file goes with the next change.
func TestKilledWhileWriting(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, func(o *accounts.Options) { o.LockTimeout = time.Minute })
	must(t, s.Add(t.Context(), work(), secret))
	for i := range 8 {
		cmd := child(t, dir, "until killed")
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Duration(i) * 1700 * time.Microsecond) // anywhere in its work
		must(t, cmd.Process.Kill())
		_ = cmd.Wait() // killed
		if a := resolve(t, open(t, dir), "work"); !strings.HasPrefix(a.Password, secret) {
			t.Fatal("neither the old secret nor the new one")
		}
	}
	must(t, s.SetSecret(t.Context(), "work", "whole"))
	if left := leftovers(t, dir); len(left) > 0 {
		t.Error("left:", left)
	}
}

func leftovers(t *testing.T, dir string) (left []string) {
	t.Helper()
	for _, pattern := range []string{".kaizen-new-*", "accounts.d/.kaizen-new-*"} {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		must(t, err)
		left = append(left, found...)
	}
	return left
}

// A crash between the temporary file and the rename.
func TestHalfWrittenFilesAreNotRead(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	s := open(t, dir)
	must(t, s.Add(ctx, work(), secret))
	before := read(t, dir, "secrets.age")
	write(t, filepath.Join(dir, ".kaizen-new-1"), before[:40])
	write(t, filepath.Join(dir, "accounts.d", ".kaizen-new-2"), "host = ")
	if a := resolve(t, open(t, dir), "work"); a.Password != secret || len(leftovers(t, dir)) != 2 {
		t.Error("reading was disturbed, or wrote")
	}
	must(t, s.SetDefault(ctx, "work"))
	if left := leftovers(t, dir); len(left) > 0 {
		t.Error("left:", left)
	}
}

// A change that cannot be finished leaves everything as it was.
func TestFailedWriteLeavesTheOld(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	s := open(t, dir)
	must(t, s.Add(ctx, work(), secret))
	before := read(t, dir, "secrets.age")
	write(t, filepath.Join(dir, "secrets.age.bak", "in the way"), "")
	if err := s.SetSecret(ctx, "work", "new"); err == nil || !strings.Contains(err.Error(), "secrets.age.bak") {
		t.Error(err)
	}
	if read(t, dir, "secrets.age") != before || len(leftovers(t, dir)) > 0 {
		t.Error("something was changed")
	}
	if a := resolve(t, s, "work"); a.Password != secret {
		t.Error("the old secret is gone")
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	asked, answer := make(chan bool), make(chan bool)
	write(t, filepath.Join(dir, "kaizen.toml"), "secrets.key = \"passphrase\"\n")
	slow := open(t, dir, func(o *accounts.Options) {
		o.Passphrase = func(context.Context, accounts.PassphraseRequest) (string, error) {
			close(asked)
			<-answer
			return "", errBus
		}
	})
	done := make(chan error)
	go func() { done <- slow.Add(context.Background(), work(), secret) }()
	<-asked // it holds the lock
	quick := open(t, dir, func(o *accounts.Options) { o.LockTimeout = 30 * time.Millisecond })
	if err := quick.Put(t.Context(), work()); !errors.Is(err, accounts.ErrLocked) || !strings.Contains(err.Error(), "another program") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := open(t, dir).Put(ctx, work()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := quick.Names(); err != nil {
		t.Error("reading waits for the lock:", err)
	}
	close(answer)
	if err := <-done; !errors.Is(err, errBus) {
		t.Error(err)
	}
	must(t, quick.Put(t.Context(), work()))
}

// sharedKeyring is one that several goroutines use.
type sharedKeyring struct {
	mu sync.Mutex
	keyring
}

func (k *sharedKeyring) Get(service, user string) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keyring.Get(service, user)
}

func (k *sharedKeyring) Set(service, user, text string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keyring.Set(service, user, text)
}

func (k *sharedKeyring) Delete(service, user string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keyring.Delete(service, user)
}

// Many senders and a writer at once, who changes the key too: each sees the old
// or the new password.
func TestReadersAndAWriter(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	ring := &sharedKeyring{keyring: keyring{}}
	shared := func(o *accounts.Options) { o.Keyring = ring }
	running, other := open(t, dir, shared), open(t, dir, shared)
	must(t, other.Add(ctx, work(), secret))
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for range 100 {
				if a, err := running.Account(ctx, "work"); err != nil || !strings.HasPrefix(a.Password, secret) {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 10 {
		must(t, other.SetSecret(ctx, "work", fmt.Sprint(secret, i)))
		running.Forget("work")
		kind := accounts.KeyKind(i % 2) // file, keyring
		if _, err := other.Rekey(ctx, accounts.RekeyOptions{Key: accounts.Key{Kind: kind}}); err != nil {
			t.Error(err)
		}
	}
	readers.Wait()
}
