package safefile

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// readers is how long those who read a file, or look for viruses in it, may be in
// the way.
const readers = 2 * time.Second

// rename replaces a file. Somebody may be reading it just now, which Windows
// takes for a reason to refuse.
func rename(from, to string) error {
	timer := time.NewTimer(readers)
	defer timer.Stop()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for {
		err := os.Rename(from, to)
		if !errors.Is(err, windows.ERROR_ACCESS_DENIED) && !errors.Is(err, windows.ERROR_SHARING_VIOLATION) {
			return err
		}
		select {
		case <-timer.C:
			return err
		case <-again.C:
		}
	}
}

// SyncDir does nothing: NTFS keeps a journal of renames.
func SyncDir(string) error { return nil }

// RemoveLock removes a lock file that f is. Windows removes nothing that is
// open; and so it does not remove what somebody else has opened by now.
func RemoveLock(f *os.File) {
	_ = f.Close()
	_ = os.Remove(f.Name())
}
