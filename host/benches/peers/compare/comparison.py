"""The runs of all peers in one place, interleaved."""

import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from .arguments import Options
from .commands import Failed, output, say
from .measurement import Sample, run_once
from .names import BROKER, CLIENTS, CONSUME, EXCHANGES, PREFIX, Place
from .peer import Peer
from .servers import Server
from .tools import Tools


class Comparison:
    """Runs the peers in one place, again and again."""

    def __init__(
        self, place: Place, server: Server, peers: Sequence[Peer], tools: Tools, scratch: Path, options: Options
    ) -> None:
        self.place, self.server, self.peers, self.tools = place, server, peers, tools
        self.scratch, self.options = scratch, options
        node_path = str(CLIENTS / "node_modules")
        self.environment = os.environ | {"NODE_PATH": node_path, "PYTHONDONTWRITEBYTECODE": "1"}
        self.samples: dict[str, list[Sample]] = {peer.key: [] for peer in peers}
        self.starts: dict[str, list[Sample]] = {peer.key: [] for peer in peers if not peer.measures_itself}

    def run(self) -> None:
        """All rounds; nothing is left on the broker."""
        try:
            for number in range(self.options.rounds):
                say(f"{self.place}: round {number + 1} of {self.options.rounds}")
                self.round(number)
        finally:
            if self.place == BROKER:
                names = [*EXCHANGES, f"{PREFIX}.dead"]
                self.lapin("delete", *(part for name in names for part in ("--exchange", name)))
        for key, starts in self.starts.items():
            seconds = statistics.median(start.seconds for start in starts)
            cpu_seconds = statistics.median(start.cpu_seconds for start in starts)
            self.samples[key] = [sample.less(seconds, cpu_seconds) for sample in self.samples[key]]

    def round(self, number: int) -> None:
        """Every peer once, beginning with another in every round."""
        first = number % len(self.peers)
        for peer in [*self.peers[first:], *self.peers[:first]]:
            if not peer.measures_itself:
                self.starts[peer.key].append(self.sample(peer, 1))
            self.samples[peer.key].append(self.sample(peer, peer.logs(self.place, self.options.logs)))

    def sample(self, peer: Peer, logs: int) -> Sample:
        """Runs a peer, once more if it fails: an hour of runs is not to be lost to one."""
        try:
            return self.try_sample(peer, logs)
        except Failed as error:
            say(f"{error}\nonce more")
            return self.try_sample(peer, logs)

    def try_sample(self, peer: Peer, logs: int) -> Sample:
        """Runs a peer, on queues that are new."""
        if self.place != BROKER:
            return self.run_once(peer, logs)
        binds = [part for name, to in peer.queues.items() for part in ("--bind", f"{name}={','.join(to)}")]
        sources = [part for name in peer.sources for part in ("--exchange", name)]
        self.lapin("fill", *binds, *sources, "--logs", str(logs if peer.work == CONSUME else 0))
        # What it has yet to do with these logs is not the peer's.
        time.sleep(self.options.settle)
        try:
            return self.run_once(peer, logs)
        finally:
            queues = [part for name in peer.queues for part in ("--queue", name, "--queue", f"{name}.dead")]
            self.lapin("delete", *queues)

    def run_once(self, peer: Peer, logs: int) -> Sample:
        """Runs a peer, here."""
        return run_once(peer, self.server, logs, self.scratch, self.environment)

    def lapin(self, command: str, *arguments: str) -> None:
        """Fills queues, and deletes what there is on the broker."""
        output(self.tools.lapin_peer, "--broker", self.server.url, command, *arguments)
