package smtp_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp"
)

func TestAuthPrintsWithoutSecrets(t *testing.T) {
	t.Parallel()
	a := smtp.Auth{Username: "user", Password: "hunter2"}
	type inside struct {
		Auth *smtp.Auth
		Copy smtp.Auth
	}
	var none *smtp.Auth
	token := smtp.Auth{Username: "hunter2", Password: "hunter2"} // as some providers have it
	for _, v := range []any{token, &token, a, &a, inside{&a, a}, &inside{&a, a}, []smtp.Auth{a},
		[]*smtp.Auth{&a}, map[string]smtp.Auth{"k": a}, smtp.Config{Auth: &a}, none, inside{}} {
		for name, text := range renderings(t, v) {
			checkNoSecret(t, fmt.Sprintf("%T with %s", v, name), text)
		}
	}
	if got := fmt.Sprintf("%+v", &a); got != "{Username:user Password:<secret>}" {
		t.Error(got)
	}
}

func renderings(t *testing.T, v any) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		out[verb] = fmt.Sprintf(verb, v)
	}
	var text, structured bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("m", "v", v)
	slog.New(slog.NewJSONHandler(&structured, nil)).Info("m", "v", v)
	out["slog text"], out["slog JSON"] = text.String(), structured.String()
	if _, isConfig := v.(smtp.Config); !isConfig { // it holds functions
		b, err := json.Marshal(v)
		if err != nil {
			t.Errorf("%T: %v", v, err)
		}
		out["JSON"] = string(b)
	}
	return out
}

func checkNoSecret(t *testing.T, where, text string) {
	t.Helper()
	for _, form := range []string{"hunter2", "68756e74657232", base64.StdEncoding.EncodeToString([]byte("hunter2"))} {
		if strings.Contains(text, form) {
			t.Errorf("%s: the password is in %s", where, text)
		}
	}
}

func TestScrubReply(t *testing.T) {
	t.Parallel()
	a := &smtp.Auth{Username: "user", Password: "hunter2"}
	b64 := base64.StdEncoding.EncodeToString
	for said, want := range map[string]string{
		"no hunter2 here": "no <secret> here",
		"bad AUTH PLAIN " + b64([]byte("\x00user\x00hunter2")):  "bad AUTH PLAIN <secret>",
		"bad " + strings.TrimRight(b64([]byte("hunter2")), "="): "bad <secret>",
		"bad " + b64([]byte("hunter2")) + "!":                   "bad <secret>!",
		"user unknown":                                          "user unknown",
		"no hunt\ner2\nhere":                                    "no <secret>\nhere",
		"hunter2":                                               "<secret>",
		"one\nhunter2\ntwo hunter2hunter2 hunter":               "one\n<secret>\ntwo <secret> hunter",
		"bad AUTH\n" + b64([]byte("\x00user\x00hunter2"))[:14] + "\n" + b64([]byte("\x00user\x00hunter2"))[14:]: "bad <secret>", /* a word before the line end may be base64 */
		"bad " + b64([]byte("\x00user\x00hunter2"))[:16] + "…":                                                  "bad <secret>…",
		"bad " + b64([]byte("-password hunter2!")):                                                              "bad <secret>",
		"bad 68756e74657232": "bad <secret>",
	} {
		if got := a.ScrubReply(smtp.Reply{Code: 535, Text: said}); got.Text != want || got.Code != 535 {
			t.Errorf("%q: %+v", said, got)
		}
	}
	long := &smtp.Auth{Username: "user", Password: `a "long" pässword of 33 octets…`}
	for said, want := range map[string]string{
		`no a "long" pässw…`: "no <secret>…", `no "a \"long\" pässword of 33 octets…"`: `no "<secret>"`,
		"no a+%22long%22+p%C3%A4ssword+of+33+octets%E2%80%A6": "no <secret>", "no a long password": "no a long password",
	} {
		if got := long.ScrubReply(smtp.Reply{Code: 535, Text: said}); got.Text != want {
			t.Errorf("%q: %+v", said, got)
		}
	}
	short := &smtp.Auth{Username: "user", Password: "no"}
	if got := short.ScrubReply(smtp.Reply{Code: 535, Text: "no"}).Text; got != "no" {
		t.Error(got)
	}
	var none *smtp.Auth
	for _, a := range []*smtp.Auth{a, none} {
		if got := a.ScrubReply(smtp.Reply{Code: 334, Text: "PDE4OTY+"}).Text; got != "<challenge>" {
			t.Error(got)
		}
	}
	if got := none.ScrubReply(smtp.Reply{Code: 235, Text: "ok"}).Text; got != "ok" {
		t.Error(got)
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	seen := map[[32]byte]int{}
	for i, a := range []*smtp.Auth{
		nil, {}, {Username: "u"}, {Password: "u"}, {Identity: "u"}, {Mechanisms: []string{"u"}},
		{Username: "u", Password: "p"}, {Username: "u", Password: "q"}, {Username: `u" "p`}, {Username: "u", Token: someToken},
		{Username: "u", New: noMechanism}, {Mechanisms: []string{"A", "B"}}, {Mechanisms: []string{"A B"}},
		{Token: someToken}, {New: noMechanism, Password: "u"}, {Username: "u", New: noMechanism},
	} {
		f := a.Fingerprint()
		if before, ok := seen[f]; ok {
			t.Errorf("%d has the fingerprint of %d", i, before)
		}
		seen[f] = i
		if a.Fingerprint() != f {
			t.Errorf("%d has two fingerprints", i)
		}
	}
	for _, make := range []func() *smtp.Auth{
		func() *smtp.Auth { return &smtp.Auth{Username: "u", Password: "p"} },
		func() *smtp.Auth { return &smtp.Auth{Username: "u", Token: someToken} },
	} {
		if one, other := make(), make(); one.Fingerprint() != other.Fingerprint() {
			t.Error("equal logins have different fingerprints")
		}
	}
}
