// game_page.h: the page of game.cc: the document, and its style. In this order:
//     kGamePage     a head; the map with what lies over it (who comes in, who waits, how it ended); players and talk; what thumbs press
//     kGameStyle    colours for light and dark; the parts; what changes on a narrow screen, and for thumbs
//
// The script is in game_script.h and game_flight.h. Nothing comes from elsewhere. It works from 320 px of width, by keyboard, mouse and touch.
#pragma once

#include <string_view>

namespace gallery {

inline constexpr std::string_view kGamePage = R"html(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover, interactive-widget=resizes-content">
<meta name="theme-color" content="#fffdfa" media="(prefers-color-scheme: light)">
<meta name="theme-color" content="#1f242a" media="(prefers-color-scheme: dark)">
<title>Last bird flying</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 64 64'%3E%3Cpath fill='%234583b8' d='M4 30c12-2 20-8 25-22 4 7 5 13 4 20 6-4 12-5 17-3l9 3-8 3c-3 8-9 14-18 16-3 5-8 9-16 11l5-7-11 3 9-9c-7-3-12-8-16-15z'/%3E%3C/svg%3E">
<link rel="stylesheet" href="play.css">
<script src="play.js" defer></script>
<script src="flight.js" defer></script>
<header>
  <div><h1 id="room">Last bird flying</h1><p id="state" role="status">Connecting…</p></div>
  <output id="clock" aria-label="Time left" hidden></output>
  <button id="share" class="plain" aria-label="Copy the link to this room" title="Copy the link to this room" hidden>
    <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M10.6 13.4a1 1 0 0 1 0-1.4l3-3a1 1 0 1 1 1.4 1.4l-3 3a1 1 0 0 1-1.4 0zm-3 6a4 4 0 0 1-3-6.8l2.6-2.6 1.4 1.4L6 14a2 2 0 1 0 2.8 2.8l2.6-2.6 1.4 1.4-2.6 2.6a4 4 0 0 1-2.6 1.2zm9.2-6.8-1.4-1.4L18 8.6A2 2 0 1 0 15.2 5.8l-2.6 2.6-1.4-1.4 2.6-2.6a4 4 0 1 1 5.600 5.600z"/></svg><span>Copy link</span></button>
  <button id="more" class="plain" aria-expanded="false" aria-controls="side" aria-label="Players and talk" title="Players and talk" hidden>
    <svg viewBox="0 0 24 24" aria-hidden="true"><path d="M9 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zm0 2c-4 0-7 2-7 4.5V20h14v-1.5C16 16 13 14 9 14zm7.5-2a3.5 3.5 0 1 0-1.600-6.600 6 6 0 0 1-.4 6 3.5 3.5 0 0 0 2 .6zm.7 2c1.800 1.100 2.800 2.600 2.800 4.5V20h2v-1.5c0-2.200-2-3.900-4.800-4.500z"/></svg><span id="count"></span></button>
</header>
<main id="stage">
  <canvas id="map" tabindex="0" role="application" aria-label="The map. Arrow keys or W A S D fly, space pecks, 1 to 4 use what you have."></canvas>
  <p id="news" role="log" aria-label="What happens"></p>
  <p id="banner" hidden></p>
  <section id="door" class="over" aria-label="Come in">
    <form class="card" id="enter" autocomplete="off">
      <h2>Last bird flying</h2>
      <p>Two birds or more. Fly close, peck, and be the last one in the air.</p>
      <label for="name">Your name</label>
      <input id="name" maxlength="20" autocapitalize="words" enterkeyhint="next">
      <label for="pick">Room</label>
      <input id="pick" maxlength="30" autocapitalize="none" spellcheck="false" enterkeyhint="go" placeholder="default">
      <p id="refusal" role="alert" hidden></p>
      <button class="main">Fly</button>
      <p class="keys"><kbd>←</kbd><kbd>↑</kbd><kbd>↓</kbd><kbd>→</kbd> or <kbd>W</kbd><kbd>A</kbd><kbd>S</kbd><kbd>D</kbd> fly,
        <kbd>space</kbd> pecks, <kbd>1</kbd>–<kbd>4</kbd> use what you have picked up.</p>
      <p class="thumbs">Left thumb flies, right thumb pecks.</p>
    </form>
  </section>
  <section id="wait" class="over" aria-label="Waiting" hidden>
    <div class="card"><h2>Alone in the sky</h2><p>It begins when a second bird comes. Send somebody the link.</p>
      <button class="main" id="invite"><span>Copy link</span></button></div>
  </section>
  <section id="end" class="over" aria-label="The result" hidden>
    <div class="card"><h2 id="winner" tabindex="-1"></h2><p id="reason"></p><ol id="scores"></ol>
      <div class="row"><button class="plain" id="leave">Another room</button><button class="main" id="again">Play again</button></div></div>
  </section>
</main>
<section id="hand" aria-label="What you have" hidden>
  <div id="stick" aria-hidden="true"><i></i></div>
  <div id="ups"></div>
  <button id="peck" aria-label="Peck">Peck</button>
</section>
<aside id="side" aria-label="Players and talk">
  <h2>In the air</h2>
  <ul id="players"></ul>
  <ol id="talk" role="log" aria-label="Talk"></ol>
  <form id="speak"><input id="text" maxlength="200" aria-label="Say something" placeholder="Say something" autocomplete="off" enterkeyhint="send">
    <button class="plain">Say</button></form>
</aside>
<noscript>This game needs JavaScript.</noscript>
</html>
)html";

inline constexpr std::string_view kGameStyle = R"css(
:root {
  color-scheme: light dark;
  --paper: #f5f2ec; --card: #fffdfa; --ink: #24272c; --soft: #62646a; --line: #e3ddd1; --field: #8b857a;
  --accent: #2c5f8d; --on-accent: #fff; --bad: #a8322a; --warn: #fbeecb; --warn-ink: #5c4400;
  --sky: #dcebf3; --grid: #cfe1eb; --edge: #8fb0c2; --cloud: #eaf4f9; --out: #c8d6dd; --good: #2f7d4f;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171b; --card: #1f242a; --ink: #e6e8eb; --soft: #9ba4ae; --line: #2d333b; --field: #727d89;
    --accent: #8fbfea; --on-accent: #0e2233; --bad: #f0938b; --warn: #3d3316; --warn-ink: #f4dfa0;
    --sky: #1a2a38; --grid: #213444; --edge: #4c6a82; --cloud: #203343; --out: #101920; --good: #6cc48e;
  }
}
* { box-sizing: border-box; margin: 0; }
[hidden] { display: none !important; }
html { height: 100%; -webkit-text-size-adjust: 100%; }
body { height: 100vh; height: 100dvh; overflow: hidden; background: var(--paper); color: var(--ink);
  font: 16px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  display: grid; grid-template: auto minmax(0, 1fr) auto / minmax(0, 1fr) 16rem; }
button, input { font: inherit; color: inherit; min-height: 44px; border-radius: 10px; min-width: 0; }
input { border: 1px solid var(--field); background: var(--paper); padding: .4rem .7rem; width: 100%; }
button { border: 0; background: none; cursor: pointer; padding: .4rem .9rem; min-width: 44px; justify-content: center; font-weight: 600; white-space: nowrap;
  -webkit-tap-highlight-color: transparent; touch-action: manipulation; }
.main { background: var(--accent); color: var(--on-accent); }
.plain { color: var(--accent); }
@media (hover: hover) {
  .main:hover { filter: brightness(1.07); }
  .plain:hover { background: color-mix(in srgb, var(--accent) 12%, transparent); }
}
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }

header { grid-column: 1 / -1; display: flex; align-items: center; gap: .4rem; background: var(--card); border-bottom: 1px solid var(--line);
  padding: .35rem max(.8rem, env(safe-area-inset-right)) .35rem max(.9rem, env(safe-area-inset-left)); min-width: 0; }
header div { flex: 1; min-width: 0; }
header h1, #state { white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
header h1 { font-size: 1.08rem; line-height: 1.25; letter-spacing: -.01em; }
#state { font-size: .82rem; color: var(--soft); }
#clock { font-variant-numeric: tabular-nums; font-weight: 650; font-size: 1.05rem; padding: 0 .3rem; }
#clock.late { color: var(--bad); }
header button { display: flex; align-items: center; gap: .4rem; }
header svg { width: 20px; height: 20px; fill: currentColor; flex: none; }
#more { display: none; font-variant-numeric: tabular-nums; }

#stage { position: relative; min-height: 0; background: var(--out); overflow: hidden; }
canvas { position: absolute; inset: 0; width: 100%; height: 100%; display: block; touch-action: none; }
canvas:focus-visible { outline-offset: -3px; }
#news { position: absolute; left: 0; right: 0; bottom: .7rem; pointer-events: none; display: flex; flex-direction: column;
  align-items: center; gap: .25rem; padding: 0 .6rem; }
#news span { background: color-mix(in srgb, var(--card) 88%, transparent); border-radius: 99px; padding: .15rem .8rem; font-size: .88rem;
  max-width: 100%; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
#banner { position: absolute; left: 50%; top: .7rem; transform: translateX(-50%); background: var(--warn); color: var(--warn-ink);
  border-radius: 99px; padding: .3rem 1rem; font-size: .92rem; max-width: calc(100% - 1rem); white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }

.over { position: absolute; inset: 0; display: grid; grid-template-columns: minmax(0, 1fr); place-items: center; overflow-y: auto; padding: 1rem;
  background: color-mix(in srgb, var(--out) 60%, transparent); }
.card { width: min(24rem, 100%); background: var(--card); border: 1px solid var(--line); border-radius: 20px; padding: 1.5rem;
  box-shadow: 0 12px 40px #0003; }
.card h2 { font-size: 1.45rem; line-height: 1.2; letter-spacing: -.015em; overflow-wrap: anywhere; }
.card h2:focus { outline: 0; }
.card p { color: var(--soft); margin-top: .35rem; }
.card label { display: block; font-weight: 600; font-size: .9rem; margin: .9rem 0 .3rem; }
.card .main { width: 100%; margin-top: 1.2rem; border-radius: 12px; }
.card .keys, .card .thumbs { font-size: .85rem; margin-top: .9rem; }
.thumbs, #stick { display: none; }
kbd { font: inherit; font-size: .8rem; border: 1px solid var(--field); border-radius: 5px; padding: 0 .3rem; margin-right: .15rem; }
#refusal { color: var(--bad); }
.row { display: flex; flex-wrap: wrap; gap: .5rem; margin-top: 1.2rem; }
.row button { flex: 1 1 auto; min-width: max-content; }
.row .main { margin: 0; width: auto; }
#scores { list-style: none; padding: 0; margin-top: .8rem; max-height: 40vh; overflow-y: auto; }
#scores li { display: flex; gap: .6rem; padding: .35rem 0; border-top: 1px solid var(--line); }
.of { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; unicode-bidi: isolate; }
.points { font-variant-numeric: tabular-nums; font-weight: 600; }

#side { background: var(--card); border-left: 1px solid var(--line); grid-row: 2 / 4; grid-column: 2; min-height: 0; display: flex;
  flex-direction: column; padding: .8rem; gap: .5rem; }
#side h2 { font-size: .82rem; color: var(--soft); font-weight: 600; }
#players { list-style: none; padding: 0; }
#players li { display: grid; grid-template-columns: .9rem minmax(0, 1fr) auto; column-gap: .55rem; align-items: center; padding: .22rem 0; }
#players .dot { width: .9rem; height: .9rem; border-radius: 50%; }
#players .bar { grid-column: 2 / -1; height: 5px; border-radius: 3px; background: var(--line); overflow: hidden; }
#players .bar i { display: block; height: 100%; background: var(--good); }
#players .bar i.low { background: var(--bad); }
#players li.gone .of { text-decoration: line-through; color: var(--soft); }
#players small { color: var(--soft); }
#talk { list-style: none; padding: 0; flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; font-size: .92rem; }
#talk li { overflow-wrap: anywhere; padding: .1rem 0; }
#talk b { margin-right: .3rem; }
#speak { display: flex; gap: .3rem; }

#hand { display: flex; align-items: center; gap: .6rem; justify-content: center; padding: .4rem max(.8rem, env(safe-area-inset-left)) max(.4rem, env(safe-area-inset-bottom));
  background: var(--card); border-top: 1px solid var(--line); user-select: none; -webkit-user-select: none; }
#ups { display: flex; gap: .4rem; }
#ups button { width: 52px; height: 52px; padding: 0; border: 1px solid var(--field); border-radius: 14px; position: relative; display: grid; place-items: center; }
#ups button:disabled { opacity: .4; cursor: default; border-color: var(--line); }
#ups button.used { box-shadow: 0 0 0 3px var(--accent); }
#ups svg { width: 26px; height: 26px; fill: currentColor; }
#ups b { position: absolute; right: -4px; top: -6px; min-width: 1.15rem; height: 1.15rem; line-height: 1.15rem; border-radius: 99px; font-size: .75rem;
  background: var(--accent); color: var(--on-accent); }
#ups kbd { position: absolute; left: 3px; bottom: 2px; border: 0; padding: 0; font-size: .68rem; color: var(--soft); line-height: 1; }
#peck { background: var(--accent); color: var(--on-accent); min-width: 84px; }
#peck:active, #peck.down { filter: brightness(.85); }

@media (max-width: 760px) {
  body { grid-template-columns: minmax(0, 1fr); }
  #more { display: flex; }
  #side { position: fixed; inset: auto 0 0; height: min(26rem, 75dvh); z-index: 4; visibility: hidden; transform: translateY(102%); border-radius: 18px 18px 0 0;
    border-left: 0; border-top: 1px solid var(--line); padding-bottom: max(.8rem, env(safe-area-inset-bottom)); transition: transform .18s ease, visibility .18s; }
  #side.open { visibility: visible; transform: none; box-shadow: 0 0 0 100vmax #0005; }
}
@media (max-width: 480px) {
  header { padding-left: .7rem; padding-right: .3rem; gap: 0; }
  header button { padding: .4rem .7rem; }
  #share span { display: none; }
}
@media (pointer: coarse) {
  .keys, #ups kbd { display: none; }
  .thumbs { display: block; }
  #hand { justify-content: space-between; }
  #stick { display: block; position: relative; width: 104px; height: 104px; border-radius: 50%; border: 2px solid var(--field); background: var(--paper); flex: none; touch-action: none; }
  #stick i { position: absolute; left: 50%; top: 50%; width: 44px; height: 44px; margin: -22px; border-radius: 50%; background: var(--accent); }
  #peck { width: 88px; height: 88px; min-width: 0; padding: 0; border-radius: 50%; flex: none; touch-action: none; }
  #ups { display: grid; grid-template-columns: repeat(2, 46px); }
  #ups button { width: 46px; height: 46px; }
}
@media (pointer: coarse) and (max-width: 360px) {
  #hand { gap: .3rem; padding-left: .5rem; padding-right: .5rem; }
  #stick { width: 96px; height: 96px; }
  #peck { width: 80px; height: 80px; }
}
@media (pointer: coarse) and (max-height: 480px) {
  #news { bottom: auto; top: 3rem; }
  #hand { position: fixed; inset: auto 0 0; background: none; border: 0; pointer-events: none; }
  #hand > * { pointer-events: auto; }
  #stick { opacity: .85; }
  #ups { grid-template-columns: repeat(4, 46px); }
  #ups button { background: var(--card); }
}
@media (prefers-reduced-motion: reduce) { #side { transition: none; } }
)css";

}  // namespace gallery
