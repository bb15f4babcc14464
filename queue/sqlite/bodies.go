package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"

	"github.com/kaizenmail/kaizen/internal/crashpoint"
	"github.com/kaizenmail/kaizen/internal/safefile"
	"github.com/kaizenmail/kaizen/queue"
)

// inline is how large a body in the database may be.
const inline = 64 << 10

var (
	errSum     = errors.New("its check sum is wrong")
	errMissing = errors.New("its content is missing")
)

// body is what a Put is about to store. One that is small is in octets; of a
// larger one there is a file in the folder of bodies, whose descriptor is locked
// as long as the Put lasts.
type body struct {
	id     int64 // that of the first job with it
	octets []byte
	size   int64
	hash   []byte // SHA-256; of a small one only if it is wanted
	file   *os.File
	synced bool
	stored bool // in this run of the operation
}

// newBody reads a body. That of a stream is never in memory as a whole.
func (s *Store) newBody(ctx context.Context, from *queue.Body, hashed, sync bool) (*body, error) {
	octets, ok := from.Bytes()
	r := from.Reader()
	if !ok {
		var err error
		if octets, err = io.ReadAll(io.LimitReader(r, inline+1)); err != nil {
			return nil, fmt.Errorf("read body: %w", err)
		}
		r = io.MultiReader(bytes.NewReader(octets), r)
	}
	if len(octets) > inline {
		return s.newFile(ctx, r, sync)
	}
	b := &body{octets: octets, size: int64(len(octets))}
	if hashed {
		sum := sha256.Sum256(octets)
		b.hash = sum[:]
	}
	return b, nil
}

// newFile writes a large body, and has it and its name on disk before there is a row
// that refers to it.
func (s *Store) newFile(ctx context.Context, r io.Reader, sync bool) (_ *body, err error) {
	f, err := s.newTemporary()
	if err != nil {
		return nil, s.diskError("write a body", err)
	}
	b := &body{file: f, synced: sync}
	defer func() {
		if err != nil {
			b.release()
		}
	}()
	if err := b.fill(ctx, r); err != nil {
		var failed *readError
		if errors.As(err, &failed) {
			return nil, fmt.Errorf("read body: %w", failed.err)
		}
		return nil, s.diskError("write a body", err)
	}
	if !sync {
		return b, nil
	}
	if err := errors.Join(f.Sync(), s.place(b)); err != nil {
		return nil, s.diskError("write a body", err)
	}
	crashpoint.Hit("body.written")
	return b, nil
}

// temporary begins the names of files that are being written.
const temporary = "new-"

// newTemporary makes a file and locks it, so that no sweep takes it for one that a
// crash has left. One that was swept before it was locked is made again.
func (s *Store) newTemporary() (*os.File, error) {
	for {
		f, err := os.CreateTemp(s.bodies(), temporary+"*")
		if err != nil {
			return nil, err
		}
		locked, err := safefile.TryLock(f)
		if err == nil && locked {
			if _, err = os.Stat(f.Name()); err == nil {
				return f, nil
			}
		}
		_ = f.Close()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

// fill copies r to the file.
func (b *body) fill(ctx context.Context, r io.Reader) error {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(b.file, h), &source{ctx, r})
	b.size, b.hash = n, h.Sum(nil)
	return err
}

// source tells errors of reading from those of writing.
type source struct {
	ctx context.Context
	r   io.Reader
}

type readError struct{ err error }

func (e *readError) Error() string { return e.err.Error() }

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, &readError{err}
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		err = &readError{err}
	}
	return n, err
}

// place gives a written file its name, unless one with the same content has it.
// The file keeps its first name too, so that it can be placed again.
func (s *Store) place(b *body) error {
	path := s.path(b.hash)
	if info, err := os.Stat(path); err == nil && info.Size() == b.size {
		return nil
	}
	if err := os.Mkdir(filepath.Dir(path), 0o700); err == nil {
		if err := safefile.SyncDir(s.bodies()); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrExist) {
		return err
	}
	err := os.Link(b.file.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		err = b.copy(path)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return safefile.SyncDir(filepath.Dir(path))
}

// copy is for file systems without links.
func (b *body) copy(path string) error {
	whole, err := os.CreateTemp(filepath.Dir(path), temporary+"*")
	if err != nil {
		return err
	}
	if _, err = b.file.Seek(0, io.SeekStart); err == nil {
		_, err = io.Copy(whole, b.file)
	}
	if err == nil {
		err = whole.Sync()
	}
	if err = errors.Join(err, whole.Close()); err == nil {
		err = os.Rename(whole.Name(), path)
	}
	return err
}

// release lets go of the file under its first name.
func (b *body) release() {
	if b.file != nil {
		name := b.file.Name()
		_ = b.file.Close()
		_ = os.Remove(name)
	}
}

func (s *Store) path(hash []byte) string {
	name := hex.EncodeToString(hash)
	return filepath.Join(s.bodies(), name[:2], name)
}

// store writes a body once in a transaction. Files are removed in transactions
// only: so one that is there now stays.
func (t *tx) store(b *body) error {
	if b.stored {
		return nil
	}
	if b.file == nil {
		b.stored = true
		return t.run("INSERT INTO octets VALUES(?, ?, ?, NULL, ?)", b.id, b.size, int64(checksum(b.octets)), nonNil(b.octets))
	}
	if !b.synced {
		if err := b.file.Sync(); err != nil {
			return t.fail(t.s.diskError("write a body", err))
		}
	}
	if err := t.s.place(b); err != nil {
		return t.fail(t.s.diskError("write a body", err))
	}
	b.stored = true
	return t.run("INSERT INTO octets VALUES(?, ?, 0, ?, NULL)", b.id, b.size, b.hash)
}

// nonNil keeps an empty body from being NULL.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// share notes that one more job has a body.
func (t *tx) share(id int64) error {
	return t.run("INSERT INTO shared VALUES(?, 2) ON CONFLICT DO UPDATE SET jobs = jobs + 1", id)
}

// content reads a body; nil if it is gone.
func (s *Store) content(c *conn, id int64) (content *queue.Content, err error) {
	var damaged error
	failed := c.query(func(st *sqlite3.Stmt) bool {
		content = &queue.Content{Size: st.ColumnInt64(0)}
		if hash := st.ColumnBlob(2, nil); len(hash) > 0 {
			content.Open, damaged = s.opener(hash, content.Size)
			return false
		}
		content.Octets = st.ColumnBlob(3, []byte{})
		if int64(len(content.Octets)) != content.Size || int64(checksum(content.Octets)) != st.ColumnInt64(1) {
			damaged = errSum
		}
		return false
	}, "SELECT size, sum, hash, data FROM octets WHERE id=?", id)
	if failed != nil {
		return nil, failed
	}
	if damaged != nil {
		damaged = &damage{fmt.Errorf("its body is damaged: %w", damaged)}
	}
	return content, damaged
}

// damage is an error of what is stored, and not of storing.
type damage struct{ error }

// opener opens a large body as often as it is wanted, and checks its sum as it is
// read.
func (s *Store) opener(hash []byte, size int64) (func() (io.ReadCloser, error), error) {
	path := s.path(hash)
	open := func() (io.ReadCloser, error) {
		f, err := os.Open(path)
		if err != nil {
			return nil, s.diskError("read a body", err)
		}
		return &checked{f: f, h: sha256.New(), want: hash}, nil
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return open, errMissing
	case err == nil && info.Size() != size:
		return open, fmt.Errorf("its file has %d octets, and should have %d", info.Size(), size)
	}
	return open, err
}
