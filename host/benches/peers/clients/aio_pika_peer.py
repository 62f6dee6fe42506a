"""What a Python program does with aio-pika: counts the logs of a queue, or publishes logs with confirms.

Logs are published by the window: all of one at once, and the next when all are confirmed.
"""

import asyncio
from datetime import datetime, timezone

import aio_pika

from common import BODY, EVERY, PREFETCH, SOURCE, Stopwatch, arguments, ids


async def consume(connection, options):
    channel = await connection.channel()
    queue = await channel.get_queue(options.queue, ensure=False)
    counted = 0
    done = asyncio.get_running_loop().create_future()

    async def count(message):
        nonlocal counted
        counted += 1
        # Others are counted while this one is acknowledged.
        number = counted
        if number > options.logs:
            return
        if number % EVERY == 0 or number == options.logs:
            await message.ack(multiple=True)
        if number == options.logs:
            done.set_result(None)

    watch = Stopwatch()
    await channel.set_qos(prefetch_count=PREFETCH)
    await queue.consume(count)
    await done
    watch.report("aio-pika", options.logs)


async def publish(connection, options):
    channel = await connection.channel(publisher_confirms=True)
    exchange = await channel.get_exchange(options.exchange, ensure=False)
    numbered = ids()

    async def send():
        now = datetime.now(timezone.utc)
        message = aio_pika.Message(
            BODY,
            content_type="text/plain",
            content_encoding="utf-8",
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=next(numbered),
            timestamp=now,
            headers={"timestamp_in_ms": int(now.timestamp() * 1000)},
            app_id=SOURCE,
        )
        await exchange.publish(message, SOURCE, mandatory=True)

    watch = Stopwatch()
    for sent in range(0, options.logs, options.window):
        await asyncio.gather(*(send() for _ in range(min(options.window, options.logs - sent))))
    watch.report("aio-pika", options.logs)


async def main():
    options = arguments(__doc__)
    async with await aio_pika.connect(options.broker) as connection:
        await {"consume": consume, "publish": publish}[options.command](connection, options)


if __name__ == "__main__":
    asyncio.run(main())
