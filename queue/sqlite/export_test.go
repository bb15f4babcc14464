package sqlite

import (
	"context"
	"strconv"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/queue"
)

// ApplicationID marks the database as a queue.
var ApplicationID = strconv.Itoa(applicationID)

// OpenVFS opens a queue through a VFS of SQLite that a test has registered.
func OpenVFS(dir, vfs string, o Options) (*Store, error) { return open(dir, vfs, o) }

// Crash leaves a store as the end of its process would: nothing more is written,
// and the lock of the one that delivers is free.
func (s *Store) Crash() {
	s.mu.Lock()
	s.closed = true
	lock := s.lock
	s.lock = nil
	s.mu.Unlock()
	s.calls.Wait()
	s.end()
	s.minding.Wait()
	close(s.operations)
	s.writing.Wait()
	s.abandon()
	if lock != nil {
		_ = lock.Close()
	}
}

// SweepNow removes what a crash has left, and waits for that.
func (s *Store) SweepNow(ctx context.Context) error {
	s.sweep(ctx)
	return ctx.Err()
}

// Plan is how a list is found.
func (s *Store) Plan(ctx context.Context, f queue.Filter) (plan string, err error) {
	err = s.read(ctx, func(c *conn) error {
		where, args, err := s.where(c, &f, 1<<62)
		if err != nil {
			return err
		}
		return c.query(func(st *sqlite3.Stmt) bool {
			plan += st.ColumnText(3) + "\n"
			return true
		}, "EXPLAIN QUERY PLAN SELECT id FROM job WHERE "+where, args...)
	})
	return plan, err
}
