package message

import (
	"errors"
	"net/mail"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// maxAddress is the longest path an SMTP server must take, without its angle
// brackets (RFC 5321 §4.5.3.1.3).
const maxAddress = 254

var (
	errLongAddress = errors.New("address over 254 octets")
	errEndsInDot   = errors.New("the domain ends in a dot, which mail addresses cannot (RFC 5321 §4.1.2)")
)

// address is a parsed mailbox, ready for header and envelope.
type address struct {
	name   string // display name, decoded
	local  string // quoted where its syntax needs it
	domain string // with A-labels
}

func (a *address) String() string { return a.local + "@" + a.domain }

// key is equal for addresses that are certainly the same mailbox: local parts
// are for the receiver to compare (RFC 5321 §2.4).
func (a *address) key() string { return a.local + "@" + strings.ToLower(a.domain) }

func parseAddresses(field string, list []string) ([]address, error) {
	if len(list) == 0 {
		return nil, nil
	}
	parsed := make([]address, len(list))
	for i, s := range list {
		a, err := readAddress(s)
		if err != nil {
			return nil, fieldError(indexed(field, i), s, err)
		}
		parsed[i] = a
	}
	return parsed, nil
}

func parseAddress(field, s string) (address, error) {
	a, err := readAddress(s)
	if err != nil {
		return address{}, fieldError(field, s, err)
	}
	return a, nil
}

func readAddress(s string) (address, error) {
	if s == "" {
		return address{}, errMissing
	}
	if isBare(s) {
		return newAddress(s)
	}
	if err := checkText(s); err != nil {
		return address{}, err
	}
	parsed, err := mail.ParseAddress(s)
	if err != nil {
		if strings.HasSuffix(strings.TrimRight(s, "> "), ".") {
			err = errEndsInDot
		}
		return address{}, err
	}
	// An encoded word in the name may hide what the plain text must not hold.
	if err := checkText(parsed.Name); err != nil {
		return address{}, err
	}
	a, err := newAddress(parsed.Address)
	a.name = parsed.Name
	return a, err
}

// isBare reports an address as most programs have it, which needs no parser:
// ann@example.com.
func isBare(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	at := strings.LastIndexByte(s, '@')
	return at > 0 && isDotAtom(s[:at]) && isDotAtom(s[at+1:])
}

// newAddress makes an address of what net/mail parsed, which took quotes off.
func newAddress(parsed string) (address, error) {
	at := strings.LastIndexByte(parsed, '@')
	domain, err := asciiDomain(parsed[at+1:])
	if err != nil {
		return address{}, err
	}
	a := address{local: quoteLocal(parsed[:at]), domain: domain}
	if len(a.local)+1+len(a.domain) > maxAddress {
		return address{}, errLongAddress
	}
	return a, nil
}

func asciiDomain(domain string) (string, error) {
	if isASCII(domain) {
		return domain, nil
	}
	labels, err := idna.Lookup.ToASCII(domain)
	switch {
	case err != nil:
		return "", err
	case strings.HasSuffix(labels, "."):
		return "", errEndsInDot
	case !isHostName(labels): // too long, or characters that mean nothing have left nothing
		return "", errDomain
	}
	return labels, nil
}

// quoteLocal writes a local part as a dot-atom if it is one, else as a quoted
// string (RFC 5321 §4.1.2).
func quoteLocal(local string) string {
	if isDotAtom(local) {
		return local
	}
	return string(appendQuotedString(nil, local))
}

func isDotAtom(s string) bool {
	for i := range len(s) {
		if s[i] == '.' && (i == 0 || i == len(s)-1 || s[i-1] == '.') {
			return false
		}
		if s[i] != '.' && octets[s[i]]&atomOctet == 0 {
			return false
		}
	}
	return s != ""
}

// appendAddressField writes a field with addresses, folded between them.
func appendAddressField(dst []byte, name string, list ...address) []byte {
	if len(list) == 0 {
		return dst
	}
	dst = append(append(dst, name...), ':')
	for i := range list {
		mark := len(dst)
		dst = list[i].append(append(dst, ' '))
		if i > 0 && (lineStart(dst) > mark || column(dst) >= foldAt) {
			dst = list[i].append(append(dst[:mark], "\r\n "...))
		}
		if i < len(list)-1 {
			dst = append(dst, ',')
		}
	}
	return append(dst, crlf...)
}

// append writes the mailbox where the line stands.
func (a *address) append(dst []byte) []byte {
	if a.name == "" {
		return append(append(append(dst, a.local...), '@'), a.domain...)
	}
	dst = appendPhrase(dst, a.name)
	if column(dst)+len(a.local)+len(a.domain)+len(" <@>,") > foldAt {
		dst = append(dst, crlf...)
	}
	dst = append(dst, " <"...)
	dst = append(append(append(dst, a.local...), '@'), a.domain...)
	return append(dst, '>')
}
