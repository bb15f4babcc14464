package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/internal/safefile"
	"github.com/kaizenmail/kaizen/queue"
)

var _ queue.Store = (*Store)(nil)

// Options are how a store is opened. The zero value works.
type Options struct {
	// Logger is told what no caller can be: that a job of the durability memory
	// could not be written, that a checkpoint failed. Default: [slog.Default].
	Logger *slog.Logger
	// CacheKB is how much of the database the writing connection keeps in memory;
	// default 16384 (16 MB). Up to six that read have 4 MB each.
	CacheKB int
}

// Store is a queue in a folder. All methods are safe for concurrent use.
type Store struct {
	dir     string
	vfs     string // of SQLite; for tests
	log     *slog.Logger
	cacheKB int

	operations chan *operation
	writing    sync.WaitGroup // the goroutine that writes
	minding    sync.WaitGroup // those that do checkpoints and look for orphans
	ended      context.Context
	end        context.CancelFunc
	walPages   atomic.Int64
	walLong    atomic.Bool // so that the writer should begin it anew
	mind       chan struct{}

	writer  *conn                // of the goroutine that writes
	lost    []queue.Token        // of claims that failed, and may be there all the same
	doubted map[queue.Token]bool // of settlements that failed so
	failed  []*operation         // for which nobody waits
	era     atomic.Int64         // counts how often the database was closed as it had failed
	readers readers
	quick   readers // for a delivery
	lanes   lanes
	ids     ids
	unsaved atomic.Int64 // operations for which nobody waits

	mu      sync.Mutex
	closed  bool
	calls   sync.WaitGroup
	changed map[string]bool
	lock    *os.File // held while this store delivers
}

// Open opens the queue in a folder of its own, or makes it, mode 0700. Whatever an
// older version of this program left there is brought up to date.
//
// A schema that is too new is a [*VersionError]; what the disk or the database
// refuses is a [*DiskError].
func Open(dir string, o Options) (*Store, error) {
	return open(dir, "", o)
}

func open(dir, vfs string, o Options) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find folder of the queue: %w", err)
	}
	s := &Store{
		dir: dir, vfs: vfs, log: o.Logger, cacheKB: cmp.Or(o.CacheKB, 16<<10),
		operations: make(chan *operation, 2*maxBatch),
		mind:       make(chan struct{}, 1),
		readers:    readers{slots: make(chan struct{}, maxReaders)},
		quick:      readers{slots: make(chan struct{}, maxQuick)},
		lanes:      lanes{ids: map[string]int64{}, names: map[int64]string{}},
		changed:    map[string]bool{},
		doubted:    map[queue.Token]bool{},
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	s.ended, s.end = context.WithCancel(context.Background())
	s.writing.Go(s.write1by1)
	s.minding.Go(s.checkpoint)
	return s, nil
}

// prepare makes the folder and the database, one process at a time.
func (s *Store) prepare() error {
	if err := os.MkdirAll(s.bodies(), 0o700); err != nil {
		return s.diskError("make the folder", err)
	}
	if err := checkMount(s.dir); err != nil {
		return s.diskError("open", err)
	}
	f, err := os.OpenFile(filepath.Join(s.dir, "open.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return s.diskError("open", err)
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	defer cancel()
	if err := safefile.Lock(ctx, f); err != nil {
		return s.diskError("open", err)
	}
	if err := s.beOurs(); err != nil {
		return s.diskError("open", err)
	}
	if err := s.reopen(); err != nil {
		return err
	}
	if err := s.syncFolder(); err != nil {
		return errors.Join(s.diskError("open", err), s.writer.end(false))
	}
	return nil
}

// beOurs makes a database that nobody else can read.
func (s *Store) beOurs() error {
	f, err := os.OpenFile(s.file(), os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS) {
		return nil // SQLite says it better
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// syncFolder has the queue, which may be new, survive a power failure. The folder
// that it is in may be one that we must not read; then it was there before.
func (s *Store) syncFolder() error {
	err := safefile.SyncDir(filepath.Dir(s.dir))
	if errors.Is(err, fs.ErrPermission) {
		err = nil
	}
	return errors.Join(err, safefile.SyncDir(s.dir))
}

// reopen opens the connection that writes.
func (s *Store) reopen() error {
	c, err := s.connect(s.cacheKB)
	if err != nil {
		return s.diskError("open", err)
	}
	if err := s.setUp(c); err != nil {
		return errors.Join(err, c.end(false))
	}
	c.WALHook(func(_ *sqlite3.Conn, _ string, pages int) error {
		s.grew(pages)
		return nil
	})
	s.writer = c
	for _, beside := range []string{"-wal", "-shm"} {
		_ = os.Chmod(s.file()+beside, 0o600) // the driver makes them for all; the folder is ours alone in any case
	}
	return nil
}

// minimal is the oldest SQLite whose WAL is trusted: earlier ones can lose
// transactions when a checkpoint and the restart of the log meet.
const minimal = 3_051_003

func (s *Store) setUp(c *conn) error {
	var version string
	if err := c.query(func(st *sqlite3.Stmt) bool {
		version = st.ColumnText(0)
		return false
	}, "SELECT sqlite_version()"); err != nil {
		return s.diskError("open", err)
	}
	var major, minor, patch int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &major, &minor, &patch); err != nil || major*1_000_000+minor*1000+patch < minimal {
		return fmt.Errorf("this program was built with SQLite %s; 3.51.3 or later is needed: build it anew", version)
	}
	if _, err := s.version(c); err != nil {
		return err // before anything is changed
	}
	if err := c.Exec(fmt.Sprintf("PRAGMA page_size=%d; PRAGMA journal_mode=WAL", pageSize)); err != nil {
		return s.diskError("open", err)
	}
	return s.migrate(c)
}

// Dir is the folder of the queue.
func (s *Store) Dir() string { return s.dir }

func (s *Store) file() string   { return filepath.Join(s.dir, "queue.db") }
func (s *Store) bodies() string { return filepath.Join(s.dir, "bodies") }

func (s *Store) dataSource() string {
	if s.vfs == "" {
		return s.file()
	}
	u := url.URL{Scheme: "file", Path: s.file(), RawQuery: url.Values{"vfs": {s.vfs}}.Encode()}
	return u.String()
}

func (s *Store) openFlags() sqlite3.OpenFlag {
	flags := sqlite3.OPEN_READWRITE | sqlite3.OPEN_CREATE
	if s.vfs != "" {
		flags |= sqlite3.OPEN_URI
	}
	return flags
}

// enter begins a call, unless ctx has ended or the store has. Each call that has
// begun calls s.calls.Done.
func (s *Store) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return queue.ErrClosed
	}
	s.calls.Add(1)
	return nil
}

// Close ends the store; see [queue.Store]. A second call does nothing.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	lock := s.lock
	s.lock = nil
	s.mu.Unlock()
	s.calls.Wait()
	s.end()
	s.minding.Wait()
	if s.ids.some() {
		_ = s.write(context.Background(), nothing, 0, (*tx).giveBack) // else there is a gap
	}
	close(s.operations)
	s.writing.Wait()
	s.readers.clear()
	s.quick.clear()
	var err error
	if s.writer != nil {
		err = s.writer.end(true)
	}
	if err != nil {
		err = s.diskError("close", err)
	}
	return errors.Join(err, unlock(lock))
}

func milli(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMilli(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}
