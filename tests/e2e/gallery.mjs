// gallery.mjs: what the checks of examples/gallery share.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start } from './harness.mjs';

export const texts = (client) => client.messages.map((message) => message.text);
export const objects = (client) => client.messages.map((message) => JSON.parse(message.text));

// Looks at a server, which ends well.
export async function serving(check, ...args) {
  const server = await start('gallery', ...args, '--port', '0');
  let end;
  try {
    await check(server);
  } finally {
    end = await server.stop();
  }
  assert.deepEqual(end, { code: 0, signal: null });
}
export const application = (name, check) => test(`gallery: ${name}`, () => serving(check, name));
