package accounts

import (
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// maxFile bounds every file that is read.
const maxFile = 16 << 20

// coarse is the coarsest clock of a file system (FAT). A file that was read so
// soon after its last change may have been changed again without a new time.
const coarse = 2 * time.Second

// view is a file, or the names in a directory, as it was when it was read.
type view struct {
	path string
	info fs.FileInfo // nil: there was none
	sum  [sha256.Size]byte
	// settled is set once the content was the same at a time at which a later
	// change would have shown.
	settled atomic.Bool
}

// look reads a file. One that does not exist is a view too, of nothing.
func look(path string) (*view, []byte, error) {
	now := time.Now()
	info, content, err := readWhole(path)
	if errors.Is(err, fs.ErrNotExist) {
		return &view{path: path}, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	v := &view{path: path, info: info, sum: sha256.Sum256(content)}
	v.settled.Store(now.Sub(info.ModTime()) > coarse)
	return v, content, nil
}

// exists reports whether there was such a file.
func (v *view) exists() bool { return v.info != nil }

// current reports whether the file is still what it was.
func (v *view) current() bool {
	now := time.Now()
	info, err := os.Stat(v.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return !v.exists()
	case err != nil || !v.exists():
		return false
	case !info.ModTime().Equal(v.info.ModTime()) || info.Size() != v.info.Size() || !os.SameFile(info, v.info):
		return false
	case v.settled.Load():
		return true
	}
	_, content, err := readWhole(v.path)
	if err != nil || sha256.Sum256(content) != v.sum {
		return false
	}
	v.settled.Store(now.Sub(info.ModTime()) > coarse)
	return true
}

// readWhole reads a file, or the names in a directory, one a line.
func readWhole(path string) (fs.FileInfo, []byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if info.IsDir() {
		names, err := f.Readdirnames(-1)
		slices.Sort(names)
		return info, []byte(strings.Join(names, "\n")), err
	}
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = &fs.PathError{Op: "read", Path: path, Err: errors.New("too large")}
	}
	return info, content, err
}

// cause is what went wrong without the path, which the caller names.
func cause(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
