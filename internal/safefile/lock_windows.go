package safefile

import (
	"fmt"
	"os"

	"golang.org/x/sys/windows"
)

// TryLock takes the lock if nobody has it, and reports whether it did. One octet
// far behind the end is locked, as others may read the rest.
func TryLock(f *os.File) (bool, error) {
	at := windows.Overlapped{OffsetHigh: 1 << 30}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	switch err {
	case nil:
		return true, nil
	case windows.ERROR_LOCK_VIOLATION:
		return false, nil
	}
	return false, fmt.Errorf("lock %s: %w", f.Name(), err)
}
