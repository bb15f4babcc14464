package interop_test

import (
	"fmt"
	"testing"
)

// startExim is Exim with its own ideas of pipelining and of how much a
// connection may do.
func startExim(t *testing.T, w *workshop, l limits) *instance {
	d := unpackDebian(t, w, "exim4-daemon-light")
	plain, implicit := freePort(t), freePort(t)
	d.write(t, "etc/exim4/exim4.conf", eximSettings(l, plain, implicit), 0o644)
	d.own(t, 20104, "var/spool/exim4", "var/log/exim4", "run/exim4")
	d.write(t, "etc/interop/key.pem", string(w.key), 0o644)
	exim := spawn(t, d.path("var/log"), d.root, "/usr/sbin/exim4", "-bdf", "-q1m")
	return &instance{
		version: d.versions["exim4-daemon-light"], plain: loopback(plain), implicit: loopback(implicit),
		mailbox:    map[string]string{"bob": d.path("home/bob/Maildir"), "eve": d.path("home/eve/Maildir")},
		spool:      []string{d.path("var/spool/exim4/input")},
		trace:      []string{"Return-path", "Envelope-to", "Received"},
		lf:         true,
		knobs:      knobs{connections: true, messages: true},
		logs:       []string{d.path("var/log/exim4/mainlog"), d.path("var/log/exim4/rejectlog"), d.path("var/log/exim4/paniclog"), exim.log},
		complaints: `synchronization error|too many|unexpected disconnection|syntax or protocol errors|unrecognized command|TLS error|panic|SMTP timeout|lost while reading`,
		stop:       exim.stop,
	}
}

func eximSettings(l limits, plain, implicit int) string {
	settings := fmt.Sprintf(`primary_hostname = mx.example.net
daemon_smtp_ports = %d : %d
tls_on_connect_ports = %d
local_interfaces = 127.0.0.1
disable_ipv6
host_lookup =
rfc1413_hosts =
tls_advertise_hosts = *
tls_certificate = /etc/interop/cert.pem
tls_privatekey = /etc/interop/key.pem
message_size_limit = %d
smtp_accept_queue_per_connection = 0
smtp_accept_max = 50
log_selector = +smtp_protocol_error +smtp_syntax_error
acl_smtp_rcpt = rcpt
`, plain, implicit, implicit, maxSize)
	if l.recipients > 0 {
		settings += fmt.Sprintf("recipients_max = %d\n", l.recipients)
	}
	if l.connections > 0 {
		settings += fmt.Sprintf("smtp_accept_max_per_host = %d\n", l.connections)
	}
	if l.messages > 0 {
		settings += fmt.Sprintf("smtp_accept_max_per_connection = %d\n", l.messages)
	}
	return settings + eximDelivery
}

// eximDelivery is who may receive, where mail goes, and who may log in.
const eximDelivery = `
begin acl
rcpt:
  accept
    domains = example.net
    verify = recipient
  deny
    message = no such recipient here

begin routers
mailboxes:
  driver = accept
  domains = example.net
  local_parts = bob : eve
  local_part_suffix = +*
  local_part_suffix_optional
  transport = maildir

begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = /home/$local_part_data/Maildir
  user = bob
  group = vmail
  envelope_to_add
  return_path_add

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${if and{{eq{$auth2}{` + user + `}}{eq{$auth3}{` + password + `}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if and{{eq{$auth1}{` + user + `}}{eq{$auth2}{` + password + `}}}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{` + user + `}{` + password + `}fail}
  server_set_id = $auth1
`
