package accounts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/kaizenmail/kaizen/internal/safefile"
)

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

func replaceFile(path string, content []byte) error {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return err
	}
	return safefile.Replace(path, content, safefile.Latest)
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
	return safefile.SyncDir(filepath.Dir(dir))
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
		err = ignoreMissing(safefile.SyncDir(filepath.Dir(path)))
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
	patient, cancel := context.WithTimeout(ctx, s.options.LockTimeout)
	defer cancel()
	err := safefile.Lock(patient, f)
	if err != nil && patient.Err() != nil && ctx.Err() == nil {
		return fmt.Errorf("%s: %w: another program has been changing accounts for %v; wait for it, or end it", f.Name(), ErrLocked, s.options.LockTimeout)
	}
	return err
}

// removeLeftovers removes what a crash left half written: under the lock, nobody
// is writing.
func (s *Store) removeLeftovers() {
	for _, dir := range []string{s.dir, s.path(accountsName), s.path(tokensName)} {
		for _, path := range safefile.Leftovers(dir) {
			_ = os.Remove(path) // harmless if it stays
		}
	}
}
