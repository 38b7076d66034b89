"""What a Mach-O program is and needs, read from its load commands: make check-macos calls it, since Linux has no otool.

    macho.py CPU PROGRAM...      CPU is aarch64 or x86_64

Fails unless each is an executable of that CPU for macOS, links nothing but what every Mac has, takes its events from
kqueue and calls nothing that belongs to another system. Standard library only.

A Mach-O file is a header, load commands (each begins with its type and its size), and what they point at.
"""
import os
import struct
import sys

CPUS = {'x86_64': 0x01000007, 'aarch64': 0x0100000C}
MAGIC_64, EXECUTABLE, PLATFORM_MACOS = 0xFEEDFACF, 2, 1
SYMTAB, BUILD_VERSION, CODE_SIGNATURE = 0x2, 0x32, 0x1D
DYLIBS = (0xC, 0x80000018, 0x8000001F, 0x20, 0x80000023)  # load, weak, re-export, lazy, upward
SYSTEM = ('/usr/lib/libSystem.B.dylib', '/usr/lib/libc++.1.dylib')
WANTED = {'_kqueue', '_kevent'}
UNWANTED = {'_accept4', '_epoll_wait', '_eventfd', '_getaddrinfo', '_gethostbyname'}


def text(data, at):
    return data[at:data.index(b'\0', at)].decode()


def undefined_symbols(data, command):
    """Names that the dynamic linker has to find (nlist_64: name, type, section, description, value)."""
    at, count, names = struct.unpack_from('<3I', data, command + 8)
    for i in range(count):
        name, kind = struct.unpack_from('<IB', data, at + 16 * i)
        if kind & 0xEF == 1:  # external and undefined; 0x10 only says "private"
            yield text(data, names + name)


def check(cpu, path):
    """Findings; none is good. Prints a line about what is there."""
    with open(path, 'rb') as file:
        data = file.read()
    if len(data) < 32 or struct.unpack_from('<I', data)[0] != MAGIC_64:
        return ['is not a Mach-O file of 64 bits']
    found_cpu, _, kind, commands = struct.unpack_from('<4I', data, 4)
    dylibs, symbols, version, signed = [], set(), None, False
    at = 32
    for _ in range(commands):
        command, size = struct.unpack_from('<2I', data, at)
        if command in DYLIBS:
            dylibs.append(text(data, at + struct.unpack_from('<I', data, at + 8)[0]))
        elif command == SYMTAB:
            symbols = set(undefined_symbols(data, at))
        elif command == BUILD_VERSION:
            platform, least = struct.unpack_from('<2I', data, at + 8)
            version = f'{least >> 16}.{least >> 8 & 255}' if platform == PLATFORM_MACOS else None
        elif command == CODE_SIGNATURE:
            signed = True
        at += size
    findings = []
    if found_cpu != CPUS[cpu]:
        findings.append(f'is for the CPU {found_cpu:#x}, not for {cpu}')
    if kind != EXECUTABLE:
        findings.append(f'is of the type {kind}, not an executable')
    if not version:
        findings.append('does not say that it is for macOS')
    if cpu == 'aarch64' and not signed:
        findings.append('has no signature, without which an arm64 Mac runs nothing')
    if not dylibs or set(dylibs) - set(SYSTEM):
        findings.append(f'links {", ".join(dylibs) or "nothing"}; wanted: {" and ".join(SYSTEM)}')
    if WANTED - symbols:
        findings.append(f'does not call {" ".join(sorted(WANTED - symbols))}')
    if UNWANTED & symbols:
        findings.append(f'calls {" ".join(sorted(UNWANTED & symbols))}')
    print(f'  {len(data):8} {path}: Mach-O, {cpu}, macOS {version} or later, {" ".join(map(os.path.basename, dylibs))}')
    return findings


def main():
    cpu, *paths = sys.argv[1:]
    findings = [f'{path} {finding}' for path in paths for finding in check(cpu, path)]
    sys.exit('\n'.join(findings) or (None if paths else 'no program given'))


main()
