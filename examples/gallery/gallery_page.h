// gallery_page.h: the page to try the applications with: choose a socket, open it, send, see what comes and when. In this order:
//     kPage     the document: a head, a place for the applications
//     kStyle    colours for light and dark; applications; sockets; what changes on a narrow screen
//     kScript   the applications of /gallery.json; a socket and all that is shown of it
//
// Style and script are files of their own, so that the policy of gallery.cc can forbid every other. Nothing comes from elsewhere,
// and whatever a server says reaches the document as text, never as markup.
#pragma once

#include <string_view>

namespace gallery {

inline constexpr std::string_view kPage = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="theme-color" content="#f5f2ec" media="(prefers-color-scheme: light)">
<meta name="theme-color" content="#14171b" media="(prefers-color-scheme: dark)">
<title>martlet gallery</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/gallery.css">
<script src="/gallery.js" defer></script>
<header>
  <h1>martlet gallery</h1>
  <p>Small applications, each a file of examples/gallery. Open a socket, or several; say something; see what comes back.</p>
  <input id="find" type="search" placeholder="Find an application" aria-label="Find an application" autocomplete="off" hidden>
</header>
<main id="applications" aria-label="Applications"></main>
<p id="trouble" role="alert" hidden></p>
<noscript>This page needs JavaScript.</noscript>
</html>
)html";

inline constexpr std::string_view kStyle = R"css(
:root {
  color-scheme: light dark;
  --paper: #f5f2ec; --card: #fffdfa; --ink: #24272c; --soft: #64666c; --line: #e3ddd1; --field: #f5f2ec;
  --accent: #2c5f8d; --on-accent: #fff; --sent: #d9e8f5; --good: #2f7d4f; --wait: #8a5f08;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --card: #1f242a; --ink: #e6e8eb; --soft: #9ba4ae; --line: #2d333b; --field: #171b20;
    --accent: #8fbfea; --on-accent: #0e2233; --sent: #24384b; --good: #6cc48e; --wait: #e0b45c;
  }
}
* { box-sizing: border-box; margin: 0; }
[hidden] { display: none !important; }
html { -webkit-text-size-adjust: 100%; }
body { background: var(--paper); color: var(--ink); padding: 1.2rem max(.8rem, env(safe-area-inset-left)) 3rem;
  font: 16px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
body > * { max-width: 72rem; margin-inline: auto; }
h1 { font-size: 1.6rem; letter-spacing: -.015em; }
header p, .application p { color: var(--soft); }
button, input, textarea, select { font: inherit; color: inherit; min-height: 40px; border-radius: 10px; min-width: 0; }
input, textarea, select { border: 1px solid var(--line); background: var(--field); padding: .4rem .6rem; }
button { border: 0; cursor: pointer; padding: .4rem .9rem; background: var(--accent); color: var(--on-accent); font-weight: 600; white-space: nowrap; }
button:hover { filter: brightness(1.07); }
button:disabled { opacity: .45; cursor: default; filter: none; }
button.plain, button.close { background: none; color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
a { color: var(--accent); }
code, .path, .log, textarea { font-family: ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; font-size: .92rem; }
#find { width: min(26rem, 100%); margin-top: .8rem; background: var(--card); }
#trouble { padding: 1rem 0; }

.application { margin-top: 1rem; padding: .9rem 1rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: 16px; }
.application h2 { font-size: 1.08rem; overflow-wrap: anywhere; }
.tries { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); gap: .5rem 1rem; margin-top: .6rem; }
.tries form { display: flex; gap: .4rem; }
.tries .path { flex: 1; }

.sockets { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(24rem, 100%), 1fr)); gap: .8rem; }
.socket { margin-top: .8rem; border: 1px solid var(--line); border-radius: 12px; padding: .6rem; background: var(--paper); min-width: 0;
  display: flex; flex-direction: column; gap: .5rem; }
.socket .top { display: flex; gap: .6rem; align-items: baseline; overflow-wrap: anywhere; }
.socket .top code { min-width: 0; flex: 1; }
.state { font-size: .85rem; font-weight: 600; color: var(--soft); white-space: nowrap; }
.state::before { content: ""; display: inline-block; width: .55rem; height: .55rem; border-radius: 50%; margin-right: .4rem; background: currentColor; }
.state.open { color: var(--good); }
.state.connecting, .state.closing { color: var(--wait); }
.log { height: 15rem; overflow-y: auto; overscroll-behavior: contain; list-style: none; padding: .3rem 0; background: var(--card); border-radius: 8px; }
.log li { display: flex; gap: .5rem; padding: .12rem .5rem; }
.log li.out { background: var(--sent); }
.log li.note { color: var(--soft); font-family: system-ui, sans-serif; font-size: .85rem; }
.log time { color: var(--soft); font: .78rem/1.75 ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; flex: none; }
.log .way { flex: none; width: 1em; text-align: center; }
.log .what { min-width: 0; white-space: pre-wrap; overflow-wrap: anywhere; unicode-bidi: isolate; }
.log .what:empty::before { content: "(empty)"; color: var(--soft); }
.socket form { display: flex; gap: .4rem; align-items: flex-end; }
.socket textarea { flex: 1; resize: vertical; min-height: 40px; }
.socket .code { width: 5.2rem; }
.socket .reason { flex: 1; }
@media (max-width: 30rem) {
  .log { height: 12rem; }
  .log li { flex-wrap: wrap; column-gap: .5rem; row-gap: 0; }
  .log .what { flex: 1 1 100%; }
  .log .note .what { flex: 1; }
}
)css";

inline constexpr std::string_view kScript = R"js(
'use strict';
const kLines = 300, kChars = 10000, kBytes = 256;   // what is shown of a socket, of a message, of one of bytes
const $ = (id) => document.getElementById(id);
// Text only: nothing in this script ever turns a string into markup.
const make = (tag, className, ...children) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
};
const named = (node, label) => (node.setAttribute('aria-label', label), node);
const submitted = (form, what) => {
  form.noValidate = true;
  form.onsubmit = (event) => { event.preventDefault(); what(); };
  return form;
};
const plain = (text, press) => {
  const node = make('button', 'plain', text);
  node.type = 'button';
  node.onclick = press;
  return node;
};

// Bytes, as people write them: 01 02 ff.
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
function bytesOf(text) {
  const digits = text.replace(/\s/g, '');
  if (digits.length % 2 || /[^0-9a-f]/i.test(digits)) throw new Error('Bytes are pairs of hexadecimal digits: 01 02 ff');
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
function shown(data) {
  if (typeof data === 'string') return data.length <= kChars ? data : `${data.slice(0, kChars)}… (${data.length} characters)`;
  const bytes = new Uint8Array(data);
  return `${bytes.length} bytes: ${hex(bytes.subarray(0, kBytes))}${bytes.length > kBytes ? ' …' : ''}`;
}

// A socket ------------------------------------------------------------------------------------------------------------

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 });
const kWays = { in: ['←', 'received'], out: ['→', 'sent'], note: ['·', 'note'] };

// A list of what came and went, the latest in sight unless somebody has scrolled away from it. Answers how to add a line.
function makeLog(label) {
  const list = named(make('ol', 'log'), label);
  list.setAttribute('role', 'log');
  list.tabIndex = 0;
  const add = (way, text) => {
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    const [arrow, name] = kWays[way];
    const mark = named(make('span', 'way', arrow), name);
    mark.setAttribute('role', 'img');
    list.append(make('li', way, make('time', '', clock.format(new Date())), mark, make('span', 'what', text)));
    while (list.childElementCount > kLines) list.firstChild.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
  };
  return [list, add];
}

function makeSocket(path, say, removed) {
  const [log, add] = makeLog(`Messages of ${path}`);
  const state = make('span', 'state');
  state.setAttribute('role', 'status');
  const text = named(make('textarea', 'text', say), 'Message');
  text.rows = 1;
  const kind = named(make('select', 'kind', make('option', '', 'text'), make('option', '', 'bytes')), 'Send as');
  const code = named(make('input', 'code'), 'Close code');
  code.inputMode = 'numeric';
  code.value = 1000;
  const reason = named(make('input', 'reason'), 'Close reason');
  reason.placeholder = 'reason';
  const send = make('button', 'send', 'Send');
  let ws;

  // What a browser refuses to do is said among the messages.
  const tried = (what) => { try { what(); } catch (error) { add('note', error.message); } };
  const speak = submitted(make('form', 'speak', text, kind, send), () => tried(() => {
    const data = kind.value === 'bytes' ? bytesOf(text.value) : text.value;
    if (ws?.readyState !== WebSocket.OPEN) return;
    ws.send(data);
    add('out', shown(data));
    text.select();
  }));
  text.onkeydown = (event) => {
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) { event.preventDefault(); speak.requestSubmit(); }
  };
  const finish = submitted(make('form', 'finish', code, reason, make('button', 'close', 'Close')), () => tried(() => {
    if (ws.readyState > WebSocket.OPEN) return;
    ws.close(Number(code.value), reason.value);
    add('note', `closing: ${code.value} ${reason.value}`.trim());
    show('closing');
  }));
  const again = make('button', 'again', 'Open again');
  const over = submitted(make('form', 'over', again, plain('Remove', () => { node.remove(); removed(); })), connect);
  const node = named(make('article', 'socket', make('div', 'top', state, make('code', '', path)), log, speak, finish, over), path);

  function show(now) {
    state.textContent = now;
    state.className = `state ${now}`;
    send.disabled = now !== 'open';
    speak.hidden = finish.hidden = now === 'closed';
    over.hidden = now !== 'closed';
    // Whose control has gone goes on with the next.
    const gone = document.activeElement?.closest('[hidden]');
    if (gone && node.contains(gone)) (now === 'closed' ? again : text).focus();
  }
  function connect() {
    show('connecting');
    let opened = false;
    try {
      ws = new WebSocket(location.origin.replace(/^http/, 'ws') + path);
    } catch (error) {
      add('note', error.message);
      return show('closed');
    }
    ws.binaryType = 'arraybuffer';
    ws.onopen = () => { opened = true; add('note', 'open'); show('open'); };
    ws.onmessage = (event) => add('in', shown(event.data));
    ws.onclose = (event) => {
      add('note', opened ? `closed: ${event.code} ${event.reason}`.trim() : 'not opened: the server refused, or is not there');
      show('closed');
    };
  }
  return { node, text, connect };
}

// The applications ----------------------------------------------------------------------------------------------------

function makeTry(application, { path, say }, sockets) {
  const where = named(make('input', 'path'), `A socket of ${application.name}`);
  where.value = path;
  where.spellcheck = false;
  where.autocapitalize = 'none';
  const open = make('button', 'open', 'Open');
  return submitted(make('form', '', where, open), () => {
    const socket = makeSocket('/' + where.value.trim().replace(/^\/+/, ''), say, () => open.focus());
    sockets.append(socket.node);
    socket.connect();
    socket.text.focus();
    socket.node.scrollIntoView({ block: 'nearest' });
  });
}

function makeApplication(application) {
  const sockets = make('div', 'sockets');
  const title = make('p', '', application.title);
  if (application.page) {
    const link = make('a', 'page', 'its page');
    link.href = application.page;
    title.append(' · ', link);
  }
  const tries = make('div', 'tries', ...application.tries.map((one) => makeTry(application, one, sockets)));
  const node = named(make('section', 'application', make('h2', '', application.name), title, tries, sockets), application.name);
  node.id = application.name;
  return node;
}

// One with sockets stays in sight, whatever is looked for.
function find() {
  const words = $('find').value.toLowerCase().split(/\s+/);
  for (const node of $('applications').children) {
    const text = node.querySelector('h2').textContent + ' ' + node.querySelector('p').textContent;
    node.hidden = !node.querySelector('.socket') && !words.every((word) => text.toLowerCase().includes(word));
  }
}

async function begin() {
  const answer = await fetch('/gallery.json');
  const applications = await answer.json();
  $('applications').append(...applications.map(makeApplication));
  $('find').hidden = applications.length < 2;
  $('find').oninput = find;
}
begin().catch((error) => {
  $('trouble').textContent = `The list of applications did not come: ${error.message}`;
  $('trouble').hidden = false;
});
)js";

}  // namespace gallery
