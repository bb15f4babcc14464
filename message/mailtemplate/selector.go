package mailtemplate

import (
	"strings"

	"github.com/andybalholm/cascadia"
	"github.com/tdewolff/parse/v2/css"
)

// selector is one selector of a rule.
type selector struct {
	text        string
	specificity cascadia.Specificity
	// match is nil if the selector depends on more than the document (:hover), or
	// is for everything (*), or is not understood: its rule stays in <style>.
	match cascadia.Sel
	// What its last compound asks for: a kind of element, and where to look for it,
	// an id, a class or again the kind, one of them at most.
	kind               string
	id, class, element string
}

// staticPseudo are the pseudo-classes that the document alone decides.
const staticPseudo = " first-child last-child only-child nth-child nth-last-child first-of-type last-of-type only-of-type nth-of-type nth-last-of-type empty root not link "

func parseSelectors(prelude []token) (selectors []selector) {
	for _, piece := range split(prelude, css.CommaToken) {
		s := selector{text: text(piece), specificity: weigh(piece), kind: kindOf(piece)}
		if s.text == "" {
			continue
		}
		if isStatic(piece) {
			if match, err := cascadia.Parse(s.text); err == nil && match.PseudoElement() == "" {
				s.match, s.specificity = match, match.Specificity()
				s.anchor(piece)
			}
		}
		selectors = append(selectors, s)
	}
	return selectors
}

// isStatic tells whether the document alone decides what a selector matches.
func isStatic(piece []token) bool {
	for i, t := range piece {
		switch {
		case t.kind == css.DelimToken && t.text == "!": // cascadia's own
			return false
		case t.kind == css.ColonToken && i+1 < len(piece):
			name := strings.ToLower(strings.TrimSuffix(piece[i+1].text, "("))
			if !strings.Contains(staticPseudo, " "+name+" ") {
				return false
			}
		}
	}
	last := lastCompound(piece)
	return len(last) != 1 || last[0].text != "*"
}

// lastCompound is what a selector asks of the element itself: ".b:not(.c)" of
// "p > .b:not(.c)".
func lastCompound(piece []token) []token {
	start, depth := 0, 0
	piece = trimSpace(piece)
	for i, t := range piece {
		isCombinator := t.kind == css.WhitespaceToken || t.kind == css.DelimToken && strings.Contains(">+~", t.text)
		if depth == 0 && isCombinator {
			start = i + 1
		}
		depth += bracket(t.kind)
	}
	return piece[start:]
}

func trimSpace(piece []token) []token {
	blank := func(t token) bool { return t.kind == css.WhitespaceToken || t.kind == css.CommentToken }
	for len(piece) > 0 && blank(piece[0]) {
		piece = piece[1:]
	}
	for len(piece) > 0 && blank(piece[len(piece)-1]) {
		piece = piece[:len(piece)-1]
	}
	return piece
}

func kindOf(piece []token) string {
	if last := lastCompound(piece); len(last) > 0 && last[0].kind == css.IdentToken && !strings.Contains(last[0].text, `\`) {
		return strings.ToLower(last[0].text)
	}
	return ""
}

// anchor notes where the selector can match. One with escapes is tried on every
// element.
func (s *selector) anchor(piece []token) {
	if strings.Contains(s.text, `\`) {
		return
	}
	last := lastCompound(piece)
	for i, t := range last {
		switch {
		case bracket(t.kind) != 0:
			return
		case t.kind == css.HashToken:
			s.id, s.class, s.element = t.text[1:], "", ""
			return
		case t.kind == css.DelimToken && t.text == "." && i+1 < len(last):
			if s.class == "" {
				s.class, s.element = last[i+1].text, ""
			}
		case t.kind == css.IdentToken && i == 0:
			s.element = strings.ToLower(t.text)
		}
	}
}

// weigh counts the specificity (Selectors Level 3, §9) of a selector that need
// not be understood otherwise.
func weigh(piece []token) (s cascadia.Specificity) {
	for i, t := range piece {
		after := ""
		if i > 0 {
			after = piece[i-1].text
		}
		switch {
		case t.kind == css.HashToken:
			s[0]++
		case t.kind == css.LeftBracketToken, t.text == ".", t.kind == css.ColonToken && after != ":":
			s[1]++
		case t.kind == css.IdentToken && after != "." && after != ":" && after != "[":
			s[2]++
		}
	}
	return s
}
