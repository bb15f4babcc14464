package smtp

// Envelope is what MAIL and RCPT say: who sends, who receives, and how
// (RFC 5321 §2.3.1). The header of the message is not looked at.
type Envelope struct {
	// From is the reverse-path without angle brackets. Empty is the null
	// reverse-path "<>" of notifications.
	From string
	// To are the recipients; at least one.
	To []Recipient
	// Return asks what a failure notification shall contain (RET, RFC 3461 §4.3).
	Return Return
	// EnvelopeID is echoed in delivery status notifications (ENVID, RFC 3461
	// §4.4), at most 100 octets before its encoding.
	EnvelopeID string
	// RequireTLS asks every hop to use verified TLS or to return the message
	// (RFC 8689). It is an error where the server does not offer it.
	RequireTLS bool
}

// Recipient is one forward-path and what its sender wants to know about it.
type Recipient struct {
	// Address is the mailbox without angle brackets.
	Address string
	// Notify says when to send a delivery status notification (RFC 3461 §4.1).
	Notify Notify
	// OriginalRecipient is ORCPT (RFC 3461 §4.2): an address of type rfc822, or
	// "type;address".
	OriginalRecipient string
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
