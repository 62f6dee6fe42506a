// Publishes logs as a program may that knows RabbitMQ and not loghost: URL, exchange, number of logs.
'use strict';

const amqplib = require('amqplib');

async function main([url, exchange, number]) {
    const connection = await amqplib.connect(url);
    const channel = await connection.createConfirmChannel();
    for (let n = 0; n < Number(number); n += 1) {
        channel.publish(exchange, 'db-1', Buffer.from(`disk full, ${n}`), { mandatory: true });
    }
    await channel.waitForConfirms();
    await connection.close();
    console.log(`published ${number}`);
}

main(process.argv.slice(2)).catch((error) => {
    console.error(error);
    process.exitCode = 1;
});
