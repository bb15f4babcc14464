package safefile_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/kaizenmail/kaizen/internal/safefile"
)

func open(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestLockIsForOne(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	first, second := open(t, path), open(t, path)
	if ok, err := safefile.TryLock(first); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	if ok, err := safefile.TryLock(second); ok || err != nil {
		t.Errorf("locked twice: %v, %v", ok, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := safefile.Lock(ctx, second); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	waited := make(chan error)
	go func() { waited <- safefile.Lock(context.Background(), second) }()
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if err := <-waited; err != nil {
		t.Errorf("after it was closed: %v", err)
	}
}

// Whoever reads sees one version or the other, and nothing is left behind.
func TestReplaceIsSeenAsAWhole(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	one, two := bytes.Repeat([]byte("1"), 100_000), bytes.Repeat([]byte("2"), 50_000)
	if err := safefile.Replace(path, one, safefile.Anything); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for i, content := range [][]byte{one, two} {
		writers.Go(func() {
			for range 50 {
				if err := safefile.Replace(path, content, safefile.Care(i+1)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 200 {
		content, err := os.ReadFile(path)
		if err != nil || !bytes.Equal(content, one) && !bytes.Equal(content, two) {
			t.Errorf("read %d octets, %v", len(content), err)
		}
	}
	writers.Wait()
	// Windows has no such modes.
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if left := safefile.Leftovers(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// What cannot be replaced is as before.
func TestReplaceFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "folder")
	if err := os.MkdirAll(filepath.Join(path, "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := safefile.Replace(path, []byte("x"), safefile.Latest); err == nil {
		t.Error("a folder was replaced")
	}
	if left := safefile.Leftovers(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if err := safefile.Replace(filepath.Join(dir, "missing", "file"), nil, safefile.Latest); err == nil {
		t.Error("written into a folder that is not there")
	}
}
