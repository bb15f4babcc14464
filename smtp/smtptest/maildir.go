package smtptest

import (
	"fmt"
	"os"
	"path/filepath"
)

// maildir is a folder of messages, one file each: written in tmp, then moved to
// new, so that a reader never sees half of one.
type maildir struct{ path string }

func openMaildir(path string) (*maildir, error) {
	for _, name := range []string{"tmp", "new", "cur"} {
		if err := os.MkdirAll(filepath.Join(path, name), 0o700); err != nil {
			return nil, fmt.Errorf("make a Maildir: %w", err)
		}
	}
	return &maildir{path}, nil
}

// store writes a message; a nil maildir stores nothing.
func (d *maildir) store(m *Message) error {
	if d == nil {
		return nil
	}
	name := fmt.Sprintf("%d.M%dP%dQ%d.smtptest", m.Received.Unix(), m.Received.Nanosecond()/1000, os.Getpid(), m.Number)
	tmp := filepath.Join(d.path, "tmp", name)
	if err := os.WriteFile(tmp, m.Data, 0o600); err != nil {
		return fmt.Errorf("store in a Maildir: %w", err)
	}
	return os.Rename(tmp, filepath.Join(d.path, "new", name))
}
