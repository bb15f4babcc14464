package interop_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// dovecot is Dovecot as a server of mailboxes, which takes mail by LMTP.
type dovecot struct {
	root    *debian
	version string
	address string // host:port, with STARTTLS
	socket  string // UNIX
	process *process
}

// quotaOctets is what a mailbox may hold.
const quotaOctets = 200_000

// startDovecot has the mailboxes bob, eve and full.
func startDovecot(t *testing.T, w *workshop) *dovecot {
	d := unpackDebian(t, w, "dovecot-lmtpd", "dovecot-core")
	port := freePort(t)
	version := d.versions["dovecot-core"]
	d.write(t, "etc/dovecot/lmtp.conf", dovecotLMTP(version, port), 0o644)
	var users strings.Builder
	for _, name := range []string{"bob", "eve", "full"} {
		fmt.Fprintf(&users, "%s:{PLAIN}x:%d:%d::/home/%s::\n", name, mailUser, mailUser, name)
	}
	d.write(t, "etc/dovecot/users", users.String(), 0o644)
	d.own(t, mailUser, "home/bob", "home/eve", "home/full")
	d.own(t, 0, "run/dovecot")
	p := spawn(t, d.path("var/log"), d.root, "/usr/sbin/dovecot", "-F", "-c", "/etc/dovecot/lmtp.conf")
	return &dovecot{d, version, loopback(port), d.path("run/dovecot/lmtp"), p}
}

// dovecotLMTP is a server with no protocol but LMTP. From 2.4 on, settings have
// other names.
func dovecotLMTP(version string, port int) string {
	common := fmt.Sprintf(`base_dir = /run/dovecot
log_path = /var/log/dovecot.log
protocols = lmtp
ssl = yes
auth_username_format = %%s
service lmtp {
  inet_listener lmtp {
    port = %d
  }
  unix_listener lmtp {
    mode = 0666
  }
}
`, port)
	if regexp.MustCompile(`^(\d+:)?2\.[0-3]\.`).MatchString(version) {
		return strings.Replace(common, "%s", "%n", 1) + fmt.Sprintf(`listen = 127.0.0.1
ssl_cert = </etc/interop/cert.pem
ssl_key = </etc/interop/key.pem
mail_location = maildir:~/Maildir
first_valid_uid = 1
passdb {
  driver = passwd-file
  args = /etc/dovecot/users
}
userdb {
  driver = passwd-file
  args = /etc/dovecot/users
}
protocol lmtp {
  mail_plugins = quota
}
plugin {
  quota = maildir:User quota
  quota_rule = *:storage=%dB
}
`, quotaOctets)
	}
	return "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n" + strings.Replace(common, "%s", "%{user | username}", 1) + fmt.Sprintf(`listen = 127.0.0.1
ssl_server_cert_file = /etc/interop/cert.pem
ssl_server_key_file = /etc/interop/key.pem
mail_driver = maildir
mail_path = ~/Maildir
first_valid_uid = 1
passdb passwd-file {
  passwd_file_path = /etc/dovecot/users
}
userdb passwd-file {
  passwd_file_path = /etc/dovecot/users
}
protocol lmtp {
  mail_plugins {
    quota = yes
  }
}
quota "User quota" {
  driver = maildir
  storage_size = %dB
}
`, quotaOctets)
}

// arrived counts what is in a mailbox.
func (d *dovecot) arrived(who string) int {
	in := instance{mailbox: map[string]string{who: d.root.path("home/" + who + "/Maildir")}}
	return in.count(who)
}
