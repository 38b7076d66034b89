// chat_protocol.test.mjs: the server of examples/chat, without its page: what it promises and what it puts up with.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { connect, curl, start, tcp, until } from './harness.mjs';

let chat, rooms = 0;
before(async () => { chat = await start('chat', '--port', '0'); });
after(() => chat?.stop('SIGKILL'));
const newRoom = () => `room-${++rooms}`;

const open = (room) => connect(`${chat.ws}/ws/${room}`);
const watch = (client) => {
  client.events = () => client.messages.map((m) => JSON.parse(m.text));   // every message must be JSON
  client.of = (t) => client.events().filter((event) => event.t === t);
  client.until = (t, match = () => true) => until(() => client.of(t).find(match), `"${t}"`);
  client.say = (text, nonce = randomBytes(6).toString('hex')) => (client.ws.send(`say ${nonce} ${text}`), nonce);
  client.said = async (text) => {
    const nonce = client.say(text);
    return client.until('say', (line) => line.nonce === nonce);
  };
  return client;
};
async function join(room, name, { key = randomBytes(8).toString('hex'), since = 0 } = {}) {
  const client = watch(await open(room));
  client.ws.send(`hello ${key} ${since} ${name}`);
  client.key = key;
  client.welcome = await client.until('welcome');
  client.name = client.welcome.people.find((p) => p.who === client.welcome.you).name;
  return client;
}

test('chat: the page comes with a policy that lets nothing else in', async () => {
  for (const target of ['/', '/r/garden', '/r/%D1%81%D0%B0%D0%B4']) {
    const { responses: [page] } = await curl(chat.http + target);
    assert.equal(page.status, 200);
    assert.match(page.headers['content-type'], /^text\/html; ?charset=utf-8/i);
    assert.equal(page.headers['x-content-type-options'], 'nosniff');
    const policy = page.headers['content-security-policy'];
    assert.match(policy, /^default-src 'none'; script-src 'nonce-([0-9a-f]{32})'/);
    const nonce = /'nonce-([0-9a-f]{32})'/.exec(policy)[1];
    assert.equal(page.body.toString().split(nonce).length, 3, 'one style and one script carry the nonce');
    assert.doesNotMatch(page.body.toString(), /innerHTML|insertAdjacentHTML|document\.write|eval\(|(src|href)="?https?:/);
  }
  const pages = await Promise.all([0, 1].map(() => curl(chat.http + '/')));
  assert.notEqual(pages[0].responses[0].headers['content-security-policy'], pages[1].responses[0].headers['content-security-policy']);
  assert.equal((await curl(chat.http + '/nothing')).responses[0].status, 404);
});

test('chat: two people talk; a third, elsewhere, hears nothing', async () => {
  const room = newRoom();
  const ada = await join(room, 'Ada');
  const bob = await join(room, 'Bob');
  const eve = await join(newRoom(), 'Eve');
  assert.deepEqual(bob.welcome.people.map((p) => p.name), ['Ada', 'Bob']);
  await ada.until('here', (event) => event.name === 'Bob');
  const line = await ada.said('Hello there');
  assert.deepEqual([line.name, line.text, line.who], ['Ada', 'Hello there', ada.welcome.you]);
  assert.ok(Math.abs(line.at - Date.now()) < 60000);
  assert.deepEqual(await bob.until('say'), line);
  bob.ws.send('typing');
  assert.equal((await ada.until('typing')).who, bob.welcome.you);
  await eve.said('alone');
  assert.deepEqual(eve.events().map((event) => event.t), ['welcome', 'say']);
  assert.equal(bob.of('typing').length, 0, 'not told to the one who types');
});

test('chat: the same name gets a number, and a rename is told', async () => {
  const room = newRoom();
  const one = await join(room, 'Ada');
  const two = await join(room, '  aDa ');
  const three = await join(room, 'Ada 2');
  const none = await join(room, '');
  assert.deepEqual([one, two, three, none].map((c) => c.name), ['Ada', 'aDa 2', 'Ada 2 2', 'Guest']);
  two.ws.send('name Grace');
  await one.until('here', (event) => event.who === two.welcome.you && event.name === 'Grace');
  assert.equal((await two.said('hi')).name, 'Grace');
});

test('chat: names and texts are cleaned and cut between characters', async () => {
  const room = newRoom();
  const client = await join(room, ' a\u202eb\u200d \n c\u0007' + '🐦'.repeat(40));
  assert.equal(client.name, 'ab c' + '🐦'.repeat(20));
  const long = await client.said('🐦'.repeat(1500));
  assert.equal(long.text, '🐦'.repeat(1000));
  const mixed = 'a "quote" \\ back\\slash\n\n\ttab </script><img src=x onerror=alert(1)> \u0001\u2028 👩‍👩‍👧 {"t":"gone"}';
  assert.equal((await client.said('  ' + mixed + '\n ')).text, mixed.replace('\u0001\u2028', ''));
  const nonce = client.say('\u200b \u0000 \n');
  await client.until('drop', (event) => event.nonce === nonce);
  client.ws.send(`say ${nonce}`);
  await until(() => client.of('drop').length === 2, 'the second drop');
});

test('chat: a room is the same in any case, in any script, and however its address is broken', async () => {
  const a = await join('Gar%64en%20Party', 'A');
  assert.equal(a.welcome.room, 'garden party');
  const b = await join('garden%20party', 'B');
  assert.equal(b.welcome.people.length, 2);
  assert.equal((await join(encodeURIComponent('сад'), 'C')).welcome.room, 'сад');
  assert.equal((await join('%ff%fex%c3', 'D')).welcome.room, 'x');
  assert.equal((await join('x'.repeat(3000), 'E')).welcome.room, 'x'.repeat(40));
  const nowhere = await open('%01%20');
  await nowhere.end();
  assert.equal(nowhere.closed.code, 1008);
});

test('chat: 100 lines are kept, 50 shown to somebody new, all missed ones to somebody who returns', async () => {
  const room = newRoom();
  const reader = await join(room, 'Reader');
  const lines = [];
  for (let person = 0; person < 11; ++person) {   // ten lines each: nobody may say more than twelve at once
    const writer = await join(room, `Writer ${person}`);
    for (let i = 0; i < 10; ++i) lines.push(await writer.said(`line ${person * 10 + i}`));
    writer.ws.terminate();
  }
  await until(() => reader.of('say').length === 110, 'all lines');
  assert.deepEqual(reader.of('say'), lines);
  lines.reduce((before, line) => (assert.ok(line.at > before.at, 'stamps grow'), line));
  assert.deepEqual((await join(room, 'New')).welcome.lines, lines.slice(60));
  assert.deepEqual((await join(room, 'Back', { since: lines[29].at })).welcome.lines, lines.slice(30));
  assert.deepEqual((await join(room, 'Long away', { since: lines[2].at })).welcome.lines, lines.slice(10));
  assert.deepEqual((await join(room, 'Up to date', { since: lines[109].at })).welcome.lines, []);
  for (const since of ['x', '-5', '99999999999999999999999', '1e5']) {
    assert.ok((await join(room, 'Odd', { since })).welcome.lines.length >= 50, since);
  }
});

test('chat: history stays when everybody has left', async () => {
  const room = newRoom();
  const first = await join(room, 'First');
  const watcher = await join(room, 'Watcher');
  const line = await first.said('remember me');
  first.ws.close();
  watcher.ws.close();
  await Promise.all([first.end(), watcher.end()]);
  // Both are gone for good when somebody who joins anew is alone.
  await until(async () => {
    const visitor = await join(room, 'Visitor', { key: 'v' });
    visitor.ws.close();
    return visitor.welcome.people.length === 1 && assert.deepEqual(visitor.welcome.lines, [line]) === undefined;
  }, 'the room to be empty');
});

test('chat: a quick return is not told, a real goodbye is', async () => {
  const room = newRoom();
  const ada = await join(room, 'Ada');
  const bob = await join(room, 'Bob');
  const cleo = await join(room, 'Cleo');
  for (const how of ['close', 'terminate']) {
    bob.ws[how]();
    await bob.end();
    const again = await join(room, 'Bob', { key: bob.key });
    assert.equal(again.name, 'Bob');
    assert.equal(again.welcome.you, bob.welcome.you, 'the same person');
    Object.assign(bob, again);
  }
  // Cleo leaves after Bob did: once that is told, Bob's grace is over as well.
  cleo.ws.close();
  await ada.until('gone', (event) => event.who === cleo.welcome.you);
  assert.deepEqual(ada.events().map((event) => [event.t, event.who]).slice(1), [
    ['here', bob.welcome.you], ['here', cleo.welcome.you], ['gone', cleo.welcome.you]]);
  assert.notEqual((await join(room, 'Cleo')).welcome.you, cleo.welcome.you, 'another key is another person');
});

test('chat: the same key elsewhere takes the place over', async () => {
  const room = newRoom();
  const ada = await join(room, 'Ada');
  const here = await join(room, 'Bob');
  const there = await join(room, 'Bob', { key: here.key });
  await here.end();
  assert.equal(here.closed.code, 4001);
  assert.equal(there.name, 'Bob');
  await there.said('still me');
  await ada.until('say');
  assert.deepEqual(ada.events().map((event) => event.t), ['welcome', 'here', 'say']);
});

test('chat: who says too much is asked to wait, who goes on is closed', async () => {
  const room = newRoom();
  const ada = await join(room, 'Ada');
  const nonces = [...Array(20).keys()].map((i) => ada.say(`quick ${i}`));
  await until(() => ada.of('say').length + ada.of('slow').length === 20, 'an answer to each');
  assert.ok(ada.of('say').length >= 12 && ada.of('slow').length > 0);
  const slow = nonces.at(-1);
  assert.ok(ada.of('slow').some((event) => event.nonce === slow));
  await until(async () => (ada.say('again', 'again'), await new Promise((r) => setTimeout(r, 300)),
    ada.of('say').some((line) => line.nonce === 'again')), 'patience to be rewarded');
  for (let i = 0; i < 400; ++i) ada.ws.send('typing');
  await ada.end();
  assert.equal(ada.closed.code, 1008);
});

test('chat: what is not the protocol ends the connection and nothing else', async () => {
  const room = newRoom();
  const witness = await join(room, 'Witness');
  const cases = [
    [1008, (ws) => ws.send('say n hello')], [1008, (ws) => ws.send('typing')], [1008, (ws) => ws.send('hello')],
    [1008, (ws) => ws.send('hello  0 nobody')], [1003, (ws) => ws.send(Buffer.from('hello k 0 x'))],
    [1008, (ws) => { ws.send('hello k1 0 x'); ws.send('hello k1 0 x'); }],
    [1009, (ws) => { ws.send('hello k4 0 x'); ws.send('say n ' + 'x'.repeat(9000)); }],
    [1007, (ws) => ws.send(Buffer.from([0x68, 0xff]), { binary: false })],
  ];
  for (const [code, send] of cases) {
    const client = await open(room);
    send(client.ws);
    await client.end();
    assert.equal(client.closed.code, code, send.toString());
  }
  await witness.said('still here');
});

test('chat: what it does not know closes nothing, before hello and after it', async () => {
  const strange = ['', ' ', 'dance', 'HELLO k 0 x', '{"type":"hello"}', '{"type":"message","text":"x"}', '{"t":"say","text":"x"}', 'says n x'];
  const room = newRoom();
  const witness = await join(room, 'Witness');
  const client = watch(await open(room));
  for (const text of strange) client.ws.send(text);
  client.ws.send('hello key 0 Ada');
  client.name = (await client.until('welcome')).people.at(-1).name;
  assert.equal(client.name, 'Ada');
  for (const text of strange.slice(0, 3)) client.ws.send(text);
  assert.equal((await client.said('still here')).name, 'Ada');
  await witness.until('say');
  assert.deepEqual(client.events().map((event) => event.t), ['welcome', 'say'], 'no answer either');
  assert.deepEqual(witness.events().map((event) => event.t), ['welcome', 'here', 'say'], 'nor does anybody hear of it');
  for (let i = 0; i < 200; ++i) client.ws.send('dance');
  await client.end();
  assert.deepEqual(client.closed, { code: 1008, reason: 'too fast' }, 'as with all that comes in floods');
});

test('chat: noise does not bring it down', async () => {
  const room = newRoom();
  const witness = await join(room, 'Witness');
  const words = ['hello', 'say', 'typing', 'name', ' ', '  ', '\n', '0', '"', '\\', '{', '\u0000', '🐦', 'x'.repeat(500), '-1', '\u202e'];
  const pick = (list) => list[Math.floor(Math.random() * list.length)];
  await Promise.all([...Array(60)].map(async (_, i) => {
    const client = await open(room);
    if (i % 3) client.ws.send(`hello ${i} 0 noise`);
    for (let k = 0; k < 30; ++k) client.ws.send([...Array(1 + Math.floor(Math.random() * 6))].map(() => pick(words)).join(pick(['', ' '])));
    if (i % 2) client.ws.terminate(); else client.ws.close();
    await client.end();
  }));
  await witness.said('still here');
  witness.of('say').forEach((line) => assert.equal(typeof line.text, 'string'));
  const plain = await tcp(chat.port);
  plain.socket.write('GET /ws/x HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(() => /^HTTP\/1\.1 4\d\d /.test(plain.text), 'a refusal without an upgrade');
  plain.socket.destroy();
});

test('chat: no page from elsewhere may talk, and no name that was pointed at this machine', async () => {
  const status = async (host, origin, port = chat.port) => {
    const client = await tcp(port);
    client.socket.write(`GET /ws/x HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n${origin ? `Origin: ${origin}\r\n` : ''}\r\n`);
    await until(() => client.text.includes('\r\n\r\n'), 'an answer');
    client.socket.destroy();
    return Number(client.text.slice(9, 12));
  };
  const own = `127.0.0.1:${chat.port}`;
  assert.equal(await status(own, ''), 101);
  assert.equal(await status(own, `http://${own}`), 101);
  assert.equal(await status(`[::1]:${chat.port}`, ''), 101);
  assert.equal(await status('localhost', 'http://localhost'), 101);
  for (const origin of ['https://evil.example', `http://${own}.evil.example`, 'http://127.0.0.1:1', 'null', `ftp://${own}`]) {
    assert.equal(await status(own, origin), 403, origin);
  }
  for (const host of ['evil.example', '127.evil.example', '', '[::2]']) assert.equal(await status(host, ''), 403, host);
  const other = await start('chat', '--port', '0', '--host', 'localhost');
  assert.equal(await status('localhost', '', other.port), 101);
  assert.equal(await status('evil.example', '', other.port), 403);
  await other.stop();
});

test('chat: names that look alike because something in them does not show are the same name', async () => {
  const room = newRoom();
  assert.equal((await join(room, 'Alice')).name, 'Alice');
  assert.equal((await join(room, 'Ali\u115fce\u3164')).name, 'Alice 2');
  assert.equal((await join(room, '\u3164\u2800')).name, 'Guest');
});

test('chat: a room takes 200 people, a full one says so', async () => {
  const room = newRoom();
  const crowd = await Promise.all([...Array(200)].map((_, i) => join(room, `P${i}`)));
  const late = await open(room);
  late.ws.send('hello late 0 Late');
  await late.end();
  assert.equal(late.closed.code, 1013);
  const line = await crowd[0].said('hello everybody');
  await Promise.all(crowd.map((client) => client.until('say', (l) => l.at === line.at)));
  crowd.forEach((client) => client.ws.terminate());
});

test('chat: rooms beyond the limit push out empty ones, never one in use', async () => {
  const server = await start('chat', '--port', '0');
  const enter = async (room, name) => {
    const client = watch(await connect(`${server.ws}/ws/${room}`));
    client.ws.send(`hello k-${room}-${name} 0 ${name}`);
    await until(() => client.closed || client.of('welcome').length, 'an answer');
    return client;
  };
  const clients = [];
  for (let i = 0; i < 256; ++i) clients.push(await enter(`r${i}`, 'a'));
  const late = await enter('one-more', 'b');
  assert.equal((await late.end(), late.closed.code), 1013);
  await clients[7].said('soon forgotten');
  clients[7].ws.close();
  await until(async () => {
    const again = await enter('one-more', 'b');
    return !again.closed;
  }, 'a room to become free', 20000);
  assert.deepEqual(await server.stop('SIGTERM'), { code: 0, signal: null });
});
