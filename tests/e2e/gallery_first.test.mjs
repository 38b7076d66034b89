// gallery_first.test.mjs: applications of examples/gallery: greetings, echoes, limits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, start, until } from './harness.mjs';

test('basic_chat greets and echoes', async () => {
  const server = await start('gallery', 'basic_chat', '--port', '0');
  const client = await connect(`${server.ws}/chat`);
  client.ws.send('hello');
  await client.received(2);
  assert.deepEqual(client.messages.map((m) => m.text), ['Welcome to the chat!', 'Echo: hello']);
  client.ws.close();
  await until(() => server.err.includes('has left the chat'), 'the close listener');
  await server.stop();
});
