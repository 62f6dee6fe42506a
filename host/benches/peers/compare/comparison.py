"""The runs of all peers in one environment, interleaved."""

import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from .arguments import Options
from .commands import Failed, output, say
from .measurement import Sample, Stored, run_once
from .names import ALONE, CLIENTS, CONSUME, FULL, PEERS, PREFIX, SEVERITIES, Environment
from .peer import STREAM_FACTOR, Peer
from .server import Server
from .tools import Tools


class Comparison:
    """Runs the peers in one environment, again and again."""

    def __init__(
        self, environment: Environment, server: Server, peers: Sequence[Peer], tools: Tools, scratch: Path, options: Options
    ) -> None:
        self.environment, self.server, self.peers, self.tools = environment, server, peers, tools
        self.scratch, self.options = scratch, options
        node_path = str(CLIENTS / "node_modules")
        self.variables = os.environ | {"NODE_PATH": node_path, "PYTHONDONTWRITEBYTECODE": "1"}
        self.samples: dict[str, list[Sample]] = {peer.key: [] for peer in peers}
        # What it took to fill the streams of a prefix.
        self.streams: dict[str, Stored | None] = {}
        self.starts: dict[str, list[Sample]] = {peer.key: [] for peer in peers if not peer.measures_itself}
        # Why peers that may fail have failed.
        self.failures: dict[str, str] = {}

    def run(self) -> None:
        """All rounds; nothing is left on the broker. A peer that may fail, and does, is none of them then."""
        try:
            for number in range(self.options.rounds):
                say(f"{self.environment}: round {number + 1} of {self.options.rounds}")
                self.round(number)
        finally:
            if self.environment != ALONE:
                for prefix in (PREFIX, FULL):
                    names = [f"{prefix}.{name}" for name in (*SEVERITIES, "dead")]
                    self.lapin("delete", *(part for name in names for part in ("--queue", name, "--exchange", name)))
        self.peers = [peer for peer in self.peers if peer.key not in self.failures]
        self.samples = {key: samples for key, samples in self.samples.items() if key not in self.failures}
        for key, starts in self.starts.items():
            if key in self.failures:
                continue
            seconds = statistics.median(start.seconds for start in starts)
            cpu_seconds = statistics.median(start.cpu_seconds for start in starts)
            self.samples[key] = [sample.less(seconds, cpu_seconds) for sample in self.samples[key]]

    def round(self, number: int) -> None:
        """Every peer once, beginning with another in every round."""
        first = number % len(self.peers)
        for peer in [*self.peers[first:], *self.peers[:first]]:
            if peer.key in self.failures:
                continue
            try:
                if not peer.measures_itself:
                    self.starts[peer.key].append(self.sample(peer, 1))
                self.samples[peer.key].append(self.sample(peer, peer.logs(self.environment, self.options.logs)))
            except Failed as error:
                if not peer.may_fail:
                    raise
                self.failures[peer.key] = f"{peer.title}: {reason(error)}"

    def sample(self, peer: Peer, logs: int) -> Sample:
        """Runs a peer, once more if it fails: an hour of runs is not to be lost to one."""
        try:
            return self.try_sample(peer, logs)
        except Failed as error:
            say(f"{error}\nonce more")
            return self.try_sample(peer, logs)

    def try_sample(self, peer: Peer, logs: int) -> Sample:
        """Runs a peer, on queues that are new, or on streams that were filled before."""
        if self.environment == ALONE:
            return self.run_once(peer, logs)
        try:
            stored = self.stored(peer, logs)
            # What it has yet to do with these logs is not the peer's.
            time.sleep(self.options.rest)
            return replace(self.run_once(peer, logs), stored=stored)
        finally:
            queues = [part for name in peer.queues for part in ("--queue", name, "--queue", f"{name}.dead")]
            self.lapin("delete", *queues)

    def stored(self, peer: Peer, logs: int) -> Stored | None:
        """Stores what a peer is to consume; what that took, of the server."""
        if peer.work != CONSUME:
            return self.fill(peer, peer.queues, 0)
        if peer.queue_type != "stream":
            return self.fill(peer, peer.queues, logs)
        if peer.prefix not in self.streams:
            say(f"filling the streams of {peer.prefix}")
            streams = {f"{peer.prefix}.{name}": [f"{peer.prefix}.{name}"] for name in SEVERITIES}
            self.streams[peer.prefix] = self.fill(peer, streams, self.options.logs * STREAM_FACTOR)
        stored = self.streams[peer.prefix]
        return stored and replace(stored, copies=peer.copies)

    def fill(self, peer: Peer, queues: Mapping[str, Sequence[str]], logs: int) -> Stored | None:
        """Makes queues, and publishes so many logs to each of a peer's sources."""
        cpu, disk = self.server.cpu(), self.server.disk()
        binds = [part for name, to in queues.items() for part in ("--bind", f"{name}={','.join(to)}")]
        sources = [part for name in peer.sources for part in ("--exchange", name)]
        by_lapin = 0 if peer.prefix == FULL else logs
        self.lapin("fill", "--queue-type", peer.queue_type, *binds, *sources, "--logs", str(by_lapin))
        if peer.prefix == FULL and self.tools.python and self.server.streams:
            client = PEERS / "clients/rstream_peer.py"
            publish: list[str | Path] = [self.tools.python, client, "publish", "--broker", self.server.streams]
            for name in peer.sources:
                output(*publish, "--exchange", name, "--logs", str(logs))
        cpu_after, disk_after = self.server.cpu(), self.server.disk()
        if cpu is None or disk is None or cpu_after is None or disk_after is None:
            return None
        return Stored(max(logs * len(peer.sources), 1), cpu_after - cpu, disk_after - disk, peer.copies)

    def run_once(self, peer: Peer, logs: int) -> Sample:
        """Runs a peer, here."""
        return run_once(peer, self.server, logs, self.scratch, self.variables)

    def lapin(self, command: str, *arguments: str) -> None:
        """Fills queues, and deletes what there is on the broker."""
        output(self.tools.lapin_peer, "--broker", self.server.url, command, *arguments)


def reason(error: Failed) -> str:
    """The line of what a program has written that says why it has failed."""
    lines = [line.strip() for line in str(error).splitlines()[1:]]
    return next((line for line in lines if line.split(":")[0].endswith("Error")), str(error).splitlines()[0])
