//go:build unix

package sqlite

import (
	"errors"
	"syscall"
)

// isFull reports whether the file system has no room, or the user's share of it.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
