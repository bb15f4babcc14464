package leak

import (
	"bytes"
	"encoding/ascii85"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"mime/quotedprintable"
	"net/url"
	"strconv"
	"strings"
)

// clear is the name of no encoding.
const clear = "in the clear"

// form is a secret in one encoding.
type form struct{ name, text string }

// shortest is how many octets a secret needs for encodings of which any three or
// four characters may stand in other encoded text by chance, and how many
// characters of base64 are no chance.
const (
	shortest  = 4
	leastCore = 6
)

// encodings returns the secret in the clear and in each encoding that changes it.
func encodings(secret string) []form {
	all := append([]form{{clear, secret}}, escapes(secret)...)
	if len(secret) >= shortest {
		all = append(append(all, digits(secret)...), base64s(secret)...)
	}
	seen := map[string]bool{}
	var different []form
	for _, f := range all {
		if !seen[f.text] && len(f.text) >= indexed {
			seen[f.text] = true
			different = append(different, f)
		}
	}
	return different
}

// escapes write most characters as they are.
func escapes(secret string) []form {
	quoted := func(s string) string { return s[1 : len(s)-1] }
	query := url.QueryEscape(secret)
	return []form{
		{"percent-encoded", query},
		{"percent-encoded", lowerPercent(query)},
		{"percent-encoded", url.PathEscape(secret)},
		{"percent-encoded", url.UserPassword("", secret).String()[1:]},
		{"percent-encoded", percentAll(secret)},
		{"as JSON", quoted(asJSON(secret, true))},
		{"as JSON", quoted(asJSON(secret, false))},
		{"quoted", quoted(strconv.Quote(secret))},
		{"quoted", quoted(strconv.QuoteToASCII(secret))},
		{"quoted", strings.ReplaceAll(secret, "'", `'\''`)},
		{"as HTML", html.EscapeString(secret)},
		{"as XML", asXML(secret)},
		{"quoted-printable", asQuotedPrintable(secret)},
		{"as xtext", asXtext(secret)},
	}
}

// digits write each octet as a number.
func digits(secret string) []form {
	lower := hex.EncodeToString([]byte(secret))
	return []form{
		{"in hex", lower},
		{"in hex", strings.ToUpper(lower)},
		{"in hex", fmt.Sprintf("% x", secret)},
		{"in hex", fmt.Sprintf("% X", secret)},
		{"in hex", strings.Trim(fmt.Sprintf("%#v", []byte(secret))[len("[]byte{"):], "}")},
		{"in decimals", strings.Trim(fmt.Sprint([]byte(secret)), "[]")},
		{"in decimals", strings.ReplaceAll(strings.Trim(fmt.Sprint([]byte(secret)), "[]"), " ", ",")},
	}
}

// base64s also finds the secret inside of a longer text that was encoded as a
// whole: there it begins at any of three places of a group of four characters.
func base64s(secret string) []form {
	all := []form{
		{"base32", strings.TrimRight(base32.StdEncoding.EncodeToString([]byte(secret)), "=")},
		{"ascii85", asASCII85(secret)},
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			if core := alignedCore(encoding, secret, shift); len(core) >= leastCore {
				all = append(all, form{"base64", core})
			}
		}
	}
	return all
}

// alignedCore is what base64 of a text is sure to contain, if the secret stands
// in it behind shift octets more than a multiple of three: the characters that
// depend on the secret alone.
func alignedCore(encoding *base64.Encoding, secret string, shift int) string {
	text := encoding.EncodeToString([]byte(strings.Repeat("\x00", shift) + secret))
	first := (shift*8 + 5) / 6            // the characters before have bits of what stands before
	last := (shift*8 + len(secret)*8) / 6 // the one there has bits of what follows
	return text[first:min(last, len(text))]
}

func lowerPercent(s string) string {
	b := []byte(s)
	for i := 0; i+2 < len(b); i++ {
		if b[i] == '%' {
			copy(b[i:i+3], bytes.ToLower(b[i:i+3]))
		}
	}
	return string(b)
}

func percentAll(secret string) string {
	var b strings.Builder
	for _, c := range []byte(secret) {
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

func asJSON(secret string, forHTML bool) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(forHTML)
	_ = e.Encode(secret) // text has no value that JSON lacks
	return strings.TrimSuffix(b.String(), "\n")
}

func asXML(secret string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(secret)) // a buffer takes everything
	return b.String()
}

// asQuotedPrintable leaves out the soft line ends, as [Finder.Find] does.
func asQuotedPrintable(secret string) string {
	var b bytes.Buffer
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(secret))
	_ = w.Close()
	return strings.ReplaceAll(b.String(), "=\r\n", "")
}

// asXtext is RFC 3461 §4.
func asXtext(secret string) string {
	var b strings.Builder
	for _, c := range []byte(secret) {
		if c < '!' || c > '~' || c == '+' || c == '=' {
			fmt.Fprintf(&b, "+%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// asASCII85 leaves out the last group, which depends on what follows.
func asASCII85(secret string) string {
	whole := secret[:len(secret)/4*4]
	b := make([]byte, ascii85.MaxEncodedLen(len(whole)))
	return string(b[:ascii85.Encode(b, []byte(whole))])
}
