package smtp

// Envelope is what MAIL and RCPT say: who sends, who receives, and how
// (RFC 5321 §2.3.1). The header of the message is not looked at.
type Envelope struct {
	// From is the reverse-path without angle brackets. Empty is the null
	// reverse-path "<>" of notifications.
	From string `json:"from"`
	// To are the recipients; at least one.
	To []Recipient `json:"to,omitempty"`
	// Return asks what a failure notification shall contain (RET, RFC 3461 §4.3).
	Return Return `json:"return,omitempty"`
	// EnvelopeID is echoed in delivery status notifications (ENVID, RFC 3461
	// §4.4), at most 100 octets before its encoding.
	EnvelopeID string `json:"envelope_id,omitempty"`
	// RequireTLS asks every hop to use verified TLS or to return the message
	// (RFC 8689). It is an error where the server does not offer it.
	RequireTLS bool `json:"require_tls,omitempty"`
}

// Recipient is one forward-path and what its sender wants to know about it.
type Recipient struct {
	// Address is the mailbox without angle brackets.
	Address string `json:"address"`
	// Notify says when to send a delivery status notification (RFC 3461 §4.1).
	Notify Notify `json:"notify,omitempty"`
	// OriginalRecipient is ORCPT (RFC 3461 §4.2): an address of type rfc822, or
	// "type;address".
	OriginalRecipient string `json:"original_recipient,omitempty"`
}

// To makes recipients of addresses, without delivery status options.
func To(addresses ...string) []Recipient {
	to := make([]Recipient, len(addresses))
	for i, a := range addresses {
		to[i].Address = a
	}
	return to
}

// Return is the RET parameter (RFC 3461 §4.3). The zero value leaves it out.
type Return uint8

// What a failure notification contains.
const (
	ReturnDefault Return = iota
	ReturnFull           // the whole message
	ReturnHeaders        // its header only
)

// Notify is the NOTIFY parameter (RFC 3461 §4.1), a set of conditions. The
// zero value leaves it out.
type Notify uint8

// When to notify. NotifyNever stands alone.
const (
	NotifySuccess Notify = 1 << iota
	NotifyFailure
	NotifyDelay
	NotifyNever
)

// Validate checks all that can be known without a server: the form and length
// of every address (RFC 5321 §4.1.2 and §4.5.3.1) and of the delivery status
// options, and that there is a recipient. It finds the first fault; the error
// is an [*Error] of ClassSender or ClassRecipient that names the address.
//
// Whether an address beyond ASCII can go depends on the server (SMTPUTF8).
func (e *Envelope) Validate() error {
	var scratch [512]byte
	lenient := Capabilities{SMTPUTF8: true, EightBitMIME: true, DSN: true, RequireTLS: true}
	anything := mailParams{caps: &lenient, size: -1, utf8: true}
	if _, err := appendMail(scratch[:0], e, anything); err != nil {
		return err
	}
	if len(e.To) == 0 {
		return &Error{Phase: PhaseRcpt, Class: ClassRecipient, Err: errNoRecipients}
	}
	for i := range e.To {
		if _, err := appendRcpt(scratch[:0], &e.To[i], anything); err != nil {
			return err
		}
	}
	return nil
}
