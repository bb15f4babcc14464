package smtp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// mailParams is what MAIL and RCPT need to know beyond the envelope.
type mailParams struct {
	caps *Capabilities
	size int64  // octets of the content, CRLF line ends, no stuffing; -1 if not known
	body string // "", "8BITMIME" or "BINARYMIME"
	utf8 bool   // the envelope or the header needs SMTPUTF8
}

// appendMail appends the MAIL command with its line end. An error leaves dst
// as it was; it is of class sender, or of the class of what the server lacks.
//
// Delivery status options are wishes: a server that does not offer DSN is not
// told about them. RequireTLS is a demand, and an error there.
func appendMail(dst []byte, e *Envelope, p mailParams) ([]byte, error) {
	if err := p.check(e); err != nil {
		return dst, err
	}
	line := append(dst, "MAIL FROM:<"...)
	if e.From != "" {
		var err error
		if line, err = appendAddress(line, e.From, p.utf8); err != nil {
			return dst, senderError(e, err)
		}
	}
	line = append(line, '>')
	if p.caps.Size && p.size >= 0 {
		line = strconv.AppendInt(append(line, " SIZE="...), p.size, 10)
	}
	if p.body != "" {
		line = append(append(line, " BODY="...), p.body...)
	}
	if p.utf8 {
		line = append(line, " SMTPUTF8"...)
	}
	if e.RequireTLS {
		line = append(line, " REQUIRETLS"...)
	}
	if p.caps.DSN {
		var err error
		if line, err = appendMailDSN(line, e); err != nil {
			return dst, senderError(e, err)
		}
	}
	return append(line, "\r\n"...), nil
}

// check compares what the message needs with what the server offers.
func (p mailParams) check(e *Envelope) error {
	lacks := func(class Class, keyword, why string) error {
		return &Error{Phase: PhaseMail, Class: class, Err: fmt.Errorf("the server does not offer %s, %s", keyword, why)}
	}
	switch {
	case p.utf8 && (!p.caps.SMTPUTF8 || !p.caps.EightBitMIME):
		return utf8Error(e)
	case p.body == "8BITMIME" && !p.caps.EightBitMIME:
		return lacks(ClassContent, "8BITMIME", "which the content needs")
	case p.body == "BINARYMIME" && (!p.caps.BinaryMIME || !p.caps.Chunking):
		return lacks(ClassContent, "BINARYMIME", "which the content needs")
	case e.RequireTLS && !p.caps.RequireTLS:
		return lacks(ClassTLS, "REQUIRETLS", "which the envelope demands")
	}
	return nil
}

func appendMailDSN(line []byte, e *Envelope) ([]byte, error) {
	switch e.Return {
	case ReturnDefault:
	case ReturnFull:
		line = append(line, " RET=FULL"...)
	case ReturnHeaders:
		line = append(line, " RET=HDRS"...)
	default:
		return line, fmt.Errorf("unknown Return %d", e.Return)
	}
	if e.EnvelopeID == "" {
		return line, nil
	}
	if err := checkEnvelopeID(e.EnvelopeID); err != nil {
		return line, err
	}
	return appendXtext(append(line, " ENVID="...), e.EnvelopeID), nil
}

// appendRcpt appends the RCPT command with its line end. An error leaves dst
// as it was and is of class recipient.
func appendRcpt(dst []byte, r *Recipient, p mailParams) ([]byte, error) {
	line := append(dst, "RCPT TO:<"...)
	var err error
	if strings.EqualFold(r.Address, "postmaster") {
		line = append(line, r.Address...) // RFC 5321 §4.1.1.3: valid without a domain
	} else if line, err = appendAddress(line, r.Address, p.utf8); err != nil {
		return dst, recipientError(r, err)
	}
	line = append(line, '>')
	if p.caps.DSN {
		if line, err = appendRcptDSN(line, r); err != nil {
			return dst, recipientError(r, err)
		}
	}
	return append(line, "\r\n"...), nil
}

func appendRcptDSN(line []byte, r *Recipient) ([]byte, error) {
	line, err := appendNotify(line, r.Notify)
	if err != nil || r.OriginalRecipient == "" {
		return line, err
	}
	kind, address, err := splitOriginalRecipient(r.OriginalRecipient)
	if err != nil {
		return line, err
	}
	line = append(append(append(line, " ORCPT="...), kind...), ';')
	if kind == "utf-8" {
		return appendUnicodeXtext(line, address), nil
	}
	return appendXtext(line, address), nil
}

func appendNotify(line []byte, n Notify) ([]byte, error) {
	if n == 0 {
		return line, nil
	}
	if n > NotifyNever {
		return line, errors.New("NotifyNever stands alone")
	}
	separator := " NOTIFY="
	for i, word := range [...]string{"SUCCESS", "FAILURE", "DELAY", "NEVER"} {
		if n&(1<<i) != 0 {
			line = append(append(line, separator...), word...)
			separator = ","
		}
	}
	return line, nil
}

// envelopeNeedsUTF8 reports whether an address cannot be written in ASCII.
// A domain alone always can.
func envelopeNeedsUTF8(e *Envelope) bool {
	if addressNeedsUTF8(e.From) {
		return true
	}
	for i := range e.To {
		if addressNeedsUTF8(e.To[i].Address) {
			return true
		}
	}
	return false
}

func addressNeedsUTF8(address string) bool {
	return !isASCII(address[:max(0, strings.LastIndexByte(address, '@'))])
}

// utf8Error names the address that needs SMTPUTF8, or else the header.
func utf8Error(e *Envelope) error {
	if addressNeedsUTF8(e.From) {
		return senderError(e, errNeedsUTF8)
	}
	for i := range e.To {
		if addressNeedsUTF8(e.To[i].Address) {
			return recipientError(&e.To[i], errNeedsUTF8)
		}
	}
	return &Error{Phase: PhaseMail, Class: ClassContent,
		Err: errors.New("the header is not ASCII, and the server does not offer SMTPUTF8 and 8BITMIME")}
}

func senderError(e *Envelope, err error) error {
	return &Error{Phase: PhaseMail, Class: ClassSender, Err: fmt.Errorf("sender %q: %w", e.From, err)}
}

func recipientError(r *Recipient, err error) error {
	return &Error{Phase: PhaseRcpt, Class: ClassRecipient, Err: fmt.Errorf("recipient %q: %w", r.Address, err)}
}
