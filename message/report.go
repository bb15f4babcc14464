package message

import (
	"errors"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/kaizenmail/kaizen/smtp"
)

// Report tells a sender what became of a message for some of its recipients: a
// delivery status notification (RFC 3464), in words for people and in fields for
// programs, with the header of the message. From, To and a recipient are
// required.
//
// It is written in ASCII: an address beyond it in the notation of RFC 6533 §3.
// What servers have said may hold anything, and is made harmless; CR, LF and NUL
// in addresses are refused, as everywhere.
//
// It may be written from several goroutines at once as long as nobody changes it.
type Report struct {
	// From is who reports, for example "Mail delivery <mailer-daemon@example.com>".
	From string
	// To is the reverse-path of the message: a bare address. There is no report for
	// the empty one (RFC 5321 §4.5.5): all methods return [ErrNoReport].
	To string
	// MTA is the host that reports. Default: the domain of From.
	MTA string

	Original Original
	// Recipients are those to report on. One that does not want to be reported on,
	// by its Notify, is left out (RFC 3461 §4.1); if none is left, all methods return
	// [ErrNoReport].
	Recipients []Reported

	// Date and MessageID are filled at the first use if they are not set, as those
	// of a [Message].
	Date      time.Time
	MessageID string

	mu sync.Mutex // held while Date and MessageID are filled
}

// Original is the message that is reported on.
type Original struct {
	Arrived    time.Time   // when it was taken over; zero: not told
	EnvelopeID string      // ENVID, before its encoding
	Return     smtp.Return // RET: ReturnFull returns all of it if it is small and ASCII
	// Open gives its octets, each time the same. Nil: they are not there any more, and
	// nothing of it is returned.
	Open func() (io.ReadCloser, error)
	// Subject and MessageID are for when they are not there. Default: as its header
	// says.
	Subject   string
	MessageID string
}

// Reported is what became of the message for one recipient.
type Reported struct {
	smtp.Recipient
	Action ReportAction
	// Reply is the latest of a server that concerned the recipient, if there was
	// one; Server is its host name, Tried when.
	Reply  smtp.Reply
	Server string
	Tried  time.Time
	Until  time.Time // of one that is Delayed: when it will be given up
	// Reason says why without a server's word, in one sentence.
	Reason string
}

// ReportAction is what was done for a recipient (RFC 3464 §2.3.3).
type ReportAction uint8

// The actions.
const (
	ReportFailed  ReportAction = iota // it will not get the message
	ReportExpired                     // likewise, as the time for trying was over
	ReportDelayed                     // not yet; it is tried further
	ReportRelayed                     // a server took it that will report nothing
)

// ErrNoReport says that there must not be a report: the message has no
// reverse-path, or nobody wants to be told.
var ErrNoReport = errors.New("no report is to be sent: the message has no sender to tell, or its NOTIFY asks for none")

var (
	errNobody = errors.New("no recipients to report on")
	errAction = errors.New("not an action of a report")
)

// Envelope is from nobody, so that no report is ever made on a report, to the
// sender of the message.
func (r *Report) Envelope() (smtp.Envelope, error) {
	d, err := r.draft()
	if err != nil {
		return smtp.Envelope{}, err
	}
	return d.letter.Envelope()
}

// WriteTo writes the report with CRLF line ends.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	octets, _, err := r.compose()
	if err != nil {
		return 0, err
	}
	n, err := w.Write(octets)
	return int64(n), err
}

// Content is the report's octets, ready to send.
func (r *Report) Content() (*smtp.Content, error) {
	octets, utf8, err := r.compose()
	if err != nil {
		return nil, err
	}
	content := smtp.Bytes(octets)
	if utf8 {
		content.RequireSMTPUTF8()
	}
	return content, nil
}

// draft is a report whose fields have been checked.
type draft struct {
	*Report
	recipients []Reported // those who want it
	original   original
	mta        string
	letter     Message // its header
}

func (r *Report) draft() (*draft, error) {
	d := &draft{Report: r}
	if r.To == "" || r.To == nullPath {
		return nil, fieldError("To", "", ErrNoReport)
	}
	if err := d.checkTexts(); err != nil {
		return nil, err
	}
	if err := d.checkRecipients(); err != nil {
		return nil, err
	}
	from, err := parseAddress("From", r.From)
	if err != nil {
		return nil, err
	}
	if d.mta = r.MTA; d.mta == "" {
		d.mta = from.domain
	}
	d.original = r.Original.read()
	return d, d.address()
}

func (d *draft) checkTexts() error {
	for _, text := range []struct{ field, value string }{{"MTA", d.MTA}, {"Original.EnvelopeID", d.Original.EnvelopeID}} {
		if err := checkText(text.value); err != nil {
			return fieldError(text.field, text.value, err)
		}
	}
	return nil
}

func (d *draft) checkRecipients() error {
	if len(d.Report.Recipients) == 0 {
		return fieldError("Recipients", "", errNobody)
	}
	for i, r := range d.Report.Recipients {
		field := indexed("Recipients", i)
		if r.Address == "" {
			return fieldError(field+".Recipient.Address", "", errMissing)
		}
		if err := checkText(r.Address); err != nil {
			return fieldError(field+".Recipient.Address", r.Address, err)
		}
		if err := checkText(r.OriginalRecipient); err != nil {
			return fieldError(field+".Recipient.OriginalRecipient", r.OriginalRecipient, err)
		}
		if r.Action > ReportRelayed {
			return fieldError(field+".Action", "", errAction)
		}
		if r.isWanted() {
			d.recipients = append(d.recipients, r)
		}
	}
	if len(d.recipients) == 0 {
		return fieldError("Recipients", "", ErrNoReport)
	}
	return nil
}

// isWanted reports whether NOTIFY asks for this. Without NOTIFY failures and, as
// RFC 3461 §4.1 permits, delays are reported.
func (r *Reported) isWanted() bool {
	if r.Notify == 0 {
		return r.Action != ReportRelayed
	}
	switch r.Action {
	case ReportDelayed:
		return r.Notify&smtp.NotifyDelay != 0
	case ReportRelayed:
		return r.Notify&smtp.NotifySuccess != 0
	}
	return r.Notify&smtp.NotifyFailure != 0
}

// address makes the letter, and fixes its date and Message-ID.
func (d *draft) address() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	m := &d.letter
	m.From, m.To = d.From, []string{d.To}
	m.Subject = d.subject()
	m.Date, m.MessageID = d.Date, d.Report.MessageID
	m.InReplyTo, m.References = d.original.id, d.original.references
	// RFC 3834 §5: so that no robot answers it.
	m.Header = []Field{{"Auto-Submitted", "auto-replied"}}
	m.Delivery.ReturnPath = nullPath
	if err := m.Prepare(); err != nil {
		// It has one recipient, and its caller knows no index.
		if e, ok := err.(*Error); ok && strings.HasPrefix(e.Field, "To[") {
			e.Field = "To"
		}
		return err
	}
	d.Date, d.Report.MessageID = m.Date, m.MessageID
	return nil
}

// compose writes the report: what a person reads, what a program reads, and what
// of the message is returned (RFC 6522 §3).
func (r *Report) compose() (octets []byte, utf8 bool, err error) {
	d, err := r.draft()
	if err != nil {
		return nil, false, err
	}
	p, err := d.letter.prepare()
	if err != nil {
		return nil, false, err
	}
	c := composer{boundary: p.boundary}
	c.full = int(^uint(0) >> 1) // all of it stays in memory
	c.buf = p.appendHeader(nil)
	c.begin("report; report-type=delivery-status", "s")
	c.next("s")
	c.writeText("plain", d.words())
	c.next("s")
	c.writeStatus(d)
	if mediaType, text := d.original.part(p.boundary); text != "" {
		c.next("s")
		c.writeEncoded(mediaType, text)
	}
	c.end("s")
	return c.buf, p.needsUTF8(), c.err
}
