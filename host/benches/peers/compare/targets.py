"""What the ratios of two peers have to be."""

from dataclasses import dataclass

from .measurement import Figure
from .names import ALONE, BROKER, BROKER4, Environment
from .ratios import Ratio


@dataclass(frozen=True)
class Target:
    """What a ratio of two peers has to be."""

    what: str
    environment: Environment
    peer: str
    to: str
    of: Figure
    # At most one of them.
    at_most: float | None = None
    at_least: float | None = None

    def bound(self) -> str:
        """In words."""
        if self.at_most is not None:
            return f"<= {self.at_most:g}"
        return f">= {self.at_least:g}" if self.at_least is not None else "(no bound)"

    def reached_by(self, ratio: float) -> bool:
        """Whether a ratio is within the bound."""
        if self.at_most is not None:
            return ratio <= self.at_most
        return self.at_least is None or ratio >= self.at_least

    def verdict(self, ratio: Ratio) -> str:
        """In words; nothing where there is no bound."""
        if self.at_most is None and self.at_least is None:
            return ""
        low, middle, high = map(self.reached_by, ratio)
        verdict = "reached" if middle else "missed"
        return verdict if low == high else f"{verdict}, within the noise"


TARGETS = [
    Target("counting, CPU to lapin in bursts", BROKER, "loghost-counting", "lapin-bursts", "cpu", at_most=1.15),
    Target("processor, CPU to lapin in bursts", BROKER, "loghost-processor", "lapin-bursts", "cpu", at_most=1.15),
    Target("counting, CPU to pika", BROKER, "loghost-counting", "pika-consume", "cpu", at_most=0.4),
    Target("processor, CPU to pika", BROKER, "loghost-processor", "pika-consume", "cpu", at_most=0.4),
    Target("four consumers, CPU to four lapin loops", BROKER, "loghost-four", "lapin-four", "cpu", at_most=1.0),
    Target("counting by --bind, CPU to counting", BROKER, "loghost-bind", "loghost-counting", "cpu", at_most=1.1),
    Target("counting, wall time to C", BROKER, "loghost-counting", "c-consume", "wall"),
    Target("processor, wall time to C", BROKER, "loghost-processor", "c-consume", "wall"),
    Target("--state, logs/s to without", BROKER, "loghost-state", "loghost-counting", "rate", at_least=0.8),
    Target("publish, logs/s to lapin", BROKER, "loghost-publish", "lapin-window", "rate", at_least=1.0),
    Target("publish, CPU to lapin", BROKER, "loghost-publish", "lapin-window", "cpu", at_most=1.15),
    Target(
        "counting, logs/s to lapin by delivery", ALONE, "loghost-counting", "lapin-deliveries", "rate", at_least=1.4
    ),
    Target(
        "processor, logs/s to lapin by delivery", ALONE, "loghost-processor", "lapin-deliveries", "rate", at_least=1.25
    ),
    Target("counting, CPU to lapin in bursts", ALONE, "loghost-counting", "lapin-bursts", "cpu"),
    Target("processor, CPU to lapin in bursts", ALONE, "loghost-processor", "lapin-bursts", "cpu"),
    Target("counting by --bind, CPU to counting", ALONE, "loghost-bind", "loghost-counting", "cpu", at_most=1.1),
    Target("four consumers, CPU to four lapin loops", ALONE, "loghost-four", "lapin-four", "cpu"),
    Target("--state, logs/s to without", ALONE, "loghost-state", "loghost-counting", "rate", at_least=0.8),
    Target("publish, logs/s to lapin", ALONE, "loghost-publish", "lapin-window", "rate", at_least=1.0),
    Target("publish, CPU to lapin", ALONE, "loghost-publish", "lapin-window", "cpu", at_most=1.15),
    Target(
        "stream, CPU to lapin on classic", BROKER4, "loghost-counting-stream", "lapin-classic", "cpu", at_most=0.125
    ),
    Target("stream, logs/s to C on classic", BROKER4, "loghost-counting-stream", "c-classic", "rate", at_least=2.5),
    Target("full chunks, logs/s to C on classic", BROKER4, "loghost-counting-full", "c-classic", "rate", at_least=8),
    Target(
        "stream, processor, CPU to lapin on classic",
        BROKER4,
        "loghost-processor-stream",
        "lapin-classic",
        "cpu",
        at_most=0.25,
    ),
    Target(
        "four consumers of streams, broker's CPU to classic",
        BROKER4,
        "loghost-four-stream",
        "loghost-four-classic",
        "server",
        at_most=1 / 3,
    ),
    Target(
        "stream, --state, logs/s to without",
        BROKER4,
        "loghost-state-stream",
        "loghost-counting-stream",
        "rate",
        at_least=0.9,
    ),
    Target(
        "replay, logs/s to run on a stream",
        BROKER4,
        "loghost-replay-stream",
        "loghost-counting-stream",
        "rate",
        at_least=0.9,
    ),
    Target(
        "full chunks, --state, logs/s to without",
        BROKER4,
        "loghost-state-full",
        "loghost-counting-full",
        "rate",
        at_least=0.9,
    ),
    Target(
        "full chunks, replay, logs/s to run",
        BROKER4,
        "loghost-replay-full",
        "loghost-counting-full",
        "rate",
        at_least=0.9,
    ),
]
