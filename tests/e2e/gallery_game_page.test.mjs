// gallery_game_page.test.mjs: the game of examples/gallery as two people play it in two windows of Chromium: by keyboard, by touch.
// What its server says is looked at by gallery_game.test.mjs.
//
// Leaves pictures in BUILD_DIR/e2e/.
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { desktop, newPage, phone, pictures } from './browser.mjs';
import { connect, curl, start, until } from './harness.mjs';

let server, rooms = 0;
before(async () => { server = await start('gallery', '--port', '0'); });
after(async () => { await server?.stop('SIGKILL'); });
const newRoom = () => `page-${++rooms}`;

async function enter(name, room, options = desktop, base = server.http + '/game/play') {
  const page = await newPage(options);
  await page.goto(`${base}?room=${room}`);
  await page.fill('#name', name);
  await page.click('#enter .main');
  await page.waitForSelector('#door', { state: 'hidden' });
  return page;
}
const is = (page, text) => page.waitForSelector(`#state:text-is("${text}")`);
const plays = (page) => is(page, 'Last bird flying wins');
// As the page shows it on its map.
const bird = (page, name) => page.evaluate((wanted) => {
  const found = [...birds.values()].find((one) => one.username === wanted);
  return found && { x: found.x, y: found.y, health: found.health, alive: found.isAlive };
}, name);
async function two(options, other = options) {
  const room = newRoom();
  const ann = await enter('Ann', room, options);
  const bob = await enter('Bob', room, other);
  for (const page of [ann, bob]) await plays(page);
  for (const page of [ann, bob]) await until(() => page.evaluate(() => !adopt), 'the first update');
  return [ann, bob, room];
}
// Ann flies to Bob by her keys, and is beside him.
async function flyTo(page, name, target) {
  const held = new Set();
  const hold = async (key, wanted) => {
    if (wanted === held.has(key)) return;
    await page.keyboard[wanted ? 'down' : 'up'](key);
    held[wanted ? 'add' : 'delete'](key);
  };
  await until(async () => {
    const still = held.size === 0;   // where one is is known when nothing is held any more
    const [me, to] = [await bird(page, name), await bird(page, target)];
    const [dx, dy] = [to.x - me.x, to.y - me.y], near = 24;
    await hold('ArrowRight', dx > near);
    await hold('ArrowLeft', dx < -near);
    await hold('KeyS', dy > near);
    await hold('KeyW', dy < -near);
    return still && Math.hypot(dx, dy) < 40;
  }, `${name} beside ${target}`, 30000);
}
async function bringDown(page, ...shown) {
  await page.keyboard.down('Space');
  for (const one of shown) await one.waitForSelector('#end:not([hidden])');
  await page.keyboard.up('Space');
}

test('game page: comes with a policy, and nothing in it makes markup of text', async () => {
  const { responses: [page] } = await curl(server.http + '/game/play');
  assert.match(page.headers['content-security-policy'], /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'/);
  for (const target of ['play', 'play.css', 'play.js', 'flight.js']) {
    const { responses: [file] } = await curl(`${server.http}/game/${target}`);
    assert.equal(file.status, 200, target);
    assert.doesNotMatch(file.body.toString(), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|(src|href)="?https?:|url\(/, target);
  }
});

test('game page: two windows: one waits, the other comes, one flies and the other sees it, a fight, the result, and again', async () => {
  const room = newRoom(), ann = await enter('Ann', room);
  await is(ann, 'Waiting for a second bird');
  assert.equal(await ann.textContent('#room'), `Game Room ${room}`);
  assert.equal(await ann.isVisible('#wait'), true);
  const bob = await enter('Bob', room);
  for (const page of [ann, bob]) {
    await plays(page);
    assert.equal(await page.isVisible('#wait'), false);
    await page.waitForSelector('#clock:not([hidden])');
    assert.match(await page.textContent('#clock'), /^(10:00|9:5\d)$/);
    await until(() => page.evaluate(() => !adopt), 'the first update');
    assert.deepEqual((await page.$$eval('#players .of', (nodes) => nodes.map((node) => node.firstChild.textContent))).sort(), ['Ann', 'Bob']);
  }

  // One flies by keyboard, by both sets of keys; the other sees it.
  const before = await bird(bob, 'Ann'), right = before.x < 500, down = before.y < 400;
  await ann.keyboard.down(right ? 'ArrowRight' : 'KeyA');
  await ann.keyboard.down(down ? 'KeyS' : 'ArrowUp');
  await until(async () => {
    const now = await bird(bob, 'Ann');
    return (now.x - before.x) * (right ? 1 : -1) > 60 && (now.y - before.y) * (down ? 1 : -1) > 60;
  }, 'Bob to see it');
  await ann.keyboard.up(right ? 'ArrowRight' : 'KeyA');
  await ann.keyboard.up(down ? 'KeyS' : 'ArrowUp');
  await until(async () => { const [a, b] = [await bird(ann, 'Ann'), await bird(bob, 'Ann')]; return Math.hypot(a.x - b.x, a.y - b.y) < 1; }, 'both windows to show the same');
  // Not while one writes.
  await ann.keyboard.press('Enter');
  assert.equal(await ann.evaluate(() => document.activeElement.id), 'text');
  const still = await bird(ann, 'Ann');
  await ann.keyboard.type('was <b>das</b>');
  await ann.keyboard.press('Enter');
  assert.deepEqual(await bird(ann, 'Ann'), still);
  for (const page of [ann, bob]) await page.waitForSelector('#talk li:has-text("was <b>das</b>")');
  assert.equal(await bob.locator('#talk li b').count(), 1, 'the name, and nothing of the text');
  assert.equal(await ann.evaluate(() => document.activeElement.id), 'map', 'and one flies on');

  await flyTo(ann, 'Ann', 'Bob');
  await ann.screenshot({ path: path.join(pictures, 'game-fight.png') });
  await ann.keyboard.down('Space');
  await until(async () => (await bird(bob, 'Bob')).health <= 75, 'a hit');
  await bringDown(ann, ann, bob);
  assert.equal(await ann.textContent('#winner'), 'You are the last bird flying');
  assert.equal(await bob.textContent('#winner'), 'Ann wins');
  for (const page of [ann, bob]) {
    assert.equal(await page.textContent('#reason'), 'All others are down.');
    assert.deepEqual(await page.$$eval('#scores .points', (nodes) => nodes.map((node) => node.textContent)), ['100', '0']);
    await is(page, 'It is over');
    assert.equal(await page.isVisible('#clock'), false);
  }
  assert.deepEqual(await bob.$$eval('#scores .of', (nodes) => nodes.map((node) => node.textContent)), ['Ann', 'Bob (you)']);

  // Again, asked for by one of them, and with nothing left of the last time.
  await bob.click('#again');
  for (const page of [ann, bob]) {
    await plays(page);
    await page.waitForSelector('#end', { state: 'hidden' });
    await until(() => page.evaluate(() => !adopt), 'the first update');
    for (const name of ['Ann', 'Bob']) assert.deepEqual([(await bird(page, name)).health, (await bird(page, name)).alive], [100, true]);
    assert.deepEqual(await page.$$eval('#players .points', (nodes) => nodes.map((node) => node.textContent)), ['0', '0']);
  }
  await flyTo(bob, 'Bob', 'Ann');
  await bringDown(bob, ann, bob);
  assert.equal(await ann.textContent('#winner'), 'Bob wins');

  // Another room: the other one hears that he has gone, and waits when she plays again.
  await bob.click('#leave');
  await until(async () => (await ann.$$('#players li')).length === 1, 'Ann alone');
  await ann.click('#again');
  await ann.waitForSelector('#wait:not([hidden])');
  await bob.fill('#pick', newRoom());
  await bob.press('#pick', 'Enter');
  await bob.waitForSelector('#wait:not([hidden])');
});

test('game page: by touch: a stick and a button, what is carried is used, and the other window sees it', async () => {
  // The room is another one's, who has made it rich.
  const room = newRoom(), eve = await connect(server.ws + '/game/game');
  eve.ws.send(JSON.stringify({ type: 'join-game', roomId: room, config: { powerUpSpawnRate: 0.5 } }));
  await eve.received(1);
  const ann = await enter('Ann', room, phone), bob = await enter('Bob', room);
  for (const page of [ann, bob]) await until(() => page.evaluate(() => state === 'playing' && !adopt), 'the first update');
  assert.equal(await ann.isVisible('#stick'), true);
  assert.equal(await bob.isVisible('#stick'), false);
  const touches = await ann.context().newCDPSession(ann);
  const finger = (type, ...points) => touches.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
  const middle = async (id) => { const box = await ann.locator(id).boundingBox(); return [box.x + box.width / 2, box.y + box.height / 2]; };
  const [x, y] = await middle('#stick'), before = await bird(bob, 'Ann'), way = before.x < 500 ? 1 : -1;
  await finger('touchStart', [x, y]);
  await finger('touchMove', [x + 40 * way, y]);
  await until(async () => ((await bird(bob, 'Ann')).x - before.x) * way > 60, 'Bob to see her fly');
  await finger('touchEnd');
  const rest = await ann.evaluate(() => stick.x);
  assert.equal(rest, 0, 'let go of, it stands still');

  // Bob comes to her; she pecks, flying at the same time.
  await flyTo(bob, 'Bob', 'Ann');
  const [px, py] = await middle('#peck');
  await finger('touchStart', [px, py]);
  await until(() => ann.evaluate(() => pecking && nextPeck > 0), 'a peck');
  await finger('touchEnd');
  assert.equal(await ann.evaluate(() => pecking), false);
  await until(async () => (await bird(bob, 'Bob')).health <= 75, 'a hit');

  // What she has she uses by a tap: she is set down on one power-up after the other until she has one whose use is seen.
  const usable = () => ann.evaluate(() => mine().powerUps.find((type) => type !== 'health'));
  await until(async () => await usable() || ann.evaluate(() => {
    const [item] = [...items.values()].filter(({ type }) => type !== 'health');
    if (item) Object.assign(mine(), { x: item.x, y: item.y });
    return false;
  }), 'her to have something');
  const type = await usable(), button = ann.locator(`#ups .${type}`);
  await until(() => button.isEnabled(), 'the button');
  assert.match(await button.getAttribute('aria-label'), /: [1-4]$/);
  await button.tap();
  const seen = { id: await ann.evaluate(() => me), type };
  await until(() => bob.evaluate(({ id, type: used }) => birds.get(id).until[used] > performance.now(), seen), 'Bob to see it');
  assert.equal(await button.evaluate((node) => node.classList.contains('used')), true);
  eve.ws.terminate();
});

test('game page: names and rooms of strangers are text; a full room says so; the first room is left', async () => {
  const room = newRoom(), evil = '<b onclick=x>Eve</b>';
  const ann = await enter(evil, room), bob = await enter('', room);
  for (const page of [ann, bob]) await plays(page);
  assert.equal(await bob.locator('#side b:not(#talk b, #ups b), #news b').count(), 0);
  await bob.waitForSelector(`#players .of:text-is("${evil}")`);
  assert.match(await bob.locator('#players li:has-text("(you)") .of').textContent(), /^Player_\w{4} \(you\)$/);

  const crowd = newRoom(), clients = [];
  for (let i = 0; i < 8; i++) {
    clients.push(await connect(server.ws + '/game/game'));
    clients[i].ws.send(JSON.stringify({ type: 'join-game', roomId: crowd }));
    await clients[i].received(1);
  }
  const late = await newPage();
  await late.goto(`${server.http}/game/play?room=${crowd}`);
  await late.fill('#name', 'Late');
  await late.press('#name', 'Enter');
  await late.waitForSelector('#refusal:text-is("🚫 Game room is full")');
  assert.equal(await late.isVisible('#door'), true);
  await late.fill('#pick', newRoom());
  await late.press('#pick', 'Enter');
  await late.waitForSelector('#wait:not([hidden])');
  for (const one of clients) one.ws.terminate();
});

test('game page: the server goes and comes again, and one is in the room again', async () => {
  const own = await start('gallery', 'game', '--port', '0');
  const page = await enter('Ann', 'den', desktop, own.http + '/play');
  await page.waitForSelector('#wait:not([hidden])');
  await own.stop();
  await page.waitForSelector('#banner:text-is("The connection is lost. Trying again…")');
  const again = await start('gallery', 'game', '--port', String(own.port));
  await until(async () => page.evaluate(() => state === 'waiting'), 'her to be in the room again', 30000);
  assert.equal(await page.isVisible('#banner'), false);
  assert.deepEqual(await again.stop(), { code: 0, signal: null });
});

test('game page: fits 320 pixels and more, thumbs hit what is there, its parts have names, and pictures of it', async () => {
  const kinds = [['phone-dark', { ...phone, colorScheme: 'dark' }], ['desktop', desktop], ['phone', phone], ['desktop-dark', { ...desktop, colorScheme: 'dark' }]];
  for (const [name, options] of kinds) {
    const door = await newPage(options);
    await door.goto(server.http + '/game/play');
    await door.waitForSelector('#state:text-is("Choose a name and a room")');
    await door.screenshot({ path: path.join(pictures, `game-door-${name}.png`) });
    const [page, other] = await two(options, desktop);
    await page.evaluate(() => { for (const [i, type] of Object.keys(kUps).entries()) items.set(type, { id: type, type, x: mine().x + 90 * Math.cos(i * 1.6), y: mine().y + 90 * Math.sin(i * 1.6) }); });
    await other.fill('#text', 'Here I come!');
    await other.press('#text', 'Enter');
    const { x, y } = await bird(page, 'Ann');
    await other.evaluate((at) => Object.assign(mine(), at), { x: x + (x < 500 ? 36 : -36), y: y + 12 });
    await other.keyboard.down('Space');
    await until(async () => (await bird(page, 'Ann')).health <= 75, 'a hit');
    await other.keyboard.up('Space');
    await page.screenshot({ path: path.join(pictures, `game-${name}.png`) });
    if (options.isMobile) {
      await page.tap('#more');
      await page.waitForSelector('#side.open');
      await until(() => page.evaluate(() => Math.abs(document.getElementById('side').getBoundingClientRect().bottom - innerHeight) < 1), 'the sheet');
      await page.screenshot({ path: path.join(pictures, `game-side-${name}.png`) });
      await page.tap('#stage', { position: { x: 20, y: 20 } });
    }
    const check = async (one, what) => {
      for (const [width, height] of [[320, 568], [390, 844], [568, 320], [1280, 800]]) {
        await one.setViewportSize({ width, height });
        const wrong = await one.evaluate(([coarse, most]) => {
          const seen = [...document.querySelectorAll('button, input, a, #stick, #clock, #room, .card')].filter((node) => node.checkVisibility({ visibilityProperty: true }));
          const out = seen.filter((node) => { const box = node.getBoundingClientRect(); return box.right > most + 0.5 || box.left < -0.5; });
          const small = !coarse ? [] : seen.filter((node) => node.matches('button, input, a')).filter((node) => { const box = node.getBoundingClientRect(); return box.height < 44 || box.width < 44; });
          return [...out.map((node) => `out ${node.id}`), ...small.map((node) => `small ${node.id || node.textContent}`), ...(innerWidth > most || document.documentElement.scrollWidth > most ? ['wide'] : []),
            ...seen.filter((node) => node.matches('button') && node.scrollWidth > node.clientWidth).map((node) => `cut ${node.id}`)];
        }, [Boolean(options.isMobile), width]);
        assert.deepEqual(wrong, [], `${what} at ${width} x ${height}`);
        const map = await one.locator('#map').boundingBox();
        assert.ok(map.height >= 150, `a map of ${map.height} at ${width} x ${height}`);
        if (options.isMobile && (width === 320 || width === 568)) await one.screenshot({ path: path.join(pictures, `game-${what}-${width}-${name}.png`) });
      }
      const nameless = await one.$$eval('button, textarea, input, a', (nodes) => nodes.filter((n) => n.checkVisibility() &&
        !(n.getAttribute('aria-label') || n.labels?.[0]?.textContent || n.textContent.trim())).map((n) => n.outerHTML));
      assert.deepEqual(nameless, []);
    };
    const looked = name === 'phone' || name === 'desktop';
    if (looked) { await check(door, 'door'); await check(page, 'play'); }
    await page.setViewportSize(options.viewport);
    await bringDown(other, page);
    if (looked) await check(page, 'end');
    await page.setViewportSize(options.viewport);
    await page.screenshot({ path: path.join(pictures, `game-end-${name}.png`) });
    await page.context().close();
    await other.context().close();
  }
});
