#!/bin/sh
# What must not compile does not, and what stands beside it does.
#
#   tests/compile_fail/run.sh [CXX]      CXX may have options behind it; $CXX or c++ when it is not given
#
# Each .cc file here has lines marked "// FAILS" (or "// FAILS IN ANOTHER FILE": the message points into a template, with
# a note that names the line). Compiled as it is, the compiler must complain about each marked line and no other; without
# them it must compile. So an error for another reason than the one meant is noticed.
cd "$(dirname "$0")/../.." || exit 1
CXX=${1:-${CXX:-c++}}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
failures=0

complain() {
  echo "compile_fail: $*" >&2
  failures=$((failures + 1))
}

# clang++ gives up after 20 errors unless told otherwise.
all=
case $CXX in *clang*) all=-ferror-limit=0 ;; esac
compile() { # source, log
  LC_ALL=C $CXX $all -std=c++20 -Iinclude -fsyntax-only -fno-diagnostics-color "$1" >"$2" 2>&1
}

for source in tests/compile_fail/*.cc; do
  sed '/\/\/ FAILS/s/.*//' "$source" >"$work/twin.cc"
  if ! compile "$work/twin.cc" "$work/twin.log"; then
    complain "$source does not compile without its marked lines:"
    cat "$work/twin.log" >&2
    continue
  fi
  compile "$source" "$work/log" && complain "$source compiles"
  # A marked line is named by an error, or (in another file) by the trail of notes that belongs to one.
  grep -n '// FAILS' "$source" | cut -d: -f1 >"$work/marked"
  grep -E "^$source:[0-9]+:[0-9]+: error" "$work/log" | cut -d: -f2 | sort -u >"$work/errors"
  grep -E "^$source:[0-9]+:[0-9]+:" "$work/log" | cut -d: -f2 | sort -u >"$work/named"
  while read -r line; do
    where=errors
    sed -n "${line}p" "$source" | grep -q 'IN ANOTHER FILE' && where=named
    grep -qx "$line" "$work/$where" || complain "$source:$line compiles: $(sed -n "${line}p" "$source")"
  done <"$work/marked"
  while read -r line; do
    grep -qx "$line" "$work/marked" || complain "$source:$line is refused, and should not be"
  done <"$work/errors"
done

# Errors of beginners, and how long the answer is at most: what is wrong, and where. SAYS is in it.
says() { # WHAT, LINES, SAYS, OPTIONS...; the program from stdin
  what=$1 most=$2 says=$3
  shift 3
  cat >"$work/beginner.cc"
  LC_ALL=C $CXX -std=c++20 -Iinclude -fsyntax-only -fno-diagnostics-color "$@" "$work/beginner.cc" >"$work/log" 2>&1 && complain "$what compiles"
  [ "$(wc -l <"$work/log")" -le "$most" ] && grep -q "$says" "$work/log" && return
  complain "$what: more than $most lines, or none that says '$says':"
  cat "$work/log" >&2
}
says 'a program of C++17' 10 'needs C++20' -std=c++17 <<'CC'
#include <martlet/martlet.h>
int main() { martlet::App app; }
CC
for header in include/martlet/*.h; do
  echo "#include <martlet/${header##*/}>" | says "$header with C++17" 12 'needs C++20' -std=c++17
done
says 'a Function used twice' 20 'a Function is used once: std::move() it' <<'CC'
#include <martlet/martlet.h>
using namespace martlet;
void set_up(WebSocket ws) {
  Function<void(WebSocket, const Message&)> fn = [](WebSocket, const Message&) {};
  ws.on_message(fn);
}
CC
says 'a Message that is kept' 20 'keep what msg.share() gives' <<'CC'
#include <martlet/martlet.h>
using namespace martlet;
void set_up(WebSocket ws) {
  ws.on_message([](WebSocket from, const Message& m) { auto kept = m; from.send(kept); });
}
CC
says 'a coroutine that is nobody'"'"'s' 60 'a coroutine belongs to a WebSocket here' <<'CC'
#include <martlet/martlet.h>
using namespace martlet;
void set_up(App& app) {
  app.post([]() -> Task<> { co_return; });
}
CC
while read -r line; do
  says "$line" 15 'is called with (' <<CC
#include <martlet/martlet.h>
using namespace martlet;
void set_up(App& app, Server& server) {
  $line
  static_cast<void>(app), static_cast<void>(server);
}
CC
done <<'LINES'
app.get("/", [](Request&) {});
app.post("/", [](Request&, Response&) {}, 42);
app.use([](int) {});
app.use("/admin", [](Request) {});
app.ws("/", [](WebSocket, Response&) {});
server.run([](int) {});
LINES

[ "$failures" -eq 0 ] || exit 1
echo "compile_fail: $(cat tests/compile_fail/*.cc | grep -c '// FAILS') lines are refused by $CXX"
