package sqlite_test

import (
	"bytes"
	"context"
	"path/filepath"
	"testing"

	"github.com/kaizenmail/kaizen/queue"
)

// A backup is made while others put, claim and settle, and is a queue of its own.
func TestBackup(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	ids := put(t, s, mail("a", large('x')), mail("a", []byte("small")))
	ctx, cancel := context.WithCancel(t.Context())
	worked := make(chan error, 1)
	go func() {
		var err error
		for ctx.Err() == nil && err == nil {
			_, err = s.Put(t.Context(), noon, []queue.Submission{mail("b", large('y'))})
		}
		worked <- err
	}()
	dir := filepath.Join(t.TempDir(), "backup")
	err := s.Backup(t.Context(), dir)
	cancel()
	if err := <-worked; err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	other := open(t, dir)
	check(t, other)
	d := get(t, other, ids[0])
	if !bytes.Equal(content(t, d.Body), large('x')) {
		t.Errorf("%+v", d)
	}
	if got := claim(t, other, queue.Want{Lane: "a", Count: 5}); len(got.Claims) != 2 {
		t.Errorf("%+v", got)
	}
	if err := s.Backup(t.Context(), dir); err == nil {
		t.Error("a backup was overwritten")
	}
}

// A backup that fails leaves nothing behind.
func TestBackupEnds(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	put(t, s, mail("a", large('x')))
	for _, path := range bodyFiles(t, s) {
		remove(t, path)
	}
	dir := t.TempDir()
	if err := s.Backup(t.Context(), dir); err == nil {
		t.Error("a body is missing, and no error")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
		t.Errorf("%q, %v", left, err)
	}
}
