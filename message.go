package kaizen

import (
	"errors"
	"io"
	"strings"

	"github.com/kaizenmail/kaizen/queue"
	"github.com/kaizenmail/kaizen/smtp"
)

// The wire's own words are used at the front door too.
type (
	// Envelope is what MAIL and RCPT say; see [smtp.Envelope].
	Envelope = smtp.Envelope
	// Recipient is one forward-path; see [smtp.Recipient].
	Recipient = smtp.Recipient
	// Reply is what a server answered; see [smtp.Reply].
	Reply = smtp.Reply
	// RecipientResult is what became of one recipient; see [smtp.RecipientResult].
	RecipientResult = smtp.RecipientResult
	// Outcome is what became of a message; see [smtp.Outcome].
	Outcome = smtp.Outcome
	// Class is what a failure is about; see [smtp.Class].
	Class = smtp.Class
)

// Message is what can be sent: something that writes itself as RFC 5322 octets
// and knows its envelope. These do:
//
//   - a *message.Message of package message,
//   - a *mail.Msg of github.com/wneessen/go-mail,
//   - a [*Prepared], for octets of any origin,
//   - anything with a method Envelope() (smtp.Envelope, error).
type Message interface {
	WriteTo(w io.Writer) (int64, error)
}

// Prepared is a message whose envelope and octets are at hand, and how to send
// it. It may be sent several times if its Content can be read again.
type Prepared struct {
	Envelope Envelope
	Content  *smtp.Content
	// MessageID goes into the receipt.
	MessageID string

	// Tags are words for Config.Router to choose the account by; a queued message is
	// found by them.
	Tags []string

	Priority Priority // default: PriorityNormal
	// AllOrNothing sends only if every recipient was accepted.
	AllOrNothing bool
	// Chunking sends with BDAT where the server offers it.
	Chunking bool
	// Binary sends the content octet for octet, to a server that offers BINARYMIME.
	Binary bool
	// AllowLongLines permits lines over 998 octets.
	AllowLongLines bool
	// Progress is told how many octets of content have been written. It must not
	// block.
	Progress func(octets int64)
	// Commit is called, and waited for, before the octets that can deliver the
	// message are written: a place to note that it may be sent from here on. It is
	// called again for each further transaction and each try that comes that far,
	// from the goroutine of a connection, which stands still meanwhile. An error
	// takes the message back: it is not sent.
	Commit func() error
}

// WriteTo makes a Prepared a [Message]. It is sent from its Content, not by
// this method.
func (p *Prepared) WriteTo(io.Writer) (int64, error) {
	return 0, errors.New("a prepared message is sent from its Content")
}

// Priority orders messages that wait for the same account; see [queue.Priority].
type Priority = queue.Priority

// The priorities. Within one, messages go in the order of their arrival.
const (
	PriorityNormal = queue.Normal // the default
	PriorityUrgent = queue.Urgent
	PriorityHigh   = queue.High
	PriorityBulk   = queue.Bulk
)

// WriterFunc makes an io.WriterTo of a function that writes a message, for
// libraries whose WriteTo has another form. The function may be called again to
// repeat the message, and must write the same each time.
type WriterFunc func(w io.Writer) error

// WriteTo calls the function and counts.
func (f WriterFunc) WriteTo(w io.Writer) (int64, error) {
	c := &countingWriter{w: w}
	err := f(c)
	return c.n, err
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// Prepare finds the envelope of a message and makes its octets ready. The
// result can be given a priority and other wishes, and be sent.
func Prepare(m Message) (*Prepared, error) {
	p, err := prepare(m)
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, unfit(smtp.ClassContent, errors.New("no message given"))
	}
	if p.Content == nil {
		return nil, unfit(smtp.ClassContent, errors.New("the message has no content"))
	}
	if err := p.Envelope.Validate(); err != nil {
		return nil, unfit(smtp.ClassSender, err)
	}
	if err := p.Content.Prepare(); err != nil {
		return nil, unfit(smtp.ClassContent, err)
	}
	if _, own := m.(*Prepared); !own {
		p.MessageID = messageID(m) // some libraries make it when they write
	}
	return p, nil
}

func prepare(m Message) (*Prepared, error) {
	switch m := m.(type) {
	case nil:
		return nil, unfit(smtp.ClassContent, errors.New("no message given"))
	case *Prepared:
		return m, nil
	case interface {
		Envelope() (smtp.Envelope, error)
		Content() (*smtp.Content, error)
	}:
		envelope, err := m.Envelope()
		if err != nil {
			return nil, unfit(smtp.ClassContent, err)
		}
		content, err := m.Content()
		if err != nil {
			return nil, unfit(smtp.ClassContent, err)
		}
		return &Prepared{Envelope: envelope, Content: content}, nil
	case interface{ Envelope() (smtp.Envelope, error) }:
		envelope, err := m.Envelope()
		if err != nil {
			return nil, unfit(smtp.ClassContent, err)
		}
		return &Prepared{Envelope: envelope, Content: smtp.WriterTo(m.(io.WriterTo))}, nil
	case goMail:
		return fromGoMail(m)
	}
	return nil, unfit(smtp.ClassSender, errors.New("the message does not know its envelope: wrap it in a kaizen.Prepared"))
}

// goMail is the part of a *mail.Msg of github.com/wneessen/go-mail that tells
// the envelope.
type goMail interface {
	Message
	GetSender(useFullAddr bool) (string, error)
	GetRecipients() ([]string, error)
}

func fromGoMail(m goMail) (*Prepared, error) {
	from, err := m.GetSender(false)
	if err != nil {
		return nil, unfit(smtp.ClassSender, err)
	}
	to, err := m.GetRecipients()
	if err != nil {
		return nil, unfit(smtp.ClassRecipient, err)
	}
	return &Prepared{Envelope: Envelope{From: bareAddress(from), To: mailboxes(to)},
		Content: smtp.ReplayableWriterTo(m)}, nil
}

// mailboxes takes each once, as somebody in To and Cc gets one copy.
func mailboxes(list []string) []Recipient {
	to := make([]Recipient, 0, len(list))
	seen := make(map[string]bool, len(list))
	for _, address := range list {
		if address = bareAddress(address); !seen[address] {
			seen[address] = true
			to = append(to, Recipient{Address: address})
		}
	}
	return to
}

// bareAddress takes off the angle brackets of those versions that write them.
func bareAddress(s string) string {
	return strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">")
}

func messageID(m any) string {
	if m, ok := m.(interface{ GetMessageID() string }); ok {
		return m.GetMessageID()
	}
	return ""
}
