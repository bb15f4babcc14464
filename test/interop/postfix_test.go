package interop_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// startPostfix is as strict about pipelining and line ends as Postfix can be.
// Dovecot checks the passwords, as is usual.
func startPostfix(t *testing.T, w *workshop, l limits) *instance {
	d := unpackDebian(t, w, "postfix", "dovecot-core")
	plain, implicit := freePort(t), freePort(t)
	configurePostfix(t, d, l, plain, implicit)
	p := &postfix{root: d}
	p.start(t)
	return &instance{
		version: d.versions["postfix"], plain: loopback(plain), implicit: loopback(implicit), root: d.root,
		mailbox: map[string]string{"bob": d.path("home/bob/Maildir"), "eve": d.path("home/eve/Maildir")},
		spool:   []string{d.path("var/spool/postfix/incoming"), d.path("var/spool/postfix/active"), d.path("var/spool/postfix/deferred")},
		trace:   []string{"Return-Path", "X-Original-To", "Delivered-To", "Received"},
		lf:      true,
		knobs:   knobs{connections: true},
		logs:    []string{d.path("var/log/postfix.log"), p.master.log, p.dovecot.log},
		complaints: `improper command pipelining|bare <LF>|lost connection after|timeout after|too many errors|` +
			`non-SMTP command|SSL_accept error|panic:|fatal:`,
		pardoned: "lost connection after AUTH", // with the wrong password
		stop:     p.stop,
		again:    p.start,
	}
}

// postfix is the two that run.
type postfix struct {
	root            *debian
	master, dovecot *process
}

func (p *postfix) start(t *testing.T) {
	logs := p.root.path("var/log")
	p.dovecot = spawn(t, logs, p.root.root, "/usr/sbin/dovecot", "-F", "-c", "/etc/dovecot/interop.conf")
	p.master = spawn(t, logs, p.root.root, "/usr/lib/postfix/sbin/master", "-d")
}

// stop does what "postfix stop" does.
func (p *postfix) stop(t *testing.T) {
	p.master.stop(t)
	p.dovecot.stop(t)
}

func configurePostfix(t *testing.T, d *debian, l limits, plain, implicit int) {
	t.Helper()
	d.write(t, "etc/postfix/main.cf", postfixMain(l), 0o644)
	d.write(t, "etc/postfix/master.cf", postfixMaster(plain, implicit), 0o644)
	d.write(t, "etc/postfix/virtual", "bob@example.net bob/Maildir/\neve@example.net eve/Maildir/\n", 0o644)
	d.write(t, "etc/dovecot/interop.conf", dovecotSettings(d.versions["dovecot-core"]), 0o644)
	d.write(t, "etc/dovecot/users", user+":{PLAIN}"+password+"\n", 0o644)
	for _, queue := range strings.Fields("incoming active bounce corrupt defer deferred flush hold private saved trace") {
		d.own(t, 20101, "var/spool/postfix/"+queue)
	}
	d.own(t, 20101, "var/lib/postfix", "var/spool/postfix/maildrop", "var/spool/postfix/public")
	d.own(t, 0, "var/spool/postfix/pid", "run/dovecot")
}

func postfixMain(l limits) string {
	main := fmt.Sprintf(`compatibility_level = 3.6
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = mx.example.net
mydestination =
mynetworks = 192.0.2.0/24
virtual_mailbox_domains = example.net
virtual_mailbox_base = /home
virtual_mailbox_maps = texthash:/etc/postfix/virtual
virtual_uid_maps = static:%d
virtual_gid_maps = static:%d
virtual_mailbox_limit = 0
alias_maps =
alias_database =
default_transport = error:this server sends nothing on
maillog_file = /var/log/postfix.log
message_size_limit = %d
recipient_delimiter = +
smtpd_data_restrictions = reject_unauth_pipelining
smtpd_forbid_unauth_pipelining = yes
smtpd_forbid_bare_newline = reject
smtpd_forbid_bare_newline_exclusions =
smtpd_tls_loglevel = 1
smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/interop/cert.pem
smtpd_tls_key_file = /etc/interop/key.pem
smtpd_tls_received_header = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = private/auth
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = reject_unlisted_recipient
`, mailUser, mailUser, maxSize)
	if l.recipients > 0 {
		main += fmt.Sprintf("smtpd_recipient_limit = %d\n", l.recipients)
	}
	if l.connections > 0 {
		main += fmt.Sprintf("smtpd_client_connection_count_limit = %d\n", l.connections)
	}
	return main
}

func postfixMaster(plain, implicit int) string {
	return fmt.Sprintf(`127.0.0.1:%d inet n - n - - smtpd
127.0.0.1:%d inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
`, plain, implicit) + `pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
`
}

// dovecotSettings is Dovecot with no protocol but the check of passwords. From
// 2.4 on, settings have other names.
func dovecotSettings(version string) string {
	const common = `base_dir = /run/dovecot
log_path = /var/log/dovecot.log
protocols =
ssl = no
auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
service auth {
  unix_listener /var/spool/postfix/private/auth {
    mode = 0666
  }
}
`
	if regexp.MustCompile(`^(\d+:)?2\.[0-3]\.`).MatchString(version) {
		return common + `passdb {
  driver = passwd-file
  args = scheme=PLAIN /etc/dovecot/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/tmp
}
`
	}
	return "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n" + common + `passdb passwd-file {
  passwd_file_path = /etc/dovecot/users
}
userdb static {
  fields {
    uid = nobody
    gid = nogroup
    home = /tmp
  }
}
`
}
