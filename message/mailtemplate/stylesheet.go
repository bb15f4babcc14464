package mailtemplate

import (
	"strings"

	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/css"
)

// statement is one piece of a style sheet: a rule, an at-rule that holds
// statements, or text that is of no further interest and stays as it is.
type statement struct {
	text         string        // of what stays as it is
	prelude      string        // "@media print", or the selectors of a rule
	below        []statement   // of an at-rule
	selectors    []selector    // of a rule
	declarations []declaration // of a rule
}

// declaration is one "property: value".
type declaration struct {
	property  string
	value     string
	important bool
}

type token struct {
	kind css.TokenType
	text string
}

func tokens(s string) (all []token) {
	lexer := css.NewLexer(parse.NewInputString(s))
	for {
		kind, text := lexer.Next()
		if kind == css.ErrorToken {
			return all
		}
		all = append(all, token{kind, string(text)})
	}
}

func text(tokens []token) string {
	var b strings.Builder
	for _, t := range tokens {
		if t.kind != css.CommentToken {
			b.WriteString(t.text)
		}
	}
	return strings.TrimSpace(b.String())
}

// maxNesting bounds at-rules within at-rules; what is deeper stays as it is.
const maxNesting = 16

// parseStatements follows CSS Syntax Level 3, §5.4, as far as inlining needs it.
func parseStatements(all []token, depth int) (statements []statement) {
	for len(all) > 0 {
		switch all[0].kind {
		case css.WhitespaceToken, css.CommentToken, css.CDOToken, css.CDCToken, css.SemicolonToken, css.RightBraceToken:
			all = all[1:]
			continue
		}
		isAt := all[0].kind == css.AtKeywordToken
		n := until(all, css.LeftBraceToken, isAt)
		if n == len(all) || all[n].kind == css.SemicolonToken {
			end := min(n+1, len(all))
			statements = append(statements, statement{text: text(all[:end])})
			all = all[end:]
			continue
		}
		body := all[n+1:]
		end := until(body, css.RightBraceToken, false)
		if n > 0 {
			statements = append(statements, parseStatement(all[:n], body[:end], depth))
		}
		all = body[min(end+1, len(body)):]
	}
	return statements
}

func parseStatement(prelude, body []token, depth int) statement {
	s := statement{prelude: text(prelude)}
	holds := holdsStatements(prelude[0])
	switch {
	case holds && depth < maxNesting:
		s.below = parseStatements(body, depth+1)
	case prelude[0].kind == css.AtKeywordToken, until(body, css.LeftBraceToken, false) < len(body):
		// @font-face and the like, or a rule with rules in it.
		return statement{text: s.prelude + " { " + text(body) + " }"}
	default:
		s.selectors = parseSelectors(prelude)
		s.declarations = parseDeclarations(body)
	}
	return s
}

func holdsStatements(t token) bool {
	if t.kind != css.AtKeywordToken {
		return false
	}
	switch strings.ToLower(t.text) {
	case "@media", "@supports", "@container":
		return true
	}
	return false
}

// until returns the index of a token outside all brackets, or of a semicolon if
// that ends it, too; else the length.
func until(all []token, kind css.TokenType, orSemicolon bool) int {
	depth := 0
	for i, t := range all {
		if depth == 0 && (t.kind == kind || orSemicolon && t.kind == css.SemicolonToken) {
			return i
		}
		depth = max(0, depth+bracket(t.kind))
	}
	return len(all)
}

func bracket(kind css.TokenType) int {
	switch kind {
	case css.LeftBraceToken, css.LeftBracketToken, css.LeftParenthesisToken, css.FunctionToken:
		return 1
	case css.RightBraceToken, css.RightBracketToken, css.RightParenthesisToken:
		return -1
	}
	return 0
}

// split cuts at each token of a kind that is outside brackets.
func split(all []token, kind css.TokenType) (pieces [][]token) {
	for {
		n := until(all, kind, false)
		pieces = append(pieces, all[:n])
		if n == len(all) {
			return pieces
		}
		all = all[n+1:]
	}
}

// parseDeclarations reads a rule's body or a style attribute. It leaves out
// what is malformed, as every client must.
func parseDeclarations(all []token) (declarations []declaration) {
	for _, piece := range split(all, css.SemicolonToken) {
		colon := until(piece, css.ColonToken, false)
		if colon == len(piece) {
			continue
		}
		d := declaration{property: text(piece[:colon]), value: text(piece[colon+1:])}
		if bang := strings.LastIndexByte(d.value, '!'); bang >= 0 && strings.EqualFold(strings.TrimSpace(d.value[bang+1:]), "important") {
			d.value, d.important = strings.TrimSpace(d.value[:bang]), true
		}
		if !strings.HasPrefix(d.property, "--") {
			d.property = strings.ToLower(d.property)
		}
		if d.property != "" && d.value != "" {
			declarations = append(declarations, d)
		}
	}
	return declarations
}

func appendDeclaration(b []byte, d declaration) []byte {
	b = append(append(append(b, d.property...), ": "...), d.value...)
	if d.important {
		b = append(b, " !important"...)
	}
	return b
}
