"""After a burst the system has its memory back, whatever the C library keeps of what was freed: check-static runs this on
each static echo (tests/integration/idle_memory_test.cc is the same for the library that tests are linked with).

    idle.py ECHO

WebSocket clients send what they never read, so that answers wait in the echo's memory, and go. Standard library only; Linux.
"""
import base64
import os
import signal
import socket
import subprocess
import sys
import time

CLIENTS = 300
KIB = 1024
BURST = 12 * KIB  # what waits must be more than this, in KiB, or nothing is shown
LEFT = 6 * KIB    # what may stay of it: 2 MiB are kept on purpose
SECONDS = 12


def resident(pid):
    with open(f'/proc/{pid}/smaps_rollup') as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith('Rss:'))


def websocket(port):
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    client.settimeout(10)
    client.connect(('127.0.0.1', port))
    key = base64.b64encode(os.urandom(16)).decode()
    client.sendall(f'GET /echo HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
                   f'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n'.encode())
    if not client.recv(200).startswith(b'HTTP/1.1 101'):
        sys.exit('idle: no WebSocket')
    client.setblocking(False)
    return client


def send_until_full(clients):
    """Until nobody's kernel has taken anything for a while."""
    frame = b'\x82\xfe\xff\xff\0\0\0\0' + b'x' * 65535  # the masking key is zero
    at = {client: 0 for client in clients}
    idle_since = time.monotonic()
    while time.monotonic() < idle_since + 0.5:
        for client in clients:
            try:
                at[client] = (at[client] + client.send(memoryview(frame)[at[client]:])) % len(frame)
                idle_since = time.monotonic()
            except BlockingIOError:
                pass
        time.sleep(0.01)


def main():
    echo = subprocess.Popen([sys.argv[1], '--port', '0'], stdout=subprocess.PIPE, env={})
    try:
        port = int(echo.stdout.readline().decode().rsplit(':', 1)[1])
        websocket(port).close()
        before = resident(echo.pid)
        clients = [websocket(port) for _ in range(CLIENTS)]
        send_until_full(clients)
        during = resident(echo.pid)
        for client in clients:
            client.close()
        begin = time.monotonic()
        while resident(echo.pid) > before + LEFT and time.monotonic() < begin + SECONDS:
            time.sleep(0.1)
        after = resident(echo.pid)
    finally:
        echo.send_signal(signal.SIGTERM)
        echo.wait(20)
    print(f'memory: {before} KiB, {during} in a burst, {after} after it, {time.monotonic() - begin:.1f} s later')
    if during < before + BURST:
        sys.exit('idle: that was no burst')
    if after > before + LEFT:
        sys.exit('idle: the system does not have it back')


main()
