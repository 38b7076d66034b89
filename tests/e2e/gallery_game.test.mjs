// gallery_game.test.mjs: the game of examples/gallery as its clients hear it: who plays, how it begins and ends, and its one loop.
// Its page is looked at by gallery_game_page.test.mjs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { application, close, invalid, isIsoNow, isMsNow, objects, send, serving } from './gallery.mjs';
import { connect, until } from './harness.mjs';

// The next message that is none of the loop's.
const loops = new Set(['game-state-update', 'powerup-spawned', 'powerup-collected']);
async function hear(client) {
  client.heard ??= 0;
  return until(() => {
    while (client.heard < client.messages.length) {
      const message = JSON.parse(client.messages[client.heard++].text);
      if (!loops.has(message.type)) return message;
    }
    return null;
  }, 'a message');
}
async function quiet(...clients) {
  for (const client of clients) {
    const pongs = client.pongs.length;
    client.ws.ping();
    await until(() => client.pongs.length > pongs, 'a pong');
  }
  for (const client of clients) {
    const rest = objects(client).slice(client.heard ?? 0).filter(({ type }) => !loops.has(type));
    client.heard = client.messages.length;
    assert.deepEqual(rest, []);
  }
}
const all = (client, type) => objects(client).filter((message) => message.type === type);
const act = (client, action, more) => send(client, { type: 'player-action', action, ...more });
// From the loop: everybody as they are, once all that was sent before has been done.
async function world(client) {
  await quiet(client);
  const before = all(client, 'game-state-update').length;
  await until(() => all(client, 'game-state-update').length > before, 'an update');
  return Object.fromEntries(all(client, 'game-state-update').at(-1).players.map((player) => [player.username, player]));
}

// Somebody in a room of these rules: no power-ups by themselves, unless they say so.
async function player(server, username, more = {}) {
  const client = await connect(server.ws + '/game');
  send(client, { type: 'join-game', username, config: { powerUpSpawnRate: 0 }, ...more });
  client.joined = await hear(client);
  client.id = client.joined.player?.id;
  return client;
}
async function game(server, names, more) {
  const players = [];
  for (const name of names) players.push(await player(server, name, more));
  await until(() => all(players[0], 'game-started').length, 'the start');
  for (const one of players) await until(() => all(one, 'game-state-update').at(-1)?.players.length === names.length, 'everybody to be in it');
  for (const one of players) one.heard = one.messages.length;
  return players;
}
// An attack more often than the cooldown lets it does nothing.
const cooldown = () => new Promise((resolve) => setTimeout(resolve, 260));
async function bringDown(client, victim) {
  while (!all(client, 'player-eliminated').some((one) => one.victim === victim.id)) {
    act(client, 'attack');
    await cooldown();
  }
}

application('game', async (server) => {
  // The first creates the room.
  const ann = await connect(server.ws + '/game');
  for (const early of [{ type: 'player-action', action: 'move', x: 1, y: 1 }, { type: 'chat', text: 'hi' }, { type: 'dance' }, [], null, 7]) send(ann, early);
  for (const wrong of ['{', '', 'hello', Buffer.from('{"type":"join-game"}')]) {
    send(ann, wrong);
    assert.deepEqual(await hear(ann), invalid);
  }
  send(ann, { type: 'join-game' });
  const joined = await hear(ann), { player: first } = joined, { id } = first;
  assert.match(id, /^ws_\w+$/);
  assert.ok(first.x >= 0 && first.x <= 1000 && first.y >= 0 && first.y <= 800);
  isIsoNow(first, { id, username: 'Player_' + id.slice(-4), x: first.x, y: first.y, health: 100, score: 0, room: 'default', isAlive: true, powerUps: [] }, 'lastAction');
  const config = { mapSize: { width: 1000, height: 800 }, powerUpSpawnRate: 0.02, gameMode: 'deathmatch', timeLimit: 10 };
  assert.deepEqual(joined, { type: 'game-joined', player: first, players: [first], gameState: 'waiting',
    room: { id: 'default', name: 'Game Room default', players: [first], gameState: 'waiting', maxPlayers: 8, config, powerUps: [] } });
  act(ann, 'move', { x: 5, y: 5 });  // not while it waits
  await quiet(ann);
  assert.equal(all(ann, 'game-state-update').length, 0, 'the loop runs while it is played');

  // With the second it begins: once for each, and to each.
  const bob = await connect(server.ws + '/game');
  send(bob, { type: 'join-game', roomName: 'not the first', username: 'Bob' });
  const second = (await hear(bob)).player;
  assert.equal(objects(bob)[0].gameState, 'waiting');
  assert.deepEqual(objects(bob)[0].players, [first, second]);
  assert.equal(objects(bob)[0].room.name, 'Game Room default');
  assert.equal(second.username, 'Bob');
  assert.deepEqual(await hear(ann), { type: 'player-joined', player: second, totalPlayers: 2 });
  for (const one of [ann, bob]) isIsoNow(await hear(one), { type: 'game-started', room: 'default', config }, 'startTime');
  const third = await player(server, 'Eve');
  assert.equal(third.joined.gameState, 'playing');
  for (const one of [ann, bob]) assert.deepEqual(await hear(one), { type: 'player-joined', player: third.joined.player, totalPlayers: 3 });
  await quiet(third, ann, bob);

  // The loop: thirty times a second, to each once, however many play, and with the receiver in it.
  const count = (one) => all(one, 'game-state-update').length, before = [count(ann), count(third)];
  await until(() => count(ann) >= before[0] + 60, 'two seconds of it');
  const updates = all(ann, 'game-state-update').slice(-60), times = updates.map((one) => one.timestamp);
  const each = (times.at(-1) - times[0]) / 59;
  assert.ok(each > 31 && each < 45, `${each} ms, on a machine that may be busy`);
  assert.equal(new Set(times).size, 60);
  assert.ok(Math.abs(count(third) - before[1] - (count(ann) - before[0])) <= 2);
  isMsNow(updates.at(-1), { type: 'game-state-update', players: updates.at(-1).players });
  assert.deepEqual(updates.at(-1).players.map((one) => Object.keys(one).sort()), Array(3).fill(['health', 'id', 'isAlive', 'powerUps', 'score', 'username', 'x', 'y']));
  assert.deepEqual(updates.at(-1).players.map((one) => one.id), [id, second.id, third.id]);

  // Moving.
  for (const [sent, x, y] of [[{ x: 10.5, y: 20 }, 10.5, 20], [{ x: -5, y: 1e9 }, 0, 800], [{ x: 1e300, y: -0.1 }, 1000, 0]]) {
    act(ann, 'move', sent);
    for (const one of [bob, third]) isMsNow(await hear(one), { type: 'player-moved', playerId: id, x, y });
  }
  for (const wrong of [{}, { x: 1 }, { x: '1', y: 2 }, { x: null, y: 2 }]) act(ann, 'move', wrong);
  act(ann, 'dance');
  await quiet(ann, bob, third);
  assert.deepEqual([(await world(bob))[first.username].x, (await world(bob))[first.username].y], [1000, 0]);

  send(bob, { type: 'chat', text: 'hi "all"' });
  for (const one of [ann, third]) isIsoNow(await hear(one), { type: 'game-chat', username: 'Bob', message: 'hi "all"' });
  send(bob, { type: 'chat', text: 7 });
  await quiet(bob, ann, third);

  // Leaving; with one left it is over, once.
  await close(third);
  for (const one of [ann, bob]) assert.deepEqual(await hear(one), { type: 'player-left', playerId: third.id, remainingPlayers: 2 });
  await quiet(ann, bob);
  await close(bob);
  assert.deepEqual(await hear(ann), { type: 'player-left', playerId: second.id, remainingPlayers: 1 });
  const ended = await hear(ann);
  assert.equal(ended.winner.id, id);
  assert.deepEqual(ended, { type: 'game-ended', reason: 'insufficient_players', winner: ended.winner, finalScores: [ended.winner], duration: ended.duration });
  assert.ok(Number.isInteger(ended.duration) && ended.duration > 1000 && ended.duration < 60000);
  const stopped = count(ann);
  await cooldown();
  await quiet(ann);
  assert.equal(count(ann), stopped, 'the loop has stopped');

  // An empty room is deleted: the next one is new.
  await close(ann);
  const next = await player(server, 'Next', { roomName: 'A new one' });
  assert.deepEqual([next.joined.room.name, next.joined.gameState, next.joined.players.length], ['A new one', 'waiting', 1]);
});

test('gallery: game: attacks: the nearest within 50 that lives, 25 health, four times a second; and what follows', () => serving(async (server) => {
  const [ann, bob, eve] = await game(server, ['Ann', 'Bob', 'Eve']);
  const place = async (...at) => {
    [ann, bob, eve].forEach((one, i) => at[i] && act(one, 'move', { x: at[i][0], y: at[i][1] }));
    await until(async () => {
      const now = await world(ann).catch(() => ({}));
      return ['Ann', 'Bob', 'Eve'].every((name, i) => !at[i] || (now[name]?.x === at[i][0] && now[name]?.y === at[i][1]));
    }, 'everybody in place');
    for (const one of [ann, bob, eve]) one.heard = one.messages.length;
  };
  const health = async () => { const now = await world(ann); return ['Ann', 'Bob', 'Eve'].map((name) => now[name].health); };

  // Bob is the first in the room, Eve is nearer.
  await place([500, 400], [540, 400], [470, 400]);
  act(ann, 'attack');
  assert.deepEqual(await health(), [100, 100, 75]);
  act(ann, 'attack');  // too soon, or not
  await cooldown();
  const soon = (await health())[2];
  assert.ok(soon === 75 || soon === 50);
  await place(null, null, [500, 451]);
  await cooldown();
  act(ann, 'attack');
  assert.deepEqual(await health(), [100, 75, soon], 'who is beyond 50 is out of reach');
  await place(null, [550, 400]);
  await cooldown();
  act(ann, 'attack');
  assert.deepEqual(await health(), [100, 50, soon], '50 is within it');
  await place(null, [551, 400]);
  await cooldown();
  act(ann, 'attack');
  assert.deepEqual(await health(), [100, 50, soon]);

  // Ten at once are one.
  await place(null, [510, 400]);
  await cooldown();
  for (let i = 0; i < 10; i++) act(ann, 'attack');
  assert.deepEqual(await health(), [100, 25, soon]);
  await quiet(ann, bob, eve);
  await cooldown();
  act(ann, 'attack');
  for (const one of [ann, bob, eve]) {  // the attacker, too
    assert.deepEqual(await hear(one), { type: 'player-eliminated', killer: ann.id, victim: bob.id, killerScore: 100 });
  }
  await quiet(ann, bob, eve);

  // Who is out does nothing, and is no target.
  await place(null, null, [500, 410]);
  act(bob, 'attack');
  act(bob, 'move', { x: 1, y: 1 });
  act(bob, 'use-powerup', { powerUp: 'shield' });
  await quiet(bob, ann, eve);
  const now = await world(ann);
  assert.deepEqual([now.Bob.isAlive, now.Bob.health, now.Bob.x, now.Eve.health, now.Ann.score], [false, 0, 510, soon, 100]);
  send(bob, { type: 'chat', text: 'well played' });
  for (const one of [ann, eve]) assert.equal((await hear(one)).message, 'well played');

  await cooldown();
  await bringDown(eve, ann);
  for (const one of [ann, bob, eve]) {
    assert.deepEqual(await hear(one), { type: 'player-eliminated', killer: eve.id, victim: ann.id, killerScore: 100 });
    const ended = await hear(one);
    assert.equal(ended.reason, 'last_player_standing');
    assert.deepEqual(ended.winner, ended.finalScores[0]);
    assert.deepEqual(ended.finalScores.map((score) => [score.username, score.score, score.isAlive]), [['Eve', 100, true], ['Ann', 100, false], ['Bob', 0, false]]);
  }
  act(eve, 'move', { x: 1, y: 1 });
  await cooldown();
  await quiet(eve, ann, bob);  // nothing is done, and it ends once
}, 'game'));

test('gallery: game: with one alive after another has left it is over', () => serving(async (server) => {
  const [ann, bob, eve] = await game(server, ['Ann', 'Bob', 'Eve']);
  for (const one of [ann, bob]) act(one, 'move', { x: 500, y: 400 });
  act(eve, 'move', { x: 0, y: 0 });
  await until(() => all(bob, 'player-moved').length === 2, 'them to be there');
  await bringDown(ann, bob);
  await until(() => all(eve, 'player-eliminated').length, 'Bob to be out');
  await close(ann);
  await until(() => all(eve, 'game-ended').length, 'the end');
  assert.equal(all(eve, 'game-ended')[0].reason, 'last_player_standing');
  assert.deepEqual(all(eve, 'game-ended')[0].finalScores.map(({ username }) => username), ['Eve', 'Bob'], 'of the same score the living first');
}, 'game'));

test('gallery: game: its time is over, and a finished room can be started again', () => serving(async (server) => {
  const [ann, bob] = await game(server, ['Ann', 'Bob'], { roomId: 'short', config: { timeLimit: 0.02, powerUpSpawnRate: 0 } });
  for (const one of [ann, bob]) {
    const ended = await hear(one);
    assert.deepEqual([ended.type, ended.reason], ['game-ended', 'time_limit']);
    assert.ok(ended.duration >= 1200 && ended.duration < 2500, `${ended.duration} ms`);
  }
  // Again, by a member: everybody is as new, and the time begins anew.
  for (const again of [2, 3]) {
    send(ann, { type: 'join-game', roomId: 'short' });
    const joined = await hear(ann);
    assert.deepEqual([joined.type, joined.gameState, joined.room.name], ['game-joined', 'waiting', 'Game Room short']);
    assert.deepEqual(joined.players.map((one) => [one.id, one.username, one.health, one.score, one.isAlive]), [[ann.id, 'Ann', 100, 0, true], [bob.id, 'Bob', 100, 0, true]]);
    for (const one of [ann, bob]) assert.equal((await hear(one)).type, 'game-started');
    send(bob, { type: 'join-game', roomId: 'short' });  // he is in it already
    assert.deepEqual(await hear(bob).then(({ type, gameState, players }) => [type, gameState, players.length]), ['game-joined', 'playing', 2]);
    for (const one of [ann, bob]) {
      const ended = await hear(one);
      assert.deepEqual([ended.type, ended.reason], ['game-ended', 'time_limit']);
      assert.ok(ended.duration >= 1200, 'the timer of the last one does not cut it short');
    }
    assert.equal(all(ann, 'game-ended').length, again);
  }
  // By somebody new.
  const eve = await player(server, 'Eve', { roomId: 'short' });
  assert.equal(eve.joined.gameState, 'waiting');
  await until(() => all(eve, 'game-started').length, 'the start');
  assert.equal((await hear(ann)).type, 'player-joined');
  assert.equal((await hear(ann)).type, 'game-started');
  // Alone it waits.
  const solo = await connect(server.ws + '/game');
  await game(server, ['A', 'B'], { roomId: 'pair', config: { timeLimit: 0.001 } }).then(async ([a, b]) => {
    await until(() => all(a, 'game-ended').length, 'the end');
    await close(b);
    a.heard = a.messages.length;
    send(a, { type: 'join-game', roomId: 'pair' });
    await until(() => objects(a).at(-1).type === 'game-joined', 'to be in it');
    assert.equal(objects(a).at(-1).gameState, 'waiting');
    await quiet(solo);
  });
}, 'game'));

test('gallery: game: eight in a room, and no more; another join-game leaves the first room', () => serving(async (server) => {
  const eight = await game(server, [...'12345678']);
  const ninth = await player(server, '9');
  assert.deepEqual(ninth.joined, { type: 'error', message: '🚫 Game room is full', maxPlayers: 8 });
  const elsewhere = await player(server, 'Eve', { roomId: 'other' });
  // Into the other room, where it then begins; a full room does not take him back.
  const [mover] = eight;
  send(mover, { type: 'join-game', roomId: 'other', username: 'Mo' });
  const joined = await hear(mover);
  assert.deepEqual([joined.type, joined.room.id, joined.players.map((one) => one.username)], ['game-joined', 'other', ['Eve', 'Mo']]);
  for (const one of eight.slice(1)) assert.deepEqual(await hear(one), { type: 'player-left', playerId: mover.id, remainingPlayers: 7 });
  assert.equal((await hear(elsewhere)).type, 'player-joined');
  send(ninth, { type: 'join-game', username: '9' });
  assert.equal((await hear(ninth)).type, 'game-joined');
  for (const one of eight.slice(1)) assert.equal((await hear(one)).type, 'player-joined');
  send(mover, { type: 'join-game' });
  assert.equal((await hear(mover)).type, 'game-started', 'of the other room');
  assert.equal((await hear(mover)).type, 'error');
  act(mover, 'move', { x: 1, y: 2 });
  await until(() => all(elsewhere, 'player-moved').length, 'him to be there still');
  await quiet(mover, ...eight.slice(1));

  // The room that the last one leaves is gone, and its name is free.
  send(elsewhere, { type: 'join-game', roomId: 'third' });
  await until(() => all(mover, 'game-ended').length, 'the end');
  await close(mover);
  const fresh = await player(server, 'New', { roomId: 'other', roomName: 'Fresh', config: { gameMode: 'team', timeLimit: 3 } });
  assert.deepEqual([fresh.joined.room.name, fresh.joined.room.config.gameMode, fresh.joined.room.config.timeLimit, fresh.joined.players.length], ['Fresh', 'team', 3, 1]);
  for (const [wrong, key, value] of [[{ gameMode: 'chess' }, 'gameMode', 'deathmatch'], [{ powerUpSpawnRate: 7 }, 'powerUpSpawnRate', 1], [{ timeLimit: -1 }, 'timeLimit', 0.001], [{ timeLimit: 'x' }, 'timeLimit', 10]]) {
    const one = await player(server, 'x', { roomId: JSON.stringify(wrong), config: wrong });
    assert.equal(one.joined.room.config[key], value);
  }
}, 'game'));

// Ann, who collects power-ups, and Bob, who knows of it.
async function hunt(server) {
  const [ann, bob] = await game(server, ['Ann', 'Bob'], { roomId: 'rich', config: { powerUpSpawnRate: 1 } });
  // Everybody, once what Ann and Bob have sent so far has been done.
  const state = async () => {
    for (const one of [ann, bob]) {
      const pongs = one.pongs.length;
      one.ws.ping();
      await until(() => one.pongs.length > pongs, 'a pong');
    }
    const before = all(bob, 'game-state-update').length;
    await until(() => all(bob, 'game-state-update').length > before + 1, 'an update');
    return Object.fromEntries(all(bob, 'game-state-update').at(-1).players.map((one) => [one.username, one]));
  };
  const hers = () => all(bob, 'powerup-collected').filter((one) => one.playerId === ann.id);
  const lying = () => {
    const gone = new Set(all(bob, 'powerup-collected').map((one) => one.powerUp.id));
    return all(bob, 'powerup-spawned').map((one) => one.powerUp).filter((one) => !gone.has(one.id));
  };
  const use = async (type) => {
    const before = all(bob, 'powerup-used').length;
    act(ann, 'use-powerup', { powerUp: type });
    await until(() => all(bob, 'powerup-used').length > before, 'Bob to hear of it');
    assert.deepEqual(all(bob, 'powerup-used').at(-1), { type: 'powerup-used', playerId: ann.id, powerUp: type });
  };
  // To beside it, as far as one may be; where another lies as near she may have that.
  const fetch = async (target) => {
    const had = hers().length;
    act(ann, 'move', { x: target.x, y: target.y >= 30 ? target.y - 29.9 : target.y + 29.9 });
    await until(() => hers().length > had || !lying().some((one) => one.id === target.id), 'it to be hers');
  };
  // Until she has what is wanted, what she has is used up.
  const have = async (type) => {
    for (;;) {
      const { powerUps } = (await state()).Ann;
      if (powerUps.includes(type)) return;
      if (powerUps.length === 4) await use(powerUps[0]);
      await fetch(await until(() => lying().find((one) => one.type === type) ?? lying()[0], 'a power-up'));
    }
  };
  return { ann, bob, state, hers, lying, use, fetch, have };
}

test('gallery: game: power-ups appear, are picked up by who is near, four at most, and are used once', () => serving(async (server) => {
  const { ann, bob, state, hers, lying, use, fetch } = await hunt(server);
  await until(() => lying().length >= 10, 'ten of them');
  const spawned = all(bob, 'powerup-spawned').map((one) => one.powerUp);
  for (const up of spawned) {
    assert.deepEqual(Object.keys(up).sort(), ['id', 'type', 'x', 'y']);
    assert.match(up.id, /^powerup_\d+$/);
    assert.ok(['health', 'speed', 'damage', 'shield'].includes(up.type) && up.x >= 0 && up.x <= 1000 && up.y >= 0 && up.y <= 800);
  }
  assert.equal(new Set(spawned.map((up) => up.id)).size, spawned.length);
  await state();
  await until(() => lying().length === 10, 'no more than ten of them');
  assert.deepEqual(all(ann, 'powerup-spawned').slice(0, 10), all(bob, 'powerup-spawned').slice(0, 10), 'all hear of it');
  const late = await player(server, 'Late', { roomId: 'rich' });
  const seen = late.joined.room.powerUps.length;
  assert.ok(seen >= 1 && seen <= 10, 'who comes later sees what lies there');
  assert.equal(new Date(late.joined.room.startTime).toISOString(), late.joined.room.startTime);
  await close(late);

  while ((await state()).Ann.powerUps.length < 4) await fetch(lying()[0]);
  for (const { powerUp, ...told } of hers()) {
    assert.deepEqual(told, { type: 'powerup-collected', playerId: ann.id });
    assert.deepEqual(powerUp, all(bob, 'powerup-spawned').find((one) => one.powerUp.id === powerUp.id).powerUp);
  }
  const { powerUps } = (await state()).Ann;
  assert.deepEqual(powerUps, hers().map((one) => one.powerUp.type));
  const [beside] = lying();
  act(ann, 'move', { x: beside.x, y: beside.y });
  await state();
  assert.ok(lying().some((one) => one.id === beside.id), 'her hands are full');
  act(bob, 'use-powerup', { powerUp: (await state()).Bob.powerUps[0] ?? 'shield' });

  act(ann, 'move', { x: beside.x > 500 ? 0 : 1000, y: beside.y > 400 ? 0 : 800 });
  await state();
  const before = (await state()).Ann.powerUps.length, used = all(bob, 'powerup-used').length;
  for (const wrong of ['nonsense', '', 7, null]) act(ann, 'use-powerup', { powerUp: wrong });
  await state();
  assert.deepEqual([(await state()).Ann.powerUps.length >= before, all(bob, 'powerup-used').length], [true, used]);
  await use((await state()).Ann.powerUps[0]);
  assert.equal(all(ann, 'powerup-used').filter((one) => one.playerId === ann.id).length, 0, 'the others hear of it');
}, 'game'));

test('gallery: game: health gives back 50 and no more than there was; a shield holds; damage is double', () => serving(async (server) => {
  const { ann, bob, state, use, have } = await hunt(server);
  const beside = async () => { const { x, y } = (await state()).Ann; act(bob, 'move', { x, y }); };
  const hit = async () => { await cooldown(); act(bob, 'attack'); return (await state()).Ann.health; };
  await have('health');
  await beside();
  // Shields that she has used up on her way hold for five seconds.
  await until(async () => await hit() === 25, 'three hits', 30000);
  await use('health');
  assert.equal((await state()).Ann.health, 75);
  await have('health');
  for (let now = await state(); now.Ann.health !== 100; now = await state()) { await have('health'); await use('health'); }
  await have('health');
  await use('health');
  assert.equal((await state()).Ann.health, 100, 'no more than there was');

  await have('shield');
  await use('shield');
  await beside();
  assert.deepEqual([await hit(), await hit()], [100, 100]);

  await have('damage');
  await use('damage');
  await beside();
  act(ann, 'attack');
  assert.equal((await state()).Bob.health, 50);
}, 'game'));
