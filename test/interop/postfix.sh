#!/usr/bin/env bash
# Sends with the real program to a private Debian Postfix on the loopback
# interface and compares what arrived, octet by octet: plain, STARTTLS and
# implicit TLS, each with and without AUTH; BDAT, look-ahead, many recipients,
# refusals. Postfix is as strict about pipelining and line ends as it can be.
# Needs root (Postfix does), and installs Postfix and Dovecot's SASL where they
# are missing. KEEP=1 keeps the folder with logs and mail.
set -euo pipefail
cd "$(dirname "$0")/../.."

[ "$(id -u)" = 0 ] || { echo "postfix needs root" >&2; exit 1; }
if ! command -v postfix >/dev/null || ! command -v doveadm >/dev/null || ! command -v python3 >/dev/null; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq && apt-get install -y -qq postfix dovecot-core openssl python3 >/dev/null
fi

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
for port in "${KAIZEN_TEST_PORT:-12525}" $((${KAIZEN_TEST_PORT:-12525} + 1)); do
	if listens "$port"; then echo "port $port is taken: set KAIZEN_TEST_PORT" >&2; exit 1; fi
done
work=$(mktemp -d)
chmod 755 "$work"
conf=$work/conf queue=$work/queue data=$work/data
plain=${KAIZEN_TEST_PORT:-12525} secure=$((${KAIZEN_TEST_PORT:-12525} + 1))
dovecot_pid=
finish() {
	postfix -c "$conf" stop >/dev/null 2>&1 || true
	[ -z "$dovecot_pid" ] || { kill "$dovecot_pid" && wait "$dovecot_pid"; } 2>/dev/null || true
	[ -n "${KEEP:-}" ] || rm -rf "$work"
}
trap finish EXIT

CGO_ENABLED=0 go build -o "$work/" ./cmd/kaizen ./test/interop/chunked
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
cp /usr/share/postfix/master.cf.dist "$conf/master.cf" # not the machine's own, which may have more services
cp /etc/postfix/postfix-files "$conf"/ 2>/dev/null || true
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
smtpd_recipient_limit = 50
recipient_delimiter = +
smtpd_data_restrictions = reject_unauth_pipelining
smtpd_forbid_unauth_pipelining = yes
smtpd_forbid_bare_newline = reject
smtpd_forbid_bare_newline_exclusions =
smtpd_tls_loglevel = 1
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
for _ in $(seq 50); do
	[ -S "$work/auth.sock" ] && { exec 3<>"/dev/tcp/127.0.0.1/$plain"; } 2>/dev/null && break
	sleep 0.1
done
read -r _ <&3 && printf 'QUIT\r\n' >&3 && cat <&3 >/dev/null # leave as one should: the log is looked at below
exec 3>&-

head -c 5242880 /dev/urandom >"$work/attachment.bin"
failures=0
# check NAME COMMAND...: one line of the result
check() {
	local name=$1
	shift
	if "$@"; then echo "ok    $name"; else echo "FAIL  $name"; failures=$((failures + 1)); fi
}

# send FLAGS...: prints what the program exits with; what it says is in $work/out
send() {
	local code=0
	"$work/kaizen" send --ca "$work/ca.pem" --from ann@example.com "$@" >"$work/out" 2>&1 || code=$?
	echo "$code"
}

# sent FLAGS...: whether all of it was accepted
sent() { [ "$(send "$@")" = 0 ] || { cat "$work/out"; return 1; }; }

# count USER SUBJECT: how many of the user's messages have it
count() { { grep -lsF "Subject: $2" -r "$work/mail/$1/new" || true; } | wc -l; }

# arrives USER SUBJECT N: exactly so many arrive, and no more once Postfix has
# nothing left to deliver
arrives() {
	for _ in $(seq 300); do
		[ "$(count "$1" "$2")" -ge "$3" ] && postqueue -c "$conf" -j | wc -l | grep -qx 0 && break
		sleep 0.1
	done
	[ "$(count "$1" "$2")" = "$3" ] || { echo "$(count "$1" "$2") of $3 arrived"; return 1; }
}

# the one file with that subject
file_of() { grep -lsF "Subject: $2" -r "$work/mail/$1/new"; }

# composed NAME URL: text, HTML and a 5 MB attachment, compared after decoding
composed() {
	sent --server "$2" --to bob@example.net --subject "composed $1" --text 'Good morning, Zürich.' \
		--html '<p>Good morning, Zürich.</p>' --attach "$work/attachment.bin" || return 1
	arrives bob "composed $1" 1 || return 1
	local file
	file=$(file_of bob "composed $1")
	python3 - "$file" "$work/attachment.bin" <<'PY' || return 1
import email, email.policy, sys
m = email.message_from_binary_file(open(sys.argv[1], 'rb'), policy=email.policy.default)
text = m.get_body(('plain',)).get_content().strip()
html = m.get_body(('html',)).get_content().strip()
attachments = [a.get_content() for a in m.iter_attachments()]
assert text == 'Good morning, Zürich.', text
assert html == '<p>Good morning, Zürich.</p>', html
assert attachments == [open(sys.argv[2], 'rb').read()], [len(a) for a in attachments]
PY
	rm "$file"
}

# make_raw NAME: a message whose lines are made to go wrong
make_raw() {
	printf 'From: ann@example.com\r\nTo: bob@example.net\r\nMessage-ID: <%s@example.com>\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\nSubject: %s\r\n\r\n.dot\r\n..dots\r\n\r\n.\r\nend\r\n' "$RANDOM$RANDOM" "$1" >"$work/raw.eml"
}

# same SUBJECT: every octet behind Postfix's own trace fields, which end in the
# fold of Received:. Postfix stores LF line ends.
same() {
	arrives bob "$1" 1 || return 1
	python3 - "$(file_of bob "$1")" "$work/raw.eml" <<'PY'
import sys
got, want = (open(name, 'rb').read() for name in sys.argv[1:])
want = want.replace(b'\r\n', b'\n')
head = got[:len(got) - len(want)]
assert got.endswith(want), 'the octets differ'
names = [line.split(b':')[0] for line in head.splitlines() if not line[:1].isspace()]
assert names == [b'Return-Path', b'X-Original-To', b'Delivered-To', b'Received'], names
PY
}

raw() {
	make_raw "raw $1"
	sent --server "$2" --to bob@example.net --raw "$work/raw.eml" && same "raw $1"
}

export KAIZEN_PASSWORD=secret-of-ann
for login in '' 'ann@'; do
	for way in "plain smtp://${login}127.0.0.1:$plain?tls=none" "STARTTLS smtp://${login}127.0.0.1:$plain" "implicit-TLS smtps://${login}127.0.0.1:$secure"; do
		name="${way%% *}${login:+ with AUTH}" url=${way#* }
		check "text, HTML and 5 MB attachment over $name" composed "$name" "$url"
		check "raw octets over $name" raw "$name" "$url"
	done
done
# occurs N PATTERN: on how many lines of the log
occurs() {
	local n
	n=$(grep -cE "$2" "$work/postfix.log" || true)
	[ "$n" = "$1" ] || { echo "$n lines, not $1, have $2"; return 1; }
}
check "six of these twelve had logged in" occurs 6 'client=.*sasl_username=ann'
check "eight of these twelve had TLS 1.3" occurs 8 'Anonymous TLS connection established.*TLSv1\.3'

starttls="smtp://127.0.0.1:$plain"
chunked() {
	make_raw "$1"
	# Several chunks, cut within dots and line ends at random.
	head -c 3000000 /dev/urandom | base64 | sed 's/^[a-f]/./; s/$/\r/' >>"$work/raw.eml"
	"$work/chunked" "$starttls" "$work/ca.pem" ann@example.com bob@example.net "$work/raw.eml" >"$work/out" 2>&1 || { cat "$work/out"; return 1; }
	same "$1" && occurs 1 'disconnect from .* bdat=[1-9]' && rm "$(file_of bob "$1")"
}
check "4 MB by BDAT, octet for octet" chunked 'by BDAT'

wrong_password() {
	[ "$(KAIZEN_PASSWORD=not-hers send --server "smtp://ann@127.0.0.1:$plain" --to bob@example.net --subject wrong --text x)" = 77 ] &&
		! grep -q not-hers "$work/out" && arrives bob wrong 0
}
check "a wrong password ends with 77, is not printed, and sends nothing" wrong_password
echo "      (failed logins that Postfix counted: $(grep -cE 'SASL [A-Z0-9-]+ authentication failed' "$work/postfix.log"))"

refused_recipient() {
	[ "$(send --server "$starttls" --to bob@example.net,nobody@example.net,eve@example.net --subject refused --text x)" = 67 ] || return 1
	grep -qE '^rejected +nobody@example.net +550 5\.1\.1' "$work/out" &&
		grep -qE '^accepted +bob@' "$work/out" && grep -qE '^accepted +eve@' "$work/out" &&
		arrives bob refused 1 && arrives eve refused 1
}
check "a refused recipient does not keep the message from the others" refused_recipient

too_large() {
	head -c 16000000 /dev/zero >"$work/large.bin"
	[ "$(send --server "$starttls" --to bob@example.net --subject large --text x --attach "$work/large.bin")" = 65 ] &&
		grep -q 'the server takes' "$work/out" && arrives bob large 0
}
check "a message over the server's SIZE ends with 65 before it is sent" too_large

many() {
	sent --server "$starttls" --to "$(seq -s, -f 'bob+%g@example.net' 1001)" --subject many --text x || return 1
	arrives bob many 1001 || return 1
	[ "$(grep -rhF 'X-Original-To: bob+' "$work/mail/bob/new" | sort -u | wc -l)" = 1001 ]
}
check "1001 recipients, each once, reach a server that takes 50 at a time" many
grep -oE 'disconnect from .*rcpt=[0-9/]{4,}.*' "$work/postfix.log" | sed 's/^disconnect from [^ ]* /      (/; s/$/)/'

look_ahead() {
	"$work/kaizen" bench --server "smtp://127.0.0.1:$plain?tls=none" --messages 200 --connections 2 --concurrency 20 --rate none \
		--level look-ahead --compose --rcpt eve@example.net --json >"$work/bench.json" || return 1
	grep -oE '"(connections|round_trips_per_message|messages_per_second)": *[0-9.]+' "$work/bench.json" | sed 's/^/      /'
	arrives eve 'A message of kaizen bench' 200 || return 1
	[ "$(grep -rlF 'Subject: A message of kaizen bench' "$work/mail/eve/new" | xargs grep -hi '^Message-ID:' | sort -u | wc -l)" = 200 ]
}
check "200 messages by look-ahead through 2 connections arrive once each" look_ahead

# The one connection that is cut is the one with the wrong password.
complaints() {
	! grep -E 'improper command pipelining|bare <LF>|lost connection after|timeout after|too many errors|non-SMTP command|SSL_accept error|panic:|fatal:' "$work/postfix.log" |
		grep -v 'lost connection after AUTH'
}
check "Postfix has nothing to complain about" complaints

[ "$failures" = 0 ] || { echo "$failures failed; KEEP=1 keeps the logs: $work"; exit 1; }
