package interop_test

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// startOpenSMTPD is a server that takes one command at a time, and AUTH over
// TLS alone.
func startOpenSMTPD(t *testing.T, w *workshop, l limits) *instance {
	d := unpackDebian(t, w, "opensmtpd")
	plain, implicit := freePort(t), freePort(t)
	secret, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	must(t, err)
	d.write(t, "etc/smtpd.conf", openSMTPDSettings(l, plain, implicit), 0o600)
	d.write(t, "etc/interop/users", user+" "+string(secret)+"\n", 0o644)
	d.write(t, "etc/ssl/certs/ca-certificates.crt", string(w.cert), 0o644) // it will not start without
	d.own(t, 0, "var/lib/opensmtpd/empty", "var/spool/smtpd")
	must(t, os.Chmod(d.path("var/spool/smtpd"), 0o711))
	must(t, os.Chown(d.path("usr/sbin/smtpctl"), 0, 20106)) // what its sendmail is
	must(t, os.Chmod(d.path("usr/sbin/smtpctl"), 0o755|os.ModeSetgid))
	smtpd := spawn(t, d.path("var/log"), d.root, "/usr/sbin/smtpd", "-d")
	return &instance{
		version: d.versions["opensmtpd"], plain: loopback(plain), implicit: loopback(implicit), root: d.root,
		mailbox:    map[string]string{"bob": d.path("home/bob/Maildir"), "eve": d.path("home/eve/Maildir")},
		spool:      []string{d.path("var/spool/smtpd/incoming"), d.path("var/spool/smtpd/queue")},
		trace:      []string{"Return-Path", "Delivered-To", "Received"},
		lf:         true,
		knobs:      knobs{messages: true},
		logs:       []string{smtpd.log},
		complaints: `fatal|Pipelining not supported|smtp failed-command|lost child|tls-error|reason=.*timeout`,
		stop:       smtpd.stop,
	}
}

func openSMTPDSettings(l limits, plain, implicit int) string {
	settings := `pki interop cert "/etc/interop/cert.pem"
pki interop key "/etc/interop/key.pem"
table users file:/etc/interop/users
table known { "bob" = "bob", "eve" = "eve" }
`
	settings += fmt.Sprintf("smtp max-message-size \"%d\"\n", maxSize)
	if l.recipients > 0 {
		settings += fmt.Sprintf("smtp limit max-rcpt %d\n", l.recipients)
	}
	if l.messages > 0 {
		settings += fmt.Sprintf("smtp limit max-mails %d\n", l.messages)
	}
	return settings + fmt.Sprintf(`listen on 127.0.0.1 port %d hostname mx.example.net tls pki interop auth-optional <users>
listen on 127.0.0.1 port %d hostname mx.example.net smtps pki interop auth-optional <users>
action "maildir" maildir virtual <known>
match from any for domain "example.net" action "maildir"
`, plain, implicit)
}
