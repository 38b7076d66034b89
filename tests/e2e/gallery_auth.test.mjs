// gallery_auth.test.mjs: applications of examples/gallery that ask who somebody is: private_chat, live_chat, live_updates, rbac. The
// tokens are signed here, by node's own HMAC.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { application, close, hearJson, invalid, isIsoNow, isMsNow, quiet, said, send, serving, skip } from './gallery.mjs';
import { connect, curl, until } from './harness.mjs';

const secret = 'a secret of the checks, 32 bytes or more';
process.env.JWT_SECRET = secret;

const encoded = (object) => Buffer.from(JSON.stringify(object)).toString('base64url');
function sign(claims, key = secret, header = { alg: 'HS256', typ: 'JWT' }) {
  const text = `${encoded(header)}.${encoded(claims)}`;
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}
const inAnHour = () => Math.floor(Date.now() / 1000) + 3600;
const person = (id) => ({ id, email: `${id}@example.com` });
const tokenOf = (id) => sign({ ...person(id), exp: inAnHour(), more: 'nobody else sees it' });
const error = (message) => ({ type: 'error', message });

async function isRefused(url, options, code, reason, first) {
  const client = await connect(url, options);
  if (first) assert.deepEqual(await hearJson(client), first);
  const end = await client.end();
  assert.deepEqual([end.code, end.reason.toString()], [code, reason]);
  assert.equal(client.messages.length, first ? 1 : 0);
}

// Why somebody is not let in, of those applications that say it in a message first.
async function asksForToken(server, path) {
  const url = server.ws + path;
  const missing = 'Authentication required';
  const wrong = 'Invalid token';
  await isRefused(url, {}, 1008, missing, error(missing));
  await isRefused(url + '?token=', {}, 1008, missing, error(missing));
  await isRefused(url, { headers: { authorization: 'Basic YTpi' } }, 1008, missing, error(missing));
  const bad = [sign(person('eve'), 'another secret, which is as long as it'), sign({ ...person('eve'), exp: 1000 }), 'x', 'a.b.c',
    `${encoded({ alg: 'none' })}.${encoded(person('eve'))}.`, tokenOf('ann').slice(0, -2)];
  for (const token of bad) await isRefused(`${url}?token=${token}`, {}, 1008, wrong, error(wrong));
  await isRefused(url, { headers: { authorization: 'Bearer x' } }, 1008, wrong, error(wrong));
}

const come = (server, path, id) => connect(`${server.ws}${path}?token=${tokenOf(id)}`);

// X-18 ------------------------------------------------------------------------------------------------------------------

application('private_chat', async (server) => {
  await asksForToken(server, '/private-chat/den');
  const ann = await connect(server.ws + '/private-chat/den', { headers: { authorization: `Bearer ${tokenOf('ann')}` } });
  assert.deepEqual(await hearJson(ann), { type: 'authenticated', user: person('ann'), roomId: 'den' });
  await said(server, 'Authenticated user "ann@example.com" joined room den');
  const bob = await come(server, '/private-chat/den', 'bob');
  assert.deepEqual(await hearJson(bob), { type: 'authenticated', user: person('bob'), roomId: 'den' });
  assert.deepEqual(await hearJson(ann), { type: 'user-joined', message: 'User joined room den', userCount: 2 });
  const other = await come(server, '/private-chat/attic', 'bob');
  await hearJson(other);

  send(bob, { text: 'hello' });
  for (const one of [ann, bob]) isIsoNow(await hearJson(one), { type: 'chat-message', message: 'hello', user: person('bob') });
  for (const wrong of ['no JSON', '{', '{}', '{"text":1}', Buffer.from('{"text":"a"}')]) {
    send(bob, wrong);
    assert.deepEqual(await hearJson(bob), invalid);
  }
  await quiet(ann, bob, other);

  // Who leaves is in the room no longer.
  await close(bob);
  assert.deepEqual(await hearJson(ann), { type: 'user-left', message: 'User left room den', userCount: 1 });
  const carl = await come(server, '/private-chat/den', 'carl');
  assert.deepEqual(await hearJson(ann), { type: 'user-joined', message: 'User joined room den', userCount: 2 });
  await quiet(ann, other);
  await close(carl);

  // A token for trying.
  const { responses } = await curl(server.http + '/token/dora@example.com');
  const dora = await connect(`${server.ws}/private-chat/den?token=${responses[0].body}`);
  assert.deepEqual((await hearJson(dora)).user, person('dora'));
});

// X-19 ------------------------------------------------------------------------------------------------------------------

application('live_chat', async (server) => {
  await asksForToken(server, '/chat/den');
  const ann = await come(server, '/chat/den', 'ann');
  assert.deepEqual(await hearJson(ann), { type: 'room-history', messages: [], users: [person('ann')] });
  send(ann, { type: 'chat', text: 'is there anybody?' });
  const first = await hearJson(ann);
  assert.ok(Math.abs(Date.now() - first.id) < 60000);
  isIsoNow(first, { id: first.id, type: 'chat-message', text: 'is there anybody?', user: person('ann') });

  const bob = await come(server, '/chat/den', 'bob');
  const history = await hearJson(bob);
  assert.deepEqual(history.messages, [first]);
  assert.deepEqual(history.users.map(({ id }) => id).sort(), ['ann', 'bob']);
  assert.deepEqual(history.users.find(({ id }) => id === 'ann'), person('ann'), 'and nothing else of her token');
  assert.deepEqual(await hearJson(ann), { type: 'user-joined', user: person('bob'), userCount: 2 });

  send(bob, { type: 'typing', isTyping: true });
  assert.deepEqual(await hearJson(ann), { type: 'typing', user: person('bob'), isTyping: true });
  await quiet(bob);

  // To one person, in whatever room.
  const carl = await come(server, '/chat/attic', 'carl');
  await hearJson(carl);
  send(bob, { type: 'private', targetUserId: 'carl', text: 'psst' });
  isIsoNow(await hearJson(carl), { type: 'private-message', text: 'psst', from: person('bob') });
  assert.deepEqual(await hearJson(bob), { type: 'private-message-sent', to: 'carl', text: 'psst' });
  send(bob, { type: 'private', targetUserId: 'nobody', text: 'psst' });
  assert.deepEqual(await hearJson(bob), error('User not found or offline'));
  for (const wrong of [{ type: 'dance' }, {}, { type: 7 }]) {
    send(bob, wrong);
    assert.deepEqual(await hearJson(bob), error('Unknown message type'));
  }
  for (const wrong of ['no JSON', '5', '[]', Buffer.from('{"type":"chat"}')]) {
    send(bob, wrong);
    assert.deepEqual(await hearJson(bob), invalid);
  }
  await quiet(ann, carl);

  // The last hundred are kept, the last fifty shown; typing and private messages are none of them.
  for (let i = 1; i <= 120; i++) send(bob, { type: 'chat', text: `${i}` });
  for (let i = 1; i <= 120; i++) assert.equal((await hearJson(ann)).text, `${i}`);
  const dora = await come(server, '/chat/den', 'dora');
  assert.deepEqual((await hearJson(dora)).messages.map(({ text }) => text), [...Array(50)].map((_, i) => `${i + 71}`));
  assert.deepEqual(await hearJson(ann), { type: 'user-joined', user: person('dora'), userCount: 3 });
  skip(bob);
  await quiet(ann);

  await close(dora);
  for (const one of [ann, bob]) assert.deepEqual(await hearJson(one), { type: 'user-left', user: person('dora'), userCount: 2 });
  // With the last one the room goes, and what was said in it.
  await close(ann);
  await hearJson(bob);
  await close(bob);
  const again = await come(server, '/chat/den', 'ann');
  assert.deepEqual(await hearJson(again), { type: 'room-history', messages: [], users: [person('ann')] });
  await quiet(carl);
});

// X-20 ------------------------------------------------------------------------------------------------------------------

const subscribe = async (client, channel) => {
  send(client, { type: 'subscribe', channel });
  assert.deepEqual(await hearJson(client), { type: 'subscribed', channel });
};
const unsubscribe = async (client, channel) => {
  send(client, { type: 'unsubscribe', channel });
  assert.deepEqual(await hearJson(client), { type: 'unsubscribed', channel });
};
const update = async (client, channel, data) => isMsNow(await hearJson(client), { type: 'update', channel, data });

// What the API of posts answers.
const writing = (server) => async (method, path, body, headers = { authorization: `Bearer ${tokenOf('ann')}` }) => {
  const answer = await fetch(server.http + path, { method, body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers } });
  const text = await answer.text();
  return { status: answer.status, challenge: answer.headers.get('www-authenticate'), json: answer.ok ? JSON.parse(text) : text };
};

application('live_updates', async (server) => {
  await asksForToken(server, '/live');
  const write = writing(server);
  const [ann, bob, carl] = [await come(server, '/live', 'ann'), await come(server, '/live', 'bob'), await come(server, '/live', 'carl')];
  await subscribe(ann, 'posts');
  await subscribe(bob, 'post-1');

  // Nobody writes without a token.
  for (const [method, path] of [['POST', '/api/posts'], ['PUT', '/api/posts/1']]) {
    for (const headers of [{}, { authorization: 'Bearer x' }, { authorization: `Bearer ${sign({ ...person('eve'), exp: 1000 })}` }, { authorization: 'Basic YTpi' }]) {
      const { status, challenge } = await write(method, path, { title: 'by nobody' }, headers);
      assert.equal(status, 401, `${method} ${JSON.stringify(headers)}`);
      assert.match(challenge, /^Bearer realm="Restricted"/);
    }
  }
  await quiet(ann, bob, carl);

  const first = { id: 1, title: 'Hello', text: '' };
  assert.deepEqual((await write('POST', '/api/posts', { title: 'Hello' })).json, { success: true, post: first });
  await update(ann, 'posts', { type: 'new-post', post: first });
  const changed = { id: 1, title: 'Hello', text: 'world' };
  assert.deepEqual((await write('PUT', '/api/posts/1', { title: 'Hello', text: 'world' })).json, { success: true, post: changed });
  await update(ann, 'posts', { type: 'post-updated', post: changed });
  await update(bob, 'post-1', { type: 'updated', post: changed });
  const second = { id: 2, title: 'Two', text: 'x' };
  assert.deepEqual((await write('POST', '/api/posts', { title: 'Two', text: 'x' })).json, { success: true, post: second });
  await update(ann, 'posts', { type: 'new-post', post: second });
  await quiet(ann, bob, carl);

  // Several channels, in the order of what happens; who has left one hears no more of it.
  await subscribe(bob, 'posts');
  await unsubscribe(ann, 'posts');
  await write('PUT', '/api/posts/1', { title: 'Hello' });
  await update(bob, 'posts', { type: 'post-updated', post: first });
  await update(bob, 'post-1', { type: 'updated', post: first });
  await unsubscribe(ann, 'never subscribed');
  await quiet(ann, bob, carl);

  for (const wrong of [{ type: 'dance' }, {}, { type: 7 }, { type: 'Subscribe', channel: 'posts' }]) {
    send(carl, wrong);
    assert.deepEqual(await hearJson(carl), error('Unknown message type'));
  }
  for (const wrong of ['no JSON', '5', '[]', Buffer.from('{"type":"subscribe","channel":"posts"}'), { type: 'subscribe' }, { type: 'subscribe', channel: 7 },
    { type: 'unsubscribe', channel: '' }]) {
    send(carl, wrong);
    assert.deepEqual(await hearJson(carl), invalid);
  }
  // A hundred channels of one client, whose names are not too long.
  send(carl, { type: 'subscribe', channel: 'x'.repeat(2000) });
  assert.deepEqual(await hearJson(carl), error('Cannot subscribe'));
  for (let i = 0; i < 100; i++) await subscribe(carl, `post-${i}`);
  send(carl, { type: 'subscribe', channel: 'posts' });
  assert.deepEqual(await hearJson(carl), error('Cannot subscribe'));
  await unsubscribe(carl, 'post-99');
  await subscribe(carl, 'posts');
  for (const client of [ann, bob, carl]) await close(client);

  // What is no post is none, and of many posts the first are forgotten.
  for (const [status, path, body, headers] of [[400, '', '{'], [422, '', { title: 7 }], [415, '', 'title=x', { 'content-type': 'text/plain' }],
    [413, '', { title: 'x'.repeat(17_000) }], [404, '/3', { title: 'x' }], [404, '/x', { title: 'x' }], [400, '/99999999999', { title: 'x' }]]) {
    assert.equal((await write(path ? 'PUT' : 'POST', '/api/posts' + path, body, headers && { authorization: `Bearer ${tokenOf('ann')}`, ...headers })).status,
      status, `${path} ${JSON.stringify(body).slice(0, 40)}`);
  }
  const ids = new Set();
  for (let next = 3; next <= 1001; next = 3 + ids.size) {
    const some = await Promise.all(Array.from({ length: Math.min(50, 1002 - next) }, () => write('POST', '/api/posts', { title: 'x' })));
    for (const { json } of some) ids.add(json.post.id);
    assert.equal(Math.max(...ids), 2 + ids.size, 'each has its own');
  }
  assert.equal((await write('PUT', '/api/posts/1', { title: 'x' })).status, 404);
  assert.equal((await write('PUT', '/api/posts/2', { title: 'x' })).status, 200);
});

test('gallery: live_updates: a channel is gone with its last subscriber', () => serving(async (server) => {
  const rooms = async () => (await (await fetch(server.http + '/monitoring/ws/health')).json()).websocket.totalRooms;
  const [ann, bob] = [await come(server, '/live_updates/live', 'ann'), await come(server, '/live_updates/live', 'bob')];
  for (const channel of ['posts', 'post-1', 'post-2']) await subscribe(ann, channel);
  for (const channel of ['posts', 'post-3']) await subscribe(bob, channel);
  assert.equal(await rooms(), 4);
  await unsubscribe(ann, 'post-2');
  await unsubscribe(ann, 'posts');
  assert.equal(await rooms(), 3);
  await close(bob);
  await until(async () => await rooms() === 1, 'those of bob to be gone');
  ann.ws.terminate();
  await until(async () => await rooms() === 0, 'all of them to be gone');
}));

// X-44 ------------------------------------------------------------------------------------------------------------------

application('rbac', async (server) => {
  const token = (userId) => sign({ userId, exp: inAnHour() });
  const enter = (path, userId) => connect(`${server.ws}${path}?token=${token(userId)}`);
  for (const path of ['/admin/monitor', '/secure-chat']) {
    await isRefused(server.ws + path, {}, 1008, '🔒 Authentication required');
    await isRefused(`${server.ws}${path}?token=x`, {}, 1008, '🔒 Invalid token');
    await isRefused(`${server.ws}${path}?token=${token(9)}`, {}, 1008, '👤 User not found');
  }
  await isRefused(`${server.ws}/admin/monitor?token=${token(3)}`, {}, 1008, '🚫 Access denied. Required roles: admin, moderator');

  const admin = await enter('/admin/monitor', 1);
  assert.deepEqual(await hearJson(admin), { type: 'admin-welcome', message: '👨💼 Welcome to admin panel, ann!', permissions: ['broadcast', 'moderate'] });
  const stats = await hearJson(admin);
  assert.equal(stats.type, 'admin-stats');
  assert.ok(stats.data.connections >= 1);
  const moderator = await enter('/admin/monitor', 2);
  assert.deepEqual((await hearJson(moderator)).permissions, ['moderate']);
  await hearJson(moderator);

  const [ann, mo, bob] = [await enter('/secure-chat', 1), await enter('/secure-chat', 2), await enter('/secure-chat', 3)];
  for (const one of [mo, bob]) {
    send(one, { type: 'admin-broadcast', text: 'hello' });
    assert.deepEqual(await hearJson(one), error('🚫 Insufficient permissions for broadcasting'));
  }
  send(ann, { type: 'admin-broadcast', text: 'hello' });
  for (const one of [admin, moderator, ann, mo, bob]) isIsoNow(await hearJson(one), { type: 'admin-announcement', message: 'hello', from: 'ann' });
  send(bob, { type: 'moderate', targetId: 'ws_1', action: 'mute' });
  assert.deepEqual(await hearJson(bob), error('🚫 Moderation permissions required'));
  send(mo, { type: 'moderate', targetId: 'ws_1', action: 'mute' });
  assert.deepEqual(await hearJson(mo), { type: 'moderated', targetId: 'ws_1', action: 'mute' });
  await said(server, 'mo moderates "ws_1": "mute"');
  for (const wrong of ['no JSON', Buffer.from('{}')]) {
    send(bob, wrong);
    assert.deepEqual(await hearJson(bob), invalid);
  }
  send(bob, { type: 'dance' });
  await quiet(admin, moderator, ann, mo, bob);
});
