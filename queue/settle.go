package queue

import (
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

const unknown = smtp.Unknown

// Settlement says what became of a claimed job.
type Settlement struct {
	Token Token
	// State is what the job is from now on: Queued (again), Held, Sent, Failed or
	// Expired.
	State  State
	Due    time.Time // of a job that is Queued again
	Reason string    // of one that is Held, or Failed without a server's word
	// Recipients replace those of the job, in their order. Nil with the state Sent:
	// all that were open were accepted, with the reply of the Attempt. Nil otherwise:
	// they stay.
	Recipients []Recipient
	// Attempt is the try; nil if none was made, so that the job is queued as it was.
	Attempt *Attempt
}

// Attempt is one try, as it is remembered.
type Attempt struct {
	Started  time.Time     `json:"started"` // when MAIL was written; zero if it was not
	Duration time.Duration `json:"duration,omitempty"`
	Account  string        `json:"account,omitempty"` // of the lane's chain; empty: the lane is one account
	Server   string        `json:"server,omitempty"`  // host:port
	Remote   string        `json:"remote,omitempty"`  // its address
	Phase    smtp.Phase    `json:"phase,omitzero"`    // how far it came, if it failed
	Outcome  smtp.Outcome  `json:"outcome"`
	Class    smtp.Class    `json:"class,omitzero"`
	Reply    smtp.Reply    `json:"reply,omitzero"`
	QueueID  string        `json:"queue_id,omitempty"` // what the server calls the message
	Error    string        `json:"error,omitempty"`
	// Before is what kept the accounts of the chain that come before Account from it.
	Before string `json:"before,omitempty"`
	// Recipients are the outcomes where they differ.
	Recipients []smtp.RecipientResult `json:"recipients,omitempty"`
	// Transcript is the dialogue of a try that failed, if it was recorded.
	Transcript string `json:"transcript,omitempty"`
}

// Kind is what an [Entry] of a job's history is about.
type Kind uint8

// The kinds.
const (
	Tried        Kind = iota + 1 // an attempt that was settled
	Interrupted                  // it was claimed and not begun when the process ended
	Lost                         // it had begun when the process ended: its outcome is unknown
	Late                         // an attempt that was settled when its token did not stand any more
	DidHold                      // somebody held it
	DidRelease                   // somebody released it
	DidCancel                    // somebody cancelled it
	DidRetry                     // somebody wants it tried now
	DidReorder                   // somebody changed its priority
	DidMove                      // somebody moved it to another lane
	DidExpire                    // its time was over
	WasDamaged                   // its record or body could not be read, so it was held
	WasSentAgain                 // another job repeats it
)

var kindNames = []string{1: "tried", "interrupted", "lost", "late", "held", "released", "cancelled", "retried",
	"reprioritised", "moved", "expired", "damaged", "repeated"}

// String returns the kind in lower case, for example "tried".
func (k Kind) String() string { return nameOf(kindNames, k, "kind") }

// MarshalText writes the kind as String does.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads a kind as String writes it.
func (k *Kind) UnmarshalText(b []byte) error { return readName(kindNames, k, b, "kind") }

// Entry is one line of a job's history, which only grows. Numbers begin at 1 and
// have no gaps. Exactly one entry of a finished job has a finished state.
type Entry struct {
	Number  int       `json:"number"`
	At      time.Time `json:"at"`
	Kind    Kind      `json:"kind"`
	State   State     `json:"state,omitzero"` // what the job became; zero: what it was
	Detail  string    `json:"detail,omitempty"`
	Attempt *Attempt  `json:"attempt,omitempty"` // of Tried and Late
}

// Details is all that is known of a job.
type Details struct {
	Job
	History []Entry `json:"history"`
	// Ahead is how many jobs of the lane go before it if nothing changes: those that
	// are Active, those of its priority that are due before it, and those of a higher
	// one that are due by then (ageing is left out). Of a job that is not Queued, 0.
	Ahead int `json:"ahead,omitempty"`
	// Begun says of an Active job that it may have been delivered.
	Begun bool     `json:"begun,omitempty"`
	Body  *Content `json:"-"` // nil if it is gone
}
