package kaizen

import (
	"errors"
	"strconv"
	"strings"

	"github.com/kaizenmail/kaizen/smtp"
)

// What can go wrong, for errors.Is: errors.Is(err, kaizen.ErrAuth).
const (
	ErrConnect         = smtp.ClassConnect         // the server could not be reached, or the connection broke
	ErrTLS             = smtp.ClassTLS             // no TLS where it is required, or an untrusted certificate
	ErrAuth            = smtp.ClassAuth            // credentials refused; trying again cannot help
	ErrAuthTemporary   = smtp.ClassAuthTemporary   // the login failed for now
	ErrTimeout         = smtp.ClassTimeout         // the server was silent for too long
	ErrRate            = smtp.ClassRate            // the server asks for fewer messages per time
	ErrQuota           = smtp.ClassQuota           // a daily (or similar) allowance is used up
	ErrConnectionLimit = smtp.ClassConnectionLimit // too many connections
	ErrSessionLimit    = smtp.ClassSessionLimit    // too many messages on one connection
	ErrSender          = smtp.ClassSender          // the sender was refused
	ErrRecipient       = smtp.ClassRecipient       // a recipient was refused
	// ErrTooManyRecipients: the message could not be split into parts that the
	// server takes, as AllOrNothing forbids it or its content can be read only once.
	ErrTooManyRecipients = smtp.ClassTooManyRecipients
	ErrContent           = smtp.ClassContent  // the content was refused
	ErrSize              = smtp.ClassSize     // the message is too large
	ErrProtocol          = smtp.ClassProtocol // the two sides do not understand each other
	ErrCanceled          = smtp.ClassCanceled // the caller's context ended
	ErrBusy              = smtp.ClassBusy     // too many messages are waiting already
	ErrClosed            = smtp.ClassClosed   // the client or transport was closed
	ErrState             = smtp.ClassState    // Config.StateDir cannot be read or written; nothing is sent then
)

// Error is why some recipient did not get a message, or why an account cannot
// be used. It never holds a credential.
type Error struct {
	Account string     `json:"account,omitempty"` // Account.Name, or what stands for it
	Server  string     `json:"server,omitempty"`  // host:port; empty if none was asked
	Phase   smtp.Phase `json:"phase"`             // when it happened
	Class   Class      `json:"class"`             // what it is about, for errors.Is
	Outcome Outcome    `json:"outcome"`           // of the message for the first of Recipients
	Reply   Reply      `json:"reply,omitzero"`    // what the server answered, if it did
	Hint    string     `json:"hint,omitempty"`    // what to do, where we can tell
	// Recipients are those that were not accepted, each with its own outcome. It is
	// empty if the message was refused before any server was asked.
	Recipients []RecipientResult `json:"recipients,omitempty"`
	// Others are failures of other accounts: of those of a chain that were tried
	// before, and of other parts of the message.
	Others []*Error `json:"others,omitempty"`
	Err    error    `json:"-"` // the cause below, if any
}

// Error names account, server, phase, the server's own words and what to do.
func (e *Error) Error() string {
	var b strings.Builder
	wire := e.wire()
	switch {
	case e.Server == "" && e.Account != "":
		b.WriteString("account " + e.Account + ": ")
	case e.Account != "" && strings.HasSuffix(e.Account, "@"+e.Server): // an account without a name
		b.WriteString("account " + e.Account + ": ")
		wire.Server = ""
	case e.Account != "" && e.Account != e.Server:
		b.WriteString("account " + e.Account + ": ")
	}
	text := wire.Error()
	if e.Server == "" { // no phase of a session either
		text = strings.TrimPrefix(text, smtp.PhaseWaiting.String()+": ")
	}
	b.WriteString(text)
	if n := len(e.Recipients); n > 1 {
		b.WriteString(" [" + strconv.Itoa(n) + " recipients not accepted]")
	}
	for _, other := range e.Others {
		b.WriteString("; " + other.Error())
	}
	return b.String()
}

// wire is the same failure in the wire's words.
func (e *Error) wire() *smtp.Error {
	return &smtp.Error{Server: e.Server, Phase: e.Phase, Class: e.Class, Outcome: e.Outcome, Reply: e.Reply, Hint: e.Hint, Err: e.Err}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is(err, ErrAuth) ask for the class.
func (e *Error) Is(target error) bool {
	c, ok := target.(Class)
	return ok && c == e.Class
}

// Temporary reports whether the same message may succeed later, without any
// change to it or to the account, for some of Recipients at least.
func (e *Error) Temporary() bool {
	for _, r := range e.Recipients {
		if one := (smtp.Error{Class: r.Class, Outcome: r.Outcome, Reply: r.Reply}); one.Temporary() {
			return true
		}
	}
	for _, other := range e.Others {
		if other.Temporary() {
			return true
		}
	}
	return e.wire().Temporary()
}

// SafeToRetry reports that none of Recipients can have got the message: sending
// it to them again cannot make a duplicate.
func (e *Error) SafeToRetry() bool {
	for _, r := range e.Recipients {
		if r.Outcome == smtp.Unknown {
			return false
		}
	}
	return e.Outcome != smtp.Unknown
}

// unfit is the error for a message that was refused before any server heard of it.
func unfit(class Class, err error) *Error {
	return front("", &smtp.Error{Phase: smtp.PhaseWaiting, Class: class, Err: err})
}

// front turns an error from below into one of the front door.
func front(account string, err error) *Error {
	if err == nil {
		return nil
	}
	var done *Error
	if errors.As(err, &done) {
		return done
	}
	e := &Error{Account: account, Class: smtp.ClassProtocol, Err: err}
	var below *smtp.Error
	if !errors.As(err, &below) {
		return e
	}
	e.Server, e.Phase, e.Class, e.Outcome = below.Server, below.Phase, below.Class, below.Outcome
	e.Reply, e.Hint, e.Err = below.Reply, below.Hint, below.Err
	if nested := (*smtp.Error)(nil); below.Server == "" && errors.As(below.Err, &nested) {
		return front(account, nested)
	}
	return e
}
