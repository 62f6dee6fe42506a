"""The command line."""

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import __doc__ as description
from .names import ALONE, BROKER, BROKER4, CONSUME, PUBLISH, Environment, Work
from .peer import ALONE_FACTOR, STREAM_FACTOR, Peer

Format = Literal["text", "markdown", "json"]


@dataclass(frozen=True)
class Options:
    """What is to be compared, and how it is shown."""

    rounds: int
    logs: int
    only: re.Pattern[str]
    # None: in all, and both.
    environment: Environment | None
    work: Work | None
    loghost: Path | None
    processor: Path | None
    broker: str | None
    rest: float
    format: Format
    show: Path | None

    def wants(self, environment: Environment) -> bool:
        """Whether anything is to be done there."""
        return self.environment in (None, environment)

    def chooses(self, peer: Peer, environment: Environment) -> bool:
        """Whether this peer is to run there."""
        named = self.only.search(peer.key) or self.only.search(peer.title)
        return named is not None and self.work in (None, peer.work) and environment in peer.environments


def parse() -> Options:
    """What the command line asks for; ends the process where it is wrong."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="how often each peer runs (15)")
    parser.add_argument(
        "--logs",
        type=int,
        default=50_000,
        metavar="N",
        help=f"per run; alone {ALONE_FACTOR} times as many, of a stream {STREAM_FACTOR} times (50000)",
    )
    parser.add_argument("--quick", action="store_true", help="3 rounds of few logs, for a look")
    parser.add_argument(
        "--only", type=re.compile, default="", metavar="REGEX", help="the peers with such keys or titles"
    )
    environments: dict[str, Environment] = {environment.lower(): environment for environment in (ALONE, BROKER, BROKER4)}
    parser.add_argument("--environment", choices=environments, help="only there")
    parser.add_argument("--work", choices=[CONSUME, PUBLISH], help="only that")
    parser.add_argument("--loghost", type=Path, metavar="PATH", help="a loghost that is built already")
    parser.add_argument("--processor", type=Path, metavar="PATH", help="a plugin that reads every log")
    parser.add_argument("--broker", metavar="URL", help="a broker that runs already, instead of a private RabbitMQ")
    parser.add_argument("--rest", type=float, default=0.5, metavar="S", help="rest after filling a queue (0.5 s)")
    parser.add_argument("--format", choices=["text", "markdown", "json"], default="text")
    parser.add_argument("--show", type=Path, metavar="FILE", help="run nothing; show what --format json has written")
    given = vars(parser.parse_args())
    if given.pop("quick"):
        given |= {"rounds": 3, "logs": 10_000}
    given["environment"] = environments.get(given["environment"])
    return Options(**given)
