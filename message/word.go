package message

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

const (
	wordOverhead = len("=?utf-8?q??=")
	minWord      = 16 // what an encoded word should have room for
)

// appendPhrase writes a display name: as atoms if it is nothing else, as a
// quoted string, or encoded.
func appendPhrase(dst []byte, name string) []byte {
	if isAtoms(name) && isPlainText(name) {
		return appendFolded(dst, name)
	}
	if isASCII(name) {
		if quoted := string(appendQuotedString(nil, name)); isPlainText(quoted) {
			return appendFolded(dst, quoted)
		}
	}
	if !fitsWord(name, column(dst)) && fitsWord(name, len(" ")) {
		dst = breakLine(dst) // some readers put a space between two words of a name
	}
	return appendEncodedWords(dst, name)
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

// breakLine goes on in a new line, without a space at the end of the last one.
func breakLine(dst []byte) []byte {
	if n := len(dst); n > 0 && dst[n-1] == ' ' {
		dst = dst[:n-1]
	}
	return append(dst, "\r\n "...)
}

// appendEncodedWords writes s as encoded words (RFC 2047), each of whole
// characters, of the kind that is shorter for s.
func appendEncodedWords(dst []byte, s string) []byte {
	return appendWords(dst, s, foldAt)
}

// appendWords writes encoded words in lines of at most width octets.
func appendWords(dst []byte, s string, width int) []byte {
	useB := isShorterInB(s)
	for s != "" {
		room := width - column(dst) - wordOverhead
		if room < minWord {
			dst = breakLine(dst)
			room = width - column(dst) - wordOverhead
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
// space if there is one far enough on, else between two characters, as some
// readers show a space between two words where there is none.
func wordLength(s string, room int, useB bool) int {
	n := fitting(s, room, useB)
	if n == len(s) {
		return n
	}
	if space := strings.LastIndexByte(s[:n], ' '); space > n/2 {
		return space + 1
	}
	for end := n; end > 0; {
		if !joins(s, end) {
			return end
		}
		_, size := utf8.DecodeLastRuneInString(s[:end])
		end -= size
	}
	return n
}

// fitsWord reports whether s is a single encoded word if it begins at the column.
func fitsWord(s string, column int) bool {
	return fitting(s, foldAt-column-wordOverhead, isShorterInB(s)) == len(s)
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

func isShorterInB(s string) bool { return base64.StdEncoding.EncodedLen(len(s)) < qLength(s) }

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
