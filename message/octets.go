package message

import "bytes"

const (
	crlf = "\r\n"
	// foldAt is how many octets a line should have: 76 where there is an encoded
	// word (RFC 2047 §2) or a transfer encoding, two more elsewhere.
	foldAt = 76
	// maxUnbroken keeps what cannot be folded, behind a field name of at most
	// maxFieldName, under the 998 octets a line may have.
	maxUnbroken  = 900
	maxFieldName = 76
)

// What an octet may be used for as it is.
const (
	atomOctet   = 1 << iota // atext (RFC 5322 §3.2.3), and all of UTF-8 (RFC 6532)
	wordOctet               // in an encoded word of kind Q, in a phrase too (RFC 2047 §5)
	bodyOctet               // in quoted-printable, where it is not the last of a line
	paramOctet              // attribute-char (RFC 2231 §7)
	fieldOctet              // in a field name (RFC 5322 §3.6.8)
	quotedOctet             // in a quoted string without a backslash
)

// octets tells the uses of each octet.
var octets = func() (t [256]uint8) {
	mark := func(use uint8, set string) {
		for i := range len(set) {
			t[set[i]] |= use
		}
	}
	const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	mark(atomOctet|wordOctet|paramOctet, alphanumeric)
	mark(atomOctet, "!#$%&'*+-/=?^_`{|}~")
	mark(wordOctet, "!*+-/")
	mark(paramOctet, "!#$&+-.^_`{|}~")
	for c := ' '; c <= '~'; c++ {
		t[c] |= bodyOctet | fieldOctet | quotedOctet
	}
	t['\t'] |= bodyOctet
	t['='] &^= bodyOctet
	t[' '] &^= fieldOctet
	t[':'] &^= fieldOctet
	t['"'] &^= quotedOctet
	t['\\'] &^= quotedOctet
	for c := 0x80; c < 0x100; c++ {
		t[c] |= atomOctet
	}
	return t
}()

const upperHex = "0123456789ABCDEF"

func appendHex(dst []byte, escape, c byte) []byte {
	return append(dst, escape, upperHex[c>>4], upperHex[c&15])
}

// all reports whether every octet of s is good for the use.
func all(s string, use uint8) bool {
	for i := range len(s) {
		if octets[s[i]]&use == 0 {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// lineStart is where the last line of dst begins.
func lineStart(dst []byte) int { return bytes.LastIndexByte(dst, '\n') + 1 }

// column is how many octets the last line of dst has.
func column(dst []byte) int { return len(dst) - lineStart(dst) }
