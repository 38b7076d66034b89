// gallery_page.test.mjs: examples/gallery as a person finds it: the list, its page in Chromium, an answer from every application,
// and the page that talks to a chat of its own.
//
// Leaves pictures in BUILD_DIR/e2e/.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { desktop, newPage, phone, pictures } from './browser.mjs';
import { build, connect, curl, start, until } from './harness.mjs';

let gallery, applications;

before(async () => {
  gallery = await start('gallery', '--port', '0');
  applications = await (await fetch(gallery.http + '/gallery.json')).json();
});
after(async () => { await gallery?.stop('SIGKILL'); });
async function visit(target, options = desktop, prepare = () => {}) {
  const page = await newPage(options);
  await prepare(page);
  await page.goto(target);
  return page;
}
async function index(options, prepare) {
  const page = await visit(gallery.http + '/', options, prepare);
  await page.waitForSelector('.application');
  return page;
}
// Opens a socket of an application from the page; answers its part of the document.
async function open(page, name) {
  const sockets = page.locator(`#${name} .socket`);
  const before = await sockets.count();
  await page.click(`#${name} button.open >> nth=0`);
  const socket = sockets.nth(before);
  await socket.locator('.state.open').waitFor();
  return socket;
}
const lines = (socket) => socket.locator('.log li').evaluateAll((nodes) =>
  nodes.map((node) => `${node.className} ${node.querySelector('.what').textContent}`));
const reads = (socket, line) => until(async () => (await lines(socket)).includes(line), `the line ${JSON.stringify(line)}`);
const say = async (socket, text) => { await socket.locator('.text').fill(text); await socket.locator('.send').click(); };

// What the program says when it does not start.
const run = (...args) => new Promise((resolve) => {
  execFile(path.join(build, 'examples/gallery'), args, { timeout: 15000 }, (error, out, err) => resolve({ code: error?.code ?? 0, out, err }));
});

test('gallery: a name that is none, and words that are none, answer with the list', async () => {
  for (const args of [['nosuch'], ['nosuch', '--port', '0'], ['--port'], ['--port', 'x'], ['--port', '65536'], ['basic_chat', 'hello_ws'], ['--help'], ['']]) {
    const { code, out, err } = await run(...args);
    assert.equal(code, 2, args.join(' '));
    assert.equal(out, '');
    assert.match(err, /^usage: gallery /);
    for (const { name, title } of applications) assert.ok(err.split('\n').some((line) => line.trim().startsWith(name + ' ') && line.endsWith(title)), name);
    assert.equal(err.trim().split('\n').length, 1 + applications.length);
  }
  const busy = await run('--port', String(gallery.port));
  assert.equal(busy.code, 1);
  assert.match(busy.err, /^gallery: /m);
});

test('gallery: one application alone is at its own paths, and the page shows it alone', async () => {
  const server = await start('gallery', 'basic_chat', '--port', '0');
  const { name, title, tries } = applications.find((one) => one.name === 'basic_chat');
  assert.equal(tries[0].path, '/basic_chat/chat');
  assert.deepEqual(await (await fetch(server.http + '/gallery.json')).json(), [{ name, title, tries: [{ ...tries[0], path: '/chat' }] }]);
  assert.match(await (await fetch(server.http + '/')).text(), /<title>martlet gallery<\/title>/);
  const client = await connect(server.ws + '/chat');
  await client.received(1);
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});

// A socket as the page opens it.
async function opened(url) {
  const ws = new WebSocket(url, { origin: gallery.http });
  const client = { ws, heard: 0, ponged: false, closed: 0, refused: 0 };
  ws.on('message', () => { client.heard += 1; });
  ws.on('pong', () => { client.ponged = true; });
  ws.on('close', (code) => { client.closed = code; });
  ws.on('error', () => {});
  ws.on('unexpected-response', (request, response) => { client.refused = response.statusCode; request.destroy(); });
  await until(() => ws.readyState === WebSocket.OPEN || client.refused || client.closed, `an answer of ${url}`);
  return client;
}
// Whether somebody who opens it and says the first message sees something of the server: a message, to this socket or to another
// one there; a close with a code; a refusal to let this page in.
async function answers({ path: target, say: text }) {
  const clients = [await opened(gallery.ws + target), await opened(gallery.ws + target)];
  const [first] = clients;
  if (first.refused) return [401, 403].includes(first.refused);
  const heard = () => clients.some((client) => client.heard > 0) || (first.closed && ![1005, 1006].includes(first.closed));
  first.ws.send(text, () => {});
  first.ws.ping(() => {});
  await until(() => first.ponged || first.closed || heard(), `a pong on ${target}`);
  // What is no answer by now comes from a timer or another thread.
  const answered = await until(heard, '', 1000).catch(() => false);
  for (const client of clients) client.ws.terminate();
  return Boolean(answered);
}

test('gallery: every application answers when it is spoken to', async () => {
  const silent = [];
  for (const { name, tries } of applications) {
    assert.ok(tries.length > 0, name);
    const spoken = tries.filter(({ say: text }) => text);
    let answered = spoken.length === 0;
    for (const one of spoken) answered ||= await answers(one);
    if (!answered) silent.push(name);
  }
  assert.deepEqual(silent, []);
});

test('gallery page: comes with a policy, and nothing in it makes markup of text', async () => {
  const { responses: [page] } = await curl(gallery.http + '/');
  assert.match(page.headers['content-security-policy'], /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'/);
  assert.match(page.headers['content-type'], /^text\/html/);
  for (const target of ['/', '/gallery.js', '/gallery.css', '/browser_page/index.html']) {
    const { responses: [file] } = await curl(gallery.http + target);
    assert.equal(file.status, 200, target);
    assert.doesNotMatch(file.body.toString(), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|(src|href)="?https?:|url\(/, target);
  }
});

test('gallery page: all applications stand there, each with its sockets', async () => {
  const page = await index();
  const shown = await page.$$eval('.application', (nodes) => nodes.map((node) => ({
    name: node.querySelector('h2').textContent,
    title: node.querySelector('p').firstChild.textContent,
    paths: [...node.querySelectorAll('input.path')].map((input) => input.value),
  })));
  assert.deepEqual(shown, applications.map(({ name, title, tries }) => ({ name, title, paths: tries.map((one) => one.path) })));
  await page.fill('#find', 'BASIC_chat');
  assert.deepEqual(await page.$$eval('.application:not([hidden]) h2', (nodes) => nodes.map((node) => node.textContent)), ['basic_chat']);
  await page.fill('#find', '');
  assert.equal(await page.locator('.application:visible').count(), applications.length);
});

test('gallery page: the first application: open it, send, see the answer, close', async () => {
  const page = await index();
  const { name, tries: [{ path: target, say: text }] } = applications[0];
  const socket = await open(page, name);
  assert.equal(await socket.locator('code').textContent(), target);
  assert.equal(await socket.locator('.text').inputValue(), text);
  await socket.locator('.send').click();
  await until(async () => (await lines(socket)).slice((await lines(socket)).indexOf('out ' + text) + 1).some((line) => line.startsWith('in ')), 'an answer');
  await socket.locator('.close').click();
  await socket.locator('.state.closed').waitFor();
  assert.equal((await lines(socket)).at(-1), 'note closed: 1000');
});

test('gallery page: what came, what went, when, and how it ended', async () => {
  const page = await index();
  const socket = await open(page, 'basic_chat');
  await reads(socket, 'in Welcome to the chat!');
  await say(socket, 'hello');
  await reads(socket, 'in Echo: hello');
  assert.deepEqual(await lines(socket), ['note open', 'in Welcome to the chat!', 'out hello', 'in Echo: hello']);
  for (const time of await socket.locator('time').allTextContents()) assert.match(time, /^\d\d:\d\d:\d\d\.\d\d\d$/);
  assert.deepEqual(await socket.locator('.way').evaluateAll((nodes) => nodes.map((node) => node.getAttribute('aria-label'))), ['note', 'received', 'sent', 'received']);

  await socket.locator('.code').fill('77');
  await socket.locator('.close').click();
  assert.match((await lines(socket)).at(-1), /^note .*77/, 'what the browser has against it');
  assert.equal(await socket.locator('.state').textContent(), 'open');
  await socket.locator('.code').fill('4000');
  await socket.locator('.reason').fill('enough <b>');
  await socket.locator('.close').click();
  await reads(socket, 'note closed: 4000');
  assert.equal((await lines(socket)).at(-2), 'note closing: 4000 enough <b>');
  assert.equal(await socket.locator('.speak').isVisible(), false);
  await socket.locator('.again').click();
  await socket.locator('.state.open').waitFor();
  await until(async () => (await lines(socket)).filter((line) => line === 'in Welcome to the chat!').length === 2, 'a second greeting');
  await socket.locator('.code').fill('1000');
  await socket.locator('.close').click();
  await socket.locator('text=Remove').click();
  assert.equal(await page.locator('.socket').count(), 0);
});

test('gallery page: several sockets side by side, of several applications', async () => {
  const page = await index();
  const first = await open(page, 'browser_page');
  const second = await open(page, 'browser_page');
  const other = await open(page, 'basic_chat');
  await say(first, '{"type":"message","text":"to all"}');
  for (const socket of [first, second]) await until(async () => (await lines(socket)).some((line) => /^in .*"text":"to all"/.test(line)), 'the message');
  await say(other, 'alone');
  await reads(other, 'in Echo: alone');
  assert.equal((await lines(other)).some((line) => line.includes('to all')), false);
  const [a, b] = [await first.boundingBox(), await second.boundingBox()];
  assert.ok(a.y === b.y && a.x + a.width <= b.x, 'beside each other');
  await first.locator('.close').click();
  await first.locator('.state.closed').waitFor();
  assert.equal(await second.locator('.state').textContent(), 'open');
  await page.fill('#find', 'no such words');
  assert.deepEqual(await page.$$eval('.application:not([hidden]) h2', (nodes) => nodes.map((node) => node.textContent).sort()), ['basic_chat', 'browser_page'],
    'what has sockets stays in sight');
});

test('gallery page: bytes out and in, what is no bytes, and an end that the server wants', async () => {
  const page = await index(desktop, (fresh) => fresh.routeWebSocket(/\/basic_chat\/chat$/, (ws) => ws.onMessage((data) => {
    if (data === 'bye') ws.close({ code: 4001, reason: '<b>why</b>' });
    else ws.send(typeof data === 'string' ? '' : Buffer.from(data).reverse());
  })));
  const socket = await open(page, 'basic_chat');
  await socket.locator('.kind').selectOption('bytes');
  await say(socket, '01 02 fF');
  await reads(socket, 'in 3 bytes: ff 02 01');
  await say(socket, '0102 f');
  await until(async () => /^note Bytes are/.test((await lines(socket)).at(-1)), 'the complaint');
  await say(socket, '00'.repeat(1000));
  await until(async () => (await lines(socket)).at(-1).startsWith('in 1000 bytes: 00 00'), 'the answer');
  assert.ok((await lines(socket)).at(-1).length < 1000, 'not all of them shown');
  await socket.locator('.kind').selectOption('text');
  await say(socket, '');
  await reads(socket, 'in ');
  assert.deepEqual((await lines(socket)).slice(0, 4), ['note open', 'out 3 bytes: 01 02 ff', 'in 3 bytes: ff 02 01',
    'note Bytes are pairs of hexadecimal digits: 01 02 ff']);
  await say(socket, 'bye');
  await socket.locator('.state.closed').waitFor();
  assert.equal((await lines(socket)).at(-1), 'note closed: 4001 <b>why</b>');
});

test('gallery page: what a server says is shown, never obeyed; and what it says too much is cut', async () => {
  const page = await index();
  const evil = '<img src=x onerror="alert(1)"><script>alert(2)</script>"\'&amp;\u2028\n  two';
  const socket = await open(page, 'basic_chat');
  await say(socket, evil);
  await reads(socket, 'in Echo: ' + evil);
  assert.equal(await page.locator('main img, main script').count(), 0);
  await say(socket, 'x'.repeat(20000));
  await until(async () => (await lines(socket)).at(-1).endsWith('… (20006 characters)'), 'the long one, cut');
  await socket.evaluate((node) => { for (let i = 0; i < 400; ++i) { node.querySelector('.text').value = i; node.querySelector('.speak').requestSubmit(); } });
  await reads(socket, 'in Echo: 399');
  assert.equal((await lines(socket)).length, 300);
  assert.ok(await socket.locator('.log').evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight < 2), 'the latest in sight');
});

test('gallery page: a socket that is not there, and a server that goes', async () => {
  const server = await start('gallery', 'hello_ws', '--port', '0');
  const page = await visit(server.http + '/');
  await page.fill('.path', 'nothing here?x#y');
  await page.press('.path', 'Enter');
  const socket = page.locator('.socket');
  await socket.locator('.state.closed').waitFor();
  assert.match((await lines(socket)).at(-1), /^note /);
  await page.fill('.path', '/nothing');
  await page.press('.path', 'Enter');
  const second = page.locator('.socket').nth(1);
  await reads(second, 'note not opened: the server refused, or is not there');
  await page.fill('.path', '/chat');
  await page.press('.path', 'Enter');
  const third = page.locator('.socket').nth(2);
  await third.locator('.state.open').waitFor();
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
  await until(async () => /^note closed: 1001/.test((await lines(third)).at(-1)), 'the 1001');
});

test('gallery page: by keyboard alone', async () => {
  const page = await index();
  await page.focus('#basic_chat .path');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  const socket = page.locator('#basic_chat .socket');
  await socket.locator('.state.open').waitFor();
  assert.ok(await socket.locator('.text').evaluate((node) => node === document.activeElement), 'one can write at once');
  await page.keyboard.press('Enter');
  await reads(socket, 'in Echo: hello');
  await page.keyboard.type('line');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('next');
  await page.keyboard.press('Enter');
  await reads(socket, 'in Echo: line\nnext');
  for (let i = 0; i < 5; ++i) await page.keyboard.press('Tab');   // kind, Send, code, reason, Close
  assert.ok(await socket.locator('.close').evaluate((node) => node === document.activeElement));
  await page.keyboard.press('Enter');
  await socket.locator('.state.closed').waitFor();
  assert.ok(await socket.locator('.again').evaluate((node) => node === document.activeElement), 'one can open it again');
  await page.keyboard.press('Enter');
  await socket.locator('.state.open').waitFor();
  assert.ok(await socket.locator('.text').evaluate((node) => node === document.activeElement), 'and write again');
  for (let i = 0; i < 5; ++i) await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await socket.locator('.state.closed').waitFor();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  assert.equal(await page.locator('.socket').count(), 0);
  assert.ok(await page.locator('#basic_chat .open').first().evaluate((node) => node === document.activeElement), 'nobody is lost');
});

test('gallery page: fits 320 pixels and more, its parts have names, and pictures of it', async () => {
  for (const [name, options] of [['phone-dark', { ...phone, colorScheme: 'dark' }], ['desktop', desktop], ['phone', phone], ['desktop-dark', { ...desktop, colorScheme: 'dark' }]]) {
    const page = await index(options);
    const socket = await open(page, 'basic_chat');
    await open(page, 'basic_chat');
    await say(socket, 'W'.repeat(300));
    await reads(socket, 'in Echo: ' + 'W'.repeat(300));
    await socket.locator('.text').fill('hello');
    await page.locator('#basic_chat').scrollIntoViewIfNeeded();
    await page.screenshot({ path: path.join(pictures, `gallery-${name}.png`) });
    if (name !== 'phone-dark') continue;
    for (const width of [320, 360, 390, 768, 1280]) {
      await page.setViewportSize({ width, height: 640 });
      const over = await page.evaluate(() => [...document.querySelectorAll('button, input, textarea, select, .what, .socket')]
        .filter((node) => node.checkVisibility() && node.getBoundingClientRect().right > innerWidth).map((node) => node.className));
      assert.deepEqual([await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), ...over], [0], String(width));
    }
    const nameless = await page.$$eval('button, textarea, input, select, a', (nodes) => nodes.filter((n) => n.checkVisibility() &&
      !(n.getAttribute('aria-label') || n.labels?.[0]?.textContent || n.textContent.trim())).map((n) => n.outerHTML));
    assert.deepEqual(nameless, []);
  }
});

// At its own path, and below its name among all.
for (const [base, ...name] of [['', 'browser_page'], ['/browser_page']]) {
  test(`browser_page: its page says hello, and sends only while it is connected (${base || 'alone'})`, async () => {
    const server = await start('gallery', ...name, '--port', '0');
    const sent = [], urls = [];
    const page = await visit(`${server.http}${base}/index.html`, desktop, (fresh) => fresh.on('websocket', (ws) => {
      urls.push(ws.url());
      ws.on('framesent', (frame) => sent.push(JSON.parse(frame.payload)));
    }));
    await page.waitForSelector('#state:text-is("Connected")');
    await page.waitForSelector('li:has-text("welcome")');
    assert.deepEqual(urls, [`${server.ws}${base}/ws/chat`]);
    assert.deepEqual(sent, [{ type: 'hello' }]);

    const witness = await connect(`${server.ws}${base}/ws/chat`);
    await page.evaluate(() => sendMessage('from the console'));
    await page.fill('#text', '<b>by hand</b>');
    await page.press('#text', 'Enter');
    await page.waitForSelector('li:has-text("by hand")');
    assert.equal(await page.locator('li b').count(), 0);
    assert.deepEqual(sent.slice(1), [{ type: 'message', text: 'from the console' }, { type: 'message', text: '<b>by hand</b>' }]);
    await witness.received(2);
    assert.deepEqual(witness.messages.map((m) => JSON.parse(m.text)).map(({ type, text }) => [type, text]), [['message', 'from the console'], ['message', '<b>by hand</b>']]);
    assert.deepEqual(Object.keys(JSON.parse(witness.messages[0].text)), ['type', 'from', 'text']);

    assert.deepEqual(await server.stop(), { code: 0, signal: null });
    await page.waitForSelector('#state:text-is("Disconnected")');
    await page.evaluate(() => sendMessage('too late'));
    assert.equal(sent.length, 3, 'nothing is sent when it is over, and nothing is thrown');
  });
}

test('browser_page: unknown types, and what is no JSON, end nothing', async () => {
  const client = await connect(gallery.ws + '/browser_page/ws/chat', { origin: gallery.http });
  const strange = ['{"type":"dance"}', '{"type":7}', '{}', '[]', 'null', '7', '', 'not JSON', '{"type":"message"', '['.repeat(5000), Buffer.from([0xff, 0x00])];
  for (const text of strange) client.ws.send(text);
  await client.received(strange.length);
  assert.deepEqual(client.messages.map((m) => m.text), strange.map(() => '{"type":"unknown"}'));
  client.ws.send('{"type":"hello"}');
  await client.received(strange.length + 1);
  const { id, ...welcome } = JSON.parse(client.messages.at(-1).text);
  assert.deepEqual(welcome, { type: 'welcome' });
  assert.equal(typeof id, 'string');
  client.ws.send('{"type":"message","text":["no text"]}');
  await client.received(strange.length + 2);
  assert.deepEqual(JSON.parse(client.messages.at(-1).text), { type: 'message', from: id, text: '' });
  assert.equal(client.closed, null);
  client.ws.close(1000);
  await client.end();
  assert.equal(client.closed.code, 1000);
});
