// chat_page.h: the page of chat.cc, compiled into the program. In this order:
//     kStyle    colours for light and dark, the door, the chat, what changes on a narrow screen
//     kBody     the door (a name, a room), the chat (head, messages, people, composer), the dialog for a new name
//     chat_page() puts them together with kScript (chat_script.h); missing_page() is what stands where nothing is
//
// One document for every room; the script reads the room from the address, and nothing that people wrote becomes markup; the
// Content-Security-Policy of chat.cc is the second lock on that door. It works from 320 px of width, by keyboard and with a screen reader.
#pragma once

#include <string>
#include <string_view>

#include "chat_script.h"

inline constexpr std::string_view kStyle = R"css(
:root {
  color-scheme: light dark;
  --paper: #f5f2ec; --card: #fffdfa; --ink: #24272c; --soft: #65676d; --line: #e3ddd1; --edge: #87817a;
  --accent: #2c5f8d; --on-accent: #fff; --mine: #d9e8f5; --mine-ink: #17324b; --mine-edge: #5f86a8; --warn: #fbeecb; --warn-ink: #5c4400;
  --name: 50% 31%; --face: 45% 88%; --face-ink: 55% 27%; --shade: 0 1px 2px #3a2f1a14;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --card: #1f242a; --ink: #e6e8eb; --soft: #98a1ab; --line: #2d333b; --edge: #737d88;
    --accent: #8fbfea; --on-accent: #0e2233; --mine: #24445f; --mine-ink: #e4f0fa; --mine-edge: #7ba3c6; --warn: #3d3316; --warn-ink: #f4dfa0;
    --name: 62% 76%; --face: 28% 30%; --face-ink: 65% 86%; --shade: none;
  }
}
* { box-sizing: border-box; margin: 0; }
[hidden] { display: none !important; }
html { height: 100%; -webkit-text-size-adjust: 100%; }
body { height: 100vh; height: var(--height, 100dvh); overflow: hidden; background: var(--paper); color: var(--ink);
  font: 16px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
button, input, textarea { font: inherit; color: inherit; }
button { border: 0; background: none; cursor: pointer; border-radius: 10px; -webkit-tap-highlight-color: transparent; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
a { color: inherit; }
svg { display: block; fill: currentColor; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.main { background: var(--accent); color: var(--on-accent); font-weight: 600; padding: .7rem 1.2rem; }
.plain { color: var(--accent); padding: .45rem .7rem; }

#door { height: 100%; overflow-y: auto; display: grid; place-items: center; padding: 1.25rem; }
.card { width: min(26rem, 100%); background: var(--card); color: inherit; border: 1px solid var(--line);
  border-radius: 20px; padding: 2rem 1.75rem; box-shadow: 0 12px 40px #3a2f1a1a; }
.card .bird { width: 52px; color: var(--accent); margin-bottom: .9rem; }
.card h1, .card h2 { font-size: 1.5rem; line-height: 1.2; letter-spacing: -.015em; overflow-wrap: anywhere; }
.card p { color: var(--soft); margin-top: .4rem; }
.card label { display: block; font-weight: 600; font-size: .9rem; margin: 1.15rem 0 .35rem; }
.card input { width: 100%; padding: .7rem .85rem; border: 1px solid var(--edge); border-radius: 12px;
  background: var(--paper); }
.card .main { width: 100%; margin-top: 1.4rem; border-radius: 12px; }
.recent { display: flex; flex-wrap: wrap; gap: .4rem; margin-top: .5rem; padding: 0; list-style: none; }
.recent a { display: block; padding: .25rem .7rem; border-radius: 99px; background: var(--paper); text-decoration: none;
  border: 1px solid var(--edge); font-size: .9rem; max-width: 18rem; overflow: hidden; text-overflow: ellipsis; }
dialog.card { margin: auto; }
dialog::backdrop { background: #0006; }
a.main { display: block; text-align: center; text-decoration: none; line-height: 1.45; }
.row { display: flex; gap: .5rem; justify-content: flex-end; align-items: center; margin-top: 1.2rem; }
.row .main { width: auto; margin: 0; }

#chat { height: 100%; display: grid; grid-template: auto minmax(0, 1fr) auto / minmax(0, 1fr) 15.5rem; }
header { grid-column: 1 / -1; display: flex; align-items: center; gap: .6rem; background: var(--card); min-width: 0;
  padding: .55rem max(.8rem, env(safe-area-inset-left)); border-bottom: 1px solid var(--line); z-index: 3; }
header .bird { width: 34px; color: var(--accent); flex: none; border-radius: 10px; }
header div { min-width: 0; flex: 1; }
header h1 { font-size: 1.08rem; line-height: 1.25; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
#state { font-size: .82rem; color: var(--soft); white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
#state::before { content: ""; display: inline-block; width: .5rem; height: .5rem; border-radius: 50%; margin-right: .4rem;
  background: #c98a12; }
#state.on::before { background: #3f9b63; }
header button { display: flex; align-items: center; gap: .4rem; min-height: 40px; white-space: nowrap; flex: none; }
header button svg { width: 20px; }
#who { display: none; font-variant-numeric: tabular-nums; }

#middle { position: relative; min-height: 0; display: flex; flex-direction: column; }
#lost { background: var(--warn); color: var(--warn-ink); padding: .45rem 1rem; font-size: .92rem; display: flex;
  align-items: center; gap: .6rem; justify-content: center; }
#lost button { text-decoration: underline; font-weight: 600; padding: .3rem; flex: none; }
#scroll { flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; padding: 1rem .9rem .4rem;
  display: flex; flex-direction: column; }
#scroll > * { width: min(46rem, 100%); margin-inline: auto; padding: 0; list-style: none; flex: none; }
#record { margin-top: auto; }
#log { padding: 0; list-style: none; }
#empty { text-align: center; text-wrap: balance; color: var(--soft); margin-block: auto; padding: 1rem; }
#empty .bird { width: 84px; margin: 0 auto 1rem; color: color-mix(in srgb, var(--accent) 45%, var(--paper)); }
#empty b { display: block; color: var(--ink); font-size: 1.15rem; }
#empty .main { display: block; margin: 1rem auto 0; border-radius: 12px; }
.day, .notice { text-align: center; color: var(--soft); font-size: .82rem; margin: 1rem auto .8rem; overflow-wrap: anywhere; }
.day { display: flex; align-items: center; gap: .8rem; font-weight: 600; }
.day::before, .day::after { content: ""; flex: 1; border-top: 1px solid var(--line); }

.group { display: grid; grid-template-columns: 2.3rem minmax(0, 1fr); column-gap: .6rem; margin-top: .9rem;
  justify-items: start; }
.face { width: 2.3rem; height: 2.3rem; border-radius: 50%; display: grid; place-items: center; font-weight: 650;
  background: hsl(var(--hue) var(--face)); color: hsl(var(--hue) var(--face-ink)); user-select: none; flex: none; }
.group .face { grid-row: 1 / span 99; }
.head { font-size: .82rem; color: var(--soft); margin: 0 .2rem .15rem; max-width: 100%; overflow-wrap: anywhere;
  grid-column: 2; }
.head b { color: hsl(var(--hue) var(--name)); font-size: .92rem; margin-right: .35rem; }
.bubble { grid-column: 2; width: fit-content; max-width: min(100%, 36rem); padding: .5rem .8rem; margin-bottom: 3px; background: var(--card);
  border: 1px solid var(--edge); border-radius: 6px 16px 16px 6px; white-space: pre-wrap; overflow-wrap: anywhere;
  unicode-bidi: isolate; overflow: hidden; }
.head + .bubble { border-top-left-radius: 16px; }
.bubble:last-child { border-bottom-left-radius: 16px; }
.bubble a { color: var(--accent); text-underline-offset: 2px; }
.mine { display: flex; flex-direction: column; align-items: flex-end; padding-left: 12%; }
.mine .bubble { background: var(--mine); border-color: var(--mine-edge); color: var(--mine-ink); border-radius: 16px 6px 6px 16px; }
.mine .bubble a { color: inherit; }
.mine .head + .bubble { border-top-right-radius: 16px; }
.mine .bubble:last-child { border-bottom-right-radius: 16px; }
.bubble code { display: block; font: .9em/1.45 ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace; white-space: pre; tab-size: 4;
  overflow-x: auto; overscroll-behavior-x: contain; overflow-wrap: normal; direction: ltr; text-align: left; }
.bubble.big { font-size: 2.6rem; line-height: 1.15; background: none; border-color: transparent; padding: .1rem .2rem; }
#outbox .bubble { opacity: .6; margin-bottom: 3px; }
#outbox .head::after { content: "sending…"; }
#outbox.kept .head::after { content: "waits for the connection"; }
#slow { text-align: right; color: var(--soft); font-size: .82rem; margin-block: .6rem; }
#latest { position: absolute; left: 50%; bottom: .7rem; transform: translateX(-50%); border-radius: 99px;
  background: var(--accent); color: var(--on-accent); font-weight: 600; font-size: .9rem; padding: .5rem 1rem;
  box-shadow: 0 4px 16px #0004; white-space: nowrap; }

#shut { display: none; }
#people.stale ul { opacity: .5; }
#people { background: var(--card); border-left: 1px solid var(--line); overflow-y: auto; padding: 1rem; grid-row: 2 / 4;
  grid-column: 2; }
#people h2 { font-size: .82rem; color: var(--soft); font-weight: 600; margin-bottom: .5rem; }
#people ul { list-style: none; padding: 0; }
#people li { display: flex; align-items: center; gap: .6rem; padding: .3rem 0; }
#people .face { width: 1.9rem; height: 1.9rem; font-size: .85rem; }
#people .of { min-width: 0; flex: 1; overflow-wrap: anywhere; line-height: 1.25; }
#people small { display: block; color: var(--soft); }
#people .plain { padding: .3rem .5rem; font-size: .88rem; min-height: 34px; }

footer { grid-column: 1; padding: 0 .9rem max(.8rem, env(safe-area-inset-bottom)); min-width: 0; }
footer > * { max-width: 46rem; margin-inline: auto; }
#typing { height: 1.6rem; display: flex; align-items: center; gap: .5rem; font-size: .85rem; color: var(--soft); min-width: 0; }
#typing .words { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.dots { display: flex; gap: 3px; flex: none; }
.dots i { width: 6px; height: 6px; border-radius: 50%; background: var(--soft); animation: hop 1.2s infinite ease-in-out; }
.dots i:nth-child(2) { animation-delay: .15s; }
.dots i:nth-child(3) { animation-delay: .3s; }
@keyframes hop { 0%, 60%, 100% { opacity: .35; transform: none; } 30% { opacity: 1; transform: translateY(-3px); } }
#composer { display: flex; align-items: flex-end; gap: .4rem; background: var(--card); border: 1px solid var(--edge);
  border-radius: 22px; padding: .3rem .3rem .3rem 1rem; box-shadow: var(--shade); }
#composer:focus-within { border-color: var(--accent); box-shadow: 0 0 0 1px var(--accent); }
#composer textarea { flex: 1; min-width: 0; border: 0; outline: 0; background: none; resize: none; padding: .5rem 0;
  max-height: 30vh; line-height: 1.4; }
#composer textarea::placeholder { color: var(--soft); white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
#left { align-self: center; font-size: .8rem; color: var(--soft); font-variant-numeric: tabular-nums; }
#send { width: 40px; height: 40px; border-radius: 50%; background: var(--accent); color: var(--on-accent); flex: none;
  display: grid; place-items: center; transition: opacity .15s; }
#send svg { width: 20px; }
#send:disabled { opacity: .35; cursor: default; }

@media (hover: hover) {
  .main:hover { filter: brightness(1.07); }
  .plain:hover { background: color-mix(in srgb, var(--accent) 12%, transparent); }
  .recent a:hover { border-color: var(--accent); }
}
/* What a finger has to hit. */
@media (pointer: coarse) {
  button, .recent a { min-height: 44px; min-width: 44px; }
  .recent a { line-height: 2.1rem; }
  header .bird { width: 44px; padding: 5px; }
  #send { width: 44px; height: 44px; }
  header button, #people .plain { min-height: 44px; }
  #composer textarea { padding: .7rem 0; }
}
@media (max-width: 800px) {
  #chat { grid-template-columns: minmax(0, 1fr); }
  #who { display: flex; }
  #people { position: fixed; inset: 0 0 0 auto; width: min(18rem, 85vw); z-index: 5;
    visibility: hidden; transform: translateX(102%); transition: transform .18s ease, visibility .18s;
    padding-top: max(1rem, env(safe-area-inset-top)); }
  #people.open { visibility: visible; transform: none; box-shadow: 0 0 0 100vmax #0005; }
  #shut { display: block; position: absolute; top: max(.4rem, env(safe-area-inset-top)); right: .5rem; }
  .mine { padding-left: 14%; }
}
@media (max-width: 480px) {
  #share span { display: none; }
  .group { grid-template-columns: 1.9rem minmax(0, 1fr); column-gap: .5rem; }
  .group .face { width: 1.9rem; height: 1.9rem; font-size: .85rem; }
}
@media (prefers-reduced-motion: no-preference) {
  .fresh { animation: rise .18s ease-out; }
  @keyframes rise { from { opacity: 0; transform: translateY(6px); } }
}
@media (prefers-reduced-motion: reduce) { .dots i, #people { animation: none; transition: none; } }
)css";

inline constexpr std::string_view kBody = R"html(
<svg class="unseen" aria-hidden="true"><symbol id="bird" viewBox="0 0 64 64">
  <path d="M4 30c12-2 20-8 25-22 4 7 5 13 4 20 6-4 12-5 17-3l9 3-8 3c-3 8-9 14-18 16-3 5-8 9-16 11l5-7-11 3 9-9c-7-3-12-8-16-15z"/>
</symbol></svg>

<main id="door" hidden>
  <form class="card" id="enter" autocomplete="off">
    <svg class="bird" viewBox="0 0 64 64" aria-hidden="true"><use href="#bird"/></svg>
    <h1 id="title">A place to talk</h1>
    <p id="lead">Pick a name and a room. Whoever has the link can come in; nothing is stored on disk.</p>
    <label for="name">Your name</label>
    <input id="name" name="name" maxlength="24" required autocapitalize="words" enterkeyhint="next">
    <div id="choose">
      <label for="pick">Room</label>
      <input id="pick" name="room" maxlength="40" autocapitalize="none" spellcheck="false" enterkeyhint="go">
      <p>Leave it empty for a new one.</p>
    </div>
    <button class="main">Come in</button>
    <div id="before" hidden>
      <p>Where you have been</p>
      <ul class="recent" id="recent"></ul>
    </div>
  </form>
</main>

<div id="chat" hidden>
  <header>
    <a class="bird" href="/" aria-label="Other rooms" title="Other rooms"><svg aria-hidden="true" viewBox="0 0 64 64"><use href="#bird"/></svg></a>
    <div>
      <h1 id="room"></h1>
      <p id="state" role="status">Connecting…</p>
    </div>
    <button class="plain" id="share" title="Copy the link to this room" aria-label="Copy the link to this room">
      <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M10.6 13.4a1 1 0 0 1 0-1.4l3-3a1 1 0 1 1 1.4 1.4l-3 3a1 1 0 0 1-1.4 0zm-3 6a4 4 0 0 1-3-6.8l2.6-2.6 1.4 1.4L6 14a2 2 0 1 0 2.8 2.8l2.6-2.6 1.4 1.4-2.6 2.6a4 4 0 0 1-2.6 1.2zm9.2-6.8-1.4-1.4L18 8.6A2 2 0 1 0 15.2 5.8l-2.6 2.6-1.4-1.4 2.6-2.6a4 4 0 1 1 5.600 5.600z"/></svg>
      <span>Copy link</span>
    </button>
    <button class="plain" id="who" aria-expanded="false" aria-controls="people" aria-label="Who is here" title="Who is here">
      <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M9 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zm0 2c-4 0-7 2-7 4.5V20h14v-1.5C16 16 13 14 9 14zm7.5-2a3.5 3.5 0 1 0-1.600-6.600 6 6 0 0 1-.4 6 3.5 3.5 0 0 0 2 .6zm.7 2c1.800 1.100 2.800 2.600 2.800 4.5V20h2v-1.5c0-2.200-2-3.900-4.800-4.500z"/></svg>
      <span id="count">1</span>
    </button>
  </header>
  <main id="middle">
    <div id="lost" hidden><span id="why"></span><button id="now">Try now</button></div>
    <div id="scroll" tabindex="-1">
      <div id="empty" hidden><svg class="bird" viewBox="0 0 64 64" aria-hidden="true"><use href="#bird"/></svg>
        <b>Quiet in here</b>Say something, or send somebody the link.
        <button class="main" id="invite"><span>Copy link</span></button></div>
      <div id="record" role="log" aria-live="polite" aria-relevant="additions" aria-label="Messages"><ol id="log"></ol></div>
      <ol id="outbox" aria-label="Not sent yet"></ol>
      <p id="slow" role="status" hidden></p>
    </div>
    <button id="latest" hidden></button>
  </main>
  <aside id="people" aria-label="Who is here">
    <h2 id="here">Here now</h2>
    <ul id="list"></ul>
    <button class="plain" id="shut">Close</button>
  </aside>
  <footer>
    <div id="typing"></div>
    <form id="composer">
      <label class="unseen" for="text">Your message</label>
      <textarea id="text" rows="1" maxlength="1000" enterkeyhint="send"></textarea>
      <span id="left" hidden></span>
      <button id="send" aria-label="Send" title="Send (Enter)" disabled>
        <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M3.4 20.4 21 12 3.4 3.6l-.1 6.500L15 12 3.300 13.900z"/></svg>
      </button>
    </form>
  </footer>
</div>

<dialog class="card" id="rename" aria-labelledby="rename-title">
  <form method="dialog" autocomplete="off">
    <h2 id="rename-title">What shall we call you?</h2>
    <label for="new-name">Your name</label>
    <input id="new-name" maxlength="24" required autocapitalize="words">
    <div class="row"><button class="plain" type="button" id="keep">Cancel</button><button class="main">Change it</button></div>
  </form>
</dialog>
<noscript>This chat needs JavaScript.</noscript>
)html";

inline constexpr std::string_view kHead = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content">
<meta name="theme-color" content="#fffdfa" media="(prefers-color-scheme: light)">
<meta name="theme-color" content="#1f242a" media="(prefers-color-scheme: dark)">
<title>)html";
inline constexpr std::string_view kHeadEnd = R"html(</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 64 64'%3E%3Cpath fill='%234583b8' d='M4 30c12-2 20-8 25-22 4 7 5 13 4 20 6-4 12-5 17-3l9 3-8 3c-3 8-9 14-18 16-3 5-8 9-16 11l5-7-11 3 9-9c-7-3-12-8-16-15z'/%3E%3C/svg%3E">
<style)html";

inline constexpr std::string_view kMissing = R"html(
<svg class="unseen" aria-hidden="true"><symbol id="bird" viewBox="0 0 64 64">
  <path d="M4 30c12-2 20-8 25-22 4 7 5 13 4 20 6-4 12-5 17-3l9 3-8 3c-3 8-9 14-18 16-3 5-8 9-16 11l5-7-11 3 9-9c-7-3-12-8-16-15z"/>
</symbol></svg>
<main id="door">
  <div class="card">
    <svg class="bird" viewBox="0 0 64 64" aria-hidden="true"><use href="#bird"/></svg>
    <h1>Nothing here</h1>
    <p>Perhaps the address was cut off on its way. Rooms begin with /r/.</p>
    <a class="main" href="/">To the rooms</a>
  </div>
</main>
)html";

// The browser runs only the style and the script that carry the nonce of the response's policy.
inline std::string html_document(std::string_view nonce, std::string_view title, std::string_view body, std::string_view script) {
  const std::string mark = " nonce=\"" + std::string(nonce) + "\">";
  std::string page(kHead);
  page.append(title).append(kHeadEnd).append(mark).append(kStyle).append("</style>").append(body);
  if (!script.empty()) page.append("<script").append(mark).append(script).append("</script>\n");
  return page + "</html>\n";
}

inline std::string chat_page(std::string_view nonce) { return html_document(nonce, "A place to talk", kBody, kScript); }
inline std::string missing_page(std::string_view nonce) { return html_document(nonce, "Nothing here", kMissing, {}); }
