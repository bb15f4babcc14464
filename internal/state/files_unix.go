//go:build unix

package state

import "os"

// rename replaces a file, whoever reads it.
func rename(from, to string) error { return os.Rename(from, to) }

// removeLock removes a lock file that f is and has locked: who opened it in
// between sees that it is gone, once it has the lock.
func removeLock(f *os.File, path string) { _ = os.Remove(path) }
