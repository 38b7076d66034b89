#!/bin/sh
# Prints the compiler flags that make `#include <doctest/doctest.h>` work; nothing when none are needed.
#
#   third_party/doctest/find.sh [--absolute]     CXX is the compiler that will be used (c++ when unset)
#
# Looks, in this order, for: a header put beside this script by hand; one that $CXX finds by itself; a copy that an
# earlier run left in build/doctest/; one at a usual place where $CXX does not look; the package of the distribution,
# downloaded and unpacked into build/doctest/. Nothing is installed and no privileges are needed. Exit status 1, and
# a sentence on stderr, when all of that fails. README.md beside it says why there is no copy in the repository.
set -u

here=$(cd "$(dirname "$0")" && pwd -P) || exit 1
root=$(cd "$here/../.." && pwd -P) || exit 1
fetched=$root/build/doctest
log=$fetched/fetch.log

# Relative when called from the top of the source tree, so that build logs name no machine.
case "${1:-}" in
  --absolute) base=$root/ ;;
  "") if [ "$(pwd -P)" = "$root" ]; then base=; else base=$root/; fi ;;
  *) echo "usage: find.sh [--absolute]" >&2; exit 2 ;;
esac

compiler_finds_it() {
  printf '#include <doctest/doctest.h>\n' | ${CXX:-c++} -std=c++20 -E -x c++ - >/dev/null 2>&1
}

# adopt DIR: takes the header found in DIR/doctest into build/doctest/, alone: a -I to the whole of DIR would shadow
# other headers.
adopt() {
  [ -f "$1/doctest/doctest.h" ] || return 1
  mkdir -p "$fetched/include/doctest" || return 1
  # The name appears complete or not at all: two makes may do this at once.
  cp "$1/doctest/doctest.h" "$fetched/include/doctest/.doctest.h.$$" &&
    mv "$fetched/include/doctest/.doctest.h.$$" "$fetched/include/doctest/doctest.h"
}

usual_places() {
  for dir in /usr/local/include /opt/homebrew/include /opt/local/include /usr/pkg/include /usr/include; do
    adopt "$dir" && return 0
  done
  command -v brew >/dev/null 2>&1 && adopt "$(brew --prefix doctest 2>/dev/null)/include"
}

# Each fetch_ runs in an empty directory of its own and leaves usr/include/doctest/doctest.h there.

# Package lists of our own: the system's are often missing in containers, and only root may renew those.
apt_with_own_lists() {
  mkdir -p lists/partial cache/archives/partial || return 1
  apt-get -o Dir::State::Lists="$PWD/lists" -o Dir::Cache="$PWD/cache" -o APT::Sandbox::User="" "$@"
}

fetch_with_apt() {
  command -v apt-get >/dev/null 2>&1 && command -v dpkg >/dev/null 2>&1 || return 1
  apt-get -o APT::Sandbox::User="" download doctest-dev ||
    { apt_with_own_lists update && apt_with_own_lists download doctest-dev; } || return 1
  dpkg -x doctest-dev_*.deb .
}

fetch_with_dnf() {
  command -v dnf >/dev/null 2>&1 && command -v rpm2cpio >/dev/null 2>&1 && command -v cpio >/dev/null 2>&1 || return 1
  dnf download -y doctest-devel && rpm2cpio doctest-devel-*.rpm | cpio -idm
}

fetch_with_apk() {
  command -v apk >/dev/null 2>&1 || return 1
  apk fetch doctest-dev || apk fetch doctest || return 1
  tar -xzf doctest*.apk
}

fetch() {
  echo "doctest is not installed; getting the distribution's package (log: build/doctest/fetch.log)" >&2
  mkdir -p "$fetched" && : >"$log" || return 1
  for way in fetch_with_apt fetch_with_dnf fetch_with_apk; do
    work=$fetched/work.$$
    rm -rf "$work"
    mkdir -p "$work" && (cd "$work" && "$way") >>"$log" 2>&1 && adopt "$work/usr/include"
    found=$?
    rm -rf "$work"
    [ "$found" = 0 ] && return 0
  done
  return 1
}

if [ -f "$here/doctest.h" ]; then
  echo "-isystem ${base}third_party"
elif compiler_finds_it; then
  :
elif [ -f "$fetched/include/doctest/doctest.h" ] || usual_places || fetch; then
  echo "-isystem ${base}build/doctest/include"
else
  cat >&2 <<'TXT'
The tests need the header of doctest, and it was not found. Either install it:
    Debian, Ubuntu   apt-get install doctest-dev
    Fedora           dnf install doctest-devel
    Alpine           apk add doctest-dev
    Arch             pacman -S doctest
    FreeBSD          pkg install doctest
    macOS            brew install doctest
or put the single file doctest.h (from https://github.com/doctest/doctest) into third_party/doctest/.
The library and the examples do not need it: plain `make` works without.
TXT
  exit 1
fi
