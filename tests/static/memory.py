"""What memory a static echo takes, at rest and at work, and with how little it starts: make static-memory.

    memory.py ECHO            prints a table; the numbers in docs/embedding.md are from here

Resident memory is what /proc/PID/smaps says, by kind of mapping. Then the limits: the smallest stack (ulimit -s) and
address space (ulimit -v) with which the program still answers a request, an upgrade and a WebSocket message of 100 kB,
and ends with 0 on SIGTERM. Standard library only; Linux.
"""
import collections
import os
import resource
import signal
import socket
import subprocess
import sys

MESSAGE = bytes(range(32, 127)) * 1053  # 100 kB of ASCII
CONNECTIONS = 1000


class Echo:
    """The program, under limits ({resource: bytes}); answers nothing when it does not start."""

    def __init__(self, path, limits=None):
        def set_limits():
            for what, most in (limits or {}).items():
                resource.setrlimit(what, (most, most))
        self.process = subprocess.Popen([path, '--port', '0'], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        preexec_fn=set_limits, env={})
        line = self.process.stdout.readline().decode()
        self.port = int(line.rsplit(':', 1)[1]) if line.startswith('listening') else None

    def connect(self):
        return socket.create_connection(('127.0.0.1', self.port), timeout=10)

    def end(self):
        """The exit status, after SIGTERM if it still runs."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(20)
        self.process.stdout.close()
        return status


def read_until(peer, end):
    got = b''
    while not got.endswith(end):
        piece = peer.recv(65536)
        if not piece:
            raise OSError('the connection ended')
        got += piece
    return got


def get(peer):
    peer.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
    return read_until(peer, b'Hello, World!')


def upgrade(peer):
    peer.sendall(b'GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
                 b'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
    return read_until(peer, b'\r\n\r\n')


def echo(peer, payload):
    """Sends a masked text message (the masking key is zero) and reads the same back."""
    peer.sendall(b'\x81\xff' + len(payload).to_bytes(8, 'big') + bytes(4) + payload)
    got = b''
    while len(got) < len(payload) + 10:
        piece = peer.recv(1 << 20)
        if not piece:
            raise OSError('the connection ended')
        got += piece
    return got[10:] == payload


def resident(pid):
    """kB by kind of mapping."""
    kinds = collections.Counter()
    kind = ''
    with open(f'/proc/{pid}/smaps') as smaps:
        for line in smaps:
            words = line.split()
            if '-' in words[0]:
                name = words[5] if len(words) > 5 else ''
                if name.startswith('/'):
                    kind = 'written data' if 'w' in words[1] else 'program, read only'
                else:
                    kind = {'[stack]': 'stack', '': 'pools and heap', '[heap]': 'pools and heap'}.get(name, 'kernel')
            elif words[0] == 'Rss:':
                kinds[kind] += int(words[1])
    return kinds


def report(title, pid):
    kinds = resident(pid)
    del kinds['kernel']  # vdso, vvar: pages that all processes share
    print(f'{title:40} {sum(kinds.values()):6} kB: ' + ', '.join(f'{name} {kinds[name]}' for name in sorted(kinds)))
    return sum(kinds.values())


def at_work(path):
    server = Echo(path)
    pid = server.process.pid
    print(f'threads: {len(os.listdir(f"/proc/{pid}/task"))}, descriptors: {len(os.listdir(f"/proc/{pid}/fd"))}')
    rest = report('at rest', pid)
    peers = [server.connect() for _ in range(CONNECTIONS)]
    for peer in peers:
        get(peer)
    idle = report(f'{CONNECTIONS} idle HTTP connections', pid)
    for peer in peers:
        upgrade(peer)
    report('the same as WebSockets', pid)
    for peer in peers[:10]:
        assert echo(peer, MESSAGE)
    report('after 10 messages of 100 kB', pid)
    for peer in peers:
        peer.close()
    print(f'a connection: {(idle - rest) * 1024 // CONNECTIONS} bytes')
    assert server.end() == 0


def works_with(path, limits):
    """It serves under these limits, from start to end."""
    server = Echo(path, limits)
    served = False
    if server.port:
        try:
            with server.connect() as peer:
                served = bool(get(peer) and upgrade(peer) and echo(peer, MESSAGE))
        except OSError:
            pass
    return server.end() == 0 and served


def least(path, what, most):
    """The smallest limit in steps of 4 kB with which it works, in kB."""
    low, high = 0, most // 4
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if works_with(path, {what: middle * 4096}) else (middle, high)
    return high * 4


def main():
    path = sys.argv[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (CONNECTIONS + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    at_work(path)
    print(f'least stack (ulimit -s): {least(path, resource.RLIMIT_STACK, 1024)} kB')
    print(f'least address space (ulimit -v): {least(path, resource.RLIMIT_AS, 65536)} kB')


if __name__ == '__main__':
    main()
