#!/usr/bin/env bash
# Lets other parsers read the corpus. Needs Python 3.9, Node.js 18 and npm, and
# installs them with apt where they are missing and that is possible.
set -euo pipefail
cd "$(dirname "$0")"

missing=()
command -v python3 >/dev/null || missing+=(python3)
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
if [ ${#missing[@]} -gt 0 ]; then
	if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
		echo "please install: ${missing[*]}" >&2
		exit 1
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq && apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' || { echo "Python 3.9 or later is needed: $(python3 --version)" >&2; exit 1; }
node -e 'process.exit(process.versions.node.split(".")[0] < 18 ? 1 : 0)' || { echo "Node.js 18 or later is needed: $(node --version)" >&2; exit 1; }

if ! cmp -s package-lock.json node_modules/.installed; then
	npm ci --no-audit --no-fund --ignore-scripts --loglevel=error
	cp package-lock.json node_modules/.installed
fi
python3 --version
echo "Node.js $(node --version)"
go test -count=1 "$@" ./...
