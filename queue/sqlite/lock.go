package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/internal/safefile"
	"github.com/kaizenmail/kaizen/queue"
)

// glance is how long those who only look who delivers may hold the lock.
const glance = 250 * time.Millisecond

func (s *Store) lockFile() string { return filepath.Join(s.dir, "deliver.lock") }

// delivers reports whether this store does.
func (s *Store) delivers() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lock != nil
}

// acquire takes the lock of the one that delivers.
func (s *Store) acquire(ctx context.Context) (*os.File, error) {
	f, err := os.OpenFile(s.lockFile(), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, s.diskError("lock", err)
	}
	brief, cancel := context.WithTimeout(ctx, glance)
	defer cancel()
	err = safefile.Lock(brief, f)
	switch {
	case err == nil:
	case brief.Err() != nil && ctx.Err() == nil:
		err = &queue.LockedError{By: holder(f)}
	case ctx.Err() == nil:
		err = s.diskError("lock", err)
	}
	if err == nil {
		err = sign(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// sign writes who holds the lock, for people.
func sign(f *os.File) error {
	program := filepath.Base(os.Args[0])
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt(fmt.Appendf(nil, "process %d (%s)", os.Getpid(), program), 0)
	return err
}

func holder(f *os.File) string {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1000))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// unlock lets somebody else deliver. Nil is no lock.
func unlock(f *os.File) error {
	if f == nil {
		return nil
	}
	return errors.Join(f.Truncate(0), f.Close())
}

// deliverer tells whether somebody delivers, and who.
func (s *Store) deliverer() (by string, is bool, err error) {
	if s.delivers() {
		f, err := os.Open(s.lockFile())
		if err != nil {
			return "", true, nil
		}
		defer f.Close()
		return holder(f), true, nil
	}
	f, err := os.OpenFile(s.lockFile(), os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, s.diskError("look who delivers", err)
	}
	defer f.Close()
	free, err := safefile.TryLock(f)
	if free || err != nil {
		return "", false, err
	}
	return holder(f), true, nil
}
