package sqlite

import (
	"errors"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/internal/crashpoint"
)

const (
	// checkpointAt is how long the log is, in pages, when a checkpoint begins: 16 MB.
	checkpointAt = 16 << 20 / pageSize
	// restartAt is when the writer helps to begin the log anew: 64 MB.
	restartAt = 64 << 20 / pageSize
)

// grew is told how long the log is after each commit.
func (s *Store) grew(pages int) {
	s.walPages.Store(int64(pages))
	if pages < checkpointAt {
		return
	}
	select {
	case s.mind <- struct{}{}:
	default:
	}
}

// checkpoint copies the log into the database whenever it has grown, over a
// connection of its own, so that no commit waits for that.
func (s *Store) checkpoint() {
	var c *conn
	defer func() {
		if c != nil {
			_ = c.end(false)
		}
	}()
	copied := 0
	var failing error // told once: it is tried after each commit
	for {
		select {
		case <-s.ended.Done():
			return
		case <-s.mind:
		}
		if s.walPages.Load() < int64(copied+checkpointAt) && s.walPages.Load() >= int64(copied) {
			continue
		}
		if c != nil && c.era != int(s.era.Load()) {
			_ = c.end(false)
			c = nil
		}
		var err error
		if copied, err = s.copyLog(&c); err != nil && failing == nil {
			s.log.Warn("the queue's log cannot be copied into its database yet", "dir", s.dir, "err", err)
		}
		failing = err
	}
}

// copyLog does one checkpoint that nobody waits for, and returns how much of the
// log is copied.
func (s *Store) copyLog(c **conn) (copied int, err error) {
	if *c == nil {
		if *c, err = s.connect(1 << 10); err != nil {
			return 0, err
		}
	}
	log, copied, err := (*c).WALCheckpoint("main", sqlite3.CHECKPOINT_PASSIVE)
	if errors.Is(err, sqlite3.BUSY) { // somebody else does it
		return 0, nil
	}
	if err != nil {
		_ = (*c).end(false)
		*c = nil
		return 0, err
	}
	crashpoint.Hit("checkpoint.middle") // the log is copied, and not begun anew
	if log >= restartAt && log-copied < checkpointAt {
		s.walLong.Store(true)
	}
	return copied, nil
}

// restartLog has the next commit begin the log anew, which under constant load would
// never come about. The checkpoint has left little to copy for that. Readers that
// need the log are not waited for: there is another time.
func (s *Store) restartLog() {
	if s.writer == nil || !s.walLong.CompareAndSwap(true, false) {
		return
	}
	_ = s.writer.BusyTimeout(time.Millisecond)
	_, _, err := s.writer.WALCheckpoint("main", sqlite3.CHECKPOINT_RESTART)
	_ = s.writer.BusyTimeout(patience)
	if err != nil && breaks(err) {
		s.abandon()
	}
}
