package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kaizenmail/kaizen/accounts/oauth"
)

func TestMissingScopes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ asked, granted, missing string }{
		{"https://mail.google.com/", "https://mail.google.com/ openid", ""},
		{"https://mail.google.com/", "openid email", "https://mail.google.com/"},
		{"https://outlook.office.com/SMTP.Send offline_access", "https://outlook.office365.com/smtp.send", ""},
		{"https://outlook.office.com/SMTP.Send offline_access", "https://outlook.office.com/IMAP.AccessAsUser.All", "https://outlook.office.com/SMTP.Send"},
		{"https://outlook.office365.com/.default", "", ""},
		{"mail", "mail", ""},
	} {
		if got := missingScopes(strings.Fields(test.asked), strings.Fields(test.granted)); !slices.Equal(got, strings.Fields(test.missing)) {
			t.Errorf("%+v: %q", test, got)
		}
	}
}

func TestLoginReport(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]loginReport{
		"renewed by itself":   newLoginReport(oauth.Token{Access: "x", Expires: time.Now()}, oauth.Config{Flow: oauth.FlowClientCredentials}),
		"has to log in again": newLoginReport(oauth.Token{Access: "x", Expires: time.Now()}, oauth.Config{Flow: oauth.FlowDevice}),
		"smtp: not granted":   newLoginReport(oauth.Token{Access: "x", Scopes: []string{"imap"}}, oauth.Config{Scopes: []string{"imap", "smtp"}}),
	} {
		var text strings.Builder
		r.print(func(name, value string) { text.WriteString(name + " " + value + "\n") })
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in %s", want, text.String())
		}
	}
}
