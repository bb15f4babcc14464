package smtp

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// challengeShown stands for the text of a 334 reply: what it means depends on
// the mechanism, and some of it may be worth a guess at the password.
const challengeShown = "<challenge>"

// hidden is a form of a secret that no reply may show.
type hidden struct {
	text string
	head int  // so many octets of it give it away: servers cut short what they repeat
	run  bool // it is base64: what stands around it is a part of the same
}

// leastHead is long enough not to stand at the beginning of a secret and in a
// server's own words by chance: replacing these would tell what they share.
const leastHead = 12

func hide(text string, run bool) hidden { return hidden{text, min(len(text), leastHead), run} }

// scrubReply returns the reply as it may be kept and shown: some servers repeat
// what they were told, as it was or in an encoding, cut short or on two lines. The
// engine needs the challenge of a 334 itself and keeps the original of that.
func scrubReply(r Reply, secrets []hidden) Reply {
	if r.Code == 334 {
		r.Text = challengeShown
		return r
	}
	r.Text = scrubText(r.Text, secrets)
	return r
}

func scrubText(text string, secrets []hidden) string {
	flat := strings.ReplaceAll(text, "\n", "")
	var shown []bool // false where flat is a secret; nil: it has none
	for i := range secrets {
		shown = secrets[i].cover(flat, shown)
	}
	if shown == nil {
		return text
	}
	var b strings.Builder
	before := true // whether the octet before is shown
	i := 0
	for _, c := range []byte(text) {
		switch {
		case c == '\n':
			if i == len(shown) || shown[i] || before { // none within a secret
				b.WriteByte(c)
			}
			continue
		case shown[i]:
			b.WriteByte(c)
		case before:
			b.WriteString(redacted)
		}
		before = shown[i]
		i++
	}
	return b.String()
}

// cover marks where the secret stands in text.
func (h *hidden) cover(text string, shown []bool) []bool {
	for from := 0; ; {
		at := strings.Index(text[from:], h.text[:h.head])
		if at < 0 {
			return shown
		}
		at += from
		end := at + h.head
		for end < len(text) && end-at < len(h.text) && text[end] == h.text[end-at] {
			end++
		}
		for h.run && at > 0 && isBase64(text[at-1]) {
			at--
		}
		for h.run && end < len(text) && isBase64(text[end]) {
			end++
		}
		if shown == nil {
			shown = slices.Repeat([]bool{true}, len(text))
		}
		for i := at; i < end; i++ {
			shown[i] = false
		}
		from = end
	}
}

func isBase64(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("+/=-_", c) >= 0
}

// secrets are the forms in which the password may come back. Passwords of one or
// two octets stay: every text contains them, and replacing would show them.
func (a *Auth) secrets() []hidden {
	secrets := []hidden{}
	if a.Password != "" {
		secrets = append(secrets, encoded(a.plainResponse())...)
	}
	if len(a.Password) >= 3 {
		secrets = append(secrets, formsOf(a.Password)...)
	}
	return secrets
}

// secrets are the forms in which the token may come back.
func (m *oauthMechanism) secrets() []hidden {
	return append(encoded([]byte(m.initial)), formsOf(m.token)...)
}

// encoded is a whole response as it went over the wire.
func encoded(response []byte) []hidden {
	return []hidden{hide(base64.RawStdEncoding.EncodeToString(response), true)}
}

// formsOf are the secret itself and its encodings, those of a text that it stands
// in, too.
func formsOf(secret string) []hidden {
	forms := []hidden{hide(secret, false)}
	for _, text := range escapes(secret) {
		if text != secret {
			forms = append(forms, hide(text, false))
		}
	}
	for _, text := range base64Cores(secret) {
		forms = append(forms, hide(text, true))
	}
	return append(forms, encoded([]byte(secret))...)
}

func escapes(secret string) []string {
	query := url.QueryEscape(secret)
	quoted, ascii := strconv.Quote(secret), strconv.QuoteToASCII(secret)
	all := []string{quoted[1 : len(quoted)-1], ascii[1 : len(ascii)-1], query, url.PathEscape(secret), strings.ToLower(query),
		hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret)))}
	slices.Sort(all)
	return slices.Compact(all)
}

// leastCore is how many characters of base64 are no chance.
const leastCore = 6

// base64Cores are what base64 of a longer text contains wherever the secret stands
// in it: in one of three places within a group of four characters. The first and
// last characters, which depend on the text around it, are left out.
func base64Cores(secret string) (cores []string) {
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			text := encoding.EncodeToString([]byte("\x00\x00"[:shift] + secret))
			core := text[(shift*8+5)/6 : (shift+len(secret))*8/6]
			if len(core) >= leastCore && !slices.Contains(cores, core) {
				cores = append(cores, core)
			}
		}
	}
	return cores
}
