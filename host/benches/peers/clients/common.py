"""What the peers written in Python and the comparison share: arguments, the log that is carried, and the report."""

import argparse
import json
import os
import time
from collections.abc import Iterator

PREFETCH = 1000
EVERY = 200
# How many may be unconfirmed.
WINDOW = 2048
SOURCE = "web"
BODY = (
    b"GET /api/v1/orders/1048576?expand=items,customer HTTP/1.1 200 5120 bytes in 23 ms, client 192.0.2.17, "
    b"session 7f3a9c50e1"
)


def arguments(description: str | None) -> argparse.Namespace:
    """What a peer is told to do."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("command", choices=["consume", "publish"])
    parser.add_argument("--broker", default="amqp://guest:guest@127.0.0.1:5672/%2f", metavar="URL")
    parser.add_argument("--queue", help="what to consume", metavar="NAME")
    parser.add_argument("--exchange", default="logs.info", help="where to publish", metavar="NAME")
    parser.add_argument("--logs", type=int, required=True, metavar="N")
    parser.add_argument("--window", type=int, default=WINDOW, help="how many may be unconfirmed", metavar="N")
    return parser.parse_args()


def ids() -> Iterator[str]:
    """The message ids of a producer that is no other's, its name as long as those that loghost makes."""
    producer = f"{time.time_ns() // 1000:016x}{os.getpid():016x}"
    number = 0
    while True:
        number += 1
        yield f"loghost:{producer}/{number}"


class Stopwatch:
    """Measures a part of a run: the time on the wall, and the processor time of the process."""

    def __init__(self) -> None:
        self.wall = time.perf_counter()
        self.cpu = time.process_time()

    def report(self, peer: str, logs: int) -> None:
        """Prints what dealing with so many logs took."""
        seconds = time.perf_counter() - self.wall
        cpu_seconds = time.process_time() - self.cpu
        print(json.dumps({"peer": peer, "logs": logs, "seconds": seconds, "cpu_seconds": cpu_seconds}))
