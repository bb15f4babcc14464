package mailtemplate

import (
	"strings"
	"unicode/utf8"
)

// textWriter puts words into lines.
type textWriter struct {
	out    []byte
	indent []string // at the beginning of each line, outermost first
	labels []string // instead of the last indents, in the next line only
	common int      // indents that the last line and the next have in common

	gap     int  // lines to begin before the next word, if there are words before
	space   bool // between the last word and the next
	inLine  bool // the current line has been begun
	started bool
}

func (w *textWriter) String() string {
	if len(w.out) == 0 {
		return ""
	}
	return string(w.out) + "\n"
}

// words writes text whose space may be any, as in HTML.
func (w *textWriter) words(s string) {
	for len(s) > 0 {
		n := 0
		for n < len(s) && !isSpaceAt(s, n) {
			n++
		}
		if word := visible(s[:n]); word != "" {
			w.verbatim(word)
		}
		s = s[n:]
		for width := spaceWidth(s); width > 0; width = spaceWidth(s) {
			w.space = true
			s = s[width:]
		}
	}
}

func isSpaceAt(s string, i int) bool { return spaceWidth(s[i:]) > 0 }

// spaceWidth returns how long the space is that s begins with, if it does. A
// no-break space is one, too: it lays out pages more than it joins words.
func spaceWidth(s string) int {
	switch {
	case s == "", s[0] > ' ' && s[0] < utf8.RuneSelf:
	case strings.IndexByte(" \t\r\n\f", s[0]) >= 0:
		return 1
	case strings.HasPrefix(s, "\u00a0"):
		return len("\u00a0")
	case strings.HasPrefix(s, "\u2007"): // in preheaders
		return len("\u2007")
	}
	return 0
}

// visible leaves out characters without width that fill preheaders: soft hyphen,
// combining grapheme joiner, zero-width space, byte order mark; and NUL.
func visible(word string) string {
	plain := func(b byte) bool { return b > 0 && b < utf8.RuneSelf }
	if allBytes(word, plain) {
		return word
	}
	return invisible.Replace(word)
}

func allBytes(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return true
}

var invisible = strings.NewReplacer("\u00ad", "", "\u034f", "", "\u200b", "", "\ufeff", "", "\x00", "")

// verbatim writes a piece of a line as it is.
func (w *textWriter) verbatim(s string) {
	if s == "" {
		return
	}
	w.begin()
	if w.space {
		w.out = append(w.out, ' ')
	}
	w.out = append(w.out, s...)
	w.space, w.inLine, w.started = false, true, true
}

// begin ends lines as asked for, and begins the next with its indent.
func (w *textWriter) begin() {
	if !w.started {
		w.gap = 0
	}
	for ; w.gap > 0; w.gap-- {
		w.out = append(w.out, '\n')
		w.inLine = false
		if w.gap > 1 {
			w.out = append(w.out, strings.TrimRight(strings.Join(w.indent[:w.common], ""), " ")...)
		}
	}
	if !w.inLine {
		w.space = false
		w.out = append(w.out, w.prefix()...)
		w.labels = nil
		w.common = len(w.indent)
	}
}

func (w *textWriter) prefix() string {
	rest := len(w.indent) - len(w.labels)
	return strings.Join(w.indent[:rest], "") + strings.Join(w.labels, "")
}

// lineBreak ends the line; two of them leave a line blank.
func (w *textWriter) lineBreak() {
	w.space = false
	w.gap = min(w.gap+1, 3)
}

// block writes with at least gap line ends before and after.
func (w *textWriter) block(gap int, content func()) {
	w.gap = max(w.gap, gap)
	content()
	w.gap = max(w.gap, gap)
}

// indented writes with label before the first line and indent before the others.
func (w *textWriter) indented(label, indent string, content func()) {
	w.indent = append(w.indent, indent)
	w.labels = append(w.labels, label)
	content()
	w.indent = w.indent[:len(w.indent)-1]
	w.common = min(w.common, len(w.indent))
	if len(w.labels) > len(w.indent) {
		w.labels = w.labels[:len(w.indent)] // nothing was written
	}
}
