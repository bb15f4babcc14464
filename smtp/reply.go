package smtp

import (
	"fmt"
	"strconv"
	"strings"
)

// EnhancedCode is an enhanced status code (RFC 3463): class, subject, detail.
// The zero value means that the reply had none.
type EnhancedCode [3]uint16

// IsZero reports whether there is no enhanced code.
func (e EnhancedCode) IsZero() bool { return e == EnhancedCode{} }

// String returns "5.1.1", or "" for the zero value.
func (e EnhancedCode) String() string {
	if e.IsZero() {
		return ""
	}
	b := make([]byte, 0, 11)
	for i, n := range e {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendUint(b, uint64(n), 10)
	}
	return string(b)
}

// MarshalText writes the code as String does.
func (e EnhancedCode) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads a code as String writes it, or nothing for none.
func (e *EnhancedCode) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*e = EnhancedCode{}
		return nil
	}
	read, rest := cutEnhanced(int(b[0]-'0')*100, append(b[:len(b):len(b)], ' '))
	if read.IsZero() || len(rest) > 0 {
		return fmt.Errorf("%q is no enhanced status code", b)
	}
	*e = read
	return nil
}

// Reply is what the server answered (RFC 5321 §4.2). The zero value stands for
// no reply.
type Reply struct {
	Code     int          `json:"code"`
	Enhanced EnhancedCode `json:"enhanced,omitzero"`
	// Text is the server's own words without the codes, lines joined by "\n".
	Text string `json:"text"`
}

// IsZero reports whether no reply was read.
func (r Reply) IsZero() bool { return r.Code == 0 }

// Positive reports a 2xx reply.
func (r Reply) Positive() bool { return r.Code/100 == 2 }

// Temporary reports a 4xx reply.
func (r Reply) Temporary() bool { return r.Code/100 == 4 }

// Permanent reports a 5xx reply.
func (r Reply) Permanent() bool { return r.Code/100 == 5 }

// String returns the reply on one line, for example "550 5.1.1 No such user".
func (r Reply) String() string {
	if r.IsZero() {
		return ""
	}
	s := strconv.Itoa(r.Code)
	if !r.Enhanced.IsZero() {
		s += " " + r.Enhanced.String()
	}
	if r.Text != "" {
		s += " " + strings.ReplaceAll(r.Text, "\n", " ")
	}
	return s
}
