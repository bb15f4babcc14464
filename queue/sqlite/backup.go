package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/internal/safefile"
)

// keep takes the lock that keeps files of bodies from being removed, waiting so
// long; nil if somebody else has it.
func (s *Store) keep(ctx context.Context, patience time.Duration) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(s.dir, "keep.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, s.diskError("lock bodies", err)
	}
	if patience > 0 {
		brief, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		if err := safefile.Lock(brief, f); err != nil {
			_ = f.Close()
			return nil, s.diskError("lock bodies", err)
		}
		return f, nil
	}
	if free, err := safefile.TryLock(f); err != nil || !free {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Backup makes a complete copy of the queue in another folder, which is made, mode
// 0700, and must be empty if it is there. It can be opened as it is. The copy is of
// one moment; the queue works on meanwhile, but its log grows and no large body is
// removed until the copy is made. What has been started is removed if it fails.
func (s *Store) Backup(ctx context.Context, dir string) (err error) {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.calls.Done()
	if dir, err = emptyFolder(dir); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("back up %s to %s: %w", s.dir, dir, err), removeAll(dir))
		}
	}()
	kept, err := s.keep(ctx, patience)
	if err != nil {
		return err
	}
	defer kept.Close()
	unfinished := filepath.Join(dir, "unfinished.db")
	hashes, err := s.copyDatabase(ctx, unfinished)
	if err != nil {
		return err
	}
	for _, hash := range hashes {
		if err := s.copyBody(ctx, dir, hash); err != nil {
			return err
		}
	}
	if err := os.Rename(unfinished, filepath.Join(dir, "queue.db")); err != nil {
		return err
	}
	return safefile.SyncDir(dir)
}

// emptyFolder makes a folder, or finds one that is empty.
func emptyFolder(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	var entries []os.DirEntry
	if err == nil {
		entries, err = os.ReadDir(dir)
	}
	if err != nil {
		return "", fmt.Errorf("make folder of the backup: %w", err)
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("%s is not empty, and a backup overwrites nothing: choose another folder", dir)
	}
	return dir, nil
}

// removeAll empties a folder that was empty.
func removeAll(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// copyDatabase copies one state of the database, and returns the large bodies it
// needs.
func (s *Store) copyDatabase(ctx context.Context, path string) (hashes [][]byte, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	err = s.read(ctx, func(c *conn) error {
		// What is read first is the state that all of the copy is of.
		if hashes, err = c.hashes(); err != nil {
			return err
		}
		b, err := c.BackupInit("main", path)
		if err != nil {
			return err
		}
		for done := false; !done && err == nil; {
			if err = ctx.Err(); err == nil {
				done, err = b.Step(1000)
			}
		}
		return errors.Join(err, b.Close())
	})
	return hashes, err
}

// hashes are those of the large bodies.
func (c *conn) hashes() (hashes [][]byte, err error) {
	err = c.query(func(st *sqlite3.Stmt) bool {
		hashes = append(hashes, st.ColumnBlob(0, nil))
		return true
	}, "SELECT DISTINCT hash FROM octets WHERE hash IS NOT NULL")
	return hashes, err
}

func (s *Store) copyBody(ctx context.Context, dir string, hash []byte) error {
	to := filepath.Join(dir, "bodies", filepath.Base(filepath.Dir(s.path(hash))))
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	from, err := os.Open(s.path(hash))
	if err != nil {
		return err
	}
	defer from.Close()
	whole, err := os.OpenFile(filepath.Join(to, filepath.Base(s.path(hash))), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(whole, &source{ctx, from})
	if err == nil {
		err = whole.Sync()
	}
	if err = errors.Join(err, whole.Close()); err == nil {
		err = safefile.SyncDir(to)
	}
	return err
}
