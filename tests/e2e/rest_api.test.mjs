// rest_api.test.mjs: examples/rest_api through curl: paging, what is made, changed and taken away, and every way to be wrong.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { curl, start } from './harness.mjs';

let api;
before(async () => { api = await start('rest_api', '0'); });
after(async () => { await api?.stop('SIGKILL'); });

const token = ['--header', 'Authorization: Bearer secret'];
const json = ['--header', 'Content-Type: application/json'];
const wantsJson = ['--header', 'Accept: application/json'];

async function ask(target, ...args) {
  const { code, responses, stderr } = await curl(...args, api.http + target);
  assert.equal(code, 0, stderr);
  const answer = responses.at(-1);
  answer.json = () => JSON.parse(answer.body.toString());
  return answer;
}
const make = (post, ...args) => ask('/posts', ...token, ...json, '--data-binary', JSON.stringify(post), ...args);

async function problem(answer, status, detail) {
  assert.equal(answer.status, status);
  assert.equal(answer.headers['content-type'], 'application/problem+json');
  assert.equal(answer.headers['access-control-allow-origin'], '*', 'a browser may read it');
  const told = answer.json();
  assert.equal(told.status, status);
  if (detail) assert.match(told.detail, detail);
}

test('a post is made, read, changed and taken away', async () => {
  const made = await make({ title: 'Grüße', text: '"quoted" <b>', tags: ['a', 'b'] });
  assert.equal(made.status, 201);
  assert.match(made.headers.location, /^\/posts\/\d+$/);
  const { id, ...rest } = made.json();
  assert.deepEqual(rest, { title: 'Grüße', text: '"quoted" <b>', tags: ['a', 'b'] });
  const read = await ask(made.headers.location);
  assert.equal(read.status, 200);
  assert.deepEqual(read.json(), { id, ...rest });
  const changed = await ask(`/posts/${id}`, ...token, ...json, '--request', 'PUT', '--data-binary', '{"title":"New","tags":[]}');
  assert.deepEqual(changed.json(), { id, title: 'New', text: '', tags: [] });
  assert.equal((await ask(`/posts/${id}`, ...token, '--request', 'DELETE')).status, 204);
  assert.equal((await ask(`/posts/${id}`)).status, 404);
});

test('posts are listed in pages', async () => {
  const { total } = (await ask('/posts')).json();
  for (let n = 0; n < 25; n++) assert.equal((await make({ title: `post ${n}`, tags: [] })).status, 201);
  const page = (await ask('/posts?page=2&per_page=10')).json();
  assert.deepEqual([page.page, page.per_page, page.total, page.posts.length], [2, 10, total + 25, 10]);
  assert.deepEqual((await ask('/posts/?per_page=100')).json().posts.slice(-1)[0].title, 'post 24');
  assert.deepEqual((await ask('/posts?page=9999')).json().posts, []);
});

test('a page that is none is told which', async () => {
  await problem(await ask('/posts?page=x', ...wantsJson), 400, /page/);
  await problem(await ask('/posts?page=-1', ...wantsJson), 400, /page/);
  await problem(await ask('/posts?per_page=101', ...wantsJson), 400, /per_page/);
  await problem(await ask('/posts?page=99999999999999999999', ...wantsJson), 400, /page/);
});

test('without a token nobody writes, and is told before the body is sent', async () => {
  const big = 'x'.repeat(60_000);
  const answer = await ask('/posts', ...json, ...wantsJson, '--header', 'Expect: 100-continue', '--data-binary', `{"title":"${big}"}`);
  await problem(answer, 401, /token/);
  assert.equal(answer.headers['www-authenticate'], 'Bearer');
  const { responses } = await curl(...json, '--header', 'Expect: 100-continue', '--data-binary', big, api.http + '/posts');
  assert.deepEqual(responses.map((one) => one.status), [401], 'and is not told to go on');
});

test('what is wrong with a body is told with its place', async () => {
  await problem(await make({ title: '', tags: [] }, ...wantsJson), 422, /title/);
  await problem(await make({ title: 'x'.repeat(201), tags: [] }, ...wantsJson), 422, /title/);
  await problem(await make({ title: 7, tags: [] }, ...wantsJson), 422, /\/title/);
  await problem(await ask('/posts', ...token, ...json, ...wantsJson, '--data-binary', '{"title":'), 400);
  await problem(await ask('/posts', ...token, ...wantsJson, '--header', 'Content-Type: text/plain', '--data-binary', '{}'), 415);
  assert.equal((await make({ title: 'x', text: 'x'.repeat(70_000), tags: [] })).status, 413);
});

test('404 and 405, as text and as a problem', async () => {
  assert.equal((await ask('/posts/999999')).body.toString(), 'no such post');
  await problem(await ask('/posts/999999', ...wantsJson), 404, /no such post/);
  assert.equal((await ask('/posts/abc')).status, 404);
  const wrong = await ask('/posts/1', '--request', 'PATCH');
  assert.equal(wrong.status, 405);
  assert.deepEqual(wrong.headers.allow.split(', ').sort(), ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'PUT']);
});
