#!/bin/sh
# smoke.sh EXAMPLES: one look at examples that were built in some unusual way. EXAMPLES/echo answers curl over HTTP, takes
# a WebSocket, and ends with status 0 on SIGTERM; so does EXAMPLES/chat, with its page. Needs curl alone.
set -eu
examples=$1
command -v curl >/dev/null || { echo "smoke.sh: curl is missing; install it (Debian: curl)" >&2; exit 1; }
scratch=$(mktemp -d)
pid=
cleanup() {
  [ -z "$pid" ] || kill "$pid" 2>/dev/null || :
  rm -rf "$scratch"
}
trap cleanup EXIT

fail() {
  echo "smoke: $*" >&2
  cat "$scratch"/* >&2
  exit 1
}

wait_for() { # FILE PATTERN: until the file has a line of that form
  tries=100
  until grep -q "$2" "$scratch/$1"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || fail "waited in vain for '$2' in the words of $1"
    sleep 0.1
  done
}

start() { # EXAMPLE
  "$examples/$1" --port 0 >"$scratch/$1" 2>&1 &
  pid=$!
  wait_for "$1" 'http://[^/]*:[0-9]'
  url=$(sed -n 's|.*\(http://[^/ ]*:[0-9]*\).*|\1|p' "$scratch/$1")
}

stop() { # EXAMPLE
  kill "$pid"
  wait "$pid" || fail "$1 ended with status $?"
  pid=
}

expect() { # ANSWER CURL-ARGUMENTS...
  wanted=$1
  shift
  got=$(curl -sS -m 10 -w ' %{http_code}' "$@") || fail "no answer to $*"
  [ "$got" = "$wanted" ] || fail "the answer to $* is '$got', not '$wanted'"
}

start echo
expect 'Hello, World! 200' "$url/"
expect 'Hello there 200' "$url/hello/there"
expect 'some bytes 200' -d 'some bytes' "$url/echo"
curl -sS -o /dev/null -w '%{http_code}\n' "$url/nothing/here" >"$scratch/missing"
grep -qx 404 "$scratch/missing" || fail "a path without a route is not 404"
# The key and the answer to it of RFC 6455, 1.3. The connection ends with the server. (-v: what -o gets comes late.)
curl -s -v -m 20 -o "$scratch/frames" -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' \
  -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==' "$url/echo" 2>"$scratch/upgrade" &
client=$!
wait_for upgrade 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
stop echo
wait "$client" || : # to curl the Close frame is a response cut short

start chat
curl -sS -m 10 -f -o "$scratch/page" "$url/" || fail "chat does not answer"
grep -q '<html' "$scratch/page" || fail "chat answers no page"
stop chat
echo "smoke: ok"
