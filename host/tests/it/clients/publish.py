"""Publishes logs as a program may that knows RabbitMQ and not loghost: URL, exchange, number of logs."""

import sys

import pika

url, exchange, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
channel.confirm_delivery()
for n in range(number):
    channel.basic_publish(exchange, "db-1", f"disk full, {n}".encode(), mandatory=True)
connection.close()
print(f"published {number}")
