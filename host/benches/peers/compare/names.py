"""Where things are, and what they are called: in the repository, on the broker, and in the results."""

import os
from pathlib import Path
from typing import Literal

PEERS = Path(__file__).resolve().parents[1]
ROOT = PEERS.parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
# What is built and installed for the clients.
CLIENTS = TARGET / "clients"

PREFIX = "peers"
# Of streams that are filled through the stream protocol.
FULL = "peers-full"
SEVERITIES = ("debug", "info", "error", "critical")
EXCHANGES = [f"{PREFIX}.{severity}" for severity in SEVERITIES]
_, INFO, ERROR, CRITICAL = EXCHANGES
QUEUE = f"loghost.{PREFIX}.peer"

Environment = Literal["alone", "RabbitMQ", "RabbitMQ4"]
ALONE: Environment = "alone"
BROKER: Environment = "RabbitMQ"
BROKER4: Environment = "RabbitMQ4"

QueueType = Literal["classic", "quorum", "stream"]

Work = Literal["consume", "publish"]
CONSUME: Work = "consume"
PUBLISH: Work = "publish"
