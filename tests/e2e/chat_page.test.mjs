// chat_page.test.mjs: the page of examples/chat in Chromium, by what a person sees and does.
//
// Leaves pictures in BUILD_DIR/e2e/.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { desktop, newPage, phone, pictures, watch } from './browser.mjs';
import { connect, start, until } from './harness.mjs';

let chat, rooms = 0;

before(async () => { chat = await start('chat', '--port', '0'); });
after(async () => { await chat?.stop('SIGKILL'); });
const newRoom = () => `/r/page-${++rooms}`;

async function go(page, target) {
  await page.goto(target.startsWith('http') ? target : chat.http + target);
  return page;
}
const visit = async (target, options) => go(await newPage(options), target);
const watched = (page, target) => go(watch(page), target);
const online = (page) => page.waitForSelector('#state.on');
async function enter(target, name, options) {
  const page = await visit(target, options);
  await page.fill('#name', name);
  await page.click('#enter button');
  await online(page);
  return page;
}
const write = async (page, text) => { await page.fill('#text', text); await page.press('#text', 'Enter'); };
const lines = (page) => page.$$eval('#log .bubble', (nodes) => nodes.map((node) => node.textContent));
const notices = (page) => page.$$eval('#log .notice', (nodes) => nodes.map((node) => node.textContent).join(' · '));
const names = (page) => page.$$eval('#list .of', (nodes) => nodes.map((node) => node.firstChild.textContent).sort());
const reads = (page, text) => until(async () => (await lines(page)).includes(text), `the line ${JSON.stringify(text)}`);
const sees = (page, ...who) => until(async () => String(await names(page)) === String(who.sort()), `the list ${who}`);

test('page: from the door into a room, and back by the list of rooms', async () => {
  const page = await visit('/');
  await page.fill('#name', 'Ada');
  await page.fill('#pick', 'Our Kitchen');
  await page.press('#pick', 'Enter');
  await online(page);
  assert.equal(new URL(page.url()).pathname, '/r/our-kitchen');
  assert.equal(await page.textContent('#room'), '#our-kitchen');
  assert.equal(await page.isVisible('#empty'), true);
  await page.click('header a');
  await page.waitForSelector('#recent a');
  assert.equal(await page.inputValue('#name'), 'Ada', 'the name is remembered');
  await page.click('#recent a');
  await online(page);
  await sees(page, 'Ada');
  await page.goto(chat.http + '/');
  await page.click('#enter button');
  await online(page);
  assert.match(new URL(page.url()).pathname, /^\/r\/[a-z]+-[a-z]+-\d\d$/, 'a new room when none was named');
});

test('page: two people see each other, write, and see each other write', async () => {
  const room = newRoom();
  const ada = await enter(room, 'Ada');
  const bob = await enter(room, 'Bob', phone);
  await sees(ada, 'Ada', 'Bob');
  await sees(bob, 'Ada', 'Bob');
  assert.equal(await ada.textContent('#state'), 'You and one other');
  assert.equal(await bob.textContent('#count'), '2');
  assert.match(await notices(ada), /Bob joined/);

  await write(ada, 'Hello Bob');
  await reads(bob, 'Hello Bob');
  await bob.locator('#text').pressSequentially('Hel');
  await ada.waitForSelector('#typing:has-text("Bob is typing")');
  assert.equal(await bob.textContent('#typing'), '', 'nobody is told about oneself');
  await until(async () => (await ada.textContent('#typing')) === '', 'the indicator to go out by itself');
  await bob.locator('#text').pressSequentially('lo');
  await ada.waitForSelector('#typing:has-text("Bob is typing")');
  await bob.press('#text', 'Shift+Enter');
  await bob.locator('#text').pressSequentially('Ada');
  await bob.click('#send');
  await Promise.all([ada, bob].map((page) => reads(page, 'Hello\nAda')));
  assert.equal(await ada.textContent('#typing'), '');
  assert.equal(await bob.inputValue('#text'), '');
  assert.deepEqual(await lines(bob), ['Hello Bob', 'Hello\nAda']);
  assert.equal(await bob.$$eval('#log .mine .bubble', (nodes) => nodes.length), 1);
});

test('page: lines of one person stand together under one name and time', async () => {
  const room = newRoom();
  const ada = await enter(room, 'Ada');
  const bob = await enter(room, 'Bob');
  await write(ada, 'one');
  await write(ada, 'two');
  await reads(bob, 'two');
  await write(bob, 'three');
  await reads(ada, 'three');
  await write(ada, 'four');
  await reads(bob, 'four');
  assert.deepEqual(await bob.$$eval('#log .group', (groups) => groups.map((g) => g.querySelectorAll('.bubble').length)), [2, 1, 1]);
  assert.equal(await bob.textContent('#log .group >> nth=0 >> b'), 'Ada');
  assert.match(await bob.textContent('#log .group >> nth=0 >> time'), /^\d\d:\d\d$/);
  assert.equal(await bob.textContent('#log .day'), 'Today');
});

test('page: a reload brings the history and disturbs nobody', async () => {
  const room = newRoom();
  const ada = await enter(room, 'Ada');
  const bob = await enter(room, 'Bob');
  const cleo = await enter(room, 'Cleo');
  await write(ada, 'before');
  await write(bob, 'also before');
  await reads(bob, 'before');
  await reads(ada, 'also before');
  await bob.reload();
  await online(bob);
  assert.deepEqual(await lines(bob), ['before', 'also before']);
  assert.equal(await bob.$$eval('#log .mine .bubble', (nodes) => nodes.map((n) => n.textContent).join()), 'also before');
  await sees(bob, 'Ada', 'Bob', 'Cleo');
  // Cleo leaves after the reload; when that is told, a goodbye of Bob's would have been told as well.
  await cleo.close();
  await until(async () => /Cleo left/.test(await notices(ada)), 'Cleo\'s goodbye');
  assert.equal(await notices(ada), 'Bob joined · Cleo joined · Cleo left');
});

test('page: another room is another world', async () => {
  const ada = await enter(newRoom(), 'Ada');
  const eve = await enter(newRoom(), 'Eve');
  await write(ada, 'secret');
  await reads(ada, 'secret');
  await write(eve, 'echo?');
  await reads(eve, 'echo?');
  assert.deepEqual(await lines(eve), ['echo?']);
  await sees(eve, 'Eve');
});

test('page: what people write is shown, never obeyed', async () => {
  const room = newRoom();
  const evil = '<img src=x onerror="alert(1)"><script>alert(2)</script>"\'&amp;';
  const ada = await enter(room, '<b onclick=x()>A</b>');
  const bob = await enter(room, 'Bob');
  await write(ada, evil);
  await reads(bob, evil);
  await sees(bob, '<b onclick=x()>A</b>', 'Bob');
  assert.equal(await bob.$$eval('#chat img, #chat script, #list b', (nodes) => nodes.length), 0);
  await write(ada, 'see https://example.com/a?b=c#d, (http://example.org/x). javascript:alert(4) https://"onmouseover=alert(5)');
  const links = await until(async () => {
    const found = await bob.$$eval('#log a', (nodes) => nodes.map((n) => [n.getAttribute('href'), n.target, n.rel]));
    return found.length && found;
  }, 'the links');
  assert.deepEqual(links.map((link) => link[0]), ['https://example.com/a?b=c#d', 'http://example.org/x']);
  for (const [, target, rel] of links) assert.deepEqual([target, rel], ['_blank', 'noopener noreferrer nofollow ugc']);

  const odd = await enter('/r/' + encodeURIComponent('<i>&"room'), 'Ada');
  assert.equal(await odd.textContent('#room'), '#<i>&"room');
  assert.equal(await odd.title(), '#<i>&"room');
});

test('page: a new name is told to the others and remembered', async () => {
  const room = newRoom();
  const ada = await enter(room, 'Ada');
  const bob = await enter(room, 'Bob');
  await bob.click('text=Rename');
  await bob.fill('#new-name', 'Grace');
  await bob.press('#new-name', 'Enter');
  await sees(ada, 'Ada', 'Grace');
  assert.match(await notices(ada), /Bob is now Grace/);
  await bob.reload();
  await online(bob);
  await sees(bob, 'Ada', 'Grace');
});

test('page: a copied tab becomes a second person', async () => {
  const room = newRoom();
  const first = await enter(room, 'Ada');
  const key = await first.evaluate(() => sessionStorage.getItem('martlet-chat.key'));
  const second = await first.context().newPage();
  await second.addInitScript((k) => { if (!sessionStorage.length) sessionStorage.setItem('martlet-chat.key', k); }, key);
  await watched(second, room);
  await online(second);
  await sees(second, 'Ada', 'Ada 2');
  await online(first);
  await write(first, 'from the first');
  await reads(second, 'from the first');
});

test('page: the reader of older lines is left in peace and told how many are new', async () => {
  const room = newRoom();
  const ada = await enter(room, 'Ada');
  const bob = await enter(room, 'Bob', { viewport: { width: 360, height: 500 } });
  for (let i = 0; i < 9; ++i) await write(ada, `line ${i}\n\nof three`);
  await reads(bob, 'line 8\n\nof three');
  const scroll = (f) => bob.$eval('#scroll', f);
  assert.ok(await scroll((s) => s.scrollHeight - s.scrollTop - s.clientHeight < 2), 'at the end by itself');
  await scroll((s) => { s.scrollTop = 0; });
  await bob.waitForSelector('#latest:not([hidden])');
  await write(ada, 'new one');
  await bob.waitForSelector('#latest:has-text("1 new message ")');
  assert.match(await bob.title(), /^\(1\) #page-/);
  assert.equal(await scroll((s) => s.scrollTop), 0, 'it stays where the reader is');
  await bob.click('#latest');
  await until(() => scroll((s) => s.scrollHeight - s.scrollTop - s.clientHeight < 2), 'the end');
  await until(async () => /^#page-/.test(await bob.title()), 'a title without a number');
  assert.equal(await bob.isVisible('#latest'), false);
});

test('page: comes back after a restart of the server; what was typed meanwhile arrives once', async () => {
  let server = await start('chat', '--port', '0');
  const room = `${server.http}/r/harbour`;
  const ada = await enter(room, 'Ada');
  const bob = await enter(room, 'Bob');
  await write(ada, 'before');
  await reads(bob, 'before');
  assert.deepEqual(await server.stop('SIGTERM'), { code: 0, signal: null });
  await ada.waitForSelector('#lost:not([hidden])');
  await bob.waitForSelector('#lost:not([hidden])');
  await write(ada, 'typed in the dark');
  await write(ada, 'and more');
  assert.deepEqual(await ada.$$eval('#outbox .bubble', (nodes) => nodes.map((n) => n.textContent)), ['typed in the dark', 'and more']);
  await ada.screenshot({ path: path.join(pictures, 'chat-offline.png') });

  server = await start('chat', '--port', String(server.port));
  await Promise.all([online(ada), online(bob)]);
  await reads(bob, 'and more');
  await write(bob, 'welcome back');
  await Promise.all([ada, bob].map((page) => reads(page, 'welcome back')));
  for (const page of [ada, bob]) {
    assert.deepEqual(await lines(page), ['before', 'typed in the dark', 'and more', 'welcome back']);
    await sees(page, 'Ada', 'Bob');
    assert.doesNotMatch(await notices(page), /left|Bob joined · Bob|joined.*joined/, 'nobody is announced again');
  }
  assert.equal(await ada.$$eval('#outbox .bubble', (nodes) => nodes.length), 0);
  await server.stop('SIGKILL');
});

test('page: what is said while the connection is away comes once, silently, and where too much was said a line tells it', async () => {
  const room = newRoom();
  const ada = await enter(room, 'Ada');
  const bob = await newPage();
  let away = false, line;
  await bob.routeWebSocket(/\/ws\//, (ws) => {
    if (away) return ws.close();
    line = ws;
    ws.connectToServer();
  });
  const leave = async () => {
    away = true;
    await line.close();
    await bob.waitForSelector('#lost:not([hidden])');
  };
  const comeBack = async () => { away = false; await bob.evaluate(() => tryNow()); await online(bob); };
  await go(bob, room);
  await bob.fill('#name', 'Bob');
  await bob.click('#enter button');
  await online(bob);
  await write(ada, 'before');
  await reads(bob, 'before');
  await leave();
  for (const text of ['one', 'two']) await write(ada, text);
  await reads(ada, 'two');
  const cleo = await enter(room, 'Cleo');
  await comeBack();
  await write(ada, 'three');
  await reads(bob, 'three');
  assert.deepEqual(await lines(bob), ['before', 'one', 'two', 'three']);
  await sees(bob, 'Ada', 'Bob', 'Cleo');
  assert.equal(await notices(bob), '');

  await leave();
  const all = [...Array(110)].map((_, i) => `line ${i}`);
  for (let i = 0; i < all.length; i += 10) {   // nobody may say more than twelve at once
    const writer = await connect(`${chat.ws}/ws/${room.slice(3)}`);
    writer.ws.send(`hello writer-${i} - - Writer`);
    for (const text of await until(() => writer.messages.some((m) => m.text.includes('room:joined')) && all.slice(i, i + 10), 'a writer')) writer.ws.send(`say n-${text.slice(5)} ${text}`);
    await reads(ada, all[i + 9]);
    writer.ws.terminate();
  }
  await comeBack();
  await reads(bob, 'line 109');
  assert.deepEqual(await lines(bob), ['before', 'one', 'two', 'three', ...all.slice(10)]);
  assert.match(await notices(bob), /^Some messages are missing here/);
  await write(ada, 'and on');
  await reads(bob, 'and on');
  await cleo.close();
});

test('page: many lines at once are all sent, in order, at the pace the server allows', async () => {
  const room = newRoom();
  const ada = await enter(room, 'Ada');
  const bob = await enter(room, 'Bob');
  const all = [...Array(18)].map((_, i) => `line ${i}`);
  for (const line of all) await write(ada, line);
  // What waits is one quiet line, not so many pale ones; and it tells how many are to go.
  await ada.waitForSelector('#slow:not([hidden])');
  assert.match(await ada.textContent('#slow'), /^A moment, too fast · \d+ to go$/);
  assert.equal(await ada.getAttribute('#slow', 'role'), 'status');
  assert.equal(await ada.isVisible('#outbox'), false);
  await ada.screenshot({ path: path.join(pictures, 'chat-slow.png') });
  await reads(bob, 'line 17');
  assert.deepEqual(await lines(bob), all);
  await until(async () => String(await lines(ada)) === String(all), 'all receipts');
  assert.equal(await ada.isVisible('#slow'), false);
  assert.equal(await ada.$$eval('#outbox .bubble', (nodes) => nodes.length), 0);
});

test('page: code of several lines stands in a font of one width, fenced or not; a list and a poem do not', async () => {
  const room = newRoom(), ada = await enter(room, 'Ada');
  const codes = () => ada.$$eval('#log .bubble', (nodes) => nodes.map((node) => [...node.querySelectorAll('code')].map((code) => code.textContent)));
  const say = async (text) => {
    const count = (await lines(ada)).length;
    await ada.fill('#text', text);
    await ada.press('#text', 'Enter');
    await until(async () => (await lines(ada)).length > count, text);
  };
  const plain = 'if (a) {\n  b();\n}';
  await say('See:\n```js\nlet x = "<b>1</b>";\nlet y = https://example.com/a;\n```\nso');
  await say(plain);
  await say('Roses are red;\nviolets are blue\n1. one\n2. two');
  await say('one line { with ; ends }');
  await say('```\nnever closed');
  await say('x'.repeat(200) + ' {\n' + ' '.repeat(4) + 'y'.repeat(300) + ';\n}');
  const found = await codes();
  assert.deepEqual(found.slice(0, 5), [['let x = "<b>1</b>";\nlet y = https://example.com/a;'], [plain], [], [], []]);
  assert.deepEqual((await lines(ada)).slice(0, 5), ['See:\nlet x = "<b>1</b>";\nlet y = https://example.com/a;so', plain,
    'Roses are red;\nviolets are blue\n1. one\n2. two', 'one line { with ; ends }', '```\nnever closed']);
  assert.equal(await ada.locator('#log b:not(.head b)').count(), 0);
  const style = await ada.$eval('#log code', (node) => [getComputedStyle(node).fontFamily, getComputedStyle(node).whiteSpace]);
  assert.match(String(style), /monospace.*,pre$/);
  for (const width of [320, 1280]) {
    await ada.setViewportSize({ width, height: 640 });
    assert.ok(await ada.$eval('#log', (node) => node.scrollWidth <= node.clientWidth), 'what is too wide is scrolled by itself');
  }
  assert.ok(await ada.$$eval('#log code', (nodes) => nodes.at(-1).scrollWidth > nodes.at(-1).clientWidth && nodes.at(-1).tabIndex === 0));
  await ada.screenshot({ path: path.join(pictures, 'chat-code.png') });
});

test('page: an empty room offers its link at once, and by the sheet of a phone', async () => {
  const room = newRoom(), ada = await enter(room, 'Ada');
  await ada.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await ada.click('#invite');
  await ada.waitForSelector('#invite:has-text("Copied")');
  assert.equal(await ada.evaluate(() => navigator.clipboard.readText()), chat.http + room);
  await ada.waitForSelector('#invite:has-text("Copy link")');
  await ada.screenshot({ path: path.join(pictures, 'chat-empty.png') });
  await write(ada, 'not empty any more');
  await until(async () => !(await ada.isVisible('#invite')), 'it to go');
  const bob = await enter(newRoom(), 'Bob', phone);
  await bob.evaluate(() => { navigator.share = async ({ url }) => { window.shared = url; }; });
  await bob.tap('#invite');
  assert.equal(await bob.evaluate(() => window.shared), bob.url());
  await bob.screenshot({ path: path.join(pictures, 'chat-empty-phone.png') });
});

test('page: where nothing is, a page says so and leads back', async () => {
  for (const target of ['/nothing', '/r', '/r/a/b']) {
    const page = await newPage(phone, /status of 404/);
    const response = await page.goto(chat.http + target);
    assert.equal(response.status(), 404);
    assert.match(response.headers()['content-security-policy'], /default-src 'none'/);
    assert.match(await page.$eval('meta[name=viewport]', (node) => node.content), /width=device-width/);
    assert.deepEqual([await page.textContent('h1'), await page.title()], ['Nothing here', 'Nothing here']);
    if (target === '/nothing') await page.screenshot({ path: path.join(pictures, 'chat-missing-phone.png') });
    const box = await page.locator('a.main').boundingBox();
    assert.ok(box.height >= 44);
    await page.tap('a.main');
    await page.waitForSelector('#enter');
    assert.equal(new URL(page.url()).pathname, '/');
  }
});

test('page: what a finger has to hit is 44 pixels large, and nothing hovers where nothing can', async (t) => {
  const server = await start('chat', '--port', '0');
  t.after(() => server.stop('SIGKILL'));
  const room = `${server.http}/r/harbour`, small = { ...phone, viewport: { width: 320, height: 568 } };
  const tooSmall = (page) => page.$$eval('button, input, textarea, a:not(.bubble a)', (nodes) => nodes.filter((node) => node.checkVisibility({ visibilityProperty: true })).map((node) => {
    const box = node.getBoundingClientRect();
    return box.width >= 44 && box.height >= 44 ? null : `${node.id || node.className || node.textContent} ${box.width} x ${box.height}`;
  }).filter(Boolean));
  const ada = await enter(room, 'Ada', small);
  assert.equal(await ada.textContent('#state'), 'Just you');
  assert.ok(await ada.$eval('#state', (node) => node.scrollWidth <= node.clientWidth), 'and all of it can be read at 320 pixels');
  assert.deepEqual(await tooSmall(ada), [], 'an empty room');
  await write(ada, 'hello');
  await until(async () => (await lines(ada)).length === 1, 'the line');
  assert.deepEqual(await tooSmall(ada), []);
  await ada.tap('#who');
  await ada.waitForSelector('#people.open');
  await until(() => ada.$eval('#people', (n) => n.getAnimations().length === 0), 'the drawer to stand still');
  assert.deepEqual(await tooSmall(ada), [], 'the people');
  await ada.tap('#shut');
  const door = await go(await newPage(small), server.http + '/');
  assert.deepEqual(await tooSmall(door), [], 'the door');
  await ada.goto(server.http + '/');
  await ada.waitForSelector('#recent a');
  assert.deepEqual(await tooSmall(ada), [], 'a door with rooms');
  await ada.tap('#recent a');
  await online(ada);
  await server.stop();
  await ada.waitForSelector('#now:not([hidden])');
  assert.deepEqual(await tooSmall(ada), [], 'what is lost');

  // Where fingers are there is no :hover, which would stay after a tap.
  const hovering = await ada.evaluate(() => [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules])
    .filter((rule) => rule.cssText.includes(':hover')).map((rule) => rule.conditionText ?? rule.selectorText));
  assert.deepEqual(hovering, ['(hover: hover)']);
});

test('page: the edges of fields and of what is said stand out at 3:1, by day and by night', async () => {
  for (const colorScheme of ['light', 'dark']) {
    const room = newRoom(), options = { ...desktop, colorScheme };
    const door = await visit('/', options);
    const ada = await enter(room, 'Ada', options), bob = await enter(room, 'Bob', options);
    await write(bob, 'hello');
    await write(ada, 'hello, you');
    await reads(ada, 'hello');
    await reads(ada, 'hello, you');
    await until(() => ada.evaluate(() => document.getAnimations().length === 0), 'everything to stand still');
    // Against what lies inside of the edge, and what lies around it.
    const contrasts = (page, selector) => page.$eval(selector, (node) => {
      const canvas = document.createElement('canvas').getContext('2d');
      const light = (colour) => {
        canvas.fillStyle = colour;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const behind = (one) => { const colour = getComputedStyle(one).backgroundColor; return colour === 'rgba(0, 0, 0, 0)' && one.parentElement ? behind(one.parentElement) : colour; };
      const edge = light(getComputedStyle(node).borderTopColor);
      return [behind(node), behind(node.parentElement)].map(light).map((other) => (Math.max(edge, other) + 0.05) / (Math.min(edge, other) + 0.05));
    });
    for (const [page, selector] of [[door, '#name'], [door, '#pick'], [ada, '#composer'], [ada, '#new-name'], [ada, '.group:not(.mine) .bubble'], [ada, '.mine .bubble']]) {
      if (selector === '#new-name') await ada.click('text=Rename');
      const found = await contrasts(page, selector);
      assert.ok(found.every((ratio) => ratio >= 3), `${selector} ${colorScheme}: ${found}`);
      if (selector === '#new-name') await ada.click('#keep');
    }
  }
});

test('page: fits 320 pixels and more, and its parts have names', async () => {
  const room = newRoom();
  const ada = await enter(room, 'A name of 24 characters!', { viewport: { width: 320, height: 568 }, isMobile: true, hasTouch: true });
  await write(ada, 'https://example.com/' + 'long'.repeat(60) + ' ' + 'W'.repeat(200));
  await until(async () => (await lines(ada)).length === 1, 'the line');
  for (const width of [320, 360, 390, 768, 1280]) {
    await ada.setViewportSize({ width, height: 640 });
    const overflow = await ada.evaluate(() => [document.documentElement.scrollWidth - innerWidth,
      ...['scroll', 'log', 'composer'].map((id) => document.getElementById(id)).map((n) => n.scrollWidth - n.clientWidth)]);
    assert.ok(overflow.every((pixels) => pixels <= 0), `${width}: ${overflow}`);
    const send = await ada.locator('#send').boundingBox();
    assert.ok(send.x + send.width <= width && send.y + send.height <= 640, `${width}: the button is in sight`);
  }
  await ada.setViewportSize({ width: 320, height: 300 });   // what an on-screen keyboard leaves
  await until(async () => {
    const box = await ada.locator('#composer').boundingBox();
    return box.y + box.height <= 300;
  }, 'the composer above the keyboard');
  const nameless = await ada.$$eval('button, textarea, input, a', (nodes) => nodes.filter((n) => n.checkVisibility() &&
    !(n.getAttribute('aria-label') || n.labels?.[0]?.textContent || n.textContent.trim())).map((n) => n.outerHTML));
  assert.deepEqual(nameless, []);
  assert.equal(await ada.$eval('#log', (list) => `${list.parentNode.getAttribute('role')} ${list.parentNode.getAttribute('aria-label')} ${list.tagName}`), 'log Messages OL');
  await ada.click('#who');
  await ada.waitForSelector('#people.open');
  await ada.press('body', 'Escape');
  await until(async () => !(await ada.isVisible('#people')), 'the drawer to close');
});

test('page: pictures', async () => {
  const room = '/r/garden';
  const shoot = (page, name) => page.screenshot({ path: path.join(pictures, `chat-${name}.png`) });
  await shoot(await visit('/'), 'door');
  await shoot(await visit(room, { ...phone, colorScheme: 'dark' }), 'door-phone-dark');
  const ines = await enter(room, 'Ines');
  const matti = await enter(room, 'Matti', phone);
  const dark = await enter(room, 'Zoë', { ...desktop, colorScheme: 'dark' });
  const night = await enter(room, 'Jo', { ...phone, colorScheme: 'dark' });
  for (const [page, text] of [
    [ines, 'Morning! Is anybody bringing the long table tomorrow?'],
    [matti, 'I can, if somebody helps me carry it.'],
    [dark, 'I will come by at ten and help. Then we can pick up the bread on the way; the bakery opens at nine.'],
    [ines, 'Perfect.\n\n1. chairs\n2. lemonade\n3. the good speakers'],
    [ines, 'The plan is here: https://example.com/garden/plan?day=sunday'],
    [matti, 'Two loaves?'], [dark, 'Three!']]) {
    await write(page, text);
    await reads(ines, text);
    await reads(night, text);
  }
  await dark.locator('#text').pressSequentially('And somebody should');
  await ines.waitForSelector('#typing .words');
  await shoot(ines, 'desktop');
  await shoot(matti, 'phone');
  await shoot(dark, 'desktop-dark');
  await shoot(night, 'phone-dark');
  await matti.click('#who');
  await until(() => matti.$eval('#people', (n) => n.getAnimations().length === 0), 'the drawer to stand still');
  await shoot(matti, 'phone-people');
});
