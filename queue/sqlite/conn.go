package sqlite

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// conn is a connection that keeps its prepared statements, and remembers that one
// of them failed. It is not safe for concurrent use.
type conn struct {
	*sqlite3.Conn
	statements map[string]*sqlite3.Stmt
	failed     error
	era        int // of the store, when it was opened; see fault.go
}

// maxStatements is how many statements a connection keeps.
const maxStatements = 150

// patience is how long a connection waits for another process's transaction.
const patience = 10 * time.Second

func (s *Store) connect(cacheKB int) (*conn, error) {
	db, err := sqlite3.OpenFlags(s.dataSource(), s.openFlags())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", s.file(), err)
	}
	c := &conn{Conn: db, statements: map[string]*sqlite3.Stmt{}, era: int(s.era.Load())}
	err = errors.Join(
		db.BusyTimeout(patience),
		db.Exec("PRAGMA synchronous=FULL"),
		db.Exec(fmt.Sprintf("PRAGMA cache_size=-%d", cacheKB)),
		db.Exec("PRAGMA temp_store=MEMORY"),
		db.Exec(fmt.Sprintf("PRAGMA journal_size_limit=%d", 2*restartAt*pageSize)), // after a long backup
		db.Exec("PRAGMA cell_size_check=ON"),
		db.Exec("PRAGMA trusted_schema=OFF"),
		db.WALAutoCheckpoint(0),
	)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("set up %s: %w", s.file(), err), db.Close())
	}
	return c, nil
}

// end closes the connection. Without checkpoint nothing is written.
func (c *conn) end(checkpoint bool) error {
	if !checkpoint {
		_, _ = c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true)
	}
	for _, st := range c.statements {
		_ = st.Close() // it repeats the error of its latest run
	}
	return c.Conn.Close()
}

// run executes a statement that gives no rows that matter.
func (c *conn) run(sql string, args ...any) error {
	return c.query(nil, sql, args...)
}

// query executes a statement and shows each row to visit, as long as that returns
// true. Times are not passed, but milliseconds.
func (c *conn) query(visit func(*sqlite3.Stmt) bool, sql string, args ...any) error {
	st, err := c.statement(sql)
	if err != nil {
		return c.fail(err)
	}
	for i, arg := range args {
		if err := bind(st, i+1, arg); err != nil {
			return c.fail(err)
		}
	}
	for st.Step() {
		if visit != nil && !visit(st) {
			break
		}
	}
	err = st.Err()
	if again := st.Reset(); err == nil {
		err = again
	}
	if err != nil {
		return c.fail(err)
	}
	return nil
}

// number is the first column of the first row; ok is false if there is no row.
func (c *conn) number(sql string, args ...any) (n int64, ok bool, err error) {
	err = c.query(func(st *sqlite3.Stmt) bool {
		n, ok = st.ColumnInt64(0), true
		return false
	}, sql, args...)
	return n, ok, err
}

func (c *conn) statement(sql string) (*sqlite3.Stmt, error) {
	if st := c.statements[sql]; st != nil {
		return st, nil
	}
	st, _, err := c.PrepareFlags(sql, sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, err
	}
	c.forgetOne()
	c.statements[sql] = st
	return st, nil
}

// forgetOne closes any statement, if there are many: filters make ever new ones.
func (c *conn) forgetOne() {
	for sql, st := range c.statements {
		if len(c.statements) < maxStatements {
			return
		}
		if !st.Busy() {
			_ = st.Close()
			delete(c.statements, sql)
			return
		}
	}
}

func (c *conn) fail(err error) error {
	if c.failed == nil {
		c.failed = err
	}
	return err
}

func bind(st *sqlite3.Stmt, i int, arg any) error {
	switch arg := arg.(type) {
	case int64:
		return st.BindInt64(i, arg)
	case int:
		return st.BindInt64(i, int64(arg))
	case bool:
		return st.BindBool(i, arg)
	case string:
		return st.BindText(i, arg)
	case []byte:
		return st.BindBlob(i, arg)
	case nil:
		return st.BindNull(i)
	}
	return fmt.Errorf("a %T cannot be bound", arg)
}

// text is s, or NULL if it is empty.
func text(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// read gives work a connection for reading, and one state of the database for all
// its statements. What this process put without waiting is there already.
func (s *Store) read(ctx context.Context, work func(*conn) error) error {
	return s.readOver(ctx, &s.readers, work)
}

func (s *Store) readOver(ctx context.Context, from *readers, work func(*conn) error) error {
	if s.unsaved.Load() > 0 {
		// If that fails, it is not there yet.
		_ = s.write(ctx, nothing, 0, func(*tx) error { return nil })
	}
	c, err := from.take(ctx, s)
	if err != nil {
		return err
	}
	defer from.give(c, s)
	c.SetInterrupt(ctx)
	err = c.run("BEGIN")
	if err == nil {
		err = work(c)
	}
	c.SetInterrupt(context.Background())
	if !c.GetAutocommit() {
		if ended := c.run("ROLLBACK"); err == nil {
			err = ended
		}
	}
	if ctx.Err() != nil && errors.Is(err, sqlite3.INTERRUPT) {
		return ctx.Err()
	}
	if c.failed != nil && errors.Is(err, c.failed) {
		return s.diskError("read", err)
	}
	return err
}
