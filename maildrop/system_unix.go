//go:build unix

package maildrop

import (
	"errors"
	"os"
	"syscall"
)

// localLineEnds: what stands on the wire as CRLF is LF in a file.
const localLineEnds = true

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// syncFolder waits until a name in it is on the disk. Some file systems know no
// such thing.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
