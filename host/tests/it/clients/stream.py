"""Publishes to a stream through the stream protocol: PORT STREAM, and then any number of KIND N, of which KIND is `plain`, for
N messages, `none` or `gzip`, for N messages in one batch of that compression, or `bad`, for N in one whose bytes are no gzip. Prints how
many were confirmed."""

import asyncio
import sys

from rstream import AMQPMessage, CompressionType, Producer, Properties, compression

KINDS = {"none": CompressionType.No, "gzip": CompressionType.Gzip, "bad": CompressionType.Gzip}
COMPRESS = compression.GzipCompressionCodec.compress


def compress(codec, messages):
    COMPRESS(codec, messages)
    if b"bad 0" in bytes(messages[0]):
        codec.buffer = bytes(len(codec.buffer))


compression.GzipCompressionCodec.compress = compress


def messages(kind, n):
    named = lambda i: Properties(message_id=f"{kind}-{i}", group_id="py", creation_time=1_700_000_000_000)
    return [AMQPMessage(body=f"{kind} {i}".encode(), properties=named(i)) for i in range(n)]


async def main(port, stream, *parts):
    published, confirmed, expected = 0, asyncio.Semaphore(0), 0

    async def confirm(status):
        if status.is_confirmed:
            confirmed.release()

    async with Producer("127.0.0.1", int(port), username="guest", password="guest") as producer:
        for kind, n in zip(parts[::2], map(int, parts[1::2])):
            if kind == "plain":
                await producer.send_batch(stream, messages(kind, n), on_publish_confirm=confirm)
                expected += n
            else:
                await producer.send_sub_entry(
                    stream, messages(kind, n), compression_type=KINDS[kind], on_publish_confirm=confirm
                )
                expected += 1
            published += n
        for _ in range(expected):
            await asyncio.wait_for(confirmed.acquire(), 30)
    print(f"published {published}")


asyncio.run(main(*sys.argv[1:]))
