package message

import (
	"unicode"
	"unicode/utf8"
)

const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)

// joins reports whether the runes before and behind s[n] are likely to be shown
// as one character: the rules of Unicode's UAX #29 as far as they go without its
// tables. To be wrong costs little.
func joins(s string, n int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:n])
	after, _ := utf8.DecodeRuneInString(s[n:])
	switch {
	case before == zeroWidthJoiner || after == zeroWidthJoiner || after == zeroWidthNonJoiner:
		return true
	case isRegional(after):
		return regionals(s[:n])%2 == 1
	}
	return isExtension(after)
}

// isExtension reports a rune that changes or completes the one before it.
func isExtension(r rune) bool {
	return unicode.Is(unicode.M, r) ||
		r >= 0x1160 && r <= 0x11ff || // vowels and finals of Hangul
		r >= 0x1f3fb && r <= 0x1f3ff || // skin tones
		r >= 0xe0020 && r <= 0xe007f // tags, which make the flags of England, Scotland and Wales
}

// isRegional reports a half of a flag.
func isRegional(r rune) bool { return r >= 0x1f1e6 && r <= 0x1f1ff }

// regionals counts the halves of flags that s ends with.
func regionals(s string) (count int) {
	for s != "" {
		r, size := utf8.DecodeLastRuneInString(s)
		if !isRegional(r) {
			break
		}
		count++
		s = s[:len(s)-size]
	}
	return count
}
