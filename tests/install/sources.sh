#!/bin/sh
# The sources inside a project of CMake, by add_subdirectory and by FetchContent: the target of find_package, its headers
# as those of the system, optimised, and no example, test or install rule of ours. make check-install calls it.
#
#   CMAKE_CXX_COMPILER_LAUNCHER=ccache    where there is one
set -eu
cd "$(dirname "$0")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
command -v ccache >/dev/null && export CMAKE_CXX_COMPILER_LAUNCHER="${CMAKE_CXX_COMPILER_LAUNCHER:-ccache}"
version=$(sed -n 's/^.define MARTLET_VERSION "\(.*\)"/\1/p' include/martlet/config.h)
mkdir "$scratch/user"
cp tests/install/user.cc "$scratch/user/main.cc"
tar -cf "$scratch/martlet.tar" CMakeLists.txt include mk src LICENSE
cat >"$scratch/user/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.14)
project(user CXX)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_STANDARD 17)
add_compile_options(-Wall -Wextra -Werror)
if(ARCHIVE)
  include(FetchContent)
  FetchContent_Declare(martlet URL "file://${ARCHIVE}")
  FetchContent_MakeAvailable(martlet)
else()
  add_subdirectory("${FOLDER}" martlet)
endif()
add_executable(user main.cc)
target_link_libraries(user PRIVATE martlet::martlet)
CMAKE

configure() { # NAME, OPTIONS...
  name=$1
  shift
  cmake -S "$scratch/user" -B "$scratch/$name" -DCMAKE_CXX_COMPILER="${CXX:-c++}" "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
}
complain() { echo "sources: $*" >&2; exit 1; }
# check NAME: what the configured project is made of
check() {
  commands=$scratch/$1/compile_commands.json
  grep -q '"command".*-isystem [^ ]*/include .*main.cc' "$commands" || complain "$1: the headers are not those of the system"
  grep '"command".*main.cc' "$commands" | grep -q 'std=.*20' || complain "$1: main.cc is not compiled as C++20"
  [ "$(grep -c '"command".*/src/.*-O3\|"command".*-O3.*/src/' "$commands")" -gt 20 ] || complain "$1: the library is not optimised"
  ! grep -q 'examples/\|tests/' "$commands" || complain "$1: it builds examples or tests"
  ! find "$scratch/$1" -name cmake_install.cmake -exec grep -q 'file(INSTALL' {} \; -print | grep -q . || complain "$1: it installs"
}
configure subdirectory -DFOLDER="$PWD"
check subdirectory
configure fetched -DARCHIVE="$scratch/martlet.tar"
check fetched
# Debug, as it compiles sooner; without what a debugger reads, too.
configure debug -DARCHIVE="$scratch/martlet.tar" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0
cmake --build "$scratch/debug" -j "$(nproc)" >"$scratch/log" 2>&1 || { tail -n 50 "$scratch/log"; exit 1; }
test "$("$scratch/debug/user")" = "martlet $version"
echo "CMake, add_subdirectory and FetchContent: ok"
