//go:build unix

package safefile

import (
	"fmt"
	"os"
	"syscall"
)

// TryLock takes the lock if nobody has it, and reports whether it did.
func TryLock(f *os.File) (bool, error) {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch err {
	case nil:
		return true, nil
	case syscall.EWOULDBLOCK, syscall.EINTR:
		return false, nil
	}
	return false, fmt.Errorf("lock %s: %w", f.Name(), err)
}
