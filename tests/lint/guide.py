#!/usr/bin/env python3
"""Compiles the blocks of C++ in a chapter of the guide, those of the chapters with a file of their own, those of the README, which are
whole programs, and the right columns of coming_from.md: what they show works.

    tests/lint/guide.py COMPILER [ROOT]

A block with types or functions stands in the namespace, all others in functions of their own, after it, with what handlers
have at hand. A chapter that needs what a compiler does not have (NEEDS) is left out for that one.
"""
import os
import re
import shlex
import subprocess
import sys

CHAPTERS = ["Routes", "Requests and responses", "Middleware", "Guards", "Errors", "JSON", "Coroutines", "Tokens", "WebSockets", "Rooms", "Tests"]
# Chapters that are files of their own.
FILES = ["history.md", "security.md", "sessions.md", "topics.md"]
NEEDS = {"Coroutines": "defined(__cpp_impl_coroutine) && defined(__cpp_lib_coroutine)"}
# What the blocks of a chapter take for granted.
GIVEN = {"Guards": "Result<Json> ask_for_rates();\n",
         "Coroutines": "struct Row { int id = 0; };\nMARTLET_JSON(Row, id)\nstd::vector<Row> query_database(int page);\nvoid note(std::string_view what, std::chrono::nanoseconds took);\n"}
HEAD = """#include <martlet/martlet.h>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>
using namespace martlet;
using namespace martlet::literals;
"""


def blocks(guide, chapter):
    text = guide.split(f"\n## {chapter}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"```cpp\n(.*?)```", text, re.S)


def program(chapter, found):
    types = [b for b in found if re.search(r"^(?:struct|enum)\b|^Task<.*> \w+\(.*\{|^SessionStore \w+\(", b, re.M)]
    rest = [b for b in found if b not in types]
    bodies = [f"void block_{i}([[maybe_unused]] App& app, [[maybe_unused]] WebSocket ws) {{\n{b}}}\n" for i, b in enumerate(rest)]
    text = HEAD + GIVEN.get(chapter, "") + "".join(types + bodies)
    needs = NEEDS.get(chapter)
    return f"#include <version>\n#if {needs}\n{text}#endif\n" if needs else text


def table_program(text):
    """The right cells of all tables: each in a function of its own, what makes functions itself in a namespace of its own."""
    cells = [m.group(1) for m in re.finditer(r"^\|.*\| `([^`]*)` \|$", text, re.M)]
    out = HEAD.replace("using namespace martlet;", "#include <span>\nusing namespace martlet;")
    for i, cell in enumerate(cells):
        if cell.startswith("MARTLET_"):
            out += f"namespace cell_{i} {{\n{cell}\n}}\n"
        else:
            given = "App& app, RouteServer& server, WebSocket ws, Request& req"
            out += f"void cell_{i}({given.replace('App&', '[[maybe_unused]] App&').replace(', ', ', [[maybe_unused]] ')});\n"
            out += f"void cell_{i}({given.replace('App&', '[[maybe_unused]] App&').replace(', ', ', [[maybe_unused]] ')}) {{\n  {cell}\n}}\n"
    return len(cells), out


def main():
    compiler = shlex.split(sys.argv[1])
    root = sys.argv[2] if len(sys.argv) > 2 else "."
    guide = open(os.path.join(root, "docs/guide.md"), encoding="utf-8").read()
    readme = open(os.path.join(root, "README.md"), encoding="utf-8").read()
    found = {chapter: blocks(guide, chapter) for chapter in CHAPTERS}
    texts = [(chapter, len(found[chapter]), program(chapter, found[chapter])) for chapter in CHAPTERS]
    for name in FILES:
        with open(os.path.join(root, "docs", name), encoding="utf-8") as file:
            found[name] = re.findall(r"```cpp\n(.*?)```", file.read(), re.S)
        texts.append((name, len(found[name]), program(name, found[name])))
    programs = re.findall(r"```cpp\n(.*?)```", readme, re.S)
    coming = open(os.path.join(root, "docs/coming_from.md"), encoding="utf-8").read()
    texts += [("coming_from.md", *table_program(coming))]
    texts += [("the README's", 1, text) for text in programs] or [("the README's", 0, "")]
    flags = ["-std=c++20", "-Wall", "-Wextra", "-Werror", "-I", os.path.join(root, "include"), "-fsyntax-only", "-x", "c++", "-"]
    failed = 0
    for what, count, text in texts:
        status = subprocess.run(compiler + flags, input=text, text=True).returncode
        failed += status != 0 or not count
        print(f"guide: {what}: {count} blocks, {'failed' if status else 'compiled'}")
    return 1 if failed else 0


sys.exit(main())
