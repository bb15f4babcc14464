package queue

import (
	"errors"
	"fmt"
)

// Why something is refused.
var (
	ErrStale    = errors.New("the claim does not stand any more")
	ErrExpired  = errors.New("the job has expired")
	ErrTooLate  = errors.New("too late: it is being sent")
	ErrFinished = errors.New("it is finished")
	ErrNotHeld  = errors.New("it is not held")
	ErrBodyGone = errors.New("its content is not kept any more")
	ErrAllSent  = errors.New("it was accepted for all its recipients")
	ErrClosed   = errors.New("the queue is closed")
)

// NotFoundError says that there is no such job.
type NotFoundError struct{ ID ID }

// Error names the job.
func (e *NotFoundError) Error() string {
	return fmt.Sprintf("no job %s in the queue: it never was, or is not remembered any more", e.ID)
}

// ConflictError says that another job was put with the same key.
type ConflictError struct {
	Lane, Key string
	ID        ID // the other job
}

// Error tells which.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("job %s of account %s was queued with the key %q before, and differs: give each message a key of its own", e.ID, e.Lane, e.Key)
}

// InvalidError says that a job cannot be put as it is.
type InvalidError struct {
	Index int // of the submission
	Err   error
}

// Error tells why.
func (e *InvalidError) Error() string {
	return fmt.Sprintf("job %d cannot be queued: %v", e.Index+1, e.Err)
}

// Unwrap returns the cause.
func (e *InvalidError) Unwrap() error { return e.Err }

// LockedError says that somebody else delivers.
type LockedError struct {
	By string // who, where that is known: "process 4711 (kaizen queue run)"
}

// Error tells who, and what to do.
func (e *LockedError) Error() string {
	by := e.By
	if by == "" {
		by = "another process"
	}
	return by + " delivers from this queue already; one at a time can, and others may put and change messages meanwhile"
}

// DamagedError says that a stored body, or the record of a job, cannot be read as it
// was written.
type DamagedError struct {
	ID  ID
	Err error
}

// Error names the job.
func (e *DamagedError) Error() string { return fmt.Sprintf("job %s is damaged: %v", e.ID, e.Err) }

// Unwrap returns the cause.
func (e *DamagedError) Unwrap() error { return e.Err }
