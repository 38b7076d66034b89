// gallery_rooms.test.mjs: applications of examples/gallery whose subject is rooms: who is in them, who hears, what is remembered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { application, close, hear, hearJson, invalid, isIsoNow, isMsNow, objects, quiet, said, send, serving, skip } from './gallery.mjs';
import { connect, until } from './harness.mjs';

const json = async (url) => (await fetch(url)).json();
const notJson = ['{', '', 'hello', '['.repeat(1000), Buffer.from('{"type":"chat"}'), Buffer.from([0xff])];

// X-08 ------------------------------------------------------------------------------------------------------------------

application('room_chat', async (server) => {
  const stats = () => json(server.http + '/stats');
  assert.deepEqual(await stats(), { totalConnections: 0, activeConnections: 0, rooms: {} });
  const welcome = (room, activeUsers, totalMessages) => ({ type: 'welcome', room, message: `Welcome to room "${room}"!`, stats: { activeUsers, totalMessages } });
  const joined = (room, activeUsers) => ({ type: 'user-joined', room, message: `A new user joined "${room}"`, activeUsers });

  const begin = Date.now();
  const ann = await connect(server.ws + '/chat/den');
  assert.deepEqual(await hearJson(ann), welcome('den', 1, 0));
  assert.deepEqual(await hearJson(ann), joined('den', 1), 'the joiner hears it, too');
  assert.ok(Date.now() - begin >= 100, 'not before 100 ms have passed');

  send(ann, 'hello "all"');
  send(ann, '');
  for (const content of ['hello "all"', '']) {
    const { messageId, ...message } = await hearJson(ann);
    isIsoNow(message, { type: 'chat-message', room: 'den', content });
    const [, milliseconds] = /^msg_(\d+)_[0-9a-z]{9}$/.exec(messageId);
    assert.ok(Math.abs(Date.now() - milliseconds) < 60000);
  }
  const bob = await connect(server.ws + '/chat/some/den?name=bob/attic');
  assert.deepEqual(await hearJson(bob), welcome('den', 2, 2), 'the last part of the path, without the query');
  for (const one of [ann, bob]) assert.deepEqual(await hearJson(one), joined('den', 2));
  send(bob, 'hi');
  for (const one of [ann, bob]) assert.equal((await hearJson(one)).content, 'hi');

  const eve = await connect(server.ws + '/chat/');
  assert.deepEqual(await hearJson(eve), welcome('general', 1, 0));
  assert.deepEqual(await hearJson(eve), joined('general', 1));
  await quiet(eve, ann, bob);
  assert.deepEqual(await stats(), { totalConnections: 3, activeConnections: 3, rooms: { den: { users: 2, messages: 3 }, general: { users: 1, messages: 0 } } });

  await close(bob, 4000);
  await said(server, 'User left room: den (Code: 4000)\n');
  assert.deepEqual(await hearJson(ann), { type: 'user-left', room: 'den', message: 'A user left "den"', activeUsers: 1 });
  await close(eve);
  await until(async () => (await stats()).activeConnections === 1, 'eve to be gone');
  assert.deepEqual(await stats(), { totalConnections: 3, activeConnections: 1, rooms: { den: { users: 1, messages: 3 } } }, 'the figures of a room go with it');

  send(ann, Buffer.from('bytes'));
  assert.deepEqual(await hearJson(ann), invalid);
  await close(ann);
  await until(async () => (await stats()).activeConnections === 0, 'ann to be gone');
  const again = await connect(server.ws + '/chat/den');
  assert.deepEqual(await hearJson(again), welcome('den', 1, 0), 'counted from nothing');
  assert.deepEqual(await stats(), { totalConnections: 4, activeConnections: 1, rooms: { den: { users: 1, messages: 0 } } });
});

test('gallery: room_chat: who is gone before it is told that he came is not told of', () => serving(async (server) => {
  const stays = await connect(server.ws + '/chat/den');
  await hear(stays);
  await hear(stays);
  const goes = await connect(server.ws + '/chat/den');
  goes.ws.terminate();
  const left = await hearJson(stays);
  if (left.type === 'user-joined') return;  // a slow machine: it was told in time
  assert.deepEqual(left, { type: 'user-left', room: 'den', message: 'A user left "den"', activeUsers: 1 });
  const later = await connect(server.ws + '/chat/den');
  await hear(later);
  assert.equal((await hearJson(stays)).activeUsers, 2);
  await quiet(stays);
}, 'room_chat'));

// X-17 ------------------------------------------------------------------------------------------------------------------

application('room_manager', async (server) => {
  const users = async (room) => (await json(`${server.http}/rooms/${room}`)).userCount;
  const info = (roomId, userCount) => ({ type: 'room-info', roomId, userCount });
  const event = (type, what, room, userCount) => ({ type, message: `User ${what} room ${room}`, userCount });

  assert.equal(await users('den'), 0);
  const ann = await connect(server.ws + '/chat/den');
  assert.deepEqual(await hearJson(ann), info('den', 1));
  const bob = await connect(server.ws + '/chat/den');
  assert.deepEqual(await hearJson(bob), info('den', 2));
  assert.deepEqual(await hearJson(ann), event('user-joined', 'joined', 'den', 2));
  const eve = await connect(server.ws + '/chat/attic');
  assert.deepEqual(await hearJson(eve), info('attic', 1));
  await quiet(eve, ann, bob);
  assert.deepEqual(await json(server.http + '/rooms'), { den: 2, attic: 1 });
  assert.equal(await users('den'), 2);

  send(bob, { text: 'hi "all"' });
  for (const one of [ann, bob]) isIsoNow(await hearJson(one), { type: 'chat-message', message: 'hi "all"', roomId: 'den' });
  for (const wrong of [...notJson, '{}', '[]', 'null', '7', '{"text":7}']) {
    send(bob, wrong);
    assert.deepEqual(await hearJson(bob), invalid);
  }
  await quiet(bob, ann, eve);

  // A second join leaves the first room.
  send(bob, { join: 'attic' });
  assert.deepEqual(await hearJson(bob), info('attic', 2));
  assert.deepEqual(await hearJson(ann), event('user-left', 'left', 'den', 1));
  assert.deepEqual(await hearJson(eve), event('user-joined', 'joined', 'attic', 2));
  send(bob, { text: 'here' });
  for (const one of [bob, eve]) assert.equal((await hearJson(one)).roomId, 'attic');
  await quiet(bob, ann);

  await close(bob);
  assert.deepEqual(await hearJson(eve), event('user-left', 'left', 'attic', 1));
  await close(ann);
  await until(async () => await users('den') === 0, 'an empty den');
  assert.deepEqual(await json(server.http + '/rooms'), { attic: 1 }, 'an empty room is deleted');
  await quiet(eve);
});

// X-28 ------------------------------------------------------------------------------------------------------------------

application('rooms', async (server) => {
  const rooms = async (client) => { send(client, { action: 'rooms' }); return (await hearJson(client)).rooms; };
  const [ann, bob, guest] = [await connect(server.ws + '/chat?token=ann'), await connect(server.ws + '/chat?token=bob'), await connect(server.ws + '/chat?token=none')];
  assert.deepEqual(await rooms(ann), ['general', 'notifications', 'user-1', 'users']);
  assert.deepEqual(await rooms(bob), ['general', 'notifications', 'user-2', 'users']);
  await said(server, ' joined general room');
  const [, userId] = /^user-(ws_\w+)$/.exec((await rooms(guest))[2]);

  const joined = (room, memberCount) => ({ type: 'joined', room, message: `🎉 Welcome to ${room}!`, memberCount });
  send(ann, { action: 'join-room', room: 'staff' });
  assert.deepEqual(await hearJson(ann), joined('staff', 1));
  send(bob, { action: 'join-room', room: 'staff' });
  assert.deepEqual(await hearJson(bob), joined('staff', 2));
  const came = await hearJson(ann);
  const idOfBob = came.user;
  assert.match(idOfBob, /^ws_\w+$/);
  isMsNow(came, { type: 'user-joined', user: idOfBob, room: 'staff', username: 'Bob' });

  // A permission for that room, or a public one.
  for (const [client, room] of [[bob, 'garden'], [guest, 'staff'], [guest, 'not-public-'], [guest, 'user-1'], [ann, 'room:staff'], [ann, 'stafff']]) {
    send(client, { action: 'join-room', room });
    assert.deepEqual(await hearJson(client), { type: 'error', message: `🚫 Access denied to room: ${room}` });
  }
  send(ann, { action: 'join-room', room: 'garden' });
  assert.deepEqual(await hearJson(ann), joined('garden', 1));
  send(ann, { action: 'join-room', room: 'public-lawn' });
  assert.deepEqual(await hearJson(ann), joined('public-lawn', 1));
  send(guest, { action: 'join-room', room: 'public-lawn' });
  assert.deepEqual(await hearJson(guest), joined('public-lawn', 2));
  isMsNow(await hearJson(ann), { type: 'user-joined', user: userId, room: 'public-lawn', username: 'Anonymous' });
  await quiet(guest, bob, ann);

  send(bob, { action: 'leave-room', room: 'staff' });
  assert.deepEqual(await hearJson(bob), { type: 'left', room: 'staff', message: '👋 You left staff' });
  isMsNow(await hearJson(ann), { type: 'user-left', user: idOfBob, room: 'staff', username: 'Bob' });
  send(bob, { action: 'leave-room', room: 'staff' });
  assert.deepEqual(await hearJson(bob), { type: 'error', message: '🚫 You are not in room: staff' });
  await quiet(bob, ann);
  assert.deepEqual(await rooms(bob), ['general', 'notifications', 'user-2', 'users']);

  for (const wrong of [...notJson, '{}', '{"action":"dance"}', '{"action":"join-room"}', '{"action":"join-room","room":7}', '{"action":"leave-room","room":""}']) {
    send(bob, wrong);
    assert.deepEqual(await hearJson(bob), invalid);
  }
  for (let i = 4; i < 20; i++) { send(bob, { action: 'join-room', room: `public-${i}` }); await hear(bob); }
  send(bob, { action: 'join-room', room: 'public-more' });
  assert.deepEqual(await hearJson(bob), { type: 'error', message: '🏠 Maximum room limit reached (20)' });

  // Who has gone is in none of his rooms.
  await close(guest);
  await said(server, `🧹 Cleaning up rooms for ${userId}`);
  send(ann, { action: 'join-room', room: 'public-lawn' });
  assert.deepEqual(await hearJson(ann), joined('public-lawn', 1));
  await quiet(ann);
});

// X-29 ------------------------------------------------------------------------------------------------------------------

application('broadcast', async (server) => {
  const at = (...rooms) => connect(server.ws + '/broadcast?' + rooms.map((room) => `room=${room}`).join('&'));
  const clients = {
    sender: await at('general', 'premium-users', 'vip', 'game-1', 'game-2', 'other'), general: await at('general'), premium: await at('premium-users'),
    announcements: await at('announcements'), vip: await at('vip'), both: await at('announcements', 'vip'), game1: await at('game-1'), game2: await at('game-2'), game3: await at('game-3'), none: await at(),
  };
  const { sender } = clients;
  // Exactly these hear it; answers what they hear.
  const heardBy = async (message, ...names) => {
    send(sender, message);
    const texts = await Promise.all(names.map((name) => hear(clients[name])));
    await quiet(sender, ...Object.values(clients));
    for (const text of texts) assert.equal(text, texts[0]);
    return texts[0];
  };
  const others = Object.keys(clients).filter((name) => name !== 'sender');

  isMsNow(JSON.parse(await heardBy({ action: 'announcement' }, ...Object.keys(clients))),
    { type: 'announcement', title: '📢 Server Announcement', message: 'Server maintenance in 5 minutes', priority: 'high' });
  assert.deepEqual(JSON.parse(await heardBy({ action: 'room-event', data: { n: 7 } }, 'sender', 'premium')),
    { type: 'room-event', data: { n: 7 }, message: '🎉 Special event in premium room!' });
  assert.equal(await heardBy({ action: 'broadcast' }, ...others), '👋 Hello everyone in all rooms!');
  assert.equal(await heardBy({ action: 'broadcast-room' }, 'general'), '🏠 Important room announcement');
  assert.deepEqual(JSON.parse(await heardBy({ action: 'notification' }, 'general')), { type: 'notification', message: '💡 Someone is sharing a file!', icon: '📁' });
  isMsNow(JSON.parse(await heardBy({ action: 'multi-room-update' }, 'general', 'announcements', 'vip', 'both')),
    { type: 'multi-room-update', rooms: ['general', 'announcements', 'vip'], message: '🔄 System update completed' });
  const event = JSON.parse(await heardBy({ action: 'game-event' }, 'game1', 'game2'));
  assert.match(event.player, /^ws_\w+$/);
  assert.deepEqual(event, { type: 'game-event', event: 'player-action', player: event.player });

  for (const wrong of [...notJson, '{}', '{"action":7}', '{"action":"dance"}']) {
    send(sender, wrong);
    assert.deepEqual(await hearJson(sender), invalid);
  }
  const [greedy, last] = [await at(...[...Array(11)].map((_, i) => `many-${i}`), 'general'), await at()];
  send(last, { action: 'broadcast-room' });
  await hear(clients.general);
  await hear(sender);
  await quiet(last, greedy);
});

// X-35 ------------------------------------------------------------------------------------------------------------------

application('resource_aware', async (server) => {
  const client = await connect(server.ws + '/resource-aware');
  send(client, { n: 1 });
  const first = await hearJson(client);
  assert.match(first.messageId, /^msg_\d+_[0-9a-z]{9}$/);
  assert.deepEqual(first, { type: 'processed', messageId: first.messageId, messageCount: 1, buffered: 1 });
  send(client, 'no JSON');
  assert.deepEqual(await hearJson(client), invalid);
  await said(server, 'Message processing failed: line 1, column 1');

  // Ten rooms; an event counts as a message.
  for (let i = 1; i <= 10; i++) send(client, { event: 'join-room', args: [`room ${i}`] });
  send(client, { event: 'join-room', args: ['room 3'] });
  await quiet(client);
  send(client, { event: 'join-room', args: ['room 11'] });
  const refusal = await hearJson(client);
  assert.deepEqual(refusal.currentRooms.sort(), [...Array(10)].map((_, i) => `room ${i + 1}`).sort());
  assert.deepEqual(refusal, { type: 'error', code: 'ROOM_LIMIT', message: '🏠 Maximum room limit reached (10)', currentRooms: refusal.currentRooms });

  // 14 so far.
  for (let i = 15; i <= 1000; i++) send(client, '{}');
  for (let i = 15; i <= 1000; i++) assert.deepEqual([(await hearJson(client)).messageCount, objects(client)[client.heard - 1].buffered], [i, i]);
  for (const current of [1001, 1002]) {
    send(client, '{}');
    assert.deepEqual(await hearJson(client), { type: 'warning', message: '⚠️ Message rate limit approaching', limit: 1000, current });
    assert.equal((await hearJson(client)).messageCount, current);
  }
  await quiet(client);

  await close(client);
  await said(server, '📊 Connection stats for ws_');
  const [, text] = await until(() => /📊 Connection stats for ws_\w+: (\{.*\})\n/.exec(server.err), 'the figures');
  const { duration, averageMessagesPerMinute, ...stats } = JSON.parse(text);
  assert.match(duration, /^\d+s$/);
  assert.ok(Number.isInteger(averageMessagesPerMinute) && averageMessagesPerMinute > 1002, `${averageMessagesPerMinute} a minute`);
  isIsoNow(stats, { messageCount: 1002, roomsJoined: 10 }, 'lastActivity');
});

test('gallery: resource_aware: ids of messages are kept for a time, and no more than 10,000 of them', () => serving(async (server) => {
  // In place of five minutes and sixty seconds: 400 ms, looked at every 20 ms.
  const client = await connect(server.ws + '/resource-aware?keep=400&sweep=20');
  const buffered = async () => { send(client, '{}'); return (await hearJson(client)).buffered; };
  const begin = Date.now();
  for (let i = 0; i < 50; i++) send(client, '{}');
  for (let i = 0; i < 50; i++) await hear(client);
  if (Date.now() - begin < 300) assert.equal(await buffered(), 51, 'none is old');
  await until(async () => await buffered() < 51, 'the first of them to be dropped');
  assert.ok(Date.now() - begin >= 400, 'not before its time');
  await close(client);

  const patient = await connect(server.ws + '/resource-aware?keep=-7&sweep=x');
  for (let i = 0; i < 10_001; i++) send(patient, '{}');
  await until(() => objects(patient).at(-1)?.messageCount === 10_001, 'all of them', 60000);
  assert.equal(objects(patient).at(-1).buffered, 10_000);
  await close(patient);
  // The timer and what was kept have gone with them: the next one starts from nothing.
  const next = await connect(server.ws + '/resource-aware');
  send(next, '{}');
  assert.deepEqual([(await hearJson(next)).buffered, objects(next)[0].messageCount], [1, 1]);
}, 'resource_aware'));

// X-39 ------------------------------------------------------------------------------------------------------------------

// A message of the history, which is now.
function isRecord(record, expected) {
  const [, milliseconds] = /^msg_(\d+)_[0-9a-z]{9}$/.exec(record.id);
  assert.ok(Math.abs(Date.now() - milliseconds) < 60000);
  isIsoNow(record, { id: record.id, type: 'message', mentions: [], reactions: [], ...expected });
}

application('realtime_chat', async (server) => {
  const [ann, bob, eve] = [await connect(server.ws + '/chat'), await connect(server.ws + '/chat'), await connect(server.ws + '/chat')];
  for (const early of [{ type: 'message', text: 'hi' }, { type: 'typing', isTyping: true }, { type: 'reaction', messageId: 'x', emoji: '👍' }]) send(ann, early);
  await quiet(ann);

  // Joining: what was said, who is here, and the others hear of it.
  send(ann, { type: 'join', username: 'Ann', room: 'den', avatar: '🦜' });
  assert.deepEqual(await hearJson(ann), { type: 'chat-history', messages: [], room: 'den' });
  const { users: [first], ...here } = await hearJson(ann);
  assert.deepEqual(here, { type: 'room-users', room: 'den' });
  assert.match(first.id, /^ws_\w+$/);
  isIsoNow(first, { id: first.id, username: 'Ann', avatar: '🦜' }, 'joinedAt');

  send(bob, { type: 'join', room: 'den' });
  await hear(bob);
  const { users } = await hearJson(bob);
  assert.deepEqual(users.find((user) => user.id === first.id), first);
  const { id: idOfBob, username: nameOfBob } = users.find((user) => user.id !== first.id);
  assert.equal(nameOfBob, 'User_' + idOfBob.slice(-4));
  assert.equal(users.length, 2);
  isIsoNow(await hearJson(ann), { type: 'user-joined', user: { id: idOfBob, username: nameOfBob }, room: 'den' });
  send(eve, { type: 'join', username: 'Eve', avatar: 7 });
  assert.deepEqual(await hearJson(eve), { type: 'chat-history', messages: [], room: 'general' });
  assert.equal((await hearJson(eve)).users[0].avatar, undefined);
  await quiet(eve, ann, bob);

  // Messages.
  send(ann, { type: 'message', text: 'hi @Bob and @eve_2! not a@, @@x nor @-' });
  const sent = await hearJson(ann);
  isIsoNow(sent, { type: 'message-sent', messageId: sent.messageId });
  const { message, ...envelope } = await hearJson(bob);
  assert.deepEqual(envelope, { type: 'new-message', room: 'den' });
  isRecord(message, { text: 'hi @Bob and @eve_2! not a@, @@x nor @-', username: 'Ann', room: 'den', mentions: ['Bob', 'eve_2', 'x'] });
  assert.deepEqual([message.id, message.timestamp], [sent.messageId, sent.timestamp]);
  for (const messageType of ['image', 'file', 'else']) {
    send(ann, { type: 'message', text: 'https://a.example/a.png', messageType });
    await hear(ann);
    isRecord((await hearJson(bob)).message, { type: messageType === 'else' ? 'message' : messageType, text: 'https://a.example/a.png', username: 'Ann', room: 'den' });
  }
  for (const isTyping of [true, false]) {
    send(bob, { type: 'typing', isTyping });
    assert.deepEqual(await hearJson(ann), { type: 'typing-indicator', username: nameOfBob, isTyping, room: 'den' });
  }
  await quiet(ann, bob, eve);

  // Reactions: a user counts once, and is told of each time; of a message that is unknown here nobody hears.
  for (const [client, emoji] of [[bob, '👍'], [bob, '👍'], [ann, '👍'], [bob, '🎉']]) {
    send(client, { type: 'reaction', messageId: message.id, emoji });
    const other = client === ann ? bob : ann;
    assert.deepEqual(await hearJson(other), { type: 'message-reaction', messageId: message.id, emoji, username: client === ann ? 'Ann' : nameOfBob, room: 'den' });
  }
  for (const wrong of [{ messageId: 'msg_1', emoji: '👍' }, { emoji: '👍' }, { messageId: message.id }, { messageId: 7, emoji: '👍' }, { messageId: message.id, emoji: 'x'.repeat(65) }]) {
    send(bob, { type: 'reaction', ...wrong });
  }
  send(eve, { type: 'reaction', messageId: message.id, emoji: '👎' });
  await quiet(eve, bob, ann);

  for (const wrong of notJson) {
    send(ann, wrong);
    assert.deepEqual(await hearJson(ann), invalid);
  }
  for (const passed of ['{}', '[]', 'null', '{"type":"dance"}', '{"type":"message"}', '{"type":"message","text":7}']) send(ann, passed);
  await quiet(ann, bob);

  // A second join leaves the first room; what was said stays there, with its reactions.
  send(bob, { type: 'join', username: 'Bob' });
  isIsoNow(await hearJson(ann), { type: 'user-left', user: { id: idOfBob, username: nameOfBob }, room: 'den' });
  isIsoNow(await hearJson(eve), { type: 'user-joined', user: { id: idOfBob, username: 'Bob' }, room: 'general' });
  assert.equal((await hearJson(bob)).room, 'general');
  assert.deepEqual((await hearJson(bob)).users.map((user) => user.username).sort(), ['Bob', 'Eve']);
  send(ann, { type: 'message', text: 'alone' });
  await hear(ann);
  await quiet(ann, bob, eve);
  send(eve, { type: 'join', room: 'den', username: 'x'.repeat(65) });
  isIsoNow(await hearJson(bob), { type: 'user-left', user: { id: objects(eve)[1].users[0].id, username: 'Eve' }, room: 'general' });
  const { messages } = await hearJson(eve);
  assert.deepEqual(messages.map((one) => one.type), ['message', 'image', 'file', 'message', 'message']);
  assert.deepEqual(messages[0].reactions, [{ emoji: '👍', users: [nameOfBob, 'Ann'] }, { emoji: '🎉', users: [nameOfBob] }]);
  assert.ok((await hearJson(eve)).users.every((user) => user.username.length < 65));
  await hear(ann);

  // The last 50 of more; the end of a connection is a leave.
  for (let i = 1; i <= 60; i++) send(ann, { type: 'message', text: `n ${i}` });
  for (let i = 1; i <= 60; i++) { await hear(ann); await hear(eve); }
  send(bob, { type: 'join', room: 'den', username: 'Bob' });
  await hear(ann);
  await hear(eve);
  assert.deepEqual((await hearJson(bob)).messages.map((one) => one.text), [...Array(50)].map((_, i) => `n ${i + 11}`));
  await hear(bob);
  await close(bob);
  for (const one of [ann, eve]) isIsoNow(await hearJson(one), { type: 'user-left', user: { id: idOfBob, username: 'Bob' }, room: 'den' });
  await close(await connect(server.ws + '/chat'));  // has never joined
  await quiet(ann, eve);
});

test('gallery: realtime_chat: what is remembered has its limits', () => serving(async (server) => {
  const ann = await connect(server.ws + '/chat'), ids = [];
  const join = async (client, room) => {
    skip(client);
    send(client, { type: 'join', room, username: 'Ann' });
    const history = await hearJson(client);
    await hear(client);
    return history.messages;
  };
  await join(ann, 'den');
  for (let i = 0; i <= 100; i++) send(ann, { type: 'message', text: `n ${i}` });
  for (let i = 0; i <= 100; i++) ids.push((await hearJson(ann)).messageId);
  const bob = await connect(server.ws + '/chat');
  await join(bob, 'den');
  await hear(ann);
  // The first of 101 is forgotten, the second is not.
  for (const messageId of ids.slice(0, 2)) send(bob, { type: 'reaction', messageId, emoji: '👍' });
  assert.equal((await hearJson(ann)).messageId, ids[1]);
  // Twenty kinds of reactions.
  for (let i = 0; i < 25; i++) send(bob, { type: 'reaction', messageId: ids[100], emoji: `e${i}` });
  for (let i = 0; i < 25; i++) await hear(ann);
  await join(bob, 'attic');
  await hear(ann);
  assert.deepEqual((await join(bob, 'den')).at(-1).reactions.map((one) => one.emoji), [...Array(20)].map((_, i) => `e${i}`));
  await hear(ann);
  await quiet(ann);

  // 256 rooms: of those that nobody is in the one that has been silent longest is forgotten.
  await join(bob, 'old');
  send(bob, { type: 'message', text: 'remember' });
  await hear(bob);
  await join(bob, 'attic');
  assert.equal((await join(bob, 'old')).length, 1);
  for (let i = 0; i < 300; i++) await join(bob, `room ${i}`);
  assert.equal((await join(bob, 'old')).length, 0);
  assert.equal((await join(bob, 'den')).length, 50, 'somebody is there');
}, 'realtime_chat'));

// X-52 ------------------------------------------------------------------------------------------------------------------

application('lobby_chat', async (server) => {
  const come = async (name) => connect(server.ws + '/ws/chat' + (name === undefined ? '' : `?username=${name}`));
  const ann = await come('Ann&x=1');
  const bob = await come('Bob%20B');
  isMsNow(await hearJson(ann), { type: 'user-joined', username: 'Bob B' });
  const guest = await come();
  for (const one of [ann, bob]) {
    const came = await hearJson(one);
    assert.match(came.username, /^User[0-9a-z]{9}$/);
    isMsNow(came, { type: 'user-joined', username: came.username });
  }
  const { username } = objects(ann)[1];
  const broken = await come('%FF');  // no text: as if there were none
  for (const one of [ann, bob, guest]) assert.match((await hearJson(one)).username, /^User[0-9a-z]{9}$/);
  await close(broken);
  for (const one of [ann, bob, guest]) await hear(one);
  await quiet(ann, bob, guest);

  send(ann, { type: 'chat', text: 'hi "all"' });
  send(ann, { type: 'chat', text: 'again', room: 'lobby' });
  for (const one of [ann, bob, guest]) for (const text of ['hi "all"', 'again']) isMsNow(await hearJson(one), { type: 'chat', from: 'Ann', text });

  for (const one of [ann, bob]) {
    send(one, { type: 'join-room', room: 'den' });
    assert.deepEqual(await hearJson(one), { type: 'joined-room', room: 'den' });
  }
  send(bob, { type: 'chat', text: 'in here', room: 'den' });
  for (const one of [ann, bob]) isMsNow(await hearJson(one), { type: 'chat', from: 'Bob B', text: 'in here' });
  send(guest, { type: 'chat', text: 'let me in', room: 'den' });
  assert.deepEqual(await hearJson(guest), { type: 'error', message: 'You are not in room: den' });
  send(ann, { type: 'leave-room', room: 'den' });
  await quiet(ann, bob, guest);
  send(bob, { type: 'chat', text: 'alone', room: 'den' });
  assert.equal((await hearJson(bob)).text, 'alone');
  await quiet(bob, ann);

  send(ann, { type: 'private-message', to: 'Bob B', text: 'psst' });
  assert.deepEqual(await hearJson(bob), { type: 'private-message', from: 'Ann', text: 'psst' });
  send(ann, { type: 'private-message', to: username, text: 'you' });
  assert.equal((await hearJson(guest)).text, 'you');
  for (const to of ['Nobody', '', 7, null]) send(ann, { type: 'private-message', to, text: 'psst' });
  await quiet(ann, bob, guest);

  for (const wrong of notJson) {
    send(ann, wrong);
    assert.deepEqual(await hearJson(ann), invalid);
  }
  for (const passed of ['{}', '[]', 'null', '7', '{"type":"dance"}', '{"type":"join-room"}', '{"type":"leave-room"}', '{"type":"leave-room","room":7}']) send(ann, passed);
  await quiet(ann, bob);

  // In the lobby and in the other room, and told once; who was in the other room alone is told, too.
  send(ann, { type: 'join-room', room: 'den' });
  await hear(ann);
  send(guest, { type: 'join-room', room: 'den' });
  await hear(guest);
  send(guest, { type: 'leave-room', room: 'lobby' });
  await quiet(guest);
  await close(bob);
  for (const one of [ann, guest]) isMsNow(await hearJson(one), { type: 'user-left', username: 'Bob B' });
  await quiet(ann, guest);
});
