// chat_script.h: the script of chat.cc's page. In this order:
//     the door; the connection; messages; who is here; writing
//
// Whatever people wrote reaches the document by textContent only, links and code included, so that no text can become markup.
#pragma once

#include <string_view>

inline constexpr std::string_view kScript = R"js(
'use strict';
const $ = (id) => document.getElementById(id);
// Text only: nothing in this script ever turns a string into markup.
const make = (tag, className, ...children) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
};
// Storage may be switched off; then things are remembered for as long as the page is open.
const keep = (storage, name, value) => {
  try {
    if (value !== undefined) window[storage].setItem('martlet-chat.' + name, value);
    return window[storage].getItem('martlet-chat.' + name);
  } catch { return null; }
};
const random = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (n) => n.toString(36)).join('');
const hue = (name) => [...name.toLowerCase()].reduce((h, c) => (h * 31 + c.codePointAt(0)) % 360000, 7) * 137.508 % 360;
const tint = (node, name) => (node.style.setProperty('--hue', hue(name).toFixed(0)), node);
const face = (name) => {
  const node = tint(make('span', 'face', [...name][0].toUpperCase()), name);
  node.setAttribute('aria-hidden', 'true');
  return node;
};

// The door: a name, and a room when the address has none ------------------------------------------------------------

const inRoom = location.pathname.startsWith('/r/');
let room = '';
try { room = decodeURIComponent(location.pathname.slice(3)); } catch { /* shown as no room */ }
let wanted = keep('localStorage', 'name') || '';

function recentRooms() {
  try {
    const list = JSON.parse(keep('localStorage', 'rooms') || '[]');
    return Array.isArray(list) ? list.filter((r) => typeof r === 'string' && r).slice(0, 6) : [];
  } catch { return []; }
}

function openDoor() {
  const pick = (words) => words[crypto.getRandomValues(new Uint32Array(1))[0] % words.length];
  const fresh = pick(['quiet', 'amber', 'misty', 'early', 'green', 'silver', 'sunny', 'windy', 'gentle', 'northern']) + '-' +
    pick(['harbour', 'meadow', 'orchard', 'lantern', 'river', 'attic', 'island', 'bridge', 'garden', 'valley']) + '-' +
    pick([...Array(90)].map((_, i) => i + 10));
  $('door').hidden = false;
  $('name').value = wanted;
  $('pick').placeholder = fresh;
  if (inRoom && room) {
    $('title').textContent = '#' + room;
    $('lead').textContent = 'You are about to come in. What is your name?';
    $('choose').hidden = true;
  } else {
    const rooms = recentRooms();
    $('before').hidden = rooms.length === 0;
    for (const name of rooms) {
      const link = make('a', '', '#' + name);
      link.href = '/r/' + encodeURIComponent(name);
      $('recent').append(make('li', '', link));
    }
  }
  document.title = inRoom && room ? '#' + room : 'A place to talk';
  $(wanted ? 'pick' : 'name').focus();
  $('enter').onsubmit = (event) => {
    event.preventDefault();
    wanted = $('name').value.trim();
    if (!wanted) return $('name').focus();
    keep('localStorage', 'name', wanted);
    if (!inRoom || !room) {
      const slug = $('pick').value.trim().toLowerCase().replace(/[\s/?#]+/g, '-').replace(/^[-.]+|-+$/g, '');
      location.href = '/r/' + encodeURIComponent(slug || fresh);
      return;
    }
    $('door').hidden = true;
    enter();
  };
}

// The connection: comes back by itself, and tells what was missed ----------------------------------------------------

let key = keep('sessionStorage', 'key') || keep('sessionStorage', 'key', random()) || random();
let socket = null, online = false, attempt = 0, retryTimer = 0, countdown = 0, overdue = 0;
let you = '', since = '-', epoch = '-';   // who we are; where we stand in the room: what comes behind that is still to come
let people = new Map();      // who -> name
let listed = false;          // whether this connection was told all of them
let expected = new Set();    // names that were here when the connection broke: no fuss when they return
let slow = false;            // whether the server has asked for patience
const outbox = [];           // {nonce, text, node}: sent one by one, each kept until the server sends it back

function connect() {
  clearTimeout(retryTimer);
  clearInterval(countdown);
  if (attempt > 0) { $('why').textContent = 'Connecting again…'; $('now').hidden = true; }
  const ws = socket = new WebSocket(location.origin.replace(/^http/, 'ws') + '/ws/' + encodeURIComponent(room));
  overdue = setTimeout(() => lost(), 10000);
  ws.onopen = () => ws.send(`hello ${key} ${since} ${epoch} ${wanted}`);
  ws.onmessage = (event) => socket === ws && handle(JSON.parse(event.data));
  ws.onclose = (event) => {
    if (socket !== ws) return;
    // A copy of this tab took our place with the same key: become somebody of our own.
    if (event.code === 4001) keep('sessionStorage', 'key', key = random());
    lost(event.code === 1008 || event.code === 1013 ? event.reason : '');
  };
}

// The delay doubles up to 15 s and varies by half, so that a thousand pages do not knock at the same moment.
function lost(reason = '') {
  const ws = socket;
  socket = null;
  if (ws) ws.close();
  online = false;
  clearTimeout(overdue);
  const delay = Math.min(15000, 500 * 2 ** attempt++) * (0.5 + Math.random() / 2);
  const due = Date.now() + delay;
  const show = () => {
    $('why').textContent = `${reason ? 'No luck: ' + reason : 'Connection lost'}. Trying again in ${Math.max(1, Math.ceil((due - Date.now()) / 1000))} s.`;
  };
  clearTimeout(retryTimer);
  clearInterval(countdown);
  retryTimer = setTimeout(connect, delay);
  countdown = setInterval(show, 500);
  show();
  $('now').hidden = false;
  showSlow(false);
  typists.clear();
  showTypists();
  showState();
}
const tryNow = () => { if (!socket && !$('chat').hidden) connect(); };

// What the server tells, by its name. Those of the room come in its order: when one joins, what there is or what was missed, then
// room:joined, then all the rest as it happens; see martlet/history.h.
const events = {
  welcome: (who) => {
    you = who;
    listed = false;
    expected = new Set(people.values());
    $('record').setAttribute('aria-busy', 'true');   // nobody wants fifty messages read aloud
  },
  'presence:state': (all, { page }) => {
    if (page === 0) people = new Map();
    for (const [who, { name }] of Object.entries(all)) people.set(who, name);
    listed = true;
    if (online) showPeople();
  },
  // Not all that was missed is there still, or nothing is known of us; what is comes now.
  'room:gap': ({ reason }) => {
    if (!listed) people = new Map();
    if (reason === 'trimmed' || reason === 'behind') notice('Some messages are missing here');
    if (reason === 'behind' && !online) events['room:joined']();   // it went while we were told: nothing else follows
  },
  'room:joined': () => {
    clearTimeout(overdue);
    online = true;
    attempt = 0;
    for (const name of people.values()) expected.delete(name);
    $('record').removeAttribute('aria-busy');
    showPeople();
    sendNext();
  },
  'presence:join': (who, { name }) => {
    const before = people.get(who);
    people.set(who, name);
    if (!online || before === name) return;
    if (before) notice(`${before} is now ${name}`);
    else if (!expected.delete(name) && who !== you) notice(`${name} joined`);
    showPeople();
  },
  'presence:leave': (who) => {
    if (online && people.has(who)) notice(`${people.get(who)} left`);
    people.delete(who);
    if (!online) return;
    showTypists();
    showPeople();
  },
  say: (line) => receive(line, online),
  typing: (who) => { typists.set(who, Date.now() + 4000); showTypists(); },
  slow: () => { clearTimeout(overdue); overdue = setTimeout(sendNext, 1500); showSlow(true); },
  drop: (nonce) => taken(nonce),
};

function handle(m) {
  if (m.room) spell(m.room.slice('chat/'.length));
  if (m.epoch) epoch = m.epoch;
  if (m.offset !== undefined && m.event !== 'presence:state') since = m.offset;   // the list is as of later than what follows it
  events[m.event]?.(...m.args);
}

// The server's spelling of the room.
function spell(name) {
  if (room === name) return;
  $('room').textContent = '#' + (room = name);
  history.replaceState(null, '', '/r/' + encodeURIComponent(room));
}

function sendNext() {
  if (!online || !outbox.length) return;
  clearTimeout(overdue);
  socket.send(`say ${outbox[0].nonce} ${outbox[0].text}`);
  overdue = setTimeout(() => lost(), 8000);   // no receipt: the connection is dead, whatever the browser thinks
}

// Many at once wait their turn out of sight: one line says so.
function showSlow(now) {
  slow = now;
  $('outbox').hidden = slow;
  $('slow').hidden = !slow;
  $('slow').textContent = slow ? `A moment, too fast · ${outbox.length} to go` : '';
}

// The server has it: it is no longer ours to send.
function taken(nonce) {
  const i = outbox.findIndex((waiting) => waiting.nonce === nonce);
  if (i < 0) return;
  outbox.splice(i, 1)[0].node.remove();
  if (!outbox.length) $('outbox').replaceChildren();
  showSlow(slow && outbox.length > 0);
  clearTimeout(overdue);
  sendNext();
}

// Messages -----------------------------------------------------------------------------------------------------------

let group = null;            // the last one: {who, name, at, node}
let last = 0;                // when it was said; each line has a time of its own
let day = '', unread = 0, stuck = true;
const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const date = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });

function nameOfDay(at) {
  const midnight = (time) => new Date(time).setHours(0, 0, 0, 0);
  const ago = Math.round((midnight(Date.now()) - midnight(at)) / 86400000);
  return ago === 0 ? 'Today' : ago === 1 ? 'Yesterday' : date.format(at);
}

// Text with its links: only http and https, only by property, never by markup.
function linked(text) {
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(/https?:\/\/[^\s<>"]+/gi)) {
    const url = match[0].replace(/[.,;:!?'")\]}*]+$/, '');
    if (!URL.canParse?.(url) && URL.canParse) continue;
    const link = make('a', '', url);
    link.href = url;
    link.target = '_blank';
    link.rel = 'noopener noreferrer nofollow ugc';
    parts.push(text.slice(from, match.index), link);
    from = match.index + url.length;
  }
  return [...parts, text.slice(from)];
}

// Lines that are code by what fences them (```), or by how they look: indented, or with an end that no sentence has.
const looksLikeCode = (text) => (text.match(/^(\t| {2,})\S|[;{}]$/gm) ?? []).length > 1;
function withCode(text) {
  const code = (lines) => {
    const node = make('code', '', lines);
    node.tabIndex = 0;   // what is wider than the page is scrolled, by keyboard, too
    return node;
  };
  if (text.includes('\n') && !text.includes('```') && looksLikeCode(text)) return [code(text)];
  return text.split(/```(?:\w*\n)?([^]*?)\n?```\n?/).flatMap((part, i) => (i % 2 ? [code(part)] : linked(part)));
}

function bubble(text) {
  const shown = text.replace(/\n{3,}/g, '\n\n');
  const big = /^[\p{Extended_Pictographic}\p{Emoji_Modifier}\u200d\ufe0f\s]{1,12}$/u.test(shown);
  const node = make('div', big ? 'bubble big' : 'bubble', ...withCode(shown));
  node.dir = 'auto';
  return node;
}

function receive(line, live) {
  taken(line.nonce);
  if (line.at <= last) return;   // a line we have seen
  last = line.at;
  typists.delete(line.who);
  showTypists();
  const mine = line.who === you;
  beginDay(line.at);
  if (!group || group.who !== line.who || group.name !== line.name || line.at - group.at > 300000) {
    const time = make('time', '', clock.format(line.at));
    time.dateTime = new Date(line.at).toISOString();
    const name = make('b', mine ? 'unseen' : '', line.name);
    const node = tint(make('li', mine ? 'group mine' : 'group', make('div', 'head', name, time)), line.name);
    if (!mine) node.prepend(face(line.name));
    group = { who: line.who, name: line.name, node };
    $('log').append(node);
  }
  group.at = line.at;
  const node = bubble(line.text);
  node.title = full.format(line.at);
  if (live && !mine) node.classList.add('fresh');
  group.node.append(node);
  if (!mine && (document.hidden || !stuck)) unread += 1;
  showUnread();
  settle();
}

function beginDay(at) {
  if (nameOfDay(at) === day) return;
  $('log').append(make('li', 'day', day = nameOfDay(at)));
  group = null;
}

function notice(text) {
  const log = $('log');
  beginDay(Date.now());
  if (log.lastChild?.className === 'notice') log.lastChild.append(' · ' + text);
  else log.append(make('li', 'notice', text));
  group = null;
  settle();
}

function settle() {
  // A day of a page that stays open is bounded, too.
  while ($('log').childElementCount > 600) $('log').firstChild.remove();
  $('empty').hidden = !online || $('log').querySelector('.group') !== null || outbox.length > 0;
  if (stuck) $('scroll').scrollTop = $('scroll').scrollHeight;
}

function showUnread() {
  if (stuck && !document.hidden) unread = 0;
  document.title = (unread ? `(${unread}) ` : '') + '#' + room;
  $('latest').hidden = stuck;
  $('latest').textContent = unread ? `${unread} new message${unread > 1 ? 's' : ''} ↓` : 'To the latest ↓';
}

// Who is here, who is typing, how the connection is ------------------------------------------------------------------

const typists = new Map();   // who -> when to forget it
let typistTimer = 0;

function showTypists() {
  clearTimeout(typistTimer);
  const now = Date.now();
  for (const [who, until] of typists) if (until <= now || !people.has(who)) typists.delete(who);
  const names = [...typists.keys()].map((who) => people.get(who));
  const text = names.length === 0 ? '' : names.length === 1 ? `${names[0]} is typing` :
    names.length === 2 ? `${names[0]} and ${names[1]} are typing` : `${names.length} people are typing`;
  if ($('typing').textContent !== text) {
    $('typing').replaceChildren(...(text ? [make('span', 'dots', make('i'), make('i'), make('i')), make('span', 'words', text)] : []));
  }
  if (names.length) typistTimer = setTimeout(showTypists, Math.min(...typists.values()) - now + 10);
}

function showPeople() {
  $('list').replaceChildren(...[...people].sort(([a], [b]) => (b === you) - (a === you)).map(([who, name]) => {
    const of = make('span', 'of', name);
    const item = make('li', '', face(name), of);
    if (who === you) {
      of.append(make('small', '', 'you'));
      const edit = make('button', 'plain', 'Rename');
      edit.onclick = () => { $('new-name').value = name; $('rename').showModal(); $('new-name').select(); };
      item.append(edit);
    }
    return item;
  }));
  $('count').textContent = people.size;
  $('here').textContent = `Here now · ${people.size}`;
  $('text').placeholder = `Write as ${people.get(you) ?? wanted}`;
  showState();
}

function showState() {
  const others = people.size - 1;
  $('state').className = online ? 'on' : '';
  $('state').textContent = !online ? (you ? 'Offline' : 'Connecting…') :
    others < 1 ? 'Just you' : others === 1 ? 'You and one other' : `You and ${others} others`;
  $('people').classList.toggle('stale', !online);
  $('lost').hidden = online || attempt === 0;
  $('outbox').className = online ? '' : 'kept';
  settle();
}

function openPeople(open) {
  $('people').classList.toggle('open', open);
  $('who').setAttribute('aria-expanded', String(open));
}

// Writing ------------------------------------------------------------------------------------------------------------

let typedAt = 0;

function resize() {
  const text = $('text');
  text.style.height = 'auto';
  text.style.height = text.scrollHeight + 'px';
  $('send').disabled = !text.value.trim();
  const left = 1000 - text.value.length;
  $('left').hidden = left > 100;
  $('left').textContent = left;
  settle();
}

function submit() {
  const text = $('text').value.trim();
  if (!text) return;
  $('text').value = '';
  typedAt = 0;
  stuck = true;
  const first = outbox.length === 0;
  const node = bubble(text);
  if (first) $('outbox').append(make('li', 'group mine', make('div', 'head')));
  $('outbox').firstChild.append(node);
  outbox.push({ nonce: random().slice(0, 16), text, node });
  resize();
  showUnread();
  if (first) sendNext();
}

// By the sheet that a phone has for it, else by the clipboard.
async function copyLink(button) {
  if (matchMedia('(pointer: coarse)').matches && navigator.share) return navigator.share({ url: location.href }).catch(() => {});
  let done = true;
  try {
    await navigator.clipboard.writeText(location.href);
  } catch {   // without https there is no clipboard API: the old way
    const area = make('textarea', 'unseen', location.href);
    document.body.append(area);
    area.select();
    done = document.execCommand('copy');
    area.remove();
    $('text').focus();
  }
  const label = button.querySelector('span');
  label.textContent = done ? 'Copied' : 'Copy link';
  $('state').textContent = done ? 'Link copied' : location.href;
  setTimeout(() => { label.textContent = 'Copy link'; showState(); }, 2500);
}

function enter() {
  $('chat').hidden = false;
  $('room').textContent = '#' + room;
  keep('localStorage', 'rooms', JSON.stringify([room, ...recentRooms().filter((r) => r !== room)].slice(0, 6)));

  $('composer').onsubmit = (event) => { event.preventDefault(); submit(); $('text').focus(); };
  $('text').onkeydown = (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); submit(); }
  };
  $('text').oninput = () => {
    resize();
    if (online && $('text').value.trim() && Date.now() - typedAt > 2000) { typedAt = Date.now(); socket.send('typing'); }
  };
  for (const id of ['share', 'invite']) $(id).onclick = () => copyLink($(id));
  $('now').onclick = tryNow;
  $('latest').onclick = () => { stuck = true; settle(); showUnread(); };
  $('who').onclick = (event) => { event.stopPropagation(); openPeople(!$('people').classList.contains('open')); };
  $('shut').onclick = () => { openPeople(false); $('who').focus(); };
  $('keep').onclick = () => $('rename').close();
  $('rename').querySelector('form').onsubmit = () => {
    const name = $('new-name').value.trim();
    if (!name) return;
    keep('localStorage', 'name', wanted = name);
    if (online) socket.send('name ' + name);
  };
  document.addEventListener('click', (event) => { if (!event.target.closest('#people, dialog')) openPeople(false); });
  document.addEventListener('keydown', (event) => { if (event.key === 'Escape') openPeople(false); });

  const scroll = $('scroll');
  scroll.onscroll = () => {
    stuck = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 60;
    showUnread();
  };
  new ResizeObserver(() => { if (stuck) scroll.scrollTop = scroll.scrollHeight; }).observe(scroll);
  // The on-screen keyboard of iOS covers the page without telling its layout.
  const view = window.visualViewport;
  if (view) view.onresize = () => document.documentElement.style.setProperty('--height', Math.round(view.height) + 'px');

  document.addEventListener('visibilitychange', () => { if (!document.hidden) { showUnread(); tryNow(); } });
  window.addEventListener('online', tryNow);
  showUnread();
  if (matchMedia('(pointer: fine)').matches) $('text').focus();
  connect();
}

if (inRoom && room && wanted) enter();
else openDoor();
)js";
