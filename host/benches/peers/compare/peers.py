"""All peers that are compared, in the order in which they are shown."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from clients.common import BODY, SOURCE, WINDOW

from .commands import output
from .names import (
    ALONE,
    BROKER,
    BROKER4,
    CONSUME,
    CRITICAL,
    ERROR,
    EXCHANGES,
    FULL,
    INFO,
    PEERS,
    PREFIX,
    PUBLISH,
    QUEUE,
    ROOT,
    Environment,
    QueueType,
    Work,
)
from .peer import Command, CommandOf, Peer
from .server import Server
from .tools import Tools

PLUGINS = ROOT / "plugins"

CLASSIC_AND_QUORUM: tuple[QueueType, ...] = ("classic", "quorum")

# What reads streams anew in each run.
FROM_FIRST = ("--queue-type", "stream", "--from", "first")

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
    found += by_queue_type(tools)
    return found


def outside(key: str, title: str, command: Command, share: Mapping[Environment, float] | None = None) -> Iterator[Peer]:
    """A client that is neither loghost nor the reference, doing both kinds of work."""
    wheres: dict[Work, list[str]] = {CONSUME: ["--queue", QUEUE], PUBLISH: ["--exchange", INFO]}
    for work, where in wheres.items():

        def arguments(server: Server, logs: int, _folder: Path, work: Work = work, where: list[str] = where) -> Command:
            return [*command, work, "--broker", server.url, "--logs", str(logs), *where]

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
    for key, title, plugin, name, state in hosts(tools):
        queues = {f"loghost.{PREFIX}.{name}": [INFO]}
        yield Peer(key, title, CONSUME, running(tools, plugin, state), measures_itself=False, queues=queues)
    # The same logs, taken by a rule: for another prefix they are those of any other producer.
    rule = running(tools, PLUGINS / "all.wasm", more=["--bind", f"{INFO}=info"], prefix=FULL)
    queues = {f"loghost.{FULL}.all": [INFO]}
    yield Peer("loghost-bind", "loghost, counting by --bind", CONSUME, rule, measures_itself=False, queues=queues)


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

    def arguments(server: Server, _logs: int, _folder: Path) -> Command:
        lines = ["--stdin", "--severity", "info", "--source", SOURCE]
        return [tools.loghost, "publish", *lines, "--broker", server.url, "--prefix", PREFIX]

    def stdin(logs: int) -> str:
        return (BODY.decode() + "\n") * logs

    return Peer("loghost-publish", "loghost publish", PUBLISH, arguments, measures_itself=False, stdin=stdin)


def loop(tools: Tools, *arguments: str) -> CommandOf:
    """A bare loop of lapin."""
    return lambda server, logs, _folder: [tools.lapin_peer, "--broker", server.url, *arguments, "--logs", str(logs)]


def running(
    tools: Tools, plugins: Path, state: bool = False, more: Sequence[str] = (), prefix: str = PREFIX
) -> CommandOf:
    """`loghost run` with a plugin, or a folder of them."""

    def arguments(server: Server, logs: int, folder: Path) -> Command:
        limit = ["--max-logs", str(logs), "--format", "json"]
        to: list[str | Path] = ["--state", folder / "state"] if state else []
        where: list[str | Path] = ["--broker", server.url, "--prefix", prefix]
        if "stream" in more:
            where += stream_address(server)
        return [tools.loghost, "run", plugins, *where, *limit, *to, *more]

    return arguments


def replaying(tools: Tools, prefix: str) -> CommandOf:
    """`loghost replay` over the beginning of a stream."""

    def arguments(server: Server, logs: int, _folder: Path) -> Command:
        span = ["--severity", "info", "--from", "first", "--until", str(logs), "--format", "json"]
        where = ["--broker", server.url, "--prefix", prefix, *stream_address(server)]
        return [tools.loghost, "replay", PLUGINS / "all.wasm", *where, *span]

    return arguments


def stream_address(server: Server) -> Command:
    """Where a server speaks the stream protocol, if it does."""
    return ["--stream-address", urlsplit(server.streams).netloc.rpartition("@")[2]] if server.streams else []


def by_queue_type(tools: Tools) -> Iterator[Peer]:
    """What is read from queues of each type, and from streams with small and with full chunks."""
    for queue_type in CLASSIC_AND_QUORUM:
        yield from of_queues(tools, queue_type)
    for prefix, chunks in ((PREFIX, "stream"), (FULL, "stream, full chunks")):
        yield from of_streams(tools, prefix, chunks)


def of_queues(tools: Tools, queue_type: QueueType) -> Iterator[Peer]:
    """Clients of a queue."""

    def peer(key: str, title: str, command: CommandOf, measures_itself: bool, name: str) -> Peer:
        return Peer(
            f"{key}-{queue_type}",
            f"{title}, {queue_type}",
            CONSUME,
            command,
            measures_itself,
            (BROKER4,),
            queue_type,
            queues={f"loghost.{PREFIX}.{name}": [INFO]},
        )

    if tools.c_peer:
        consume: list[str | Path] = [tools.c_peer, "consume"]
        c: CommandOf = lambda server, logs, _: [*consume, "--broker", server.url, "--logs", str(logs), "--queue", QUEUE]
        yield peer("c", "C librabbitmq", c, True, "peer")
    yield peer("lapin", "lapin in bursts", loop(tools, "consume", "--mode", "bursts", "--queue", QUEUE), True, "peer")
    for key, title, plugin, name, state in hosts(tools):
        yield peer(key, title, running(tools, plugin, state, ["--queue-type", queue_type]), False, name)
    yield Peer(
        f"loghost-four-{queue_type}",
        f"loghost, four consumers, {queue_type}",
        CONSUME,
        running(tools, PLUGINS, False, ["--queue-type", queue_type]),
        False,
        (BROKER4,),
        queue_type,
        queues=FOUR,
        sources=[INFO, ERROR, CRITICAL],
        logs_each=len(FOUR),
        copies=2,
        share={BROKER4: 0.5},
    )


def of_streams(tools: Tools, prefix: str, chunks: str) -> Iterator[Peer]:
    """Readers of streams."""
    kind = "stream" if prefix == PREFIX else "full"
    sources = [f"{prefix}.{name}" for name in ("info", "error", "critical")]

    def peer(key: str, title: str, command: CommandOf, names: Sequence[str], share: float = 1) -> Peer:
        return Peer(
            f"{key}-{kind}",
            f"{title}, {chunks}",
            CONSUME,
            command,
            not names,
            (BROKER4,),
            "stream",
            prefix,
            queues={f"loghost.{prefix}.{name}": [] for name in names},
            sources=sources,
            logs_each=max(len(names), 1),
            copies=2 if len(names) == len(FOUR) else 1,
            share={BROKER4: share},
        )

    if tools.python:
        reader: list[str | Path] = [tools.python, PEERS / "clients/rstream_peer.py", "consume", "--queue", sources[0]]
        rstream: CommandOf = lambda server, logs, _: [*reader, "--broker", server.streams or "", "--logs", str(logs)]
        yield peer("rstream", "rstream", rstream, [], 0.2)
    if tools.stream_client:
        client: list[str | Path] = [tools.stream_client, "consume", "--queue", sources[0]]
        rust: CommandOf = lambda server, logs, _: [*client, "--broker", server.streams or "", "--logs", str(logs)]
        yield peer("stream-client", "rabbitmq-stream-client (Rust)", rust, [])
    if tools.node:
        script: list[str | Path] = ["node", PEERS / "clients/stream_js_peer.js", "consume", "--queue", sources[0]]
        js: CommandOf = lambda server, logs, _: [*script, "--broker", server.streams or "", "--logs", str(logs)]
        # Its version 1.0 has no decoder for the header of 64 bits that every log has.
        yield replace(peer("stream-js", "rabbitmq-stream-js-client (Node)", js, [], 0.2), may_fail=True)
    for key, title, plugin, name, state in hosts(tools):
        yield peer(key, title, running(tools, plugin, state, FROM_FIRST, prefix), [name])
    yield replace(peer("loghost-replay", "loghost replay", replaying(tools, prefix), []), measures_itself=False)
    names = [queue.rpartition(".")[2] for queue in FOUR]
    four = running(tools, PLUGINS, False, FROM_FIRST, prefix)
    yield peer("loghost-four", "loghost, four consumers", four, names, 0.5)


def hosts(tools: Tools) -> Iterator[tuple[str, str, Path, str, bool]]:
    """loghost with one consumer: key, title, plugin, its name, and whether it has a state."""
    yield "loghost-counting", "loghost, counting", PLUGINS / "all.wasm", "all", False
    if tools.processor:
        yield "loghost-processor", "loghost, processor", tools.processor, name_of(tools, tools.processor), False
    yield "loghost-state", "loghost, --state", PLUGINS / "all.wasm", "all", True


def name_of(tools: Tools, plugin: Path) -> str:
    """What a plugin calls itself."""
    name: str = json.loads(output(tools.loghost, "plugin", "inspect", plugin, "--format", "json"))["name"]
    return name
