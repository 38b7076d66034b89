#!/bin/sh
# What make static promises: each echo is one file that serves a request out of an empty root folder; no binary grows by
# more than 5 %; what a burst took goes back to the system; the library calls nothing that a static binary cannot have.
#
#   tests/static/run.sh BUILD TARGET...      binaries are BUILD/static-TARGET/examples/*
#   SIZES=new tests/static/run.sh ...        writes sizes.txt anew, from the binaries that are there
#
# chroot takes root, or a user namespace. A foreign echo runs under qemu-user, without chroot.
set -eu
cd "$(dirname "$0")/../.."
build=$1
shift
sizes=tests/static/sizes.txt
scratch=$(mktemp -d)
pid=
cleanup() {
  [ -z "$pid" ] || kill "$pid" 2>/dev/null || :
  rm -rf "$scratch"
}
trap cleanup EXIT
failed=0
fail() { echo "$*" >&2; failed=1; }

into_chroot() { # DIR COMMAND...: COMMAND of that folder, which sees nothing else and is nobody
  if [ "$(id -u)" = 0 ]; then exec chroot --userspec=65534:65534 "$@"; else exec unshare -r chroot "$@"; fi
}

start() { # TARGET: starts its echo; its words are in $scratch/out
  binary=$build/static-$1/examples/echo
  : >"$scratch/out"
  case $1 in
    native | "$(uname -m)"-*)
      mkdir "$scratch/jail"
      cp "$binary" "$scratch/jail/echo"
      into_chroot "$scratch/jail" /echo --port 0 >"$scratch/out" 2>&1 &
      ;;
    *)
      command -v "qemu-${1%%-*}-static" >"$scratch/out" || { echo "qemu-${1%%-*}-static is missing (Debian: qemu-user-static)" >&2; exit 1; }
      "qemu-${1%%-*}-static" "$binary" --port 0 >"$scratch/out" 2>&1 &
      ;;
  esac
  pid=$!
}

wait_for_url() { # prints the address when the server is there
  tries=100
  until grep -q '^listening on ' "$scratch/out"; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] && kill -0 "$pid" 2>/dev/null || { cat "$scratch/out" >&2; return 1; }
    sleep 0.1
  done
  sed -n 's/^listening on //p' "$scratch/out"
}

serve() { # TARGET: it answers, and ends with 0 when told to
  start "$1"
  url=$(wait_for_url) || { fail "$1: the echo does not start"; return; }
  answer=$(curl -sS -m 10 "$url/hello/chroot" || :)
  [ "$answer" = "Hello chroot" ] || fail "$1: the answer is '$answer'"
  kill "$pid"
  wait "$pid" || fail "$1: the echo ended with status $?"
  pid=
  rm -rf "$scratch/jail"
}

idle() { # TARGET: it gives back what a burst took, if it runs here
  case $1 in
    native | "$(uname -m)"-*) python3 tests/static/idle.py "$build/static-$1/examples/echo" || fail "$1: memory after a burst" ;;
  esac
}

check_size() { # TARGET PROGRAM BYTES
  was=$(awk -v t="$1" -v p="$2" '$1 == t && $2 == p { print $3 }' $sizes)
  [ -n "$was" ] || { fail "$1 $2: $sizes has no size for it"; return; }
  [ $(($3 * 100)) -le $((was * 105)) ] || fail "$1 $2: $3 bytes, more than 5 % over $was ($sizes)"
  case $1/$2 in
    *-musl/echo) [ "$3" -le 400000 ] || fail "$1 $2: $3 bytes; the limit is 400 kB" ;;
  esac
}

measure() { # TARGET: one line for each of its binaries
  for binary in "$build/static-$1"/examples/*; do
    echo "$1 ${binary##*/} $(wc -c <"$binary" | tr -d ' ')"
  done
}

: >"$scratch/sizes"
for target; do measure "$target" >>"$scratch/sizes"; done
if [ "${SIZES:-}" = new ]; then
  { sed -n '/^#/p' $sizes; cat "$scratch/sizes"; } >"$scratch/new"
  cp "$scratch/new" $sizes
fi
while read -r target program bytes; do check_size "$target" "$program" "$bytes"; done <"$scratch/sizes"

for target; do serve "$target"; done
for target; do idle "$target"; done

unwanted='getaddrinfo|gethostby|getpw|dlopen|_ZNSt8ios_base4Init|_ZSt4cout'
found=$(nm -u "$build/libmartlet.a" | grep -E "$unwanted" || :)
[ -z "$found" ] || fail "the library calls what a static binary should not: $found"

cat "$scratch/sizes"
[ "$failed" = 0 ] && echo "static: ok"
