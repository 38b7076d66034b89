#!/bin/sh
# What each option saves, in bytes of the stripped static musl binary: make static-savings. The numbers of
# docs/embedding.md are from here.
#
#   tests/static/savings.sh BUILD      ZIG and MAKE come from the environment; the library is built three times
#
# First the options, each alone, beside the echo with libc++abi's demangler (make static does without); then what a
# feature costs: programs that differ by it alone. The exit status is 1 when JSON costs more than it may.
set -eu
cd "$(dirname "$0")/../.."
build=$1/savings
target=x86_64-linux-musl
mkdir -p "$build"

library() { # NAME FLAGS: the library alone, built so
  ${MAKE:-make} -s BUILD="$build/$1" CXX="$ZIG c++ -target $target" AR="$ZIG ar" CXXFLAGS="$2 -g0" "$build/$1/libmartlet.a" >/dev/null
}

small=static-$target  # the library as make static has built it
strip=-s
program() { # NAME SOURCE LIBRARY FLAGS...: compiles and links with the library of that folder; the flags come last, so they can undo those before
  name=$1 source=$2 library=$3
  shift 3
  # shellcheck disable=SC2086  # zig c++ and its flags are words
  $ZIG c++ -target "$target" -std=c++20 -Iinclude -Os -g0 -pthread -static $strip -Wl,--gc-sections -ffunction-sections -fdata-sections \
    "$@" -o "$build/$name" "$source" "$build/../$library/libmartlet.a"
  wc -c <"$build/$name" | tr -d ' '
}

row() { # WORDS BYTES BYTES_BESIDE
  printf '%-60s %8d %+8d\n' "$1" "$2" $(($2 - $3))
}

library O2 -O2
library lto '-Os -flto'
library unwind -Os

echo=examples/echo.cc
base=$(program echo $echo $small)
echo "$target, bytes of the echo, and beside the first line"
row '-Os, --gc-sections, stripped, in one command' "$base" "$base"
row '-O2' "$(program echo-O2 $echo savings/O2 -O2)" "$base"
row 'not stripped' "$(strip= && program echo-symbols $echo $small)" "$base"
row 'without --gc-sections' "$(program echo-all $echo $small -Wl,--no-gc-sections)" "$base"
row '-flto, library and program' "$(program echo-lto $echo savings/lto -flto)" "$base"
row '-fno-exceptions -fno-rtti for the program' "$(program echo-noexc $echo $small -fno-exceptions -fno-rtti)" "$base"
row 'a __cxa_demangle of its own' "$(program echo-demangle $echo $small mk/no_demangler.cc)" "$base"
row 'both together' "$(program echo-least $echo $small -fno-exceptions -fno-rtti mk/no_demangler.cc)" "$base"
row 'unwind tables in the library, too' "$(program echo-unwind $echo savings/unwind)" "$base"

# A program with one feature more than the one before.
feature() { # NAME LINES: the lines stand in main(), between the App and listen()
  {
    echo '#include <martlet/martlet.h>'
    echo 'using namespace martlet;'
    echo 'int main() {'
    echo '  App app;'
    echo "  $2"
    echo '  if (auto port = app.listen(3000); !port) return report(port.error());'
    echo '  return app.run();'
    echo '}'
  } >"$build/$1.cc"
  program "$1" "$build/$1.cc" $small
}

http='app.get("/", [](Request&, Response& res) { res.send("Hello, World!"); });'
echo_ws='app.ws("/ws", {.message = [](WebSocket ws, const Message& msg) { ws.send(msg); }});'
room='app.ws("/ws", {.open = [](WebSocket ws, Request&) { ws.join("r"); },
                 .message = [](WebSocket ws, const Message& msg) { ws.to("r").send(msg); }});'
echo 'int main() {}' >"$build/none.cc"
none=$(program none "$build/none.cc" $small)
bare=$(feature bare '')
with_http=$(feature http "$http")
with_ws=$(feature ws "$http $echo_ws")
with_json=$(feature json "$http $echo_ws"' app.post("/j", [](Request& req, Response& res) {
    auto any = req.json();
    if (!any) return res.status(400).json({{"error", any.error().what}});
    (*any)["seen"] = true;
    res.json(*any);
  });')
with_room=$(feature room "$http $room")
with_deflate=$(feature deflate "$http ${room%\}*}, .options = {.compression = true}});")
mkdir -p "$build/pageless"
cp examples/chat.cc "$build/pageless/"
printf '#pragma once\n#include <string>\n#include <string_view>\ninline std::string chat_page(std::string_view) { return {}; }\ninline std::string missing_page(std::string_view) { return {}; }\n' >"$build/pageless/chat_page.h"
chat=$(program chat examples/chat.cc $small)
pageless=$(program pageless/chat "$build/pageless/chat.cc" $small)

echo "programs, and beside the one before"
row 'int main() {}' "$none" "$none"
row 'an App without routes' "$bare" "$none"
row 'and a GET route' "$with_http" "$bare"
row 'and an echoing WebSocket' "$with_ws" "$with_http"
row 'and JSON both ways' "$with_json" "$with_ws"
row 'the WebSockets in a room instead' "$with_room" "$with_ws"
row 'and compressed' "$with_deflate" "$with_room"
row 'the chat demo without its page' "$pageless" "$with_room"
row 'the chat demo' "$chat" "$pageless"

json_limit=40000
[ $((with_json - with_ws)) -le $json_limit ] || { echo "JSON both ways costs $((with_json - with_ws)) bytes; the limit is $json_limit" >&2; exit 1; }
