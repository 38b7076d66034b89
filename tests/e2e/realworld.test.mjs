// realworld.test.mjs: examples/realworld through Node's fetch, as a front end on another origin uses it: every endpoint of the
// Conduit API, who may do what, and every way to be wrong.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { after, before, test } from 'node:test';
import { start } from './harness.mjs';

const secret = 'a secret of the test that is long enough';
let api, jake, ann, nobody;
let people = 0;

before(async () => {
  process.env.JWT_SECRET = secret;
  api = await start('realworld', '0');
  [jake, ann, nobody] = [await join('jake'), await join('ann'), {}];
});
after(async () => { await api?.stop('SIGKILL'); });

// A request of somebody; `body` is sent as JSON, a text as it is.
async function ask(who, method, path, body, fields = {}) {
  const headers = { Origin: 'https://conduit.example', ...fields };
  if (who.token) headers.Authorization = `Token ${who.token}`;
  if (body !== undefined) headers['Content-Type'] ??= 'application/json';
  const answer = await fetch(`${api.http}/api${path}`, { method, headers, body: typeof body === 'object' ? JSON.stringify(body) : body });
  const text = await answer.text();
  assert.equal(answer.headers.get('access-control-allow-origin'), '*', `${method} ${path}: a page of another origin may read it`);
  if (text) assert.match(answer.headers.get('content-type'), /^application\/json/, `${method} ${path}`);
  return { status: answer.status, headers: answer.headers, text, json: text ? JSON.parse(text) : undefined };
}

async function ok(status, ...request) {
  const answer = await ask(...request);
  assert.equal(answer.status, status, `${request[1]} ${request[2]}: ${answer.text}`);
  return answer.json;
}

// The shape of errors: {"errors":{"body":["…"]}} and nothing beside it.
async function wrong(status, texts, ...request) {
  const answer = await ask(...request);
  assert.equal(answer.status, status, `${request[1]} ${request[2]}: ${answer.text}`);
  assert.deepEqual(Object.keys(answer.json), ['errors']);
  assert.deepEqual(Object.keys(answer.json.errors), ['body']);
  const told = answer.json.errors.body;
  assert.ok(told.length > 0 && told.every((one) => typeof one === 'string' && one));
  for (const text of [texts].flat()) assert.ok(told.some((one) => one.includes(text)), `${told} does not tell: ${text}`);
  if (status === 401) assert.ok(request[2] === '/users/login' || answer.headers.get('www-authenticate') === 'Token');
  return told;
}

async function join(name) {
  const username = `${name} ${++people}`, email = `${name}.${people}@example.com`, password = `${name}'s secret`;
  const { user } = await ok(201, {}, 'POST', '/users', { user: { username, email, password } });
  return { username, email, password, token: user.token, profile: `/profiles/${encodeURIComponent(username)}` };
}

async function write(who, article = {}) {
  const whole = { title: 'How to train your dragon', description: 'Ever wonder how?', body: 'Very carefully.', ...article };
  return (await ok(201, who, 'POST', '/articles', { article: whole })).article;
}

const isoDate = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
function isNow(text) {
  assert.match(text, isoDate);
  assert.ok(Math.abs(Date.parse(text) - Date.now()) < 60_000, text);
}

// Users ------------------------------------------------------------------------------------------------------------------

test('somebody registers, logs in and is who that is', async () => {
  const user = { username: 'Grüße', email: 'gruss@example.com', password: 'pass word' };
  const made = await ok(201, nobody, 'POST', '/users', { user });
  assert.deepEqual(Object.keys(made), ['user']);
  assert.deepEqual(Object.keys(made.user).sort(), ['bio', 'email', 'image', 'token', 'username']);
  assert.deepEqual([made.user.username, made.user.email, made.user.bio, made.user.image], ['Grüße', 'gruss@example.com', '', null]);
  const { user: known } = await ok(200, nobody, 'POST', '/users/login', { user: { email: user.email, password: user.password } });
  assert.equal(known.username, 'Grüße');
  const { user: current } = await ok(200, known, 'GET', '/user');
  assert.equal(current.email, user.email);
  assert.equal((await ok(200, nobody, 'GET', '/user', undefined, { Authorization: `Bearer ${current.token}` })).user.username, 'Grüße');
});

test('a token is a JWT: HS256, whose it is and when it ends', async () => {
  const [header, payload, signature] = jake.token.split('.');
  assert.deepEqual(JSON.parse(Buffer.from(header, 'base64url')), { alg: 'HS256', typ: 'JWT' });
  const claims = JSON.parse(Buffer.from(payload, 'base64url'));
  assert.ok(claims.id >= 1 && claims.exp > Date.now() / 1000);
  assert.equal(signature, createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url'));
});

function sign(claims, { header = { alg: 'HS256', typ: 'JWT' }, key = secret } = {}) {
  const text = [header, claims].map((part) => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')).join('.');
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}

test('a token that is not ours, has ended or is none is 401', async () => {
  const id = 1, exp = Math.floor(Date.now() / 1000) + 60;
  await ok(200, { token: sign({ id, exp }) }, 'GET', '/user');
  const [header, payload, signature] = jake.token.split('.');
  const bad = [
    sign({ id, exp: exp - 120 }), sign({ id }), sign({ id: 0, exp }), sign({ id: 999_999, exp }), sign({ id: -1, exp }), sign({ exp }),
    sign({ id: 'x', exp }), sign('no JSON'), sign({ id, exp }, { key: 'another' }), sign({ id, exp }, { header: { alg: 'none' } }),
    `${Buffer.from('{"alg":"none"}').toString('base64url')}.${payload}.`, `${header}.${payload}.`, `${header}.${payload}`, `${header}..${signature}`,
    `${header}.${signature}`, `${header}.${payload}.${signature}x`, `${header}.${payload}.${signature.slice(0, -1)}`, `${jake.token}.`, '.', '..', 'x', '%',
  ];
  for (const token of bad) await wrong(401, 'token', { token }, 'GET', '/user');
  for (const Authorization of ['Token', 'Bearer', 'Basic amFrZTpqYWtl', jake.token, `Token  ${jake.token}`]) {
    await wrong(401, 'token', nobody, 'GET', '/user', undefined, { Authorization });
  }
  await wrong(401, 'token', { token: bad[0] }, 'GET', '/articles');
  await ok(200, { token: bad[0] }, 'POST', '/users/login', { user: { email: jake.email, password: jake.password } });
});

test('a wrong password and an unknown address sound the same', async () => {
  const known = await wrong(401, 'invalid', nobody, 'POST', '/users/login', { user: { email: jake.email, password: 'no' } });
  assert.deepEqual(await wrong(401, [], nobody, 'POST', '/users/login', { user: { email: 'nobody@example.com', password: 'no' } }), known);
  await wrong(401, [], nobody, 'POST', '/users/login', { user: { email: jake.email } });
  await wrong(401, [], nobody, 'POST', '/users/login', {});
});

test('what is wrong with a registration is told, all of it', async () => {
  await wrong(422, ["username can't be blank", "email can't be blank", "password can't be blank"], nobody, 'POST', '/users', { user: {} });
  await wrong(422, ["username can't be blank", 'email is invalid'], nobody, 'POST', '/users', { user: { username: ' \n', email: 'x', password: 'x' } });
  await wrong(422, ['username has already', 'email has already'], nobody, 'POST', '/users', { user: jake });
  const long = { username: 'u'.repeat(65), email: `${'e'.repeat(245)}@example.com`, password: 'p'.repeat(257), bio: 'b'.repeat(1025), image: 'i'.repeat(1025) };
  assert.equal((await wrong(422, 'is too long', nobody, 'POST', '/users', { user: long })).length, 5);
  const most = { username: 'u'.repeat(64), email: `${'e'.repeat(244)}@example.com`, password: 'p'.repeat(256), bio: 'b'.repeat(1024), image: 'i'.repeat(1024) };
  assert.equal((await ok(201, nobody, 'POST', '/users', { user: most })).user.bio.length, 1024);
  await wrong(422, '/user/email', nobody, 'POST', '/users', { user: { email: 7 } });
  await wrong(422, '/user', nobody, 'POST', '/users', { user: [] });
  await wrong(422, 'line 1', nobody, 'POST', '/users', '{"user":');
  await wrong(422, [], nobody, 'POST', '/users', '');
  await wrong(415, [], nobody, 'POST', '/users');
  await wrong(415, [], nobody, 'POST', '/users', '{"user":{}}', { 'Content-Type': 'text/plain' });
});

test('an account is changed, and only what was sent', async () => {
  const who = await join('changing');
  const image = 'https://example.com/i.png';
  let { user } = await ok(200, who, 'PUT', '/user', { user: { bio: 'I work at statefarm', image } });
  assert.deepEqual([user.username, user.bio, user.image], [who.username, 'I work at statefarm', image]);
  const changed = { email: 'changed@example.com', username: 'Changed', password: 'changed' };
  ({ user } = await ok(200, who, 'PUT', '/user', { user: { ...changed, image: '' } }));
  assert.deepEqual([user.username, user.email, user.bio, user.image], ['Changed', changed.email, 'I work at statefarm', null]);
  await wrong(401, [], nobody, 'POST', '/users/login', { user: { email: who.email, password: who.password } });
  await wrong(401, [], nobody, 'POST', '/users/login', { user: { email: changed.email, password: who.password } });
  await ok(200, nobody, 'POST', '/users/login', { user: changed });
  await wrong(404, [], nobody, 'GET', who.profile);
  await ok(200, nobody, 'GET', '/profiles/Changed');
  await ok(200, who, 'PUT', '/user', { user: changed });
  await wrong(422, ['username has', 'email has'], who, 'PUT', '/user', { user: { username: ann.username, email: ann.email } });
  await wrong(422, ["password can't be blank"], who, 'PUT', '/user', { user: { password: '' } });
  await wrong(401, [], nobody, 'PUT', '/user', { user: { bio: 'x' } });
  await wrong(401, [], nobody, 'GET', '/user');
});

// Profiles ---------------------------------------------------------------------------------------------------------------

test('somebody is followed and left again', async () => {
  const path = ann.profile;
  assert.deepEqual(await ok(200, nobody, 'GET', path), { profile: { username: ann.username, bio: '', image: null, following: false } });
  assert.equal((await ok(200, jake, 'POST', `${path}/follow`)).profile.following, true);
  assert.equal((await ok(200, jake, 'POST', `${path}/follow`)).profile.following, true);
  assert.equal((await ok(200, jake, 'GET', path)).profile.following, true);
  assert.equal((await ok(200, ann, 'GET', path)).profile.following, false);
  assert.equal((await ok(200, nobody, 'GET', path)).profile.following, false);
  assert.equal((await ok(200, jake, 'DELETE', `${path}/follow`)).profile.following, false);
  assert.equal((await ok(200, jake, 'GET', path)).profile.following, false);
});

test('nobody is followed by nobody', async () => {
  for (const method of ['POST', 'DELETE']) {
    await wrong(401, 'token', nobody, method, `${ann.profile}/follow`);
    await wrong(404, 'nobody', jake, method, '/profiles/no-one/follow');
  }
  await wrong(404, 'nobody', nobody, 'GET', '/profiles/no-one');
  await wrong(404, 'nobody', nobody, 'GET', '/profiles/a%2Fb');
});

// Articles ---------------------------------------------------------------------------------------------------------------

test('an article is written, read, changed and taken away', async () => {
  const who = await join('writer');
  const article = { title: 'Did you train, your DRAGON?', description: 'Ever wonder how?', body: '"You" <have> to believe', tagList: ['a "tag"', 'dragons'] };
  const made = await write(who, { ...article, tagList: ['dragons', 'a "tag"', 'dragons'] });
  const { createdAt, updatedAt, ...rest } = made;
  const author = { username: who.username, bio: '', image: null, following: false };
  assert.deepEqual(rest, { slug: 'did-you-train-your-dragon', ...article, favorited: false, favoritesCount: 0, author });
  isNow(createdAt);
  assert.equal(updatedAt, createdAt);
  assert.deepEqual(await ok(200, nobody, 'GET', `/articles/${made.slug}`), { article: made });

  const { article: changed } = await ok(200, who, 'PUT', `/articles/${made.slug}`, { article: { body: 'With two hands' } });
  assert.ok(changed.updatedAt >= createdAt);
  assert.deepEqual(changed, { ...made, body: 'With two hands', updatedAt: changed.updatedAt });
  const { article: renamed } = await ok(200, who, 'PUT', `/articles/${made.slug}`, { article: { title: 'No dragons', description: 'x', tagList: [] } });
  assert.deepEqual([renamed.slug, renamed.description, renamed.body, renamed.tagList], ['no-dragons', 'x', 'With two hands', []]);
  await wrong(404, [], nobody, 'GET', `/articles/${made.slug}`);
  assert.equal((await ask(who, 'DELETE', '/articles/no-dragons')).status, 204);
  await wrong(404, [], who, 'DELETE', '/articles/no-dragons');
  await wrong(404, [], nobody, 'GET', '/articles/no-dragons');
});

test('slugs are the title, and never somebody else\'s', async () => {
  const slug = async (title) => (await write(jake, { title })).slug;
  assert.deepEqual([await slug('Same Title'), await slug('same -- title!'), await slug('SAME TITLE')], ['same-title', 'same-title-2', 'same-title-3']);
  assert.deepEqual([await slug('Feed'), await slug('?!'), await slug(' Ärger 1 ')], ['feed-2', 'article', 'Ärger-1']);
  assert.equal((await ok(200, nobody, 'GET', `/articles/${encodeURIComponent('Ärger-1')}`)).article.title, ' Ärger 1 ');
  assert.equal((await ok(200, jake, 'PUT', '/articles/same-title-2', { article: { title: 'Same title' } })).article.slug, 'same-title-2');
  assert.equal((await ok(200, jake, 'PUT', '/articles/same-title-3', { article: { title: 'Feed' } })).article.slug, 'feed-3');
});

test('what is wrong with an article is told', async () => {
  await wrong(422, ["title can't be blank", "description can't be blank", "body can't be blank"], jake, 'POST', '/articles', { article: {} });
  const good = { title: 't', description: 'd', body: 'b' };
  const most = { title: 't'.repeat(256), description: 'd'.repeat(1024), body: 'b'.repeat(32_768), tagList: Array.from({ length: 10 }, (_, n) => `${n}${'t'.repeat(63)}`) };
  assert.equal((await write(jake, most)).tagList.length, 10);
  for (const [name, value] of Object.entries(most)) {
    const more = typeof value === 'string' ? `${value}x` : [...value, 'one more'];
    await wrong(422, `${name} is too long`, jake, 'POST', '/articles', { article: { ...good, [name]: more } });
  }
  await wrong(422, 'tag is too long', jake, 'POST', '/articles', { article: { ...good, tagList: ['t'.repeat(65)] } });
  await wrong(422, "tag can't be blank", jake, 'POST', '/articles', { article: { ...good, tagList: [''] } });
  await wrong(422, '/article/tagList/1', jake, 'POST', '/articles', { article: { ...good, tagList: ['a', 7] } });
  const { slug } = await write(jake);
  await wrong(422, "title can't be blank", jake, 'PUT', `/articles/${slug}`, { article: { title: '' } });
  await wrong(422, '/article/body', jake, 'PUT', `/articles/${slug}`, { article: { body: {} } });
});

test('an article is its author\'s to change', async () => {
  const { slug } = await write(jake);
  await wrong(403, 'else', ann, 'PUT', `/articles/${slug}`, { article: { body: 'x' } });
  await wrong(403, 'else', ann, 'DELETE', `/articles/${slug}`);
  await wrong(401, 'token', nobody, 'PUT', `/articles/${slug}`, { article: { body: 'x' } });
  await wrong(401, 'token', nobody, 'DELETE', `/articles/${slug}`);
  await wrong(401, 'token', nobody, 'POST', '/articles', { article: {} });
  await wrong(404, 'no such', ann, 'PUT', '/articles/nothing', { article: { body: 'x' } });
  assert.equal((await ok(200, nobody, 'GET', `/articles/${slug}`)).article.body, 'Very carefully.');
});

test('articles are listed, the newest first, by tag, author and who likes them, in pages', async () => {
  const who = await join('author'), fan = await join('fan');
  const slugs = [];
  for (let n = 0; n < 25; n++) slugs.unshift((await write(who, { title: `Part ${n} of ${who.username}`, tagList: n % 5 ? ['part'] : ['part', 'fifth'] })).slug);
  const by = `author=${encodeURIComponent(who.username)}`;
  const list = async (query) => {
    const { articles, articlesCount } = await ok(200, nobody, 'GET', `/articles${query}`);
    for (const article of articles) assert.ok(!('body' in article) && article.title && isoDate.test(article.createdAt) && article.author.username);
    return { slugs: articles.map((one) => one.slug), articlesCount };
  };
  assert.deepEqual(await list(`?${by}`), { slugs: slugs.slice(0, 20), articlesCount: 25 });
  assert.deepEqual(await list(`?${by}&limit=3&offset=4`), { slugs: slugs.slice(4, 7), articlesCount: 25 });
  assert.deepEqual(await list(`?${by}&offset=24`), { slugs: slugs.slice(24), articlesCount: 25 });
  assert.deepEqual(await list(`?${by}&limit=1000&offset=25`), { slugs: [], articlesCount: 25 });
  assert.deepEqual((await list(`?${by}&limit=1000`)).slugs, slugs);
  assert.deepEqual(await list(`?tag=fifth&${by}`), { slugs: [4, 9, 14, 19, 24].map((n) => slugs[n]), articlesCount: 5 });
  await ok(200, fan, 'POST', `/articles/${slugs[7]}/favorite`);
  assert.deepEqual(await list(`?favorited=${encodeURIComponent(fan.username)}`), { slugs: [slugs[7]], articlesCount: 1 });
  for (const none of ['tag=none', 'author=none', 'favorited=none', 'author=']) assert.deepEqual(await list(`?${none}`), { slugs: [], articlesCount: 0 });
  assert.ok((await list('')).articlesCount >= 25);
  assert.equal((await ok(200, fan, 'GET', `/articles?${by}&limit=1&offset=7`)).articles[0].favorited, true);
  for (const bad of ['limit=0', 'limit=x', 'limit=', 'limit=-1', 'limit=1.5', 'limit=99999999999999999999']) await wrong(422, 'limit', nobody, 'GET', `/articles?${bad}`);
  for (const bad of ['offset=x', 'offset=-1']) await wrong(422, 'offset', jake, 'GET', `/articles/feed?${bad}`);
});

test('the feed has what those have written whom somebody follows', async () => {
  const [reader, one, other] = [await join('reader'), await join('one'), await join('other')];
  const first = await write(one, { title: 'Feed first' });
  const second = await write(other, { title: 'Feed second' });
  const feed = async (query = '') => (await ok(200, reader, 'GET', `/articles/feed${query}`));
  assert.deepEqual(await feed(), { articles: [], articlesCount: 0 });
  await ok(200, reader, 'POST', `${one.profile}/follow`);
  const { body, ...shown } = first;
  assert.deepEqual(await feed(), { articles: [{ ...shown, author: { ...shown.author, following: true } }], articlesCount: 1 });
  await ok(200, reader, 'POST', `${other.profile}/follow`);
  assert.deepEqual((await feed()).articles.map((article) => article.slug), [second.slug, first.slug]);
  assert.deepEqual((await feed('?limit=1&offset=1')).articles.map((article) => article.slug), [first.slug]);
  await wrong(401, 'token', nobody, 'GET', '/articles/feed');
});

test('articles are favourites of some', async () => {
  const { slug } = await write(jake, { title: 'Favourite' });
  const path = `/articles/${slug}/favorite`;
  const state = ({ article }) => [article.favorited, article.favoritesCount];
  assert.deepEqual(state(await ok(200, ann, 'POST', path)), [true, 1]);
  assert.deepEqual(state(await ok(200, ann, 'POST', path)), [true, 1]);
  assert.deepEqual(state(await ok(200, jake, 'POST', path)), [true, 2]);
  assert.deepEqual(state(await ok(200, ann, 'DELETE', path)), [false, 1]);
  assert.deepEqual(state(await ok(200, ann, 'DELETE', path)), [false, 1]);
  assert.deepEqual(state(await ok(200, jake, 'GET', `/articles/${slug}`)), [true, 1]);
  assert.deepEqual(state(await ok(200, nobody, 'GET', `/articles/${slug}`)), [false, 1]);
  for (const method of ['POST', 'DELETE']) {
    await wrong(401, 'token', nobody, method, path);
    await wrong(404, 'no such', ann, method, '/articles/nothing/favorite');
  }
});

test('tags are those of the articles that are there', async () => {
  for (const [title, tagList] of [['Tag one', ['a tag', 'tags']], ['Tag two', ['a tag', 'tags']], ['Tag three', ['tags']]]) await write(ann, { title, tagList });
  const tags = async () => {
    const answer = await ok(200, nobody, 'GET', '/tags');
    assert.deepEqual(Object.keys(answer), ['tags']);
    assert.ok(answer.tags.length <= 20);
    return answer.tags;
  };
  const shown = await tags();
  assert.ok(shown.includes('a tag') && shown.indexOf('tags') < shown.indexOf('a tag'), 'those of most articles first');
  await ok(200, ann, 'PUT', '/articles/tag-one', { article: { tagList: ['other'] } });
  await ok(204, ann, 'DELETE', '/articles/tag-two');
  assert.ok(!(await tags()).includes('a tag'), 'nobody has it any more');
});

// Comments ---------------------------------------------------------------------------------------------------------------

test('articles are commented on', async () => {
  const { slug } = await write(jake, { title: 'Commented' });
  const path = `/articles/${slug}/comments`;
  assert.deepEqual(await ok(200, nobody, 'GET', path), { comments: [] });
  const { comment } = await ok(200, ann, 'POST', path, { comment: { body: 'His name was my name too.' } });
  const { id, createdAt, updatedAt, ...rest } = comment;
  assert.deepEqual(rest, { body: 'His name was my name too.', author: { username: ann.username, bio: '', image: null, following: false } });
  assert.ok(Number.isInteger(id));
  isNow(createdAt);
  assert.equal(updatedAt, createdAt);
  const { comment: second } = await ok(200, jake, 'POST', path, { comment: { body: 'Second' } });
  assert.deepEqual(await ok(200, nobody, 'GET', path), { comments: [comment, second] });

  await wrong(403, 'else', jake, 'DELETE', `${path}/${id}`);
  await wrong(401, 'token', nobody, 'DELETE', `${path}/${id}`);
  await ok(204, ann, 'DELETE', `${path}/${id}`);
  await wrong(404, 'no such comment', ann, 'DELETE', `${path}/${id}`);
  await wrong(404, [], ann, 'DELETE', `${path}/x`);
  await wrong(404, 'no such article', ann, 'DELETE', `/articles/nothing/comments/${second.id}`);
  assert.deepEqual(await ok(200, nobody, 'GET', path), { comments: [second] });
  await ok(204, jake, 'DELETE', `/articles/${slug}`);
  await wrong(404, 'no such article', nobody, 'GET', path);
});

test('what is wrong with a comment is told', async () => {
  const { slug } = await write(jake, { title: 'Commented wrongly' });
  const path = `/articles/${slug}/comments`;
  await wrong(422, "body can't be blank", ann, 'POST', path, { comment: {} });
  await wrong(422, "body can't be blank", ann, 'POST', path, { comment: { body: ' ' } });
  await wrong(422, 'body is too long', ann, 'POST', path, { comment: { body: 'x'.repeat(2049) } });
  await ok(200, ann, 'POST', path, { comment: { body: 'x'.repeat(2048) } });
  await wrong(422, '/comment/body', ann, 'POST', path, { comment: { body: false } });
  await wrong(401, 'token', nobody, 'POST', path, { comment: { body: 'x' } });
  await wrong(404, 'no such article', ann, 'POST', '/articles/nothing/comments', { comment: { body: 'x' } });
});

// Beside the endpoints ---------------------------------------------------------------------------------------------------

test('pages of other origins may ask for everything', async () => {
  const asked = { 'Access-Control-Request-Method': 'PUT', 'Access-Control-Request-Headers': 'authorization,content-type' };
  for (const path of ['/user', '/users', '/articles', '/articles/x/comments/1', '/nothing']) {
    const { status, headers } = await ask(nobody, 'OPTIONS', path, undefined, asked);
    assert.equal(status, 204);
    for (const method of ['GET', 'POST', 'PUT', 'DELETE']) assert.ok(headers.get('access-control-allow-methods').split(', ').includes(method));
    assert.equal(headers.get('access-control-allow-headers'), 'Authorization, Content-Type');
    assert.ok(Number(headers.get('access-control-max-age')) > 0);
  }
  const { status, headers } = await ask(nobody, 'OPTIONS', '/tags');
  assert.deepEqual([status, headers.get('allow').split(', ').sort()], [204, ['GET', 'HEAD', 'OPTIONS']], 'no preflight');
});

test('a path that is none is 404', async () => {
  await wrong(404, 'nothing', nobody, 'GET', '/nothing');
  await wrong(404, 'nothing', jake, 'POST', '/articles/a/b/c', {});
  await wrong(404, 'nothing', nobody, 'GET', '/../');
  assert.equal((await ok(200, nobody, 'GET', '/tags/')).tags.length > 0, true, 'a slash at the end does not matter');
});

test('what the library refuses by itself can be read by pages of other origins', async () => {
  const big = { method: 'POST', body: 'x'.repeat(70_000), headers: { 'Content-Type': 'application/json' } };
  for (const [status, path, request] of [[405, '/user', { method: 'PATCH' }], [501, '/user', { method: 'BREW' }], [413, '/users', big]]) {
    const answer = await fetch(`${api.http}/api${path}`, request);
    assert.equal(answer.status, status);
    assert.equal(answer.headers.get('access-control-allow-origin'), '*');
  }
});

test('there is an end to articles, until one goes', async () => {
  const full = await start('realworld', '0');
  const outer = api;
  try {
    api = full;
    const who = await join('busy');
    for (let n = 0; n < 2000; n += 20) await Promise.all(Array.from({ length: 20 }, (_, i) => write(who, { title: `Number ${n + i}` })));
    const more = { title: 'more', description: 'd', body: 'b' };
    await wrong(507, 'full', who, 'POST', '/articles', { article: more });
    await ok(204, who, 'DELETE', '/articles/number-7');
    await ok(201, who, 'POST', '/articles', { article: more });
    await wrong(507, 'full', who, 'POST', '/articles', { article: more });
    assert.equal((await ok(200, nobody, 'GET', '/articles?limit=1')).articlesCount, 2000);
  } finally {
    api = outer;
    await full.stop('SIGKILL');
  }
});
