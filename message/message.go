package message

import (
	"io"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// Message is one mail to be composed. From, and a recipient in To, Cc or Bcc,
// are required.
//
// Addresses are written as people write them: "ann@example.com" or
// "Ann Lee <ann@example.com>" (RFC 5322 §3.4), one in each string. The String
// method of a net/mail.Address makes such a string.
//
// Writing a message twice gives the same octets, unless an attachment can be
// read only once: see [AttachReader]. Hence a Message is one mail: to use it for
// another one, clear Date and MessageID.
type Message struct {
	From    string
	Sender  string // who sent it for From, if that is somebody else
	ReplyTo []string
	To      []string
	Cc      []string
	Bcc     []string // receive the message and appear nowhere in it

	Subject string
	// Text and HTML are the body, the same thing twice if both are set. Their
	// lines may end in LF, CRLF or CR.
	Text string
	HTML string

	Attachments []Attachment
	Calendar    Calendar

	// InReplyTo is the Message-ID of the message that this one answers, and
	// References those of its whole thread, oldest first: the References of that
	// message and its own ID. Default: InReplyTo. All are with or without their
	// angle brackets.
	InReplyTo  string
	References []string

	Importance  Importance
	Unsubscribe Unsubscribe

	// Header holds further fields, written in this order. Their values are text:
	// what is not ASCII is encoded (RFC 2047).
	Header []Field

	// Date and MessageID are filled at the first use if they are not set: see
	// [Message.Prepare]. MessageID is with or without its angle brackets.
	Date      time.Time
	MessageID string

	// DKIM signs the message, once for each. The signatures are made at the first
	// writing and stay the same as long as the message does.
	DKIM []DKIM

	Delivery Delivery

	mu     sync.Mutex // held while Date and MessageID are filled
	signed signed
}

// Field is one field of a header.
type Field struct {
	Name  string
	Value string
}

// Delivery is what the envelope says beyond sender and recipients.
type Delivery struct {
	// ReturnPath is where failure notifications go. Default: the address of
	// Sender, else of From. "<>" asks for none.
	ReturnPath string
	// Notify, Return and EnvelopeID ask for delivery status notifications (RFC 3461).
	Notify     smtp.Notify // for every recipient
	Return     smtp.Return
	EnvelopeID string
	// RequireTLS asks every hop to use verified TLS (RFC 8689).
	RequireTLS bool
}

// Prepare checks the message and fixes its Date and MessageID if they are not
// set: now, and a random one in From's domain. All that uses a message prepares
// it; call Prepare to read these two before.
func (m *Message) Prepare() error {
	_, err := m.prepare()
	return err
}

// WriteTo writes the message with CRLF line ends. Content from files and
// readers passes through in pieces and is never held whole. Errors are of type
// [*Error] unless w made them; one that concerns a field, or a file that cannot
// be opened, comes before the first octet.
func (m *Message) WriteTo(w io.Writer) (int64, error) {
	p, err := m.prepare()
	if err != nil {
		return 0, err
	}
	if len(p.DKIM) == 0 {
		return p.writeTo(w)
	}
	octets, small, err := p.inMemory()
	if err != nil {
		return 0, err
	}
	if small {
		n, err := w.Write(octets)
		return int64(n), err
	}
	return p.signed.writeSigned(w, p.DKIM, p.writeTo)
}

// prepared is a message whose fields have been checked and parsed.
type prepared struct {
	*Message
	from, sender address
	replyTo      []address
	to, cc, bcc  []address
	inline       []*part // shown by the HTML
	attached     []*part
	text, html   string // with LF line ends
	calendar     string // likewise
	method       string // of the calendar
	references   []string
	boundary     string
	size         int   // estimate of the octets written
	least        int64 // what the attachments are of them, as far as it is known
	once         bool  // an attachment can be read once only
}

func (m *Message) prepare() (*prepared, error) {
	p := &prepared{Message: m}
	for _, step := range []func() error{p.parseAddresses, p.checkHeader, p.parseThread, p.checkImportance,
		p.checkUnsubscribe, p.checkSignatures, p.stamp, p.parseBody, p.parseAttachments, p.parseCalendar} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	p.size += 1024 + 48*(len(p.to)+len(p.cc)) + bodySize(p.text) + bodySize(p.html)
	p.boundary = boundaryFor(m.MessageID)
	return p, nil
}

func (p *prepared) parseAddresses() (err error) {
	if p.from, err = parseAddress("From", p.From); err != nil {
		return err
	}
	if p.Sender != "" {
		if p.sender, err = parseAddress("Sender", p.Sender); err != nil {
			return err
		}
	}
	if p.replyTo, err = parseAddresses("ReplyTo", p.ReplyTo); err != nil {
		return err
	}
	if p.to, err = parseAddresses("To", p.To); err != nil {
		return err
	}
	if p.cc, err = parseAddresses("Cc", p.Cc); err != nil {
		return err
	}
	p.bcc, err = parseAddresses("Bcc", p.Bcc)
	return err
}

func (p *prepared) writeTo(w io.Writer) (int64, error) {
	c := composer{w: w, full: writeSize, buf: make([]byte, 0, min(p.size, writeSize+writeSlack))}
	p.compose(&c)
	c.flush()
	return c.written, c.err
}

// compose writes the message: header, then body.
func (p *prepared) compose(c *composer) {
	c.buf = p.appendHeader(c.buf)
	p.writeBody(c)
}
