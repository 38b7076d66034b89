#!/usr/bin/env python3
"""Checks what the design promises and the compiler does not see.

    tests/lint/lint.py [ROOT]             the rules below, over src/, include/, examples/ and tests/
    tests/lint/lint.py --headers [ROOT]   compiles every header alone, with each compiler of $LINT_CXX (g++ clang++), and the
                                          public ones in use, as strictly as their users may, with each that is there

Findings are printed as path:line: [rule] message; the exit status is 1 when there are any. Standard library only.

The rules
  layering      a file includes its own folder and what is left of it in the chains of LAYERS; of the public headers
                those of LOW_HEADERS are visible everywhere, the others from session up
  system        only src/sys includes headers of the operating system; intrinsics are for src/simd; the public headers
                name no operating system; <iostream> and <regex> are for nobody, <coroutine> for awaiting.h alone
  layout        what holds or returns containers in a public header is marked MARTLET_LAYOUT (config.h says why)
  umbrella      martlet.h includes every public header and nothing else
  words         std::function, shared_ptr, RTTI and the like, which cost size or portability
  function-size 60 lines from brace to brace; 100 where the comment above says "switch-shaped" and no case has more
                than 5 lines
  file-size     500 lines in src/ and include/, unless the opening comment has a line with the word Contents
  opening       every file opens with a comment; headers have #pragma once
  ifdef         no conditional compilation inside a function (EXCEPTIONS lists where)
  features      each row of tests/features.md names tests that are there, or says why there is none
  todo          TODO names an issue: TODO(#123)
  dead-code     no commented-out code
  unreadable    braces do not match: this program cannot read the file
  exception     an entry of EXCEPTIONS that nothing needs any more

The reader of C++ here is a small one: it blanks comments and literals and matches braces. selftest.py shows for each
rule that it can fail, and what the reader copes with.
"""
import bisect
import os
import re
import shlex
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

# Folder of src/ -> the folders it may include, besides itself.
LAYERS = {
    "base": [],
    "simd": ["base"],
    "codec": ["simd", "base"],
    "json": ["codec", "simd", "base"],
    "proto": ["codec", "simd", "base"],
    "sys": ["base"],
    "net": ["sys", "base"],
}
LAYERS["session"] = ["base", "codec", "net", "proto", "simd", "sys"]
LAYERS["worker"] = ["session"] + LAYERS["session"]
LAYERS["routing"] = ["worker"] + LAYERS["worker"]
LAYERS["http"] = LAYERS["realtime"] = ["json", "routing"] + LAYERS["routing"]  # side by side: neither includes the other
LAYERS["guards"] = ["base", "codec", "json"]  # what a user could have written
LAYERS["operations"] = ["json", "worker"] + LAYERS["worker"]
LAYERS["client"] = ["json", "session"] + LAYERS["session"]
LAYERS["cluster"] = ["json", "worker"] + LAYERS["worker"]
LAYERS["app"] = ["http", "realtime"] + LAYERS["http"]  # included by none
SEES_ALL_PUBLIC = {"session", "worker", "routing", "http", "realtime", "guards", "operations", "client", "cluster", "app"}
LOW_HEADERS = {"error.h", "function.h", "compression.h", "config.h", "cookie.h", "json.h", "json_containers.h", "json_forward.h", "json_members.h", "json_reader.h", "json_types.h", "json_writer.h", "log.h", "log_destination.h", "options.h", "proxies.h", "random.h", "websocket_names.h"}

STANDARD = set(
    """algorithm any array atomic barrier bit bitset charconv chrono codecvt compare complex concepts condition_variable
    coroutine deque exception execution filesystem format forward_list fstream functional future initializer_list iomanip
    ios iosfwd iostream istream iterator latch limits list locale map memory memory_resource mutex new numbers numeric
    optional ostream queue random ranges ratio regex scoped_allocator semaphore set shared_mutex source_location span
    sstream stack stdexcept stop_token streambuf string string_view strstream syncstream system_error thread tuple
    type_traits typeindex typeinfo unordered_map unordered_set utility valarray variant vector version
    cassert cctype cfenv cfloat cinttypes climits clocale cmath csetjmp cstdarg cstddef cstdint cstdio cstdlib cstring
    ctime cuchar cwchar cwctype
    assert.h ctype.h fenv.h float.h inttypes.h limits.h locale.h math.h setjmp.h stdarg.h stddef.h stdint.h stdio.h
    stdlib.h string.h time.h uchar.h wchar.h wctype.h""".split()
)  # <cerrno> and <csignal> are missing on purpose: they are the operating system's
INTRINSICS = re.compile(r"(?:\w*intrin|arm_neon|arm_acle|cpuid|sys/auxv)\.h$")  # sys/auxv.h: what an ARM CPU can do
BANNED_HEADERS = {"iostream", "regex"}

# (pattern, why); looked for in src/ and include/ with comments and literals blanked.
WORDS = [
    (r"\bstd::function\b", "std::function allocates; use martlet::Function"),
    (r"\b(?:std::)?(?:shared_ptr|weak_ptr|make_shared|enable_shared_from_this)\b", "shared ownership has no place here; use ids"),
    (r"\bdynamic_cast\b|\btypeid\b", "the library is built without RTTI"),
    (r"\bstd::(?:cout|cerr|clog|cin)\b", "the streams cost a megabyte in a static binary"),
    (r"\bjthread\b", "libc++ lags on jthread; use std::thread"),
    (r"\bgetaddrinfo\b|\bgethostbyname\w*\b", "addresses are numeric: a static binary cannot use the resolver"),
    (r"\btarget_clones\b|\bifunc\b", "musl does not have it; use the table in kernels.h"),
]

# (path, rule) -> why the rule does not hold there. An entry that is not needed any more is itself a finding.
EXCEPTIONS = {
    ("src/sys/socket.cc", "ifdef"): "the one file where the variants are a line each",
    ("include/martlet/function.h", "ifdef"): "try does not compile without exceptions, and the thunk must be in the user's unit",
}

# Containers whose layout or name depends on how a unit is compiled; strings as well where they lie inside something (what
# returns one is told apart by the library's own tag).
CONTAINER = r"std::(?:vector|deque|list|forward_list|map|set|multimap|multiset|unordered_\w+|bitset)\b"
STRING = r"std::(?:string\b(?!_view)|basic_string\b)"

FUNCTION_LINES, SWITCH_LINES, CASE_LINES, FILE_LINES = 60, 100, 5, 500

LITERAL_OR_COMMENT = re.compile(
    r"""(?P<comment>//(?:\\\n|[^\n])*|/\*.*?\*/)
      |R"(?P<mark>[^\s()\\]{0,16})\(.*?\)(?P=mark)"
      |"(?:\\.|[^"\\\n])*"
      |(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'
      |\b(?:u8)'(?:\\.|[^'\\\n])+'""",
    re.S | re.X,
)
DIRECTIVE = re.compile(r"^[ \t]*#(?:\\\n|[^\n])*", re.M)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)
CASE = re.compile(r"\b(?:case\b(?:::|[^:;{}])*|default\s*):(?!:)")


def blank(match):
    return re.sub(r"[^\n]", " ", match.group())


class File:
    """A source file in three readings: `text` as it is, `code` without comments and literals, and without directives."""

    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), encoding="utf-8") as f:
            self.text = f.read()
        self.no_comments = LITERAL_OR_COMMENT.sub(lambda m: blank(m) if m.group("comment") else m.group(), self.text)
        with_directives = LITERAL_OR_COMMENT.sub(blank, self.text)
        self.code = DIRECTIVE.sub(blank, with_directives)
        self.directives = [(self.line(m.start()), m.group()) for m in DIRECTIVE.finditer(with_directives)]
        self.lines = self.text.split("\n")
        self.includes = [(self.line(m.start()), m.group(1), m.group(2)) for m in INCLUDE.finditer(self.no_comments)]
        self.closer, self.stray = match_brackets(self.code)

    def line(self, position):
        if not hasattr(self, "newlines"):
            self.newlines = [m.start() for m in re.finditer("\n", self.text)]
        return bisect.bisect_left(self.newlines, position) + 1

    @property
    def folder(self):  # "base" for src/base/x.h
        parts = self.path.split("/")
        return parts[1] if parts[0] == "src" and len(parts) > 2 else None

    def opening(self):
        """The comment that the file opens with, as a list of lines."""
        lines = self.lines[1:] if self.lines[0].startswith("#!") else self.lines
        if lines and lines[0].startswith("/*"):
            return self.text[: self.text.find("*/")].split("\n")
        count = next((i for i, line in enumerate(lines) if not line.startswith("//")), len(lines))
        return lines[:count]

    def comment_above(self, line):
        """The lines of comment that end just above `line` (1-based)."""
        first = line - 1
        while first > 0 and self.lines[first - 1].lstrip().startswith(("//", "*", "/*")):
            first -= 1
        return "\n".join(self.lines[first : line - 1])


def match_brackets(code):
    """Position of each opening bracket -> position of its closing one; and the first that has none, or None."""
    closer, opened = {}, []
    for m in re.finditer(r"[(){}\[\]]", code):
        c = m.group()
        if c in "({[":
            opened.append(m.start())
        elif opened and code[opened[-1]] + c in ("()", "{}", "[]"):
            closer[opened.pop()] = m.start()
        else:
            return closer, m.start()
    return closer, opened[-1] if opened else None


def without_angles(head, before):
    """`head` without the <...> that follow the pattern `before`, and without what matched that."""
    while True:
        m = re.search(before + r"\s*<", head)
        if not m:
            return head
        depth, i = 1, m.end()
        while i < len(head) and depth:
            depth += {"<": 1, ">": -1}.get(head[i], 0) if head[i - 1 : i + 1] not in ("->", "<=", ">=") else 0
            i += 1
        head = head[: m.start()] + " " + head[i:]


class Function:
    def __init__(self, name, start, opens, closes):
        self.name, self.start, self.opens, self.closes = name, start, opens, closes


# What a brace opens, told from the text between the end of the statement before and the brace.
SCOPE, BODY, MEMBER_INIT, OTHER = range(4)


def classify(raw_head):
    head = without_angles(raw_head, r"\btemplate")
    head = re.sub(r"\[\[.*?\]\]|\b(?:alignas|__attribute__|__declspec|decltype|requires)\s*\(\)|\b(?:public|private|protected)\s*:(?!:)", " ", head)
    head = head.strip()
    if re.match(r"(?:inline\s+)?namespace\b|extern$", head):
        return SCOPE, ""
    if re.match(r"(?:typedef\s+|static\s+|inline\s+|constexpr\s+)*enum\b", head):
        return OTHER, ""
    operator = re.search(r"\boperator\s*(\(\)|[^\s(]+|\s+\w[^(]*)", head)
    plain = head[: operator.start()] + "operator_" + head[operator.end() :] if operator else head
    if re.match(r"(?:typedef\s+)?(?:class|struct|union)\b", plain) and not re.search(r"\(\)|=", without_angles(plain, r"\w+")):
        return SCOPE, ""
    if "()" not in plain:
        return OTHER, ""
    if re.search(r"(?<![=!<>])=(?!=)", plain):  # an initialiser; a lambda is a function all the same
        return (BODY, "lambda") if re.search(r"=\s*\[\](?:\s*\(\))?[^=;]*$", plain) else (OTHER, "")
    if re.search(r"\(\)\s*(?:noexcept\s*(?:\(\))?\s*)?:(?!:)", plain) and re.search(r"[\w>]$", plain):
        return MEMBER_INIT, ""
    name = re.search(r"([~\w:]+)\s*\(\)", plain)
    name = "operator" if operator else name.group(1) if name else "?"
    return BODY, name


def functions(file):
    """Every function with a body at namespace or class scope, local ones not counted."""
    code, closer, found = file.code, file.closer, []
    head_start, head, i = 0, "", 0
    tokens = re.compile(r"[({;}\[]")
    while True:
        m = tokens.search(code, i)
        if not m:
            return found
        at, c = m.start(), m.group()
        head += code[i:at]
        i = at + 1
        if c in "([":
            # A bracket in a head is kept as an empty one; its content does not matter, [[attributes]] vanish.
            head += c + {"(": ")", "[": "]"}[c] if not code.startswith("[[", at) else ""
            i = closer[at] + 1
        elif c in ";}":
            head, head_start = "", i
        else:
            kind, name = classify(head)
            if kind == BODY:
                start = re.compile(r"\s*(?:(?:public|private|protected)\s*:(?!:)\s*)?").match(code, head_start).end()
                found.append(Function(name, start, at, closer[at]))
            if kind in (BODY, SCOPE):
                head, head_start = "", (at if kind == SCOPE else closer[at]) + 1
            if kind != SCOPE:
                i = closer[at] + 1


def long_cases(file, function):
    """(line, count) of each case of a switch that has more lines of code than a case may have."""
    code = file.code
    inner = [(o, c) for o, c in file.closer.items() if code[o] == "{" and function.opens <= o <= function.closes]
    labels = []
    for m in CASE.finditer(code, function.opens, function.closes):
        block = max((o for o, c in inner if o < m.start() < c), default=function.opens)
        labels.append((block, m.start(), m.end()))
    for block, start, end in labels:
        stop = min([s for b, s, _ in labels if b == block and s > start] + [file.closer[block]])
        count = sum(1 for line in code[end:stop].split("\n") if re.search(r"[^\s}]", line))
        if count > CASE_LINES:
            yield file.line(start), count


# ---------------------------------------------------------------- the rules: each yields (path, line, rule, message)


def check_layering(file):
    public = file.path.startswith("include/")
    folder = file.folder
    if folder is not None and folder not in LAYERS:
        yield file.path, 1, "layering", f"src/{folder} is not a folder of the design"
        return
    for line, quote, name in file.includes:
        own = os.path.basename(file.path)
        if name.startswith("martlet/"):
            header = name[len("martlet/") :]
            if header == "needs C++20":
                continue  # where config.h ends the compilation
            if public and own in LOW_HEADERS and header not in LOW_HEADERS:
                yield file.path, line, "layering", f"{own} lies below {header}"
            if folder and folder not in SEES_ALL_PUBLIC and header not in LOW_HEADERS:
                yield file.path, line, "layering", f"src/{folder} may not see <{name}>"
            if quote != "<":
                yield file.path, line, "layering", f"write <{name}>"
        elif quote == '"' and public:
            yield file.path, line, "layering", f'a public header may not include "{name}"'
        elif quote == '"' and folder:
            target = name.split("/")[0] if "/" in name else folder
            if target not in [folder] + LAYERS[folder]:
                yield file.path, line, "layering", f"src/{folder} may not include {name}"
        elif quote == '"' and file.path.startswith("examples/") and "/" in name:
            yield file.path, line, "layering", f"an example is a user: it may not include {name}"


def check_system(file):
    public = file.path.startswith("include/")
    for line, quote, name in file.includes:
        if quote != "<" or name.startswith("martlet/"):
            continue
        if name in BANNED_HEADERS:
            yield file.path, line, "system", f"<{name}> is not used in martlet"
        elif name == "coroutine" and file.path != "include/martlet/awaiting.h":
            yield file.path, line, "system", "<coroutine> is for awaiting.h alone"
        elif INTRINSICS.search(name):
            if file.folder != "simd":
                yield file.path, line, "system", f"intrinsics are for src/simd: <{name}>"
        elif name not in STANDARD and (public or file.folder != "sys"):
            yield file.path, line, "system", f"only src/sys may include <{name}>"


def check_umbrella(files):
    public = {f.path[len("include/") :]: f for f in files if f.path.startswith("include/martlet/")}
    umbrella = public.pop("martlet/martlet.h", None)
    if not umbrella:
        return
    included = {name for _, _, name in umbrella.includes}
    for line, _, name in umbrella.includes:
        if name not in public:
            yield umbrella.path, line, "umbrella", f"<{name}> is not a public header"
    for name in sorted(set(public) - included):
        yield umbrella.path, 1, "umbrella", f"<{name}> is missing"
    rest = re.search(r"\S", umbrella.code)
    if rest:
        yield umbrella.path, umbrella.line(rest.start()), "umbrella", "martlet.h holds nothing but includes"


def statements(file, begin, end):
    """(position, text) of each statement between two positions, what is in its brackets left out."""
    start, text, i = begin, "", begin
    while i < end:
        if file.code[i] in "({[" and i in file.closer:
            text += file.code[i] + file.code[file.closer[i]]
            i = file.closer[i]
        else:
            text += file.code[i]
        if file.code[i] == ";" or text.endswith(":") and not text.endswith("::") and re.search(r"\b(?:public|private|protected):$", text):
            yield start, text.strip()
            start, text = i + 1, ""
        elif text.endswith("{}") and re.search(r"\)[^=]*\{\}$", text):  # the body of a function
            yield start, text.strip()
            start, text = i + 1, ""
        i += 1


def check_layout(files):
    """Members and results of public headers, and what is made of marked types."""
    public = [f for f in files if f.path.startswith("include/martlet/") and f.stray is None]
    types = [(f, m) for f in public for m in re.finditer(r"\b(?:struct|class)\s+(MARTLET_LAYOUT\s+)?(\w+)(?:\s+final)?[^;{}()<>]*\{", f.code)]
    marked = "|".join(sorted({m.group(2) for _, m in types if m.group(1)}) or ["(?!)"])
    holds = re.compile(rf"{CONTAINER}|{STRING}|\b(?:{marked})\b(?!\s*[&*])")
    returns = re.compile(rf"{CONTAINER}\s*<[^;(){{}}=]*>\s+\w+\s*\(")
    announced = re.compile(rf"\b(?:struct|class)\s+({marked})\s*;")
    for file in public:
        for m in announced.finditer(file.code):
            yield file.path, file.line(m.start()), "layout", f"the type is marked where it is defined: struct MARTLET_LAYOUT {m.group(1)};"
    for file, m in types:
        for at, text in statements(file, m.end(), file.closer[m.end() - 1]):
            if m.group(1) or re.match(r"(?:friend|using|template|static|struct|class|enum)\b", text):
                continue
            if "(" not in text and holds.search(text.split("=")[0]):
                yield file.path, file.line(at + len(re.match(r"\s*", file.code[at:]).group())), "layout", f"{m.group(2)} holds a container: struct MARTLET_LAYOUT {m.group(2)}"
    for file in public:
        inside = [(m.end(), file.closer[m.end() - 1]) for f, m in types if f is file and m.group(1)]
        for m in returns.finditer(file.code):
            before = file.code[: m.start()].rsplit("\n", 1)[-1]
            if "MARTLET_LAYOUT" not in before and not any(a < m.start() < b for a, b in inside):
                yield file.path, file.line(m.start()), "layout", "it returns a container: MARTLET_LAYOUT before its type"


def check_words(file):
    for pattern, why in WORDS:
        for m in re.finditer(pattern, file.code):
            yield file.path, file.line(m.start()), "words", f"{m.group()}: {why}"


def check_sizes(file):
    if not file.path.startswith("examples/") and len(file.lines) - 1 > FILE_LINES and not re.search(r"\bcontents\b", "\n".join(file.opening()), re.I):
        yield file.path, 1, "file-size", f"{len(file.lines) - 1} lines; over {FILE_LINES} the opening comment has Contents"
    for f in functions(file):
        length = file.line(f.closes) - file.line(f.opens) + 1
        if length <= FUNCTION_LINES:
            continue
        line = file.line(f.start)
        if "switch-shaped" not in file.comment_above(line):
            yield file.path, line, "function-size", f"{f.name} has {length} lines; {FUNCTION_LINES} is the limit"
        elif length > SWITCH_LINES:
            yield file.path, line, "function-size", f"{f.name} has {length} lines; {SWITCH_LINES} is the limit of a switch"
        else:
            for at, count in long_cases(file, f):
                yield file.path, at, "function-size", f"a case of {count} lines in {f.name}; {CASE_LINES} is the limit"


def check_opening(file):
    if not file.opening():
        yield file.path, 1, "opening", "a file opens with a comment: what it is, and why it is this way"
    if file.path.endswith(".h") and not re.search(r"^#pragma once$", file.text, re.M):
        yield file.path, 1, "opening", "a header has #pragma once"


def check_ifdef(file):
    spans = [(file.line(f.opens), file.line(f.closes)) for f in functions(file)]
    for line, text in file.directives:
        if re.match(r"\s*#\s*(?:if|ifdef|ifndef|elif|else)\b", text) and any(a < line < b for a, b in spans):
            yield file.path, line, "ifdef", "conditional compilation inside a function: make it a file per variant"


def check_todo(file):
    for m in re.finditer(r"\b(?:TODO|FIXME|XXX)\b(?!\(#\d+\))", file.text):
        yield file.path, file.line(m.start()), "todo", f"{m.group()} without an issue: write TODO(#123)"


def check_dead_code(file):
    # Examples of use in comments are indented by three or more; prose may end in a semicolon but not like code.
    code_line = re.compile(r"^\s*// {0,2}(?:(?:return\b|(?:if|for|while) \(|else\b|auto\b|const\b|#).*[;{>]|[\w.:>-]+(?:\(.*\)| = .*);|[}{];?)$")
    for number, line in enumerate(file.lines, 1):
        if code_line.match(line):
            yield file.path, number, "dead-code", f"commented-out code? {line.strip()}"


def check_features(root):
    path = "tests/features.md"
    try:
        text = read(root, path)
    except FileNotFoundError:  # a tree of selftest.py
        return
    rows = set()
    for number, line in enumerate(text.split("\n"), 1):
        row = re.match(r"\| ([A-Z]-\d+(?:, [A-Z]-\d+)*) \|[^|]*\|(.*)\|$", line)
        if not row:
            continue
        name, cell = row.group(1), row.group(2).strip()
        for one in name.split(", "):
            if one in rows:
                yield path, number, "features", f"{one} has a row already"
            rows.add(one)
        tests = re.findall(r"`(tests/\S+): ([^`]+)`", cell)
        if not tests and not re.match(r"not here: \S", cell):
            yield path, number, "features", f"{name} names no test; write `tests/FILE: NAME`, or \"not here: why\""
        for file, test in tests:
            if not has_test(root, file, test):
                yield path, number, "features", f"{file} has no test {test!r}"


def has_test(root, file, name):
    try:
        text = read(root, file)
    except FileNotFoundError:
        return False
    if f'TEST_CASE("{name}"' in text or f"test('{name}'," in text:
        return True
    # One of several that a function or a loop makes, here or in a file that it imports: what it is called by stands here.
    imported = [read(root, os.path.join(os.path.dirname(file), other)) for other in re.findall(r"from '\./([^']+)'", text)]
    for made in re.findall(r"test\(`([^`]+)`,", "\n".join([text, *imported])):
        found = re.fullmatch("(.+)".join(map(re.escape, re.split(r"\$\{[^}]*\}", made))), name)
        if found and all(f"'{part}'" in text or part.isdigit() and re.search(rf"\b{part}\b", text) for part in found.groups()):
            return True
    return False


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def collect(root):
    found = []
    for top, pattern in (("src", r"\.(?:h|cc)$"), ("include", r"\.h$"), ("examples", r"\.(?:h|cc)$"), ("tests", r"\.(?:h|cc)$")):
        for folder, folders, names in os.walk(os.path.join(root, top)):
            folders[:] = [f for f in folders if f != "node_modules"]
            found += [os.path.relpath(os.path.join(folder, n), root).replace(os.sep, "/") for n in names if re.search(pattern, n)]
    return sorted(found)


def lint(root):
    """All findings, less the exceptions."""
    found = list(all_findings(root))
    used = {(path, rule) for path, _, rule, _ in found}
    for path, rule in sorted(set(EXCEPTIONS) - used):
        if os.path.exists(os.path.join(root, path)):
            yield "tests/lint/lint.py", 1, "exception", f"{path} needs no exception from {rule} any more"
    yield from (f for f in found if (f[0], f[2]) not in EXCEPTIONS)


def all_findings(root):
    files = [File(root, path) for path in collect(root)]
    for file in files:
        yield from check_opening(file)
        yield from check_todo(file)
        if file.path.startswith("tests/"):
            continue
        yield from check_layering(file)
        yield from check_dead_code(file)
        if file.stray is not None:
            yield file.path, file.line(file.stray), "unreadable", "this bracket has no partner"
            continue
        yield from check_sizes(file)
        if file.path.startswith("examples/"):
            continue
        yield from check_system(file)
        yield from check_words(file)
        yield from check_ifdef(file)
    yield from check_umbrella(files)
    yield from check_layout(files)
    yield from check_features(root)


# ---------------------------------------------------------------- headers alone


STRICT = "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wold-style-cast -Weffc++".split()
STRICT_GCC = ["-Wuseless-cast"]
# What headers of users and systems define (AssertMacros.h of Apple, windows.h, Xlib.h, <sys/sysmacros.h>), after the standard
# headers and before ours. A name of ours that meets one of them does not compile.
MACROS = ["%s(...)" % name for name in "assert check check_noerr debug_string dprintf major makedev max min minor require require_noerr verify verify_noerr".split()]
MACROS += "Always Bool Complex DELETE ERROR False IN None OPTIONAL OUT Status Success True far interface linux near small unix".split()


def macros_before(files):
    """The start of a unit: the standard headers that the public ones include, and then the macros, each of them nonsense."""
    standard = sorted({name for f in files for _, _, name in f.includes if not name.startswith("martlet/")})
    return "".join(f"#include <{name}>\n" for name in standard) + "".join(f"#undef {m.split('(')[0]}\n#define {m} }}}}]]) a macro\n" for m in MACROS)


def header_jobs(root, compilers):
    """(what, command, source): each header alone with the first compiler, which finds what a header lacks. Of the others, and of
    public headers without exceptions and RTTI, only the warnings are asked for: they take ours together, folder by folder, and
    the public ones as martlet.h, which includes all of them."""
    common = "-std=c++20 -Werror -fsyntax-only -Iinclude".split()
    warnings = common + "-Wall -Wextra -Wshadow -Wconversion -x c++ -".split()
    inside = ["-iquote", "src", "-fno-exceptions", "-fno-rtti"]
    headers = [path for path in collect(root) if path.endswith(".h") and not path.startswith(("tests/", "examples/"))]
    public = [path for path in headers if path.startswith("include/")]
    ours = [path for path in headers if path not in public]
    spelled = {path: f"#include <{path[len('include/'):]}>\n" if path in public else f'#include "{path[len("src/"):]}"\n' for path in headers}
    folders = [(folder, [path for path in ours if os.path.dirname(path) == folder]) for folder in sorted({os.path.dirname(path) for path in ours})]
    for compiler in compilers:
        first = compiler == compilers[0]
        for what, paths in [(path, [path]) for path in ours] if first else folders:
            yield f"{what} ({' '.join([compiler] + inside)})", shlex.split(compiler) + inside + warnings, "".join(spelled[path] for path in paths)
        for path in public:
            whole_too = path == "include/martlet/martlet.h"
            for extra in [[]] * (first or whole_too) + [["-fno-exceptions", "-fno-rtti"]] * whole_too:
                yield f"{path} ({' '.join([compiler] + extra)})", shlex.split(compiler) + extra + warnings, spelled[path]
        if "include/martlet/martlet.h" in public:
            whole = spelled["include/martlet/martlet.h"]
            if "clang" not in compiler:  # a compiler that has none; what the library is made of does without them, too
                yield f"martlet.h ({compiler} -fno-coroutines)", shlex.split(compiler) + ["-fno-coroutines"] + warnings, whole
            yield f"martlet.h behind macros of its words ({compiler})", shlex.split(compiler) + warnings, macros_before([File(root, path) for path in public]) + whole
    in_use = os.path.join(root, "tests/lint/headers_in_use.cc")
    if not os.path.exists(in_use):  # a tree of selftest.py
        return
    for compiler in sorted(set(compilers + strict_compilers())):
        strict = common + STRICT + ([] if "clang" in compiler else STRICT_GCC) + [in_use]
        without_coroutines = [] if "clang" in compiler else [["-fno-coroutines"]]
        for extra in [[], ["-fno-exceptions", "-fno-rtti"]] + without_coroutines:
            yield f"headers_in_use.cc ({' '.join([compiler] + extra + STRICT)})", shlex.split(compiler) + extra + strict, ""


def check_headers(root, compilers):
    def run(job):
        what, command, source = job
        done = subprocess.run(command, input=source, capture_output=True, text=True, cwd=root)
        return what, done.returncode, done.stderr

    failures = []
    count = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for what, code, errors in pool.map(run, list(header_jobs(root, compilers))):
            count += 1
            if code:
                failures.append(f"{what} does not compile alone:\n{errors}")
    return count, failures


def strict_compilers():
    """Those of the versions that are promised, as far as they are installed."""
    names = [f"g++-{n}" for n in range(11, 20)] + [f"clang++-{n}" for n in range(14, 40)]
    return [name for name in names if shutil.which(name)]


def usable_compilers():
    wanted = shlex.split(os.environ.get("LINT_CXX", "g++ clang++"))
    missing = [c for c in wanted if subprocess.run(["sh", "-c", 'command -v "$1"', "sh", c], stdout=subprocess.DEVNULL).returncode]
    if missing:
        sys.exit(f"lint: not installed: {' '.join(missing)}; LINT_CXX= says which compilers to use")
    return wanted


def main():
    args = sys.argv[1:]
    headers = "--headers" in args
    rest = [a for a in args if a != "--headers"]
    root = rest[0] if rest else os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
    if headers:
        count, failures = check_headers(root, usable_compilers())
        print("".join(failures), end="")
        print(f"headers: {count} compilations, {len(failures)} failed")
        return 1 if failures else 0
    findings = sorted(set(lint(root)))
    for path, line, rule, message in findings:
        print(f"{path}:{line}: [{rule}] {message}")
    print(f"lint: {len(collect(root))} files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
