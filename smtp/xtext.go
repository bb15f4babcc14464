package smtp

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxEnvelopeID        = 100 // RFC 3461 §4.4
	maxOriginalRecipient = 500 // RFC 3461 §4.2
	upperHex             = "0123456789ABCDEF"
)

// appendXtext encodes as xtext (RFC 3461 §4). Angle brackets are encoded too,
// for servers that look for them in the whole line.
func appendXtext(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '+' || c == '=' || c == '<' || c == '>' {
			dst = append(dst, '+', upperHex[c>>4], upperHex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// appendUnicodeXtext encodes as utf-8-addr-xtext (RFC 6533 §3), which is ASCII
// and so does not need SMTPUTF8.
func appendUnicodeXtext(dst []byte, s string) []byte {
	for _, r := range s {
		if r <= ' ' || r >= 0x7f || r == '+' || r == '=' || r == '\\' {
			dst = append(dst, `\x{`...)
			if r < 0x10 {
				dst = append(dst, '0')
			}
			dst = append(dst, strings.ToUpper(strconv.FormatInt(int64(r), 16))...)
			dst = append(dst, '}')
		} else {
			dst = append(dst, byte(r))
		}
	}
	return dst
}

func checkEnvelopeID(id string) error {
	if len(id) > maxEnvelopeID {
		return fmt.Errorf("EnvelopeID of more than %d octets", maxEnvelopeID)
	}
	for i := range len(id) {
		if id[i] < ' ' || id[i] >= 0x7f {
			return fmt.Errorf("EnvelopeID %q is not printable ASCII", id)
		}
	}
	return nil
}

// splitOriginalRecipient takes "type;address", or finds the type of a bare
// address: rfc822, or utf-8 if it is not ASCII (RFC 6533 §3).
func splitOriginalRecipient(s string) (kind, address string, err error) {
	kind, address, found := strings.Cut(s, ";")
	switch {
	case found && isTypeName(kind):
	case isASCII(s):
		kind, address = "rfc822", s
	default:
		kind, address = "utf-8", s
	}
	if kind = strings.ToLower(kind); kind == "rfc822" && !isASCII(address) {
		kind = "utf-8"
	}
	return kind, address, checkOriginalRecipient(kind, address)
}

func checkOriginalRecipient(kind, address string) error {
	const name = "OriginalRecipient"
	switch {
	case address == "":
		return errors.New(name + " is empty")
	case len(kind)+1+len(address) > maxOriginalRecipient:
		return fmt.Errorf("%s of more than %d octets", name, maxOriginalRecipient)
	case kind != "utf-8" && !isASCII(address):
		return fmt.Errorf("%s %q is not ASCII", name, address)
	case !utf8.ValidString(address):
		return fmt.Errorf("%s %q is not valid UTF-8", name, address)
	}
	return checkCharacters(name, address, false)
}

// isTypeName reports an address-type such as "rfc822" or "x400".
func isTypeName(s string) bool {
	for i := range len(s) {
		if !isLetterOrDigit(s[i]) && s[i] != '-' {
			return false
		}
	}
	return s != ""
}
