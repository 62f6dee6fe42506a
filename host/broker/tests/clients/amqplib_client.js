// What amqplib expects of a broker. Takes its URL; prints a line for each check, and fails at the first.
'use strict';

const assert = require('node:assert');
const { once } = require('node:events');
const amqplib = require('amqplib');

function check(what, actual, expected) {
  assert.deepStrictEqual(actual, expected, what);
  console.log(`ok ${what}`);
}

// `attempt` is given a channel of its own, which it will lose.
async function refused(connection, what, code, attempt) {
  const channel = await connection.createChannel();
  channel.on('error', () => {});
  const error = await attempt(channel).then(() => null, (error) => error);
  check(what, error && error.code, code);
}

// Hands out deliveries, one for each call.
function inbox() {
  const ready = [];
  const wanted = [];
  return {
    push: (message) => (wanted.length ? wanted.shift()(message) : ready.push(message)),
    next: () => (ready.length ? Promise.resolve(ready.shift()) : new Promise((resolve) => wanted.push(resolve))),
  };
}

async function main(url) {
  const connection = await amqplib.connect(url);
  const channel = await connection.createConfirmChannel();

  await channel.assertExchange('logs', 'topic', { durable: true });
  await channel.assertExchange('copies', 'fanout', { durable: false });
  await channel.bindExchange('copies', 'logs', 'web.*');
  const { queue } = await channel.assertQueue('', { exclusive: true });
  check('server-named queue', queue.startsWith('amq.gen-'), true);
  const declared = await channel.assertQueue('q', { durable: true, arguments: { 'x-single-active-consumer': true } });
  check('durable queue', declared, { queue: 'q', messageCount: 0, consumerCount: 0 });
  await channel.bindQueue('q', 'logs', '#');
  await channel.bindQueue(queue, 'copies', '');

  const headers = { disk: 'sda', used: 99, nested: { list: [1, 'two', null, true] } };
  channel.publish('logs', 'web.1', Buffer.from('hello'), { persistent: true, appId: 'web-1', headers });
  await channel.waitForConfirms();
  console.log('ok confirmed');

  const returned = once(channel, 'return');
  channel.publish('amq.direct', 'nobody', Buffer.from('back'), { mandatory: true });
  const [message] = await returned;
  await channel.waitForConfirms();
  check('mandatory message', [message.fields.replyCode, message.content.toString()], [312, 'back']);

  const got = await channel.get(queue);
  check('get through two exchanges', got.content.toString(), 'hello');
  check('properties', [got.properties.headers, got.properties.appId], [headers, 'web-1']);
  channel.ack(got);
  check('get from an empty queue', await channel.get(queue), false);

  check('purge', await channel.purgeQueue('q'), { messageCount: 1 });
  for (const body of ['0', '1', '2', '3']) channel.sendToQueue('q', Buffer.from(body));
  await channel.waitForConfirms();

  const first = await connection.createChannel();
  await first.prefetch(2);
  const active = inbox();
  await first.consume('q', active.push, { consumerTag: 'first' });
  const [zero, one] = [await active.next(), await active.next()];
  check('first deliveries', [zero, one].map((message) => message.content.toString()), ['0', '1']);
  check('prefetch', (await channel.checkQueue('q')).messageCount, 2);
  first.nack(zero, false, true);
  const again = await active.next();
  check('requeued first', [again.content.toString(), again.fields.redelivered], ['0', true]);

  const waiting = inbox();
  await channel.consume('q', waiting.push, { consumerTag: 'second' });
  first.ack(one);
  const two = await active.next();
  check('the first consumer is the active one', two.content.toString(), '2');
  await first.close();
  const inherited = [await waiting.next(), await waiting.next(), await waiting.next()];
  check(
    'the second inherits',
    inherited.map((message) => [message.content.toString(), message.fields.redelivered]),
    [['0', true], ['2', true], ['3', false]],
  );
  channel.ack(inherited[2], true);

  await channel.deleteQueue('q');
  check('cancelled by the broker', await waiting.next(), null);

  await refused(connection, 'no such queue', 404, (channel) => channel.checkQueue('q'));
  await refused(connection, 'another type', 406, (channel) => channel.assertExchange('logs', 'direct'));
  await refused(connection, 'reserved name', 403, (channel) => channel.assertQueue('amq.mine'));

  const other = await amqplib.connect(url);
  other.on('error', () => {});
  await refused(other, 'exclusive queue', 405, (channel) => channel.checkQueue(queue));
  const closed = once(other, 'error');
  const limited = await other.createChannel();
  limited.on('error', () => {});
  limited.assertQueue('limited', { maxPriority: 1 }).catch(() => {});
  const [error] = await closed;
  check('unimplemented argument', error.code, 540);
  await connection.close();
}

main(process.argv[2]).catch((error) => {
  console.log(`FAILED ${error.stack}`);
  process.exit(1);
});
