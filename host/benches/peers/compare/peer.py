"""What a peer is: a client, doing one kind of work."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .names import ALONE, BROKER, INFO, PREFIX, QUEUE, Environment, QueueType, Work
from .server import Server

# Alone, so much more is done: nothing has to be filled.
ALONE_FACTOR = 6
# Of a stream, so much more is read: it is filled once, and a log takes next to nothing.
STREAM_FACTOR = 6

Command = Sequence[str | Path]
# A command, given the broker, the number of logs and an empty folder.
CommandOf = Callable[[Server, int, Path], Command]


@dataclass(frozen=True)
class Peer:
    """A client, doing one kind of work."""

    key: str
    title: str
    work: Work
    command: CommandOf
    # Whether it measures itself; otherwise the process is measured, and a short run subtracted.
    measures_itself: bool = True
    # Where it runs.
    environments: Collection[Environment] = (ALONE, BROKER)
    # Of what type its queues are. Streams are shared by all that read them, and called like their exchanges.
    queue_type: QueueType = "classic"
    # What the names of the streams begin with.
    prefix: str = PREFIX
    # The queues that it consumes, and what each is bound to.
    queues: Mapping[str, Sequence[str]] = field(default_factory=lambda: {QUEUE: [INFO]})
    # Where to publish what it consumes; each gets as many logs as each queue has to give.
    sources: Sequence[str] = (INFO,)
    # How many logs it deals with for each that it is told to.
    logs_each: int = 1
    # How many of its consumers get each log.
    copies: int = 1
    # How many logs it gets, of those that others get: it need not take minutes.
    share: Mapping[Environment, float] = field(default_factory=dict)
    # Whether it is known to fail: then that is shown, and the others are compared.
    may_fail: bool = False
    # What it reads, if anything.
    stdin: Callable[[int], str] | None = None

    def logs(self, environment: Environment, logs: int) -> int:
        """How many it is told to deal with."""
        if environment == ALONE:
            logs *= ALONE_FACTOR
        if self.queue_type == "stream":
            logs *= STREAM_FACTOR
        return max(1000, round(logs * self.share.get(environment, 1)))
