package sqlite

import (
	"context"
	"os"
	"path/filepath"
	"time"

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
