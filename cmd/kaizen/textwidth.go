package main

import (
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

// textWidth is how many columns of a terminal a text takes (Unicode Standard
// Annex 11). The text has no control characters.
func textWidth(s string) (n int) {
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func runeWidth(r rune) int {
	if r < 0x300 {
		return 1
	}
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// cutWidth shortens a text to so many columns; the last one tells that it was.
func cutWidth(s string, columns int) string {
	if textWidth(s) <= columns {
		return s
	}
	n := 0
	for i, r := range s {
		if n += runeWidth(r); n > columns-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// wrapWidth breaks a text at spaces into lines of so many columns; those after the
// first begin with so many spaces. Words that are longer are cut into pieces.
func wrapWidth(s string, columns, hanging int) (lines []string) {
	hanging = min(hanging, columns/2)
	for textWidth(s) > columns {
		first := piece(s, columns)
		if at := strings.LastIndexByte(first, ' '); s[len(first)] != ' ' && strings.TrimSpace(first[:max(at, 0)]) != "" {
			first = first[:at]
		}
		lines = append(lines, strings.TrimRight(first, " "))
		s = strings.Repeat(" ", hanging) + strings.TrimLeft(s[len(first):], " ")
	}
	return append(lines, s)
}

// piece is the beginning of a text that fits, at least a letter.
func piece(s string, columns int) string {
	n := 0
	for i, r := range s {
		if n += runeWidth(r); n > columns && i > 0 {
			return s[:i]
		}
	}
	return s
}
