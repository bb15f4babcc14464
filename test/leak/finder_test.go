package leak_test

import (
	"bytes"
	"encoding/ascii85"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"mime/quotedprintable"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/kaizenmail/kaizen/test/leak"
)

// Each encoding is one that a program of ours, a server or a library uses; what it
// makes is found wherever it stands.
func TestFindBites(t *testing.T) {
	t.Parallel()
	jsonOf := func(s string) string { b, _ := json.Marshal(map[string]string{"k": s}); return string(b) }
	qp := func(s string) string {
		var b bytes.Buffer
		w := quotedprintable.NewWriter(&b)
		fmt.Fprint(w, strings.Repeat("x", 70), s)
		w.Close()
		return b.String()
	}
	base := base64.StdEncoding.EncodeToString
	wrapped := func(s string) string {
		text := base([]byte("user=ann@example.com\x01auth=Bearer " + s + "\x01\x01"))
		return text[:50] + "\r\n" + text[50:]
	}
	encoders := map[string]func(string) string{
		"clear":              func(s string) string { return s },
		"%v":                 func(s string) string { return fmt.Sprintf("%+v", struct{ P string }{s}) },
		"%q":                 func(s string) string { return fmt.Sprintf("%q", s) },
		"%+q":                func(s string) string { return fmt.Sprintf("%+q", s) },
		"%x":                 func(s string) string { return fmt.Sprintf("%x", s) },
		"%X":                 func(s string) string { return fmt.Sprintf("%X", s) },
		"% x":                func(s string) string { return fmt.Sprintf("% x", s) },
		"%v of octets":       func(s string) string { return fmt.Sprintf("%v", []byte("x"+s+"y")) },
		"%#v of octets":      func(s string) string { return fmt.Sprintf("%#v", []byte("x"+s+"y")) },
		"hex":                func(s string) string { return hex.EncodeToString([]byte("ab" + s + "cd")) },
		"JSON":               jsonOf,
		"JSON octets":        func(s string) string { b, _ := json.Marshal([]byte("xx" + s)); return string(b) },
		"query":              func(s string) string { return url.Values{"p": {s}}.Encode() },
		"lower-case percent": func(s string) string { return lowerHex(url.QueryEscape(s)) },
		"path":               func(s string) string { return url.PathEscape(s) },
		"URL": func(s string) string {
			return (&url.URL{Scheme: "smtp", User: url.UserPassword("ann", s), Host: "mx"}).String()
		},
		"HTML":                   func(s string) string { return html.EscapeString(s) },
		"quoted-printable":       qp,
		"base64":                 func(s string) string { return base([]byte(s)) },
		"base64 raw":             func(s string) string { return base64.RawStdEncoding.EncodeToString([]byte(s)) },
		"base64 URL":             func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte("?" + s)) },
		"base64 behind 1":        func(s string) string { return base([]byte("a" + s + "b")) },
		"base64 behind 2":        func(s string) string { return base([]byte("ab" + s + "bcd")) },
		"AUTH PLAIN":             func(s string) string { return base([]byte("\x00ann@example.com\x00" + s)) },
		"base64 on two lines":    wrapped,
		"on two lines":           func(s string) string { return "535-" + s[:len(s)/2] + "\n" + s[len(s)/2:] },
		"base32":                 func(s string) string { return base32.StdEncoding.EncodeToString([]byte(s)) },
		"ascii85":                func(s string) string { b := make([]byte, 200); return string(b[:ascii85.Encode(b, []byte(s))]) },
		"quote inside of a line": func(s string) string { return "time=now msg=" + strconv.Quote("no "+s+"!") },
	}
	for _, secret := range []string{"Sesame-Open-Up-77", `a "b" \c\ 'd' <e> & %f`, "Grüße-☂-пароль", "c2VjcmV0LXRva2Vu==", "100%25 %s %d %n!"} {
		whole, parts := leak.New(map[string]string{"it": secret}, 0), leak.New(map[string]string{"it": secret}, 8)
		for name, encode := range encoders {
			text := "before " + encode(secret) + " after"
			for how, f := range map[string]*leak.Finder{"whole": whole, "parts": parts} {
				found := f.FindString(text)
				if len(found) == 0 || found[0].Secret != "it" {
					t.Errorf("%q as %s is not found (%s) in %q", secret, name, how, text)
				}
				if again := leak.New(map[string]string{"it": secret}, 0).FindString(fmt.Sprint(found)); len(again) > 0 && how == "whole" && name != "on two lines" {
					t.Errorf("the finding shows the secret: %v", found)
				}
			}
		}
	}
}

func lowerHex(s string) string {
	parts := strings.Split(s, "%")
	for i := range parts[1:] {
		parts[i+1] = strings.ToLower(parts[i+1][:2]) + parts[i+1][2:]
	}
	return strings.Join(parts, "%")
}

// A secret that was cut short, or stands among the marks of several log lines, is
// found by its parts.
func TestFindParts(t *testing.T) {
	t.Parallel()
	f := leak.New(map[string]string{"long": "correct-horse-battery-staple"}, 8)
	for _, text := range []string{
		"535 no such password: correct-h…", "S: 535-correct-horse-\nS: 535 battery-staple",
		"AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00ann\x00correct-horse-battery-staple"))[:24],
		hex.EncodeToString([]byte("horse-bat")),
	} {
		if len(f.FindString(text)) == 0 {
			t.Errorf("not found in %q", text)
		}
	}
	for _, text := range []string{"", "correct", "a horse, a battery", strings.Repeat("0123456789abcdef", 1000)} {
		if found := f.FindString(text); len(found) > 0 {
			t.Errorf("%q: %v", text, found)
		}
	}
}

// Short secrets are found in the clear, and in an encoding only if that is no
// coincidence.
func TestFindShort(t *testing.T) {
	t.Parallel()
	f := leak.New(map[string]string{"three": "‽", "five": "fish7"}, 8)
	for text, want := range map[string]int{"a ‽ b": 1, "fish7": 1, `"\u203d"`: 1, "4oC9": 0, base64.StdEncoding.EncodeToString([]byte("--fish7--")): 1, "fish 7": 0} {
		if got := f.FindString(text); len(got) != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestFindAll(t *testing.T) {
	t.Parallel()
	f := leak.New(map[string]string{"it": "Sesame-Open-Up"}, 0)
	found, err := f.FindAll(iotest.OneByteReader(strings.NewReader("x Sesame-Open-Up")))
	if err != nil || len(found) != 1 || found[0].Offset != 2 || found[0].Form != "in the clear" {
		t.Error(found, err)
	}
	broken := errors.New("broken")
	if _, err := f.FindAll(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// A finder that can find nothing is a mistake of the test's author.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, secrets := range []map[string]string{nil, {"short": "ab"}, {"empty": ""}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v is taken", secrets)
				}
			}()
			leak.New(secrets, 0)
		}()
	}
}
