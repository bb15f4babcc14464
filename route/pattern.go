package route

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/kaizenmail/kaizen/smtp"
	"golang.org/x/net/idna"
)

// address is a mailbox made comparable: whatever its case, its domain in A-labels
// (RFC 5890). The zero value is the null reverse-path.
type address struct{ local, domain string }

// parseAddress takes any mailbox. One whose domain is none matches no pattern.
func parseAddress(s string) address {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return address{local: strings.ToLower(s)}
	}
	domain, err := alabels(s[at+1:])
	if err != nil {
		domain = s[at+1:]
	}
	return address{strings.ToLower(s[:at]), domain}
}

// alabels writes a domain as it is compared.
func alabels(domain string) (string, error) {
	if isASCII(domain) {
		return strings.ToLower(domain), nil
	}
	return idna.Lookup.ToASCII(domain)
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// pattern is an address, a domain, all below a domain, or the null reverse-path.
type pattern struct {
	text string // as it was written
	kind kind
	address
}

type kind uint8

const (
	nullPath kind = iota
	mailbox
	domain
	subdomains
)

// parsePattern reads "bob@example.com", "example.com", "*.example.com", or for a
// sender "<>". A domain may also be written "*@example.com" or "@example.com", as
// many other programs have it.
func parsePattern(text string, sender bool) (p pattern, err error) {
	p.text = text
	base, below := strings.CutPrefix(anybodyAt(text), "*.")
	switch {
	case text == "<>" && sender:
		return p, nil
	case text == "" || base == "*":
		return p, fmt.Errorf("%q matches nothing or everything: leave the condition out", text)
	case strings.Contains(base, "*"):
		return p, fmt.Errorf("%q: a * stands for a whole local part (*@example.com) or for what is below a domain (*.example.com)", text)
	case strings.Contains(base, "@"):
		p.kind, p.address = mailbox, parseAddress(text)
		return p, wellFormed(text, text)
	case below:
		p.kind = subdomains
	default:
		p.kind = domain
	}
	if err := wellFormed("a@"+base, text); err != nil {
		return p, err
	}
	p.domain, err = alabels(base)
	return p, err
}

// anybodyAt is the domain of a pattern for anybody in it.
func anybodyAt(text string) string {
	for _, prefix := range []string{"*@", "@"} {
		if domain, ok := strings.CutPrefix(text, prefix); ok && domain != "" {
			return domain
		}
	}
	return text
}

// wellFormed asks package smtp whether there can be such an address.
func wellFormed(address, text string) error {
	envelope := smtp.Envelope{To: smtp.To(address)}
	err := envelope.Validate()
	var e *smtp.Error
	if errors.As(err, &e) {
		err = e.Err
	}
	if err != nil {
		return fmt.Errorf("%q is no address, domain, or *.domain: %w", text, err)
	}
	return nil
}

func (p *pattern) matches(a address) bool {
	switch p.kind {
	case mailbox:
		return a == p.address
	case domain:
		return a.domain == p.domain && a.domain != ""
	case subdomains:
		return strings.HasSuffix(a.domain, "."+p.domain)
	}
	return a == address{}
}
