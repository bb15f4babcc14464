package maildrop

import (
	"os"
	"path/filepath"
	"time"
)

// leftoverAge is when a draft is taken for one that nobody writes any more; the
// age is that of the Maildir specification.
const leftoverAge = 36 * time.Hour

// removeLeftovers removes the drafts of processes that were killed. What cannot be
// removed stays: it harms nobody.
func (m *Mailer) removeLeftovers(now time.Time) {
	pattern := filepath.Join(m.dir, ".kaizen-*.tmp")
	if m.options.Format == Maildir {
		pattern = filepath.Join(m.dir, "tmp", "*.M*P*Q*R*")
	}
	drafts, _ := filepath.Glob(pattern) // fails for bad patterns only: nothing is removed
	for _, path := range drafts {
		if seen, err := os.Lstat(path); err == nil && seen.Mode().IsRegular() && now.Sub(seen.ModTime()) > leftoverAge {
			_ = os.Remove(path)
		}
	}
}
