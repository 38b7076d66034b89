// The examples of several workers and of several processes, as their users run them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, curl, start, until } from './harness.mjs';

test('multicore: a room spans the workers', async () => {
  const server = await start('multicore', '0');
  const clients = [];
  const workers = new Set();
  while (workers.size < 4 && clients.length < 200) {
    const client = await connect(`${server.ws}/room`);
    await client.received(1);
    workers.add(/worker (\d)/.exec(client.messages[0].text)[1]);
    assert.match(client.messages[0].text, new RegExp(`with ${clients.length} others$`));
    clients.push(client);
  }
  assert.equal(workers.size, 4);
  clients[0].ws.send('hello');
  for (const client of clients.slice(1)) {
    await until(() => client.messages.some(({ text }) => text.endsWith('says: hello')), 'the message on every worker');
  }
  const { responses } = await curl(`${server.http}/rooms`);
  assert.equal(responses[0].body.toString(), `${clients.length} in the lobby, ${clients.length} in all`);
  const stopped = server.stop();
  for (const client of clients) {
    await client.end('when the server drains');
    assert.equal(client.closed.code, 1001);
  }
  assert.deepEqual(await stopped, { code: 0, signal: null });
});

test('cluster: kill -9 of one process ends its own connections, and it comes back', async () => {
  const server = await start('cluster', '--port', '0', '--processes', '2');
  const pid = (client) => Number(/pid (\d+)/.exec(client.messages[0].text)[1]);
  const enter = async () => {
    const client = await connect(`${server.ws}/echo`);
    await client.received(1);
    return client;
  };
  // Both processes listen before somebody is killed.
  const clients = [];
  await until(async () => {
    clients.push(await enter());
    return new Set(clients.map(pid)).size === 2;
  }, 'connections on both processes');
  const victim = pid(clients[0]);
  process.kill(victim, 'SIGKILL');
  for (const client of clients) {
    if (pid(client) === victim) {
      await client.end('of the killed process');
      assert.equal(client.closed.code, 1006);
    } else {
      const before = client.messages.length;
      client.ws.send('still here?');
      await client.received(before + 1);
      assert.equal(client.messages[before].text, 'still here?');
    }
  }
  const others = new Set(clients.map(pid));
  await until(async () => {
    const client = await enter();
    const came = !others.has(pid(client));
    client.ws.close();
    return came;
  }, 'a process in its place');
  assert.deepEqual(await server.stop(), { code: 0, signal: null });
});
