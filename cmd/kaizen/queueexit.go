package main

import (
	"errors"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/queue/sqlite"
)

// exitCodeOfQueue is for what is wrong with the queue, or a job. It is asked before
// the wire is: nobody was reached yet.
func exitCodeOfQueue(err error) (exitCode, bool) {
	switch {
	case is[*queue.LockedError](err):
		return exitTempFail, true
	case is[*queue.NotFoundError](err), errors.Is(err, queue.ErrBodyGone):
		return exitNoInput, true
	case is[*sqlite.VersionError](err):
		return exitConfig, true
	case is[*sqlite.DiskError](err):
		return exitIO, true
	case is[*queue.ConflictError](err), is[*queue.InvalidError](err):
		return exitData, true
	case errors.Is(err, queue.ErrTooLate), errors.Is(err, queue.ErrFinished), errors.Is(err, queue.ErrNotHeld), errors.Is(err, queue.ErrAllSent):
		return exitUnavailable, true
	}
	return exitSoftware, false
}
