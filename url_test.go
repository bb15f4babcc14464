package kaizen_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
)

func TestParseURL(t *testing.T) {
	t.Parallel()
	oneRate := []kaizen.Rate{{Count: 30, Per: time.Minute}}
	for url, want := range map[string]kaizen.Account{
		"smtp://mx.example.com":                       {Host: "mx.example.com"},
		"SMTP://mx.example.com/":                      {Host: "mx.example.com"},
		"smtps://mx.example.com":                      {Host: "mx.example.com", TLS: smtp.TLSImplicit},
		"smtps://ann%40example.com:a%3Ab%40c@mx:4650": {Host: "mx", Port: 4650, TLS: smtp.TLSImplicit, Username: "ann@example.com", Password: "a:b@c"},
		"smtp://ann@mx:587":                           {Host: "mx", Port: 587, Username: "ann"}, // the password may come from elsewhere
		"smtp://[::1]:2525?tls=none":                  {Host: "::1", Port: 2525, TLS: smtp.TLSNone},
		"lmtp://mail.example.com":                     {Host: "mail.example.com", LMTP: true},
		"LMTP://ann@mail:2400?tls=none":               {Host: "mail", Port: 2400, LMTP: true, TLS: smtp.TLSNone, Username: "ann"},
		"smtp://mx?tls=starttls":                      {Host: "mx", TLS: smtp.TLSStartTLS},
		"smtp://mx?tls=opportunistic":                 {Host: "mx", TLS: smtp.TLSOpportunistic},
		"smtp://mx?tls=implicit":                      {Host: "mx", TLS: smtp.TLSImplicit},
		"smtps://mx?tls=implicit":                     {Host: "mx", TLS: smtp.TLSImplicit},
		"smtp://mx?name=work&local-name=me.example":   {Name: "work", Host: "mx", LocalName: "me.example"},
		"smtp://mx?connections=2&messages-per-connection=9": {Host: "mx",
			Limits: kaizen.Limits{Connections: 2, MessagesPerConnection: 9}},
		"smtp://mx?rate=30/1m":                      {Host: "mx", Limits: kaizen.Limits{Rates: oneRate}},
		"smtp://mx?rate=none":                       {Host: "mx", Limits: kaizen.Limits{Rates: kaizen.NoRate()}},
		"smtp://mx?level=lock-step&insecure-auth=1": {Host: "mx", MaxLevel: smtp.LevelLockStep, InsecureAuth: true},
	} {
		got, err := kaizen.ParseURL(url)
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if g, w := plain(got), plain(want); g != w {
			t.Errorf("%s:\ngot  %s\nwant %s", url, g, w)
		}
	}
}

// plain writes all that ParseURL sets, the password too.
func plain(a kaizen.Account) string {
	return fmt.Sprintf("%q %q %d %v %q %q %t %#v %q %v %t", a.Name, a.Host, a.Port, a.TLS, a.Username, a.Password,
		a.InsecureAuth, a.Limits, a.LocalName, a.MaxLevel, a.LMTP)
}

// A wrong URL is told which part is wrong. The password never shows, wherever
// the URL falls apart: what looks like a port, a path or a parameter may be a
// piece of a password that was not percent-encoded.
func TestParseURLNamesTheWrongPart(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ url, part string }{
		{"", "scheme"},
		{"mx.example.com", "scheme"},
		{"http://mx", "scheme"},
		{"lmtps://mx", "scheme"},
		{"hunter2", "scheme"},
		{"mailto:ann@mx", "form"},
		{"ann:hunter2@mx:587", "form"}, // the scheme was forgotten
		{"smtp:", "host"},
		{"smtp://", "host"},
		{"smtp://ann:hunter2@", "host"},
		{"smtp://ann:hunter2@:25", "host"},
		{"smtp://mx/inbox", "path"},
		{"smtp://mx#hunter2", "path"},
		{"smtp://mx:0", "port"},
		{"smtp://ann:hunter2@mx:65536", "port"},
		{"smtp://ann:47110815", "port"}, // a password, with the host forgotten
		{"smtp://ann:hunter2@mx:smtp", "form"},
		{"smtp://:hunter2@mx", "user"},
		{"smtp://@mx", "user"},
		{"smtp://ann%0d:hunter2@mx", "user"},
		{"smtp://ann:hunter2%00@mx", "password"},
		{"smtp://ann:hunter2%zz@mx", "form"},
		{"smtp://ann:hun ter2@mx", "form"},
		{"smtp://ann:hunter2/x@mx", "form"},
		{"smtp://ann:25/hunter2@mx", "form"},
		{"smtp://ann:25?hunter2@mx", "form"},
		{"smtp://ann:25?name=hunter2@mx", "form"},
		{"smtp://ann:25#hunter2@mx", "form"},
		{"smtp://ann:99999?hunter2@mx", "form"},
		{"smtps://mx?tls=none", "tls"},
		{"smtp://mx?tls=yes", "tls"},
		{"smtp://mx?color=red", "parameters"},
		{"smtp://mx?tls=none;name=x", "parameters"},
		{"smtp://mx?tls=none&tls=none", "tls"},
		{"smtp://mx?name=", "name"},
		{"smtp://mx?name=a%0d%0ab", "name"},
		{"smtp://mx?name=%ff", "name"},
		{"smtp://mx?local-name=a%0d%0ab", "local-name"},
		{"smtp://mx?connections=0", "connections"},
		{"smtp://mx?connections=many", "connections"},
		{"smtp://mx?messages-per-connection=-1", "messages-per-connection"},
		{"smtp://mx?rate=10", "rate"},
		{"smtp://mx?rate=0/1s", "rate"},
		{"smtp://mx?rate=10/0s", "rate"},
		{"smtp://mx?rate=10/1s,", "rate"},
		{"smtp://mx?level=warp", "level"},
		{"smtp://mx?insecure-auth=maybe", "insecure-auth"},
	} {
		_, err := kaizen.ParseURL(c.url)
		var e *kaizen.URLError
		if !errors.As(err, &e) || e.Part != c.part || !strings.Contains(err.Error(), c.part) || errors.Unwrap(err) == nil {
			t.Errorf("%s: want a complaint about the %s, got %v", c.url, c.part, err)
		}
		if shown := fmt.Sprintf("%v %+v %#v", err, e, e); strings.Contains(shown, "hunter2") || strings.Contains(shown, "99999") || strings.Contains(shown, "4711") {
			t.Errorf("%s: %v shows the password", c.url, err)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"smtps://ann:pass%40word@mx.example.com:465?tls=implicit&name=x", "smtp://[::1]:25?tls=none&rate=1/1s,2/1h",
		"smtp://a:b@c@d?level=group", "smtp://u:1?p@h", "smtp://ann:25#p@h", "smtp://%61:%62@h?connections=3&insecure-auth=t"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := kaizen.ParseURL(s)
		if err != nil {
			var e *kaizen.URLError
			if !errors.As(err, &e) || e.Part == "" || e.Err == nil {
				t.Fatalf("an error without a part: %v", err)
			}
			return
		}
		sane := a.Host != "" && a.Port >= 0 && a.Port < 1<<16 && a.Limits.Connections >= 0 && a.Limits.MessagesPerConnection >= 0 &&
			!strings.ContainsAny(a.Host+a.Name+a.LocalName+a.Username+a.Password, "\r\n\x00")
		for _, r := range a.Limits.Rates {
			sane = sane && r.Count > 0 && r.Per > 0
		}
		if !sane {
			t.Fatalf("%q made %s", s, plain(a))
		}
	})
}

// No piece of a password shows in the error about a URL that holds one.
func FuzzParseURLKeepsThePassword(f *testing.F) {
	for _, s := range []string{"a/b", "a?b", "a#b", "12/b", "12?tls=b", "12#b", "a:b", "a@b", "%zz", "a b", "[", "99999?b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		const mark = "hunter2hunter2"
		_, err := kaizen.ParseURL("smtp://ann:" + s + mark + "@mx.example.com?tls=none")
		if err != nil && strings.Contains(fmt.Sprintf("%+v", err), mark) {
			t.Fatalf("%q: %v shows the password", s, err)
		}
	})
}
