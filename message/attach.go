package message

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync/atomic"
)

// ErrReadOnce says that a message cannot be written again: the reader of an
// attachment made by [AttachReader] has been read.
var ErrReadOnce = errors.New("its reader can be read only once, and was: attach a file or an io.ReaderAt to write the message again")

var (
	errNotRegular = errors.New("not a regular file")
	errNoReader   = errors.New("no reader given")
	errShort      = errors.New("shorter than the size given")
	errSize       = errors.New("size below zero")
)

// AttachFile attaches a file under its own name. It is opened when the message
// is used, and must not change until the message has been sent.
func AttachFile(path string) Attachment {
	open := func() (fs.File, error) { return os.Open(path) }
	return attachOpened(filepath.Base(path), path, open)
}

// AttachFS attaches a file of a file system, such as an embed.FS, under its own
// name. It must not change until the message has been sent.
func AttachFS(fsys fs.FS, name string) Attachment {
	open := func() (fs.File, error) { return fsys.Open(name) }
	return attachOpened(path.Base(name), name, open)
}

func attachOpened(name, path string, open func() (fs.File, error)) Attachment {
	return Attachment{
		Name:  name,
		Open:  func() (io.ReadCloser, error) { return open() },
		probe: func() (int64, error) { return fileSize(path, open) },
	}
}

// fileSize opens the file to see that it can be: nothing must be sent if it
// cannot.
func fileSize(path string, open func() (fs.File, error)) (int64, error) {
	f, err := open()
	if err != nil {
		return 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, &fs.PathError{Op: "attach", Path: path, Err: errNotRegular}
	}
	return info.Size(), nil
}

// AttachReaderAt attaches the first size octets of r, such as an open *os.File
// or a *bytes.Reader. The message can be written any number of times, by several
// goroutines at once too. r is not closed.
func AttachReaderAt(name string, r io.ReaderAt, size int64) Attachment {
	return Attachment{
		Name:  name,
		Open:  func() (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(r, 0, size)), nil },
		probe: func() (int64, error) { return size, holds(r, size) },
	}
}

// holds reads the last octet.
func holds(r io.ReaderAt, size int64) error {
	switch {
	case r == nil:
		return errNoReader
	case size < 0:
		return errSize
	case size == 0:
		return nil
	}
	n, err := r.ReadAt(make([]byte, 1), size-1)
	switch {
	case n == 1:
		return nil
	case err == io.EOF:
		return errShort
	}
	return err
}

// AttachReader attaches what r gives until io.EOF. The message can be written
// once: a second time fails with [ErrReadOnce], and once it is on its way to a
// server it is not repeated. It cannot be signed. Where there is an io.ReaderAt,
// use [AttachReaderAt]. r is not closed.
func AttachReader(name string, r io.Reader) Attachment {
	var taken atomic.Bool
	return Attachment{
		Name: name,
		once: true,
		Open: func() (io.ReadCloser, error) {
			if taken.Swap(true) {
				return nil, ErrReadOnce
			}
			return io.NopCloser(r), nil
		},
		probe: func() (int64, error) {
			switch {
			case r == nil:
				return 0, errNoReader
			case taken.Load():
				return 0, ErrReadOnce
			}
			return 0, nil
		},
	}
}

// size is the size as far as it is known, else 0, or why there will be no
// content.
func (a *Attachment) size() (int64, error) {
	if a.probe == nil {
		return int64(len(a.Data)), nil
	}
	return a.probe()
}
