// echo_http.test.mjs: examples/echo as curl sees it, and clients that send all before they read.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { curl, start, tcp, until, within } from './harness.mjs';

let echo;
const folder = mkdtempSync(path.join(tmpdir(), 'martlet-e2e-'));
before(async () => { echo = await start('echo', '--port', '0'); });
after(async () => {
  await echo?.stop('SIGKILL');
  rmSync(folder, { recursive: true });
});
const file = (bytes) => {
  const name = path.join(folder, `${bytes.length}-${randomBytes(4).toString('hex')}`);
  writeFileSync(name, bytes);
  return name;
};

async function get(target, ...args) {
  const { code, responses, stderr } = await curl(...args, echo.http + target);
  assert.equal(code, 0, stderr);
  return responses.at(-1);
}

test('curl: GET / says Hello, World! as text', async () => {
  const answer = await get('/');
  assert.equal(answer.status, 200);
  assert.equal(answer.body.toString(), 'Hello, World!');
  assert.match(answer.headers['content-type'], /^text\/plain/);
  assert.equal(answer.headers['content-length'], '13');
  assert.ok(!Number.isNaN(Date.parse(answer.headers.date)), 'a Date that parses');
});

test('curl: GET /hello and /hello/:name, percent-decoded', async () => {
  assert.equal((await get('/hello')).body.toString(), 'Hello');
  assert.equal((await get('/hello/Ada')).body.toString(), 'Hello Ada');
  assert.equal((await get('/hello/Ad%C3%A9l%C3%A9%20B')).body.toString(), 'Hello Adélé B');
  assert.equal((await get('/hello/a+b')).body.toString(), 'Hello a+b');
  assert.equal((await get('/hello/Ada?x=1')).body.toString(), 'Hello Ada');
});

test('curl: paths that climb, and broken escapes, are refused', async () => {
  for (const target of ['/../../etc/passwd', '/hello/../../etc/passwd', '/hello/%2e%2e%2f%2e%2e%2fetc', '/hello/..%5cetc', '/./hello', '/hello/%zz', '/hello/%00']) {
    assert.equal((await get(target, '--path-as-is')).status, 400, target);
  }
  assert.equal((await get('/%68ello/..x', '--path-as-is')).body.toString(), 'Hello ..x');
});

test('curl: HEAD has the length and no body', async () => {
  const answer = await get('/', '--head');
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['content-length'], '13');
  assert.equal(answer.body.length, 0);
});

test('curl: what is not there is 404, whatever the method', async () => {
  for (const target of ['/nothing', '/hello/', '/hello/a/b', '/HELLO', '//']) {
    assert.equal((await get(target, '--path-as-is')).status, 404, target);
  }
  assert.equal((await get('/nothing', '--data', 'x')).status, 404);
  assert.equal((await get('/nothing', '--request', 'DELETE')).status, 404);
  const wrong = await get('/hello', '--request', 'DELETE');
  assert.equal(wrong.status, 405);
  assert.equal(wrong.headers.allow, 'OPTIONS, GET, HEAD');
});

test('curl: POST /echo gives back body and content type, from nothing to 1 MiB', async () => {
  for (const size of [0, 1, 1000, 16384, 65535, 65536, 100000, 1 << 20]) {
    const bytes = randomBytes(size);
    const answer = await get('/echo', '--header', 'Content-Type: application/x-martlet', '--data-binary', '@' + file(bytes));
    assert.equal(answer.status, 200, `${size} bytes`);
    assert.equal(answer.headers['content-type'], 'application/x-martlet');
    assert.ok(bytes.equals(answer.body), `${size} bytes come back`);
  }
});

test('curl: a body of 1 MiB and a byte is 413', async () => {
  const big = file(randomBytes((1 << 20) + 1));
  for (const extra of [[], ['--header', 'Expect:'], ['--header', 'Transfer-Encoding: chunked']]) {
    const { responses } = await curl('--data-binary', '@' + big, ...extra, echo.http + '/echo');
    assert.equal(responses.at(-1)?.status, 413, extra.join(' '));
  }
});

// Who is refused at the first byte and sends a hundred million more must get to read why, and no reset: the server reads
// and throws away what comes.
const mebibytes = [2, 8, 20, 100];

test('curl: however large the body is that is refused, it reads the 413', async () => {
  const big = file('');
  for (const size of mebibytes) {
    truncateSync(big, size << 20);
    for (const extra of [[], ['--header', 'Expect:'], ['--header', 'Transfer-Encoding: chunked']]) {
      const { code, responses, stderr } = await curl('--data-binary', '@' + big, ...extra, echo.http + '/echo');
      assert.deepEqual([code, responses.at(-1)?.status], [0, 413], `${size} MiB ${extra.join(' ')} ${stderr}`);
    }
  }
});

test('Python: http.client sends everything before it reads, and reads the 413', async () => {
  const program = `
import http.client, sys
for size in map(int, sys.argv[2:]):
    for chunked in (False, True):
        c = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]), timeout=30)
        body = (bytes(1 << 16) for _ in range(size * 16)) if chunked else bytes(size << 20)
        c.request('POST', '/echo', body=body, encode_chunked=chunked, headers={'Transfer-Encoding': 'chunked'} if chunked else {})
        r = c.getresponse()
        print(size, r.status, len(r.read()) == int(r.getheader('Content-Length')))
`;
  const python = process.env.PYTHON ?? 'python3';
  const out = await new Promise((resolve) => execFile(python, ['-c', program, String(echo.port), ...mebibytes.map(String)], { timeout: 60000 },
    (error, stdout, stderr) => resolve(stdout + stderr)));
  assert.equal(out, mebibytes.map((size) => `${size} 413 True\n`.repeat(2)).join(''));
});

test('Node: fetch reads the 413 of an upload from memory and from a stream', async () => {
  for (const size of mebibytes) {
    let left = size << 4;
    const stream = new ReadableStream({ pull: (to) => (left-- > 0 ? to.enqueue(new Uint8Array(1 << 16)) : to.close()) });
    for (const body of [Buffer.alloc(size << 20), stream]) {
      const answer = await within(fetch(echo.http + '/echo', { method: 'POST', body, duplex: 'half' }), `${size} MiB by fetch`);
      assert.equal(answer.status, 413, `${size} MiB`);
      assert.match(await answer.text(), /larger/);
    }
  }
});

test('curl: chunked uploads', async () => {
  for (const size of [0, 1, 70000, 1 << 20]) {
    const bytes = randomBytes(size);
    const answer = await get('/echo', '--header', 'Transfer-Encoding: chunked', '--data-binary', '@' + file(bytes));
    assert.equal(answer.status, 200, `${size} bytes`);
    assert.ok(bytes.equals(answer.body), `${size} bytes come back`);
  }
});

test('curl: Expect: 100-continue is answered before the body', async () => {
  const body = randomBytes(5000);
  const { code, responses } = await curl('--header', 'Expect: 100-continue', '--expect100-timeout', '20', '--data-binary',
    '@' + file(body), echo.http + '/echo');
  assert.equal(code, 0);
  assert.deepEqual(responses.map((r) => r.status), [100, 200]);
  assert.ok(body.equals(responses[1].body));
});

test('curl: one connection serves many URLs', async () => {
  const urls = ['/', '/hello', '/nothing', '/hello/x'].map((target) => echo.http + target);
  const { code, responses, stderr } = await curl('--write-out', '%{stderr}%{num_connects}', ...urls);
  assert.equal(code, 0);
  assert.deepEqual(responses.map((r) => r.status), [200, 200, 404, 200]);
  assert.equal(stderr, '1000', 'the first made the connection, the others used it');
});

test('curl: HTTP/1.0 is answered and closed', async () => {
  const answer = await get('/', '--http1.0');
  assert.equal(answer.status, 200);
  assert.equal(answer.body.toString(), 'Hello, World!');
  const peer = await tcp(echo.port);
  peer.socket.write('GET /hello HTTP/1.0\r\n\r\n');
  await until(() => peer.ended, 'the end of an HTTP/1.0 connection');
  assert.match(peer.text, /^HTTP\/1\.1 200 /);
  assert.match(peer.text, /\r\n\r\nHello$/);
});

test('curl: Connection: close is honoured', async () => {
  const answer = await get('/', '--header', 'Connection: close');
  assert.equal(answer.headers.connection?.toLowerCase(), 'close');
});

test('curl: a head that is too large is 431, a target 414', async () => {
  assert.equal((await get('/', '--header', 'X-Large: ' + 'x'.repeat(20000))).status, 431);
  assert.equal((await get('/' + 'x'.repeat(20000))).status, 414);
  assert.equal((await get('/')).status, 200, 'and it still serves');
});

test('TCP: what is not HTTP is 400 and closed', async () => {
  for (const text of ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 'GET /\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n',
    'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab']) {
    const peer = await tcp(echo.port);
    peer.socket.write(Buffer.from(text, 'latin1'));
    await until(() => peer.ended, `the end after ${JSON.stringify(text.slice(0, 30))}`);
    assert.match(peer.text, /^HTTP\/1\.1 400 /, JSON.stringify(text.slice(0, 60)));
  }
});

test('TCP: a hundred pipelined requests are answered in order', async () => {
  const peer = await tcp(echo.port);
  let requests = '', bodies = '';
  for (let i = 0; i < 100; ++i) {
    requests += `GET /hello/n${i} HTTP/1.1\r\nHost: x\r\n\r\n`;
    bodies += `Hello n${i};`;
  }
  peer.socket.write(requests);
  const found = () => [...peer.text.matchAll(/\r\n\r\n(Hello n\d+)/g)].map((m) => m[1] + ';').join('');
  await until(() => found() === bodies, 'a hundred answers in order');
  peer.socket.destroy();
});

test('SIGTERM: a request in flight is finished, an idle connection ends, exit status 0', async () => {
  const server = await start('echo', '--port', '0');
  const idle = await tcp(server.port);
  idle.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(() => idle.text.endsWith('Hello, World!'), 'the idle connection\'s first answer');

  // An upload whose second half comes when the drain has begun. "100 Continue" tells that the server has the head.
  const upload = spawn('curl', ['--silent', '--verbose', '--max-time', '30', '--upload-file', '-', '--request', 'POST',
    '--header', 'Expect: 100-continue', '--expect100-timeout', '20', server.http + '/echo']);
  let out = '', err = '', done = false;
  upload.stdout.on('data', (bytes) => (out += bytes));
  upload.stderr.on('data', (bytes) => (err += bytes));
  upload.on('close', (code) => (done = { code }));
  upload.stdin.write('first half, ');
  await until(() => err.includes('100 Continue'), 'curl to be told to go on');

  server.kill('SIGTERM');
  await until(() => idle.ended, 'the idle connection to be closed');
  const refused = () => new Promise((resolve) => {
    const late = net.connect(server.port, '127.0.0.1', () => { late.destroy(); resolve(false); });
    late.on('error', () => resolve(true));
  });
  await until(refused, 'new connections to be refused');
  upload.stdin.end('second half');
  await until(() => done, 'curl to end');
  assert.deepEqual([done.code, out], [0, 'first half, second half'], err);
  assert.match(err, /< connection: close/i);
  assert.deepEqual(await within(server.exited, 'the exit'), { code: 0, signal: null });
});

test('SIGINT: the same, with nothing to wait for', async () => {
  const server = await start('echo', '--port', '0');
  assert.deepEqual(await server.stop('SIGINT'), { code: 0, signal: null });
});
