package smtp

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// Bounds of RFC 5321 §4.5.3.1, in octets.
const (
	maxLocalPart = 64
	maxDomain    = 255
	maxPath      = 256 // with its angle brackets
)

// checkArgument refuses what could end a command line or start another
// argument. The name is for the error.
func checkArgument(name, value string) error {
	if value == "" {
		return fmt.Errorf("%s is empty", name)
	}
	if !isASCII(value) {
		return fmt.Errorf("%s %q is not ASCII", name, value)
	}
	return checkCharacters(name, value, true)
}

// checkCharacters refuses control characters, angle brackets and broken UTF-8,
// and spaces unless the caller looks at those itself.
func checkCharacters(name, value string, spaces bool) error {
	if plain(value) {
		return nil
	}
	if !utf8.ValidString(value) {
		return fmt.Errorf("%s %q is not valid UTF-8", name, value)
	}
	for _, r := range value {
		switch {
		case unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp):
			return fmt.Errorf("%s %q has a control character", name, value)
		case r == '<' || r == '>':
			return fmt.Errorf("%s %q has an angle bracket", name, value)
		case spaces && unicode.IsSpace(r):
			return fmt.Errorf("%s %q has a space", name, value)
		}
	}
	return nil
}

// appendAddress checks a mailbox (RFC 5321 §4.1.2) and appends it. Without
// utf8, a domain beyond ASCII goes as A-labels (RFC 5890), so that SMTPUTF8
// is not needed for it.
func appendAddress(dst []byte, address string, utf8 bool) ([]byte, error) {
	local, domain, err := splitAddress(address)
	if err != nil {
		return dst, err
	}
	wire := domain
	if !isASCII(domain) {
		ascii, err := idna.Lookup.ToASCII(domain)
		if err != nil {
			return dst, fmt.Errorf("domain %q: %w", domain, err)
		}
		domain, wire = ascii, ascii
		if utf8 {
			wire, _ = idna.Lookup.ToUnicode(ascii) // U-labels, normalised
		}
	}
	if err := checkDomain(domain); err != nil {
		return dst, err
	}
	if !utf8 && !isASCII(local) {
		return dst, errNeedsUTF8
	}
	if len(local)+1+max(len(domain), len(wire))+2 > maxPath {
		return dst, fmt.Errorf("longer than %d octets", maxPath-2)
	}
	dst = append(append(dst, local...), '@')
	return append(dst, wire...), nil
}

var errNeedsUTF8 = errors.New("the part before @ is not ASCII, and the server does not offer SMTPUTF8")

// splitAddress cuts at the last @, and checks what comes before it.
func splitAddress(address string) (local, domain string, err error) {
	if address == "" {
		return "", "", errors.New("empty")
	}
	if err := checkCharacters("address", address, false); err != nil {
		return "", "", err
	}
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return "", "", errors.New("no @")
	}
	local, domain = address[:at], address[at+1:]
	switch {
	case local == "":
		err = errors.New("nothing before @")
	case len(local) > maxLocalPart:
		err = fmt.Errorf("more than %d octets before @", maxLocalPart)
	case local[0] == '"':
		err = checkQuoted(local)
	default:
		err = checkAtoms(local)
	}
	return local, domain, err
}

// plain reports visible ASCII without angle brackets: nearly all there is.
func plain(value string) bool {
	for i := range len(value) {
		if c := value[i]; c <= ' ' || c >= 0x7f || c == '<' || c == '>' {
			return false
		}
	}
	return true
}

// special are the characters that an atom cannot have (RFC 5322 §3.2.3).
var special = [256]bool{'(': true, ')': true, '[': true, ']': true, ':': true, ';': true, '@': true, '\\': true, ',': true, '"': true}

// checkAtoms checks an unquoted local part. Dots may stand anywhere: mobile
// carriers have given out such addresses.
func checkAtoms(local string) error {
	for i := range len(local) {
		if c := local[i]; c <= ' ' || special[c] {
			return fmt.Errorf("%q before @ needs quotes", c)
		}
	}
	if strings.ContainsFunc(local, unicode.IsSpace) {
		return errors.New("a space before @")
	}
	return nil
}

func checkQuoted(local string) error {
	for i := 1; i < len(local); i++ {
		switch local[i] {
		case '\\':
			i++
		case '"':
			if i == len(local)-1 {
				return nil
			}
			return errors.New("text behind the closing quote")
		}
	}
	return errors.New("no closing quote")
}

// checkDomain takes a domain name in ASCII or an address literal. Underscores
// are let through: no mail domain should have them, some do.
func checkDomain(domain string) error {
	switch {
	case domain == "":
		return errors.New("nothing behind @")
	case len(domain) > maxDomain:
		return fmt.Errorf("domain of more than %d octets", maxDomain)
	case domain[0] == '[':
		return checkLiteral(domain)
	}
	label := 0
	for i := 0; i <= len(domain); i++ {
		if i == len(domain) || domain[i] == '.' {
			if label == 0 || label > 63 || domain[i-1] == '-' {
				return fmt.Errorf("%q is no domain name", domain)
			}
			label = 0
			continue
		}
		if c := domain[i]; !isLetterOrDigit(c) && c != '_' && (c != '-' || label == 0) {
			return fmt.Errorf("%q is no domain name", domain)
		}
		label++
	}
	return nil
}

// checkLiteral takes [192.0.2.1] and [IPv6:2001:db8::1] (RFC 5321 §4.1.3).
func checkLiteral(domain string) error {
	inner, closed := strings.CutSuffix(domain[1:], "]")
	v6 := len(inner) > 5 && strings.EqualFold(inner[:5], "IPv6:")
	if v6 {
		inner = inner[5:]
	}
	ip, err := netip.ParseAddr(inner)
	if !closed || err != nil || ip.Is6() != v6 || ip.Zone() != "" {
		return fmt.Errorf("%q is no address literal", domain)
	}
	return nil
}

func isLetterOrDigit(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || isDigit(c)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
