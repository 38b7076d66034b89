// gallery_second.test.mjs: applications of examples/gallery: what is known of a connection, JSON messages, events, errors, rooms.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import WebSocket from 'ws';
import { application, objects, texts } from './gallery.mjs';
import { connect, curl, until } from './harness.mjs';

const last = (client) => objects(client).at(-1);
const said = (server, part) => until(() => server.err.includes(part), `the log to say ${part}`);
const event = (name, ...args) => JSON.stringify({ event: name, args });

// Sends, and answers the next message that comes.
async function ask(client, what) {
  const count = client.messages.length;
  client.ws.send(typeof what === 'object' && !Buffer.isBuffer(what) ? JSON.stringify(what) : what);
  await client.received(count + 1);
  assert.equal(client.messages.length, count + 1);
  return client.messages[count].text;
}
const request = async (client, what) => JSON.parse(await ask(client, what));
async function next(client, count = 1) {
  const from = client.heard ?? 0;
  await client.received(from + count);
  client.heard = from + count;
  return objects(client).slice(from, from + count);
}

// The answer of a listener of events.
let acks = 0;
async function reply(client, name, ...args) {
  const ack = ++acks;
  client.ws.send(JSON.stringify({ event: name, args, ack }));
  const found = await until(() => objects(client).find((message) => message.ack === ack), `the answer to ${name}`);
  assert.deepEqual(Object.keys(found).sort(), ['ack', 'args']);
  return found.args[0];
}

// The object is this one, and its time (milliseconds) is now.
function isNow(actual, expected, key = 'timestamp') {
  assert.ok(Number.isInteger(actual[key]) && Math.abs(Date.now() - actual[key]) < 60000, `${key} ${actual[key]} is now`);
  assert.deepEqual(actual, { ...expected, [key]: actual[key] });
}
const isIso = (text) => assert.equal(new Date(text).toISOString(), text);

// The object that stands behind `before` in the log.
const logged = (server, before) => until(() => {
  const line = server.err.split('\n').slice(0, -1).find((one) => one.includes(before + '{'));
  return line && JSON.parse(line.slice(line.indexOf(before) + before.length));
}, `the log to say ${before}`);

async function close(client, ...how) {
  client.ws.close(...how);
  await client.end();
}

application('info', async (server) => {
  const client = await connect(server.ws + '/info', { origin: 'https://myapp.com', headers: { 'User-Agent': 'test/1' } });
  await client.received(1);
  const { id, connectedAt, ...known } = await logged(server, 'martlet info: ');
  assert.match(id, /^ws_\w{20,}$/);
  isIso(connectedAt);
  assert.ok(Math.abs(Date.now() - new Date(connectedAt)) < 60000);
  assert.deepEqual(known, { ip: '127.0.0.1', userAgent: 'test/1', origin: 'https://myapp.com', rooms: [], isAlive: true, metadata: {} });

  const welcome = last(client);
  const { uptime } = welcome.serverInfo;
  assert.ok(typeof uptime === 'number' && uptime > 0 && uptime < 60, `${uptime} s`);
  isNow(welcome, { type: 'welcome', message: `👋 Hello! Your ID is ${id}`, serverInfo: { version: '1.0.0', uptime } });
});

application('api_router', async (server) => {
  const [ann, bob] = [await connect(server.ws + '/api?name=Ann'), await connect(server.ws + '/api')];
  const error = (message) => ({ type: 'error', message });

  for (const wrong of ['{}', '{"type":7}', '{"type":""}', 'null', '[]', '5', '{"type":null,"room":"a"}']) {
    assert.deepEqual(await request(ann, wrong), error('❌ Invalid message format. Type required.'));
  }
  assert.deepEqual(await request(ann, { type: 'dance' }), error('❓ Unknown message type: dance'));
  for (const wrong of ['{', '', 'hello', '{"type":"ping"', '['.repeat(1000), Buffer.from('{"type":"ping"}'), Buffer.from([0xff])]) {
    assert.deepEqual(await request(ann, wrong), error('🔧 Invalid JSON format'));
  }
  await said(server, '🚨 Message processing error for ws_');

  for (const wrong of [{}, { room: '' }, { room: 7 }, { room: null }]) {
    assert.deepEqual(await request(ann, { type: 'join', ...wrong }), error('🏠 Room name required'));
  }
  const joined = { type: 'joined', room: 'den', message: '🎉 Successfully joined den!' };
  assert.deepEqual(await request(ann, { type: 'join', room: 'den' }), joined);
  assert.deepEqual(await request(bob, { type: 'join', room: 'den' }), joined);
  await until(() => last(ann).type === 'user-joined', 'bob in the den');
  const idOfBob = last(ann).user;
  assert.match(idOfBob, /^ws_/);
  isNow(last(ann), { type: 'user-joined', user: idOfBob, room: 'den' });

  for (const wrong of [{}, { text: 'hi' }, { room: 'den' }, { text: '', room: 'den' }, { text: 'hi', room: '' }]) {
    assert.deepEqual(await request(ann, { type: 'chat', ...wrong }), error('💬 Text and room required'));
  }
  assert.deepEqual(await request(ann, { type: 'chat', text: 'hi', room: 'attic' }), error('🚫 You are not in room: attic'));
  const before = ann.messages.length;
  bob.ws.send(JSON.stringify({ type: 'chat', text: 'hi "Ann"', room: 'den' }));
  await ann.received(before + 1);
  isNow(last(ann), { type: 'message', user: idOfBob, text: 'hi "Ann"', room: 'den', userInfo: { name: 'Anonymous' } });
  const heard = bob.messages.length;
  ann.ws.send(JSON.stringify({ type: 'chat', text: 'hi Bob', room: 'den' }));
  await bob.received(heard + 1);
  isNow(last(bob), { type: 'message', user: last(bob).user, text: 'hi Bob', room: 'den', userInfo: { name: 'Ann' } });

  const pong = await request(bob, { type: 'ping', timestamp: Date.now() - 5000 });
  assert.ok(pong.latency >= 5000 && pong.latency < 60000, `${pong.latency} ms`);
  isNow(pong, { type: 'pong', latency: pong.latency });
  assert.equal((await request(bob, { type: 'ping' })).latency, null);
  assert.equal(typeof (await request(bob, '{"type":"ping","timestamp":-9223372036854775808}')).latency, 'number');

  // Of a wrong shape, it is nobody's business: what ann hears next is the one with a good shape.
  const soFar = ann.messages.length;
  for (const wrong of [{}, { room: 'den' }, { room: 'den', isTyping: 1 }, { isTyping: true }, { room: 7, isTyping: true }]) {
    bob.ws.send(JSON.stringify({ type: 'typing', ...wrong }));
  }
  for (const isTyping of [true, false]) bob.ws.send(JSON.stringify({ type: 'typing', room: 'den', isTyping }));
  await ann.received(soFar + 2);
  for (const isTyping of [true, false]) isNow(objects(ann)[soFar + (isTyping ? 0 : 1)], { type: 'typing', user: idOfBob, room: 'den', isTyping });

  assert.deepEqual(await request(bob, { type: 'file-upload', name: 'a.png', size: 7 }), { type: 'file-upload', name: 'a.png', size: 7 });
  assert.deepEqual(await request(bob, { type: 'file-upload', size: 7 }), error('📁 File name and size required'));

  for (let room = 2; room <= 10; room++) assert.equal((await request(bob, { type: 'join', room: `room ${room}` })).type, 'joined');
  assert.deepEqual(await request(bob, { type: 'join', room: 'one more' }), error('🏠 Maximum room limit reached (10)'));
  assert.equal(ann.closed ?? bob.closed, null);
});

application('events', async (server) => {
  const client = await connect(server.ws + '/events');
  client.ws.send('hello');
  await said(server, 'Text message: hello\n');
  client.ws.ping();
  await said(server, 'Ping received\n');
  client.ws.pong();
  await said(server, 'Pong received\n');
  await close(client, 4321, 'enough');
  await said(server, 'Connection closed: 4321 - enough\n');
  assert.ok(!server.err.includes('Socket error'));
  const broken = await connect(server.ws + '/events');
  broken.ws._socket.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0]));  // an opcode that there is not
  await broken.end();
  await said(server, 'Socket error: ');
  await said(server, 'Connection closed: 1002 - ');
  assert.equal(broken.closed.code, 1002);

  // What a peer says makes no lines of its own.
  const forger = await connect(server.ws + '/events');
  forger.ws.send('one\nmartlet error: two');
  await said(server, 'Text message: one.martlet error: two\n');

  const [ann, bob] = [await connect(server.ws + '/custom?user=ann'), await connect(server.ws + '/custom')];
  for (const one of [ann, bob]) {
    const [hello] = await next(one);
    assert.deepEqual(Object.keys(hello).sort(), ['args', 'event']);
    assert.equal(hello.event, 'notification');
    assert.equal(hello.args.length, 1);
    isNow(hello.args[0], { type: 'welcome', message: 'Welcome to the platform!' });
  }
  bob.ws.send(event('join-room', 'post-7'));
  ann.ws.send(event('join-room', 'post-7'));
  assert.deepEqual(await ask(bob, event('user-action', 7)).then(JSON.parse).then((m) => m.event), 'error');
  assert.deepEqual(await ask(ann, event('join-room')).then(JSON.parse).then((m) => m.args[0].code), 'bad_arguments');
  bob.heard = 2;
  const toBob = async (action, data) => {
    ann.ws.send(event('user-action', action, data));
    return (await next(bob))[0];
  };
  assert.deepEqual(await toBob('like', { postId: '7', newLikeCount: 12 }), { event: 'like-update', args: [{ postId: '7', likes: 12, userId: 'ann' }] });
  assert.deepEqual(await toBob('like', { postId: 7, newLikeCount: 13 }), { event: 'like-update', args: [{ postId: 7, likes: 13, userId: 'ann' }] });
  assert.deepEqual(await toBob('comment', { postId: '7', text: 'so true' }), { event: 'comment-added', args: [{ postId: '7', text: 'so true', userId: 'ann' }] });
  ann.ws.send(event('user-action', 'dance', { postId: '7' }));
  ann.ws.send(event('user-action', 'like', null));
  ann.ws.send(event('user-action', 'like', { postId: 'other', newLikeCount: 1 }));
  assert.deepEqual(await toBob('share', { postId: '7' }), { event: 'post-shared', args: [{ postId: '7', userId: 'ann' }] });
  bob.ws.send(event('user-action', 'like', { postId: '7', newLikeCount: 14 }));
  ann.heard = 2;
  assert.deepEqual(await next(ann), [{ event: 'like-update', args: [{ postId: '7', likes: 14, userId: null }] }]);
  for (let room = 2; room <= 10; room++) ann.ws.send(event('join-room', `post-${room * 10}`));
  ann.ws.send(event('join-room', 'one more'));
  assert.deepEqual(await next(ann), [{ event: 'error', args: ['🏠 Maximum room limit reached (10)'] }]);
});

application('secure', async (server) => {
  const url = server.ws + '/secure';
  const client = await connect(url);
  for (const wrong of ['{', 'hello', '', Buffer.from('{"type":"chat"}')]) assert.deepEqual(await request(client, wrong), { error: 'Invalid JSON' });
  for (const wrong of ['{}', '{"type":1}', '{"type":""}', 'null', '[]', '7']) {
    assert.deepEqual(await request(client, wrong), { error: 'Invalid message format' });
  }
  const cleaned = async (text) => (await request(client, { type: 'chat', text })).text;
  assert.equal(await cleaned('a<script>alert(1)</script>b'), 'ab');
  assert.equal(await cleaned('<SCRIPT src="x">1</Script>a<script>2\n3</script>'), 'a');
  for (const same of ['<script>', '</script>', 'a <b> c', '<script', '</script><script>', 'ü😀']) assert.equal(await cleaned(same), same);
  assert.equal(await cleaned('<scr<script></script>ipt>'), '<script>', 'which is why it is no defence');
  assert.deepEqual(await request(client, { type: 'x', text: ['<script></script>'], n: 1 }), { type: 'x', text: ['<script></script>'], n: 1 });

  // Ten thousand characters, whatever their bytes, are not too many.
  for (const letter of ['a', 'ü', '語']) {
    const message = JSON.stringify({ type: 'chat', text: '' });
    const whole = message.replace('""', `"${letter.repeat(10000 - message.length)}"`);
    assert.equal([...whole].length, 10000);
    assert.equal((await request(client, whole)).type, 'chat');
    for (const more of [whole + ' ', whole + ' '.repeat(50000), letter.repeat(2_000_000)]) {
      const wordy = await connect(url);
      wordy.ws.send(more);
      await wordy.end();
      assert.deepEqual(wordy.closed, { code: 1009, reason: 'Message too large' });
      assert.equal(wordy.messages.length, 0);
    }
  }
  assert.equal(client.closed, null);
});

application('error_handling', async (server) => {
  const client = await connect(server.ws + '/chat');
  const error = async (what, code, message) => isNow(await request(client, what), { type: 'error', code, message });
  for (const wrong of ['{', 'hello', '', Buffer.from('{}')]) await error(wrong, 'PARSE_ERROR', '🔧 Invalid JSON format');
  await said(server, '🚨 JSON parse error for ws_');
  for (const wrong of ['null', '[]', '7', '{}', '{"type":"chat"}', '{"type":7,"timestamp":1}', '{"type":"chat","timestamp":0}', '{"type":"chat","timestamp":-1}', '{"type":"chat","timestamp":"1"}', '{"timestamp":1}']) {
    await error(wrong, 'INVALID_MESSAGE', '❌ Invalid message format');
  }
  await error({ type: 'dance', timestamp: 1 }, 'PROCESS_ERROR', '⚠️ Failed to process message');
  await said(server, '🚨 Processing error for ws_');
  isNow(await request(client, { type: 'chat', timestamp: 1, text: 'hi' }), { type: 'chat', text: 'hi' });

  const simple = await connect(server.ws + '/chat/simple');
  for (const wrong of ['{', '{"type":"dance"}', 'null', Buffer.from('{"type":"chat"}')]) {
    isNow(await request(simple, wrong), { type: 'error', message: 'Failed to process message' });
  }
  isNow(await request(simple, { type: 'chat', text: 'hi' }), { type: 'chat', text: 'hi' });
  assert.equal(client.closed ?? simple.closed, null);

  await close(client, 1000, 'bye');
  const other = await connect(server.ws + '/chat');
  await close(other, 4000, 'tired');
  await until(() => / warn: ⚠️ Unexpected close for ws_\w+: 4000 - tired\n/.test(server.err), 'a warning');
  const broken = await connect(server.ws + '/chat');
  broken.ws._socket.write(Buffer.from([0x83, 0x80, 0, 0, 0, 0]));
  await broken.end();
  await until(() => /🚨 Socket error for ws_\w+: ./.test(server.err), 'the error');
  await until(() => /Unexpected close for ws_\w+: 1002 - /.test(server.err), 'a warning');
  assert.ok(!server.err.includes(': 1000 - '));
});

application('debug', async (server) => {
  const off = new WebSocket(server.ws + '/disabled');
  let status = 0;
  off.on('error', () => {});
  off.on('unexpected-response', (_, response) => (status = response.statusCode));
  await until(() => status === 404, 'a refusal');
  off.terminate();
  assert.ok(!server.err.includes('not enabled'));
  const why = 'WebSocket not enabled. Call app.enableWebSocket() first.';
  const asked = await fetch(server.http + '/disabled');
  assert.deepEqual([asked.status, await asked.text()], [404, why]);
  await said(server, `error: ${why}\n`);

  const client = await connect(server.ws + '/debug');
  assert.equal(await ask(client, 'hé\nllo'), 'Received: hé\nllo');
  const received = await logged(server, '📨 Message received: ');
  assert.match(received.socketId, /^ws_/);
  assert.deepEqual(received, { socketId: received.socketId, data: 'hé\nllo', length: 7, type: 'text' });
  assert.equal(await ask(client, Buffer.from([0xff, 0])), 'Received: 2 bytes');
  await said(server, '"data":"2 bytes","length":2,"type":"binary"}');

  const [ann, bob, eve] = [await connect(server.ws + '/room-debug'), await connect(server.ws + '/room-debug'), client];
  ann.ws.send('one');
  await bob.received(1);
  bob.ws.send('two');
  await ann.received(1);
  assert.deepEqual([texts(ann), texts(bob)], [['Broadcast test'], ['Broadcast test']]);
  assert.deepEqual(await logged(server, '📊 Room info: '), { socketRooms: ['test-room'], messageData: 'one' });
  assert.equal(await ask(eve, 'not mine'), 'Received: not mine');
});

application('basic_routes', async (server) => {
  const echo = await connect(server.ws + '/ws/echo');
  for (const text of ['hello', '', '😀']) assert.equal(await ask(echo, text), `Echo: ${text}`);
  await ask(echo, Buffer.from([0xff]));
  assert.deepEqual(echo.messages.at(-1).data, Buffer.from([0xff]));

  const chat = await connect(server.ws + '/ws/chat');
  await said(server, 'New WebSocket connection\n');
  assert.equal(await ask(chat, 'hi there'), 'Message received');
  await said(server, 'Received: hi there\n');
  assert.equal(await ask(chat, Buffer.from([0xff])), 'Message received');
  await close(chat);
  await said(server, 'Connection closed\n');

  const user = await connect(server.ws + '/ws/user/ann%20b');
  await said(server, 'User ann b connected\n');
  await close(user);
  await said(server, 'User ann b disconnected\n');  // by what it had kept
});

application('protected', async (server) => {
  for (const none of ['', '?token=', '?other=1']) {
    const stranger = await connect(server.ws + '/ws/protected' + none);
    await stranger.end();
    assert.deepEqual(stranger.closed, { code: 1008, reason: 'Unauthorized' });
    assert.equal(stranger.messages.length, 0);
  }
  assert.ok(!server.err.includes('Protected: '), 'the handler has not run');
  const client = await connect(server.ws + '/ws/protected?token=secret');
  await client.received(1);
  assert.deepEqual(texts(client), ['Welcome to protected endpoint']);
  assert.deepEqual(await logged(server, 'Protected: '), { authenticated: true });
  assert.equal((await curl(server.http + '/ws/protected?token=secret')).responses[0].status, 426);
});

application('rooms_and_metadata', async (server) => {
  const url = server.ws + '/ws/chat';
  const [ann, bob, eve] = [await connect(url), await connect(url), await connect(url)];
  await said(server, 'User is in general room\n');
  await said(server, 'User rooms: ["');
  assert.deepEqual(JSON.parse(/User rooms: (.*)/.exec(server.err)[1]).sort(), ['room1', 'room2']);

  assert.equal((await reply(ann, 'room', 'general')).size, 0, 'left again');
  assert.deepEqual(await reply(ann, 'room', 'nowhere'), { name: 'nowhere', size: 0, connections: [] });
  assert.equal(await reply(ann, 'join', 'general'), true);
  const { connections: [annId] } = await reply(ann, 'room', 'general');
  assert.match(annId, /^ws_/);
  assert.equal(await reply(bob, 'join', 'general'), true);
  const { name, size, connections, ...none } = await reply(ann, 'room', 'general');
  assert.deepEqual([name, size, connections.length, none], ['general', 2, 2, {}]);
  const bobId = connections.find((id) => id !== annId);
  assert.equal((await reply(eve, 'room', 'room1')).size, 3);
  assert.equal(await reply(eve, 'leave', 'room1'), false);
  assert.equal((await reply(eve, 'room', 'room1')).size, 2);
  const eveId = (await reply(eve, 'room', 'room2')).connections.find((id) => id !== annId && id !== bobId);

  // What is not sent to somebody does not reach them before the next thing that is.
  for (const client of [ann, bob, eve]) client.heard = client.messages.length;
  const announcement = { type: 'announcement', message: 'Server maintenance in 5 minutes' };
  const system = { type: 'system', message: 'Server announcement' };
  eve.ws.send(event('announce', 'general'));
  for (const client of [ann, bob]) assert.deepEqual(await next(client), [announcement]);
  eve.ws.send(event('system'));
  for (const client of [ann, bob, eve]) assert.deepEqual(await next(client), [system]);
  ann.ws.send(event('say', 'general', { hi: 1 }));
  ann.ws.send(event('system'));
  assert.deepEqual(await next(bob, 2), [{ hi: 1 }, system]);
  for (const client of [ann, eve]) assert.deepEqual(await next(client), [system]);
  ann.ws.send(event('tell-others', { secret: 1 }, [bobId, eveId]));
  ann.ws.send(event('tell-others', { secret: 2 }, [bobId]));
  ann.ws.send(event('tell-others', { secret: 3 }, []));
  assert.deepEqual(await next(ann, 3), [{ secret: 1 }, { secret: 2 }, { secret: 3 }]);
  assert.deepEqual(await next(eve, 2), [{ secret: 2 }, { secret: 3 }]);
  assert.deepEqual(await next(bob), [{ secret: 3 }]);

  const game = await connect(server.ws + '/ws/game?userId=7&username=Zo%C3%AB');
  const info = await logged(server, 'martlet info: ');
  isIso(info.metadata.joinedAt);
  const { joinedAt } = info.metadata;
  assert.deepEqual(info, {
    id: info.id,
    state: 1,
    rooms: [],
    metadata: { userId: '7', username: 'Zoë', joinedAt, score: 0 },
    remoteAddress: '127.0.0.1',
    remotePort: game.ws._socket.localPort,
  });
  game.ws.send('my move');
  await said(server, 'Zoë: my move\n');

  // To the route, not to the game: what that hears is the next for all.
  bob.ws.send(event('route'));
  bob.ws.send(event('system'));
  for (const client of [ann, bob, eve]) assert.deepEqual(await next(client, 2), [{ type: 'route-message', data: 'Hello chat users' }, system]);
  assert.deepEqual(await next(game), [system]);

  for (let room = 4; room <= 10; room++) assert.equal(await reply(ann, 'join', `den ${room}`), true);
  assert.equal(await reply(ann, 'join', 'one more'), false);
});

application('errors_and_closing', async (server) => {
  const url = server.ws + '/ws/rooms/';
  const wrong = await connect(url + 'den?userId=7');
  wrong.ws.send('no event');
  await wrong.end();
  assert.deepEqual(objects(wrong), [{ type: 'error', message: 'only events are understood here' }]);
  assert.deepEqual(wrong.closed, { code: 1011, reason: 'Internal server error' });
  await said(server, 'WebSocket error: only events are understood here\n');
  assert.deepEqual(await logged(server, 'Error context: '), { route: '/ws/rooms/:room', params: { room: 'den' }, userId: '7' });

  const den = [await connect(url + 'den'), await connect(url + 'den')];
  const attic = [await connect(url + 'attic'), await connect(url + 'attic')];
  attic[0].ws.send(event('close-room', 'den'));
  for (const client of den) {
    await client.end();
    assert.deepEqual(client.closed, { code: 1000, reason: 'Room closed' });
  }
  attic[0].ws.ping();
  await until(() => attic[0].pongs.length > 0, 'the attic');
  assert.equal(attic[0].closed ?? attic[1].closed, null);
  const others = [await connect(url + 'den'), ...attic];
  attic[1].ws.send(event('close-all'));
  for (const client of others) {
    await client.end();
    assert.deepEqual(client.closed, { code: 1001, reason: 'Server shutdown' });
  }
});
