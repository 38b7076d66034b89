// echo_ws.test.mjs: examples/echo as the npm package `ws` sees it, and as a client that breaks RFC 6455.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { connect, curl, start, until, within } from './harness.mjs';

let echo;
before(async () => { echo = await start('echo', '--port', '0', '--max-message', String(1 << 20)); });
after(() => echo?.stop('SIGKILL'));
const open = (target = '/echo', ...rest) => connect(echo.ws + target, ...rest);
const MiB = 1 << 20;

test('ws: text and binary of every length class come back as what they were', async () => {
  const client = await open();
  const sizes = [0, 1, 2, 124, 125, 126, 127, 65535, 65536, 65537, 300000, MiB];
  for (const size of sizes) {
    client.messages.length = 0;
    const bytes = randomBytes(size);
    client.ws.send(bytes);
    client.ws.send('x'.repeat(size));
    await client.received(2);
    assert.ok(client.messages[0].isBinary && bytes.equals(client.messages[0].data), `${size} bytes`);
    assert.ok(!client.messages[1].isBinary && client.messages[1].data.length === size, `${size} characters`);
  }
  client.ws.close();
  await client.end();
});

test('ws: a message of 1 MiB and a byte, or of 100 MiB, is 1009', async () => {
  for (const send of [(ws) => ws.send(Buffer.alloc(MiB + 1)),
    (ws) => ws.send(Buffer.alloc(100 * MiB)),  // it sends on while the Close is on its way
    (ws) => { ws.send(Buffer.alloc(MiB), { fin: false }); ws.send(Buffer.alloc(1), { fin: true }); }]) {
    const client = await open();
    send(client.ws);
    await client.end();
    assert.equal(client.closed.code, 1009);
    assert.equal(client.messages.length, 0);
  }
});

test('ws: unicode, also cut inside a character by fragments', async () => {
  const client = await open();
  const text = 'Grüße, 世界! 🐦‍⬛ مرحبا \u{10FFFF} \0';
  client.ws.send(text);
  const bytes = Buffer.from(text);
  for (let i = 0; i < bytes.length; ++i) {
    client.ws.send(bytes.subarray(i, i + 1), { binary: false, fin: i + 1 === bytes.length });
  }
  await client.received(2);
  assert.deepEqual(client.messages.map((m) => m.text), [text, text]);
  client.ws.terminate();
});

test('ws: fragments, empty ones and pings between them included, make one message', async () => {
  const client = await open();
  const parts = [randomBytes(10), Buffer.alloc(0), randomBytes(70000), randomBytes(1), Buffer.alloc(0)];
  parts.forEach((part, i) => {
    client.ws.send(part, { fin: i === parts.length - 1 });
    client.ws.ping(`between ${i}`);
  });
  await client.received(1);
  assert.ok(Buffer.concat(parts).equals(client.messages[0].data));
  await until(() => client.pongs.length === parts.length, 'all pongs');
  assert.deepEqual(client.pongs, parts.map((_, i) => `between ${i}`));
  client.ws.terminate();
});

test('ws: ping of 0 and of 125 bytes', async () => {
  const client = await open();
  client.ws.ping();
  client.ws.ping('p'.repeat(125));
  await until(() => client.pongs.length === 2, 'two pongs');
  assert.deepEqual(client.pongs, ['', 'p'.repeat(125)]);
  client.ws.terminate();
});

test('ws: the close code of the client is echoed', async () => {
  for (const [code, reason] of [[1000, 'done'], [1001, ''], [1011, 'ü'.repeat(61)], [3000, 'x'], [4999, 'last']]) {
    const client = await open();
    client.ws.close(code, reason);
    await client.end();
    assert.equal(client.closed.code, code);
  }
  const client = await open();
  client.ws.close();
  await client.end();
  assert.equal(client.closed.code, 1005);
});

test('ws: messages sent before a close are answered before it', async () => {
  const client = await open();
  for (let i = 0; i < 50; ++i) client.ws.send(String(i));
  client.ws.close(4000);
  await client.end();
  assert.deepEqual(client.messages.map((m) => m.text), [...Array(50).keys()].map(String));
  assert.equal(client.closed.code, 4000);
});

test('ws: text that is not UTF-8 is 1007', async () => {
  for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0x41, 0xe2, 0x82]]) {
    const client = await open();
    client.ws.send(Buffer.from(bytes), { binary: false });
    await client.end();
    assert.equal(client.closed.code, 1007, bytes.map((b) => b.toString(16)).join(' '));
  }
});

// A masked frame, byte by byte; the key is 0, so that the payload is readable here.
const frame = (first, payload, { length, extended } = {}) => Buffer.concat([
  Buffer.from([first, 0x80 | (length ?? payload.length)]), extended ?? Buffer.alloc(0), Buffer.alloc(4), Buffer.from(payload)]);

const broken = {
  'an unmasked frame': Buffer.from([0x81, 1, 0x41]),
  'reserved bit 1 without an extension': frame(0xc1, 'a'),
  'reserved bit 2': frame(0xa1, 'a'),
  'reserved bit 3': frame(0x91, 'a'),
  'opcode 3': frame(0x83, 'a'),
  'opcode 11': frame(0x8b, 'a'),
  'a fragmented ping': frame(0x09, 'a'),
  'a ping of 126 bytes': frame(0x89, 'p'.repeat(126), { length: 126, extended: Buffer.from([0, 126]) }),
  'a continuation of nothing': frame(0x80, 'a'),
  'a new message inside a message': Buffer.concat([frame(0x01, 'a'), frame(0x81, 'b')]),
  'a length that is not the shortest': frame(0x81, 'a', { length: 126, extended: Buffer.from([0, 1]) }),
  'a length with the highest bit': frame(0x82, '', { length: 127, extended: Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0]) }),
  'a close with one byte': frame(0x88, [3]),
  'close code 999': frame(0x88, [3, 231]),
  'close code 1005': frame(0x88, [3, 237]),
  'close code 1006': frame(0x88, [3, 238]),
  'close code 5000': frame(0x88, [19, 136]),
};
test('ws: what breaks RFC 6455 is 1002', async () => {
  for (const [what, bytes] of Object.entries(broken)) {
    const client = await open();
    client.ws._socket.write(bytes);
    await client.end(`after ${what}`);
    assert.equal(client.closed.code, 1002, what);
    assert.equal(client.messages.length, 0, what);
  }
});

test('ws: a close reason that is not UTF-8 is 1007', async () => {
  const client = await open();
  client.ws._socket.write(frame(0x88, [3, 232, 0xff]));
  await client.end();
  assert.equal(client.closed.code, 1007);
});

test('ws: frames that arrive byte by byte', async () => {
  const client = await open();
  client.ws._socket.setNoDelay(true);
  const bytes = Buffer.concat([frame(0x01, 'slow'), frame(0x89, 'hi'), frame(0x80, 'ly')]);
  for (const byte of bytes) await new Promise((resolve) => client.ws._socket.write(Buffer.from([byte]), resolve));
  await client.received(1);
  assert.equal(client.messages[0].text, 'slowly');
  assert.deepEqual(client.pongs, ['hi']);
  client.ws.terminate();
});

test('ws: no subprotocol and no extension that was not configured', async () => {
  const ws = new WebSocket(echo.ws + '/echo', ['chat', 'other'], { perMessageDeflate: true });
  const headers = await within(new Promise((resolve) => {
    ws.on('upgrade', (response) => resolve(response.headers));
    ws.on('error', () => {});   // ws itself insists on an answer to its offer, and gives up
  }), 'the handshake');
  assert.equal(headers['sec-websocket-protocol'], undefined);
  assert.equal(headers['sec-websocket-extensions'], undefined);
  ws.terminate();
});

test('ws: handshakes that are refused', async () => {
  const handshake = ['--http1.1', '--header', 'Connection: Upgrade', '--header', 'Upgrade: websocket'];
  const key = ['--header', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
  const ask = async (...args) => (await curl(...handshake, ...args, echo.http + '/echo')).responses.at(-1);
  const old = await ask(...key, '--header', 'Sec-WebSocket-Version: 8');
  assert.equal(old.status, 426);
  assert.equal(old.headers['sec-websocket-version'], '13');
  assert.equal((await ask('--header', 'Sec-WebSocket-Version: 13')).status, 400, 'no key');
  assert.equal((await ask('--header', 'Sec-WebSocket-Key: short', '--header', 'Sec-WebSocket-Version: 13')).status, 400);
  const { responses } = await curl(...handshake, ...key, '--header', 'Sec-WebSocket-Version: 13', echo.http + '/nothing');
  assert.equal(responses.at(-1).status, 404);
});

test('ws: 200 clients at once', async () => {
  const clients = await Promise.all([...Array(200)].map(() => open()));
  clients.forEach(({ ws }, i) => { for (let k = 0; k < 5; ++k) ws.send(`${i}:${k}`); });
  await Promise.all(clients.map((client) => client.received(5)));
  clients.forEach(({ messages }, i) => assert.deepEqual(messages.map((m) => m.text), [0, 1, 2, 3, 4].map((k) => `${i}:${k}`)));
  clients.forEach(({ ws }) => ws.close());
  await Promise.all(clients.map((client) => client.end()));
  assert.deepEqual([...new Set(clients.map((client) => client.closed.code))], [1005]);
});

test('ws: a client that does not read for a while loses nothing', async () => {
  const client = await open();
  client.ws.pause();
  const sent = [...Array(48)].map((_, i) => Buffer.alloc(MiB, i));
  for (const bytes of sent) client.ws.send(bytes);
  // When the server has stopped reading, what is left stays with us: the number stands still above zero.
  let before = -1;
  await until(async () => {
    const now = client.ws.bufferedAmount;
    const still = now > 0 && now === before;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return still;
  }, 'the server to stop reading');
  client.ws.resume();
  await client.received(sent.length);
  sent.forEach((bytes, i) => assert.ok(bytes.equals(client.messages[i].data), `message ${i}`));
  client.ws.terminate();
});

test('ws: /broadcast reaches all twenty, the sender included, in one order', async () => {
  const clients = await Promise.all([...Array(20)].map(() => open('/broadcast')));
  const outsider = await open();
  for (let k = 0; k < 10; ++k) clients.forEach(({ ws }, i) => ws.send(k % 2 ? `${i}:${k}` : Buffer.from(`${i}:${k}`)));
  await Promise.all(clients.map((client) => client.received(200)));
  const seen = clients.map((client) => client.messages.map((m) => m.data.toString()));
  for (const one of seen) assert.deepEqual(one, seen[0], 'everybody sees the same order');
  clients.forEach((_, i) => assert.deepEqual(seen[0].filter((text) => text.startsWith(`${i}:`)),
    [...Array(10).keys()].map((k) => `${i}:${k}`)));
  for (const m of clients[0].messages) assert.equal(m.isBinary, Number(m.data.toString().split(':')[1]) % 2 === 0);
  assert.equal(outsider.messages.length, 0);
  [...clients, outsider].forEach(({ ws }) => ws.terminate());
});

test('SIGTERM: clients get 1001, exit status 0', async () => {
  const server = await start('echo', '--port', '0');
  const clients = await Promise.all([...Array(20)].map((_, i) => connect(server.ws + (i % 2 ? '/echo' : '/broadcast'))));
  clients[1].ws.send('before');
  await clients[1].received(1);
  assert.deepEqual(await server.stop('SIGTERM'), { code: 0, signal: null });
  await Promise.all(clients.map((client) => client.end()));
  assert.deepEqual([...new Set(clients.map((client) => client.closed.code))], [1001]);
});
