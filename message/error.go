package message

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error says which field of a message is wrong.
type Error struct {
	Field string // as in the program: "Subject", "To[2]", "Attachments[0]"
	Value string // what it holds, if that helps; at most 80 octets
	Err   error  // what is wrong with it
}

// Error names the field first.
func (e *Error) Error() string {
	if e.Value == "" {
		return "message: " + e.Field + ": " + e.Err.Error()
	}
	return fmt.Sprintf("message: %s %q: %v", e.Field, e.Value, e.Err)
}

// Unwrap returns what is wrong.
func (e *Error) Unwrap() error { return e.Err }

var (
	errMissing      = errors.New("missing")
	errNotUTF8      = errors.New("not valid UTF-8")
	errLineBreak    = errors.New("holds CR, LF or NUL, which cannot be in a header field")
	errNoRecipients = errors.New("no recipients: To, Cc and Bcc are empty")
)

func fieldError(field, value string, err error) error {
	if len(value) > 80 {
		value = strings.ToValidUTF8(value[:77], "") + "..."
	}
	return &Error{Field: field, Value: value, Err: err}
}

func indexed(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }

// checkText refuses what no header field can hold: with CR and LF a value could
// end its field and begin another.
func checkText(s string) error {
	if strings.ContainsAny(s, "\r\n\x00") {
		return errLineBreak
	}
	if !utf8.ValidString(s) {
		return errNotUTF8
	}
	return nil
}
