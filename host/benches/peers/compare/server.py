"""A process that the peers are connected to: what it takes of the processors, and of the disk."""

import os
from dataclasses import dataclass
from pathlib import Path

from .commands import output


@dataclass(frozen=True)
class Server:
    """A process that serves."""

    url: str
    # None if it is somebody else's.
    pid: int | None
    # Where it speaks the stream protocol, if it does.
    streams: str | None = None

    def cpu(self) -> float | None:
        """The seconds that it has taken so far; none if it is somebody else's."""
        if self.pid is None:
            return None
        stat = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def disk(self) -> int | None:
        """The bytes on the disk that a node of RabbitMQ stores its queues in; none if it is somebody else's."""
        if self.pid is None:
            return None
        process = Path(f"/proc/{self.pid}")
        variables = dict(pair.partition("=")[::2] for pair in (process / "environ").read_text().split("\0"))
        # As the process sees it, which may be in a root of its own.
        folder = process / "root" / variables["RABBITMQ_MNESIA_BASE"].lstrip("/")
        return int(output("du", "-s", "--block-size=1", f"{folder}/").split()[0])
