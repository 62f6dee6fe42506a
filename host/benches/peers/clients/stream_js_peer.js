// What a Node program does with rabbitmq-stream-js-client: counts the logs of a stream from its first.
// node stream_js_peer.js consume --broker URL --queue NAME --logs N
// Prints a line of JSON with what it took.
'use strict';

const { parseArgs } = require('node:util');
const { connect, Offset } = require('rabbitmq-stream-js-client');
const { creditsOnChunkReceived } = require('rabbitmq-stream-js-client/dist/consumer_credit_policy');

const CREDIT = 50;

async function main() {
  const { values } = parseArgs({
    allowPositionals: true,
    options: { broker: { type: 'string' }, queue: { type: 'string' }, logs: { type: 'string' } },
  });
  const { hostname, port, username, password, pathname } = new URL(values.broker);
  const vhost = decodeURIComponent(pathname.slice(1));
  const client = await connect({ hostname, port: Number(port), username, password, vhost });
  const logs = Number(values.logs);
  const [wall, cpu] = [process.hrtime.bigint(), process.cpuUsage()];
  let counted = 0;
  await new Promise((done, failed) => {
    const count = () => {
      counted += 1;
      if (counted === logs) done();
    };
    const options = { stream: values.queue, offset: Offset.first(), creditPolicy: creditsOnChunkReceived(CREDIT, 1) };
    client.declareConsumer(options, count).catch(failed);
  });
  const seconds = Number(process.hrtime.bigint() - wall) / 1e9;
  const { user, system } = process.cpuUsage(cpu);
  console.log(JSON.stringify({ peer: 'stream-js', logs, seconds, cpu_seconds: (user + system) / 1e6 }));
  process.exit(0);
}

main().catch((error) => {
  console.error(error.stack);
  process.exit(1);
});
