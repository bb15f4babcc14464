package smtp

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// recentTexts holds the last few texts of a connection, so that the replies of
// a steady stream ("Ok", "End data with …") need no allocation each.
type recentTexts [8]string

// maxRecentText bounds what an idle connection keeps.
const maxRecentText = 128

// text returns the octets as a harmless string.
func (s *recentTexts) text(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	for i := range s {
		if string(b) == s[i] {
			t := s[i]
			copy(s[1:i+1], s[:i])
			s[0] = t
			return t
		}
	}
	t := harmless(b)
	if len(b) <= maxRecentText && len(t) == len(b) {
		// New texts enter in the middle: a row of unique ones (queue ids,
		// recipients) must not push out those that recur.
		const middle = len(s) / 2
		copy(s[middle+1:], s[middle:])
		s[middle] = t
	}
	return t
}

// harmless makes a string that cannot break a log line or drive a terminal:
// control and direction-changing characters and invalid UTF-8 are replaced.
// Line feeds stay: they separate the lines of a reply.
func harmless(b []byte) string {
	for _, c := range b {
		if (c < ' ' && c != '\n') || c >= 0x7f {
			return strings.Map(harmlessRune, strings.ToValidUTF8(string(b), "\uFFFD"))
		}
	}
	return string(b)
}

func harmlessRune(r rune) rune {
	switch {
	case r == '\n':
		return r
	case r == '\t':
		return ' '
	case unicode.IsControl(r), unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp):
		return utf8.RuneError
	}
	return r
}
