// gallery_first.test.mjs: applications of examples/gallery: routes in two phases, greetings, echoes, options, bytes.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import WebSocket from 'ws';
import { application, objects, serving, texts } from './gallery.mjs';
import { connect, until, within } from './harness.mjs';

const count = (text, part) => text.split(part).length - 1;
const said = (server, part, times = 1) => until(() => count(server.err, part) >= times, `the log to say ${part}`);

// The status that a handshake is refused with.
function refused(url, options = {}) {
  const ws = new WebSocket(url, options);
  return within(new Promise((resolve, reject) => {
    ws.on('unexpected-response', (request, response) => { resolve(response.statusCode); request.destroy(); });
    ws.on('open', () => reject(new Error(`${url} is open`)));
    ws.on('error', () => {});
  }), `a refusal on ${url}`);
}

async function close(client, ...how) {
  client.ws.close(...how);
  await client.end();
}

application('route_chat', async (server) => {
  assert.equal(count(server.err, 'WebSocket server initialized for chat route'), 1, 'before any client');
  const url = server.ws + '/api/websocket/chat';
  const [ann, bob] = [await connect(url), await connect(url)];
  ann.ws.send('hi');
  ann.ws.send(Buffer.from([0xff]));   // which is nobody's text
  await bob.received(1);
  bob.ws.send('ho');
  await Promise.all([ann.received(3), bob.received(3)]);
  assert.deepEqual(texts(ann), ['Echo: hi', 'Broadcast: hi', 'Broadcast: ho']);
  assert.deepEqual(texts(bob), ['Broadcast: hi', 'Echo: ho', 'Broadcast: ho']);
  await close(ann);
  bob.ws.terminate();
  await said(server, 'Cleaning up chat connection', 2);
  assert.equal(count(server.err, 'Client connected to chat'), 2);
  assert.equal(count(server.err, 'Client disconnected from chat'), 2);
  assert.equal(count(server.err, 'Cleaning up chat connection'), 2);
  assert.equal(count(server.err, 'WebSocket server initialized for chat route'), 1);
});

test('gallery: a route of another application hears nothing of route_chat', () => serving(async (server) => {
  const other = await connect(server.ws + '/basic_chat/chat');
  const chat = await connect(server.ws + '/route_chat/api/websocket/chat');
  chat.ws.send('hi');
  await chat.received(2);
  other.ws.send('after it');
  await other.received(2);
  assert.deepEqual(texts(other), ['Welcome to the chat!', 'Echo: after it']);
  assert.deepEqual(texts(chat), ['Echo: hi', 'Broadcast: hi']);
}));

application('route_room', async (server) => {
  const open = (path) => connect(`${server.ws}/api/websocket/${path}`);
  const [red, blue] = [await open('room/red'), await open('room/blue')];
  await said(server, 'Client connected to room: red');
  await said(server, 'Client connected to room: blue');
  red.ws.send('one');
  await Promise.all([red.received(1), blue.received(1)]);
  blue.ws.send('two');
  await Promise.all([red.received(2), blue.received(2)]);
  for (const client of [red, blue]) assert.deepEqual(texts(client), ['Room red: one', 'Room blue: two']);

  const members = [await open('members/red'), await open('members/red'), await open('members/blue')];
  members[0].ws.send('for red');
  await members[1].received(1);
  members[2].ws.send('for blue');
  await members[2].received(1);
  members[1].ws.send('last');
  red.ws.send('three');
  await Promise.all([members[0].received(2), members[1].received(2), blue.received(3)]);
  const heard = ['Room red: for red', 'Room red: last'];
  assert.deepEqual(members.map(texts), [heard, heard, ['Room blue: for blue']]);
  assert.deepEqual(texts(blue).slice(2), ['Room red: three']);

  await close(red);
  blue.ws.terminate();
  await said(server, 'Client disconnected from room: red');
  await said(server, 'Client disconnected from room: blue');
  assert.equal(await refused(`${server.ws}/api/websocket/room/%FF`), 404);
});

application('route_broadcast', async (server) => {
  const clients = [];
  for (let i = 0; i < 3; i++) clients.push(await connect(server.ws + '/api/websocket/broadcast'));
  const [ann, bob, eve] = clients;
  ann.ws.send('hi');
  await Promise.all([bob.received(2), eve.received(2)]);
  bob.ws.send('ho');
  await Promise.all([ann.received(3), bob.received(3), eve.received(4)]);
  const id = (client, index) => /^User ([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}): /.exec(texts(client)[index])[1];
  const [a, b] = [id(ann, 0), id(ann, 1)];
  assert.notEqual(a, b);
  assert.deepEqual(texts(ann), [`User ${a}: hi`, `User ${b}: ho`, `From ${b}: ho`]);
  assert.deepEqual(texts(bob), [`User ${a}: hi`, `From ${a}: hi`, `User ${b}: ho`]);
  assert.deepEqual(texts(eve), [`User ${a}: hi`, `From ${a}: hi`, `User ${b}: ho`, `From ${b}: ho`]);
  await close(ann);
  await said(server, '2 clients are left');
  bob.ws.terminate();
  await said(server, '1 clients are left');
  await close(eve);
  await said(server, '0 clients are left');
});

application('route_secure', async (server) => {
  const secure = server.ws + '/api/websocket/secure';
  for (const headers of [{}, { authorization: 'Bearer another' }, { authorization: '' }]) {
    const stranger = await connect(secure, { headers });
    await stranger.end();
    assert.deepEqual(stranger.closed, { code: 1008, reason: 'Authentication required' });
    assert.deepEqual(stranger.messages, []);
  }
  assert.ok(!server.err.includes('Authenticated client connected'), 'the handler does not run');
  const friend = await connect(secure, { headers: { authorization: 'Bearer let-me-in' } });
  friend.ws.send('hello');
  await friend.received(1);
  assert.deepEqual(texts(friend), ['hello']);
  await said(server, 'Authenticated client connected');

  const sum = await connect(server.ws + '/api/websocket/sum?start=40');
  sum.ws.send('2');
  sum.ws.send('two');
  await sum.end();
  assert.deepEqual(texts(sum), ['42.000000']);
  assert.deepEqual(sum.closed, { code: 1011, reason: 'Internal server error' });
  await said(server, '1011 handler_failure: stod');
  const never = await connect(server.ws + '/api/websocket/sum?start=none');
  await never.end();
  assert.deepEqual(never.closed, { code: 1011, reason: 'Internal server error' });
  await said(server, '1011 handler_failure: stod', 2);
});

application('quickstart', async (server) => {
  const client = await connect(server.ws + '/ws');
  client.ws.send('hello');
  client.ws.send('');
  await client.received(3);
  assert.deepEqual(texts(client), ['Welcome to martlet WebSocket!', 'Echo: hello', 'Echo: ']);
  await close(client, 1000, 'bye');
  await said(server, 'Connection closed: 1000 - bye\n');
  await close(await connect(server.ws + '/ws'), 4001, 'x\nmartlet error: y');
  await said(server, 'Connection closed: 4001 - x.martlet error: y\n');

  const curl = execFile('curl', ['--silent', '--include', '--no-buffer', '--http1.1', '--max-time', '30',
    '--header', 'Connection: Upgrade', '--header', 'Upgrade: websocket', '--header', 'Sec-WebSocket-Version: 13',
    '--header', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', server.http + '/ws'], { encoding: 'latin1' });
  let answer = '';
  curl.stdout.on('data', (bytes) => (answer += bytes));
  await until(() => answer.includes('\r\n\r\n'), 'the answer to the handshake');
  curl.kill();
  assert.match(answer, /^HTTP\/1\.1 101 /);
  assert.match(answer, /^sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r$/im);
  await said(server, 'Connection closed: 1006 - \n');
});

const browser = { origin: 'https://yourdomain.com', headers: { 'User-Agent': 'ws' } };
for (const [name, path, most, options] of [['hello_ws', '/chat', 100], ['quickstart', '/ws', 1000], ['strict', '/ws', 1000, browser]]) {
  test(`gallery: ${most} connections of ${name}, and no more`, () => serving(async (server) => {
    const url = server.ws + path;
    const clients = [];
    while (clients.length < most) clients.push(...await Promise.all([...Array(100)].map(() => connect(url, options))));
    assert.equal(await refused(url, options), 503);
    await close(clients[0]);
    clients.push(await connect(url, options));
    clients.forEach(({ ws }) => ws.terminate());
  }, name));
}

application('data_stream', async (server) => {
  const url = server.ws + '/stream/data';
  const [stays, goes] = [await connect(url), await connect(url)];
  await goes.received(1);
  await until(() => objects(stays).at(-1)?.metrics?.connections === 2, 'both to be counted');
  const [started, point] = objects(stays);
  assert.deepEqual(started, { type: 'stream-started', streamId: started.streamId, message: 'Data stream initiated' });
  const [, milliseconds] = /^stream_(\d+)_[0-9a-z]{9}$/.exec(started.streamId);
  assert.ok(Math.abs(Date.now() - milliseconds) < 60000);
  assert.deepEqual(Object.keys(point).sort(), ['metrics', 'streamId', 'timestamp', 'type', 'value']);
  assert.deepEqual(Object.keys(point.metrics).sort(), ['connections', 'cpu', 'memory']);
  assert.equal(point.type, 'data-point');
  assert.equal(point.streamId, started.streamId);
  assert.equal(new Date(point.timestamp).toISOString(), point.timestamp);
  assert.ok(Math.abs(Date.now() - Date.parse(point.timestamp)) < 60000);
  for (const value of [point.value, point.metrics.cpu, point.metrics.memory]) assert.ok(typeof value === 'number' && value >= 0 && value <= 100);
  assert.equal(typeof point.metrics.connections, 'number');
  assert.notEqual(objects(goes)[0].streamId, started.streamId);

  // Nothing is sent to who has gone, and nobody else is sent more for it.
  const { streamId } = objects(goes)[0];
  await close(goes);
  await said(server, `Data stream ${streamId} ended`);
  const [heard, before] = [goes.messages.length, stays.messages.length];
  await stays.received(before + 2);
  assert.equal(goes.messages.length, heard);
  const times = objects(stays).slice(1).map((each) => Date.parse(each.timestamp));
  assert.ok(Math.abs(times.at(-1) - times[0] - 1000 * (times.length - 1)) < 900, `${times}: one a second, on a machine that may be busy`);
  assert.ok(objects(stays).slice(1).every((each) => each.streamId === started.streamId));
  assert.equal(objects(stays).at(-1).metrics.connections, 1);
});

application('binary', async (server) => {
  const client = await connect(server.ws + '/binary');
  client.ws.send(Buffer.from([1, 2, 3, 0, 255]));
  client.ws.send('hello');
  client.ws.send(Buffer.alloc(0));
  await client.received(3);
  assert.ok(client.messages[0].isBinary && client.messages[2].isBinary);
  assert.deepEqual([...client.messages[0].data], [255, 0, 3, 2, 1]);
  assert.equal(client.messages[1].text, 'Text received: hello');
  assert.equal(client.messages[2].data.length, 0);
});

application('secure_ws', async (server) => {
  const client = await connect(server.ws + '/secure-ws');
  const format = { error: 'Invalid message format' };
  const failed = { error: 'Message processing failed' };
  const note = (text) => client.ws.send(JSON.stringify({ type: 'note', timestamp: Date.now(), text }));
  const tries = [
    ['{"timestamp": 1}', format], ['{"type": 7, "timestamp": 1}', format], ['{"type": "note"}', format], ['[]', format], ['null', format], ['7', format],
    ['{"type": "note", "timestamp": 0}', format], ['{"type": "note", "timestamp": "1"}', format],
    ['', failed], ['{', failed], ['['.repeat(4000), failed], [Buffer.from([0xff, 0xfe]), failed],
    ['{"type": "other", "timestamp": 1}', failed], ['{"type": "note", "timestamp": 1}', failed],
  ];
  note('one');
  for (const [message] of tries) client.ws.send(message);
  note('two');
  await client.received(tries.length);
  client.ws.send('{');   // what is well is not answered, so two have not been
  await client.received(tries.length + 1);
  assert.deepEqual(objects(client), [...tries.map(([, answer]) => answer), failed]);
  await close(client, 1000, 'bye');
  await said(server, 'WebSocket closed: 1000 - bye, notes: 2\n');

  const eager = await connect(server.ws + '/secure-ws');
  for (let i = 0; i < 101; i++) eager.ws.send(JSON.stringify({ type: 'note', timestamp: 1, text: 'x' }));
  await eager.received(1);
  assert.deepEqual(objects(eager), [failed]);
  eager.ws.send('x'.repeat(4097));
  await eager.end();
  assert.equal(eager.closed.code, 1009);
  await said(server, 'notes: 100\n');
});

application('strict', async (server) => {
  const url = server.ws + '/ws';
  const from = (origin) => ({ origin, headers: { 'User-Agent': 'ws' } });
  const client = await connect(url, from('https://yourdomain.com'));
  await connect(url, from('https://a.yourdomain.com'));
  for (const origin of ['https://yourdomain.com.evil.org', 'http://a.yourdomain.com', 'null', undefined]) {
    assert.equal(await refused(url, from(origin)), 403, origin);
  }
  assert.equal(await refused(url, { origin: 'https://yourdomain.com' }), 401, 'without a User-Agent');
  client.ws.send('x'.repeat(65536));
  await client.received(1);
  assert.equal(client.messages[0].text.length, 65536);
  client.ws.send('x'.repeat(65537));
  await client.end();
  assert.equal(client.closed.code, 1009);
});

application('basic_chat', async (server) => {
  const client = await connect(`${server.ws}/chat`);
  client.ws.send('hello');
  client.ws.send(Buffer.from([0xff]));
  client.ws.send('still here');
  await client.received(3);
  assert.deepEqual(texts(client), ['Welcome to the chat!', 'Echo: hello', 'Echo: still here']);
  await close(client);
  await said(server, 'has left the chat');
  assert.doesNotMatch(server.err, /martlet warn/);
  const large = await connect(`${server.ws}/chat`);
  large.ws.send('x'.repeat(2 << 20));
  await large.end();
  assert.equal(large.closed.code, 1009);
  await said(server, 'has left the chat', 2);
  assert.match(server.err, /martlet warn: (ws_\w{26}): .+\n(.*\n)*martlet info: \1 has left the chat/, 'the error listener, then the close listener');
});

application('params', async (server) => {
  const room = (path, headers = {}) => connect(server.ws + path, { headers });
  const ann = await room('/rooms/lobby?userId=ann', { authorization: 'Bearer x' });
  const bob = await room('/rooms/lobby');
  const eve = await room('/rooms/attic?userId=e%76e%0a');
  await Promise.all([ann, bob, eve].map((client) => client.received(1)));
  for (const [client, id] of [[ann, 'lobby'], [bob, 'lobby'], [eve, 'attic']]) assert.deepEqual(texts(client), [`Welcome to room ${id}!`]);
  await said(server, 'Client joined room: lobby, as ann with a token\n');
  await said(server, 'Client joined room: lobby, as nobody without a token\n');
  await said(server, 'Client joined room: attic, as eve. without a token\n');

  ann.ws.send('hi');
  await bob.received(2);
  bob.ws.send(Buffer.from([0xff]));
  await ann.received(2);
  const max = await room('/rooms/attic');
  eve.ws.send('for the attic');
  await max.received(2);
  assert.deepEqual(texts(max), ['Welcome to room attic!', 'for the attic']);
  ann.ws.send('last');
  await bob.received(3);
  assert.deepEqual(texts(bob).slice(1), ['hi', 'last']);
  assert.deepEqual([...ann.messages[1].data], [0xff], 'not what it has said itself');
  assert.equal(eve.messages.length, 1);

  const player = await room('/games/7/players/x-1');
  await player.received(1);
  assert.deepEqual(objects(player), [{ type: 'connected', gameId: '7', playerId: 'x-1' }]);
  await close(player);
  await said(server, 'Player x-1 has left game 7\n');
});

application('ws_test', async (server) => {
  const client = await connect(server.ws + '/test');
  client.ws.send('hello');
  await client.received(2);
  assert.deepEqual(texts(client), ['welcome', 'echo: hello']);
  const quiet = await connect(server.ws + '/test/quiet');
  quiet.ws.send('hello');
  await quiet.received(1);
  assert.deepEqual(texts(quiet), ['Echo: hello']);
  await server.stop();
  await Promise.all([client.end(), quiet.end()]);
  assert.deepEqual([client.closed.code, quiet.closed.code], [1001, 1001]);
});

application('hello_ws', async (server) => {
  const client = await connect(server.ws + '/chat');
  client.ws.send('hello');
  await client.received(2);
  assert.deepEqual(texts(client), ['🎉 Welcome to martlet WebSocket!', '🔄 Echo: hello']);
  const large = 'x'.repeat(1 << 20);
  client.ws.send(large);
  await client.received(3);
  assert.equal(client.messages[2].text, '🔄 Echo: ' + large);
  client.ws.send(large + 'x');
  await client.end();
  assert.equal(client.closed.code, 1009);
  await said(server, 'disconnected: 1009');
  assert.match(server.err, /info: (ws_\w{26}) connected\nmartlet info: \1 says hello\nmartlet info: \1 says x{100}\nmartlet info: \1 disconnected: 1009\n/);
});
