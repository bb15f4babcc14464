package maildrop

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
)

// draft is a file that nobody looks at yet.
type draft struct {
	file   *os.File
	name   string // in tmp, and in new
	unique string
	made   time.Time
	sync   bool
}

// deliveries counts the files of this process.
var deliveries atomic.Int64

// draft makes the file. Its name is made of the time, this process and machine, a
// counter and chance: nobody else has it.
func (m *Mailer) draft(now time.Time) (*draft, error) {
	d := &draft{made: now, unique: chance(), sync: !m.options.NoSync}
	path := filepath.Join(m.dir, ".kaizen-"+d.unique+".tmp")
	if m.options.Format == Maildir {
		d.name = fmt.Sprintf("%d.M%dP%dQ%dR%s.%s", now.Unix(), now.Nanosecond()/1000, os.Getpid(), deliveries.Add(1), d.unique, hostName())
		path = filepath.Join(m.dir, "tmp", d.name)
	}
	var err error
	d.file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	return d, err
}

func chance() string {
	octets := make([]byte, 4)
	rand.Read(octets) // never fails
	return hex.EncodeToString(octets)
}

// hostName is this machine's, in the form that Maildir wants.
func hostName() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		name = "localhost"
	}
	return strings.NewReplacer("/", `\057`, ":", `\072`).Replace(name)
}

// publish gives the file its name when it is complete.
func (d *draft) publish(path string) (string, error) {
	if d.sync {
		if err := d.file.Sync(); err != nil {
			return "", err
		}
	}
	if err := d.file.Close(); err != nil {
		return "", err
	}
	if err := os.Rename(d.file.Name(), path); err != nil {
		return "", err
	}
	if d.sync {
		if err := syncFolder(filepath.Dir(path)); err != nil {
			if gone := os.Remove(path); gone != nil {
				return "", &leftError{errors.Join(err, gone)}
			}
			return "", err
		}
	}
	return path, nil
}

// leftError: the message has its name, may not be on the disk, and could not be
// removed; somebody may have taken it already.
type leftError struct{ error }

// Unwrap returns the cause.
func (e *leftError) Unwrap() error { return e.error }

// discard removes the file.
func (d *draft) discard() error {
	if err := d.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		_ = os.Remove(d.file.Name())
		return err
	}
	if err := os.Remove(d.file.Name()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
