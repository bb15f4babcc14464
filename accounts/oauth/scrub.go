package oauth

import (
	"encoding/base64"
	"errors"
	"net/url"
	"regexp"
	"slices"
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

// scrubber takes from texts what must not be seen.
type scrubber struct {
	secrets []string
	public  []string // settings, which are no secret, however long
}

func (c *Config) scrubber(secrets ...string) scrubber {
	s := scrubber{public: append([]string{c.ClientID, c.Tenant, c.Subject, c.AuthURL, c.TokenURL, c.DeviceURL, c.RevokeURL}, c.Scopes...)}
	if c.ClientSecret != "" {
		secrets = append(secrets, c.ClientSecret)
		for _, basic := range []string{c.ClientID + ":" + c.ClientSecret, url.QueryEscape(c.ClientID) + ":" + url.QueryEscape(c.ClientSecret)} {
			s.secrets = append(s.secrets, base64.StdEncoding.EncodeToString([]byte(basic)))
		}
	}
	for _, secret := range secrets {
		s.secrets = append(s.secrets, secret, url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)))
	}
	return s
}

// error is what a network says, unless it repeats a secret: then its words are all
// that is left.
func (s scrubber) error(err error) error {
	if text := s.without(err.Error()); text != err.Error() {
		return errors.New(text)
	}
	return err
}

// without replaces secrets, and beginnings of them.
func (s scrubber) without(text string) string {
	var b strings.Builder
	for at := 0; at < len(text); {
		if n := s.secretAt(text[at:]); n > 0 {
			b.WriteString(redacted)
			at += n
			continue
		}
		b.WriteByte(text[at])
		at++
	}
	return b.String()
}

// secretAt is how much of the beginning of text is that of a secret.
func (s scrubber) secretAt(text string) (longest int) {
	for _, secret := range s.secrets {
		n := 0
		for n < min(len(secret), len(text)) && text[n] == secret[n] {
			n++
		}
		if n >= leastHead {
			longest = max(longest, n)
		}
	}
	return longest
}

// shown is a server's text as it may be kept: on one line, not long, and without
// what was secret in the request or looks as if it were.
func (s scrubber) shown(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return ' ' // also what would turn the direction of writing
		}
		return r
	}, text)
	text = tokenish.ReplaceAllStringFunc(s.without(text), func(run string) string {
		if uuid.MatchString(run) || s.isSetting(run) {
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

func (s scrubber) isSetting(run string) bool {
	run = strings.TrimRight(run, ".=/%-")
	return slices.ContainsFunc(s.public, func(setting string) bool { return run != "" && strings.Contains(setting, run) })
}
