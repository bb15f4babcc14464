package smtp

import (
	"fmt"
	"slices"
)

// Outcome says what became of a message for one recipient, or of a whole
// transaction.
type Outcome uint8

const (
	// NotSent: the server cannot have accepted the message. Sending it again
	// cannot make a duplicate.
	NotSent Outcome = iota
	// Accepted: the server took responsibility for the message (RFC 5321 §4.2.5).
	Accepted
	// Rejected: the server answered 4xx or 5xx; its reply tells which.
	Rejected
	// Unknown: the server may have accepted the message, but its verdict was
	// never read. Sending it again may make a duplicate.
	Unknown
)

var outcomeNames = [...]string{"not sent", "accepted", "rejected", "unknown"}

// String returns "not sent", "accepted", "rejected" or "unknown".
func (o Outcome) String() string {
	if int(o) < len(outcomeNames) {
		return outcomeNames[o]
	}
	return fmt.Sprintf("outcome(%d)", uint8(o))
}

// MarshalText writes the outcome as String does.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads an outcome as String writes it.
func (o *Outcome) UnmarshalText(b []byte) error {
	i := slices.Index(outcomeNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("%q is no outcome", b)
	}
	*o = Outcome(i)
	return nil
}

// Phase is the part of an SMTP session in which something happened.
type Phase uint8

// The phases, in the order of a session.
const (
	PhaseNone     Phase = iota
	PhaseWaiting        // for a connection or a rate limit, before anything was written
	PhaseConnect        // name look-up and TCP
	PhaseTLS            // STARTTLS and the TLS handshake
	PhaseGreeting       // the server's 220
	PhaseHello          // EHLO, HELO or LHLO
	PhaseAuth           // AUTH
	PhaseReset          // RSET between transactions
	PhaseMail           // MAIL FROM
	PhaseRcpt           // RCPT TO
	PhaseData           // DATA or BDAT, before the content
	PhaseBody           // the content itself
	PhaseFinal          // the reply to the end of the content
	PhaseIdle           // NOOP, and whatever the server says unasked
	PhaseQuit           // QUIT
)

var phaseNames = [...]string{"none", "waiting", "connect", "tls", "greeting", "hello", "auth",
	"reset", "mail", "rcpt", "data", "body", "final reply", "idle", "quit"}

// String returns the phase in lower case, for example "final reply".
func (p Phase) String() string {
	if int(p) < len(phaseNames) {
		return phaseNames[p]
	}
	return fmt.Sprintf("phase(%d)", uint8(p))
}

// UnmarshalText reads a phase as String writes it.
func (p *Phase) UnmarshalText(b []byte) error {
	i := slices.Index(phaseNames[:], string(b))
	if i < 0 {
		return fmt.Errorf("%q is no phase of a session", b)
	}
	*p = Phase(i)
	return nil
}

// MarshalText writes the phase as String does.
func (p Phase) MarshalText() ([]byte, error) { return []byte(p.String()), nil }
