package smtp

import "strconv"

// contentError says why a content cannot be sent: its source failed, or it needs
// what the server does not offer. It is of ClassContent.
type contentError struct {
	line int    // the first line concerned, counted from 1; 0 if none
	what string // what is wrong
	hint string // what to do
	err  error  // the source's error, if any
}

// Error tells what is wrong and where; the hint is left to [Error].
func (e *contentError) Error() string {
	text := "content"
	if e.line > 0 {
		text += " line " + strconv.Itoa(e.line)
	}
	text += ": " + e.what
	if e.err != nil {
		text += ": " + e.err.Error()
	}
	return text
}

// Unwrap returns the source's error.
func (e *contentError) Unwrap() error { return e.err }

// Is makes errors.Is(err, ClassContent) true.
func (e *contentError) Is(target error) bool { return target == ClassContent }

func sourceError(err error) *contentError {
	return &contentError{what: "its source failed", err: err}
}

func eightBitError(line int) *contentError {
	return &contentError{line: line, what: "8-bit octets, but the server does not offer 8BITMIME",
		hint: "encode the parts as quoted-printable or base64"}
}

func longLineError(line int) *contentError {
	return &contentError{line: line, what: "more than " + strconv.Itoa(maxLine) + " octets (RFC 5322 §2.1.1)",
		hint: "encode the part as quoted-printable or base64, or permit it with AllowLongLines"}
}
