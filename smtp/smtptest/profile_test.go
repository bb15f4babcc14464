package smtptest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

func TestProfileNames(t *testing.T) {
	t.Parallel()
	names := smtptest.Profiles()
	if len(names) != 9 || !slices.IsSorted(names) {
		t.Errorf("%v", names)
	}
	if _, err := smtptest.Profile("Gmail"); err != nil {
		t.Error(err)
	}
	if _, err := smtptest.Profile("hotmale"); err == nil || !strings.Contains(err.Error(), strings.Join(names, ", ")) {
		t.Error(err)
	}
}

// Who changes a profile changes a copy.
func TestProfilesAreCopies(t *testing.T) {
	t.Parallel()
	for _, name := range smtptest.Profiles() {
		mine, _ := smtptest.Profile(name)
		mine.Auth.Users = map[string]string{"ann": "secret"}
		mine.Auth.Mechanisms[0], mine.Extensions[0] = "X", "X"
		other, _ := smtptest.Profile(name)
		if other.Auth.Users != nil || other.Auth.Mechanisms[0] == "X" || other.Extensions[0] == "X" {
			t.Errorf("%s: the change is in %+v", name, other)
		}
	}
}

// What a provider offers on an unencrypted link, line by line.
func TestProfilesBeforeTLS(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"gmail":     "smtp.gmail.com at your service, [127.0.0.1]|SIZE 35882577|8BITMIME|STARTTLS|ENHANCEDSTATUSCODES|PIPELINING|CHUNKING|SMTPUTF8",
		"office365": "AM0PR01CA0001.outlook.office365.com Hello [127.0.0.1]|SIZE 157286400|PIPELINING|DSN|ENHANCEDSTATUSCODES|STARTTLS|8BITMIME|BINARYMIME|CHUNKING|SMTPUTF8",
		"ses":       "email-smtp.amazonaws.com|8BITMIME|SIZE 10485760|STARTTLS|Ok",
		"sendgrid":  "smtp.sendgrid.net|8BITMIME|PIPELINING|SIZE 31457280|STARTTLS|AUTH PLAIN LOGIN|AUTH=PLAIN LOGIN",
		"mailgun":   "smtp-out-n02.prod.us-west-2.postgun.com|AUTH PLAIN LOGIN|SIZE 52428800|8BITMIME|SMTPUTF8|PIPELINING|STARTTLS",
		"opensmtpd": "mail.example.com Hello x [127.0.0.1], pleased to meet you|8BITMIME|ENHANCEDSTATUSCODES|SIZE 36700160|DSN|STARTTLS|HELP",
	} {
		config, err := smtptest.Profile(name)
		if err != nil {
			t.Fatal(err)
		}
		config.Network = smtptest.Memory
		c := dial(t, start(t, config))
		talk(t, c, "", 220)
		if got := talk(t, c, "EHLO x", 250); strings.ReplaceAll(got, "\n", "|") != want {
			t.Errorf("%s offers\n%s, want\n%s", name, got, want)
		}
		if config.RequireTLS {
			talk(t, c, "MAIL FROM:<>", 530)
		}
	}
}
