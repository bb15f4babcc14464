package bulk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/internal/safefile"
	"github.com/kaizenmail/kaizen/smtp"
)

// The events of a journal.
const (
	eventCampaign = "campaign" // its first line
	eventBegin    = "begin"    // from here on the message may be delivered
	eventResult   = "result"   // what became of it
)

// entry is a line of a journal. docs/bulk.md describes it for users: names are
// never changed.
type entry struct {
	Time      time.Time   `json:"time"`
	Event     string      `json:"event"`
	Campaign  string      `json:"campaign,omitempty"` // part of each Message-ID
	Letter    string      `json:"letter,omitempty"`   // fingerprint of what is sent
	Key       Key         `json:"key,omitzero"`
	Row       int         `json:"row,omitempty"`
	To        []Recipient `json:"to,omitempty"`
	Server    string      `json:"server,omitempty"`
	MessageID string      `json:"message_id,omitempty"`
	Error     string      `json:"error,omitempty"` // why, if no server said it
}

// Recipient is what became of one recipient of a row.
type Recipient struct {
	Address string  `json:"address"`
	Outcome Outcome `json:"outcome,omitempty"`
	Reply   string  `json:"reply,omitempty"`
	// Server, QueueID and Time are of the try that settled it. The QueueID of one that
	// was queued is the job's ID.
	Server  string    `json:"server,omitempty"`
	QueueID string    `json:"queue_id,omitempty"`
	Time    time.Time `json:"time,omitzero"`
}

// Outcome is that of a recipient, in words.
type Outcome string

// The outcomes. Those of Final need no further try.
const (
	Accepted Outcome = "accepted"
	Rejected Outcome = "rejected" // for good
	Deferred Outcome = "deferred" // rejected for now
	NotSent  Outcome = "not sent"
	Unknown  Outcome = "unknown" // accepted or not: nobody knows
	Queued   Outcome = "queued"  // the queue sees to it from here on
)

// Final reports whether the recipient must not, or need not, be tried again.
func (o Outcome) Final() bool { return o == Accepted || o == Rejected || o == Unknown || o == Queued }

func outcomeOf(r *smtp.RecipientResult) Outcome {
	switch r.Outcome {
	case smtp.Accepted:
		return Accepted
	case smtp.Unknown:
		return Unknown
	case smtp.Rejected:
		if r.Reply.Permanent() && !aboutUs(r.Class) {
			return Rejected
		}
		return Deferred
	}
	return NotSent
}

// aboutUs reports what a recipient has nothing to do with, whatever the code of
// the reply: once the account is put right, the message can go.
func aboutUs(c smtp.Class) bool {
	switch c {
	case smtp.ClassQuota, smtp.ClassRate, smtp.ClassAuth, smtp.ClassTLS, smtp.ClassConnect,
		smtp.ClassConnectionLimit, smtp.ClassSessionLimit, smtp.ClassSender:
		return true
	}
	return false
}

// Journal remembers what was begun and what became of it: a line of JSON for
// each, appended with one write, so that it survives the process. It is safe for
// concurrent use.
type Journal struct {
	path     string
	campaign string

	mu   sync.Mutex // orders lines; after half a line there must be no other
	file *os.File
	err  error // of the first write that failed; nothing is written after it
}

// ErrJournalExists says that a journal would be overwritten.
var ErrJournalExists = errors.New("there is one already: resume it, or name another")

// ErrJournalInUse says that another process writes the journal.
var ErrJournalInUse = errors.New("another process is using it")

// JournalError says what could not be done with a journal.
type JournalError struct {
	Path string
	Line int // 0: none in particular
	Err  error
}

// Error names the file.
func (e *JournalError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("journal %s: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("journal %s, line %d: %v", e.Path, e.Line, e.Err)
}

// Unwrap returns the cause.
func (e *JournalError) Unwrap() error { return e.Err }

// lock keeps other processes out until the file is closed.
func lock(file *os.File) error {
	ok, err := safefile.TryLock(file)
	if err == nil && !ok {
		err = ErrJournalInUse
	}
	return err
}

// Create begins a journal. campaign is its name, which is part of each
// Message-ID (see [NewCampaign]); letter is the fingerprint of what will be sent.
func Create(path, campaign, letter string) (*Journal, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND, 0o600)
	if os.IsExist(err) {
		err = ErrJournalExists
	}
	if err != nil {
		return nil, &JournalError{Path: path, Err: err}
	}
	j := &Journal{path: path, campaign: campaign, file: file}
	if err := lock(file); err != nil {
		return nil, errors.Join(j.fault(err), file.Close())
	}
	first := entry{Event: eventCampaign, Campaign: campaign, Letter: letter}
	if err := j.write(&first); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return j, nil
}

func (j *Journal) fault(err error) error { return &JournalError{Path: j.path, Err: err} }

// begin notes that the recipients may get the row's message from now on.
func (j *Journal) begin(key Key, row int, to []Recipient, server, messageID string) error {
	return j.write(&entry{Event: eventBegin, Key: key, Row: row, To: to, Server: server, MessageID: messageID})
}

// result notes what became of all recipients of a row.
func (j *Journal) result(e entry) error {
	e.Event = eventResult
	return j.write(&e)
}

func (j *Journal) write(e *entry) error {
	e.Time = time.Now().UTC().Truncate(time.Millisecond)
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false) // a Message-ID has angle brackets
	if err := encoder.Encode(e); err != nil {
		return j.fault(err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.err == nil {
		if _, err := j.file.Write(line.Bytes()); err != nil {
			j.err = j.fault(err)
		}
	}
	return j.err
}

// Close flushes the journal to the disk and lets others use it.
func (j *Journal) Close() error {
	err := errors.Join(j.file.Sync(), j.file.Close())
	if err != nil {
		return j.fault(err)
	}
	return nil
}
