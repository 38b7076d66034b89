#!/bin/sh
# cross.sh FOLDER: installs the library that is built there for another machine into a temporary folder, and links a user's
# program with what the installed martlet.pc says and nothing else; runs it where QEMU names an emulator that is there.
# make check-cross calls it; CXX, AR, QEMU and MAKE come from there.
set -eu
cd "$(dirname "$0")/../.."
command -v pkg-config >/dev/null || { echo "make check-cross needs pkg-config" >&2; exit 1; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
stage=$scratch/stage
cp "$1/libmartlet.a" "$1/atomic.libs" "$scratch/"
${MAKE:-make} install-files PREFIX=/usr DESTDIR="$stage" BUILD="$scratch" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
flags=$(PKG_CONFIG_LIBDIR=$stage/usr/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$stage PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 \
  PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 pkg-config --cflags --libs martlet)
# shellcheck disable=SC2086  # the flags are words
$CXX -std=c++20 -static -o "$scratch/user" tests/install/user.cc $flags
echo "$CXX: links with: $flags"
if command -v "${QEMU:-none}" >/dev/null; then
  version=$(sed -n 's/^.define MARTLET_VERSION "\(.*\)"/\1/p' include/martlet/config.h)
  test "$("$QEMU" "$scratch/user")" = "martlet $version"
  echo "$QEMU: it runs"
fi
