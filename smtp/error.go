package smtp

import (
	"errors"
	"io"
	"strings"
	"syscall"
)

// Error is a failure on an SMTP connection with what is known about it. It
// never holds a credential.
type Error struct {
	Server  string  `json:"server,omitempty"` // host:port
	Phase   Phase   `json:"phase"`
	Class   Class   `json:"class"`
	Outcome Outcome `json:"outcome"`        // of the message it concerns; NotSent where there is none
	Reply   Reply   `json:"reply,omitzero"` // what the server answered, if it did
	Hint    string  `json:"hint,omitempty"` // what to do, where we can tell
	Err     error   `json:"-"`              // the cause below, if any
}

// Error tells server, phase, the server's own words and what to do.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Server != "" {
		b.WriteString(e.Server + ": ")
	}
	b.WriteString(e.Phase.String() + ": ")
	switch {
	case !e.Reply.IsZero() && e.Err != nil:
		b.WriteString(e.Err.Error() + ": " + e.Reply.String())
	case !e.Reply.IsZero():
		b.WriteString(e.Reply.String())
	case e.Err != nil:
		b.WriteString(e.Err.Error())
	default:
		b.WriteString(e.Class.String())
	}
	if e.Outcome == Unknown {
		b.WriteString(" (the message may have been accepted)")
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ClassAuth) ask for the class.
func (e *Error) Is(target error) bool {
	c, ok := target.(Class)
	return ok && c == e.Class
}

// Temporary reports whether the same message may succeed later without any
// change to it or to the account.
func (e *Error) Temporary() bool {
	switch e.Class {
	case ClassConnect:
		return !e.Reply.Permanent()
	case ClassTLS:
		return e.Reply.Temporary() || brokeOff(e.Err)
	case ClassTimeout, ClassRate, ClassQuota, ClassConnectionLimit, ClassSessionLimit,
		ClassAuthTemporary, ClassTooManyRecipients, ClassBusy, ClassState:
		return true
	case ClassAuth, ClassCanceled, ClassClosed:
		return false
	}
	return !e.Reply.Permanent() && (e.Reply.Temporary() || e.Outcome == Unknown || e.Class == ClassProtocol)
}

// brokeOff tells a handshake that the network ended from one that a side refused.
func brokeOff(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET)
}

// SafeToRetry reports that the server cannot have accepted the message, so
// that sending it again cannot make a duplicate.
func (e *Error) SafeToRetry() bool { return e.Outcome == NotSent || e.Outcome == Rejected }

var errNoRecipients = errors.New("no recipients")
