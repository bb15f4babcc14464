package smtptest

import (
	"crypto/tls"
	"time"
)

// TLSMode is how the server secures connections.
type TLSMode uint8

// The modes.
const (
	TLSNone     TLSMode = iota // never
	TLSStartTLS                // STARTTLS is offered (RFC 3207)
	TLSImplicit                // TLS from the first octet (RFC 8314)
)

// Networks a server can listen on.
const (
	TCP    = "tcp"    // the loopback interface, unless Addr says otherwise
	Unix   = "unix"   // a UNIX socket; Addr is its path
	Memory = "memory" // buffered connections in memory, see [Pipe]
)

// DefaultExtensions are the EHLO lines of a server whose Config has none.
// SIZE stands for Limits.MaxSize.
func DefaultExtensions() []string {
	return []string{"PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES", "CHUNKING", "BINARYMIME", "REQUIRETLS"}
}

// NoExtensions returns a list of no extensions, which differs from a nil one.
func NoExtensions() []string { return []string{} }

// Config says what the server offers, how it behaves and how it misbehaves.
// The zero value is a modern server on the loopback interface that takes
// everything and keeps accounts only.
type Config struct {
	Network string // TCP (default), Unix or Memory
	Addr    string // default 127.0.0.1:0; in memory localhost:25, or :465 with TLSImplicit
	Name    string // what the server calls itself; default mx.example.com
	// Buffer is how many octets a memory connection holds each way; default
	// 64 KB, negative means any number. A TCP connection holds about as many of
	// what the client sends, if it is positive: a small window.
	Buffer int

	TLS       TLSMode
	TLSConfig *tls.Config // default: a certificate for localhost, 127.0.0.1, ::1 and example.com
	// RequireTLS refuses AUTH and MAIL with 530 as long as STARTTLS is offered.
	RequireTLS bool

	// Extensions are the EHLO lines; nil means DefaultExtensions. STARTTLS and
	// AUTH are there according to TLS and Auth: where the list has these words,
	// else at its end.
	Extensions []string
	NoEHLO     bool // 502 to EHLO: HELO only
	// LMTP speaks RFC 2033 instead of SMTP: LHLO only, and at the end of a content
	// a reply for each recipient that was accepted. PhaseFinal and PhaseAfterFinal
	// then occur once for each of them, and Reject is given its address.
	LMTP bool

	Auth *Auth // nil: no AUTH

	// Replies are the server's own words.
	Replies Replies
	// UnknownRecipients are refused with Replies.UnknownRecipient: addresses, and
	// domains as @example.com. Case does not matter.
	UnknownRecipients []string

	// Latency is the round trip of the link: each flight of replies arrives that
	// much after it was written. Flights overlap, as on a real link.
	Latency       time.Duration
	GreetingDelay time.Duration
	// Timeout is how long the server waits for a client to say more before it
	// replies 421 and closes; 0 means for ever.
	Timeout   time.Duration
	AuthDelay time.Duration // before the verdict on a login

	Limits Limits
	Quirks Quirks
	// Reject, if set, may refuse what the server would otherwise accept: nil
	// accepts. The argument is the address (mail, rcpt, with LMTP final), the
	// Message-ID (final), or what followed the verb. It is called from each connection's goroutine.
	Reject func(phase Phase, arg string) *Reply
	Faults []Fault
	Seed   uint64 // of the faults with a probability

	// Scripts, if any, are played instead of all of the above but Network, Addr,
	// TLS and Latency: one on each connection, the last one again and again.
	Scripts []*Script

	// KeepMessages keeps what was accepted for Server.Messages.
	KeepMessages bool
	// Save, if set, is given each message accepted, before its reply, from the
	// goroutine of its connection.
	Save func(*Message)
	// Maildir, if set, is a folder in which each message accepted is stored in
	// the Maildir format; it is made if need be.
	Maildir string
	// CountOnly keeps counters alone: Accepted, MailTimes and Connections stay
	// empty. For servers that run for long.
	CountOnly bool
	// Transcripts keeps the dialogue of each connection for Server.Transcript.
	Transcripts bool
}

// Limits are the server's own; zero means none.
type Limits struct {
	Connections int // at once; more are greeted with 421
	// MessagesPerConnection counts MAIL commands that were answered with 250.
	MessagesPerConnection int
	// MessagesReply is the answer to the MAIL beyond that; default 421, after
	// which the server closes. Another code leaves the connection open.
	MessagesReply        Reply
	Rate                 Rate  // how fast
	Quota                Rate  // how much, in a window that is longer
	Logins               Rate  // verdicts on logins; 454 4.7.0 beyond
	RecipientsPerMessage int   // 452 4.5.3 beyond
	MaxSize              int64 // octets of a message; 552 beyond
}

// Rate is how many messages are accepted in any window of the given length,
// over all connections.
type Rate struct {
	N   int
	Per time.Duration
	// Reply beyond; default 451 4.7.1.
	Reply Reply
	// AtFinal says no at the end of the content instead of at MAIL.
	AtFinal bool
	// Recipients counts these instead of messages, and says no at the end.
	Recipients bool
}

// Quirks are ways in which servers in the field differ.
type Quirks struct {
	// RejectPipelining answers 500 and closes when anything waits behind a
	// command, and drops the message just finished if anything waits behind its
	// end (OpenSMTPD).
	RejectPipelining bool
	// StrictSync answers 554 and closes when anything waits behind DATA, EHLO,
	// HELO, STARTTLS or NOOP (Postfix).
	StrictSync bool
	// AuthAlone answers 554 and closes when anything waits behind AUTH.
	AuthAlone bool
	// EarlyTalker is the answer, before closing, to a client that speaks during
	// GreetingDelay: 421 or 554, for example.
	EarlyTalker Reply
	// ErrorLimit closes with 421 after as many replies of 4xx and 5xx (chasquid: 3).
	ErrorLimit int
	// LimitAtData answers 452 to DATA, not to MAIL, once MessagesPerConnection
	// is reached (Stalwart: 10 messages).
	LimitAtData bool
	// StickyTransaction keeps the transaction open when DATA or the content was
	// refused (Stalwart): RSET alone ends it.
	StickyTransaction bool
	// RefuseRSET answers 502 to RSET, and keeps the transaction.
	RefuseRSET bool
	// UnswallowedBDAT reads the octets of a refused BDAT as commands (go-smtp).
	UnswallowedBDAT bool
	// DataAlways answers DATA with 354 even if no recipient was accepted, as
	// RFC 2920 permits; the content is refused then.
	DataAlways bool
	// OneFinalReply answers the end of a content once, whatever the number of
	// recipients (what calls itself LMTP and is not, quite). Only with LMTP.
	OneFinalReply bool
	// CrowdedAtFinal greets connections over Limits.Connections all the same, and
	// refuses their messages at the end of the content (Exchange Online).
	CrowdedAtFinal bool
	// QueueConnections lets connections over Limits.Connections wait, unanswered,
	// until others have closed, instead of refusing them (smtp-sink -m).
	QueueConnections bool
	// EnhancedAnyway sends enhanced codes also where ENHANCEDSTATUSCODES was not
	// offered.
	EnhancedAnyway bool
	// RefuseBareLF answers 521 and closes when a line of a command or content
	// ends in LF alone (Postfix with smtpd_forbid_bare_newline=reject).
	RefuseBareLF bool
	// LineLimit answers 521 and closes after a longer command line, its end
	// included (Haraka: 512).
	LineLimit int
	// SplitReplies writes each octet of each reply by itself.
	SplitReplies bool
	// MultilineReplies makes every reply one of three lines.
	MultilineReplies bool
}
