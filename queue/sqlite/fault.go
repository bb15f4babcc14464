package sqlite

import (
	"errors"
	"fmt"
	"os"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/queue"
)

// DiskError says that the disk or the database refused something. Nothing of what
// was tried was acknowledged; after a failed commit some of it may be there
// all the same. It can be tried again: the database is opened anew then.
type DiskError struct {
	Tried string // what was tried: "save", "read", …
	Dir   string // of the queue
	Err   error
}

const saving = "save"

// Error tells what was tried, where, and what to do.
func (e *DiskError) Error() string {
	so := ""
	if e.Tried == saving {
		so = ", so that nothing was acknowledged"
	}
	return fmt.Sprintf("cannot %s in the queue %s%s: %v; %s", e.Tried, e.Dir, so, e.Err, e.advice())
}

// Unwrap returns the cause.
func (e *DiskError) Unwrap() error { return e.Err }

func (e *DiskError) advice() string {
	switch {
	case errors.Is(e.Err, sqlite3.FULL) || isFull(e.Err):
		return "free space on its disk and try again"
	case errors.Is(e.Err, sqlite3.BUSY):
		return "another process has kept it locked: see whether one hangs, and try again"
	case errors.Is(e.Err, sqlite3.CORRUPT), errors.Is(e.Err, sqlite3.NOTADB):
		return "the database is damaged: stop all that use it and restore a backup, or recover what is readable with sqlite3's .recover"
	case errors.Is(e.Err, errForeign), errors.Is(e.Err, errNetwork):
		return "nothing was changed"
	}
	return "see whether the disk is well and the folder can be written"
}

func (s *Store) diskError(tried string, err error) error {
	var already *DiskError
	if errors.As(err, &already) {
		return err
	}
	if errors.Is(err, sqlite3.IOERR) || errors.Is(err, sqlite3.CANTOPEN) {
		if refused := probe(s.dir); refused != nil {
			err = fmt.Errorf("%w: %w", err, refused)
		}
	}
	return &DiskError{Tried: tried, Dir: s.dir, Err: err}
}

// probeSize is a few pages.
const probeSize = 16 << 10

// probe writes a little into a file that is gone at once, and returns what the
// system has against it: SQLite says "disk I/O error" of a full disk too.
func probe(dir string) error {
	file, err := os.CreateTemp(dir, "probe-")
	if err != nil {
		return err
	}
	_ = os.Remove(file.Name()) // not everywhere while it is open
	_, err = file.Write(make([]byte, probeSize))
	if closed := file.Close(); err == nil {
		err = closed
	}
	_ = os.Remove(file.Name())
	return err
}

// breaks reports whether the connection must not be used any more: what the
// system refused may be half done, and pages in memory may not be what is on disk.
func breaks(err error) bool {
	for _, code := range []sqlite3.ErrorCode{sqlite3.IOERR, sqlite3.FULL, sqlite3.CANTOPEN, sqlite3.NOTADB, sqlite3.READONLY, sqlite3.PERM, sqlite3.PROTOCOL, sqlite3.NOLFS, sqlite3.INTERNAL} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

// abandon closes the connection that writes, without writing, and makes readers
// close theirs. A failed fsync is never followed by another one on the same
// connection: the system may have dropped the pages it could not write.
func (s *Store) abandon() {
	s.era.Add(1)
	s.readers.clear()
	s.quick.clear()
	if s.writer != nil {
		_ = s.writer.end(false)
		s.writer = nil
	}
}

// disown puts back jobs whose claim failed in its commit, but may be there all the
// same: nobody has their tokens.
func (t *tx) disown(tokens []queue.Token) error {
	for _, token := range tokens {
		st, err := t.load(token.ID)
		if err != nil {
			return err
		}
		if st == nil || !st.holds(token) {
			continue
		}
		st.job.State = queue.Queued
		if err := t.change(st, queue.Entry{}); err != nil {
			return err
		}
	}
	return nil
}
