"""What one run of a peer takes."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from .commands import Failed, end
from .peer import Peer
from .server import Server

LONGEST_RUN = 600

# Logs per second, seconds per log, CPU per log, and CPU of the server per log: to store it, and to deliver it to all.
Figure = Literal["rate", "wall", "cpu", "server"]


@dataclass(frozen=True)
class Stored:
    """What it took the server to store logs, before a run."""

    logs: int
    cpu_seconds: float
    # On the disk.
    octets: int
    # How many consumers get each.
    copies: int


@dataclass(frozen=True)
class Sample:
    """What one run took."""

    logs: int
    seconds: float
    cpu_seconds: float
    # Of the server; none if it is somebody else's.
    server_cpu_seconds: float | None
    # What others took of the machine meanwhile, as a share of it.
    others: float
    # None where nothing was stored, or by a server that is somebody else's.
    stored: Stored | None = None

    def value(self, of: Figure) -> float:
        """One of the figures that are compared."""
        if of == "rate":
            return self.logs / self.seconds
        if of == "server":
            return self.server_cpu()
        return (self.seconds if of == "wall" else self.cpu_seconds) / self.logs

    def server_cpu(self) -> float:
        """What a log took the server; nothing if it is somebody else's."""
        if self.stored is None or self.server_cpu_seconds is None:
            return 0.0
        delivered = self.server_cpu_seconds / self.logs * self.stored.copies
        return self.stored.cpu_seconds / self.stored.logs + delivered

    def less(self, seconds: float, cpu_seconds: float) -> "Sample":
        """Without what it takes to start and end."""
        rest = max(self.seconds - seconds, 1e-6), max(self.cpu_seconds - cpu_seconds, 1e-6)
        return replace(self, seconds=rest[0], cpu_seconds=rest[1])


class Machine:
    """What the processors have done so far."""

    def __init__(self) -> None:
        first, *_ = Path("/proc/stat").read_text().splitlines()
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, first.split()[1:9])
        self.busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
        self.time = time.monotonic()


def run_once(peer: Peer, server: Server, logs: int, scratch: Path, variables: Mapping[str, str]) -> Sample:
    """Runs a peer; what it took, all of it if it does not measure itself."""
    folder = Path(tempfile.mkdtemp(dir=scratch))
    command = peer.command(server, logs, folder)
    stdin = folder / "stdin"
    stdin.write_text(peer.stdin(logs) if peer.stdin else "")
    with open(stdin) as lines, open(folder / "stdout", "w+") as out, open(folder / "stderr", "w+") as err:
        before, server_before = Machine(), server.cpu()
        process = subprocess.Popen(
            command, env=variables, start_new_session=True, text=True, stdin=lines, stdout=out, stderr=err
        )
        cpu = wait(process)
        after, server_after = Machine(), server.cpu()
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            how = "took too long" if process.returncode == -signal.SIGKILL else f"ended with {process.returncode}"
            raise Failed(f"{peer.title} {how}: {' '.join(map(str, command))}\n{err.read().strip()}")
        printed = out.read()
    shutil.rmtree(folder)

    seconds = after.time - before.time
    server_cpu = None if server_before is None or server_after is None else server_after - server_before
    others = (after.busy - before.busy - cpu - (server_cpu or 0)) / (seconds * (os.cpu_count() or 1))
    if peer.measures_itself:
        report = json.loads(printed.splitlines()[-1])
        seconds, cpu = report["seconds"], report["cpu_seconds"]
    return Sample(logs * peer.logs_each, seconds, cpu, server_cpu, max(others, 0.0))


def wait(process: subprocess.Popen[str]) -> float:
    """Waits until it ends, and kills it if that takes too long; its CPU seconds, which only this can tell."""
    alarm = threading.Timer(LONGEST_RUN, process.kill)
    alarm.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        alarm.cancel()
        end(process)
    return usage.ru_utime + usage.ru_stime
