#!/usr/bin/env python3
"""Proves that each rule of lint.py can fail, and that what it must cope with passes.

Each case is a small tree of files, written to a temporary folder; the findings must be exactly those it names.
"""
import os
import sys
import tempfile

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lint

HEAD = "// A file.\n"
HEADER = "// A file.\n#pragma once\n"
LONG = "  f();\n" * 61
UMBRELLA = {"include/martlet/martlet.h": HEADER + "#include <martlet/app.h>\n", "include/martlet/app.h": HEADER}


def source(text):
    return {"src/base/x.cc": HEAD + text}


def cases_of(lines):
    return "".join(f"    case {i}:\n" + "      f();\n" * lines for i in range(12))


# (title, files, expected findings as "path:line rule")
CASES = [
    # layering
    ("base may not look up", source('#include "net/reactor.h"\n'), ["src/base/x.cc:2 layering"]),
    ("proto may not see sys", {"src/proto/x.h": HEADER + '#include "sys/clock.h"\n'}, ["src/proto/x.h:3 layering"]),
    ("net may not see proto", {"src/net/x.h": HEADER + '#include "proto/ws_frame.h"\n'}, ["src/net/x.h:3 layering"]),
    ("session sees both sides", {"src/session/x.h": HEADER + '#include "proto/a.h"\n#include "net/b.h"\n#include "session/c.h"\n'}, []),
    ("session does not know the router", {"src/session/x.h": HEADER + '#include "routing/router.h"\n'}, ["src/session/x.h:3 layering"]),
    ("worker knows no route", {"src/worker/x.h": HEADER + '#include "routing/router.h"\n'}, ["src/worker/x.h:3 layering"]),
    ("worker knows no room", {"src/worker/x.h": HEADER + '#include "realtime/rooms.h"\n'}, ["src/worker/x.h:3 layering"]),
    ("routing sees what is below", {"src/routing/x.h": HEADER + '#include "session/a.h"\n#include "worker/worker.h"\n'}, []),
    ("routing knows no WebSocket's handlers", {"src/routing/x.cc": HEAD + '#include "realtime/realtime.h"\n'}, ["src/routing/x.cc:2 layering"]),
    ("http and realtime are side by side", {"src/http/x.cc": HEAD + '#include "realtime/rooms.h"\n', "src/realtime/x.cc": HEAD + '#include "http/y.h"\n'},
     ["src/http/x.cc:2 layering", "src/realtime/x.cc:2 layering"]),
    ("app is included by none", {"src/realtime/x.cc": HEAD + '#include "app/app_access.h"\n'}, ["src/realtime/x.cc:2 layering"]),
    ("app composes", {"src/app/x.cc": HEAD + '#include "http/a.h"\n#include "realtime/realtime.h"\n'}, []),
    ("guards are written as users write", {"src/guards/x.cc": HEAD + '#include <martlet/app.h>\n#include "codec/sha1.h"\n#include "worker/worker.h"\n'}, ["src/guards/x.cc:4 layering"]),
    ("json is pure", {"src/json/x.cc": HEAD + '#include "codec/utf8.h"\n#include "proto/y.h"\n'}, ["src/json/x.cc:3 layering"]),
    ("app knows cluster through its seam only", {"src/app/x.cc": HEAD + '#include <martlet/cluster.h>\n#include "cluster/redis.h"\n'}, ["src/app/x.cc:3 layering"]),
    ("client is beside app", {"src/client/x.cc": HEAD + '#include "app/app_state.h"\n'}, ["src/client/x.cc:2 layering"]),
    ("low public headers are visible below", {"src/proto/x.cc": HEAD + "#include <martlet/options.h>\n"}, []),
    ("others are not", {"src/net/x.cc": HEAD + "#include <martlet/app.h>\n"}, ["src/net/x.cc:2 layering"]),
    ("low public headers stay low", {"include/martlet/log.h": HEADER + "#include <martlet/error.h>\n#include <martlet/app.h>\n"}, ["include/martlet/log.h:4 layering"]),
    ("public headers do not see src", {"include/martlet/app.h": HEADER + '#include "base/bytes.h"\n'}, ["include/martlet/app.h:3 layering"]),
    ("public headers are written with <>", source('#include "martlet/error.h"\n'), ["src/base/x.cc:2 layering"]),
    ("examples are users", {"examples/x.cc": HEAD + '#include <martlet/martlet.h>\n#include "base/bytes.h"\n'}, ["examples/x.cc:3 layering"]),
    ("a folder nobody planned", {"src/util/x.cc": HEAD}, ["src/util/x.cc:1 layering"]),
    ("an include in a comment is none", source('// #include of net/reactor.h is\n/*\n#include "net/reactor.h"\n*/\n'), []),
    ("an include under a condition is one", source('#if X\n#  include "net/reactor.h"\n#endif\n'), ["src/base/x.cc:3 layering"]),
    # system
    ("only sys knows the system", {**source("#include <sys/socket.h>\n#include <cerrno>\n"), "src/sys/y.cc": HEAD + "#include <unistd.h>\n"}, ["src/base/x.cc:2 system", "src/base/x.cc:3 system"]),
    ("a public header neither", {"include/martlet/app.h": HEADER + "#include <unistd.h>\n"}, ["include/martlet/app.h:3 system"]),
    ("iostream, not even in sys", {"src/sys/x.cc": HEAD + "#include <iostream>\n#include <regex>\n"}, ["src/sys/x.cc:2 system", "src/sys/x.cc:3 system"]),
    ("intrinsics", {**source("#include <immintrin.h>\n"), "src/simd/y.cc": HEAD + "#include <arm_neon.h>\n"}, ["src/base/x.cc:2 system"]),
    ("coroutines", {"include/martlet/awaiting.h": HEADER + "#include <coroutine>\n", "include/martlet/app.h": HEADER + "#include <coroutine>\n"}, ["include/martlet/app.h:3 system"]),
    # umbrella
    ("a good umbrella", UMBRELLA, []),
    ("a header missing in the umbrella", {**UMBRELLA, "include/martlet/loop.h": HEADER}, ["include/martlet/martlet.h:1 umbrella"]),
    ("a stranger in the umbrella", {**UMBRELLA, "include/martlet/martlet.h": HEADER + "#include <martlet/app.h>\n#include <string>\n"}, ["include/martlet/martlet.h:4 umbrella"]),
    ("code in the umbrella", {**UMBRELLA, "include/martlet/martlet.h": HEADER + "#include <martlet/app.h>\nint x;\n"}, ["include/martlet/martlet.h:4 umbrella"]),
    # layout
    ("a container in a public struct", {"include/martlet/app.h": HEADER + "struct A {\n  int a = 0;\n  std::vector<int> b = {};\n  std::string c;\n};\n"}, ["include/martlet/app.h:5 layout", "include/martlet/app.h:6 layout"]),
    ("marked", {"include/martlet/app.h": HEADER + "struct MARTLET_LAYOUT A {\n  std::vector<int> b = {};\n  std::vector<int> c() const;\n};\n"}, []),
    ("what holds what is marked", {"include/martlet/app.h": HEADER + "struct MARTLET_LAYOUT A {\n  std::string b;\n};\nclass B {\n public:\n  explicit B(A a);\n  A* c;\n private:\n  A d;\n};\n"}, ["include/martlet/app.h:11 layout"]),
    ("a marked type announced without its mark", {"include/martlet/a.h": HEADER + "struct A;\nstruct MARTLET_LAYOUT B;\n", "include/martlet/b.h": HEADER + "struct MARTLET_LAYOUT A {\n  int c = 0;\n};\nstruct MARTLET_LAYOUT B {\n  int c = 0;\n};\n"}, ["include/martlet/a.h:3 layout"]),
    ("a function that returns a container", {"include/martlet/app.h": HEADER + "std::vector<int> a(int);\nMARTLET_LAYOUT std::vector<int> b();\nvoid c(const std::vector<int>& d);\nstd::string e();\n"}, ["include/martlet/app.h:3 layout"]),
    ("views are no containers", {"include/martlet/app.h": HEADER + "struct A {\n  std::string_view b;\n  std::span<const int> c;\n  void d(const std::string& e);\n};\n"}, []),
    # words
    ("std::function", source("std::function<void()> f;\n"), ["src/base/x.cc:2 words"]),
    ("shared_ptr", source("std::shared_ptr<int> a;\nauto b = make_shared<int>();\n"), ["src/base/x.cc:2 words", "src/base/x.cc:3 words"]),
    ("RTTI", source("auto* a = dynamic_cast<B*>(c);\n"), ["src/base/x.cc:2 words"]),
    ("words in comments and literals do not count", source('// not a std::function\nconst char* a = "shared_ptr";\n'), []),
    # sizes
    ("a long function", source("int f() {\n" + LONG + "}\n"), ["src/base/x.cc:2 function-size"]),
    ("at the limit", source("int f() {\n" + "  f();\n" * 58 + "}\n"), []),
    ("a long member of a class template", source("template <typename T, int N = (3 > 2)>\nclass C<T(int)> final : public B<T> {\n public:\n  C() noexcept : a_{1}, b_(2) {\n" + LONG + "  }\n  int a_{0};\n};\n"), ["src/base/x.cc:5 function-size"]),
    ("a long operator", source("struct C {\n  [[nodiscard]] bool operator==(const C& o) const noexcept {\n" + LONG + "  }\n};\n"), ["src/base/x.cc:3 function-size"]),
    ("a long lambda at namespace scope", source("constexpr auto f = [](int a) {\n" + LONG + "};\n"), ["src/base/x.cc:2 function-size"]),
    ("a long function with default arguments", source("Result<int> f(const Options& o = {}, int n = 3) {\n" + LONG + "}\n"), ["src/base/x.cc:2 function-size"]),
    ("a long function of a nested namespace", source("namespace a::b {\nnamespace {\nstruct S { int x = 0; } s;\nvoid S::f() const& {\n" + LONG + "}\n}\n}\n"), ["src/base/x.cc:5 function-size"]),
    ("a long class, table or enum is no function", source("struct S {\n" + "  int a = f(1);\n" * 99 + "};\nenum class E : int {\n" + "  a,\n" * 99 + "};\nconst int t[] = {\n" + "  1,\n" * 99 + "};\n"), []),
    ("braces in literals", source("char a = '{'; const char* b = \"{\"; const char* c = R\"x({{{)x\"; int d = 1'000'000;\nint f() { return u8'}'; }\n"), []),
    ("a switch with leave", source("// A switch-shaped state machine.\nint f() {\n  switch (x) {\n" + cases_of(5) + "  }\n}\n"), []),
    ("a switch without leave", source("int f() {\n  switch (x) {\n" + cases_of(5) + "  }\n}\n"), ["src/base/x.cc:2 function-size"]),
    ("a switch with a long case", source("// A switch-shaped state machine.\nint f() {\n  switch (x) {\n" + cases_of(4) + "    case A::b:\n      g(a ? b : c);\n" + "      f();\n" * 5 + "  }\n}\n"), ["src/base/x.cc:65 function-size"]),
    ("a switch beyond its limit", source("// A switch-shaped state machine.\nint f() {\n  switch (x) {\n" + cases_of(3) * 3 + "  }\n}\n"), ["src/base/x.cc:3 function-size"]),
    ("a long file", source("int x;\n" * 500), ["src/base/x.cc:1 file-size"]),
    ("a long file with contents", {"src/base/x.cc": "// A file.\n//\n// Contents: one, two.\n" + "int x;\n" * 500}, []),
    # opening
    ("no opening comment", {"src/base/x.cc": "int x;\n"}, ["src/base/x.cc:1 opening"]),
    ("tests have one too", {"tests/x_test.cc": "int x;\n"}, ["tests/x_test.cc:1 opening"]),
    ("no pragma once", {"src/base/x.h": HEAD}, ["src/base/x.h:1 opening"]),
    # ifdef
    ("ifdef in a function", source("void f() {\n#ifdef X\n  g();\n#else\n  h();\n#endif\n}\n"), ["src/base/x.cc:3 ifdef", "src/base/x.cc:5 ifdef"]),
    ("ifdef around functions", source("#if X\nvoid f() {\n  g();\n}\n#else\nvoid f() {\n}\n#endif\n"), []),
    ("socket.cc may", {"src/sys/socket.cc": HEAD + "void f() {\n#ifdef X\n  g();\n#endif\n}\n"}, []),
    ("an exception that nobody needs", {"src/sys/socket.cc": HEAD + "void f() {}\n"}, ["tests/lint/lint.py:1 exception"]),
    # todo
    ("TODO", source("// TODO: later\n// TODO(#12): then\n// FIXME\n"), ["src/base/x.cc:2 todo", "src/base/x.cc:4 todo"]),
    ("TODO in a test", {"tests/x_test.cc": HEAD + "// TODO\n"}, ["tests/x_test.cc:2 todo"]),
    # dead code
    ("features with tests", {"tests/features.md": "| R-01 | a | `tests/x_test.cc: x: y` `tests/y.test.mjs: z` |\n| R-02 | b | not here: later |\n",
                             "tests/x_test.cc": HEAD + 'TEST_CASE("x: y") {}\n', "tests/y.test.mjs": "test('z', () => {});\n"}, []),
    ("features whose tests a function makes", {"tests/features.md": "| R-01, R-02 | a | `tests/y.test.mjs: all: red` `tests/y.test.mjs: 7 of red` |\n| R-02 | b | `tests/y.test.mjs: 7 of red` |\n| R-03 | c | `tests/y.test.mjs: all: blue` |\n",
                                               "tests/y.test.mjs": "const all = (name) => test(`all: ${name}`, f);\nall('red');\ntest(`${7} of ${x}`, f);\n"},
     ["tests/features.md:2 features", "tests/features.md:3 features"]),
    ("features without", {"tests/features.md": "| R-01 | a | `tests/x_test.cc: x: z` |\n| R-02 | b | |\n| R-02 | b | not here: later |\n| R-03 | c | `tests/none.cc: x: y` |\n",
                          "tests/x_test.cc": HEAD + 'TEST_CASE("x: y") {}\n'}, [f"tests/features.md:{n} features" for n in (1, 2, 3, 4)]),
    ("commented-out code", source("int a;\n// return f(a);\n  // a = b + c;\n// }\n"), ["src/base/x.cc:3 dead-code", "src/base/x.cc:4 dead-code", "src/base/x.cc:5 dead-code"]),
    ("prose and examples of use", source("//     app.get(1);\n// the key comes first (see below);\n// for each of them;\n"), []),
    # unreadable
    ("brackets that do not match", source("int f() { return (1; }\n"), ["src/base/x.cc:2 unreadable"]),
]


def run(files):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            full = os.path.join(root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as f:
                f.write(text)
        return sorted({f"{path}:{line} {rule}" for path, line, rule, _ in lint.lint(root)})


def run_headers():
    """check_headers must fail for a header that does not stand alone, for one that warns, and for martlet.h where a header needs exceptions, and
    pass a good one."""
    files = {
        "include/martlet/good.h": HEADER + "inline int f(int a) { return a; }\n",
        "include/martlet/needs.h": HEADER + "inline std::string f() { return {}; }\n",
        "include/martlet/throws.h": HEADER + "inline void g() { throw 1; }\n",
        "include/martlet/martlet.h": HEADER + "#include <martlet/good.h>\n#include <martlet/throws.h>\n",
        "src/base/warns.h": HEADER + "inline short f(int a) { return a; }\n",
    }
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
            with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                f.write(text)
        count, failures = lint.check_headers(root, lint.usable_compilers()[:1])
        return [f.split(" ")[0] for f in failures], count


def main():
    failed = 0
    for title, files, expected in CASES:
        found = run(files)
        if found != sorted(expected):
            failed += 1
            print(f"selftest: {title}: expected {sorted(expected)}, found {found}")
    headers, count = run_headers()
    if sorted(set(headers)) != ["include/martlet/martlet.h", "include/martlet/needs.h", "src/base/warns.h"] or count != 8:
        failed += 1
        print(f"selftest: headers alone: {headers} of {count}")
    rules = {finding.split(" ")[1] for _, _, expected in CASES for finding in expected}
    documented = {line.split()[0] for line in lint.__doc__.split("The rules\n")[1].split("\n\n")[0].split("\n") if line[2:3].strip()}
    if rules != documented:
        failed += 1
        print(f"selftest: rules without a case that fails, or the other way round: {sorted(rules ^ documented)}")
    print(f"selftest: {len(CASES) + 2} cases, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
