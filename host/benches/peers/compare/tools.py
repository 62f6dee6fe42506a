"""The programs that are needed: they are built and installed."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .arguments import Options
from .commands import Failed, output, say
from .names import BROKER, BROKER4, CLIENTS, PEERS, ROOT, TARGET

CARGO = os.environ.get("CARGO", "cargo")


@dataclass
class Tools:
    """Where the programs are; none where one is missing, or not needed."""

    lapin_peer: Path
    firehose: Path
    loghost: Path
    rabbitmq_node: Path | None = None
    processor: Path | None = None
    c_peer: Path | None = None
    python: Path | None = None
    node: bool = False
    stream_client: Path | None = None


def prepare(options: Options) -> Tools:
    """Builds and installs what is needed."""
    say("building")
    # On its own: the features that loghost wants of lapin's dependencies are not the bare loop's.
    build("loghost-peers")
    loghost = options.loghost
    if loghost is None:
        build("loghost")
        loghost = release("loghost")
    tools = Tools(release("lapin-peer"), release("firehose"), loghost.resolve())
    if (options.wants(BROKER) or options.wants(BROKER4)) and options.broker is None:
        build("loghost-rabbitmq-node")
        tools.rabbitmq_node = release("rabbitmq-node")

    built = sorted(ROOT.glob("host/benches/plugins/*reading.wasm"))
    processor = options.processor or next(iter(built), None)
    if processor:
        tools.processor = processor.resolve()
    else:
        say("without a processor: --processor FILE names one")
    install_clients(tools)
    return tools


def install_clients(tools: Tools) -> None:
    """The clients in other languages, as far as they can be had."""
    CLIENTS.mkdir(parents=True, exist_ok=True)
    with missing("C librabbitmq: apt-get install gcc librabbitmq-dev"):
        c_peer = CLIENTS / "peer"
        output("cc", "-O2", "-Wall", "-Wextra", PEERS / "clients/peer.c", "-o", c_peer, "-lrabbitmq")
        tools.c_peer = c_peer
    with missing("pika, aio-pika and rstream: apt-get install python3-venv"):
        python = CLIENTS / "bin/python3"
        if not python.exists():
            output(sys.executable, "-m", "venv", CLIENTS)
        output(CLIENTS / "bin/pip", "install", "--quiet", "pika>=1.3,<2", "aio-pika>=9,<10", "rstream>=1.1,<2")
        tools.python = python
    with missing("amqplib and rabbitmq-stream-js-client: apt-get install nodejs npm"):
        packages = ["amqplib@^0.10", "rabbitmq-stream-js-client@^1"]
        output("npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", CLIENTS, *packages)
        tools.node = True
    with missing("rabbitmq-stream-client: it is fetched from where cargo fetches crates"):
        manifest, built = PEERS / "clients/stream_client_peer/Cargo.toml", CLIENTS / "stream-client-peer"
        output(CARGO, "build", "--quiet", "--release", "--locked", "--manifest-path", manifest, "--target-dir", built)
        tools.stream_client = built / "release/stream-client-peer"


def build(package: str) -> None:
    """Builds the binaries of a crate."""
    subprocess.run([CARGO, "build", "--release", "--locked", "-p", package], cwd=ROOT, check=True)


def release(name: str) -> Path:
    """A binary that was built."""
    return TARGET / "release" / name


@contextlib.contextmanager
def missing(what: str) -> Iterator[None]:
    """A peer that cannot be made is left out, and it is said why."""
    try:
        yield
    except (Failed, FileNotFoundError) as error:
        say(f"without {what}\n  {error}")
