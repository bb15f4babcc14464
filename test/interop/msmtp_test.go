package interop_test

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/kaizenmail/kaizen"
	"github.com/kaizenmail/kaizen/smtp"
	"github.com/kaizenmail/kaizen/smtp/smtptest"
)

// TestMSMTP hands messages to msmtp, the command of machines without a mail
// server, and looks what its exit codes are taken for.
func TestMSMTP(t *testing.T) {
	t.Parallel()
	w := newWorkshop(t)
	d := unpackDebian(t, w, "msmtp")
	s := smtptest.NewServer(smtptest.Config{KeepMessages: true, Auth: &smtptest.Auth{Users: map[string]string{user: password}, BeforeTLS: true},
		UnknownRecipients: []string{"nobody@example.net"},
		Reject: func(phase smtptest.Phase, arg string) *smtptest.Reply {
			if phase == smtptest.PhaseRCPT && strings.HasPrefix(arg, "busy@") {
				return &smtptest.Reply{Code: 451, Text: "4.3.0 busy"}
			}
			return nil
		}})
	t.Cleanup(func() { must(t, s.Close()) })
	host, port, err := net.SplitHostPort(s.Addr())
	must(t, err)
	d.write(t, "etc/msmtprc", fmt.Sprintf(`defaults
tls off
auth off
account sink
host %s
port %s
account wrong
host %s
port %s
auth plain
user %s
password wrong
account away
host 127.0.0.1
port %d
account unknown
host no-such-host.invalid
account default : sink
`, host, port, host, port, user, freePort(t)), 0o644)

	client := kaizen.New(kaizen.Config{})
	t.Cleanup(func() { must(t, client.Close()) })
	send := func(account, from, to, text string) error {
		mailer := chrooted(t, w, "msmtp", "/usr/bin/msmtp", "-C", "/etc/msmtprc", "-a", account)
		p := &kaizen.Prepared{Envelope: smtp.Envelope{From: from, To: smtp.To(to)}, Content: smtp.Bytes([]byte(commandHeader + text))}
		_, err := client.Send(t.Context(), kaizen.Account{Name: account, Mailer: mailer, Limits: kaizen.Limits{Rates: kaizen.NoRate()}}, p)
		return err
	}
	arrives := func(name, from, text string) {
		before := len(s.Messages())
		must(t, send("sink", from, "bob@example.net", text))
		all := s.Messages()
		if len(all) != before+1 {
			t.Fatalf("%s: %d messages", name, len(all)-before)
		}
		compareCommand(t, name, commandHeader+text, "Return-Path: <"+all[before].From+">\n"+string(all[before].Data), from)
	}
	for name, text := range commandTexts {
		arrives(name, sender, text)
	}
	arrives("null sender", "", commandTexts["dots"])
	arrives("like an option", "-a@example.com", commandTexts["dots"])
	for name, c := range map[string]struct {
		account, to string
		class       smtp.Class
		temporary   bool
	}{
		"unknown recipient": {"sink", "nobody@example.net", smtp.ClassNone, false},
		"busy recipient":    {"sink", "busy@example.net", smtp.ClassNone, true},
		"wrong password":    {"wrong", "bob@example.net", smtp.ClassAuth, false},
		"server away":       {"away", "bob@example.net", smtp.ClassConnect, true},
		"unknown host":      {"unknown", "bob@example.net", smtp.ClassConnect, true},
		"unknown account":   {"misspelt", "bob@example.net", smtp.ClassConnect, true},
	} {
		err := send(c.account, sender, c.to, "Subject: x\n\nx\n")
		var e *kaizen.Error
		if !errors.As(err, &e) || e.Outcome != smtp.Rejected || c.class != smtp.ClassNone && e.Class != c.class || e.Temporary() != c.temporary {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %v", name, err)
	}
}
