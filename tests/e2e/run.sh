#!/bin/sh
# run.sh [BUILD_DIR [NAME...]]: checks the built examples with curl, the npm package ws, and Chromium; all of it, or the
# NAME.test.mjs. See README.md.
set -eu
build=${1:-$(dirname "$0")/../../build}
[ $# = 0 ] || shift
BUILD_DIR=$(cd "$build" && pwd)
export BUILD_DIR
cd "$(dirname "$0")"

# install COMMAND PACKAGE: from the distribution, when it is missing and we may.
install() {
  command -v "$1" >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$2" >/dev/null
  fi
  command -v "$1" >/dev/null || { echo "run.sh: $1 is missing; install it (Debian: $2)" >&2; exit 1; }
}
install curl curl
install node nodejs
install npm npm
if [ -z "${CHROMIUM:-}" ]; then
  CHROMIUM=$(command -v chromium || command -v google-chrome || command -v chromium-browser || true)
  [ -n "$CHROMIUM" ] || { install chromium chromium; CHROMIUM=$(command -v chromium); }
fi
export CHROMIUM
# The distribution's Python, not one that somebody put before it.
PYTHON=${PYTHON:-/usr/bin/python3}
if ! "$PYTHON" -c 'import websockets' 2>/dev/null; then
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq &&
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3-websockets >/dev/null
  "$PYTHON" -c 'import websockets' || { echo "run.sh: Python's websockets is missing (Debian: python3-websockets)" >&2; exit 1; }
fi
export PYTHON

# Where there is none, its checks say that they are skipped.
PATH=$PATH:/usr/sbin
export PATH
command -v mosquitto >/dev/null || (install mosquitto mosquitto) 2>/dev/null ||
  echo "run.sh: mosquitto is missing, so topics are not compared with it (Debian: mosquitto)" >&2

for example in echo chat multicore cluster realworld rest_api topics gallery; do
  [ -x "$BUILD_DIR/examples/$example" ] || { echo "run.sh: $BUILD_DIR/examples/$example is missing; make examples gallery" >&2; exit 1; }
done

# The modules are those of package-lock.json, to the byte.
if ! cmp -s package-lock.json node_modules/.installed; then
  PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --silent --no-audit --no-fund
  cp package-lock.json node_modules/.installed
fi

[ $# -gt 0 ] || set -- *.test.mjs
for name; do
  shift
  set -- "$@" "./${name%.test.mjs}.test.mjs"
done
exec node --test --test-reporter=./reporter.mjs "$@"
