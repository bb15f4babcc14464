package message

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// appendParameter writes a parameter of a MIME field on a line of its own: as a
// quoted string if it is short and ASCII, else as RFC 2231 says, in numbered
// sections if it is long.
func appendParameter(dst []byte, name, value string) []byte {
	dst = append(append(dst, ";\r\n "...), name...)
	if isPlainParameter(name, value) {
		dst = append(append(dst, `="`...), value...)
		return append(dst, '"')
	}
	if len(name)+percentLength(value) < foldAt-len(" *=utf-8'';") {
		return appendPercent(append(dst, "*=utf-8''"...), value)
	}
	for section := 0; ; section++ {
		dst = strconv.AppendInt(append(dst, '*'), int64(section), 10)
		dst = append(dst, "*="...)
		if section == 0 {
			dst = append(dst, "utf-8''"...)
		}
		n := sectionLength(value, foldAt-1-column(dst))
		dst = appendPercent(dst, value[:n])
		if value = value[n:]; value == "" {
			return dst
		}
		dst = append(append(dst, ";\r\n "...), name...)
	}
}

// sectionLength is how many octets of s, in whole characters and at least one,
// fit into the room when they are percent-encoded.
func sectionLength(s string, room int) int {
	_, n := utf8.DecodeRuneInString(s)
	used := percentLength(s[:n])
	for n < len(s) {
		_, size := utf8.DecodeRuneInString(s[n:])
		if used += percentLength(s[n : n+size]); used > room {
			break
		}
		n += size
	}
	return n
}

func percentLength(s string) int {
	n := 0
	for i := range len(s) {
		if octets[s[i]]&paramOctet != 0 {
			n++
		} else {
			n += 3
		}
	}
	return n
}

func appendPercent(dst []byte, s string) []byte {
	for i := range len(s) {
		if octets[s[i]]&paramOctet != 0 {
			dst = append(dst, s[i])
		} else {
			dst = appendHex(dst, '%', s[i])
		}
	}
	return dst
}

// appendOldName writes the file name for readers that do not know RFC 2231: in
// encoded words, where it needs any. RFC 2047 §5 does not provide for them there,
// yet most mail programs have long written and read them.
func appendOldName(dst []byte, value string) []byte {
	if isPlainParameter("name", value) {
		return appendParameter(dst, "name", value)
	}
	dst = append(dst, ";\r\n name=\""...)
	return append(appendWords(dst, value, foldAt-len(`";`)), '"')
}

// isPlainParameter reports whether a value can be written as it is. One that
// looks encoded cannot: many readers would decode it.
func isPlainParameter(name, value string) bool {
	return len(name)+len(value) < foldAt-len(` ="";`) && all(value, quotedOctet) && !strings.Contains(value, "=?")
}
