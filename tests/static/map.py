"""Where the bytes of a binary go: reads the map that `ld.lld --print-map` writes and adds up the loaded bytes of each
object file. make static-map calls it.
"""
import collections
import re
import sys

LINE = re.compile(r'\s*[0-9a-f]+\s+[0-9a-f]+\s+([0-9a-f]+)\s+\d+ (.*)$')
NOT_IN_FILE = ('.debug', '.bss', '.tbss', '.comment', '.symtab', '.strtab', '.shstrtab')


def bytes_by_object(lines):
    """Object file (or "archive(member)") to bytes. The columns behind the numbers are nested by their indent."""
    total = collections.Counter()
    section = ''
    for line in lines:
        match = LINE.match(line)
        if not match:
            continue
        size, rest = int(match[1], 16), match[2]
        if not rest.startswith(' '):
            section = rest
        elif not rest.startswith(' ' * 16) and not section.startswith(NOT_IN_FILE):
            total[re.sub(r'.*/', '', rest.strip().split(':(')[0])] += size
    return total


def group(name):
    if name.startswith('libmartlet.a'):
        return 'martlet'
    return {'cxa_demangle.o)': 'demangler of libc++abi', 'echo.o': 'the program itself',
            '<internal>': 'strings and constants, merged'}.get(name, 'libc++, libc++abi, libunwind, musl')


def main():
    total = bytes_by_object(sys.stdin)
    groups = collections.Counter()
    for name, size in total.items():
        groups[group(name)] += size
    for title, counts in (('by owner', groups), ('by object file, from 1,000 bytes', total)):
        print(f'{title}:')
        for name, size in counts.most_common():
            if size >= 1000 or counts is groups:
                print(f'{size:8}  {name}')
    print(f'{sum(total.values()):8}  in all')


main()
