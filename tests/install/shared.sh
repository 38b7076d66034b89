#!/bin/sh
# The library as a part of a shared object, which a program loads and unloads: make PIC=1, and what meson has to say to it.
# make check-install calls it; CXX, MAKE and BUILD come from there.
set -eu
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
build=${BUILD:-build}
${MAKE:-make} --no-print-directory lib PIC=1 OPT=-O0 PRELUDE=1 BUILD="$build/pic" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }

# A user's units need -fno-gnu-unique as the library has it, with g++. -z text: code that must be changed when it is loaded is an error; -z defs: so is what is missing.
# shellcheck disable=SC2086  # words
unique=$(${CXX:-c++} -fno-gnu-unique -fsyntax-only -x c++ /dev/null 2>/dev/null && echo -fno-gnu-unique) || true
${CXX:-c++} -std=c++20 -O0 -fPIC $unique -shared -Iinclude -pthread -Wl,-z,text -Wl,-z,defs -o "$scratch/plugin.so" tests/install/plugin.cc \
  "$build/pic/libmartlet.a" $(cat "$build/pic/atomic.libs")
${CXX:-c++} -std=c++20 -Wall -Wextra -o "$scratch/host" tests/install/host.cc -ldl
"$scratch/host" "$scratch/plugin.so"

for pic in true false; do
  CXX=${CXX:-c++} meson setup -Db_staticpic=$pic "$scratch/$pic" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
  [ "$(grep -c 'libmartlet.a.p.*-fPIC' "$scratch/$pic/compile_commands.json")" -gt 20 ] || [ $pic = false ] ||
    { echo "meson ignores b_staticpic=$pic"; exit 1; }
done
echo "meson: b_staticpic is heard"
