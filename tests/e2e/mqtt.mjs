// mqtt.mjs: a real mosquitto, and as much of an MQTT 3.1.1 client as it takes to ask it what matches what: QoS 0, no credentials.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { until, within } from './harness.mjs';

// Where it is, or null. Debian has it where only root looks.
export function findMosquitto() {
  return ['mosquitto', '/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find((name) => !spawnSync(name, ['-h']).error) ?? null;
}

// A broker of our own, on a Unix socket: no port is taken from anybody.
export async function startMosquitto(program) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'mosquitto-'));
  const socket = path.join(folder, 's');
  writeFileSync(path.join(folder, 'conf'), `listener 0 ${socket}\nallow_anonymous true\npersistence false\nmax_queued_messages 0\nsys_interval 0\n` +
    (process.getuid?.() === 0 ? 'user root\n' : ''));
  const child = spawn(program, ['-c', path.join(folder, 'conf')], { stdio: ['ignore', 'ignore', 'pipe'] });
  const kill = () => child.kill('SIGKILL');
  process.on('exit', kill);
  let err = '';
  child.stderr.on('data', (bytes) => (err += bytes));
  const exited = once(child, 'exit');
  await until(async () => {
    if (child.exitCode !== null) throw new Error(`mosquitto ended: ${err}`);
    const probe = net.connect(socket);
    const listens = await new Promise((resolve) => probe.on('connect', () => resolve(true)).on('error', () => resolve(false)));
    probe.destroy();
    return listens;
  }, 'mosquitto to listen');
  return {
    socket,
    async stop() {
      child.kill('SIGTERM');
      await within(exited, 'mosquitto to end');
      process.off('exit', kill);
      rmSync(folder, { recursive: true });
    },
  };
}

function packet(type, ...parts) {
  const body = Buffer.concat(parts);
  const head = [type];
  let size = body.length;
  do head.push((size % 128) | (size > 127 ? 128 : 0)), size = size >> 7; while (size > 0);
  return Buffer.concat([Buffer.from(head), body]);
}
const u16 = (n) => Buffer.from([n >> 8, n & 255]);
const text = (t) => { const bytes = Buffer.from(t); return Buffer.concat([u16(bytes.length), bytes]); };

export class MqttClient {
  // messages: {topic, payload}; ended: the broker has closed.
  constructor(socket, name) {
    this.tcp = socket;
    this.name = name;
    this.messages = [];
    this.ended = false;
    this.waiting = new Map();
    this.id = 0;
    this.rest = Buffer.alloc(0);
    socket.on('data', (bytes) => this.take(bytes));
    socket.on('close', () => { this.ended = true; for (const tell of this.waiting.values()) tell(null); });
    socket.on('error', () => {});
  }
  static async connect(where, name) {
    const socket = net.connect(where);
    await within(once(socket, 'connect'), 'a connection to mosquitto');
    const client = new MqttClient(socket, name);
    const accepted = client.answer('connack');
    socket.write(packet(0x10, text('MQTT'), Buffer.from([4, 2, 0, 0]), text(name)));
    await accepted;
    return client;
  }
  answer(key) {
    return within(new Promise((resolve) => this.waiting.set(key, resolve)), `mosquitto's ${key}`);
  }
  take(bytes) {
    this.rest = Buffer.concat([this.rest, bytes]);
    for (;;) {
      let size = 0, at = 1;
      for (let shift = 0; ; shift += 7) {
        if (at >= this.rest.length) return;
        const byte = this.rest[at++];
        size |= (byte & 127) << shift;
        if (byte < 128) break;
      }
      if (this.rest.length < at + size) return;
      this.handle(this.rest[0] >> 4, this.rest.subarray(at, at + size));
      this.rest = this.rest.subarray(at + size);
    }
  }
  handle(type, body) {
    if (type === 3) {
      const length = body.readUInt16BE(0);
      return this.messages.push({ topic: body.toString('utf8', 2, 2 + length), payload: body.toString('utf8', 2 + length) });
    }
    const key = type === 2 ? 'connack' : type === 13 ? 'pingresp' : body.readUInt16BE(0);
    this.waiting.get(key)?.(body);
    this.waiting.delete(key);
  }
  request(type, parts) {
    const id = ++this.id;
    const answer = this.answer(id);
    this.tcp.write(packet(type, u16(id), ...parts));
    return answer;
  }
  // The return code, or null when the broker closed instead.
  async subscribe(filter) {
    return (await this.request(0x82, [text(filter), Buffer.from([0])]))?.[2] ?? null;
  }
  unsubscribe(filter) { return this.request(0xa2, [text(filter)]); }
  publish(topic, payload) { this.tcp.write(packet(0x30, text(topic), Buffer.from(payload))); }
  end() { this.tcp.end(packet(0xe0)); }
}
