// What a Node program does with amqplib: counts the logs of a queue, or publishes logs with confirms.
// node amqplib_peer.js consume|publish --broker URL --queue NAME --exchange NAME --logs N --window N
// Prints a line of JSON with what it took.
'use strict';

const { parseArgs } = require('node:util');
const amqplib = require('amqplib');

const PREFETCH = 1000;
const EVERY = 200;
const SOURCE = 'web';
const BODY = Buffer.from(
  'GET /api/v1/orders/1048576?expand=items,customer HTTP/1.1 200 5120 bytes in 23 ms, client 192.0.2.17, ' +
    'session 7f3a9c50e1',
);

function stopwatch() {
  const wall = process.hrtime.bigint();
  const cpu = process.cpuUsage();
  return (logs) => {
    const seconds = Number(process.hrtime.bigint() - wall) / 1e9;
    const { user, system } = process.cpuUsage(cpu);
    console.log(JSON.stringify({ peer: 'amqplib', logs, seconds, cpu_seconds: (user + system) / 1e6 }));
  };
}

async function consume(connection, { queue, logs }) {
  const channel = await connection.createChannel();
  let counted = 0;
  const report = stopwatch();
  await channel.prefetch(PREFETCH);
  await new Promise((done, failed) => {
    const count = (message) => {
      if (message === null) return failed(new Error('the consumer was cancelled'));
      counted += 1;
      if (counted > logs) return;
      if (counted % EVERY === 0 || counted === logs) channel.ack(message, true);
      if (counted === logs) done();
    };
    channel.consume(queue, count).catch(failed);
  });
  report(logs);
  // A connection that is closed at once may leave the last acknowledgement unsent.
  await channel.close();
}

async function publish(connection, { exchange, logs, window }) {
  const channel = await connection.createConfirmChannel();
  const returned = new Promise((_, failed) => channel.on('return', () => failed(new Error('a log came back'))));
  // As long as the names that loghost makes.
  const producer = (Date.now() * 1000).toString(16).padStart(16, '0') + process.pid.toString(16).padStart(16, '0');
  const report = stopwatch();
  for (let sent = 0; sent < logs; ) {
    for (const end = Math.min(sent + window, logs); sent < end; ) {
      sent += 1;
      const now = Date.now();
      channel.publish(exchange, SOURCE, BODY, {
        contentType: 'text/plain',
        contentEncoding: 'utf-8',
        persistent: true,
        messageId: `loghost:${producer}/${sent}`,
        timestamp: Math.floor(now / 1000),
        headers: { timestamp_in_ms: now },
        appId: SOURCE,
        mandatory: true,
      });
    }
    await Promise.race([channel.waitForConfirms(), returned]);
  }
  report(logs);
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      broker: { type: 'string', default: 'amqp://guest:guest@127.0.0.1:5672/%2f' },
      queue: { type: 'string' },
      exchange: { type: 'string', default: 'logs.info' },
      logs: { type: 'string' },
      window: { type: 'string', default: '2048' },
    },
  });
  const options = { ...values, logs: Number(values.logs), window: Number(values.window) };
  const connection = await amqplib.connect(options.broker);
  await { consume, publish }[positionals[0]](connection, options);
  await connection.close();
}

main().catch((error) => {
  console.error(error.stack);
  process.exit(1);
});
