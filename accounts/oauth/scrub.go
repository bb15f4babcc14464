package oauth

import (
	"regexp"
	"strings"
	"unicode"
)

const (
	redacted = "<secret>"
	// leastHead of a secret gives it away: servers cut short what they repeat.
	leastHead = 6
	// mostShown of a description is enough to act on.
	mostShown = 300
)

// tokenish are runs of letters that may be a token, whole or in an encoding. The
// ids that Microsoft gives for its support are none.
var (
	tokenish = regexp.MustCompile(`[A-Za-z0-9._~+/=%-]{24,}`)
	uuid     = regexp.MustCompile(`^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\.?$`)
)

// shown is a server's text as it may be kept: on one line, not long, and without
// what was secret in the request or looks as if it were.
func shown(text string, secrets []string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, text)
	for _, secret := range secrets {
		text = without(text, secret)
	}
	text = tokenish.ReplaceAllStringFunc(text, func(run string) string {
		if uuid.MatchString(run) {
			return run
		}
		return redacted
	})
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > mostShown {
		text = string(runes[:mostShown]) + "…"
	}
	return text
}

// without replaces a secret, and beginnings of it.
func without(text, secret string) string {
	if len(secret) < leastHead {
		return text
	}
	var b strings.Builder
	for {
		at := strings.Index(text, secret[:leastHead])
		if at < 0 {
			return b.String() + text
		}
		end := at + leastHead
		for end < len(text) && end-at < len(secret) && text[end] == secret[end-at] {
			end++
		}
		b.WriteString(text[:at] + redacted)
		text = text[end:]
	}
}
