"""Starting what the peers are connected to."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .commands import Failed, say
from .names import ALONE, BROKER4, INFO, Environment
from .server import Server
from .tools import Tools


@contextlib.contextmanager
def serving(environment: Environment, broker: str | None, tools: Tools) -> Iterator[Server]:
    """The server of an environment, which is the broker that was named, or started."""
    if environment == ALONE:
        with started(tools.firehose, "--until-eof", "--exchange", INFO) as server:
            yield server
    elif tools.rabbitmq_node:
        version = "4" if environment == BROKER4 else "3"
        say(f"starting RabbitMQ {version}")
        with started(tools.rabbitmq_node, version) as server:
            yield server
    elif broker:
        yield Server(broker, None)


@contextlib.contextmanager
def started(*command: str | Path) -> Iterator[Server]:
    """A process that prints its URL, the id of the process that serves if that is another one, and its URL for streams.

    It ends with its standard input, even if nobody is left to end it.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True) as process:
        line = process.stdout.readline().split() if process.stdout else None
        if not line:
            raise Failed(f"{command[0]} does not start")
        url, pid = line[0], int(line[1]) if line[1:] else process.pid
        yield Server(url, pid, *line[2:])
