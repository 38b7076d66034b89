// compression.test.mjs: permessage-deflate (RFC 7692) of examples/echo as the npm package `ws`, Chromium and Python's
// websockets speak it: contexts on and off, every window, and what is on the wire.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { chromium } from 'playwright-core';
import { connect, start, tcp, until, within } from './harness.mjs';

const MiB = 1 << 20;
const words = 'the room message server please today meeting at noon {"event":"user","id":é 世界'.split(' ');
const prose = (size) => {
  let text = '';
  while (text.length < size) text += words[Math.floor(Math.random() * words.length)] + ' ';
  return text.slice(0, size);
};

// Sends all and compares what comes back.
async function echoes(client, messages) {
  client.messages.length = 0;
  for (const message of messages) client.ws.send(message);
  await client.received(messages.length);
  messages.forEach((message, i) => {
    const got = client.messages[i];
    assert.equal(got.isBinary, typeof message !== 'string', `kind of message ${i}`);
    assert.ok(got.data.equals(Buffer.from(message)), `message ${i} of ${message.length}`);
  });
}

async function end(client) {
  client.ws.close(1000);
  await client.end();
  assert.equal(client.closed.code, 1000);
}

const mixture = () => [0, 1, 10, 125, 126, 1023, 1024, 5000, 70000, 300000]
  .flatMap((size) => [prose(size), randomBytes(size), Buffer.from(prose(size)), 'ab'.repeat(size / 2)]);
const windows = [8, 9, 10, 11, 12, 13, 14, 15];

for (const [name, ...args] of [['shared'], ['shared, everything', '--threshold', '0'], ['dedicated', '--dedicated'],
  ['dedicated, everything', '--dedicated', '--threshold', '0']]) {
  describe(`compression ${name}`, () => {
    let echo;
    before(async () => { echo = await start('echo', '--port', '0', '--compress', '--max-message', String(8 * MiB), ...args); });
    after(() => echo?.stop('SIGKILL'));
    const open = (perMessageDeflate, target = '/echo', options = {}) =>
      connect(echo.ws + target, { perMessageDeflate, ...options });

    test(`${name}: ws, with contexts and without`, async () => {
      // Undefined: as the server likes it. False would refuse a server that wants none.
      for (const serverNoContextTakeover of [undefined, true]) {
        for (const clientNoContextTakeover of [undefined, true]) {
          const client = await open({ serverNoContextTakeover, clientNoContextTakeover, threshold: 0 });
          assert.equal(client.ws.extensions, 'permessage-deflate');
          await echoes(client, mixture());
          await echoes(client, Array.from({ length: 200 }, (_, i) => `{"event":"move","player":${i},"x":${i * 7}}`));
          await end(client);
        }
      }
    });

    test(`${name}: ws, every window in both directions`, async () => {
      for (const bits of windows) {
        for (const options of [{ serverMaxWindowBits: bits }, { serverMaxWindowBits: bits, clientMaxWindowBits: bits }]) {
          const client = await open({ ...options, threshold: 0 });
          assert.equal(client.ws.extensions, 'permessage-deflate', `window ${bits}`);
          await echoes(client, [prose(100), prose(2000), prose(100000), prose(100), randomBytes(3000)]);
          await end(client);
        }
      }
    });

    test(`${name}: ws, fragments`, async () => {
      const client = await open({ threshold: 0 });
      const parts = [prose(10), '', prose(40000), 'é', prose(3000), ''];
      parts.forEach((part, i) => client.ws.send(part, { fin: i === parts.length - 1 }));
      await client.received(1);
      assert.equal(client.messages[0].text, parts.join(''));
      await end(client);
    });

    test(`${name}: a crowd of all kinds is told the same in the same order`, async () => {
      const kinds = [false, true, { threshold: 0 }, { serverNoContextTakeover: true }, { serverMaxWindowBits: 9 },
        { serverMaxWindowBits: 12, clientMaxWindowBits: 10 }, true, false];
      const crowd = await Promise.all(kinds.map((kind) => open(kind, '/broadcast')));
      const messages = Array.from({ length: 60 }, (_, i) => `${i} ${prose((i * 331) % 9000)}`);
      for (const [i, message] of messages.entries()) crowd[1].ws.send(i % 2 ? Buffer.from(message) : message);
      await Promise.all(crowd.map((client) => client.received(messages.length)));
      for (const client of crowd) {
        client.messages.forEach((got, i) => assert.equal(got.data.toString(), messages[i], `message ${i}`));
      }
      await Promise.all(crowd.map(end));
    });

    test(`${name}: Python's websockets`, async () => {
      const { out, error } = await within(new Promise((resolve) => {
        execFile(process.env.PYTHON ?? 'python3', ['compression_client.py', `${echo.ws}/echo`], (failure, stdout, stderr) =>
          resolve({ out: stdout, error: failure && stderr }));
      }), 'compression_client.py', 60000);
      assert.ok(!error, error);
      const lines = out.trim().split('\n');
      assert.equal(lines.length, 12);
      for (const line of lines.slice(0, 11)) assert.match(line, /^122 permessage-deflate/);
      for (let bits = 9; bits < 15; bits++) assert.match(lines[4 + bits - 9], new RegExp(`server_max_window_bits=${bits}`));
    });
  });
}

describe('compression on the wire', () => {
  let echo;
  before(async () => { echo = await start('echo', '--port', '0', '--compress'); });
  after(() => echo?.stop('SIGKILL'));

  test('what is long is compressed, what is short is not', async () => {
    const client = await connect(`${echo.ws}/echo`, { perMessageDeflate: true });
    const bytes = () => client.ws._socket.bytesRead;
    let before = bytes();
    await echoes(client, ['lorem ipsum '.repeat(1000)]);
    assert.ok(bytes() - before < 300, `${bytes() - before} bytes for 12,000`);
    before = bytes();
    await echoes(client, ['a'.repeat(1023)]);
    assert.equal(bytes() - before, 4 + 1023);
    before = bytes();
    await echoes(client, ['a'.repeat(1024)]);
    assert.ok(bytes() - before < 40);
    await end(client);
  });

  // What the server answers to offers, and to whom.
  const answer = async (extensions, agent = 'test') => {
    const peer = await tcp(echo.port);
    peer.socket.write(`GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n`
      + `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUser-Agent: ${agent}\r\n`
      + (extensions ? `Sec-WebSocket-Extensions: ${extensions}\r\n` : '') + '\r\n');
    await until(() => peer.text.includes('\r\n\r\n'), 'the answer to a handshake');
    peer.socket.destroy();
    assert.match(peer.text, /^HTTP\/1.1 101 /);
    return /^sec-websocket-extensions: (.*)\r$/im.exec(peer.text)?.[1] ?? null;
  };

  test('offers are answered, declined ones are no error', async () => {
    const alone = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
    assert.equal(await answer(null), null);
    assert.equal(await answer('permessage-deflate'), alone);
    assert.equal(await answer('x-webkit-deflate-frame, permessage-deflate; client_max_window_bits'), alone);
    assert.equal(await answer('permessage-deflate; server_max_window_bits="10"'), `${alone}; server_max_window_bits=10`);
    assert.equal(await answer('permessage-deflate; server_max_window_bits=7, permessage-deflate; server_max_window_bits=9'),
      `${alone}; server_max_window_bits=9`);
    assert.equal(await answer('permessage-deflate; server_max_window_bits=16'), null);
    assert.equal(await answer('permessage-deflate; x'), null);
    assert.equal(await answer('permessage-deflate; server_no_context_takeover=1'), null);
  });

  test('clients that are known to be broken are served plain', async () => {
    const safari = (version) => 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) '
      + `Version/${version} Safari/605.1.15`;
    for (const version of ['15.0', '15.1', '15.2', '15.3']) assert.equal(await answer('permessage-deflate', safari(version)), null);
    for (const version of ['14.1.2', '15.4', '16.0']) assert.ok(await answer('permessage-deflate', safari(version)));
  });
});

describe('compression in a browser', () => {
  let echo;
  let browser;
  before(async () => {
    echo = await start('echo', '--port', '0', '--compress', '--dedicated', '--max-message', String(8 * MiB));
    browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
  });
  after(async () => {
    await browser?.close();
    await echo?.stop('SIGKILL');
  });

  test('Chromium agrees on it and gets back what it sends', async () => {
    const page = await browser.newPage();
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('Network.enable');
    let agreed;
    devtools.on('Network.webSocketHandshakeResponseReceived', ({ response }) => {
      agreed = Object.entries(response.headers).find(([name]) => name.toLowerCase() === 'sec-websocket-extensions')?.[1];
    });
    await page.goto(`${echo.http}/`);
    const failures = await page.evaluate(async (url) => {
      const socket = new WebSocket(url);
      socket.binaryType = 'arraybuffer';
      await new Promise((resolve, reject) => { socket.onopen = resolve; socket.onerror = reject; });
      const failures = [];
      const echo = (message) => new Promise((resolve, reject) => {
        socket.onmessage = ({ data }) => resolve(data);
        socket.onclose = ({ code }) => reject(new Error(`closed: ${code}`));
        socket.send(message);
      });
      const text = (size) => Array.from({ length: size / 4 }, () => Math.floor(Math.random() * 900) + 'é').join('');
      for (const size of [0, 1, 100, 1024, 3000, 70000, 2 << 20, 3000, 100]) {
        const message = text(size);
        if (await echo(message) !== message) failures.push(`text of ${size}`);
        const bytes = new TextEncoder().encode(text(size));
        const back = new Uint8Array(await echo(bytes));
        if (back.length !== bytes.length || back.some((byte, i) => byte !== bytes[i])) failures.push(`bytes of ${size}`);
      }
      if (!socket.extensions.startsWith('permessage-deflate')) failures.push('not agreed upon');
      socket.close();
      return failures;
    }, `${echo.ws}/echo`);
    assert.deepEqual(failures, []);
    await until(() => agreed, 'the extensions of the handshake');
    assert.match(agreed, /^permessage-deflate/);
  });
});
