// game_flight.h: the second half of the script of game.cc's page. In this order:
//     flying, pecking and using; drawing; the doors, and the beginning of all
//
// Positions of others glide to where they were said to be. One's own bird is where it is flown; the server is told 30 times a
// second, while it moves.
#pragma once

#include <string_view>

namespace gallery {

inline constexpr std::string_view kGameFlight = R"js(
'use strict';
// Flying, pecking, using ----------------------------------------------------------------------------------------------

const keys = new Set(), stick = { x: 0, y: 0 };
const kWays = { ArrowLeft: [-1, 0], KeyA: [-1, 0], ArrowRight: [1, 0], KeyD: [1, 0], ArrowUp: [0, -1], KeyW: [0, -1], ArrowDown: [0, 1], KeyS: [0, 1] };
let pecking = false, nextPeck = 0, lastMove = 0, told = '';

function use(type) {
  if (!playing() || !mine().powerUps.includes(type)) return;
  act('use-powerup', { powerUp: type });
  mine().until[type] = performance.now() + kEffect;
}
function peck(now) {
  if (now < nextPeck) return;
  nextPeck = now + kCooldown;
  act('attack');
  marks.push({ kind: 'ring', id: me, hue: mine().hue, from: now, lasts: 220 });
}
function fly(now, seconds) {
  const bird = mine();
  let [x, y] = [stick.x, stick.y];
  for (const key of keys) if (kWays[key]) { x += kWays[key][0]; y += kWays[key][1]; }
  const length = Math.hypot(x, y);
  if (length > 0) {
    const far = kSpeed * ((bird.until.speed ?? 0) > now ? kFast : 1) * seconds * Math.min(1, length) / length;
    bird.x = Math.min(world.width, Math.max(0, bird.x + x * far));
    bird.y = Math.min(world.height, Math.max(0, bird.y + y * far));
    bird.turn = Math.atan2(y, x);
  }
  const at = `${bird.x.toFixed(1)} ${bird.y.toFixed(1)}`;
  if (at !== told && now - lastMove >= 33 && !adopt) {
    told = at;
    lastMove = now;
    act('move', { x: Number(bird.x.toFixed(1)), y: Number(bird.y.toFixed(1)) });
  }
  if (pecking) peck(now);
}

const writes = (target) => target.matches?.('input');
addEventListener('keydown', (event) => {
  if (event.key === 'Escape') { closeSide(); if (writes(event.target) && state !== 'out') $('map').focus(); return; }
  if (state === 'out' || event.ctrlKey || event.metaKey || event.altKey || writes(event.target)) return;
  if (event.code === 'Enter' && playing() && event.target === $('map')) { event.preventDefault(); openSide(); return $('text').focus(); }
  if (kWays[event.code]) { keys.add(event.code); if (playing()) event.preventDefault(); }
  if (event.code === 'Space' && !(event.target.matches?.('button') && !playing())) { pecking = true; event.preventDefault(); }
  const type = Object.keys(kUps)[Number(event.key) - 1];
  if (type && !event.repeat) use(type);
});
addEventListener('keyup', (event) => { keys.delete(event.code); if (event.code === 'Space') pecking = false; });
addEventListener('blur', () => { keys.clear(); pecking = false; });

function steer(event) {
  const box = $('stick').getBoundingClientRect(), half = box.width / 2;
  const x = (event.clientX - box.left - half) / half, y = (event.clientY - box.top - half) / half, length = Math.max(1, Math.hypot(x, y));
  Object.assign(stick, { x: x / length, y: y / length });
  $('stick').firstChild.style.transform = `translate(${stick.x * half * 0.6}px, ${stick.y * half * 0.6}px)`;
}
function letGo() {
  Object.assign(stick, { x: 0, y: 0 });
  $('stick').firstChild.style.transform = '';
}
$('stick').onpointerdown = (event) => { $('stick').setPointerCapture(event.pointerId); steer(event); };
$('stick').onpointermove = (event) => { if ($('stick').hasPointerCapture(event.pointerId)) steer(event); };
$('stick').onpointerup = $('stick').onpointercancel = letGo;
$('peck').onpointerdown = (event) => {
  event.preventDefault();
  $('peck').setPointerCapture(event.pointerId);
  if (playing()) peck(performance.now());
  pecking = true;
};
$('peck').onpointerup = $('peck').onpointercancel = $('peck').onlostpointercapture = () => { pecking = false; };
for (const id of ['stick', 'peck']) $(id).oncontextmenu = (event) => event.preventDefault();

// Drawing -------------------------------------------------------------------------------------------------------------

const canvas = $('map'), pen = canvas.getContext('2d');
const dark = matchMedia('(prefers-color-scheme: dark)'), still = matchMedia('(prefers-reduced-motion: reduce)'), touch = matchMedia('(pointer: coarse)');
let colours = {}, view = { scale: 1, x: 0, y: 0 }, size = { width: 0, height: 0 };
const shapes = Object.fromEntries(Object.entries(kUps).map(([type, { path }]) => [type, new Path2D(path)]));
function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const one of ['sky', 'grid', 'edge', 'cloud', 'ink', 'card', 'accent', 'bad', 'good']) colours[one] = style.getPropertyValue('--' + one);
}
dark.onchange = () => { readColours(); roster(); };
function measure() {
  const dots = Math.min(2, devicePixelRatio || 1);
  size = { width: canvas.clientWidth, height: canvas.clientHeight, dots };
  canvas.width = Math.round(size.width * dots);
  canvas.height = Math.round(size.height * dots);
}
new ResizeObserver(measure).observe(canvas);

// All of the map where it fits at a size to play at, else what is around one's bird.
function look() {
  const margin = 14, fits = Math.min((size.width - 2 * margin) / world.width, (size.height - 2 * margin) / world.height);
  const most = Math.max((size.width - 2 * margin) / world.width, (size.height - 2 * margin) / world.height);
  const scale = fits >= 0.58 ? fits : Math.max(0.58, Math.min(0.85, most)), bird = mine() ?? { x: world.width / 2, y: world.height / 2 };
  const along = (at, whole, seen) => (whole * scale <= seen - 2 * margin ? (seen - whole * scale) / 2
    : Math.min(margin, Math.max(seen - whole * scale - margin, seen / 2 - at * scale)));
  view = { scale, x: along(bird.x, world.width, size.width), y: along(bird.y, world.height, size.height) };
}
const kClouds = [[170, 150, 1.2], [640, 110, 0.9], [860, 330, 1.3], [330, 420, 1], [120, 650, 0.9], [600, 640, 1.3]];
const kPuffs = [[-58, 8, 26], [-22, -8, 36], [22, -2, 32], [56, 10, 24]];
function drawMap() {
  pen.fillStyle = colours.sky;
  pen.fillRect(0, 0, world.width, world.height);
  pen.beginPath();
  for (let x = 100; x < world.width; x += 100) { pen.moveTo(x, 0); pen.lineTo(x, world.height); }
  for (let y = 100; y < world.height; y += 100) { pen.moveTo(0, y); pen.lineTo(world.width, y); }
  pen.strokeStyle = colours.grid;
  pen.lineWidth = 1;
  pen.stroke();
  pen.fillStyle = colours.cloud;
  for (const [x, y, far] of kClouds) {
    pen.beginPath();
    for (const [dx, dy, r] of kPuffs) { pen.moveTo(x + dx * far + r * far, y + dy * far); pen.arc(x + dx * far, y + dy * far, r * far, 0, 7); }
    pen.fill();
  }
  pen.strokeStyle = colours.edge;
  pen.lineWidth = 3;
  pen.strokeRect(0, 0, world.width, world.height);
}
function drawItem(item, now) {
  const { hue } = kUps[item.type], bob = still.matches ? 0 : Math.sin(now / 300 + item.x) * 2;
  pen.save();
  pen.translate(item.x, item.y + bob);
  pen.beginPath();
  pen.arc(0, 0, 17, 0, 7);
  pen.fillStyle = colours.card;
  pen.fill();
  pen.strokeStyle = pen.fillStyle = ink(hue);
  pen.lineWidth = 2.5;
  pen.stroke();
  pen.translate(-10.2, -10.2);
  pen.scale(0.85, 0.85);
  pen.fill(shapes[item.type]);
  pen.restore();
}
function drawBird(bird, now, own) {
  pen.save();
  pen.translate(bird.x, bird.y);
  const ring = (radius, colour, width) => { pen.beginPath(); pen.arc(0, 0, radius, 0, 7); pen.strokeStyle = colour; pen.lineWidth = width; pen.stroke(); };
  if (bird.until.shield > now) ring(kBody + 10, ink(kUps.shield.hue), 4);
  if (bird.until.damage > now) ring(kBody + 5, colours.bad, 3);
  if (bird.until.speed > now) ring(kBody + 7, ink(kUps.speed.hue), 2);
  if (own) { pen.setLineDash([5, 6]); ring(kReach, colours.edge, 1.5); pen.setLineDash([]); }
  pen.rotate(bird.turn);
  const flap = still.matches ? 0.6 : Math.sin(now / 90 + bird.wing) * 0.5 + 0.6, colour = bird.hurt > now ? '#fff' : fill(bird.hue);
  pen.fillStyle = colour;
  pen.strokeStyle = own ? colours.ink : colours.card;
  pen.lineWidth = own ? 2.5 : 1.5;
  const part = (draw) => { pen.beginPath(); draw(); pen.closePath(); pen.fill(); pen.stroke(); };
  for (const side of [-1, 1]) part(() => { pen.moveTo(7, side * 7); pen.quadraticCurveTo(-3, side * (18 + 14 * flap), -17, side * (12 + 12 * flap)); pen.quadraticCurveTo(-9, side * 8, -8, side * 5); });
  part(() => { pen.moveTo(-10, -5); pen.lineTo(-26, -9); pen.lineTo(-21, 0); pen.lineTo(-26, 9); pen.lineTo(-10, 5); });
  part(() => { pen.moveTo(16, 0); pen.bezierCurveTo(13, -12, -8, -12, -16, 0); pen.bezierCurveTo(-8, 12, 13, 12, 16, 0); });
  pen.fillStyle = ink(40);
  pen.beginPath(); pen.moveTo(15, -4); pen.lineTo(26, 0); pen.lineTo(15, 4); pen.closePath(); pen.fill();
  pen.fillStyle = colours.card;
  for (const side of [-1, 1]) { pen.beginPath(); pen.arc(9, side * 4, 2.2, 0, 7); pen.fill(); }
  pen.restore();
}
// In pixels, whatever the scale: text that can be read.
function drawLabel(bird, own) {
  const x = view.x + bird.x * view.scale, y = Math.max(24, view.y + bird.y * view.scale - 30 * view.scale);
  const clamped = Math.min(size.width - 40, Math.max(40, x)), text = own ? 'you' : bird.username;
  pen.font = '600 12px system-ui, sans-serif';
  pen.textAlign = 'center';
  pen.lineWidth = 3.5;
  pen.lineJoin = 'round';
  pen.strokeStyle = colours.sky;
  pen.fillStyle = colours.ink;
  pen.strokeText(text, clamped, y - 10, 120);
  pen.fillText(text, clamped, y - 10, 120);
  pen.fillStyle = colours.card;
  pen.fillRect(clamped - 20, y - 6, 40, 5);
  pen.fillStyle = bird.health > 25 ? colours.good : colours.bad;
  pen.fillRect(clamped - 20, y - 6, 0.4 * bird.health, 5);
}
function drawTalk(bird) {
  if (!(bird.saidUntil > performance.now())) return;
  const x = view.x + bird.x * view.scale, y = Math.max(56, view.y + bird.y * view.scale - 30 * view.scale);
  pen.font = '500 13px system-ui, sans-serif';
  pen.textAlign = 'center';
  const said = bird.said.length > 40 ? bird.said.slice(0, 39) + '…' : bird.said, width = Math.min(size.width - 16, pen.measureText(said).width + 18);
  const left = Math.min(size.width - width - 8, Math.max(8, x - width / 2));
  pen.fillStyle = colours.card;
  pen.beginPath();
  pen.roundRect(left, y - 52, width, 24, 12);
  pen.fill();
  pen.fillStyle = colours.ink;
  pen.fillText(said, left + width / 2, y - 36, width - 12);
}
// Where others are who are out of sight.
function drawPointer(bird) {
  const x = view.x + bird.x * view.scale, y = view.y + bird.y * view.scale, edge = 16;
  if (x >= 0 && x <= size.width && y >= 0 && y <= size.height) return;
  const [cx, cy] = [Math.min(size.width - edge, Math.max(edge, x)), Math.min(size.height - edge, Math.max(edge, y))];
  pen.save();
  pen.translate(cx, cy);
  pen.rotate(Math.atan2(y - cy, x - cx));
  pen.beginPath(); pen.moveTo(12, 0); pen.lineTo(-7, -9); pen.lineTo(-7, 9); pen.closePath();
  pen.fillStyle = fill(bird.hue);
  pen.strokeStyle = colours.card;
  pen.lineWidth = 2;
  pen.fill(); pen.stroke();
  pen.restore();
}
function drawMark(mark, now) {
  const part = (now - mark.from) / mark.lasts;
  pen.globalAlpha = 1 - part;
  if (mark.kind === 'ring') {
    const bird = birds.get(mark.id);
    pen.strokeStyle = ink(mark.hue);
    pen.lineWidth = 4;
    if (bird) { pen.beginPath(); pen.arc(bird.x, bird.y, kBody + (kReach - kBody) * part, 0, 7); pen.stroke(); }
  } else if (mark.kind === 'text') {
    pen.font = `700 ${16 / Math.min(1, view.scale)}px system-ui, sans-serif`;
    pen.textAlign = 'center';
    pen.fillStyle = colours.bad;
    pen.fillText(mark.text, mark.x, mark.y - 24 * part);
  } else {
    pen.fillStyle = fill(mark.hue);
    for (let i = 0; i < 9; i++) {
      const far = 10 + 44 * part;
      pen.beginPath();
      pen.ellipse(mark.x + Math.cos(i * 0.7) * far, mark.y + Math.sin(i * 0.7) * far + 20 * part, 6, 2.5, i, 0, 7);
      pen.fill();
    }
  }
  pen.globalAlpha = 1;
}

let before = 0;
function frame(now) {
  const seconds = Math.min(0.1, (now - before) / 1000);
  before = now;
  if (playing()) fly(now, seconds);
  for (const [id, bird] of birds) {
    if (id === me && playing()) continue;
    const [dx, dy] = [bird.toX - bird.x, bird.toY - bird.y], near = 1 - Math.exp(-seconds * 18);
    if (Math.hypot(dx, dy) > 3) bird.turn = Math.atan2(dy, dx);
    bird.x += dx * near;
    bird.y += dy * near;
  }
  while (marks.length && marks[0].from + marks[0].lasts < now) marks.shift();
  look();
  const { dots } = size;
  pen.setTransform(1, 0, 0, 1, 0, 0);
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.setTransform(dots * view.scale, 0, 0, dots * view.scale, dots * view.x, dots * view.y);
  drawMap();
  for (const item of items.values()) drawItem(item, now);
  const flying = [...birds].filter(([, bird]) => bird.isAlive).sort(([a], [b]) => (a === me) - (b === me));
  for (const [id, bird] of flying) drawBird(bird, now, id === me);
  for (const mark of marks) if (mark.from + mark.lasts > now) drawMark(mark, now);
  pen.setTransform(dots, 0, 0, dots, 0, 0);
  for (const [id, bird] of flying) { drawLabel(bird, id === me); drawPointer(bird); }
  for (const [, bird] of flying) drawTalk(bird);
  if (state === 'playing') {
    const left = Math.max(0, Math.ceil((endsAt - Date.now()) / 1000)), text = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
    if ($('clock').value !== text) $('clock').value = text;
    $('clock').classList.toggle('late', left <= 30);
  }
  requestAnimationFrame(frame);
}

// The doors -----------------------------------------------------------------------------------------------------------

const openSide = () => { $('side').classList.add('open'); $('more').setAttribute('aria-expanded', 'true'); };
const closeSide = () => { $('side').classList.remove('open'); $('more').setAttribute('aria-expanded', 'false'); };
async function copyLink(button) {
  const link = location.href.split('#')[0], label = button.querySelector('span');
  const answer = (text) => { label.textContent = text; if (!label.checkVisibility()) news(text); };
  try {
    if (touch.matches && navigator.share) return await navigator.share({ url: link });
    await navigator.clipboard.writeText(link);
    answer('Copied');
  } catch (error) {
    if (error.name === 'AbortError') return;
    answer('It is the address above');
  }
  setTimeout(() => { label.textContent = 'Copy link'; }, 2000);
}
$('share').onclick = () => copyLink($('share'));
$('invite').onclick = () => copyLink($('invite'));
$('more').onclick = (event) => { event.stopPropagation(); $('side').classList.contains('open') ? closeSide() : openSide(); };
$('stage').addEventListener('pointerdown', closeSide);
$('again').onclick = () => { $('refusal').hidden = true; join(); };
$('leave').onclick = () => {
  ws.onclose = ws.onmessage = null;   // who has gone hears no more of that room
  ws.close();
  birds.clear();
  enter('out');
  connect();
  $('pick').focus();
};
$('speak').onsubmit = (event) => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (text) { say({ type: 'chat', text }); spoken(mine()?.username ?? name, text, mine()); }
  $('text').value = '';
  if (state === 'playing') { closeSide(); canvas.focus(); }
};
$('enter').onsubmit = (event) => {
  event.preventDefault();
  [name, room] = [$('name').value.trim(), $('pick').value.trim()];
  stored('bird', name);
  history.replaceState(null, '', room ? `?room=${encodeURIComponent(room)}` : location.pathname);
  $('refusal').hidden = true;
  join();
};

$('ups').append(...buttons.map(({ button }) => button));
$('name').value = stored('bird') ?? '';
$('pick').value = new URLSearchParams(location.search).get('room') ?? '';
readColours();
measure();
enter('out');
if (!touch.matches) $('name').focus();
requestAnimationFrame(frame);
connect();
)js";

}  // namespace gallery
