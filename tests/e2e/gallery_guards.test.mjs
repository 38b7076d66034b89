// Applications of examples/gallery that keep somebody out, or in bounds.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, until } from './harness.mjs';
import { application, close, hear, hearJson, quiet, said, send, serving } from './gallery.mjs';

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
