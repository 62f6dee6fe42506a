"""What the peers are connected to, and what it takes of the processors."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .commands import Failed, say
from .names import ALONE, INFO, Place
from .tools import Tools


@dataclass(frozen=True)
class Server:
    """A process that serves."""

    url: str
    # None if it is somebody else's.
    pid: int | None

    def cpu(self) -> float | None:
        """The seconds that it has taken so far; none if it is somebody else's."""
        if self.pid is None:
            return None
        stat = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def serving(place: Place, broker: str | None, tools: Tools) -> Iterator[Server]:
    """The server of a place, which is the broker that was named, or started."""
    if place == ALONE:
        with started(tools.firehose, "--until-eof", "--exchange", INFO) as server:
            yield server
    elif tools.rabbitmq_node:
        say("starting RabbitMQ")
        with started(tools.rabbitmq_node) as server:
            yield server
    elif broker:
        yield Server(broker, None)


@contextlib.contextmanager
def started(*command: str | Path) -> Iterator[Server]:
    """A process that prints its URL, and the id of the process that serves if that is another one.

    It ends with its standard input, even if nobody is left to end it.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True) as process:
        line = process.stdout.readline().split() if process.stdout else None
        if not line:
            raise Failed(f"{command[0]} does not start")
        url, pid = line[0], int(line[1]) if line[1:] else process.pid
        yield Server(url, pid)
