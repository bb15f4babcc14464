package maildrop

import (
	"errors"
	"syscall"
)

// localLineEnds: the wire's are the local ones.
const localLineEnds = false

// Errors of a full disk.
const (
	errHandleDiskFull = syscall.Errno(39)
	errDiskFull       = syscall.Errno(112)
)

func isFull(err error) bool {
	return errors.Is(err, errHandleDiskFull) || errors.Is(err, errDiskFull)
}

// syncFolder has nothing to do: NTFS keeps the order of names.
func syncFolder(string) error { return nil }
