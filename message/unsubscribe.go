package message

import (
	"errors"
	"net/url"
	"strings"
)

// Unsubscribe tells readers how to leave a mailing: List-Unsubscribe (RFC 2369).
type Unsubscribe struct {
	// URL is an https page, percent-encoded where it is not ASCII.
	URL string
	// Mailto is an address, or a mailto URL (RFC 6068), to write to.
	Mailto string
	// OneClick says that a POST to URL unsubscribes without any question: RFC 8058,
	// which Gmail and Yahoo ask of who sends in bulk. It needs a URL, and counts
	// only in a message with a DKIM signature.
	OneClick bool
}

var (
	errNotHTTPS  = errors.New("not an https URL in printable ASCII of at most 900 octets: percent-encode the rest")
	errNotMailto = errors.New("not an address or mailto URL in printable ASCII of at most 900 octets")
	errOneClick  = errors.New("one-click unsubscribing needs an https URL (RFC 8058 §3.1)")
)

func (p *prepared) checkUnsubscribe() error {
	u := &p.Unsubscribe
	switch {
	case u.URL != "" && !isHTTPS(u.URL):
		return fieldError("Unsubscribe.URL", u.URL, errNotHTTPS)
	case u.Mailto != "" && !isMailto(u.mailto()):
		return fieldError("Unsubscribe.Mailto", u.Mailto, errNotMailto)
	case u.OneClick && u.URL == "":
		return fieldError("Unsubscribe.OneClick", "", errOneClick)
	}
	p.size += len(u.URL) + len(u.Mailto)
	return nil
}

func isHTTPS(s string) bool {
	parsed, err := url.Parse(s)
	return err == nil && strings.EqualFold(parsed.Scheme, "https") && parsed.Host != "" && isToken(s) && len(s) <= maxUnbroken
}

// mailto is Mailto as a URL.
func (u *Unsubscribe) mailto() string {
	const scheme = "mailto:"
	if len(u.Mailto) >= len(scheme) && strings.EqualFold(u.Mailto[:len(scheme)], scheme) {
		return u.Mailto
	}
	return scheme + u.Mailto
}

func isMailto(s string) bool {
	parsed, err := url.Parse(s)
	if err != nil || !isToken(s) || len(s) > maxUnbroken {
		return false
	}
	address, err := url.PathUnescape(parsed.Opaque)
	if err != nil {
		return false
	}
	_, err = readAddress(address)
	return err == nil
}

func (u *Unsubscribe) append(dst []byte) []byte {
	if u.URL == "" && u.Mailto == "" {
		return dst
	}
	dst = append(dst, "List-Unsubscribe:"...)
	if u.URL != "" {
		dst = append(append(append(dst, " <"...), u.URL...), '>')
	}
	if u.URL != "" && u.Mailto != "" {
		dst = append(dst, ",\r\n"...)
	}
	if u.Mailto != "" {
		dst = append(append(append(dst, " <"...), u.mailto()...), '>')
	}
	dst = append(dst, crlf...)
	if u.OneClick {
		dst = append(dst, "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"...)
	}
	return dst
}
