"""What comes of the runs, as plain data: what `--format json` writes and `--show` reads."""

import os
import platform
import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypedDict

from .arguments import Options
from .comparison import Comparison
from .measurement import Sample
from .names import BROKER4, CONSUME, PUBLISH, TARGET, Environment, Work
from .peer import Peer
from .ratios import Ratio, ratio, spread
from .targets import TARGETS

# What each kind of work is set against in the tables.
REFERENCES: dict[Work, str] = {CONSUME: "lapin-bursts", PUBLISH: "lapin-window"}


def reference_of(peer: Peer, environment: Environment) -> str:
    """What a peer is set against."""
    return "lapin-classic" if environment == BROKER4 else REFERENCES[peer.work]


class Compared(TypedDict, total=False):
    """What a peer has, if it is compared with anything, and measured from outside."""

    # Where its reference has run too.
    rate_ratio: Ratio
    cpu_ratio: Ratio
    # Of a peer that does not measure itself: the runs with a single log.
    starts: list[dict[str, Any]]


class Row(Compared):
    """A peer, in one environment."""

    peer: str
    title: str
    work: Work
    logs: int
    logs_per_second: float
    cpu_us_per_log: float
    server_cpu_us_per_log: float | None
    stored_cpu_us_per_log: float | None
    stored_octets_per_log: float | None
    spread_of_rate: float
    spread_of_cpu: float
    rounds: list[dict[str, Any]]


class EnvironmentResult(TypedDict):
    """What was done in one environment."""

    environment: Environment
    peers: list[Row]
    # Of those that may fail: which have, and why.
    failures: list[str]


class TargetResult(TypedDict):
    """A ratio that is wanted, and what it is."""

    what: str
    environment: Environment
    ratio: Ratio
    bound: str
    verdict: str


class Noise(TypedDict):
    """How quiet the machine was."""

    others: float
    others_at_worst: float
    spread_of_rate: float
    spread_of_cpu: float


class MachineResult(TypedDict):
    """Where it was done."""

    processors: int | None
    processor: str
    rabbitmq: str | None


class Result(TypedDict):
    """Everything that is shown."""

    machine: MachineResult
    rounds: int
    logs: int
    noise: Noise
    environments: list[EnvironmentResult]
    targets: list[TargetResult]


def evaluate(comparisons: Sequence[Comparison], options: Options) -> Result:
    """Everything that is shown."""
    environments: list[EnvironmentResult] = [
        {
            "environment": comparison.environment,
            "peers": [row(comparison, peer) for peer in comparison.peers],
            "failures": list(comparison.failures.values()),
        }
        for comparison in comparisons
    ]
    everything = [s for comparison in comparisons for mine in comparison.samples.values() for s in mine]
    rows = [row for environment in environments for row in environment["peers"]]
    return {
        "machine": machine(),
        "rounds": options.rounds,
        "logs": options.logs,
        "noise": {
            "others": statistics.median(s.others for s in everything),
            "others_at_worst": max(s.others for s in everything),
            "spread_of_rate": statistics.median(row["spread_of_rate"] for row in rows),
            "spread_of_cpu": statistics.median(row["spread_of_cpu"] for row in rows),
        },
        "environments": environments,
        "targets": [target for comparison in comparisons for target in targets(comparison)],
    }


def row(comparison: Comparison, peer: Peer) -> Row:
    """What one peer took."""
    mine = comparison.samples[peer.key]
    rates, cpus = [s.value("rate") for s in mine], [s.value("cpu") for s in mine]
    servers = [s.server_cpu_seconds / s.logs for s in mine if s.server_cpu_seconds is not None]
    stored = [s.stored for s in mine if s.stored is not None]
    result: Row = {
        "peer": peer.key,
        "title": peer.title,
        "work": peer.work,
        "logs": mine[0].logs,
        "logs_per_second": statistics.median(rates),
        "cpu_us_per_log": statistics.median(cpus) * 1e6,
        "server_cpu_us_per_log": median([1e6 * server for server in servers]),
        "stored_cpu_us_per_log": median([s.cpu_seconds / s.logs * 1e6 for s in stored]),
        "stored_octets_per_log": median([s.octets / s.logs for s in stored]),
        "spread_of_rate": spread(rates),
        "spread_of_cpu": spread(cpus),
        "rounds": plain(mine),
    }
    if peer.key in comparison.starts:
        result["starts"] = plain(comparison.starts[peer.key])
    if reference := comparison.samples.get(reference_of(peer, comparison.environment)):
        result["rate_ratio"] = ratio(mine, reference, "rate")
        result["cpu_ratio"] = ratio(mine, reference, "cpu")
    return result


def median(values: Sequence[float]) -> float | None:
    """The median, if there are values."""
    return statistics.median(values) if values else None


def plain(samples: Sequence[Sample]) -> list[dict[str, Any]]:
    """The runs themselves."""
    return [asdict(sample) for sample in samples]


def targets(comparison: Comparison) -> list[TargetResult]:
    """The targets of an environment, as far as both of their peers have run."""
    samples = comparison.samples
    results: list[TargetResult] = []
    for target in TARGETS:
        if target.environment == comparison.environment and target.peer in samples and target.to in samples:
            of_them = ratio(samples[target.peer], samples[target.to], target.of)
            results.append(
                {
                    "what": target.what,
                    "environment": target.environment,
                    "ratio": of_them,
                    "bound": target.bound(),
                    "verdict": target.verdict(of_them),
                }
            )
    return results


def machine() -> MachineResult:
    """This one."""
    processor = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    roots = [Path("/"), Path(os.environ.get("LOGHOST_RABBITMQ4_ROOT", TARGET / "rabbitmq4"))]
    brokers = [found for root in roots for found in root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*")]
    return {
        "processors": os.cpu_count(),
        "processor": processor[1] if processor else platform.machine(),
        "rabbitmq": " and ".join(broker.name.rpartition("-")[2] for broker in brokers) or None,
    }
