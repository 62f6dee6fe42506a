"""Publishes logs without ids twice, with the same texts: to an exchange that leads to queues, and for a stream. PORT is where
the broker speaks the stream protocol, WAY either `amqp`, which publishes to the stream's exchange, or `gzip`, which publishes
to the stream itself, in batches that are compressed: URL PORT WAY, and then any number of EXCHANGE STREAM N."""

import asyncio
import sys

import pika
from rstream import AMQPMessage, CompressionType, Producer

BATCH = 500


def by_amqp(channel, exchange, stream, n):
    """Publishes to the exchanges of both."""
    for i in range(n):
        text = f"log {i}".encode()
        channel.basic_publish(exchange, "db-1", text)
        channel.basic_publish(stream, "db-1", text)


async def by_gzip(channel, port, exchange, stream, n):
    """Publishes to the exchange, and to the stream itself in batches, which are confirmed."""
    confirmed = asyncio.Semaphore(0)

    async def confirm(status):
        if status.is_confirmed:
            confirmed.release()

    # One for each stream: what sends the batches of several fails where another stream is added meanwhile.
    async with Producer("127.0.0.1", port, username="guest", password="guest") as producer:
        batches = 0
        for first in range(0, n, BATCH):
            texts = [f"log {i}".encode() for i in range(first, min(first + BATCH, n))]
            for text in texts:
                channel.basic_publish(exchange, "db-1", text)
            messages = [AMQPMessage(body=text) for text in texts]
            await producer.send_sub_entry(
                stream, messages, compression_type=CompressionType.Gzip, on_publish_confirm=confirm
            )
            batches += 1
        for _ in range(batches):
            await asyncio.wait_for(confirmed.acquire(), 300)


def main(url, port, way, *parts):
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    published = 0
    for exchange, stream, n in zip(parts[::3], parts[1::3], map(int, parts[2::3])):
        if way == "amqp":
            by_amqp(channel, exchange, stream, n)
        else:
            asyncio.run(by_gzip(channel, int(port), exchange, stream, n))
        published += n
    # The broker answers when it has routed all that was sent before.
    connection.close()
    print(f"published {published}")


main(*sys.argv[1:])
