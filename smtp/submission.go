package smtp

import "io"

// Submission is a message on its way into something that takes messages in place
// of a server: a program, a folder, an HTTP API. See [Carry].
type Submission struct {
	// Envelope has been checked. A domain beyond ASCII is written as A-labels (RFC
	// 5890), unless SMTPUTF8 says that nothing less than UTF-8 will do. RequireTLS
	// must be kept or refused; the options of delivery status notifications (RFC
	// 3461) are wishes.
	Envelope Envelope

	// Content gives the message (RFC 5322) with CRLF line ends and nothing stuffed or
	// added. Any octet may have its eighth bit set. The last octets are given only
	// when the message may be delivered: until then it can be taken back. An error
	// other than [io.EOF] means that the rest will not come, and that what came must
	// not be delivered. It must not be read after the function it was given to has
	// returned, nor by two goroutines at once.
	Content io.Reader
	// Size is how many octets Content will give; -1 if that is not known.
	Size int64

	// AllOrNothing forbids delivery to some recipients only.
	AllOrNothing bool
	// SMTPUTF8 says that an address or the header needs RFC 6531.
	SMTPUTF8 bool

	refused []Reply // by recipient; nil if none was
}

// Refuse says that the recipient of this place in Envelope.To does not get the
// message, and why: a reply of 4xx or 5xx. The others share what becomes of the
// message. One of 452 4.5.3 says that there was no room for this recipient: it
// gets a submission of its own.
func (s *Submission) Refuse(recipient int, why Reply) {
	if s.refused == nil {
		s.refused = make([]Reply, len(s.Envelope.To))
	}
	s.refused[recipient] = why
}

// submission is what t says, in the form in which others than servers take it.
func (t *Transaction) submission(content io.Reader) (*Submission, error) {
	if len(t.Envelope.To) == 0 {
		return nil, &Error{Phase: PhaseWaiting, Class: ClassRecipient, Err: errNoRecipients}
	}
	if err := t.Envelope.Validate(); err != nil {
		return nil, err
	}
	s := &Submission{Envelope: t.Envelope, Content: content, Size: -1, AllOrNothing: t.AllOrNothing,
		SMTPUTF8: envelopeNeedsUTF8(&t.Envelope) || t.Content.utf8}
	if size, known := t.Content.Size(); known {
		s.Size = size
	}
	s.Envelope.From = wireAddress(s.Envelope.From, s.SMTPUTF8)
	s.Envelope.To = make([]Recipient, len(t.Envelope.To))
	for i, to := range t.Envelope.To {
		to.Address = wireAddress(to.Address, s.SMTPUTF8)
		s.Envelope.To[i] = to
	}
	return s, nil
}

// wireAddress is a checked address as it would go to a server.
func wireAddress(address string, utf8 bool) string {
	if isASCII(address) {
		return address
	}
	wire, err := appendAddress(nil, address, utf8)
	if err != nil {
		return address
	}
	return string(wire)
}
