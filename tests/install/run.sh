#!/bin/sh
# Installs into a temporary folder and builds and runs a program against what was installed, with pkg-config and with
# CMake; then without installing, with the source tree as a subproject of meson: what a user does. make check-install calls
# it; CXX, MAKE and BUILD come from there.
#
#   STAGE=DIR tests/install/run.sh     checks what somebody else (meson install) put under DIR/usr
set -eu
cd "$(dirname "$0")/../.."
for tool in pkg-config cmake meson ninja; do
  command -v $tool >/dev/null || { echo "make check-install needs $tool" >&2; exit 1; }
done
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
stage=${STAGE:-$scratch/stage}
[ -n "${STAGE:-}" ] || ${MAKE:-make} install PREFIX=/usr DESTDIR="$stage" BUILD="${BUILD:-build}" >"$scratch/log" 2>&1 ||
  { cat "$scratch/log"; exit 1; }
version=$(sed -n 's/^.define MARTLET_VERSION "\(.*\)"/\1/p' include/martlet/config.h)

mkdir "$scratch/user"
cp tests/install/user.cc "$scratch/user/main.cc"
cat >"$scratch/user/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.13)
project(user CXX)
find_package(martlet ${WANTED} REQUIRED)
add_executable(user main.cc)
target_link_libraries(user PRIVATE martlet::martlet)
CMAKE

pc=$(find "$stage" -name martlet.pc)
flags=$(PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$stage PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1 \
  pkg-config --static --cflags --libs martlet)
# shellcheck disable=SC2086  # the flags are words
${CXX:-c++} -std=c++20 -o "$scratch/with_pkg_config" "$scratch/user/main.cc" $flags
test "$("$scratch/with_pkg_config")" = "martlet $version"
test "$(PKG_CONFIG_PATH=${pc%/*} pkg-config --modversion martlet)" = "$version"
echo "pkg-config: ok"

with_cmake() { # WANTED
  cmake -S "$scratch/user" -B "$scratch/cmake" -DWANTED="$1" -DCMAKE_PREFIX_PATH="$stage/usr" -DCMAKE_CXX_COMPILER="${CXX:-c++}" \
    >"$scratch/log" 2>&1
}
for wanted in "" "$version" "${version%.*}"; do
  rm -rf "$scratch/cmake"
  with_cmake "$wanted" || { cat "$scratch/log"; echo "CMake did not find version '$wanted'"; exit 1; }
done
cmake --build "$scratch/cmake" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
test "$("$scratch/cmake/user")" = "martlet $version"
rm -rf "$scratch/cmake"
! with_cmake 99.0 || { echo "CMake accepted version 99.0"; exit 1; }

# /lib is a link to /usr/lib on most systems, and CMake looks there: the headers are not in /include.
ln -s usr/lib "$stage/lib"
cmake -S "$scratch/user" -B "$scratch/cmake" -DWANTED= -Dmartlet_DIR="$stage/lib/cmake/martlet" -DCMAKE_CXX_COMPILER="${CXX:-c++}" >"$scratch/log" 2>&1 &&
  cmake --build "$scratch/cmake" >"$scratch/log" 2>&1 || { cat "$scratch/log"; echo "CMake: not through a link to the folder"; exit 1; }
rm -rf "$scratch/cmake" "$stage/lib"
echo "CMake: ok"

# Both ways in which a project asks for a subproject. It gets the library, and no example or test of ours.
mkdir -p "$scratch/meson/subprojects"
ln -s "$PWD" "$scratch/meson/subprojects/martlet"
cp "$scratch/user/main.cc" "$scratch/meson/"
cat >"$scratch/meson/meson.build" <<MESON
project('user', 'cpp', default_options: ['cpp_std=c++20', 'wrap_mode=forcefallback'])
executable('by_name', 'main.cc',
  dependencies: dependency('martlet', version: '>=$version', fallback: ['martlet', 'martlet_dep']))
executable('by_variable', 'main.cc', dependencies: subproject('martlet').get_variable('martlet_dep'))
MESON
# A project that is debugged has an optimised library unless it says otherwise.
CXX=${CXX:-c++} meson setup "$scratch/meson/optimised" "$scratch/meson" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
[ "$(grep -c '"command".*libmartlet.a.p.*-O3' "$scratch/meson/optimised/compile_commands.json")" -gt 20 ] || { echo "as a subproject it is not optimised"; exit 1; }
{ CXX=${CXX:-c++} meson setup -Dmartlet:optimised=false -Ddebug=false "$scratch/meson/build" "$scratch/meson" && ninja -C "$scratch/meson/build"; } >"$scratch/log" 2>&1 ||
  { cat "$scratch/log"; exit 1; }
for program in by_name by_variable; do
  test "$("$scratch/meson/build/$program")" = "martlet $version"
done
targets=$(meson introspect --targets "$scratch/meson/build" | grep -o '"name": "[a-z_]*", "id"' | cut -d'"' -f4 | sort | tr '\n' ' ')
test "$targets" = "by_name by_variable martlet " || { echo "as a subproject it builds: $targets"; exit 1; }
echo "meson subproject: ok"
