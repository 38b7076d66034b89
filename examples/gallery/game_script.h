// game_script.h: the first half of the script of game.cc's page. In this order:
//     the world as the server tells it; the socket; what is heard; what is shown beside the map
//
// game_flight.h goes on where it ends, and begins when both are there. Text of strangers reaches the document by textContent, and
// the map by fillText: none of it can become markup.
#pragma once

#include <string_view>

namespace gallery {

inline constexpr std::string_view kGameScript = R"js(
'use strict';
const kSpeed = 250, kFast = 1.7, kReach = 50, kEffect = 5000, kCooldown = 260, kBody = 17;
const kHues = [210, 8, 135, 40, 285, 175, 325, 75];
const kUps = {
  health: { hue: 350, label: 'Health', path: 'M12 20C5 14.500 3 11.500 3 8.500A4.500 4.500 0 0 1 12 7a4.500 4.500 0 0 1 9 1.500c0 3-2 6-9 11.500z' },
  speed: { hue: 45, label: 'Speed', path: 'M13 2 5 13h5l-2 9 9-12h-5z' },
  damage: { hue: 20, label: 'Damage', path: 'M12 2l2.500 6.500L21 6l-3.500 6L22 16l-7-.500L12 22l-3-6.500L2 16l4.500-4L3 6l6.500 2.500z' },
  shield: { hue: 200, label: 'Shield', path: 'M12 2l8 3v6c0 5-3.500 9-8 11-4.500-2-8-6-8-11V5z' },
};
const kReasons = { last_player_standing: 'All others are down.', time_limit: 'The time is over.', insufficient_players: 'Nobody else is left.' };
const $ = (id) => document.getElementById(id);
const make = (tag, className, ...children) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
};
const stored = (key, value) => {
  try { return value === undefined ? localStorage.getItem(key) : localStorage.setItem(key, value); } catch { return null; }
};

// The world -----------------------------------------------------------------------------------------------------------

let me = '', state = 'out', room = '', name = '', world = { width: 1000, height: 800 }, endsAt = 0, adopt = true;
const birds = new Map(), items = new Map(), marks = [];   // marks: what is drawn for a moment
const mine = () => birds.get(me);
const playing = () => state === 'playing' && mine()?.isAlive;

function know(player) {
  let bird = birds.get(player.id);
  if (!bird) {
    const taken = new Set([...birds.values()].map((one) => one.hue));
    bird = { x: player.x, y: player.y, turn: 0, wing: Math.random() * 6, hue: kHues.find((hue) => !taken.has(hue)) ?? 0, hurt: 0, until: {}, said: '' };
    birds.set(player.id, bird);
  }
  if (player.health < bird.health) {
    bird.hurt = performance.now() + 300;
    marks.push({ kind: 'text', text: `−${bird.health - player.health}`, x: player.x, y: player.y - 26, from: performance.now(), lasts: 800 });
  }
  if (player.id !== me || adopt) Object.assign(bird, { toX: player.x, toY: player.y });
  if (adopt || !('health' in bird)) Object.assign(bird, { x: player.x, y: player.y });
  const { x, y, ...rest } = player;
  return Object.assign(bird, rest);
}
const nameOf = (id) => (id === me ? 'you' : birds.get(id)?.username ?? 'somebody');
const capital = (text) => text[0].toUpperCase() + text.slice(1);

// The socket ----------------------------------------------------------------------------------------------------------

let ws, tries = 0;
const say = (message) => { if (ws?.readyState === WebSocket.OPEN) ws.send(JSON.stringify(message)); };
const act = (action, more) => say({ type: 'player-action', action, ...more });
const join = () => say({ type: 'join-game', roomId: room || undefined, username: name || undefined });

function connect() {
  ws = new WebSocket(new URL('game', location.href.split(/[?#]/)[0].replace(/^http/, 'ws')));
  ws.onopen = () => {
    tries = 0;
    banner('');
    if (state !== 'out') join();
    else tell('Choose a name and a room');
  };
  ws.onmessage = (event) => {
    const message = JSON.parse(event.data);
    heard[message.type]?.(message);
  };
  ws.onclose = () => {
    tell('Not connected');
    banner('The connection is lost. Trying again…');
    if (state !== 'out') state = 'lost';
    setTimeout(connect, Math.min(8000, 400 * 2 ** tries++) * (0.7 + Math.random() * 0.6));
  };
}

// What is heard -------------------------------------------------------------------------------------------------------

const heard = {
  'game-joined'({ player, room: joined, players, gameState }) {
    me = player.id;
    birds.clear();
    items.clear();
    adopt = true;
    players.forEach(know);
    adopt = false;
    for (const up of joined.powerUps) items.set(up.id, up);
    world = joined.config.mapSize;
    if (joined.startTime) endsAt = Date.parse(joined.startTime) + joined.config.timeLimit * 60000;
    $('room').textContent = joined.name;
    document.title = `${joined.name} · Last bird flying`;
    enter(gameState);
  },
  'player-joined'({ player }) { know(player); news(`${player.username} is here`); roster(); },
  'player-left'({ playerId }) {
    news(`${capital(nameOf(playerId))} flew off`);
    birds.delete(playerId);
    roster();
    if (state === 'waiting') enter('waiting');
  },
  'game-started'({ startTime, config }) {
    endsAt = Date.parse(startTime) + config.timeLimit * 60000;
    items.clear();
    marks.length = 0;
    for (const bird of birds.values()) Object.assign(bird, { health: 100, isAlive: true, until: {} });
    adopt = true;   // everybody is where the first update says
    enter('playing');
    news('It begins!');
  },
  'game-state-update'({ players }) {
    if (state !== 'playing') return;
    players.forEach(know);
    adopt = false;
    roster();
    hand();
  },
  'player-moved'({ playerId, x, y }) { const bird = birds.get(playerId); if (bird && playerId !== me) Object.assign(bird, { toX: x, toY: y }); },
  'player-eliminated'({ killer, victim, killerScore }) {
    const bird = birds.get(victim);
    if (birds.has(killer)) birds.get(killer).score = killerScore;
    if (bird) {
      Object.assign(bird, { isAlive: false, health: 0 });
      marks.push({ kind: 'feathers', x: bird.x, y: bird.y, hue: bird.hue, from: performance.now(), lasts: 900 });
    }
    news(`${capital(nameOf(killer))} brought ${nameOf(victim)} down`);
    if (victim === me) banner('You are out. Watch how it ends.');
    roster();
  },
  'powerup-spawned'({ powerUp }) { items.set(powerUp.id, powerUp); },
  'powerup-collected'({ playerId, powerUp }) {
    items.delete(powerUp.id);
    if (playerId === me) news(`You have ${kUps[powerUp.type].label.toLowerCase()}: ${touch.matches ? 'tap' : 'press ' + (Object.keys(kUps).indexOf(powerUp.type) + 1)}`);
  },
  'powerup-used'({ playerId, powerUp }) { const bird = birds.get(playerId); if (bird) bird.until[powerUp] = performance.now() + kEffect; },
  'game-chat'({ username, message }) {
    const bird = [...birds.values()].find((one) => one.username === username);
    spoken(username, message, bird);
  },
  'game-ended'({ reason, winner, finalScores }) {
    state = 'finished';
    finalScores.forEach(know);
    roster();
    const won = winner?.id === me;
    $('winner').textContent = won ? 'You are the last bird flying' : `${winner?.username ?? 'Nobody'} wins`;
    if (won && reason !== 'last_player_standing') $('winner').textContent = 'You win';
    $('reason').textContent = kReasons[reason] ?? '';
    $('scores').replaceChildren(...finalScores.map((player) => make('li', '', make('span', 'of', player.username + (player.id === me ? ' (you)' : '')),
      make('span', 'points', String(player.score)))));
    setTimeout(() => state === 'finished' && enter('finished'), 700);   // the last feathers may fall
  },
  error({ message }) {
    state = 'out';
    enter('out');
    $('refusal').textContent = message;
    $('refusal').hidden = false;
  },
};

// Beside the map ------------------------------------------------------------------------------------------------------

const tell = (text) => { if ($('state').textContent !== text) $('state').textContent = text; };
const banner = (text) => { $('banner').textContent = text; $('banner').hidden = !text; };
function news(text) {
  const line = make('span', '', text);
  $('news').append(line);
  while ($('news').childElementCount > 3) $('news').firstChild.remove();
  setTimeout(() => line.remove(), 4000);
}
function spoken(who, text, bird) {
  const atEnd = $('talk').scrollHeight - $('talk').scrollTop - $('talk').clientHeight < 40;
  const said = make('b', '', who);
  if (bird) { said.style.color = ink(bird.hue); bird.said = text; bird.saidUntil = performance.now() + 4000; }
  $('talk').append(make('li', '', said, text));
  while ($('talk').childElementCount > 100) $('talk').firstChild.remove();
  if (atEnd) $('talk').scrollTop = $('talk').scrollHeight;
}
const ink = (hue) => `hsl(${hue} ${dark.matches ? '70% 72%' : '60% 34%'})`;
const fill = (hue) => `hsl(${hue} ${dark.matches ? '58% 58%' : '62% 52%'})`;

let shownRoster = '';
function roster() {
  const list = [...birds].sort(([, a], [, b]) => b.score - a.score);
  const now = JSON.stringify(list.map(([id, one]) => [id, one.username, one.score, one.health, one.isAlive, dark.matches]));
  if (now === shownRoster) return;
  shownRoster = now;
  $('players').replaceChildren(...list.map(([id, one]) => {
    const dot = make('span', 'dot'), level = make('i', one.health <= 25 ? 'low' : ''), bar = make('div', 'bar', level);
    dot.style.background = fill(one.hue);
    level.style.width = `${one.health}%`;
    bar.setAttribute('role', 'img');
    bar.setAttribute('aria-label', one.isAlive ? `health ${one.health}` : 'down');
    return make('li', one.isAlive ? '' : 'gone', dot, make('span', 'of', one.username, ...(id === me ? [make('small', '', ' (you)')] : [])),
      make('span', 'points', String(one.score)), bar);
  }));
  $('count').textContent = birds.size;
}

const buttons = Object.entries(kUps).map(([type, { label, path }], i) => {
  const icon = document.createElementNS('http://www.w3.org/2000/svg', 'svg'), shape = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  icon.setAttribute('viewBox', '0 0 24 24');
  icon.setAttribute('aria-hidden', 'true');
  shape.setAttribute('d', path);
  icon.append(shape);
  const count = make('b'), key = make('kbd', '', String(i + 1)), button = make('button', type, icon, count, key);
  key.setAttribute('aria-hidden', 'true');
  button.title = label;
  button.onclick = () => { use(type); if (!touch.matches) $('map').focus(); };
  return { type, label, button, count };
});
function hand() {
  for (const { type, label, button, count } of buttons) {
    const have = (mine()?.powerUps ?? []).filter((one) => one === type).length;
    count.textContent = have;
    count.hidden = !have;
    button.disabled = !have || !playing();
    button.setAttribute('aria-label', `${label}: ${have}`);
    button.classList.toggle('used', (mine()?.until[type] ?? 0) > performance.now());
  }
}

// What is seen in which state.
function enter(now) {
  state = now;
  const inside = now !== 'out';
  $('door').hidden = inside;
  $('wait').hidden = now !== 'waiting' || birds.size > 1;
  $('end').hidden = now !== 'finished';
  $('hand').hidden = $('share').hidden = $('more').hidden = !inside;
  $('clock').hidden = now !== 'playing';
  if (now !== 'finished' || birds.size > 1) $('again').textContent = 'Play again';
  tell({ waiting: 'Waiting for a second bird', playing: 'Last bird flying wins', finished: 'It is over', out: 'Choose a name and a room' }[now]);
  if (now === 'playing') { banner(''); if (document.activeElement !== $('text')) $('map').focus(); }
  if (now === 'finished') { banner(''); $('winner').focus(); }
  roster();
  hand();
}
)js";

}  // namespace gallery
