"""What a Python program does with rstream: counts the logs of a stream from its first, or publishes logs with confirms.

What is published through the stream protocol fills the chunks of a stream: that is how such streams are made here.
"""

import asyncio
import time
from urllib.parse import unquote, urlsplit

from rstream import AMQPMessage, Consumer, ConsumerOffsetSpecification, OffsetType, Producer, Properties, amqp_decoder

from common import BODY, SOURCE, Stopwatch, arguments, ids

# How many chunks may be under way, and how many logs are sent at once.
CREDIT = 50
BATCH = 1000
# How long a confirm is waited for, in seconds.
LONGEST = 60


def address(url):
    parts = urlsplit(url)
    who = {"username": parts.username, "password": parts.password, "vhost": unquote(parts.path[1:])}
    return {"host": parts.hostname, "port": parts.port} | who


async def consume(options):
    counted, done = 0, asyncio.Event()

    def count(_message, _context):
        nonlocal counted
        counted += 1
        if counted == options.logs:
            watch.report("rstream", counted)
            done.set()

    async with Consumer(**address(options.broker)) as consumer:
        watch = Stopwatch()
        first = ConsumerOffsetSpecification(OffsetType.FIRST)
        await consumer.subscribe(
            options.queue, count, decoder=amqp_decoder, offset_specification=first, initial_credit=CREDIT
        )
        await done.wait()


async def publish(options):
    confirmed, message_ids = asyncio.Semaphore(0), ids()

    async def confirm(status):
        if not status.is_confirmed:
            raise SystemExit("refused")
        confirmed.release()

    def log():
        now = time.time_ns() // 1_000_000
        return AMQPMessage(
            body=BODY,
            properties=Properties(
                message_id=next(message_ids),
                group_id=SOURCE,
                creation_time=now,
                content_type="text/plain",
                content_encoding="utf-8",
            ),
            message_annotations={"x-exchange": options.exchange, "x-routing-key": SOURCE},
            application_properties={"timestamp_in_ms": now},
        )

    async with Producer(**address(options.broker)) as producer:
        watch = Stopwatch()
        for first in range(0, options.logs, BATCH):
            logs = [log() for _ in range(first, min(first + BATCH, options.logs))]
            await producer.send_batch(options.exchange, logs, on_publish_confirm=confirm)
            for _ in logs:
                await asyncio.wait_for(confirmed.acquire(), LONGEST)
        watch.report("rstream", options.logs)


def main():
    options = arguments(__doc__)
    asyncio.run(consume(options) if options.command == "consume" else publish(options))


if __name__ == "__main__":
    main()
