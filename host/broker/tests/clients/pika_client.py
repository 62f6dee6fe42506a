"""What pika expects of a broker. Takes its URL; prints a line for each check, and fails at the first."""

import sys

import pika


def check(what, actual, expected):
    if actual != expected:
        print(f"FAILED {what}: {actual!r} instead of {expected!r}")
        sys.exit(1)
    print(f"ok {what}")


def refused(what, code, attempt):
    """`attempt` is given a channel of its own, which it will lose."""
    channel = connection.channel()
    try:
        attempt(channel)
    except pika.exceptions.ChannelClosedByBroker as error:
        check(what, error.reply_code, code)
    else:
        check(what, "accepted", code)


parameters = pika.URLParameters(sys.argv[1])
connection = pika.BlockingConnection(parameters)
channel = connection.channel()

channel.exchange_declare("logs", "topic", durable=True)
channel.exchange_declare("logs", "topic", durable=True)
channel.exchange_declare("copies", "fanout")
channel.exchange_bind("copies", "logs", "web.*")
queue = channel.queue_declare("", exclusive=True).method.queue
check("server-named queue", queue.startswith("amq.gen-"), True)
check("durable queue", channel.queue_declare("q", durable=True).method.message_count, 0)
channel.queue_bind("q", "logs", "#")
channel.queue_bind(queue, "copies")

channel.confirm_delivery()
properties = pika.BasicProperties(
    content_type="text/plain",
    delivery_mode=2,
    headers={"disk": "sda", "used": 99, "nested": {"list": [1, "two", None, True]}},
    timestamp=1767225600,
    app_id="web-1",
)
channel.basic_publish("logs", "web.1", b"hello", properties, mandatory=True)
print("ok confirmed")
try:
    channel.basic_publish("amq.direct", "nobody", b"back", mandatory=True)
    check("mandatory message", "accepted", "returned")
except pika.exceptions.UnroutableError as error:
    check("mandatory message", error.messages[0].body, b"back")

method, received, body = channel.basic_get(queue)
check("get through two exchanges", body, b"hello")
check("properties", received.__dict__, properties.__dict__)
check("routing key", (method.exchange, method.routing_key), ("logs", "web.1"))
channel.basic_ack(method.delivery_tag)
check("get from an empty queue", channel.basic_get(queue), (None, None, None))

for number in range(4):
    channel.basic_publish("", "q", b"%d" % number)
check("purge", channel.queue_purge("q").method.message_count, 5)
for number in range(4):
    channel.basic_publish("", "q", b"%d" % number)

consumer = connection.channel()
consumer.basic_qos(prefetch_count=2)
received = []
tag = consumer.basic_consume("q", lambda _, method, __, body: received.append((method, body)))
while len(received) < 2:
    connection.process_data_events(time_limit=10)
waiting = channel.queue_declare("q", passive=True).method
check("prefetch", (waiting.message_count, waiting.consumer_count), (2, 1))
consumer.basic_nack(received[0][0].delivery_tag, requeue=True)
while len(received) < 3:
    connection.process_data_events(time_limit=10)
check("requeued first", (received[2][1], received[2][0].redelivered), (b"0", True))
consumer.basic_ack(received[2][0].delivery_tag, multiple=True)
while len(received) < 5:
    connection.process_data_events(time_limit=10)
check("the rest", [body for _, body in received[3:]], [b"2", b"3"])
consumer.basic_reject(received[3][0].delivery_tag, requeue=False)
consumer.basic_cancel(tag)
consumer.close()
method, _, body = channel.basic_get("q", auto_ack=True)
check("what a closed channel held", (body, method.redelivered), (b"3", True))

cancelled = []
consumer = connection.channel()
consumer.add_on_cancel_callback(lambda frame: cancelled.append(frame.method.consumer_tag))
consumer.basic_consume("q", print, consumer_tag="mine")
channel.queue_delete("q")
while not cancelled:
    connection.process_data_events(time_limit=10)
check("cancelled by the broker", cancelled, ["mine"])

refused("no such queue", 404, lambda channel: channel.basic_get("q"))
refused("another type", 406, lambda channel: channel.exchange_declare("logs", "direct", durable=True))
refused("reserved name", 403, lambda channel: channel.queue_declare("amq.mine"))
other = pika.BlockingConnection(parameters)
try:
    other.channel().queue_declare(queue, passive=True)
    check("exclusive queue", "accepted", 405)
except pika.exceptions.ChannelClosedByBroker as error:
    check("exclusive queue", error.reply_code, 405)
try:
    other.channel().queue_declare("limited", arguments={"x-max-priority": 1})
    check("unimplemented argument", "accepted", 540)
except pika.exceptions.ConnectionClosedByBroker as error:
    check("unimplemented argument", error.reply_code, 540)
connection.close()
