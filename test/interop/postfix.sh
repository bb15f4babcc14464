#!/usr/bin/env bash
# Sends with the real program to a private Debian Postfix on the loopback
# interface and compares what arrived, octet by octet: plain, STARTTLS and
# implicit TLS, each with and without AUTH. Needs root (Postfix does), and
# installs Postfix and Dovecot's SASL where they are missing.
set -euo pipefail
cd "$(dirname "$0")/../.."

[ "$(id -u)" = 0 ] || { echo "postfix needs root" >&2; exit 1; }
if ! command -v postfix >/dev/null || ! command -v doveadm >/dev/null; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq && apt-get install -y -qq postfix dovecot-core openssl >/dev/null
fi

work=$(mktemp -d)
chmod 755 "$work"
conf=$work/conf queue=$work/queue data=$work/data
plain=${KAIZEN_TEST_PORT:-12525} secure=$((${KAIZEN_TEST_PORT:-12525} + 1))
dovecot_pid=
finish() {
	postfix -c "$conf" stop >/dev/null 2>&1 || true
	[ -z "$dovecot_pid" ] || kill "$dovecot_pid" 2>/dev/null || true
	[ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap finish EXIT

CGO_ENABLED=0 go build -o "$work/kaizen" ./cmd/kaizen
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
	-addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' -keyout "$work/key.pem" -out "$work/ca.pem" 2>/dev/null

# Dovecot checks the passwords, on a socket alone.
mkdir -p "$work/dovecot"
cat >"$work/dovecot.conf" <<EOF
base_dir = $work/dovecot
log_path = $work/dovecot.log
protocols =
ssl = no
auth_mechanisms = plain login cram-md5 scram-sha-256
passdb {
  driver = passwd-file
  args = scheme=PLAIN $work/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=/tmp
}
service auth {
  unix_listener $work/auth.sock {
    mode = 0666
  }
}
EOF
echo 'ann:{PLAIN}secret-of-ann' >"$work/users"
dovecot -F -c "$work/dovecot.conf" &
dovecot_pid=$!

mkdir -p "$conf" "$queue" "$data" "$work/mail"
chown postfix "$data"
chown nobody "$work/mail"
cp /etc/postfix/master.cf /etc/postfix/postfix-files "$conf"/ 2>/dev/null || cp /usr/share/postfix/master.cf.dist "$conf/master.cf"
cp -r /etc/postfix/dynamicmaps.cf* "$conf"/ 2>/dev/null || true
sed -i '/^smtp[[:space:]]*inet/d' "$conf/master.cf"
cat >>"$conf/master.cf" <<EOF
127.0.0.1:$plain inet n - n - - smtpd
127.0.0.1:$secure inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
EOF
sed -i -E 's/^([a-z0-9:.]+ +(inet|unix) +[^ ]+ +[^ ]+ +)[yn-]/\1n/' "$conf/master.cf"
cat >"$conf/main.cf" <<EOF
compatibility_level = 3.6
queue_directory = $queue
data_directory = $data
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = mx.example.net
mydestination =
virtual_mailbox_domains = example.net
virtual_mailbox_base = $work/mail
virtual_mailbox_maps = inline:{ {bob@example.net=bob/} {eve@example.net=eve/} }
virtual_uid_maps = static:$(id -u nobody)
virtual_gid_maps = static:$(id -g nobody)
virtual_minimum_uid = 1
default_transport = error:this server sends nothing on
maillog_file = $work/postfix.log
maillog_file_prefixes = $work
message_size_limit = 20000000
virtual_mailbox_limit = 0
smtpd_recipient_limit = 20
smtpd_tls_security_level = may
smtpd_tls_cert_file = $work/ca.pem
smtpd_tls_key_file = $work/key.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = $work/auth.sock
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = reject_unlisted_recipient
EOF
postfix -c "$conf" check 2>&1 | grep -v 'not owned by\|symlink' || true
postfix -c "$conf" start >/dev/null 2>&1
for _ in $(seq 50); do [ -S "$work/auth.sock" ] && (exec 3<>"/dev/tcp/127.0.0.1/$plain") 2>/dev/null && break; sleep 0.1; done

head -c 5242880 /dev/urandom >"$work/attachment.bin"
failures=0
report() { if [ "$1" = 0 ]; then echo "ok    $2"; else echo "FAIL  $2"; failures=$((failures + 1)); fi; }

# arrived SUBJECT: the one file of bob's with that subject, once it is there
arrived() {
	for _ in $(seq 100); do
		file=$(grep -lsF "Subject: $1" "$work"/mail/bob/new/* || true)
		[ -n "$file" ] && { echo "$file"; return; }
		sleep 0.1
	done
	return 1
}

# compose NAME URL USER: text, HTML and a 5 MB attachment, compared after decoding
compose() {
	export KAIZEN_PASSWORD=secret-of-ann
	"$work/kaizen" send --server "$2" --ca "$work/ca.pem" --from ann@example.com --to bob@example.net \
		--subject "composed $1" --text 'Good morning, Zürich.' --html '<p>Good morning, Zürich.</p>' \
		--attach "$work/attachment.bin" >"$work/out" 2>&1 || { cat "$work/out"; return 1; }
	python3 - "$(arrived "composed $1")" "$work/attachment.bin" <<'PY'
import email, email.policy, sys
m = email.message_from_binary_file(open(sys.argv[1], 'rb'), policy=email.policy.default)
text = m.get_body(('plain',)).get_content().strip()
html = m.get_body(('html',)).get_content().strip()
attachments = [a.get_content() for a in m.iter_attachments()]
assert text == 'Good morning, Zürich.', text
assert html == '<p>Good morning, Zürich.</p>', html
assert attachments == [open(sys.argv[2], 'rb').read()], [len(a) for a in attachments]
PY
}

# raw NAME URL: every octet behind Postfix's own trace fields
raw() {
	printf 'From: ann@example.com\r\nTo: bob@example.net\r\nMessage-ID: <%s@example.com>\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\nSubject: raw %s\r\n\r\n.dot\r\n..dots\r\n\r\n.\r\nend\r\n' "$RANDOM" "$1" >"$work/raw.eml"
	"$work/kaizen" send --server "$2" --ca "$work/ca.pem" --from ann@example.com --to bob@example.net --raw "$work/raw.eml" >"$work/out" 2>&1 || { cat "$work/out"; return 1; }
	tr -d '\r' <"$work/raw.eml" >"$work/expected"
	tail -c "$(stat -c %s "$work/expected")" "$(arrived "raw $1")" | cmp - "$work/expected"
}

for login in '' 'ann@'; do
	for way in "plain smtp://${login}127.0.0.1:$plain?tls=none" "STARTTLS smtp://${login}127.0.0.1:$plain" "implicit-TLS smtps://${login}127.0.0.1:$secure"; do
		name="${way%% *}${login:+ with AUTH}" url=${way#* }
		compose "$name" "$url" && report 0 "text, HTML and 5 MB attachment over $name" || report 1 "text, HTML and 5 MB attachment over $name"
		raw "$name" "$url" && report 0 "raw octets over $name" || report 1 "raw octets over $name"
	done
done

code=0; KAIZEN_PASSWORD=wrong "$work/kaizen" send --server "smtp://ann@127.0.0.1:$plain" --ca "$work/ca.pem" --from a@example.com --to bob@example.net --text x >"$work/out" 2>&1 || code=$?
[ "$code" = 77 ] && ! grep -q wrong "$work/out"; report $? "a wrong password ends with 77 and is not printed"

code=0; "$work/kaizen" send --server "smtp://127.0.0.1:$plain" --ca "$work/ca.pem" --from a@example.com --to bob@example.net,nobody@example.net --subject refused --text x >"$work/out" 2>&1 || code=$?
[ "$code" = 67 ] && arrived refused >/dev/null; report $? "one refused recipient does not keep the message from the other"

many=$(seq -s, -f 'bob+%g@example.net' 45)
postconf -c "$conf" -e 'recipient_delimiter = +' && postfix -c "$conf" reload >/dev/null 2>&1; sleep 1
"$work/kaizen" send --server "smtp://127.0.0.1:$plain" --ca "$work/ca.pem" --from a@example.com --to "$many" --subject many --text x >"$work/out" 2>&1 || cat "$work/out"
for _ in $(seq 100); do n=$({ grep -lsF "Subject: many" "$work"/mail/bob/new/* || true; } | wc -l); [ "$n" -ge 45 ] && break; sleep 0.1; done
[ "$n" = 45 ]; report $? "45 recipients reach a server that takes 20 at a time ($n)"

before=$(ls "$work/mail/bob/new" | wc -l)
"$work/kaizen" bench --server "smtp://127.0.0.1:$plain?tls=none" --messages 500 --connections 2 --concurrency 20 --rate none --level look-ahead --rcpt bob@example.net --json >"$work/bench.json"
for _ in $(seq 300); do n=$(($(ls "$work/mail/bob/new" | wc -l) - before)); [ "$n" -ge 500 ] && break; sleep 0.1; done
[ "$n" = 500 ] && ! grep -qE 'improper command pipelining|lost connection after (MAIL|RCPT|DATA|RSET|END)' "$work/postfix.log"; report $? "500 messages by look-ahead arrive once ($n)"
grep -o '"round_trips_per_message": *[0-9.]*' "$work/bench.json" || true

[ "$failures" = 0 ] || { echo "$failures failed; see $work with KEEP=1"; exit 1; }
