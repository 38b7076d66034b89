// Restarts of a Server in a real process: SIGHUP starts the program anew, hands it the listening sockets, and nobody who
// connects notices. And what systemd is told. RESTART_SECONDS (10) is how long the load lasts.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import WebSocket from 'ws';
import { build, connect, start, until, within } from './harness.mjs';

const seconds = Number(process.env.RESTART_SECONDS ?? 10);

// The processes of an example on this port: pids whose command line names it.
function processes(word) {
  return fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter((pid) => {
    try {
      return fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').includes(word);
    } catch {
      return false;
    }
  }).map(Number);
}

const alive = (pid) => {
  try {
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
};

async function freePort() {
  const server = http.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

function request(port) {
  return new Promise((resolve, reject) => {
    const get = http.get({ host: '127.0.0.1', port, path: '/', agent: false }, (res) => {
      let body = '';
      res.on('data', (part) => (body += part));
      res.on('end', () => (body === 'Hello, World!' ? resolve() : reject(new Error(`body ${body}`))));
    });
    get.on('error', reject);
    get.setTimeout(10000, () => get.destroy(new Error('no answer')));
  });
}

function echo(port) {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(`ws://127.0.0.1:${port}/echo`);
    ws.on('error', reject);
    ws.on('open', () => ws.send('hello'));
    ws.on('message', (data) => {
      assert.equal(data.toString(), 'hello');
      ws.close();
      resolve();
    });
    ws.on('close', (code) => (code === 1001 ? resolve() : reject(new Error(`closed ${code}`))));
  });
}

// Ends whatever of a test's processes is left.
function cleaner(t, port) {
  t.after(() => processes(String(port)).forEach((pid) => process.kill(pid, 'SIGKILL')));
}

test('restarts under a load of new requests and WebSockets: not one is refused, reset or unanswered', async (t) => {
  const port = await freePort();
  cleaner(t, port);
  const server = await start('echo', '--port', String(port), '--workers', '2', '--restart');
  const kept = await connect(`ws://127.0.0.1:${port}/echo`);
  let over = false;
  const failures = [];
  const done = { request: 0, echo: 0 };
  const loads = [request, request, echo, echo].map(async (one) => {
    while (!over) {
      await one(port).then(() => done[one.name]++, (error) => failures.push(`${one.name}: ${error.message}`));
    }
  });
  let pid = server.child.pid;
  const pids = new Set([pid]);
  const began = Date.now();
  for (let restart = 1; restart <= 5; restart++) {
    await until(() => Date.now() - began >= (restart * seconds * 1000) / 6, 'the time of the next restart', 60000);
    process.kill(pid, 'SIGHUP');
    const old = pid;
    pid = await until(() => processes(String(port)).find((one) => one !== old && !pids.has(one)), 'a successor');
    pids.add(pid);
    await until(() => !alive(old), `the end of process ${old}`);
    if (restart === 1) {
      await kept.end('at the restart');
      assert.equal(kept.closed.code, 1001);
      assert.deepEqual(await within(server.exited, 'the old process to exit'), { code: 0, signal: null });
    }
  }
  over = true;
  await Promise.all(loads);
  assert.deepEqual(failures, []);
  assert.ok(done.request > 100 && done.echo > 100, JSON.stringify(done));
  console.log(`# ${JSON.stringify(done)} over 5 restarts`);
  process.kill(pid, 'SIGTERM');
  await until(() => !alive(pid), 'the last process to end');
});

test('asked to restart several times at once, and as soon as it listens: one successor, and the old process ends well', async (t) => {
  for (const pause of [0, 1, 3, 10]) {
    const port = await freePort();
    cleaner(t, port);
    const server = await start('echo', '--port', String(port), '--workers', '2', '--restart');
    for (let i = 0; i < 4; i++) {
      server.child.kill('SIGHUP');
      if (pause) await new Promise((resolve) => setTimeout(resolve, pause));
    }
    assert.deepEqual(await within(server.exited, 'the old process to exit'), { code: 0, signal: null });
    await request(port);
    const left = processes(String(port));
    assert.equal(left.length, 1, `processes ${left}`);
    process.kill(left[0], 'SIGTERM');
    await until(() => !alive(left[0]), 'the successor to end');
  }
});

test('requests on kept connections through restarts: answered whole, and the end of a connection is announced', async (t) => {
  const port = await freePort();
  cleaner(t, port);
  const server = await start('echo', '--port', String(port), '--workers', '2', '--restart');
  let over = false;
  const done = { answers: 0, announced: 0, silent: 0 };
  const failures = [];
  // One connection's life: requests one after the other, until an answer says that it is the last.
  const life = () => new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    let got = '';
    let last = false;
    const ask = () => socket.write('GET / HTTP/1.1\r\nHost: t\r\n\r\n');
    socket.on('connect', ask);
    socket.on('data', (bytes) => {
      got += bytes;
      if (!got.endsWith('Hello, World!')) return;
      if (!got.startsWith('HTTP/1.1 200 OK\r\n')) failures.push(`answer ${got}`);
      last = /\r\nconnection: close\r\n/i.test(got);
      got = '';
      done.answers++;
      if (over) socket.end();
      else if (!last) ask();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (got) failures.push(`cut after ${got.length} bytes`);
      if (last) done.announced++;
      else if (!over) done.silent++;
      resolve();
    });
  });
  const loads = [1, 2, 3, 4].map(async () => {
    while (!over) await life();
  });
  let pid = server.child.pid;
  for (let restart = 0; restart < 5; restart++) {
    const before = done.answers;
    await until(() => done.answers > before + 200, 'answers');
    const old = pid;
    process.kill(old, 'SIGHUP');
    pid = await until(() => processes(String(port)).find((one) => one !== old), 'a successor');
    await until(() => !alive(old), `the end of process ${old}`);
  }
  over = true;
  await Promise.all(loads);
  assert.deepEqual(failures, []);
  assert.ok(done.announced >= 15, JSON.stringify(done));
  // A client that pauses for 20 ms in that moment looks idle, and is not waited for: the one who hangs up first wins.
  assert.ok(done.silent <= 5, JSON.stringify(done));
  process.kill(pid, 'SIGTERM');
  await until(() => !alive(pid), 'the last process to end');
});

// A copy of the echo, listening, whose program a test may replace.
async function copyOfEcho(t) {
  const port = await freePort();
  cleaner(t, port);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'restart-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  const binary = path.join(folder, 'server');
  const echo = path.join(build, 'examples/echo');
  fs.copyFileSync(echo, binary);
  const child = spawn(binary, ['--port', String(port), '--workers', '2', '--restart'], { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  const copy = { child, exited: once(child, 'exit'), port, folder, echo, err: '' };
  child.stderr.on('data', (bytes) => (copy.err += bytes));
  copy.replace = (script) => {
    fs.rmSync(binary);
    if (script) fs.writeFileSync(binary, script, { mode: 0o755 });
    else fs.copyFileSync(echo, binary);
  };
  await within(once(child.stdout, 'data'), 'the server to listen');
  return copy;
}

test('a successor that does not start leaves the old process serving', async (t) => {
  const copy = await copyOfEcho(t);
  copy.replace('#!/bin/sh\nexit 7\n');
  copy.child.kill('SIGHUP');
  await until(() => copy.err.includes('restart failed'), 'the failure in the log');
  await request(copy.port);
  // And with a good binary in its place it works.
  copy.replace();
  copy.child.kill('SIGHUP');
  assert.deepEqual(await within(copy.exited, 'the old process to exit'), [0, null]);
  await request(copy.port);
});

// A server whose successors take half a second to start.
async function slowToRestart(t) {
  const copy = await copyOfEcho(t);
  const started = path.join(copy.folder, 'started');
  copy.replace(`#!/bin/sh\necho $$ >> ${started}\nsleep 0.5\nexec ${copy.echo} "$@"\n`);
  const successors = () => (fs.existsSync(started) ? fs.readFileSync(started, 'utf8').split('\n').filter(Boolean).map(Number) : []);
  t.after(() => successors().forEach((pid) => { try { process.kill(pid, 'SIGKILL'); } catch { /* it has ended */ } }));
  return { ...copy, successors };
}

test('asked to restart again while the successor starts, it restarts once', async (t) => {
  const { child, exited, port, successors } = await slowToRestart(t);
  child.kill('SIGHUP');
  await until(() => successors().length === 1, 'the successor');
  child.kill('SIGHUP');
  assert.deepEqual(await within(exited, 'the old process to exit'), [0, null]);
  assert.equal(successors().length, 1);
  await request(port);
});

test('told to end while the successor starts, both end', async (t) => {
  const { child, exited, port, successors } = await slowToRestart(t);
  // A client that never answers the Close keeps the old process draining for longer than the successor needs.
  const client = net.connect(port, '127.0.0.1');
  t.after(() => client.destroy());
  client.on('error', () => {});
  client.write('GET /echo HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
  await within(once(client, 'data'), 'the handshake');
  child.kill('SIGHUP');
  await until(() => successors().length === 1, 'the successor');
  await request(port);
  child.kill('SIGTERM');
  assert.deepEqual(await within(exited, 'the old process to exit'), [0, null]);
  assert.ok(!alive(successors()[0]));
  await until(() => processes(String(port)).length === 0, 'the successor to be gone');
  await assert.rejects(request(port));
});

test('systemd: a socket that is handed down is served, and the manager is told', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'notify-'));
  t.after(() => fs.rmSync(folder, { recursive: true }));
  // The service manager: binds the socket, starts the server on it, and prints what it is told.
  const manager = `
import os, socket, sys
listener = socket.socket(); listener.bind(("127.0.0.1", 0)); listener.listen(100)
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); notify.bind(sys.argv[1])
pid = os.fork()
if pid == 0:
    os.dup2(listener.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()), NOTIFY_SOCKET=sys.argv[1], WATCHDOG_USEC="200000", WATCHDOG_PID=str(os.getpid()))
    os.execv(sys.argv[2], [sys.argv[2], "--port", "1", "--workers", "2", "--restart", "--quiet"])
print("port", listener.getsockname()[1], pid, flush=True)
listener.close()
while True:
    print(notify.recv(4096).decode().replace("\\n", " "), flush=True)
`;
  const child = spawn('python3', ['-c', manager, path.join(folder, 'notify'), path.join(build, 'examples/echo')]);
  const pids = [child.pid];
  t.after(() => pids.forEach((pid) => { try { process.kill(pid, 'SIGKILL'); } catch { /* it has ended */ } }));
  let told = '';
  let err = '';
  child.stdout.on('data', (bytes) => (told += bytes));
  child.stderr.on('data', (bytes) => (err += bytes));
  const [, port, pid] = await until(() => /port (\d+) (\d+)/.exec(told), `the port ${err}`);
  pids.push(Number(pid));
  await until(() => told.includes('READY=1'), 'READY=1');
  await until(() => told.includes('WATCHDOG=1'), 'WATCHDOG=1');
  for (let i = 0; i < 10; i++) await request(Number(port));
  process.kill(Number(pid), 'SIGHUP');
  const [, successor] = await until(() => /MAINPID=(\d+)/.exec(told), `MAINPID ${told}`);
  pids.push(Number(successor));
  assert.match(told, /RELOADING=1 MONOTONIC_USEC=\d+/);
  for (let i = 0; i < 10; i++) await request(Number(port));
  process.kill(Number(successor), 'SIGTERM');
  await until(() => told.includes('STOPPING=1'), 'STOPPING=1');
  await until(() => !alive(Number(successor)), 'the end');
});
