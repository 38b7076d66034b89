#!/usr/bin/env python3
"""Compiles the blocks of C++ in a chapter of the guide: what it shows works.

    tests/lint/guide.py COMPILER [ROOT]

A block with types or functions stands in the namespace, all others in functions of their own, after it, with what handlers
have at hand. A chapter that needs what a compiler does not have (NEEDS) is left out for that one.
"""
import os
import re
import shlex
import subprocess
import sys

CHAPTERS = ["Routes", "Requests and responses", "Middleware", "Errors", "JSON", "Coroutines", "Tests"]
NEEDS = {"Coroutines": "defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)"}
# What the blocks of a chapter take for granted.
GIVEN = {"Coroutines": "struct Row { int id = 0; };\nMARTLET_JSON(Row, id)\nstd::vector<Row> query_database(int page);\nvoid note(std::string_view what, std::chrono::nanoseconds took);\n"}
HEAD = """#include <martlet/martlet.h>
#include <chrono>
#include <optional>
#include <string>
#include <vector>
using namespace martlet;
using namespace martlet::literals;
"""


def blocks(guide, chapter):
    text = guide.split(f"\n## {chapter}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"```cpp\n(.*?)```", text, re.S)


def program(chapter, found):
    types = [b for b in found if re.search(r"^(?:struct|enum)\b|^Task<.*> \w+\(.*\{", b, re.M)]
    rest = [b for b in found if b not in types]
    bodies = [f"void block_{i}([[maybe_unused]] App& app, [[maybe_unused]] WebSocket ws) {{\n{b}}}\n" for i, b in enumerate(rest)]
    text = HEAD + GIVEN.get(chapter, "") + "".join(types + bodies)
    needs = NEEDS.get(chapter)
    return f"#include <version>\n#if {needs}\n{text}#endif\n" if needs else text


def main():
    compiler = shlex.split(sys.argv[1])
    root = sys.argv[2] if len(sys.argv) > 2 else "."
    guide = open(os.path.join(root, "docs/guide.md"), encoding="utf-8").read()
    failed = 0
    for chapter in CHAPTERS:
        found = blocks(guide, chapter)
        flags = ["-std=c++20", "-Wall", "-Wextra", "-Werror", "-I", os.path.join(root, "include"), "-fsyntax-only", "-x", "c++", "-"]
        status = subprocess.run(compiler + flags, input=program(chapter, found), text=True).returncode
        failed += status != 0 or not found
        print(f"guide: {chapter}: {len(found)} blocks, {'failed' if status else 'compiled'}")
    return 1 if failed else 0


sys.exit(main())
