package message

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

const (
	wordOverhead = len("=?utf-8?q??=")
	maxPhrase    = 60 // octets of a display name that is not encoded: it is not folded
)

// appendPhrase writes a display name: as atoms if it is nothing else, as a
// quoted string, or encoded.
func appendPhrase(dst []byte, name string) []byte {
	switch {
	case len(name) > maxPhrase || !isASCII(name) || strings.Contains(name, "=?") || !isPrintable(name):
		return appendEncodedWords(dst, name)
	case isAtoms(name):
		return append(dst, name...)
	}
	return appendQuotedString(dst, name)
}

func isPrintable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// isAtoms reports whether s is ASCII words with one space between them.
func isAtoms(s string) bool {
	for i := range len(s) {
		if s[i] == ' ' && i > 0 && i < len(s)-1 && s[i-1] != ' ' {
			continue
		}
		if octets[s[i]]&atomOctet == 0 {
			return false
		}
	}
	return true
}

func appendQuotedString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, s[i])
	}
	return append(dst, '"')
}

// appendEncodedWords writes s as encoded words (RFC 2047), each of whole
// characters, of the kind that is shorter for s.
func appendEncodedWords(dst []byte, s string) []byte {
	useB := qLength(s) > base64.StdEncoding.EncodedLen(len(s))
	for s != "" {
		room := foldAt - column(dst) - wordOverhead
		if room < 16 {
			dst = append(dst, "\r\n "...)
			room = foldAt - 1 - wordOverhead
		}
		n := wordLength(s, room, useB)
		if useB {
			dst = append(dst, "=?utf-8?b?"...)
			dst = base64.StdEncoding.AppendEncode(dst, []byte(s[:n]))
		} else {
			dst = append(dst, "=?utf-8?q?"...)
			dst = appendQ(dst, s[:n])
		}
		dst = append(dst, "?="...)
		if s = s[n:]; s != "" {
			dst = append(dst, "\r\n "...)
		}
	}
	return dst
}

// wordLength is how many octets of s go into an encoded word. It ends behind a
// space if there is one far enough on, as some readers show a space between two
// words where there is none.
func wordLength(s string, room int, useB bool) int {
	n := fitting(s, room, useB)
	if space := strings.LastIndexByte(s[:n], ' '); n < len(s) && space > n/2 {
		return space + 1
	}
	return n
}

// fitting is how many octets of s, in whole characters, fit into the room.
func fitting(s string, room int, useB bool) int {
	n, used := 0, 0
	for n < len(s) {
		_, size := utf8.DecodeRuneInString(s[n:])
		cost := size
		if !useB {
			cost = qLength(s[n : n+size])
		}
		if used += cost; (useB && base64.StdEncoding.EncodedLen(used) > room) || used > room {
			return n
		}
		n += size
	}
	return n
}

func qLength(s string) int {
	n := 0
	for i := range len(s) {
		if s[i] == ' ' || octets[s[i]]&wordOctet != 0 {
			n++
		} else {
			n += 3
		}
	}
	return n
}

func appendQ(dst []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == ' ':
			dst = append(dst, '_')
		case octets[c]&wordOctet != 0:
			dst = append(dst, c)
		default:
			dst = appendHex(dst, '=', c)
		}
	}
	return dst
}
