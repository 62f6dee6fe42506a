"""All peers that are compared, in the order in which they are shown."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from clients.common import BODY, SOURCE, WINDOW

from .commands import output
from .names import (
    ALONE,
    BROKER,
    CONSUME,
    CRITICAL,
    ERROR,
    EXCHANGES,
    INFO,
    PEERS,
    PREFIX,
    PUBLISH,
    QUEUE,
    ROOT,
    Place,
    Work,
)
from .peer import Command, CommandOf, Peer
from .tools import Tools

PLUGINS = ROOT / "plugins"

# What the queues of the bundled consumers are bound to.
FOUR = {
    f"loghost.{PREFIX}.all": EXCHANGES,
    f"loghost.{PREFIX}.debug-info": EXCHANGES[:2],
    f"loghost.{PREFIX}.error": [ERROR],
    f"loghost.{PREFIX}.critical": [CRITICAL],
}


def peers(tools: Tools) -> list[Peer]:
    """All that can run here."""
    clients = PEERS / "clients"
    found: list[Peer] = []
    if tools.c_peer:
        found += outside("c", "C librabbitmq", [tools.c_peer], {ALONE: 2})
    found += reference(tools)
    if tools.node:
        found += outside("amqplib", "amqplib (Node)", ["node", clients / "amqplib_peer.js"])
    if tools.python:
        found += outside("pika", "pika", [tools.python, clients / "pika_peer.py"], {ALONE: 0.2})
        aio_pika = [tools.python, clients / "aio_pika_peer.py"]
        found += outside("aio-pika", "aio-pika", aio_pika, {ALONE: 0.02, BROKER: 0.2})
    found += counting(tools)
    found += four_queues(tools)
    found.append(publishing(tools))
    return found


def outside(key: str, title: str, command: Command, share: Mapping[Place, float] | None = None) -> Iterator[Peer]:
    """A client that is neither loghost nor the reference, doing both kinds of work."""
    wheres: dict[Work, list[str]] = {CONSUME: ["--queue", QUEUE], PUBLISH: ["--exchange", INFO]}
    for work, where in wheres.items():

        def arguments(url: str, logs: int, _folder: Path, work: Work = work, where: list[str] = where) -> Command:
            return [*command, work, "--broker", url, "--logs", str(logs), *where]

        yield Peer(f"{key}-{work}", title, work, arguments, share=share or {})


def reference(tools: Tools) -> Iterator[Peer]:
    """The bare loops of lapin."""
    for mode in ("bursts", "deliveries"):
        consume = loop(tools, "consume", "--mode", mode, "--queue", QUEUE)
        yield Peer(f"lapin-{mode}", f"lapin, {mode}", CONSUME, consume)
    publish = loop(tools, "publish", "--exchange", INFO, "--window", str(WINDOW))
    yield Peer("lapin-window", "lapin, full window", PUBLISH, publish)


def counting(tools: Tools) -> Iterator[Peer]:
    """loghost with one consumer."""

    def host(key: str, title: str, command: CommandOf, name: str) -> Peer:
        queues = {f"loghost.{PREFIX}.{name}": [INFO]}
        return Peer(key, title, CONSUME, command, measures_itself=False, queues=queues)

    yield host("loghost-counting", "loghost, counting", running(tools, PLUGINS / "all.wasm"), "all")
    if tools.processor:
        name = json.loads(output(tools.loghost, "plugin", "inspect", tools.processor, "--format", "json"))["name"]
        yield host("loghost-processor", "loghost, processor", running(tools, tools.processor), name)
    yield host("loghost-state", "loghost, --state", running(tools, PLUGINS / "all.wasm", state=True), "all")


def four_queues(tools: Tools) -> Iterator[Peer]:
    """Four consumers at once, of lapin and of loghost."""
    queues = [part for queue in FOUR for part in ("--queue", queue)]
    loops = loop(tools, "consume", "--mode", "bursts", *queues)
    hosts = {
        "lapin-four": ("lapin, four loops", loops, True),
        "loghost-four": ("loghost, four consumers", running(tools, PLUGINS), False),
    }
    for key, (title, command, measures_itself) in hosts.items():
        yield Peer(
            key,
            title,
            CONSUME,
            command,
            measures_itself,
            queues=FOUR,
            # The same deliveries for both: every queue has at least as many as are taken from it.
            sources=[INFO, ERROR, CRITICAL],
            logs_each=len(FOUR),
            share={ALONE: 0.25, BROKER: 0.5},
        )


def publishing(tools: Tools) -> Peer:
    """`loghost publish`, which reads what it publishes."""

    def arguments(url: str, _logs: int, _folder: Path) -> Command:
        lines = ["--stdin", "--severity", "info", "--source", SOURCE]
        return [tools.loghost, "publish", *lines, "--broker", url, "--prefix", PREFIX]

    def stdin(logs: int) -> str:
        return (BODY.decode() + "\n") * logs

    return Peer("loghost-publish", "loghost publish", PUBLISH, arguments, measures_itself=False, stdin=stdin)


def loop(tools: Tools, *arguments: str) -> CommandOf:
    """A bare loop of lapin."""
    return lambda url, logs, _folder: [tools.lapin_peer, "--broker", url, *arguments, "--logs", str(logs)]


def running(tools: Tools, plugins: Path, state: bool = False) -> CommandOf:
    """`loghost run` with a plugin, or a folder of them."""

    def arguments(url: str, logs: int, folder: Path) -> Command:
        more: Command = ["--state", folder / "state"] if state else []
        limit = ["--max-logs", str(logs), "--format", "json"]
        return [tools.loghost, "run", plugins, "--broker", url, "--prefix", PREFIX, *limit, *more]

    return arguments
