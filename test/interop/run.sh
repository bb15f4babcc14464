#!/usr/bin/env bash
# Sends to real mail servers; see interop_test.go. Needs root on Debian or
# a relative, and Node.js 18 with npm, which are installed where they are missing.
set -euo pipefail
cd "$(dirname "$0")"

[ "$(id -u)" = 0 ] || { echo "make interop needs root: mail servers start as root, each in a root folder of its own" >&2; exit 1; }
command -v apt-get >/dev/null || { echo "make interop needs apt-get: it tries Debian's mail servers" >&2; exit 1; }

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
