package accounts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// temporary begins the names of files that are being written. Under the lock
// there can be none but those that a crash left.
const temporary = ".kaizen-new-"

// writeFile replaces a file at once or not at all, and returns when it is on the
// disk. Only its owner can read it.
func (s *Store) writeFile(path string, content []byte) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link stays one
	}
	if err := replaceFile(path, content); err != nil {
		return fmt.Errorf("write %s: %w", path, cause(err))
	}
	return nil
}

func replaceFile(path string, content []byte) (err error) {
	dir := filepath.Dir(path)
	if err := makeDir(dir); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, temporary) // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreMissing(os.Remove(f.Name())))
		}
	}()
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync())
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

// makeDir creates a directory that survives a loss of power, as the files in it
// are to.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncDir(filepath.Dir(dir))
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// removeFile removes a file for good; one that does not exist is removed.
func (s *Store) removeFile(path string) error {
	err := ignoreMissing(os.Remove(path))
	if err == nil {
		err = ignoreMissing(syncDir(filepath.Dir(path)))
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", path, cause(err))
	}
	return nil
}

// change runs f while no other process, and no other goroutine, changes the
// directory. The settings it is given are read under the lock.
func (s *Store) change(ctx context.Context, f func(*snapshot) error) error {
	if err := makeDir(s.dir); err != nil {
		return fmt.Errorf("create %s: %w", s.dir, cause(err))
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	s.removeLeftovers()
	n, err := s.settings()
	if err != nil {
		return err
	}
	return f(n)
}

// lockPoll is how often a taken lock is tried again.
const lockPoll = 20 * time.Millisecond

func (s *Store) lock(ctx context.Context) (unlock func(), err error) {
	path := s.path(lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, cause(err))
	}
	if err := s.awaitLock(ctx, f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	// Closing gives the lock back. The file stays: removing it would let two
	// processes hold locks on two files of the same name.
	return func() { _ = f.Close() }, nil
}

func (s *Store) awaitLock(ctx context.Context, f *os.File) error {
	expired := time.NewTimer(s.options.LockTimeout)
	defer expired.Stop()
	again := time.NewTicker(lockPoll)
	defer again.Stop()
	for {
		taken, err := tryLock(f)
		if err != nil {
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		if !taken {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", f.Name(), context.Cause(ctx))
		case <-expired.C:
			return fmt.Errorf("%s: %w: another program has been changing accounts for %v; wait for it, or end it", f.Name(), ErrLocked, s.options.LockTimeout)
		case <-again.C:
		}
	}
}

// removeLeftovers removes what a crash left half written.
func (s *Store) removeLeftovers() {
	for _, dir := range []string{s.dir, s.path(accountsName)} {
		files, err := os.ReadDir(dir)
		if err != nil {
			continue // it is missing, or the change itself will say what is wrong
		}
		for _, f := range files {
			if strings.HasPrefix(f.Name(), temporary) {
				_ = os.Remove(filepath.Join(dir, f.Name())) // harmless if it stays
			}
		}
	}
}
