package queue

import (
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// Job is one message for one account.
type Job struct {
	ID    ID     `json:"id"`              // the store's
	State State  `json:"state"`           // the store's
	Lane  string `json:"lane"`            // the account's name
	Again ID     `json:"again,omitempty"` // the finished job that this one repeats

	// Envelope is what MAIL says. Its To is empty: the recipients are below.
	Envelope   smtp.Envelope `json:"envelope"`
	Recipients []Recipient   `json:"recipients"`

	Subject   string   `json:"subject,omitempty"`    // for people to find it by
	MessageID string   `json:"message_id,omitempty"` // without angle brackets
	Size      int64    `json:"size"`                 // of the body as it is stored, in octets; the store's
	Tags      []string `json:"tags,omitempty"`

	Priority   Priority   `json:"priority"`
	Unknown    Policy     `json:"unknown"` // what to do when the outcome is unknown
	Durability Durability `json:"durability"`
	// Key makes Put idempotent within the lane: a second job of the same key is the
	// first one, for as long as that is remembered; see [ConflictError].
	Key string `json:"key,omitempty"`

	Created time.Time `json:"created"`          // when it was put; the store's
	Due     time.Time `json:"due"`              // not before; default: at once. Later, when it is tried next
	Expires time.Time `json:"expires,omitzero"` // after which it is not begun any more; zero: never
	Ended   time.Time `json:"ended,omitzero"`   // when it was finished; the store's
	Backoff []Step    `json:"backoff,omitzero"` // pauses between its tries; nil: those of whoever delivers

	// Report asks for a delivery status notification (RFC 3464) to the sender if
	// the job fails or expires.
	Report bool `json:"report,omitempty"`

	Options Options `json:"options,omitzero"`

	Attempts int `json:"attempts"` // tries that a server answered, or may have; the store's
	// Doubt says that the server may have taken the message in a try whose outcome
	// is unknown; the store's.
	Doubt bool `json:"doubt,omitempty"`
	// Reason is why it is held, or was cancelled, in words.
	Reason string `json:"reason,omitempty"`
	// Last is the reply that decided the latest try.
	Last smtp.Reply `json:"last,omitzero"`
}

// Step is a pause between two tries.
type Step = time.Duration

// Options are how the message is put on the wire; see [smtp.Transaction].
type Options struct {
	AllOrNothing   bool `json:"all_or_nothing,omitempty"`
	Chunking       bool `json:"chunking,omitempty"`
	Binary         bool `json:"binary,omitempty"`
	AllowLongLines bool `json:"allow_long_lines,omitempty"`
	SMTPUTF8       bool `json:"smtputf8,omitempty"` // the header needs it
}

// Recipient is one recipient of a job and what became of the message for it.
type Recipient struct {
	smtp.Recipient
	// State is Queued as long as it is open, then Sent, Failed, Expired or
	// Cancelled.
	State State `json:"state"`
	// Outcome, Class and Reply are of the latest try that concerned it.
	Outcome smtp.Outcome `json:"outcome,omitzero"`
	Class   smtp.Class   `json:"class,omitzero"`
	Reply   smtp.Reply   `json:"reply,omitzero"`
}

// To makes open recipients of those of an envelope.
func To(recipients []smtp.Recipient) []Recipient {
	to := make([]Recipient, len(recipients))
	for i, r := range recipients {
		to[i] = Recipient{Recipient: r, State: Queued}
	}
	return to
}

// Open are the recipients that have no last state yet, for an envelope.
func (j *Job) Open() (to []smtp.Recipient) {
	for i := range j.Recipients {
		if r := &j.Recipients[i]; !r.State.Finished() {
			to = append(to, r.Recipient)
		}
	}
	return to
}

// Outcome is the state of a job all of whose recipients are finished: Failed if
// one failed, else Expired if one expired, else Cancelled, else Sent.
func Outcome(recipients []Recipient) State {
	worst := Sent
	for i := range recipients {
		if s := recipients[i].State; badness[s] > badness[worst] {
			worst = s
		}
	}
	return worst
}

var badness = [...]int{Sent: 0, Cancelled: 1, Expired: 2, Failed: 3}
