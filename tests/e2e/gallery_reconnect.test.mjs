// gallery_reconnect.test.mjs: applications of examples/gallery whose clients are known again: what they had, what waits for them.
import assert from 'node:assert/strict';
import { application, objects } from './gallery.mjs';
import { connect, curl, until } from './harness.mjs';

const known = (id) => ({ headers: { 'x-client-id': id } });
const isNow = (text) => {
  assert.equal(new Date(text).toISOString(), text);
  assert.ok(Math.abs(Date.now() - new Date(text)) < 60000, text);
};

async function ask(client, what) {
  const count = client.messages.length;
  client.ws.send(JSON.stringify(what));
  await client.received(count + 1);
  return objects(client)[count];
}
async function leave(client, how = 'close') {
  client.ws[how]();
  await client.end();
}

application('reconnect', async (server) => {
  for (const [path, message, rooms] of [
    ['/reconnect', '🔄 Session restored successfully', 'rooms'],
    ['/reconnect-demo', '🔄 Welcome back! Session restored.', 'previousRooms'],
  ]) {
    // Who is unknown, or says nothing, is told nothing.
    const id = `ann ${rooms}`;
    const nobody = await connect(server.ws + path);
    const first = await connect(server.ws + path, known(id));
    assert.deepEqual(await ask(nobody, { type: 'hello' }), { type: 'state', metadata: {}, rooms: [] });
    assert.deepEqual(await ask(first, { type: 'join', room: 'news' }), { type: 'state', metadata: {}, rooms: ['news'] });
    await ask(first, { type: 'join', room: 'lobby' });
    const state = await ask(first, { type: 'set', name: 'color', value: 'red' });
    assert.deepEqual({ ...state, rooms: state.rooms.sort() }, { type: 'state', metadata: { color: 'red' }, rooms: ['lobby', 'news'] });

    // However it goes, it comes back to what it had: from a program by the field, from a browser by the query.
    await leave(first, rooms === 'rooms' ? 'close' : 'terminate');
    for (const again of [() => connect(server.ws + path, known(id)), () => connect(`${server.ws}${path}?clientId=${encodeURIComponent(id)}`)]) {
      await until(async () => {
        const second = await again();
        await ask(second, { type: 'state' });
        const [restored, now] = objects(second);
        await leave(second);
        if (restored.type !== 'session-restored') return false;  // the end of the first is on its way
        isNow(restored.lastSeen);
        assert.deepEqual(restored, { type: 'session-restored', message, [rooms]: ['news', 'lobby'], lastSeen: restored.lastSeen });
        assert.deepEqual({ ...now, rooms: now.rooms.sort() }, { type: 'state', metadata: { color: 'red' }, rooms: ['lobby', 'news'] });
        return true;
      }, 'the session');
    }

    // Another's session is another's; what is no JSON ends nothing.
    const other = await connect(server.ws + path, known(`${id}!`));
    other.ws.send('no JSON');
    assert.deepEqual(await ask(other, { type: 'state' }), { type: 'state', metadata: {}, rooms: [] });
    await leave(other);
    await leave(nobody);
  }
});

application('offline_queue', async (server) => {
  const send = (id, text) => curl('-X', 'POST', '--data', text, `${server.http}/send-to/${id}`);
  const waiting = async () => JSON.parse((await curl(`${server.http}/stats`)).responses[0].body).queuedMessages;
  const data = (client) => objects(client).map((message) => message.data);

  // 101 messages for somebody who is away: the last 100 wait, in order.
  for (let i = 0; i < 101; i++) assert.equal((await send('client-7', String(i))).responses[0].status, 202);
  assert.equal(await waiting(), 100);
  await send('client-8', 'for another');
  assert.equal(await waiting(), 101);

  const client = await connect(server.ws + '/ws', known('client-7'));
  await client.received(100);
  assert.deepEqual(data(client), Array.from({ length: 100 }, (_, i) => String(i + 1)));
  assert.deepEqual(objects(client)[0], { type: 'notification', message: 'You have a new message', data: '1' });
  assert.equal(await waiting(), 1);

  // While it is there it gets them at once.
  await send('client-7', 'now');
  await client.received(101);
  assert.equal(data(client)[100], 'now');
  const other = await connect(server.ws + '/ws?clientId=client-8');
  await other.received(1);
  assert.deepEqual(data(other), ['for another']);
  assert.equal(await waiting(), 0);

  // A newer connection of the same client takes its place.
  const newer = await connect(server.ws + '/ws', known('client-7'));
  await client.end();
  assert.deepEqual(client.closed, { code: 4001, reason: 'Connected elsewhere' });
  await send('client-7', 'to the newer one');
  await newer.received(1);
  assert.deepEqual(data(newer), ['to the newer one']);
  await leave(newer);
  await leave(other);
});
