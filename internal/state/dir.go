package state

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kaizenmail/kaizen/internal/safefile"
)

// Dir is a folder of state, as one process sees it. It is safe for concurrent use.
type Dir struct {
	path   string
	id     string // of this process; empty: it only looks
	alive  *os.File
	joined time.Time
	clock  func() Reading
}

// The folders below a Dir.
const (
	limitsDir    = "limits"
	accountsDir  = "accounts"
	processesDir = "processes"
)

// patience bounds how long another process may hold a lock. They hold it for
// milliseconds; one that was stopped in between holds it until it goes on.
const patience = 5 * time.Second

// Open makes the folder if need be, readable by its owner alone, and joins those
// who use it.
func Open(path string) (*Dir, error) { return OpenClock(path, nil) }

// OpenClock is Open with another clock, for tests.
func OpenClock(path string, clock func() Reading) (*Dir, error) {
	d := View(path)
	if clock != nil {
		d.clock = clock
	}
	for _, sub := range []string{limitsDir, accountsDir, processesDir} {
		if err := os.MkdirAll(filepath.Join(path, sub), 0o700); err != nil {
			return nil, fmt.Errorf("make the state folder: %w", err)
		}
	}
	d.tidy()
	if err := d.join(); err != nil {
		return nil, fmt.Errorf("join the state folder %s: %w", path, err)
	}
	return d, nil
}

// View looks at a folder without joining; it need not exist. Nothing can be taken
// of its ledgers or published.
func View(path string) *Dir { return &Dir{path: path, clock: readClocks} }

// join takes a name that nobody has. Between making the file and locking it,
// others may take it for that of a dead process and remove it.
func (d *Dir) join() error {
	for range 100 {
		id := newID()
		path := d.processFile(id, ".lock")
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		if ok, err := safefile.TryLock(f); err != nil {
			return errors.Join(err, f.Close())
		} else if ok && stillThere(f, path) {
			d.id, d.alive, d.joined = id, f, time.Now()
			return nil
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
	return errors.New("others remove its lock file again and again")
}

// tidy removes what writers left that died before they had finished.
func (d *Dir) tidy() {
	for _, sub := range []string{limitsDir, accountsDir, processesDir} {
		for _, path := range safefile.Leftovers(filepath.Join(d.path, sub)) {
			if info, err := os.Stat(path); err == nil && time.Since(info.ModTime()) > time.Minute {
				_ = os.Remove(path) // somebody else may have
			}
		}
	}
}

// files are those of a folder below whose names match. A pattern for the whole
// path would take the folder's own name for a part of it.
func (d *Dir) files(sub, pattern string) (paths []string, err error) {
	entries, err := os.ReadDir(filepath.Join(d.path, sub))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if ok, _ := filepath.Match(pattern, e.Name()); ok { // the pattern is well-formed
			paths = append(paths, filepath.Join(d.path, sub, e.Name()))
		}
	}
	return paths, nil
}

func newID() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func stillThere(f *os.File, path string) bool {
	mine, err := f.Stat()
	there, err2 := os.Stat(path)
	return err == nil && err2 == nil && os.SameFile(mine, there)
}

// Close leaves the folder: what this process still holds counts as done from
// the moment when somebody notices.
func (d *Dir) Close() error {
	if d.alive == nil {
		return nil
	}
	_ = os.Remove(d.processFile(d.id, ".json")) // others remove it otherwise
	err := d.alive.Close()
	_ = os.Remove(d.processFile(d.id, ".lock"))
	return err
}

func (d *Dir) processFile(id, ending string) string {
	return filepath.Join(d.path, processesDir, id+ending)
}

// seen reports whether others can see that this process is alive.
func (d *Dir) seen() bool {
	return d.alive != nil && stillThere(d.alive, d.processFile(d.id, ".lock"))
}

// lives reports whether a process is alive, and removes the files of a dead one.
func (d *Dir) lives(id string) bool {
	if id == d.id {
		return true
	}
	path := d.processFile(id, ".lock")
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	defer f.Close()
	free, err := safefile.TryLock(f)
	if err != nil || !free {
		return true
	}
	_ = os.Remove(d.processFile(id, ".json")) // whoever looks next tries again
	safefile.RemoveLock(f)
	return false
}

// processes are those that may be alive.
func (d *Dir) processes() (ids []string, err error) {
	entries, err := os.ReadDir(filepath.Join(d.path, processesDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), ".lock"); ok {
			ids = append(ids, id)
		}
	}
	return ids, err
}

// change reads a file, lets f change what is in it, and replaces it, while no
// other process does so. f returns whether there is anything to write, and what
// must survive a power failure. Nothing has changed if there is an error, but for
// a [*safefile.UnsyncedError].
func change[T any](ctx context.Context, path string, f func(value *T, damaged bool) (write bool, survives safefile.Care)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := safefile.Lock(ctx, lock); err != nil {
		return err
	}
	var value T
	damaged, err := read(path, &value)
	if err != nil {
		return err
	}
	if write, survives := f(&value, damaged); write {
		return replace(path, &value, survives)
	}
	return nil
}

// read reads a file that may not be there.
func read(path string, value any) (damaged bool, err error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return json.Unmarshal(content, value) != nil, nil
}

// replace writes a file as a whole or not at all.
func replace(path string, value any, survives safefile.Care) error {
	content, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return safefile.Replace(path, content, survives)
}
