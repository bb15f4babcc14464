//go:build unix

package safefile

import (
	"errors"
	"os"
	"syscall"
)

func rename(from, to string) error { return os.Rename(from, to) }

// SyncDir makes what was renamed in a folder, or removed from it, survive a power
// failure. Some file systems cannot, and need not.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// RemoveLock removes a lock file that f is and has locked: who opened it in
// between sees that it is gone, once it has the lock.
func RemoveLock(f *os.File) { _ = os.Remove(f.Name()) }
