#!/usr/bin/env bash
# Sends to real mail servers; see interop_test.go. Needs root on Debian or
# a relative, and Node.js 18 with npm, which are installed where they are missing.
# "run.sh possible" only says whether it can run here, and why not.
set -euo pipefail
cd "$(dirname "$0")"

unable() { echo "make interop cannot run here: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || unable "it needs root, as mail servers start as root, each in a root folder of its own"
command -v apt-get >/dev/null || unable "it needs apt-get, as it tries Debian's mail servers"
device=$(mktemp -u)
mknod "$device" c 1 3 2>/dev/null || unable "this root may not make devices, which a root folder needs"
rm "$device"
if [ "${1:-}" = possible ]; then exit 0; fi

missing=()
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
if [ ${#missing[@]} -gt 0 ]; then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
node -e 'process.exit(process.versions.node.split(".")[0] < 18 ? 1 : 0)' || { echo "Node.js 18 or later is needed: $(node --version)" >&2; exit 1; }

if ! cmp -s nodemailer/package-lock.json nodemailer/node_modules/.installed; then
	(cd nodemailer && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error)
	cp nodemailer/package-lock.json nodemailer/node_modules/.installed
fi
go test -count=1 -v -timeout 40m "$@" .
