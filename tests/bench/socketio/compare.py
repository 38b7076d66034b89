#!/usr/bin/env python3
"""Events with an acknowledgement, beside Socket.IO: the server's CPU for each, in one run.

    tests/bench/socketio/compare.py BUILD     (make bench-socketio)

Server on one core, load on the other, runs of the two in turn, medians. Needs node and npm, and two cores. What npm brings stays
in BUILD/bench/socketio.
"""
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
CONNECTIONS, SECONDS, REPEATS = 64, 2.0, 5


def start(command, **more):
    server = subprocess.Popen(["taskset", "-c", "0", *command], stdout=subprocess.PIPE, text=True, **more)
    return server, server.stdout.readline().strip()


def measure(load, name, port, pid, depth):
    words = [str(word) for word in (load, name, port, pid, CONNECTIONS, depth, SECONDS)]
    out = subprocess.run(["taskset", "-c", "1", *words], check=True, capture_output=True, text=True).stdout
    return float(out.split()[1])


def main():
    build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build").resolve() / "bench" / "socketio"
    for name in ("package.json", "package-lock.json", "server.mjs"):
        shutil.copy(HERE / name, build / name)
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=build, check=True)
    servers = {"martlet": start([build / "event_server"]), "socketio": start(["node", "server.mjs"], cwd=build)}
    try:
        for depth in (1, 16):
            seen = {name: [] for name in servers}
            for _ in range(REPEATS):
                for name, (server, port) in servers.items():
                    seen[name].append(measure(build / "events_load", name, port, server.pid, depth))
            ours, theirs = (statistics.median(seen[name]) for name in ("martlet", "socketio"))
            print(f"{CONNECTIONS} clients, {depth} in flight: martlet {ours:.2f} us, Socket.IO {theirs:.2f} us of CPU per event with acknowledgement: {ours / theirs:.3f}")
    finally:
        for server, _ in servers.values():
            server.send_signal(signal.SIGKILL)
            server.wait()


if __name__ == "__main__":
    main()
