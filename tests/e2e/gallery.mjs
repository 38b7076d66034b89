// gallery.mjs: what the checks of examples/gallery share.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { start, until } from './harness.mjs';

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

// What was not heard yet, in order: hear() waits for the next message, so that one that nobody expects is noticed by the next call.
export const send = (client, what) => client.ws.send(typeof what === 'object' && !Buffer.isBuffer(what) ? JSON.stringify(what) : what);
export async function hear(client) {
  client.heard = (client.heard ?? 0) + 1;
  await client.received(client.heard);
  return client.messages[client.heard - 1].text;
}
export const hearJson = async (client) => JSON.parse(await hear(client));
// What is sent at the same time to the same client, whatever it says: passed over.
export const skip = (client) => { client.heard = client.messages.length; };

// What the first of them has caused is done, and has come: nobody has heard anything more.
export async function quiet(...clients) {
  for (const client of clients) {
    const pongs = client.pongs.length;
    client.ws.ping();
    await until(() => client.pongs.length > pongs, 'a pong');
  }
  for (const client of clients) assert.deepEqual(client.messages.slice(client.heard ?? 0).map((message) => message.text), []);
}

export async function close(client, ...how) {
  client.ws.close(...how);
  await client.end();
}
export const said = (server, part) => until(() => server.err.includes(part), `the log to say ${part}`);

// The object is this one, and its time is now: milliseconds, or a text of ISO 8601.
export function isNow(actual, expected, key = 'timestamp') {
  const time = actual[key];
  if (typeof time === 'string') assert.equal(new Date(time).toISOString(), time);
  else assert.ok(Number.isInteger(time), `${key} ${time}`);
  assert.ok(Math.abs(Date.now() - new Date(time)) < 60000, `${key} ${time} is now`);
  assert.deepEqual(actual, { ...expected, [key]: time });
}
export function isIsoNow(actual, expected, key) {
  isNow(actual, expected, key);
  assert.equal(typeof actual[key ?? 'timestamp'], 'string');
}
export function isMsNow(actual, expected, key) {
  isNow(actual, expected, key);
  assert.equal(typeof actual[key ?? 'timestamp'], 'number');
}
export const invalid = { type: 'error', message: 'Invalid message format' };
