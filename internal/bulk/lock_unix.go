//go:build unix

package bulk

import (
	"os"
	"syscall"
)

// lock keeps other processes out until the file is closed or this process ends,
// in whatever way.
func lock(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == syscall.EWOULDBLOCK {
		return ErrJournalInUse
	}
	return err
}
