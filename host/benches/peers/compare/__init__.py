"""Compares loghost with the clients that one would take instead, and prints the table of ratios.

The same work is done by a C program with librabbitmq, a bare lapin loop (taking deliveries in bursts, which
is the reference, and one by one), pika, aio-pika, amqplib, and loghost: counting, with a processor that
reads every log, with --state, with four consumers in one host, and publishing. The logs have 120 bytes and
the properties that `loghost publish` gives them, the prefetch is 1000, acknowledgements are `multiple`, and
what is published is persistent, mandatory, confirmed, with 2048 unconfirmed at most.

It is done in three environments. Alone: against `firehose`, a server that never makes a client wait, so that the
client is the limit. RabbitMQ: each run consumes a new queue, declared as loghost declares it and filled
with the same logs, or publishes into an empty one; the broker is the limit, and what counts is the CPU
that a client takes away from it. RabbitMQ4: the same with version 4, from classic queues, quorum queues and
streams, with rstream (Python), rabbitmq-stream-client (Rust) and `loghost replay` beside; a stream is
filled once, over AMQP, which makes chunks of about 20 logs, and another one through the stream protocol,
which fills its chunks. There it is also told what storing a log takes, of the broker's CPU and on its disk.

All runs are interleaved: in each round every peer runs once, in an order that rotates. Ratios are taken
within a round; shown is their median over the rounds and a 95 % interval of it, by order statistics, which
needs no assumption about the noise (under 6 rounds: the extremes).

A peer measures itself, from just before it consumes or publishes until it is done. Of loghost the whole
process is measured from outside, CPU and wall, and what the same command takes for one single log, once
in every round, is subtracted (the median): a long run less a short one would have the noise of both.

Only names that begin with `peers.`, `peers-full.` and `loghost.peers` are used on the broker, and deleted at the end.

    host/benches/peers/run --quick                  does it work?
    host/benches/peers/run                          the whole comparison, about an hour
    host/benches/peers/run --only 'lapin|loghost' --environment alone --format json
    host/benches/peers/run --environment rabbitmq4        streams beside queues
"""
