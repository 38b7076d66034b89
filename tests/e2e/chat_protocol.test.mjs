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
// Of the last message of an event there is its name, its first argument, what else is in it: {event, of, args, room, offset, epoch}.
const watch = (client) => {
  client.events = () => client.messages.map((m) => JSON.parse(m.text)).map((m) => ({ ...m, of: m.args[0] }));   // every message must be JSON
  client.names = () => client.events().map((event) => event.event);
  client.all = (name) => client.events().filter((event) => event.event === name);
  client.until = (name, match = () => true) => until(() => client.all(name).find(match), `"${name}"`);
  client.lines = () => client.all('say').map((event) => event.of);
  client.line = (match = () => true) => until(() => client.lines().find(match), 'a line');
  client.say = (text, nonce = randomBytes(6).toString('hex')) => (client.ws.send(`say ${nonce} ${text}`), nonce);
  client.said = async (text) => {
    const nonce = client.say(text);
    return client.line((line) => line.nonce === nonce);
  };
  // Who is there, by what it was told: [who, name].
  client.people = () => {
    const people = new Map();
    for (const { event, args } of client.events()) {
      if (event === 'presence:state') for (const [who, { name }] of Object.entries(args[0])) people.set(who, name);
      if (event === 'presence:join') people.set(args[0], args[1].name);
      if (event === 'presence:leave') people.delete(args[0]);
    }
    return people;
  };
  return client;
};
// One who has come in, with what it was told up to then.
async function join(room, name, { key = randomBytes(8).toString('hex'), since = '-', epoch = '-' } = {}) {
  const client = watch(await open(room));
  client.ws.send(`hello ${key} ${since} ${epoch} ${name}`);
  client.key = key;
  client.you = (await client.until('welcome')).of;
  client.joined = await client.until('room:joined');
  client.told = client.lines();
  client.name = await until(() => client.people().get(client.you), 'its name');
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
  assert.deepEqual([...bob.people().values()], ['Ada', 'Bob']);
  await ada.until('presence:join', (event) => event.args[1].name === 'Bob');
  const line = await ada.said('Hello there');
  assert.deepEqual([line.name, line.text, line.who], ['Ada', 'Hello there', ada.you]);
  assert.ok(Math.abs(line.at - Date.now()) < 60000);
  assert.deepEqual(await bob.line(), line);
  bob.ws.send('typing');
  assert.equal((await ada.until('typing')).of, bob.you);
  await eve.said('alone');
  assert.deepEqual(eve.names(), ['welcome', 'room:joined', 'presence:join', 'say']);
  assert.equal(bob.all('typing').length, 0, 'not told to the one who types');
  assert.deepEqual((await join(room, 'Cleo')).names().filter((name) => name === 'typing'), [], 'nor remembered');
});

test('chat: the same name gets a number, and a rename is told', async () => {
  const room = newRoom();
  const one = await join(room, 'Ada');
  const two = await join(room, '  aDa ');
  const three = await join(room, 'Ada 2');
  const none = await join(room, '');
  assert.deepEqual([one, two, three, none].map((c) => c.name), ['Ada', 'aDa 2', 'Ada 2 2', 'Guest']);
  two.ws.send('name Grace');
  await one.until('presence:join', (event) => event.of === two.you && event.args[1].name === 'Grace');
  assert.equal((await two.said('hi')).name, 'Grace');
  const many = await Promise.all([...Array(30)].map(() => join(room, 'Bob')));
  assert.equal(new Set(many.map((client) => client.name)).size, 30, 'also when they come at once');
});

test('chat: names and texts are cleaned and cut between characters', async () => {
  const room = newRoom();
  const client = await join(room, ' a\u202eb\u200d \n c\u0007' + '🐦'.repeat(40));
  assert.equal(client.name, 'ab c' + '🐦'.repeat(20));
  const long = await client.said('🐦'.repeat(1500));
  assert.equal(long.text, '🐦'.repeat(1000));
  const mixed = 'a "quote" \\ back\\slash\n\n\ttab </script><img src=x onerror=alert(1)> \u0001\u2028 👩‍👩‍👧 {"event":"presence:leave"}';
  assert.equal((await client.said('  ' + mixed + '\n ')).text, mixed.replace('\u0001\u2028', ''));
  const nonce = client.say('\u200b \u0000 \n');
  await client.until('drop', (event) => event.of === nonce);
  client.ws.send(`say ${nonce}`);
  await until(() => client.all('drop').length === 2, 'the second drop');
});

test('chat: a room is the same in any case, in any script, and however its address is broken', async () => {
  const a = await join('Gar%64en%20Party', 'A');
  assert.equal(a.joined.room, 'chat/garden party');
  const b = await join('garden%20party', 'B');
  assert.equal(b.people().size, 2);
  assert.equal((await join(encodeURIComponent('сад'), 'C')).joined.room, 'chat/сад');
  assert.equal((await join('%ff%fex%c3', 'D')).joined.room, 'chat/x');
  assert.equal((await join('x'.repeat(3000), 'E')).joined.room, 'chat/' + 'x'.repeat(40));
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
  await until(() => reader.lines().length === 110, 'all lines');
  assert.deepEqual(reader.lines(), lines);
  lines.reduce((before, line) => (assert.ok(line.at > before.at, 'stamps grow'), line));
  assert.deepEqual((await join(room, 'New')).told, lines.slice(60));
  const { epoch } = reader.joined, offsets = reader.all('say').map((event) => event.offset);
  const back = async (since, life = epoch) => join(room, 'Back', { since, epoch: life });
  const some = await back(offsets[29]);
  assert.deepEqual(some.told, lines.slice(30));
  assert.equal(some.joined.of.recovered, true);
  const away = await back(offsets[2]);
  assert.deepEqual(away.told, lines.slice(10), 'what there is');
  assert.equal((await away.until('room:gap')).of.reason, 'trimmed', 'and that this is not all');
  assert.deepEqual((await back(offsets[109])).told, []);
  assert.deepEqual((await back(offsets[109], '0123456789abcdef')).told, lines.slice(10), 'of another life of the server');
  for (const since of ['x', '-5', '99999999999999999999999', '1e5', '1']) {
    for (const life of [epoch, '-', 'x'.repeat(100)]) assert.ok((await back(since, life)).told.length >= 50, since);
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
    return visitor.people().size === 1 && assert.deepEqual(visitor.told, [line]) === undefined;
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
    assert.equal(again.you, bob.you, 'the same person');
    Object.assign(bob, again);
  }
  // Cleo leaves after Bob did: once that is told, Bob's grace is over as well.
  cleo.ws.close();
  await ada.until('presence:leave', (event) => event.of === cleo.you);
  assert.deepEqual(ada.events().map((event) => [event.event, event.of]).slice(2), [ada, bob, cleo].map(({ you }) => ['presence:join', you])
    .concat([['presence:leave', cleo.you]]));
  assert.notEqual((await join(room, 'Cleo')).you, cleo.you, 'another key is another person');
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
  await ada.line();
  assert.deepEqual(ada.names(), ['welcome', 'room:joined', 'presence:join', 'presence:join', 'say']);
});

test('chat: who says too much is asked to wait, who goes on is closed', async () => {
  const room = newRoom();
  const ada = await join(room, 'Ada');
  const nonces = [...Array(20).keys()].map((i) => ada.say(`quick ${i}`));
  await until(() => ada.lines().length + ada.all('slow').length === 20, 'an answer to each');
  assert.ok(ada.lines().length >= 12 && ada.all('slow').length > 0);
  const slow = nonces.at(-1);
  assert.ok(ada.all('slow').some((event) => event.of === slow));
  await until(async () => (ada.say('again', 'again'), await new Promise((r) => setTimeout(r, 300)),
    ada.lines().some((line) => line.nonce === 'again')), 'patience to be rewarded');
  for (let i = 0; i < 400; ++i) ada.ws.send('typing');
  await ada.end();
  assert.equal(ada.closed.code, 1008);
});

test('chat: what is not the protocol ends the connection and nothing else', async () => {
  const room = newRoom();
  const witness = await join(room, 'Witness');
  const cases = [
    [1008, (ws) => ws.send('say n hello')], [1008, (ws) => ws.send('typing')], [1008, (ws) => ws.send('hello')],
    [1008, (ws) => ws.send('hello  - - nobody')], [1003, (ws) => ws.send(Buffer.from('hello k - - x'))],
    [1008, (ws) => { ws.send('hello k1 - - x'); ws.send('hello k1 - - x'); }],
    [1009, (ws) => { ws.send('hello k4 - - x'); ws.send('say n ' + 'x'.repeat(9000)); }],
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
  const strange = ['', ' ', 'dance', 'HELLO k - - x', '{"type":"hello"}', '{"type":"message","text":"x"}', '{"event":"say","args":["n","x"]}', 'says n x'];
  const room = newRoom();
  const witness = await join(room, 'Witness');
  const client = watch(await open(room));
  for (const text of strange) client.ws.send(text);
  client.ws.send('hello key - - Ada');
  await client.until('presence:join', (event) => event.args[1].name === 'Ada');
  for (const text of strange.slice(0, 3)) client.ws.send(text);
  assert.equal((await client.said('still here')).name, 'Ada');
  await witness.line();
  assert.deepEqual(client.names(), ['welcome', 'presence:state', 'room:joined', 'presence:join', 'say'], 'no answer either');
  assert.deepEqual(witness.names(), ['welcome', 'room:joined', 'presence:join', 'presence:join', 'say'], 'nor does anybody hear of it');
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
    if (i % 3) client.ws.send(`hello ${i} - - noise`);
    for (let k = 0; k < 30; ++k) client.ws.send([...Array(1 + Math.floor(Math.random() * 6))].map(() => pick(words)).join(pick(['', ' '])));
    if (i % 2) client.ws.terminate(); else client.ws.close();
    await client.end();
  }));
  await witness.said('still here');
  witness.lines().forEach((line) => assert.equal(typeof line.text, 'string'));
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
  late.ws.send('hello late - - Late');
  await late.end();
  assert.equal(late.closed.code, 1013);
  const line = await crowd[0].said('hello everybody');
  await Promise.all(crowd.map((client) => client.line((l) => l.at === line.at)));
  crowd.forEach((client) => client.ws.terminate());
});

test('chat: rooms beyond the limit push out empty ones, never one in use', async () => {
  const server = await start('chat', '--port', '0');
  const enter = async (room, name) => {
    const client = watch(await connect(`${server.ws}/ws/${room}`));
    client.ws.send(`hello k-${room}-${name} - - ${name}`);
    await until(() => client.closed || client.all('room:joined').length, 'an answer');
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
