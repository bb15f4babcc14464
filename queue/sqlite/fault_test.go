package sqlite_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/sqlite"
)

// disk is a file system of SQLite that can fail.
type disk struct {
	vfs.VFS
	failWrites, failSyncs atomic.Bool
	opened                atomic.Int64 // logs
}

func (d *disk) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	f, flags, err := d.VFS.(vfs.VFSFilename).OpenFilename(name, flags)
	if err != nil {
		return nil, flags, err
	}
	if flags&vfs.OPEN_WAL != 0 {
		d.opened.Add(1)
	}
	return &diskFile{f, d}, flags, nil
}

type diskFile struct {
	vfs.File
	d *disk
}

func (f *diskFile) SharedMemory() vfs.SharedMemory {
	if shared, ok := f.File.(vfs.FileSharedMemory); ok {
		return shared.SharedMemory()
	}
	return nil
}

func (f *diskFile) WriteAt(b []byte, at int64) (int, error) {
	if f.d.failWrites.Load() {
		return 0, vfs.SystemError(syscall.ENOSPC, sqlite3.FULL)
	}
	return f.File.WriteAt(b, at)
}

func (f *diskFile) Sync(flags vfs.SyncFlag) error {
	if f.d.failSyncs.Load() {
		return sqlite3.IOERR_FSYNC
	}
	return f.File.Sync(flags)
}

// onDisk opens a queue on a disk that can fail.
func onDisk(t *testing.T) (*sqlite.Store, *disk) {
	t.Helper()
	d := &disk{VFS: vfs.Find("")}
	name := strings.ReplaceAll(t.Name(), "/", "-")
	vfs.Register(name, d)
	s, err := sqlite.OpenVFS(filepath.Join(t.TempDir(), "queue"), name, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		vfs.Unregister(name)
	})
	return s, d
}

// A full disk is told, and costs nothing that was acknowledged.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s, d := onDisk(t)
	before := put(t, s, mail("a", []byte("before")))[0]
	d.failWrites.Store(true)
	_, err := s.Put(t.Context(), noon, []queue.Submission{mail("a", []byte("full"))})
	var failed *sqlite.DiskError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "free space") || !strings.Contains(err.Error(), s.Dir()) {
		t.Fatalf("a full disk: %v", err)
	}
	d.failWrites.Store(false)
	after := put(t, s, mail("a", []byte("after")))[0]
	jobs, err := s.List(t.Context(), noon, queue.Filter{})
	if err != nil || len(jobs) != 2 || jobs[0].ID != before || jobs[1].ID != after {
		t.Errorf("jobs %v, %v", jobs, err)
	}
}

// After a failed fsync the database is opened anew, and nothing is written over
// the connection that failed.
func TestFailedSync(t *testing.T) {
	t.Parallel()
	s, d := onDisk(t)
	put(t, s, mail("a", []byte("before")))
	opened := d.opened.Load()
	d.failSyncs.Store(true)
	for range 2 {
		_, err := s.Put(t.Context(), noon, []queue.Submission{mail("a", []byte("lost"))})
		var failed *sqlite.DiskError
		if !errors.As(err, &failed) || !errors.Is(err, sqlite3.IOERR_FSYNC) {
			t.Fatalf("a failed fsync: %v", err)
		}
	}
	d.failSyncs.Store(false)
	put(t, s, mail("a", []byte("after")))
	if n := d.opened.Load(); n == opened {
		t.Error("the database was not opened anew")
	}
	check(t, s)
}

// A claim that failed in its commit may be there all the same, and nobody has its
// token: it must not keep the job.
func TestClaimLostInCommit(t *testing.T) {
	t.Parallel()
	s, d := onDisk(t)
	id := put(t, s, mail("a", []byte("x")))[0]
	d.failSyncs.Store(true)
	if _, err := s.Claim(t.Context(), noon, []queue.Want{{Lane: "a", Count: 1, Begin: true}}); err == nil {
		t.Fatal("no error")
	}
	d.failSyncs.Store(false)
	if got := claim(t, s, queue.Want{Lane: "a", Count: 1}); len(got.Claims) != 1 || got.Claims[0].Job.ID != id {
		t.Errorf("claimed %+v", got)
	}
	if d := get(t, s, id); len(d.History) != 0 || d.Attempts != 0 {
		t.Errorf("%+v", d)
	}
	check(t, s)
}

// A settlement that failed is settled when it is tried again.
func TestSettleAgain(t *testing.T) {
	t.Parallel()
	s, d := onDisk(t)
	id := put(t, s, mail("a", []byte("x")))[0]
	token := claim(t, s, queue.Want{Lane: "a", Count: 1, Begin: true}).Claims[0].Token
	d.failWrites.Store(true)
	if _, err := s.Settle(t.Context(), noon, []queue.Settlement{accepted(token)}); err == nil {
		t.Fatal("no error")
	}
	d.failWrites.Store(false)
	settle(t, s, accepted(token))
	if d := get(t, s, id); d.State != queue.Sent || len(d.History) != 1 {
		t.Errorf("%+v", d)
	}
}

// Who holds the database's lock for long is told about.
func TestWaitsForOtherWriters(t *testing.T) {
	t.Parallel()
	s := fresh(t)
	put(t, s, mail("a", []byte("x")))
	c, err := sqlite3.Open("file:" + filepath.Join(s.Dir(), "queue.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Exec("BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	done := make(chan error, 2)
	go func() {
		_, err := s.Put(t.Context(), noon, []queue.Submission{mail("a", []byte("patient"))})
		done <- err
	}()
	// It ends with its context, unless the writer has it already.
	go func() {
		_, err := s.Put(ctx, noon, []queue.Submission{mail("a", []byte("hurried"))})
		done <- err
	}()
	<-ctx.Done()
	if err := c.Exec("ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-done; err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	}
	if jobs, err := s.List(t.Context(), noon, queue.Filter{}); err != nil || len(jobs) < 2 {
		t.Errorf("%d jobs, %v", len(jobs), err)
	}
}

// A job of the durability memory survives a disk that was full for a while.
func TestMemoryOnFullDisk(t *testing.T) {
	t.Parallel()
	s, d := onDisk(t)
	m := mail("a", []byte("x"))
	m.Durability = queue.Memory
	put(t, s, m)
	if _, err := s.List(t.Context(), noon, queue.Filter{}); err != nil {
		t.Fatal(err)
	}
	d.failWrites.Store(true)
	id := put(t, s, m)[0]
	if jobs, err := s.List(t.Context(), noon, queue.Filter{}); err != nil || len(jobs) != 1 {
		t.Errorf("%d jobs, %v", len(jobs), err)
	}
	d.failWrites.Store(false)
	if jobs, err := s.List(t.Context(), noon, queue.Filter{}); err != nil || len(jobs) != 2 || jobs[1].ID != id {
		t.Errorf("%d jobs, %v", len(jobs), err)
	}
	check(t, s)
}

// A settlement whose fsync failed may be there all the same. Tried again, it is
// no late one.
func TestSettleAgainAfterSync(t *testing.T) {
	t.Parallel()
	s, d := onDisk(t)
	id := put(t, s, mail("a", []byte("x")))[0]
	token := claim(t, s, queue.Want{Lane: "a", Count: 1, Begin: true}).Claims[0].Token
	d.failSyncs.Store(true)
	if _, err := s.Settle(t.Context(), noon, []queue.Settlement{accepted(token)}); err == nil {
		t.Fatal("no error")
	}
	d.failSyncs.Store(false)
	settle(t, s, accepted(token))
	if d := get(t, s, id); d.State != queue.Sent || len(d.History) != 1 || d.Attempts != 1 {
		t.Errorf("%+v", d)
	}
	if errs, err := s.Settle(t.Context(), noon, []queue.Settlement{accepted(token)}); err != nil || !errors.Is(errs[0], queue.ErrStale) {
		t.Errorf("settled twice: %v, %v", errs, err)
	}
	check(t, s)
}
