#!/bin/sh
# Units compiled otherwise than the library: what would crash does not link, and what links is right. make check-install
# calls it; CXX and BUILD come from there.
set -eu
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
lib=${BUILD:-build}/libmartlet.a
compile() { ${CXX:-c++} -std=c++20 -Iinclude -pthread -c "$@"; }
link() { ${CXX:-c++} -pthread -o "$@" "$lib" $(cat "${lib%/*}/atomic.libs"); }
complain() { echo "settings: $*" >&2; exit 1; }

# Those of libstdc++; another library has no such settings.
if echo '#include <version>' | ${CXX:-c++} -std=c++20 -E -dM -x c++ - | grep -q __GLIBCXX__; then
  for setting in _GLIBCXX_DEBUG _GLIBCXX_USE_CXX11_ABI=0; do
    compile -D$setting -o "$scratch/user.o" tests/install/user.cc
    link "$scratch/user" "$scratch/user.o" 2>"$scratch/log" && complain "it links with $setting"
    grep -q "needs_libmartlet_compiled_with_$(echo "${setting#_}" | tr = _)" "$scratch/log" || { cat "$scratch/log"; complain "$setting: the linker does not say why"; }
  done
  # RTTI, assertions and debug information change no layout.
  compile -fno-rtti -D_GLIBCXX_ASSERTIONS -g -o "$scratch/user.o" tests/install/user.cc
  link "$scratch/user" "$scratch/user.o"
fi

# Handlers of the same type in a unit with exceptions and in one without: whichever the linker sees first.
for unit in with without; do
  cat >"$scratch/$unit.cc" <<CC
#include <martlet/martlet.h>
void quiet_$unit();
void quiet_$unit() {}
void set_up_$unit(martlet::App& app, void (*handler)(martlet::Request&, martlet::Response&));
void set_up_$unit(martlet::App& app, void (*handler)(martlet::Request&, martlet::Response&)) { app.get("/$unit", handler); }
martlet::Function<void()> make_$unit(void (*fn)());
martlet::Function<void()> make_$unit(void (*fn)()) { return fn; }
CC
done
cat >"$scratch/main.cc" <<'CC'
#include <martlet/martlet.h>
martlet::Function<void()> make_with(void (*fn)());
martlet::Function<void()> make_without(void (*fn)());
void quiet_without();
int main() { return !make_with([] { throw 1; })() && make_without(quiet_without)() ? 0 : 1; }
CC
compile -O0 -o "$scratch/main.o" "$scratch/main.cc"
compile -O0 -o "$scratch/with.o" "$scratch/with.cc"
compile -O0 -fno-exceptions -o "$scratch/without.o" "$scratch/without.cc"
link "$scratch/one" "$scratch/main.o" "$scratch/with.o" "$scratch/without.o"
link "$scratch/other" "$scratch/without.o" "$scratch/main.o" "$scratch/with.o"
for program in one other; do "$scratch/$program" || complain "a unit without exceptions took the thunks of one with ($program)"; done
# And no template that takes a handler is shared, App::get and its like.
for unit in with without; do
  nm -C "$scratch/$unit.o" | sed -n 's/^[0-9a-f]* W \(.*martlet::.*(\*[)&].*\)/\1/p' | grep -v 'relocate\|stored\|::fits\|::~\|std::' | sort >"$scratch/$unit.names"
done
shared=$(comm -12 "$scratch/with.names" "$scratch/without.names")
[ -s "$scratch/with.names" ] && [ -z "$shared" ] || complain "shared by units with and without exceptions: $shared"
echo "settings that differ: ok"
