// harness.mjs: what the checks share: starting an example, curl, a WebSocket client that remembers, and waiting.
//
// Nothing here sleeps for luck. until() looks again until a condition holds and fails with its name when it does not.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import WebSocket from 'ws';

export const build = path.resolve(process.env.BUILD_DIR ?? '../../build');

export async function until(condition, what, milliseconds = 15000) {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`waited ${milliseconds} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

// The promise's value, or a failure that says what did not happen.
export async function within(promise, what, milliseconds = 15000) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${milliseconds} ms in vain for ${what}`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Starts an example of the build; ready when its first line has told the port.
const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

export async function start(name, ...args) {
  const child = spawn(path.join(build, 'examples', name), args, { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const server = { child, out: '', err: '', port: 0 };
  child.stdout.on('data', (bytes) => (server.out += bytes));
  child.stderr.on('data', (bytes) => (server.err += bytes));
  let asked = false;
  server.exited = once(child, 'exit').then(([code, signal]) => {
    running.delete(child);
    // What it had to say is worth nothing to those who wait for its answers, but everything to those who read on.
    if (!asked || (code !== 0 && signal !== 'SIGKILL')) console.error(`${name} ended: ${code ?? signal}\n${server.err}`);
    return { code, signal };
  });
  let over = false;
  server.exited.then(() => (over = true), () => (over = true));
  child.on('error', (error) => { server.err += error.message; over = true; });
  await until(() => over || server.out.includes('\n'), `${name} to say where it listens`);
  const address = /http:\/\/([^/\s]+):(\d+)/.exec(server.out);
  if (!address) throw new Error(`${name} did not start: ${server.out}${server.err}`);
  server.port = Number(address[2]);
  server.http = `http://127.0.0.1:${server.port}`;
  server.ws = `ws://127.0.0.1:${server.port}`;
  // Asks it to end and answers how it did.
  server.kill = (signal) => {
    asked = true;
    child.kill(signal);
  };
  server.stop = (signal = 'SIGTERM') => {
    server.kill(signal);
    return within(server.exited, `${name} to exit after ${signal}`, 20000);
  };
  return server;
}

// Runs curl. Answers its exit status, what it wrote, and its responses, 100 Continue included.
export function curl(...args) {
  const all = ['--silent', '--show-error', '--include', '--max-time', '30', ...args];
  return new Promise((resolve) => {
    execFile('curl', all, { encoding: 'buffer', maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, stderr: stderr.toString(), responses: parse(stdout, args.includes('--head')) });
    });
  });
}

function parse(bytes, isHead) {
  const responses = [];
  while (bytes.length > 0) {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) break;
    const [line, ...fields] = bytes.subarray(0, end).toString('latin1').split('\r\n');
    const headers = {};
    for (const field of fields) headers[field.slice(0, field.indexOf(':')).toLowerCase()] = field.slice(field.indexOf(':') + 1).trim();
    const status = Number(line.split(' ')[1]);
    bytes = bytes.subarray(end + 4);
    const bodiless = isHead || status < 200 || status === 204 || status === 304;
    const length = bodiless ? 0 : Number(headers['content-length'] ?? bytes.length);
    responses.push({ line, status, headers, body: bytes.subarray(0, length) });
    bytes = bytes.subarray(length);
  }
  return responses;
}

// A connected `ws` client that keeps what it received. closed: {code, reason} once it has ended.
export async function connect(url, options = {}, protocols = []) {
  const ws = new WebSocket(url, protocols, options);
  const client = { ws, messages: [], pongs: [], closed: null };
  ws.on('message', (data, isBinary) => client.messages.push({ data, isBinary, text: isBinary ? null : data.toString() }));
  ws.on('pong', (data) => client.pongs.push(data.toString()));
  ws.on('close', (code, reason) => (client.closed = { code, reason: reason.toString() }));
  ws.on('error', () => {});
  client.received = (count) => until(() => client.messages.length >= count, `message ${count} on ${url}`);
  client.end = (why = '') => until(() => client.closed, `the end of ${url} ${why}`);
  await within(once(ws, 'open'), `a connection to ${url}`);
  return client;
}

// A bare TCP connection that keeps what it received.
export async function tcp(port) {
  const socket = net.connect(port, '127.0.0.1');
  const peer = { socket, text: '', ended: false };
  socket.on('data', (bytes) => (peer.text += bytes.toString('latin1')));
  socket.on('close', () => (peer.ended = true));
  socket.on('error', () => {});
  await within(once(socket, 'connect'), `TCP to port ${port}`);
  return peer;
}
