package sqlite

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/kaizenmail/kaizen/internal/safefile"
)

// remove removes files of bodies that no row refers to. It looks and removes within
// a transaction, in which no other process can commit such a row. While a backup
// is made nothing is removed; what is left then, the next sweep finds.
func (s *Store) remove(ctx context.Context, hashes [][]byte) error {
	if len(hashes) == 0 {
		return nil
	}
	f, err := s.keep(ctx, 0)
	if err != nil || f == nil {
		return err
	}
	defer f.Close()
	return s.write(ctx, nothing, 0, func(t *tx) error {
		for _, hash := range hashes {
			_, used, err := t.number("SELECT 1 FROM octets WHERE hash=? LIMIT 1", hash)
			if err != nil {
				return err
			}
			if used {
				continue
			}
			if err := os.Remove(s.path(hash)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				s.log.Warn("a body that nothing needs cannot be removed yet", "file", s.path(hash), "err", err)
			}
		}
		return nil
	})
}

// sweep removes files that a crash has left: bodies to which no row refers, and
// what was being written. What is being written now is locked.
func (s *Store) sweep(ctx context.Context) {
	var orphans [][]byte
	err := filepath.WalkDir(s.bodies(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return ctx.Err()
		}
		if strings.HasPrefix(entry.Name(), temporary) {
			removeLeft(path)
			return ctx.Err()
		}
		if hash, err := hex.DecodeString(entry.Name()); err == nil && len(hash) > 0 && s.orphan(ctx, hash) {
			orphans = append(orphans, hash)
		}
		return ctx.Err()
	})
	if err == nil {
		err = s.remove(ctx, orphans)
	}
	if err != nil && ctx.Err() == nil {
		s.log.Warn("bodies that nothing needs could not be removed", "dir", s.bodies(), "err", err)
	}
}

func (s *Store) orphan(ctx context.Context, hash []byte) bool {
	used := true
	err := s.read(ctx, func(c *conn) (err error) {
		_, used, err = c.number("SELECT 1 FROM octets WHERE hash=? LIMIT 1", hash)
		return err
	})
	return err == nil && !used
}

// removeLeft removes a file whose writer is dead.
func removeLeft(path string) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if free, err := safefile.TryLock(f); err == nil && free {
		safefile.RemoveLock(f)
	}
}
