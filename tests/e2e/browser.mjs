// browser.mjs: what the checks of pages share: one Chromium, and pages that are watched: an error, a policy violation, a dialog or a
// request to anywhere else fails the check that has opened them.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { after, afterEach, before } from 'node:test';
import { chromium } from 'playwright-core';
import { build } from './harness.mjs';

export const pictures = path.join(build, 'e2e');
export const desktop = { viewport: { width: 1280, height: 800 } };
export const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

let browser, contexts = [];
const complaints = [];

before(async () => {
  mkdirSync(pictures, { recursive: true });
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] });
});
after(async () => { await browser?.close(); });
afterEach(async () => {
  await Promise.all(contexts.map((context) => context.close()));
  contexts = [];
  assert.deepEqual(complaints.splice(0), []);
});

// expected: what the console may say, as it belongs to the check.
export function watch(page, expected = null) {
  page.setDefaultTimeout(15000);
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', (dialog) => { complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('console', (message) => {
    if (expected?.test(message.text())) return;
    if (message.type() === 'error' && !/WebSocket connection to .* failed/.test(message.text())) complaints.push(message.text());
  });
  page.on('request', (request) => {
    if (!request.url().startsWith('data:') && new URL(request.url()).hostname !== '127.0.0.1') complaints.push(`fetches ${request.url()}`);
  });
  return page;
}

// A page of its own, which has gone nowhere yet.
export async function newPage(options = desktop, expected = null) {
  const context = await browser.newContext({ locale: 'en-GB', ...options });
  contexts.push(context);
  return watch(await context.newPage(), expected);
}
