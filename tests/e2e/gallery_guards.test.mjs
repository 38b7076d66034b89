// Applications of examples/gallery that keep somebody out, or in bounds; and one that says how the server is.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { connect, curl, until } from './harness.mjs';
import { application, close, hear, hearJson, isIsoNow, quiet, said, send, serving, skip } from './gallery.mjs';

// X-09 ------------------------------------------------------------------------------------------------------------------

application('token_and_rate', async (server) => {
  const refused = async (query) => {
    const client = await connect(server.ws + '/members' + query);
    await client.end();
    assert.equal(client.messages.length, 0, 'the handler has not run');
    return client.closed;
  };
  for (const none of ['', '?token=', '?other=1']) assert.deepEqual(await refused(none), { code: 1008, reason: 'Authentication required' });
  for (let i = 0; i < 10; i++) assert.deepEqual(await refused('?token=guessed'), { code: 1008, reason: 'Invalid token' });

  // Nobody of those counts; who has gone again does.
  for (let i = 0; i < 5; i++) {
    const client = await connect(server.ws + '/members?token=token-of-' + (i % 2 ? 'ann' : 'bob'));
    assert.deepEqual(await hearJson(client), { type: 'welcome', user: i % 2 ? { id: '7', name: 'Ann' } : { id: '8', name: 'Bob' } });
    await close(client);
  }
  for (let i = 0; i < 3; i++) assert.deepEqual(await refused('?token=token-of-ann'), { code: 1008, reason: 'Rate limit exceeded' });
  assert.deepEqual(await refused('?token=guessed'), { code: 1008, reason: 'Invalid token' });
});

// X-21 ------------------------------------------------------------------------------------------------------------------

application('robust_chat', async (server) => {
  const [ann, bob, eve] = [await connect(server.ws + '/robust-chat/den'), await connect(server.ws + '/robust-chat/den'), await connect(server.ws + '/robust-chat/attic')];
  const invalid = (details) => ({ type: 'error', message: 'Invalid message format', details });
  for (const wrong of [{}, { type: 7 }, { type: '' }, { type: null }, [], 7]) {
    send(ann, JSON.stringify(wrong));
    assert.deepEqual(await hearJson(ann), invalid('Invalid message type'));
  }
  for (let i = 0; i < 100; i++) send(ann, '{"type"');
  for (let i = 0; i < 100; i++) {
    const { details, ...rest } = await hearJson(ann);
    assert.match(details, /^line 1, column \d+/);
    assert.deepEqual(invalid(details), { ...rest, details });
  }

  // None of those has counted: sixty go through, to the others of the room.
  for (let n = 1; n <= 60; n++) send(ann, { type: 'chat', n });
  for (let n = 1; n <= 60; n++) assert.deepEqual(await hearJson(bob), { type: 'chat', n });
  await quiet(ann, bob, eve);
  for (let i = 0; i < 3; i++) {
    send(ann, { type: 'chat', n: 61 });
    assert.deepEqual(await hearJson(ann), { type: 'error', message: 'Rate limit exceeded' });
  }
  send(ann, '{}');
  assert.deepEqual(await hearJson(ann), invalid('Invalid message type'));
  send(bob, { type: 'chat', n: 1 });  // each by itself, and ann is still there
  assert.deepEqual(await hearJson(ann), { type: 'chat', n: 1 });
  await quiet(ann, bob, eve);
  await close(bob);

  // An error that the peer has made is told before the Close.
  send(eve, 'x'.repeat(70_000));
  assert.deepEqual(await hearJson(eve), { type: 'error', message: 'Connection error occurred', code: 1009 });
  await eve.end();
  assert.equal(eve.closed.code, 1009);
  await said(server, 'WebSocket error: ');
  await close(ann);
});

test('gallery: robust_chat: pings, and closes when its time is up', () => serving(async (server) => {
  const begin = Date.now();
  const client = await connect(server.ws + '/robust-chat/den?ping=50&timeout=600');
  await said(server, 'Pong received, connection healthy');
  await until(() => server.err.split('Pong received').length > 4, 'more of them');
  await client.end();
  assert.deepEqual(client.closed, { code: 1000, reason: 'Connection timeout' });
  assert.ok(Date.now() - begin >= 600);
  // Its timers have gone with it.
  const pongs = server.err.split('Pong received').length;
  const other = await connect(server.ws + '/robust-chat/den');
  send(other, 'no JSON');
  await hear(other);
  await close(other);
  assert.equal(server.err.split('Pong received').length, pongs);
}, 'robust_chat'));

// X-31 ------------------------------------------------------------------------------------------------------------------

const tokenOf = async (server) => (await fetch(server.http + '/token/ann@example.com')).text();
async function isRefused(url, reason, options) {
  const client = await connect(url, options);
  await client.end();
  assert.deepEqual([client.messages, client.closed], [[], { code: 1008, reason }]);
}
const hasRoom = (url) => until(async () => {
  const client = await connect(url);
  return until(() => client.messages.length > 0 || client.closed, 'a welcome or a refusal').then(() => client.closed ? null : client);
}, 'a place that is free again');

application('middleware', async (server) => {
  const token = await tokenOf(server);
  const url = `${server.ws}/middleware?token=${token}`;
  for (const none of ['', '?token=', '?other=1']) await isRefused(server.ws + '/middleware' + none, 'Authentication required');
  for (const wrong of ['x', 'a.b.c', token.slice(0, -2)]) await isRefused(server.ws + '/middleware?token=' + wrong, 'Invalid token');
  await isRefused(server.ws + '/middleware', 'Invalid token', { headers: { authorization: 'Bearer x' } });
  await until(() => server.err.split('[WS] Disconnection: ').length - 1 === 7, 'the log of who was refused');

  const options = { headers: { authorization: `Bearer ${token}`, 'user-agent': 'checks "of" it' }, origin: 'https://a.example' };
  const ann = await connect(server.ws + '/middleware', options);
  const welcome = { type: 'welcome', metadata: { authenticated: true, user: { id: 'ann', username: 'ann@example.com', roles: [] } } };
  assert.deepEqual(await hearJson(ann), welcome);
  const long = '日'.repeat(99) + 'xyz';
  const bytes = Buffer.from('bytes');
  for (const message of ['hello', 'two\n[WS] lines', long, bytes]) send(ann, message);
  for (const message of ['hello', 'two\n[WS] lines', long, null]) assert.equal(await hear(ann), message);
  await close(ann);

  // What is logged of her: L-05, and who she says she is.
  const lines = () => server.err.split('\n').filter((line) => line.startsWith('[WS] '));
  const parts = 'checks \\"of\\" it';
  const debug = await until(() => lines().find((line) => line.startsWith('[WS] Debug: ') && line.includes(parts)), 'the debug line');
  const { socketId: id, ...more } = JSON.parse(debug.slice('[WS] Debug: '.length));
  isIsoNow(more, { ip: '127.0.0.1', userAgent: 'checks "of" it', origin: 'https://a.example' });
  assert.match(id, /^ws_/);
  const end = new RegExp(`^\\[WS\\] Disconnection: ${id} \\(duration: \\d+ms\\)$`);
  await until(() => lines().some((line) => end.test(line)), 'the end in the log');
  const said = (what) => `[WS] Message from ${id}: ${what}`;
  assert.deepEqual(lines().filter((line) => line.includes(id) && !end.test(line)), [`[WS] Connection: ${id} from 127.0.0.1`, debug, said('hello'),
    said('two\\x0a[WS] lines'), said('日'.repeat(99) + 'x'), said('5 bytes')]);

  // Ten of an address at the same time, however one of them ends.
  const ten = [];
  for (let i = 0; i < 10; i++) ten.push(await connect(url));
  for (const one of ten) assert.deepEqual(await hearJson(one), welcome);
  for (let i = 0; i < 3; i++) await isRefused(url, 'Too many connections from this IP');
  await isRefused(server.ws + '/middleware', 'Too many connections from this IP');
  const elsewhere = await connect(url, { localAddress: '127.0.0.2' });
  assert.deepEqual(await hearJson(elsewhere), welcome);
  for (const go of [(client) => close(client), (client) => client.ws.terminate()]) {
    await go(ten.pop());
    ten.unshift(await hasRoom(url));
    skip(ten[0]);
    await isRefused(url, 'Too many connections from this IP');
  }

  // Ten messages within a second; the eleventh is nobody's.
  const [bob, carl] = ten;
  for (let i = 1; i <= 11; i++) send(bob, `${i}`);
  for (let i = 1; i <= 10; i++) assert.equal(await hear(bob), `${i}`);
  await bob.end();
  assert.deepEqual(bob.closed, { code: 1008, reason: 'Message rate limit exceeded' });
  send(carl, 'still here');
  assert.equal(await hear(carl), 'still here');
  await quiet(carl, elsewhere);
  assert.equal(bob.messages.length, 11);
});

test('gallery: middleware: a hundred connections of an address within a minute', () => serving(async (server) => {
  const url = `${server.ws}/middleware?token=${await tokenOf(server)}`;
  for (let i = 0; i < 5; i++) await isRefused(server.ws + '/middleware?token=guessed', 'Invalid token');   // of nobody, none of them
  for (let i = 0; i < 100; i++) {
    const client = await connect(url);
    await hear(client);
    await close(client);
  }
  for (let i = 0; i < 3; i++) await isRefused(url, 'Rate limit exceeded');
  await isRefused(server.ws + '/middleware?token=guessed', 'Invalid token');
  const elsewhere = await connect(url, { localAddress: '127.0.0.2' });
  assert.equal((await hearJson(elsewhere)).type, 'welcome');
}, 'middleware'));

// X-14, the health half -------------------------------------------------------------------------------------------------

const now = () => performance.now() / 1000;

application('monitoring', async (server) => {
  const health = async () => {
    const { responses: [{ status, headers, body }] } = await curl(server.http + '/ws/health');
    assert.deepEqual([status, headers['content-type'], headers['cache-control']], [200, 'application/json', 'no-store']);
    const { status: how, websocket, ...more } = JSON.parse(body);
    assert.deepEqual([how, more, Object.keys(websocket)], ['healthy', {}, ['activeConnections', 'totalRooms', 'uptime', 'memoryUsage']]);
    return websocket;
  };
  const counts = async () => { const { activeConnections, totalRooms } = await health(); return [activeConnections, totalRooms]; };
  const become = (connections, rooms) => until(async () => `${await counts()}` === `${[connections, rooms]}`, `${connections} connections, ${rooms} rooms`);

  // Uptime is seconds.
  const begin = now();
  const { uptime, memoryUsage } = await health();
  const between = now();
  assert.ok(uptime > 0 && uptime < 60, `${uptime}`);
  await until(() => now() > between + 0.1, 'a tenth of a second');
  const again = now();
  const passed = (await health()).uptime - uptime;
  assert.ok(passed >= again - between && passed <= now() - begin, `${passed}`);

  // Memory is bytes, as the system has them.
  assert.deepEqual(Object.keys(memoryUsage), ['rss', 'heapTotal', 'heapUsed', 'external']);
  for (const [name, size] of Object.entries(memoryUsage)) assert.ok(Number.isSafeInteger(size) && size > 0, `${name} ${size}`);
  const kernels = 1024 * Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.child.pid}/status`, 'latin1'))[1]);
  assert.ok(Math.abs(memoryUsage.rss - kernels) < kernels / 4, `${memoryUsage.rss} ${kernels}`);
  assert.equal(memoryUsage.heapUsed + memoryUsage.external, memoryUsage.rss);

  // What is counted.
  assert.deepEqual(await counts(), [0, 0]);
  const [ann, bob, carl] = [await connect(server.ws + '/ws/room/lobby'), await connect(server.ws + '/ws/room/lobby'), await connect(server.ws + '/ws/room/attic')];
  for (const one of [ann, bob, carl]) {
    send(one, 'hello');
    assert.equal(await hear(one), 'hello');
  }
  assert.deepEqual(await counts(), [3, 2]);
  await close(ann);
  await become(2, 2);
  carl.ws.terminate();
  await become(1, 1);
  await close(bob);
  await become(0, 0);

  const { responses: [head] } = await curl('--head', server.http + '/ws/health');
  assert.equal(head.status, 200);
  const { responses: [post] } = await curl('-X', 'POST', server.http + '/ws/health');
  assert.equal(post.status, 405);
});
