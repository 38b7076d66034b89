// mosquitto.test.mjs: examples/topics beside a real MQTT broker: the same filters, the same topics, and who got what. A hundred
// clients of each have one filter each, in every round another one; a hundred topics a round are 10,000 pairs.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connect, start, until } from './harness.mjs';
import { findMosquitto, MqttClient, startMosquitto } from './mqtt.mjs';

const kClients = 100;
const kTopics = 100;
const kRounds = Number(process.env.TOPIC_ROUNDS ?? 10);
const kEnd = 'zz/end/of/the/round';  // all have subscribed to it

// Numbers that are the same each time, unless a seed is given.
let seed = Number(process.env.TOPIC_SEED ?? 1);
const random = (below) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor(seed / 2 ** 32 * below);
};
const levels = ['a', 'b', '', 'c', 'A', '$x', 'aa', 'ä'];

function name(wildcards) {
  const count = 1 + random(5);
  const parts = [];
  for (let i = 0; i < count; i++) {
    const what = random(10);
    if (wildcards && what < 3) {
      parts.push('+');
    } else if (wildcards && what === 3) {
      parts.push('#');
      break;
    } else {
      parts.push(levels[random(what < 7 ? 3 : levels.length)]);
    }
  }
  return parts.join('/') || 'a';
}

const program = findMosquitto();
if (!program) console.log('mosquitto.test.mjs: mosquitto is missing, so nothing is compared with it (Debian: mosquitto)');

describe('mosquitto', { skip: !program && 'mosquitto is missing' }, () => {
  let broker, server;
  before(async () => {
    broker = await startMosquitto(program);
    server = await start('topics', '0', '3');
  });
  after(async () => {
    await server?.stop();
    await broker?.stop();
  });

  // A WebSocket to ours that speaks as MqttClient does.
  async function ours() {
    const client = await connect(server.ws);
    let acks = 0;
    const request = async (event, ...args) => {
      const ack = ++acks;
      client.ws.send(JSON.stringify({ event, args, ack }));
      let answer;
      await until(() => (answer = client.messages.map((m) => JSON.parse(m.text)).find((m) => m.ack === ack)), `the answer to ${event}`);
      return answer.args[0];
    };
    return {
      client,
      subscribe: (filter) => request('subscribe', filter),
      unsubscribe: (filter) => request('unsubscribe', filter),
      publish: (topic, payload) => client.ws.send(JSON.stringify({ event: 'publish', args: [topic, payload] })),
      published: () => client.messages.map((m) => JSON.parse(m.text)).filter((m) => m.event === 'message').map((m) => m.args[1]),
      forget: () => (client.messages.length = 0),
    };
  }
  async function theirs(number) {
    const client = await MqttClient.connect(broker.socket, `c${number}`);
    return {
      client,
      subscribe: (filter) => client.subscribe(filter),
      unsubscribe: (filter) => client.unsubscribe(filter),
      publish: (topic, payload) => client.publish(topic, payload),
      published: () => client.messages.map((m) => m.payload),
      forget: () => (client.messages.length = 0),
    };
  }

  // What each of these got of a round, and in which order.
  async function round(clients, publisher, filters, topics) {
    await Promise.all(clients.map((c, i) => c.subscribe(filters[i])));
    topics.forEach((topic, i) => publisher.publish(topic, String(i)));
    publisher.publish(kEnd, 'end');
    const got = [];
    for (const client of clients) {
      await until(() => client.published().includes('end'), 'the end of the round');
      got.push(client.published().filter((payload) => payload !== 'end'));
    }
    await Promise.all(clients.map((c, i) => c.unsubscribe(filters[i])));
    clients.forEach((c) => c.forget());
    return got;
  }

  test(`topics: ${kClients * kTopics * kRounds} random pairs of filters and topics as mosquitto matches them`, { timeout: 300000 }, async () => {
    const mine = [], other = [];
    for (let i = 0; i < kClients; i++) {
      mine.push(await ours());
      other.push(await theirs(i));
      assert.equal(await mine[i].subscribe(kEnd), 'ok');
      assert.equal(await other[i].subscribe(kEnd), 0);
    }
    const myPublisher = await ours(), otherPublisher = await theirs('p');
    let hits = 0;
    for (let n = 0; n < kRounds; n++) {
      const filters = Array.from({ length: kClients }, () => name(true));
      const topics = Array.from({ length: kTopics }, () => name(false));
      const got = await round(mine, myPublisher, filters, topics);
      const wanted = await round(other, otherPublisher, filters, topics);
      for (let i = 0; i < kClients; i++) {
        hits += wanted[i].length;
        const said = (list) => list.map((index) => topics[index]);
        assert.deepEqual(said(got[i]), said(wanted[i]), `filter ${filters[i]}`);
      }
    }
    assert.ok(hits > kRounds * 100, `${hits} pairs matched`);
    for (const c of [...mine, myPublisher]) c.client.ws.terminate();
    for (const c of [...other, otherPublisher]) c.client.end();
  });

  test('topics: several filters of one client that match are one message, as with mosquitto', async () => {
    const mine = await ours(), other = await theirs('o');
    for (const filter of ['#', 'a/#', 'a/+', 'a/b', '+/b', kEnd]) {
      assert.equal(await mine.subscribe(filter), 'ok');
      assert.equal(await other.subscribe(filter), 0);
    }
    for (const c of [mine, other]) {
      c.publish('a/b', 'once');
      c.publish(kEnd, 'end');
      await until(() => c.published().includes('end'), 'the end');
      assert.deepEqual(c.published(), ['once', 'end']);
    }
    mine.client.ws.terminate();
    other.client.end();
  });

  test('topics: what is no filter for mosquitto is none here', async () => {
    const mine = await ours();
    for (const filter of ['', 'a+', '+a', 'a/b+', '#/', '#/a', 'a#', 'a/#/b', '##', '++', 'a/+b/c', 'a\0b', '\0']) {
      const other = await theirs('bad');
      const code = await other.subscribe(filter);
      assert.ok(code === null || code === 0x80, `mosquitto takes ${JSON.stringify(filter)}`);
      assert.equal(await mine.subscribe(filter), 'that is no filter', JSON.stringify(filter));
      other.client.tcp.destroy();
    }
    for (const filter of ['+', '#', '/', '//', '+/+', '/#', '/+/', '$', '$x/#', 'a b', 'ä/+']) {
      const other = await theirs('good');
      assert.equal(await other.subscribe(filter), 0, `mosquitto refuses ${filter}`);
      assert.equal(await mine.subscribe(filter), 'ok', filter);
      other.client.end();
    }
    mine.client.ws.terminate();
  });
});
