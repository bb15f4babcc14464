package smtp

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Transaction is one message for one envelope on its way through a connection:
// MAIL, RCPT…, the content, the server's verdict (RFC 5321 §3.3). It is used
// once. Fields are not changed after it was handed over.
type Transaction struct {
	Envelope Envelope
	Content  *Content

	// AllOrNothing sends the content only if every recipient was accepted.
	// By default refused recipients are reported and the others get the message.
	AllOrNothing bool
	// Chunking sends the content with BDAT (RFC 3030) where the server offers
	// CHUNKING. Binary content always goes that way.
	Chunking bool
	// Binary sends the content octet for octet (BODY=BINARYMIME, RFC 3030 §3): its
	// line ends are not touched. The server must offer BINARYMIME.
	Binary bool
	// AllowLongLines permits lines over 998 octets (RFC 5322 §2.1.1), which some
	// servers refuse and others break.
	AllowLongLines bool

	// Progress, if set, is told how many octets of content have been written so
	// far, from the goroutine that drives the connection.
	Progress func(octets int64)
	// Commit, if set, is called before the octets that can deliver the message
	// are written, and waited for. An error abandons the message: not sent.
	Commit func() error
	// MailReplied, if set, is called once when the server has counted the MAIL
	// command at the latest: its reply was read, or the connection was lost. It
	// is not called if MAIL was never written.
	MailReplied func()
	// Done is called exactly once with what became of the transaction, from the
	// goroutine that drives the connection. It must not block.
	Done func(*Result)

	state    atomic.Uint32
	writing  atomic.Pointer[Conn]   // whose server is in the middle of the content
	carried  atomic.Pointer[func()] // ends the hand-over by Carry
	touching sync.Mutex             // held while content in memory is copied
}

// The states of a Transaction. Only one of the two later ones is ever reached.
const (
	statePending uint32 = iota
	stateWithdrawn
	stateCommitting // the octets that can deliver it are being written
)

// Withdraw takes the transaction back. It returns true if the message will
// certainly not be sent, and false if that is too late: the octets that can
// deliver it have been, or are being, written. Safe for concurrent use.
//
// After true, content made by [Bytes] is not looked at any more. A Read of
// another source that was going on may go on until it returns; none follows.
func (t *Transaction) Withdraw() bool {
	t.state.CompareAndSwap(statePending, stateWithdrawn)
	if t.state.Load() != stateWithdrawn {
		return false
	}
	if c := t.writing.Load(); c != nil {
		c.cut(errWithdrawn) // SMTP knows no other way to take back half a message
	}
	if stop := t.carried.Load(); stop != nil {
		(*stop)()
	}
	t.touching.Lock()
	//lint:ignore SA2001 this waits for the copy in progress
	t.touching.Unlock()
	return true
}

func (t *Transaction) withdrawn() bool { return t.state.Load() == stateWithdrawn }

// commit passes the point of no return, unless the transaction was withdrawn.
func (t *Transaction) commit() bool { return t.state.CompareAndSwap(statePending, stateCommitting) }

var errWithdrawn = errors.New("withdrawn by the caller")

// Result is everything a transaction learned.
type Result struct {
	Server     string            `json:"server"` // host:port
	Outcome    Outcome           `json:"outcome"`
	Recipients []RecipientResult `json:"recipients"`
	Mail       Reply             `json:"mail,omitzero"` // reply to MAIL
	Data       Reply             `json:"data,omitzero"` // reply to DATA, if it was refused
	// Final is the reply to the end of the content. Of LMTP's, one for each
	// recipient, it is the first that accepts, or else the first.
	Final   Reply  `json:"final,omitzero"`
	QueueID string `json:"queue_id,omitempty"` // what the server calls the message; told in Final
	// LMTP says that the content was answered for each recipient by itself.
	LMTP bool `json:"lmtp,omitempty"`

	Level      Level `json:"level"`
	RoundTrips int   `json:"round_trips"` // flights this transaction added to the connection's
	Octets     int64 `json:"octets"`      // content as the server counts it: CRLF line ends, no stuffing

	Started  time.Time     `json:"started"`  // when MAIL was written
	Duration time.Duration `json:"duration"` // from then to the verdict
	// EnvelopeTime is from Started until the envelope was answered and the content
	// could go, ContentTime until the content's last octets were handed over. Zero
	// if it did not come to that. Of messages that follow closely, the envelope of
	// one is under way while the server still has the content of the other.
	EnvelopeTime time.Duration `json:"envelope_time,omitzero"`
	ContentTime  time.Duration `json:"content_time,omitzero"`

	RemoteAddr string `json:"remote_addr,omitempty"` // the address of the server, or of its proxy
	// Opened tells how the connection came about, if this was the first
	// transaction on it whose MAIL was written; else nil. It is not to be changed.
	Opened *Info `json:"-"`

	// Err is nil exactly when every recipient was accepted.
	Err *Error `json:"error,omitempty"`
	// Repeatable says that the same Transaction's message can be sent again at
	// once on another connection: nothing was accepted, the content can still be
	// read from its start, and the reason lies in the connection.
	Repeatable bool `json:"-"`
}

// RecipientResult is what became of one recipient.
type RecipientResult struct {
	Address string  `json:"address"`
	Outcome Outcome `json:"outcome"`
	Class   Class   `json:"class,omitzero"`
	// Phase is when the server gave this recipient a verdict of its own: PhaseRcpt
	// if it refused it there, or with LMTP PhaseFinal. Else it shares that of all.
	Phase Phase `json:"phase,omitzero"`
	// Reply decided the outcome: the reply to RCPT if it was a refusal, else the
	// one to MAIL, DATA or the end of the content.
	Reply Reply `json:"reply,omitzero"`
	// QueueID is what an LMTP server calls this recipient's copy, if it told. In
	// SMTP there is Result.QueueID for all.
	QueueID string `json:"queue_id,omitempty"`
}
