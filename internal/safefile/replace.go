package safefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Care is what of a file shall be there after a power failure.
type Care uint8

// The degrees of care.
const (
	Anything Care = iota // it may be damaged
	Either               // the file as it is now, or as it was before
	Latest               // the file as it is now
)

// UnsyncedError says that a file was replaced, but may be as it was before after
// a power failure.
type UnsyncedError struct{ Err error }

// Error says what follows.
func (e *UnsyncedError) Error() string {
	return "may not survive a power failure: " + e.Err.Error()
}

// Unwrap returns the failure.
func (e *UnsyncedError) Unwrap() error { return e.Err }

// temporary begins the names of files that are being written.
const temporary = ".kaizen-new-"

// Replace writes a file, mode 0600, as a whole or not at all: if there is an
// error, but for an [*UnsyncedError], the file is as before. Writers that may meet
// hold a lock.
func Replace(path string, content []byte, survives Care) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, temporary)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil && survives >= Either {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = rename(f.Name(), path)
	}
	if err != nil {
		if left := os.Remove(f.Name()); !errors.Is(left, fs.ErrNotExist) {
			err = errors.Join(err, left)
		}
		return err
	}
	if survives < Latest {
		return nil
	}
	if err := SyncDir(dir); err != nil {
		return &UnsyncedError{err}
	}
	return nil
}

// Leftovers are the files in a folder that are being written, or were when their
// writer died. A folder that cannot be read has none.
func Leftovers(dir string) (paths []string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), temporary) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}
