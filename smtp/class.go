package smtp

import (
	"fmt"
	"slices"
)

// Class is the kind of a failure: what it is about, and so what to do next.
//
// A Class is itself an error, so that errors.Is(err, smtp.ClassAuth) asks
// whether an [Error] is of that class.
type Class uint8

// The classes.
const (
	ClassNone              Class = iota
	ClassConnect                 // the server could not be reached, or turned us away at the greeting
	ClassTLS                     // no TLS where it is required, or its certificate is not trusted
	ClassAuth                    // credentials refused; trying again cannot help
	ClassAuthTemporary           // the login failed for now
	ClassTimeout                 // the server was silent for too long
	ClassRate                    // the server asks for fewer messages per time
	ClassQuota                   // a daily (or similar) allowance is used up
	ClassConnectionLimit         // too many connections, or the server is going away
	ClassSessionLimit            // enough messages on this connection; a new one may go on
	ClassSender                  // the reverse-path was refused
	ClassRecipient               // a recipient was refused
	ClassTooManyRecipients       // this transaction has its fill; the rest goes into another (RFC 5321 §4.5.3.1.10)
	ClassContent                 // the content was refused, by the server or before it was sent
	ClassSize                    // the message is too large
	ClassProtocol                // the two sides do not understand each other
	ClassCanceled                // the caller's context ended
	ClassBusy                    // too many messages are waiting already
	ClassClosed                  // the connection, transport or client was closed
	ClassState                   // what must be kept of an account cannot be read or written
)

var classNames = [...]string{"none", "connect", "tls", "auth", "auth-temporary", "timeout", "rate",
	"quota", "connection-limit", "session-limit", "sender", "recipient", "too-many-recipients",
	"content", "size", "protocol", "canceled", "busy", "closed", "state"}

// String returns the class in lower case, for example "connection-limit".
func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return fmt.Sprintf("class(%d)", uint8(c))
}

// Error makes a Class a target for errors.Is.
func (c Class) Error() string { return "smtp: " + c.String() }

// UnmarshalText reads a class as String writes it.
func (c *Class) UnmarshalText(b []byte) error {
	i := slices.Index(classNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("%q is no class of failures", b)
	}
	*c = Class(i)
	return nil
}

// MarshalText writes the class as String does.
func (c Class) MarshalText() ([]byte, error) { return []byte(c.String()), nil }
