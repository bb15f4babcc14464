package queue

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kaizenmail/kaizen/smtp"
)

// The most that a job may have.
const (
	MaxLane       = 255    // octets of a lane's name
	MaxText       = 2000   // octets of subject, Message-ID, key, reason
	MaxTags       = 100    // of a job
	MaxTag        = 255    // octets of one
	MaxRecipients = 50_000 // of a job
	MaxBackoff    = 100    // steps
)

// Milli is t as stores keep it: in UTC, in whole milliseconds.
func Milli(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(t.UnixMilli()).UTC()
}

// Prepare checks a submission and sets what the store sets, but ID and Size. Every
// store calls it first in Put, on a copy: it makes Recipients anew, and changes no
// other memory than *s.
func (s *Submission) Prepare(now time.Time) error {
	if err := s.check(); err != nil {
		return err
	}
	s.ID, s.State, s.Again, s.Size, s.Attempts, s.Doubt, s.Reason, s.Last = 0, Queued, 0, 0, 0, false, "", smtp.Reply{}
	s.Created, s.Ended = Milli(now), time.Time{}
	if s.Due = Milli(s.Due); s.Due.Before(s.Created) {
		s.Due = s.Created
	}
	s.Expires = Milli(s.Expires)
	s.Envelope.To = nil
	given := s.Recipients
	s.Recipients = make([]Recipient, len(given))
	for i := range given {
		s.Recipients[i] = Recipient{Recipient: given[i].Recipient, State: Queued}
	}
	return nil
}

func (s *Submission) check() error {
	if s.Lane == "" {
		return errors.New("it has no account")
	}
	if s.Body == nil {
		return errors.New("it has no body")
	}
	if _, inMemory := s.Body.Bytes(); !inMemory && s.Durability != Disk {
		return errors.New("a body that is streamed can only be put with the durability disk")
	}
	if n := len(s.Recipients); n > MaxRecipients {
		return fmt.Errorf("%d recipients are too many: at most %d", n, MaxRecipients)
	}
	envelope := s.Envelope
	envelope.To = make([]smtp.Recipient, 0, len(s.Recipients))
	for i := range s.Recipients {
		envelope.To = append(envelope.To, s.Recipients[i].Recipient)
	}
	if err := envelope.Validate(); err != nil {
		return err
	}
	if s.Priority > Bulk || s.Unknown > Never || s.Durability > Memory {
		return errors.New("its priority, policy or durability is none")
	}
	if len(s.Backoff) > MaxBackoff || len(s.Tags) > MaxTags {
		return errors.New("it has too many tags or backoff steps")
	}
	for _, step := range s.Backoff {
		if step < 0 {
			return errors.New("a backoff step is negative")
		}
	}
	return s.checkTexts()
}

func (s *Submission) checkTexts() error {
	if err := CheckLane(s.Lane); err != nil {
		return err
	}
	for _, text := range []struct{ what, text string }{{"subject", s.Subject}, {"Message-ID", s.MessageID}, {"key", s.Key}} {
		if err := checkText(text.what, text.text, MaxText); err != nil {
			return err
		}
	}
	for _, tag := range s.Tags {
		if tag == "" {
			return errors.New("a tag is empty")
		}
		if err := checkText("tag", tag, MaxTag); err != nil {
			return err
		}
	}
	return nil
}

// CheckLane tells whether a lane can have this name.
func CheckLane(name string) error {
	if name == "" {
		return errors.New("an account has no name")
	}
	return checkText("account name", name, MaxLane)
}

func checkText(what, text string, most int) error {
	switch {
	case len(text) > most:
		return fmt.Errorf("its %s has %d octets, at most %d are kept", what, len(text), most)
	case !utf8.ValidString(text):
		return fmt.Errorf("its %s is no UTF-8: %q", what, text)
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return fmt.Errorf("its %s has a control character: %q", what, text)
	}
	return nil
}

// Fingerprint is the Print of a submission that has none: of its envelope and
// the SHA-256 of its body.
func (s *Submission) Fingerprint(body [sha256.Size]byte) []byte {
	if s.Print != nil {
		return s.Print
	}
	h := sha256.New()
	fmt.Fprintf(h, "%q %d %q %t", s.Envelope.From, s.Envelope.Return, s.Envelope.EnvelopeID, s.Envelope.RequireTLS)
	for i := range s.Recipients {
		fmt.Fprintf(h, " %q %d %q", s.Recipients[i].Address, s.Recipients[i].Notify, s.Recipients[i].OriginalRecipient)
	}
	h.Write(body[:])
	return h.Sum(nil)
}
