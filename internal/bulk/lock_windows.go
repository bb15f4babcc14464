package bulk

import (
	"os"

	"golang.org/x/sys/windows"
)

// lock keeps other processes out until the file is closed or this process ends,
// in whatever way. One octet far behind the end is locked, as others may read
// the rest.
func lock(f *os.File) error {
	at := windows.Overlapped{OffsetHigh: 1 << 30}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &at)
	if err == windows.ERROR_LOCK_VIOLATION {
		return ErrJournalInUse
	}
	return err
}
