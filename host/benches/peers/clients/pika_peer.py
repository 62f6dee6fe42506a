"""What a Python program does with pika: counts the logs of a queue, or publishes logs with confirms.

Consuming is a callback of `BlockingConnection`, as in pika's own examples. That connection waits for the
confirm of each log that it publishes; a window of them takes `SelectConnection`, which is used here.
"""

import time

import pika

from common import BODY, EVERY, PREFETCH, SOURCE, Stopwatch, arguments, ids


def consume(options):
    connection = pika.BlockingConnection(pika.URLParameters(options.broker))
    channel = connection.channel()
    counted = 0

    def count(_channel, method, _properties, _body):
        nonlocal counted
        counted += 1
        if counted % EVERY == 0 or counted == options.logs:
            channel.basic_ack(method.delivery_tag, multiple=True)
        if counted == options.logs:
            # Not `stop_consuming`, which would hand out and requeue what has been sent beyond.
            watch.report("pika", counted)
            connection.close()

    watch = Stopwatch()
    channel.basic_qos(prefetch_count=PREFETCH)
    channel.basic_consume(options.queue, count)
    try:
        channel.start_consuming()
    except pika.exceptions.ConnectionClosed:
        pass


class Publisher:
    """Publishes from the callbacks of pika's loop, as many as the window allows."""

    def __init__(self, options):
        self.options = options
        self.ids = ids()
        self.sent = 0
        # All up to this one are confirmed, and those.
        self.confirmed = 0
        self.beyond = set()
        self.error = None
        self.connection = pika.SelectConnection(
            pika.URLParameters(options.broker),
            on_open_callback=lambda connection: connection.channel(on_open_callback=self.opened),
            on_open_error_callback=lambda _connection, error: self.stop(error),
            on_close_callback=lambda connection, _reason: connection.ioloop.stop(),
        )

    def run(self):
        self.connection.ioloop.start()
        if self.error:
            raise SystemExit(f"not published: {self.error}")

    def stop(self, error):
        self.error = error
        self.connection.ioloop.stop()

    def opened(self, channel):
        self.channel = channel
        channel.add_on_close_callback(lambda _channel, reason: self.closed(reason))
        channel.add_on_return_callback(lambda *_returned: self.stop("a log came back"))
        channel.confirm_delivery(self.answered, callback=lambda _ok: self.begin())

    def closed(self, reason):
        if self.confirmed < self.options.logs:
            self.stop(reason)

    def begin(self):
        self.watch = Stopwatch()
        self.fill()

    def fill(self):
        end = min(self.options.logs, self.confirmed + self.options.window)
        while self.sent < end:
            self.sent += 1
            now = time.time_ns() // 1_000_000
            properties = pika.BasicProperties(
                content_type="text/plain",
                content_encoding="utf-8",
                delivery_mode=2,
                message_id=next(self.ids),
                timestamp=now // 1000,
                headers={"timestamp_in_ms": now},
                app_id=SOURCE,
            )
            self.channel.basic_publish(self.options.exchange, SOURCE, BODY, properties, mandatory=True)

    def answered(self, frame):
        if isinstance(frame.method, pika.spec.Basic.Nack):
            self.stop("refused")
            return
        tag = frame.method.delivery_tag
        if frame.method.multiple:
            self.confirmed = max(self.confirmed, tag)
            self.beyond = {number for number in self.beyond if number > tag}
        else:
            self.beyond.add(tag)
        while self.confirmed + 1 in self.beyond:
            self.confirmed += 1
            self.beyond.remove(self.confirmed)
        if self.confirmed == self.options.logs:
            self.watch.report("pika", self.sent)
            self.connection.close()
        else:
            self.fill()


def main():
    options = arguments(__doc__)
    if options.command == "consume":
        consume(options)
    else:
        Publisher(options).run()


if __name__ == "__main__":
    main()
